#include "domain/policy/phone_zone.h"
#include "core/attribute.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

const struct phone_country phone_countries[] = {
#define PHONE(code, country, ...) { code, country, { __VA_ARGS__ } },
#include "domain/policy/phone_zone.def"
#undef PHONE
};
const size_t phone_country_count = COUNT_OF(phone_countries);

struct zone {
    const char *name; /* the table's */
    struct tzif rules;
    char *bytes; /* owned; NULL: it could not be read */
};

struct phone_zones {
    struct zone *zones; /* owned */
    size_t zone_count;
    uint16_t of[COUNT_OF(phone_countries)][PHONE_ZONES_MAX]; /* index into `zones` */
};

static const struct tzif utc = { .time_bytes = 8, .has_footer = true };

const struct phone_country *
phone_country_of(struct slice number)
{
    if (number.len > 0 && number.ptr[0] == '+')
        number = slice_drop(number, 1);
    for (size_t digits = PHONE_CODE_DIGITS_MAX; digits > 0; digits--) {
        struct slice code = slice_first(number, digits);
        size_t low = 0, high = phone_country_count;

        if (code.len < digits)
            continue;
        while (low < high) {
            size_t mid = low + (high - low) / 2;
            int order = slice_compare(slice_text(phone_countries[mid].calling_code), code);

            if (order == 0)
                return &phone_countries[mid];
            if (order < 0)
                low = mid + 1;
            else
                high = mid;
        }
    }
    return NULL;
}

/* ERR_NOTHING: it is not there, cannot be read, or is none. */
static enum err
zone_read(int folder, struct zone *zone)
{
    enum err err = ERR_NOTHING;
    char *bytes = NULL, *exact;
    size_t len = 0;
    int fd = openat(folder, zone->name, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return ERR_NOTHING;
    bytes = malloc(TZIF_BYTES_MAX + 1);
    if (bytes == NULL) {
        err = ERR_NO_MEMORY;
        goto done;
    }
    while (len <= TZIF_BYTES_MAX) {
        ssize_t n = read(fd, bytes + len, TZIF_BYTES_MAX + 1 - len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            goto done;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    exact = realloc(bytes, len == 0 ? 1 : len);
    if (exact != NULL)
        bytes = exact;
    if (tzif_read(slice_of(bytes, len), &zone->rules) != ERR_OK)
        goto done;
    zone->bytes = bytes;
    bytes = NULL;
    err = ERR_OK;
done:
    free(bytes);
    close(fd);
    return err;
}

/* The index of the zone of this name, which is new at the end. */
static size_t
zone_find_or_add(struct phone_zones *zones, const char *name)
{
    for (size_t i = 0; i < zones->zone_count; i++)
        if (slice_eq(slice_text(zones->zones[i].name), slice_text(name)))
            return i;
    zones->zones[zones->zone_count].name = name;
    return zones->zone_count++;
}

enum err
phone_zones_load(const char *folder, struct phone_zones **zones_out, size_t *missing_out)
{
    enum err err = ERR_NO_MEMORY;
    struct phone_zones *zones = calloc(1, sizeof(*zones));
    size_t missing = 0;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* -1: then nothing is found below it */

    *zones_out = NULL;
    if (zones == NULL)
        goto done;
    zones->zones = calloc(phone_country_count * PHONE_ZONES_MAX, sizeof(*zones->zones));
    if (zones->zones == NULL)
        goto done;
    for (size_t c = 0; c < phone_country_count; c++)
        for (size_t z = 0; z < PHONE_ZONES_MAX && phone_countries[c].zone_names[z] != NULL; z++)
            zones->of[c][z] = (uint16_t)zone_find_or_add(zones, phone_countries[c].zone_names[z]);
    for (size_t i = 0; i < zones->zone_count; i++) {
        err = fd < 0 ? ERR_NOTHING : zone_read(fd, &zones->zones[i]);
        if (err == ERR_NO_MEMORY)
            goto done;
        missing += err == ERR_OK ? 0 : 1;
    }
    struct zone *exact = realloc(zones->zones, zones->zone_count * sizeof(*exact));
    if (exact != NULL)
        zones->zones = exact;
    *missing_out = missing;
    *zones_out = zones;
    zones = NULL;
    err = ERR_OK;
done:
    if (fd >= 0)
        close(fd);
    phone_zones_free(zones);
    return err;
}

void
phone_zones_free(struct phone_zones *zones)
{
    if (zones == NULL)
        return;
    for (size_t i = 0; i < zones->zone_count; i++)
        free(zones->zones[i].bytes);
    free(zones->zones);
    free(zones);
}

void
phone_place_of(const struct phone_zones *zones, struct slice number, struct phone_place *out)
{
    const struct phone_country *country = phone_country_of(number);

    *out = (struct phone_place){ .is_unknown = false };
    if (country == NULL) {
        out->zones[0] = &utc;
        out->zone_count = 1;
        return;
    }
    memcpy(out->country, country->country, 2);
    out->is_unknown = zones == NULL;
    for (size_t z = 0; !out->is_unknown && z < PHONE_ZONES_MAX && country->zone_names[z] != NULL; z++) {
        const struct zone *zone = &zones->zones[zones->of[country - phone_countries][z]];

        out->is_unknown = zone->bytes == NULL;
        out->zones[out->zone_count++] = &zone->rules;
    }
    if (out->is_unknown)
        out->zone_count = 0;
}
