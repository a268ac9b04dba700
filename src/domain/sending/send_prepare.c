/* From claims to requests: the part of the store thread's work that opens what is sealed. */
#include "core/log.h"
#include "crypto/random.h"
#include "domain/sending/send_gate.h"
#include "domain/sending/send_store_internal.h"

/* What is missing is judged as a place whose time is not known. */
enum err
send_zones_load(struct phone_zones **out)
{
    size_t missing = 0;
    enum err err = phone_zones_load(PHONE_ZONES_FOLDER, out, &missing);

    if (err == ERR_OK && missing > 0)
        log_event(LOG_WARN, "zones.missing", LOG_NUM("count", missing));
    return err;
}

/* Messages that leave together, and what is opened for them. */
struct batch {
    struct send_store *store;
    struct send_batch shared;
    struct vault_ask *asks; /* the kind's, then of each message two */
    size_t kind_asks;
    struct send_gate gate;
};

/* In one tenant's transaction: the mark that they may leave, their sealed parts, and what their kind needs.
 */
static enum err
tenant_begin(struct db_tx *tx, struct batch *batch, size_t from, size_t count)
{
    struct send_store *store = batch->store;
    struct message_job *jobs = NULL;
    enum err err = message_begin_sending(tx, store->config.clock, store->config.instance,
                                         store->config.config->send_lease_ms, batch->shared.claims + from,
                                         count, store->arena, &jobs);

    if (err != ERR_OK)
        return err;
    memcpy(batch->shared.jobs + from, jobs, count * sizeof(*jobs));
    return store->config.kind->begin(store->config.kind_ctx, tx, &batch->shared, from, count);
}

/* All tenants in one transaction: a commit costs as much for one as for many. */
static enum err
batch_begin(struct db_tx *tx, void *ctx)
{
    struct batch *batch = ctx;
    const struct message_claim *claims = batch->shared.claims;
    enum err err = ERR_OK;

    for (size_t from = 0, to; err == ERR_OK && from < batch->shared.count; from = to) {
        for (to = from + 1; to < batch->shared.count && id_eq(claims[to].tenant, claims[from].tenant);)
            to++;
        err = db_tx_turn_to(tx, claims[from].tenant);
        if (err == ERR_OK)
            err = tenant_begin(tx, batch, from, to - from);
    }
    return err;
}

/* Everything in one exchange with the vault: what the kind wants, address and content of each message. */
static void
batch_open(struct batch *batch)
{
    const struct send_store_config *config = &batch->store->config;
    struct vault_ask *last = batch->asks;

    if (config->kind->ask != NULL)
        last += config->kind->ask(config->kind_ctx, &batch->shared, last);
    batch->kind_asks = (size_t)(last - batch->asks);
    for (size_t i = 0; i < batch->shared.count; i++) {
        const struct message_job *job = &batch->shared.jobs[i];
        if (!job->is_mine)
            continue;
        message_open_asks(job->claim.tenant, job->claim.message, &job->sealed, last);
        last += 2;
    }
    vault_ask_many(&batch->store->vault, batch->asks, (size_t)(last - batch->asks), batch->store->arena);
    if (config->kind->opened != NULL)
        config->kind->opened(config->kind_ctx, &batch->shared, batch->asks);
}

/* With whom a message may be held: the recipient's blind index tells recipients of one tenant apart. */
static void
pair_key(const struct message_job *from, struct pace_key *out)
{
    for (size_t i = 0; i < PACE_KEY_BYTES; i++)
        out->bytes[i] = (unsigned char)(from->sealed.peer_index[i] ^ from->claim.channel.bytes[i]);
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

/* While its recipient or its template is held, a message goes back until that is over; others go on. */
static void
settle_held(struct send_store *store, struct send_job *job)
{
    struct mono_time now = clock_mono(store->config.clock);
    int64_t pair_ms = pace_held_ms(store->pace, &job->pair, now);
    int64_t template_ms = job->has_template ? pace_held_ms(store->pace, &job->template, now) : 0;

    if (pair_ms == 0 && template_ms == 0)
        return;
    send_job_settle(job, store->config.clock, MESSAGE_VERDICT_RETURNED,
                    pair_ms > template_ms ? pair_ms : template_ms, "held",
                    "WhatsApp asked to wait with this recipient or template.", "throttle");
}

/* What the gate forbids now, though it let it pass before. */
static void
settle_stopped(const struct send_store *store, struct send_job *job, const struct policy_verdict *verdict)
{
    bool is_held = verdict->decision == POLICY_HOLD;

    send_job_settle(job, store->config.clock, is_held ? MESSAGE_VERDICT_HELD : MESSAGE_VERDICT_BLOCKED, 0,
                    is_held ? NULL : policy_rule_word(verdict->rule),
                    is_held ? NULL : policy_rule_title(verdict->rule), is_held ? NULL : "permanent");
    job->outcome.rule = verdict->rule;
    if (is_held)
        job->outcome.due_at = verdict->until;
}

/* Asks the gate with the number. What cannot be opened does not leave anyway, and is stopped only by what is
 * known without. Of a closed window its kind says what comes of it: another sender may have its turn. */
static bool
may_leave(struct batch *batch, size_t at, const struct vault_ask opened[2], enum err open_err,
          struct send_job *job)
{
    struct policy_receipt *receipt = &batch->shared.jobs[at].policy;

    if (open_err == ERR_OK)
        send_gate_judge(&batch->gate, batch->shared.jobs, at, opened[0].plain);
    if (open_err == ERR_OK || receipt->verdict.decision != POLICY_ALLOW)
        job->policy_bytes = policy_receipt_pack(receipt, job->policy).len;
    if (receipt->verdict.decision == POLICY_ALLOW || receipt->verdict.rule == POLICY_RULE_WINDOW)
        return true;
    settle_stopped(batch->store, job, &receipt->verdict);
    return false;
}

/* From a loaded message to a request on the loop, or to an outcome that needs no provider. */
static void
job_prepare(struct batch *batch, size_t at, const struct vault_ask opened[2], const struct claimed *claimed)
{
    struct send_store *store = batch->store;
    const struct send_store_config *config = &store->config;
    const struct message_job *from = &batch->shared.jobs[at];
    struct send_job *job = send_job_new(config->kind, &from->claim, claimed->claimed_at);

    if (job == NULL) { /* the lease runs out, and the message is taken over */
        send_lanes_done(store->lanes, claimed->lane, claimed->claim.category, claimed->claimed_at);
        atomic_fetch_sub(&store->out, 1);
        return;
    }
    job->lane = claimed->lane;
    memcpy(job->peer_index, from->sealed.peer_index, sizeof(job->peer_index));
    job->leave_at = claimed->leave_at;
    job->leave_by = store->owned_until;
    pair_key(from, &job->pair);
    enum err open_err = vault_asks_err(opened, 2);
    if (!may_leave(batch, at, opened, open_err, job)) {
        mailbox_put(config->settled, &job->item);
        return;
    }
    enum err err = config->kind->print(config->kind_ctx, &batch->shared, at, open_err,
                                       open_err == ERR_OK ? opened[0].plain : SLICE_EMPTY,
                                       open_err == ERR_OK ? opened[1].plain : SLICE_EMPTY, job);
    if (err != ERR_OK) {
        settle_unprepared(store, job, err);
        log_event(LOG_WARN, "dispatch.not_prepared", LOG_ID("message", ID_MESSAGE, job->claim.message),
                  LOG_ERR(err));
    }
    if (!job->is_settled)
        settle_held(store, job);
    mailbox_put(job->is_settled ? config->settled : config->ready, &job->item);
}

enum err
send_prepare(struct send_store *store, const struct claimed *from, size_t count)
{
    const struct send_store_config *config = &store->config;
    struct message_claim *claims = arena_array(store->arena, count, sizeof(*claims));
    struct batch batch = {
        .store = store,
        .shared = { .claims = claims, .count = count, .db = store->db, .arena = store->arena },
    };

    batch.shared.jobs = arena_array(store->arena, count, sizeof(*batch.shared.jobs));
    batch.asks = arena_array(store->arena, 3 * count, sizeof(*batch.asks));
    if (claims == NULL || batch.shared.jobs == NULL || batch.asks == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        claims[i] = from[i].claim;
    enum err err = db_run(store->db, claims[0].tenant, batch_begin, &batch);
    if (err != ERR_OK)
        return err; /* nothing was marked as sending */
    batch_open(&batch);
    struct dnd_registry *registry = config->dnd == NULL ? NULL : dnd_watch_take(config->dnd);
    batch.gate = (struct send_gate){ config->zones, registry };
    const struct vault_ask *opened = batch.asks + batch.kind_asks;
    for (size_t i = 0; i < count; i++) {
        if (!batch.shared.jobs[i].is_mine) {
            send_lanes_done(store->lanes, from[i].lane, claims[i].category, from[i].claimed_at);
            atomic_fetch_sub(&store->out, 1);
            continue;
        }
        job_prepare(&batch, i, opened, &from[i]);
        opened += 2;
    }
    if (config->kind->end != NULL)
        config->kind->end(config->kind_ctx, &batch.shared);
    dnd_registry_unref(registry);
    return ERR_OK;
}
