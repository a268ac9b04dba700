#include "core/unit.h"
#include "core/unit_child.h"
#include "crypto/random.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

static void
exactly_the_octets_asked_for_are_filled(void **state UNUSED)
{
    static const size_t lens[] = { 0, 1, 2, 16, 255, 256, 257, 4096, 100000 };
    static unsigned char bytes[100000 + 2];

    for (size_t i = 0; i < COUNT_OF(lens); i++) {
        memset(bytes, 0, sizeof(bytes));
        assert_ok(random_fill(bytes + 1, lens[i]));
        assert_int_equal(bytes[0], 0);
        assert_int_equal(bytes[lens[i] + 1], 0);
        /* 16 zeros in a row would be one chance in 2^128 at each place. */
        size_t zeros = 0;
        for (size_t at = 1; at <= lens[i]; at++) {
            zeros = bytes[at] == 0 ? zeros + 1 : 0;
            assert_true(zeros < 16);
        }
    }
    assert_ok(random_fill(NULL, 0));
}

static volatile sig_atomic_t alarm_count;

static void
on_alarm(int signal_number UNUSED)
{
    alarm_count++;
}

/* A signal makes the system give less than was asked for: the next call must go on behind it. */
static void
signals_in_between_leave_no_gap(void **state UNUSED)
{
    const size_t len = 32u << 20;
    const struct itimerval often = { { 0, 300 }, { 0, 300 } }, never = { { 0, 0 }, { 0, 0 } };
    struct sigaction action = { .sa_handler = on_alarm }, before;
    unsigned char *bytes = calloc(1, len);
    size_t zeros = 0;

    assert_non_null(bytes);
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    enum err err = random_fill(bytes, len);
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
    assert_ok(err);
    assert_true(alarm_count > 0);
    for (size_t at = len - 4096; at < len; at++)
        zeros += bytes[at] == 0;
    assert_true(zeros < 128); /* 16 are to be expected */
    free(bytes);
}

static void
no_two_draws_are_the_same(void **state UNUSED)
{
    enum { COUNT = 500 };
    static unsigned char draws[COUNT][16];

    for (size_t i = 0; i < COUNT; i++) {
        assert_ok(random_fill(draws[i], sizeof(draws[i])));
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(draws[i], draws[j], sizeof(draws[i]));
    }
}

/* Each value should come 256 times in 65536 draws; less than 128 or more than 512 has a chance below 10^-15.
 */
static void
octets_are_evenly_spread(void **state UNUSED)
{
    static unsigned char bytes[65536];
    unsigned counts[256] = { 0 };

    assert_ok(random_fill(bytes, sizeof(bytes)));
    for (size_t i = 0; i < sizeof(bytes); i++)
        counts[bytes[i]]++;
    for (size_t i = 0; i < COUNT_OF(counts); i++)
        assert_true(counts[i] >= 128 && counts[i] <= 512);
}

static int
run_fill(void *ctx)
{
    unsigned char bytes[16];

    if (random_fill(bytes, sizeof(bytes)) != ERR_OK)
        return 1;
    return write(*(const int *)ctx, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes) ? 0 : 1;
}

static void
forked_children_do_not_share_a_stream(void **state UNUSED)
{
    int ends[2];
    unsigned char draws[3][16];

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(unit_child(run_fill, &ends[1]), 0);
    assert_int_equal(unit_child(run_fill, &ends[1]), 0);
    assert_int_equal(run_fill(&ends[1]), 0);
    assert_int_equal(read(ends[0], draws, sizeof(draws)), sizeof(draws));
    assert_memory_not_equal(draws[0], draws[1], 16);
    assert_memory_not_equal(draws[0], draws[2], 16);
    assert_memory_not_equal(draws[1], draws[2], 16);
    close(ends[0]);
    close(ends[1]);
}

UNIT_MAIN(cmocka_unit_test(exactly_the_octets_asked_for_are_filled),
          cmocka_unit_test(signals_in_between_leave_no_gap), cmocka_unit_test(no_two_draws_are_the_same),
          cmocka_unit_test(octets_are_evenly_spread), cmocka_unit_test(forked_children_do_not_share_a_stream))
