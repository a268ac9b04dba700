#include "platform/ipc/vault_client.h"
#include "core/clock.h"
#include "core/log.h"
#include "platform/ipc/link.h"
#include "platform/ipc/vault_client_internal.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* Of one exchange: what is on its way at most. The vault's answers to so many fit into its socket. */
#define IN_FLIGHT_MAX   256u
#define WRITE_BYTES_MAX 49152u /* written at once: more is only added when these are gone */

/*
 * One exchange is under way at a time, under `mutex`; the vault answers in the order in which it was asked. A
 * caller that gives up leaves the link in order, because reader and writer go on where they stopped, and the
 * answers that nobody waits for any more are known by their request ids and passed over.
 */
struct vault_client {
    pthread_mutex_t mutex;
    pthread_cond_t linked; /* on the monotonic clock: a link came */
    int timeout_ms;
    int fd;                    /* under mutex, as all below; -1: wait for the supervisor's */
    struct link_reader reader; /* of fd */
    struct link_writer writer; /* of fd */
    uint32_t last_id;
    struct vault_answer answer; /* the one that is being used */
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
    link_reader_init_ahead(&client->reader, fd);
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
    link_reader_init_ahead(&client->reader, fd);
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

/* An exchange on one link. */
struct turn {
    const struct vault_exchange *exchange;
    struct vault_request *unsent; /* that found no room yet; NULL: ask for the next one */
    uint32_t first_id;            /* of the oldest request without an answer */
    size_t in_flight;
    bool is_all_sent;
    bool is_full; /* no room for the next one until an answer has come */
};

/* Puts requests into the writer, as many as may be under way. What finds no room for good is settled. */
static void
turn_put(struct vault_client *client, struct turn *turn)
{
    turn->is_full = false;
    while (!turn->is_all_sent && turn->in_flight < IN_FLIGHT_MAX &&
           client->writer.bytes.len < WRITE_BYTES_MAX) {
        if (turn->unsent == NULL)
            turn->unsent = turn->exchange->next(turn->exchange->ctx);
        if (turn->unsent == NULL) {
            turn->is_all_sent = true;
            return;
        }
        turn->unsent->id = turn->first_id + (uint32_t)turn->in_flight;
        vault_request_encode(link_writer_begin(&client->writer), turn->unsent);
        enum err err = link_writer_end(&client->writer);
        if (err == ERR_OK) {
            turn->in_flight++;
            turn->unsent = NULL;
            continue;
        }
        turn->is_full = turn->in_flight > 0 || !link_writer_is_idle(&client->writer);
        if (turn->is_full)
            return; /* there may be room when something has gone */
        turn->unsent = NULL;
        if (turn->exchange->settle(turn->exchange->ctx, err, NULL) != ERR_OK)
            bug("no answer can be no wrong one");
    }
}

/* Uses what answers are there. ERR_FRAME, ERR_SYSTEM: the link is of no more use. */
static enum err
turn_take(struct vault_client *client, struct turn *turn)
{
    struct vault_answer *answer = &client->answer;
    struct slice frame;
    int rider;
    enum err err = link_reader_fill(&client->reader);

    while (err == ERR_OK && link_reader_take(&client->reader, &frame, &rider) == ERR_OK) {
        if (vault_answer_decode(frame, answer) != ERR_OK) {
            err = ERR_FRAME;
        } else if (turn->in_flight > 0 && answer->id == turn->first_id) {
            err = turn->exchange->settle(turn->exchange->ctx, vault_result_err(answer->result), answer);
            turn->first_id++;
            turn->in_flight--;
        } /* else to a request that was given up */
    }
    link_reader_forget(&client->reader); /* wipes the answer */
    return err;
}

/* Until all have an answer. ERR_FRAME, ERR_SYSTEM: the link is dropped. ERR_TIMEOUT. */
static enum err
exchange_on_link(struct vault_client *client, const struct vault_exchange *exchange, struct mono_time until)
{
    struct turn turn = { .exchange = exchange, .first_id = client->last_id + 1 };
    enum err err = ERR_OK;

    for (;;) {
        turn_put(client, &turn);
        if (turn.is_all_sent && turn.in_flight == 0)
            break;
        err = link_writer_flush(&client->writer);
        bool is_blocked = err == ERR_INCOMPLETE;
        if (err == ERR_OK &&
            (turn.in_flight == 0 || (!turn.is_all_sent && !turn.is_full && turn.in_flight < IN_FLIGHT_MAX)))
            continue; /* there is more to say; answers can wait for as long */
        if (err == ERR_OK || is_blocked)
            err = socket_wait(client->fd, is_blocked ? POLLIN | POLLOUT : POLLIN, until);
        if (err == ERR_OK)
            err = turn_take(client, &turn);
        if (err != ERR_OK)
            break;
    }
    client->last_id = turn.first_id + (uint32_t)turn.in_flight - 1;
    if (err == ERR_FRAME || err == ERR_SYSTEM) {
        log_event(LOG_WARN, "vault.link_lost", LOG_ERR(err));
        link_drop_locked(client);
    }
    return err;
}

/*
 * A link that breaks is waited for: what the vault does leaves nothing behind, so the same requests may be
 * asked again of the next one.
 */
enum err
vault_client_exchange(struct vault_client *client, const struct vault_exchange *exchange)
{
    pthread_mutex_lock(&client->mutex);
    struct mono_time until = mono_after_ms(clock_mono(clock_system()), client->timeout_ms);
    enum err err = link_wait_locked(client, until);
    while (err == ERR_OK) {
        err = exchange_on_link(client, exchange, until);
        if (err != ERR_FRAME && err != ERR_SYSTEM)
            break;
        exchange->rewind(exchange->ctx);
        err = link_wait_locked(client, until);
    }
    pthread_mutex_unlock(&client->mutex);
    return err == ERR_OK || err == ERR_NO_MEMORY ? err : ERR_VAULT_UNAVAILABLE;
}

/* An exchange of one request. */
struct single {
    struct vault_request *request;
    bool is_given; /* to the writer */
    bool is_settled;
    enum err err;
    struct vault_missing_key missing;
    answer_use use; /* may be NULL */
    void *use_ctx;
};

static struct vault_request *
single_next(void *ctx)
{
    struct single *single = ctx;
    bool is_given = single->is_given;

    single->is_given = true;
    return is_given || single->is_settled ? NULL : single->request;
}

static enum err
single_settle(void *ctx, enum err err, const struct vault_answer *answer)
{
    struct single *single = ctx;

    if (answer != NULL && answer->op != single->request->op)
        return ERR_FRAME;
    single->is_settled = true;
    single->err = err;
    if (err == ERR_VAULT_KEY_MISSING)
        single->missing = answer->missing;
    if (err == ERR_OK && single->use != NULL)
        single->err = single->use(single->use_ctx, answer);
    return ERR_OK;
}

static void
single_rewind(void *ctx)
{
    ((struct single *)ctx)->is_given = false;
}

static enum err
ask_and_use(struct vault_client *client, struct vault_request *request, struct vault_missing_key *missing_out,
            answer_use use, void *use_ctx)
{
    struct single single = { .request = request, .use = use, .use_ctx = use_ctx };
    const struct vault_exchange exchange = { single_next, single_settle, single_rewind, &single };

    enum err err = vault_client_exchange(client, &exchange);
    *missing_out = single.missing;
    return single.is_settled ? single.err : err;
}

enum err
vault_client_load_key(const struct vault *vault, const struct vault_missing_key *missing)
{
    struct vault_request request = { .op = VAULT_OP_KEY_LOAD, .is_newest = missing->version == 0 };
    struct vault_missing_key none;

    if (vault->key_source == NULL)
        return ERR_VAULT_KEY_MISSING;
    enum err err = vault->key_source(vault->key_source_ctx, missing->tenant, missing->purpose,
                                     missing->version, &request.key);
    if (err != ERR_OK)
        return err == ERR_NOT_FOUND ? ERR_VAULT_KEY_MISSING : err;
    return ask_and_use(vault->client, &request, &none, NULL, NULL);
}

bool
vault_is_same_key(const struct vault_missing_key *a, const struct vault_missing_key *b)
{
    return id_eq(a->tenant, b->tenant) && a->purpose == b->purpose && a->version == b->version;
}

/* Asks, and loads what keys the vault lacks; a key that it still lacks after that is the end of it. */
static enum err
call(const struct vault *vault, struct vault_request *request, answer_use use, void *use_ctx)
{
    struct vault_missing_key before = { .version = 0 }, missing;

    for (size_t loads = 0;; loads++) {
        enum err err = ask_and_use(vault->client, request, &missing, use, use_ctx);
        if (err != ERR_VAULT_KEY_MISSING || loads == VAULT_SEAL_KEYS_MAX ||
            (loads > 0 && vault_is_same_key(&before, &missing)))
            return err;
        before = missing;
        err = vault_client_load_key(vault, &before);
        if (err != ERR_OK)
            return err;
    }
}

struct vault_frame_place
vault_frame_place_of(const struct vault_place *place)
{
    return (struct vault_frame_place){ .tenant = place->tenant,
                                       .table = slice_text(place->table),
                                       .column = slice_text(place->column),
                                       .row = place->row,
                                       .generation = place->generation };
}

enum err
vault_seal_fill(struct vault_request *request, const struct vault_seal_item *items, size_t count)
{
    if (count == 0 || count > VAULT_SEAL_ITEMS_MAX)
        bug("a seal of no or too many values");
    request->item_count = count;
    for (size_t i = 0; i < count; i++) {
        if (items[i].plain.len > VAULT_PLAIN_BYTES_MAX)
            return ERR_LIMIT;
        request->items[i].place = vault_frame_place_of(&items[i].place);
        request->items[i].index_label = slice_text(items[i].index_label);
        request->items[i].plain = items[i].plain;
    }
    return ERR_OK;
}

enum err
vault_seal_take(const struct vault_answer *answer, struct vault_seal_item *items, size_t count,
                struct arena *arena)
{
    if (answer->sealed_count != count)
        return ERR_FRAME;
    for (size_t i = 0; i < count; i++) {
        struct vault_seal_item *item = &items[i];
        if (answer->indexes[i].is_made != (item->index_label != NULL))
            return ERR_FRAME;
        item->sealed = answer->sealed[i];
        item->sealed.cipher = arena_copy(arena, item->sealed.cipher);
        if (item->sealed.cipher.ptr == NULL)
            return ERR_NO_MEMORY;
        memcpy(item->index, answer->indexes[i].mac, sizeof(item->index));
    }
    return ERR_OK;
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

    return vault_seal_take(answer, to->items, to->count, to->arena);
}

enum err
vault_seal_many(const struct vault *vault, enum vault_purpose purpose, struct vault_seal_item *items,
                size_t count, struct arena *arena)
{
    struct vault_request request = { .op = VAULT_OP_SEAL, .purpose = purpose };
    struct seal_use to = { items, count, arena };
    enum err err = vault_seal_fill(&request, items, count);

    return err == ERR_OK ? call(vault, &request, seal_use, &to) : err;
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

bool
vault_is_cipher_too_long(const struct vault_sealed *sealed)
{
    return sealed->cipher.len > VAULT_PLAIN_BYTES_MAX || sealed->key_version == 0;
}

enum err
vault_open(const struct vault *vault, enum vault_purpose purpose, const struct vault_place *place,
           const struct vault_sealed *sealed, struct secret **plain_out)
{
    struct vault_request request = {
        .op = VAULT_OP_OPEN, .purpose = purpose, .place = vault_frame_place_of(place), .sealed = *sealed
    };

    *plain_out = NULL;
    if (vault_is_cipher_too_long(sealed))
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
        .op = VAULT_OP_OPEN, .purpose = VAULT_CONTENT, .place = vault_frame_place_of(place), .sealed = *sealed
    };
    struct open_use to = { arena, plain_out };

    *plain_out = SLICE_EMPTY;
    if (vault_is_cipher_too_long(sealed))
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
        .op = op, .place = vault_frame_place_of(place), .sealed = *credential, .data = data
    };

    if (data.len > VAULT_PLAIN_BYTES_MAX)
        return ERR_LIMIT;
    if (vault_is_cipher_too_long(credential))
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
    struct vault_request request = { .op = VAULT_OP_MAKE_ED25519, .place = vault_frame_place_of(place) };
    struct make_use to = { arena, sealed_out, public_out };

    return call(vault, &request, make_use, &to);
}

struct totp_use {
    struct arena *arena;
    struct vault_sealed *sealed;
    struct secret **secret;
};

static enum err
totp_use(void *ctx, const struct vault_answer *answer)
{
    const struct totp_use *to = ctx;

    if (answer->plain.len != VAULT_TOTP_SECRET_BYTES)
        return ERR_FRAME;
    *to->sealed = answer->sealed[0];
    to->sealed->cipher = arena_copy(to->arena, answer->sealed[0].cipher);
    if (to->sealed->cipher.ptr == NULL)
        return ERR_NO_MEMORY;
    *to->secret = secret_copy(answer->plain);
    return *to->secret == NULL ? ERR_NO_MEMORY : ERR_OK;
}

enum err
vault_make_totp(const struct vault *vault, const struct vault_place *place, struct arena *arena,
                struct vault_sealed *sealed_out, struct secret **secret_out)
{
    struct vault_request request = { .op = VAULT_OP_MAKE_TOTP, .place = vault_frame_place_of(place) };
    struct totp_use to = { arena, sealed_out, secret_out };

    *secret_out = NULL;
    return call(vault, &request, totp_use, &to);
}

static enum err
step_use(void *ctx, const struct vault_answer *answer)
{
    *(uint64_t *)ctx = answer->totp_step;
    return ERR_OK;
}

enum err
vault_check_totp(const struct vault *vault, const struct vault_place *place,
                 const struct vault_sealed *secret, struct slice code, uint64_t step, uint64_t last,
                 uint64_t *step_out)
{
    struct vault_request request = { .op = VAULT_OP_CHECK_TOTP,
                                     .place = vault_frame_place_of(place),
                                     .sealed = *secret,
                                     .data = code,
                                     .totp_step = step,
                                     .totp_last = last };

    if (code.len > VAULT_PLAIN_BYTES_MAX)
        return ERR_LIMIT;
    if (vault_is_cipher_too_long(secret))
        return ERR_SEAL_CORRUPT;
    return call(vault, &request, step_use, step_out);
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
        if (vault_is_cipher_too_long(&items[i].sealed))
            return ERR_SEAL_CORRUPT;
        request.items[i].place = vault_frame_place_of(&items[i].place);
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
