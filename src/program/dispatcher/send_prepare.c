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

/* The messages of one tenant of a claim, and what is opened for them. */
struct tenant_batch {
    struct send_store *store;
    struct id tenant;
    const struct claimed *from; /* `claims`, with their turns */
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
        if (lane->err == ERR_OK || lane->err == ERR_NOT_FOUND)
            continue;
        /* The vault is away, or memory short: that mends itself. A key that is missing was destroyed. */
        bool is_passing = err_class(lane->err) == ERR_CLASS_UNAVAILABLE && lane->err != ERR_VAULT_KEY_MISSING;
        if (is_passing)
            log_event(LOG_WARN, "dispatch.credential_waits", LOG_ID("channel", ID_CHANNEL, lane->channel),
                      LOG_ERR(lane->err));
        else
            log_event(LOG_ERROR, "dispatch.credential_unreadable",
                      LOG_ID("channel", ID_CHANNEL, lane->channel), LOG_ERR(lane->err));
    }
}

/* What may be held together with a message, as digests: `what` tells the kinds of key apart. */
static enum err
hold_key(char what, struct id channel, struct slice name, struct pace_key *out)
{
    unsigned char hash[HASH_BYTES];
    struct buf text;

    buf_init(&text, 2048);
    buf_add_byte(&text, what);
    buf_add(&text, slice_of(channel.bytes, ID_BYTES));
    buf_add(&text, name);
    enum err err = buf_done(&text);
    if (err == ERR_OK)
        err = hash_sha256(buf_slice(&text), hash);
    if (err == ERR_OK)
        memcpy(out->bytes, hash, sizeof(out->bytes));
    buf_release_wiped(&text);
    return err;
}

static enum err
hold_keys(const json_t *content, struct slice peer, struct send_job *job)
{
    struct slice template = json_text_of(json_member(content, "template"), "name");
    enum err err = hold_key('p', job->claim.channel, peer, &job->pair);

    job->has_template = template.len > 0;
    if (err == ERR_OK && job->has_template)
        err = hold_key('t', job->claim.channel, template, &job->template);
    return err;
}

/* Content and address opened, the provider's request printed. */
static enum err
request_print(struct tenant_batch *batch, const struct message_job *from, const struct lane *lane,
              struct send_job *job, struct send_media *media_out)
{
    const struct config *config = batch->store->config.config;
    char mark[MESSAGE_MARK_BYTES];
    struct slice peer, text;
    json_t *content = NULL;
    enum err err = message_open(&batch->store->vault, batch->tenant, from->claim.message, &from->sealed,
                                batch->store->arena, &peer, &text);

    if (err == ERR_OK)
        err = json_parse(text, &content);
    if (err == ERR_OK)
        err = hold_keys(content, peer, job);
    if (err == ERR_OK)
        err = send_media_replace(batch->store->db, batch->store->config.clock, &from->claim, content,
                                 batch->store->arena, media_out);
    if (err == ERR_OK && media_out->verdict != SEND_MEDIA_GO) {
        json_decref(content);
        return ERR_OK;
    }
    if (err == ERR_OK)
        err = whatsapp_send_print(
            &(struct whatsapp_send){ .to = peer,
                                     .refers_to = from->target_provider_id,
                                     .callback_data = message_mark_print(
                                         from->claim.message, message_claim_sender(&from->claim), mark),
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
job_prepare(struct tenant_batch *batch, const struct message_job *from, const struct claimed *claimed)
{
    struct send_store *store = batch->store;
    const struct lane *lane = lane_of(batch, from->claim.channel);
    struct send_job *job = send_job_new(&from->claim, claimed->claimed_at);

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
    job->leave_at = claimed->leave_at;
    struct send_media media = { .verdict = SEND_MEDIA_GO };
    enum err err = lane->err == ERR_OK ? request_print(batch, from, lane, job, &media) : lane->err;
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
    struct tenant_batch batch = {
        .store = store, .tenant = from[0].claim.tenant, .from = from, .claims = claims, .count = count
    };

    batch.lanes = arena_array(store->arena, count, sizeof(*batch.lanes));
    if (claims == NULL || batch.lanes == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        claims[i] = from[i].claim;
    enum err err = db_run(store->db, batch.tenant, batch_begin, &batch);
    if (err != ERR_OK)
        return err; /* nothing was marked as sending: the leases run out */
    lanes_open(&batch);
    for (size_t i = 0; i < count; i++) {
        if (!batch.jobs[i].is_mine) {
            atomic_fetch_sub(&store->out, 1);
            continue;
        }
        job_prepare(&batch, &batch.jobs[i], &from[i]);
    }
    for (size_t i = 0; i < batch.lane_count; i++)
        secret_free(batch.lanes[i].token);
    return ERR_OK;
}
