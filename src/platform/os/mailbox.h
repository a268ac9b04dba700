/*
 * Things that one thread hands to another: a list under a lock, and an eventfd that is readable while it may
 * hold something, for the receiver's poll. Whoever takes an item owns it. What is put stays bounded by what
 * the two sides have out together; the mailbox itself refuses nothing.
 */
#ifndef PLATFORM_OS_MAILBOX_H
#define PLATFORM_OS_MAILBOX_H
#include "core/err.h"
#include <pthread.h>
#include <stddef.h>

/* First member of whatever is handed over. */
struct mailbox_item {
    struct mailbox_item *next;
};

struct mailbox {
    pthread_mutex_t lock;
    struct mailbox_item *first, **last; /* under lock */
    size_t count;                       /* under lock */
    int event_fd;
};

/* ERR_SYSTEM. */
MUST_CHECK enum err mailbox_init(struct mailbox *mailbox);
/* Items that are still in it are the caller's: take them before. */
void mailbox_release(struct mailbox *mailbox);
/* Taken; wakes the receiver. */
void mailbox_put(struct mailbox *mailbox, struct mailbox_item *item);
/* All of it, in order, as a list through `next`; NULL when empty. The event is cleared. */
struct mailbox_item *mailbox_take(struct mailbox *mailbox);
size_t mailbox_count(struct mailbox *mailbox);
/* Makes the event readable without an item. */
void mailbox_wake(struct mailbox *mailbox);

#endif
