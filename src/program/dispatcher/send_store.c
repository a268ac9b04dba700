#include "core/log.h"
#include "core/metric.h"
#include "domain/channel/channel.h"
#include "domain/channel/channel_window.h"
#include "domain/media/media_provider.h"
#include "domain/message/message_lane.h"
#include "program/dispatcher/send_store_internal.h"
#include <poll.h>
#include <stdlib.h>

#define ARENA_BYTES    (64u * 1024u * 1024u) /* MESSAGE_CLAIM_MAX messages of 64 KiB, sealed and opened */
#define IDLE_MS_MAX    1000                  /* also finds what a lost notice left */
#define TAKE_OVER_MS   1000                  /* between looks for what others left */
#define DB_REOPEN_MS   5000
#define OUTCOMES_MAX   512u
#define TURNS_AHEAD_MS 250 /* turns that come so soon are prepared: the loop only waits for the moment */
#define LANE_HELD_MS                                                                                         \
    1000 /* what waits of a lane that was just held or closed goes back; the database holds the rest */
#define LANE_FACTS_MS   60000
#define HIGH_PER_SECOND 1000 /* what WhatsApp calls high throughput; otherwise the setting counts */

/* The urgent first, then who waits longest. */
static int
waiting_order(const void *a, const void *b)
{
    const struct claimed *left = a, *right = b;

    if (left->claim.category != right->claim.category)
        return (int)left->claim.category - (int)right->claim.category;
    if (left->claimed_at.us != right->claimed_at.us)
        return left->claimed_at.us < right->claimed_at.us ? -1 : 1;
    return memcmp(left->claim.message.bytes, right->claim.message.bytes, ID_BYTES);
}

static int
tenant_order(const void *a, const void *b)
{
    const struct claimed *left = a, *right = b;
    int order = memcmp(left->claim.tenant.bytes, right->claim.tenant.bytes, ID_BYTES);

    return order != 0 ? order : waiting_order(a, b);
}

static enum err
claim_more(struct send_store *store, size_t *claimed_out)
{
    const struct config *config = store->config.config;
    size_t out = atomic_load(&store->out), room = (size_t)config->send_in_flight_max;
    struct mono_time now = clock_mono(store->config.clock);
    struct message_claim *claims = NULL;
    size_t count = 0;
    enum err err = ERR_OK;

    *claimed_out = 0;
    if (out >= room)
        return ERR_OK;
    room = room - out > MESSAGE_CLAIM_MAX ? MESSAGE_CLAIM_MAX : room - out;
    /* Counted before it is claimed: who drains must not find nothing out while a claim is on its way. */
    atomic_fetch_add(&store->out, room);
    if (!atomic_load(&store->is_draining))
        err = message_claim_due(
            store->db,
            &(struct message_claim_limits){ .count_max = room,
                                            .per_lane_max = (size_t)config->lane_in_flight_max,
                                            .lease_ms = config->send_lease_ms,
                                            .owner = store->config.instance },
            store->arena, &claims, &count);
    if (err != ERR_OK)
        count = 0;
    atomic_fetch_sub(&store->out, room - count);
    for (size_t i = 0; i < count; i++)
        store->waiting[store->waiting_count++] = (struct claimed){ .claim = claims[i], .claimed_at = now };
    *claimed_out = count;
    return err;
}

struct lane_facts {
    struct id channel;
    struct message_lane lane;
};

static enum err
lane_facts_in(struct db_tx *tx, void *ctx)
{
    struct lane_facts *facts = ctx;

    return message_lane_read(tx, facts->channel, &facts->lane);
}

/* What the database knows of a sender's pace, once a minute. */
static enum err
lane_learn(struct send_store *store, const struct message_claim *claim, struct mono_time now)
{
    struct lane_facts facts = { .channel = claim->channel };
    const struct message_lane *lane = &facts.lane;

    if (!pace_wants_facts(store->pace, claim->channel, now, LANE_FACTS_MS))
        return ERR_OK;
    enum err err = db_run(store->db, claim->tenant, lane_facts_in, &facts);
    if (err == ERR_NOT_FOUND)
        err = ERR_OK; /* deleted: what waits for it fails when it is prepared */
    int64_t ago_ms = (clock_wall(store->config.clock).us - lane->slowed_at.us) / 1000;
    if (err == ERR_OK)
        pace_learn(store->pace, claim->channel,
                   lane->is_high && store->config.config->lane_per_second < HIGH_PER_SECOND ? HIGH_PER_SECOND
                                                                                            : 0,
                   lane->was_slowed ? lane->slowed_to : 0, lane->was_slowed ? ago_ms : 0, now);
    return err;
}

/* Its turn has not come, and will not in time: back to the queue, as if it had never been claimed. */
static void
give_back(struct send_store *store, const struct claimed *claimed, const char *code, const char *title)
{
    struct send_job *job = send_job_new(&claimed->claim, claimed->claimed_at);

    if (job == NULL) { /* the lease runs out */
        atomic_fetch_sub(&store->out, 1);
        return;
    }
    send_job_settle(job, store->config.clock, MESSAGE_VERDICT_RETURNED, 0, code, title, "retry");
    mailbox_put(store->config.settled, &job->item);
}

static struct pace_key
lane_key(struct id channel)
{
    struct pace_key key;

    _Static_assert(sizeof(key.bytes) == ID_BYTES, "a channel's id is a key");
    memcpy(key.bytes, channel.bytes, sizeof(key.bytes));
    return key;
}

static bool
is_lane_held(const struct send_store *store, struct id channel, struct mono_time now)
{
    struct pace_key key = lane_key(channel);

    return pace_held_ms(store->pace, &key, now) > 0;
}

/* Takes from `waiting` those whose turn is near; what has waited for half its lease goes back. */
static enum err
turns_take(struct send_store *store, struct claimed *taken, size_t *count_out)
{
    struct mono_time now = clock_mono(store->config.clock), until = mono_after_ms(now, TURNS_AHEAD_MS);
    bool is_draining = atomic_load(&store->is_draining);
    size_t kept = 0, count = 0;
    enum err err = ERR_OK;

    store->turn_at.us = INT64_MAX;
    qsort(store->waiting, store->waiting_count, sizeof(*store->waiting), waiting_order);
    for (size_t i = 0; i < store->waiting_count; i++) {
        struct claimed *claimed = &store->waiting[i];
        if (err == ERR_OK && !is_draining)
            err = lane_learn(store, &claimed->claim, now);
        if (is_draining) {
            give_back(store, claimed, "drained", "The dispatcher was stopping.");
        } else if (now.us - claimed->claimed_at.us > store->config.config->send_lease_ms * 1000 / 2) {
            /* The answer would come after the lease, and another would have taken the message over. */
            give_back(store, claimed, "waited", "The message waited too long for its turn.");
        } else if (is_lane_held(store, claimed->claim.channel, now)) {
            give_back(store, claimed, "held", "The sender has to wait.");
        } else if (claimed->claim.expires_at.us <= clock_wall(store->config.clock).us) {
            give_back(store, claimed, "expired", "The message was not sent in time.");
        } else if (err == ERR_OK &&
                   pace_turn(store->pace, claimed->claim.channel, now, until, &claimed->leave_at)) {
            taken[count++] = *claimed;
        } else {
            if (claimed->leave_at.us < store->turn_at.us)
                store->turn_at = claimed->leave_at;
            store->waiting[kept++] = *claimed;
        }
    }
    store->waiting_count = kept;
    *count_out = count;
    return err;
}

static enum err
claim_and_send(struct send_store *store, size_t *claimed_out)
{
    struct claimed *taken =
        arena_array(store->arena, (size_t)store->config.config->send_in_flight_max, sizeof(*taken));
    size_t count = 0;
    enum err err = taken == NULL ? ERR_NO_MEMORY : claim_more(store, claimed_out);

    if (err == ERR_OK)
        err = turns_take(store, taken, &count);
    if (count > 1)
        qsort(taken, count, sizeof(*taken), tenant_order);
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && id_eq(taken[to].claim.tenant, taken[from].claim.tenant);)
            to++;
        enum err one = err == ERR_OK ? send_prepare(store, taken + from, to - from) : err;
        if (one == ERR_OK)
            continue;
        atomic_fetch_sub(&store->out, to - from);
        if (err_class(one) == ERR_CLASS_UNAVAILABLE)
            err = one;
        else /* of this tenant alone */
            log_event(LOG_ERROR, "dispatch.store_failed", LOG_ERR(one));
    }
    return err;
}

/* One tenant's outcomes, with what they mean for its channels. */
struct record {
    struct send_store *store;
    struct send_job **jobs;
    size_t count;
};

/* What was taken may be the answer that opens somebody's free entry point. */
static enum err
answers_record(struct db_tx *tx, const struct record *record)
{
    struct arena *arena = record->store->arena;
    struct channel_window_answer *answers = arena_array(arena, record->count, sizeof(*answers));
    size_t count = 0;

    if (answers == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < record->count; i++) {
        const struct send_job *job = record->jobs[i];
        if (job->outcome.verdict == MESSAGE_VERDICT_SENT)
            answers[count++] = (struct channel_window_answer){
                .channel = job->claim.channel,
                .peer_index = slice_of(job->peer_index, sizeof(job->peer_index)),
                .at = job->outcome.at,
            };
    }
    return channel_window_answered(tx, answers, count, arena);
}

/* WhatsApp cannot get at media that we had pushed: once, it is pushed anew. */
static enum err
media_again(struct db_tx *tx, const struct record *record, struct message_outcome *outcomes)
{
    enum err err = ERR_OK;

    for (size_t i = 0; i < record->count; i++) {
        const struct send_job *job = record->jobs[i];
        if (outcomes[i].verdict != MESSAGE_VERDICT_FAILED || job->media_count == 0 ||
            job->claim.attempt > 1 || !slice_eq(outcomes[i].error_code, SLICE("whatsapp-131052")))
            continue;
        for (size_t m = 0; err == ERR_OK && m < job->media_count; m++)
            err = media_provider_forget(tx, job->media[m], job->claim.channel);
        outcomes[i].verdict = MESSAGE_VERDICT_RETRY;
        outcomes[i].due_at = outcomes[i].at;
        outcomes[i].error_class = "retry";
    }
    return err;
}

static enum err
record_in(struct db_tx *tx, void *ctx)
{
    const struct record *record = ctx;
    struct send_store *store = record->store;
    const struct clock *clock = store->config.clock;
    struct message_outcome *outcomes = arena_array(store->arena, record->count, sizeof(*outcomes));

    if (outcomes == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < record->count; i++)
        outcomes[i] = record->jobs[i]->outcome;
    enum err err = media_again(tx, record, outcomes);
    if (err == ERR_OK)
        err = message_record_outcomes(tx, clock, outcomes, record->count, store->arena);
    if (err == ERR_OK)
        err = answers_record(tx, record);
    for (size_t i = 0; err == ERR_OK && i < record->count; i++) {
        const struct send_job *job = record->jobs[i];
        struct wall_time hold_until = wall_after_ms(clock_wall(clock), job->plan.lane_hold_ms);
        if (job->plan.breaks_channel)
            err = channel_break(tx, clock, job->claim.channel, "The provider refused the access token.",
                                store->arena);
        if (err == ERR_OK && job->plan.lane_hold_ms > 0)
            err = job->plan.holds_account ? message_account_hold(tx, job->claim.channel, hold_until)
                                          : message_lane_hold(tx, job->claim.channel, hold_until);
        if (err == ERR_OK && job->slowed_to > 0)
            err = message_lane_slow(tx, job->claim.channel, job->slowed_to, clock_wall(clock));
    }
    return err;
}

/* What an answer means for those that follow; once, however often it takes to be recorded. */
static void
pace_tell(struct send_store *store, struct send_job *job)
{
    struct mono_time now = clock_mono(store->config.clock);
    struct send_plan *plan = &job->plan;

    if (plan->slows_number)
        job->slowed_to = pace_throttled(store->pace, job->claim.channel, job->leave_at, now);
    if (plan->lane_hold_ms > 0 || plan->breaks_channel) {
        struct pace_key lane = lane_key(job->claim.channel);
        pace_hold(store->pace, &lane, now, mono_after_ms(now, LANE_HELD_MS));
    }
    if (plan->pair_hold_ms > 0)
        pace_hold(store->pace, &job->pair, now, mono_after_ms(now, plan->pair_hold_ms));
    if (plan->template_hold_ms > 0 && job->has_template)
        pace_hold(store->pace, &job->template, now, mono_after_ms(now, plan->template_hold_ms));
    plan->slows_number = false;
    plan->pair_hold_ms = plan->template_hold_ms = 0;
}

static int
job_order(const void *a, const void *b)
{
    struct send_job *const *left = a, *const *right = b;

    return memcmp((*left)->claim.tenant.bytes, (*right)->claim.tenant.bytes, ID_BYTES);
}

/*
 * Records some outcomes of one tenant. What cannot be recorded now goes back to the queue: only the record
 * can be repeated, the send cannot. An outcome that can never be written would come again for ever, and
 * nothing else would be done: the others are recorded without it, and its lease makes it uncertain.
 */
static enum err
record_group(struct send_store *store, struct send_job **jobs, size_t count)
{
    struct record record = { .store = store, .jobs = jobs, .count = count };
    enum err err = db_run(store->db, jobs[0]->claim.tenant, record_in, &record);

    if (err != ERR_OK && err_class(err) != ERR_CLASS_UNAVAILABLE && count > 1) {
        err = record_group(store, jobs, count / 2);
        enum err other = record_group(store, jobs + count / 2, count - count / 2);
        return err == ERR_OK ? other : err;
    }
    if (err_class(err) == ERR_CLASS_UNAVAILABLE) {
        for (size_t i = 0; i < count; i++)
            mailbox_put(store->config.settled, &jobs[i]->item);
        return err;
    }
    for (size_t i = 0; i < count; i++) {
        if (err != ERR_OK)
            log_event(LOG_ERROR, "dispatch.not_recorded",
                      LOG_ID("message", ID_MESSAGE, jobs[i]->claim.message), LOG_ERR(err));
        send_job_free(jobs[i]);
        atomic_fetch_sub(&store->out, 1);
    }
    return ERR_OK;
}

static enum err
record_settled(struct send_store *store)
{
    struct send_job *jobs[OUTCOMES_MAX], *list = (struct send_job *)mailbox_take(store->config.settled);
    size_t count = 0;
    enum err err = ERR_OK;

    while (list != NULL && count < OUTCOMES_MAX) {
        pace_tell(store, list);
        jobs[count++] = list;
        list = send_job_next(list);
    }
    for (struct send_job *next; list != NULL; list = next) {
        next = send_job_next(list);
        mailbox_put(store->config.settled, &list->item);
    }
    qsort(jobs, count, sizeof(jobs[0]), job_order); /* NOLINT(bugprone-sizeof-expression): pointers */
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && id_eq(jobs[to]->claim.tenant, jobs[from]->claim.tenant);)
            to++;
        if (err == ERR_OK) {
            err = record_group(store, jobs + from, to - from);
            continue;
        }
        for (size_t i = from; i < to; i++)
            mailbox_put(store->config.settled, &jobs[i]->item);
    }
    return err;
}

static enum err
take_over(struct send_store *store)
{
    struct mono_time now = clock_mono(store->config.clock);
    size_t taken = 0, kept = 0;

    if (atomic_load(&store->is_draining) || now.us - store->took_over_at.us < TAKE_OVER_MS * 1000)
        return ERR_OK;
    store->took_over_at = now;
    enum err err = message_take_over(store->db, store->config.clock, store->config.config->uncertain_wait_ms,
                                     store->config.config->send_lease_ms, store->arena, &taken);
    if (err == ERR_OK && taken > 0)
        log_event(LOG_INFO, "dispatch.taken_over", LOG_NUM("count", taken));
    if (err == ERR_OK)
        err = message_keep_times(store->db, store->config.clock, store->arena, &kept);
    return err;
}

static void
on_notice(void *ctx, struct slice channel UNUSED, struct slice payload UNUSED)
{
    *(bool *)ctx = true;
}

/* Until an outcome or a notice comes, or something is due. */
static enum err
store_wait(struct send_store *store)
{
    struct pollfd fds[] = { { .fd = store->config.settled->event_fd, .events = POLLIN },
                            { .fd = db_fd(store->db), .events = POLLIN } };
    bool has_room = atomic_load(&store->out) < (size_t)store->config.config->send_in_flight_max;
    bool was_told = false;
    struct wall_time due;
    int64_t wait_ms = IDLE_MS_MAX;
    enum err err = message_next_due(store->db, &due);

    if (err != ERR_OK && err != ERR_NOTHING)
        return err;
    if (err == ERR_OK && has_room && !atomic_load(&store->is_draining)) {
        int64_t until_ms = (due.us - clock_wall(store->config.clock).us) / 1000 + 1;
        /* What is due and was not claimed waits for its lane, or another holds it: not a reason to spin. */
        wait_ms = until_ms < 10 ? 10 : until_ms < IDLE_MS_MAX ? until_ms : IDLE_MS_MAX;
    }
    if (store->waiting_count > 0) { /* a claimed one's turn comes near */
        int64_t near_ms =
            (store->turn_at.us - clock_mono(store->config.clock).us) / 1000 - TURNS_AHEAD_MS / 2;
        wait_ms = near_ms < 1 ? 1 : near_ms < wait_ms ? near_ms : wait_ms;
    }
    err = db_notifications(store->db, on_notice, &was_told); /* what came with an answer makes no sound */
    if (err != ERR_OK || was_told)
        return err;
    if (poll(fds, COUNT_OF(fds), (int)wait_ms) < 0)
        return ERR_OK; /* interrupted: look again */
    return db_notifications(store->db, on_notice, &was_told);
}

/* Nobody takes them any more, and none has left: back to the queue. */
static void
return_unsent(struct send_store *store)
{
    struct send_job *job = (struct send_job *)mailbox_take(store->config.ready);

    for (size_t i = 0; i < store->waiting_count; i++)
        give_back(store, &store->waiting[i], "drained", "The dispatcher was stopping.");
    store->waiting_count = 0;
    for (struct send_job *next; job != NULL; job = next) {
        next = send_job_next(job);
        send_job_settle(job, store->config.clock, MESSAGE_VERDICT_RETURNED, 0, "drained",
                        "The dispatcher was stopping.", "retry");
        mailbox_put(store->config.settled, &job->item);
    }
}

static void *
store_run(void *ctx)
{
    struct send_store *store = ctx;

    while (!atomic_load(&store->is_stopping) || mailbox_count(store->config.settled) > 0) {
        size_t claimed = 0;
        enum err err = record_settled(store);

        if (err == ERR_OK)
            err = take_over(store);
        if (err == ERR_OK)
            err = claim_and_send(store, &claimed);
        if (err == ERR_OK && claimed == 0 && mailbox_count(store->config.settled) == 0)
            err = store_wait(store);
        arena_reset(store->arena);
        if (err == ERR_OK)
            continue;
        log_event(err_class(err) == ERR_CLASS_UNAVAILABLE ? LOG_WARN : LOG_ERROR, "dispatch.store_failed",
                  LOG_ERR(err));
        if (err != ERR_DB_UNAVAILABLE || db_reopen(store->db, DB_REOPEN_MS) != ERR_OK)
            (void)poll(NULL, 0, 200);
        if (atomic_load(&store->is_stopping))
            break; /* what is not recorded now is taken over as uncertain */
    }
    return_unsent(store);
    enum err err = record_settled(store);
    if (err != ERR_OK)
        log_event(LOG_WARN, "dispatch.store_failed", LOG_ERR(err));
    return NULL;
}

enum err
send_store_new(const struct send_store_config *config, struct send_store **out)
{
    struct send_store *store = calloc(1, sizeof(*store));
    enum err err = ERR_NO_MEMORY;

    if (store == NULL)
        return ERR_NO_MEMORY;
    store->config = *config;
    store->arena = arena_new(ARENA_BYTES);
    store->waiting = calloc((size_t)config->config->send_in_flight_max, sizeof(*store->waiting));
    if (store->arena != NULL && store->waiting != NULL)
        err = pace_new(config->config->lane_per_second, &store->pace);
    if (err == ERR_OK)
        err = db_open(config->database, &store->db);
    if (err == ERR_OK)
        err = db_listen(store->db, "harkara_dispatch");
    store->vault = tenant_vault(config->vault_client, store->db);
    if (err == ERR_OK && pthread_create(&store->thread, NULL, store_run, store) != 0)
        err = ERR_SYSTEM;
    if (err == ERR_OK) {
        *out = store;
        return ERR_OK;
    }
    db_close(store->db);
    pace_free(store->pace);
    free(store->waiting);
    arena_free(store->arena);
    free(store);
    return err;
}

void
send_store_drain(struct send_store *store)
{
    atomic_store(&store->is_draining, true);
    mailbox_wake(store->config.settled);
}

size_t
send_store_out(const struct send_store *store)
{
    return atomic_load(&store->out);
}

void
send_store_free(struct send_store *store)
{
    if (store == NULL)
        return;
    atomic_store(&store->is_draining, true);
    atomic_store(&store->is_stopping, true);
    mailbox_wake(store->config.settled);
    pthread_join(store->thread, NULL);
    struct send_job *job = (struct send_job *)mailbox_take(store->config.settled);
    for (struct send_job *next; job != NULL; job = next) { /* the database is away */
        next = send_job_next(job);
        send_job_free(job);
    }
    db_close(store->db);
    pace_free(store->pace);
    free(store->waiting);
    arena_free(store->arena);
    free(store);
}
