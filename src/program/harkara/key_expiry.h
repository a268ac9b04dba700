/* When a new API key shall expire: an RFC 3339 time, or a span from now such as "90d" or "12h". */
#ifndef PROGRAM_HARKARA_KEY_EXPIRY_H
#define PROGRAM_HARKARA_KEY_EXPIRY_H
#include "core/clock.h"
#include "core/err.h"

#define KEY_EXPIRY_DAYS_MAX 3650

/* ERR_TIME_SYNTAX: neither, 0, or more than ten years. */
MUST_CHECK enum err key_expiry_parse(struct slice text, struct wall_time now, struct wall_time *out);

#endif
