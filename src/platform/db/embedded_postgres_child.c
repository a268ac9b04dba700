#include "platform/db/embedded_postgres_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEPT_FD       3
#define EXIT_NO_START 127
#define QUIT_LIMIT_MS 5000
#define KILL_LIMIT_MS 5000

/* Leaves in numbers 0 to 3 what the child shall have, and nothing else. */
static bool
child_descriptors(const struct embedded_child *child)
{
    int null_fd = open("/dev/null", O_RDWR);
    /* Copies above all numbers that are about to be given out. */
    int output = fcntl(child->output_fd, F_DUPFD, 16);
    int kept = child->kept_fd < 0 ? -1 : fcntl(child->kept_fd, F_DUPFD, 16);

    if (null_fd < 0 || output < 0 || (child->kept_fd >= 0 && kept < 0))
        return false;
    if (dup2(null_fd, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
        return false;
    if (kept >= 0 && dup2(kept, KEPT_FD) < 0)
        return false;
    return close_range(kept >= 0 ? KEPT_FD + 1 : KEPT_FD, ~0u, 0) == 0;
}

static void
child_signals(void)
{
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        (void)signal(number, SIG_DFL); /* not all can be set */
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool
child_user(const struct embedded_child *child)
{
    if (geteuid() != 0)
        return child->uid == geteuid();
    return child->uid != 0 && setgroups(1, &child->gid) == 0 && setgid(child->gid) == 0 &&
           setuid(child->uid) == 0;
}

/* Between fork and exec: only what is safe there when the parent has threads. */
NORETURN static void
child_run(const struct embedded_child *child, pid_t parent)
{
    char path[] = "PATH=/usr/bin:/bin", locale[] = "LC_ALL=C", zone[] = "TZ=UTC";
    /* What a statement has given back serves the next one: else each commit asks the kernel for its pages
     * anew. */
    char trim[] = "MALLOC_TRIM_THRESHOLD_=2097152", pad[] = "MALLOC_TOP_PAD_=262144",
         map[] = "MALLOC_MMAP_THRESHOLD_=2097152";
    char *const environment[] = { path, locale, zone, trim, pad, map, NULL };
    char *const *arguments;                 /* execve writes into none of them, though its prototype could */
    const struct rlimit no_core = { 0, 0 }; /* a core would hold rows */

    child_signals();
    (void)umask(077);
    /* Its own session: Ctrl-C in our terminal is for us; the server stops when we say so. */
    if (setsid() < 0 || chdir("/") != 0 || setrlimit(RLIMIT_CORE, &no_core) != 0 ||
        !child_descriptors(child) || !child_user(child))
        _exit(EXIT_NO_START);
    /* After the change of user, which resets it; and the parent may have ended before. */
    if (prctl(PR_SET_PDEATHSIG, child->death_signal) != 0 || getppid() != parent)
        _exit(EXIT_NO_START);
    memcpy(&arguments, &child->arguments, sizeof(arguments));
    execve(child->path, arguments, environment);
    _exit(EXIT_NO_START);
}

enum err
embedded_child_start(const struct embedded_child *child, pid_t *pid_out)
{
    pid_t parent = getpid(), pid = fork();

    if (pid == 0)
        child_run(child, parent);
    *pid_out = pid;
    return pid < 0 ? ERR_SYSTEM : ERR_OK;
}

enum err
embedded_process_wait(pid_t pid, int limit_ms)
{
    int fd = pidfd_open(pid, 0), ready;

    if (fd < 0)
        return errno == ESRCH ? ERR_OK : ERR_SYSTEM;
    struct pollfd end = { fd, POLLIN, 0 };
    do
        ready = poll(&end, 1, limit_ms); /* a signal starts the limit anew: rare, and it only waits longer */
    while (ready < 0 && errno == EINTR);
    (void)close(fd);
    return ready == 1 ? ERR_OK : ready == 0 ? ERR_TIMEOUT : ERR_SYSTEM;
}

enum err
embedded_process_end(pid_t pid, int limit_ms)
{
    static const struct {
        int signal, limit_ms;
    } harder[] = { { SIGQUIT, QUIT_LIMIT_MS }, { SIGKILL, KILL_LIMIT_MS } };
    enum err err;

    if (kill(pid, SIGINT) != 0 && errno != ESRCH)
        return ERR_SYSTEM;
    err = embedded_process_wait(pid, limit_ms);
    if (err != ERR_TIMEOUT)
        return err;
    for (size_t i = 0; i < COUNT_OF(harder); i++) {
        if (kill(pid, harder[i].signal) != 0 && errno != ESRCH)
            return ERR_SYSTEM;
        err = embedded_process_wait(pid, harder[i].limit_ms);
        if (err != ERR_TIMEOUT)
            return err == ERR_OK ? ERR_TIMEOUT : err;
    }
    return ERR_SYSTEM; /* not even SIGKILL: it hangs in the kernel */
}
