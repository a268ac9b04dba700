/*
 * Master secrets, which a PKCS#11 token wraps (docs/vault.md), over time; as harkara_admin. Each step is
 * whole or not there and may be done again. Here they are wrapped, always.
 */
#ifndef DOMAIN_TENANT_MASTER_SECRET_H
#define DOMAIN_TENANT_MASTER_SECRET_H
#include "domain/tenant/key_rotation.h"

#define MASTER_SECRET_LABEL_BYTES_MAX 32u

enum master_secret_state {
    MASTER_SECRET_ASKED,  /* the token was asked for it; what it made, if it did, was not stored */
    MASTER_SECRET_STORED, /* it opens, in the token */
    MASTER_SECRET_REMOVED /* nothing needed it any more */
};
const char *master_secret_state_name(enum master_secret_state state);

struct master_secret {
    uint32_t version;
    char token[MASTER_SECRET_LABEL_BYTES_MAX + 1],
        key[MASTER_SECRET_LABEL_BYTES_MAX + 1]; /* which wraps it */
    enum master_secret_state state;
    bool is_needed;    /* a key-encryption key in use was made of it, or may have been */
    int64_t key_wraps; /* secrets that this key of this token was asked to wrap, in all */
    struct wall_time created_at, removed_at;                                         /* the latter: removed */
    unsigned char cipher[VAULT_KEY_BYTES], iv[VAULT_IV_BYTES], tag[VAULT_TAG_BYTES]; /* stored */
};
#define MASTER_SECRETS_MAX 16u
/* All that are stored, and of the others the newest; oldest first. */
MUST_CHECK enum err master_secrets(struct db *db, struct master_secret out[MASTER_SECRETS_MAX],
                                   size_t *count_out);
/* The newest that is stored; NULL: none. */
const struct master_secret *master_secret_newest(const struct master_secret *secrets, size_t count);

/* Those of before labels were kept are in this token, by this key. */
MUST_CHECK enum err master_secret_adopt(struct db *db, struct slice token, struct slice key);
/* Before the token is asked to make one. */
MUST_CHECK enum err master_secret_ask(struct db *db, struct slice token, struct slice key,
                                      uint32_t *version_out);
/* What it made; of `secret` the version and what is sealed are used. ERR_NOT_FOUND: it was not asked for. */
MUST_CHECK enum err master_secret_store(struct db *db, const struct key_operator *operator,
                                        const struct master_secret * secret);
/*
 * Removes those that are not needed, of them the newest only if `is_left`: the installation has another
 * master key now. How many it was.
 */
MUST_CHECK enum err master_secret_remove(struct db *db, const struct key_operator *operator, bool is_left,
                                         size_t *count_out);

#endif
