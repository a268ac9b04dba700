/*
 * API keys: "hk_live_<id>_<secret>", the id in base32 (26 characters), the secret 256 random bits in
 * base64url (43 characters). Shown once; stored as SHA-256(salt || secret). A key acts for one tenant, within
 * its scopes, from its addresses, until it expires or is revoked.
 */
#ifndef DOMAIN_IDENTITY_API_KEY_H
#define DOMAIN_IDENTITY_API_KEY_H
#include "core/arena.h"
#include "core/err.h"
#include "core/id.h"
#include "core/secret.h"
#include "domain/tenant/tenant.h"
#include "platform/db/db.h"
#include "platform/net/address_guard.h"

#define API_KEY_SALT_BYTES     16u
#define API_KEY_SECRET_BYTES   32u
#define API_KEY_HASH_BYTES     32u
#define API_KEY_TEXT_BYTES     (sizeof("hk_live_") - 1 + 26 + 1 + 43 + 1) /* with NUL */
#define API_KEY_NAME_MAX       120u
#define API_KEY_CIDRS_MAX      64u
#define API_KEY_PER_TENANT_MAX 500u /* live ones */

enum api_key_mode { API_KEY_LIVE, API_KEY_TEST };

/* One bit a scope; the words stand in scope.def. */
enum api_scope {
#define SCOPE(name, word) API_SCOPE_##name,
#include "domain/identity/scope.def"
#undef SCOPE
    API_SCOPE_COUNT
};
const char *api_scope_word(enum api_scope scope);
MUST_CHECK enum err api_scope_parse(struct slice word, enum api_scope *out);
/* The words of a set, in the order of scope.def; how many. */
size_t api_scopes_words(uint64_t scopes, struct slice out[static API_SCOPE_COUNT]);
/* The set that a text[] column names; a word of a newer build grants nothing here. */
MUST_CHECK enum err api_scopes_from_row(const struct db_rows *rows, size_t row, int column,
                                        struct arena *arena, uint64_t *out);

struct api_key {
    struct id id, tenant;
    struct slice name;
    enum api_key_mode mode;
    char last_four[5];
    uint64_t scopes;     /* bits of enum api_scope */
    struct slice *cidrs; /* canonical text; none: from anywhere */
    size_t cidr_count;
    struct wall_time created_at;
    bool has_expiry, is_revoked, was_used;
    struct wall_time expires_at, revoked_at, last_used_at;
    struct slice last_used_from;
    struct slice maker_kind; /* "person", "key", "operator"; NULL ptr: nobody knows */
    struct id maker;         /* zero: an operator, or nobody knows */
    bool was_rotated, has_previous;
    struct wall_time rotated_at, previous_until; /* the secret before is good until then */
};

struct api_key_new {
    struct slice name;
    enum api_key_mode mode;
    uint64_t scopes;
    const struct slice *cidrs;
    size_t cidr_count;
    bool has_expiry;
    struct wall_time expires_at;
    const char *maker_kind; /* "person", "key", "operator"; NULL: not noted */
    struct id maker;        /* of a person or a key; when it goes, so does the key */
};

/*
 * Makes a key in the transaction's tenant. *text_out (owned) is the whole key, to be shown once. ERR_TOO_MANY
 * beyond API_KEY_PER_TENANT_MAX; ERR_DB_DATA when a CIDR is not canonical or the expiry has passed.
 */
MUST_CHECK enum err api_key_create(struct db_tx *tx, const struct clock *clock,
                                   const struct api_key_new *with, struct arena *arena, struct api_key *out,
                                   struct secret **text_out);
/* By id, newest first, after `before` (zero: from the newest), at most `limit` (<= 100) + 1 to tell whether
 * more follow. */
MUST_CHECK enum err api_key_list(struct db_tx *tx, struct id before, size_t limit, struct arena *arena,
                                 struct api_key **out, size_t *count_out);
MUST_CHECK enum err api_key_get(struct db_tx *tx, struct id key, struct arena *arena, struct api_key *out);
struct api_key_change {
    struct slice name; /* NULL ptr: as it was */
    bool has_scopes, has_cidrs, has_expires_at;
    uint64_t scopes;
    const struct slice *cidrs;
    size_t cidr_count;
    bool has_expiry; /* with has_expires_at; else it never expires */
    struct wall_time expires_at;
};
/* `permissions` are those of whoever changes it: a key that has more, or would have, is ERR_AUTHORITY.
 * ERR_NOT_FOUND, ERR_STATE_CONFLICT: revoked. ERR_DB_DATA as of api_key_create. */
MUST_CHECK enum err api_key_change(struct db_tx *tx, const struct clock *clock, struct id key,
                                   uint64_t permissions, const struct api_key_change *change,
                                   struct arena *arena, struct api_key *out);
#define API_KEY_OVERLAP_S_MAX (7 * 24 * 3600)
/*
 * A new secret for the key, which is otherwise as it was; the one before is good for `overlap_s` more
 * seconds, the one before that no longer. *text_out as of api_key_create. ERR_AUTHORITY: it has more than
 * `permissions`. ERR_NOT_FOUND, ERR_STATE_CONFLICT: revoked or expired.
 */
MUST_CHECK enum err api_key_rotate(struct db_tx *tx, const struct clock *clock, struct id key,
                                   uint64_t permissions, int64_t overlap_s, struct arena *arena,
                                   struct api_key *out, struct secret **text_out);
/* Repeating it is harmless. ERR_NOT_FOUND. */
MUST_CHECK enum err api_key_revoke(struct db_tx *tx, const struct clock *clock, struct id key);

/* The parts of a presented key. ERR_KEY_INVALID when it is not of the form; `secret` is 32 octets, wiped by
 * the caller. */
MUST_CHECK enum err api_key_parse(struct slice text, struct id *id_out, enum api_key_mode *mode_out,
                                  unsigned char secret_out[API_KEY_SECRET_BYTES]);

/* What authentication needs of a key; no more is kept in memory. */
#define API_PRINCIPAL_RANGES_MAX API_KEY_CIDRS_MAX
struct api_principal {
    struct id key, tenant;
    enum api_key_mode mode;
    enum tenant_state tenant_state;
    uint64_t scopes;
    unsigned char salt[API_KEY_SALT_BYTES], hash[API_KEY_HASH_BYTES];
    bool has_expiry, is_revoked, has_previous;
    struct wall_time expires_at;
    unsigned char previous_salt[API_KEY_SALT_BYTES], previous_hash[API_KEY_HASH_BYTES];
    struct wall_time previous_until; /* with has_previous */
    struct address_range ranges[API_PRINCIPAL_RANGES_MAX];
    size_t range_count;
};
/* Across tenants ("authenticate"). ERR_KEY_INVALID when there is none of this id. */
MUST_CHECK enum err api_principal_load(struct db *db, struct id key, struct api_principal *out);
/* Across workspaces: of some keys those that are good now, by their ids. */
MUST_CHECK enum err api_keys_alive(struct db *db, const struct clock *clock, const struct id *keys,
                                   size_t count, struct arena *arena, struct id **out, size_t *count_out);
/* Notes when and from where keys were last used. Best effort: one row per key, in its tenant's transaction.
 */
MUST_CHECK enum err api_key_note_use(struct db *db, struct id tenant, struct id key, struct wall_time at,
                                     struct slice from);

#endif
