#include "program/gateway/callback_stage.h"
#include "core/log.h"
#include "core/metric.h"
#include "domain/channel/channel.h"
#include "domain/message/provider_event.h"
#include "domain/tenant/tenant_key.h"
#include "program/gateway/interpreter.h"
#include "program/gateway/limiter.h"
#include <pthread.h>
#include <stdlib.h>

#define BATCH_BYTES_MAX (16u * 1024u * 1024u) /* of bodies, when it is more than one */
#define ARENA_BYTES     (64u * 1024u * 1024u)
#define DB_REOPEN_MS    2000
#define TOGETHER_MAX    128u /* bodies that are claimed together when whoever has them in hand dies */

struct callback_stage {
    struct callback_stage_config config;
    struct db *db; /* the thread's, as the next two */
    struct vault vault;
    struct arena *arena; /* of a batch; wiped after it */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t queued;
    /* under lock: */
    struct callback *first, **last;
    size_t count;
    bool is_stopping;
    bool is_joined; /* of whoever stops and frees it */
};

/* What has queued and is well so far, sorted by tenant when that is known. */
struct batch {
    struct callback_stage *stage;
    struct callback **callbacks;
    size_t count;
};

enum err
callback_stage_submit(struct callback_stage *stage, struct callback *callback)
{
    enum err err = ERR_DEFERRED;

    callback->next = NULL;
    callback->err = ERR_OK;
    pthread_mutex_lock(&stage->lock);
    if (stage->is_stopping)
        err = ERR_STOPPING;
    else if (stage->count >= stage->config.queue_max)
        err = ERR_BUSY;
    if (err == ERR_DEFERRED) {
        *stage->last = callback;
        stage->last = &callback->next;
        stage->count++;
        pthread_cond_signal(&stage->queued);
    }
    pthread_mutex_unlock(&stage->lock);
    return err;
}

/* NULL when the queue is empty for good. */
static struct callback *
take(struct callback_stage *stage, size_t *count_out)
{
    size_t count = 0, bytes = 0;

    pthread_mutex_lock(&stage->lock);
    while (stage->first == NULL && !stage->is_stopping)
        pthread_cond_wait(&stage->queued, &stage->lock);
    struct callback *batch = stage->first, **end = &stage->first;
    while (*end != NULL && count < stage->config.batch_max) {
        size_t own = (*end)->request->body.len;
        if (count > 0 && own > BATCH_BYTES_MAX - bytes)
            break;
        bytes += own;
        end = &(*end)->next;
        count++;
        if (bytes >= BATCH_BYTES_MAX)
            break;
    }
    stage->first = *end;
    *end = NULL;
    if (stage->first == NULL)
        stage->last = &stage->first;
    stage->count -= count;
    pthread_mutex_unlock(&stage->lock);
    *count_out = count;
    return batch;
}

/* Those that are still well stay in the batch, in their order. */
static void
batch_sift(struct batch *batch)
{
    size_t kept = 0;

    for (size_t i = 0; i < batch->count; i++)
        if (batch->callbacks[i]->err == ERR_OK)
            batch->callbacks[kept++] = batch->callbacks[i];
    batch->count = kept;
}

static bool
is_large(const struct callback *callback)
{
    return callback->request->body.len > PROVIDER_EVENT_SMALL_BYTES;
}

/* By tenant, the large ones last, each in the order in which they came. */
static int
tenant_compare(const void *a, const void *b)
{
    const struct callback *left = *(struct callback *const *)a, *right = *(struct callback *const *)b;
    int order = memcmp(left->of->tenant.bytes, right->of->tenant.bytes, ID_BYTES);

    if (order == 0)
        order = (int)is_large(left) - (int)is_large(right);
    return order != 0 ? order : left->nth < right->nth ? -1 : 1;
}

static int
channel_compare(const void *a, const void *b)
{
    const struct channel_callback *left = a, *right = b;

    return memcmp(left->channel.bytes, right->channel.bytes, ID_BYTES);
}

/* The channel and the tenant of each. An unknown one is 404 like any other path. */
static enum err
channels_find(struct batch *batch)
{
    struct arena *arena = batch->stage->arena;
    struct id *ids = arena_array(arena, batch->count, sizeof(*ids));
    struct channel_callback *found = NULL;
    size_t found_count = 0;

    if (ids == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < batch->count; i++)
        ids[i] = batch->callbacks[i]->channel;
    enum err err = channel_callbacks_find(batch->stage->db, ids, batch->count, arena, &found, &found_count);
    if (err != ERR_OK)
        return err;
    if (found_count > 0)
        qsort(found, found_count, sizeof(*found), channel_compare);
    for (size_t i = 0; i < batch->count; i++) {
        struct channel_callback wanted = { .channel = batch->callbacks[i]->channel };
        const struct channel_callback *of =
            found_count == 0 ? NULL : bsearch(&wanted, found, found_count, sizeof(*found), channel_compare);
        batch->callbacks[i]->err = of == NULL ? ERR_NOT_FOUND : ERR_OK;
        if (of == NULL)
            continue;
        batch->callbacks[i]->of = of;
        batch->callbacks[i]->request->tenant = of->tenant;
    }
    batch_sift(batch);
    if (batch->count > 0)
        qsort(batch->callbacks, batch->count, sizeof(struct callback *), tenant_compare);
    return ERR_OK;
}

static void
refuse(struct callback *callback)
{
    callback->err = ERR_SIGNATURE;
    metric_add(METRIC_PROVIDER_EVENTS_REFUSED, 1);
    log_event(LOG_WARN, "callback.signature_refused", LOG_ID("channel", ID_CHANNEL, callback->channel));
}

/* Nothing looks into a body before its signature was verified, over its raw bytes. */
static enum err
bodies_verify(struct batch *batch)
{
    struct arena *arena = batch->stage->arena;
    struct vault_ask *asks = arena_array(arena, batch->count, sizeof(*asks));
    struct limiter *limiter = batch->stage->config.limiter;

    if (asks == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < batch->count; i++)
        if (!batch->callbacks[i]->has_mac)
            refuse(batch->callbacks[i]);
    batch_sift(batch);
    for (size_t i = 0; i < batch->count; i++) {
        const struct callback *callback = batch->callbacks[i];
        struct vault_place place = channel_credential_place(callback->of->tenant, callback->channel,
                                                            CHANNEL_APP_SECRET, callback->of->generation);
        asks[i] =
            vault_ask_verify_mac(&place, &callback->of->app_secret, callback->request->body, callback->mac);
    }
    vault_ask_many(&batch->stage->vault, asks, batch->count, arena);
    for (size_t i = 0; i < batch->count; i++) {
        if (asks[i].err == ERR_SIGNATURE)
            refuse(batch->callbacks[i]);
        else
            batch->callbacks[i]->err = asks[i].err;
        if (asks[i].err == ERR_OK && limiter != NULL)
            batch->callbacks[i]->err =
                limiter_judge_callback(limiter, batch->callbacks[i]->request, batch->callbacks[i]->channel);
    }
    batch_sift(batch);
    return ERR_OK;
}

static enum err
bodies_seal(struct batch *batch, struct provider_event_new **events_out)
{
    struct arena *arena = batch->stage->arena;
    struct vault_ask *asks = arena_array(arena, batch->count, sizeof(*asks));
    struct vault_seal_item *items = arena_array(arena, batch->count, sizeof(*items));
    struct provider_event_new *events = arena_array(arena, batch->count, sizeof(*events));
    size_t sealed = 0;

    if (asks == NULL || items == NULL || events == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < batch->count; i++) {
        events[i] = (struct provider_event_new){ .id = id_new(batch->stage->config.clock),
                                                 .tenant = batch->callbacks[i]->of->tenant,
                                                 .channel = batch->callbacks[i]->channel };
        items[i] =
            provider_event_seal_item(events[i].tenant, events[i].id, batch->callbacks[i]->request->body);
        asks[i] = vault_ask_seal(VAULT_CONTENT, &items[i], 1);
    }
    vault_ask_many(&batch->stage->vault, asks, batch->count, arena);
    for (size_t i = 0; i < batch->count; i++) {
        batch->callbacks[i]->err = asks[i].err;
        if (asks[i].err != ERR_OK)
            continue;
        events[sealed] = events[i];
        provider_event_sealed(&items[i], &events[sealed++]);
    }
    batch_sift(batch);
    *events_out = events;
    return ERR_OK;
}

/* What is stored as one batch, and which of it was new. */
struct chunk {
    size_t from, count;
    struct id batch;
    struct db_rows *stored;
};

/* Small bodies of one tenant many together, large ones each by itself. */
static size_t
chunk_count(const struct batch *batch, size_t from, size_t end)
{
    const struct callback *first = batch->callbacks[from];
    size_t count = 1;

    while (!is_large(first) && from + count < end && count < TOGETHER_MAX &&
           id_eq(batch->callbacks[from + count]->of->tenant, first->of->tenant) &&
           !is_large(batch->callbacks[from + count]))
        count++;
    return count;
}

static bool
is_in_hand(const struct batch *batch, size_t from, size_t count)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += batch->callbacks[from + i]->request->body.len;
    return batch->stage->config.interpreter != NULL &&
           interpreter_takes(batch->stage->config.interpreter, count, bytes);
}

/* Those that are new, to the interpreter. */
static void
chunks_hand(const struct batch *batch, const struct provider_event_new *events, const struct chunk *chunks,
            size_t chunk_total, size_t count)
{
    struct interpreter_body *bodies = arena_array(batch->stage->arena, count, sizeof(*bodies));
    size_t handed = 0;

    for (size_t c = 0; bodies != NULL && c < chunk_total; c++) {
        const struct chunk *chunk = &chunks[c];
        size_t row = 0, rows = db_rows_count(chunk->stored);
        if (is_large(batch->callbacks[chunk->from]))
            continue;
        for (size_t i = chunk->from; row < rows && i < chunk->from + chunk->count; i++) {
            const struct callback *callback = batch->callbacks[i];
            if (!id_eq(events[i].id, db_id(chunk->stored, row, 0)))
                continue;
            row++;
            bodies[handed++] = (struct interpreter_body){ .tenant = events[i].tenant,
                                                          .batch = chunk->batch,
                                                          .event = events[i].id,
                                                          .channel = events[i].channel,
                                                          .number = callback->of->phone_number_id,
                                                          .bytes = callback->request->body };
        }
    }
    if (bodies != NULL) /* else the table has them */
        interpreter_hand(batch->stage->config.interpreter, bodies, handed);
}

/* All of them in one round trip; *new_out counts those that were not there. */
static enum err
events_store(const struct batch *batch, const struct provider_event_new *events, size_t from, size_t count,
             size_t *new_out)
{
    struct callback_stage *stage = batch->stage;
    struct chunk *chunks = arena_array(stage->arena, count, sizeof(*chunks));
    struct db_tx tx = { .is_open = false };
    size_t chunk_total = 0, end = from + count;
    bool in_hand = is_in_hand(batch, from, count);
    enum err err = chunks == NULL ? ERR_NO_MEMORY : db_begin(stage->db, events[from].tenant, &tx);

    *new_out = 0;
    for (size_t at = from; err == ERR_OK && at < end; at += chunks[chunk_total++].count) {
        struct chunk *chunk = &chunks[chunk_total];
        *chunk = (struct chunk){ .from = at,
                                 .count = chunk_count(batch, at, end),
                                 .batch = id_new(stage->config.clock) };
        err = db_tx_turn_to(&tx, events[at].tenant);
        if (err == ERR_OK)
            err = provider_events_store(&tx, events + at, chunk->count, chunk->batch,
                                        in_hand && !is_large(batch->callbacks[at]), stage->arena,
                                        &chunk->stored);
    }
    if (err == ERR_OK)
        err = db_commit(&tx);
    db_rollback(&tx);
    if (err == ERR_OK && in_hand)
        chunks_hand(batch, events, chunks, chunk_total, count);
    for (size_t c = 0; c < chunk_total; c++) {
        *new_out += err == ERR_OK ? db_rows_count(chunks[c].stored) : 0;
        db_rows_free(chunks[c].stored);
    }
    return err;
}

/* An error that one row alone may have caused splits the batch in halves, down to that row. */
static void
events_store_split(struct batch *batch, const struct provider_event_new *events, size_t from, size_t count)
{
    size_t fresh = 0;
    enum err err = ERR_DB_CONFLICT;

    for (int try = 0; try < DB_TRIES && err == ERR_DB_CONFLICT; try++)
        err = events_store(batch, events, from, count, &fresh);
    if (err == ERR_OK) {
        metric_add(METRIC_PROVIDER_EVENTS, fresh);
        return;
    }
    if (err_class(err) != ERR_CLASS_UNAVAILABLE && count > 1) {
        events_store_split(batch, events, from, count / 2);
        events_store_split(batch, events, from + count / 2, count - count / 2);
        return;
    }
    log_event(LOG_WARN, "callback.not_stored", LOG_NUM("count", count), LOG_ERR(err));
    for (size_t i = 0; i < count; i++)
        batch->callbacks[from + i]->err = err;
    if (err == ERR_DB_UNAVAILABLE && db_reopen(batch->stage->db, DB_REOPEN_MS) != ERR_OK)
        log_event(LOG_WARN, "callback.database_away", LOG_ERR(ERR_DB_UNAVAILABLE));
}

/* An error is of the whole batch; what is of one body alone stands in its callback. */
static enum err
batch_store(struct batch *batch)
{
    struct provider_event_new *events = NULL;
    enum err err = channels_find(batch);

    if (err == ERR_OK && batch->count > 0)
        err = bodies_verify(batch);
    if (err == ERR_OK && batch->count > 0)
        err = bodies_seal(batch, &events);
    if (err == ERR_OK && batch->count > 0)
        events_store_split(batch, events, 0, batch->count);
    return err;
}

static void
answer(struct limiter *limiter, struct callback *callback)
{
    struct http_response response = { 0 };
    enum err_class class = err_class(callback->err);

    if (limiter != NULL && (class == ERR_CLASS_UNAVAILABLE || class == ERR_CLASS_INTERNAL))
        limiter_clear(limiter, callback->request); /* no stranger's fault */
    enum err err = callback->err == ERR_OK ? http_reply_empty(&response, 200) : callback->err;

    if (err == ERR_OK)
        http_answer(callback->request, &response);
    else
        http_answer_problem(callback->request, err);
}

static void *
stage_run(void *ctx)
{
    struct callback_stage *stage = ctx;
    size_t count = 0;

    for (struct callback *first; (first = take(stage, &count)) != NULL;) {
        struct callback **all = arena_array(stage->arena, count, sizeof(struct callback *));
        struct batch batch = { .stage = stage,
                               .callbacks = arena_array(stage->arena, count, sizeof(struct callback *)),
                               .count = count };
        if (all == NULL || batch.callbacks == NULL)
            bug("the arena of a batch holds batch_max callbacks"); /* both are bounded by configuration */
        for (size_t i = 0; i < count; i++, first = first->next) {
            first->nth = i;
            all[i] = batch.callbacks[i] = first;
        }
        enum err err = batch_store(&batch);
        if (err == ERR_DB_UNAVAILABLE && db_reopen(stage->db, DB_REOPEN_MS) != ERR_OK)
            log_event(LOG_WARN, "callback.database_away", LOG_ERR(err));
        for (size_t i = 0; i < batch.count && err != ERR_OK; i++)
            batch.callbacks[i]->err = err;
        for (size_t i = 0; i < count; i++)
            answer(stage->config.limiter, all[i]);
        arena_reset(stage->arena);
    }
    return NULL;
}

enum err
callback_stage_new(const struct callback_stage_config *config, struct callback_stage **out)
{
    struct callback_stage *stage = calloc(1, sizeof(*stage));
    enum err err = ERR_NO_MEMORY;

    if (stage == NULL)
        return ERR_NO_MEMORY;
    stage->config = *config;
    stage->last = &stage->first;
    pthread_mutex_init(&stage->lock, NULL);
    pthread_cond_init(&stage->queued, NULL);
    stage->arena = arena_new(ARENA_BYTES);
    if (stage->arena != NULL)
        err = db_open(config->database, &stage->db);
    stage->vault = tenant_vault(config->vault_client, stage->db);
    if (err == ERR_OK && pthread_create(&stage->thread, NULL, stage_run, stage) != 0)
        err = ERR_SYSTEM;
    if (err == ERR_OK) {
        *out = stage;
        return ERR_OK;
    }
    db_close(stage->db);
    arena_free(stage->arena);
    pthread_cond_destroy(&stage->queued);
    pthread_mutex_destroy(&stage->lock);
    free(stage);
    return err;
}

void
callback_stage_stop(struct callback_stage *stage)
{
    if (stage == NULL || stage->is_joined)
        return;
    pthread_mutex_lock(&stage->lock);
    stage->is_stopping = true;
    pthread_cond_signal(&stage->queued);
    pthread_mutex_unlock(&stage->lock);
    pthread_join(stage->thread, NULL);
    stage->is_joined = true;
}

void
callback_stage_free(struct callback_stage *stage)
{
    if (stage == NULL)
        return;
    callback_stage_stop(stage);
    db_close(stage->db);
    arena_free(stage->arena);
    pthread_cond_destroy(&stage->queued);
    pthread_mutex_destroy(&stage->lock);
    free(stage);
}
