#include "core/slice.h"
#include "core/unit.h"
#include "platform/os/process.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs a shell script with descriptor 3 on a pipe; what it wrote there. */
static struct slice
script_output(const char *script, char *const *environment, const struct process_fd *more, char *out,
              size_t bytes)
{
    int ends[2], status;
    size_t len = 0;
    pid_t pid;
    char *arguments[] = { (char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", (char *)(uintptr_t)script,
                          NULL };

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct process_fd fds[2] = { { .from = ends[1], .to = 3 } };
    if (more != NULL)
        fds[1] = *more;
    struct process_start start = { .path = "/bin/sh",
                                   .arguments = arguments,
                                   .environment = environment,
                                   .fds = fds,
                                   .fd_count = more == NULL ? 1 : 2 };
    assert_int_equal(process_start(&start, &pid), ERR_OK);
    close(ends[1]);
    for (ssize_t n; (n = read(ends[0], out + len, bytes - len)) > 0;)
        len += (size_t)n;
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    return slice_of(out, len);
}

static char *const no_environment[] = { NULL };

static void
the_environment_is_exactly_what_was_given(void **state UNUSED)
{
    char out[512];
    char *const environment[] = { (char[]){ "A=1" }, (char[]){ "B=two words" }, NULL };

    struct slice seen = script_output("cat /proc/$$/environ >&3", environment, NULL, out, sizeof(out));
    assert_true(slice_eq(seen, SLICE("A=1\0B=two words\0")));
}

static void
only_the_given_descriptors_are_open(void **state UNUSED)
{
    char out[512];
    int low = open("/dev/null", O_RDONLY), high = fcntl(low, F_DUPFD, 200); /* neither is close-on-exec */
    struct process_fd more = { .from = low, .to = 7 };

    assert_true(low >= 3 && high >= 200);
    struct slice seen = script_output("exec ls /proc/self/fd >&3", no_environment, &more, out, sizeof(out));
    /* 4 is the folder that ls reads. */
    assert_true(slice_eq(seen, SLICE("0\n1\n2\n3\n4\n7\n")));
    close(low);
    close(high);
}

static void
a_descriptor_may_move_onto_the_number_of_another(void **state UNUSED)
{
    char out[512];
    int ends[2];

    /* The pipe's own number may be 3 or 4 here; the second descriptor is asked to go where the first one
     * lies. */
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct process_fd more = { .from = ends[0], .to = ends[1] == 3 ? 4 : ends[1] };
    assert_int_equal(write(ends[1], "ridden\n", 7), 7);
    char script[64];
    snprintf(script, sizeof(script), "head -n 1 <&%d >&3", more.to);
    struct slice seen = script_output(script, no_environment, &more, out, sizeof(out));
    assert_true(slice_eq(seen, SLICE("ridden\n")));
    close(ends[0]);
    close(ends[1]);
}

static void
a_child_leads_its_own_session(void **state UNUSED)
{
    char out[512];

    struct slice seen = script_output("read -r pid name s parent group session rest < /proc/$$/stat;"
                                      "test $session = $$ && echo own >&3",
                                      no_environment, NULL, out, sizeof(out));
    assert_true(slice_eq(seen, SLICE("own\n")));
}

static void
a_program_that_is_not_there_is_an_error_here(void **state UNUSED)
{
    char *const arguments[] = { (char[]){ "x" }, NULL };
    struct process_start start = { .path = "/nowhere/x",
                                   .arguments = arguments,
                                   .environment = no_environment };
    pid_t pid = 0;

    errno = 0;
    assert_int_equal(process_start(&start, &pid), ERR_SYSTEM);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(pid, 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing was left behind */
}

static void
a_child_dies_with_the_process_that_started_it(void **state UNUSED)
{
    int ends[2], status;
    char byte;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t middle = fork();
    if (middle == 0) {
        char *const arguments[] = { (char[]){ "sh" }, (char[]){ "-c" },
                                    (char[]){ "echo >&3; while :; do read x <&4; done" }, NULL };
        int idle[2];
        pid_t pid;
        struct process_fd fds[2] = { { .from = ends[1], .to = 3 } };
        if (pipe2(idle, O_CLOEXEC) != 0)
            _exit(1);
        fds[1] = (struct process_fd){ .from = idle[0], .to = 4 };
        struct process_start start = { .path = "/bin/sh",
                                       .arguments = arguments,
                                       .environment = no_environment,
                                       .fds = fds,
                                       .fd_count = 2 };
        if (process_start(&start, &pid) != ERR_OK)
            _exit(1);
        close(ends[1]);
        for (;;)
            pause();
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1); /* the grandchild runs */
    assert_int_equal(kill(middle, SIGKILL), 0);
    assert_int_equal(waitpid(middle, &status, 0), middle);
    struct pollfd wait = { .fd = ends[0], .events = POLLIN };
    assert_int_equal(poll(&wait, 1, 10000), 1);
    assert_int_equal(read(ends[0], &byte, 1), 0); /* its end of the pipe is closed: it is gone */
    close(ends[0]);
}

UNIT_MAIN(cmocka_unit_test(the_environment_is_exactly_what_was_given),
          cmocka_unit_test(only_the_given_descriptors_are_open),
          cmocka_unit_test(a_descriptor_may_move_onto_the_number_of_another),
          cmocka_unit_test(a_child_leads_its_own_session),
          cmocka_unit_test(a_program_that_is_not_there_is_an_error_here),
          cmocka_unit_test(a_child_dies_with_the_process_that_started_it))
