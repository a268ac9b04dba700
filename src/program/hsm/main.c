/*
 * The token's process: hosts the operator's PKCS#11 module, so that no other process has a foreign library in
 * it. It unwraps the master secret in the token and hands it to the vault over a link that the supervisor
 * made; it speaks to nobody else. Any trouble with the token ends it: it is started again, and opens the
 * token anew.
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

static enum hsm_trouble
secret_make(uint32_t version, struct hsm_wrapped *out)
{
    struct secret *secret = secret_new(VAULT_KEY_BYTES);
    enum hsm_trouble trouble = HSM_TROUBLE_FAILED;

    *out = (struct hsm_wrapped){ .version = version };
    if (secret != NULL && random_fill(secret_bytes(secret), VAULT_KEY_BYTES) == ERR_OK)
        trouble = hsm_token_wrap(hsm.token, secret, out);
    secret_free(secret);
    return trouble;
}

/* The supervisor's word with the PIN, which is wiped when the token has taken or refused it. */
static enum err
open_token(enum hsm_trouble loaded)
{
    const struct config *config = &hsm.role.config;
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
    if (err != ERR_OK)
        goto done;
    uint32_t make_version = with.make_version;
    if (opened.trouble == HSM_TROUBLE_NONE)
        opened.trouble =
            hsm_token_open(hsm.token, config->hsm_token, config->hsm_key, with.pin, make_version != 0);
    buf_release_wiped(&frame);
    if (opened.trouble == HSM_TROUBLE_NONE && make_version != 0) {
        opened.trouble = secret_make(make_version, &opened.made);
        opened.has_made = opened.trouble == HSM_TROUBLE_NONE;
    }
    if (opened.trouble == HSM_TROUBLE_NONE)
        log_event(LOG_INFO, "hsm.opened");
    else
        log_event(LOG_ERROR, "hsm.not_opened", LOG_NUM("trouble", opened.trouble));
    buf_init(&frame, HSM_FRAME_BYTES_MAX);
    buf_add_byte(&frame, LINK_HSM_OPENED);
    hsm_opened_encode(&frame, &opened);
    err = buf_done(&frame);
    if (err == ERR_OK)
        err = link_send(role_fd(&hsm.role), buf_slice(&frame), -1, SEND_TIMEOUT_MS);
    if (err == ERR_OK)
        err = err_of(opened.trouble);
done:
    buf_release_wiped(&frame);
    return err;
}

/* To the vault, which waits at the other end. */
static void
unwrap(void *ctx UNUSED, struct slice bytes, int fd)
{
    struct hsm_secret answer = { .trouble = HSM_TROUBLE_FAILED };
    struct secret *secret = secret_new(VAULT_KEY_BYTES);
    struct hsm_wrapped wrapped;
    struct buf frame;

    buf_init(&frame, HSM_FRAME_BYTES_MAX);
    if (secret != NULL && hsm_wrapped_decode(slice_drop(bytes, 1), &wrapped) == ERR_OK)
        answer.trouble = hsm_token_unwrap(hsm.token, &wrapped, secret);
    if (answer.trouble == HSM_TROUBLE_NONE)
        answer.bytes = secret_slice(secret);
    hsm_secret_encode(&frame, &answer);
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
    secret_free(secret);
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
    const struct role_events events = { .drain = drain, .unwrap = unwrap };

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
