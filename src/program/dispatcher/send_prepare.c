/* From claims to requests: the part of the store thread's work that opens what is sealed. */
#include "core/log.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "domain/channel/channel.h"
#include "domain/channel/whatsapp/whatsapp_send.h"
#include "program/dispatcher/send_media.h"
#include "program/dispatcher/send_plan.h"
#include "program/dispatcher/send_store_internal.h"
#include "wire/json/json.h"
#include <stdio.h>

/* Messages that leave together, sorted by tenant, and what is opened for them. */
struct batch {
    struct send_store *store;
    const struct claimed *from;
    const struct message_claim *claims;
    size_t count;
    struct message_job *jobs;
    struct vault_ask *asks;   /* of each lane one, then of each message two */
    struct vault_ask *opened; /* the messages' part of them */
    /* the channels among them */
    struct lane {
        struct id tenant;
        enum err err;
        struct secret *token; /* owned */
    } * lanes;
    struct channel_token *tokens; /* the same ones */
    size_t lane_count;
};

/* Its place among the lanes; lane_count: it is not there. */
static size_t
lane_of(const struct batch *batch, struct id channel)
{
    for (size_t i = batch->lane_count; i-- > 0;)
        if (id_eq(batch->tokens[i].channel, channel))
            return i;
    return batch->lane_count;
}

/* In one tenant's transaction: the mark that they may leave, their sealed parts, and their channels' sealed
 * tokens. */
static enum err
tenant_begin(struct db_tx *tx, struct batch *batch, size_t from, size_t count)
{
    struct send_store *store = batch->store;
    struct message_job *jobs = NULL;
    enum err err = message_begin_sending(tx, store->config.clock, store->config.instance,
                                         store->config.config->send_lease_ms, batch->claims + from, count,
                                         store->arena, &jobs);

    size_t first = batch->lane_count;

    if (err == ERR_OK)
        memcpy(batch->jobs + from, jobs, count * sizeof(*jobs));
    for (size_t i = from; err == ERR_OK && i < from + count; i++) {
        if (!batch->jobs[i].is_mine || lane_of(batch, batch->claims[i].channel) < batch->lane_count)
            continue;
        batch->lanes[batch->lane_count] = (struct lane){ .tenant = batch->claims[i].tenant };
        batch->tokens[batch->lane_count++] = (struct channel_token){ .channel = batch->claims[i].channel };
    }
    if (err == ERR_OK && batch->lane_count > first)
        err = channel_tokens_read(tx, batch->tokens + first, batch->lane_count - first, store->arena);
    for (size_t i = first; err == ERR_OK && i < batch->lane_count; i++) {
        batch->lanes[i].err = batch->tokens[i].err;
        if (batch->lanes[i].err != ERR_NOT_FOUND)
            err = batch->lanes[i].err;
    }
    return err;
}

/* All tenants in one transaction: a commit costs as much for one as for many. */
static enum err
batch_begin(struct db_tx *tx, void *ctx)
{
    struct batch *batch = ctx;
    enum err err = ERR_OK;

    batch->lane_count = 0;
    for (size_t from = 0, to; err == ERR_OK && from < batch->count; from = to) {
        for (to = from + 1; to < batch->count && id_eq(batch->claims[to].tenant, batch->claims[from].tenant);)
            to++;
        err = db_tx_turn_to(tx, batch->claims[from].tenant);
        if (err == ERR_OK)
            err = tenant_begin(tx, batch, from, to - from);
    }
    return err;
}

static void
lane_judge(const struct batch *batch, size_t i)
{
    enum err err = batch->lanes[i].err;

    if (err == ERR_OK || err == ERR_NOT_FOUND)
        return;
    /* The vault is away, or memory short: that mends itself. A key that is missing was destroyed. */
    bool is_passing = err_class(err) == ERR_CLASS_UNAVAILABLE && err != ERR_VAULT_KEY_MISSING;
    if (is_passing)
        log_event(LOG_WARN, "dispatch.credential_waits",
                  LOG_ID("channel", ID_CHANNEL, batch->tokens[i].channel), LOG_ERR(err));
    else
        log_event(LOG_ERROR, "dispatch.credential_unreadable",
                  LOG_ID("channel", ID_CHANNEL, batch->tokens[i].channel), LOG_ERR(err));
}

/* Everything in one exchange with the vault: a token for each lane, address and content of each message. */
static void
batch_open(struct batch *batch)
{
    struct vault_ask *last = batch->asks;

    for (size_t i = 0; i < batch->lane_count; i++) {
        const struct channel_token *token = &batch->tokens[i];
        struct vault_place place = channel_credential_place(batch->lanes[i].tenant, token->channel,
                                                            CHANNEL_ACCESS_TOKEN, token->generation);
        if (batch->lanes[i].err == ERR_OK)
            *last++ = vault_ask_open(VAULT_CREDENTIAL, &place, &token->sealed);
    }
    batch->opened = last;
    for (size_t i = 0; i < batch->count; i++) {
        const struct message_job *job = &batch->jobs[i];
        if (!job->is_mine)
            continue;
        message_open_asks(job->claim.tenant, job->claim.message, &job->sealed, last);
        last += 2;
    }
    vault_ask_many(&batch->store->vault, batch->asks, (size_t)(last - batch->asks), batch->store->arena);
    last = batch->asks;
    for (size_t i = 0; i < batch->lane_count; i++) {
        struct lane *lane = &batch->lanes[i];
        if (lane->err != ERR_OK)
            continue;
        lane->err = last->err;
        lane->token = last->open;
        last++;
    }
    for (size_t i = 0; i < batch->lane_count; i++)
        lane_judge(batch, i);
}

/* With whom a message may be held: the recipient's blind index tells recipients of one tenant apart. */
static void
pair_key(const struct message_job *from, struct pace_key *out)
{
    for (size_t i = 0; i < PACE_KEY_BYTES; i++)
        out->bytes[i] = (unsigned char)(from->sealed.peer_index[i] ^ from->claim.channel.bytes[i]);
}

static enum err
template_key(const json_t *content, struct send_job *job)
{
    struct slice template = json_text_of(json_member(content, "template"), "name");
    unsigned char hash[HASH_BYTES];
    struct buf text;

    job->has_template = template.len > 0;
    if (!job->has_template)
        return ERR_OK;
    buf_init(&text, 2048);
    buf_add(&text, slice_of(job->claim.channel.bytes, ID_BYTES));
    buf_add(&text, template);
    enum err err = buf_done(&text);
    if (err == ERR_OK)
        err = hash_sha256(buf_slice(&text), hash);
    if (err == ERR_OK)
        memcpy(job->template.bytes, hash, sizeof(job->template.bytes));
    buf_release(&text);
    return err;
}

/* From opened content and address to the provider's request. */
static enum err
request_print(const struct batch *batch, const struct message_job *from, const struct vault_ask opened[2],
              size_t lane, struct send_job *job, struct send_media *media_out)
{
    const struct config *config = batch->store->config.config;
    char mark[MESSAGE_MARK_BYTES];
    json_t *content = NULL;
    enum err err = vault_asks_err(opened, 2);

    if (err == ERR_OK)
        err = json_parse(opened[1].plain, &content);
    pair_key(from, &job->pair);
    if (err == ERR_OK)
        err = template_key(content, job);
    if (err == ERR_OK)
        err = send_media_replace(batch->store->db, batch->store->config.clock, &from->claim, content,
                                 batch->store->arena, media_out);
    if (err == ERR_OK && media_out->verdict != SEND_MEDIA_GO) {
        json_decref(content);
        return ERR_OK;
    }
    if (err == ERR_OK)
        err = whatsapp_send_print(
            &(struct whatsapp_send){ .to = opened[0].plain,
                                     .refers_to = from->target_provider_id,
                                     .callback_data = message_mark_print(
                                         from->claim.message, message_claim_sender(&from->claim), mark),
                                     .content = content },
            &job->body);
    if (err == ERR_OK) {
        buf_add_text(&job->url, config->graph_url);
        err = whatsapp_send_path(slice_text(config->graph_version), batch->tokens[lane].phone_number_id,
                                 &job->url);
        buf_add_byte(&job->url, '\0'); /* curl's door wants a C string */
    }
    if (err == ERR_OK)
        err = buf_done(&job->url);
    if (err == ERR_OK)
        err = buf_done(&job->body);
    if (err == ERR_OK && (job->token = secret_copy(secret_slice(batch->lanes[lane].token))) == NULL)
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

/* While its recipient or its template is held, a message goes back until that is over; others go on. */
static bool
is_held(struct send_store *store, struct send_job *job)
{
    struct mono_time now = clock_mono(store->config.clock);
    int64_t pair_ms = pace_held_ms(store->pace, &job->pair, now);
    int64_t template_ms = job->has_template ? pace_held_ms(store->pace, &job->template, now) : 0;

    if (pair_ms == 0 && template_ms == 0)
        return false;
    send_job_settle(job, store->config.clock, MESSAGE_VERDICT_RETURNED,
                    pair_ms > template_ms ? pair_ms : template_ms, "held",
                    "WhatsApp asked to wait with this recipient or template.", "throttle");
    mailbox_put(store->config.settled, &job->item);
    return true;
}

/* Its media is not at the provider: it waits for it, or fails with what became of that. */
static bool
is_without_media(const struct send_store *store, struct send_job *job, const struct send_media *media)
{
    if (media->verdict == SEND_MEDIA_GO)
        return false;
    if (media->verdict == SEND_MEDIA_WAIT) {
        send_job_settle(job, store->config.clock, MESSAGE_VERDICT_RETURNED, SEND_MEDIA_WAIT_MS,
                        "media-pushing", "The media is on its way to WhatsApp.", "retry");
    } else {
        snprintf(job->error_code, sizeof(job->error_code), "%.*s", SLICE_FMT(media->code));
        send_job_settle(job, store->config.clock, MESSAGE_VERDICT_FAILED, 0, job->error_code,
                        "The media of the message could not be handed to WhatsApp.", "permanent");
    }
    mailbox_put(store->config.settled, &job->item);
    return true;
}

/* From a loaded message to a request on the loop, or to an outcome that needs no provider. */
static void
job_prepare(const struct batch *batch, const struct message_job *from, const struct vault_ask opened[2],
            const struct claimed *claimed)
{
    struct send_store *store = batch->store;
    size_t at = lane_of(batch, from->claim.channel);
    const struct lane *lane = &batch->lanes[at];
    struct send_job *job = send_job_new(&from->claim, claimed->claimed_at);

    if (job == NULL) { /* the lease runs out, and the message is taken over */
        send_lanes_done(store->lanes, claimed->lane, claimed->claim.category, claimed->claimed_at);
        atomic_fetch_sub(&store->out, 1);
        return;
    }
    job->lane = claimed->lane;
    memcpy(job->peer_index, from->sealed.peer_index, sizeof(job->peer_index));
    if (lane->err == ERR_OK && from->is_window_over) {
        send_job_settle(job, store->config.clock, MESSAGE_VERDICT_FAILED, 0, "window-closed",
                        "More than 24 hours have passed since the recipient's last message.", "permanent");
        mailbox_put(store->config.settled, &job->item);
        return;
    }
    job->leave_at = claimed->leave_at;
    job->leave_by = store->owned_until;
    struct send_media media = { .verdict = SEND_MEDIA_GO };
    enum err err = lane->err == ERR_OK ? request_print(batch, from, opened, at, job, &media) : lane->err;
    if (err == ERR_OK) {
        memcpy(job->media, media.media, sizeof(job->media));
        job->media_count = media.count;
        if (!is_without_media(store, job, &media) && !is_held(store, job))
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

enum err
send_prepare(struct send_store *store, const struct claimed *from, size_t count)
{
    struct message_claim *claims = arena_array(store->arena, count, sizeof(*claims));
    struct batch batch = { .store = store, .from = from, .claims = claims, .count = count };

    batch.lanes = arena_array(store->arena, count, sizeof(*batch.lanes));
    batch.tokens = arena_array(store->arena, count, sizeof(*batch.tokens));
    batch.jobs = arena_array(store->arena, count, sizeof(*batch.jobs));
    batch.asks = arena_array(store->arena, 3 * count, sizeof(*batch.asks));
    if (claims == NULL || batch.lanes == NULL || batch.tokens == NULL || batch.jobs == NULL ||
        batch.asks == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        claims[i] = from[i].claim;
    enum err err = db_run(store->db, claims[0].tenant, batch_begin, &batch);
    if (err != ERR_OK)
        return err; /* nothing was marked as sending */
    batch_open(&batch);
    const struct vault_ask *opened = batch.opened;
    for (size_t i = 0; i < count; i++) {
        if (!batch.jobs[i].is_mine) {
            send_lanes_done(store->lanes, from[i].lane, claims[i].category, from[i].claimed_at);
            atomic_fetch_sub(&store->out, 1);
            continue;
        }
        job_prepare(&batch, &batch.jobs[i], opened, &from[i]);
        opened += 2;
    }
    for (size_t i = 0; i < batch.lane_count; i++)
        secret_free(batch.lanes[i].token);
    return ERR_OK;
}
