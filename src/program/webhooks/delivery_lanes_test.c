/* Who may be posted next: the shares, the turns, and what goes back. */
#include "core/unit.h"
#include "program/webhooks/delivery_lanes.h"
#include <stdlib.h>

static const struct delivery_lanes_config config = {
    .in_flight_max = 6, .per_tenant_max = 4, .per_endpoint_max = 2, .wait_ms_max = 5000
};
static struct delivery_lanes *lanes;

static int
opened(void **state UNUSED)
{
    lanes = delivery_lanes_new(&config);
    return lanes == NULL;
}

static int
closed(void **state UNUSED)
{
    delivery_lanes_free(lanes);
    return 0;
}

static struct id
id_of(unsigned char number)
{
    return (struct id){ { number } };
}

/* The delivery's id tells the order in which they were put. */
static void
put_at(unsigned char tenant, unsigned char endpoint, unsigned char delivery, int64_t at_ms)
{
    struct delivery_job *job = calloc(1, sizeof(*job));

    assert_non_null(job);
    job->outcome = (struct webhook_outcome){ .tenant = id_of(tenant),
                                             .endpoint = id_of(endpoint),
                                             .delivery = id_of(delivery) };
    assert_ok(delivery_lanes_put(lanes, job, (struct mono_time){ at_ms * 1000 }));
}

static void
put(unsigned char tenant, unsigned char endpoint, unsigned char delivery)
{
    put_at(tenant, endpoint, delivery, 0);
}

/* 0: none may leave. */
static unsigned
next(struct delivery_job **out)
{
    *out = delivery_lanes_next(lanes);
    return *out == NULL ? 0 : (*out)->outcome.delivery.bytes[0];
}

static void
end(struct delivery_job *job)
{
    delivery_lanes_end(lanes, job);
    free(job);
}

static size_t
count_and_free(struct delivery_job *list)
{
    size_t count = 0;

    for (struct delivery_job *after; list != NULL; list = after, count++) {
        after = delivery_job_next(list);
        free(list);
    }
    return count;
}

static void
endpoints_come_in_turn_and_within_their_share(void **state UNUSED)
{
    struct delivery_job *jobs[5];

    for (unsigned char i = 1; i <= 3; i++)
        put(1, 10, i);
    for (unsigned char i = 4; i <= 6; i++)
        put(1, 20, i);
    assert_int_equal(next(&jobs[0]), 1);
    assert_int_equal(next(&jobs[1]), 4);
    assert_int_equal(next(&jobs[2]), 2);
    assert_int_equal(next(&jobs[3]), 5);
    assert_int_equal(next(&jobs[4]), 0); /* two are out to each */
    end(jobs[0]);
    assert_int_equal(next(&jobs[0]), 3);
    assert_int_equal(next(&jobs[4]), 0);
    assert_int_equal(delivery_lanes_waiting(lanes), 1);
    end(jobs[1]);
    assert_int_equal(next(&jobs[1]), 6);
    for (size_t i = 0; i < 4; i++)
        end(jobs[i]);
    assert_int_equal(next(&jobs[0]), 0);
}

static void
a_tenant_with_many_endpoints_leaves_room_for_others(void **state UNUSED)
{
    struct delivery_job *jobs[7];

    for (unsigned char i = 1; i <= 8; i++)
        put(1, (unsigned char)(10 + i), i);
    put(2, 50, 9);
    put(3, 60, 10);
    put(3, 61, 11);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(next(&jobs[i]), i + 1);
    assert_int_equal(next(&jobs[4]), 9);
    assert_int_equal(next(&jobs[5]), 10);
    assert_int_equal(next(&jobs[6]), 0); /* six in all */
    end(jobs[4]);
    assert_int_equal(next(&jobs[4]), 11); /* not the first tenant's fifth */
    end(jobs[0]);
    assert_int_equal(next(&jobs[0]), 5);
    for (size_t i = 0; i < 6; i++)
        end(jobs[i]);
    assert_int_equal(count_and_free(delivery_lanes_take_all(lanes)), 3);
    assert_int_equal(delivery_lanes_waiting(lanes), 0);
}

static void
what_waits_for_an_endpoint_that_fails_is_taken_out(void **state UNUSED)
{
    struct delivery_job *job, *other;

    for (unsigned char i = 1; i <= 4; i++)
        put(1, 10, i);
    put(1, 20, 5);
    assert_int_equal(next(&job), 1);
    assert_int_equal(count_and_free(delivery_lanes_take_endpoint(lanes, id_of(10))), 3);
    end(job);
    assert_null(delivery_lanes_take_endpoint(lanes, id_of(10)));
    assert_int_equal(next(&other), 5);
    end(other);
    put(1, 10, 6); /* it may come again */
    assert_int_equal(next(&job), 6);
    end(job);
}

static void
what_has_waited_too_long_does_not_leave(void **state UNUSED)
{
    struct delivery_job *job;

    put_at(1, 10, 1, 0);
    put_at(1, 20, 2, 3000);
    put_at(1, 30, 3, 0);
    assert_null(delivery_lanes_take_stale(lanes, (struct mono_time){ 5000 * 1000 }));
    assert_int_equal(count_and_free(delivery_lanes_take_stale(lanes, (struct mono_time){ 5001 * 1000 })), 2);
    assert_int_equal(next(&job), 2);
    end(job);
    assert_null(delivery_lanes_take_stale(lanes, (struct mono_time){ 9999 * 1000 }));
    assert_null(delivery_lanes_take_all(lanes));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(endpoints_come_in_turn_and_within_their_share),
        TEST(a_tenant_with_many_endpoints_leaves_room_for_others),
        TEST(what_waits_for_an_endpoint_that_fails_is_taken_out),
        TEST(what_has_waited_too_long_does_not_leave),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
