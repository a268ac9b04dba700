/*
 * W3C Trace Context, level 1, section 3.2: version "00" is 2-32-16-2 lower-case hex digits with dashes
 * between. A higher version is read as far as this goes; what follows must begin with a dash.
 */
#ifndef WIRE_HTTP_TRACEPARENT_H
#define WIRE_HTTP_TRACEPARENT_H
#include "core/err.h"
#include "core/slice.h"

#define TRACE_ID_BYTES         16u
#define TRACE_SPAN_BYTES       8u
#define TRACEPARENT_TEXT_BYTES sizeof("00-00000000000000000000000000000000-0000000000000000-00")

struct traceparent {
    unsigned char trace[TRACE_ID_BYTES];  /* never all zero */
    unsigned char span[TRACE_SPAN_BYTES]; /* never all zero */
    unsigned char flags;
};

/* ERR_HTTP_HEADER: to be treated as if it had not been sent, says the standard. */
MUST_CHECK enum err traceparent_parse(struct slice text, struct traceparent *out);
/* As version 00. */
struct slice traceparent_print(const struct traceparent *trace, char out[static TRACEPARENT_TEXT_BYTES]);

#endif
