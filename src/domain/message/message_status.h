/*
 * Where a message stands, and which moves are allowed. A status only moves forward: provider events come
 * late, twice and out of order, and none of them may take a message back.
 *
 *   accepted -> queued | held -> sending -> sent -> delivered -> read
 *   blocked (by policy), failed (by the provider), expired, canceled: where it ends otherwise
 *   uncertain: handed to the provider, the answer was lost; the provider's own events resolve it
 *   received: incoming; it never moves
 */
#ifndef DOMAIN_MESSAGE_MESSAGE_STATUS_H
#define DOMAIN_MESSAGE_MESSAGE_STATUS_H
#include "core/err.h"
#include "core/slice.h"

enum message_status {
    MESSAGE_ACCEPTED,
    MESSAGE_QUEUED,
    MESSAGE_HELD,
    MESSAGE_SENDING,
    MESSAGE_SENT,
    MESSAGE_DELIVERED,
    MESSAGE_READ,
    MESSAGE_BLOCKED,
    MESSAGE_FAILED,
    MESSAGE_EXPIRED,
    MESSAGE_CANCELED,
    MESSAGE_UNCERTAIN,
    MESSAGE_RECEIVED,
};
#define MESSAGE_STATUS_COUNT 13u

/* The stored and shown word, such as "delivered". */
struct slice message_status_name(enum message_status status);
/* ERR_DB_DATA for a word that is none of ours. */
MUST_CHECK enum err message_status_parse(struct slice name, enum message_status *out);

/*
 * Whether a message may go from one status to another. A repeated status is no move. Three moves go
 * back and are ours alone, never a provider's: sending -> queued or held (put back for another try) and
 * uncertain -> queued (a possible duplicate is the lesser evil for this category). Three leave a final
 * status: failed, expired and canceled give way to delivered and read, because the recipient's own device is
 * the better witness. Expired gives way to failed, so that the end does not hang on the order of the reports.
 */
bool message_status_may_move(enum message_status from, enum message_status to);
/* The same for a provider's claim, which can only be sent, delivered, read, failed or expired. */
bool message_status_may_report(enum message_status from, enum message_status to);

/*
 * What a provider has told of a message, as bits: kept beside the status, so that each fact is told once,
 * also one that comes too late to move the status. A read message was delivered, and a delivered one sent.
 */
#define MESSAGE_FACT_SENT      1u
#define MESSAGE_FACT_DELIVERED 2u
#define MESSAGE_FACT_READ      4u
#define MESSAGE_FACT_FAILED    8u
#define MESSAGE_FACT_EXPIRED   16u
/* What a report of this status says; 0 for a status that no provider reports. */
unsigned message_facts_of(enum message_status reported);

#define MESSAGE_STATUS_PATH_MAX 3u
/*
 * The statuses that a permitted move passes, `to` last: a read message was delivered although the provider
 * left that out, so sent -> read gives delivered, read. Returns their number; 0 when the move is not allowed.
 */
size_t message_status_path(enum message_status from, enum message_status to,
                           enum message_status path_out[static MESSAGE_STATUS_PATH_MAX]);

#endif
