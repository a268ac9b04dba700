#include "platform/os/process.h"
#include "core/attribute.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* The first number that is free of every target, so that moving one descriptor never covers another. */
static int
fds_above(const struct process_start *start)
{
    int above = 3;

    for (size_t i = 0; i < start->fd_count; i++)
        if (start->fds[i].to >= above)
            above = start->fds[i].to + 1;
    return above;
}

static bool
fds_arrange(const struct process_start *start, int *report_fd)
{
    int moved[PROCESS_FDS_MAX];
    int above = fds_above(start);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    *report_fd = fcntl(*report_fd, F_DUPFD_CLOEXEC, above);
    if (null < 0 || *report_fd < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
        return false;
    for (size_t i = 0; i < start->fd_count; i++) {
        moved[i] = fcntl(start->fds[i].from, F_DUPFD_CLOEXEC, above);
        if (moved[i] < 0)
            return false;
    }
    if (above > 3 &&
        close_range(3, (unsigned)above - 1, 0) != 0) /* what is not given must not show at a low number */
        return false;
    for (size_t i = 0; i < start->fd_count; i++)
        if (dup2(moved[i], start->fds[i].to) < 0)
            return false;
    return close_range((unsigned)above, UINT_MAX, CLOSE_RANGE_CLOEXEC) == 0;
}

/* Between fork and exec: only calls that are safe there. Does not return. */
static NORETURN void
child_run(const struct process_start *start, pid_t parent, int report_fd)
{
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        (void)signal(number, SIG_DFL); /* fails for the two that cannot be changed */
    sigemptyset(&none);
    if (fds_arrange(start, &report_fd) && sigprocmask(SIG_SETMASK, &none, NULL) == 0 && setsid() >= 0 &&
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0) {
        if (getppid() != parent) /* it died before the line above */
            _exit(127);
        execve(start->path, start->arguments, start->environment);
    }
    int error = errno;
    ssize_t written UNUSED = write(report_fd, &error, sizeof(error));
    _exit(127);
}

enum err
process_start(const struct process_start *start, pid_t *pid_out)
{
    int report[2], error = 0;
    pid_t parent = getpid();

    if (start->fd_count > PROCESS_FDS_MAX || pipe2(report, O_CLOEXEC) != 0)
        return ERR_SYSTEM;
    pid_t pid = fork();
    if (pid == 0)
        child_run(start, parent, report[1]);
    error = errno;
    close(report[1]);
    if (pid > 0) {
        ssize_t n;
        do
            n = read(report[0], &error, sizeof(error)); /* end of file: the exec closed the other side */
        while (n < 0 && errno == EINTR);
        if (n != 0) {
            while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
            pid = -1;
        }
    }
    close(report[0]);
    if (pid < 0) {
        errno = error;
        return ERR_SYSTEM;
    }
    *pid_out = pid;
    return ERR_OK;
}
