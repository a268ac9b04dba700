/* Real processes (shell scripts in a role's place) and a clock that is turned by hand. */
#include "core/metric.h"
#include "core/unit.h"
#include "platform/os/role.h"
#include "program/harkara/child.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct roster_row row = { .name = "test", .settings = CONFIG_SCHEDULER };
static char folder[] = "/tmp/harkara-child-XXXXXX";
static char script_path[64];
static struct clock_manual hands;
static struct config config;
static struct child child;

/* A program that does what the script says, with a role's descriptors. */
static void
begin(const char *script)
{
    const struct child_start with = { .executable = script_path,
                                      .config = &config,
                                      .conninfo = SLICE("host=x password=y"),
                                      .ports = (const uint16_t[]){ 5432 },
                                      .port_count = 1,
                                      .vault_fd = -1,
                                      .listen_fd = -1,
                                      .smpp_fd = -1,
                                      .admin_fd = -1,
                                      .pages_fd = -1,
                                      .limits_fd = -1,
                                      .clock = &hands.clock };
    int fd = open(script_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);

    assert_true(fd >= 0);
    assert_int_equal(dprintf(fd, "#!/bin/sh\n%s\n", script), strlen(script) + 11);
    close(fd);
    assert_ok(child_start(&child, &with));
    assert_true(child.pid > 0);
    assert_int_equal(child.state, STATUS_STARTING);
}

static int
reap(void)
{
    int status;

    assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
    return status;
}

static void
assert_killed(void)
{
    int status = reap();

    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    child_ended(&child, status, false, &hands.clock);
}

static void
a_process_gets_its_settings_on_its_link(void **state UNUSED)
{
    char seen[256] = { 0 };
    char path[96], script[160];

    snprintf(path, sizeof(path), "%s/seen", folder);
    snprintf(script, sizeof(script), "head -c 49 <&3 >%s", path);
    begin(script);
    assert_int_equal(reap(), 0);
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, seen, sizeof(seen));
    close(fd);
    unlink(path);
    assert_int_equal(n, 49); /* the frame, to its last byte */
    assert_true(slice_contains(slice_of(seen, (size_t)n), SLICE("password=y")));
    child_ended(&child, 0, false, &hands.clock);
}

static void
a_silent_process_is_killed_and_one_that_gives_signs_is_not(void **state UNUSED)
{
    /* The page is written here, in the process's place. */
    void *page;
    struct metric_view view;

    begin("exec sleep 1000");
    page = mmap(NULL, metric_page_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, child.page_fd, 0);
    assert_true(page != MAP_FAILED);
    metric_open(page, "test-0");
    assert_ok(metric_view(page, metric_page_bytes(), &view));
    for (int64_t i = 1; i <= 3; i++) {
        clock_manual_advance(&hands, ((int64_t)ROLE_SILENT_MS_MAX - 1) * 1000);
        metric_heartbeat((struct wall_time){ i });
        assert_false(child_tick(&child, &hands.clock));
    }
    clock_manual_advance(&hands, ((int64_t)ROLE_SILENT_MS_MAX - 1) * 1000);
    assert_false(child_tick(&child, &hands.clock));
    clock_manual_advance(&hands, 1000);
    assert_true(child_tick(&child, &hands.clock));
    assert_killed(); /* the page stays mapped: from here on it is this process's own, too */
}

static void
a_process_that_does_not_finish_in_time_is_killed(void **state UNUSED)
{
    begin("exec sleep 1000");
    child_drain(&child, 5000, &hands.clock);
    assert_int_equal(child.state, STATUS_DRAINING);
    clock_manual_advance(&hands, 4999 * 1000);
    child_drain(&child, 5000, &hands.clock); /* told again: the time does not begin anew */
    assert_false(child_tick(&child, &hands.clock));
    clock_manual_advance(&hands, 1000);
    assert_true(child_tick(&child, &hands.clock));
    assert_killed();
}

static void
a_process_that_takes_nothing_is_killed(void **state UNUSED)
{
    static char much[65536];

    begin("exec sleep 1000");
    for (unsigned i = 0; i < 100 && child.pid > 0; i++) {
        siginfo_t info = { 0 };
        child_say(&child, slice_of(much, sizeof(much)), -1);
        if (waitid(P_PID, (id_t)child.pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0)
            break;
    }
    assert_killed();
}

static void
how_it_ended_decides_when_it_starts_again(void **state UNUSED)
{
    struct status_process status;

    child.restart = (struct restart){ 0 };
    begin("exit 3");
    int wait_status = reap();
    child_ended(&child, wait_status, false, &hands.clock);
    int64_t wait_us = child.start_at.us - hands.mono_now.us;
    assert_int_equal(child.state, STATUS_WAITING);
    assert_true(wait_us >= RESTART_FIRST_MS * 500 && wait_us <= RESTART_FIRST_MS * 1000);
    child_status(&child, &status);
    assert_int_equal(status.last_end, STATUS_END_EXIT);
    assert_int_equal(status.last_end_number, 3);
    assert_int_equal(status.pid, 0);
    assert_false(status.has_sandbox);

    begin("exit 78"); /* it says that its settings are wrong */
    child_ended(&child, reap(), false, &hands.clock);
    assert_true(child.start_at.us - hands.mono_now.us >= RESTART_MS_MAX * 500);

    begin("exit 0"); /* drained, to be started anew */
    child_drain(&child, 1000, &hands.clock);
    child.is_to_restart = true;
    child_ended(&child, reap(), false, &hands.clock);
    assert_int_equal(child.start_at.us, hands.mono_now.us);

    uint64_t restarts = child.restarts;
    begin("exit 0");
    child_ended(&child, reap(), true, &hands.clock); /* the platform stops */
    assert_int_equal(child.state, STATUS_STOPPED);
    assert_int_equal(child.restarts, restarts);
}

static void
what_it_says_of_itself_is_checked(void **state UNUSED)
{
    const struct slice wrong[] = { SLICE("\1"), SLICE("\1\1"), SLICE("\1\1\4"), SLICE("\1\1\1\1") };

    begin("exec sleep 1000");
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_int_equal(child_ready(&child, wrong[i], &hands.clock), ERR_FRAME);
    assert_int_equal(child.state, STATUS_STARTING);
    assert_ok(child_ready(&child, SLICE("\1\x3c\3"), &hands.clock));
    assert_int_equal(child.state, STATUS_READY);
    assert_true(child.sandbox.has_calls && child.sandbox.has_files);
    assert_int_equal(child.memory, SECRET_MEMORY_UNLOCKED);
    child_kill(&child);
    assert_killed();
}

static void
a_program_that_is_not_there_is_an_error(void **state UNUSED)
{
    const struct child_start with = { .executable = "/nowhere/test",
                                      .config = &config,
                                      .ports = (const uint16_t[]){ 1 },
                                      .vault_fd = -1,
                                      .listen_fd = -1,
                                      .smpp_fd = -1,
                                      .admin_fd = -1,
                                      .pages_fd = -1,
                                      .limits_fd = -1,
                                      .clock = &hands.clock };

    assert_int_equal(child_start(&child, &with), ERR_SYSTEM);
    assert_int_equal(child.pid, 0);
    assert_int_equal(child.link, -1);
}

static int
set_up(void **state UNUSED)
{
    assert_non_null(mkdtemp(folder));
    snprintf(script_path, sizeof(script_path), "%s/script", folder);
    config_init(&config);
    clock_manual_init(&hands, (struct wall_time){ 1700000000000000 });
    assert_ok(child_init(&child, &row, 0, folder));
    return 0;
}

static int
tear_down(void **state UNUSED)
{
    char page[96];

    child_release(&child);
    snprintf(page, sizeof(page), "%s/test-0", folder);
    unlink(page);
    unlink(script_path);
    return rmdir(folder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_gets_its_settings_on_its_link),
        cmocka_unit_test(a_silent_process_is_killed_and_one_that_gives_signs_is_not),
        cmocka_unit_test(a_process_that_does_not_finish_in_time_is_killed),
        cmocka_unit_test(a_process_that_takes_nothing_is_killed),
        cmocka_unit_test(how_it_ended_decides_when_it_starts_again),
        cmocka_unit_test(what_it_says_of_itself_is_checked),
        cmocka_unit_test(a_program_that_is_not_there_is_an_error),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
