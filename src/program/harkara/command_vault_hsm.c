/* vault hsm-init: the master secret that a token wraps, made once, before harkara serves with that token. */
#include "domain/tenant/master_secret.h"
#include "program/harkara/command_vault.h"
#include "program/harkara/database.h"
#include "program/harkara/hsm_init.h"
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#define DATABASE_STOP_MS 20000

const struct argument_option vault_hsm_init_options[] = { COMMAND_COMMON_OPTIONS, { .name = NULL } };

/* Asked for, made and stored, in this order: what the token was asked for is counted whatever happens then.
 */
static enum err
secret_make(struct command_line *line, const struct database *database, const struct hsm_pins *pins)
{
    static struct master_secret secrets[MASTER_SECRETS_MAX];
    const struct config *config = &line->config;
    struct key_operator operator= vault_command_operator();
    struct hsm_wrapped wrapped;
    struct db *db = NULL;
    size_t count = 0;
    uint32_t version = 0;
    enum err err = database_connect_admin(database, &db);

    if (err == ERR_OK)
        err = master_secrets(db, secrets, &count);
    if (err == ERR_OK && master_secret_newest(secrets, count) != NULL) {
        complaint_set(&line->complaint, "this database has a master secret for a token already");
        err = ERR_EXISTS;
    }
    if (err == ERR_OK)
        err = master_secret_ask(db, slice_text(config->hsm_token), slice_text(config->hsm_key), &version);
    if (err == ERR_OK)
        err = hsm_secret_make(config, &line->folders, pins, version, &wrapped, &line->complaint);
    if (err == ERR_OK)
        err = vault_command_secret_store(db, &operator, & wrapped);
    db_close(db);
    return err;
}

enum exit_code
command_vault_hsm_init(struct command_line *line)
{
    struct database *database = NULL;
    struct hsm_pins pins;
    int lock_fd = -1;
    enum err err = hsm_pins_read(&line->config, &pins, &line->complaint);

    if (err == ERR_OK && geteuid() == 0 && getpwnam("harkara-hsm") == NULL) {
        complaint_set(&line->complaint, "there is no user harkara-hsm: run scripts/bootstrap as root");
        err = ERR_CONFIG;
    }
    if (err == ERR_OK)
        err = folders_make(&line->folders, geteuid() == 0, &line->complaint);
    if (err == ERR_OK)
        err = folders_lock(&line->folders, &lock_fd, &line->complaint);
    if (err == ERR_OK)
        err = database_start(&line->config, &line->folders, &database, &line->complaint);
    if (err == ERR_OK)
        err = secret_make(line, database, &pins);
    enum err stopped = database_stop(database, DATABASE_STOP_MS);
    if (lock_fd >= 0)
        close(lock_fd);
    hsm_pins_free(&pins);
    if (err == ERR_OK)
        err = stopped;
    if (err != ERR_OK)
        return command_fail(line, err);
    printf("token %s wraps the master secret; keep a backup of the token: without it nothing opens\n",
           line->config.hsm_token);
    return EXIT_DONE;
}
