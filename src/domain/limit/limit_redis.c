#include "domain/limit/limit_redis.h"
#include "core/num.h"
#include "crypto/random.h"
#include "crypto/siphash.h"
#include "domain/limit/limit_script.h"
#include "domain/limit/limit_table.h"
#include "platform/redis/redis.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define KEY_TEXT_BYTES   (sizeof("{hk}l:") + 2 * LIMIT_KEY_BYTES)
#define VALUES_A_COUNTER 5u /* as the script takes them */
#define TOLD_A_COUNTER   6u /* as it returns them */
#define SEEN_ENTRIES     65536u
#define SHARE_COUNTERS   65536u

/* What the script says of a counter. */
enum outcome { OUTCOME_ADMITTED, OUTCOME_REFUSED, OUTCOME_UNKNOWN };

struct limit_redis {
    struct limit_redis_config config;
    struct redis *server;
    atomic_bool is_away;
    unsigned char seed[SIPHASH_KEY_BYTES];
    /*
     * Quotas that the server was told the database's count of since it was last connected to: it may have
     * lost its own. Direct-mapped; a clash only costs a look into the database.
     */
    _Atomic uint64_t *seen;
    pthread_mutex_t lock;
    /* under lock: the shares of this process while the server is away, begun anew each time */
    void *memory;
    struct limit_table *share;
};

/* What one call to the script is made of. */
struct call {
    struct slice *keys, *values;
    char (*key_texts)[KEY_TEXT_BYTES];
    char (*value_texts)[NUM_TEXT_BYTES];
    int64_t *told;
};

static void
call_free(struct call *call)
{
    free(call->keys);
    free(call->values);
    free(call->key_texts);
    free(call->value_texts);
    free(call->told);
}

static enum err
call_fill(struct call *call, const struct limit_counter *counters, size_t count, bool is_back)
{
    static const char digits[] = "0123456789abcdef";
    size_t used = 0;

    *call = (struct call){ .keys = calloc(count, sizeof(struct slice)),
                           .values = calloc(1 + VALUES_A_COUNTER * count, sizeof(struct slice)),
                           .key_texts = calloc(count, KEY_TEXT_BYTES),
                           .value_texts = calloc(VALUES_A_COUNTER * count, NUM_TEXT_BYTES),
                           .told = calloc(TOLD_A_COUNTER * count, sizeof(int64_t)) };
    if (call->keys == NULL || call->values == NULL || call->key_texts == NULL || call->value_texts == NULL ||
        call->told == NULL)
        return ERR_NO_MEMORY;
    call->values[0] = is_back ? SLICE("back") : SLICE("take");
    for (size_t i = 0; i < count; i++) {
        const struct limit_counter *counter = &counters[i];
        char *text = call->key_texts[i];
        size_t len = sizeof("{hk}l:") - 1;
        memcpy(text, "{hk}l:", len); /* one tag: all keys of a call lie together */
        for (size_t k = 0; k < counter->key_len; k++) {
            text[len++] = digits[counter->key[k] >> 4];
            text[len++] = digits[counter->key[k] & 15];
        }
        call->keys[i] = slice_of(text, len);
        const int64_t values[VALUES_A_COUNTER] = { (int64_t)limit_kind(counter->name),
                                                   (int64_t)counter->limit, (int64_t)counter->cost,
                                                   is_back ? -1 : counter->base,
                                                   is_back ? counter->window : counter->base_window };
        for (size_t k = 0; k < VALUES_A_COUNTER; k++, used++)
            call->values[1 + used] = num_i64_print(values[k], call->value_texts[used]);
    }
    return ERR_OK;
}

static _Atomic uint64_t *
seen_of(struct limit_redis *redis, const struct limit_counter *counter, uint64_t *mark_out)
{
    uint64_t print = siphash(redis->seed, slice_of(counter->key, counter->key_len));

    *mark_out = print ^ redis_generation(redis->server) * UINT64_C(0x9e3779b97f4a7c15);
    return &redis->seen[print % SEEN_ENTRIES];
}

/* Whether the database has to be asked first. */
static bool
unseen_mark(struct limit_redis *redis, struct limit_counter *counters, size_t count)
{
    bool has_unseen = false;

    for (size_t i = 0; i < count; i++) {
        uint64_t mark;
        counters[i].is_unknown = false;
        if (limit_kind(counters[i].name) == LIMIT_RATE || counters[i].base != LIMIT_BASE_UNKNOWN)
            continue;
        counters[i].is_unknown = atomic_load(seen_of(redis, &counters[i], &mark)) != mark;
        has_unseen |= counters[i].is_unknown;
    }
    return has_unseen;
}

static enum err
told_read(struct limit_redis *redis, const int64_t *told, struct limit_counter *counters, size_t count)
{
    enum err err = ERR_OK;

    for (size_t i = 0; i < count; i++, told += TOLD_A_COUNTER) {
        struct limit_counter *counter = &counters[i];
        if (told[0] < OUTCOME_ADMITTED || told[0] > OUTCOME_UNKNOWN || told[1] < 0 || told[2] < 0 ||
            told[5] < 0 || told[5] > UINT32_MAX)
            return ERR_FRAME;
        counter->is_unknown = told[0] == OUTCOME_UNKNOWN;
        counter->is_refused = told[0] == OUTCOME_REFUSED;
        counter->used = (uint64_t)told[1];
        counter->remaining = (uint64_t)told[2];
        counter->reset_us = told[3];
        counter->wait_us = told[4];
        counter->window = (uint32_t)told[5];
        if (counter->is_refused && err != ERR_RATE_LIMITED && err != ERR_QUOTA_EXCEEDED)
            err = limit_refusal(counter->name);
        else if (counter->is_unknown && err == ERR_OK)
            err = ERR_INCOMPLETE;
        uint64_t mark;
        _Atomic uint64_t *seen = seen_of(redis, counter, &mark);
        if (limit_kind(counter->name) != LIMIT_RATE && counter->base != LIMIT_BASE_UNKNOWN &&
            !counter->is_unknown)
            atomic_store(seen, mark);
    }
    return err;
}

/* Without the server. */

/* A share's table, empty, when the server has just gone; under the lock. */
static enum err
share_begin(struct limit_redis *redis)
{
    size_t bytes = limit_table_bytes(SHARE_COUNTERS);

    if (redis->share != NULL)
        return ERR_OK;
    redis->memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (redis->memory == MAP_FAILED)
        return ERR_NO_MEMORY;
    enum err err = limit_table_init(redis->memory, bytes, SHARE_COUNTERS);
    if (err == ERR_OK)
        err = limit_table_open(redis->memory, bytes, redis->config.clock, &redis->share);
    if (err != ERR_OK)
        munmap(redis->memory, bytes);
    return err;
}

static void
share_end(struct limit_redis *redis)
{
    if (redis->share == NULL)
        return;
    limit_table_close(redis->share);
    munmap(redis->memory, limit_table_bytes(SHARE_COUNTERS));
    redis->share = NULL;
}

/*
 * Of the limit, and of what was used of it: so all processes together give no more than what is left. Less
 * than one a second cannot be told: a rate gives at least that.
 */
static struct limit_counter
share_of(const struct limit_redis *redis, const struct limit_counter *whole)
{
    struct limit_counter share = *whole;
    uint64_t shares = redis->config.shares;

    share.limit = whole->limit / shares;
    if (whole->base != LIMIT_BASE_UNKNOWN)
        share.base = (int64_t)(((uint64_t)whole->base + shares - 1) / shares);
    if (share.limit == 0) {
        share.limit = 1;
        if (limit_kind(whole->name) != LIMIT_RATE && whole->base != LIMIT_BASE_UNKNOWN)
            share.base = 1;
    }
    return share;
}

static enum err
decide_alone(struct limit_redis *redis, struct limit_counter *counters, size_t count)
{
    struct limit_counter *shares = calloc(count, sizeof(*shares));
    enum err err = ERR_LIMITS_UNAVAILABLE;

    atomic_store(&redis->is_away, true);
    if (shares == NULL || redis->config.shares == 0)
        goto done;
    for (size_t i = 0; i < count; i++)
        shares[i] = share_of(redis, &counters[i]);
    pthread_mutex_lock(&redis->lock);
    err = share_begin(redis);
    if (err == ERR_OK) {
        struct limit_backend backend = limit_table_backend(redis->share);
        err = backend.decide(backend.ctx, shares, count);
    }
    pthread_mutex_unlock(&redis->lock);
    for (size_t i = 0; i < count; i++) {
        struct limit_counter told = shares[i];
        told.limit = counters[i].limit;
        told.base = counters[i].base;
        counters[i] = told;
    }
done:
    free(shares);
    return err;
}

static void redis_give_back(void *ctx, const struct limit_counter *counters, size_t count);

/*
 * The server came back, or was another one, in the very moment of the decision: it may have admitted by an
 * older count. That is given back, and decided again with what the database says.
 */
static bool
blind_undo(struct limit_redis *redis, struct limit_counter *counters, size_t count)
{
    bool was_blind = false;

    for (size_t i = 0; i < count; i++) {
        counters[i].is_unknown =
            limit_kind(counters[i].name) != LIMIT_RATE && counters[i].base == LIMIT_BASE_UNKNOWN;
        was_blind |= counters[i].is_unknown;
    }
    if (was_blind)
        redis_give_back(redis, counters, count);
    return was_blind;
}

static enum err
redis_decide(void *ctx, struct limit_counter *counters, size_t count)
{
    struct limit_redis *redis = ctx;
    struct call call;
    enum err err = call_fill(&call, counters, count, false);
    bool is_blind = unseen_mark(redis, counters, count);
    uint64_t generation = redis_generation(redis->server);

    if (err == ERR_OK && is_blind && !atomic_load(&redis->is_away)) {
        err = ERR_INCOMPLETE;
        goto done;
    }
    if (err == ERR_OK)
        err = redis_ask(redis->server, call.keys, count, call.values, 1 + VALUES_A_COUNTER * count, call.told,
                        TOLD_A_COUNTER * count);
    if (err == ERR_OK) {
        err = told_read(redis, call.told, counters, count);
        if (atomic_load(&redis->is_away)) {
            atomic_store(&redis->is_away, false);
            pthread_mutex_lock(&redis->lock);
            share_end(redis);
            pthread_mutex_unlock(&redis->lock);
        }
        is_blind |= generation != redis_generation(redis->server);
        if (err == ERR_OK && is_blind && blind_undo(redis, counters, count))
            err = ERR_INCOMPLETE;
    } else if (err == ERR_BUSY || err == ERR_FRAME) {
        err = decide_alone(redis, counters, count);
    }
    if (err == ERR_FRAME || err == ERR_LIMIT)
        err = ERR_LIMITS_UNAVAILABLE;
done:
    call_free(&call);
    return err;
}

/* What cannot be given back stays taken. */
static void
redis_give_back(void *ctx, const struct limit_counter *counters, size_t count)
{
    struct limit_redis *redis = ctx;
    struct call call;

    if (atomic_load(&redis->is_away)) {
        pthread_mutex_lock(&redis->lock);
        if (redis->share != NULL) {
            struct limit_backend backend = limit_table_backend(redis->share);
            for (size_t i = 0; i < count; i++) {
                struct limit_counter share = share_of(redis, &counters[i]);
                backend.give_back(backend.ctx, &share, 1);
            }
        }
        pthread_mutex_unlock(&redis->lock);
        return;
    }
    if (call_fill(&call, counters, count, true) == ERR_OK &&
        redis_ask(redis->server, call.keys, count, call.values, 1 + VALUES_A_COUNTER * count, call.told,
                  TOLD_A_COUNTER * count) != ERR_OK)
        atomic_store(&redis->is_away, true);
    call_free(&call);
}

enum err
limit_redis_new(const struct limit_redis_config *config, struct limit_redis **out)
{
    struct limit_redis *redis = calloc(1, sizeof(*redis));

    if (redis == NULL)
        return ERR_NO_MEMORY;
    redis->config = *config;
    pthread_mutex_init(&redis->lock, NULL);
    redis->seen = calloc(SEEN_ENTRIES, sizeof(*redis->seen));
    enum err err = redis->seen == NULL ? ERR_NO_MEMORY : random_fill(redis->seed, sizeof(redis->seed));
    if (err == ERR_OK)
        err = redis_new(&(struct redis_config){ .url = config->url,
                                                .user = config->user,
                                                .password = config->password,
                                                .script = limit_script(),
                                                .timeout_ms = config->timeout_ms,
                                                .clock = config->clock },
                        &redis->server);
    if (err != ERR_OK) {
        limit_redis_free(redis);
        return err;
    }
    *out = redis;
    return ERR_OK;
}

void
limit_redis_free(struct limit_redis *redis)
{
    if (redis == NULL)
        return;
    redis_free(redis->server);
    share_end(redis);
    free(redis->seen);
    pthread_mutex_destroy(&redis->lock);
    free(redis);
}

struct limit_backend
limit_redis_backend(struct limit_redis *redis)
{
    return (struct limit_backend){ .ctx = redis, .decide = redis_decide, .give_back = redis_give_back };
}

bool
limit_redis_is_away(const struct limit_redis *redis)
{
    return atomic_load(&redis->is_away);
}
