/*
 * JSON from a provider: its bytes are vouched for (a signature, a TLS peer) but not its taste. What
 * json_parse refuses for our clients' sake is read here as well as it can be, because refusing the body would
 * lose the thousand good items beside the odd one: of a repeated member the last counts; U+0000, unpaired
 * surrogates and stray bytes become U+FFFD or '?'; integers beyond 64 bits become reals; nesting may be
 * deeper.
 */
#ifndef WIRE_JSON_JSON_FOREIGN_H
#define WIRE_JSON_JSON_FOREIGN_H
#include "core/err.h"
#include "core/slice.h"
#include <jansson.h>

#define JSON_FOREIGN_DEPTH_MAX 128u

/* *out is owned: json_decref; its strings are valid UTF-8 without U+0000. ERR_JSON_SYNTAX, ERR_JSON_DEPTH,
 * ERR_NO_MEMORY. */
MUST_CHECK enum err json_parse_foreign(struct slice text, json_t **out);

#endif
