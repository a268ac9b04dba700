/*
 * The keys that an endpoint's deliveries are signed with: a shared secret for v1, an Ed25519 key for v1a, or
 * both, one set per generation. The present generation does not expire; those before it sign beside it until
 * they do, so that a receiver has time to change over.
 */
#ifndef DOMAIN_WEBHOOK_WEBHOOK_SECRET_H
#define DOMAIN_WEBHOOK_WEBHOOK_SECRET_H
#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/id.h"
#include "core/secret.h"
#include "platform/db/db.h"
#include "platform/ipc/vault_many.h"

#define WEBHOOK_GENERATIONS_MAX   3u /* that sign at once: a delivery's field of signatures stays short */
#define WEBHOOK_OVERLAP_S_DEFAULT 86400
#define WEBHOOK_OVERLAP_S_MAX     604800

enum webhook_signing { WEBHOOK_SIGNING_HMAC, WEBHOOK_SIGNING_ED25519, WEBHOOK_SIGNING_BOTH };
/* "hmac", "ed25519", "both". */
const char *webhook_signing_word(enum webhook_signing signing);
/* The contract has no other words; those are read as "hmac". */
enum webhook_signing webhook_signing_from(struct slice word);
static inline bool
webhook_signing_has_hmac(enum webhook_signing signing)
{
    return signing != WEBHOOK_SIGNING_ED25519;
}
static inline bool
webhook_signing_has_ed25519(enum webhook_signing signing)
{
    return signing != WEBHOOK_SIGNING_HMAC;
}

/* Where the two sealed keys of an endpoint's generation belong. */
struct vault_place webhook_secret_place(struct id tenant, struct id endpoint, uint32_t generation);
struct vault_place webhook_private_key_place(struct id tenant, struct id endpoint, uint32_t generation);

/* What one generation holds, sealed. */
struct webhook_keys {
    uint32_t generation;
    bool has_secret, has_private_key;
    struct vault_sealed secret, private_key;
    unsigned char public_key[VAULT_PUBLIC_KEY_BYTES]; /* with a private key */
};
/*
 * Draws what is asked for, sealed for its place; private keys are drawn in the vault and are never seen.
 * *text_out
 * ("whsec_...") is shown once and owned; NULL when no secret was asked for. As the gateway.
 */
MUST_CHECK enum err webhook_keys_make(const struct vault *vault, struct id tenant, struct id endpoint,
                                      uint32_t generation, bool wants_secret, bool wants_private_key,
                                      struct arena *arena, struct webhook_keys *out,
                                      struct secret **text_out);

/* A new generation. ERR_EXISTS: it is there. */
MUST_CHECK enum err webhook_keys_insert(struct db_tx *tx, struct id endpoint,
                                        const struct webhook_keys *keys);
/* What the present generation lacked. ERR_NOT_FOUND: it has that already, or is not the present one. */
MUST_CHECK enum err webhook_keys_add(struct db_tx *tx, struct id endpoint, const struct webhook_keys *keys);
/*
 * Those before `generation` sign for so long at the most, and not longer than they had; 0 destroys them. More
 * than WEBHOOK_GENERATIONS_MAX are never left.
 */
MUST_CHECK enum err webhook_keys_retire(struct db_tx *tx, struct id endpoint, uint32_t generation,
                                        int64_t overlap_s);

/*
 * What these endpoints sign with now, by endpoint, the present generation first; across tenants
 * ("webhook.claim"). `endpoints_out` runs beside `out`. Both in the arena.
 */
MUST_CHECK enum err webhook_keys_live(struct db_tx *tx, const struct id *endpoints, size_t count,
                                      struct arena *arena, struct id **endpoints_out,
                                      struct webhook_keys **out, size_t *count_out);

/* The requests for vault_ask_many that sign `content` with each of the keys that `signing` speaks of, newest
 * first; how many. As the webhooks role. */
#define WEBHOOK_SIGN_ASKS_MAX (2u * WEBHOOK_GENERATIONS_MAX)
size_t webhook_sign_asks(struct id tenant, struct id endpoint, const struct webhook_keys *keys, size_t count,
                         enum webhook_signing signing, struct slice content,
                         struct vault_ask asks[static WEBHOOK_SIGN_ASKS_MAX]);
/* Appends what came of them, "v1,..." and "v1a,...", with spaces between. ERR_STATE_CONFLICT: there is no
 * such key. */
MUST_CHECK enum err webhook_signatures_add(const struct vault_ask *asks, size_t count, struct buf *out);

#endif
