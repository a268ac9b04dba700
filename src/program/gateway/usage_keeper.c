#include "program/gateway/usage_keeper.h"
#include "core/log.h"
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define BUCKETS      1024u
#define NOTICES_MAX  256u
#define TOLD_ENTRIES 4096u
#define ARENA_BYTES  (1024u * 1024u)
#define DB_REOPEN_MS 2000

struct entry {
    struct limit_usage usage;
    struct entry *next_in_bucket;
    struct entry *next; /* of all, newest first */
};

struct usage_keeper {
    struct usage_keeper_config config;
    struct db *db;       /* the thread's */
    struct arena *arena; /* the thread's */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* under lock: */
    struct entry *buckets[BUCKETS], *entries;
    size_t count;
    struct limit_notice notices[NOTICES_MAX];
    size_t notice_count;
    struct limit_notice told[TOLD_ENTRIES]; /* direct-mapped: a clash only costs a statement */
    bool is_stopping;
    bool is_joined; /* of whoever stops and frees it */
};

static size_t
bucket_of(const struct limit_usage *usage)
{
    const uint8_t *a = usage->tenant.bytes, *b = usage->channel.bytes;

    return ((size_t)(a[14] ^ b[14]) << 8 ^ (size_t)(a[15] ^ b[15]) ^ usage->day) % BUCKETS;
}

/* Under the lock. Without memory it is lost, and said. */
static void
add_locked(struct usage_keeper *keeper, const struct limit_usage *usage)
{
    struct entry **bucket = &keeper->buckets[bucket_of(usage)], *entry = *bucket;

    while (entry != NULL && !(entry->usage.day == usage->day && id_eq(entry->usage.channel, usage->channel) &&
                              id_eq(entry->usage.tenant, usage->tenant)))
        entry = entry->next_in_bucket;
    if (entry == NULL) {
        entry = calloc(1, sizeof(*entry));
        if (entry == NULL) {
            log_event(LOG_ERROR, "usage.lost", LOG_NUM("accepted", usage->accepted));
            return;
        }
        entry->usage = *usage;
        entry->usage.accepted = 0;
        entry->next_in_bucket = *bucket;
        *bucket = entry;
        entry->next = keeper->entries;
        keeper->entries = entry;
        keeper->count++;
    }
    entry->usage.accepted += usage->accepted;
}

void
usage_keeper_add(struct usage_keeper *keeper, const struct limit_usage *usage)
{
    pthread_mutex_lock(&keeper->lock);
    bool was_idle = keeper->count == 0;
    add_locked(keeper, usage);
    if (was_idle)
        pthread_cond_signal(&keeper->changed);
    pthread_mutex_unlock(&keeper->lock);
}

static struct limit_notice *
told_of(struct usage_keeper *keeper, const struct limit_notice *notice)
{
    const uint8_t *a = notice->tenant.bytes, *b = notice->channel.bytes;
    size_t slot = (size_t)(a[14] ^ b[14]) << 8 | (a[15] ^ b[15]);

    return &keeper->told[(slot + 977 * (size_t)notice->name) % TOLD_ENTRIES];
}

void
usage_keeper_notice(struct usage_keeper *keeper, const struct limit_notice *notice)
{
    pthread_mutex_lock(&keeper->lock);
    struct limit_notice *told = told_of(keeper, notice);
    bool was_told = told->name == notice->name && told->window == notice->window &&
                    told->percent >= notice->percent && id_eq(told->tenant, notice->tenant) &&
                    id_eq(told->channel, notice->channel);
    if (!was_told && keeper->notice_count < NOTICES_MAX) { /* else the next message tells it */
        *told = *notice;
        keeper->notices[keeper->notice_count++] = *notice;
        pthread_cond_signal(&keeper->changed);
    }
    pthread_mutex_unlock(&keeper->lock);
}

/* What there is, sorted, in an array of its own (owned); the keeper begins anew. */
static struct limit_usage *
usages_take(struct usage_keeper *keeper, size_t *count_out)
{
    struct limit_usage *usages = NULL;

    *count_out = 0;
    pthread_mutex_lock(&keeper->lock);
    if (keeper->count > 0)
        usages = calloc(keeper->count, sizeof(*usages));
    if (usages != NULL) {
        for (struct entry *entry = keeper->entries, *next; entry != NULL; entry = next) {
            next = entry->next;
            usages[(*count_out)++] = entry->usage;
            free(entry);
        }
        memset(keeper->buckets, 0, sizeof(keeper->buckets));
        keeper->entries = NULL;
        keeper->count = 0;
    }
    pthread_mutex_unlock(&keeper->lock);
    return usages;
}

static int
usage_order(const void *a, const void *b)
{
    const struct limit_usage *left = a, *right = b;
    int order = memcmp(left->tenant.bytes, right->tenant.bytes, ID_BYTES);

    if (order == 0)
        order = left->day < right->day ? -1 : left->day > right->day;
    return order != 0 ? order : memcmp(left->channel.bytes, right->channel.bytes, ID_BYTES);
}

/* Of one tenant after the other, all in one transaction. */
static enum err
usages_write_once(struct usage_keeper *keeper, const struct limit_usage *usages, size_t count)
{
    struct db_tx tx = { .is_open = false };
    enum err err = db_begin(keeper->db, usages[0].tenant, &tx);

    for (size_t from = 0, to; err == ERR_OK && from < count; from = to) {
        for (to = from + 1; to < count && to - from < LIMIT_USAGE_BATCH_MAX &&
                            id_eq(usages[to].tenant, usages[from].tenant);)
            to++;
        if (from > 0)
            err = db_tx_turn_to(&tx, usages[from].tenant);
        if (err == ERR_OK)
            err = limit_usage_add(&tx, usages + from, to - from, keeper->arena);
        arena_reset(keeper->arena);
    }
    if (err == ERR_OK)
        err = db_commit(&tx);
    db_rollback(&tx);
    return err;
}

static enum err
usages_write(struct usage_keeper *keeper, const struct limit_usage *usages, size_t count)
{
    enum err err = ERR_DB_CONFLICT;

    for (int tries = 0; err == ERR_DB_CONFLICT && tries < DB_TRIES; tries++)
        err = usages_write_once(keeper, usages, count);
    return err;
}

struct telling {
    const struct clock *clock;
    const struct limit_notice *notice;
};

static enum err
tell_in(struct db_tx *tx, void *ctx)
{
    const struct telling *telling = ctx;

    return limit_notice_tell(tx, telling->clock, telling->notice);
}

static void
notices_tell(struct usage_keeper *keeper)
{
    struct limit_notice notices[16];

    for (;;) {
        pthread_mutex_lock(&keeper->lock);
        size_t count = keeper->notice_count < COUNT_OF(notices) ? keeper->notice_count : COUNT_OF(notices);
        keeper->notice_count -= count;
        memcpy(notices, keeper->notices + keeper->notice_count, count * sizeof(notices[0]));
        pthread_mutex_unlock(&keeper->lock);
        if (count == 0)
            return;
        for (size_t i = 0; i < count; i++) {
            struct telling telling = { .clock = keeper->config.clock, .notice = &notices[i] };
            enum err err = db_run(keeper->db, notices[i].tenant, tell_in, &telling);
            if (err == ERR_OK)
                continue;
            log_event(LOG_WARN, "usage.not_told", LOG_ID("tenant", ID_TENANT, notices[i].tenant),
                      LOG_ERR(err));
            pthread_mutex_lock(&keeper->lock);
            told_of(keeper, &notices[i])->percent = 0; /* the next message tells it */
            pthread_mutex_unlock(&keeper->lock);
        }
    }
}

/* false: the database does not take it; it is added up again, and tried later. */
static bool
flush(struct usage_keeper *keeper)
{
    size_t count = 0;
    struct limit_usage *usages = usages_take(keeper, &count);
    enum err err = ERR_OK;

    if (count > 0) {
        qsort(usages, count, sizeof(*usages), usage_order);
        err = usages_write(keeper, usages, count);
    }
    if (err != ERR_OK) {
        /* Whether a commit that broke had happened is not known: then it is counted twice rather than not at
         * all. */
        pthread_mutex_lock(&keeper->lock);
        for (size_t i = 0; i < count; i++)
            add_locked(keeper, &usages[i]);
        pthread_mutex_unlock(&keeper->lock);
        log_event(LOG_WARN, "usage.not_written", LOG_NUM("count", count), LOG_ERR(err));
        if (err == ERR_DB_UNAVAILABLE && db_reopen(keeper->db, DB_REOPEN_MS) != ERR_OK)
            log_event(LOG_WARN, "usage.database_away", LOG_ERR(err));
    }
    free(usages);
    if (err == ERR_OK)
        notices_tell(keeper);
    return err == ERR_OK;
}

/* Waits until there is something, then as long as others may come with it. Whether it is to end. */
static bool
wait_for_some(struct usage_keeper *keeper)
{
    struct timespec until;

    pthread_mutex_lock(&keeper->lock);
    while (keeper->count == 0 && keeper->notice_count == 0 && !keeper->is_stopping)
        pthread_cond_wait(&keeper->changed, &keeper->lock);
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)USAGE_KEEPER_MS * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (!keeper->is_stopping && pthread_cond_timedwait(&keeper->changed, &keeper->lock, &until) == 0)
        continue;
    bool is_stopping = keeper->is_stopping;
    pthread_mutex_unlock(&keeper->lock);
    return is_stopping;
}

static void *
keeper_run(void *ctx)
{
    struct usage_keeper *keeper = ctx;

    while (!wait_for_some(keeper))
        (void)flush(keeper);
    if (!flush(keeper) && !flush(keeper)) /* once more on a new connection */
        log_event(LOG_ERROR, "usage.lost", LOG_NUM("accepted", keeper->count));
    return NULL;
}

enum err
usage_keeper_new(const struct usage_keeper_config *config, struct usage_keeper **out)
{
    struct usage_keeper *keeper = calloc(1, sizeof(*keeper));
    pthread_condattr_t attributes;
    enum err err = ERR_NO_MEMORY;

    if (keeper == NULL)
        return ERR_NO_MEMORY;
    keeper->config = *config;
    pthread_mutex_init(&keeper->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&keeper->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    keeper->arena = arena_new(ARENA_BYTES);
    if (keeper->arena != NULL)
        err = db_open(config->database, &keeper->db);
    if (err == ERR_OK && pthread_create(&keeper->thread, NULL, keeper_run, keeper) != 0)
        err = ERR_SYSTEM;
    if (err == ERR_OK) {
        *out = keeper;
        return ERR_OK;
    }
    keeper->is_joined = true;
    usage_keeper_free(keeper);
    return err;
}

void
usage_keeper_stop(struct usage_keeper *keeper)
{
    if (keeper == NULL || keeper->is_joined)
        return;
    pthread_mutex_lock(&keeper->lock);
    keeper->is_stopping = true;
    pthread_cond_signal(&keeper->changed);
    pthread_mutex_unlock(&keeper->lock);
    pthread_join(keeper->thread, NULL);
    keeper->is_joined = true;
}

void
usage_keeper_free(struct usage_keeper *keeper)
{
    if (keeper == NULL)
        return;
    usage_keeper_stop(keeper);
    for (struct entry *entry = keeper->entries, *next; entry != NULL; entry = next) {
        next = entry->next;
        free(entry);
    }
    db_close(keeper->db);
    arena_free(keeper->arena);
    pthread_cond_destroy(&keeper->changed);
    pthread_mutex_destroy(&keeper->lock);
    free(keeper);
}
