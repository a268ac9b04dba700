/* What the supervisor's loop (supervisor.c) and its dealings with the vault (supervisor_vault.c) share. */
#ifndef PROGRAM_HARKARA_SUPERVISOR_INTERNAL_H
#define PROGRAM_HARKARA_SUPERVISOR_INTERNAL_H
#include "program/harkara/child.h"
#include "program/harkara/control.h"
#include "program/harkara/followed_files.h"
#include "program/harkara/supervisor.h"

#define CHILDREN_MAX STATUS_PROCESSES_MAX

struct supervisor {
    const struct supervisor_options *with;
    struct child children[CHILDREN_MAX];
    size_t child_count;
    struct child *vault; /* the first */
    struct child *hsm;   /* NULL: no token */
    struct secret *pin;  /* owned; for its next start */
    bool is_hsm_refused; /* for good: it is not started again */
    char executables[CHILDREN_MAX][FOLDERS_PATH_BYTES];
    struct vault_kek keks[VAULT_KEKS_MAX];
    size_t kek_count;
    struct secret *masters[VAULT_MASTERS_MAX]; /* owned; the second one while the first is being replaced */
    int kek_connection; /* the command that waits for a new key-encryption key; -1: none */
    struct followed_files files;
    int signal_fd, pages_fd;
    uint16_t ports[ROLE_DATABASE_PORTS_MAX];
    size_t port_count;
    struct restart database_restart;
    struct mono_time database_up_at, database_start_at; /* the latter: when it is down */
    uint64_t database_restarts;
    struct wall_time started_at, database_started_at;
    struct mono_time tick_at;
    bool has_booted; /* the vault has served once: the master key is the right one */
    bool is_serving; /* said so */
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
/* After the start of the token's process: the PIN. */
void supervisor_hsm_open(struct supervisor *s);
/* Its answer to that. */
void supervisor_hsm_opened(struct supervisor *s, struct slice frame);
/* A command asks for a new key-encryption key; the connection is taken, and answered when there is one. */
void supervisor_kek_make(struct supervisor *s, const struct control_kek *wanted, int connection);
/* The vault's answer to that. */
void supervisor_kek_made(struct supervisor *s, struct slice frame);
/* The vault is gone: nobody waits any longer. */
void supervisor_kek_give_up(struct supervisor *s);
/* Nothing is wrapped under the first master key any more: it is wiped, and the second takes its place. */
void supervisor_master_done(struct supervisor *s, int connection);

#endif
