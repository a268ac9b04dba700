/* Host names to addresses, on a thread of its own: the system's resolver waits. */
#ifndef PROGRAM_SMSC_RESOLVER_H
#define PROGRAM_SMSC_RESOLVER_H
#include "core/id.h"
#include "platform/os/mailbox.h"
#include "platform/stream/stream.h"

#define RESOLVER_ADDRESSES_MAX 8u
#define RESOLVER_WAITING_MAX   256u /* names that wait; beyond, whoever asks gives up and asks again later */

struct resolver_job {
    struct mailbox_item item;
    char host[STREAM_HOST_BYTES_MAX + 1];
    struct id connector; /* for whom it is */
    unsigned link;
    struct sockaddr_storage addresses[RESOLVER_ADDRESSES_MAX];
    size_t count; /* 0: there is no such name, or nobody who could say */
};

struct resolver;
/* `done`: where jobs come back to. */
MUST_CHECK enum err resolver_new(struct mailbox *done, struct resolver **out);
/* The job is taken, from the heap; one too many is dropped. */
void resolver_put(struct resolver *resolver, struct resolver_job *job);
/* What nobody wants any more. */
void resolver_jobs_free(struct mailbox *box);
void resolver_free(struct resolver *resolver); /* accepts NULL */

#endif
