/*
 * How far the asking principal reaches in its workspace: some may be limited to channels, and some may not
 * see numbers and addresses. Every handler that shows or changes what belongs to a channel asks here; a
 * channel beyond the limit does not exist for whoever asks.
 */
#ifndef PROGRAM_GATEWAY_REACH_H
#define PROGRAM_GATEWAY_REACH_H
#include "domain/audit/audit.h"
#include "domain/identity/principal.h"
#include "domain/message/message.h"
#include "platform/net/router.h"
#include <jansson.h>

bool reach_has_channel(const struct http_request *request, struct id channel);
/* ERR_NOT_FOUND: beyond the limit. */
MUST_CHECK enum err reach_check_channel(const struct http_request *request, struct id channel);
/* For what belongs to no channel, or makes one. ERR_CHANNEL_LIMITED. */
MUST_CHECK enum err reach_check_workspace(const struct http_request *request);
/* For lists, which are filtered in SQL: the channels, or NULL when there is no limit. */
const struct id *reach_channels(const struct http_request *request, size_t *count_out);

/* A list of channels as whoever asks may know it: those beyond the limit are left out. NULL without memory.
 */
json_t *reach_show_channels(const struct http_request *request, const struct id *channels, size_t count);

/* Who asks, as messages and their events name it. */
struct message_by reach_asker(const struct http_request *request);

/* Whether numbers and addresses are shown (contact.identity.reveal). */
bool reach_reveals(const struct http_request *request);
/*
 * A time that numbers and addresses are shown, for the audit log: begun before the transaction that reads
 * them, written in it with what they stand on, all of one kind. Does nothing for whoever does not see them.
 */
MUST_CHECK enum err reach_reveal_begin(struct http_request *request, enum id_kind kind,
                                       struct audit_act *out);
MUST_CHECK enum err reach_reveal_write(struct db_tx *tx, struct http_request *request, struct audit_act *act,
                                       const struct id *ids, size_t count);
/* The address as whoever asks may see it, from the arena if it is masked. NULL ptr without memory. */
struct slice reach_address(const struct http_request *request, struct arena *arena, struct slice address);
/* The same for text of others, such as a provider's error or an endpoint's answer. */
struct slice reach_text(const struct http_request *request, struct arena *arena, struct slice text);
/* A message's content, in place. ERR_NO_MEMORY. */
MUST_CHECK enum err reach_content(const struct http_request *request, struct arena *arena, json_t *content);
/* All strings of what is shown, in place: NULL and no more when memory lacks. Taken and returned. */
json_t *reach_strings(const struct http_request *request, struct arena *arena, json_t *value);

#endif
