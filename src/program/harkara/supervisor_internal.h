/* What the supervisor's loop (supervisor.c) and its dealings with the vault (supervisor_vault.c) share. */
#ifndef PROGRAM_HARKARA_SUPERVISOR_INTERNAL_H
#define PROGRAM_HARKARA_SUPERVISOR_INTERNAL_H
#include "domain/tenant/master_secret.h"
#include "program/harkara/child.h"
#include "program/harkara/control.h"
#include "program/harkara/followed_files.h"
#include "program/harkara/supervisor.h"

#define CHILDREN_MAX STATUS_PROCESSES_MAX

struct supervisor {
    const struct supervisor_options *with;
    struct child children[CHILDREN_MAX];
    size_t child_count;
    struct child *vault;                              /* the first */
    struct child *hsm;                                /* NULL: no token */
    struct hsm_pins pins;                             /* owned; for its next start */
    bool is_hsm_refused;                              /* for good: it is not started again */
    struct master_secret secrets[MASTER_SECRETS_MAX]; /* as the database had them when it was last asked */
    size_t secret_count;
    int secret_connection; /* the command that waits for a master secret; -1: none */
    char executables[CHILDREN_MAX][FOLDERS_PATH_BYTES];
    struct vault_kek keks[VAULT_KEKS_MAX];
    size_t kek_count;
    /* Owned; the second one while the first is being replaced. */
    struct secret *masters[VAULT_MASTERS_GIVEN_MAX];
    int kek_connection; /* the command that waits for a new key-encryption key; -1: none */
    uint32_t made_of;   /* what the key-encryption key that is being made is made of: 0, or a master secret */
    struct followed_files files;
    int signal_fd, pages_fd;
    int limits_fd; /* memory in which the gateways count; made once, so that it outlives each of them */
    uint16_t ports[ROLE_DATABASE_PORTS_MAX];
    size_t port_count;
    struct restart database_restart;
    struct mono_time database_up_at, database_start_at; /* the latter: when it is down */
    uint64_t database_restarts;
    struct wall_time started_at, database_started_at;
    struct mono_time tick_at;
    bool has_platform_keys; /* Harkara's own workspace has its data keys: looked at once */
    enum err platform_err;  /* why not; said once each */
    bool has_booted;        /* the vault has served once: the master key is the right one */
    bool is_serving;        /* said so */
    bool is_stopping, is_status_stale;
    struct mono_time stopping_since;
    unsigned stage;
    enum err err; /* why it stops; ERR_OK: it was asked to */
    struct complaint *complaint;
};

/* Begins to stop everything; `why` is what supervisor_run returns. Does nothing when it stops already. */
void supervisor_stop(struct supervisor *s, enum err why);

bool supervisor_vault_serves(const struct supervisor *s);
/* One end of a new link goes to the vault with its role for good; the other is returned, owned. -1: it does
 * not serve. */
int supervisor_vault_link(struct supervisor *s, unsigned vault_role);
/* The vault serves (again): everybody who talks to it gets a new link. */
void supervisor_vault_links_renew(struct supervisor *s);
/* After its start: the master key and what the database knows of key-encryption keys. */
void supervisor_vault_boot(struct supervisor *s);
/* Its answer to that. */
void supervisor_vault_booted(struct supervisor *s, struct slice frame);
/* Data keys of Harkara's own workspace, made where they are missing; tried again by the next call if that
 * fails. Does nothing while the vault does not serve. */
void supervisor_platform_keys(struct supervisor *s);
/* After the start of the token's process: the PINs, and the keys that have to be there. */
void supervisor_hsm_open(struct supervisor *s);
/* Its answer to that. */
void supervisor_hsm_opened(struct supervisor *s, struct slice frame);
/* Asks the database what there is of master secrets; if it does not answer, what is known will do. */
void supervisor_secrets_refresh(struct supervisor *s);
/* Whether the vault cannot start without the token. */
bool supervisor_needs_hsm(const struct supervisor *s);
/* A command wants the token to make a master secret; the connection is taken, and answered when it has. */
void supervisor_secret_make(struct supervisor *s, const struct control_secret *wanted, int connection);
/* The token's answer to that. */
void supervisor_secret_made(struct supervisor *s, struct slice frame);
/* The token's process is gone: nobody waits any longer. */
void supervisor_secret_give_up(struct supervisor *s);
/* A command asks for a new key-encryption key; the connection is taken, and answered when there is one. */
void supervisor_kek_make(struct supervisor *s, const struct control_kek *wanted, int connection);
/* The vault's answer to that. */
void supervisor_kek_made(struct supervisor *s, struct slice frame);
/* The vault is gone: nobody waits any longer. */
void supervisor_kek_give_up(struct supervisor *s);
/* Nothing is wrapped under the first master key any more: it is wiped, and the second takes its place; and
 * what there is of master secrets may have changed. */
void supervisor_master_done(struct supervisor *s, int connection);

#endif
