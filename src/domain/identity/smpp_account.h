/*
 * SMPP for a workspace's own software: an API key may have a system_id and a password besides its secret.
 * Addresses, scopes and the end of its life are the key's. The password has 48 random bits, as many as the
 * eight characters hold that SMPP allows, is shown once and kept as scrypt of it.
 */
#ifndef DOMAIN_IDENTITY_SMPP_ACCOUNT_H
#define DOMAIN_IDENTITY_SMPP_ACCOUNT_H
#include "core/secret.h"
#include "domain/identity/api_key.h"

#define SMPP_ACCOUNT_NAME_BYTES     13u /* of a system_id, with its NUL */
#define SMPP_ACCOUNT_PASSWORD_BYTES 8u
#define SMPP_ACCOUNT_BINDS_MAX      32
#define SMPP_ACCOUNT_CATEGORY_BYTES 16u

/* Whether a submit may be known as one that came before. */
enum smpp_dedupe {
    SMPP_DEDUPE_NONE,
    SMPP_DEDUPE_REFERENCE, /* by its user_message_reference, with the same addresses and text */
};
const char *smpp_dedupe_word(enum smpp_dedupe dedupe);
MUST_CHECK enum err smpp_dedupe_parse(struct slice word, enum smpp_dedupe *out);

struct smpp_account {
    struct id tenant, key, channel; /* the channel of what names no other sender */
    char system_id[SMPP_ACCOUNT_NAME_BYTES];
    char category[SMPP_ACCOUNT_CATEGORY_BYTES]; /* a word of enum message_category */
    int binds_max;
    enum smpp_dedupe dedupe;
    int64_t revision;
    struct wall_time created_at, updated_at;
};

/*
 * Gives the key an account, or another password and settings; `with` says channel, category, binds_max and
 * dedupe.
 * *password_out (owned) is to be shown once. A key that has more than `permissions` is ERR_AUTHORITY.
 * ERR_NOT_FOUND, ERR_STATE_CONFLICT: revoked. ERR_CHANNEL_UNKNOWN.
 */
MUST_CHECK enum err smpp_account_put(struct db_tx *tx, const struct smpp_account *with, uint64_t permissions,
                                     struct arena *arena, struct smpp_account *out,
                                     struct secret **password_out);
/* ERR_NOT_FOUND. */
MUST_CHECK enum err smpp_account_get(struct db_tx *tx, struct id key, struct smpp_account *out);
MUST_CHECK enum err smpp_account_delete(struct db_tx *tx, struct id key);

/*
 * Across workspaces: whose system_id and password these are, as long as a bind takes: an unknown system_id
 * costs the same. ERR_KEY_INVALID; ERR_CRYPTO, ERR_DB_...
 */
MUST_CHECK enum err smpp_account_verify(struct db *db, struct slice system_id, struct slice password,
                                        struct smpp_account *out);
/* What stands there now under this system_id; ERR_KEY_INVALID: nothing. */
MUST_CHECK enum err smpp_account_load(struct db *db, struct slice system_id, struct smpp_account *out);

/* The channel that sends as `sender`, else the account's own. */
MUST_CHECK enum err smpp_account_channel(struct db_tx *tx, const struct smpp_account *account,
                                         struct slice sender, struct id *out);

#endif
