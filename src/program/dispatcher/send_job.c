#include "program/dispatcher/send_job.h"
#include "domain/channel/whatsapp/whatsapp_send.h"
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define URL_BYTES_MAX 2048u

struct send_job *
send_job_new(const struct message_claim *claim)
{
    struct send_job *job = calloc(1, sizeof(*job));

    if (job == NULL)
        return NULL;
    job->claim = *claim;
    buf_init(&job->url, URL_BYTES_MAX);
    buf_init(&job->body, WHATSAPP_SEND_BYTES_MAX);
    return job;
}

void
send_job_free(struct send_job *job)
{
    if (job == NULL)
        return;
    buf_release(&job->url);
    buf_release_wiped(&job->body);
    secret_free(job->token);
    free(job);
}

void
send_job_settle(struct send_job *job, const struct clock *clock, enum message_verdict verdict,
                int64_t delay_ms, const char *error_code, const char *error_title, const char *error_class)
{
    struct wall_time now = clock_wall(clock);

    job->outcome = (struct message_outcome){ .claim = job->claim,
                                             .verdict = verdict,
                                             .at = now,
                                             .due_at = wall_after_ms(now, delay_ms),
                                             .error_code = slice_text(error_code),
                                             .error_title = slice_text(error_title),
                                             .error_class = error_class };
}

enum err
send_queue_init(struct send_queue *queue)
{
    *queue = (struct send_queue){ .event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
    queue->last = &queue->first;
    pthread_mutex_init(&queue->lock, NULL);
    return queue->event_fd < 0 ? ERR_SYSTEM : ERR_OK;
}

void
send_queue_release(struct send_queue *queue)
{
    for (struct send_job *job = queue->first, *next; job != NULL; job = next) {
        next = job->next;
        send_job_free(job);
    }
    if (queue->event_fd >= 0)
        close(queue->event_fd);
    pthread_mutex_destroy(&queue->lock);
}

void
send_queue_wake(struct send_queue *queue)
{
    const uint64_t one = 1;

    if (write(queue->event_fd, &one, sizeof(one)) < 0)
        return; /* only when it is at its limit, and then it is readable */
}

void
send_queue_put(struct send_queue *queue, struct send_job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&queue->lock);
    *queue->last = job;
    queue->last = &job->next;
    queue->count++;
    pthread_mutex_unlock(&queue->lock);
    send_queue_wake(queue);
}

struct send_job *
send_queue_take(struct send_queue *queue)
{
    uint64_t count;

    if (read(queue->event_fd, &count, sizeof(count)) < 0)
        count = 0; /* nothing had been told: there may still be something */
    pthread_mutex_lock(&queue->lock);
    struct send_job *all = queue->first;
    queue->first = NULL;
    queue->last = &queue->first;
    queue->count = 0;
    pthread_mutex_unlock(&queue->lock);
    return all;
}

size_t
send_queue_count(struct send_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    size_t count = queue->count;
    pthread_mutex_unlock(&queue->lock);
    return count;
}
