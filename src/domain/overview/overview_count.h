/*
 * Reads the event log once for all workspaces, adds up what became of messages by the quarter of an hour, and
 * tells every gateway what has changed, by a notice on OVERVIEW_CHANNEL. The cursor moves in the transaction
 * that counts, and only from where it stood: nothing is counted twice, and a crash loses nothing.
 */
#ifndef DOMAIN_OVERVIEW_OVERVIEW_COUNT_H
#define DOMAIN_OVERVIEW_OVERVIEW_COUNT_H
#include "core/arena.h"
#include "core/err.h"
#include "core/id.h"
#include "core/slice.h"
#include "platform/db/db.h"

#define OVERVIEW_CHANNEL     "harkara_live"
#define OVERVIEW_ARENA_BYTES (2u << 20)
#define OVERVIEW_PAGE_MAX    5000u /* events that one turn reads */
#define OVERVIEW_TOLD_MAX    8u    /* ids that are told of one subject at once; of more, that it were many */

/*
 * One page, as harkara_gateway. *read_out: how many events it had; of a full one there may be more. The arena
 * (OVERVIEW_ARENA_BYTES) is empty afterwards.
 */
MUST_CHECK enum err overview_count(struct db *db, struct arena *arena, size_t *read_out);

/* What has changed; as told by the count, or by whoever wrote an entry of the audit log. */
struct overview_notice {
    struct id tenant;
    bool is_act;
    struct slice word; /* of an act its action ("team.updated"), else what an event's type begins with */
    struct id channel; /* zero: none */
    struct id ids[OVERVIEW_TOLD_MAX]; /* of an act its object, if it has one */
    size_t id_count;                  /* 0: many, or none */
};
/* Takes one line off a notice's text. ERR_NOTHING: there is none left. ERR_DB_DATA: it is no such line. */
MUST_CHECK enum err overview_notice_take(struct slice *text, struct overview_notice *out);

#endif
