/* Why a request was refused, and its RFC 9457 document. The router alone writes one. */
#ifndef WIRE_HTTP_PROBLEM_H
#define WIRE_HTTP_PROBLEM_H
#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/slice.h"

#define PROBLEM_ERRORS_MAX 16u

struct problem_error {
    struct slice pointer;   /* RFC 6901 into the body; or "" with `parameter` set */
    struct slice parameter; /* name of the query parameter, path parameter or header; empty for the body */
    struct slice detail;    /* one short sentence of ours: never the value that was sent */
};

/* Filled by whoever finds the fault; strings live in the request's arena. */
struct problem {
    struct problem_error errors[PROBLEM_ERRORS_MAX];
    size_t count;
    struct slice detail;    /* optional: what to do, in a sentence */
    struct slice limit;     /* which limit refused it, a word of ours; empty: none did */
    uint32_t retry_after_s; /* 0: no Retry-After */
};

/* Copies its strings into the arena; beyond PROBLEM_ERRORS_MAX the rest is dropped. */
void problem_add(struct problem *problem, struct arena *arena, struct slice pointer, struct slice detail);
void problem_add_parameter(struct problem *problem, struct arena *arena, struct slice parameter,
                           struct slice detail);

/* The one table from error class to HTTP status. */
int problem_status(enum err err);
/*
 * {"type":"https://harkara.dev/problems/<code>","title","status","code","detail"?,"instance":"/requests/<id>",
 * "errors":[{"pointer"|"parameter","detail"}]?}. Internal errors carry no detail.
 */
void problem_print(struct buf *out, enum err err, const struct problem *problem, struct slice request_id);

#endif
