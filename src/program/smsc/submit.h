/*
 * A message as the submit_sm PDUs of one connector: cut, encoded and addressed as that operator wants it.
 * Pure.
 */
#ifndef PROGRAM_SMSC_SUBMIT_H
#define PROGRAM_SMSC_SUBMIT_H
#include "core/buf.h"
#include "domain/channel/channel.h"
#include "domain/channel/sms/sms_connector.h"

struct submit {
    const struct sms_connector *connector;
    struct slice sender;
    enum channel_sms_kind sender_kind;
    struct slice to; /* E.164, with its plus */
    struct slice text;
    bool is_flash;
    unsigned parts_max;
    uint16_t reference; /* by which parts know each other; the same at each attempt */
    int64_t validity_s; /* 0: the operator's own */
    struct slice dlt_entity, dlt_template, dlt_chain; /* empty: none */
};

/* Where a part's PDU body lies in the buffer. */
struct submit_part {
    size_t at, len;
};

/*
 * Appends the bodies to `out`; their number is at most SMS_PARTS_MAX. ERR_LIMIT: more parts than parts_max;
 * ERR_ENCODING: the connector's alphabet does not have a character, or an address cannot be written.
 */
MUST_CHECK enum err submit_print(const struct submit *submit, struct buf *out,
                                 struct submit_part parts[static SMS_PARTS_MAX], size_t *count_out);

#endif
