#include "core/unit.h"
#include "core/unit_child.h"
#include "crypto/random.h"
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

/* What holds of both. */
static enum err (*const sources[])(void *out, size_t len) = { random_fill, random_draw };

static void
exactly_the_octets_asked_for_are_filled(void **state UNUSED)
{
    static const size_t lens[] = { 0, 1, 2, 16, 255, 256, 257, 4096, 100000 };
    static unsigned char bytes[100000 + 2];

    for (size_t n = 0; n < COUNT_OF(sources) * COUNT_OF(lens); n++) {
        size_t i = n / COUNT_OF(sources);
        memset(bytes, 0, sizeof(bytes));
        assert_ok(sources[n % COUNT_OF(sources)](bytes + 1, lens[i]));
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
    assert_ok(random_draw(NULL, 0));
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
        assert_ok(sources[i % COUNT_OF(sources)](draws[i], sizeof(draws[i])));
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

    for (size_t n = 0; n < COUNT_OF(sources); n++) {
        unsigned counts[256] = { 0 };
        for (size_t at = 0; at < sizeof(bytes); at += 16)
            assert_ok(sources[n](bytes + at, 16));
        for (size_t i = 0; i < sizeof(bytes); i++)
            counts[bytes[i]]++;
        for (size_t i = 0; i < COUNT_OF(counts); i++)
            assert_true(counts[i] >= 128 && counts[i] <= 512);
    }
}

static int
run_fill(void *ctx)
{
    unsigned char bytes[32];

    if (random_fill(bytes, 16) != ERR_OK || random_draw(bytes + 16, 16) != ERR_OK)
        return 1;
    return write(*(const int *)ctx, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes) ? 0 : 1;
}

static void
forked_children_do_not_share_a_stream(void **state UNUSED)
{
    int ends[2];
    unsigned char draws[3][2][16], before[200];

    for (int i = 0; i < 2;
         i++) /* at the latest the second time 56 of 256 are left, which children must not use */
        assert_ok(random_draw(before, sizeof(before)));
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(unit_child(run_fill, &ends[1]), 0);
    assert_int_equal(unit_child(run_fill, &ends[1]), 0);
    assert_int_equal(run_fill(&ends[1]), 0);
    assert_int_equal(read(ends[0], draws, sizeof(draws)), sizeof(draws));
    for (size_t n = 0; n < COUNT_OF(sources); n++) {
        assert_memory_not_equal(draws[0][n], draws[1][n], 16);
        assert_memory_not_equal(draws[0][n], draws[2][n], 16);
        assert_memory_not_equal(draws[1][n], draws[2][n], 16);
    }
    close(ends[0]);
    close(ends[1]);
}

struct drawer {
    unsigned char draws[100][12];
    bool has_failed;
};

static void *
drawer_run(void *arg)
{
    struct drawer *drawer = arg;

    for (size_t i = 0; i < COUNT_OF(drawer->draws); i++)
        drawer->has_failed |= random_draw(drawer->draws[i], sizeof(drawer->draws[i])) != ERR_OK;
    return NULL;
}

static void
threads_do_not_share_a_stock(void **state UNUSED)
{
    static struct drawer drawers[4];
    pthread_t threads[COUNT_OF(drawers)];

    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, drawer_run, &drawers[i]), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (size_t a = 0; a < 400; a++) {
        assert_false(drawers[a / 100].has_failed);
        for (size_t b = 0; b < a; b++)
            assert_memory_not_equal(drawers[a / 100].draws[a % 100], drawers[b / 100].draws[b % 100], 12);
    }
}

UNIT_MAIN(cmocka_unit_test(exactly_the_octets_asked_for_are_filled),
          cmocka_unit_test(signals_in_between_leave_no_gap), cmocka_unit_test(no_two_draws_are_the_same),
          cmocka_unit_test(octets_are_evenly_spread), cmocka_unit_test(forked_children_do_not_share_a_stream),
          cmocka_unit_test(threads_do_not_share_a_stock))
