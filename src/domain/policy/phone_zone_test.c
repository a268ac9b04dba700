#include "core/unit.h"
#include "domain/policy/phone_zone.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void
codes_stand_in_the_order_in_which_they_are_looked_up(void **state UNUSED)
{
    for (size_t i = 0; i < phone_country_count; i++) {
        struct slice code = slice_text(phone_countries[i].calling_code);

        assert_in_range(code.len, 1, PHONE_CODE_DIGITS_MAX);
        assert_int_equal(slice_text(phone_countries[i].country).len, 2);
        assert_non_null(phone_countries[i].zone_names[0]);
        if (i > 0)
            assert_true(slice_compare(slice_text(phone_countries[i - 1].calling_code), code) < 0);
    }
}

static void
the_longest_code_decides(void **state UNUSED)
{
    static const struct {
        const char *number, *country;
    } rows[] = { { "+919876543210", "IN" }, { "919876543210", "IN" },   { "+14155550123", "US" },
                 { "+14165550123", "CA" },  { "+18765550123", "JM" },   { "+79161234567", "RU" },
                 { "+77011234567", "KZ" },  { "+447700900123", "GB" },  { "+33612345678", "FR" },
                 { "+262692123456", "RE" }, { "+971501234567", "AE" },  { "+6721234", "NF" },
                 { "+358401234567", "FI" }, { "+8613812345678", "CN" }, { "+1", "US" } };
    static const char *const none[] = {
        "+870776012345", "+88212345678", "+979123456789", "", "+", "+0", "0", "x"
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct phone_country *country = phone_country_of(slice_text(rows[i].number));

        assert_non_null(country);
        assert_string_equal(country->country, rows[i].country);
    }
    for (size_t i = 0; i < COUNT_OF(none); i++)
        assert_null(phone_country_of(slice_text(none[i])));
}

static int32_t
library_offset(const char *zone, time_t at)
{
    struct tm local;

    setenv("TZ", zone, 1);
    tzset();
    assert_non_null(localtime_r(&at, &local));
    return (int32_t)local.tm_gmtoff;
}

/*
 * What the system's own table says of a country's zones: at each moment of the coming years, the table's
 * zones show what those show, or lie on both sides of it. So what is open in ours is open in all of them.
 */
static void
no_zone_of_a_country_lies_outside_of_the_tables(void **state UNUSED)
{
    /* January and July, with the days on which northern and southern clocks are changed between them. */
    static const time_t moments[] = { 1768435200, 1784073600, 1774828800, 1775404800,
                                      1792972800, 1793577600, 1799971200, 1815609600 };
    FILE *file = fopen(PHONE_ZONES_FOLDER "/zone.tab", "re");
    char line[256], country[3], place[32], zone[64];
    size_t checked = 0;

    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        /* One settlement of Canada's shares its zone with a neighbour that is in the list; Antarctica and
         * Bouvet have no row. */
        struct slice rest = slice_text(line), field;

        if (line[0] == '#')
            continue;
        field = slice_take_until(&rest, '\t');
        snprintf(country, sizeof(country), "%.*s", SLICE_FMT(field));
        field = slice_take_until(&rest, '\t');
        snprintf(place, sizeof(place), "%.*s", SLICE_FMT(field));
        field = slice_take_until(&rest, '\t');
        field = slice_take_until(&field, '\n');
        snprintf(zone, sizeof(zone), "%.*s", SLICE_FMT(field));
        for (size_t c = 0; c < phone_country_count; c++) {
            const struct phone_country *ours = &phone_countries[c];

            if (!slice_eq(slice_text(ours->country), slice_text(country)) ||
                (slice_eq(slice_text(ours->calling_code), SLICE("76")) ||
                 (c > 0 && slice_eq(slice_text(phone_countries[c - 1].country), slice_text(country)))))
                continue;
            for (size_t m = 0; m < COUNT_OF(moments); m++) {
                int32_t theirs = library_offset(zone, moments[m]), least = INT32_MAX, most = INT32_MIN;

                for (size_t z = 0; z < PHONE_ZONES_MAX && ours->zone_names[z] != NULL; z++) {
                    int32_t offset = library_offset(ours->zone_names[z], moments[m]);

                    least = offset < least ? offset : least;
                    most = offset > most ? offset : most;
                }
                if (theirs < least || theirs > most)
                    fail_msg("%s (%s) shows %d at %lld, the table has %d to %d", zone, country, theirs,
                             (long long)moments[m], least, most);
                checked++;
            }
        }
    }
    fclose(file);
    assert_true(checked > 2500);
    unsetenv("TZ");
    tzset();
}

static void
every_zone_of_the_table_is_there(void **state UNUSED)
{
    struct phone_zones *zones;
    struct phone_place place;
    size_t missing;

    assert_ok(phone_zones_load(PHONE_ZONES_FOLDER, &zones, &missing));
    assert_int_equal(missing, 0);
    phone_place_of(zones, SLICE("+919876543210"), &place);
    assert_string_equal(place.country, "IN");
    assert_false(place.is_unknown);
    assert_int_equal(place.zone_count, 1);
    assert_int_equal(tzif_offset(place.zones[0], 1794000000), 19800);
    phone_place_of(zones, SLICE("+14155550123"), &place);
    assert_int_equal(place.zone_count, 8);
    phone_place_of(zones, SLICE("+870776012345"), &place);
    assert_string_equal(place.country, "");
    assert_int_equal(place.zone_count, 1);
    assert_int_equal(tzif_offset(place.zones[0], 1794000000), 0);
    phone_zones_free(zones);
}

static void
where_a_zone_cannot_be_read_the_time_is_not_known(void **state UNUSED)
{
    char folder[] = "/tmp/phone-zones-XXXXXX", path[64];
    struct phone_zones *zones;
    struct phone_place place;
    size_t missing;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/Asia", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/Asia/Kolkata", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "TZif2 and nothing", 17), 17);
    close(fd);
    assert_ok(phone_zones_load(folder, &zones, &missing));
    assert_true(missing > 200);
    phone_place_of(zones, SLICE("+919876543210"), &place);
    assert_true(place.is_unknown);
    assert_int_equal(place.zone_count, 0);
    phone_zones_free(zones);
    unlink(path);
    snprintf(path, sizeof(path), "%s/Asia", folder);
    rmdir(path);
    rmdir(folder);

    assert_ok(phone_zones_load("/nowhere at all", &zones, &missing));
    phone_place_of(zones, SLICE("+919876543210"), &place);
    assert_true(place.is_unknown);
    phone_zones_free(zones);
    phone_place_of(NULL, SLICE("+919876543210"), &place);
    assert_true(place.is_unknown);
}

UNIT_MAIN(cmocka_unit_test(codes_stand_in_the_order_in_which_they_are_looked_up),
          cmocka_unit_test(the_longest_code_decides),
          cmocka_unit_test(no_zone_of_a_country_lies_outside_of_the_tables),
          cmocka_unit_test(every_zone_of_the_table_is_there),
          cmocka_unit_test(where_a_zone_cannot_be_read_the_time_is_not_known))
