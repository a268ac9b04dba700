#include "core/log.h"
#include "domain/tenant/master_secret.h"
#include "platform/os/role.h"
#include "platform/os/role_settings.h"
#include "platform/redis/redis.h"
#include "program/harkara/command.h"
#include "program/harkara/database.h"
#include "program/harkara/hsm_init.h"
#include "program/harkara/kek.h"
#include "program/harkara/listener.h"
#include "program/harkara/roster.h"
#include "program/harkara/supervisor.h"
#include "wire/mail/mail_relay.h"
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#define DATABASE_STOP_MS 20000
#define CONTROL_MODE     0600
#define ADMIN_MODE       0600

/* As root every process drops to a user of its own: without one it would not start, so say it at once. */
static enum err
users_check(const struct config *config, struct complaint *complaint)
{
    char name[48];

    for (const struct roster_row *row = roster; geteuid() == 0 && row->name != NULL; row++) {
        if (roster_count(row, config) == 0)
            continue;
        snprintf(name, sizeof(name), "harkara-%s", row->name);
        if (getpwnam(name) == NULL) {
            complaint_set(complaint,
                          "there is no user %s: run scripts/bootstrap as root, or serve as an ordinary user",
                          name);
            return ERR_CONFIG;
        }
    }
    return ERR_OK;
}

/* Every role makes its pool as this process would: where the largest cannot be had, say it at once. */
static enum err
memory_check(const struct config *config, struct complaint *complaint)
{
    if (config->unlocked_secrets != 0 || secret_memory_offered(ROLE_SECRET_BYTES_MAX) != SECRET_MEMORY_NONE)
        return ERR_OK;
    complaint_set(complaint, COMPLAINT_MEMORY, ROLE_SECRET_BYTES_MAX / 1024);
    return ERR_CONFIG;
}

/* What a token needs, if there is to be one. */
static enum err
token_given(struct command_line *line, struct supervisor_options *options)
{
    const struct config *config = &line->config;

    if (config->hsm_module[0] == '\0')
        return ERR_OK;
    if (arguments_has(&line->arguments, "--init-kek") || config->master_kek_new_file[0] != '\0') {
        complaint_set(&line->complaint, "HARKARA_HSM_MODULE goes neither with --init-kek nor with "
                                        "HARKARA_MASTER_KEK_NEW_FILE: beside a token, the other key is "
                                        "HARKARA_MASTER_KEK_FILE's");
        return ERR_CONFIG;
    }
    return hsm_pins_read(config, &options->pins, &line->complaint);
}

/* There is a master secret for the token, or there was one and the key that has followed it is given. */
static enum err
secrets_check(struct command_line *line, const struct database *database)
{
    static struct master_secret secrets[MASTER_SECRETS_MAX];
    struct db *db = NULL;
    bool was_removed = false;
    size_t count = 0;
    enum err err = database_connect_admin(database, &db);

    if (err == ERR_OK)
        err = master_secret_adopt(db, slice_text(line->config.hsm_token), slice_text(line->config.hsm_key));
    if (err == ERR_OK)
        err = master_secrets(db, secrets, &count);
    db_close(db);
    if (err != ERR_OK) {
        complaint_set(&line->complaint, "the token's master secret cannot be read: %s", err_title(err));
        return err;
    }
    for (size_t i = 0; i < count; i++)
        was_removed = was_removed || secrets[i].state == MASTER_SECRET_REMOVED;
    if (master_secret_newest(secrets, count) != NULL || (was_removed && line->master_key != NULL))
        return ERR_OK;
    complaint_set(&line->complaint,
                  was_removed ? "another master key has followed the token's: give it as MASTER_KEK or "
                                "HARKARA_MASTER_KEK_FILE, and take HARKARA_HSM_MODULE out"
                              : "there is no master secret for the token yet: run \"harkara vault "
                                "hsm-init\" once, while harkara does not serve");
    return ERR_CONFIG;
}

/* From the environment, else from HARKARA_MASTER_KEK_FILE, else none yet. */
static enum err
master_key_given(struct command_line *line)
{
    if (line->master_key != NULL || line->config.master_kek_file[0] == '\0')
        return ERR_OK;
    return kek_file_read(line->config.master_kek_file, &line->master_key, &line->complaint);
}

/*
 * With --init-kek from the state folder, where one is made if nothing was sealed yet. Lying beside the data
 * it protects a copy of the database alone: it is for trying out.
 */
static enum err
master_key_of_state(struct command_line *line, struct database *database)
{
    struct vault_kek keks[VAULT_KEKS_MAX];
    size_t count = 0;
    bool is_wanted = arguments_has(&line->arguments, "--init-kek");

    if (line->master_key != NULL)
        return ERR_OK;
    if (is_wanted && access(line->folders.master_kek, F_OK) == 0)
        return kek_file_read(line->folders.master_kek, &line->master_key, &line->complaint);
    enum err err = database_keks(database, keks, &count, &line->complaint);
    if (err != ERR_OK)
        return err;
    if (is_wanted && count == 0) {
        err = kek_file_make(line->folders.master_kek, &line->master_key, &line->complaint);
        if (err == ERR_OK)
            log_event(LOG_WARN, "supervisor.master_key_made");
        return err;
    }
    complaint_set(
        &line->complaint,
        count == 0
            ? "there is no master key: give MASTER_KEK (64 hexadecimal digits: openssl rand -hex 32) in "
              "the environment or HARKARA_MASTER_KEK_FILE, or let --init-kek make one"
            : "there is no master key, and this database was sealed with one: give MASTER_KEK in the "
              "environment, or HARKARA_MASTER_KEK_FILE");
    return ERR_CONFIG;
}

/* While the master key is being replaced, the one that follows it. */
static enum err
successor_given(struct command_line *line, struct secret **out)
{
    *out = NULL;
    if (line->config.master_kek_new_file[0] == '\0')
        return ERR_OK;
    return kek_file_read(line->config.master_kek_new_file, out, &line->complaint);
}

/* What the gateways will need of Redis, if they are to count there. */
static enum err
redis_given(struct command_line *line, struct supervisor_options *options)
{
    const struct config *config = &line->config;
    struct slice policy = slice_text(config->limits_without_redis);
    uint16_t port;

    if (!slice_eq(policy, SLICE("refuse")) && !slice_eq(policy, SLICE("share"))) {
        complaint_set(&line->complaint, "HARKARA_LIMITS_WITHOUT_REDIS is refuse or share");
        return ERR_CONFIG;
    }
    if (config->redis_url[0] == '\0')
        return ERR_OK;
    if (redis_url_check(slice_text(config->redis_url), &port) != ERR_OK) {
        complaint_set(&line->complaint, "HARKARA_REDIS_URL is unix:/path or redis://host:port");
        return ERR_CONFIG;
    }
    return config->redis_password_file[0] == '\0'
               ? ERR_OK
               : kek_pin_read(config->redis_password_file, ROLE_PASSWORD_BYTES_MAX, &options->redis_password,
                              &line->complaint);
}

/* Mail: a wrong relay would be found out by the first who waits for a link. */
static enum err
mail_given(struct command_line *line, struct supervisor_options *options)
{
    const struct config *config = &line->config;
    struct mail_relay relay;
    struct mailbox from;

    if (config->mail_relay[0] == '\0')
        return ERR_OK;
    if (mail_relay_read(slice_text(config->mail_relay), &relay) != ERR_OK) {
        complaint_set(&line->complaint, "HARKARA_MAIL_RELAY is smtps://host:port or smtp://host:port");
        return ERR_CONFIG;
    }
    if (mailbox_read(slice_text(config->mail_from), &from) != ERR_OK) {
        complaint_set(&line->complaint,
                      "HARKARA_MAIL_FROM is no-reply@example.org or Harkara <no-reply@example.org>");
        return ERR_CONFIG;
    }
    return config->mail_password_file[0] == '\0'
               ? ERR_OK
               : kek_pin_read(config->mail_password_file, ROLE_PASSWORD_BYTES_MAX, &options->mail_password,
                              &line->complaint);
}

static enum err
serve_on(struct command_line *line, struct supervisor_options *options)
{
    struct database *database = NULL;
    enum err err = database_start(&line->config, &line->folders, &database, &line->complaint);

    if (err == ERR_OK)
        err = line->config.hsm_module[0] != '\0' ? secrets_check(line, database)
                                                 : master_key_of_state(line, database);
    options->database = database;
    if (err == ERR_OK)
        err = successor_given(line, &options->masters[1]);
    if (err == ERR_OK) {
        options->masters[0] = line->master_key;
        line->master_key = NULL; /* taken */
        err = supervisor_run(options, &line->complaint);
        options->pins = (struct hsm_pins){ { NULL } }; /* taken */
    }
    if (unlink(line->folders.status) != 0 && errno != ENOENT)
        log_event(LOG_WARN, "supervisor.status_left", LOG_NUM("errno", errno));
    enum err stopped = database_stop(database, DATABASE_STOP_MS);
    if (stopped != ERR_OK)
        log_event(LOG_WARN, "supervisor.database_forced", LOG_ERR(stopped));
    return err;
}

/* What a person got wrong is found before anything is started; connections wait in the backlog until we
 * serve. */
static enum err
serve(struct command_line *line)
{
    struct supervisor_options options = { .config = &line->config,
                                          .folders = &line->folders,
                                          .clock = clock_system(),
                                          .listen_fd = -1,
                                          .admin_fd = -1,
                                          .smpp_fd = -1,
                                          .control_fd = -1,
                                          .is_master_of_environment = line->master_key != NULL };
    int lock_fd = -1;
    enum err err = master_key_given(line);

    if (err == ERR_OK)
        err = token_given(line, &options);
    if (err == ERR_OK)
        err = redis_given(line, &options);
    if (err == ERR_OK)
        err = mail_given(line, &options);
    if (err == ERR_OK)
        err = folders_make(&line->folders, geteuid() == 0, &line->complaint);
    if (err == ERR_OK)
        err = folders_lock(&line->folders, &lock_fd, &line->complaint);
    (void)snprintf(line->config.dnd_dir, sizeof(line->config.dnd_dir), "%s",
                   line->folders.dnd); /* the roles are told */
    if (err == ERR_OK)
        err = listener_open(line->config.listen, &options.listen_fd, &line->complaint);
    if (err == ERR_OK && line->config.smpp_listen[0] != '\0')
        err = listener_open_smpp(line->config.smpp_listen, &options.smpp_fd, &line->complaint);
    if (err == ERR_OK)
        err = listener_open_unix(line->folders.admin_socket, ADMIN_MODE, &options.admin_fd, &line->complaint);
    if (err == ERR_OK)
        err = listener_open_unix(line->folders.control_socket, CONTROL_MODE, &options.control_fd,
                                 &line->complaint);
    if (err == ERR_OK)
        err = serve_on(line, &options);
    listener_close(line->config.listen, options.listen_fd);
    listener_close(line->config.smpp_listen, options.smpp_fd);
    listener_close(line->folders.admin_socket, options.admin_fd);
    listener_close(line->folders.control_socket, options.control_fd);
    if (lock_fd >= 0)
        close(lock_fd);
    hsm_pins_free(&options.pins);
    secret_free(options.redis_password);
    secret_free(options.mail_password);
    return err;
}

enum exit_code
command_serve(struct command_line *line)
{
    enum log_level level = LOG_INFO;
    enum err err = log_level_parse(slice_text(line->config.log_level), &level);

    log_open("supervisor", level, STDERR_FILENO);
    if (err == ERR_OK)
        err = users_check(&line->config, &line->complaint);
    if (err == ERR_OK)
        err = memory_check(&line->config, &line->complaint);
    if (err == ERR_OK)
        err = supervisor_block_signals();
    if (err == ERR_OK)
        err = serve(line);
    return err == ERR_OK ? EXIT_DONE : command_fail(line, err);
}
