/*
 * The tenants' data keys that the vault holds unwrapped: a table of fixed size in secret memory. When it is
 * full, the key that was not used for the longest time is wiped; its users load it again.
 */
#ifndef PROGRAM_VAULT_VAULT_KEYRING_H
#define PROGRAM_VAULT_VAULT_KEYRING_H
#include "core/clock.h"
#include "core/err.h"
#include "core/id.h"
#include "core/slice.h"
#include "wire/vault/vault_frame.h"

struct vault_keyring;

/* One held key; borrowed until the next put. */
struct vault_held_key {
    struct slice bytes; /* VAULT_KEY_BYTES, in secret memory */
    uint32_t version;
    uint64_t
        *seals; /* values known to be sealed under it: what it was put with, and what the caller counts */
};

/* Room for `capacity` keys, taken at once. ERR_NO_MEMORY. Owned: vault_keyring_free, which wipes. */
MUST_CHECK enum err vault_keyring_new(size_t capacity, struct vault_keyring **out);
void vault_keyring_free(struct vault_keyring *ring);

/* version 0: the highest that was put as the newest. ERR_VAULT_KEY_MISSING. */
MUST_CHECK enum err vault_keyring_find(struct vault_keyring *ring, struct id tenant,
                                       enum vault_purpose purpose, uint32_t version,
                                       struct vault_held_key *out);
/*
 * Takes a copy of the key. One that is held already stays as it is: ERR_OK when it is the same, and is_newest
 * is added to it, and it is believed anew; ERR_SEAL_CORRUPT when it is another (a key of one version never
 * changes).
 */
MUST_CHECK enum err vault_keyring_put(struct vault_keyring *ring, struct id tenant,
                                      enum vault_purpose purpose, uint32_t version, bool is_newest,
                                      struct slice bytes, uint64_t seals, struct mono_time now);
/* Wipes one version of a key, when it is held. */
void vault_keyring_forget(struct vault_keyring *ring, struct id tenant, enum vault_purpose purpose,
                          uint32_t version);
/* Wipes all keys of a tenant. */
void vault_keyring_forget_tenant(struct vault_keyring *ring, struct id tenant);
/* Wipes what was put before then: its users ask the database again whether it is still there, and the newest.
 */
void vault_keyring_expire(struct vault_keyring *ring, struct mono_time before);
size_t vault_keyring_count(const struct vault_keyring *ring);

#endif
