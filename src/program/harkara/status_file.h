/*
 * What the supervisor knows of its processes, in run/status.json: written whole at every change, read by
 * `harkara status` and by whatever watches the machine. Figures that move are on the processes' pages.
 */
#ifndef PROGRAM_HARKARA_STATUS_FILE_H
#define PROGRAM_HARKARA_STATUS_FILE_H
#include "core/buf.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/secret.h"
#include "platform/os/sandbox.h"

#define STATUS_PROCESSES_MAX 64u
#define STATUS_BYTES_MAX     65536u

enum status_state { STATUS_WAITING, STATUS_STARTING, STATUS_READY, STATUS_DRAINING, STATUS_STOPPED };
/* "waiting", "starting" ...: never NULL. */
const char *status_state_name(enum status_state state);

enum status_end { STATUS_END_NONE, STATUS_END_EXIT, STATUS_END_SIGNAL };

struct status_process {
    char role[32];
    unsigned index;
    int pid; /* 0: none now */
    enum status_state state;
    uint64_t restarts;
    struct wall_time started_at;
    enum status_end last_end; /* how the one before it ended, and with which code or signal */
    int last_end_number;
    bool has_sandbox; /* it has told what follows */
    struct sandbox_facts sandbox;
    enum secret_memory memory;
};

struct status {
    int pid;
    enum status_state state; /* of all: ready when every process is */
    struct wall_time started_at;
    char listen[160];    /* the API's address, as it was set; empty: it is not told */
    char master_key[32]; /* where the master key comes from; empty: it is not told */
    char token[33];      /* the label of the token; empty: none */
    struct status_process processes[STATUS_PROCESSES_MAX];
    size_t count;
};

void status_print(struct buf *out, const struct status *status);
/* ERR_JSON_SYNTAX or ERR_FRAME: not such a file. */
MUST_CHECK enum err status_parse(struct slice text, struct status *out);
/* Beside it and renamed: a reader sees the old or the new one. ERR_SYSTEM. */
MUST_CHECK enum err status_write(const char *path, const struct status *status);
/* ERR_NOT_FOUND: not there. */
MUST_CHECK enum err status_read(const char *path, struct status *out);

#endif
