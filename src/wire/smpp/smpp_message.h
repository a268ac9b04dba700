/*
 * The bodies of SMPP's PDUs: v3.4 issue 1.2, section 4. Each is read into a struct that points into the body,
 * and written from one. Reading takes what peers send (longer addresses, answers without a body); writing
 * keeps the standard's sizes.
 *
 * Reading: ERR_SMPP_BODY: a field is cut short or its NUL missing, or the parameters behind do not hold
 * together. Writing: ERR_LIMIT or ERR_ENCODING for a field that cannot be sent.
 */
#ifndef WIRE_SMPP_SMPP_MESSAGE_H
#define WIRE_SMPP_SMPP_MESSAGE_H
#include "wire/smpp/smpp_field.h"
#include "wire/smpp/smpp_pdu.h"

#define SMPP_VERSION 0x34u

/* Octets with the NUL, 4.1 and 5.2; the second of a pair is what is read. */
#define SMPP_SYSTEM_ID_BYTES   16u
#define SMPP_PASSWORD_BYTES    9u
#define SMPP_PASSWORD_READ     65u /* operators give out longer ones */
#define SMPP_SYSTEM_TYPE_BYTES 13u
#define SMPP_SERVICE_BYTES     6u
#define SMPP_ADDRESS_BYTES     21u
#define SMPP_ADDRESS_READ      65u /* data_sm's */
#define SMPP_RANGE_BYTES       41u
#define SMPP_MESSAGE_ID_BYTES  65u
#define SMPP_TIME_BYTES        17u
#define SMPP_SHORT_MESSAGE_MAX 254u
#define SMPP_DESTINATIONS_MAX  254u

/* esm_class, 5.2.12 */
#define SMPP_ESM_UDHI         0x40u
#define SMPP_ESM_REPLY_PATH   0x80u
#define SMPP_ESM_TYPE         0x3Cu
#define SMPP_ESM_RECEIPT      0x04u
#define SMPP_ESM_INTERMEDIATE 0x20u
/* registered_delivery, 5.2.17 */
#define SMPP_RECEIPT_NEVER        0x00u
#define SMPP_RECEIPT_ALWAYS       0x01u
#define SMPP_RECEIPT_FAILURE      0x02u
#define SMPP_RECEIPT_KIND         0x03u
#define SMPP_RECEIPT_INTERMEDIATE 0x10u

struct smpp_address {
    uint8_t ton, npi;
    struct slice digits; /* or letters */
};

struct smpp_bind {
    struct slice system_id, password, system_type;
    uint8_t interface_version;
    struct smpp_address range; /* of those that it is for */
};
MUST_CHECK enum err smpp_bind_read(struct slice body, struct smpp_bind *out);
/* password_bytes: SMPP_PASSWORD_BYTES, or what the operator takes, at most SMPP_PASSWORD_READ. */
MUST_CHECK enum err smpp_bind_add(struct buf *out, const struct smpp_bind *bind, size_t password_bytes);

/* outbind: system_id and password alone, of a struct smpp_bind. */
MUST_CHECK enum err smpp_outbind_read(struct slice body, struct smpp_bind *out);
MUST_CHECK enum err smpp_outbind_add(struct buf *out, const struct smpp_bind *bind);

/* submit_sm, deliver_sm and data_sm, of which the last has no text but in message_payload. */
struct smpp_message {
    struct slice service_type;
    struct smpp_address source, destination;
    uint8_t esm_class, protocol_id, priority;
    struct slice schedule, validity;
    uint8_t registered_delivery, replace_if_present, data_coding, default_message;
    struct slice short_message;
    struct slice tlvs; /* whole (smpp_tlvs_are_whole) */
};
/* `command`: SMPP_SUBMIT_SM, SMPP_DELIVER_SM or SMPP_DATA_SM. */
MUST_CHECK enum err smpp_message_read(uint32_t command, struct slice body, struct smpp_message *out);
MUST_CHECK enum err smpp_message_add(struct buf *out, uint32_t command, const struct smpp_message *message);
/* Its text, with a header if it has one: short_message, or where that is empty message_payload. */
struct slice smpp_message_octets(const struct smpp_message *message);

/* submit_multi: a message whose destination is each of many. */
struct smpp_destination {
    bool is_list; /* the distribution list of this name, else the address */
    struct smpp_address address;
};
/* `destinations` has room for SMPP_DESTINATIONS_MAX. */
MUST_CHECK enum err smpp_multi_read(struct slice body, struct smpp_message *out,
                                    struct smpp_destination *destinations, size_t *count_out);
MUST_CHECK enum err smpp_multi_add(struct buf *out, const struct smpp_message *message,
                                   const struct smpp_destination *destinations, size_t count);

/* Answers. What is missing is empty. */
struct smpp_answer {
    struct slice name; /* system_id of a bind, message_id of a message */
    struct slice tlvs;
};
/* `command` as received. Parameters that do not hold together are left out: the answer is one all the same.
 */
MUST_CHECK enum err smpp_answer_read(uint32_t command, struct slice body, struct smpp_answer *out);
MUST_CHECK enum err smpp_answer_add(struct buf *out, uint32_t command, const struct smpp_answer *answer);

struct smpp_unsuccess {
    struct smpp_address address;
    uint32_t status;
};
/* submit_multi_resp. `failed` has room for SMPP_DESTINATIONS_MAX. */
MUST_CHECK enum err smpp_multi_answer_read(struct slice body, struct slice *message_id_out,
                                           struct smpp_unsuccess *failed, size_t *count_out);
MUST_CHECK enum err smpp_multi_answer_add(struct buf *out, struct slice message_id,
                                          const struct smpp_unsuccess *failed, size_t count);

/* query_sm, cancel_sm and replace_sm ask about a message. Each uses what it has. */
struct smpp_about {
    struct slice service_type; /* cancel */
    struct slice message_id;
    struct smpp_address source;
    struct smpp_address destination; /* cancel */
    struct slice schedule, validity; /* replace */
    uint8_t registered_delivery, default_message;
    struct slice short_message;
};
MUST_CHECK enum err smpp_about_read(uint32_t command, struct slice body, struct smpp_about *out);
MUST_CHECK enum err smpp_about_add(struct buf *out, uint32_t command, const struct smpp_about *about);

struct smpp_query_answer {
    struct slice message_id, final_date;
    uint8_t state, error;
};
MUST_CHECK enum err smpp_query_answer_read(struct slice body, struct smpp_query_answer *out);
MUST_CHECK enum err smpp_query_answer_add(struct buf *out, const struct smpp_query_answer *answer);

/* alert_notification: somebody can be reached again. */
struct smpp_alert {
    struct smpp_address source, esme;
    struct slice tlvs;
};
MUST_CHECK enum err smpp_alert_read(struct slice body, struct smpp_alert *out);
MUST_CHECK enum err smpp_alert_add(struct buf *out, const struct smpp_alert *alert);

#endif
