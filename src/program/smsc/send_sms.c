#include "program/smsc/send_sms.h"
#include "domain/channel/sms/sms_content.h"
#include "domain/channel/sms/sms_part.h"
#include "domain/dlt/dlt_check.h"
#include "domain/policy/policy_hours.h"
#include "wire/json/json.h"
#include <stdlib.h>

#define PER_SECOND_MAX 10000 /* of a sender: what paces are its connectors (carrier.h) */

static void
job_init(struct send_job *job)
{
    struct sms_job *own = sms_job_of(job);

    buf_init(&own->to, 64);
    buf_init(&own->text, SMS_TEXT_BYTES_MAX);
    buf_init(&own->bodies, 256u * 1024u);
}

static void
job_release(struct send_job *job)
{
    struct sms_job *own = sms_job_of(job);

    buf_release_wiped(&own->to);
    buf_release_wiped(&own->text);
    buf_release_wiped(&own->bodies);
    free(own->parts);
}

/* The senders of a batch's messages, and what operators have of those that are sent again. */
struct senders {
    struct sender {
        struct id channel;
        char name[24];
        enum channel_sms_kind kind;
        enum sms_unicode unicode;
        unsigned parts_max;
    } * senders;
    size_t count;
    struct had {
        bool has_any;
        struct id connector;
        size_t part_count;
        unsigned char parts[(SMS_PARTS_MAX + 7) / 8];
    } * had;                           /* of each message of the batch */
    struct dlt_registered *registered; /* likewise: by which its template is registered; empty: none */
};

static enum err
senders_new(struct send_batch *batch)
{
    struct senders *senders = arena_array(batch->arena, 1, sizeof(*senders));

    if (senders == NULL)
        return ERR_NO_MEMORY;
    *senders = (struct senders){ .senders = arena_array(batch->arena, batch->count, sizeof(struct sender)),
                                 .had = arena_array(batch->arena, batch->count, sizeof(struct had)),
                                 .registered =
                                     arena_array(batch->arena, batch->count, sizeof(struct dlt_registered)) };
    batch->of_kind = senders;
    return senders->senders == NULL || senders->had == NULL || senders->registered == NULL ? ERR_NO_MEMORY
                                                                                           : ERR_OK;
}

static const struct sender *
sender_find(const struct senders *senders, struct id channel)
{
    for (size_t i = senders->count; i-- > 0;)
        if (id_eq(senders->senders[i].channel, channel))
            return &senders->senders[i];
    return NULL;
}

static const struct db_stmt sms_senders_stmt = {
    "sms_senders",
    "SELECT s.channel_id, s.sender, s.sender_kind, s.unicode, s.parts_max FROM sms_channel s"
    " JOIN channel c ON c.tenant_id = $1 AND c.id = s.channel_id"
    " WHERE s.tenant_id = $1 AND s.channel_id = ANY ($2::uuid[]) AND c.state <> 'deleted' LIMIT 1000"
};

static enum err
senders_read(struct db_tx *tx, const struct id *channels, size_t count, struct senders *senders)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &sms_senders_stmt, DB_ARGS(DB_ID_ARRAY(channels, count)), &rows);

    for (size_t i = 0; err == ERR_OK && i < db_rows_count(rows); i++) {
        struct sender *sender = &senders->senders[senders->count];
        struct slice name = db_text(rows, i, 1);
        *sender = (struct sender){ .channel = db_id(rows, i, 0), .parts_max = (unsigned)db_i64(rows, i, 4) };
        memcpy(sender->name, name.ptr, name.len < sizeof(sender->name) ? name.len : sizeof(sender->name) - 1);
        err = channel_sms_kind_parse(db_text(rows, i, 2), &sender->kind);
        if (err == ERR_OK)
            err = sms_unicode_parse(db_text(rows, i, 3), &sender->unicode);
        if (err == ERR_OK)
            senders->count++;
    }
    db_rows_free(rows);
    return err;
}

/* What an operator has need not leave again; the rest of the message goes to the same one. */
static const struct db_stmt sms_parts_had_stmt = {
    "sms_parts_had",
    "SELECT a.n, p.part, p.part_count, p.connector_id FROM unnest($2::uuid[], $3::bigint[], $4::bigint[]) AS a (id, sender, n)"
    " JOIN sms_part p ON p.tenant_id = $1 AND p.message_id = a.id AND p.sender = a.sender"
    " AND p.state IN ('taken', 'delivered') ORDER BY a.n, p.taken_at LIMIT 10000"
};

static enum err
parts_had_read(struct db_tx *tx, struct send_batch *batch, size_t from, size_t count)
{
    struct senders *senders = batch->of_kind;
    struct id *ids = arena_array(batch->arena, count, sizeof(*ids));
    int64_t *positions = arena_array(batch->arena, count, sizeof(*positions));
    int64_t *numbers = arena_array(batch->arena, count, sizeof(*numbers));
    struct db_rows *rows = NULL;
    size_t again = 0;

    if (ids == NULL || positions == NULL || numbers == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = from; i < from + count; i++) {
        senders->had[i] = (struct had){ .has_any = false };
        if (!batch->jobs[i].is_mine || batch->claims[i].attempt == 1)
            continue;
        ids[again] = batch->claims[i].message;
        positions[again] = message_claim_sender(&batch->claims[i]);
        numbers[again++] = (int64_t)i;
    }
    if (again == 0)
        return ERR_OK;
    enum err err = db_query(
        tx, &sms_parts_had_stmt,
        DB_ARGS(DB_ID_ARRAY(ids, again), DB_I64_ARRAY(positions, again), DB_I64_ARRAY(numbers, again)),
        &rows);
    for (size_t i = 0; err == ERR_OK && i < db_rows_count(rows); i++) {
        struct had *had = &senders->had[db_i64(rows, i, 0)];
        size_t part = (size_t)db_i64(rows, i, 1) - 1;
        had->has_any = true;
        had->part_count = (size_t)db_i64(rows, i, 2);
        had->connector = db_id(rows, i, 3);
        had->parts[part / 8] |= (unsigned char)(1u << (part % 8));
    }
    db_rows_free(rows);
    return err;
}

_Static_assert((int)POLICY_DLT_OK == (int)DLT_OK && (int)POLICY_DLT_CHAIN == (int)DLT_CHAIN,
               "the gate's words for the registry are the registry's");

/*
 * Of those whose text was found to be a registered template when they were accepted: whether entity, header
 * and template are still good, for the gate; and what operators in India want to be told of them.
 */
static enum err
registered_read(struct db_tx *tx, struct send_batch *batch, size_t from, size_t count)
{
    struct senders *senders = batch->of_kind;
    struct dlt_use *uses = arena_array(batch->arena, count, sizeof(*uses));
    size_t *at = arena_array(batch->arena, count, sizeof(*at)), used = 0;
    struct dlt_registered *read = NULL;

    if (uses == NULL || at == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = from; i < from + count; i++) {
        const struct sender *sender = sender_find(senders, batch->claims[i].channel);
        senders->registered[i] = (struct dlt_registered){ .standing = DLT_NOT_APPLICABLE };
        if (sender != NULL)
            batch->jobs[i].policy.facts.of[POLICY_FACT_DND_CATEGORY] =
                dnd_category_of_header(slice_text(sender->name));
        if (!batch->jobs[i].is_mine || id_is_zero(batch->jobs[i].dlt_template))
            continue;
        uses[used] = (struct dlt_use){ .template = batch->jobs[i].dlt_template,
                                       .header = sender == NULL ? SLICE_EMPTY : slice_text(sender->name),
                                       .is_promotional = batch->claims[i].category == MESSAGE_PROMOTIONAL };
        at[used++] = i;
    }
    enum err err = used == 0 ? ERR_OK : dlt_registered_read(tx, batch->arena, uses, used, &read);
    for (size_t i = 0; err == ERR_OK && i < used; i++) {
        struct policy_receipt *receipt = &batch->jobs[at[i]].policy;
        senders->registered[at[i]] = read[i];
        receipt->facts.of[POLICY_FACT_DLT] = read[i].standing;
        receipt->verdict = policy_judge(&receipt->facts);
    }
    return err;
}

static enum err
sms_begin(void *ctx UNUSED, struct db_tx *tx, struct send_batch *batch, size_t from, size_t count)
{
    enum err err = batch->of_kind == NULL ? senders_new(batch) : ERR_OK;
    struct senders *senders = batch->of_kind;
    struct id *channels = arena_array(batch->arena, count, sizeof(*channels));
    size_t channel_count = 0;

    if (err != ERR_OK || channels == NULL)
        return ERR_NO_MEMORY;
    if (from == 0)
        senders->count = 0;
    for (size_t i = from; i < from + count; i++) {
        size_t at = 0;
        while (at < channel_count && !id_eq(channels[at], batch->claims[i].channel))
            at++;
        if (at == channel_count)
            channels[channel_count++] = batch->claims[i].channel;
    }
    err = senders_read(tx, channels, channel_count, senders);
    if (err == ERR_OK)
        err = registered_read(tx, batch, from, count);
    return err == ERR_OK ? parts_had_read(tx, batch, from, count) : err;
}

static void
dlt_copy(struct slice from, char to[static SMS_DLT_ID_BYTES])
{
    size_t len = from.len < SMS_DLT_ID_BYTES ? from.len : 0; /* an id that is longer is none */

    if (len > 0)
        memcpy(to, from.ptr, len);
    to[len] = '\0';
}

/* How long the operator may try: what the message says, but no longer than the message is good. */
static int64_t
validity_of(const struct message_claim *claim, int64_t asked_s, struct wall_time now)
{
    int64_t left_s = claim->expires_at.us == INT64_MAX ? 0 : (claim->expires_at.us - now.us) / 1000000;

    if (claim->expires_at.us != INT64_MAX && left_s < 1)
        left_s = 1;
    return asked_s == 0 || (left_s > 0 && left_s < asked_s) ? left_s : asked_s;
}

static enum err
sms_print(void *ctx, struct send_batch *batch, size_t at, enum err open_err, struct slice to,
          struct slice text, struct send_job *job)
{
    const struct send_sms *sms = ctx;
    const struct senders *senders = batch->of_kind;
    const struct sender *sender = sender_find(senders, batch->claims[at].channel);
    const struct had *had = &senders->had[at];
    const struct dlt_registered *registered = &senders->registered[at];
    struct sms_job *own = sms_job_of(job);
    struct problem problem = { .count = 0 };
    struct sms_content content;
    json_t *json = NULL;

    if (sender == NULL) {
        send_job_settle(job, sms->clock, MESSAGE_VERDICT_FAILED, 0, "channel-deleted",
                        "The sender channel was deleted.", "permanent");
        return ERR_OK;
    }
    enum err err = open_err == ERR_OK ? json_parse(text, &json) : open_err;
    if (err == ERR_OK)
        err = sms_content_read(json, sender->unicode, SLICE("/content"), batch->arena, &problem, &content);
    if (err == ERR_OK) {
        buf_add(&own->to, to);
        buf_add(&own->text, content.text);
        own->is_flash = content.is_flash;
        own->validity_s = validity_of(&batch->claims[at], content.validity_s, clock_wall(sms->clock));
        own->sender_kind = sender->kind;
        own->parts_max = sender->parts_max;
        memcpy(own->sender, sender->name, sizeof(own->sender));
        dlt_copy(registered->entity_id, own->dlt_entity);
        dlt_copy(registered->template_id, own->dlt_template);
        dlt_copy(registered->chain_hash, own->dlt_chain);
        own->has_had = had->has_any;
        own->had_at = had->connector;
        own->had_part_count = had->part_count;
        memcpy(own->had, had->parts, sizeof(own->had));
        err = buf_done(&own->to);
    }
    if (err == ERR_OK)
        err = buf_done(&own->text);
    json_decref(json);
    return err;
}

/* What operators took, or may have taken, by its parts. */
static enum err
sms_recorded(void *ctx UNUSED, struct db_tx *tx, struct send_job *const *jobs, size_t count,
             struct arena *arena)
{
    struct sms_part *parts = NULL;
    size_t part_count = 0, max = 0;

    for (size_t i = 0; i < count; i++)
        max += sms_job_of(jobs[i])->part_count;
    parts = arena_array(arena, max, sizeof(*parts));
    if (parts == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct sms_job *own = sms_job_of(jobs[i]);
        for (size_t k = 0; own->parts != NULL && k < own->part_count; k++) {
            const struct part *part = &own->parts[k];
            if (part->state != PART_TAKEN && part->state != PART_UNKNOWN)
                continue;
            parts[part_count++] = (struct sms_part){
                .message = own->job.claim.message,
                .connector = own->connector,
                .sender = message_claim_sender(&own->job.claim),
                .part = (unsigned)k + 1,
                .part_count = (unsigned)own->part_count,
                .provider_id = part->state == PART_TAKEN ? slice_of(part->id, part->id_len) : SLICE_EMPTY,
                .taken_at = own->job.outcome.at,
            };
        }
    }
    return part_count == 0 ? ERR_OK : sms_parts_record(tx, parts, part_count, arena);
}

const struct send_kind send_sms = {
    .carrier = "sms",
    .job_bytes = sizeof(struct sms_job),
    .per_second = PER_SECOND_MAX,
    .job_init = job_init,
    .job_release = job_release,
    .begin = sms_begin,
    .print = sms_print,
    .recorded = sms_recorded,
};
