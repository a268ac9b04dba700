/* One process of the roster over its lives: started, watched, told to finish, ended, started again. */
#ifndef PROGRAM_HARKARA_CHILD_H
#define PROGRAM_HARKARA_CHILD_H
#include "core/clock.h"
#include "core/config.h"
#include "core/id.h"
#include "platform/ipc/link.h"
#include "program/harkara/restart.h"
#include "program/harkara/roster.h"
#include "program/harkara/status_file.h"
#include <sys/types.h>

struct child {
    const struct roster_row *row;
    unsigned index;
    enum status_state state;
    pid_t pid; /* 0: none */
    int link;  /* -1: none */
    struct link_reader reader;
    int page_fd;
    struct id instance;
    struct restart restart;
    uint64_t restarts;
    enum err failure; /* what it said before it ended */
    struct mono_time start_at, ready_at, kill_at;
    struct wall_time started_at;
    struct wall_time heartbeat; /* as last seen, and since when it has stood there */
    struct mono_time heartbeat_since;
    bool was_ready;     /* in this life */
    bool is_to_restart; /* it is drained to be started anew */
    enum status_end last_end;
    int last_end_number;
    bool has_sandbox;
    struct sandbox_facts sandbox;
    enum secret_memory memory;
};

struct child_start {
    const char *executable;
    const struct config *config;
    struct slice conninfo; /* empty: no database */
    const uint16_t *ports;
    size_t port_count;
    struct slice ca_file, redis_password, mail_password;
    int vault_fd, listen_fd, admin_fd, pages_fd, limits_fd, smpp_fd; /* -1: not given. Borrowed. */
    const struct clock *clock;
};

/* Makes the page's file in the folder. ERR_SYSTEM. */
MUST_CHECK enum err child_init(struct child *child, const struct roster_row *row, unsigned index,
                               const char *pages_folder);
void child_release(struct child *child);
/* Its page is wiped first; the settings frame is on the link when it returns. ERR_SYSTEM. */
MUST_CHECK enum err child_start(struct child *child, const struct child_start *with);
/* Sends a frame; a process that does not take it is killed. fd_or_minus_1 stays the caller's. */
void child_say(struct child *child, struct slice frame, int fd_or_minus_1);
/* Tells it to finish; after limit_ms it is killed (see child_tick). */
void child_drain(struct child *child, int limit_ms, const struct clock *clock);
void child_kill(const struct child *child);
/* Kills what is silent or late, and says whether it had to; once a second or so. */
bool child_tick(struct child *child, const struct clock *clock);
/* It was reaped: waits for its next start, unless `is_last`. */
void child_ended(struct child *child, int wait_status, bool is_last, const struct clock *clock);
/* READY: takes down what it says of itself. ERR_FRAME. */
MUST_CHECK enum err child_ready(struct child *child, struct slice frame, const struct clock *clock);

void child_status(const struct child *child, struct status_process *out);

#endif
