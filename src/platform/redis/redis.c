#include "platform/redis/redis.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/num.h"
#include "crypto/random.h"
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define POOL_MAX      16u
#define WAIT_FIRST_MS 50
#define WAIT_MAX_MS   2000
#define HOST_BYTES    256u
#define SHA_BYTES     40u

struct redis {
    struct redis_config config;
    char host[HOST_BYTES]; /* or the path of a unix socket */
    uint16_t port;         /* 0: a unix socket */
    _Atomic uint64_t generation;
    pthread_mutex_t lock;
    /* under lock: */
    redisContext *idle[POOL_MAX];
    size_t idle_count;
    char sha[SHA_BYTES + 1]; /* of the script, as the server calls it; empty: not loaded yet */
    struct mono_time try_at;
    int wait_ms; /* 0: it answers */
};

/* "host:port" or a path. */
static enum err
url_take(struct slice url, char *host, size_t host_bytes, uint16_t *port_out)
{
    static const struct slice unix_prefix = { "unix:", 5 }, tcp_prefix = { "redis://", 8 };
    struct slice rest = url;
    int port = 0;

    *port_out = 0;
    if (slice_starts_with(url, unix_prefix)) {
        rest = slice_drop(url, unix_prefix.len);
        if (rest.len < 2 || rest.ptr[0] != '/')
            return ERR_CONFIG;
    } else if (slice_starts_with(url, tcp_prefix)) {
        rest = slice_take_until(&(struct slice){ url.ptr + tcp_prefix.len, url.len - tcp_prefix.len }, ':');
        struct slice number = slice_drop(url, tcp_prefix.len + rest.len + 1);
        if (rest.len == 0 || num_int_parse(number, 1, 65535, &port) != ERR_OK)
            return ERR_CONFIG;
        *port_out = (uint16_t)port;
    } else {
        return ERR_CONFIG;
    }
    for (size_t i = 0; i < rest.len; i++)
        if (rest.ptr[i] <= ' ' || rest.ptr[i] > '~' || rest.ptr[i] == '@')
            return ERR_CONFIG; /* a password has no place there */
    if (host != NULL && rest.len < host_bytes)
        snprintf(host, host_bytes, "%.*s", SLICE_FMT(rest));
    return rest.len < HOST_BYTES ? ERR_OK : ERR_CONFIG;
}

enum err
redis_url_check(struct slice url, uint16_t *port_out)
{
    return url_take(url, NULL, 0, port_out);
}

enum err
redis_new(const struct redis_config *config, struct redis **out)
{
    struct redis *redis = calloc(1, sizeof(*redis));

    if (redis == NULL)
        return ERR_NO_MEMORY;
    redis->config = *config;
    enum err err = url_take(slice_text(config->url), redis->host, sizeof(redis->host), &redis->port);
    if (err != ERR_OK) {
        free(redis);
        return err;
    }
    pthread_mutex_init(&redis->lock, NULL);
    *out = redis;
    return ERR_OK;
}

void
redis_free(struct redis *redis)
{
    if (redis == NULL)
        return;
    while (redis->idle_count > 0)
        redisFree(redis->idle[--redis->idle_count]);
    pthread_mutex_destroy(&redis->lock);
    free(redis);
}

uint64_t
redis_generation(struct redis *redis)
{
    return atomic_load(&redis->generation);
}

/* Availability. */

static bool
is_given_up(struct redis *redis)
{
    pthread_mutex_lock(&redis->lock);
    bool is_given_up = redis->wait_ms > 0 && clock_mono(redis->config.clock).us < redis->try_at.us;
    pthread_mutex_unlock(&redis->lock);
    return is_given_up;
}

static void
answers(struct redis *redis)
{
    pthread_mutex_lock(&redis->lock);
    bool was_away = redis->wait_ms > 0;
    redis->wait_ms = 0;
    pthread_mutex_unlock(&redis->lock);
    if (!was_away)
        return;
    metric_set(METRIC_REDIS_AWAY, 0);
    log_event(LOG_INFO, "redis.back");
}

static void
is_away(struct redis *redis)
{
    uint32_t random = 0;

    if (random_fill(&random, sizeof(random)) != ERR_OK)
        random = 0;
    pthread_mutex_lock(&redis->lock);
    bool was_away = redis->wait_ms > 0;
    if (!was_away)
        redis->wait_ms = WAIT_FIRST_MS;
    else if (redis->wait_ms < WAIT_MAX_MS)
        redis->wait_ms *= 2;
    redis->try_at = mono_after_ms(clock_mono(redis->config.clock),
                                  redis->wait_ms / 2 + (int64_t)(random % (unsigned)redis->wait_ms));
    pthread_mutex_unlock(&redis->lock);
    if (was_away)
        return;
    metric_set(METRIC_REDIS_AWAY, 1);
    log_event(LOG_ERROR, "redis.away");
}

/* Connections. */

static bool
is_ok(redisReply *reply)
{
    bool is_ok = reply != NULL && reply->type == REDIS_REPLY_STATUS;

    if (reply != NULL)
        freeReplyObject(reply);
    return is_ok;
}

/* NULL: it is away, or does not take our password. */
static redisContext *
connection_make(struct redis *redis)
{
    const struct redis_config *config = &redis->config;
    const struct timeval limit = { config->timeout_ms / 1000, config->timeout_ms % 1000 * 1000 };
    redisContext *connection = redis->port == 0 ? redisConnectUnixWithTimeout(redis->host, limit)
                                                : redisConnectWithTimeout(redis->host, redis->port, limit);

    if (connection == NULL)
        return NULL;
    bool is_good = connection->err == 0 && redisSetTimeout(connection, limit) == REDIS_OK;
    if (is_good && config->password != NULL) {
        const char *words[3] = { "AUTH", config->user, config->password };
        bool has_user = config->user[0] != '\0';
        if (!has_user)
            words[1] = config->password;
        is_good = is_ok(redisCommandArgv(connection, has_user ? 3 : 2, words, NULL));
    }
    if (!is_good) {
        redisFree(connection);
        return NULL;
    }
    return connection;
}

/* *is_fresh_out: just made. Another one may have been closed by the server while it was idle. */
static redisContext *
connection_take(struct redis *redis, bool *is_fresh_out)
{
    redisContext *connection = NULL;

    pthread_mutex_lock(&redis->lock);
    if (redis->idle_count > 0)
        connection = redis->idle[--redis->idle_count];
    pthread_mutex_unlock(&redis->lock);
    *is_fresh_out = connection == NULL;
    return connection != NULL ? connection : connection_make(redis);
}

static void
connection_give(struct redis *redis, redisContext *connection)
{
    pthread_mutex_lock(&redis->lock);
    if (redis->idle_count < POOL_MAX) {
        redis->idle[redis->idle_count++] = connection;
        connection = NULL;
    }
    pthread_mutex_unlock(&redis->lock);
    if (connection != NULL)
        redisFree(connection);
}

/* What was idle beside one that broke is broken too. */
static void
pool_empty(struct redis *redis)
{
    redisContext *all[POOL_MAX];

    pthread_mutex_lock(&redis->lock);
    size_t count = redis->idle_count;
    memcpy(all, redis->idle, count * sizeof(redisContext *));
    redis->idle_count = 0;
    pthread_mutex_unlock(&redis->lock);
    atomic_fetch_add(&redis->generation, 1);
    while (count > 0)
        redisFree(all[--count]);
}

/* Scripts. */

/* The server's name for the script; loaded when it has none or, `is_lost`, has forgotten it. */
static bool
script_name(struct redis *redis, redisContext *connection, bool is_lost, char out[static SHA_BYTES + 1])
{
    const char *words[] = { "SCRIPT", "LOAD", redis->config.script };

    pthread_mutex_lock(&redis->lock);
    memcpy(out, redis->sha, SHA_BYTES + 1);
    pthread_mutex_unlock(&redis->lock);
    if (out[0] != '\0' && !is_lost)
        return true;
    redisReply *reply = redisCommandArgv(connection, COUNT_OF(words), words, NULL);
    bool is_good = reply != NULL && reply->type == REDIS_REPLY_STRING && (size_t)reply->len == SHA_BYTES;
    if (is_good) {
        memcpy(out, reply->str, SHA_BYTES);
        out[SHA_BYTES] = '\0';
        pthread_mutex_lock(&redis->lock);
        memcpy(redis->sha, out, SHA_BYTES + 1);
        pthread_mutex_unlock(&redis->lock);
    }
    if (reply != NULL)
        freeReplyObject(reply);
    return is_good;
}

struct call {
    const char **words;
    size_t *lens;
    size_t count;
    int64_t *out;
    size_t out_count;
};

/* `count` integers and nothing else. */
static enum err
reply_read(const redisReply *reply, int64_t *out, size_t count)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != count)
        return ERR_FRAME;
    for (size_t i = 0; i < count; i++) {
        if (reply->element[i]->type != REDIS_REPLY_INTEGER)
            return ERR_FRAME;
        out[i] = reply->element[i]->integer;
    }
    return ERR_OK;
}

/* ERR_BUSY: the connection is of no use any more. */
static enum err
call_make(struct redis *redis, redisContext *connection, struct call *call)
{
    char sha[SHA_BYTES + 1];
    redisReply *reply = NULL;

    for (int try = 0; try < 2; try++) {
        if (!script_name(redis, connection, try > 0, sha))
            return ERR_BUSY;
        call->words[1] = sha;
        call->lens[1] = SHA_BYTES;
        reply = redisCommandArgv(connection, (int)call->count, call->words, call->lens);
        if (reply == NULL)
            return ERR_BUSY;
        if (reply->type != REDIS_REPLY_ERROR || strncmp(reply->str, "NOSCRIPT", 8) != 0)
            break;
        freeReplyObject(reply);
        reply = NULL;
    }
    if (reply == NULL)
        return ERR_FRAME;
    /* LOADING, OOM, READONLY and the like: it is there, and of no use. Its words may hold values: not logged.
     */
    enum err err =
        reply->type == REDIS_REPLY_ERROR ? ERR_FRAME : reply_read(reply, call->out, call->out_count);
    freeReplyObject(reply);
    return err;
}

enum err
redis_ask(struct redis *redis, const struct slice *keys, size_t key_count, const struct slice *arguments,
          size_t argument_count, int64_t *out, size_t count)
{
    char number[24];
    size_t total = 3 + key_count + argument_count;
    struct call call = { .count = total, .out = out, .out_count = count };
    enum err err = ERR_BUSY;

    if (key_count + argument_count > REDIS_ARGUMENTS_MAX)
        return ERR_LIMIT;
    if (is_given_up(redis))
        return ERR_BUSY;
    call.words = calloc(total, sizeof(char *));
    call.lens = calloc(total, sizeof(size_t));
    if (call.words == NULL || call.lens == NULL) {
        err = ERR_NO_MEMORY;
        goto done;
    }
    call.words[0] = "EVALSHA";
    call.lens[0] = 7;
    call.words[2] = number;
    call.lens[2] = (size_t)snprintf(number, sizeof(number), "%zu", key_count);
    for (size_t i = 0; i < key_count + argument_count; i++) {
        struct slice word = i < key_count ? keys[i] : arguments[i - key_count];
        call.words[3 + i] = word.ptr;
        call.lens[3 + i] = word.len;
    }
    bool is_fresh = false;
    do {
        redisContext *connection = connection_take(redis, &is_fresh);
        err = connection == NULL ? ERR_BUSY : call_make(redis, connection, &call);
        if (connection != NULL && err != ERR_BUSY) {
            connection_give(redis, connection);
        } else if (connection != NULL) {
            redisFree(connection);
            pool_empty(redis);
        }
    } while (err == ERR_BUSY && !is_fresh); /* an idle one had broken: once more on a new one */
    if (err == ERR_OK)
        answers(redis);
    else
        is_away(redis);
done:
    free(call.words);
    free(call.lens);
    return err;
}
