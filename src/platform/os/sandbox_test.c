/* Each test forks a child, locks it in, and lets it try what it must not be able to do. */
#include "core/unit.h"
#include "platform/os/sandbox.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static const int role_calls[] = { SANDBOX_CALLS_BASE,  SANDBOX_CALLS_THREADS, SANDBOX_CALLS_LOOP,
                                  SANDBOX_CALLS_FILES, SANDBOX_CALLS_CLIENT,  SANDBOX_CALLS_SERVER,
                                  SCMP_SYS(listen),    SCMP_SYS(kill) };
static const int few_calls[] = { SANDBOX_CALLS_BASE };

static char folder[] = "/tmp/harkara-sandbox-XXXXXX";
static char allowed_folder[64], allowed_file[80], forbidden_file[80], written_folder[64];
static pid_t test_pid;
static uint16_t open_port, other_port; /* both are listened on, by this process */

enum { HELD = 0, DOES_NOT_HOLD = 1, NOT_LOCKED = 2 };

static struct sandbox_rules
role_rules(void)
{
    static const char *paths[] = { allowed_folder, "/proc/self/status", "/nowhere/at/all" };

    return (struct sandbox_rules){
        .user = "nobody",
        .paths_read = paths,
        .path_count = COUNT_OF(paths),
        .ports = { open_port },
        .port_count = 1,
        .calls = role_calls,
        .call_count = COUNT_OF(role_calls),
    };
}

/* The wait status of a child that was locked in and then ran `deed`, which says whether the claim held. */
static int
run_locked(const struct sandbox_rules *rules, bool (*deed)(void))
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        struct sandbox_facts facts;
        if (sandbox_enter(rules, &facts) != ERR_OK || !facts.has_files || !facts.has_calls || facts.is_root)
            _exit(NOT_LOCKED);
        _exit(deed() ? HELD : DOES_NOT_HOLD);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void
assert_holds(bool (*deed)(void))
{
    struct sandbox_rules rules = role_rules();
    int status = run_locked(&rules, deed);

    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), HELD);
}

static void
assert_kills(const struct sandbox_rules *rules, bool (*deed)(void))
{
    int status = run_locked(rules, deed);

    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
}

static bool
reads_what_is_allowed(void)
{
    int fd = open(allowed_file, O_RDONLY);
    char byte;
    return fd >= 0 && read(fd, &byte, 1) == 1;
}

static bool
cannot_read_the_rest(void)
{
    return open(forbidden_file, O_RDONLY) < 0 && errno == EACCES && open("/etc/passwd", O_RDONLY) < 0 &&
           errno == EACCES;
}

static bool
cannot_change_files(void)
{
    char path[96];

    /* Landlock forbids it, and the filter does not even let the open for writing through. */
    snprintf(path, sizeof(path), "%s/new", allowed_folder);
    return open(allowed_file, O_WRONLY) < 0 && errno == ENOSYS && open(path, O_RDONLY | O_CREAT, 0600) < 0 &&
           errno == ENOSYS && unlink(allowed_file) < 0 && rename(allowed_file, path) < 0 &&
           mkdir(path, 0700) < 0 && truncate(allowed_file, 0) < 0 && chmod(allowed_file, 0777) < 0;
}

static void
only_the_listed_paths_can_be_read_and_none_changed(void **state UNUSED)
{
    assert_holds(reads_what_is_allowed);
    assert_holds(cannot_read_the_rest);
    assert_holds(cannot_change_files);
}

static bool
writes_in_its_folder_and_nowhere_else(void)
{
    char path[96], other[96], outside[96];
    int fd;

    snprintf(path, sizeof(path), "%s/new", written_folder);
    snprintf(other, sizeof(other), "%s/other", written_folder);
    snprintf(outside, sizeof(outside), "%s/outside", folder);
    bool wrote = (fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600)) >= 0 && write(fd, "x", 1) == 1 &&
                 ftruncate(fd, 0) == 0 && rename(path, other) == 0 && unlink(other) == 0 &&
                 mkdir(path, 0700) == 0 && rmdir(path) == 0;
    return wrote && open(forbidden_file, O_WRONLY) < 0 && errno == EACCES &&
           open(allowed_file, O_WRONLY) < 0 && errno == EACCES &&
           open(outside, O_WRONLY | O_CREAT, 0600) < 0 && errno == EACCES && mkdir(outside, 0700) < 0 &&
           errno == EACCES && symlink("/", path) < 0;
}

static void
only_the_listed_folders_can_be_written(void **state UNUSED)
{
    static const char *const folders[] = { written_folder };
    static const int calls[] = { SANDBOX_CALLS_BASE, SANDBOX_CALLS_FILES, SCMP_SYS(ftruncate),
                                 SCMP_SYS(rename),   SCMP_SYS(unlink),    SCMP_SYS(mkdir),
                                 SCMP_SYS(rmdir),    SCMP_SYS(symlink) };
    struct sandbox_rules rules = role_rules();

    rules.calls = calls;
    rules.call_count = COUNT_OF(calls);
    rules.paths_write = folders;
    rules.path_write_count = 1;
    assert_int_equal(run_locked(&rules, writes_in_its_folder_and_nowhere_else), 0);
    assert_int_equal(run_locked(&rules, cannot_read_the_rest), 0);
}

static bool
connects_to(uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(port),
                                   .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

static bool
connects_only_to_the_listed_port(void)
{
    return connects_to(open_port) && !connects_to(other_port) && errno == EACCES;
}

static bool
connects_anywhere(void)
{
    return connects_to(open_port) && connects_to(other_port);
}

static bool
cannot_bind(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 && errno == EACCES;
}

static bool
cannot_speak_raw_or_to_the_kernel(void)
{
    return socket(AF_PACKET, SOCK_RAW, 0) < 0 && errno == ENOSYS &&
           socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT) < 0 && errno == ENOSYS &&
           socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) >= 0;
}

static void
only_the_listed_ports_can_be_reached_and_none_bound(void **state UNUSED)
{
    assert_holds(connects_only_to_the_listed_port);
    assert_holds(cannot_bind);
    assert_holds(cannot_speak_raw_or_to_the_kernel);
    struct sandbox_rules rules = role_rules();
    rules.may_connect_any_port = true;
    assert_int_equal(run_locked(&rules, connects_anywhere), 0);
    assert_int_equal(run_locked(&rules, cannot_bind), 0);
}

static bool
executes(void)
{
    char *const arguments[] = { (char[]){ "true" }, NULL };
    execv("/bin/true", arguments);
    return true;
}

static bool
traces(void)
{
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    return true;
}

static bool
reads_another_process(void)
{
    char byte;
    struct iovec here = { &byte, 1 }, there = { &byte, 1 };
    process_vm_readv(test_pid, &here, 1, &there, 1, 0);
    return true;
}

static bool
unshares(void)
{
    syscall(SYS_unshare, 0x10000000);
    return true;
}

static bool
mounts(void)
{
    syscall(SYS_mount, "a", "b", "c", 0, NULL);
    return true;
}

static bool
uses_a_ring(void)
{
    syscall(SYS_io_uring_setup, 1, NULL);
    return true;
}

static bool
uses_bpf(void)
{
    syscall(SYS_bpf, 0, NULL, 0);
    return true;
}

static bool
uses_keys(void)
{
    syscall(SYS_keyctl, 0, 0);
    return true;
}

static bool
faults_for_others(void)
{
    syscall(SYS_userfaultfd, 0);
    return true;
}

static void
calls_that_no_role_needs_kill(void **state UNUSED)
{
    bool (*const deeds[])(void) = { executes, traces,    reads_another_process, unshares, mounts, uses_a_ring,
                                    uses_bpf, uses_keys, faults_for_others };
    struct sandbox_rules rules = role_rules();

    for (size_t i = 0; i < COUNT_OF(deeds); i++)
        assert_kills(&rules, deeds[i]);
    rules.kills_on_refusal = true;
    assert_kills(&rules, executes);
}

static bool
opens_a_socket(void)
{
    return socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == ENOSYS;
}

static bool
does_nothing(void)
{
    return true;
}

static void
a_call_in_no_table_fails_or_where_asked_kills(void **state UNUSED)
{
    struct sandbox_rules rules = role_rules();

    rules.calls = few_calls;
    rules.call_count = COUNT_OF(few_calls);
    int status = run_locked(&rules, opens_a_socket);
    assert_int_equal(status, HELD);
    rules.kills_on_refusal = true;
    assert_kills(&rules, opens_a_socket);
    assert_int_equal(run_locked(&rules, does_nothing), HELD);
}

static bool
makes_no_code(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page != MAP_FAILED && mprotect(page, 4096, PROT_READ | PROT_EXEC) < 0 &&
           mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
}

static void *
thread_sets(void *flag)
{
    *(bool *)flag = true;
    return NULL;
}

static bool
has_threads_but_no_children(void)
{
    bool has_run = false;
    pthread_t thread;

    return pthread_create(&thread, NULL, thread_sets, &has_run) == 0 && pthread_join(thread, NULL) == 0 &&
           has_run && fork() < 0;
}

static bool
raises_no_limit(void)
{
    const struct rlimit limit = { 0, 0 };
    struct rlimit now;
    return getrlimit(RLIMIT_NOFILE, &now) == 0 && setrlimit(RLIMIT_NOFILE, &limit) < 0;
}

static void
no_code_no_children_no_limits(void **state UNUSED)
{
    assert_holds(makes_no_code);
    assert_holds(has_threads_but_no_children);
    assert_holds(raises_no_limit);
}

/* The value of a line of /proc/self/status, as the kernel sees this process. */
static bool
status_is(const char *field, const char *value)
{
    char text[4096], line[128];
    int fd = open("/proc/self/status", O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

    if (n <= 0)
        return false;
    text[n] = '\0';
    snprintf(line, sizeof(line), "\n%s:\t%s\n", field, value);
    return strstr(text, line) != NULL;
}

static bool
is_locked_in_by_the_kernels_word(void)
{
    return status_is("NoNewPrivs", "1") && status_is("Seccomp", "2") &&
           status_is("CapEff", "0000000000000000") && status_is("CapPrm", "0000000000000000") &&
           status_is("CapAmb", "0000000000000000");
}

static bool
has_another_user(void)
{
    uid_t real, effective, saved;
    return status_is("CapBnd", "0000000000000000") &&
           getresuid(&real, &effective, &saved) != 0 /* not in the table */ && getuid() != 0 &&
           geteuid() != 0 && getgid() != 0 && status_is("Groups", " ");
}

static void
the_kernel_says_what_is_in_force(void **state UNUSED)
{
    assert_holds(is_locked_in_by_the_kernels_word);
    if (geteuid() == 0)
        assert_holds(has_another_user);
}

/* Two processes of one user: only Landlock's scope stands between them. */
static int
signals_a_neighbour(void)
{
    struct sandbox_rules rules = role_rules();
    struct sandbox_facts facts;

    if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)
        return NOT_LOCKED;
    pid_t neighbour = fork();
    if (neighbour == 0)
        for (;;)
            pause();
    if (neighbour < 0 || kill(neighbour, 0) != 0 || sandbox_enter(&rules, &facts) != ERR_OK ||
        !facts.has_scopes)
        return NOT_LOCKED;
    bool is_refused = kill(neighbour, SIGKILL) < 0 && errno == EPERM;
    return is_refused ? HELD : DOES_NOT_HOLD;
}

static void
a_neighbour_of_the_same_user_cannot_be_signalled(void **state UNUSED)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        if (setpgid(0, 0) != 0)
            _exit(NOT_LOCKED);
        _exit(signals_a_neighbour());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(kill(-pid, SIGKILL), 0); /* the neighbour is still there */
    assert_int_equal(status, HELD);
}

/* As a service manager may start us: root, and staying so. */
static void
a_process_that_stays_root_has_no_capabilities(void **state UNUSED)
{
    struct sandbox_rules rules = role_rules();
    int status;

    if (geteuid() != 0)
        skip();
    rules.user = NULL;
    pid_t pid = fork();
    if (pid == 0) {
        struct sandbox_facts facts;
        if (sandbox_enter(&rules, &facts) != ERR_OK || !facts.is_root)
            _exit(NOT_LOCKED);
        _exit(is_locked_in_by_the_kernels_word() ? HELD : DOES_NOT_HOLD);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, HELD);
}

/* prctl is not in reach afterwards, so this child looks from a process that it shares /proc with: its parent.
 */
static void
a_locked_in_process_is_not_dumpable(void **state UNUSED)
{
    int ready[2], done[2], status;
    char path[64], byte = 0;
    struct stat st;
    struct sandbox_rules rules = role_rules();

    rules.dies_with_parent = true; /* also when a claim below fails */
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(done), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct sandbox_facts facts;
        /* Not by the change of user, which resets it too on most systems. */
        if ((geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) ||
            prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0 || sandbox_enter(&rules, &facts) != ERR_OK)
            _exit(NOT_LOCKED);
        _exit(write(ready[1], "", 1) == 1 && read(done[0], &byte, 1) == 1 ? HELD : DOES_NOT_HOLD);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    /* /proc/PID belongs to root when the process is not dumpable: nobody of its own user can look into it. */
    snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_uid, 0);
    assert_int_equal(write(done[1], "", 1), 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, HELD);
    close(ready[0]);
    close(ready[1]);
    close(done[0]);
    close(done[1]);
}

static void
a_missing_user_is_refused(void **state UNUSED)
{
    struct sandbox_rules rules = role_rules();

    rules.user = "harkara-nobody-has-this-name";
    int status = run_locked(&rules, does_nothing);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), geteuid() == 0 ? NOT_LOCKED : HELD);
}

static void
facts_survive_their_byte(void **state UNUSED)
{
    for (unsigned bits = 0; bits < 64; bits++) {
        struct sandbox_facts facts = sandbox_facts_unpack((uint8_t)bits);
        assert_int_equal(sandbox_facts_pack(&facts), bits);
    }
    struct sandbox_facts facts = sandbox_facts_unpack(0xff);
    assert_int_equal(sandbox_facts_pack(&facts), 63);
}

static uint16_t
listen_somewhere(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    return ntohs(address.sin_port);
}

static void
write_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
}

static int
set_up(void **state UNUSED)
{
    test_pid = getpid();
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chmod(folder, 0755), 0);
    snprintf(allowed_folder, sizeof(allowed_folder), "%s/allowed", folder);
    snprintf(allowed_file, sizeof(allowed_file), "%s/file", allowed_folder);
    snprintf(forbidden_file, sizeof(forbidden_file), "%s/file", folder);
    assert_int_equal(mkdir(allowed_folder, 0755), 0);
    snprintf(written_folder, sizeof(written_folder), "%s/written", folder);
    assert_int_equal(mkdir(written_folder, 0700), 0);
    assert_int_equal(chmod(written_folder, 0777), 0);
    assert_int_equal(chmod(folder, 0777), 0); /* what keeps the processes out is not the mode */
    write_file(allowed_file);
    write_file(forbidden_file);
    assert_int_equal(chmod(allowed_file, 0666), 0);
    assert_int_equal(chmod(forbidden_file, 0666), 0);
    open_port = listen_somewhere();
    other_port = listen_somewhere();
    return 0;
}

static int
tear_down(void **state UNUSED)
{
    unlink(allowed_file);
    unlink(forbidden_file);
    rmdir(allowed_folder);
    rmdir(written_folder);
    rmdir(folder);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_listed_paths_can_be_read_and_none_changed),
        cmocka_unit_test(only_the_listed_folders_can_be_written),
        cmocka_unit_test(only_the_listed_ports_can_be_reached_and_none_bound),
        cmocka_unit_test(calls_that_no_role_needs_kill),
        cmocka_unit_test(a_call_in_no_table_fails_or_where_asked_kills),
        cmocka_unit_test(no_code_no_children_no_limits),
        cmocka_unit_test(the_kernel_says_what_is_in_force),
        cmocka_unit_test(a_neighbour_of_the_same_user_cannot_be_signalled),
        cmocka_unit_test(a_process_that_stays_root_has_no_capabilities),
        cmocka_unit_test(a_locked_in_process_is_not_dumpable),
        cmocka_unit_test(a_missing_user_is_refused),
        cmocka_unit_test(facts_survive_their_byte),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
