/*
 * The fields that PDU bodies are made of: integers, C-octet strings, octet strings, and the tagged parameters
 * behind them. SMPP v3.4 issue 1.2, sections 3.1 and 5.3.
 */
#ifndef WIRE_SMPP_SMPP_FIELD_H
#define WIRE_SMPP_SMPP_FIELD_H
#include "core/buf.h"
#include "core/slice.h"

/* Reads one field after the other; the first that is not there marks it, and all later ones are empty. */
struct smpp_fields {
    struct slice rest; /* borrowed */
    bool has_failed;
};

uint8_t smpp_u8(struct smpp_fields *fields);
uint32_t smpp_u32(struct smpp_fields *fields);
/* A C-octet string of at most `bytes_max` octets with its NUL; the slice is without it. */
struct slice smpp_cstring(struct smpp_fields *fields, size_t bytes_max);
struct slice smpp_octets(struct smpp_fields *fields, size_t len);

/*
 * Writes a C-octet string. ERR_LIMIT: with its NUL it is longer than bytes_max; ERR_ENCODING: it holds a NUL
 * or an octet outside of ASCII. Nothing is written then.
 */
MUST_CHECK enum err smpp_cstring_add(struct buf *out, struct slice text, size_t bytes_max);

/* Tags that we know; others are passed over when read, and may be a connector's own when written. */
#define SMPP_TLV_DEST_ADDR_SUBUNIT           0x0005u
#define SMPP_TLV_QOS_TIME_TO_LIVE            0x0017u
#define SMPP_TLV_ADDITIONAL_STATUS_INFO_TEXT 0x001Du
#define SMPP_TLV_RECEIPTED_MESSAGE_ID        0x001Eu
#define SMPP_TLV_USER_MESSAGE_REFERENCE      0x0204u
#define SMPP_TLV_SOURCE_PORT                 0x020Au
#define SMPP_TLV_DESTINATION_PORT            0x020Bu
#define SMPP_TLV_SAR_MSG_REF_NUM             0x020Cu
#define SMPP_TLV_SAR_TOTAL_SEGMENTS          0x020Eu
#define SMPP_TLV_SAR_SEGMENT_SEQNUM          0x020Fu
#define SMPP_TLV_SC_INTERFACE_VERSION        0x0210u
#define SMPP_TLV_MS_AVAILABILITY_STATUS      0x0422u
#define SMPP_TLV_NETWORK_ERROR_CODE          0x0423u
#define SMPP_TLV_MESSAGE_PAYLOAD             0x0424u
#define SMPP_TLV_DELIVERY_FAILURE_REASON     0x0425u
#define SMPP_TLV_MORE_MESSAGES_TO_SEND       0x0426u
#define SMPP_TLV_MESSAGE_STATE               0x0427u
/* India's registry; which is which is each operator's setting. */
#define SMPP_TLV_DLT_ENTITY   0x1400u
#define SMPP_TLV_DLT_TEMPLATE 0x1401u
#define SMPP_TLV_DLT_CHAIN    0x1402u

#define SMPP_TLV_COUNT_MAX 64u /* of one PDU; more are refused */

struct smpp_tlv {
    uint16_t tag;
    struct slice value; /* borrowed */
};

/* Whether the octets behind the mandatory fields are parameters, each within them, and not too many. */
bool smpp_tlvs_are_whole(struct slice tlvs);
/* Takes the first one off; false: there is none, or it is cut short. */
bool smpp_tlv_take(struct slice *tlvs, struct smpp_tlv *out);
/* The first of this tag; ptr NULL: there is none. */
struct slice smpp_tlv_find(struct slice tlvs, uint16_t tag);
/* Its value as an integer of exactly so many octets (1, 2 or 4); false: it is missing or of another length.
 */
bool smpp_tlv_number(struct slice tlvs, uint16_t tag, size_t bytes, uint32_t *out);
/* A value that peers write with and without its NUL: without. */
struct slice smpp_tlv_text(struct slice tlvs, uint16_t tag);

/* ERR_LIMIT: the value is longer than 65,535 octets. */
MUST_CHECK enum err smpp_tlv_add(struct buf *out, uint16_t tag, struct slice value);
void smpp_tlv_add_u8(struct buf *out, uint16_t tag, uint8_t value);
void smpp_tlv_add_u16(struct buf *out, uint16_t tag, uint16_t value);

#endif
