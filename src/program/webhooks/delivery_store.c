#include "program/webhooks/delivery_store.h"
#include "core/log.h"
#include "core/metric.h"
#include "domain/tenant/tenant_key.h"
#include "domain/webhook/webhook_replay.h"
#include "domain/webhook/webhook_rest.h"
#include "program/webhooks/delivery_prepare.h"
#include "program/webhooks/delivery_shares.h"
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>

#define ARENA_BYTES                                                                                          \
    (128u * 1024u * 1024u) /* WEBHOOK_CLAIM_MAX bodies of 256 KiB, or a fan-out of as many                   \
                            */
#define FAULT_MS 250       /* after an error */
#define HELD_MS  250 /* what is due and was not claimed waits for its endpoint, or for its tenant's share */
#define HANDED_BYTES_MAX                                                                                     \
    (32u * 1024u * 1024u)     /* of bodies that were handed over, until there is room again */
#define GATHER_MS         3   /* while more is out, outcomes are left to come together for so long ... */
#define GATHER_MAX        64  /* ... or until there are so many */
#define PASS_MS           10  /* between two looks at the log while nobody wants what is in it */
#define TELL_MS           4   /* while somebody does */
#define LINGER_MS         50  /* without an event, until notices are asked for */
#define LOOK_MS_MIN       4   /* an event is not to be read yet: doubled each time ... */
#define LOOK_MS_MAX       500 /* ... up to this: somebody's transaction is long */
#define LEASE_MARGIN_MS   10000
#define PREPARE_MAX       64u                  /* prepared at once, and ... */
#define PREPARE_BYTES_MAX (4u * 1024u * 1024u) /* ... of bodies, when it is more than one */
#define SCRATCH_BYTES     (16u * 1024u * 1024u)
#define DB_REOPEN_MS      5000
#define RETURN_MS         1000
#define UNREADABLE_MS     60000 /* what does not open now will hardly open in a second */

struct delivery_store {
    struct delivery_store_config config;
    struct db *db;
    struct vault vault;
    struct arena *arena, *scratch;
    pthread_t thread;
    atomic_size_t out;
    struct delivery_shares *shares; /* this thread's, as the next */
    size_t failing_out, handed_out; /* of these, those to endpoints that fail; that were handed over */
    size_t handed_bytes;            /* of the latter's bodies */
    int64_t horizon;                /* of webhook_rest */
    int look_ms;                    /* the last wait for an event that was not to be read yet */
    bool must_claim, must_replay;
    bool may_wait;               /* something that is due, for a place that is taken */
    struct mono_time fan_out_at; /* not before */
    struct mono_time look_at;    /* at the latest: for what becomes due while the log is busy */
    struct mono_time heard_at;   /* the last events */
    atomic_bool is_draining, is_stopping;
};

/* To the loop, or back when it could not be prepared. */
static void
job_hand_over(struct delivery_store *store, struct delivery_job *job, enum err err)
{
    if (job->is_handed_over)
        store->handed_bytes += job->body.len;
    if (err == ERR_OK) {
        mailbox_put(store->config.ready, &job->item);
        return;
    }
    log_event(LOG_WARN, "webhook.not_prepared", LOG_ID("delivery", ID_DELIVERY, job->outcome.delivery),
              LOG_ERR(err));
    job->is_released = true;
    job->release_ms = err_class(err) == ERR_CLASS_UNAVAILABLE ? RETURN_MS : UNREADABLE_MS;
    mailbox_put(store->config.settled, &job->item);
}

/* One that was claimed or handed over is not out any more. */
static void
out_end(struct delivery_store *store, struct id tenant, struct id endpoint, bool is_failing, bool was_handed)
{
    store->failing_out -= is_failing;
    store->handed_out -= was_handed;
    delivery_shares_end(store->shares, tenant, endpoint);
    atomic_fetch_sub(&store->out, 1);
}

/* In parts, so that not too many opened bodies lie in memory at once. */
static void
claims_hand_over(struct delivery_store *store, const struct webhook_claim *claims, size_t count)
{
    struct delivery_job *jobs[PREPARE_MAX];
    enum err errs[PREPARE_MAX];

    for (size_t from = 0, end; from < count; from = end) {
        size_t bytes = 0, made = 0;
        for (end = from; end < count && made < PREPARE_MAX; end++) {
            bytes += claims[end].body.cipher.len;
            if ((end > from && bytes > PREPARE_BYTES_MAX) ||
                (jobs[made] = delivery_job_new(&claims[end])) == NULL)
                break;
            made++;
        }
        delivery_prepare(&store->vault, clock_wall(store->config.clock), claims + from, jobs, made,
                         store->scratch, errs);
        for (size_t i = 0; i < made; i++)
            job_hand_over(store, jobs[i], errs[i]);
        if (made == 0) { /* no memory: the lease runs out, and it is claimed again */
            out_end(store, claims[end].tenant, claims[end].endpoint, claims[end].target->is_failing,
                    claims[end].plain.ptr != NULL);
            end++;
        }
    }
}

/* At most `room`: so many places are kept for what is being claimed. */
static enum err
claim_some(struct delivery_store *store, size_t room, bool is_failing, size_t *claimed_out)
{
    const struct config *config = store->config.config;
    struct webhook_claim_limits limits = {
        .count_max = room > WEBHOOK_CLAIM_MAX ? WEBHOOK_CLAIM_MAX : room,
        .per_endpoint_max = (size_t)config->endpoint_in_flight_max * (is_failing ? 1 : DELIVERY_AHEAD),
        .per_tenant_max = (size_t)config->webhook_tenant_in_flight_max * DELIVERY_AHEAD,
        .is_failing = is_failing,
        .lease_ms = config->webhook_timeout_ms + LEASE_MARGIN_MS
    };
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
        delivery_shares_add(store->shares, claims[i].tenant, claims[i].endpoint);
    }
    claims_hand_over(store, claims, count);
    return err;
}

/*
 * Endpoints whose last attempt was answered well come first and may take every place; those that fail, of
 * which each attempt may last until its time limit, get so many as half of what is posted at once. So however
 * many hang, there is room for the rest; and what is claimed ahead of those that are well is not in their
 * way. What is handed over has places of its own: it keeps nothing waiting.
 */
static enum err
claim_and_send(struct delivery_store *store, size_t *claimed_out)
{
    size_t posted = (size_t)store->config.config->webhook_in_flight_max;
    size_t failing_places = posted / 2 > 0 ? posted / 2 : 1;
    size_t places =
        posted * DELIVERY_AHEAD < WEBHOOK_CLAIM_MAX ? posted * DELIVERY_AHEAD : (size_t)WEBHOOK_CLAIM_MAX;
    size_t out = atomic_load(&store->out) - store->failing_out - store->handed_out;
    struct wall_time due;
    enum err err = ERR_OK;

    *claimed_out = 0;
    if (out < places)
        err = claim_some(store, places - out, false, claimed_out);
    if (err == ERR_OK && store->failing_out < failing_places)
        err = claim_some(store, failing_places - store->failing_out, true, claimed_out);
    store->may_wait = true;
    if (err != ERR_OK || *claimed_out > 0)
        return err;
    /* What is due all the same waits for its share: what is recorded next may make room for it. */
    err = webhook_next_due(store->db, &due);
    store->may_wait = err == ERR_OK && due.us <= clock_wall(store->config.clock).us;
    return err == ERR_NOTHING ? ERR_OK : err;
}

/*
 * What the endpoints answered, sealed for the rows of these attempts. What cannot be sealed is left out of
 * the log. An error: the vault is away, and none is recorded yet.
 */
static enum err
answers_seal(struct delivery_store *store, struct delivery_job *const *jobs, size_t count)
{
    struct vault_ask *asks = arena_array(store->arena, count, sizeof(*asks));
    struct vault_seal_item *items = arena_array(store->arena, count, sizeof(*items));
    size_t asked = 0, of = 0;

    if (asks == NULL || items == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        struct webhook_outcome *outcome = &jobs[i]->outcome;
        outcome->attempt_row = outcome->fence == 0 ? outcome->delivery : id_new(store->config.clock);
        outcome->address = slice_text(jobs[i]->address);
        outcome->has_answer = !jobs[i]->is_released && jobs[i]->answer_len > 0;
        if (!outcome->has_answer)
            continue;
        items[asked] =
            (struct vault_seal_item){ .place = webhook_answer_place(outcome->tenant, outcome->attempt_row),
                                      .plain = slice_of(jobs[i]->answer, jobs[i]->answer_len) };
        asks[asked] = vault_ask_seal(VAULT_CONTENT, &items[asked], 1);
        asked++;
    }
    vault_ask_many(&store->vault, asks, asked, store->arena);
    for (size_t i = 0; i < count; i++) {
        struct webhook_outcome *outcome = &jobs[i]->outcome;
        if (!outcome->has_answer)
            continue;
        if (asks[of].err != ERR_OK && asks[of].err != ERR_VAULT_KEY_MISSING &&
            err_class(asks[of].err) == ERR_CLASS_UNAVAILABLE)
            return asks[of].err;
        outcome->has_answer = asks[of].err == ERR_OK;
        outcome->answer = items[of++].sealed;
    }
    return ERR_OK;
}

/* Some of what has settled, by tenant, for one transaction. */
struct record {
    struct delivery_store *store;
    struct delivery_job **jobs;
    size_t count;
};

static int
job_compare(const void *a, const void *b)
{
    const struct delivery_job *left = *(struct delivery_job *const *)a,
                              *right = *(struct delivery_job *const *)b;
    int order = memcmp(left->outcome.tenant.bytes, right->outcome.tenant.bytes, ID_BYTES);

    return order != 0 ? order : left->settled < right->settled ? -1 : left->settled > right->settled;
}

/* Those of one tenant. */
static enum err
record_tenant(struct db_tx *tx, struct delivery_store *store, struct delivery_job *const *jobs, size_t count)
{
    const struct webhook_outcome **outcomes =
        arena_array(store->arena, count, sizeof(const struct webhook_outcome *));
    struct webhook_given_back *given = arena_array(store->arena, count, sizeof(*given));
    size_t outcome_count = 0, given_count = 0;

    if (outcomes == NULL || given == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct webhook_outcome *outcome = &jobs[i]->outcome;
        if (jobs[i]->is_released)
            given[given_count++] =
                (struct webhook_given_back){ outcome->delivery, outcome->fence,
                                             jobs[i]->release_ms > 0 ? jobs[i]->release_ms : RETURN_MS };
        else
            outcomes[outcome_count++] = outcome;
    }
    enum err err = webhook_record(tx, store->config.clock, outcomes, outcome_count, store->arena);
    return err == ERR_OK ? webhook_release(tx, given, given_count, store->arena) : err;
}

static enum err
record_in(struct db_tx *tx, void *ctx)
{
    const struct record *record = ctx;
    enum err err = ERR_OK;

    for (size_t i = 0, end; err == ERR_OK && i < record->count; i = end) {
        struct id tenant = record->jobs[i]->outcome.tenant;
        for (end = i; end < record->count && id_eq(record->jobs[end]->outcome.tenant, tenant);)
            end++;
        err = db_tx_turn_to(tx, tenant);
        if (err == ERR_OK)
            err = record_tenant(tx, record->store, record->jobs + i, end - i);
    }
    return err;
}

static void
job_end(struct delivery_store *store, struct delivery_job *job)
{
    const struct webhook_outcome *outcome = &job->outcome;

    if (job->is_handed_over)
        store->handed_bytes -= job->body.len;
    if (!job->is_released)
        delivery_shares_answered(store->shares, outcome->endpoint, outcome->plan.verdict == WEBHOOK_DELIVERED,
                                 outcome->latency_ms);
    out_end(store, outcome->tenant, outcome->endpoint, job->is_failing, job->is_handed_over);
    delivery_job_free(job);
}

/*
 * In one transaction, or each by itself when one of them cannot be written. What cannot be recorded now goes
 * back to the mailbox: only the record can be repeated. One that can never be would come again for ever, and
 * nothing else would be done: its lease makes it due again.
 */
static enum err
record_some(struct delivery_store *store, struct delivery_job **jobs, size_t count)
{
    struct record record = { store, jobs, count };
    enum err err = db_run(store->db, jobs[0]->outcome.tenant, record_in, &record);

    if (err_class(err) == ERR_CLASS_UNAVAILABLE) {
        for (size_t i = 0; i < count; i++)
            mailbox_put(store->config.settled, &jobs[i]->item);
        return err;
    }
    if (err != ERR_OK && count > 1) {
        enum err first = ERR_OK;
        for (size_t i = 0; i < count; i++) {
            err = record_some(store, &jobs[i], 1);
            first = first == ERR_OK ? err : first;
        }
        return first;
    }
    if (err != ERR_OK)
        log_event(LOG_ERROR, "webhook.not_recorded",
                  LOG_ID("delivery", ID_DELIVERY, jobs[0]->outcome.delivery), LOG_ERR(err));
    for (size_t i = 0; i < count; i++)
        job_end(store, jobs[i]);
    return ERR_OK;
}

static enum err
record_settled(struct delivery_store *store, size_t *recorded_out)
{
    struct delivery_job *list = (struct delivery_job *)mailbox_take(store->config.settled);
    size_t count = 0;

    for (struct delivery_job *job = list; job != NULL; job = delivery_job_next(job))
        job->settled = count++;
    *recorded_out = count;
    if (count == 0)
        return ERR_OK;
    struct delivery_job **jobs = arena_array(store->arena, count, sizeof(struct delivery_job *));
    if (jobs == NULL)
        bug("the arena holds as many jobs as are out");
    for (struct delivery_job *job = list; job != NULL; job = delivery_job_next(job))
        jobs[job->settled] = job;
    enum err err = answers_seal(store, jobs, count);
    if (err == ERR_OK) {
        qsort(jobs, count, sizeof(struct delivery_job *), job_compare);
        err = record_some(store, jobs, count);
    } else {
        for (size_t i = 0; i < count; i++)
            mailbox_put(store->config.settled, &jobs[i]->item);
    }
    arena_reset(store->arena);
    return err;
}

/* Counted when it is taken: who drains must not find nothing out while something is handed over. */
static bool
place_take(void *ctx, struct id tenant, struct id endpoint)
{
    struct delivery_store *store = ctx;

    if (store->handed_bytes > HANDED_BYTES_MAX || !delivery_shares_take(store->shares, tenant, endpoint))
        return false;
    atomic_fetch_add(&store->out, 1);
    store->handed_out++;
    return true;
}

static void
place_give_back(void *ctx, struct id tenant, struct id endpoint)
{
    out_end(ctx, tenant, endpoint, false, true);
}

/* *is_full_out: there is more, and no need to wait for it. */
static enum err
fan_out(struct delivery_store *store, struct mono_time now, bool *is_full_out)
{
    const struct webhook_places places = { store, place_take, place_give_back,
                                           store->config.config->webhook_timeout_ms + LEASE_MARGIN_MS };
    struct webhook_fanned fanned;

    *is_full_out = false;
    if (atomic_load(&store->is_draining) || now.us < store->fan_out_at.us)
        return ERR_OK;
    enum err err =
        webhook_fan_out(store->db, &store->vault, store->config.clock, store->arena, &places, &fanned);
    metric_add(METRIC_WEBHOOKS_QUEUED, fanned.queued);
    *is_full_out = fanned.taken >= WEBHOOK_FANOUT_MAX;
    if (fanned.taken > 0) {
        store->heard_at = now;
        store->look_ms = 0;
    }
    store->must_claim |= fanned.queued > fanned.claim_count;
    claims_hand_over(store, fanned.claims, fanned.claim_count);
    if (!*is_full_out)
        store->fan_out_at = mono_after_ms(now, fanned.queued > 0 ? TELL_MS : PASS_MS);
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
store_rest(struct delivery_store *store)
{
    struct pollfd fds[] = { { .fd = store->config.settled->event_fd, .events = POLLIN },
                            { .fd = db_fd(store->db), .events = POLLIN } };
    int64_t wait_ms = store->config.idle_ms_max;
    bool is_quiet = false, was_told = false;
    struct wall_time due;
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
    store->must_claim = store->must_replay = true;
    store->fan_out_at = (struct mono_time){ 0 };
    err = db_notifications(store->db, on_notice, &was_told); /* what came with an answer makes no sound */
    if (err != ERR_OK || (was_told && is_quiet))
        return err;
    if (poll(fds, is_quiet ? 2 : 1, (int)wait_ms) < 0)
        return ERR_OK; /* interrupted: look again */
    return db_notifications(store->db, on_notice, &was_told);
}

/* While events come in, notices are not asked for: the next look is due in a moment anyway. */
static enum err
store_wait(struct delivery_store *store, struct mono_time now)
{
    struct pollfd settled = { .fd = store->config.settled->event_fd, .events = POLLIN };
    struct mono_time until = store->fan_out_at.us < store->look_at.us ? store->fan_out_at : store->look_at;

    if (atomic_load(&store->is_draining)) { /* nothing but outcomes is awaited */
        (void)poll(&settled, 1, FAULT_MS);
        return ERR_OK;
    }
    if (now.us - store->heard_at.us >= LINGER_MS * 1000)
        return store_rest(store);
    int64_t left_us = until.us - clock_mono(store->config.clock).us;
    if (left_us > 0)
        (void)poll(&settled, 1, (int)((left_us + 999) / 1000));
    return ERR_OK;
}

/* Outcomes come one by one: those of a moment are recorded together. */
static void
gather(struct delivery_store *store)
{
    size_t settled = mailbox_count(store->config.settled);

    if (settled > 0 && settled < GATHER_MAX && settled < atomic_load(&store->out))
        (void)poll(NULL, 0, GATHER_MS);
}

static enum err
store_round(struct delivery_store *store)
{
    struct mono_time now = clock_mono(store->config.clock);
    size_t recorded = 0, claimed = 0;
    bool was_told = false, is_full = false;
    enum err err = ERR_OK;

    gather(store);
    if (mailbox_count(store->config.settled) > 0)
        err = record_settled(store, &recorded);
    if (err == ERR_OK)
        err = db_notifications(store->db, on_notice, &was_told);
    store->must_claim |= recorded > 0 && store->may_wait;
    if (was_told || now.us >= store->look_at.us) {
        store->must_claim = store->must_replay = true;
        store->look_at = mono_after_ms(now, HELD_MS);
    }
    if (err == ERR_OK)
        err = fan_out(store, now, &is_full);
    if (err == ERR_OK && store->must_replay)
        err = replay(store, &store->must_replay);
    store->must_claim |= store->must_replay;
    if (err == ERR_OK && store->must_claim) {
        err = claim_and_send(store, &claimed);
        store->must_claim = err != ERR_OK || claimed > 0;
    }
    arena_reset(store->arena);
    if (err == ERR_OK && !is_full && !store->must_claim && !store->must_replay &&
        mailbox_count(store->config.settled) == 0)
        err = store_wait(store, now);
    return err;
}

static void *
store_run(void *ctx)
{
    struct delivery_store *store = ctx;
    size_t recorded = 0;

    while (!atomic_load(&store->is_stopping) || mailbox_count(store->config.settled) > 0) {
        enum err err = store_round(store);
        if (err == ERR_OK)
            continue;
        log_event(err_class(err) == ERR_CLASS_UNAVAILABLE ? LOG_WARN : LOG_ERROR, "webhook.store_failed",
                  LOG_ERR(err));
        store->must_claim = store->must_replay = true;
        if (err != ERR_DB_UNAVAILABLE || db_reopen(store->db, DB_REOPEN_MS) != ERR_OK)
            (void)poll(NULL, 0, FAULT_MS);
        if (atomic_load(&store->is_stopping))
            break; /* what is not recorded now is delivered again: at least once */
    }
    return_unsent(store);
    enum err err = record_settled(store, &recorded);
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
    store->must_claim = store->must_replay = true;
    store->arena = arena_new(ARENA_BYTES);
    store->scratch = arena_new(SCRATCH_BYTES);
    store->shares = delivery_shares_new(&(struct delivery_shares_config){
        .per_endpoint_max = (size_t)config->config->endpoint_in_flight_max });
    if (store->arena != NULL && store->scratch != NULL && store->shares != NULL)
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
    arena_free(store->scratch);
    delivery_shares_free(store->shares);
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
    arena_free(store->scratch);
    delivery_shares_free(store->shares);
    free(store);
}
