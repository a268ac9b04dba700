/* What the tests of this room share: a raw client that sends exactly the bytes it is told, and a clock with
 * hands. */
#ifndef PLATFORM_NET_NET_TESTING_H
#define PLATFORM_NET_NET_TESTING_H
#include "core/clock.h"
#include "core/slice.h"
#include <stdatomic.h>

#define TESTING_HEAD_BYTES_MAX 16384u
#define TESTING_WAIT_MS        15000 /* after which a test gives up: only a fault ever waits so long */

/* The system's clock, moved ahead by any thread. */
struct testing_clock {
    struct clock clock; /* first member */
    atomic_llong ahead_us;
};
void testing_clock_init(struct testing_clock *clock);
void testing_clock_advance(struct testing_clock *clock, int64_t ms);

/* Loopback, a free port. Asserts on failure, as all of these do. */
int testing_listen(uint16_t *port_out);
int testing_listen_unix(const char *path);
int testing_connect(uint16_t port);
int testing_connect_unix(const char *path);
void testing_send(int fd, struct slice bytes);
/* Whether the peer closes before the time is up; what it still sends is dropped. */
bool testing_is_closed(int fd);
/* Whether anything (or the end) can be read within that time. */
bool testing_is_readable(int fd, int wait_ms);

struct testing_reply {
    int status;
    char head[TESTING_HEAD_BYTES_MAX + 1];
    char *body; /* owned, with a NUL at the end: testing_reply_release */
    size_t body_len;
};
/* Reads one answer, body by Content-Length; informational ones are answers of their own. false: closed
 * instead. */
bool testing_receive(int fd, struct testing_reply *reply);
/* As testing_receive, for HEAD: no body follows. */
bool testing_receive_head(int fd, struct testing_reply *reply);
/* The field's value in a buffer of this thread's; NULL when there is none. */
const char *testing_header(const struct testing_reply *reply, const char *name);
void testing_reply_release(struct testing_reply *reply);

#endif
