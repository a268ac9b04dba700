/* For tests of what ends a process or must not cross a fork: a function runs in a child of its own. */
#ifndef CORE_UNIT_CHILD_H
#define CORE_UNIT_CHILD_H
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

/* The child's exit status, or minus the signal that ended it. Its standard error is not shown. */
static inline int
unit_child(int (*run)(void *ctx), void *ctx)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (quiet >= 0)
            dup2(quiet, STDERR_FILENO);
        signal(SIGABRT, SIG_DFL); /* cmocka catches it in the parent */
        _exit(run(ctx));
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return 255;
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

#endif
