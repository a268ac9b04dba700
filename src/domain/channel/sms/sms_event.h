/*
 * What an operator sent us, as it is stored in provider_event: the session that it came by, then the PDU with
 * its header. Pure: from octets to a receipt or to what somebody wrote, by the connector's rules.
 */
#ifndef DOMAIN_CHANNEL_SMS_SMS_EVENT_H
#define DOMAIN_CHANNEL_SMS_SMS_EVENT_H
#include "core/arena.h"
#include "domain/channel/sms/sms_connector.h"

#define SMS_EVENT_SESSION_BYTES                                                                              \
    16u /* an id: sequence numbers begin anew, and so the same octets may come twice */

/* The body to be sealed and stored for a PDU of this session. */
void sms_event_add(struct buf *out, struct id session, struct slice pdu);

enum sms_event_kind {
    SMS_EVENT_NOTHING, /* alert_notification, and what else says nothing of a message */
    SMS_EVENT_RECEIPT,
    SMS_EVENT_MESSAGE,
};

struct sms_event {
    enum sms_event_kind kind;
    struct slice peer;   /* the handset: "+919876543210", or as it was written where that is no such number */
    struct slice sender; /* ours, as written: digits without a plus, or a header */
    struct slice number; /* the same as an international number's digits; empty: it is none */
    /* A receipt. */
    struct slice provider_id; /* canonical, in the base of the answers; empty: it says none */
    enum smpp_state state;
    struct slice done, error_code;
    struct wall_time at; /* of its done date where that can be; else when it came */
    /* A message. */
    struct slice text;
    bool is_binary; /* for an application: no text is made of it */
    int reference;  /* that its parts share: of 16 bits, or with bit 16 set of the other kind; part_count 1:
                       none */
    unsigned part_count, part;
};

/* ERR_PROVIDER_BODY: it is no such PDU. What it has of texts lies in the arena. */
MUST_CHECK enum err sms_event_read(struct slice body, const struct sms_connector *connector,
                                   struct wall_time received_at, struct arena *arena, struct sms_event *out);

/*
 * One spelling of a number that an operator writes: "+" and digits where it is an international one, or one
 * of `country` ("91"; empty: not known) by its TON, its length or a 0 before it. What else it may be stays as
 * it is: a name, a short code, a national number of nobody knows which country.
 */
struct slice sms_number_canonical(const struct smpp_address *address, struct slice country,
                                  struct arena *arena);

#endif
