#include "core/log.h"
#include "core/metric.h"
#include "domain/channel/channel.h"
#include "domain/sending/send_store_internal.h"
#include <poll.h>
#include <stdlib.h>

#define ARENA_BYTES    (64u * 1024u * 1024u) /* PICK_MAX messages of 64 KiB, sealed and opened */
#define LOOK_AROUND_MS 1000 /* for what others left, for times, and for what a lost notice left */
#define LOOK_QUIET_MS  5000 /* the same, while nothing waits for anything: but for what a lost notice left */
#define LANE_LEASE_MS  4000 /* our lanes stay ours so long after the last look around */
#define LEASE_MARGIN_MS                                                                                      \
    1000 /* of it, for our own clock and for a request that is on its way to the provider */
#define DB_REOPEN_MS    5000
#define PICK_MAX        128u /* of one round; twice as many outcomes */
#define PICK_MIN        64u  /* what a round costs by itself is divided by these */
#define PICK_URGENT_MIN 16u  /* the same, within URGENT_MS of an urgent message */
#define URGENT_FIRST    8u   /* that leave by themselves, before and after the round's records */
#define ROUND_MS        60   /* a round may take so long ... */
#define ROUND_URGENT_MS                                                                                      \
    15 /* ... and so long within URGENT_MS of an urgent message: the next does not wait for it */
#define URGENT_MS       60000
#define FOUND_MAX       128u /* of one category of a lane, of one look */
#define GATHER_MS       3    /* between looks whether outcomes have become enough */
#define OUTCOMES_FEW    16u  /* less is not worth a transaction ... */
#define OUTCOMES_MS_MAX 20   /* ... while more may come within so long */
#define LANES_AT_ONCE   256u

static int
tenant_order(const void *a, const void *b)
{
    const struct claimed *left = a, *right = b;
    int order = memcmp(left->claim.tenant.bytes, right->claim.tenant.bytes, ID_BYTES);

    return order != 0 ? order : memcmp(left->claim.message.bytes, right->claim.message.bytes, ID_BYTES);
}

/* Lanes that were given up and have nothing out any more are anybody's. */
static enum err
lanes_release(struct send_store *store)
{
    struct id channels[LANES_AT_ONCE];
    size_t count = send_lanes_left(store->lanes, channels, LANES_AT_ONCE);

    if (count == 0)
        return ERR_OK;
    enum err err = message_lanes_release(store->db, store->config.instance, channels, count);
    if (err == ERR_OK)
        send_lanes_forget(store->lanes, channels, count);
    return err;
}

/* Our lease, and what is ours. The lease is counted from before it was asked for. */
static enum err
lanes_keep(struct send_store *store)
{
    struct mono_time began = clock_mono(store->config.clock);
    struct message_lanes ours;
    enum err err = message_lanes_keep(store->db, store->config.kind->carrier, store->config.instance,
                                      LANE_LEASE_MS, store->arena, &ours);

    if (err != ERR_OK)
        return err;
    store->owned_until = mono_after_ms(began, LANE_LEASE_MS - LEASE_MARGIN_MS);
    return send_lanes_update(store->lanes, &ours, clock_mono(store->config.clock));
}

static struct mono_time
look_around_at(const struct send_store *store)
{
    return mono_after_ms(store->looked_around_at, store->is_quiet ? LOOK_QUIET_MS : LOOK_AROUND_MS);
}

/* Once a second: our lanes, and what others or time have left. */
static enum err
look_around(struct send_store *store)
{
    const struct config *config = store->config.config;
    struct mono_time now = clock_mono(store->config.clock);
    bool is_draining = atomic_load(&store->is_draining),
         keeps = store->config.kind->keeps_times && !is_draining;
    struct message_around around = { .has_lanes = false };
    size_t taken = 0, kept = 0;

    if (!store->must_look_around && now.us < look_around_at(store).us)
        return ERR_OK;
    store->looked_around_at = now;
    store->must_look_around = store->is_quiet = false;
    enum err err = message_look_around(store->db, store->config.kind->carrier, LANE_LEASE_MS,
                                       config->send_lease_ms, &around);
    if (err == ERR_OK && around.has_lapsed && keeps)
        err = message_take_over(store->db, store->config.clock, config->uncertain_wait_ms,
                                config->send_lease_ms, store->arena, &taken);
    if (err == ERR_OK && taken > 0)
        log_event(LOG_INFO, "dispatch.taken_over", LOG_NUM("count", taken));
    if (err == ERR_OK && around.has_times && keeps)
        err = message_keep_times(store->db, store->config.clock, store->arena, &kept);
    /* Whoever wants a part of the lanes says that he lives; who drains keeps his until they are empty. */
    if (err == ERR_OK && (send_lanes_count(store->lanes) > 0 ||
                          (!is_draining && (around.has_lanes || around.is_shared || taken + kept > 0))))
        err = lanes_keep(store);
    store->is_quiet = err == ERR_OK && around.is_quiet && send_lanes_count(store->lanes) == 0;
    return err == ERR_OK ? lanes_release(store) : err;
}

/* What waits in our lanes, as far as it is not known. */
static enum err
look(struct send_store *store)
{
    struct message_wanted wanted[SEND_WANTED_MAX];
    struct mono_time now = clock_mono(store->config.clock);
    struct message_found *found = NULL;
    size_t found_count = 0, count = send_lanes_wanted(store->lanes, now, wanted);

    if (count == 0 || atomic_load(&store->is_draining))
        return ERR_OK;
    size_t each = MESSAGE_LOOK_MAX / count - 1;
    each = each > FOUND_MAX ? FOUND_MAX : each;
    enum err err = message_look(store->db, wanted, count, each, store->arena, &found, &found_count);
    return err == ERR_OK ? send_lanes_found(store->lanes, wanted, count, found, found_count, each, now) : err;
}

/* A lane that is busy needs no notices: its owner looks anyway, and whoever accepts is not slowed by them. */
static enum err
lanes_rest(struct send_store *store)
{
    struct id channels[LANES_AT_ONCE];
    enum err err = ERR_OK;

    for (int is_resting = 0; err == ERR_OK && is_resting < 2; is_resting++) {
        size_t count = send_lanes_to_rest(store->lanes, is_resting, channels, LANES_AT_ONCE);
        if (count > 0)
            err = message_lanes_rest(store->db, store->config.instance, channels, count, is_resting);
        if (err == ERR_OK)
            send_lanes_rested(store->lanes, channels, count, is_resting, clock_mono(store->config.clock));
    }
    return err;
}

/* Not to be sent after all: as if they had never been picked. */
static void
not_sent(struct send_store *store, const struct claimed *claimed, size_t count)
{
    for (size_t i = 0; i < count; i++)
        send_lanes_done(store->lanes, claimed[i].lane, claimed[i].claim.category, claimed[i].claimed_at);
    atomic_fetch_sub(&store->out, count);
}

/* Together, or where that fails for what one of them holds, each workspace by itself. */
static enum err
prepare(struct send_store *store, const struct claimed *picked, size_t count)
{
    enum err err = send_prepare(store, picked, count);

    if (err == ERR_OK)
        return ERR_OK;
    if (err_class(err) == ERR_CLASS_UNAVAILABLE ||
        id_eq(picked[0].claim.tenant, picked[count - 1].claim.tenant)) {
        not_sent(store, picked, count);
        if (err_class(err) != ERR_CLASS_UNAVAILABLE) /* of this tenant alone */
            log_event(LOG_ERROR, "dispatch.store_failed", LOG_ERR(err));
        return err_class(err) == ERR_CLASS_UNAVAILABLE ? err : ERR_OK;
    }
    err = ERR_OK;
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && id_eq(picked[to].claim.tenant, picked[from].claim.tenant);)
            to++;
        if (err == ERR_OK)
            err = prepare(store, picked + from, to - from);
        else
            not_sent(store, picked + from, to - from);
    }
    return err;
}

/* What may leave now; or, first, of the urgent as few as are made ready in no time. */
static enum err
pick_and_send(struct send_store *store, bool is_urgent_first, bool *has_more)
{
    struct claimed picked[PICK_MAX];
    struct mono_time now = clock_mono(store->config.clock), until = mono_after_ms(now, SEND_AHEAD_MS);
    struct wall_time wall = clock_wall(store->config.clock);
    size_t count = 0;

    if (until.us >= store->owned_until.us)
        return ERR_OK;
    /* Counted before it is picked: who drains must not find nothing out while a pick is on its way. */
    atomic_fetch_add(&store->out, PICK_MAX);
    if (!atomic_load(&store->is_draining))
        count = is_urgent_first ? send_lanes_pick_urgent(store->lanes, now, wall, until, URGENT_FIRST, picked)
                                : send_lanes_pick(store->lanes, now, wall, until, store->pick_max, picked);
    atomic_fetch_sub(&store->out, PICK_MAX - count);
    if (count == 0)
        return ERR_OK;
    for (size_t i = 0; i < count; i++)
        if (picked[i].claim.category <= MESSAGE_TRANSACTIONAL)
            store->urgent_at = now;
    *has_more = *has_more || count == store->pick_max;
    qsort(picked, count, sizeof(*picked), tenant_order);
    return prepare(store, picked, count);
}

/* Outcomes, sorted by tenant, with what they mean for its channels. */
struct record {
    struct send_store *store;
    struct send_job **jobs;
    size_t count;
};

static enum err
record_tenant(struct db_tx *tx, const struct record *record)
{
    struct send_store *store = record->store;
    const struct send_kind *kind = store->config.kind;
    const struct clock *clock = store->config.clock;
    struct message_outcome *outcomes = arena_array(store->arena, record->count, sizeof(*outcomes));
    struct id *messages = arena_array(store->arena, record->count, sizeof(*messages));

    if (outcomes == NULL || messages == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < record->count; i++) {
        const struct send_job *job = record->jobs[i];
        outcomes[i] = job->outcome;
        if (job->policy_bytes > 0)
            outcomes[i].policy = slice_of(job->policy, job->policy_bytes);
        messages[i] = job->claim.message;
    }
    enum err err = ERR_OK;
    if (kind->recording != NULL || record->count > 1) /* before anything else, as everywhere */
        err = message_queue_hold(tx, messages, record->count);
    if (err == ERR_OK && kind->recording != NULL)
        err =
            kind->recording(store->config.kind_ctx, tx, record->jobs, outcomes, record->count, store->arena);
    if (err == ERR_OK)
        err = message_record_outcomes(tx, clock, outcomes, record->count, store->arena);
    if (err == ERR_OK && kind->recorded != NULL)
        err = kind->recorded(store->config.kind_ctx, tx, record->jobs, record->count, store->arena);
    for (size_t i = 0; err == ERR_OK && i < record->count; i++) {
        const struct send_job *job = record->jobs[i];
        struct wall_time hold_until = wall_after_ms(clock_wall(clock), job->plan.lane_hold_ms);
        if (job->plan.breaks_channel)
            err = channel_break(tx, clock, job->claim.channel, job->revision,
                                "The provider refused the access token.", store->arena);
        if (err == ERR_OK && job->plan.lane_hold_ms > 0)
            err = job->plan.holds_account ? message_account_hold(tx, job->claim.channel, hold_until)
                                          : message_lane_hold(tx, job->claim.channel, hold_until);
        if (err == ERR_OK && job->slowed_to > 0)
            err = message_lane_slow(tx, job->claim.channel, job->slowed_to, clock_wall(clock));
    }
    return err;
}

/* All tenants in one transaction. */
static enum err
record_in(struct db_tx *tx, void *ctx)
{
    const struct record *all = ctx;
    enum err err = ERR_OK;

    for (size_t from = 0, to; err == ERR_OK && from < all->count; from = to) {
        struct id tenant = all->jobs[from]->claim.tenant;
        for (to = from + 1; to < all->count && id_eq(all->jobs[to]->claim.tenant, tenant);)
            to++;
        err = db_tx_turn_to(tx, tenant);
        if (err == ERR_OK)
            err = record_tenant(tx, &(struct record){ all->store, all->jobs + from, to - from });
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
    if (plan->lane_hold_ms > 0)
        send_lane_hold(job->lane, now, plan->lane_hold_ms);
    if (plan->breaks_channel)
        send_lane_hold(job->lane, now, 0);
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
    int order = memcmp((*left)->claim.tenant.bytes, (*right)->claim.tenant.bytes, ID_BYTES);

    return order != 0 ? order : memcmp((*left)->claim.message.bytes, (*right)->claim.message.bytes, ID_BYTES);
}

static void
job_end(struct send_store *store, struct send_job *job)
{
    send_lanes_done(store->lanes, job->lane, job->claim.category, clock_mono(store->config.clock));
    send_job_free(job);
    atomic_fetch_sub(&store->out, 1);
}

static void
outcome_keep(struct send_store *store, struct send_job *job)
{
    job->item.next = store->outcomes;
    store->outcomes = &job->item;
    store->outcome_count++;
}

/*
 * Records some outcomes. What cannot be recorded now is kept: only the record can be repeated, the send
 * cannot. An outcome that can never be written would come again for ever, and nothing else would be done: the
 * others are recorded without it, and its lease makes it uncertain.
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
            outcome_keep(store, jobs[i]);
        return err;
    }
    for (size_t i = 0; i < count; i++) {
        if (err != ERR_OK)
            log_event(LOG_ERROR, "dispatch.not_recorded",
                      LOG_ID("message", ID_MESSAGE, jobs[i]->claim.message), LOG_ERR(err));
        job_end(store, jobs[i]);
    }
    return ERR_OK;
}

/* What came back. What it means for those that follow holds from now on. */
static void
outcomes_take(struct send_store *store)
{
    struct send_job *job = (struct send_job *)mailbox_take(store->config.settled);

    if (job != NULL && store->outcomes == NULL)
        store->outcomes_since = clock_mono(store->config.clock);
    for (struct send_job *next; job != NULL; job = next) {
        next = send_job_next(job);
        pace_tell(store, job);
        outcome_keep(store, job);
    }
}

/*
 * Whether they are recorded now. A transaction costs as much for one as for dozens: so they wait for each
 * other, until half of what is out has come back, or all of it, but not long.
 */
static bool
outcomes_are_ripe(const struct send_store *store, struct mono_time now)
{
    size_t count = store->outcome_count + mailbox_count(store->config.settled);
    size_t out = atomic_load(&store->out), many = out / 2 < OUTCOMES_FEW ? OUTCOMES_FEW : out / 2;

    return count > 0 &&
           (count >= out || count >= (many < PICK_MAX ? many : PICK_MAX) ||
            atomic_load(&store->is_draining) ||
            (store->outcomes != NULL && now.us - store->outcomes_since.us >= OUTCOMES_MS_MAX * 1000));
}

static enum err
record_settled(struct send_store *store)
{
    struct send_job *jobs[2 * PICK_MAX];
    size_t count = 0;

    while (store->outcomes != NULL && count < 2 * store->pick_max) {
        jobs[count] = (struct send_job *)store->outcomes;
        store->outcomes = jobs[count++]->item.next;
        store->outcome_count--;
    }
    if (count == 0)
        return ERR_OK;
    qsort(jobs, count, sizeof(jobs[0]), job_order); /* NOLINT(bugprone-sizeof-expression): pointers */
    return record_group(store, jobs, count);
}

struct told {
    struct send_store *store;
    bool was_told;
};

/* "CHANNEL OWNER", "CHANNEL", or nothing: something came into this lane, or somewhere. */
static void
on_notice(void *ctx, struct slice channel UNUSED, struct slice payload)
{
    struct told *told = ctx;
    struct send_store *store = told->store;
    struct slice owner = payload.len > ID_UUID_BYTES ? slice_drop(payload, ID_UUID_BYTES) : SLICE_EMPTY;
    struct id lane, dispatcher;
    bool is_lane = payload.len >= ID_UUID_BYTES - 1 &&
                   id_uuid_parse(slice_first(payload, ID_UUID_BYTES - 1), &lane) == ERR_OK;

    if (!is_lane) {
        send_lanes_told_all(store->lanes);
        store->must_look_around = true;
    } else if (send_lanes_told(store->lanes, lane)) {
        told->was_told = true;
    } else if (owner.len == 0 || id_uuid_parse(owner, &dispatcher) != ERR_OK ||
               id_eq(dispatcher, store->config.instance)) {
        store->must_look_around = true; /* nobody's yet */
    } else {
        store->is_quiet = false; /* another's, unless he has died: then it is free before long */
    }
}

static enum err
notices(struct send_store *store, bool *was_told)
{
    struct told told = { .store = store };
    enum err err = db_notifications(store->db, on_notice, &told);

    *was_told = told.was_told;
    return err;
}

/*
 * Until outcomes are to be recorded or a notice comes, or something is due. That the store should drain or
 * stop may have been told to the round before, which took the wake with what was settled: so it is looked at
 * again.
 */
static enum err
store_wait(struct send_store *store, bool was_draining)
{
    struct pollfd fds[] = { { .fd = db_fd(store->db), .events = POLLIN },
                            { .fd = store->config.settled->event_fd, .events = POLLIN } };
    bool was_told = false;
    enum err err = notices(store, &was_told); /* what came with an answer makes no sound */

    for (;;) {
        struct mono_time now = clock_mono(store->config.clock), next = send_lanes_next(store->lanes, now);
        int64_t around_us = look_around_at(store).us;
        int64_t until_us = atomic_load(&store->is_draining) || around_us < next.us ? around_us : next.us;
        int64_t wait_ms = (until_us - now.us + 999) / 1000;
        bool gathers = store->outcomes != NULL; /* those that come meanwhile need not wake it */

        if (err != ERR_OK || store->must_look_around || was_told || atomic_load(&store->is_stopping) ||
            atomic_load(&store->is_draining) != was_draining || outcomes_are_ripe(store, now))
            return err;
        wait_ms = wait_ms < 1 ? 1 : gathers && wait_ms > GATHER_MS ? GATHER_MS : wait_ms;
        int ready = poll(fds, gathers ? 1 : 2, (int)wait_ms);
        if (ready > 0 && fds[0].revents != 0)
            return notices(store, &was_told);
        if (!gathers || clock_mono(store->config.clock).us >= until_us)
            return ERR_OK; /* interrupted, too: look again */
    }
}

/* Nobody takes them any more, and none has left: back to the queue. */
static void
return_unsent(struct send_store *store)
{
    struct send_job *job = (struct send_job *)mailbox_take(store->config.ready);

    for (struct send_job *next; job != NULL; job = next) {
        next = send_job_next(job);
        send_job_settle(job, store->config.clock, MESSAGE_VERDICT_RETURNED, 0, "drained",
                        "The dispatcher was stopping.", "retry");
        mailbox_put(store->config.settled, &job->item);
    }
}

/* So many that a round takes no longer: on a slow machine, or a database that has much to do, fewer. */
static void
round_judge(struct send_store *store, struct mono_time began)
{
    int64_t took_us = clock_mono(store->config.clock).us - began.us;
    bool is_urgent = began.us - store->urgent_at.us < URGENT_MS * 1000;
    int64_t may_us = 1000 * (is_urgent ? ROUND_URGENT_MS : ROUND_MS);

    if (took_us > may_us && store->pick_max > (is_urgent ? PICK_URGENT_MIN : PICK_MIN))
        store->pick_max /= 2;
    else if ((took_us < may_us / 2 || (!is_urgent && store->pick_max < PICK_MIN)) &&
             store->pick_max < PICK_MAX)
        store->pick_max *= 2;
}

/* What has come, and of the urgent what may leave before anything else is done. */
static enum err
look_for_urgent(struct send_store *store, bool *has_more)
{
    bool was_told = false;
    enum err err = notices(store, &was_told);

    if (err == ERR_OK)
        err = look(store);
    return err == ERR_OK ? pick_and_send(store, true, has_more) : err;
}

/* One round: what came back, what is due, what may leave. */
static enum err
store_round(struct send_store *store, bool *has_more)
{
    struct mono_time began = clock_mono(store->config.clock);

    outcomes_take(store); /* first: what came back may hold a lane */
    enum err err = look_around(store);
    if (err == ERR_OK)
        err = look_for_urgent(store, has_more);
    if (err == ERR_OK && outcomes_are_ripe(store, began)) {
        err = record_settled(store);
        if (err == ERR_OK)
            err = look_for_urgent(store, has_more);
    }
    if (err == ERR_OK)
        err = pick_and_send(store, false, has_more);
    round_judge(store, began);
    return err == ERR_OK ? lanes_rest(store) : err;
}

/* The last round: what waits to be recorded is, and the lanes are anybody's at once. */
static void
store_end(struct send_store *store)
{
    enum err err = ERR_OK;

    return_unsent(store);
    outcomes_take(store);
    while (err == ERR_OK && store->outcomes != NULL) {
        err = record_settled(store);
        arena_reset(store->arena);
    }
    if (err == ERR_OK)
        err = message_dispatcher_leave(store->db, store->config.instance);
    if (err != ERR_OK)
        log_event(LOG_WARN, "dispatch.store_failed", LOG_ERR(err));
}

static void *
store_run(void *ctx)
{
    struct send_store *store = ctx;

    while (!atomic_load(&store->is_stopping)) {
        bool has_more = false;
        bool was_draining = atomic_load(&store->is_draining);
        if (was_draining)
            send_lanes_drain(store->lanes);
        enum err err = store_round(store, &has_more);

        if (err == ERR_OK && !has_more)
            err = store_wait(store, was_draining);
        arena_reset(store->arena);
        if (err == ERR_OK)
            continue;
        log_event(err_class(err) == ERR_CLASS_UNAVAILABLE ? LOG_WARN : LOG_ERROR, "dispatch.store_failed",
                  LOG_ERR(err));
        if (err != ERR_DB_UNAVAILABLE || db_reopen(store->db, DB_REOPEN_MS) != ERR_OK)
            (void)poll(NULL, 0, 200);
        store->must_look_around = true; /* notices of the time without a connection are lost */
        send_lanes_told_all(store->lanes);
    }
    store_end(store); /* what cannot be recorded now is taken over as uncertain */
    return NULL;
}

enum err
send_store_new(const struct send_store_config *config, struct send_store **out)
{
    struct send_store *store = calloc(1, sizeof(*store));
    const struct send_kind *kind = config->kind;
    int64_t per_second = kind->per_second > 0 ? kind->per_second : config->config->lane_per_second;
    enum err err = ERR_NO_MEMORY;

    if (store == NULL)
        return ERR_NO_MEMORY;
    store->config = *config;
    store->must_look_around = true;
    store->pick_max = PICK_MAX;
    store->urgent_at.us = INT64_MIN / 2;
    store->arena = arena_new(ARENA_BYTES);
    if (store->arena != NULL)
        err = pace_new(per_second, &store->pace);
    if (err == ERR_OK)
        err = send_lanes_new(
            &(struct send_lanes_config){ .pace = store->pace,
                                         .in_flight_max = (size_t)config->config->send_in_flight_max,
                                         .per_lane_max = (size_t)config->config->lane_in_flight_max,
                                         .ceiling_high =
                                             per_second < kind->per_second_max ? kind->per_second_max : 0 },
            &store->lanes);
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
    send_lanes_free(store->lanes);
    pace_free(store->pace);
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
    for (int of_store = 0; of_store < 2; of_store++) { /* the database is away */
        for (struct send_job *next; job != NULL; job = next) {
            next = send_job_next(job);
            send_job_free(job);
        }
        job = (struct send_job *)store->outcomes;
    }
    db_close(store->db);
    send_lanes_free(store->lanes);
    pace_free(store->pace);
    arena_free(store->arena);
    free(store);
}
