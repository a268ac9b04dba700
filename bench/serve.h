/*
 * What the stand-ins of the bench share: one thread, one epoll, HTTP/1.1 with keep-alive on a port of the
 * loopback, one request at a time on a connection, and lines of standard input as commands. What fails ends
 * the program.
 */
#ifndef BENCH_SERVE_H
#define BENCH_SERVE_H
#include "core/attribute.h"
#include "core/slice.h"
#include <stdint.h>

#define SERVE_INPUT_BYTES_MAX 131072u

/* First member of whatever owns a descriptor. */
struct serve_watch {
    int fd;
    void (*on_ready)(struct serve_watch *watch, uint32_t events);
};

struct serve_peer {
    struct serve_watch watch; /* fd -1: gone */
    char *in;                 /* owned */
    size_t in_len;
    bool is_held;            /* its answer comes later: a peer that goes meanwhile is kept until then */
    uint64_t due_us, number; /* the holder's */
    struct serve_peer *next_held, *next_spare, *next_made;
};

struct serve {
    const char *name;
    /* Answers now by serve_answer, or holds the peer and answers later. Both slices end with this call. */
    void (*on_request)(struct serve_peer *peer, struct slice head, struct slice body);
    void (*on_command)(struct slice line);
    int (*on_turn)(void); /* milliseconds until the next turn at the latest; -1: whenever something comes */
};

NORETURN void serve_stop_because(const char *what);
uint64_t serve_now_us(void);

/* Prints {"port": ...}, and serves until standard input ends. */
void serve_run(const struct serve *serve);

/* Ends is_held. A peer that has gone is not answered. */
void serve_answer(struct serve_peer *peer, struct slice answer);
/* The value of a header in a head; empty when it is not there. */
struct slice serve_header(struct slice head, struct slice name);
/* The length of the whole message at the front of `in` (a request, or an answer with Content-Length); 0: it
 * is not all there. */
size_t serve_message_len(struct slice in, size_t *head_len_out);

void serve_watch(struct serve_watch *watch, uint32_t events);
/* A connection to 127.0.0.1:port, watched. */
void serve_connect(struct serve_watch *watch, uint16_t port);

#endif
