/* The commands that concern the server: serve, status, migrate, config. */
#include "platform/db/migrate.h"
#include "program/harkara/command.h"
#include "program/harkara/database.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DATABASE_STOP_MS 20000

static const struct argument_option common_options[] = { COMMAND_COMMON_OPTIONS, { .name = NULL } };
static const struct argument_option json_options[] = { COMMAND_JSON_OPTION,
                                                       COMMAND_COMMON_OPTIONS,
                                                       { .name = NULL } };
static const struct argument_option serve_options[] = {
    { .name = "--init-kek",
      .help = "Without a master key: use state/master.kek, and make it at the first start." },
    COMMAND_COMMON_OPTIONS,
    { .name = NULL },
};
static const struct argument_option status_options[] = {
    { .name = "--wait", .value_name = "SECONDS", .help = "Wait so long until everything serves." },
    COMMAND_JSON_OPTION,
    COMMAND_COMMON_OPTIONS,
    { .name = NULL },
};

/* An external database may be migrated ahead of a new version's start; the embedded one is started for it. */
static enum exit_code
migrate(struct command_line *line)
{
    struct database *database = NULL;
    int lock_fd = -1;
    enum err err = folders_make(&line->folders, geteuid() == 0, &line->complaint);

    if (err == ERR_OK && line->config.database_url[0] != '\0') {
        struct db_problem problem = { { 0 } };
        size_t applied = 0;
        err = migrate_run(line->config.database_url, &applied, &problem);
        if (err == ERR_OK)
            printf("%zu migrations applied\n", applied);
        else
            complaint_set(&line->complaint, "database: %s", problem.detail);
        return err == ERR_OK ? EXIT_DONE : command_fail(line, err);
    }
    if (err == ERR_OK)
        err = folders_lock(&line->folders, &lock_fd, &line->complaint);
    if (err == ERR_OK)
        err = database_start(&line->config, &line->folders, &database, &line->complaint);
    if (err == ERR_OK)
        puts("the database has this program's schema");
    enum err stopped = database_stop(database, DATABASE_STOP_MS);
    if (lock_fd >= 0)
        close(lock_fd);
    return err != ERR_OK || stopped != ERR_OK ? command_fail(line, err != ERR_OK ? err : stopped) : EXIT_DONE;
}

/* The value in force of a variable among NAME=value strings, or NULL when it is the default. */
static const char *
value_of(char *const *strings, size_t count, const char *variable)
{
    size_t len = strlen(variable);

    for (size_t i = 0; i < count; i++)
        if (strncmp(strings[i], variable, len) == 0 && strings[i][len] == '=')
            return strings[i] + len + 1;
    return NULL;
}

struct config_print {
    char *set[CONFIG_COUNT];
    size_t count;
    json_t *json; /* NULL: as text */
};

static void
config_line(void *ctx, const char *variable, const char *fallback, const char *help)
{
    struct config_print *print = ctx;
    const char *value = value_of(print->set, print->count, variable);
    bool is_set = value != NULL;

    if (is_set && strcmp(variable, "DATABASE_URL") == 0)
        value = "(set; not shown, as it may hold a password)";
    if (print->json == NULL)
        printf("# %s Default: %s\n%s%s=%s\n\n", help, fallback[0] == '\0' ? "empty." : fallback,
               is_set ? "" : "#", variable, is_set ? value : fallback);
    else if (json_array_append_new(print->json, json_pack("{s:s,s:s,s:s,s:b,s:s}", "variable", variable,
                                                          "value", is_set ? value : fallback, "default",
                                                          fallback, "is_set", (int)is_set, "help", help)) !=
             0)
        bug("a setting that is no JSON");
}

static enum exit_code
config(struct command_line *line)
{
    struct config_print print = { .json = arguments_has(&line->arguments, "--json") ? json_array() : NULL };

    print.count = config_environment_for(&line->config, CONFIG_SUPERVISOR, print.set, CONFIG_COUNT);
    config_help(config_line, &print);
    for (size_t i = 0; i < print.count; i++) {
        secret_wipe(print.set[i], strlen(print.set[i]));
        free(print.set[i]);
    }
    if (print.json != NULL)
        command_print_json(print.json);
    else
        printf(
            "# State: %s\n# Sockets: %s\n# The master key is no setting: MASTER_KEK or HARKARA_MASTER_KEK_FILE.\n",
            line->folders.state, line->folders.run);
    return EXIT_DONE;
}

/* clang-format off */
const struct command commands_server[] = {
    { "serve", NULL, "[--init-kek] [--config FILE]", "Start everything and keep it running.",
      "Starts PostgreSQL (or uses DATABASE_URL), brings the schema up to date, starts every process locked in under\n"
      "its own user, and starts again what ends. The master key comes from MASTER_KEK in the environment (64\n"
      "hexadecimal digits; taken out of it at once) or from HARKARA_MASTER_KEK_FILE (mode 0400). SIGTERM, SIGINT\n"
      "and SIGHUP finish what is under way and stop everything; another one, two seconds later, does not wait. Logs go to\n"
      "standard error.",
      serve_options, 0, 0, false, command_serve },
    { "status", NULL, "[--wait SECONDS] [--json] [--config FILE]", "Say what runs, and how it is locked in.",
      "Asks no process: reads what the supervisor and the processes write down. Exit code 0: everything serves;\n"
      "1: not everything; 69: no supervisor runs.",
      status_options, 0, 0, true, command_status },
    { "migrate", NULL, "[--config FILE]", "Bring the database to this version's schema.",
      "\"serve\" does it as well; this is for doing it before. The embedded database is started for it and stopped.",
      common_options, 0, 0, false, migrate },
    { "config", NULL, "[--json] [--config FILE]", "List every setting, its value in force and its meaning.",
      "Printed as a file that --config takes.",
      json_options, 0, 0, false, config },
    { .group = NULL },
};
/* clang-format on */
