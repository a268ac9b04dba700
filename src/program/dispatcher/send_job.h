/* One message on its way to the provider: handed from the store thread to the loop and back. Owned by who
 * holds it. */
#ifndef PROGRAM_DISPATCHER_SEND_JOB_H
#define PROGRAM_DISPATCHER_SEND_JOB_H
#include "core/arena.h"
#include "core/buf.h"
#include "core/secret.h"
#include "domain/message/message_queue.h"
#include <pthread.h>

struct send_job {
    struct message_claim claim;
    struct buf url, body; /* body holds message text: wiped */
    struct secret *token; /* owned; gone as soon as the request has its own copy */
    struct message_outcome outcome;
    char provider_id[256], error_code[64]; /* what the outcome points to */
    int64_t lane_hold_ms;
    bool breaks_channel;
    struct send_job *next;
};

/* NULL: no memory. */
struct send_job *send_job_new(const struct message_claim *claim);
void send_job_free(struct send_job *job); /* accepts NULL */
/* Sets an outcome that is not the provider's: codes and titles are literals of ours. */
void send_job_settle(struct send_job *job, const struct clock *clock, enum message_verdict verdict,
                     int64_t delay_ms, const char *error_code, const char *error_title,
                     const char *error_class);

/* A list that two threads share, with an eventfd that is readable while it may hold something. */
struct send_queue {
    pthread_mutex_t lock;
    struct send_job *first, **last; /* under lock */
    size_t count;                   /* under lock */
    int event_fd;
};
MUST_CHECK enum err send_queue_init(struct send_queue *queue);
void send_queue_release(struct send_queue *queue);                   /* frees what it holds */
void send_queue_put(struct send_queue *queue, struct send_job *job); /* taken */
/* All of it, in order, as a list; clears the event. */
struct send_job *send_queue_take(struct send_queue *queue);
size_t send_queue_count(struct send_queue *queue);
void send_queue_wake(struct send_queue *queue);

#endif
