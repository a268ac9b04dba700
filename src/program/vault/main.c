/*
 * The vault: the one process that holds keys. It speaks to nobody but over socketpairs that the supervisor
 * gave it; after its start it has no files, no network and no users' rights. One thread, one request at a
 * time; of each link a few before it is the next one's turn.
 */
#include "core/log.h"
#include "core/metric.h"
#include "core/secret.h"
#include "platform/ipc/link.h"
#include "platform/os/role.h"
#include "program/vault/vault_core.h"
#include "program/vault/vault_selftest.h"
#include "wire/vault/hsm_frame.h"
#include <errno.h>
#include <poll.h>
#include <unistd.h>

/* 16 gateways, 16 dispatchers, the others, commands that run now, and each once more while it is being
 * replaced. */
#define LINKS_MAX       96u
#define BOOT_TIMEOUT_MS 60000
#define SEND_TIMEOUT_MS 5000
#define HSM_TIMEOUT_MS  15000
#define HEARTBEAT_MS    1000
/* Of one link at a time: a batch of a thousand does not delay another's one by more than a quarter of a ms.
 */
#define TURN_REQUESTS_MAX 32u
#define TURN_BYTES_MAX    262144u /* of answers that wait, and the next request; the first is always served */
#define KEEP_BYTES_MAX    65536u  /* of the memory that a long answer took */

/*
 * All that the loop below needs of the kernel: to wait, to receive and send on links that are there, to write
 * its log, memory, randomness and time. Whatever else it calls ends it.
 */
static const int calls[] = {
    SCMP_SYS(poll),       SCMP_SYS(ppoll),         SCMP_SYS(recvmsg),      SCMP_SYS(sendmsg),
    SCMP_SYS(write),      SCMP_SYS(close),         SCMP_SYS(brk),          SCMP_SYS(mmap),
    SCMP_SYS(munmap),     SCMP_SYS(mremap),        SCMP_SYS(madvise),      SCMP_SYS(futex),
    SCMP_SYS(getrandom),  SCMP_SYS(clock_gettime), SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall),
    SCMP_SYS(exit_group),
};
/* No file, no port, no other call. */
static const struct sandbox_rules rules = { .calls = calls,
                                            .call_count = COUNT_OF(calls),
                                            .kills_on_refusal = true };

struct vault_link {
    int fd; /* owned */
    enum vault_role peer;
    struct link_reader reader;
    struct link_writer writer;
    uint64_t refused, failed; /* answers of this kind so far */
};

static struct {
    struct role role;
    struct vault_core *core;
    struct vault_link links[LINKS_MAX];
    size_t link_count;
    struct buf answer; /* the one being made; wiped after it */
    bool is_draining;
} vault;

/* Starting. */

static const char *
memory_name(void)
{
    switch (secret_pool_memory()) {
    case SECRET_MEMORY_FD:
        return "memfd_secret";
    case SECRET_MEMORY_LOCKED:
        return "mlock";
    case SECRET_MEMORY_UNLOCKED:
        return "unlocked";
    case SECRET_MEMORY_NONE:
        break;
    }
    return "none";
}

/* The link that came with the supervisor's frame, taken: the token's process says master secrets there, which
 * come behind the other master keys. They lie in the frame, which is the caller's to wipe. */
static enum err
masters_of_token(int fd, struct buf *frame, struct vault_boot *with)
{
    struct hsm_secrets secrets;
    int rider = -1;

    enum err err = link_receive(fd, frame, &rider, HSM_TIMEOUT_MS);
    if (rider >= 0)
        close(rider);
    close(fd);
    if (err == ERR_OK)
        err = hsm_secrets_decode(buf_slice(frame), &secrets);
    if (err == ERR_OK && secrets.trouble != HSM_TROUBLE_NONE)
        err = secrets.trouble == HSM_TROUBLE_REFUSED ? ERR_SEAL_CORRUPT : ERR_VAULT_UNAVAILABLE;
    if (err == ERR_OK && secrets.count > COUNT_OF(with->masters) - with->master_count)
        err = ERR_LIMIT;
    for (size_t i = 0; err == ERR_OK && i < secrets.count; i++)
        with->masters[with->master_count++] = secrets.bytes[i];
    if (err != ERR_OK)
        log_event(LOG_ERROR, "vault.token_failed", LOG_ERR(err));
    return err;
}

/* From the supervisor: the master key and what the database knows of the KEKs. The key is wiped when they are
 * made. */
static enum err
boot(void)
{
    struct vault_boot with;
    struct vault_booted booted = { .result = VAULT_RESULT_FAILED };
    struct buf frame, token;
    int fd;

    buf_init(&frame, VAULT_FRAME_BYTES_MAX);
    buf_init(&token, HSM_FRAME_BYTES_MAX);
    enum err err = role_receive(&vault.role, &frame, &fd, BOOT_TIMEOUT_MS);
    if (err == ERR_OK &&
        (frame.ptr[0] != LINK_BOOT || vault_boot_decode(slice_drop(buf_slice(&frame), 1), &with) != ERR_OK))
        err = ERR_FRAME;
    if (err != ERR_OK)
        goto done;
    if (fd >= 0) {
        err = masters_of_token(fd, &token, &with);
        fd = -1;
        booted.result = vault_result_of(err);
    }
    if (err == ERR_OK)
        err = vault_core_boot(vault.core, &with, &booted);
    buf_release_wiped(&frame);
    buf_release_wiped(&token);
    if (err == ERR_OK)
        log_event(LOG_INFO, "vault.booted", LOG_NUM("kek_version", booted.kek_version),
                  LOG_WORD("memory", memory_name()), LOG_NUM("is_new", booted.has_made));
    else
        log_event(LOG_ERROR, "vault.boot_failed", LOG_ERR(err), LOG_NUM("kek_version", booted.kek_version));
    buf_add_byte(&frame, LINK_BOOTED);
    vault_booted_encode(&frame, &booted);
    enum err told = buf_done(&frame);
    if (told == ERR_OK)
        told = link_send(role_fd(&vault.role), buf_slice(&frame), -1, SEND_TIMEOUT_MS);
    if (err == ERR_OK)
        err = told;
done:
    if (fd >= 0)
        close(fd);
    buf_release_wiped(&frame);
    buf_release_wiped(&token);
    return err;
}

/* Links. */

static void
link_drop(size_t at)
{
    struct vault_link *link = &vault.links[at];

    link_reader_release(&link->reader);
    link_writer_release(&link->writer);
    close(link->fd);
    *link = vault.links[--vault.link_count];
}

/* A new peer; from the supervisor only. What the peer is, is fixed here for good. */
static void
link_adopt(void *ctx UNUSED, int fd, uint8_t peer_role)
{
    enum vault_role peer;

    if (vault_role_from(peer_role, &peer) != ERR_OK || vault.link_count == LINKS_MAX) {
        log_event(LOG_ERROR, "vault.link_refused", LOG_NUM("peer_role", peer_role),
                  LOG_NUM("links", vault.link_count));
        close(fd);
        return;
    }
    struct vault_link *link = &vault.links[vault.link_count++];
    *link = (struct vault_link){ .fd = fd, .peer = peer };
    link_reader_init_ahead(&link->reader, fd);
    link_writer_init(&link->writer, fd);
    log_event(LOG_INFO, "vault.link_adopted", LOG_WORD("peer", vault_role_name(peer)));
}

/* At run time: keys made by another host, or a new one. scrypt takes its time, and everybody waits for it. */
static void
kek_add(void *ctx UNUSED, struct slice bytes, int fd)
{
    struct vault_booted booted = { .result = VAULT_RESULT_FAILED };
    struct vault_boot with;
    struct buf frame, token;

    buf_init(&token, HSM_FRAME_BYTES_MAX);
    enum err err = vault_boot_decode(slice_drop(bytes, 1), &with);
    if (fd >= 0 && err == ERR_OK)
        err = masters_of_token(fd, &token, &with);
    else if (fd >= 0)
        close(fd);
    if (err == ERR_OK)
        err = vault_core_kek_add(vault.core, &with, &booted);
    buf_release_wiped(&token);
    if (err == ERR_OK)
        log_event(LOG_INFO, "vault.kek_added", LOG_NUM("kek_version", booted.kek_version),
                  LOG_NUM("is_new", booted.has_made));
    else
        log_event(LOG_ERROR, "vault.kek_refused", LOG_ERR(err), LOG_NUM("kek_version", booted.kek_version));
    buf_init(&frame, 4096);
    buf_add_byte(&frame, LINK_KEK_MADE);
    vault_booted_encode(&frame, &booted);
    enum err told = buf_done(&frame);
    if (told == ERR_OK)
        told = link_send(role_fd(&vault.role), buf_slice(&frame), -1, SEND_TIMEOUT_MS);
    if (told != ERR_OK) /* without it nobody stores the key that was made */
        bug("a supervisor that takes no answer");
    buf_release(&frame);
}

static void
drain(void *ctx UNUSED)
{
    vault.is_draining = true;
}

/* The first, second, fourth, eighth ... of a kind: a peer that asks for what it may not cannot fill the log.
 */
static bool
is_worth_a_line(uint64_t times)
{
    return (times & (times - 1)) == 0;
}

static void
outcome_log(struct vault_link *link, const struct vault_outcome *outcome)
{
    if (outcome->result == VAULT_RESULT_FORBIDDEN && is_worth_a_line(++link->refused))
        log_event(LOG_ERROR, "vault.refused", LOG_WORD("peer", vault_role_name(link->peer)),
                  LOG_WORD("op", vault_op_name(outcome->op)), LOG_NUM("times", link->refused));
    if ((outcome->result == VAULT_RESULT_CORRUPT || outcome->result == VAULT_RESULT_LIMIT ||
         outcome->result == VAULT_RESULT_NO_MEMORY || outcome->result == VAULT_RESULT_FAILED) &&
        is_worth_a_line(++link->failed))
        log_event(LOG_WARN, "vault.failed", LOG_WORD("peer", vault_role_name(link->peer)),
                  LOG_WORD("op", vault_op_name(outcome->op)), LOG_ERR(vault_result_err(outcome->result)),
                  LOG_NUM("times", link->failed));
}

static void
answer_forget(void)
{
    if (vault.answer.len > 0)
        secret_wipe(vault.answer.ptr, vault.answer.len);
    if (vault.answer.cap > KEEP_BYTES_MAX)
        buf_release_wiped(&vault.answer);
    else
        buf_clear(&vault.answer);
}

/* The next request that waits; its answer goes behind those that were made before. */
static enum err
request_answer(struct vault_link *link)
{
    struct vault_outcome outcome;
    struct slice request;
    int rider; /* none comes: the reader refuses it, since nobody has a descriptor to give to the vault */

    enum err err = link_reader_take(&link->reader, &request, &rider);
    if (err == ERR_OK)
        err = vault_core_handle(vault.core, link->peer, request, &vault.answer, &outcome);
    link_reader_forget(&link->reader);
    if (err == ERR_OK) {
        outcome_log(link, &outcome);
        err = link_writer_put(&link->writer, buf_slice(&vault.answer));
    }
    answer_forget();
    return err;
}

/* What the peer asks now, as far as its turn goes; the answers go as far as it takes them. Any error: drop
 * the link. */
static enum err
link_answer(struct vault_link *link)
{
    enum err err = link_reader_fill(&link->reader);

    if (err == ERR_FRAME && link_reader_is_between(&link->reader))
        return ERR_NOTHING;
    for (size_t served = 0; err == ERR_OK && served < TURN_REQUESTS_MAX; served++) {
        size_t next = link_reader_next_bytes(&link->reader), waiting = link->writer.bytes.len;
        if (next == 0 || (waiting > 0 && waiting + next > TURN_BYTES_MAX))
            break;
        err = request_answer(link);
    }
    if (err == ERR_OK)
        err = link_writer_flush(&link->writer);
    return err == ERR_INCOMPLETE ? ERR_OK : err;
}

/* It can be served without a word from the kernel. */
static bool
has_work(const struct vault_link *link)
{
    return link_writer_is_idle(&link->writer) && link_reader_next_bytes(&link->reader) > 0;
}

/* A peer that does not take its answers is asked for no more requests: it fills neither memory nor time. */
static enum err
link_serve(struct vault_link *link, short events)
{
    if (link_writer_is_idle(&link->writer))
        return link_answer(link);
    if ((events & (POLLOUT | POLLERR | POLLHUP)) == 0)
        return ERR_OK;
    enum err err = link_writer_flush(&link->writer);
    return err == ERR_INCOMPLETE ? ERR_OK : err;
}

/* One round over all links that have something: each gets its turn. */
static void
links_serve(const struct pollfd *waits)
{
    for (size_t at = vault.link_count;
         at-- > 0;) { /* backwards, because a dropped one is filled from the end */
        struct vault_link *link = &vault.links[at];
        if (waits[at].revents == 0 && !has_work(link))
            continue;
        enum err err = link_serve(link, waits[at].revents);
        if (err == ERR_OK)
            continue;
        if (err == ERR_NOTHING)
            log_event(LOG_INFO, "vault.link_closed", LOG_WORD("peer", vault_role_name(link->peer)));
        else
            log_event(LOG_WARN, "vault.link_dropped", LOG_WORD("peer", vault_role_name(link->peer)),
                      LOG_ERR(err));
        link_drop(at);
    }
}

static enum err
serve(void)
{
    const struct role_events events = { .drain = drain, .adopt = link_adopt, .kek = kek_add };
    struct pollfd waits[1 + LINKS_MAX];
    struct mono_time beat_at = clock_mono(clock_system());

    vault_core_turn(vault.core, beat_at);
    while (!vault.is_draining) {
        size_t count = vault.link_count, busy = 0;
        waits[0] = (struct pollfd){ .fd = role_fd(&vault.role), .events = POLLIN };
        for (size_t i = 0; i < count; i++) {
            waits[1 + i] =
                (struct pollfd){ .fd = vault.links[i].fd,
                                 .events = link_writer_is_idle(&vault.links[i].writer) ? POLLIN : POLLOUT };
            busy += has_work(&vault.links[i]);
        }
        if (poll(waits, 1 + count, busy > 0 ? 0 : HEARTBEAT_MS) < 0 && errno != EINTR)
            return ERR_SYSTEM;
        if (clock_mono(clock_system()).us - beat_at.us >= HEARTBEAT_MS * 1000) {
            beat_at = clock_mono(clock_system());
            role_heartbeat();
            vault_core_turn(vault.core, beat_at);
        }
        links_serve(waits + 1);
        if (waits[0].revents != 0) /* after the links, because it may add some */
            role_step(&vault.role, &events);
    }
    return ERR_OK;
}

int
main(void)
{
    const struct vault_core_options options = VAULT_CORE_OPTIONS;

    buf_init(&vault.answer, VAULT_FRAME_BYTES_MAX);
    enum err err = role_begin("vault", CONFIG_VAULT, VAULT_CORE_SECRET_BYTES,
                              &vault.role); /* no cores, not dumpable, secret memory */
    if (err == ERR_OK)
        err = vault_selftest(); /* known answers; fetches every algorithm, draws random once */
    if (err == ERR_OK)
        err = vault_core_new(&options, &vault.core);
    if (err == ERR_OK)
        err = boot(); /* scrypt; wipes the master key; refuses a wrong one */
    if (err == ERR_OK)
        err = role_lock_in(&vault.role,
                           &rules); /* user, dumpable again, no new privileges, Landlock, seccomp */
    if (err == ERR_OK) {
        role_ready(&vault.role);
        err = serve();
    }
    while (vault.link_count > 0)
        link_drop(0);
    buf_release_wiped(&vault.answer);
    vault_core_free(vault.core);
    return role_end(&vault.role, err);
}
