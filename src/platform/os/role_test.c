/* The test is the supervisor; a role is a forked child with the descriptors that a role is started with. */
#include "core/metric.h"
#include "core/num.h"
#include "core/unit.h"
#include "platform/ipc/link.h"
#include "platform/os/role.h"
#include "platform/os/role_settings.h"
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONNINFO "host=/run/x dbname=harkara password=hunter2"
#define DONE     0
#define WRONG    9

static const int calls[] = { SANDBOX_CALLS_BASE, SANDBOX_CALLS_THREADS };
static const struct sandbox_rules rules = { .calls = calls, .call_count = COUNT_OF(calls) };
static const struct id instance = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 } };

struct started {
    pid_t pid;
    int link;
    const void *page;
};

static struct role role; /* of the child */

/* Forks a child whose descriptors 3 and 4 are as a role's, and 6 too; it then runs `body` and exits with its
 * answer. */
static struct started
start(int (*body)(void))
{
    struct started out = { 0 };
    int ends[2];
    int page = memfd_create("page", MFD_CLOEXEC);

    assert_true(page >= 0);
    assert_int_equal(ftruncate(page, (off_t)metric_page_bytes()), 0);
    out.page = mmap(NULL, metric_page_bytes(), PROT_READ, MAP_SHARED, page, 0);
    assert_true(out.page != MAP_FAILED);
    assert_ok(link_pair(ends));
    out.pid = fork();
    assert_true(out.pid >= 0);
    if (out.pid == 0) {
        int link = fcntl(ends[1], F_DUPFD, 100), own_page = fcntl(page, F_DUPFD, 100);
        if (dup2(link, ROLE_FD_SUPERVISOR) < 0 || dup2(own_page, ROLE_FD_PAGE) < 0 ||
            dup2(own_page, ROLE_FD_LISTEN) < 0 || clearenv() != 0)
            _exit(WRONG);
        close(ROLE_FD_VAULT);
        close(ROLE_FD_ADMIN);
        close(ROLE_FD_PAGES);
        setenv("HARKARA_LOG_LEVEL", "warn", 1);
        const struct rlimit core = { RLIM_INFINITY, RLIM_INFINITY };
        if (geteuid() == 0 && setrlimit(RLIMIT_CORE, &core) != 0)
            _exit(WRONG);
        if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) /* a role's user need not exist here */
            _exit(WRONG);
        _exit(body());
    }
    close(ends[1]);
    close(page);
    out.link = ends[0];
    return out;
}

static void
say(const struct started *child, struct slice frame, int fd)
{
    assert_ok(link_send(child->link, frame, fd, 5000));
}

static void
say_settings(const struct started *child)
{
    struct buf frame;

    buf_init(&frame, 8192);
    role_settings_print(
        &frame, &(struct role_settings){ .index = 3, .instance = instance, .conninfo = SLICE(CONNINFO) });
    say(child, buf_slice(&frame), -1);
    buf_release(&frame);
}

static int
exit_code(const struct started *child)
{
    int status;

    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void
forget(const struct started *child)
{
    if (child->link >= 0)
        close(child->link);
    munmap((void *)(uintptr_t)child->page, metric_page_bytes());
}

static int
end(const struct started *child)
{
    int code = exit_code(child);

    forget(child);
    return code;
}

static int
begins_as_told(void)
{
    struct rlimit core;
    int stray = fcntl(2, F_DUPFD, 50);

    if (role_begin("scheduler", CONFIG_SCHEDULER, 65536, &role) != ERR_OK || role.index != 3 ||
        !id_eq(role.instance, instance) || strcmp(role_database(&role), CONNINFO) != 0 ||
        role.vault_fd != -1 || role.admin_fd != -1 || role.listen_fd != ROLE_FD_LISTEN)
        return WRONG;
    if (getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_cur != 0 || core.rlim_max != 0 ||
        prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0 || fcntl(stray, F_GETFD) != -1 || umask(0) != 077)
        return WRONG;
    return role_end(&role, ERR_OK);
}

static void
a_role_begins_as_the_supervisor_tells_it(void **state UNUSED)
{
    struct started child = start(begins_as_told);
    struct metric_view view;

    say_settings(&child);
    assert_int_equal(exit_code(&child), ROLE_EXIT_OK);
    assert_ok(metric_view(child.page, metric_page_bytes(), &view));
    assert_string_equal(view.role, "scheduler-3");
    assert_int_equal(view.pid, child.pid);
    assert_int_equal(view.state, METRIC_STATE_STOPPED);
    forget(&child);
}

static int
begins(void)
{
    enum err err = role_begin("scheduler", CONFIG_SCHEDULER, 65536, &role);
    return role_end(&role, err);
}

static void
a_first_frame_that_is_none_ends_the_role_and_says_why(void **state UNUSED)
{
    const struct slice frames[] = {
        SLICE("\2"),
        SLICE("\6"),
        SLICE("\6\0\0"
              "0123456789abcdef"),
        SLICE("\6\0\0"
              "0123456789abcdef"
              "\5aabbccddee"),
        SLICE("\6\0\0"
              "0123456789abcdef"
              "\2aab"),
        SLICE("\6\0\0"
              "0123456789abcdef"
              "\0\0\0with a \0 inside"),
        SLICE("\6\0\0"
              "0123456789abcdef"
              "\0\0"),
        SLICE("\6\0\0"
              "0123456789abcdef"
              "\0\0\3/a"),
    };

    for (size_t i = 0; i < COUNT_OF(frames); i++) {
        struct started child = start(begins);
        struct buf answer;
        int fd;
        buf_init(&answer, 64);
        say(&child, frames[i], -1);
        assert_ok(link_receive(child.link, &answer, &fd, 10000));
        assert_int_equal(answer.len, 3);
        assert_int_equal(answer.ptr[0], LINK_FAILED);
        assert_int_equal(num_u16be_get(answer.ptr + 1), ERR_FRAME);
        buf_release(&answer);
        assert_int_equal(end(&child), ROLE_EXIT_FAILED);
    }
}

static int drained_pipe[2];

static void
on_drain(void *ctx)
{
    ssize_t n UNUSED = write(*(int *)ctx, "d", 1);
}

static void
on_vault(void *ctx UNUSED, int fd)
{
    ssize_t n UNUSED = write(fd, "v", 1);
    close(fd);
}

static void
on_adopt(void *ctx UNUSED, int fd, uint8_t peer_role)
{
    ssize_t n UNUSED = write(fd, &peer_role, 1);
    close(fd);
}

static enum err
serve(bool has_thread)
{
    struct role_events events = {
        .ctx = &drained_pipe[1], .drain = on_drain, .vault = on_vault, .adopt = on_adopt
    };
    char byte;

    enum err err = role_begin("scheduler", CONFIG_SCHEDULER, 65536, &role);
    if (err != ERR_OK)
        return err;
    if (pipe2(drained_pipe, O_CLOEXEC) != 0)
        return ERR_SYSTEM;
    err = role_lock_in(&role, &rules);
    if (err != ERR_OK)
        return err;
    if (has_thread)
        err = role_watch_start(&role, &events);
    if (err != ERR_OK)
        return err;
    role_ready(&role);
    if (has_thread)
        return read(drained_pipe[0], &byte, 1) == 1 ? ERR_OK : ERR_SYSTEM;
    struct pollfd waits[2] = { { .fd = role_fd(&role), .events = POLLIN },
                               { .fd = drained_pipe[0], .events = POLLIN } };
    while (poll(waits, 2, -1) > 0 && waits[1].revents == 0)
        role_step(&role, &events);
    return ERR_OK;
}

static int
serves_with_a_thread(void)
{
    return role_end(&role, serve(true));
}

static int
serves_in_its_loop(void)
{
    return role_end(&role, serve(false));
}

static void
expect_ready(const struct started *child)
{
    struct buf answer;
    int fd;

    buf_init(&answer, 64);
    assert_ok(link_receive(child->link, &answer, &fd, 10000));
    assert_int_equal(answer.len, 3);
    assert_int_equal(answer.ptr[0], LINK_READY);
    struct sandbox_facts facts = sandbox_facts_unpack((uint8_t)answer.ptr[1]);
    assert_true(facts.has_files && facts.has_calls && !facts.is_root);
    assert_true(answer.ptr[2] == SECRET_MEMORY_FD || answer.ptr[2] == SECRET_MEMORY_LOCKED);
    buf_release(&answer);
}

/* Sends a frame with one end of a pipe, and returns the byte that the role wrote there. */
static char
say_with_pipe(const struct started *child, struct slice frame)
{
    int ends[2];
    char byte = 0;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    say(child, frame, ends[1]);
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    return byte;
}

static void
a_role_hears_of_links_and_of_the_end(void **state UNUSED)
{
    int (*const bodies[])(void) = { serves_with_a_thread, serves_in_its_loop };

    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct started child = start(bodies[i]);
        struct metric_view view;
        say_settings(&child);
        expect_ready(&child);
        assert_ok(metric_view(child.page, metric_page_bytes(), &view));
        assert_int_equal(view.state, METRIC_STATE_READY);
        say(&child, SLICE("\x7f what is this"), -1); /* not understood: dropped */
        assert_int_equal(say_with_pipe(&child, SLICE("\3")), 'v');
        assert_int_equal(say_with_pipe(&child, SLICE("\4\2")), 2);
        say(&child, SLICE("\2"), -1);
        assert_int_equal(end(&child), ROLE_EXIT_OK);
    }
}

static void
a_role_without_its_supervisor_ends_at_once(void **state UNUSED)
{
    int (*const bodies[])(void) = { serves_with_a_thread, serves_in_its_loop };

    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct started child = start(bodies[i]);
        say_settings(&child);
        expect_ready(&child);
        close(child.link);
        child.link = -1;
        assert_int_equal(end(&child), ROLE_EXIT_ORPHAN);
    }
}

static int
fails_with_the_wrong_key(void)
{
    enum err err = role_begin("vault", CONFIG_VAULT, 65536, &role);
    return role_end(&role, err == ERR_OK ? ERR_VAULT_KEK_WRONG : err);
}

static void
a_failure_has_its_reason_and_its_exit_code(void **state UNUSED)
{
    struct started child = start(fails_with_the_wrong_key);
    struct buf answer;
    int fd;

    buf_init(&answer, 64);
    say_settings(&child);
    assert_ok(link_receive(child.link, &answer, &fd, 10000));
    assert_int_equal(answer.ptr[0], LINK_FAILED);
    assert_int_equal(num_u16be_get(answer.ptr + 1), ERR_VAULT_KEK_WRONG);
    assert_int_equal(end(&child), ROLE_EXIT_CONFIG);
    buf_release(&answer);
}

static int
begins_with_more_than_its_own(void)
{
    setenv("HARKARA_GRAPH_VERSION", "v1.0", 1);
    return begins();
}

static void
a_setting_of_another_role_is_refused(void **state UNUSED)
{
    struct started child = start(begins_with_more_than_its_own);

    assert_int_equal(end(&child), ROLE_EXIT_CONFIG);
}

static void
settings_survive_their_frame_and_no_cut_of_it_passes(void **state UNUSED)
{
    struct role_settings in = { .index = 513,
                                .ports = { 5432, 65535 },
                                .port_count = 2,
                                .ca_file = SLICE("/etc/ca.pem"),
                                .redis_password = SLICE("a password"),
                                .mail_password = SLICE("another one"),
                                .instance = instance,
                                .conninfo = SLICE(CONNINFO) };
    struct role_settings out;
    struct buf frame;

    buf_init(&frame, 8192);
    role_settings_print(&frame, &in);
    assert_ok(role_settings_parse(buf_slice(&frame), &out));
    assert_int_equal(out.index, in.index);
    assert_int_equal(out.port_count, 2);
    assert_int_equal(out.ports[0], 5432);
    assert_int_equal(out.ports[1], 65535);
    assert_true(id_eq(out.instance, in.instance));
    assert_true(slice_eq(out.ca_file, in.ca_file));
    assert_true(slice_eq(out.redis_password, in.redis_password));
    assert_true(slice_eq(out.mail_password, in.mail_password));
    assert_true(slice_eq(out.conninfo, in.conninfo));
    for (size_t n = 0; n < frame.len - in.conninfo.len; n++)
        assert_int_equal(role_settings_parse(slice_first(buf_slice(&frame), n), &out), ERR_FRAME);
    for (size_t i = 0; i < ROLE_CONNINFO_BYTES_MAX; i++)
        buf_add_byte(&frame, 'x');
    assert_int_equal(role_settings_parse(buf_slice(&frame), &out), ERR_FRAME);
    buf_release(&frame);
}

UNIT_MAIN(cmocka_unit_test(a_role_begins_as_the_supervisor_tells_it),
          cmocka_unit_test(a_first_frame_that_is_none_ends_the_role_and_says_why),
          cmocka_unit_test(a_role_hears_of_links_and_of_the_end),
          cmocka_unit_test(a_role_without_its_supervisor_ends_at_once),
          cmocka_unit_test(a_failure_has_its_reason_and_its_exit_code),
          cmocka_unit_test(a_setting_of_another_role_is_refused),
          cmocka_unit_test(settings_survive_their_frame_and_no_cut_of_it_passes))
