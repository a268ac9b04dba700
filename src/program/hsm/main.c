/*
 * The token's process: hosts the operator's PKCS#11 module, so that no other process has a foreign library in
 * it. It unwraps the master secret in the token and hands it to the vault over a link that the supervisor
 * made; it speaks to nobody else. Any trouble with the token ends it: it is started again, and opens the
 * token anew. It also makes master secrets, which leave it wrapped.
 */
#include "core/log.h"
#include "crypto/random.h"
#include "platform/ipc/link.h"
#include "platform/os/role.h"
#include "program/hsm/hsm_token.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define SECRET_BYTES    65536u
#define OPEN_TIMEOUT_MS 60000
#define SEND_TIMEOUT_MS 5000
#define HEARTBEAT_MS    1000
#define PATHS_MAX       16u

/*
 * The loop needs little; the rest is what modules do: files below the operator's folders, locks, threads, and
 * a daemon's socket (pcscd, p11-kit's server). TCP stays closed: there is no port in the rules.
 */
static const int calls[] = {
    SANDBOX_CALLS_BASE,     SANDBOX_CALLS_THREADS, SANDBOX_CALLS_FILES, SANDBOX_CALLS_CLIENT,
    SCMP_SYS(fcntl),        SCMP_SYS(flock),       SCMP_SYS(fsync),     SCMP_SYS(fdatasync),
    SCMP_SYS(ftruncate),    SCMP_SYS(getdents64),  SCMP_SYS(mkdir),     SCMP_SYS(mkdirat),
    SCMP_SYS(rmdir),        SCMP_SYS(unlink),      SCMP_SYS(unlinkat),  SCMP_SYS(rename),
    SCMP_SYS(renameat),     SCMP_SYS(pwrite64),    SCMP_SYS(umask),     SCMP_SYS(getppid),
    SCMP_SYS(clock_getres), SCMP_SYS(time),        SCMP_SYS(select),    SCMP_SYS(pselect6),
};

static struct {
    struct role role;
    struct hsm_token *token;
    enum err err; /* why the loop ends */
    bool is_over;
} hsm;

static enum err
err_of(enum hsm_trouble trouble)
{
    if (trouble == HSM_TROUBLE_NONE)
        return ERR_OK;
    return hsm_trouble_may_pass(trouble) ? ERR_VAULT_UNAVAILABLE : ERR_CONFIG;
}

/* Files of the module's configuration, and the folders of HARKARA_HSM_PATHS. */
static enum err
lock_in(struct config *config)
{
    const char *reads[] = { "/etc/softhsm", "/etc/pkcs11", "/etc/ssl/openssl.cnf", "/etc/nsswitch.conf",
                            "/usr/lib",     "/lib",        getenv("SOFTHSM2_CONF") };
    const char *writes[PATHS_MAX];
    struct sandbox_rules rules = { .paths_read = reads,
                                   .path_count = COUNT_OF(reads) - (reads[COUNT_OF(reads) - 1] == NULL),
                                   .paths_write = writes,
                                   .calls = calls,
                                   .call_count = COUNT_OF(calls) };

    for (char *at = config->hsm_paths; *at != '\0';) {
        char *end = at + strcspn(at, ":");
        bool is_last = *end == '\0';
        *end = '\0';
        if (end > at && rules.path_write_count == PATHS_MAX)
            return ERR_CONFIG;
        if (end > at)
            writes[rules.path_write_count++] = at;
        at = is_last ? end : end + 1;
    }
    return role_lock_in(&hsm.role, &rules);
}

static enum err
say(enum link_kind kind, void (*encode)(struct buf *out, const void *what), const void *what)
{
    struct buf frame;

    buf_init(&frame, HSM_FRAME_BYTES_MAX);
    buf_add_byte(&frame, (char)kind);
    encode(&frame, what);
    enum err err = buf_done(&frame);
    if (err == ERR_OK)
        err = link_send(role_fd(&hsm.role), buf_slice(&frame), -1, SEND_TIMEOUT_MS);
    buf_release(&frame);
    return err;
}

static void
opened_put(struct buf *out, const void *what)
{
    hsm_opened_encode(out, what);
}

static void
made_put(struct buf *out, const void *what)
{
    hsm_made_encode(out, what);
}

/* The supervisor's word with the PINs, which are wiped when the tokens have taken or refused them. */
static enum err
open_token(enum hsm_trouble loaded)
{
    struct hsm_opened opened = { .trouble = loaded };
    struct hsm_open with;
    struct buf frame;
    int fd;

    buf_init(&frame, HSM_FRAME_BYTES_MAX);
    enum err err = role_receive(&hsm.role, &frame, &fd, OPEN_TIMEOUT_MS);
    if (fd >= 0)
        close(fd);
    if (err == ERR_OK &&
        (frame.ptr[0] != LINK_HSM_OPEN || hsm_open_decode(slice_drop(buf_slice(&frame), 1), &with) != ERR_OK))
        err = ERR_FRAME;
    if (err == ERR_OK && opened.trouble == HSM_TROUBLE_NONE)
        opened.trouble = hsm_token_open(hsm.token, &with);
    buf_release_wiped(&frame);
    if (err != ERR_OK)
        return err;
    if (opened.trouble == HSM_TROUBLE_NONE)
        log_event(LOG_INFO, "hsm.opened");
    else
        log_event(LOG_ERROR, "hsm.not_opened", LOG_NUM("trouble", opened.trouble));
    err = say(LINK_HSM_OPENED, opened_put, &opened);
    return err == ERR_OK ? err_of(opened.trouble) : err;
}

/* A token that does not do what it was asked is opened anew; a key that may not be taken is the asker's
 * affair. */
static void
trouble_note(enum hsm_trouble trouble)
{
    if (trouble == HSM_TROUBLE_KEY_UNFIT || trouble == HSM_TROUBLE_KEY_MISSING || trouble == HSM_TROUBLE_NONE)
        return;
    hsm.err = err_of(trouble);
    hsm.is_over = true;
}

/* A new master secret, which nobody sees: it is opened for the vault when that needs it. */
static void
make(void *ctx UNUSED, struct slice bytes)
{
    struct hsm_made answer = { .trouble = HSM_TROUBLE_FAILED };
    struct secret *secret = secret_new(VAULT_KEY_BYTES);
    struct hsm_make with;

    if (secret != NULL && hsm_make_decode(slice_drop(bytes, 1), &with) == ERR_OK &&
        random_fill(secret_bytes(secret), VAULT_KEY_BYTES) == ERR_OK) {
        answer.made.version = with.version;
        answer.trouble = hsm_token_key_make(hsm.token, &with.key);
        if (answer.trouble == HSM_TROUBLE_NONE)
            answer.trouble = hsm_token_wrap(hsm.token, &with.key, secret, &answer.made);
    }
    secret_free(secret);
    if (answer.trouble == HSM_TROUBLE_NONE)
        log_event(LOG_INFO, "hsm.secret_made", LOG_NUM("version", answer.made.version));
    else
        log_event(LOG_ERROR, "hsm.secret_not_made", LOG_NUM("trouble", answer.trouble));
    trouble_note(answer.trouble);
    if (say(LINK_HSM_MADE, made_put, &answer) != ERR_OK)
        hsm.is_over = true;
}

/* All that is asked for, or nothing. */
static enum hsm_trouble
unwrap_all(const struct hsm_unwrap *with, struct secret *const secrets[HSM_SECRETS_MAX],
           struct hsm_secrets *out)
{
    enum hsm_trouble trouble = HSM_TROUBLE_NONE;

    for (size_t i = 0; trouble == HSM_TROUBLE_NONE && i < with->count; i++) {
        trouble = secrets[i] == NULL ? HSM_TROUBLE_FAILED
                                     : hsm_token_unwrap(hsm.token, &with->secrets[i].key,
                                                        &with->secrets[i].wrapped, secrets[i]);
        if (trouble == HSM_TROUBLE_NONE)
            out->bytes[out->count++] = secret_slice(secrets[i]);
    }
    if (trouble != HSM_TROUBLE_NONE)
        out->count = 0;
    return trouble;
}

/* To the vault, which waits at the other end. */
static void
unwrap(void *ctx UNUSED, struct slice bytes, int fd)
{
    struct hsm_secrets answer = { .trouble = HSM_TROUBLE_FAILED };
    struct secret *secrets[HSM_SECRETS_MAX];
    struct hsm_unwrap with;
    struct buf frame;

    for (size_t i = 0; i < COUNT_OF(secrets); i++)
        secrets[i] = secret_new(VAULT_KEY_BYTES);
    buf_init(&frame, HSM_FRAME_BYTES_MAX);
    if (hsm_unwrap_decode(slice_drop(bytes, 1), &with) == ERR_OK)
        answer.trouble = unwrap_all(&with, secrets, &answer);
    hsm_secrets_encode(&frame, &answer);
    enum err err = buf_done(&frame);
    if (err == ERR_OK)
        err = link_send(fd, buf_slice(&frame), -1, SEND_TIMEOUT_MS);
    if (err != ERR_OK) /* a vault that ended meanwhile */
        log_event(LOG_WARN, "hsm.answer_lost", LOG_ERR(err));
    if (answer.trouble == HSM_TROUBLE_NONE) {
        log_event(LOG_INFO, "hsm.unwrapped");
    } else {
        log_event(LOG_ERROR, "hsm.not_unwrapped", LOG_NUM("trouble", answer.trouble));
        hsm.err = err_of(answer.trouble);
        hsm.is_over = true;
    }
    buf_release_wiped(&frame);
    for (size_t i = 0; i < COUNT_OF(secrets); i++)
        secret_free(secrets[i]);
    close(fd);
}

static void
drain(void *ctx UNUSED)
{
    hsm.is_over = true;
}

static enum err
serve(void)
{
    const struct role_events events = { .drain = drain, .unwrap = unwrap, .make = make };

    while (!hsm.is_over) {
        struct pollfd wait = { .fd = role_fd(&hsm.role), .events = POLLIN };
        if (poll(&wait, 1, HEARTBEAT_MS) < 0 && errno != EINTR)
            return ERR_SYSTEM;
        role_heartbeat();
        if (wait.revents != 0)
            role_step(&hsm.role, &events);
    }
    return hsm.err;
}

int
main(void)
{
    enum hsm_trouble loaded = HSM_TROUBLE_NONE;

    enum err err = role_begin("hsm", CONFIG_HSM, SECRET_BYTES, &hsm.role);
    if (err == ERR_OK) {
        loaded = hsm_token_load(hsm.role.config.hsm_module, &hsm.token); /* no code is mapped afterwards */
        err = lock_in(&hsm.role.config);
    }
    if (err == ERR_OK)
        err = open_token(loaded); /* the module's first call, and the PIN's only one */
    if (err == ERR_OK) {
        role_ready(&hsm.role);
        err = serve();
    }
    hsm_token_close(hsm.token);
    return role_end(&hsm.role, err);
}
