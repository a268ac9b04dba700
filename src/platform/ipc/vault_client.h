/*
 * What a process may ask of the vault. One client per process, shared by its threads (calls are serialised);
 * each call blocks until the vault answers, for the client's time limit at most; a vault that is being
 * started again is waited for as long, and asked again. The vault decides by the role of the link: a refused
 * call is ERR_VAULT_FORBIDDEN; no answer in time is ERR_VAULT_UNAVAILABLE. The wrapped data keys lie in the
 * database; when the vault lacks one, the call's key source fetches it, and the call goes on; a key that it
 * still lacks then is ERR_VAULT_KEY_MISSING. A value over its limit (vault_frame.h) is ERR_LIMIT.
 */
#ifndef PLATFORM_IPC_VAULT_CLIENT_H
#define PLATFORM_IPC_VAULT_CLIENT_H
#include "core/arena.h"
#include "core/err.h"
#include "core/id.h"
#include "core/secret.h"
#include "core/slice.h"
#include "wire/vault/vault_frame.h" /* roles, purposes, sealed values, wrapped keys, limits */

/* Where a sealed value belongs. All of it is bound as associated data: a value moved elsewhere does not open.
 */
struct vault_place {
    struct id tenant;
    const char *table, *column; /* literals, such as "whatsapp_channel", "access_token" */
    struct id row;
    uint32_t generation; /* counts replacements of the value in this row; 0 where a value is never replaced */
};

/*
 * Fetches a wrapped key; version 0 is the newest. ERR_NOT_FOUND when the tenant has none. Called without a
 * lock; it must not ask the vault.
 */
typedef enum err (*vault_key_source)(void *ctx, struct id tenant, enum vault_purpose purpose,
                                     uint32_t version, struct vault_wrapped_key *out);

struct vault_client;

/* `fd` is the link (taken, also when it fails), or -1 until vault_client_relink. ERR_NO_MEMORY. */
MUST_CHECK enum err vault_client_new(int fd, int timeout_ms, struct vault_client **out);
/* When no call is under way any more. Accepts NULL. */
void vault_client_free(struct vault_client *client);
/* The supervisor handed a new link, after the vault was started again. Taken. */
void vault_client_relink(struct vault_client *client, int fd);

/* A thread's way to the vault: the shared client and its own key source (its own database connection). */
struct vault {
    struct vault_client *client;
    vault_key_source key_source;
    void *key_source_ctx;
};

/* Seals one value; sealed_out->cipher lives in the arena. */
MUST_CHECK enum err vault_seal(const struct vault *vault, enum vault_purpose purpose,
                               const struct vault_place *place, struct slice plain, struct arena *arena,
                               struct vault_sealed *sealed_out);
/* Several values of one row in one round trip (say, address and content). */
struct vault_seal_item {
    struct vault_place place;
    struct slice plain;
    const char *index_label;                /* NULL: its blind index is not wanted */
    struct vault_sealed sealed;             /* out */
    unsigned char index[VAULT_INDEX_BYTES]; /* out: what vault_index would give for it */
};
MUST_CHECK enum err vault_seal_many(const struct vault *vault, enum vault_purpose purpose,
                                    struct vault_seal_item *items, size_t count, struct arena *arena);
/* ERR_SEAL_CORRUPT: damaged, forged, or from another place. *plain_out is owned. */
MUST_CHECK enum err vault_open(const struct vault *vault, enum vault_purpose purpose,
                               const struct vault_place *place, const struct vault_sealed *sealed,
                               struct secret **plain_out);
/* Opened content into a wiped arena, for text that is not a credential. */
MUST_CHECK enum err vault_open_content(const struct vault *vault, const struct vault_place *place,
                                       const struct vault_sealed *sealed, struct arena *arena,
                                       struct slice *plain_out);

/* HMAC-SHA256 under the tenant's index key over `label` NUL `value`: equal values meet, nothing is revealed.
 */
MUST_CHECK enum err vault_index(const struct vault *vault, struct id tenant, const char *label,
                                struct slice value, unsigned char out[VAULT_INDEX_BYTES]);

/* Is `mac` HMAC-SHA256(the sealed secret, body)? ERR_OK or ERR_SIGNATURE. The secret never leaves the vault.
 */
MUST_CHECK enum err vault_verify_mac(const struct vault *vault, const struct vault_place *place,
                                     const struct vault_sealed *secret, struct slice body,
                                     const unsigned char mac[32]);
/* Is `candidate` the sealed value? Constant time. ERR_OK or ERR_SIGNATURE. */
MUST_CHECK enum err vault_matches(const struct vault *vault, const struct vault_place *place,
                                  const struct vault_sealed *secret, struct slice candidate);
/* HMAC-SHA256 with the sealed secret: for outgoing webhooks. */
MUST_CHECK enum err vault_sign_mac(const struct vault *vault, const struct vault_place *place,
                                   const struct vault_sealed *secret, struct slice content,
                                   unsigned char out[32]);
/* Draws an Ed25519 key for this place: the private key stays sealed, the public one is shown to whoever
 * verifies. */
MUST_CHECK enum err vault_make_ed25519(const struct vault *vault, const struct vault_place *place,
                                       struct arena *arena, struct vault_sealed *sealed_out,
                                       unsigned char public_out[VAULT_PUBLIC_KEY_BYTES]);
/* Ed25519 with a key made so. */
MUST_CHECK enum err vault_sign_ed25519(const struct vault *vault, const struct vault_place *place,
                                       const struct vault_sealed *private_key, struct slice content,
                                       unsigned char out[VAULT_SIGNATURE_BYTES]);

/*
 * Draws a secret for one-time codes (crypto/totp.h) at this place. *secret_out, owned, is for the one who
 * enrols it, and nobody gets it again.
 */
MUST_CHECK enum err vault_make_totp(const struct vault *vault, const struct vault_place *place,
                                    struct arena *arena, struct vault_sealed *sealed_out,
                                    struct secret **secret_out);
/*
 * Is `code` one of this secret's, of the present step or a neighbour, and of a later one than `last`, which
 * was taken last? ERR_OK and its step, which the caller keeps as the last; or ERR_SIGNATURE.
 */
MUST_CHECK enum err vault_check_totp(const struct vault *vault, const struct vault_place *place,
                                     const struct vault_sealed *secret, struct slice code, uint64_t step,
                                     uint64_t last, uint64_t *step_out);

/* Draws and wraps the three data keys of a new tenant (admin only). */
MUST_CHECK enum err vault_make_keys(const struct vault *vault, struct id tenant,
                                    struct vault_wrapped_key out[3]);

/* What the vault says of itself: for `harkara status` and tests. */
struct vault_facts {
    enum secret_memory memory;
    uint32_t kek_version;
    uint64_t keys_held;
    uint64_t uses_uncounted;           /* seals and opens that found no room in its table */
    struct id instance;                /* of this life of the vault */
    uint32_t keks[VAULT_KEKS_MAX + 1]; /* versions it holds */
    size_t kek_count;
};
MUST_CHECK enum err vault_facts(const struct vault *vault, struct vault_facts *out);

/* For the command line's rotations (admin only); each may be asked again. */

/* Values from the key version that they bear to the newest one, in place: only the vault sees them open. */
struct vault_reseal_item {
    struct vault_place place;
    struct vault_sealed sealed; /* in and out; the new ciphertext lives in the arena */
};
MUST_CHECK enum err vault_reseal(const struct vault *vault, enum vault_purpose purpose,
                                 struct vault_reseal_item *items, size_t count, struct arena *arena);
/* The same data key under the key-encryption key in force. ERR_SEAL_CORRUPT: not one of ours. */
MUST_CHECK enum err vault_rewrap(const struct vault *vault, const struct vault_wrapped_key *key,
                                 struct vault_wrapped_key *out);
/* A data key of a further version, which is not held: store it, then load it. Not of purpose index. */
MUST_CHECK enum err vault_make_key(const struct vault *vault, struct id tenant, enum vault_purpose purpose,
                                   uint32_t version, struct vault_wrapped_key *out);
MUST_CHECK enum err vault_key_load(const struct vault *vault, const struct vault_wrapped_key *key,
                                   bool is_newest);
MUST_CHECK enum err vault_forget_key(const struct vault *vault, struct id tenant, enum vault_purpose purpose,
                                     uint32_t version);
/* All keys of a tenant, and none is loaded for it any more. */
MUST_CHECK enum err vault_forget_tenant(const struct vault *vault, struct id tenant);
/* ERR_LIMIT: it is the one in force. */
MUST_CHECK enum err vault_forget_kek(const struct vault *vault, uint32_t version);

/* How often keys were used (scheduler only). Write it down, then say so with the next call: until then the
 * same batch comes again. A batch of 0: nothing to tell. */
struct vault_uses {
    struct id instance; /* batches count within one */
    uint32_t batch;
    struct vault_use uses[VAULT_USES_MAX];
    size_t count;
};
MUST_CHECK enum err vault_usage_take(const struct vault *vault, uint32_t taken, struct vault_uses *out);

#endif
