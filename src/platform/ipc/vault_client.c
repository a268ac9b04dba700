#include "platform/ipc/vault_client.h"
#include "core/clock.h"
#include "core/log.h"
#include "platform/ipc/link.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/*
 * One request is in flight at a time, under `mutex`: the link has one answer to wait for. A caller that gives
 * up leaves the link in order, because reader and writer go on where they stopped, and the answer that nobody
 * waits for any more is known by its request id and passed over.
 */
struct vault_client {
    pthread_mutex_t mutex;
    pthread_cond_t linked; /* on the monotonic clock: a link came */
    int timeout_ms;
    int fd;                    /* under mutex, as all below; -1: wait for the supervisor's */
    struct link_reader reader; /* of fd */
    struct link_writer writer; /* of fd */
    uint32_t last_id;
};

/* What a call does with a good answer, before the frame that holds it is wiped. Under the client's mutex. */
typedef enum err (*answer_use)(void *ctx, const struct vault_answer *answer);

enum err
vault_client_new(int fd, int timeout_ms, struct vault_client **out)
{
    struct vault_client *client = calloc(1, sizeof(*client));
    pthread_condattr_t attributes;

    *out = NULL;
    if (client == NULL)
        goto failed;
    if (pthread_condattr_init(&attributes) != 0)
        goto failed;
    if (pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) != 0 ||
        pthread_cond_init(&client->linked, &attributes) != 0)
        goto failed_with_attributes;
    if (pthread_mutex_init(&client->mutex, NULL) != 0) {
        pthread_cond_destroy(&client->linked);
        goto failed_with_attributes;
    }
    pthread_condattr_destroy(&attributes);
    client->timeout_ms = timeout_ms;
    client->fd = fd;
    link_reader_init(&client->reader, fd);
    link_writer_init(&client->writer, fd);
    *out = client;
    return ERR_OK;
failed_with_attributes:
    pthread_condattr_destroy(&attributes);
failed:
    free(client);
    if (fd >= 0)
        close(fd);
    return ERR_NO_MEMORY;
}

static void
link_drop_locked(struct vault_client *client)
{
    link_reader_release(&client->reader);
    link_writer_release(&client->writer);
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
}

void
vault_client_free(struct vault_client *client)
{
    if (client == NULL)
        return;
    link_drop_locked(client);
    pthread_cond_destroy(&client->linked);
    pthread_mutex_destroy(&client->mutex);
    free(client);
}

void
vault_client_relink(struct vault_client *client, int fd)
{
    pthread_mutex_lock(&client->mutex);
    link_drop_locked(client);
    client->fd = fd;
    link_reader_init(&client->reader, fd);
    link_writer_init(&client->writer, fd);
    pthread_cond_broadcast(&client->linked);
    pthread_mutex_unlock(&client->mutex);
}

/* Until the supervisor hands over a link, as it does when it has started the vault again. ERR_TIMEOUT. */
static enum err
link_wait_locked(struct vault_client *client, struct mono_time until)
{
    struct timespec at = { .tv_sec = until.us / 1000000, .tv_nsec = until.us % 1000000 * 1000 };

    while (client->fd < 0)
        if (pthread_cond_timedwait(&client->linked, &client->mutex, &at) == ETIMEDOUT && client->fd < 0)
            return ERR_TIMEOUT;
    return ERR_OK;
}

static enum err
socket_wait(int fd, short events, struct mono_time until)
{
    struct pollfd wait = { .fd = fd, .events = events };

    for (;;) {
        int64_t left_us = until.us - clock_mono(clock_system()).us;
        if (left_us <= 0)
            return ERR_TIMEOUT;
        int n = poll(&wait, 1, (int)((left_us + 999) / 1000));
        if (n > 0)
            return ERR_OK;
        if (n < 0 && errno != EINTR)
            return ERR_SYSTEM;
    }
}

static enum err
flush_locked(struct vault_client *client, struct mono_time until)
{
    enum err err;

    while ((err = link_writer_flush(&client->writer)) == ERR_INCOMPLETE) {
        err = socket_wait(client->fd, POLLOUT, until);
        if (err != ERR_OK)
            return err;
    }
    return err;
}

/* The answer to request `id`; it points into the reader. ERR_FRAME: the link is of no more use. */
static enum err
answer_receive_locked(struct vault_client *client, enum vault_op op, uint32_t id, struct mono_time until,
                      struct vault_answer *out)
{
    for (;;) {
        struct slice frame;
        int rider;
        enum err err = link_reader_fill(&client->reader);
        if (err != ERR_OK)
            return err;
        if (link_reader_take(&client->reader, &frame, &rider) == ERR_OK) {
            if (rider >= 0)
                close(rider);
            if (rider >= 0 || vault_answer_decode(frame, out) != ERR_OK)
                return ERR_FRAME;
            if (out->id == id)
                return out->op == op ? ERR_OK : ERR_FRAME;
            continue; /* to a request that was given up */
        }
        err = socket_wait(client->fd, POLLIN, until);
        if (err != ERR_OK)
            return err;
    }
}

/* Once there and back on the present link. ERR_FRAME and ERR_SYSTEM: the link is dropped. */
static enum err
exchange_locked(struct vault_client *client, struct vault_request *request, struct mono_time until,
                struct vault_answer *answer)
{
    struct buf frame;

    buf_init(&frame, VAULT_FRAME_BYTES_MAX);
    request->id = ++client->last_id;
    vault_request_encode(&frame, request);
    enum err err = buf_done(&frame);
    if (err == ERR_OK)
        err = flush_locked(client, until); /* the rest of a request that was given up */
    if (err == ERR_OK)
        err = link_writer_put(&client->writer, buf_slice(&frame));
    buf_release_wiped(&frame);
    if (err == ERR_OK)
        err = flush_locked(client, until);
    if (err == ERR_OK)
        err = answer_receive_locked(client, request->op, request->id, until, answer);
    if (err == ERR_FRAME || err == ERR_SYSTEM) {
        log_event(LOG_WARN, "vault.link_lost", LOG_ERR(err));
        link_drop_locked(client);
    }
    return err;
}

/*
 * Asks until there is an answer or the time is over. A link that breaks is waited for: what the vault does
 * leaves nothing behind, so the same request may be asked again of the next one.
 */
static enum err
ask_locked(struct vault_client *client, struct vault_request *request, struct vault_answer *answer)
{
    struct mono_time until = mono_after_ms(clock_mono(clock_system()), client->timeout_ms);
    enum err err;

    do {
        err = link_wait_locked(client, until);
        if (err == ERR_OK)
            err = exchange_locked(client, request, until, answer);
    } while (err == ERR_FRAME || err == ERR_SYSTEM);
    return err == ERR_TIMEOUT ? ERR_VAULT_UNAVAILABLE : err;
}

static enum err
ask_and_use(struct vault_client *client, struct vault_request *request, struct vault_answer *answer,
            answer_use use, void *use_ctx)
{
    pthread_mutex_lock(&client->mutex);
    enum err err = ask_locked(client, request, answer);
    if (err == ERR_OK)
        err = vault_result_err(answer->result);
    if (err == ERR_OK && use != NULL)
        err = use(use_ctx, answer);
    link_reader_forget(&client->reader); /* wipes the answer */
    pthread_mutex_unlock(&client->mutex);
    return err;
}

/* Hands the vault the key that it said it lacks. Not under the mutex: the source asks the database. */
static enum err
key_load(const struct vault *vault, const struct vault_missing_key *missing)
{
    struct vault_request request = { .op = VAULT_OP_KEY_LOAD, .is_newest = missing->version == 0 };
    struct vault_answer answer;

    if (vault->key_source == NULL)
        return ERR_VAULT_KEY_MISSING;
    enum err err = vault->key_source(vault->key_source_ctx, missing->tenant, missing->purpose,
                                     missing->version, &request.key);
    if (err != ERR_OK)
        return err == ERR_NOT_FOUND ? ERR_VAULT_KEY_MISSING : err;
    return ask_and_use(vault->client, &request, &answer, NULL, NULL);
}

static bool
is_same_key(const struct vault_missing_key *a, const struct vault_missing_key *b)
{
    return id_eq(a->tenant, b->tenant) && a->purpose == b->purpose && a->version == b->version;
}

/* Asks, and loads what keys the vault lacks; a key that it still lacks after that is the end of it. */
static enum err
call(const struct vault *vault, struct vault_request *request, answer_use use, void *use_ctx)
{
    struct vault_missing_key before = { .version = 0 };
    struct vault_answer answer = { .missing = before };

    for (size_t loads = 0;; loads++) {
        enum err err = ask_and_use(vault->client, request, &answer, use, use_ctx);
        if (err != ERR_VAULT_KEY_MISSING || loads == VAULT_SEAL_KEYS_MAX ||
            (loads > 0 && is_same_key(&before, &answer.missing)))
            return err;
        before = answer.missing;
        err = key_load(vault, &before);
        if (err != ERR_OK)
            return err;
    }
}

static struct vault_frame_place
frame_place(const struct vault_place *place)
{
    return (struct vault_frame_place){ .tenant = place->tenant,
                                       .table = slice_text(place->table),
                                       .column = slice_text(place->column),
                                       .row = place->row,
                                       .generation = place->generation };
}

/* What a seal gives back, and where to. */
struct seal_use {
    struct vault_seal_item *items;
    size_t count;
    struct arena *arena;
};

static enum err
seal_use(void *ctx, const struct vault_answer *answer)
{
    const struct seal_use *to = ctx;

    if (answer->sealed_count != to->count)
        return ERR_FRAME;
    for (size_t i = 0; i < to->count; i++) {
        struct vault_seal_item *item = &to->items[i];
        if (answer->indexes[i].is_made != (item->index_label != NULL))
            return ERR_FRAME;
        item->sealed = answer->sealed[i];
        item->sealed.cipher = arena_copy(to->arena, item->sealed.cipher);
        if (item->sealed.cipher.ptr == NULL)
            return ERR_NO_MEMORY;
        memcpy(item->index, answer->indexes[i].mac, sizeof(item->index));
    }
    return ERR_OK;
}

enum err
vault_seal_many(const struct vault *vault, enum vault_purpose purpose, struct vault_seal_item *items,
                size_t count, struct arena *arena)
{
    struct vault_request request = { .op = VAULT_OP_SEAL, .purpose = purpose, .item_count = count };
    struct seal_use to = { items, count, arena };

    if (count == 0 || count > VAULT_SEAL_ITEMS_MAX)
        bug("a seal of no or too many values");
    for (size_t i = 0; i < count; i++) {
        if (items[i].plain.len > VAULT_PLAIN_BYTES_MAX)
            return ERR_LIMIT;
        request.items[i].place = frame_place(&items[i].place);
        request.items[i].index_label = slice_text(items[i].index_label);
        request.items[i].plain = items[i].plain;
    }
    return call(vault, &request, seal_use, &to);
}

enum err
vault_seal(const struct vault *vault, enum vault_purpose purpose, const struct vault_place *place,
           struct slice plain, struct arena *arena, struct vault_sealed *sealed_out)
{
    struct vault_seal_item item = { .place = *place, .plain = plain };
    enum err err = vault_seal_many(vault, purpose, &item, 1, arena);

    if (err == ERR_OK)
        *sealed_out = item.sealed;
    return err;
}

static enum err
open_secret_use(void *ctx, const struct vault_answer *answer)
{
    struct secret **out = ctx;

    *out = secret_copy(answer->plain);
    return *out == NULL ? ERR_NO_MEMORY : ERR_OK;
}

/* Nothing that the vault sealed is longer: so it is not asked. */
static bool
is_cipher_too_long(const struct vault_sealed *sealed)
{
    return sealed->cipher.len > VAULT_PLAIN_BYTES_MAX || sealed->key_version == 0;
}

enum err
vault_open(const struct vault *vault, enum vault_purpose purpose, const struct vault_place *place,
           const struct vault_sealed *sealed, struct secret **plain_out)
{
    struct vault_request request = {
        .op = VAULT_OP_OPEN, .purpose = purpose, .place = frame_place(place), .sealed = *sealed
    };

    *plain_out = NULL;
    if (is_cipher_too_long(sealed))
        return ERR_SEAL_CORRUPT;
    return call(vault, &request, open_secret_use, plain_out);
}

struct open_use {
    struct arena *arena;
    struct slice *out;
};

static enum err
open_content_use(void *ctx, const struct vault_answer *answer)
{
    const struct open_use *to = ctx;

    *to->out = arena_copy(to->arena, answer->plain);
    return to->out->ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
}

/* Straight from the answer into the arena: the answer is wiped, and there is no copy in between. */
enum err
vault_open_content(const struct vault *vault, const struct vault_place *place,
                   const struct vault_sealed *sealed, struct arena *arena, struct slice *plain_out)
{
    struct vault_request request = {
        .op = VAULT_OP_OPEN, .purpose = VAULT_CONTENT, .place = frame_place(place), .sealed = *sealed
    };
    struct open_use to = { arena, plain_out };

    *plain_out = SLICE_EMPTY;
    if (is_cipher_too_long(sealed))
        return ERR_SEAL_CORRUPT;
    return call(vault, &request, open_content_use, &to);
}

static enum err
mac_use(void *ctx, const struct vault_answer *answer)
{
    memcpy(ctx, answer->mac, VAULT_MAC_BYTES);
    return ERR_OK;
}

enum err
vault_index(const struct vault *vault, struct id tenant, const char *label, struct slice value,
            unsigned char out[VAULT_INDEX_BYTES])
{
    struct vault_request request = {
        .op = VAULT_OP_INDEX, .tenant = tenant, .label = slice_text(label), .data = value
    };

    if (value.len > VAULT_PLAIN_BYTES_MAX)
        return ERR_LIMIT;
    return call(vault, &request, mac_use, out);
}

/* The operations with a credential that stays in the vault. */
static enum err
credential_call(const struct vault *vault, enum vault_op op, const struct vault_place *place,
                const struct vault_sealed *credential, struct slice data, const unsigned char *mac,
                answer_use use, void *use_ctx)
{
    struct vault_request request = {
        .op = op, .place = frame_place(place), .sealed = *credential, .data = data
    };

    if (data.len > VAULT_PLAIN_BYTES_MAX)
        return ERR_LIMIT;
    if (is_cipher_too_long(credential))
        return ERR_SEAL_CORRUPT;
    if (mac != NULL)
        memcpy(request.mac, mac, sizeof(request.mac));
    return call(vault, &request, use, use_ctx);
}

enum err
vault_verify_mac(const struct vault *vault, const struct vault_place *place,
                 const struct vault_sealed *secret, struct slice body, const unsigned char mac[32])
{
    return credential_call(vault, VAULT_OP_VERIFY_MAC, place, secret, body, mac, NULL, NULL);
}

enum err
vault_matches(const struct vault *vault, const struct vault_place *place, const struct vault_sealed *secret,
              struct slice candidate)
{
    return credential_call(vault, VAULT_OP_MATCHES, place, secret, candidate, NULL, NULL, NULL);
}

enum err
vault_sign_mac(const struct vault *vault, const struct vault_place *place, const struct vault_sealed *secret,
               struct slice content, unsigned char out[32])
{
    return credential_call(vault, VAULT_OP_SIGN_MAC, place, secret, content, NULL, mac_use, out);
}

static enum err
signature_use(void *ctx, const struct vault_answer *answer)
{
    memcpy(ctx, answer->signature, VAULT_SIGNATURE_BYTES);
    return ERR_OK;
}

enum err
vault_sign_ed25519(const struct vault *vault, const struct vault_place *place,
                   const struct vault_sealed *private_key, struct slice content,
                   unsigned char out[VAULT_SIGNATURE_BYTES])
{
    return credential_call(vault, VAULT_OP_SIGN_ED25519, place, private_key, content, NULL, signature_use,
                           out);
}

struct make_use {
    struct arena *arena;
    struct vault_sealed *sealed;
    unsigned char *public_key;
};

static enum err
make_use(void *ctx, const struct vault_answer *answer)
{
    const struct make_use *to = ctx;

    *to->sealed = answer->sealed[0];
    to->sealed->cipher = arena_copy(to->arena, answer->sealed[0].cipher);
    memcpy(to->public_key, answer->public_key, VAULT_PUBLIC_KEY_BYTES);
    return to->sealed->cipher.ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
}

enum err
vault_make_ed25519(const struct vault *vault, const struct vault_place *place, struct arena *arena,
                   struct vault_sealed *sealed_out, unsigned char public_out[VAULT_PUBLIC_KEY_BYTES])
{
    struct vault_request request = { .op = VAULT_OP_MAKE_ED25519, .place = frame_place(place) };
    struct make_use to = { arena, sealed_out, public_out };

    return call(vault, &request, make_use, &to);
}

static enum err
keys_use(void *ctx, const struct vault_answer *answer)
{
    memcpy(ctx, answer->keys, sizeof(answer->keys));
    return ERR_OK;
}

enum err
vault_make_keys(const struct vault *vault, struct id tenant, struct vault_wrapped_key out[3])
{
    struct vault_request request = { .op = VAULT_OP_MAKE_KEYS, .tenant = tenant };

    return call(vault, &request, keys_use, out);
}

static enum err
facts_use(void *ctx, const struct vault_answer *answer)
{
    struct vault_facts *facts = ctx;

    *facts = (struct vault_facts){ .memory = answer->memory,
                                   .kek_version = answer->kek_version,
                                   .keys_held = answer->keys_held,
                                   .uses_uncounted = answer->uses_uncounted,
                                   .instance = answer->instance,
                                   .kek_count = answer->kek_count };
    memcpy(facts->keks, answer->keks, sizeof(facts->keks));
    return ERR_OK;
}

enum err
vault_facts(const struct vault *vault, struct vault_facts *out)
{
    struct vault_request request = { .op = VAULT_OP_FACTS };

    return call(vault, &request, facts_use, out);
}

/* What a reseal gives back, and where to. */
struct reseal_use {
    struct vault_reseal_item *items;
    size_t count;
    struct arena *arena;
};

static enum err
reseal_use(void *ctx, const struct vault_answer *answer)
{
    const struct reseal_use *to = ctx;

    if (answer->sealed_count != to->count)
        return ERR_FRAME;
    for (size_t i = 0; i < to->count; i++) {
        to->items[i].sealed = answer->sealed[i];
        to->items[i].sealed.cipher = arena_copy(to->arena, answer->sealed[i].cipher);
        if (to->items[i].sealed.cipher.ptr == NULL)
            return ERR_NO_MEMORY;
    }
    return ERR_OK;
}

enum err
vault_reseal(const struct vault *vault, enum vault_purpose purpose, struct vault_reseal_item *items,
             size_t count, struct arena *arena)
{
    struct vault_request request = { .op = VAULT_OP_RESEAL, .purpose = purpose, .item_count = count };
    struct reseal_use to = { items, count, arena };

    if (count == 0 || count > VAULT_SEAL_ITEMS_MAX)
        bug("a reseal of no or too many values");
    for (size_t i = 0; i < count; i++) {
        if (is_cipher_too_long(&items[i].sealed))
            return ERR_SEAL_CORRUPT;
        request.items[i].place = frame_place(&items[i].place);
        request.items[i].sealed = items[i].sealed;
    }
    return call(vault, &request, reseal_use, &to);
}

static enum err
key_use(void *ctx, const struct vault_answer *answer)
{
    *(struct vault_wrapped_key *)ctx = answer->keys[0];
    return ERR_OK;
}

enum err
vault_rewrap(const struct vault *vault, const struct vault_wrapped_key *key, struct vault_wrapped_key *out)
{
    struct vault_request request = { .op = VAULT_OP_REWRAP, .key = *key };

    return call(vault, &request, key_use, out);
}

enum err
vault_make_key(const struct vault *vault, struct id tenant, enum vault_purpose purpose, uint32_t version,
               struct vault_wrapped_key *out)
{
    struct vault_request request = {
        .op = VAULT_OP_MAKE_KEY, .tenant = tenant, .purpose = purpose, .version = version
    };

    return call(vault, &request, key_use, out);
}

enum err
vault_key_load(const struct vault *vault, const struct vault_wrapped_key *key, bool is_newest)
{
    struct vault_request request = { .op = VAULT_OP_KEY_LOAD, .key = *key, .is_newest = is_newest };

    return call(vault, &request, NULL, NULL);
}

enum err
vault_forget_key(const struct vault *vault, struct id tenant, enum vault_purpose purpose, uint32_t version)
{
    struct vault_request request = {
        .op = VAULT_OP_FORGET, .tenant = tenant, .purpose = purpose, .version = version
    };

    return call(vault, &request, NULL, NULL);
}

enum err
vault_forget_tenant(const struct vault *vault, struct id tenant)
{
    struct vault_request request = { .op = VAULT_OP_FORGET, .tenant = tenant, .is_whole_tenant = true };

    return call(vault, &request, NULL, NULL);
}

enum err
vault_forget_kek(const struct vault *vault, uint32_t version)
{
    struct vault_request request = { .op = VAULT_OP_KEK_FORGET, .version = version };

    return call(vault, &request, NULL, NULL);
}

static enum err
uses_use(void *ctx, const struct vault_answer *answer)
{
    struct vault_uses *uses = ctx;

    *uses = (struct vault_uses){ .instance = answer->instance,
                                 .batch = answer->batch,
                                 .count = answer->use_count };
    memcpy(uses->uses, answer->uses, answer->use_count * sizeof(answer->uses[0]));
    return ERR_OK;
}

enum err
vault_usage_take(const struct vault *vault, uint32_t taken, struct vault_uses *out)
{
    struct vault_request request = { .op = VAULT_OP_USAGE, .taken = taken };

    return call(vault, &request, uses_use, out);
}
