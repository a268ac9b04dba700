/*
 * What the files of the core share: keys (vault_core_kek.c, vault_core_key.c), values (vault_core_value.c),
 * and what they are bound to (vault_associated.c). An operation reads core->request and fills core->answer.
 */
#ifndef PROGRAM_VAULT_VAULT_CORE_INTERNAL_H
#define PROGRAM_VAULT_VAULT_CORE_INTERNAL_H
#include "core/secret.h"
#include "program/vault/vault_core.h"
#include "program/vault/vault_keyring.h"
#include "program/vault/vault_usage.h"

#define SHREDDED_MAX 256u

struct kek {
    uint32_t version;
    struct secret *key;
};

struct vault_core {
    struct vault_core_options options;
    struct kek keks[VAULT_KEKS_MAX + 1];
    size_t kek_count;    /* ascending versions; the last one is in force */
    bool is_kek_pending; /* no, the one before: nobody has stored the last one yet */
    struct vault_keyring *ring;
    struct vault_usage *usage;
    struct secret *work; /* one key, while it is used */
    struct mono_time now;
    struct id instance;
    struct id shredded[SHREDDED_MAX]; /* tenants whose keys are refused: the latest, in a circle */
    size_t shredded_count;
    struct vault_request request;
    struct vault_answer answer;
};

/* The longest is a value's: both heads, purpose, version, tenant, two names with their lengths, row,
 * generation. */
#define ASSOCIATED_BYTES_MAX (3u + 4u + ID_BYTES + 2u * (1u + VAULT_NAME_BYTES_MAX) + ID_BYTES + 4u)

/* Associated data, built up in a fixed array; each part has a fixed length or its length before it. */
struct vault_associated {
    unsigned char bytes[ASSOCIATED_BYTES_MAX];
    size_t len;
};
struct slice vault_associated_slice(const struct vault_associated *associated);
void vault_associated_of_kek(const struct vault_kek *kek, struct vault_associated *out);
void vault_associated_of_key(const struct vault_wrapped_key *key, struct vault_associated *out);
void vault_associated_of_value(enum vault_purpose purpose, uint32_t key_version,
                               const struct vault_frame_place *place, struct vault_associated *out);

const struct kek *vault_core_kek_in_force(const struct vault_core *core);
/* As vault_keyring_find; notes in the answer which key the peer has to load. */
MUST_CHECK enum err vault_core_key_find(struct vault_core *core, struct id tenant, enum vault_purpose purpose,
                                        uint32_t version, struct vault_held_key *out);

/* Values. `work` holds what the answer points to, and is wiped when that is encoded. */
MUST_CHECK enum err vault_core_seal(struct vault_core *core, enum vault_role role, struct buf *work);
MUST_CHECK enum err vault_core_open(struct vault_core *core, struct buf *work);
MUST_CHECK enum err vault_core_reseal(struct vault_core *core, struct buf *work);
MUST_CHECK enum err vault_core_make_ed25519(struct vault_core *core, struct buf *work);
MUST_CHECK enum err vault_core_make_totp(struct vault_core *core, struct buf *work);
MUST_CHECK enum err vault_core_check_totp(struct vault_core *core);
MUST_CHECK enum err vault_core_use_credential(struct vault_core *core);
MUST_CHECK enum err vault_core_index(struct vault_core *core);
/* Keys. */
MUST_CHECK enum err vault_core_key_load(struct vault_core *core);
MUST_CHECK enum err vault_core_make_keys(struct vault_core *core);
MUST_CHECK enum err vault_core_make_key(struct vault_core *core);
MUST_CHECK enum err vault_core_rewrap(struct vault_core *core);
MUST_CHECK enum err vault_core_forget(struct vault_core *core);
MUST_CHECK enum err vault_core_kek_forget(struct vault_core *core);
MUST_CHECK enum err vault_core_facts(struct vault_core *core);
MUST_CHECK enum err vault_core_usage(struct vault_core *core);

#endif
