/*
 * Entity tags and If-Match (RFC 9110, 8.8.3 and 13.1.1). Our tags are strong: an object's revision in quotes.
 */
#ifndef WIRE_HTTP_ETAG_H
#define WIRE_HTTP_ETAG_H
#include "core/err.h"
#include "core/slice.h"

#define ETAG_TEXT_BYTES sizeof("\"18446744073709551615\"")

/* "\"7\"" for revision 7. */
struct slice etag_print(uint64_t revision, char out[static ETAG_TEXT_BYTES]);
/*
 * Whether If-Match permits a change of the object whose tag is `current`: `*`, or a list that holds it. Weak
 * tags never match. ERR_HTTP_PRECONDITION: none matches. ERR_HTTP_HEADER: not a list of entity tags.
 */
MUST_CHECK enum err etag_check_match(struct slice if_match, struct slice current);

#endif
