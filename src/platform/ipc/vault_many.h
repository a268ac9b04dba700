/*
 * Many things asked of the vault in one go: all requests leave in few writes, all answers come in few reads,
 * so a batch costs two wake-ups and not two for each of its parts. Each request has its own result: one value
 * that does not open, or one tenant without keys, fails nobody beside it.
 *
 *     struct vault_ask *asks = arena_array(arena, count, sizeof(*asks));
 *     for (size_t i = 0; i < count; i++)
 *         asks[i] = vault_ask_open(VAULT_CONTENT, &places[i], &values[i]);
 *     vault_ask_many(vault, asks, count, arena);
 *     for (size_t i = 0; i < count; i++)
 *         if (asks[i].err == ERR_OK)
 *             use(asks[i].plain);
 *
 * Requests of one go may be of different operations, tenants and purposes; they are done in their order. What
 * a request may say, and what becomes of it, is as with the call of the same name in vault_client.h.
 */
#ifndef PLATFORM_IPC_VAULT_MANY_H
#define PLATFORM_IPC_VAULT_MANY_H
#include "platform/ipc/vault_client.h"

/* Made by the functions below. What is borrowed must live until vault_ask_many returns. */
struct vault_ask {
    enum vault_op op; /* SEAL, OPEN, INDEX, VERIFY_MAC, MATCHES, SIGN_MAC or SIGN_ED25519 */
    enum vault_purpose purpose;
    struct vault_seal_item *items; /* SEAL: borrowed, in and out */
    size_t item_count;
    struct vault_place place;   /* of the value or the credential; INDEX: the tenant alone */
    struct vault_sealed sealed; /* the value or the credential; its cipher text is borrowed */
    const char *label;          /* INDEX */
    struct slice data;          /* INDEX, VERIFY_MAC, MATCHES, SIGN_...: borrowed */
    /* Out: */
    enum err err;        /* as the single call would have returned it; always set */
    struct slice plain;  /* OPEN of content: in the arena */
    struct secret *open; /* OPEN of a credential: owned by the caller; NULL unless err is ERR_OK */
    union {
        unsigned char mac[VAULT_MAC_BYTES]; /* INDEX, SIGN_MAC; of VERIFY_MAC the one to be verified, in */
        unsigned char signature[VAULT_SIGNATURE_BYTES]; /* SIGN_ED25519 */
    };
    /* The call's own. */
    struct vault_missing_key missing;
    size_t loads;
    struct vault_ask *next;
};

/* Values of one row: all of them under one version of the key, or none. 1 to VAULT_SEAL_ITEMS_MAX. */
static inline struct vault_ask
vault_ask_seal(enum vault_purpose purpose, struct vault_seal_item *items, size_t count)
{
    return (struct vault_ask){ .op = VAULT_OP_SEAL, .purpose = purpose, .items = items, .item_count = count };
}

/* Content opens into the arena (.plain), a credential into secret memory (.open). */
static inline struct vault_ask
vault_ask_open(enum vault_purpose purpose, const struct vault_place *place, const struct vault_sealed *sealed)
{
    return (struct vault_ask){ .op = VAULT_OP_OPEN, .purpose = purpose, .place = *place, .sealed = *sealed };
}

/* The blind index is in .mac. */
static inline struct vault_ask
vault_ask_index(struct id tenant, const char *label, struct slice value)
{
    return (struct vault_ask){ .op = VAULT_OP_INDEX, .place.tenant = tenant, .label = label, .data = value };
}

/* HMAC-SHA256 with the sealed secret: in .mac. */
static inline struct vault_ask
vault_ask_sign_mac(const struct vault_place *place, const struct vault_sealed *secret, struct slice content)
{
    return (struct vault_ask){ .op = VAULT_OP_SIGN_MAC, .place = *place, .sealed = *secret, .data = content };
}

/* In .signature. */
static inline struct vault_ask
vault_ask_sign_ed25519(const struct vault_place *place, const struct vault_sealed *private_key,
                       struct slice content)
{
    return (struct vault_ask){
        .op = VAULT_OP_SIGN_ED25519, .place = *place, .sealed = *private_key, .data = content
    };
}

/* .err is ERR_OK when `mac` is HMAC-SHA256(the sealed secret, body), ERR_SIGNATURE when it is not. */
static inline struct vault_ask
vault_ask_verify_mac(const struct vault_place *place, const struct vault_sealed *secret, struct slice body,
                     const unsigned char mac[VAULT_MAC_BYTES])
{
    struct vault_ask ask = { .op = VAULT_OP_VERIFY_MAC, .place = *place, .sealed = *secret, .data = body };
    memcpy(ask.mac, mac, sizeof(ask.mac));
    return ask;
}

/* .err is ERR_OK when `candidate` is the sealed value, ERR_SIGNATURE when it is not. */
static inline struct vault_ask
vault_ask_matches(const struct vault_place *place, const struct vault_sealed *secret, struct slice candidate)
{
    return (
        struct vault_ask){ .op = VAULT_OP_MATCHES, .place = *place, .sealed = *secret, .data = candidate };
}

/*
 * Asks all of them, any number; asks[i].err tells what became of each. Blocks until each has its answer, for
 * the client's time limit at most: what has none by then is ERR_VAULT_UNAVAILABLE. Keys that the vault lacks
 * are loaded by the key source, each once, and only the requests that need them are asked again. A vault that
 * dies meanwhile is waited for, and the next one is asked for what was not answered. Cipher texts and content
 * are copied into the arena, in any case ERR_NO_MEMORY when it is full. Other threads' calls wait as long.
 */
void vault_ask_many(const struct vault *vault, struct vault_ask *asks, size_t count, struct arena *arena);
/* The first error among them, in their order; for whoever wants all or nothing. */
MUST_CHECK enum err vault_asks_err(const struct vault_ask *asks, size_t count);

#endif
