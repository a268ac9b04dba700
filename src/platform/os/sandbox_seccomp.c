#include "core/log.h"
#include "platform/os/sandbox_internal.h"
#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* No role ever needs these: whoever calls one is not our code any more. */
static const int killers[] = {
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(process_madvise),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(kcmp),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(open_tree),
    SCMP_SYS(move_mount),
    SCMP_SYS(fsopen),
    SCMP_SYS(fsconfig),
    SCMP_SYS(fsmount),
    SCMP_SYS(fspick),
    SCMP_SYS(mount_setattr),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(setns),
    SCMP_SYS(unshare),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(name_to_handle_at),
    SCMP_SYS(personality),
    SCMP_SYS(modify_ldt),
    SCMP_SYS(iopl),
    SCMP_SYS(ioperm),
    SCMP_SYS(reboot),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(acct),
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(adjtimex),
    SCMP_SYS(clock_adjtime),
    SCMP_SYS(sethostname),
    SCMP_SYS(setdomainname),
};

/* One allowed form of a call; a call with several rows is allowed in any of them. */
struct narrowing {
    int call;
    unsigned count;
    struct scmp_arg_cmp args[2];
};

#define MASKED(number, mask, value)                                                                          \
    {                                                                                                        \
        .arg = (number), .op = SCMP_CMP_MASKED_EQ, .datum_a = (mask), .datum_b = (value)                     \
    }
#define EQUAL(number, value)                                                                                 \
    {                                                                                                        \
        .arg = (number), .op = SCMP_CMP_EQ, .datum_a = (value)                                               \
    }
#define OPEN_CHANGES (O_ACCMODE | O_CREAT | O_TRUNC)

static const struct narrowing narrowings[] = {
    { SCMP_SYS(mmap), 1, { MASKED(2, PROT_EXEC, 0) } },
    { SCMP_SYS(mprotect), 1, { MASKED(2, PROT_EXEC, 0) } },
    { SCMP_SYS(openat), 1, { MASKED(2, OPEN_CHANGES, O_RDONLY) } },
    { SCMP_SYS(open), 1, { MASKED(1, OPEN_CHANGES, O_RDONLY) } },
    { SCMP_SYS(socket), 1, { EQUAL(0, AF_UNIX) } },
    { SCMP_SYS(socket), 1, { EQUAL(0, AF_INET) } },
    { SCMP_SYS(socket), 1, { EQUAL(0, AF_INET6) } },
    { SCMP_SYS(socket), 2, { EQUAL(0, AF_NETLINK), EQUAL(2, NETLINK_ROUTE) } },
    { SCMP_SYS(socketpair), 1, { EQUAL(0, AF_UNIX) } },
    { SCMP_SYS(clone), 1, { MASKED(0, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM) } },
    { SCMP_SYS(ioctl), 1, { EQUAL(1, FIONREAD) } },
    { SCMP_SYS(ioctl), 1, { EQUAL(1, FIONBIO) } },
    { SCMP_SYS(prlimit64), 1, { EQUAL(2, 0) } },
    { SCMP_SYS(prctl), 1, { EQUAL(0, PR_SET_NAME) } },
};

#ifdef HARKARA_SANITIZED
/* What the sanitizers' runtimes call on their own, also in the vault. */
static const int sanitizer_calls[] = {
    SCMP_SYS(mprotect),        SCMP_SYS(sigaltstack), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(openat),          SCMP_SYS(open),        SCMP_SYS(close),        SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),      SCMP_SYS(sched_yield), SCMP_SYS(gettid),       SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),      SCMP_SYS(stat),        SCMP_SYS(lseek),        SCMP_SYS(getrlimit),
    SCMP_SYS(prlimit64),       SCMP_SYS(getcwd),      SCMP_SYS(prctl),        SCMP_SYS(tgkill),
    SCMP_SYS(nanosleep),       SCMP_SYS(pipe2),       SCMP_SYS(mincore),      SCMP_SYS(getppid),
    SCMP_SYS(clock_nanosleep),
};
#endif

static bool
list_holds(const int *list, size_t count, int call)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == call)
            return true;
    return false;
}

/* 0 or a negative errno, as libseccomp's own functions. */
static int
allow(scmp_filter_ctx filter, int call, bool may_write)
{
    bool is_narrowed = false;

    if (call < 0) /* not on this architecture */
        return 0;
    if (list_holds(killers, COUNT_OF(killers), call))
        bug("a role's table allows a call that always kills");
    for (size_t i = 0; i < COUNT_OF(narrowings); i++) {
        if (narrowings[i].call != call || (may_write && (call == SCMP_SYS(open) || call == SCMP_SYS(openat))))
            continue;
        is_narrowed = true;
        int rc =
            seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, narrowings[i].count, narrowings[i].args);
        if (rc != 0 && rc != -EEXIST)
            return rc;
    }
    if (is_narrowed)
        return 0;
    struct scmp_arg_cmp own = { .arg = 0, .op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)getpid() };
    int rc = call == SCMP_SYS(tgkill) ? seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &own)
                                      : seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 0, NULL);
    return rc == -EEXIST ? 0 : rc;
}

static int
fill(scmp_filter_ctx filter, const struct sandbox_rules *rules)
{
    /* A sorted filter: the search costs a handful of comparisons instead of one per call in the table. */
    int rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);

    if (rc == 0)
        rc = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    for (size_t i = 0; rc == 0 && i < COUNT_OF(killers); i++)
        if (killers[i] >= 0 && !rules->kills_on_refusal) /* else the default kills already */
            rc = seccomp_rule_add_array(filter, SCMP_ACT_KILL_PROCESS, killers[i], 0, NULL);
    for (size_t i = 0; rc == 0 && i < rules->call_count; i++)
        rc = allow(filter, rules->calls[i], rules->path_write_count > 0);
#ifdef HARKARA_SANITIZED
    for (size_t i = 0; rc == 0 && i < COUNT_OF(sanitizer_calls); i++)
        rc = allow(filter, sanitizer_calls[i], rules->path_write_count > 0);
#endif
    return rc;
}

enum err
sandbox_enter_seccomp(const struct sandbox_rules *rules, struct sandbox_facts *facts)
{
    if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0 && errno == EINVAL) {
        log_event(LOG_WARN, "sandbox.seccomp_missing", LOG_NUM("errno", errno));
        return ERR_OK;
    }
    /* ENOSYS and not EPERM: libraries take it as "not in this kernel" and fall back on an older call. */
    scmp_filter_ctx filter =
        seccomp_init(rules->kills_on_refusal ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(ENOSYS));
    if (filter == NULL)
        return ERR_NO_MEMORY;
    int rc = fill(filter, rules);
    if (rc == 0)
        rc = seccomp_load(filter);
    seccomp_release(filter);
    if (rc != 0) {
        log_event(LOG_ERROR, "sandbox.seccomp_failed", LOG_NUM("errno", -rc));
        return ERR_SYSTEM;
    }
    facts->has_calls = true;
    return ERR_OK;
}
