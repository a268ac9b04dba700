/*
 * Stored values from old data keys to the newest: read in batches, sealed again by the vault, put back where
 * nobody has changed them in between. Which columns are sealed says the table sealed_column, and a test holds
 * the database's catalogue and the vault's policy against it. As harkara_admin, who may read and write them
 * only through functions.
 */
#ifndef DOMAIN_TENANT_REKEY_H
#define DOMAIN_TENANT_REKEY_H
#include "core/arena.h"
#include "platform/db/db.h"
#include "platform/ipc/vault_client.h"

#define REKEY_COLUMNS_MAX 4u
#define REKEY_GROUPS_MAX  64u

struct rekey_group {
    struct slice name, table; /* `table` as its places say */
    enum vault_purpose purpose;
    struct slice columns[REKEY_COLUMNS_MAX];
    size_t column_count;
};
/* In the arena. ERR_LIMIT: more than there is room for. */
MUST_CHECK enum err rekey_groups(struct db *db, struct arena *arena, struct rekey_group out[REKEY_GROUPS_MAX],
                                 size_t *count_out);

struct rekey_cursor {
    struct id row;
    int64_t sub;
    bool is_at_end;
};
/*
 * One batch of one tenant's values of a group, from the cursor on, in a transaction; the arena is reset.
 * *count_out rows were put back. ERR_SEAL_CORRUPT: a value does not open where it stands.
 */
MUST_CHECK enum err rekey_step(struct db *db, const struct vault *vault, struct id tenant,
                               const struct rekey_group *group, uint32_t newest, struct rekey_cursor *cursor,
                               struct arena *arena, size_t *count_out);

#endif
