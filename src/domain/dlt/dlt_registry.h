/*
 * What a workspace has registered with India's operators: its principal entity, the telemarketers between it
 * and the operator, its headers. Words (states, roles) are those of the contract; the database holds them
 * against its own list.
 */
#ifndef DLT_REGISTRY_H
#define DLT_REGISTRY_H
#include "core/id.h"
#include "domain/dlt/dlt_link.h"
#include "platform/db/db.h"

#define DLT_ENTITIES_MAX     20u
#define DLT_CHAINS_MAX       50u
#define DLT_MEMBERS_MAX      10u
#define DLT_HEADERS_MAX      2000u
#define DLT_LINKS_MAX        2000u
#define DLT_ID_DIGITS_MAX    30u
#define DLT_CHAIN_HASH_BYTES 32u

struct dlt_entity {
    struct id id;
    struct slice registered_id, name, state;
    struct wall_time created_at, updated_at;
};

struct dlt_member {
    struct slice registered_id, name, role; /* "aggregator", "delivery" */
};

struct dlt_chain {
    struct id id, entity;
    struct slice entity_registered_id, state;
    unsigned char hash[DLT_CHAIN_HASH_BYTES];
    struct dlt_member members[DLT_MEMBERS_MAX];
    size_t member_count;
    struct wall_time created_at, updated_at;
};

struct dlt_header {
    struct id id, entity;
    struct slice name, registered_id, state,
        paused_reason; /* registered_id: empty, not known; paused_reason: empty, not paused */
    struct wall_time paused_at, created_at, updated_at;
    int64_t template_count; /* that may be sent under it */
};

/* What of an object is changed: slices with NULL ptr stay; pause says whether paused_reason is meant (empty:
 * goes on). */
struct dlt_change {
    struct slice name, registered_id, state, paused_reason;
    bool has_pause;
};

struct dlt_link_row {
    struct id id;
    struct dlt_link link;
    struct wall_time created_at;
};

struct dlt_counts {
    int64_t headers, headers_active, templates, templates_active, links,
        links_ending; /* ending: over, or within 30 days */
};
MUST_CHECK enum err dlt_counts_read(struct db_tx *tx, const struct clock *clock, struct dlt_counts *out);

/* Digits, 1 to 30: ids are never read any further. */
bool dlt_id_is_written(struct slice text);
/* NULL, or what is wrong with a header: a sentence of ours. Letters with their case, or digits alone, of
 * which the first is 0 to 8. */
const char *dlt_header_fault(struct slice name);
/* For digits alone: under these nothing but promotion is sent. */
bool dlt_header_is_promotional(struct slice name);

/* SHA-256 over the entity's id and those of the members, in order, with commas between. */
MUST_CHECK enum err dlt_chain_hash(struct slice entity_registered_id, const struct dlt_member *members,
                                   size_t count, unsigned char out[static DLT_CHAIN_HASH_BYTES]);

/* Lists come whole, by age. What they hold lives in the arena. */
MUST_CHECK enum err dlt_entity_list(struct db_tx *tx, struct arena *arena, struct dlt_entity **out,
                                    size_t *count_out);
/* ERR_EXISTS: the id is registered here; ERR_TOO_MANY. */
MUST_CHECK enum err dlt_entity_create(struct db_tx *tx, const struct clock *clock,
                                      const struct dlt_entity *with);
/* ERR_NOT_FOUND. */
MUST_CHECK enum err dlt_entity_update(struct db_tx *tx, const struct clock *clock, struct id id,
                                      const struct dlt_change *with);
/* ERR_NOT_FOUND; ERR_DB_CONSTRAINT: something is registered under it. */
MUST_CHECK enum err dlt_entity_delete(struct db_tx *tx, struct id id);

MUST_CHECK enum err dlt_chain_list(struct db_tx *tx, struct arena *arena, struct dlt_chain **out,
                                   size_t *count_out);
/* Computes the hash. ERR_DLT_ENTITY_UNKNOWN; ERR_EXISTS: these members are a chain already;
 * ERR_TOO_MANY. */
MUST_CHECK enum err dlt_chain_create(struct db_tx *tx, const struct clock *clock, struct arena *arena,
                                     struct dlt_chain *with);
MUST_CHECK enum err dlt_chain_update(struct db_tx *tx, const struct clock *clock, struct id id,
                                     struct slice state);
MUST_CHECK enum err dlt_chain_delete(struct db_tx *tx, struct id id);

/* The newest first, after `cursor` (zero: from the newest). `query`: a part of the name; empty: all. */
/* ERR_NOT_FOUND. */
MUST_CHECK enum err dlt_header_get(struct db_tx *tx, struct arena *arena, struct id id,
                                   struct dlt_header *out);
MUST_CHECK enum err dlt_header_list(struct db_tx *tx, struct arena *arena, struct slice query,
                                    struct slice state, struct id cursor, size_t limit,
                                    struct dlt_header **out, size_t *count_out);
/* ERR_DLT_ENTITY_UNKNOWN; ERR_EXISTS: the name is registered here; ERR_TOO_MANY. */
MUST_CHECK enum err dlt_header_create(struct db_tx *tx, const struct clock *clock,
                                      const struct dlt_header *with);
MUST_CHECK enum err dlt_header_update(struct db_tx *tx, const struct clock *clock, struct id id,
                                      const struct dlt_change *with);
MUST_CHECK enum err dlt_header_delete(struct db_tx *tx, struct id id);

MUST_CHECK enum err dlt_link_list(struct db_tx *tx, struct arena *arena, struct slice query, struct id cursor,
                                  size_t limit, struct dlt_link_row **out, size_t *count_out);
/* All that may be used, for a matcher; `now` is the clock's. */
MUST_CHECK enum err dlt_links_read(struct db_tx *tx, const struct clock *clock, struct arena *arena,
                                   struct dlt_links *out);
MUST_CHECK enum err dlt_link_create(struct db_tx *tx, const struct clock *clock,
                                    const struct dlt_link_row *with);
/* Another end. ERR_NOT_FOUND. */
MUST_CHECK enum err dlt_link_prolong(struct db_tx *tx, struct id id, struct wall_time expires_at);
MUST_CHECK enum err dlt_link_delete(struct db_tx *tx, struct id id);

#endif
