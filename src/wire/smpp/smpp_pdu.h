/*
 * SMPP PDU framing: v3.4 issue 1.2, section 3.2. Four big-endian 32-bit integers, of which the first counts
 * itself and all that follows; then the body.
 */
#ifndef WIRE_SMPP_SMPP_PDU_H
#define WIRE_SMPP_SMPP_PDU_H
#include "core/buf.h"
#include "core/slice.h"

#define SMPP_HEADER_BYTES  16u
#define SMPP_PDU_BYTES_MAX (128u * 1024u) /* our limit; a message_payload of 64 KiB fits */
#define SMPP_SEQUENCE_MAX  0x7FFFFFFFu

/* command_id, 5.1.2.1. An answer has the request's with the top bit set. */
#define SMPP_RESPONSE           0x80000000u
#define SMPP_BIND_RECEIVER      0x00000001u
#define SMPP_BIND_TRANSMITTER   0x00000002u
#define SMPP_QUERY_SM           0x00000003u
#define SMPP_SUBMIT_SM          0x00000004u
#define SMPP_DELIVER_SM         0x00000005u
#define SMPP_UNBIND             0x00000006u
#define SMPP_REPLACE_SM         0x00000007u
#define SMPP_CANCEL_SM          0x00000008u
#define SMPP_BIND_TRANSCEIVER   0x00000009u
#define SMPP_OUTBIND            0x0000000Bu
#define SMPP_ENQUIRE_LINK       0x00000015u
#define SMPP_SUBMIT_MULTI       0x00000021u
#define SMPP_ALERT_NOTIFICATION 0x00000102u
#define SMPP_DATA_SM            0x00000103u
#define SMPP_GENERIC_NACK       0x80000000u

struct smpp_pdu {
    uint32_t command, status, sequence;
    struct slice body; /* borrowed: points into the input */
};

/*
 * Takes one PDU off the front of *input.
 * ERR_INCOMPLETE: *input is untouched; read more and call again.
 * ERR_SMPP_LENGTH: command_length is below 16 or above our limit: the framing is lost, close the session.
 */
MUST_CHECK enum err smpp_pdu_take(struct slice *input, struct smpp_pdu *out);

/* Begins a PDU at the end of `out`; what is added then is its body. Returns what smpp_pdu_end wants. */
size_t smpp_pdu_begin(struct buf *out, uint32_t command, uint32_t status, uint32_t sequence);
/* Writes its length, now that it is known. */
void smpp_pdu_end(struct buf *out, size_t began);
/* One without a body: enquire_link, unbind and their answers, generic_nack, answers that refuse. */
void smpp_pdu_add(struct buf *out, uint32_t command, uint32_t status, uint32_t sequence);

/* The number after this one: 1 to SMPP_SEQUENCE_MAX, then from the beginning (3.2). */
uint32_t smpp_sequence_next(uint32_t sequence);
/* The command's name as the standard writes it, for logs and metrics; "unknown" for others. Never NULL. */
const char *smpp_command_word(uint32_t command);

#endif
