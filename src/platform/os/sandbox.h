/*
 * What a process gives up before its first byte of input: its user, new privileges, files, addresses, system
 * calls. Landlock (Documentation/userspace-api/landlock.rst) by its own system calls, asked for its ABI,
 * because Debian 12's header knows only the first; seccomp through libseccomp. Nothing is skipped silently:
 * what the kernel lacks is logged as a warning and stands in the facts.
 */
#ifndef PLATFORM_OS_SANDBOX_H
#define PLATFORM_OS_SANDBOX_H
#include "core/err.h"
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * System calls by what they are for; a role's table lists groups and single calls: { SANDBOX_CALLS_BASE,
 * SANDBOX_CALLS_THREADS, SCMP_SYS(accept4) }. Wherever one of these stands in a table, its arguments are
 * narrowed too:
 *   mmap, mprotect      never PROT_EXEC
 *   openat, open        reading only (what may be read: Landlock), unless there are paths_write
 *   socket, socketpair  AF_UNIX, AF_INET, AF_INET6; AF_NETLINK only of the route family
 *   clone               threads only (clone3 is answered ENOSYS, so that libc falls back on clone)
 *   ioctl               FIONREAD and FIONBIO
 *   prlimit64           reading only
 */
/* Memory, descriptors, time, randomness, the end: what every process needs. */
#define SANDBOX_CALLS_BASE                                                                                   \
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(sendmsg),                   \
        SCMP_SYS(recvmsg), SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(close), SCMP_SYS(brk),             \
        SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex),              \
        SCMP_SYS(getrandom), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(clock_gettime),                    \
        SCMP_SYS(gettimeofday), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(rt_sigreturn),                     \
        SCMP_SYS(rt_sigprocmask), SCMP_SYS(tgkill), SCMP_SYS(restart_syscall), SCMP_SYS(exit),               \
        SCMP_SYS(exit_group)
/* Threads, their stacks and their malloc arenas; waking one another. */
#define SANDBOX_CALLS_THREADS                                                                                \
    SCMP_SYS(clone), SCMP_SYS(mprotect), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_yield),   \
        SCMP_SYS(sched_getaffinity), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(eventfd2),     \
        SCMP_SYS(pipe2), SCMP_SYS(rt_sigaction), SCMP_SYS(sigaltstack), SCMP_SYS(prctl)
/* An event loop of our own or a library's. */
#define SANDBOX_CALLS_LOOP                                                                                   \
    SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),               \
        SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime),           \
        SCMP_SYS(fcntl), SCMP_SYS(ioctl)
/* Reading the files that Landlock leaves, and a library's looking around. */
#define SANDBOX_CALLS_FILES                                                                                  \
    SCMP_SYS(openat), SCMP_SYS(open), SCMP_SYS(fstat), SCMP_SYS(stat), SCMP_SYS(newfstatat),                 \
        SCMP_SYS(statx), SCMP_SYS(lseek), SCMP_SYS(pread64), SCMP_SYS(access), SCMP_SYS(faccessat),          \
        SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getcwd), SCMP_SYS(getuid),  \
        SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(uname), SCMP_SYS(sysinfo),          \
        SCMP_SYS(prlimit64)
/* Going out: libpq, libcurl, the resolver. */
#define SANDBOX_CALLS_CLIENT                                                                                 \
    SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(getsockopt), \
        SCMP_SYS(setsockopt), SCMP_SYS(shutdown), SCMP_SYS(bind), SCMP_SYS(sendmmsg), SCMP_SYS(socketpair)
/* Taking connections from a socket that came listening already. */
#define SANDBOX_CALLS_SERVER SCMP_SYS(accept4), SCMP_SYS(accept), SCMP_SYS(sendfile)

/* Files the resolver reads; SANDBOX_PATHS_RESOLVER in a table of paths. */
#define SANDBOX_PATHS_RESOLVER                                                                               \
    "/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/services"

#define SANDBOX_PORTS_MAX 16u

struct sandbox_rules {
    const char *user;      /* to become when we are root; NULL: stay */
    bool dies_with_parent; /* SIGKILL when the parent ends */
    /* Files, or folders with all below; one that is not there is passed over. */
    const char *const *paths_read;
    size_t path_count;
    /* Folders whose files may be written, made and removed too; with any, open and openat are not narrowed
     * to reading: Landlock says where. For the process that hosts a foreign library. */
    const char *const *paths_write;
    size_t path_write_count;
    bool may_connect_any_port; /* else only these TCP ports; binding a TCP port is never allowed */
    uint16_t ports[SANDBOX_PORTS_MAX];
    size_t port_count;
    const int *calls;
    size_t call_count;
    bool kills_on_refusal; /* a call in no table ends the process, instead of failing with ENOSYS */
};

struct sandbox_facts {
    bool is_user_dropped; /* or never was root: see is_root */
    bool is_root;         /* still */
    bool has_files;       /* Landlock on files */
    bool has_ports;       /* Landlock on TCP ports (ABI 4) */
    bool has_scopes;      /* Landlock on signals and abstract sockets (ABI 6) */
    bool has_calls;       /* seccomp */
};

/*
 * In this order, for good, and before the first thread: groups and user, dumpable 0 again (changing the user
 * resets it), no_new_privs, Landlock, seccomp. Calls that no role ever needs (execve, ptrace, process_vm_*,
 * mount, bpf, keyctl, unshare, userfaultfd, io_uring_* ...) always kill. ERR_SYSTEM: the user is missing or
 * cannot be taken, or a step failed half-way: end the process. A kernel without Landlock or seccomp is ERR_OK
 * with the fact unset.
 */
MUST_CHECK enum err sandbox_enter(const struct sandbox_rules *rules, struct sandbox_facts *facts_out);

/* Facts as the bits of one byte, for the frame that tells them, and back; unknown bits are dropped. */
uint8_t sandbox_facts_pack(const struct sandbox_facts *facts);
struct sandbox_facts sandbox_facts_unpack(uint8_t bits);

#endif
