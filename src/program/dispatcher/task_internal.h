/* What the runner and its calls share: one thread. */
#ifndef PROGRAM_DISPATCHER_TASK_INTERNAL_H
#define PROGRAM_DISPATCHER_TASK_INTERNAL_H
#include "domain/channel/channel.h"
#include "platform/net/http_client.h"
#include "program/dispatcher/task_runner.h"
#include <pthread.h>
#include <stdatomic.h>

#define TASK_ANSWERS_MAX 64u /* calls of one run */

struct task_runner {
    const struct task_pool_config *config;
    struct task_pool *pool;
    struct db *db;
    struct vault vault;
    struct http_client *http;
    struct arena *arena;
    pthread_t thread;
    bool has_thread;
    int wake_fd;
    struct mono_time took_over_at;
    /* Of the run that is under way. */
    struct secret *token, *request;    /* owned */
    json_t *answers[TASK_ANSWERS_MAX]; /* owned */
    size_t answer_count;
    struct mono_time held_until;
    bool may_have_left;  /* a request whose answer is not known */
    struct id media_for; /* whose media it has in hand; zero: nobody's. Under the pool's lock */
    int64_t held_ms;     /* the account's allowance runs short for so long: nothing was asked */
};

bool task_pool_is_stopping(const struct task_pool *pool);

#endif
