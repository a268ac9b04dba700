/* The vault's process is locked in, and not even root finds a secret in its memory. */
#include "core/secret.h"
#include "program/vault/vault_process_testing.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* What stands in /proc about the process. */
static void
proc_read(pid_t pid, const char *name, char *out, size_t size)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t len = fread(out, 1, size - 1, file);
    fclose(file);
    out[len] = 0;
}

static void
the_process_has_locked_itself_in(void **state UNUSED)
{
    struct vault_process process = vault_process_ready();
    static char text[16384];
    char path[64];

    proc_read(process.pid, "status", text, sizeof(text));
    assert_non_null(strstr(text, "\nNoNewPrivs:\t1\n"));
    assert_non_null(strstr(text, "\nSeccomp:\t2\n"));
    assert_non_null(strstr(text, "\nCapEff:\t0000000000000000\n"));
    assert_non_null(strstr(text, "\nThreads:\t1\n"));
    proc_read(process.pid, "limits", text, sizeof(text));
    const char *core = strstr(text, "Max core file size");
    assert_non_null(core);
    assert_int_equal(strspn(core + strlen("Max core file size"), " "),
                     strcspn(core, "0") - strlen("Max core file size"));
    if (geteuid() != 0) { /* its own user may not look into it: it is not dumpable */
        snprintf(path, sizeof(path), "/proc/%d/mem", (int)process.pid);
        assert_int_equal(open(path, O_RDONLY | O_CLOEXEC), -1);
        assert_int_equal(errno, EACCES);
    }
    vault_process_end(&process);
}

/* Mappings of the vault: what root can read of them, and what it finds there. */
struct scan {
    size_t secret_mappings, secret_readable;
    size_t bytes_read;
    bool has_needle[VAULT_PROCESS_NEEDLES];
};

static void
range_scan(int mem, uint64_t from, uint64_t to, struct scan *scan)
{
    char *bytes = malloc(to - from);

    assert_non_null(bytes);
    ssize_t got = pread(mem, bytes, to - from, (off_t)from);
    if (got > 0) {
        scan->bytes_read += (size_t)got;
        for (size_t i = 0; i < VAULT_PROCESS_NEEDLES; i++)
            scan->has_needle[i] |= memmem(bytes, (size_t)got, vault_process_needles[i].ptr,
                                          vault_process_needles[i].len) != NULL;
    }
    free(bytes);
}

static void
memory_scan(pid_t pid, struct scan *scan)
{
    static char maps[1u << 20];
    char path[64], byte;

    memset(scan, 0, sizeof(*scan));
    proc_read(pid, "maps", maps, sizeof(maps));
    snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
    int mem = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(mem >= 0);
    struct slice rest = slice_text(maps);
    while (rest.len > 0) {
        struct slice line = slice_take_until(&rest, '\n');
        char *end = NULL;
        uint64_t from = strtoull(line.ptr, &end, 16), to = strtoull(end + 1, &end, 16);
        if (slice_contains(line, SLICE("secretmem"))) {
            struct iovec local = { &byte, 1 }, remote = { (void *)(uintptr_t)from, 1 };
            scan->secret_mappings++;
            scan->secret_readable += pread(mem, &byte, 1, (off_t)from) > 0;
            scan->secret_readable += process_vm_readv(pid, &local, 1, &remote, 1, 0) > 0;
        } else if (end[1] == 'r' && to - from < (256u << 20)) {
            range_scan(mem, from, to, scan);
        }
    }
    close(mem);
}

/*
 * Root may read any process's memory, but not pages of memfd_secret: keys are there and nowhere else. And
 * after a day's work no plaintext and no master key is left anywhere.
 */
static void
not_even_root_finds_a_secret_in_its_memory(void **state UNUSED)
{
    if (geteuid() != 0)
        skip();
    struct vault_process process = vault_process_ready();
    struct vault gateway = vault_process_client(&process, VAULT_ROLE_GATEWAY);
    struct vault dispatcher = vault_process_client(&process, VAULT_ROLE_DISPATCHER);
    struct arena *arena = arena_new(1u << 20);
    struct vault_sealed token, message;
    struct secret *secret;
    struct vault_facts facts;
    struct slice plain;
    struct scan scan;

    memory_scan(process.pid, &scan);
    assert_false(scan.has_needle[0]);
    assert_ok(vault_seal(&gateway, VAULT_CREDENTIAL, &vault_process_token_place,
                         SLICE(VAULT_PROCESS_CREDENTIAL), arena, &token));
    assert_ok(vault_open(&dispatcher, VAULT_CREDENTIAL, &vault_process_token_place, &token, &secret));
    secret_free(secret);
    assert_ok(vault_seal(&gateway, VAULT_CONTENT, &vault_process_message_place, SLICE(VAULT_PROCESS_CONTENT),
                         arena, &message));
    assert_ok(vault_open_content(&gateway, &vault_process_message_place, &message, arena, &plain));
    assert_ok(vault_facts(&gateway, &facts)); /* its answer comes after the wiping of the one before */
    memory_scan(process.pid, &scan);
    assert_true(scan.bytes_read > (1u << 20));
    assert_true(scan.has_needle[3]); /* what is there is found: a constant of the program */
    assert_false(scan.has_needle[0]);
    assert_false(scan.has_needle[1]);
    assert_false(scan.has_needle[2]);
    if (facts.memory == SECRET_MEMORY_FD) {
        assert_int_equal(scan.secret_mappings, 1);
        assert_int_equal(scan.secret_readable, 0);
    } else {
        print_message("memfd_secret is not to be had here: secret memory is only locked\n");
    }
    vault_client_free(gateway.client);
    vault_client_free(dispatcher.client);
    arena_free(arena);
    vault_process_end(&process);
}

#ifdef __x86_64__
/*
 * Makes the waiting vault call something: as root, by ptrace, at the system call instruction in which it
 * waits. Returns its status: stopped after the call, or killed.
 */
static int
call_injected(pid_t pid, long number, const unsigned long args[3], long *result_out)
{
    struct user_regs_struct before, registers;
    int status;

    assert_int_equal(ptrace(PTRACE_ATTACH, pid, NULL, NULL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSTOPPED(status));
    assert_int_equal(ptrace(PTRACE_GETREGS, pid, NULL, &before), 0);
    assert_int_equal(ptrace(PTRACE_PEEKTEXT, pid, (void *)(uintptr_t)(before.rip - 2), NULL) & 0xffff,
                     0x050f);
    registers = before;
    registers.rip -= 2;
    registers.orig_rax = (unsigned long long)-1; /* no restart of the call that was interrupted */
    registers.rax = (unsigned long long)number;
    registers.rdi = args[0];
    registers.rsi = args[1];
    registers.rdx = args[2];
    registers.r10 = 0;
    assert_int_equal(ptrace(PTRACE_SETREGS, pid, NULL, &registers), 0);
    assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFSTOPPED(status))
        return status;
    assert_int_equal(ptrace(PTRACE_GETREGS, pid, NULL, &registers), 0);
    *result_out = (long)registers.rax;
    before.rax = (unsigned long long)-EINTR; /* as if the wait had been interrupted */
    before.orig_rax = (unsigned long long)-1;
    assert_int_equal(ptrace(PTRACE_SETREGS, pid, NULL, &before), 0);
    assert_int_equal(ptrace(PTRACE_DETACH, pid, NULL, NULL), 0);
    return status;
}

static void
a_call_that_the_vault_never_makes_kills_it(void **state UNUSED)
{
    static const struct {
        const char *name;
        long number;
        unsigned long args[3];
        bool is_sanitizers; /* their runtimes call it, so builds with them allow it */
    } calls[] = {
        { "execve", SYS_execve, { 0, 0, 0 }, false },
        { "execveat", SYS_execveat, { 0, 0, 0 }, false },
        { "open", SYS_open, { 0, 0, 0 }, true },
        { "openat", SYS_openat, { 0, 0, 0 }, true },
        { "read", SYS_read, { 0, 0, 0 }, false },
        { "socket", SYS_socket, { AF_INET, SOCK_STREAM, 0 }, false },
        { "socketpair", SYS_socketpair, { AF_UNIX, SOCK_STREAM, 0 }, false },
        { "connect", SYS_connect, { 3, 0, 0 }, false },
        { "bind", SYS_bind, { 3, 0, 0 }, false },
        { "accept4", SYS_accept4, { 3, 0, 0 }, false },
        { "fork", SYS_fork, { 0, 0, 0 }, false },
        { "clone", SYS_clone, { 0, 0, 0 }, false },
        { "ptrace", SYS_ptrace, { 0, 0, 0 }, false },
        { "process_vm_readv", SYS_process_vm_readv, { 1, 0, 0 }, false },
        { "kill", SYS_kill, { 1, 0, 0 }, false },
        { "mmap of executable memory", SYS_mmap, { 0, 4096, PROT_READ | PROT_EXEC }, false },
        { "mprotect", SYS_mprotect, { 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC }, false },
        { "prctl", SYS_prctl, { PR_SET_DUMPABLE, 1, 0 }, false },
        { "setuid", SYS_setuid, { 0, 0, 0 }, false },
        { "io_uring_setup", SYS_io_uring_setup, { 1, 0, 0 }, false },
        { "a call that does not exist", 9999, { 0, 0, 0 }, false },
    };
    const unsigned long nothing[3] = { 0, 0, 0 };
    long result = -1;

    if (geteuid() != 0)
        skip();
#ifdef HARKARA_SANITIZED
    const bool is_sanitized = true;
#else
    const bool is_sanitized = false;
#endif
    /* First that an allowed one goes through and the vault goes on: else the rest would say nothing. */
    struct vault_process process = vault_process_ready();
    struct vault gateway = vault_process_client(&process, VAULT_ROLE_GATEWAY);
    struct vault_facts facts;
    assert_ok(vault_facts(&gateway, &facts));
    int status = call_injected(process.pid, SYS_getrandom, nothing, &result);
    assert_true(WIFSTOPPED(status));
    assert_int_equal(result, 0);
    assert_ok(vault_facts(&gateway, &facts));
    vault_client_free(gateway.client);
    vault_process_end(&process);

    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        if (is_sanitized && calls[i].is_sanitizers)
            continue;
        process = vault_process_ready();
        gateway = vault_process_client(&process, VAULT_ROLE_GATEWAY);
        assert_ok(vault_facts(&gateway, &facts)); /* so that it has come to its loop */
        status = call_injected(process.pid, calls[i].number, calls[i].args, &result);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
            fail_msg("%s: status %#x", calls[i].name, (unsigned)status);
        vault_client_free(gateway.client);
        vault_process_forget(&process);
    }
}
#endif

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_process_has_locked_itself_in),
        cmocka_unit_test(not_even_root_finds_a_secret_in_its_memory),
#ifdef __x86_64__
        cmocka_unit_test(a_call_that_the_vault_never_makes_kills_it),
#endif
    };
    return cmocka_run_group_tests(tests, vault_process_setup, NULL);
}
