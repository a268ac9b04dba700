/*
 * What a request line asks for (RFC 9112, 3.2; RFC 3986): origin form, absolute form (whose authority says no
 * more than Host does, and is left out), or "*" for OPTIONS; and percent-encoding.
 */
#ifndef WIRE_HTTP_TARGET_H
#define WIRE_HTTP_TARGET_H
#include "core/arena.h"
#include "core/err.h"
#include "core/slice.h"

struct target {
    struct slice path, query; /* borrowed from the text, still encoded; the query without its '?' */
    bool is_plain; /* the path has only [A-Za-z0-9/_.~-] and %XX: all that names of ours are made of */
};

/* ERR_HTTP_SYNTAX: not a target, with bytes that none has, or with a '%' that is no escape. */
MUST_CHECK enum err target_read(struct slice text, bool is_options, struct target *out);

/* Takes the next "name=value" off a query, still encoded; empty ones between '&' are passed over. false: no
 * more. */
bool target_query_take(struct slice *query, struct slice *name_out, struct slice *value_out);

/*
 * Into the arena. `plus_is_blank` for queries, where forms write it so. ERR_ENCODING: a broken escape, a
 * control character (a line end and a NUL too), or no UTF-8. ERR_NO_MEMORY.
 */
MUST_CHECK enum err target_decode(struct arena *arena, struct slice text, bool plus_is_blank,
                                  struct slice *out);

#endif
