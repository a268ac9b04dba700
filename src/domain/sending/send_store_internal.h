/* The store thread's state, shared by the files that claim and record (send_store.c) and that prepare. */
#ifndef DOMAIN_SENDING_SEND_STORE_INTERNAL_H
#define DOMAIN_SENDING_SEND_STORE_INTERNAL_H
#include "domain/sending/send_lanes.h"
#include "domain/sending/send_store.h"
#include "domain/tenant/tenant_key.h"
#include <pthread.h>
#include <stdatomic.h>

struct send_store {
    struct send_store_config config;
    struct db *db;
    struct vault vault;
    struct arena *arena;
    pthread_t thread;
    atomic_size_t out;
    atomic_bool is_draining, is_stopping;
    struct mono_time owned_until;                 /* the lanes are ours, by the monotonic clock */
    struct mono_time looked_around_at, urgent_at; /* urgent_at: an otp or transactional one was picked */
    bool must_look_around;
    bool is_quiet;   /* nothing waited anywhere, and nobody had a lane, at the last look around */
    size_t pick_max; /* of a round, as long as rounds take now */
    struct pace *pace;
    struct send_lanes *lanes;
    struct mailbox_item *outcomes; /* taken from `settled`, not recorded yet */
    size_t outcome_count;
    struct mono_time outcomes_since; /* when the first of them came */
};

/*
 * Marks messages, sorted by tenant, as sending, opens content and credentials, and hands the requests to the
 * loop; what cannot be made into one is settled. On an error nothing was marked. Whatever is not ours is
 * taken off the lanes and `out`.
 */
MUST_CHECK enum err send_prepare(struct send_store *store, const struct claimed *from, size_t count);

#endif
