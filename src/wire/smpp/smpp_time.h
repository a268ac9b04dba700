/*
 * Times of SMPP: v3.4, section 7.1.1. "YYMMDDhhmmsstnnp": t are tenths, nn quarters of an hour from UTC, p is
 * '+',
 * '-' or, for a time from now on, 'R'. The receipt's times (appendix B) are of no zone and of several
 * lengths.
 */
#ifndef WIRE_SMPP_SMPP_TIME_H
#define WIRE_SMPP_SMPP_TIME_H
#include "core/clock.h"

#define SMPP_TIME_TEXT_BYTES     16u
#define SMPP_RELATIVE_S_MAX      (31 * 86400) /* more would be months, of which nobody knows how long they are */
#define SMPP_RECEIPT_TIME_DIGITS 10u

/* Absolute, in UTC. Years 2000 to 2099; others are clamped. */
struct slice smpp_time_print(struct wall_time at, char out[static SMPP_TIME_TEXT_BYTES]);
/* Relative: so many seconds from now on; clamped to 1 and SMPP_RELATIVE_S_MAX. */
struct slice smpp_relative_print(int64_t seconds, char out[static SMPP_TIME_TEXT_BYTES]);
/*
 * Either form; of a relative one a year has 365 days and a month 30. ERR_NOTHING: it is empty.
 * ERR_TIME_SYNTAX.
 */
MUST_CHECK enum err smpp_time_parse(struct slice text, struct wall_time now, struct wall_time *out);

/* YYMMDDhhmm in UTC, as receipts are written. */
struct slice smpp_receipt_time_print(struct wall_time at, char out[static SMPP_RECEIPT_TIME_DIGITS]);
/*
 * YYMMDDhhmm, YYMMDDhhmmss, YYYYMMDDhhmm or YYYYMMDDhhmmss, of a clock that is `zone_minutes` ahead of UTC.
 * ERR_NOTHING: it is empty or only zeros. ERR_TIME_SYNTAX.
 */
MUST_CHECK enum err smpp_receipt_time_parse(struct slice text, int zone_minutes, struct wall_time *out);

#endif
