/* What the commands about keys share: the database as the command line's login, and a link to the vault. */
#ifndef PROGRAM_HARKARA_COMMAND_VAULT_H
#define PROGRAM_HARKARA_COMMAND_VAULT_H
#include "domain/tenant/key_rotation.h"
#include "domain/tenant/master_secret.h"
#include "domain/tenant/tenant.h"
#include "program/harkara/command.h"
#include "wire/vault/hsm_frame.h"

struct vault_command {
    struct command_line *line;
    struct arena *arena;
    struct db *db;
    struct vault_client *client;
    struct vault vault;
    struct key_operator operator;
};

/* Who runs the command, for the table of what was done to keys. */
struct key_operator vault_command_operator(void);
/* The complaint says why not. vault_command_close, also when it fails. */
MUST_CHECK enum err vault_command_open(struct command_line *line, struct vault_command *out);
void vault_command_close(struct vault_command *command);
/* One of these works at a time, until it is closed. ERR_BUSY. */
MUST_CHECK enum err vault_command_lock(struct vault_command *command);
/* By slug or id. ERR_NOT_FOUND. */
MUST_CHECK enum err vault_command_tenant(struct vault_command *command, const char *text, struct tenant *out);

/* Key-encryption keys, and what they are made of (command_vault_kek.c). */
struct kek_rotated {
    int64_t wrapped;  /* data keys */
    uint32_t version; /* in force now */
    int64_t made_of;  /* 0: a master key; else the version of a master secret */
    char token[MASTER_SECRET_LABEL_BYTES_MAX + 1], key[MASTER_SECRET_LABEL_BYTES_MAX + 1]; /* of that */
    size_t secrets_removed;
};
/* Whether the command line asks for one: *out. false: what it says does not go together; the complaint says
 * why. */
bool kek_rotation_is_wanted(struct command_line *line, bool *out);
MUST_CHECK enum err kek_rotate(struct vault_command *command, struct kek_rotated *out);
void kek_rotated_print(const struct kek_rotated *rotated);
/* What the token has made goes where it was asked for. */
MUST_CHECK enum err vault_command_secret_store(struct db *db, const struct key_operator *operator,
                                               const struct hsm_wrapped * wrapped);

extern const struct argument_option vault_hsm_init_options[];
enum exit_code command_vault_hsm_init(struct command_line *line);

extern const struct argument_option vault_status_options[];
enum exit_code command_vault_status(struct command_line *line);

#endif
