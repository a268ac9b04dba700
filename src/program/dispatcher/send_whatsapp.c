#include "program/dispatcher/send_whatsapp.h"
#include "core/log.h"
#include "crypto/hash.h"
#include "domain/channel/channel.h"
#include "domain/channel/channel_window.h"
#include "domain/channel/whatsapp/whatsapp_send.h"
#include "domain/media/media_provider.h"
#include "program/dispatcher/send_media.h"
#include "wire/json/json.h"
#include <stdio.h>

#define URL_BYTES_MAX   2048u
#define HIGH_PER_SECOND 1000 /* what WhatsApp calls high throughput; otherwise the setting counts */

static void
job_init(struct send_job *job)
{
    struct whatsapp_job *own = whatsapp_job_of(job);

    buf_init(&own->url, URL_BYTES_MAX);
    buf_init(&own->body, WHATSAPP_SEND_BYTES_MAX);
}

static void
job_release(struct send_job *job)
{
    struct whatsapp_job *own = whatsapp_job_of(job);

    buf_release(&own->url);
    buf_release_wiped(&own->body);
    secret_free(own->token);
}

/* The channels among a batch's messages, and their tokens. */
struct senders {
    struct sender {
        struct id tenant;
        enum err err;
        struct secret *token; /* owned */
    } * senders;
    struct channel_token *tokens; /* the same ones */
    size_t count;
};

/* Its place among the senders; count: it is not there. */
static size_t
sender_of(const struct senders *senders, struct id channel)
{
    for (size_t i = senders->count; i-- > 0;)
        if (id_eq(senders->tokens[i].channel, channel))
            return i;
    return senders->count;
}

static enum err
senders_new(struct send_batch *batch)
{
    struct senders *senders = arena_array(batch->arena, 1, sizeof(*senders));

    if (senders == NULL)
        return ERR_NO_MEMORY;
    *senders =
        (struct senders){ .senders = arena_array(batch->arena, batch->count, sizeof(struct sender)),
                          .tokens = arena_array(batch->arena, batch->count, sizeof(struct channel_token)) };
    batch->of_kind = senders;
    return senders->senders == NULL || senders->tokens == NULL ? ERR_NO_MEMORY : ERR_OK;
}

/* The sealed tokens of the channels. */
static enum err
whatsapp_begin(void *ctx UNUSED, struct db_tx *tx, struct send_batch *batch, size_t from, size_t count)
{
    enum err err = batch->of_kind == NULL ? senders_new(batch) : ERR_OK;
    struct senders *senders = batch->of_kind;

    if (err != ERR_OK)
        return err;
    if (from == 0)
        senders->count = 0;
    size_t first = senders->count;
    for (size_t i = from; i < from + count; i++) {
        if (!batch->jobs[i].is_mine || sender_of(senders, batch->claims[i].channel) < senders->count)
            continue;
        senders->senders[senders->count] = (struct sender){ .tenant = batch->claims[i].tenant };
        senders->tokens[senders->count++] = (struct channel_token){ .channel = batch->claims[i].channel };
    }
    if (senders->count > first)
        err = channel_tokens_read(tx, senders->tokens + first, senders->count - first, batch->arena);
    for (size_t i = first; err == ERR_OK && i < senders->count; i++) {
        senders->senders[i].err = senders->tokens[i].err;
        if (senders->senders[i].err != ERR_NOT_FOUND)
            err = senders->senders[i].err;
    }
    return err;
}

static size_t
whatsapp_ask(void *ctx UNUSED, struct send_batch *batch, struct vault_ask *asks)
{
    struct senders *senders = batch->of_kind;
    size_t count = 0;

    for (size_t i = 0; i < senders->count; i++) {
        const struct channel_token *token = &senders->tokens[i];
        struct vault_place place = channel_credential_place(senders->senders[i].tenant, token->channel,
                                                            CHANNEL_ACCESS_TOKEN, token->generation);
        if (senders->senders[i].err == ERR_OK)
            asks[count++] = vault_ask_open(VAULT_CREDENTIAL, &place, &token->sealed);
    }
    return count;
}

static void
sender_judge(const struct senders *senders, size_t i)
{
    enum err err = senders->senders[i].err;

    if (err == ERR_OK || err == ERR_NOT_FOUND)
        return;
    /* The vault is away, or memory short: that mends itself. A key that is missing was destroyed. */
    bool is_passing = err_class(err) == ERR_CLASS_UNAVAILABLE && err != ERR_VAULT_KEY_MISSING;
    if (is_passing)
        log_event(LOG_WARN, "dispatch.credential_waits",
                  LOG_ID("channel", ID_CHANNEL, senders->tokens[i].channel), LOG_ERR(err));
    else
        log_event(LOG_ERROR, "dispatch.credential_unreadable",
                  LOG_ID("channel", ID_CHANNEL, senders->tokens[i].channel), LOG_ERR(err));
}

static void
whatsapp_opened(void *ctx UNUSED, struct send_batch *batch, const struct vault_ask *asks)
{
    struct senders *senders = batch->of_kind;

    for (size_t i = 0; i < senders->count; i++) {
        struct sender *sender = &senders->senders[i];
        if (sender->err == ERR_OK) {
            sender->err = asks->err;
            sender->token = asks->open;
            asks++;
        }
        sender_judge(senders, i);
    }
}

static void
whatsapp_end(void *ctx UNUSED, struct send_batch *batch)
{
    struct senders *senders = batch->of_kind;

    for (size_t i = 0; i < senders->count; i++)
        secret_free(senders->senders[i].token);
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

/* Its media is not at the provider: it waits for it, or fails with what became of that. */
static void
settle_without_media(const struct clock *clock, struct send_job *job, const struct send_media *media)
{
    if (media->verdict == SEND_MEDIA_WAIT) {
        send_job_settle(job, clock, MESSAGE_VERDICT_RETURNED, SEND_MEDIA_WAIT_MS, "media-pushing",
                        "The media is on its way to WhatsApp.", "retry");
    } else {
        snprintf(job->error_code, sizeof(job->error_code), "%.*s", SLICE_FMT(media->code));
        send_job_settle(job, clock, MESSAGE_VERDICT_FAILED, 0, job->error_code,
                        "The media of the message could not be handed to WhatsApp.", "permanent");
    }
}

/* The provider's request: where to, what, and by whose token. */
static enum err
request_print(const struct config *config, const struct message_job *from, const struct senders *senders,
              size_t at, struct slice to, const json_t *content, struct whatsapp_job *own)
{
    char mark[MESSAGE_MARK_BYTES];
    enum err err = whatsapp_send_print(
        &(struct whatsapp_send){ .to = to,
                                 .refers_to = from->target_provider_id,
                                 .callback_data = message_mark_print(
                                     from->claim.message, message_claim_sender(&from->claim), mark),
                                 .content = content },
        &own->body);

    if (err == ERR_OK) {
        buf_add_text(&own->url, config->graph_url);
        err = whatsapp_send_path(slice_text(config->graph_version), senders->tokens[at].phone_number_id,
                                 &own->url);
        buf_add_byte(&own->url, '\0'); /* curl's door wants a C string */
    }
    if (err == ERR_OK)
        err = buf_done(&own->url);
    if (err == ERR_OK)
        err = buf_done(&own->body);
    own->job.revision = senders->tokens[at].revision;
    if (err == ERR_OK && (own->token = secret_copy(secret_slice(senders->senders[at].token))) == NULL)
        err = ERR_NO_MEMORY;
    return err;
}

static enum err
whatsapp_print(void *ctx, struct send_batch *batch, size_t at, enum err open_err, struct slice to,
               struct slice text, struct send_job *job)
{
    const struct send_whatsapp *whatsapp = ctx;
    const struct message_job *from = &batch->jobs[at];
    const struct senders *senders = batch->of_kind;
    size_t sender = sender_of(senders, from->claim.channel);
    struct send_media media = { .verdict = SEND_MEDIA_GO };
    json_t *content = NULL;
    enum err err = senders->senders[sender].err;

    if (err == ERR_NOT_FOUND) {
        send_job_settle(job, whatsapp->clock, MESSAGE_VERDICT_FAILED, 0, "channel-deleted",
                        "The sender channel was deleted.", "permanent");
        return ERR_OK;
    }
    if (err == ERR_OK && from->is_window_over) {
        send_job_settle(job, whatsapp->clock, MESSAGE_VERDICT_FAILED, 0, "window-closed",
                        "More than 24 hours have passed since the recipient's last message.", "permanent");
        return ERR_OK;
    }
    if (err == ERR_OK)
        err = open_err;
    if (err == ERR_OK)
        err = json_parse(text, &content);
    if (err == ERR_OK)
        err = template_key(content, job);
    if (err == ERR_OK)
        err = send_media_replace(batch->db, whatsapp->clock, &from->claim, content, batch->arena, &media);
    if (err == ERR_OK && media.verdict != SEND_MEDIA_GO) {
        settle_without_media(whatsapp->clock, job, &media);
        goto done;
    }
    if (err == ERR_OK)
        err = request_print(whatsapp->config, from, senders, sender, to, content, whatsapp_job_of(job));
    if (err == ERR_OK) {
        memcpy(whatsapp_job_of(job)->media, media.media, sizeof(media.media));
        whatsapp_job_of(job)->media_count = media.count;
    }
done:
    json_decref(content);
    return err;
}

/* WhatsApp cannot get at media that we had pushed: once, it is pushed anew. */
static enum err
whatsapp_recording(void *ctx UNUSED, struct db_tx *tx, struct send_job *const *jobs,
                   struct message_outcome *outcomes, size_t count, struct arena *arena UNUSED)
{
    enum err err = ERR_OK;

    for (size_t i = 0; i < count; i++) {
        const struct whatsapp_job *own = whatsapp_job_of(jobs[i]);
        if (outcomes[i].verdict != MESSAGE_VERDICT_FAILED || own->media_count == 0 ||
            own->job.claim.attempt > 1 || !slice_eq(outcomes[i].error_code, SLICE("whatsapp-131052")))
            continue;
        for (size_t m = 0; err == ERR_OK && m < own->media_count; m++)
            err = media_provider_forget(tx, own->media[m], own->job.claim.channel);
        outcomes[i].verdict = MESSAGE_VERDICT_RETRY;
        outcomes[i].due_at = outcomes[i].at;
        outcomes[i].error_class = "retry";
    }
    return err;
}

/* What was taken may be the answer that opens somebody's free entry point. */
static enum err
whatsapp_recorded(void *ctx UNUSED, struct db_tx *tx, struct send_job *const *jobs, size_t count,
                  struct arena *arena)
{
    struct channel_window_answer *answers = arena_array(arena, count, sizeof(*answers));
    size_t answer_count = 0;

    if (answers == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct send_job *job = jobs[i];
        if (job->outcome.verdict == MESSAGE_VERDICT_SENT)
            answers[answer_count++] = (struct channel_window_answer){
                .channel = job->claim.channel,
                .peer_index = slice_of(job->peer_index, sizeof(job->peer_index)),
                .at = job->outcome.at,
            };
    }
    return channel_window_answered(tx, answers, answer_count, arena);
}

const struct send_kind send_whatsapp = {
    .carrier = "whatsapp",
    .job_bytes = sizeof(struct whatsapp_job),
    .per_second_max = HIGH_PER_SECOND,
    .keeps_times = true,
    .job_init = job_init,
    .job_release = job_release,
    .begin = whatsapp_begin,
    .ask = whatsapp_ask,
    .opened = whatsapp_opened,
    .print = whatsapp_print,
    .end = whatsapp_end,
    .recording = whatsapp_recording,
    .recorded = whatsapp_recorded,
};
