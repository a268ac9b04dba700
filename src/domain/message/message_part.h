/*
 * Parts of long messages that came over SMPP, each by itself, until all have come: kept sealed, before they
 * are answered. Whoever sends them may have room for one unanswered part alone. A group has the id of the
 * message that it becomes.
 */
#ifndef DOMAIN_MESSAGE_MESSAGE_PART_H
#define DOMAIN_MESSAGE_MESSAGE_PART_H
#include "core/arena.h"
#include "core/id.h"
#include "platform/db/db.h"
#include "platform/ipc/vault_many.h"

#define MESSAGE_PART_WAIT_S      300   /* after the first part; then nothing more is expected */
#define MESSAGE_PART_FAILED_DAYS 7     /* a receipt that nobody takes */
#define MESSAGE_PART_GROUPS_MAX  1000u /* of a key, those that failed among them */
#define MESSAGE_PARTS_MAX        32u
#define MESSAGE_PART_SWEEP_MAX   100u
#define MESSAGE_PART_FAILED_MAX  16u /* of one look */

struct message_part {
    unsigned number; /* 1 is the first */
    struct id id;    /* its seal's place */
    uint32_t command;
    struct vault_sealed pdu; /* the body of the PDU */
};
struct vault_place message_part_place(struct id tenant, struct id part);

struct message_part_group {
    struct id id;  /* in: for a new group; out: of the one that it is */
    struct id key; /* whose */
    unsigned char identity[VAULT_INDEX_BYTES];
    unsigned part_count;
    bool wants_receipt;
    /* Out. */
    bool is_done;                                 /* all had come before, and were accepted */
    struct message_part parts[MESSAGE_PARTS_MAX]; /* all that are kept now, the given ones among them */
    size_t kept_count;
};
/*
 * Adds the parts to the group of this identity, or to a new one. A number that is kept already stays as it
 * is: compare. ERR_BUSY: the key has too many groups.
 */
MUST_CHECK enum err message_parts_keep(struct db_tx *tx, struct message_part_group *group,
                                       const struct message_part *parts, size_t count, struct arena *arena);
/* It was accepted. Kept as done for a while (a part that comes once more is answered alike), or removed. */
MUST_CHECK enum err message_parts_done(struct db_tx *tx, struct id group, bool is_kept);
/*
 * It becomes no message: its identity is free again, and if any part wants a receipt the group waits for it
 * with one of its parts. `state` is SMPP's message_state.
 */
MUST_CHECK enum err message_parts_fail(struct db_tx *tx, struct id group, unsigned state);

/* A group that failed, whose receipt is owed, with the first of its parts. */
struct message_part_failed {
    struct id group;
    unsigned state;
    struct wall_time ended_at;
    struct message_part part;
};
MUST_CHECK enum err message_parts_failed(struct db_tx *tx, struct id key, struct arena *arena,
                                         struct message_part_failed out[static MESSAGE_PART_FAILED_MAX],
                                         size_t *count_out);
/* Groups whose time is over, across tenants ("smpp.sweep"). */
struct message_part_old {
    struct id tenant, group;
};
MUST_CHECK enum err message_parts_old(struct db *db,
                                      struct message_part_old out[static MESSAGE_PART_SWEEP_MAX],
                                      size_t *count_out);
/*
 * Ends one of them: one that was accepted goes (also where nobody came to say so), as what nobody wants to
 * hear of; the others fail as expired; a failed one that nobody took is forgotten.
 */
MUST_CHECK enum err message_parts_end(struct db_tx *tx, struct id group);

#endif
