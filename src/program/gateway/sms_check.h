/* What a message of an SMS channel may be, and what it becomes at the operators that would carry it. */
#ifndef PROGRAM_GATEWAY_SMS_CHECK_H
#define PROGRAM_GATEWAY_SMS_CHECK_H
#include "domain/channel/channel.h"
#include "domain/channel/sms/sms_connector.h"
#include "domain/channel/sms/sms_content.h"
#include "domain/channel/sms/sms_route.h"
#include "domain/message/message.h"
#include "platform/net/router.h"

/*
 * Whether it is an SMS channel of the request's workspace; false for what is none. A channel's kind never
 * changes, so it is asked of the database once; ERR_WOULD_WAIT then, on the loop.
 */
MUST_CHECK enum err sms_channel_is(struct http_request *request, struct id channel, bool *out);

/* The sender and those that carry what it sends to a number, in their order. */
struct sms_way {
    struct channel channel;
    struct sms_connector connectors[SMS_ROUTE_CHOICES];
    size_t count;
};
/* `to`: E.164, or NULL ptr. ERR_NOT_FOUND: no such SMS channel. */
MUST_CHECK enum err sms_way_read(struct http_request *request, struct id channel, struct slice to,
                                 struct arena *arena, struct sms_way *out);
/* How a text is cut there; without a connector as most operators do. */
struct sms_rules sms_way_rules(const struct sms_way *way, size_t choice);

/*
 * ERR_MESSAGE_INVALID, with the pointer of each fault behind `at`. The sender, its routes and how its
 * connectors want a text cut are as they were within the last half second; without a database then, so on the
 * loop too, else ERR_WOULD_WAIT.
 */
MUST_CHECK enum err sms_send_check(struct http_request *request, struct id channel, struct slice to,
                                   const json_t *content, struct slice at, struct slice to_at,
                                   struct arena *arena, struct problem *problem);

/*
 * What India's registry, as the workspace keeps it, says of a text under this sender; and the template that
 * it is of. POLICY_DLT_NONE: the workspace keeps no registry: then its operator judges alone. `content` was
 * checked. The arena is as for dlt_check.
 */
MUST_CHECK enum err sms_dlt_judge(struct db_tx *tx, const struct clock *clock, const struct channel_sms *sms,
                                  const json_t *content, bool is_promotional, struct arena *arena,
                                  enum policy_dlt *out, struct id *template_out);
/*
 * What the gate wants to know of an SMS that goes to India, by this SMS channel of the request's workspace:
 * what the registries say of text and, of a promotion, of its recipient. Nothing is set for other numbers.
 * The preference lies in `arena`.
 */
MUST_CHECK enum err sms_ask(struct http_request *request, struct id channel, struct slice to,
                            const json_t *content, bool is_promotional, struct arena *arena,
                            struct message_asked *out);

#endif
