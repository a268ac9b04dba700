#include "program/gateway/committer.h"
#include "core/log.h"
#include "core/metric.h"
#include "domain/tenant/tenant_key.h"
#include <pthread.h>
#include <stdlib.h>

#define IN_FLIGHT_BUCKETS 4096u
#define BATCH_ARENA_BYTES (64u * 1024u * 1024u)
#define KEPT_ARENA_BYTES  (2u * 1024u * 1024u)  /* what a batch of some hundred takes */
#define BATCH_PLAIN_BYTES (16u * 1024u * 1024u) /* of one batch at the most; the first is always taken */
#define DB_REOPEN_MS      2000

struct committer {
    struct committer_config config;
    struct db *db;         /* the thread's */
    struct arena *arena;   /* the thread's; what is known of a batch, wiped after it */
    struct arena *scratch; /* the thread's; one try to store it */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t queued;
    /* under lock: */
    struct commit *first, **last;
    size_t count;
    struct commit *in_flight[IN_FLIGHT_BUCKETS]; /* those with an idempotency key, from submit to answer */
    bool is_stopping;
    bool is_joined; /* of whoever stops and frees it */
};

/* FNV-1a over tenant and key: only a bucket number, equality is checked on the whole. */
static size_t
bucket_of(const struct message_new *message)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < ID_BYTES; i++)
        hash = (hash ^ message->tenant.bytes[i]) * UINT64_C(1099511628211);
    for (size_t i = 0; i < message->idempotency_key.len; i++)
        hash = (hash ^ (unsigned char)message->idempotency_key.ptr[i]) * UINT64_C(1099511628211);
    return (size_t)(hash % IN_FLIGHT_BUCKETS);
}

static struct commit **
in_flight_find(struct committer *committer, const struct message_new *message)
{
    struct commit **at = &committer->in_flight[bucket_of(message)];

    while (*at != NULL && !(id_eq((*at)->message.tenant, message->tenant) &&
                            slice_eq((*at)->message.idempotency_key, message->idempotency_key)))
        at = &(*at)->next_in_flight;
    return at;
}

/* ERR_OK: queued, or behind the one that it repeats. */
static enum err
submit_locked(struct committer *committer, struct commit *commit)
{
    bool has_key = commit->message.idempotency_key.ptr != NULL;
    struct commit **slot = has_key ? in_flight_find(committer, &commit->message) : NULL;

    commit->next = commit->next_in_flight = commit->followers = NULL;
    if (slot != NULL && *slot != NULL) {
        if (memcmp((*slot)->request_hash, commit->request_hash, MESSAGE_FINGERPRINT_BYTES) != 0)
            return ERR_IDEMPOTENCY_IN_FLIGHT;
        commit->next = (*slot)->followers;
        (*slot)->followers = commit;
        metric_add(METRIC_COMMITS_WAITING, 1);
        return ERR_OK;
    }
    if (slot != NULL)
        *slot = commit;
    *committer->last = commit;
    committer->last = &commit->next;
    committer->count++;
    metric_add(METRIC_COMMITS_WAITING, 1);
    pthread_cond_signal(&committer->queued);
    return ERR_OK;
}

enum err
committer_submit(struct committer *committer, struct commit *commit)
{
    enum err err;

    pthread_mutex_lock(&committer->lock);
    if (committer->is_stopping)
        err = ERR_STOPPING;
    else if (committer->count >= committer->config.queue_max)
        err = ERR_BUSY;
    else
        err = submit_locked(committer, commit);
    pthread_mutex_unlock(&committer->lock);
    return err == ERR_OK ? ERR_DEFERRED : err;
}

static bool
has_room_locked(const struct committer *committer, size_t count)
{
    return committer->count == 0 ||
           (count <= committer->config.queue_max && committer->count <= committer->config.queue_max - count);
}

bool
committer_has_room(struct committer *committer, size_t count)
{
    pthread_mutex_lock(&committer->lock);
    bool has_room = has_room_locked(committer, count);
    pthread_mutex_unlock(&committer->lock);
    return has_room;
}

enum err
committer_submit_many(struct committer *committer, struct commit *const *commits, size_t count)
{
    struct commit *refused = NULL;
    enum err err = ERR_OK;

    pthread_mutex_lock(&committer->lock);
    if (committer->is_stopping)
        err = ERR_STOPPING;
    else if (!has_room_locked(committer, count))
        err = ERR_BUSY;
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        if (submit_locked(committer, commits[i]) != ERR_OK) {
            commits[i]->next = refused;
            refused = commits[i];
        }
    pthread_mutex_unlock(&committer->lock);
    for (struct commit *next; refused != NULL; refused = next) { /* not under the lock */
        next = refused->next;
        refused->done(refused, &(struct message_accepted){ .err = ERR_IDEMPOTENCY_IN_FLIGHT });
    }
    return err;
}

/* From here on nobody comes behind it; those who did are returned. */
static struct commit *
in_flight_drop(struct committer *committer, struct commit *commit)
{
    if (commit->message.idempotency_key.ptr == NULL)
        return NULL;
    pthread_mutex_lock(&committer->lock);
    struct commit **at = in_flight_find(committer, &commit->message);
    if (*at == commit)
        *at = commit->next_in_flight;
    struct commit *followers = commit->followers;
    pthread_mutex_unlock(&committer->lock);
    return followers;
}

/* Answers one request; the commit lies in the request's arena and is gone afterwards. */
static void
answer_one(struct commit *commit, const struct message_accepted *accepted)
{
    struct http_response response = { 0 };
    enum err err = accepted->err;

    metric_add(METRIC_COMMITS_WAITING, UINT64_MAX); /* one less */
    if (err == ERR_OK)
        metric_add(accepted->is_replay ? METRIC_MESSAGES_REPLAYED : METRIC_MESSAGES_ACCEPTED, 1);
    if (commit->told != NULL)
        commit->told(commit, accepted);
    if (commit->done != NULL) {
        commit->done(commit, accepted);
        return;
    }
    if (err == ERR_OK)
        err = commit->print(commit, accepted, &response);
    if (err != ERR_OK) {
        http_answer_problem(commit->request, err);
        return;
    }
    if (accepted->is_replay)
        http_response_add(&response, "Idempotency-Replayed", SLICE("true"));
    http_answer(commit->request, &response);
}

static void
answer(struct committer *committer, struct commit *commit, const struct message_accepted *accepted)
{
    struct commit *follower = in_flight_drop(committer, commit);
    struct message_accepted again = *accepted;

    again.is_replay = accepted->err == ERR_OK;
    answer_one(commit, accepted);
    for (struct commit *next; follower != NULL; follower = next) {
        next = follower->next;
        answer_one(follower, &again);
    }
}

/* Errors that one row alone may have caused: the others must not suffer for it. */
static bool
may_be_one_row(enum err err)
{
    return err == ERR_DB_DATA || err == ERR_DB_CONSTRAINT || err == ERR_EXISTS || err == ERR_DB_STATEMENT ||
           err == ERR_NO_MEMORY || err == ERR_LIMIT;
}

static void
commit_batch(struct committer *committer, struct message_new *messages, struct message_accepted *accepted,
             size_t count)
{
    struct mono_time began = clock_mono(committer->config.clock);
    enum err err = message_accept_batch(committer->db, committer->config.clock, messages, accepted, count,
                                        committer->scratch);

    arena_reset(committer->scratch);
    metric_add(METRIC_COMMITS, 1);
    metric_observe_us(METRIC_COMMIT_SECONDS, clock_mono(committer->config.clock).us - began.us);
    if (err == ERR_OK)
        return;
    if (count > 1 && may_be_one_row(err)) {
        size_t half = count / 2;
        commit_batch(committer, messages, accepted, half);
        commit_batch(committer, messages + half, accepted + half, count - half);
        return;
    }
    log_event(LOG_WARN, "commit.failed", LOG_NUM("count", count), LOG_ERR(err));
    for (size_t i = 0; i < count; i++)
        accepted[i] = (struct message_accepted){ .err = err,
                                                 .is_doubtful = accepted[i].is_doubtful,
                                                 .id = messages[i].id };
    if (err == ERR_DB_UNAVAILABLE && db_reopen(committer->db, DB_REOPEN_MS) != ERR_OK)
        log_event(LOG_WARN, "commit.database_away", LOG_ERR(ERR_DB_UNAVAILABLE));
}

static size_t
plain_bytes(const struct message_plain *plain)
{
    size_t bytes = plain->peer.len + plain->content.len + plain->metadata.len;

    for (size_t i = 0; i < MESSAGE_FALLBACKS_MAX; i++)
        bytes += plain->fallback[i].len;
    return bytes;
}

/* Takes what has queued, up to batch_max; NULL when the queue is empty for good. */
static struct commit *
take(struct committer *committer, size_t *count_out)
{
    size_t count = 0, bytes = 0;

    pthread_mutex_lock(&committer->lock);
    while (committer->first == NULL && !committer->is_stopping)
        pthread_cond_wait(&committer->queued, &committer->lock);
    struct commit *batch = committer->first, **end = &committer->first;
    while (*end != NULL && count < committer->config.batch_max && bytes < BATCH_PLAIN_BYTES) {
        bytes += plain_bytes((*end)->plain);
        end = &(*end)->next;
        count++;
    }
    committer->first = *end;
    *end = NULL;
    if (committer->first == NULL)
        committer->last = &committer->first;
    committer->count -= count;
    pthread_mutex_unlock(&committer->lock);
    *count_out = count;
    return batch;
}

/* The vault asks for keys that lie in the database: when its connection was lost, it is made anew, once. */
static void
seal_all(struct committer *committer, struct message_seal *seals, size_t count)
{
    struct vault vault = tenant_vault(committer->config.vault, committer->db);
    bool is_lost = false;

    message_seal_many(&vault, seals, count, committer->arena);
    for (size_t i = 0; i < count; i++)
        is_lost = is_lost || seals[i].err == ERR_DB_UNAVAILABLE;
    if (is_lost && db_reopen(committer->db, DB_REOPEN_MS) == ERR_OK)
        message_seal_many(&vault, seals, count, committer->arena);
}

/*
 * Has the vault seal all of them, in one exchange. Those that it did not seal are answered here; the others
 * are in messages[]. Returns how many.
 */
static size_t
batch_seal(struct committer *committer, struct commit *batch, size_t count, struct message_new *messages)
{
    struct message_seal *seals = arena_array(committer->arena, count, sizeof(*seals));
    size_t sealed = 0, i = 0;

    if (seals == NULL)
        bug("the arena of a batch holds batch_max messages"); /* both are bounded by configuration */
    for (const struct commit *commit = batch; commit != NULL; commit = commit->next, i++)
        seals[i] = (struct message_seal){ .tenant = commit->message.tenant,
                                          .plain = commit->plain,
                                          .request_hash = commit->message.idempotency_key.ptr == NULL
                                                              ? NULL
                                                              : commit->request_hash };
    seal_all(committer, seals, count);
    i = 0;
    for (struct commit *commit = batch, *next; commit != NULL; commit = next, i++) {
        next = commit->next; /* an answered commit is gone */
        if (seals[i].err != ERR_OK) {
            answer(committer, commit,
                   &(struct message_accepted){ .err = seals[i].err, .id = commit->message.id });
            continue;
        }
        messages[sealed] = commit->message;
        messages[sealed].sealed = seals[i].sealed;
        memcpy(messages[sealed].fingerprint, seals[i].fingerprint, MESSAGE_FINGERPRINT_BYTES);
        messages[sealed++].owner = commit;
    }
    return sealed;
}

static void *
committer_run(void *ctx)
{
    struct committer *committer = ctx;
    size_t count = 0;

    for (struct commit *batch; (batch = take(committer, &count)) != NULL;) {
        struct message_new *messages = arena_array(committer->arena, count, sizeof(*messages));
        struct message_accepted *accepted = arena_array(committer->arena, count, sizeof(*accepted));
        if (messages == NULL || accepted == NULL)
            bug("the arena of a batch holds batch_max messages"); /* both are bounded by configuration */
        count = batch_seal(committer, batch, count, messages);
        if (count > 0)
            commit_batch(committer, messages, accepted, count);
        for (size_t i = 0; i < count; i++) /* accept_batch sorted them: the owner leads back */
            answer(committer, messages[i].owner, &accepted[i]);
        arena_reset(committer->arena);
    }
    return NULL;
}

enum err
committer_new(const struct committer_config *config, struct committer **out)
{
    struct committer *committer = calloc(1, sizeof(*committer));
    enum err err = ERR_NO_MEMORY;

    if (committer == NULL)
        return ERR_NO_MEMORY;
    committer->config = *config;
    committer->last = &committer->first;
    pthread_mutex_init(&committer->lock, NULL);
    pthread_cond_init(&committer->queued, NULL);
    committer->arena = arena_new_keeping(BATCH_ARENA_BYTES, KEPT_ARENA_BYTES);
    committer->scratch = arena_new_keeping(BATCH_ARENA_BYTES, KEPT_ARENA_BYTES);
    if (committer->arena != NULL && committer->scratch != NULL)
        err = db_open(config->database, &committer->db);
    if (err == ERR_OK && pthread_create(&committer->thread, NULL, committer_run, committer) != 0)
        err = ERR_SYSTEM;
    if (err == ERR_OK) {
        *out = committer;
        return ERR_OK;
    }
    db_close(committer->db);
    arena_free(committer->arena);
    arena_free(committer->scratch);
    pthread_cond_destroy(&committer->queued);
    pthread_mutex_destroy(&committer->lock);
    free(committer);
    return err;
}

void
committer_stop(struct committer *committer)
{
    if (committer == NULL || committer->is_joined)
        return;
    pthread_mutex_lock(&committer->lock);
    committer->is_stopping = true;
    pthread_cond_signal(&committer->queued);
    pthread_mutex_unlock(&committer->lock);
    pthread_join(committer->thread, NULL);
    committer->is_joined = true;
}

void
committer_free(struct committer *committer)
{
    if (committer == NULL)
        return;
    committer_stop(committer);
    db_close(committer->db);
    arena_free(committer->arena);
    arena_free(committer->scratch);
    pthread_cond_destroy(&committer->queued);
    pthread_mutex_destroy(&committer->lock);
    free(committer);
}
