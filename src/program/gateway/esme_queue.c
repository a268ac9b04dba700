#include "program/gateway/esme_internal.h"

void
esme_queue_init(struct esme_queue *queue, size_t count_max)
{
    *queue = (struct esme_queue){ .count_max = count_max };
    queue->last = &queue->first;
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->is_filled, NULL);
}

void
esme_queue_release(struct esme_queue *queue)
{
    pthread_cond_destroy(&queue->is_filled);
    pthread_mutex_destroy(&queue->lock);
}

bool
esme_queue_put(struct esme_queue *queue, struct esme_job *job)
{
    pthread_mutex_lock(&queue->lock);
    bool has_room = !queue->is_stopping && queue->count < queue->count_max;
    if (has_room) {
        job->item.next = NULL;
        *queue->last = &job->item;
        queue->last = &job->item.next;
        queue->count++;
        pthread_cond_signal(&queue->is_filled);
    }
    pthread_mutex_unlock(&queue->lock);
    return has_room;
}

static struct esme_job *
take(struct esme_queue *queue, bool waits)
{
    pthread_mutex_lock(&queue->lock);
    while (waits && queue->first == NULL && !queue->is_stopping)
        pthread_cond_wait(&queue->is_filled, &queue->lock);
    struct mailbox_item *item = queue->first;
    if (item != NULL) {
        queue->first = item->next;
        if (queue->first == NULL)
            queue->last = &queue->first;
        queue->count--;
    }
    pthread_mutex_unlock(&queue->lock);
    return (struct esme_job *)item; /* its first member */
}

struct esme_job *
esme_queue_take(struct esme_queue *queue)
{
    return take(queue, true);
}

struct esme_job *
esme_queue_try(struct esme_queue *queue)
{
    return take(queue, false);
}

void
esme_queue_stop(struct esme_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->is_stopping = true;
    pthread_cond_broadcast(&queue->is_filled);
    pthread_mutex_unlock(&queue->lock);
}
