/* What the commands about keys share: the database as the command line's login, and a link to the vault. */
#ifndef PROGRAM_HARKARA_COMMAND_VAULT_H
#define PROGRAM_HARKARA_COMMAND_VAULT_H
#include "domain/tenant/key_rotation.h"
#include "domain/tenant/tenant.h"
#include "program/harkara/command.h"

struct vault_command {
    struct command_line *line;
    struct arena *arena;
    struct db *db;
    struct vault_client *client;
    struct vault vault;
    struct key_operator operator;
};

/* The complaint says why not. vault_command_close, also when it fails. */
MUST_CHECK enum err vault_command_open(struct command_line *line, struct vault_command *out);
void vault_command_close(struct vault_command *command);
/* One of these works at a time, until it is closed. ERR_BUSY. */
MUST_CHECK enum err vault_command_lock(struct vault_command *command);
/* By slug or id. ERR_NOT_FOUND. */
MUST_CHECK enum err vault_command_tenant(struct vault_command *command, const char *text, struct tenant *out);

extern const struct argument_option vault_hsm_init_options[];
enum exit_code command_vault_hsm_init(struct command_line *line);

extern const struct argument_option vault_status_options[];
enum exit_code command_vault_status(struct command_line *line);

#endif
