/* What is asked of the vault about values: to seal, open, index, sign, check. */
#include "core/log.h"
#include "platform/ipc/vault_client_internal.h"
#include <string.h>

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

    return err == ERR_OK ? vault_call(vault, &request, seal_use, &to) : err;
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
    return vault_call(vault, &request, open_secret_use, plain_out);
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
    return vault_call(vault, &request, open_content_use, &to);
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
    return vault_call(vault, &request, mac_use, out);
}

/* The operations with a credential that stays in the vault. */
static enum err
credential_call(const struct vault *vault, enum vault_op op, const struct vault_place *place,
                const struct vault_sealed *credential, struct slice data, const unsigned char *mac,
                vault_answer_use use, void *use_ctx)
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
    return vault_call(vault, &request, use, use_ctx);
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

    return vault_call(vault, &request, make_use, &to);
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
    return vault_call(vault, &request, totp_use, &to);
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
    return vault_call(vault, &request, step_use, step_out);
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
    return vault_call(vault, &request, reseal_use, &to);
}
