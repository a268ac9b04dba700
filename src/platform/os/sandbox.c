#include "core/log.h"
#include "platform/os/sandbox_internal.h"
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* For good: real, effective and saved ids, and no further groups. Asking to be root again must fail. */
static enum err
become(const char *user)
{
    errno = 0;
    const struct passwd *entry = getpwnam(user);

    if (entry == NULL || entry->pw_uid == 0 || entry->pw_gid == 0) {
        log_event(LOG_ERROR, "sandbox.user_missing", LOG_WORD("user", user), LOG_NUM("errno", errno));
        return ERR_SYSTEM;
    }
    if (setgroups(0, NULL) != 0 || setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) != 0 ||
        setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) != 0 || setresuid(0, 0, 0) == 0) {
        log_event(LOG_ERROR, "sandbox.user_refused", LOG_WORD("user", user), LOG_NUM("errno", errno));
        return ERR_SYSTEM;
    }
    return ERR_OK;
}

/* Root could get back through a program of its own what it drops: not with an empty bounding set. */
static enum err
drop_bounding_set(void)
{
    for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0)
            return ERR_SYSTEM;
    return ERR_OK;
}

/* Also what a service manager may have left to a process that is not root. */
static enum err
drop_capabilities(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 ||
        syscall(SYS_capset, &header, none) != 0) {
        log_event(LOG_ERROR, "sandbox.capabilities_kept", LOG_NUM("errno", errno));
        return ERR_SYSTEM;
    }
    return ERR_OK;
}

enum err
sandbox_enter(const struct sandbox_rules *rules, struct sandbox_facts *facts_out)
{
    enum err err;

    *facts_out = (struct sandbox_facts){ 0 };
    if (geteuid() == 0 && drop_bounding_set() != ERR_OK)
        log_event(LOG_WARN, "sandbox.bounding_set_kept",
                  LOG_NUM("errno", errno)); /* a container's root may not */
    if (geteuid() == 0 && rules->user != NULL) {
        err = become(rules->user);
        if (err != ERR_OK)
            return err;
        facts_out->is_user_dropped = true;
    }
    facts_out->is_root = geteuid() == 0;
    if (facts_out->is_root)
        log_event(LOG_WARN, "sandbox.still_root");
    err = drop_capabilities();
    if (err != ERR_OK)
        return err;
    /* A change of user makes the process dumpable again and forgets the death signal. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
        (rules->dies_with_parent && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        log_event(LOG_ERROR, "sandbox.prctl_failed", LOG_NUM("errno", errno));
        return ERR_SYSTEM;
    }
    err = sandbox_enter_landlock(rules, facts_out);
    if (err == ERR_OK)
        err = sandbox_enter_seccomp(rules, facts_out);
    return err;
}

uint8_t
sandbox_facts_pack(const struct sandbox_facts *facts)
{
    return (uint8_t)((facts->is_user_dropped ? 1 : 0) | (facts->is_root ? 2 : 0) |
                     (facts->has_files ? 4 : 0) | (facts->has_ports ? 8 : 0) | (facts->has_scopes ? 16 : 0) |
                     (facts->has_calls ? 32 : 0));
}

struct sandbox_facts
sandbox_facts_unpack(uint8_t bits)
{
    return (struct sandbox_facts){
        .is_user_dropped = (bits & 1) != 0,
        .is_root = (bits & 2) != 0,
        .has_files = (bits & 4) != 0,
        .has_ports = (bits & 8) != 0,
        .has_scopes = (bits & 16) != 0,
        .has_calls = (bits & 32) != 0,
    };
}
