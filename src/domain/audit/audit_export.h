/*
 * A workspace's whole log as lines of JSON, to be verified far from here (audit_verify.h): a head with the
 * public keys, each entry's line by its place, each checkpoint behind the last entry that it holds, and an
 * end. What has no place yet is not part of it.
 */
#ifndef DOMAIN_AUDIT_AUDIT_EXPORT_H
#define DOMAIN_AUDIT_AUDIT_EXPORT_H
#include "domain/audit/audit_tree.h"

struct audit_export {
    struct db *db; /* of a role that reads the log: harkara_gateway or harkara_admin */
    struct id tenant;
    const struct vault *vault;                       /* NULL: without the private parts */
    struct arena *arena;                             /* reset between pages */
    enum err (*write)(void *ctx, struct slice line); /* with its end of line */
    void *ctx;
};
/* The first error of reading or of write. *entries_out may be NULL. */
MUST_CHECK enum err audit_export(const struct audit_export *export, uint64_t *entries_out);

/* The members of a checkpoint as the export and the API show them: size, root, at, generation, signature. */
void audit_checkpoint_print(const struct audit_checkpoint *checkpoint, struct buf *out);

#endif
