/*
 * How a command reaches a running server: run/control.sock, mode 0600. Whoever connects and is root or the
 * supervisor's own user says in one small frame what it wants: a link to the vault in the role of the command
 * line, or something that only the supervisor can do, because it alone keeps the master key. So commands need
 * none.
 */
#ifndef PROGRAM_HARKARA_CONTROL_H
#define PROGRAM_HARKARA_CONTROL_H
#include "core/err.h"
#include "core/secret.h"
#include "program/harkara/complaint.h"
#include "program/harkara/kek.h"
#include "wire/vault/hsm_frame.h"

enum control_kind {
    CONTROL_VAULT = 1,       /* a link to the vault */
    CONTROL_KEK = 2,         /* make a key-encryption key */
    CONTROL_MASTER_DONE = 3, /* the first master key is of no more use */
    CONTROL_SECRET = 4,      /* let the token make a master secret */
};

struct control_kek {
    uint32_t scrypt_n; /* 0: the usual cost */
    bool has_master;   /* make it of this one, which is to replace what there is; else of the newest master
                          secret of   a token, or if there is none of the newest master key */
    unsigned char master[KEK_BYTES];
};

struct control_secret {
    uint32_t version;
    char token[HSM_LABEL_BYTES_MAX + 1],
        key[HSM_LABEL_BYTES_MAX + 1]; /* labels: where, and wrapped by which */
};

struct control_request {
    enum control_kind kind;
    struct control_kek kek; /* wipe it */
    struct control_secret secret;
};

/*
 * The supervisor's side: takes one waiting connection and what it wants, for which it has half a second.
 * ERR_NOTHING: none, or it said nothing that is understood; ERR_SCOPE: not its user. Then it is closed.
 */
MUST_CHECK enum err control_accept(int listen_fd, int *fd_out, struct control_request *request_out);
/* CONTROL_VAULT: hands the link over and closes both. */
void control_answer(int connection, int link);
/* The others: one frame; the connection stays the caller's. */
void control_say(int connection, struct slice frame);

/* The command's side. ERR_VAULT_UNAVAILABLE, ERR_SCOPE. *link_out is owned. */
MUST_CHECK enum err control_ask(const char *path, int *link_out, struct complaint *complaint);
/* Waits until it is made, which takes scrypt's time. ERR_LIMIT: another one is
 * being made, another master key is on its way, or there are as many as there may be. */
MUST_CHECK enum err control_ask_kek(const char *path, const struct control_kek *wanted,
                                    struct vault_booted *booted_out, struct complaint *complaint);
/* Waits for the token. ERR_VAULT_UNAVAILABLE: its process is away. What it made is wrapped; the caller stores
 * it. */
MUST_CHECK enum err control_ask_secret(const char *path, const struct control_secret *wanted,
                                       struct hsm_made *made_out, struct complaint *complaint);
MUST_CHECK enum err control_ask_master_done(const char *path, struct complaint *complaint);

#endif
