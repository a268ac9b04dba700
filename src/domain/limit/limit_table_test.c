#include "core/unit.h"
#include "domain/limit/limit_table.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNTERS 1024u

struct fixture {
    struct clock_manual clock;
    void *memory;
    size_t bytes;
    struct limit_table *table;
    struct limit_backend backend;
};

static void *
shared_new(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(memory != MAP_FAILED);
    return memory;
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    clock_manual_init(&f->clock, (struct wall_time){ INT64_C(1800000000) * 1000000 });
    f->bytes = limit_table_bytes(COUNTERS);
    f->memory = shared_new(f->bytes);
    assert_ok(limit_table_init(f->memory, f->bytes, COUNTERS));
    assert_ok(limit_table_open(f->memory, f->bytes, &f->clock.clock, &f->table));
    f->backend = limit_table_backend(f->table);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    limit_table_close(f->table);
    munmap(f->memory, f->bytes);
    free(f);
    return 0;
}

static struct id
id_of(uint64_t n)
{
    struct id id = { { 0 } };

    for (int i = 0; i < 8; i++)
        id.bytes[15 - i] = (uint8_t)(n >> (8 * i));
    id.bytes[0] = 1;
    return id;
}

/* A quota that begins at zero. */
static struct limit_counter
quota(const struct clock *clock, enum limit_name name, struct id tenant, struct id subject, uint64_t limit,
      uint64_t cost)
{
    struct limit_counter counter = limit_counter_of(name, tenant, subject, limit, cost);
    struct limit_now now = limit_now(clock);

    counter.base = 0;
    counter.base_window = limit_rule_window(limit_kind(name), &now);
    return counter;
}

static enum err
decide(struct fixture *f, struct limit_counter *counters, size_t count)
{
    return f->backend.decide(f->backend.ctx, counters, count);
}

static uint64_t
used_now(struct fixture *f, struct limit_counter counter)
{
    counter.cost = 0;
    assert_ok(decide(f, &counter, 1));
    return counter.used;
}

static void
a_decision_takes_all_or_nothing(void **state)
{
    struct fixture *f = *state;
    struct limit_counter set[] = {
        limit_counter_of(LIMIT_SENDER_SECOND, id_of(1), id_of(2), 100, 4),
        quota(&f->clock.clock, LIMIT_SENDER_DAY, id_of(1), id_of(2), 10, 4),
        quota(&f->clock.clock, LIMIT_WORKSPACE_MONTH, id_of(1), id_of(0), 1000, 4),
    };

    assert_ok(decide(f, set, COUNT_OF(set)));
    assert_ok(decide(f, set, COUNT_OF(set)));
    assert_true(set[1].used == 8 && set[1].remaining == 2 && set[2].used == 8);
    assert_int_equal(decide(f, set, COUNT_OF(set)), ERR_QUOTA_EXCEEDED);
    assert_true(set[1].is_refused && !set[0].is_refused && !set[2].is_refused);
    assert_true(used_now(f, set[0]) == 8 && used_now(f, set[1]) == 8 && used_now(f, set[2]) == 8);
    f->backend.give_back(f->backend.ctx, set, COUNT_OF(set));
    assert_true(used_now(f, set[0]) == 4 && used_now(f, set[1]) == 4 && used_now(f, set[2]) == 4);
}

static void
a_quota_that_nobody_knows_is_asked_for(void **state)
{
    struct fixture *f = *state;
    struct limit_counter set[] = {
        limit_counter_of(LIMIT_SENDER_SECOND, id_of(1), id_of(2), 100, 1),
        limit_counter_of(LIMIT_SENDER_DAY, id_of(1), id_of(2), 10, 1),
    };

    assert_int_equal(decide(f, set, COUNT_OF(set)), ERR_INCOMPLETE);
    assert_true(set[1].is_unknown && !set[0].is_unknown);
    assert_true(used_now(f, set[0]) == 0);
    set[1].base = 9;
    set[1].base_window = limit_now(&f->clock.clock).day;
    assert_ok(decide(f, set, COUNT_OF(set)));
    assert_true(set[1].used == 10);
    set[1].base = 3; /* what is counted outweighs what the database said */
    assert_int_equal(decide(f, set, COUNT_OF(set)), ERR_QUOTA_EXCEEDED);
}

static void
a_new_day_begins_at_zero(void **state)
{
    struct fixture *f = *state;
    struct limit_counter day = quota(&f->clock.clock, LIMIT_SENDER_DAY, id_of(1), id_of(2), 3, 3);

    assert_ok(decide(f, &day, 1));
    struct limit_counter old = day;
    assert_int_equal(decide(f, &day, 1), ERR_QUOTA_EXCEEDED);
    clock_manual_advance(&f->clock, day.wait_us);
    day.base = LIMIT_BASE_UNKNOWN;
    assert_ok(decide(f, &day, 1));
    f->backend.give_back(f->backend.ctx, &old, 1); /* yesterday's */
    assert_true(used_now(f, day) == 3);
}

static void
keys_do_not_meet(void **state)
{
    struct fixture *f = *state;
    struct limit_counter other, one = limit_counter_of(LIMIT_KEY, id_of(1), id_of(2), 1, 1);

    assert_ok(decide(f, &one, 1));
    assert_int_equal(decide(f, &one, 1), ERR_RATE_LIMITED);
    other = limit_counter_of(LIMIT_KEY, id_of(2), id_of(2), 1, 1);
    assert_ok(decide(f, &other, 1));
    other = limit_counter_of(LIMIT_KEY, id_of(1), id_of(3), 1, 1);
    assert_ok(decide(f, &other, 1));
    other = limit_counter_of(LIMIT_SENDER_SECOND, id_of(1), id_of(2), 1, 1);
    assert_ok(decide(f, &other, 1));
}

static void
addresses_count_by_host_and_by_network(void **state)
{
    static const struct {
        const char *address;
        enum err err;
    } rows[] = {
        { "192.0.2.1", ERR_OK },           { "192.0.2.2", ERR_OK },
        { "192.0.2.1", ERR_RATE_LIMITED }, { "::ffff:192.0.2.2", ERR_RATE_LIMITED },
        { "2001:db8:0:1::1", ERR_OK },     { "2001:db8:0:1:ffff::2", ERR_RATE_LIMITED }, /* the same /64 */
        { "2001:db8:0:2::1", ERR_OK },     { "", ERR_OK },
        { "unknown", ERR_RATE_LIMITED }, /* one for all that are none */
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct limit_counter counter =
            limit_counter_of_address(LIMIT_ADDRESS, slice_text(rows[i].address), 1, 1);
        assert_int_equal(decide(f, &counter, 1), rows[i].err);
    }
}

static void
a_full_table_refuses_tenants_and_drops_nobody(void **state)
{
    struct fixture *f = *state;
    uint64_t admitted = 0, refused = 0;

    for (uint64_t i = 0; i < 4 * COUNTERS; i++) {
        struct limit_counter day = quota(&f->clock.clock, LIMIT_SENDER_DAY, id_of(i), id_of(i), 1, 1);
        enum err err = decide(f, &day, 1);
        admitted += err == ERR_OK;
        refused += err == ERR_LIMITS_UNAVAILABLE;
    }
    assert_int_equal(admitted + refused, 4 * COUNTERS);
    assert_in_range(admitted, COUNTERS / 2, COUNTERS);
    assert_int_equal(limit_table_used(f->table), admitted);
    uint64_t again = 0;
    for (uint64_t i = 0; i < 4 * COUNTERS; i++) {
        struct limit_counter day = quota(&f->clock.clock, LIMIT_SENDER_DAY, id_of(i), id_of(i), 1, 1);
        again += decide(f, &day, 1) == ERR_OK;
    }
    assert_int_equal(again, 0);
    /* The next day their places serve others. */
    clock_manual_advance(&f->clock, INT64_C(86400) * 1000000);
    for (uint64_t i = 0; i < COUNTERS / 4; i++) {
        struct limit_counter day =
            quota(&f->clock.clock, LIMIT_SENDER_DAY, id_of(1000000 + i), id_of(i), 1, 1);
        assert_ok(decide(f, &day, 1));
    }
}

static void
strangers_share_what_they_have_filled(void **state)
{
    struct fixture *f = *state;
    uint64_t admitted = 0;

    for (unsigned i = 0; i < 200000; i++) { /* several for each place that there is */
        char address[32];
        snprintf(address, sizeof(address), "10.%u.%u.%u", i >> 16 & 255, i >> 8 & 255, i & 255);
        struct limit_counter counter = limit_counter_of_address(LIMIT_STRANGER, slice_text(address), 2, 1);
        admitted += decide(f, &counter, 1) == ERR_OK;
    }
    assert_in_range(admitted, 30000, 32768 + 2);
    /* Tenants do not feel it. */
    struct limit_counter key = limit_counter_of(LIMIT_KEY, id_of(1), id_of(2), 1, 1);
    assert_ok(decide(f, &key, 1));
}

static void
memory_that_is_no_table_is_refused(void **state)
{
    struct fixture *f = *state;
    struct limit_table *table = NULL;
    void *memory = shared_new(f->bytes);

    assert_int_equal(limit_table_open(memory, f->bytes, &f->clock.clock, &table), ERR_FRAME);
    assert_int_equal(limit_table_open(f->memory, f->bytes - 1, &f->clock.clock, &table), ERR_FRAME);
    munmap(memory, f->bytes);
}

/* Many at once. Time stands still in these: each limit can be had exactly once. */

#define THREADS     3u
#define TRIES       1000000u
#define TENANTS     8u
#define DAY_LIMIT   250000u
#define MONTH_LIMIT 180000u

struct race {
    struct fixture *f;
    _Atomic uint64_t tries, admitted[TENANTS], given_back[TENANTS], errors;
};

/* Sender and workspace in one decision; some give back; noise makes and drops places beside them. */
static void *
race_run(void *argument)
{
    struct race *race = argument;
    struct fixture *f = race->f;
    uint64_t random = (uint64_t)(uintptr_t)&random ^ (uint64_t)getpid() << 32;

    while (atomic_fetch_add(&race->tries, 1) < TRIES) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint64_t tenant = (random >> 33) % TENANTS, cost = 1 + (random >> 40) % 3;
        struct limit_counter set[] = {
            limit_counter_of(LIMIT_KEY, id_of(tenant), id_of(random >> 50), LIMIT_RATE_MAX, 0),
            quota(&f->clock.clock, LIMIT_SENDER_DAY, id_of(tenant), id_of(9), DAY_LIMIT, cost),
            quota(&f->clock.clock, LIMIT_WORKSPACE_MONTH, id_of(tenant), id_of(0), MONTH_LIMIT, cost),
        };
        size_t from =
            (random >> 45) % 64 == 0 ? 0 : 1; /* now and then a new counter, which is over at once */
        enum err err = decide(f, set + from, COUNT_OF(set) - from);
        if (err == ERR_OK && (random >> 55) % 16 == 0) {
            f->backend.give_back(f->backend.ctx, set + from, COUNT_OF(set) - from);
        } else if (err == ERR_OK) {
            atomic_fetch_add(&race->admitted[tenant], cost);
        } else if (err != ERR_QUOTA_EXCEEDED) {
            atomic_fetch_add(&race->errors, 1);
        }
    }
    return NULL;
}

static void
race_threads(struct race *race)
{
    pthread_t threads[THREADS];

    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, race_run, race), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static uint64_t
month_used(struct fixture *f, uint64_t tenant)
{
    return used_now(f,
                    quota(&f->clock.clock, LIMIT_WORKSPACE_MONTH, id_of(tenant), id_of(0), MONTH_LIMIT, 0));
}

static void
threads_get_exactly_the_limit(void **state)
{
    struct fixture *f = *state;
    struct race race = { .f = f };

    race_threads(&race);
    assert_int_equal(race.errors, 0);
    for (uint64_t tenant = 0; tenant < TENANTS; tenant++) {
        assert_true(race.admitted[tenant] <= MONTH_LIMIT);
        assert_true(race.admitted[tenant] > MONTH_LIMIT - 3); /* the last ones asked for up to three */
        assert_true(month_used(f, tenant) == race.admitted[tenant]);
    }
}

/* Two processes of three threads; one is killed again and again, and another takes its place. */
static void
processes_get_no_more_than_the_limit_though_they_are_killed(void **state)
{
    struct fixture *f = *state;
    struct race *race = shared_new(sizeof(*race));
    uint64_t killed = 0, missing = 0;
    pid_t pids[2] = { 0, 0 };

#ifdef HARKARA_SANITIZED /* ThreadSanitizer's own swap of 16 octets locks within one process only */
    skip();
#endif
    race->f = f;
    for (unsigned i = 0; i < COUNT_OF(pids); i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            race_threads(race);
            _exit(0);
        }
    }
    /* A kill after each so many tries, wherever the process is then. */
    for (uint64_t next = TRIES / 50; next < TRIES; next += TRIES / 50) {
        while (atomic_load(&race->tries) < next)
            continue;
        unsigned victim = killed++ % COUNT_OF(pids);
        int status;
        kill(pids[victim], SIGKILL);
        assert_int_equal(waitpid(pids[victim], &status, 0), pids[victim]);
        pids[victim] = fork();
        if (pids[victim] == 0) {
            race_threads(race);
            _exit(0);
        }
    }
    for (unsigned i = 0; i < COUNT_OF(pids); i++)
        waitpid(pids[i], NULL, 0);
    race->tries = 0; /* whatever is left is had by somebody who is not killed */
    race_threads(race);
    assert_int_equal(race->errors, 0);
    for (uint64_t tenant = 0; tenant < TENANTS; tenant++) {
        assert_true(race->admitted[tenant] <= MONTH_LIMIT);
        assert_true(month_used(f, tenant) <= MONTH_LIMIT && month_used(f, tenant) > MONTH_LIMIT - 3);
        missing += month_used(f, tenant) - race->admitted[tenant];
    }
    /* What a killed process had taken: each of its threads one decision of three at most. */
    assert_true(killed > 40);
    assert_true(missing <= killed * THREADS * 3);
    munmap(race, sizeof(*race));
}

UNIT_MAIN(cmocka_unit_test_setup_teardown(a_decision_takes_all_or_nothing, setup, teardown),
          cmocka_unit_test_setup_teardown(a_quota_that_nobody_knows_is_asked_for, setup, teardown),
          cmocka_unit_test_setup_teardown(a_new_day_begins_at_zero, setup, teardown),
          cmocka_unit_test_setup_teardown(keys_do_not_meet, setup, teardown),
          cmocka_unit_test_setup_teardown(addresses_count_by_host_and_by_network, setup, teardown),
          cmocka_unit_test_setup_teardown(a_full_table_refuses_tenants_and_drops_nobody, setup, teardown),
          cmocka_unit_test_setup_teardown(strangers_share_what_they_have_filled, setup, teardown),
          cmocka_unit_test_setup_teardown(memory_that_is_no_table_is_refused, setup, teardown),
          cmocka_unit_test_setup_teardown(threads_get_exactly_the_limit, setup, teardown),
          cmocka_unit_test_setup_teardown(processes_get_no_more_than_the_limit_though_they_are_killed, setup,
                                          teardown))
