/* vault hsm-init: the master secret that a token wraps, made once, before harkara serves with that token. */
#include "program/harkara/command_vault.h"
#include "program/harkara/database.h"
#include "program/harkara/hsm_init.h"
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#define DATABASE_STOP_MS 20000
#define FIRST_VERSION    1u

const struct argument_option vault_hsm_init_options[] = { COMMAND_COMMON_OPTIONS, { .name = NULL } };

static enum err
secret_make(struct command_line *line, const struct database *database, struct slice pin)
{
    struct hsm_wrapped wrapped;
    enum err err = database_hsm_secret(database, &wrapped);

    if (err == ERR_OK) {
        complaint_set(&line->complaint, "this database has a master secret for a token already");
        return ERR_EXISTS;
    }
    if (err == ERR_NOT_FOUND)
        err = hsm_secret_make(&line->config, &line->folders, pin, FIRST_VERSION, &wrapped, &line->complaint);
    return err == ERR_OK ? database_hsm_secret_add(database, &wrapped) : err;
}

enum exit_code
command_vault_hsm_init(struct command_line *line)
{
    struct database *database = NULL;
    struct secret *pin = NULL;
    int lock_fd = -1;
    enum err err = hsm_pin_read(&line->config, &pin, &line->complaint);

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
        err = secret_make(line, database, secret_slice(pin));
    enum err stopped = database_stop(database, DATABASE_STOP_MS);
    if (lock_fd >= 0)
        close(lock_fd);
    secret_free(pin);
    if (err == ERR_OK)
        err = stopped;
    if (err != ERR_OK)
        return command_fail(line, err);
    printf("token %s wraps the master secret; keep a backup of the token: without it nothing opens\n",
           line->config.hsm_token);
    return EXIT_DONE;
}
