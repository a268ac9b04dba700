/*
 * From PDUs to a message: the account and its limits, parts that wait for each other, and what
 * POST /v1/messages would have been given. Accepted it is with others (esme_accept.c).
 */
#include "core/log.h"
#include "crypto/encode.h"
#include "domain/identity/authentication.h"
#include "domain/message/message_part.h"
#include "domain/message/message_receipt.h"
#include "program/gateway/esme_internal.h"
#include "wire/gsm/sms_coding.h"
#include "wire/json/json.h"
#include "wire/smpp/smpp_field.h"
#include "wire/smpp/smpp_receipt.h"
#include "wire/smpp/smpp_status.h"
#include "wire/smpp/smpp_time.h"

#define TEXT_BYTES_MAX    (64u * 1024u)
#define NUMBER_DIGITS_MAX 15u
#define TRIES_MAX         2 /* a reference that was given anew: the parts kept under it go, then these are kept */

_Static_assert(MESSAGE_PARTS_MAX == ESME_PARTS_MAX, "what comes can be kept");

uint32_t
esme_status_of(enum err err)
{
    if (err == ERR_OK)
        return SMPP_OK;
    if (err == ERR_CHANNEL_UNKNOWN)
        return SMPP_INVALID_SOURCE;
    if (err == ERR_RECIPIENT_INVALID)
        return SMPP_INVALID_DESTINATION;
    switch (err_class(err)) {
    case ERR_CLASS_LIMITED:
        return SMPP_THROTTLED;
    case ERR_CLASS_UNAVAILABLE:
        return err == ERR_BUSY ? SMPP_QUEUE_FULL : SMPP_SYSTEM_ERROR;
    case ERR_CLASS_INTERNAL:
    case ERR_CLASS_PEER:
    case ERR_CLASS_FLOW:
    case ERR_CLASS_NONE:
        return SMPP_SYSTEM_ERROR;
    case ERR_CLASS_MALFORMED:
    case ERR_CLASS_INVALID:
    case ERR_CLASS_UNAUTHENTICATED:
    case ERR_CLASS_FORBIDDEN:
    case ERR_CLASS_NOT_FOUND:
    case ERR_CLASS_METHOD:
    case ERR_CLASS_CONFLICT:
    case ERR_CLASS_PRECONDITION:
    case ERR_CLASS_TOO_LARGE:
    case ERR_CLASS_UNSUPPORTED:
        break;
    }
    return SMPP_SUBMIT_FAILED;
}

void
esme_submit_free(struct esme_submit *submit)
{
    if (submit == NULL)
        return;
    json_decref(submit->body);
    arena_free(submit->arena);
}

/* What its first part says of the whole. */
static const struct esme_piece *
head_of(const struct esme_submit *submit)
{
    return esme_group_first(&submit->group);
}

static bool
knows_repeats(const struct esme_submit *submit)
{
    return submit->account.dedupe == SMPP_DEDUPE_REFERENCE;
}

/* Whether the account is still what was bound: looked at for each message, as a key is for each request. */
static enum err
submit_judge(struct gateway_worker *worker, struct esme_submit *submit)
{
    const struct clock *clock = worker->gateway->clock;
    struct smpp_account now;
    struct api_principal principal;
    enum err err = esme_known_account(submit->server->known, worker->db,
                                      slice_text(submit->account.system_id), &now, &principal);

    if (err == ERR_OK && now.revision != submit->account.revision)
        err = ERR_KEY_INVALID;
    if (err == ERR_OK)
        err = authentication_judge(&principal, clock_wall(clock), slice_text(submit->address),
                                   API_SCOPE_MESSAGES_SEND);
    submit->is_over = err != ERR_OK && err_class(err) != ERR_CLASS_UNAVAILABLE;
    if (err == ERR_OK) {
        submit->principal = (struct principal){ .kind = PRINCIPAL_KEY,
                                                .tenant = principal.tenant,
                                                .actor = principal.key,
                                                .scopes = principal.scopes,
                                                .mode = principal.mode };
        submit->request = (struct http_request){ .id = id_new(clock),
                                                 .method = HTTP_POST,
                                                 .arena = submit->arena,
                                                 .worker = worker,
                                                 .peer_address = slice_text(submit->address),
                                                 .tenant = principal.tenant,
                                                 .principal = &submit->principal };
    }
    return err;
}

/* "+919812345678": digits, with or without what stands before them. */
static enum err
recipient_read(const struct esme_submit *submit, json_t **out)
{
    struct slice digits = head_of(submit)->message.destination.digits;

    if (slice_starts_with(digits, SLICE("+")))
        digits = slice_drop(digits, 1);
    else if (slice_starts_with(digits, SLICE("00")))
        digits = slice_drop(digits, 2);
    if (digits.len == 0 || digits.len > NUMBER_DIGITS_MAX || digits.ptr[0] == '0')
        return ERR_RECIPIENT_INVALID;
    for (size_t i = 0; i < digits.len; i++)
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return ERR_RECIPIENT_INVALID;
    struct slice number = arena_format(submit->arena, "+%.*s", SLICE_FMT(digits));
    *out = number.ptr == NULL ? NULL : show_text(number);
    return *out == NULL ? ERR_NO_MEMORY : ERR_OK;
}

/* What any part shows of the whole: refused before one is kept. */
static enum err
parts_judge(const struct esme_submit *submit)
{
    json_t *to = NULL;
    enum err err = recipient_read(submit, &to);

    json_decref(to);
    return err == ERR_OK &&
                   sms_coding_of(head_of(submit)->message.data_coding, SMS_CODING_GSM7) == SMS_CODING_BINARY
               ? ERR_MESSAGE_INVALID
               : err;
}

/* Parts. */

struct keeping {
    struct esme_submit *submit;
    struct message_part_group *group;
    struct message_part parts[MESSAGE_PARTS_MAX]; /* those that came, sealed */
    size_t count;
};

static enum err
keep_in(struct db_tx *tx, void *ctx)
{
    struct keeping *keeping = ctx;

    return message_parts_keep(tx, keeping->group, keeping->parts, keeping->count, keeping->submit->arena);
}

static enum err
end_in(struct db_tx *tx, void *ctx)
{
    const struct keeping *keeping = ctx;

    return message_parts_fail(tx, keeping->group->id, SMPP_STATE_EXPIRED);
}

/* Those that came, sealed, and what they are known by. */
static enum err
parts_seal(struct gateway_worker *worker, struct keeping *keeping)
{
    struct esme_submit *submit = keeping->submit;
    struct message_part_group *group = keeping->group;
    struct vault_seal_item items[MESSAGE_PARTS_MAX];
    struct vault_ask asks[MESSAGE_PARTS_MAX + 1];
    struct slice identity;
    enum err err = esme_group_identity(&submit->group, &identity);

    if (err != ERR_OK)
        return err;
    for (size_t i = 0; i < submit->group.part_count; i++) {
        const struct esme_piece *piece = &submit->group.pieces[i];
        struct message_part *part = &keeping->parts[keeping->count];
        if (piece->body.ptr == NULL)
            continue;
        *part = (struct message_part){ .number = (unsigned)i + 1,
                                       .id = id_new(worker->gateway->clock),
                                       .command = piece->command };
        items[keeping->count] =
            (struct vault_seal_item){ .place = message_part_place(submit->account.tenant, part->id),
                                      .plain = piece->body };
        asks[keeping->count] = vault_ask_seal(VAULT_CONTENT, &items[keeping->count], 1);
        keeping->count++;
    }
    asks[keeping->count] = vault_ask_index(submit->account.tenant, "smpp_group", identity);
    vault_ask_many(&worker->vault, asks, keeping->count + 1, submit->arena);
    for (size_t i = 0; i <= keeping->count; i++)
        if (asks[i].err != ERR_OK)
            return asks[i].err;
    for (size_t i = 0; i < keeping->count; i++)
        keeping->parts[i].pdu = items[i].sealed;
    memcpy(group->identity, asks[keeping->count].mac, sizeof(group->identity));
    return ERR_OK;
}

/* Whether it is the one that was sealed just now. */
static bool
is_ours(const struct keeping *keeping, const struct message_part *part)
{
    for (size_t i = 0; i < keeping->count; i++)
        if (id_eq(keeping->parts[i].id, part->id))
            return true;
    return false;
}

/* Adds what was kept before to what came. *differs_out: another text is kept under one of the numbers. */
static enum err
parts_merge(struct gateway_worker *worker, const struct keeping *keeping, bool *differs_out)
{
    struct esme_submit *submit = keeping->submit;
    const struct message_part_group *group = keeping->group;
    bool is_whole = group->kept_count == group->part_count;
    enum err err = ERR_OK;

    *differs_out = false;
    for (size_t i = 0; err == ERR_OK && i < group->kept_count && !*differs_out; i++) {
        const struct message_part *part = &group->parts[i];
        bool is_in_hand = submit->group.pieces[part->number - 1].body.ptr != NULL;
        if (is_ours(keeping, part) || (!is_in_hand && (!is_whole || group->is_done)))
            continue;
        struct vault_place place = message_part_place(submit->account.tenant, part->id);
        enum esme_added added = ESME_ADDED;
        struct slice body;
        err = vault_open_content(&worker->vault, &place, &part->pdu, submit->arena, &body);
        if (err == ERR_OK)
            err = esme_group_add(&submit->group, part->command, body, &added);
        *differs_out = err == ERR_OK && (added == ESME_DIFFERENT || added == ESME_ELSEWHERE);
    }
    return err;
}

/* Those that came are on disk then, and with them all that are. */
static enum err
parts_keep(struct gateway_worker *worker, struct esme_submit *submit)
{
    for (int try = 0; try < TRIES_MAX; try++) {
        struct keeping *keeping = arena_alloc(submit->arena, sizeof(*keeping));
        struct message_part_group *group = arena_alloc(submit->arena, sizeof(*group));
        bool differs = false;
        if (keeping == NULL || group == NULL)
            return ERR_NO_MEMORY;
        *group = (struct message_part_group){ .id = id_new(worker->gateway->clock),
                                              .key = submit->account.key,
                                              .part_count = (unsigned)submit->group.part_count,
                                              .wants_receipt =
                                                  esme_group_receipt(&submit->group) != SMPP_RECEIPT_NEVER };
        *keeping = (struct keeping){ .submit = submit, .group = group };
        enum err err = parts_seal(worker, keeping);
        if (err == ERR_OK)
            err = db_run(worker->db, submit->account.tenant, keep_in, keeping);
        if (err == ERR_OK)
            err = parts_merge(worker, keeping, &differs);
        if (err == ERR_OK && differs) {
            err = db_run(worker->db, submit->account.tenant, end_in, keeping);
            if (err != ERR_OK)
                return err;
            continue;
        }
        submit->kept = submit->message = group->id;
        submit->is_done = err == ERR_OK && (group->is_done || !esme_group_is_whole(&submit->group));
        return err;
    }
    return ERR_BUSY; /* somebody else is at it */
}

/* A message. */

static enum err
text_read(const struct esme_submit *submit, json_t **out)
{
    const struct esme_piece *head = head_of(submit);
    enum sms_coding coding = sms_coding_of(head->message.data_coding, SMS_CODING_GSM7);
    struct slice octets;
    struct buf text;

    if (coding == SMS_CODING_BINARY)
        return ERR_MESSAGE_INVALID;
    enum err err = esme_group_join(&submit->group, &octets);
    if (err != ERR_OK)
        return err;
    buf_init(&text, 4 * TEXT_BYTES_MAX);
    sms_decode(octets, coding, head->part.alphabet, &text);
    err = buf_done(&text);
    if (err == ERR_OK) {
        *out = show_text(buf_slice(&text));
        err = *out == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    buf_release_wiped(&text);
    return err;
}

/* schedule_delivery_time and validity_period, as the API has them. */
static enum err
times_set(const struct esme_submit *submit, struct wall_time now)
{
    static const char *const names[] = { "send_at", "expires_at" };
    const struct smpp_message *message = &head_of(submit)->message;
    const struct slice texts[] = { message->schedule, message->validity };

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct wall_time at;
        enum err err = smpp_time_parse(texts[i], now, &at);
        if (err == ERR_NOTHING)
            continue;
        if (err != ERR_OK)
            return ERR_MESSAGE_INVALID;
        if (json_object_set_new(submit->body, names[i], show_time(at)) != 0)
            return ERR_NO_MEMORY;
    }
    return ERR_OK;
}

/* What POST /v1/messages would have been given. */
static enum err
body_make(struct gateway_worker *worker, struct esme_submit *submit)
{
    struct slice sender = head_of(submit)->message.source.digits;
    struct id channel = submit->account.channel;
    json_t *to = NULL, *text = NULL;
    enum err err = recipient_read(submit, &to);

    if (err == ERR_OK)
        err = text_read(submit, &text);
    if (err == ERR_OK && sender.len > 0)
        err = esme_known_channel(submit->server->known, worker->db, &submit->account, sender, &channel);
    if (err == ERR_OK) {
        submit->body = json_pack("{s:o, s:O, s:s, s:{s:s, s:{s:O}}}", "channel_id",
                                 show_id(ID_CHANNEL, channel), "to", to, "category", submit->account.category,
                                 "content", "type", "text", "text", "body", text);
        err = submit->body == NULL ? ERR_NO_MEMORY : times_set(submit, clock_wall(worker->gateway->clock));
    }
    json_decref(to);
    json_decref(text);
    return err;
}

/*
 * By what it is known again. Of parts that were kept: their group, so that a crash between the commit and its
 * answer makes no second message. Of one PDU, where the account wants it: its reference and all that it says,
 * as a keyed index, since keys of requests are stored in the open. NULL ptr: none.
 */
static enum err
repeat_key(struct gateway_worker *worker, struct esme_submit *submit, struct slice *out)
{
    const struct smpp_message *message = &head_of(submit)->message;
    unsigned char index[VAULT_INDEX_BYTES];
    char id[ID_UUID_BYTES];
    uint32_t reference = 0;
    struct buf key;

    *out = SLICE_EMPTY;
    if (!id_is_zero(submit->kept)) {
        id_uuid_print(submit->kept, id);
        *out = arena_format(submit->arena, "smpp-parts-%s", id);
        return out->ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    if (!knows_repeats(submit) ||
        !smpp_tlv_number(message->tlvs, SMPP_TLV_USER_MESSAGE_REFERENCE, 2, &reference))
        return ERR_OK;
    id_uuid_print(submit->account.key, id);
    struct slice text = head_of(submit)->part.octets;
    struct slice said = arena_format(submit->arena, "%s %u %u %zu %.*s %zu %.*s ", id, (unsigned)reference,
                                     (unsigned)message->data_coding, message->source.digits.len,
                                     SLICE_FMT(message->source.digits), message->destination.digits.len,
                                     SLICE_FMT(message->destination.digits));
    char *whole = said.ptr == NULL ? NULL : arena_alloc(submit->arena, said.len + text.len + 1);
    if (whole == NULL)
        return ERR_NO_MEMORY;
    memcpy(whole, said.ptr, said.len);
    if (text.len > 0)
        memcpy(whole + said.len, text.ptr, text.len);
    enum err err = vault_index(&worker->vault, submit->account.tenant, "smpp_repeat",
                               slice_of(whole, said.len + text.len), index);
    if (err != ERR_OK)
        return err;
    buf_init(&key, 128);
    buf_add_text(&key, "smpp-");
    encode_base64url(&key, slice_of(index, sizeof(index)));
    err = buf_done(&key);
    if (err == ERR_OK) {
        *out = arena_copy(submit->arena, buf_slice(&key));
        err = out->ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    buf_release(&key);
    return err;
}

/* All that it is known by is in the key: two with one key say the same. */
static enum err
repeat_set(struct gateway_worker *worker, struct esme_submit *submit)
{
    struct message_ask *ask = &submit->ask;
    struct slice key;
    enum err err = repeat_key(worker, submit, &key);

    if (err != ERR_OK || key.ptr == NULL)
        return err;
    json_t *hashed = show_text(key);
    err = hashed == NULL ? ERR_NO_MEMORY : gateway_request_hash("submit_sm", hashed, 4096, ask->request_hash);
    json_decref(hashed);
    ask->message.idempotency_key = key;
    return err;
}

/* From the committer's thread: it may be another job's that answers first, so only the mailbox is touched. */
static void
submit_done(struct commit *commit, const struct message_accepted *accepted)
{
    struct esme_submit *submit = commit->ctx;

    submit->share.accepted = limiter_counts(accepted);
    limiter_settle(submit->hold);
    submit->status = esme_status_of(accepted->err);
    submit->is_doubtful = err_class(accepted->err) == ERR_CLASS_UNAVAILABLE;
    if (accepted->err == ERR_OK)
        submit->message = accepted->id; /* an earlier one, of a submit that is repeated */
    esme_back(submit->server, &submit->job);
}

/* As far as it goes by itself; ERR_DEFERRED: it is ready for esme_submits_accept. */
static enum err
submit_prepare(struct gateway_worker *worker, struct esme_submit *submit)
{
    struct http_request *request = &submit->request;
    enum err err = body_make(worker, submit);

    if (err == ERR_OK)
        err = contract_check_body(worker->gateway->message_create, submit->body, submit->arena,
                                  &request->problem);
    submit->ask = (struct message_ask){
        .body = submit->body, .at = SLICE(""), .arena = submit->arena, .problem = &request->problem
    };
    if (err == ERR_OK)
        err = message_ask_read(request, SLICE_EMPTY, &submit->ask);
    if (err == ERR_OK && !id_is_zero(submit->kept)) /* its parts were answered with it */
        submit->ask.message.id = submit->ask.plain.message = submit->kept;
    if (err == ERR_OK)
        err = repeat_set(worker, submit);
    if (err != ERR_OK)
        return err;
    submit->message = submit->ask.message.id;
    submit->share = (struct limiter_share){ .channel = submit->ask.message.channel, .asked = 1 };
    err = limiter_take(request, &submit->share, 1, submit->arena, &submit->hold);
    if (err != ERR_OK)
        return err;
    if (esme_group_receipt(&submit->group) != SMPP_RECEIPT_NEVER)
        submit->wanted = submit->message;
    submit->commit = (struct commit){ .request = request,
                                      .message = submit->ask.message,
                                      .plain = &submit->ask.plain,
                                      .request_hash = submit->ask.request_hash,
                                      .done = submit_done,
                                      .ctx = submit };
    return ERR_DEFERRED;
}

enum err
esme_submit_take(struct gateway_worker *worker, struct esme_submit *submit)
{
    bool is_whole = esme_group_is_whole(&submit->group);
    bool is_long = submit->group.part_count > 1;
    enum err err = submit_judge(worker, submit);

    if (err == ERR_OK)
        err = limiter_judge(&submit->request, HTTP_LIMIT_KNOWN);
    if (err == ERR_OK && is_long && (!is_whole || knows_repeats(submit))) {
        err = parts_judge(submit);
        if (err == ERR_OK)
            err = parts_keep(worker, submit);
    }
    return err == ERR_OK && !submit->is_done ? submit_prepare(worker, submit) : err;
}

/* A refusal that the same message would meet again. */
static bool
is_final(uint32_t status)
{
    enum smpp_action action = smpp_status_action(status);

    return action != SMPP_ACTION_RETRY && action != SMPP_ACTION_THROTTLE;
}

bool
esme_submit_is_noted(const struct esme_submit *submit)
{
    bool has_failed = submit->status != SMPP_OK;
    bool has_stray = !id_is_zero(submit->wanted) && !submit->is_doubtful &&
                     (has_failed || !id_eq(submit->wanted, submit->message));

    return has_stray || (!id_is_zero(submit->kept) && !submit->is_done);
}

static enum err
note_in(struct db_tx *tx, void *ctx)
{
    const struct esme_submit *submit = ctx;
    bool has_failed = submit->status != SMPP_OK;
    enum err err = ERR_OK;

    /* Refused, or a repetition of another that has its own. */
    if (!id_is_zero(submit->wanted) && !submit->is_doubtful &&
        (has_failed || !id_eq(submit->wanted, submit->message)))
        err = message_receipt_done(tx, &submit->wanted, 1);
    if (err == ERR_OK && !id_is_zero(submit->kept) && !submit->is_done && !has_failed)
        err = message_parts_done(tx, submit->kept, knows_repeats(submit));
    else if (err == ERR_OK && !id_is_zero(submit->kept) && !submit->is_done && is_final(submit->status))
        err = message_parts_fail(tx, submit->kept, SMPP_STATE_UNDELIVERABLE);
    return err;
}

enum err
esme_submit_note(struct gateway_worker *worker, struct esme_submit *submit)
{
    return db_run(worker->db, submit->account.tenant, note_in, submit);
}
