/*
 * The registry: a sorted list of the numbers that have a preference, in a file that is mapped and looked up
 * in place. Platform-wide: it is the state's list, the same for all workspaces.
 *
 *     header   4096 bytes, its last 32 the SHA-256 of those before
 *     profiles 8 bytes each: the different preferences, of which there are few
 *     entries  by number, ascending: the low 16 bits of the national number, and which profile (1 byte, or 2
 * where there are more than 256): so a number costs 3 bytes index    4 bytes for each 65536 numbers: how many
 * entries come before them
 *
 * All integers are little-endian. Nothing of a mapped file is trusted: sizes follow from the counts of the
 * header, the digests of header and body are compared when it is opened, and each look-up keeps within bounds
 * by itself.
 */
#ifndef DOMAIN_DND_DND_REGISTRY_H
#define DOMAIN_DND_DND_REGISTRY_H
#include "domain/dnd/dnd_preference.h"

#define DND_REGISTRY_NAME      "registry" /* in its folder */
#define DND_REGISTRY_BYTES_MAX (INT64_C(1) << 34)
#define DND_NUMBER_MAX         UINT64_C(9999999999) /* ten digits */
#define DND_SOURCE_BYTES_MAX   200u
#define DND_PROFILES_MAX       65536u

struct dnd_registry; /* shared by reference; not changed */

struct dnd_registry_facts {
    uint64_t number_count, row_count, refused_count; /* rows of the lists that made it */
    uint32_t profile_count;
    uint64_t bytes;
    struct wall_time imported_at;
    char source[DND_SOURCE_BYTES_MAX + 1]; /* UTF-8, what whoever imported it called it */
};

/*
 * The file DND_REGISTRY_NAME of that folder. ERR_NOTHING: there is none. ERR_FILE_DAMAGED: it is not whole,
 * or of another layout. ERR_SYSTEM: it cannot be read. ERR_NO_MEMORY.
 */
MUST_CHECK enum err dnd_registry_open(const char *folder, struct dnd_registry **out);
/* Only what its header says, without a look at the body. The same errors. */
MUST_CHECK enum err dnd_registry_peek(const char *folder, struct dnd_registry_facts *out);
/* From memory, which is borrowed; for tests and fuzzing. */
MUST_CHECK enum err dnd_registry_read(struct slice bytes, struct dnd_registry **out);
struct dnd_registry *dnd_registry_ref(struct dnd_registry *registry);
/* Accepts NULL. The last one closes it. */
void dnd_registry_unref(struct dnd_registry *registry);
const struct dnd_registry_facts *dnd_registry_facts(const struct dnd_registry *registry);
/* Whether a registry of then is older than so many days; one of another machine's clock, later than now, is
 * not. */
bool dnd_is_old(struct wall_time imported_at, struct wall_time now, int64_t days);

/*
 * The national number of an Indian one: "+91" and ten digits. false: it is none, and the registry says
 * nothing of it.
 */
bool dnd_number_of(struct slice e164, uint64_t *number_out);
/* false: it has no preference, and anything may come. */
bool dnd_lookup(const struct dnd_registry *registry, uint64_t number, struct dnd_preference *out);

/* All entries, in order: for making the next one. `at` from 0; false: there are no more. */
bool dnd_registry_entry(const struct dnd_registry *registry, uint64_t at, uint32_t *bucket,
                        uint64_t *number_out, struct dnd_preference *out);

#endif
