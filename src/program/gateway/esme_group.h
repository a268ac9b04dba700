/*
 * Parts of a long message: which part of what a PDU is, and the parts of one message until all have come, in
 * whatever order. Pure: what comes twice, and what comes never, is for the caller to judge. Parts are told
 * by a header of 8 or 16 bits (3GPP TS 23.040, 9.2.3.24.1) or by SAR (SMPP v3.4, 5.3.2.22 to 24).
 */
#ifndef PROGRAM_GATEWAY_ESME_GROUP_H
#define PROGRAM_GATEWAY_ESME_GROUP_H
#include "core/arena.h"
#include "wire/gsm/sms_udh.h"
#include "wire/smpp/smpp_message.h"

#define ESME_PARTS_MAX      32u
#define ESME_PART_BYTES_MAX 8192u /* of the PDU of a part: 32 of them fit an arena */

struct esme_part {
    enum sms_concat kind; /* SMS_CONCAT_NONE: SAR, or it is whole */
    uint16_t reference;
    uint8_t count, number; /* count 1: it is whole */
    struct slice octets;   /* behind the header; borrowed of the message */
    struct gsm7_alphabet alphabet;
};
/*
 * SMPP_OK, or why it is refused: a header that does not hold together, ports (for an application), more parts
 * than ESME_PARTS_MAX, a part that is none of its count, a part's PDU that is too long.
 */
uint32_t esme_part_read(const struct smpp_message *message, size_t body_bytes, struct esme_part *out);

/* A PDU as it came; `body` is the group's, and `message` and `part` point into it. */
struct esme_piece {
    uint32_t command;
    struct slice body; /* ptr NULL: it has not come */
    struct smpp_message message;
    struct esme_part part;
};

struct esme_group {
    struct arena *arena; /* borrowed: pieces are copied there */
    size_t part_count, present_count;
    struct esme_piece pieces[ESME_PARTS_MAX];
};

enum esme_added {
    ESME_ADDED,
    ESME_REPEATED,  /* the same octets once more: nothing changes */
    ESME_DIFFERENT, /* another text under this number: its reference was given anew. Nothing changes */
    ESME_ELSEWHERE, /* it is of another message. Nothing changes */
};

/* With nothing in it: the first that is added says whose parts it holds. */
void esme_group_init(struct esme_group *group, struct arena *arena);
/* `body` is copied. A PDU that cannot be read, or is no part, is ERR_SMPP_BODY. ERR_NO_MEMORY. */
MUST_CHECK enum err esme_group_add(struct esme_group *group, uint32_t command, struct slice body,
                                   enum esme_added *out);
bool esme_group_is_whole(const struct esme_group *group);
/* The first of those that have come; NULL: none has. */
const struct esme_piece *esme_group_first(const struct esme_group *group);
/* What is asked for by any of them: SMPP_RECEIPT_ALWAYS above SMPP_RECEIPT_FAILURE above none. */
uint8_t esme_group_receipt(const struct esme_group *group);
/* Of one that is whole: the octets of all. A locking or single shift is that of the first part.
 * ERR_NO_MEMORY. */
MUST_CHECK enum err esme_group_join(const struct esme_group *group, struct slice *octets_out);
/*
 * What parts of one message have in common, and no other's: source, destination, reference, count. Two with
 * the same belong together. It is personal data: for a keyed index. ERR_NO_MEMORY.
 */
MUST_CHECK enum err esme_group_identity(const struct esme_group *group, struct slice *out);

#endif
