#include "program/vault/vault_process_testing.h"
#include "core/metric.h"
#include "core/secret.h"
#include "platform/os/role_settings.h"
#include "program/vault/vault_core.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

const struct slice vault_process_master_key = { VAULT_PROCESS_MASTER_KEY, 32 };
const struct id vault_process_tenant = { { 0xa1, 0xb2 } };
const struct vault_place vault_process_token_place = { .tenant = { { 0xa1, 0xb2 } },
                                                       .table = "whatsapp_channel",
                                                       .column = "access_token",
                                                       .row = { { 7 } },
                                                       .generation = 1 };
const struct vault_place vault_process_message_place = {
    .tenant = { { 0xa1, 0xb2 } }, .table = "message", .column = "content", .row = { { 8 } }
};

const struct slice vault_process_needles[VAULT_PROCESS_NEEDLES] = { { VAULT_PROCESS_MASTER_KEY_END, 12 },
                                                                    { VAULT_PROCESS_CREDENTIAL_END, 12 },
                                                                    { VAULT_PROCESS_CONTENT_END, 12 },
                                                                    { "harkara value key", 17 } };

/* What a database would hold. */
static struct {
    struct vault_kek kek;
    struct vault_wrapped_key keys[3];
} stored;

/* The program lies beside this test. */
static int
program_open(const char *name)
{
    char path[4096];
    ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 64);

    assert_true(len > 0);
    path[len] = 0;
    char *slash = strrchr(path, '/');
    assert_non_null(slash);
    snprintf(slash, 64, "/%s", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        fail_msg("%s is not built", path);
    return fd;
}

void
vault_process_start(struct vault_process *process, const char *program_name)
{
    char *arguments[] = { (char[]){ "vault" }, NULL };
    char *environment[] = { (char[]){ "HARKARA_LOG_LEVEL=debug" }, (char[]){ "HARKARA_UNLOCKED_SECRETS=1" },
                            NULL };
    int ends[2], program = program_open(program_name), page = memfd_create("page", MFD_CLOEXEC);

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

void
vault_process_say_settings(const struct vault_process *process)
{
    const struct role_settings settings = { .index = 0, .instance = { { 9 } } };
    struct buf frame;

    buf_init(&frame, 8192);
    role_settings_print(&frame, &settings);
    assert_ok(link_send(process->link, buf_slice(&frame), -1, VAULT_PROCESS_WAIT_MS));
    buf_release(&frame);
}

void
vault_process_say_boot(const struct vault_process *process, struct slice key)
{
    struct vault_boot boot = {
        .masters = { key }, .master_count = 1, .keks = { stored.kek }, .kek_count = 1
    };
    struct buf frame;

    buf_init(&frame, VAULT_FRAME_BYTES_MAX);
    buf_add_byte(&frame, LINK_BOOT);
    vault_boot_encode(&frame, &boot);
    assert_ok(link_send(process->link, buf_slice(&frame), -1, VAULT_PROCESS_WAIT_MS));
    buf_release(&frame);
}

int
vault_process_hear(const struct vault_process *process, struct buf *frame)
{
    int rider;

    assert_ok(link_receive(process->link, frame, &rider, VAULT_PROCESS_WAIT_MS));
    assert_int_equal(rider, -1);
    int kind = frame->ptr[0];
    memmove(frame->ptr, frame->ptr + 1, --frame->len);
    return kind;
}

void
vault_process_hear_booted(const struct vault_process *process, struct vault_booted *out)
{
    struct buf frame;

    buf_init(&frame, VAULT_FRAME_BYTES_MAX);
    assert_int_equal(vault_process_hear(process, &frame), LINK_BOOTED);
    assert_ok(vault_booted_decode(buf_slice(&frame), out));
    buf_release(&frame);
}

struct vault_process
vault_process_ready(void)
{
    struct vault_process process;
    struct vault_booted booted;
    struct buf frame;

    vault_process_start(&process, "vault");
    vault_process_say_settings(&process);
    vault_process_say_boot(&process, vault_process_master_key);
    vault_process_hear_booted(&process, &booted);
    assert_int_equal(booted.result, VAULT_RESULT_OK);
    assert_false(booted.has_made);
    buf_init(&frame, 64);
    assert_int_equal(vault_process_hear(&process, &frame), LINK_READY);
    buf_release(&frame);
    return process;
}

int
vault_process_link(const struct vault_process *process, unsigned peer_role)
{
    const char frame[2] = { LINK_ADOPT, (char)peer_role };
    int ends[2];

    assert_ok(link_pair(ends));
    assert_ok(link_send(process->link, slice_of(frame, sizeof(frame)), ends[1], VAULT_PROCESS_WAIT_MS));
    close(ends[1]);
    return ends[0];
}

void
vault_process_forget(struct vault_process *process)
{
    static char text[1u << 20];
    ssize_t len = pread(process->log, text, sizeof(text), 0);

    assert_true(len > 0 && len < (ssize_t)sizeof(text));
    assert_true(slice_contains(slice_of(text, (size_t)len), SLICE("\"role\":\"vault\"")));
    for (size_t i = 0; i < COUNT_OF(vault_process_needles); i++)
        assert_false(slice_contains(slice_of(text, (size_t)len), vault_process_needles[i]));
    if (process->link >= 0)
        close(process->link);
    close(process->log);
    munmap((void *)(uintptr_t)process->page, metric_page_bytes());
}

int
vault_process_wait(struct vault_process *process)
{
    int status;

    assert_int_equal(waitpid(process->pid, &status, 0), process->pid);
    vault_process_forget(process);
    return status;
}

void
vault_process_end(struct vault_process *process)
{
    const char drain[1] = { LINK_DRAIN };

    assert_ok(link_send(process->link, slice_of(drain, 1), -1, VAULT_PROCESS_WAIT_MS));
    int status = vault_process_wait(process);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != ROLE_EXIT_OK)
        fail_msg("the vault ended with status %#x", (unsigned)status);
}

static enum err
key_source(void *ctx, struct id of, enum vault_purpose purpose, uint32_t version UNUSED,
           struct vault_wrapped_key *out)
{
    ++*(size_t *)ctx;
    if (!id_eq(of, vault_process_tenant))
        return ERR_NOT_FOUND;
    *out = stored.keys[purpose - VAULT_CONTENT];
    return ERR_OK;
}

size_t vault_process_fetched;

struct vault
vault_process_client(const struct vault_process *process, enum vault_role role)
{
    struct vault vault = { .key_source = key_source, .key_source_ctx = &vault_process_fetched };
    assert_ok(vault_client_new(vault_process_link(process, role), VAULT_PROCESS_WAIT_MS, &vault.client));
    return vault;
}

/* A KEK that is quick to derive, and a vault_process_tenant's keys under it: what `harkara serve` would find
 * in the database. */
int
vault_process_setup(void **state UNUSED)
{
    const struct vault_core_options options = { VAULT_SEAL_KEYS_MAX, KDF_SCRYPT_N_MIN, VAULT_KEY_SEALS_MAX };
    struct vault_boot boot = { .masters = { vault_process_master_key },
                               .master_count = 1,
                               .make_version = 1 };
    struct vault_request request = { .op = VAULT_OP_MAKE_KEYS, .id = 1, .tenant = vault_process_tenant };
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
