#include "program/smsc/resolver.h"
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct resolver {
    struct mailbox jobs, *done;
    pthread_t thread;
    atomic_bool is_stopping;
    atomic_size_t waiting;
};

static void
resolve(struct resolver_job *job)
{
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM }, *found = NULL;

    if (getaddrinfo(job->host, NULL, &hints, &found) != 0)
        return;
    for (struct addrinfo *at = found; at != NULL && job->count < RESOLVER_ADDRESSES_MAX; at = at->ai_next)
        if (at->ai_addrlen <= sizeof(job->addresses[0]))
            memcpy(&job->addresses[job->count++], at->ai_addr, at->ai_addrlen);
    freeaddrinfo(found);
}

static void *
resolver_run(void *ctx)
{
    struct resolver *resolver = ctx;

    while (!atomic_load(&resolver->is_stopping)) {
        struct pollfd fd = { .fd = resolver->jobs.event_fd, .events = POLLIN };
        (void)poll(&fd, 1, -1);
        struct resolver_job *job = (struct resolver_job *)mailbox_take(&resolver->jobs);
        for (struct resolver_job *next; job != NULL; job = next) {
            next = (struct resolver_job *)job->item.next;
            if (!atomic_load(&resolver->is_stopping))
                resolve(job);
            atomic_fetch_sub(&resolver->waiting, 1);
            mailbox_put(resolver->done, &job->item);
        }
    }
    return NULL;
}

enum err
resolver_new(struct mailbox *done, struct resolver **out)
{
    struct resolver *resolver = calloc(1, sizeof(*resolver));
    enum err err = resolver == NULL ? ERR_NO_MEMORY : mailbox_init(&resolver->jobs);

    *out = NULL;
    if (err == ERR_OK) {
        resolver->done = done;
        if (pthread_create(&resolver->thread, NULL, resolver_run, resolver) != 0)
            err = ERR_SYSTEM;
    }
    if (err != ERR_OK) {
        free(resolver);
        return err;
    }
    *out = resolver;
    return ERR_OK;
}

void
resolver_put(struct resolver *resolver, struct resolver_job *job)
{
    if (atomic_fetch_add(&resolver->waiting, 1) < RESOLVER_WAITING_MAX) {
        mailbox_put(&resolver->jobs, &job->item);
        return;
    }
    atomic_fetch_sub(&resolver->waiting, 1);
    free(job);
}

void
resolver_jobs_free(struct mailbox *box)
{
    for (struct resolver_job *job = (struct resolver_job *)mailbox_take(box), *next; job != NULL;
         job = next) {
        next = (struct resolver_job *)job->item.next;
        free(job);
    }
}

void
resolver_free(struct resolver *resolver)
{
    if (resolver == NULL)
        return;
    atomic_store(&resolver->is_stopping, true);
    mailbox_wake(&resolver->jobs);
    pthread_join(resolver->thread, NULL);
    resolver_jobs_free(&resolver->jobs);
    mailbox_release(&resolver->jobs);
    free(resolver);
}
