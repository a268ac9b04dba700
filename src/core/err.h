/*
 * The one result type. A function that can fail returns `enum err`; the row of
 * err.def behind the value says what class of failure it is, its stable code
 * for the API, and a sentence fit to show to a client. Callers act on the class.
 */
#ifndef CORE_ERR_H
#define CORE_ERR_H
#include "core/attribute.h"

enum err {
    ERR_OK = 0,
#define ERR(name, class, code, title) ERR_##name,
#include "core/err.def"
#undef ERR
    ERR_COUNT
};

/* What a caller can do about it. Each protocol maps a class to its own code in one table. */
enum err_class {
    ERR_CLASS_NONE,            /* success */
    ERR_CLASS_FLOW,            /* not a failure: more input, nothing to do, answered later */
    ERR_CLASS_MALFORMED,       /* the bytes do not parse */
    ERR_CLASS_INVALID,         /* well formed, but not allowed: mend the request */
    ERR_CLASS_UNAUTHENTICATED, /* who are you? */
    ERR_CLASS_FORBIDDEN,       /* known, but may not */
    ERR_CLASS_NOT_FOUND,       /* not there, or another tenant's: the same answer */
    ERR_CLASS_METHOD,          /* the resource exists, this verb does not */
    ERR_CLASS_CONFLICT,        /* clashes with the present state; may succeed later */
    ERR_CLASS_PRECONDITION,    /* If-Match did not match */
    ERR_CLASS_TOO_LARGE,       /* over a named limit */
    ERR_CLASS_UNSUPPORTED,     /* media type or encoding not spoken here */
    ERR_CLASS_LIMITED,         /* too fast: wait and retry */
    ERR_CLASS_UNAVAILABLE,     /* a resource of ours is away or full: retry */
    ERR_CLASS_PEER,            /* a peer broke its protocol or refused us */
    ERR_CLASS_INTERNAL,        /* our fault */
};

enum err_class err_class(enum err err);
/* The stable, documented code, such as "recipient-invalid". Never NULL. */
const char *err_code(enum err err);
/* A sentence that may be shown to a client. Never NULL. */
const char *err_title(enum err err);

/*
 * Our own bug: logs where, and aborts this process. Nothing from outside may
 * reach it; a bad message from another process of ours is outside.
 */
NORETURN void bug_at(const char *file, int line, const char *what);
#define bug(what) bug_at(__FILE__, __LINE__, (what))

#endif
