/* The real vault process, started as the supervisor starts it; this test is the supervisor, and its peers. */
#include "core/metric.h"
#include "core/num.h"
#include "core/secret.h"
#include "core/unit.h"
#include "crypto/mac.h"
#include "platform/ipc/link.h"
#include "platform/ipc/vault_client.h"
#include "platform/os/role.h"
#include "platform/os/role_settings.h"
#include "program/vault/vault_core.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
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

/* The ends are looked for: an allocator writes over the beginning of what is freed. */
#define MASTER_KEY_END "d1f6c0b27ae4"
#define MASTER_KEY     "MASTER-KEY-CANARY-98" MASTER_KEY_END
#define CREDENTIAL_END "7f58b3a6910e"
#define CREDENTIAL     "CREDENTIAL-CANARY-51c9e2c04d" CREDENTIAL_END
#define CONTENT_END    "c5907be4d1a8"
#define CONTENT        "CONTENT-CANARY-a3b7d48e6f12" CONTENT_END
#define NOBODY         65534
#define WAIT_MS        20000

static const struct slice master_key = { MASTER_KEY, 32 };
static const struct id tenant = { { 0xa1, 0xb2 } };
static const struct vault_place token_place = { .tenant = { { 0xa1, 0xb2 } },
                                                .table = "whatsapp_channel",
                                                .column = "access_token",
                                                .row = { { 7 } },
                                                .generation = 1 };
static const struct vault_place message_place = {
    .tenant = { { 0xa1, 0xb2 } }, .table = "message", .column = "content", .row = { { 8 } }
};

/* What a database would hold. */
static struct {
    struct vault_kek kek;
    struct vault_wrapped_key keys[3];
} stored;

struct process {
    pid_t pid;
    int link; /* to the supervisor's end */
    int log;  /* a file in memory */
    const void *page;
};

/* The program lies beside this test. */
static const char *program_name = "vault";

static int
program_open(void)
{
    char path[4096];
    ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 64);

    assert_true(len > 0);
    path[len] = 0;
    char *slash = strrchr(path, '/');
    assert_non_null(slash);
    snprintf(slash, 64, "/%s", program_name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        fail_msg("%s is not built", path);
    return fd;
}

static void
process_start(struct process *process)
{
    char *arguments[] = { (char[]){ "vault" }, NULL };
    char *environment[] = { (char[]){ "HARKARA_LOG_LEVEL=debug" }, (char[]){ "HARKARA_UNLOCKED_SECRETS=1" },
                            NULL };
    int ends[2], program = program_open(), page = memfd_create("page", MFD_CLOEXEC);

    assert_true(page >= 0 && ftruncate(page, (off_t)metric_page_bytes()) == 0);
    process->page = mmap(NULL, metric_page_bytes(), PROT_READ, MAP_SHARED, page, 0);
    assert_true(process->page != MAP_FAILED);
    process->log = memfd_create("log", MFD_CLOEXEC);
    assert_true(process->log >= 0);
    assert_ok(link_pair(ends));
    process->pid = fork();
    assert_true(process->pid >= 0);
    if (process->pid == 0) {
        int link = fcntl(ends[1], F_DUPFD, 100), own_page = fcntl(page, F_DUPFD, 100);
        int exec_fd = fcntl(program, F_DUPFD_CLOEXEC, 100);
        if (dup2(link, ROLE_FD_SUPERVISOR) < 0 || dup2(own_page, ROLE_FD_PAGE) < 0 ||
            dup2(process->log, STDERR_FILENO) < 0)
            _exit(99);
        for (int fd = ROLE_FD_VAULT; fd < ROLE_FD_FREE; fd++)
            close(fd);
        if (geteuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY) != 0) /* harkara-vault need not exist here */
            _exit(99);
        fexecve(exec_fd, arguments, environment);
        _exit(99);
    }
    close(ends[1]);
    close(page);
    close(program);
    process->link = ends[0];
}

static void
say_settings(const struct process *process)
{
    const struct role_settings settings = { .index = 0, .instance = { { 9 } } };
    struct buf frame;

    buf_init(&frame, 8192);
    role_settings_print(&frame, &settings);
    assert_ok(link_send(process->link, buf_slice(&frame), -1, WAIT_MS));
    buf_release(&frame);
}

static void
say_boot(const struct process *process, struct slice key)
{
    struct vault_boot boot = {
        .masters = { key }, .master_count = 1, .keks = { stored.kek }, .kek_count = 1
    };
    struct buf frame;

    buf_init(&frame, VAULT_FRAME_BYTES_MAX);
    buf_add_byte(&frame, LINK_BOOT);
    vault_boot_encode(&frame, &boot);
    assert_ok(link_send(process->link, buf_slice(&frame), -1, WAIT_MS));
    buf_release(&frame);
}

/* The next frame's kind; what follows it in *frame. */
static int
hear(const struct process *process, struct buf *frame)
{
    int rider;

    assert_ok(link_receive(process->link, frame, &rider, WAIT_MS));
    assert_int_equal(rider, -1);
    int kind = frame->ptr[0];
    memmove(frame->ptr, frame->ptr + 1, --frame->len);
    return kind;
}

static void
hear_booted(const struct process *process, struct vault_booted *out)
{
    struct buf frame;

    buf_init(&frame, VAULT_FRAME_BYTES_MAX);
    assert_int_equal(hear(process, &frame), LINK_BOOTED);
    assert_ok(vault_booted_decode(buf_slice(&frame), out));
    buf_release(&frame);
}

/* Up to READY. */
static struct process
vault_start(void)
{
    struct process process;
    struct vault_booted booted;
    struct buf frame;

    process_start(&process);
    say_settings(&process);
    say_boot(&process, master_key);
    hear_booted(&process, &booted);
    assert_int_equal(booted.result, VAULT_RESULT_OK);
    assert_false(booted.has_made);
    buf_init(&frame, 64);
    assert_int_equal(hear(&process, &frame), LINK_READY);
    buf_release(&frame);
    return process;
}

static int
link_new(const struct process *process, unsigned peer_role)
{
    const char frame[2] = { LINK_ADOPT, (char)peer_role };
    int ends[2];

    assert_ok(link_pair(ends));
    assert_ok(link_send(process->link, slice_of(frame, sizeof(frame)), ends[1], WAIT_MS));
    close(ends[1]);
    return ends[0];
}

/* What must be nowhere; and a text of the program, which shows that a search finds what is there. */
static const struct slice needles[] = {
    { MASTER_KEY_END, 12 }, { CREDENTIAL_END, 12 }, { CONTENT_END, 12 }, { "harkara value key", 17 }
};

/* Closes what is left of a process that ended. Its log has lines, and none of the texts above. */
static void
process_forget(struct process *process)
{
    static char text[1u << 20];
    ssize_t len = pread(process->log, text, sizeof(text), 0);

    assert_true(len > 0 && len < (ssize_t)sizeof(text));
    assert_true(slice_contains(slice_of(text, (size_t)len), SLICE("\"role\":\"vault\"")));
    for (size_t i = 0; i < COUNT_OF(needles); i++)
        assert_false(slice_contains(slice_of(text, (size_t)len), needles[i]));
    if (process->link >= 0)
        close(process->link);
    close(process->log);
    munmap((void *)(uintptr_t)process->page, metric_page_bytes());
}

static int
process_wait(struct process *process)
{
    int status;

    assert_int_equal(waitpid(process->pid, &status, 0), process->pid);
    process_forget(process);
    return status;
}

static void
vault_end(struct process *process)
{
    const char drain[1] = { LINK_DRAIN };

    assert_ok(link_send(process->link, slice_of(drain, 1), -1, WAIT_MS));
    int status = process_wait(process);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != ROLE_EXIT_OK)
        fail_msg("the vault ended with status %#x", (unsigned)status);
}

static enum err
key_source(void *ctx, struct id of, enum vault_purpose purpose, uint32_t version UNUSED,
           struct vault_wrapped_key *out)
{
    ++*(size_t *)ctx;
    if (!id_eq(of, tenant))
        return ERR_NOT_FOUND;
    *out = stored.keys[purpose - VAULT_CONTENT];
    return ERR_OK;
}

static size_t fetched;

static struct vault
client_new(const struct process *process, enum vault_role role)
{
    struct vault vault = { .key_source = key_source, .key_source_ctx = &fetched };
    assert_ok(vault_client_new(link_new(process, role), WAIT_MS, &vault.client));
    return vault;
}

static void
the_processes_work_together(void **state UNUSED)
{
    struct process process = vault_start();
    struct vault gateway = client_new(&process, VAULT_ROLE_GATEWAY);
    struct vault dispatcher = client_new(&process, VAULT_ROLE_DISPATCHER);
    struct arena *arena = arena_new(1u << 20);
    struct vault_sealed token;
    struct secret *secret;
    struct vault_facts facts;

    fetched = 0;
    assert_ok(vault_seal(&gateway, VAULT_CREDENTIAL, &token_place, SLICE(CREDENTIAL), arena, &token));
    assert_int_equal(fetched, 1);
    assert_int_equal(vault_open(&gateway, VAULT_CREDENTIAL, &token_place, &token, &secret),
                     ERR_VAULT_FORBIDDEN);
    assert_ok(vault_open(&dispatcher, VAULT_CREDENTIAL, &token_place, &token, &secret));
    assert_true(slice_eq(secret_slice(secret), SLICE(CREDENTIAL)));
    secret_free(secret);
    assert_ok(vault_facts(&dispatcher, &facts));
    assert_int_equal(facts.kek_version, 1);
    assert_true(facts.keys_held == 1);
    assert_int_equal(metric_read(process.page, METRIC_VAULT_REFUSED), 1);
    assert_int_equal(metric_read(process.page, METRIC_VAULT_OPENS_CREDENTIAL), 1);
    vault_client_free(gateway.client);
    vault_client_free(dispatcher.client);
    arena_free(arena);
    vault_end(&process);
}

static void
a_vault_started_again_opens_what_the_one_before_sealed(void **state UNUSED)
{
    struct process process = vault_start();
    struct vault gateway = client_new(&process, VAULT_ROLE_GATEWAY);
    struct arena *arena = arena_new(1u << 20);
    struct vault_sealed sealed;
    struct slice plain;
    int status;

    assert_ok(vault_seal(&gateway, VAULT_CONTENT, &message_place, SLICE(CONTENT), arena, &sealed));
    assert_int_equal(kill(process.pid, SIGKILL), 0);
    status = process_wait(&process);
    assert_true(WIFSIGNALED(status));
    process = vault_start();
    vault_client_relink(gateway.client, link_new(&process, VAULT_ROLE_GATEWAY));
    assert_ok(vault_open_content(&gateway, &message_place, &sealed, arena, &plain));
    assert_true(slice_eq(plain, SLICE(CONTENT)));
    vault_client_free(gateway.client);
    arena_free(arena);
    vault_end(&process);
}

static void
a_wrong_master_key_refuses_to_start_and_says_why(void **state UNUSED)
{
    struct process process;
    struct vault_booted booted;
    struct buf frame;

    process_start(&process);
    say_settings(&process);
    say_boot(&process, SLICE("not the master key, as long as i"));
    hear_booted(&process, &booted);
    assert_int_equal(booted.result, VAULT_RESULT_KEK_WRONG);
    assert_int_equal(booted.kek_version, 1);
    buf_init(&frame, 64);
    assert_int_equal(hear(&process, &frame), LINK_FAILED);
    assert_int_equal(num_u16be_get(frame.ptr), ERR_VAULT_KEK_WRONG);
    buf_release(&frame);
    int status = process_wait(&process);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), ROLE_EXIT_CONFIG);
}

/* Its HMAC is broken: it says that it failed before it has heard of any key. */
static void
a_vault_that_computes_wrongly_does_not_start(void **state UNUSED)
{
    struct process process;
    struct buf frame;

    program_name = "vault-broken";
    process_start(&process);
    program_name = "vault";
    say_settings(&process);
    buf_init(&frame, 64);
    assert_int_equal(hear(&process, &frame), LINK_FAILED);
    assert_int_equal(num_u16be_get(frame.ptr), ERR_CRYPTO);
    buf_release(&frame);
    int status = process_wait(&process);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), ROLE_EXIT_FAILED);
}

static void
without_a_proper_boot_frame_there_is_no_vault(void **state UNUSED)
{
    const struct slice frames[] = { SLICE("\5"), SLICE("\5\1short"), SLICE("\2") };

    for (size_t i = 0; i < COUNT_OF(frames); i++) {
        struct process process;
        process_start(&process);
        say_settings(&process);
        assert_ok(link_send(process.link, frames[i], -1, WAIT_MS));
        int status = process_wait(&process);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), ROLE_EXIT_FAILED);
    }
}

static void
the_vault_ends_with_its_supervisor(void **state UNUSED)
{
    struct process process = vault_start();

    close(process.link);
    process.link = -1;
    int status = process_wait(&process);
    /* Told by the link, or by the kernel, whichever comes first (the parent of both is alive here). */
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), ROLE_EXIT_ORPHAN);
}

static bool
is_hung_up(int fd)
{
    struct buf frame;
    int rider;

    buf_init(&frame, VAULT_FRAME_BYTES_MAX);
    enum err err = link_receive(fd, &frame, &rider, WAIT_MS);
    buf_release(&frame);
    return err == ERR_FRAME;
}

static void
a_peer_that_breaks_the_rules_loses_its_link_and_no_other_does(void **state UNUSED)
{
    struct process process = vault_start();
    struct vault gateway = client_new(&process, VAULT_ROLE_GATEWAY);
    struct vault_facts facts;
    int fds[6];

    for (size_t i = 0; i < COUNT_OF(fds); i++)
        fds[i] = link_new(&process, i < 4 ? VAULT_ROLE_WEBHOOKS : i == 4 ? 0 : VAULT_ROLE_SCHEDULER + 1);
    assert_ok(link_send(fds[0], SLICE("no request"), -1, WAIT_MS));
    assert_int_equal(send(fds[1], "\xff\xff\xff\xff", 4, 0), 4);
    assert_ok(link_send(fds[2], SLICE("\1\11\0\0\0\1"), fds[2], WAIT_MS)); /* FACTS, with a descriptor */
    assert_int_equal(send(fds[3], "\0\0\0\2x", 5, 0), 5);
    shutdown(fds[3], SHUT_WR); /* in the middle of a frame */
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        if (!is_hung_up(fds[i]))
            fail_msg("link %zu lives", i);
        close(fds[i]);
    }
    assert_ok(vault_facts(&gateway, &facts));
    vault_client_free(gateway.client);
    vault_end(&process);
}

/* One peer asks and never reads its answers: the others do not notice, and the vault's memory does not grow.
 */
static void
a_peer_that_does_not_read_stops_nobody_else(void **state UNUSED)
{
    struct process process = vault_start();
    struct vault gateway = client_new(&process, VAULT_ROLE_GATEWAY);
    struct vault_facts facts;
    int greedy = link_new(&process, VAULT_ROLE_GATEWAY);
    size_t sent = 0;

    while (link_send(greedy, SLICE("\1\11\0\0\0\1"), -1, 50) == ERR_OK)
        sent++;
    assert_true(sent > 100); /* until neither takes any more */
    for (int i = 0; i < 100; i++)
        assert_ok(vault_facts(&gateway, &facts));
    close(greedy);
    assert_ok(vault_facts(&gateway, &facts));
    vault_client_free(gateway.client);
    vault_end(&process);
}

static void
links_are_bounded(void **state UNUSED)
{
    struct process process = vault_start();
    int fds[200];
    size_t refused = 0;

    for (size_t i = 0; i < COUNT_OF(fds); i++)
        fds[i] = link_new(&process, VAULT_ROLE_SCHEDULER);
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        struct buf frame;
        int rider;
        buf_init(&frame, 64);
        if (link_send(fds[i], SLICE("\1\11\0\0\0\1"), -1, WAIT_MS) != ERR_OK ||
            link_receive(fds[i], &frame, &rider, WAIT_MS) != ERR_OK)
            refused++;
        buf_release(&frame);
    }
    assert_int_equal(refused, COUNT_OF(fds) - 96);
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        close(fds[i]);
    struct vault again =
        client_new(&process, VAULT_ROLE_SCHEDULER); /* closed ones make room, if not at once */
    vault_client_free(again.client);
    vault_end(&process);
}

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
    struct process process = vault_start();
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
    vault_end(&process);
}

/* Mappings of the vault: what root can read of them, and what it finds there. */
struct scan {
    size_t secret_mappings, secret_readable;
    size_t bytes_read;
    bool has_needle[4];
};

static void
range_scan(int mem, uint64_t from, uint64_t to, struct scan *scan)
{
    char *bytes = malloc(to - from);

    assert_non_null(bytes);
    ssize_t got = pread(mem, bytes, to - from, (off_t)from);
    if (got > 0) {
        scan->bytes_read += (size_t)got;
        for (size_t i = 0; i < COUNT_OF(needles); i++)
            scan->has_needle[i] |= memmem(bytes, (size_t)got, needles[i].ptr, needles[i].len) != NULL;
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
    struct process process = vault_start();
    struct vault gateway = client_new(&process, VAULT_ROLE_GATEWAY);
    struct vault dispatcher = client_new(&process, VAULT_ROLE_DISPATCHER);
    struct arena *arena = arena_new(1u << 20);
    struct vault_sealed token, message;
    struct secret *secret;
    struct vault_facts facts;
    struct slice plain;
    struct scan scan;

    memory_scan(process.pid, &scan);
    assert_false(scan.has_needle[0]);
    assert_ok(vault_seal(&gateway, VAULT_CREDENTIAL, &token_place, SLICE(CREDENTIAL), arena, &token));
    assert_ok(vault_open(&dispatcher, VAULT_CREDENTIAL, &token_place, &token, &secret));
    secret_free(secret);
    assert_ok(vault_seal(&gateway, VAULT_CONTENT, &message_place, SLICE(CONTENT), arena, &message));
    assert_ok(vault_open_content(&gateway, &message_place, &message, arena, &plain));
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
    vault_end(&process);
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
    struct process process = vault_start();
    struct vault gateway = client_new(&process, VAULT_ROLE_GATEWAY);
    struct vault_facts facts;
    assert_ok(vault_facts(&gateway, &facts));
    int status = call_injected(process.pid, SYS_getrandom, nothing, &result);
    assert_true(WIFSTOPPED(status));
    assert_int_equal(result, 0);
    assert_ok(vault_facts(&gateway, &facts));
    vault_client_free(gateway.client);
    vault_end(&process);

    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        if (is_sanitized && calls[i].is_sanitizers)
            continue;
        process = vault_start();
        gateway = client_new(&process, VAULT_ROLE_GATEWAY);
        assert_ok(vault_facts(&gateway, &facts)); /* so that it has come to its loop */
        status = call_injected(process.pid, calls[i].number, calls[i].args, &result);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
            fail_msg("%s: status %#x", calls[i].name, (unsigned)status);
        vault_client_free(gateway.client);
        process_forget(&process);
    }
}
#endif

/* A KEK that is quick to derive, and a tenant's keys under it: what `harkara serve` would find in the
 * database. */
static int
database_fill(void **state UNUSED)
{
    const struct vault_core_options options = { VAULT_SEAL_KEYS_MAX, KDF_SCRYPT_N_MIN, VAULT_KEY_SEALS_MAX };
    struct vault_boot boot = { .masters = { master_key }, .master_count = 1, .make_version = 1 };
    struct vault_request request = { .op = VAULT_OP_MAKE_KEYS, .id = 1, .tenant = tenant };
    struct vault_booted booted;
    struct vault_outcome outcome;
    struct vault_answer answer;
    struct vault_core *core;
    struct buf frame, answer_bytes;

    if (secret_pool_open_unlocked(1u << 20) != ERR_OK || vault_core_new(&options, &core) != ERR_OK ||
        vault_core_boot(core, &boot, &booted) != ERR_OK)
        return -1;
    stored.kek = booted.made;
    buf_init(&frame, 4096);
    buf_init(&answer_bytes, 4096);
    vault_request_encode(&frame, &request);
    bool is_made =
        vault_core_handle(core, VAULT_ROLE_ADMIN, buf_slice(&frame), &answer_bytes, &outcome) == ERR_OK &&
        vault_answer_decode(buf_slice(&answer_bytes), &answer) == ERR_OK && answer.result == VAULT_RESULT_OK;
    memcpy(stored.keys, answer.keys, sizeof(stored.keys));
    buf_release(&frame);
    buf_release(&answer_bytes);
    vault_core_free(core);
    return is_made ? 0 : -1;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_processes_work_together),
        cmocka_unit_test(a_vault_started_again_opens_what_the_one_before_sealed),
        cmocka_unit_test(a_vault_that_computes_wrongly_does_not_start),
        cmocka_unit_test(a_wrong_master_key_refuses_to_start_and_says_why),
        cmocka_unit_test(without_a_proper_boot_frame_there_is_no_vault),
        cmocka_unit_test(the_vault_ends_with_its_supervisor),
        cmocka_unit_test(a_peer_that_breaks_the_rules_loses_its_link_and_no_other_does),
        cmocka_unit_test(a_peer_that_does_not_read_stops_nobody_else),
        cmocka_unit_test(links_are_bounded),
        cmocka_unit_test(the_process_has_locked_itself_in),
        cmocka_unit_test(not_even_root_finds_a_secret_in_its_memory),
#ifdef __x86_64__
        cmocka_unit_test(a_call_that_the_vault_never_makes_kills_it),
#endif
    };
    return cmocka_run_group_tests(tests, database_fill, NULL);
}
