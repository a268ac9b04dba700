/* The SQL of smsc's keeper. */
#ifndef PROGRAM_SMSC_KEEPER_STORE_H
#define PROGRAM_SMSC_KEEPER_STORE_H
#include "platform/db/db.h"
#include "program/smsc/keeper.h"

/* An active connector, by its revision. */
struct keeper_row {
    struct id tenant, id;
    int64_t revision;
};
/*
 * Takes the installation's lock, if nobody else has it, for as long as the connection lasts; and what is
 * active. Across tenants ("sms.connect").
 */
MUST_CHECK enum err keeper_store_look(struct db *db, size_t max, struct arena *arena, bool *has_lock_out,
                                      struct keeper_row **rows_out, size_t *count_out);
/* Fills settings, in connector->arena, and password. */
MUST_CHECK enum err keeper_store_connector(struct db *db, const struct vault *vault,
                                           const struct keeper_row *row, struct keeper_connector *connector,
                                           struct arena *arena);
/* All routes, on the heap, and octets that differ when they do. */
MUST_CHECK enum err keeper_store_routes(struct db *db, struct id **tenants_out, struct sms_route **routes_out,
                                        size_t *count_out, unsigned char **seen_out, size_t *seen_len_out);

/* What came by links, sealed and committed together, for gateways to interpret. Sorts the tasks by workspace.
 */
MUST_CHECK enum err keeper_store_pdus(struct db *db, const struct vault *vault, const struct clock *clock,
                                      struct keeper_task **tasks, size_t count, struct arena *arena);
MUST_CHECK enum err keeper_store_links(struct db *db, const struct keeper_link *links, size_t count,
                                       struct arena *arena);
/* Its links are nobody's any more. */
MUST_CHECK enum err keeper_store_gone(struct db *db, struct id tenant, struct id connector);
/* KEEPER_BREAK, KEEPER_UP, KEEPER_DOWN, KEEPER_THROTTLED: state and event. */
MUST_CHECK enum err keeper_store_state(struct db *db, const struct clock *clock,
                                       const struct keeper_task *task, struct arena *arena);
/* With what that makes of its message. */
MUST_CHECK enum err keeper_store_late(struct db *db, const struct clock *clock,
                                      const struct keeper_task *task, struct arena *arena);

#endif
