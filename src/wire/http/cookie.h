/* The Cookie request header (RFC 6265, 5.4), of which we read one cookie of our own. */
#ifndef WIRE_HTTP_COOKIE_H
#define WIRE_HTTP_COOKIE_H
#include "core/err.h"
#include "core/slice.h"

/*
 * Finds the cookie `name` in one header's value; *value_out points into it. ERR_NOTHING: it is not there.
 * ERR_HTTP_HEADER: it is there more than once, which a browser sends when somebody else has set one beside
 * ours: which of them is ours cannot be told.
 */
MUST_CHECK enum err cookie_find(struct slice header, struct slice name, struct slice *value_out);

#endif
