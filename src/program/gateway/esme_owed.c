/*
 * What is owed to accounts: receipts of messages and of parts that became none, and what somebody wrote. Read
 * from the database and printed; noted when it was taken; ended when nobody takes it.
 */
#include "core/log.h"
#include "domain/message/message_inbound.h"
#include "domain/message/message_part.h"
#include "domain/message/message_receipt.h"
#include "program/gateway/esme_internal.h"
#include "program/gateway/esme_report.h"
#include "wire/json/json.h"
#include <stdlib.h>

#define BATCH_ARENA (4u * 1024u * 1024u)
#define LOOK_ARENA  (16u * 1024u * 1024u) /* texts as they are sealed and opened */
#define OF_TEXTS    256u                  /* places that texts may take of a batch */

_Static_assert(ESME_OWED_MAX >= OF_TEXTS + MESSAGE_RECEIPTS_MAX + MESSAGE_PART_FAILED_MAX,
               "a whole look fits");

void
esme_due_free(struct esme_due *due)
{
    if (due == NULL)
        return;
    esme_batch_free(due->batch);
    free(due);
}

struct look {
    struct esme_due *due;
    struct arena *arena;
    struct message_receipt receipts[MESSAGE_RECEIPTS_MAX];
    struct message receipt_of[MESSAGE_RECEIPTS_MAX];
    struct message_part_failed failed[MESSAGE_PART_FAILED_MAX];
    struct message_inbound written[MESSAGE_INBOUND_MAX];
    struct message written_is[MESSAGE_INBOUND_MAX];
    size_t receipt_count, failed_count, written_count;
    struct id unwanted[MESSAGE_RECEIPTS_MAX], untold[MESSAGE_INBOUND_MAX];
    size_t unwanted_count, untold_count;
};

static enum err
look_in(struct db_tx *tx, void *ctx)
{
    struct look *look = ctx;
    struct id key = look->due->key;
    enum err err = message_receipt_due(tx, key, look->arena, look->receipts, &look->receipt_count);

    for (size_t i = 0; err == ERR_OK && i < look->receipt_count; i++)
        err = message_get(tx, look->receipts[i].message, look->arena, &look->receipt_of[i]);
    if (err == ERR_OK)
        err = message_parts_failed(tx, key, look->arena, look->failed, &look->failed_count);
    if (err == ERR_OK)
        err = message_inbound_due(tx, key, look->arena, look->written, &look->written_count);
    for (size_t i = 0; err == ERR_OK && i < look->written_count; i++)
        err = message_get(tx, look->written[i].message, look->arena, &look->written_is[i]);
    return err;
}

static void
owe(struct esme_batch *batch, struct esme_owed owed)
{
    batch->owed[batch->count++] = owed;
}

/* It is found again, and forgotten in the end. */
static void
passed_over(struct id message, enum err err)
{
    log_event(LOG_WARN, "gateway.smpp_receipt_lost", LOG_ID("message", ID_MESSAGE, message), LOG_ERR(err));
}

static enum err
receipt_owe(struct gateway_worker *worker, struct look *look, size_t at)
{
    const struct message_receipt *due = &look->receipts[at];
    struct esme_batch *batch = look->due->batch;
    struct esme_receipt receipt = {
        .message = due->message,
        .ended_at = due->ended_at,
        .account = { .ton = due->sender_ton, .npi = due->sender_npi, .digits = due->sender }
    };
    struct slice body;

    if (!esme_state_of(due->status, &receipt.state))
        return ERR_OK;
    if (due->failures_only && receipt.state == SMPP_STATE_DELIVERED) {
        look->unwanted[look->unwanted_count++] = due->message;
        return ERR_OK;
    }
    receipt.error = esme_error_of(due->error_code, receipt.state);
    enum err err = message_open_peer(&worker->vault, look->due->tenant, due->message,
                                     &look->receipt_of[at].sealed, look->arena, &receipt.person);
    if (err == ERR_OK)
        err = esme_receipt_print(&receipt, batch->arena, &body);
    if (err == ERR_OK)
        owe(batch,
            (struct esme_owed){
                .kind = ESME_OWED_RECEIPT, .id = due->message, .part = 1, .part_count = 1, .body = body });
    return err;
}

static enum err
failed_owe(struct gateway_worker *worker, struct look *look, size_t at)
{
    const struct message_part_failed *failed = &look->failed[at];
    struct esme_batch *batch = look->due->batch;
    struct vault_place place = message_part_place(look->due->tenant, failed->part.id);
    struct smpp_message message;
    struct slice pdu, body;
    enum err err = vault_open_content(&worker->vault, &place, &failed->part.pdu, look->arena, &pdu);

    if (err == ERR_OK)
        err = smpp_message_read(failed->part.command, pdu, &message);
    if (err == ERR_OK)
        err = esme_receipt_print(&(struct esme_receipt){ .message = failed->group,
                                                         .state = (enum smpp_state)failed->state,
                                                         .error = ESME_ERROR_OF_OTHERS,
                                                         .ended_at = failed->ended_at,
                                                         .person = message.destination.digits,
                                                         .account = message.source },
                                 batch->arena, &body);
    if (err == ERR_OK)
        owe(batch,
            (struct esme_owed){
                .kind = ESME_OWED_FAILED, .id = failed->group, .part = 1, .part_count = 1, .body = body });
    return err;
}

/* The text of {"type":"text","text":{"body":...}}; ERR_NOTHING: it is of another type. */
static enum err
text_of(struct slice content, struct arena *arena, struct slice *out)
{
    json_t *json = NULL;
    enum err err = json_parse(content, &json);

    if (err != ERR_OK)
        return err;
    struct slice text = json_text_of(json_member(json, "text"), "body");
    *out = text.ptr == NULL ? SLICE_EMPTY : arena_copy(arena, text);
    err = text.ptr == NULL ? ERR_NOTHING : out->ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
    json_decref(json);
    return err;
}

/* As many parts as it has; a text for which there is no room is of the next batch. */
static enum err
written_owe(struct gateway_worker *worker, struct look *look, size_t at)
{
    const struct message_inbound *inbound = &look->written[at];
    struct esme_batch *batch = look->due->batch;
    struct esme_written written = { .message = inbound->message, .sender = inbound->sender };
    struct slice content, bodies[MESSAGE_INBOUND_PARTS_MAX];
    size_t count = 0;
    enum err err = message_open(&worker->vault, look->due->tenant, inbound->message,
                                &look->written_is[at].sealed, look->arena, &written.person, &content);

    if (err == ERR_OK)
        err = text_of(content, look->arena, &written.text);
    if (err == ERR_OK)
        err = esme_written_print(&written, batch->arena, bodies, COUNT_OF(bodies), &count);
    if (err == ERR_NOTHING || err == ERR_LIMIT || err == ERR_SMPP_BODY || err == ERR_ENCODING) {
        look->untold[look->untold_count++] = inbound->message; /* no deliver_sm says it; the API does */
        return ERR_OK;
    }
    if (err != ERR_OK || batch->count + count > OF_TEXTS)
        return err;
    for (size_t i = 0; i < count; i++)
        owe(batch, (struct esme_owed){ .kind = ESME_OWED_WRITTEN,
                                       .id = inbound->message,
                                       .part = (unsigned)i + 1,
                                       .part_count = (unsigned)count,
                                       .was_taken = inbound->is_taken[i],
                                       .body = bodies[i] });
    return ERR_OK;
}

static enum err
unwanted_in(struct db_tx *tx, void *ctx)
{
    const struct look *look = ctx;
    enum err err =
        look->unwanted_count > 0 ? message_receipt_done(tx, look->unwanted, look->unwanted_count) : ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < look->untold_count; i++)
        err = message_inbound_taken(tx, look->due->key, look->untold[i], NULL, 0, true);
    return err;
}

enum err
esme_due_look(struct gateway_worker *worker, struct esme_due *due)
{
    struct arena *arena = arena_new(LOOK_ARENA), *kept = arena_new(BATCH_ARENA);
    struct look *look = arena == NULL ? NULL : arena_alloc(arena, sizeof(*look));
    enum err err = ERR_NO_MEMORY;

    due->batch = kept == NULL ? NULL : arena_alloc(kept, sizeof(*due->batch));
    if (due->batch == NULL)
        arena_free(kept);
    else
        due->batch->arena = kept;
    if (look == NULL || due->batch == NULL)
        goto done;
    look->due = due;
    look->arena = arena;
    err = db_run(worker->db, due->tenant, look_in, look);
    if (err != ERR_OK)
        goto done;
    for (size_t i = 0; i < look->written_count; i++)
        if ((err = written_owe(worker, look, i)) != ERR_OK)
            passed_over(look->written[i].message, err);
    for (size_t i = 0; i < look->failed_count; i++)
        if ((err = failed_owe(worker, look, i)) != ERR_OK)
            passed_over(look->failed[i].group, err);
    for (size_t i = 0; i < look->receipt_count; i++)
        if ((err = receipt_owe(worker, look, i)) != ERR_OK)
            passed_over(look->receipts[i].message, err);
    err = look->unwanted_count + look->untold_count > 0 ? db_run(worker->db, due->tenant, unwanted_in, look)
                                                        : ERR_OK;
done:
    arena_free(arena);
    return err;
}

/* Parts of one text follow one another. */
static enum err
written_settle(struct db_tx *tx, const struct esme_due *due, size_t first, size_t count)
{
    int64_t parts[MESSAGE_INBOUND_PARTS_MAX];
    bool is_whole = true;
    size_t taken = 0;

    for (size_t i = first; i < first + count; i++) {
        const struct esme_owed *owed = &due->batch->owed[i];
        if (owed->is_taken)
            parts[taken++] = owed->part;
        else
            is_whole &= owed->was_taken;
    }
    return taken == 0 && !is_whole
               ? ERR_OK
               : message_inbound_taken(tx, due->key, due->batch->owed[first].id, parts, taken, is_whole);
}

static enum err
settle_in(struct db_tx *tx, void *ctx)
{
    const struct esme_due *due = ctx;
    struct id receipts[ESME_OWED_MAX];
    size_t count = 0, parts = 0;
    enum err err = ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < due->batch->count; i += parts) {
        const struct esme_owed *owed = &due->batch->owed[i];
        parts = owed->part_count;
        switch (owed->kind) {
        case ESME_OWED_RECEIPT:
            if (owed->is_taken)
                receipts[count++] = owed->id;
            break;
        case ESME_OWED_FAILED:
            if (owed->is_taken)
                err = message_parts_done(tx, owed->id, false);
            break;
        case ESME_OWED_WRITTEN:
            err = written_settle(tx, due, i, parts);
            break;
        }
    }
    return err == ERR_OK && count > 0 ? message_receipt_done(tx, receipts, count) : err;
}

enum err
esme_due_settle(struct gateway_worker *worker, struct esme_due *due)
{
    return db_run(worker->db, due->tenant, settle_in, due);
}

static enum err
forget_in(struct db_tx *tx, void *ctx UNUSED)
{
    enum err err = message_receipt_forget(tx);

    return err == ERR_OK ? message_inbound_forget(tx) : err;
}

static enum err
end_in(struct db_tx *tx, void *ctx)
{
    const struct message_part_old *old = ctx;

    return message_parts_end(tx, old->group);
}

enum err
esme_sweep(struct gateway_worker *worker)
{
    struct message_part_old old[MESSAGE_PART_SWEEP_MAX];
    struct id tenants[MESSAGE_RECEIPT_TENANTS_MAX];
    size_t count = 0;
    enum err err = message_parts_old(worker->db, old, &count);

    for (size_t i = 0; err == ERR_OK && i < count; i++)
        err = db_run(worker->db, old[i].tenant, end_in, &old[i]);
    if (err == ERR_OK)
        err = message_receipt_stale(worker->db, tenants, &count);
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        err = db_run(worker->db, tenants[i], forget_in, NULL);
    return err;
}
