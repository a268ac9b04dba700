/*
 * Fields that a tenant adds to its deliveries, most often a token. Kept sealed as one value, in one form:
 * "Name: value" and a NUL for each. The names alone are shown.
 */
#ifndef DOMAIN_WEBHOOK_WEBHOOK_HEADERS_H
#define DOMAIN_WEBHOOK_WEBHOOK_HEADERS_H
#include "core/buf.h"
#include "core/err.h"
#include "core/id.h"
#include "core/slice.h"
#include "platform/ipc/vault_client.h"

#define WEBHOOK_HEADERS_MAX            10u
#define WEBHOOK_HEADER_NAME_BYTES_MAX  64u
#define WEBHOOK_HEADER_VALUE_BYTES_MAX 1024u
#define WEBHOOK_HEADERS_BYTES_MAX      12288u /* of the value that is sealed */

struct vault_place webhook_headers_place(struct id tenant, struct id endpoint, uint32_t generation);

/*
 * Whether a delivery may bear this field. What frames the message, says what it is or is ours is refused:
 * Host, Content-*, Connection, Transfer-*, webhook-*, hop-by-hop fields, Cookie, User-Agent, Expect, Date.
 */
bool webhook_header_name_is_fit(struct slice name);
/* Visible ASCII with blanks between: nothing that a receiver could read as another line. */
bool webhook_header_value_is_fit(struct slice value);

/* Appends one field; both parts are fit. */
void webhook_headers_add(struct buf *out, struct slice name, struct slice value);
/*
 * The lines of such a value, each a C string within it: so that the value, in locked memory, is handed on as
 * it is. ERR_SEAL_CORRUPT: it is not of that form.
 */
MUST_CHECK enum err webhook_headers_lines(struct slice value, const char *out[static WEBHOOK_HEADERS_MAX],
                                          size_t *count_out);

#endif
