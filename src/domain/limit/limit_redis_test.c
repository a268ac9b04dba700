/* Against a real Redis, which the test starts, kills and starts again. */
#include "core/log.h"
#include "core/num.h"
#include "core/unit.h"
#include "domain/limit/limit_redis.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PASSWORD "a password of the test"

static char folder[64], url[160], socket_path[128];
static pid_t server;

static void
server_start(void)
{
    server = fork();
    assert_true(server >= 0);
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when the test aborts */
        int null = open("/dev/null", O_WRONLY);
        dup2(null, STDOUT_FILENO);
        execl("/usr/bin/redis-server", "redis-server", "--port", "0", "--unixsocket", socket_path, "--save",
              "", "--dir", folder, "--requirepass", PASSWORD, (char *)NULL);
        _exit(127);
    }
}

static void
server_kill(void)
{
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
}

static int
group_setup(void **state UNUSED)
{
    signal(SIGPIPE, SIG_IGN); /* as role_begin does */
    snprintf(folder, sizeof(folder), "/tmp/harkara-redis-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(socket_path, sizeof(socket_path), "%s/s", folder);
    snprintf(url, sizeof(url), "unix:%s", socket_path);
    server_start();
    return 0;
}

static int
group_teardown(void **state UNUSED)
{
    server_kill();
    unlink(socket_path);
    return rmdir(folder);
}

static struct limit_redis *
redis_of(unsigned shares)
{
    struct limit_redis *redis;

    assert_ok(limit_redis_new(&(struct limit_redis_config){ .url = url,
                                                            .user = "",
                                                            .password = PASSWORD,
                                                            .timeout_ms = 5000,
                                                            .shares = shares,
                                                            .clock = clock_system() },
                              &redis));
    return redis;
}

static struct id
id_of(uint64_t n)
{
    struct id id = { { 1 } };

    num_u64be_put(id.bytes + 8, n);
    return id;
}

/* Ids of their own for every test: the server keeps what it has counted. */
static uint64_t last_id;

static struct limit_counter
quota(enum limit_name name, struct id tenant, struct id subject, uint64_t limit, uint64_t cost, int64_t base)
{
    struct limit_counter counter = limit_counter_of(name, tenant, subject, limit, cost);
    struct limit_now now = limit_now(clock_system());

    counter.base = base;
    counter.base_window = limit_rule_window(limit_kind(name), &now);
    return counter;
}

static enum err
decide(struct limit_redis *redis, struct limit_counter *counters, size_t count)
{
    struct limit_backend backend = limit_redis_backend(redis);

    return backend.decide(backend.ctx, counters, count);
}

/* When the server serves: it was just started. */
static void
wait_until_served(struct limit_redis *redis)
{
    struct limit_counter peek = limit_counter_of(LIMIT_KEY, id_of(1), id_of(1), 1, 0);
    struct mono_time until = mono_after_ms(clock_mono(clock_system()), 60000);

    while (decide(redis, &peek, 1) != ERR_OK || limit_redis_is_away(redis)) {
        assert_true(clock_mono(clock_system()).us < until.us);
        usleep(1000);
    }
}

static void
a_decision_is_one_for_all_its_counters(void **state UNUSED)
{
    struct limit_redis *redis = redis_of(0);
    struct id tenant = id_of(++last_id), sender = id_of(++last_id), none = { { 0 } };
    struct limit_backend backend = limit_redis_backend(redis);

    wait_until_served(redis);
    struct limit_counter set[] = { limit_counter_of(LIMIT_SENDER_SECOND, tenant, sender, 1000, 4),
                                   quota(LIMIT_SENDER_DAY, tenant, sender, 10, 4, 0),
                                   quota(LIMIT_WORKSPACE_MONTH, tenant, none, 1000, 4, 0) };
    struct limit_now now = limit_now(clock_system());
    assert_ok(decide(redis, set, COUNT_OF(set)));
    assert_ok(decide(redis, set, COUNT_OF(set)));
    assert_true(set[1].used == 8 && set[1].remaining == 2 && set[2].used == 8);
    assert_int_equal(set[1].window, now.day);
    assert_int_equal(set[2].window, now.month);
    int64_t end = limit_rule_window_start(LIMIT_MONTH, now.month + 1).us;
    assert_true(set[2].reset_us <= end - now.at.us && set[2].reset_us > end - now.at.us - 60000000);
    assert_int_equal(decide(redis, set, COUNT_OF(set)), ERR_QUOTA_EXCEEDED);
    assert_true(set[1].is_refused && !set[0].is_refused && !set[2].is_refused);
    assert_true(set[2].used == 12); /* as it would be; nothing was written */
    set[1].cost = set[2].cost = set[0].cost = 0;
    assert_ok(decide(redis, set, COUNT_OF(set)));
    assert_true(set[1].used == 8 && set[2].used == 8);
    set[1].cost = set[2].cost = set[0].cost = 5;
    backend.give_back(backend.ctx, set, COUNT_OF(set));
    set[1].cost = set[2].cost = set[0].cost = 0;
    assert_ok(decide(redis, set, COUNT_OF(set)));
    assert_true(set[1].used == 3 && set[2].used == 3);
    limit_redis_free(redis);
}

static void
a_rate_is_a_second_at_once_and_then_as_time_goes(void **state UNUSED)
{
    struct limit_redis *redis = redis_of(0);
    struct limit_counter key = limit_counter_of(LIMIT_KEY, id_of(++last_id), id_of(7), 1000, 1);
    int64_t began = clock_mono(clock_system()).us;
    int64_t admitted = 0;

    wait_until_served(redis);
    for (int i = 0; i < 5000; i++)
        admitted += decide(redis, &key, 1) == ERR_OK;
    int64_t us = clock_mono(clock_system()).us - began;
    assert_true(admitted >= 1000 && admitted <= 1000 + us / 1000 + 1);
    key.cost = 1001;
    assert_int_equal(decide(redis, &key, 1), ERR_RATE_LIMITED);
    assert_int_equal(key.wait_us, -1);
    limit_redis_free(redis);
}

static void
what_the_database_knows_is_asked_for_and_is_the_least(void **state UNUSED)
{
    struct limit_redis *redis = redis_of(0), *other = redis_of(0);
    struct id tenant = id_of(++last_id), sender = id_of(++last_id);
    struct limit_counter day = quota(LIMIT_SENDER_DAY, tenant, sender, 100, 1, LIMIT_BASE_UNKNOWN);

    wait_until_served(redis);
    assert_int_equal(decide(redis, &day, 1), ERR_INCOMPLETE);
    assert_true(day.is_unknown);
    day = quota(LIMIT_SENDER_DAY, tenant, sender, 100, 1, 90);
    assert_ok(decide(redis, &day, 1));
    assert_true(day.used == 91);
    day.base = LIMIT_BASE_UNKNOWN;
    assert_ok(decide(redis, &day, 1));
    assert_int_equal(decide(other, &day, 1), ERR_INCOMPLETE); /* each process asks once */
    day.base = 50;
    assert_ok(decide(other, &day, 1));
    assert_true(day.used == 93);
    limit_redis_free(redis);
    limit_redis_free(other);
}

static void
without_the_server_nothing_or_a_share_is_given(void **state UNUSED)
{
    struct limit_redis *strict = redis_of(0), *shared = redis_of(4);
    struct id tenant = id_of(++last_id), sender = id_of(++last_id);
    struct limit_counter day = quota(LIMIT_SENDER_DAY, tenant, sender, 100, 1, 20), unknown = day;
    uint64_t admitted = 0;

    wait_until_served(strict);
    wait_until_served(shared);
    assert_ok(decide(shared, &day, 1));
    assert_ok(decide(strict, &day, 1));
    server_kill();
    assert_int_equal(decide(strict, &day, 1), ERR_LIMITS_UNAVAILABLE);
    assert_true(limit_redis_is_away(strict));
    day.base = 40; /* what the database says now: 60 are left, a quarter of them is ours */
    for (int i = 0; i < 100; i++)
        admitted += decide(shared, &day, 1) == ERR_OK;
    assert_int_equal(admitted, 15);
    unknown.base = LIMIT_BASE_UNKNOWN;
    unknown.key[3] ^= 1; /* another tenant's */
    assert_int_equal(decide(shared, &unknown, 1), ERR_INCOMPLETE);
    unknown.limit = 3; /* less than there are shares: nothing, rather than one for each */
    unknown.base = 0;
    assert_int_equal(decide(shared, &unknown, 1), ERR_QUOTA_EXCEEDED);
    server_start(); /* empty */
    wait_until_served(shared);
    wait_until_served(strict);
    day.base = LIMIT_BASE_UNKNOWN; /* the server has lost it: the database is asked */
    assert_int_equal(decide(shared, &day, 1), ERR_INCOMPLETE);
    assert_int_equal(decide(strict, &day, 1), ERR_INCOMPLETE);
    day.base = 55;
    assert_ok(decide(shared, &day, 1));
    assert_true(day.used == 56);
    limit_redis_free(strict);
    limit_redis_free(shared);
}

/* Many at once: two processes of three threads, one of them killed again and again. */

#define THREADS 3u
#define TENANTS 4u

struct race {
    _Atomic uint64_t tries, admitted[TENANTS], errors;
    uint64_t tries_max, limit, first;
};

struct racer {
    struct race *race;
    struct limit_redis *redis;
};

static void *
race_run(void *argument)
{
    struct racer *racer = argument;
    struct race *race = racer->race;
    struct limit_backend backend = limit_redis_backend(racer->redis);
    uint64_t random = (uint64_t)(uintptr_t)&random ^ (uint64_t)getpid() << 32;
    const struct id none = { { 0 } };

    while (atomic_fetch_add(&race->tries, 1) < race->tries_max) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint64_t tenant = (random >> 33) % TENANTS, cost = 1 + (random >> 40) % 3;
        struct limit_counter set[] = {
            quota(LIMIT_SENDER_DAY, id_of(race->first + tenant), id_of(9), 2 * race->limit, cost, 0),
            quota(LIMIT_WORKSPACE_MONTH, id_of(race->first + tenant), none, race->limit, cost, 0),
        };
        enum err err = backend.decide(backend.ctx, set, COUNT_OF(set));
        if (err == ERR_OK && (random >> 55) % 16 == 0)
            backend.give_back(backend.ctx, set, COUNT_OF(set));
        else if (err == ERR_OK)
            atomic_fetch_add(&race->admitted[tenant], cost);
        else if (err != ERR_QUOTA_EXCEEDED)
            atomic_fetch_add(&race->errors, 1);
    }
    return NULL;
}

static void
race_threads(struct race *race)
{
    struct racer racer = { .race = race, .redis = redis_of(0) };
    pthread_t threads[THREADS];

    for (size_t i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, race_run, &racer) != 0)
            abort();
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    limit_redis_free(racer.redis);
}

static pid_t
race_process(struct race *race)
{
    pid_t pid = fork();

    if (pid == 0) {
        race_threads(race);
        _exit(0);
    }
    return pid;
}

static void
processes_get_no_more_than_the_limit_though_they_are_killed(void **state UNUSED)
{
    struct race *race = mmap(NULL, sizeof(*race), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const char *tries = getenv("HARKARA_TEST_LIMIT_TRIES"); /* a million takes a minute */
    struct limit_redis *redis = NULL;
    uint64_t killed = 0, missing = 0;
    pid_t pids[2];

#ifdef HARKARA_SANITIZED /* forks of a process with threads are not for sanitizers */
    skip();
#endif
    redis = redis_of(0);
    wait_until_served(redis);
    race->tries_max = 40000;
    if (tries != NULL)
        assert_ok(num_u64_parse(slice_text(tries), &race->tries_max));
    race->limit = race->tries_max / 4;
    race->first = last_id + 1;
    last_id += TENANTS;
    for (unsigned i = 0; i < COUNT_OF(pids); i++)
        pids[i] = race_process(race);
    for (uint64_t next = race->tries_max / 20; next < race->tries_max; next += race->tries_max / 20) {
        while (atomic_load(&race->tries) < next)
            usleep(100);
        unsigned victim = killed++ % COUNT_OF(pids);
        kill(pids[victim], SIGKILL);
        assert_int_equal(waitpid(pids[victim], NULL, 0), pids[victim]);
        pids[victim] = race_process(race);
    }
    for (unsigned i = 0; i < COUNT_OF(pids); i++)
        waitpid(pids[i], NULL, 0);
    race->tries = 0; /* whatever is left is had by somebody who is not killed */
    race_threads(race);
    assert_int_equal(race->errors, 0);
    for (uint64_t tenant = 0; tenant < TENANTS; tenant++) {
        struct limit_counter month = quota(LIMIT_WORKSPACE_MONTH, id_of(race->first + tenant),
                                           (struct id){ { 0 } }, race->limit, 0, 0);
        assert_ok(decide(redis, &month, 1));
        assert_true(race->admitted[tenant] <= race->limit);
        assert_true(month.used <= race->limit && month.used > race->limit - 3);
        missing += month.used - race->admitted[tenant];
    }
    assert_true(killed >= 19);
    assert_true(missing <= killed * THREADS * 3); /* one decision of each thread that died */
    limit_redis_free(redis);
    munmap(race, sizeof(*race));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_decision_is_one_for_all_its_counters),
        cmocka_unit_test(a_rate_is_a_second_at_once_and_then_as_time_goes),
        cmocka_unit_test(what_the_database_knows_is_asked_for_and_is_the_least),
        cmocka_unit_test(without_the_server_nothing_or_a_share_is_given),
        cmocka_unit_test(processes_get_no_more_than_the_limit_though_they_are_killed),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
