/*
 * A workspace's audit entries in a Merkle tree (crypto/merkle.h): each has a place, its line is the leaf, and
 * the tree only grows. Checkpoints sign what the tree was at a size; whoever keeps one can show that nothing
 * below was changed, removed or moved since.
 */
#ifndef DOMAIN_AUDIT_AUDIT_TREE_H
#define DOMAIN_AUDIT_AUDIT_TREE_H
#include "crypto/merkle.h"
#include "domain/audit/audit_entry.h"

#define AUDIT_SEAL_MAX 500u /* entries that get their places in one transaction */

/* The workspaces with entries that have no place, or a tree that is not signed; at most `max`. Across tenants
 * ("audit.seal"), as harkara_scheduler. */
MUST_CHECK enum err audit_waiting(struct db *db, struct id *tenants, size_t max, size_t *count_out);
/* Gives the next entries their places, by their ids. *has_more_out: a batch was full. */
MUST_CHECK enum err audit_seal(struct db *db, struct id tenant, struct arena *arena, size_t *sealed_out,
                               bool *has_more_out);
/* Signs the tree when it has grown since the last checkpoint; makes the workspace's key at its first. */
MUST_CHECK enum err audit_sign(struct db *db, const struct vault *vault, const struct clock *clock,
                               struct id tenant, struct arena *arena, bool *signed_out);

struct audit_key {
    uint32_t generation;
    unsigned char public_key[VAULT_PUBLIC_KEY_BYTES];
    struct wall_time created_at;
};
struct audit_checkpoint {
    uint64_t size;
    struct merkle_hash root;
    struct wall_time at;
    uint32_t generation; /* of the key */
    unsigned char signature[VAULT_SIGNATURE_BYTES];
};
/*
 * What is signed, five lines: "harkara-audit/1", the workspace's id, the size, the root in base64, the time.
 */
#define AUDIT_CHECKPOINT_TEXT_MAX 256u
void audit_checkpoint_text(struct id tenant, const struct audit_checkpoint *checkpoint, struct buf *out);
/* ERR_SIGNATURE. */
MUST_CHECK enum err audit_checkpoint_check(struct id tenant, const struct audit_checkpoint *checkpoint,
                                           const struct audit_key *key);

#define AUDIT_KEYS_MAX 64u
MUST_CHECK enum err audit_keys(struct db_tx *tx, struct arena *arena, struct audit_key **out,
                               size_t *count_out);
/* Below `before` (0: from the largest), the largest first; at most `limit` <= 1000, plus one. */
#define AUDIT_CHECKPOINTS_MAX 1000u
MUST_CHECK enum err audit_checkpoints(struct db_tx *tx, uint64_t before, size_t limit, struct arena *arena,
                                      struct audit_checkpoint **out, size_t *count_out);
/* The first that holds the place. ERR_NOT_FOUND: none yet. */
MUST_CHECK enum err audit_checkpoint_of(struct db_tx *tx, uint64_t place, struct audit_checkpoint *out);

/* From the stored nodes, for merkle_inclusion and merkle_consistency; ctx is a struct audit_nodes. */
struct audit_nodes {
    struct db_tx *tx;
    struct arena *arena;
};
enum err audit_subtree(void *nodes, unsigned level, uint64_t index, struct merkle_hash *out);

#endif
