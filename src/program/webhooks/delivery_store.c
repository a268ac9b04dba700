#include "program/webhooks/delivery_store.h"
#include "core/log.h"
#include "core/metric.h"
#include "domain/tenant/tenant_key.h"
#include "domain/webhook/webhook_replay.h"
#include "domain/webhook/webhook_rest.h"
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define ARENA_BYTES                                                                                          \
    (128u * 1024u * 1024u)       /* WEBHOOK_CLAIM_MAX bodies of 256 KiB, or a fan-out of as many             \
                                  */
#define FAULT_MS             250 /* after an error */
#define HELD_MS              250 /* what is due and was not claimed waits for its endpoint, or for its tenant's share */
#define LOOK_MS_MIN          4   /* an event is not to be read yet: doubled each time ... */
#define LOOK_MS_MAX          500 /* ... up to this: somebody's transaction is long */
#define LEASE_MARGIN_MS      10000
#define SIGNATURES_BYTES_MAX 900u
#define DB_REOPEN_MS         5000
#define RETURN_MS            1000
#define UNREADABLE_MS        60000 /* what does not open now will hardly open in a second */

struct delivery_store {
    struct delivery_store_config config;
    struct db *db;
    struct vault vault;
    struct arena *arena;
    pthread_t thread;
    atomic_size_t out;
    size_t failing_out; /* of these, those to endpoints that fail; this thread's, as the next */
    int64_t horizon;    /* of webhook_rest */
    int look_ms;        /* the last wait for an event that was not to be read yet */
    atomic_bool is_draining, is_stopping;
};

/* The certificate that the endpoint's server asks for, and its key. */
static enum err
client_fill(struct delivery_store *store, const struct webhook_target *target, struct wall_time now,
            struct delivery_job *job)
{
    job->has_expired = target->has_client && target->client_not_after.us <= now.us;
    if (!target->has_client || job->has_expired)
        return ERR_OK;
    buf_add(&job->client_certificate, target->client_certificate);
    enum err err = buf_done(&job->client_certificate);
    return err == ERR_OK ? webhook_client_key_open(&store->vault, target, &job->client_key) : err;
}

/* Body opened, content signed in the vault, headers written. `now` is the time of this attempt. */
static enum err
job_fill(struct delivery_store *store, const struct webhook_claim *claim, struct delivery_job *job)
{
    struct wall_time now = clock_wall(store->config.clock);
    char event_text[ID_TEXT_BYTES];
    struct slice body, id = id_print(ID_EVENT, claim->event, event_text);
    struct buf content, signature;
    enum err err = webhook_body_open(&store->vault, claim, store->arena, &body);

    if (err != ERR_OK)
        return err;
    buf_init(&content, WEBHOOK_CONTENT_MAX);
    buf_init(&signature, SIGNATURES_BYTES_MAX);
    webhook_signed_content(id, now, body, &content);
    err = buf_done(&content);
    if (err == ERR_OK)
        err = webhook_sign(&store->vault, claim->target, buf_slice(&content), &signature);
    buf_release_wiped(&content);
    if (err == ERR_OK)
        err = webhook_headers_open(&store->vault, claim->target, &job->headers);
    if (err == ERR_OK)
        err = client_fill(store, claim->target, now, job);
    buf_add_text(&job->signature_header, "webhook-signature: ");
    buf_add(&job->signature_header, buf_slice(&signature));
    buf_add_byte(&job->signature_header, '\0');
    buf_release(&signature);
    if (err == ERR_OK)
        err = buf_done(&job->signature_header);
    if (err != ERR_OK)
        return err;
    buf_add(&job->body, body);
    buf_add(&job->url, claim->target->url);
    buf_add_byte(&job->url, '\0');
    snprintf(job->id_header, sizeof(job->id_header), "webhook-id: %.*s", SLICE_FMT(id));
    snprintf(job->timestamp_header, sizeof(job->timestamp_header), "webhook-timestamp: %lld",
             (long long)(now.us / 1000000));
    job->outcome.began_at = now;
    err = buf_done(&job->body);
    return err == ERR_OK ? buf_done(&job->url) : err;
}

static void
job_hand_over(struct delivery_store *store, const struct webhook_claim *claim)
{
    struct delivery_job *job = delivery_job_new(claim);

    if (job == NULL) { /* the lease runs out, and it is claimed again */
        store->failing_out -= claim->target->is_failing;
        atomic_fetch_sub(&store->out, 1);
        return;
    }
    enum err err = job_fill(store, claim, job);
    if (err == ERR_OK) {
        mailbox_put(store->config.ready, &job->item);
        return;
    }
    log_event(LOG_WARN, "webhook.not_prepared", LOG_ID("delivery", ID_DELIVERY, claim->delivery),
              LOG_ERR(err));
    job->is_released = true;
    job->release_ms = err_class(err) == ERR_CLASS_UNAVAILABLE ? RETURN_MS : UNREADABLE_MS;
    mailbox_put(store->config.settled, &job->item);
}

/* At most `room`: so many places are kept for what is being claimed. */
static enum err
claim_some(struct delivery_store *store, size_t room, bool is_failing, size_t *claimed_out)
{
    const struct config *config = store->config.config;
    struct webhook_claim_limits limits = { .count_max = room > WEBHOOK_CLAIM_MAX ? WEBHOOK_CLAIM_MAX : room,
                                           .per_endpoint_max = (size_t)config->endpoint_in_flight_max,
                                           .per_tenant_max = (size_t)config->webhook_tenant_in_flight_max,
                                           .is_failing = is_failing,
                                           .lease_ms = config->webhook_timeout_ms + LEASE_MARGIN_MS };
    struct webhook_claim *claims = NULL;
    size_t count = 0;
    enum err err = ERR_OK;

    /* Counted before it is claimed: who drains must not find nothing out while a claim is on its way. */
    atomic_fetch_add(&store->out, limits.count_max);
    if (!atomic_load(&store->is_draining))
        err = webhook_claim_due(store->db, &limits, store->arena, &claims, &count);
    if (err != ERR_OK)
        count = 0;
    atomic_fetch_sub(&store->out, limits.count_max - count);
    *claimed_out += count;
    for (size_t i = 0; i < count; i++) {
        store->failing_out += claims[i].target->is_failing;
        job_hand_over(store, &claims[i]);
    }
    return err;
}

/*
 * Endpoints whose last attempt was answered well come first and may take every place; those that fail, of
 * which each attempt may last until its time limit, get half of them at the most. So however many hang, there
 * is room for the rest.
 */
static enum err
claim_and_send(struct delivery_store *store, size_t *claimed_out)
{
    size_t places = (size_t)store->config.config->webhook_in_flight_max, out = atomic_load(&store->out);
    size_t failing_places = places / 2 > 0 ? places / 2 : 1;
    enum err err = ERR_OK;

    *claimed_out = 0;
    if (out < places)
        err = claim_some(store, places - out, false, claimed_out);
    out = atomic_load(&store->out);
    if (err == ERR_OK && out < places && store->failing_out < failing_places) {
        size_t room = failing_places - store->failing_out;
        err = claim_some(store, room < places - out ? room : places - out, true, claimed_out);
    }
    return err;
}

struct record {
    const struct delivery_store *store;
    const struct delivery_job *job;
};

/* What the endpoint answered, sealed for the row of this attempt. What cannot be sealed is left out of the
 * log. */
static enum err
answer_seal(struct delivery_store *store, struct delivery_job *job)
{
    struct webhook_outcome *outcome = &job->outcome;

    outcome->attempt_row = id_new(store->config.clock);
    outcome->address = slice_text(job->address);
    outcome->has_answer = false;
    if (job->is_released || job->answer_len == 0)
        return ERR_OK;
    struct vault_place place = webhook_answer_place(outcome->tenant, outcome->attempt_row);
    enum err err = vault_seal(&store->vault, VAULT_CONTENT, &place, slice_of(job->answer, job->answer_len),
                              store->arena, &outcome->answer);
    outcome->has_answer = err == ERR_OK;
    return err_class(err) == ERR_CLASS_UNAVAILABLE && err != ERR_VAULT_KEY_MISSING ? err : ERR_OK;
}

static enum err
record_in(struct db_tx *tx, void *ctx)
{
    const struct record *record = ctx;
    const struct webhook_outcome *outcome = &record->job->outcome;

    if (record->job->is_released)
        return webhook_release(tx, outcome->delivery, outcome->fence,
                               record->job->release_ms > 0 ? record->job->release_ms : RETURN_MS);
    return webhook_record(tx, record->store->config.clock, outcome);
}

/*
 * An attempt that cannot be recorded now goes back to the mailbox: only the record can be repeated. One that
 * can never be would come again for ever, and nothing else would be done: its lease makes it due again.
 */
static enum err
record_settled(struct delivery_store *store)
{
    struct delivery_job *list = (struct delivery_job *)mailbox_take(store->config.settled);
    enum err err = ERR_OK;

    for (struct delivery_job *job = list, *next; job != NULL; job = next) {
        struct record record = { .store = store, .job = job };
        next = delivery_job_next(job);
        if (err == ERR_OK)
            err = answer_seal(store, job);
        if (err == ERR_OK)
            err = db_run(store->db, job->outcome.tenant, record_in, &record);
        if (err_class(err) == ERR_CLASS_UNAVAILABLE) {
            mailbox_put(store->config.settled, &job->item);
            continue;
        }
        if (err != ERR_OK)
            log_event(LOG_ERROR, "webhook.not_recorded",
                      LOG_ID("delivery", ID_DELIVERY, job->outcome.delivery), LOG_ERR(err));
        err = ERR_OK;
        store->failing_out -= job->is_failing;
        delivery_job_free(job);
        atomic_fetch_sub(&store->out, 1);
    }
    return err;
}

static enum err
fan_out(struct delivery_store *store, size_t *taken_out)
{
    size_t queued = 0;

    *taken_out = 0;
    if (atomic_load(&store->is_draining))
        return ERR_OK;
    enum err err =
        webhook_fan_out(store->db, &store->vault, store->config.clock, store->arena, taken_out, &queued);
    metric_add(METRIC_WEBHOOKS_QUEUED, queued);
    return err;
}

/* A step of one replay, when one is running. */
static enum err
replay(struct delivery_store *store, bool *is_busy_out)
{
    size_t queued = 0;

    *is_busy_out = false;
    if (atomic_load(&store->is_draining))
        return ERR_OK;
    arena_reset(store->arena); /* the fan-out has had its share */
    enum err err = webhook_replay_step(store->db, &store->vault, store->config.clock, store->arena,
                                       is_busy_out, &queued);
    metric_add(METRIC_WEBHOOKS_QUEUED, queued);
    return err;
}

/* Nobody takes them any more, and none has left: back to the queue. */
static void
return_unsent(struct delivery_store *store)
{
    struct delivery_job *job = (struct delivery_job *)mailbox_take(store->config.ready);

    for (struct delivery_job *next; job != NULL; job = next) {
        next = delivery_job_next(job);
        job->is_released = true;
        mailbox_put(store->config.settled, &job->item);
    }
}

static void
on_notice(void *ctx, struct slice channel UNUSED, struct slice payload UNUSED)
{
    *(bool *)ctx = true;
}

/*
 * Until an attempt has ended, a notice comes, or something is due. While an event is there that must not be
 * read yet, no notice tells when it may be: then for a moment, and notices are left for later.
 */
static enum err
store_wait(struct delivery_store *store)
{
    struct pollfd fds[] = { { .fd = store->config.settled->event_fd, .events = POLLIN },
                            { .fd = db_fd(store->db), .events = POLLIN } };
    int64_t wait_ms = store->config.idle_ms_max;
    bool is_quiet = false, was_told = false;
    struct wall_time due;

    if (atomic_load(&store->is_draining)) { /* nothing but outcomes is awaited */
        (void)poll(fds, 1, FAULT_MS);
        return ERR_OK;
    }
    enum err err = webhook_rest(store->db, &store->horizon, &is_quiet);
    if (err == ERR_OK)
        err = webhook_next_due(store->db, &due);
    if (err == ERR_OK) {
        int64_t until_ms = (due.us - clock_wall(store->config.clock).us) / 1000 + 1;
        wait_ms = until_ms <= 0 ? HELD_MS : until_ms < wait_ms ? until_ms : wait_ms;
    } else if (err != ERR_NOTHING) {
        return err;
    }
    if (is_quiet) {
        store->look_ms = 0;
    } else {
        store->look_ms = store->look_ms == 0                ? LOOK_MS_MIN
                         : store->look_ms < LOOK_MS_MAX / 2 ? store->look_ms * 2
                                                            : LOOK_MS_MAX;
        wait_ms = store->look_ms < wait_ms ? store->look_ms : wait_ms;
    }
    err = db_notifications(store->db, on_notice, &was_told); /* what came with an answer makes no sound */
    if (err != ERR_OK || (was_told && is_quiet))
        return err;
    if (poll(fds, is_quiet ? 2 : 1, (int)wait_ms) < 0)
        return ERR_OK; /* interrupted: look again */
    return db_notifications(store->db, on_notice, &was_told);
}

static void *
store_run(void *ctx)
{
    struct delivery_store *store = ctx;

    while (!atomic_load(&store->is_stopping) || mailbox_count(store->config.settled) > 0) {
        size_t taken = 0, claimed = 0;
        bool is_replaying = false;
        enum err err = record_settled(store);

        if (err == ERR_OK)
            err = fan_out(store, &taken);
        if (err == ERR_OK)
            err = replay(store, &is_replaying);
        if (err == ERR_OK)
            err = claim_and_send(store, &claimed);
        arena_reset(store->arena);
        if (taken > 0)
            store->look_ms = 0;
        if (err == ERR_OK && taken == 0 && claimed == 0 && !is_replaying &&
            mailbox_count(store->config.settled) == 0)
            err = store_wait(store);
        if (err == ERR_OK)
            continue;
        log_event(err_class(err) == ERR_CLASS_UNAVAILABLE ? LOG_WARN : LOG_ERROR, "webhook.store_failed",
                  LOG_ERR(err));
        if (err != ERR_DB_UNAVAILABLE || db_reopen(store->db, DB_REOPEN_MS) != ERR_OK)
            (void)poll(NULL, 0, FAULT_MS);
        if (atomic_load(&store->is_stopping))
            break; /* what is not recorded now is delivered again: at least once */
    }
    return_unsent(store);
    enum err err = record_settled(store);
    if (err != ERR_OK)
        log_event(LOG_WARN, "webhook.store_failed", LOG_ERR(err));
    return NULL;
}

enum err
delivery_store_new(const struct delivery_store_config *config, struct delivery_store **out)
{
    struct delivery_store *store = calloc(1, sizeof(*store));
    enum err err = ERR_NO_MEMORY;

    if (store == NULL)
        return ERR_NO_MEMORY;
    store->config = *config;
    store->arena = arena_new(ARENA_BYTES);
    if (store->arena != NULL)
        err = db_open(config->database, &store->db);
    if (err == ERR_OK)
        err = db_listen(store->db, WEBHOOK_CHANNEL);
    store->vault = tenant_vault(config->vault_client, store->db);
    if (err == ERR_OK && pthread_create(&store->thread, NULL, store_run, store) != 0)
        err = ERR_SYSTEM;
    if (err == ERR_OK) {
        *out = store;
        return ERR_OK;
    }
    db_close(store->db);
    arena_free(store->arena);
    free(store);
    return err;
}

void
delivery_store_drain(struct delivery_store *store)
{
    atomic_store(&store->is_draining, true);
    mailbox_wake(store->config.settled);
}

size_t
delivery_store_out(const struct delivery_store *store)
{
    return atomic_load(&store->out);
}

void
delivery_store_free(struct delivery_store *store)
{
    if (store == NULL)
        return;
    atomic_store(&store->is_draining, true);
    atomic_store(&store->is_stopping, true);
    mailbox_wake(store->config.settled);
    pthread_join(store->thread, NULL);
    struct delivery_job *job = (struct delivery_job *)mailbox_take(store->config.settled);
    for (struct delivery_job *next; job != NULL; job = next) { /* the database is away */
        next = delivery_job_next(job);
        delivery_job_free(job);
    }
    db_close(store->db);
    arena_free(store->arena);
    free(store);
}
