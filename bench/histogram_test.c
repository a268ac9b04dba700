#include "core/unit.h"
#include "histogram.h"
#include <string.h>

static void
a_percentile_is_never_below_its_sample_and_at_most_a_thirtysecond_above(void **state UNUSED)
{
    struct histogram histogram;

    for (uint64_t us = 0; us < (UINT64_C(1) << 35); us = us + 1 + us / 7) {
        memset(&histogram, 0, sizeof(histogram));
        histogram_add(&histogram, us);
        histogram_add(&histogram, UINT64_C(1) << 40); /* so that the maximum does not cut it */
        uint64_t read = histogram_at(&histogram, 500);
        assert_true(read >= us);
        assert_true(read - us <= us / 32);
    }
}

static void
percentiles_count_samples(void **state UNUSED)
{
    struct histogram histogram;

    memset(&histogram, 0, sizeof(histogram));
    assert_int_equal(histogram_at(&histogram, 990), 0);
    for (uint64_t us = 1; us <= 50; us++)
        histogram_add(&histogram, us);
    assert_int_equal(histogram_at(&histogram, 500), 25);
    assert_int_equal(histogram_at(&histogram, 980), 49);
    assert_int_equal(histogram_at(&histogram, 999), 50);
    assert_int_equal(histogram.max_us, 50);
}

static void
what_is_beyond_the_last_bucket_is_the_maximum(void **state UNUSED)
{
    struct histogram histogram;

    memset(&histogram, 0, sizeof(histogram));
    histogram_add(&histogram, UINT64_MAX);
    assert_int_equal(histogram.max_us, UINT64_MAX);
    assert_int_equal(histogram.counts[HISTOGRAM_BUCKETS - 1], 1);
}

UNIT_MAIN(cmocka_unit_test(a_percentile_is_never_below_its_sample_and_at_most_a_thirtysecond_above),
          cmocka_unit_test(percentiles_count_samples),
          cmocka_unit_test(what_is_beyond_the_last_bucket_is_the_maximum))
