/*
 * Where a number is, and what time it is there: calling code -> country -> zones. The table (phone_zone.def)
 * is ours, the zones' own rules are the system's zone files, read once, before a process locks itself in.
 */
#ifndef DOMAIN_POLICY_PHONE_ZONE_H
#define DOMAIN_POLICY_PHONE_ZONE_H
#include "core/err.h"
#include "core/slice.h"
#include "wire/tzif/tzif.h"

#define PHONE_CODE_DIGITS_MAX 4u  /* of the table's longest calling code */
#define PHONE_ZONES_MAX       12u /* of one country */
#define PHONE_ZONES_FOLDER    "/usr/share/zoneinfo"

struct phone_country {
    const char *calling_code;                /* digits */
    const char *country;                     /* ISO 3166-1, two letters */
    const char *zone_names[PHONE_ZONES_MAX]; /* NULL after the last */
};
extern const struct phone_country phone_countries[];
extern const size_t phone_country_count;
/* By the longest calling code that the digits begin with; a '+' may lead. NULL: no country's. */
const struct phone_country *phone_country_of(struct slice number);

/* All zones of the table. Not changed once loaded: threads may share it. */
struct phone_zones;
/*
 * Reads the zone files below `folder`. What is missing or damaged is counted, and is no failure: a country
 * that lacks one is `is_unknown` below. ERR_NO_MEMORY.
 */
MUST_CHECK enum err phone_zones_load(const char *folder, struct phone_zones **zones_out, size_t *missing_out);
void phone_zones_free(struct phone_zones *zones);

struct phone_place {
    char country[3]; /* "" for a number of no country, such as a satellite telephone's; it is judged by UTC */
    bool is_unknown; /* one of its zones could not be read: what time it is there is not known */
    size_t zone_count;
    const struct tzif *zones[PHONE_ZONES_MAX]; /* borrowed from `zones` */
};
/* `zones` NULL: nothing could be read. */
void phone_place_of(const struct phone_zones *zones, struct slice number, struct phone_place *out);

#endif
