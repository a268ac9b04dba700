/*
 * HTTP field syntax (RFC 9110, 5.5, 5.6, 7.2) and the small values that our API reads from header fields.
 * These functions judge one value; that a field came only once is the server's business.
 */
#ifndef WIRE_HTTP_FIELD_H
#define WIRE_HTTP_FIELD_H
#include "core/err.h"
#include "core/slice.h"

#define FIELD_HOST_BYTES_MAX        270u /* a DNS name of 253, a colon, a port, with room for brackets */
#define FIELD_IDEMPOTENCY_BYTES_MAX 255u

/* A token: one or more of the characters that names of fields and methods are made of. */
bool field_is_name(struct slice text);
/* No control byte but the tab. Bytes above 0x7F are let through: the standard calls them opaque. */
bool field_is_value(struct slice text);
/* host [":" port]: letters, digits, '-', '.', '_' or a bracketed IPv6 literal. Never empty. */
bool field_is_host(struct slice text);

/* "application/json", alone or with charset=utf-8, which changes nothing. ERR_HTTP_MEDIA_TYPE. */
MUST_CHECK enum err field_check_json(struct slice content_type);

/*
 * Authorization with the Bearer scheme (RFC 6750, 2.1). *token_out points into the value. ERR_KEY_MISSING:
 * empty or another scheme. ERR_KEY_INVALID: no token of the permitted characters behind it.
 */
MUST_CHECK enum err field_bearer(struct slice authorization, struct slice *token_out);

/*
 * Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): a quoted string, or, as most clients send it,
 * the bare text. 1 to FIELD_IDEMPOTENCY_BYTES_MAX visible ASCII characters without quote and backslash.
 * ERR_HTTP_HEADER.
 */
MUST_CHECK enum err field_idempotency_key(struct slice value, struct slice *key_out);

/*
 * Whether an Accept-Encoding lets an answer be sent in `coding` ("br"): it is named, or "*" is, with a weight
 * above 0 (RFC 9110, 12.5.3). What cannot be read is not acceptable; "identity" is not asked for here.
 */
bool field_accepts_coding(struct slice accept_encoding, struct slice coding);
/* Whether an Accept names this media type in full with a weight above 0: ranges do not count. */
bool field_accepts_type(struct slice accept, struct slice type);

#endif
