/* The store thread's state, shared by the files that claim and record (send_store.c) and that prepare. */
#ifndef PROGRAM_DISPATCHER_SEND_STORE_INTERNAL_H
#define PROGRAM_DISPATCHER_SEND_STORE_INTERNAL_H
#include "domain/tenant/tenant_key.h"
#include "program/dispatcher/pace.h"
#include "program/dispatcher/send_store.h"
#include <pthread.h>
#include <stdatomic.h>

/* Claimed, and not yet said to be on its way: it waits for its sender's pace, and can be given back unseen.
 */
struct claimed {
    struct message_claim claim;
    struct mono_time claimed_at, leave_at;
};

struct send_store {
    struct send_store_config config;
    struct db *db;
    struct vault vault;
    struct arena *arena;
    pthread_t thread;
    atomic_size_t out;
    atomic_bool is_draining, is_stopping;
    struct mono_time took_over_at, turn_at; /* turn_at: when the next of `waiting` comes near */
    struct pace *pace;
    struct claimed *waiting; /* send_in_flight_max of them */
    size_t waiting_count;
};

/*
 * Marks the messages of one tenant as sending, opens content and credentials, and hands the requests to the
 * loop; what cannot be made into one is settled. On an error nothing was marked: the leases run out. Whatever
 * is no longer ours is taken off `out`.
 */
MUST_CHECK enum err send_prepare(struct send_store *store, const struct claimed *from, size_t count);

#endif
