#include "program/dispatcher/send_store.h"
#include "core/log.h"
#include "core/metric.h"
#include "crypto/random.h"
#include "domain/channel/channel.h"
#include "domain/channel/channel_window.h"
#include "domain/channel/whatsapp/whatsapp_send.h"
#include "domain/tenant/tenant_key.h"
#include "program/dispatcher/send_plan.h"
#include "wire/json/json.h"
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>

#define ARENA_BYTES  (64u * 1024u * 1024u) /* MESSAGE_CLAIM_MAX messages of 64 KiB, sealed and opened */
#define IDLE_MS_MAX  1000                  /* also finds what a lost notice left */
#define TAKE_OVER_MS 1000                  /* between looks for what others left */
#define DB_REOPEN_MS 5000
#define OUTCOMES_MAX 512u

struct send_store {
    struct send_store_config config;
    struct db *db;
    struct vault vault;
    struct arena *arena;
    pthread_t thread;
    atomic_size_t out;
    atomic_bool is_draining, is_stopping;
    struct mono_time took_over_at, claimed_at;
};

/* The messages of one tenant of a claim, and what is opened for them. */
struct tenant_batch {
    struct send_store *store;
    struct id tenant;
    const struct message_claim *claims;
    size_t count;
    struct message_job *jobs;
    /* the channels among them */
    struct lane {
        struct id channel;
        enum err err;
        struct vault_sealed sealed;
        uint32_t generation;
        struct slice phone_number_id;
        struct secret *token; /* owned */
    } * lanes;
    size_t lane_count;
};

static struct lane *
lane_of(const struct tenant_batch *batch, struct id channel)
{
    for (size_t i = 0; i < batch->lane_count; i++)
        if (id_eq(batch->lanes[i].channel, channel))
            return &batch->lanes[i];
    return NULL;
}

/* In the tenant's transaction: the mark that they may leave, their sealed parts, and their channels' sealed
 * tokens. */
static enum err
batch_begin(struct db_tx *tx, void *ctx)
{
    struct tenant_batch *batch = ctx;
    struct arena *arena = batch->store->arena;
    enum err err = message_begin_sending(tx, batch->store->config.clock, batch->claims, batch->count, arena,
                                         &batch->jobs);

    batch->lane_count = 0;
    for (size_t i = 0; err == ERR_OK && i < batch->count; i++) {
        if (lane_of(batch, batch->claims[i].channel) != NULL)
            continue;
        struct lane *lane = &batch->lanes[batch->lane_count++];
        *lane = (struct lane){ .channel = batch->claims[i].channel };
        lane->err = channel_credential_read(tx, lane->channel, CHANNEL_ACCESS_TOKEN, arena, &lane->sealed,
                                            &lane->generation, &lane->phone_number_id);
        if (lane->err != ERR_NOT_FOUND)
            err = lane->err;
    }
    return err;
}

static void
lanes_open(struct tenant_batch *batch)
{
    for (size_t i = 0; i < batch->lane_count; i++) {
        struct lane *lane = &batch->lanes[i];
        struct vault_place place =
            channel_credential_place(batch->tenant, lane->channel, CHANNEL_ACCESS_TOKEN, lane->generation);
        if (lane->err == ERR_OK)
            lane->err =
                vault_open(&batch->store->vault, VAULT_CREDENTIAL, &place, &lane->sealed, &lane->token);
        if (lane->err != ERR_OK && lane->err != ERR_NOT_FOUND)
            log_event(LOG_ERROR, "dispatch.credential_unreadable",
                      LOG_ID("channel", ID_CHANNEL, lane->channel), LOG_ERR(lane->err));
    }
}

/* Content and address opened, the provider's request printed. */
static enum err
request_print(struct tenant_batch *batch, const struct message_job *from, const struct lane *lane,
              struct send_job *job)
{
    const struct config *config = batch->store->config.config;
    char callback_data[ID_TEXT_BYTES];
    struct slice peer, text;
    json_t *content = NULL;
    enum err err = message_open(&batch->store->vault, batch->tenant, from->claim.message, &from->sealed,
                                batch->store->arena, &peer, &text);

    if (err == ERR_OK)
        err = json_parse(text, &content);
    if (err == ERR_OK)
        err =
            whatsapp_send_print(&(struct whatsapp_send){ .to = peer,
                                                         .refers_to = from->target_provider_id,
                                                         .callback_data = id_print(
                                                             ID_MESSAGE, from->claim.message, callback_data),
                                                         .content = content },
                                &job->body);
    if (err == ERR_OK) {
        buf_add_text(&job->url, config->graph_url);
        err = whatsapp_send_path(slice_text(config->graph_version), lane->phone_number_id, &job->url);
        buf_add_byte(&job->url, '\0'); /* curl's door wants a C string */
    }
    if (err == ERR_OK)
        err = buf_done(&job->url);
    if (err == ERR_OK)
        err = buf_done(&job->body);
    if (err == ERR_OK && (job->token = secret_copy(secret_slice(lane->token))) == NULL)
        err = ERR_NO_MEMORY;
    json_decref(content);
    return err;
}

static void
settle_unprepared(const struct send_store *store, struct send_job *job, enum err why)
{
    bool is_content = err_class(why) == ERR_CLASS_INVALID;
    uint32_t jitter = 0;

    if (random_fill(&jitter, sizeof(jitter)) != ERR_OK)
        jitter = (uint32_t)job->claim.fence;
    struct send_plan plan = send_plan_unprepared(why, job->claim.attempt, jitter);
    send_job_settle(job, store->config.clock, plan.verdict, plan.delay_ms,
                    is_content ? "content-invalid" : "not-opened",
                    is_content ? "The content cannot be sent through this channel."
                               : "The message could not be prepared for sending.",
                    plan.error_class);
}

/* From a loaded message to a request on the loop, or to an outcome that needs no provider. */
static void
job_prepare(struct tenant_batch *batch, const struct message_job *from)
{
    struct send_store *store = batch->store;
    const struct lane *lane = lane_of(batch, from->claim.channel);
    struct send_job *job = send_job_new(&from->claim, store->claimed_at);

    if (job == NULL) { /* the lease runs out, and the message is taken over */
        atomic_fetch_sub(&store->out, 1);
        return;
    }
    memcpy(job->peer_index, from->sealed.peer_index, sizeof(job->peer_index));
    if (lane->err == ERR_OK && from->is_window_over) {
        send_job_settle(job, store->config.clock, MESSAGE_VERDICT_FAILED, 0, "window-closed",
                        "More than 24 hours have passed since the recipient's last message.", "permanent");
        mailbox_put(store->config.settled, &job->item);
        return;
    }
    enum err err = lane->err == ERR_OK ? request_print(batch, from, lane, job) : lane->err;
    if (err == ERR_OK) {
        mailbox_put(store->config.ready, &job->item);
        return;
    }
    if (lane->err == ERR_NOT_FOUND)
        send_job_settle(job, store->config.clock, MESSAGE_VERDICT_FAILED, 0, "channel-deleted",
                        "The sender channel was deleted.", "permanent");
    else
        settle_unprepared(store, job, err);
    if (err != ERR_NOT_FOUND)
        log_event(LOG_WARN, "dispatch.not_prepared", LOG_ID("message", ID_MESSAGE, job->claim.message),
                  LOG_ERR(err));
    mailbox_put(store->config.settled, &job->item);
}

static enum err
batch_send(struct send_store *store, const struct message_claim *claims, size_t count)
{
    struct tenant_batch batch = {
        .store = store, .tenant = claims[0].tenant, .claims = claims, .count = count
    };

    batch.lanes = arena_array(store->arena, count, sizeof(*batch.lanes));
    enum err err = batch.lanes == NULL ? ERR_NO_MEMORY : db_run(store->db, batch.tenant, batch_begin, &batch);
    if (err != ERR_OK)
        return err; /* nothing was marked as sending: the leases run out */
    lanes_open(&batch);
    for (size_t i = 0; i < count; i++) {
        if (!batch.jobs[i].is_mine) {
            atomic_fetch_sub(&store->out, 1);
            continue;
        }
        job_prepare(&batch, &batch.jobs[i]);
    }
    for (size_t i = 0; i < batch.lane_count; i++)
        secret_free(batch.lanes[i].token);
    return ERR_OK;
}

static int
claim_order(const void *a, const void *b)
{
    const struct message_claim *left = a, *right = b;
    int order = memcmp(left->tenant.bytes, right->tenant.bytes, ID_BYTES);

    if (order == 0)
        order = (int)left->category - (int)right->category;
    return order != 0 ? order : memcmp(left->message.bytes, right->message.bytes, ID_BYTES);
}

static enum err
claim_and_send(struct send_store *store, size_t *claimed_out)
{
    const struct config *config = store->config.config;
    size_t out = atomic_load(&store->out), room = (size_t)config->send_in_flight_max;
    struct message_claim *claims = NULL;
    size_t count = 0;
    enum err err = ERR_OK;

    *claimed_out = 0;
    if (out >= room)
        return ERR_OK;
    room = room - out > MESSAGE_CLAIM_MAX ? MESSAGE_CLAIM_MAX : room - out;
    /* Counted before it is claimed: who drains must not find nothing out while a claim is on its way. */
    atomic_fetch_add(&store->out, room);
    store->claimed_at = clock_mono(store->config.clock);
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
    *claimed_out = count;
    if (count > 1)
        qsort(claims, count, sizeof(*claims), claim_order);
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && id_eq(claims[to].tenant, claims[from].tenant);)
            to++;
        enum err one = err == ERR_OK ? batch_send(store, claims + from, to - from) : err;
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
    enum err err = message_record_outcomes(tx, clock, outcomes, record->count, store->arena);
    if (err == ERR_OK)
        err = answers_record(tx, record);
    for (size_t i = 0; err == ERR_OK && i < record->count; i++) {
        const struct send_job *job = record->jobs[i];
        if (job->breaks_channel)
            err = channel_break(tx, clock, job->claim.channel, "The provider refused the access token.",
                                store->arena);
        if (err == ERR_OK && job->lane_hold_ms > 0)
            err = message_lane_hold(tx, job->claim.channel,
                                    wall_after_ms(clock_wall(clock), job->lane_hold_ms));
    }
    return err;
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
                                     store->arena, &taken);
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
    if (store->arena != NULL)
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
    arena_free(store->arena);
    free(store);
}
