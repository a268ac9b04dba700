/*
 * POST /v1/messages/batch: up to 1,000 messages in one request, each with its own result in order. One
 * request is a few group commits. What is wrong with one message is said of that one.
 */
#include "core/metric.h"
#include "crypto/encode.h"
#include "crypto/hash.h"
#include "program/gateway/committer.h"
#include "program/gateway/gateway.h"
#include "program/gateway/limiter.h"
#include "program/gateway/message_ask.h"
#include "wire/json/json.h"
#include <stdatomic.h>

#define BATCH_BODY_BYTES_MAX  (4u * 1024u * 1024u)
#define BATCH_ARENA_BYTES     (48u * 1024u * 1024u) /* contents printed and sealed, and what surrounds them */
#define BATCH_MESSAGES_MAX    1000u                 /* as in the contract */
#define ITEM_ERRORS_SHOWN_MAX 2u /* of one message: all answers of a batch fit into a request's arena */

struct batch_item {
    struct commit commit;
    struct message_ask ask;
    struct problem problem;
    json_t *body;           /* owned: the message without its idempotency key */
    enum err err;           /* ERR_OK so far */
    bool is_replay, counts; /* the latter: in quotas */
    struct id id;           /* what it became */
    enum policy_decision decision;
};

struct batch {
    struct http_request *request;
    struct arena *arena; /* owned; in it are the items, and this */
    struct batch_item *items;
    size_t count;
    struct slice key_hash;        /* of the key of the whole, in hexadecimal; NULL ptr: there is none */
    struct limiter_share *shares; /* one for each sender of those that are handed over */
    size_t share_count;
    struct limiter_hold *hold; /* of their quotas; NULL: nothing is handed over */
    atomic_size_t waiting;     /* items that the committer has, and one for whoever still submits */
};

static void
batch_free(struct batch *batch)
{
    if (batch == NULL)
        return;
    for (size_t i = 0; batch->items != NULL && i < batch->count; i++)
        json_decref(batch->items[i].body);
    arena_free(batch->arena);
}

static enum err
batch_new(struct http_request *request, struct batch **out)
{
    const json_t *messages = json_member(request_json(request), "messages");
    struct arena *arena = arena_new(BATCH_ARENA_BYTES);
    struct batch *batch = arena == NULL ? NULL : arena_alloc(arena, sizeof(*batch));

    if (batch == NULL) {
        arena_free(arena);
        return ERR_NO_MEMORY;
    }
    *batch = (struct batch){ .request = request, .arena = arena, .count = json_array_size(messages) };
    batch->items = arena_array(arena, batch->count, sizeof(*batch->items));
    if (batch->items == NULL) {
        batch_free(batch);
        return ERR_NO_MEMORY;
    }
    *out = batch;
    return ERR_OK;
}

/* The item's own key; else, when the whole has one, a key made of that and its place. No client can send a
 * key that begins with U+0001. */
static enum err
item_key(const struct batch *batch, size_t index, struct batch_item *item, struct slice *out)
{
    const json_t *key = json_member(
        json_array_get(json_member(request_json(batch->request), "messages"), index), "idempotency_key");

    *out = SLICE_EMPTY;
    if (key == NULL) {
        if (batch->key_hash.ptr == NULL)
            return ERR_OK;
        *out = arena_format(batch->arena, "\x01%.*s:%zu", SLICE_FMT(batch->key_hash), index);
        return out->ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    *out = slice_of(json_string_value(key), json_string_length(key));
    bool is_key = out->ptr != NULL && out->len >= 1 && out->len <= 255;
    for (size_t i = 0; is_key && i < out->len; i++)
        is_key = out->ptr[i] > ' ' && out->ptr[i] <= '~' && out->ptr[i] != '"' && out->ptr[i] != '\\';
    if (is_key)
        return ERR_OK;
    problem_add(&item->problem, batch->arena, SLICE("/idempotency_key"),
                SLICE("must be 1 to 255 visible ASCII characters"));
    return ERR_CONTRACT;
}

/* From the request's JSON to a message that lacks its seal, or to the item's error. */
static void
item_read(struct batch *batch, size_t index)
{
    const struct gateway *gateway = gateway_worker_of(batch->request)->gateway;
    struct batch_item *item = &batch->items[index];
    const json_t *messages = json_member(request_json(batch->request), "messages");
    struct slice key = SLICE_EMPTY, at = arena_format(batch->arena, "/messages/%zu", index);

    item->body = json_copy(json_iterable(json_array_get(messages, index)));
    item->err = at.ptr == NULL || item->body == NULL ? ERR_NO_MEMORY : ERR_OK;
    if (item->err == ERR_OK)
        item->err = item_key(batch, index, item, &key);
    if (item->err == ERR_OK) {
        json_object_del(item->body, "idempotency_key"); /* absent mostly; then nothing happens */
        item->err = contract_check_body(gateway->message_create, item->body, batch->arena, &item->problem);
    }
    for (size_t i = 0; i < item->problem.count; i++) /* so far they are within the message */
        item->problem.errors[i].pointer =
            arena_format(batch->arena, "%.*s%.*s", SLICE_FMT(at), SLICE_FMT(item->problem.errors[i].pointer));
    item->ask = (struct message_ask){
        .body = item->body, .at = at, .arena = batch->arena, .problem = &item->problem
    };
    if (item->err == ERR_OK)
        item->err = message_ask_read(batch->request, key, &item->ask);
}

/* {"status": 422, "problem": {...}}; NULL without memory. */
static json_t *
refused_show(const struct batch *batch, struct batch_item *item)
{
    char request_id[ID_TEXT_BYTES];
    json_t *problem = NULL;
    struct buf text;

    if (item->problem.count > ITEM_ERRORS_SHOWN_MAX)
        item->problem.count = ITEM_ERRORS_SHOWN_MAX;
    buf_init(&text, 16384);
    problem_print(&text, item->err, &item->problem, id_print(ID_REQUEST, batch->request->id, request_id));
    if (buf_done(&text) != ERR_OK || json_parse(buf_slice(&text), &problem) != ERR_OK)
        problem = NULL;
    buf_release(&text);
    return problem == NULL ? NULL
                           : json_pack("{s:i, s:o}", "status", problem_status(item->err), "problem", problem);
}

static json_t *
item_show(const struct batch *batch, struct batch_item *item)
{
    if (item->err != ERR_OK)
        return refused_show(batch, item);
    return json_pack("{s:i, s:o, s:b, s:s}", "status", 202, "id", show_id(ID_MESSAGE, item->id), "replayed",
                     item->is_replay, "decision", policy_decision_word(item->decision));
}

static struct limiter_share *
share_of(const struct batch *batch, struct id channel)
{
    for (size_t i = 0; i < batch->share_count; i++)
        if (id_eq(batch->shares[i].channel, channel))
            return &batch->shares[i];
    return NULL;
}

/* The quotas of all that are handed over, in one decision: all of them, or none. */
static enum err
batch_hold(struct batch *batch)
{
    batch->shares = arena_array(batch->arena, batch->count, sizeof(*batch->shares));
    if (batch->shares == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->items[i].err != ERR_OK)
            continue;
        struct id channel = batch->items[i].ask.message.channel;
        struct limiter_share *share = share_of(batch, channel);
        if (share == NULL) {
            share = &batch->shares[batch->share_count++];
            *share = (struct limiter_share){ .channel = channel };
        }
        share->asked++;
    }
    return batch->share_count == 0
               ? ERR_OK
               : limiter_take(batch->request, batch->shares, batch->share_count, batch->arena, &batch->hold);
}

static void
batch_settle(struct batch *batch)
{
    if (batch == NULL || batch->hold == NULL)
        return;
    for (size_t i = 0; i < batch->count; i++)
        if (batch->items[i].counts)
            share_of(batch, batch->items[i].ask.message.channel)->accepted++;
    limiter_settle(batch->hold);
}

/* When nothing is under way any more: answers for all, and ends the batch. From any thread. */
static void
batch_finish(struct batch *batch)
{
    struct http_request *request = batch->request;
    struct http_response response = { 0 };
    json_t *results = json_array();
    size_t accepted = 0;

    batch_settle(batch);
    for (size_t i = 0; i < batch->count; i++) {
        accepted += batch->items[i].err == ERR_OK;
        show_append(&results, item_show(batch, &batch->items[i]));
    }
    json_t *shown = results == NULL
                        ? NULL
                        : json_pack("{s:I, s:I, s:o}", "accepted", (json_int_t)accepted, "refused",
                                    (json_int_t)(batch->count - accepted), "results", results);
    enum err err = http_reply_json(request, &response, 202, shown);
    batch_free(batch);
    if (err == ERR_OK)
        http_answer(request, &response);
    else
        http_answer_problem(request, err);
}

static void
batch_release(struct batch *batch)
{
    if (atomic_fetch_sub(&batch->waiting, 1) == 1)
        batch_finish(batch);
}

static void
item_done(struct commit *commit, const struct message_accepted *accepted)
{
    struct batch *batch = commit->ctx;
    /* The commit is the item's first member. */
    struct batch_item *item = &batch->items[(size_t)((struct batch_item *)commit - batch->items)];

    item->err = accepted->err;
    item->id = accepted->id;
    item->decision = accepted->decision;
    item->is_replay = accepted->is_replay;
    item->counts = limiter_counts(accepted);
    batch_release(batch);
}

/* The whole under one key: another whole under it is refused, the same one goes on where it was cut off. */
struct batch_claim {
    struct slice key;
    unsigned char fingerprint[MESSAGE_FINGERPRINT_BYTES];
    struct id id;
};

static enum err
claim_in(struct db_tx *tx, void *ctx)
{
    const struct batch_claim *claim = ctx;

    return message_batch_claim(tx, claim->key, claim->fingerprint, claim->id);
}

static enum err
batch_claim(struct batch *batch)
{
    struct batch_claim claim = { .id = id_new(gateway_worker_of(batch->request)->gateway->clock) };
    unsigned char hash[HASH_BYTES];
    struct buf hex;
    enum err err = request_idempotency_key(batch->request, &claim.key);

    if (err != ERR_OK || claim.key.ptr == NULL)
        return err;
    buf_init(&hex, 2 * HASH_BYTES);
    err = gateway_fingerprint(batch->request, "POST /v1/messages/batch", request_json(batch->request),
                              4 * BATCH_BODY_BYTES_MAX, claim.fingerprint);
    if (err == ERR_OK)
        err = hash_sha256(claim.key, hash);
    encode_hex(&hex, slice_of(hash, sizeof(hash)));
    batch->key_hash = arena_copy(batch->arena, buf_slice(&hex));
    if (err == ERR_OK && (buf_done(&hex) != ERR_OK || batch->key_hash.ptr == NULL))
        err = ERR_NO_MEMORY;
    buf_release(&hex);
    return err == ERR_OK ? gateway_write(batch->request, claim_in, &claim) : err;
}

static enum err
batch_submit(struct batch *batch)
{
    struct commit **commits = arena_array(batch->arena, batch->count, sizeof(struct commit *));
    size_t count = 0;

    if (commits == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < batch->count; i++) {
        struct batch_item *item = &batch->items[i];
        if (item->err != ERR_OK)
            continue;
        item->commit = (struct commit){ .request = batch->request,
                                        .message = item->ask.message,
                                        .plain = &item->ask.plain,
                                        .request_hash = item->ask.request_hash,
                                        .done = item_done,
                                        .ctx = batch };
        commits[count++] = &item->commit;
    }
    atomic_store(&batch->waiting, count + 1);
    enum err err = count == 0 ? ERR_OK
                              : committer_submit_many(gateway_worker_of(batch->request)->gateway->committer,
                                                      commits, count);
    if (err == ERR_OK)
        batch_release(batch); /* the submitter's own: it may answer here, and the batch is gone */
    return err;
}

static enum err
message_post_batch(struct http_request *request, struct http_response *response UNUSED)
{
    struct batch *batch = NULL;
    size_t count = json_array_size(json_member(request_json(request), "messages"));
    enum err err = committer_has_room(gateway_worker_of(request)->gateway->committer, count)
                       ? batch_new(request, &batch)
                       : ERR_BUSY;

    if (err == ERR_OK)
        err = batch_claim(batch);
    for (size_t i = 0; err == ERR_OK && i < batch->count; i++) {
        item_read(batch, i);
        if (err_class(batch->items[i].err) == ERR_CLASS_UNAVAILABLE) /* not of the message: the whole again */
            err = batch->items[i].err;
    }
    if (err == ERR_OK)
        err = batch_hold(batch);
    if (err == ERR_OK)
        err = batch_submit(batch);
    if (err == ERR_OK)
        return ERR_DEFERRED;
    batch_settle(batch); /* nothing was handed over: all is given back */
    batch_free(batch);
    return err;
}

const struct http_route message_batch_routes[] = {
    { HTTP_POST, "/v1/messages/batch", message_post_batch, "createMessageBatch", HTTP_ACCESS_KEY,
      "messages:send", .body_bytes_max = BATCH_BODY_BYTES_MAX },
    { .handler = NULL },
};
