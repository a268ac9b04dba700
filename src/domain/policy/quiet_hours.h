/*
 * Quiet hours: may a promotional message reach this number now, and if not, when? Pure: settings, place and
 * time in, verdict out. A window is from its start, inclusive, until its end, exclusive, by the clock of the
 * recipient; in a country of several zones it must be open in each of them. What was held leaves from the
 * window's start on, spread out: each message at a moment of its own that its key alone decides.
 */
#ifndef DOMAIN_POLICY_QUIET_HOURS_H
#define DOMAIN_POLICY_QUIET_HOURS_H
#include "core/clock.h"
#include "domain/policy/phone_zone.h"

#define QUIET_EVERY_DAY          0x7fu /* bit 0 is Monday */
#define QUIET_DAY_MINUTES        1440u
#define QUIET_SPREAD_MINUTES_MAX 240u

/* A workspace's. What it asks for narrows the country's window, and never widens it. */
struct quiet_settings {
    bool is_off;
    uint16_t india_from_minute;         /* 540 (09:00) or 600 (10:00); anything else is read as the later */
    uint16_t from_minute, until_minute; /* of its own, everywhere: from < until <= QUIET_DAY_MINUTES */
    uint8_t days;                       /* on which anything may come: QUIET_EVERY_DAY */
    uint16_t spread_minutes;            /* how long what was held may take to leave */
};
/* On; India from 09:00; nothing narrower; spread over half an hour. */
extern const struct quiet_settings quiet_settings_default;
/* Whether there is any moment of a week at which its own window is open. */
bool quiet_settings_are_valid(const struct quiet_settings *settings);

struct quiet_window {
    uint16_t from_minute, until_minute; /* equal: closed all day */
};
/* What holds in a country (of two letters; any other: elsewhere) on a day of the week, 0 a Monday. */
struct quiet_window quiet_window_of(const struct quiet_settings *settings, const char *country,
                                    unsigned weekday);

enum quiet_verdict {
    QUIET_OPEN,  /* it may leave now */
    QUIET_HELD,  /* it may leave at *until_out, and is judged again then */
    QUIET_NEVER, /* no moment is right in all zones, or no zone is known: *until_out is when to look again */
};
#define QUIET_NEVER_US (INT64_C(86400) * 1000000) /* after which it is looked again */
/* `spread_key`: any number that is the message's own, such as bits of its id. */
enum quiet_verdict quiet_hours_judge(const struct quiet_settings *settings, const struct phone_place *place,
                                     struct wall_time now, uint64_t spread_key, struct wall_time *until_out);

#endif
