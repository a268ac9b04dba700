/* What the files of the HTTP server share; nobody else includes it. */
#ifndef PLATFORM_NET_HTTP_SERVER_INTERNAL_H
#define PLATFORM_NET_HTTP_SERVER_INTERNAL_H
#include "platform/net/forwarded.h"
#include "platform/net/http_feed.h"
#include "platform/net/http_server.h"
#include "platform/net/http_stream.h"
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#define HTTP_RESPONSE_VALUE_BYTES_MAX 2048u
/* Of a streamed body that nobody wanted: read away, so that the answer is seen; more is cut. */
#define HTTP_STREAM_SWALLOW_BYTES_MAX (8u << 20)

/* What a connection is waiting for; each kind has its own time limit and its own queue, oldest first. */
enum http_wait {
    HTTP_WAIT_NONE,
    HTTP_WAIT_HEAD,   /* the first head */
    HTTP_WAIT_IDLE,   /* a later head */
    HTTP_WAIT_BODY,   /* the rest of the body */
    HTTP_WAIT_STREAM, /* the next part of a streamed body, or room for it */
    HTTP_WAIT_ANSWER, /* http_answer; the connection is suspended */
    HTTP_WAIT_SEND,   /* the peer, to take the answer */
    HTTP_WAIT_COUNT
};

/* One accepted socket. Only the loop thread touches it. */
struct http_connection {
    struct http_server *server;
    struct MHD_Connection *mhd;
    int fd;                         /* the library's; we only shut it down */
    struct http_exchange *exchange; /* from the request line until the answer is sent or given up */
    enum http_wait wait;
    struct mono_time deadline;
    struct http_connection *before, *after; /* in the queue of `wait` */
};

enum http_stage {
    HTTP_STAGE_HEAD, /* the request line is there */
    HTTP_STAGE_BODY, /* the head was read */
    /* Of a streamed request, while its worker has it: */
    HTTP_STAGE_ACCEPTED, /* the worker wants the body; the library has not called yet */
    HTTP_STAGE_STREAM,   /* the body comes, and goes into the ring */
    HTTP_STAGE_SWALLOW,  /* the worker has answered; the rest of the body is dropped, then the answer is sent
                          */
    HTTP_STAGE_OUT,      /* with a worker or deferred: the request belongs to whoever answers it */
    HTTP_STAGE_DONE,     /* answered; the arena holds what is being sent */
};

/* What a streamed request has besides; see http_stream.h. */
struct http_stream {
    struct http_exchange *exchange;
    pthread_mutex_t lock;
    pthread_cond_t moved; /* for the worker */
    /* under `lock` */
    char *ring; /* owned; made by the worker */
    size_t ring_bytes, start, len;
    bool is_ended;  /* the whole body has come, or the whole answer */
    bool is_broken; /* the client is gone */
    bool is_paused; /* the loop has suspended the connection until the worker moves */
    bool wants_body, wants_resume, has_head; /* told the loop by the worker */
    uint64_t answer_bytes;
    /* under the server's lock */
    bool is_finished; /* the worker's last word: said with its last listing, so that the loop hears it once */
    bool is_listed;
    struct http_stream *next_listed;
    /* the loop thread's; has_body stays as it was made */
    bool has_body, is_accepted;
    bool is_feed;    /* http_feed.h; served by an ordinary worker, stays as it was made */
    bool is_begun;   /* a feed whose head was sent: it does not count as a request any more */
    bool is_settled; /* the worker has let go of the exchange */
    struct mono_time until;
    struct http_stream *before, *after; /* of server->streams */
};

/* One request and its answer. Lent to the answering side during HTTP_STAGE_OUT; else the loop thread's. */
struct http_exchange {
    struct http_request request; /* first member: http_answer gets this */
    struct http_response response;
    struct http_server *server;
    struct http_connection *connection; /* loop thread; NULL once the client is gone or was told 503 */
    enum http_stage stage;              /* loop thread */
    struct slice target;                /* in the arena; what the request line asked for */
    uintptr_t target_at;                /* where the library holds it, for the layout check */
    bool has_length, is_chunked;
    uint64_t declared_bytes;
    struct buf body;
    struct http_stream *stream; /* owned; NULL: the request is handed over whole */
    size_t body_counted;        /* of server->body_bytes */
    enum err refusal;           /* loop thread: known while the body was coming, answered at its end */
    size_t overrun;             /* body bytes swallowed since */
    atomic_bool is_answered;    /* whoever sets it has answered: http_answer or the watchdog */
    bool was_on_loop;           /* its handler was: there its memory was taken, and there it is given back */
    bool is_unnoted;            /* http_answer was first, at answered_at: the loop logs and counts it */
    struct mono_time answered_at;
    struct http_exchange *next; /* in ready, queue, completions or spare */
};

struct http_exchange_list {
    struct http_exchange *first, *last;
};

struct http_server {
    struct http_server_config config;
    struct forwarded_trust trust;
    int event_fd;
    atomic_bool stop_requested;

    /* the loop thread's */
    struct MHD_Daemon *daemon;
    int epoll_fd; /* the library's */
    struct {
        struct http_connection *first, *last;
    } waits[HTTP_WAIT_COUNT];
    size_t connection_count, in_flight, body_bytes;
    size_t connection_peak;                 /* since memory was given back */
    struct http_exchange_list ready;        /* to be handed to the workers after this turn */
    struct http_exchange_list stream_ready; /* likewise, for the streaming workers */
    struct http_stream *streams;            /* all there are */
    struct http_exchange *spare;            /* for reuse */
    size_t spare_count;
    bool is_draining, is_forced;
    struct mono_time drain_until;

    /* under `lock` */
    pthread_mutex_t lock;
    pthread_cond_t has_work, has_stream, has_opened;
    struct http_exchange_list queue, stream_queue, completions;
    struct http_stream *notices; /* streams whose worker wants something of the loop */
    unsigned opened;
    unsigned idle, stream_idle; /* workers that wait for work */
    enum err open_err;
    bool is_closing;
    bool is_asleep; /* the loop waits, or is about to: an answer has to wake it */

    pthread_t *threads; /* owned; started of them */
    unsigned started;
};

static inline void
http_list_add(struct http_exchange_list *list, struct http_exchange *exchange)
{
    exchange->next = NULL;
    if (list->last == NULL)
        list->first = exchange;
    else
        list->last->next = exchange;
    list->last = exchange;
}

static inline struct mono_time
http_server_now(const struct http_server *server)
{
    return clock_mono(server->config.clock);
}

/* http_exchange.c: the library's callbacks, and what the loop does to connections besides. */
enum MHD_Result http_on_access(void *ctx, struct MHD_Connection *mhd, const char *url, const char *method,
                               const char *version, const char *upload, size_t *upload_bytes,
                               void **request_ctx);
void *http_on_request_line(void *ctx, const char *target, struct MHD_Connection *mhd);
void http_on_completed(void *ctx, struct MHD_Connection *mhd, void **request_ctx,
                       enum MHD_RequestTerminationCode why);
void http_on_connection(void *ctx, struct MHD_Connection *mhd, void **socket_ctx,
                        enum MHD_ConnectionNotificationCode what);
/* Moves the connection to the end of another queue. */
void http_connection_wait(struct http_connection *connection, enum http_wait wait);
void http_connection_cut(struct http_connection *connection);
/* Takes the connection from a request that is not answered in time, and answers 503. A later answer goes
 * nowhere. */
void http_connection_give_up(struct http_connection *connection, enum err err);
/* Sends exchange->response, inside a callback of the library or while the connection is suspended; MHD_NO:
 * close. */
enum MHD_Result http_exchange_send(struct http_exchange *exchange, bool is_last);
/* The end of a request: what it held is wiped, its memory may serve another. */
void http_exchange_release(struct http_server *server, struct http_exchange *exchange);
void http_exchange_free(struct http_exchange *exchange);

/* http_message.c */
/* Makes *response the problem document of `err`, with the headers that belong to its status. */
void http_response_problem(struct http_request *request, struct http_response *response, enum err err);
/* Counts the answer and writes the access log; `now` is when it was made. The loop thread. */
void http_answer_note(const struct http_request *request, const struct http_response *response,
                      struct mono_time now);
/* The library's form of a response; `is_last` closes the connection after it. NULL: no memory. */
struct MHD_Response *http_response_make(const struct http_request *request,
                                        const struct http_response *response,
                                        enum MHD_ResponseMemoryMode body_mode, bool is_last);

/* The same head on a response that the library pulls. False: no memory. */
bool http_response_dress(struct MHD_Response *made, const struct http_request *request,
                         const struct http_response *response, bool is_last);

/* http_stream.c: the loop's side */
struct http_stream *http_stream_new(struct http_exchange *exchange, bool has_body,
                                    bool is_feed); /* NULL: no memory */
void http_stream_free(struct http_stream *stream); /* accepts NULL */
/* The client is gone: the worker's next call says so. */
void http_stream_break(struct http_stream *stream);
/* How much of the part found room; when not all did, the stream is paused. */
size_t http_stream_push(struct http_stream *stream, struct slice part);
void http_stream_body_done(struct http_stream *stream);
/* Whether it was paused. */
bool http_stream_unpause(struct http_stream *stream);
ssize_t http_stream_pull(void *exchange, uint64_t pos, char *to, size_t max);
void http_streams_serve(struct http_server *server, struct http_stream *notices);
/* Once no worker is left: what one has finished and the loop has not seen. */
void http_stream_abandoned(struct http_server *server, struct http_stream *stream);
/* Ends feeds: those whose client is gone, which nobody else would notice; with `all` every one. */
void http_feeds_check(struct http_server *server, bool all);
/* For http_feed.c: as http_stream_answer, with so many bytes of room; and tells the loop to look. */
MUST_CHECK enum err http_stream_begin(struct http_request *request, const struct http_response *head,
                                      uint64_t bytes, size_t ring_bytes);
bool http_stream_put(struct http_stream *stream, struct slice bytes);
void http_stream_notify(struct http_stream *stream, bool is_last);
/* True: the answer is sent when the rest of the body has been read away. */
bool http_stream_answered(struct http_exchange *exchange);

/* http_head.c */
/*
 * Reads and judges the head. ERR_OK, with exchange->refusal set when only the content is at fault; any error
 * means that the framing cannot be trusted: answer it and close.
 */
MUST_CHECK enum err http_head_read(struct http_exchange *exchange, const char *url, const char *method,
                                   const char *version);

/* http_workers.c */
MUST_CHECK enum err http_workers_start(struct http_server *server);
void http_workers_stop(struct http_server *server);
/* Hands server->ready over. */
void http_workers_give(struct http_server *server);
/* False: answers are there already. True: from now on one wakes the loop. */
bool http_workers_sleep(struct http_server *server);
/* Takes what has been answered since the last call, and what streaming workers asked for before they
 * answered. */
struct http_exchange *http_workers_take(struct http_server *server, struct http_stream **notices_out);

#endif
