/*
 * Tenants' data keys over time, as harkara_admin beside a running server, whose vault alone sees them open.
 * Each step is whole or not there and may be done again: whoever was killed begins anew. docs/vault.md has
 * the order.
 */
#ifndef DOMAIN_TENANT_KEY_ROTATION_H
#define DOMAIN_TENANT_KEY_ROTATION_H
#include "core/arena.h"
#include "core/clock.h"
#include "platform/db/db.h"
#include "platform/ipc/vault_client.h"

struct key_version {
    enum vault_purpose purpose;
    uint32_t version, kek_version;
    int64_t seals, opens; /* as told by the vaults so far */
    struct wall_time created_at, used_at;
    bool is_used; /* used_at is set */
};
#define KEY_VERSIONS_MAX 64u
/* Of one tenant, by purpose and version. ERR_LIMIT: more than KEY_VERSIONS_MAX. */
MUST_CHECK enum err key_versions(struct db *db, struct id tenant, struct key_version out[KEY_VERSIONS_MAX],
                                 size_t *count_out);

/* All tenants' keys by purpose and version. */
struct key_total {
    enum vault_purpose purpose;
    uint32_t version;
    int64_t keys, seals, opens, seals_most; /* the last: of one key */
    struct wall_time oldest_at, newest_at;
};
#define KEY_TOTALS_MAX 256u
/* The newest versions first, at most KEY_TOTALS_MAX. */
MUST_CHECK enum err key_totals(struct db *db, struct key_total out[KEY_TOTALS_MAX], size_t *count_out);
/* Tenants that have keys, in order, beyond `after`. */
#define KEY_TENANTS_MAX 256u
MUST_CHECK enum err key_tenants(struct db *db, struct id after, struct id out[KEY_TENANTS_MAX],
                                size_t *count_out);

/* What was done: "key_made", "key_destroyed", "shredded"; "kek_made", "kek_retired", "secret_made",
 * "secret_removed". */
struct key_act {
    const char *action;
    struct id tenant;           /* zero: of no tenant's key */
    enum vault_purpose purpose; /* 0: of none */
    uint32_t version;           /* 0: of none */
};
/* Who did it, in the table of what was done to keys. */
struct key_operator {
    const struct clock *clock;
    struct slice name; /* at most 64 octets */
    /*
     * Tells of it elsewhere, in the same transaction, as its last step: it may turn the transaction to
     * another tenant. May be NULL.
     */
    enum err (*tell)(struct db_tx *tx, const struct key_act *act);
};
/* Notes what was done to a key that is no tenant's; within the transaction that does it. */
MUST_CHECK enum err key_action_note(struct db_tx *tx, const struct key_operator *operator,
                                    const char * action, uint32_t version);
/* The last step of that transaction. */
MUST_CHECK enum err key_action_tell(struct db_tx *tx, const struct key_operator *operator,
                                    const char * action, uint32_t version);

/* A further version of content or credential keys; new values are sealed under it from now on. ERR_NOT_FOUND:
 * the tenant has no such key. ERR_EXISTS: somebody else was faster. */
MUST_CHECK enum err key_advance(struct db *db, const struct vault *vault, const struct key_operator *operator,
                                struct id tenant, enum vault_purpose purpose, uint32_t *version_out);
/* All keys of the tenant under the key-encryption key in force, whose version that is. */
MUST_CHECK enum err key_rewrap(struct db *db, const struct vault *vault, struct id tenant,
                               uint32_t kek_version, size_t *count_out);
/*
 * Destroys a version that nothing is sealed under any more and whose successor is older than `grace_s`: for
 * so long a value that was sealed before it may still be on its way to the database. ERR_NOTHING: not yet,
 * and *left_out says how many values there are.
 */
MUST_CHECK enum err key_destroy(struct db *db, const struct vault *vault, const struct key_operator *operator,
                                struct id tenant, enum vault_purpose purpose, uint32_t version,
                                int64_t grace_s, int64_t *left_out);
/*
 * Destroys all keys of a closed tenant, and with them all that is sealed; ends its API keys.
 * ERR_STATE_CONFLICT: it is not closed. Done again, it only tells the vault once more.
 */
MUST_CHECK enum err key_shred(struct db *db, const struct vault *vault, const struct key_operator *operator,
                              struct id tenant);

/* Key-encryption keys. */
struct kek_version {
    uint32_t version, scrypt_n;
    int64_t wraps, keys; /* wrapped in its life; wrapped by it now */
    struct wall_time created_at, retired_at;
    bool is_retired;
    int64_t made_of; /* 0: a master key; else the version of a master secret; -1: not known */
};
#define KEK_VERSIONS_MAX 64u
/* The newest KEK_VERSIONS_MAX, oldest first. */
MUST_CHECK enum err kek_versions(struct db *db, struct kek_version out[KEK_VERSIONS_MAX], size_t *count_out);
/* Those below `version` that wrap nothing any more are retired, and the vault wipes them. */
MUST_CHECK enum err kek_retire(struct db *db, const struct vault *vault, const struct key_operator *operator,
                               uint32_t version, size_t *count_out);
MUST_CHECK enum err kek_note_made(struct db *db, const struct key_operator *operator, uint32_t version);

/* One rotation or re-encryption at a time, for as long as this connection lives. ERR_BUSY: another is at it.
 */
MUST_CHECK enum err key_work_lock(struct db *db);

/* How far a work over all tenants has come. */
struct key_work {
    const char *kind;   /* "rotate", "rekey" */
    struct slice scope; /* another scope than the one that was begun starts anew */
    struct id after;    /* tenants up to here are done */
    int64_t done_count;
};
/* Where a work stands that nobody has ended: its scope is in the arena. ERR_NOT_FOUND. */
MUST_CHECK enum err key_work_find(struct db *db, struct key_work *work, struct arena *arena);
/* Finds where it stands, or begins. */
MUST_CHECK enum err key_work_begin(struct db *db, struct key_work *work, bool *is_resumed_out);
MUST_CHECK enum err key_work_save(struct db *db, const struct key_work *work);
MUST_CHECK enum err key_work_end(struct db *db, const struct key_work *work);

#endif
