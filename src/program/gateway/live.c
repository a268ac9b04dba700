#include "program/gateway/live.h"
#include "core/log.h"
#include "domain/overview/overview_count.h"
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define DB_REOPEN_MS 2000

struct live {
    struct live_config config;
    struct db *db;       /* the thread's, like what it works in */
    struct arena *arena; /* owned */
    pthread_t thread;
    bool is_joined;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* `is_stopping` was set */
    bool is_stopping;       /* under `lock` */
};

/* Whether it is to end. */
static bool
wait_a_turn(struct live *live, int ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&live->lock);
    while (!live->is_stopping && pthread_cond_timedwait(&live->changed, &live->lock, &until) == 0)
        continue;
    bool is_stopping = live->is_stopping;
    pthread_mutex_unlock(&live->lock);
    return is_stopping;
}

static void *
live_run(void *ctx)
{
    struct live *live = ctx;
    int wait_ms = LIVE_COUNT_MS;

    while (!wait_a_turn(live, wait_ms)) {
        size_t read = 0;
        enum err err = overview_count(live->db, live->arena, &read);
        wait_ms = err == ERR_OK && read == OVERVIEW_PAGE_MAX ? 0 : LIVE_COUNT_MS;
        if (err == ERR_OK || err == ERR_DB_CONFLICT) /* another gateway's page is counted twice by nobody */
            continue;
        log_event(LOG_WARN, "live.not_counted", LOG_ERR(err));
        if (err == ERR_DB_UNAVAILABLE && db_reopen(live->db, DB_REOPEN_MS) != ERR_OK)
            log_event(LOG_WARN, "live.database_away", LOG_ERR(err));
    }
    return NULL;
}

enum err
live_new(const struct live_config *config, struct live **out)
{
    struct live *live = calloc(1, sizeof(*live));
    pthread_condattr_t attributes;

    if (live == NULL)
        return ERR_NO_MEMORY;
    live->config = *config;
    pthread_mutex_init(&live->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&live->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    live->arena = arena_new(OVERVIEW_ARENA_BYTES);
    enum err err = live->arena == NULL ? ERR_NO_MEMORY : db_open(config->database, &live->db);
    if (err == ERR_OK && pthread_create(&live->thread, NULL, live_run, live) != 0)
        err = ERR_SYSTEM;
    if (err == ERR_OK) {
        *out = live;
        return ERR_OK;
    }
    live->is_joined = true;
    live_free(live);
    return err;
}

void
live_stop(struct live *live)
{
    if (live == NULL || live->is_joined)
        return;
    pthread_mutex_lock(&live->lock);
    live->is_stopping = true;
    pthread_cond_signal(&live->changed);
    pthread_mutex_unlock(&live->lock);
    pthread_join(live->thread, NULL);
    live->is_joined = true;
}

void
live_free(struct live *live)
{
    if (live == NULL)
        return;
    live_stop(live);
    db_close(live->db);
    arena_free(live->arena);
    pthread_cond_destroy(&live->changed);
    pthread_mutex_destroy(&live->lock);
    free(live);
}
