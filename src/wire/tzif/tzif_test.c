#include "core/unit.h"
#include "wire/tzif/tzif.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const char *const zones[] = { "Asia/Kolkata",        "America/New_York",   "America/St_Johns",
                                     "Australia/Lord_Howe", "Europe/Dublin",      "Europe/London",
                                     "Africa/Casablanca",   "Asia/Gaza",          "Asia/Beirut",
                                     "Africa/Cairo",        "America/Nuuk",       "Pacific/Apia",
                                     "Pacific/Chatham",     "America/Sao_Paulo",  "Asia/Tehran",
                                     "Asia/Kathmandu",      "America/Havana",     "America/Santiago",
                                     "Europe/Kyiv",         "Pacific/Kiritimati", "UTC" };

struct file {
    char bytes[TZIF_BYTES_MAX];
    size_t len;
};

static bool
file_read(const char *name, struct file *out)
{
    char path[128];

    snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, out->bytes, sizeof(out->bytes));
    close(fd);
    assert_true(n > 0);
    out->len = (size_t)n;
    return true;
}

static uint64_t
next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static int32_t
library_offset(int64_t unix_s)
{
    struct tm local;
    time_t t = (time_t)unix_s;

    assert_non_null(localtime_r(&t, &local));
    return (int32_t)local.tm_gmtoff;
}

/* The C library has read the same files for decades. */
static void
offsets_are_those_of_the_c_library(void **state UNUSED)
{
    static struct file file;
    uint64_t seed = 0x9e3779b97f4a7c15u;

    for (size_t z = 0; z < sizeof(zones) / sizeof(zones[0]); z++) {
        struct tzif zone;

        assert_true(file_read(zones[z], &file));
        assert_ok(tzif_read(slice_of(file.bytes, file.len), &zone));
        assert_int_equal(setenv("TZ", zones[z], 1), 0);
        tzset();
        for (int i = 0; i < 20000; i++) {
            int64_t at = (int64_t)(next_random(&seed) % 8000000000u) - 2400000000; /* 1893 to 2147 */

            if (tzif_offset(&zone, at) != library_offset(at))
                fail_msg("%s at %lld: %d, the C library says %d", zones[z], (long long)at,
                         tzif_offset(&zone, at), library_offset(at));
        }
        /* Every hour of two years, one of them a leap year beyond what the files list: each change is among
         * them. */
        for (int64_t at = 1767225600; at < 1767225600 + 366 * 86400; at += 1800)
            assert_int_equal(tzif_offset(&zone, at), library_offset(at));
        for (int64_t at = 4228070400; at < 4228070400 + 367 * 86400; at += 1799)
            assert_int_equal(tzif_offset(&zone, at), library_offset(at));
    }
    unsetenv("TZ");
    tzset();
}

/* A file of version 2 with no transition, and this footer. */
static size_t
file_with_footer(const char *footer, char out[static 512])
{
    static const char block[] = "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\4"
                                "\0\0\0\0\0\0UTC";
    size_t len = sizeof(block);

    memcpy(out, block, len);
    memcpy(out + len, block, len);
    return 2 * len + (size_t)snprintf(out + 2 * len, 512 - 2 * len, "\n%s\n", footer);
}

static void
footers_are_read_as_the_c_library_reads_them(void **state UNUSED)
{
    static const char *const footers[] = { "IST-5:30",
                                           "EST5EDT,M3.2.0,M11.1.0",
                                           "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
                                           "IST-1GMT0,M10.5.0,M3.5.0/1",
                                           "EET-2EEST,M3.4.4/50,M10.4.4/50",
                                           "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
                                           "AAA3BBB,J60/0,J300/24",
                                           "AAA3BBB,59,300/26:30:15",
                                           "CET-1CEST,M3.5.0,M10.5.0/3",
                                           "NZST-12NZDT,M9.5.0,M4.1.0/3" };
    char bytes[512];

    for (size_t f = 0; f < sizeof(footers) / sizeof(footers[0]); f++) {
        size_t len = file_with_footer(footers[f], bytes);
        struct tzif zone;

        assert_ok(tzif_read(slice_of(bytes, len), &zone));
        setenv("TZ", footers[f], 1);
        tzset();
        for (int64_t at = 1704000000; at < 1704000000 + 800 * 86400; at += 899)
            if (tzif_offset(&zone, at) != library_offset(at))
                fail_msg("%s at %lld: %d, the C library says %d", footers[f], (long long)at,
                         tzif_offset(&zone, at), library_offset(at));
    }
    unsetenv("TZ");
    tzset();
}

static void
daylight_saving_that_never_ends_holds_all_year(void **state UNUSED)
{
    char bytes[512];
    size_t len = file_with_footer("XXX3EDT4,0/0,J365/23", bytes); /* RFC 9636, 3.3.1 */
    struct tzif zone;

    assert_ok(tzif_read(slice_of(bytes, len), &zone));
    for (int64_t at = 1704000000; at < 1704000000 + 800 * 86400; at += 899)
        assert_int_equal(tzif_offset(&zone, at), -4 * 3600);
}

static void
a_broken_footer_is_refused(void **state UNUSED)
{
    static const char *const footers[] = { "E5",
                                           "EST",
                                           "EST5EDT",
                                           "EST5EDT,M3.2.0",
                                           "EST5EDT,M13.2.0,M11.1.0",
                                           "EST5EDT,M3.6.0,M11.1.0",
                                           "EST5EDT,M3.2.7,M11.1.0",
                                           "EST25",
                                           "EST5EDT,J0,J365",
                                           "EST5EDT,J1,J366",
                                           "EST5EDT,M3.2.0/168,M11.1.0",
                                           "EST5EDT,M3.2.0,M11.1.0x",
                                           "<+05",
                                           "<>5",
                                           "EST5:60" };
    char bytes[512];

    for (size_t f = 0; f < sizeof(footers) / sizeof(footers[0]); f++) {
        size_t len = file_with_footer(footers[f], bytes);
        struct tzif zone;

        assert_int_equal(tzif_read(slice_of(bytes, len), &zone), ERR_FILE_DAMAGED);
        assert_int_equal(tzif_offset(&zone, 0), 0);
    }
}

static void
a_file_that_is_cut_is_refused(void **state UNUSED)
{
    static struct file file;
    struct tzif zone;

    assert_true(file_read("America/New_York", &file));
    assert_ok(tzif_read(slice_of(file.bytes, file.len), &zone));
    for (size_t len = 0; len < file.len; len++) {
        char *exact = malloc(len == 0 ? 1 : len); /* the sanitizer sees any byte beyond */

        assert_non_null(exact);
        memcpy(exact, file.bytes, len);
        assert_int_equal(tzif_read(slice_of(exact, len), &zone), ERR_FILE_DAMAGED);
        free(exact);
    }
}

static void
leap_seconds_are_not_for_us(void **state UNUSED)
{
    static struct file file;
    struct tzif zone;

    if (file_read("right/Europe/London", &file)) /* not every system has them */
        assert_int_equal(tzif_read(slice_of(file.bytes, file.len), &zone), ERR_FILE_DAMAGED);
    char bytes[512];
    size_t len = file_with_footer("UTC0", bytes);
    assert_ok(tzif_read(slice_of(bytes, len), &zone));
    bytes[31] = 1; /* the count of leap seconds of the first block */
    assert_int_equal(tzif_read(slice_of(bytes, len), &zone), ERR_FILE_DAMAGED);
}

UNIT_MAIN(cmocka_unit_test(offsets_are_those_of_the_c_library),
          cmocka_unit_test(footers_are_read_as_the_c_library_reads_them),
          cmocka_unit_test(daylight_saving_that_never_ends_holds_all_year),
          cmocka_unit_test(a_broken_footer_is_refused), cmocka_unit_test(a_file_that_is_cut_is_refused),
          cmocka_unit_test(leap_seconds_are_not_for_us))
