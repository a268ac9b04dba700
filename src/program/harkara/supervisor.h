/*
 * The supervisor's loop: starts the processes of the roster, hands them their links, starts again what ends,
 * and stops everything in order. One thread. It parses nothing that comes from a network, and of its own
 * processes' frames only what child.c and wire/vault read; a process that breaks a rule is killed, never the
 * supervisor.
 */
#ifndef PROGRAM_HARKARA_SUPERVISOR_H
#define PROGRAM_HARKARA_SUPERVISOR_H
#include "core/clock.h"
#include "core/config.h"
#include "core/secret.h"
#include "program/harkara/complaint.h"
#include "program/harkara/database.h"
#include "program/harkara/folders.h"
#include "program/harkara/hsm_init.h"

struct supervisor_options {
    const struct config *config;
    const struct folders *folders;
    struct database *database; /* started; stays the caller's */
    /* Taken, also when it fails. The second one, NULL or not, is to replace the first. */
    struct secret *masters[VAULT_MASTERS_GIVEN_MAX];
    /* With a token: its PIN, taken as the masters are, and that of a second one. The first NULL: no token. */
    struct hsm_pins pins;
    struct secret *redis_password; /* the gateways'; NULL: none. Stays the caller's */
    struct secret *mail_password;  /* the dispatchers'; likewise */
    bool is_master_of_environment; /* for status */
    const struct clock *clock;
    int listen_fd, admin_fd, control_fd; /* borrowed */
    int smpp_fd;                         /* likewise; -1: SMPP is not served */
    void (*serving)(void *ctx);          /* once, when every process has said that it serves */
    void *ctx;
};

/*
 * Blocks SIGTERM, SIGINT, SIGHUP and SIGCHLD for this thread, for supervisor_run to read. Before the first
 * child, so that none of them is missed. ERR_SYSTEM.
 */
MUST_CHECK enum err supervisor_block_signals(void);
/*
 * Runs until SIGTERM, SIGINT or SIGHUP (its terminal is gone), and returns ERR_OK when all processes are
 * gone. ERR_VAULT_KEK_WRONG: the master key is not the database's; nothing else was started. Other errors: it
 * could not begin; the complaint says why.
 */
MUST_CHECK enum err supervisor_run(const struct supervisor_options *options, struct complaint *complaint);

#endif
