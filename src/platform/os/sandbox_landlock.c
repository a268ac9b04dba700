/*
 * Landlock by its own system calls. Debian 12's <linux/landlock.h> knows ABI 2; the fields and rights of
 * later ones (TCP ports: 4, device ioctls: 5, scopes: 6) are written here from the kernel's
 * Documentation/userspace-api/landlock.rst.
 */
#include "core/log.h"
#include "platform/os/sandbox_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The same numbers on every architecture. */
#define CALL_CREATE_RULESET 444
#define CALL_ADD_RULE       445
#define CALL_RESTRICT_SELF  446

#define CREATE_RULESET_VERSION 1u /* flag: answer the ABI instead */

enum rule_type { RULE_PATH_BENEATH = 1, RULE_NET_PORT = 2 };

#define FS_READ_FILE ((uint64_t)1 << 2)
#define FS_READ_DIR  ((uint64_t)1 << 3)
#define FS_WRITE     ((uint64_t)1 << 1 | FS_READ_FILE)
/* And READ_DIR, REMOVE_DIR, REMOVE_FILE, MAKE_DIR, MAKE_REG. */
#define FS_WRITE_FOLDER                                                                                      \
    (FS_WRITE | FS_READ_DIR | (uint64_t)1 << 4 | (uint64_t)1 << 5 | (uint64_t)1 << 7 | (uint64_t)1 << 8)
#define FS_ABI_1     (((uint64_t)1 << 13) - 1) /* execute, write, read, make, remove ... */
#define FS_REFER     ((uint64_t)1 << 13)       /* ABI 2 */
#define FS_TRUNCATE  ((uint64_t)1 << 14)       /* ABI 3 */
#define FS_IOCTL_DEV ((uint64_t)1 << 15)       /* ABI 5 */

#define NET_BIND_TCP    ((uint64_t)1)
#define NET_CONNECT_TCP ((uint64_t)2)

#define SCOPE_ABSTRACT_UNIX_SOCKET ((uint64_t)1)
#define SCOPE_SIGNAL               ((uint64_t)2)

struct ruleset {
    uint64_t handled_access_fs;
    uint64_t handled_access_net; /* ABI 4 */
    uint64_t scoped;             /* ABI 6 */
};
struct path_beneath {
    uint64_t allowed_access;
    int32_t parent_fd;
} __attribute__((packed));
struct net_port {
    uint64_t allowed_access;
    uint64_t port;
};

static enum err
failed(const char *step)
{
    log_event(LOG_ERROR, "sandbox.landlock_failed", LOG_WORD("step", step), LOG_NUM("errno", errno));
    return ERR_SYSTEM;
}

static enum err
allow_path(int ruleset_fd, const char *path, uint64_t folder_rights, uint64_t file_rights)
{
    struct stat st;
    enum err err = ERR_OK;
    int fd = open(path, O_PATH | O_CLOEXEC);

    if (fd < 0) /* not there, or not for this user: then there is nothing to allow */
        return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? ERR_OK : failed("open");
    struct path_beneath rule = { .allowed_access = file_rights, .parent_fd = fd };
    if (fstat(fd, &st) != 0) {
        err = failed("stat");
        goto done;
    }
    if (S_ISDIR(st.st_mode))
        rule.allowed_access = folder_rights;
    if (syscall(CALL_ADD_RULE, ruleset_fd, RULE_PATH_BENEATH, &rule, 0) != 0)
        err = failed("path");
done:
    close(fd);
    return err;
}

enum err
sandbox_enter_landlock(const struct sandbox_rules *rules, struct sandbox_facts *facts)
{
    long abi = syscall(CALL_CREATE_RULESET, NULL, (size_t)0, CREATE_RULESET_VERSION);
    size_t bytes = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
    struct ruleset ruleset = { .handled_access_fs = FS_ABI_1 };

    if (abi < 1) {
        log_event(LOG_WARN, "sandbox.landlock_missing", LOG_NUM("errno", errno));
        return ERR_OK;
    }
    if (abi >= 2)
        ruleset.handled_access_fs |= FS_REFER;
    if (abi >= 3)
        ruleset.handled_access_fs |= FS_TRUNCATE;
    if (abi >= 5)
        ruleset.handled_access_fs |= FS_IOCTL_DEV;
    if (abi >= 4)
        ruleset.handled_access_net =
            rules->may_connect_any_port ? NET_BIND_TCP : NET_BIND_TCP | NET_CONNECT_TCP;
    if (abi >= 6)
        ruleset.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL;
    int fd = (int)syscall(CALL_CREATE_RULESET, &ruleset, bytes, 0u);
    if (fd < 0)
        return failed("ruleset");
    enum err err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < rules->path_count; i++)
        err = allow_path(fd, rules->paths_read[i], FS_READ_FILE | FS_READ_DIR, FS_READ_FILE);
    const uint64_t truncate = abi >= 3 ? FS_TRUNCATE : 0;
    for (size_t i = 0; err == ERR_OK && i < rules->path_write_count; i++)
        err = allow_path(fd, rules->paths_write[i], FS_WRITE_FOLDER | truncate, FS_WRITE | truncate);
    for (size_t i = 0; err == ERR_OK && abi >= 4 && !rules->may_connect_any_port && i < rules->port_count;
         i++) {
        struct net_port rule = { .allowed_access = NET_CONNECT_TCP, .port = rules->ports[i] };
        if (syscall(CALL_ADD_RULE, fd, RULE_NET_PORT, &rule, 0u) != 0)
            err = failed("port");
    }
    if (err == ERR_OK && syscall(CALL_RESTRICT_SELF, fd, 0u) != 0)
        err = failed("restrict");
    close(fd);
    if (err != ERR_OK)
        return err;
    facts->has_files = true;
    facts->has_ports = abi >= 4;
    facts->has_scopes = abi >= 6;
    if (abi < 6)
        log_event(LOG_WARN, "sandbox.landlock_old", LOG_NUM("abi", abi));
    return ERR_OK;
}
