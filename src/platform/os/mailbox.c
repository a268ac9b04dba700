#include "platform/os/mailbox.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum err
mailbox_init(struct mailbox *mailbox)
{
    *mailbox = (struct mailbox){ .event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
    mailbox->last = &mailbox->first;
    if (mailbox->event_fd < 0)
        return ERR_SYSTEM;
    if (pthread_mutex_init(&mailbox->lock, NULL) != 0) {
        close(mailbox->event_fd);
        return ERR_SYSTEM;
    }
    return ERR_OK;
}

void
mailbox_release(struct mailbox *mailbox)
{
    close(mailbox->event_fd);
    pthread_mutex_destroy(&mailbox->lock);
}

void
mailbox_wake(struct mailbox *mailbox)
{
    const uint64_t one = 1;

    if (write(mailbox->event_fd, &one, sizeof(one)) < 0)
        return; /* only at its limit, and then it is readable */
}

void
mailbox_put(struct mailbox *mailbox, struct mailbox_item *item)
{
    item->next = NULL;
    pthread_mutex_lock(&mailbox->lock);
    bool was_empty = mailbox->first == NULL;
    *mailbox->last = item;
    mailbox->last = &item->next;
    mailbox->count++;
    pthread_mutex_unlock(&mailbox->lock);
    if (was_empty) /* else whoever put the first has told, or is about to; and it takes all of them */
        mailbox_wake(mailbox);
}

struct mailbox_item *
mailbox_take(struct mailbox *mailbox)
{
    uint64_t told;

    if (read(mailbox->event_fd, &told, sizeof(told)) < 0)
        told = 0; /* nothing was told; there may be something all the same */
    pthread_mutex_lock(&mailbox->lock);
    struct mailbox_item *all = mailbox->first;
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    mailbox->count = 0;
    pthread_mutex_unlock(&mailbox->lock);
    return all;
}

size_t
mailbox_count(struct mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    size_t count = mailbox->count;
    pthread_mutex_unlock(&mailbox->lock);
    return count;
}
