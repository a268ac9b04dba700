/* Starting another program with a clean environment and only the descriptors that it is given. */
#ifndef PLATFORM_OS_PROCESS_H
#define PLATFORM_OS_PROCESS_H
#include "core/err.h"
#include <stddef.h>
#include <sys/types.h>

struct process_fd {
    int from; /* borrowed: stays open here */
    int to;   /* its number over there; 3 or above */
};
#define PROCESS_FDS_MAX 16u

struct process_start {
    const char *path;
    char *const *arguments;   /* NULL at the end */
    char *const *environment; /* NULL at the end */
    const struct process_fd *fds;
    size_t fd_count;
};

/*
 * Forks and executes: in its own session (a terminal's Ctrl-C does not reach it), signals at their defaults,
 * standard input and output on /dev/null, standard error shared, every descriptor not given closed, SIGKILL
 * when the calling thread's process ends. Call it from a single-threaded process. ERR_SYSTEM with errno:
 * could not fork or execute.
 */
MUST_CHECK enum err process_start(const struct process_start *start, pid_t *pid_out);

#endif
