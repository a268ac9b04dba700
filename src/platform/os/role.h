/*
 * How a role process begins, locks itself in, and ends. Every role's main is the same visible checklist:
 *
 *     err = role_begin("webhooks", CONFIG_WEBHOOKS, 1u << 20, &role); // `role` is static
 *     ... opens what needs files: TLS authorities, the contract, regular expressions
 *     err = role_lock_in(&role, &rules); // its tables stand in the same file
 *     err = role_watch_start(&role, &events); // or: polls role_fd() in its loop and calls role_step()
 *     ... threads, database connections
 *     role_ready(&role);
 *     ... the loop, with role_heartbeat() each second, until events.drain was called
 *     role_watch_stop(&role); // before what the events use is freed
 *     return role_end(&role, err); // main's one exit, also after the first error
 *
 * The supervisor starts libexec/harkara/NAME with a clean environment that holds only the role's own settings
 * (core/config.def), descriptors under the fixed numbers of enum role_fd and nothing else open. Passwords
 * come in the first frame of the supervisor's link, never in the environment or the arguments.
 */
#ifndef PLATFORM_OS_ROLE_H
#define PLATFORM_OS_ROLE_H
#include "core/buf.h"
#include "core/config.h"
#include "core/err.h"
#include "core/id.h"
#include "core/secret.h"
#include "platform/os/sandbox.h"

enum role_fd {
    ROLE_FD_SUPERVISOR = 3, /* the link to the supervisor: always there */
    ROLE_FD_PAGE = 4,       /* the metric page: always there */
    ROLE_FD_VAULT = 5,      /* a link to the vault */
    ROLE_FD_LISTEN = 6,     /* the API's listening socket, non-blocking; shared by all gateways */
    ROLE_FD_ADMIN = 7,      /* the admin socket, listening: gateway 0 only */
    ROLE_FD_PAGES = 8,      /* the folder of all processes' pages: gateway 0 only */
    ROLE_FD_LIMITS = 9,     /* memory in which all gateways count: gateways only */
    ROLE_FD_SMPP = 10,      /* the SMPP server's socket, listening: gateway 0 only */
    ROLE_FD_FREE            /* from here on nothing is open */
};

#define ROLE_PAGES_MAX        64u
#define ROLE_SECRET_BYTES_MAX (6u * 1024u * 1024u) /* below 8 MiB, which most systems let everybody lock */

/* One per process, static: it is large. Public fields are read by the role, never written. */
struct role {
    const char *name;     /* "gateway" */
    unsigned index;       /* 0, 1, ... among the processes of this role */
    struct id instance;   /* this run of this process (ID_INSTANCE): owner of leases */
    struct config config; /* only this role's settings are filled in */
    int vault_fd;         /* or -1 (the vault itself; until LINK_VAULT). Taken by vault_client_new. */
    int listen_fd;        /* or -1. Taken by the HTTP server. */
    int admin_fd;         /* or -1. Taken likewise. */
    int smpp_fd;          /* or -1. Taken by the SMPP server. */
    /* Of all processes, mapped read-only, for metric_print; gateway 0 only. */
    const void *pages[ROLE_PAGES_MAX];
    size_t page_count;
    /* Shared by all gateways, mapped for writing until the process ends; NULL for other roles. */
    void *limits;
    size_t limits_bytes;
    struct sandbox_facts sandbox; /* what role_lock_in achieved */
    struct role_private *private; /* the house's own */
};

/* What the supervisor says; called on the watch thread, or by role_step on the caller's. */
struct role_events {
    void *ctx;
    /* Once: take nothing new, finish, leave the loop. */
    void (*drain)(void *ctx);
    /* A new link to a new vault, taken. May be NULL for the vault itself. */
    void (*vault)(void *ctx, int fd);
    /* The vault only: a new peer's link, taken, and which enum vault_role it has for good. */
    void (*adopt)(void *ctx, int fd, uint8_t peer_role);
    /* The vault only: LINK_KEK, and a descriptor that came with it (taken) or -1. */
    void (*kek)(void *ctx, struct slice frame, int fd);
    /* The token's process only: LINK_HSM_UNWRAP, and the descriptor (taken) that the answer goes to. */
    void (*unwrap)(void *ctx, struct slice frame, int fd);
    /* The token's process only: LINK_HSM_MAKE. */
    void (*make)(void *ctx, struct slice frame);
};

/*
 * Core limit 0, not dumpable, umask 077, SIGPIPE ignored, unexpected descriptors closed, the log opened,
 * settings read, the secret pool made (`secret_bytes`, at most ROLE_SECRET_BYTES_MAX), the supervisor's first
 * frame received, the metric page mapped. Single-threaded. ERR_CONFIG, ERR_FRAME (no supervisor), ERR_SYSTEM:
 * go to role_end. `name` is a literal.
 */
MUST_CHECK enum err role_begin(const char *name, enum config_role config_role, size_t secret_bytes,
                               struct role *out);

/* The libpq connection string of this role's own database user, with its password. Borrowed; vault: NULL. */
const char *role_database(const struct role *role);

/* The password that Redis wants, NUL-terminated; NULL: none. Borrowed. */
const char *role_redis_password(const struct role *role);

/* Likewise the one that the mail relay wants. */
const char *role_mail_password(const struct role *role);

/*
 * The next frame from the supervisor, blocking: for the vault's boot frame, before role_lock_in and
 * role_watch_start. *fd_out as link_receive. Errors as link_receive.
 */
MUST_CHECK enum err role_receive(struct role *role, struct buf *frame, int *fd_out, int timeout_ms);

/*
 * sandbox_enter for this role: as root its user is harkara-NAME (rules->user stays NULL), the ports and the
 * authorities' file of a database that is reached by TCP are added to the rules. Then asks to die with the
 * supervisor. Before the first thread.
 */
MUST_CHECK enum err role_lock_in(struct role *role, const struct sandbox_rules *rules);

/* A thread that reads the supervisor's link and calls the events. ERR_SYSTEM. `events` is copied. */
MUST_CHECK enum err role_watch_start(struct role *role, const struct role_events *events);
/* Ends the thread; no event is called afterwards. Does nothing without one. */
void role_watch_stop(struct role *role);
/* For a process with one thread: poll role_fd for reading, then call role_step. */
int role_fd(const struct role *role);
void role_step(struct role *role, const struct role_events *events);
/* In both: when the supervisor is gone, the process ends at once with ROLE_EXIT_ORPHAN. */

/* Tells the supervisor and the metric page that this process serves. */
void role_ready(struct role *role);
/* The loop's sign of life, about once a second. Silent for ROLE_SILENT_MS_MAX: killed and restarted. */
void role_heartbeat(void);
#define ROLE_SILENT_MS_MAX 60000

/* Tells the supervisor why (ERR_OK: drained), closes what role_begin opened; main returns what it returns. */
int role_end(struct role *role, enum err err);

#define ROLE_EXIT_OK     0
#define ROLE_EXIT_CONFIG 78 /* settings or master key refused: starting again would not help */
#define ROLE_EXIT_FAILED 70
#define ROLE_EXIT_ORPHAN 75 /* the supervisor is gone */

#endif
