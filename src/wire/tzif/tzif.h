/*
 * Zone files: TZif, RFC 9636, versions 1 to 4, as they lie in /usr/share/zoneinfo. Read without trusting a
 * byte of them; never through the C library's TZ, which belongs to the whole process.
 */
#ifndef WIRE_TZIF_TZIF_H
#define WIRE_TZIF_TZIF_H
#include "core/err.h"
#include "core/slice.h"

#define TZIF_BYTES_MAX       65536u /* our limit; the largest that is in use has some 4 KB */
#define TZIF_TRANSITIONS_MAX 4096u

/* A day of the year on which a rule of the footer takes effect. */
struct tzif_day {
    enum {
        TZIF_DAY_MONTH,
        TZIF_DAY_JULIAN,
        TZIF_DAY_COUNT
    } kind;                       /* Mm.w.d, Jn (no 29 February), n (from 0) */
    int16_t month, week, weekday; /* of TZIF_DAY_MONTH; weekday 0 is a Sunday */
    int16_t day;                  /* of the others */
    int32_t at_s;                 /* local time of that day; may be negative */
};

struct tzif {
    struct slice times;   /* borrowed: the transitions, `time_bytes` each, ascending */
    struct slice types;   /* borrowed: for each transition, an index into `records` */
    struct slice records; /* borrowed: six bytes each: offset, is it daylight saving, designation */
    size_t time_bytes;    /* 4 or 8 */
    size_t transition_count;
    int32_t offset_before; /* until the first transition */
    /* What the footer says for the time after the last transition. */
    bool has_footer, has_daylight;
    int32_t standard_s, daylight_s; /* east of Greenwich */
    struct tzif_day daylight_from, daylight_until;
};

/*
 * Reads one file, whose bytes are borrowed for as long as *zone_out is used. ERR_FILE_DAMAGED: it is not a
 * whole, consistent TZif file, or one that counts leap seconds.
 */
MUST_CHECK enum err tzif_read(struct slice bytes, struct tzif *zone_out);
/* Seconds that local time is ahead of UTC at that moment (seconds since 1970, any). */
int32_t tzif_offset(const struct tzif *zone, int64_t unix_s);
/* The zone that is always so far ahead of UTC. */
struct tzif tzif_fixed(int32_t offset_s);

#endif
