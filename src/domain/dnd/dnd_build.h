/*
 * Makes a registry from any number of rows in bounded memory: rows are sorted in pieces, the pieces wait in a
 * file without a name, and are merged into the new registry, which takes the place of the old one in one
 * step. Of several rows for one number the last one counts.
 */
#ifndef DOMAIN_DND_DND_BUILD_H
#define DOMAIN_DND_DND_BUILD_H
#include "domain/dnd/dnd_csv.h"
#include "domain/dnd/dnd_registry.h"

#define DND_BUILD_MEMORY_BYTES ((size_t)128 << 20)

struct dnd_build; /* owned by whoever made it */

/*
 * In that folder, which is there. `base`: the rows change that registry (borrowed until the end); NULL: they
 * are all there is. ERR_NO_MEMORY, ERR_SYSTEM.
 */
MUST_CHECK enum err dnd_build_new(const char *folder, const struct dnd_registry *base, size_t memory_bytes,
                                  struct dnd_build **out);
/* ERR_TOO_MANY: there are more different preferences than a registry has room for. ERR_SYSTEM, ERR_NO_MEMORY.
 */
MUST_CHECK enum err dnd_build_row(struct dnd_build *build, const struct dnd_row *row);
struct dnd_build_result {
    uint64_t row_count, refused_count;
    struct wall_time now;
    struct slice source;                           /* UTF-8, at most DND_SOURCE_BYTES_MAX */
    bool is_shared;                                /* processes of other users read it, too */
    uint64_t number_count_min;                     /* with fewer, the old one stays: ERR_STATE_CONFLICT */
    void (*progress)(void *ctx, uint64_t numbers); /* while it merges, now and then; may be NULL */
    void *ctx;
};
/*
 * Writes it, reads it back, puts it in place. With an error the old one stays: ERR_SYSTEM (the disk is full,
 * ...), ERR_FILE_DAMAGED (what was read back is not what was written), ERR_STATE_CONFLICT, ERR_NO_MEMORY,
 * ERR_TOO_MANY.
 */
MUST_CHECK enum err dnd_build_finish(struct dnd_build *build, const struct dnd_build_result *result,
                                     struct dnd_registry_facts *facts_out);
/* Accepts NULL; what was not finished is gone. */
void dnd_build_free(struct dnd_build *build);

#endif
