/*
 * harkara: the command line and the supervisor. Whatever the command, the master key is taken out of the
 * environment before anything else is done, and this process is not dumpable.
 */
#include "core/buf.h"
#include "core/log.h"
#include "program/harkara/command.h"
#include "program/harkara/kek.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_POOL_BYTES   262144u /* the master key, passwords, keys that are shown */
#define CONFIG_BYTES_MAX    65536u
#define CONFIG_DEFAULT_PATH "/etc/harkara/harkara.conf"

static const struct command *const tables[] = { commands_server, commands_tenant, commands_key,
                                                commands_issuer, commands_person, commands_vault, commands_audit,
                                                commands_dnd };

static const struct command *
command_find(const char *group, const char *name)
{
    for (size_t t = 0; t < COUNT_OF(tables); t++)
        for (const struct command *row = tables[t]; row->group != NULL; row++)
            if (strcmp(row->group, group) == 0 &&
                (row->name == NULL || (name != NULL && strcmp(row->name, name) == 0)))
                return row;
    return NULL;
}

static void
help_print(FILE *to)
{
    fprintf(to, "harkara " HARKARA_VERSION ": a self-hosted messaging platform\n\n"
                "  harkara COMMAND [OPTIONS]\n\n");
    for (size_t t = 0; t < COUNT_OF(tables); t++)
        for (const struct command *row = tables[t]; row->group != NULL; row++)
            fprintf(to, "  %-7s%-8s %s\n", row->group, row->name == NULL ? "" : row->name, row->summary);
    fprintf(
        to,
        "  version        Print the version.\n"
        "  help           Print this, or the help of a command: harkara help key create\n\n"
        "Settings come from /etc/harkara/harkara.conf (or --config FILE) and from the environment;\n"
        "\"harkara config\" lists them. Exit codes are those of sysexits.h: 0 done, 64 usage, 65 a value is\n"
        "not allowed, 67 not there, 69 try again, 70 internal, 73 exists, 77 no permission, 78 settings.\n");
}

static void
command_help(const struct command *row, FILE *to)
{
    fprintf(to, "harkara %s%s%s %s\n\n%s\n", row->group, row->name == NULL ? "" : " ",
            row->name == NULL ? "" : row->name, row->synopsis, row->summary);
    if (row->detail != NULL)
        fprintf(to, "\n%s\n", row->detail);
    fprintf(to, "\n");
    for (const struct argument_option *option = row->options; option->name != NULL; option++) {
        char left[40];
        snprintf(left, sizeof(left), "%s%s%s", option->name, option->value_name == NULL ? "" : " ",
                 option->value_name == NULL ? "" : option->value_name);
        fprintf(to, "  %-22s %s%s%s\n", left, option->help, option->is_required ? " Required." : "",
                option->is_repeatable ? " May be repeated." : "");
    }
}

void
command_print_json(json_t *value)
{
    if (value == NULL || json_dumpf(value, stdout, JSON_COMPACT) != 0)
        bug("an answer of a command that is no JSON");
    putchar('\n');
    json_decref(value);
}

enum exit_code
command_fail(struct command_line *line, enum err err)
{
    if (line->complaint.text[0] == '\0')
        complaint_set(&line->complaint, "%s", err_title(err));
    return exit_code_of(err);
}

/* As harkara.conf may hold a database password and decides what runs, nobody else may write it. */
static enum err
config_file_read(struct config *config, const char *path, bool is_wanted, struct complaint *complaint)
{
    struct config_problem problem = { { 0 }, { 0 } };
    struct stat st;
    struct buf text;
    ssize_t n = 0;
    enum err err = ERR_CONFIG;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 && !is_wanted)
        return ERR_OK;
    buf_init(&text, CONFIG_BYTES_MAX);
    char *to = buf_reserve(&text, CONFIG_BYTES_MAX);
    if (fd < 0 || to == NULL || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        complaint_set(complaint, "%s: cannot be read", path);
        goto done;
    }
    if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        complaint_set(complaint, "%s: must belong to root or to this user, and nobody else may write it",
                      path);
        goto done;
    }
    while (text.len < CONFIG_BYTES_MAX && (n = read(fd, to + text.len, CONFIG_BYTES_MAX - text.len)) > 0)
        text.len += (size_t)n;
    err = n == 0 ? config_read_text(config, buf_slice(&text), &problem) : ERR_CONFIG;
    if (err != ERR_OK)
        complaint_set(complaint, "%s: %s %s", path, problem.variable,
                      n == 0 ? problem.detail : "is too long");
done:
    if (fd >= 0)
        close(fd);
    buf_release_wiped(&text);
    return err;
}

/* Copied into the settings by now; nothing that we start inherits it anyway. */
static void
environment_wipe(const char *variable)
{
    char *value = getenv(variable);

    if (value == NULL)
        return;
    secret_wipe(value, strlen(value));
    unsetenv(variable);
}

static enum err
settings_read(struct command_line *line)
{
    const char *path = arguments_value(&line->arguments, "--config");
    struct config_problem problem = { { 0 }, { 0 } };
    enum log_level level = LOG_INFO;

    config_init(&line->config);
    enum err err = config_file_read(&line->config, path == NULL ? CONFIG_DEFAULT_PATH : path, path != NULL,
                                    &line->complaint);
    if (err != ERR_OK)
        return err;
    err = config_read_environment(&line->config, environ, &problem);
    if (err == ERR_OK && log_level_parse(slice_text(line->config.log_level), &level) != ERR_OK) {
        complaint_set(&line->complaint, "HARKARA_LOG_LEVEL must be debug, info, warn or error");
        return ERR_CONFIG;
    }
    if (err != ERR_OK) {
        complaint_set(&line->complaint, "%s %s (\"harkara config\" lists all settings)", problem.variable,
                      problem.detail);
        return err;
    }
    environment_wipe("DATABASE_URL");
    /* A command speaks to a person: from the log only what went wrong. `serve` opens it again. */
    log_open("harkara", level > LOG_WARN ? level : LOG_WARN, STDERR_FILENO);
    return folders_name(&line->config, geteuid() == 0, getenv("HOME"), &line->folders, &line->complaint);
}

/* The files of a server that an ordinary user runs are that user's; root needs no more than they do. */
static enum err
owner_become(struct command_line *line)
{
    struct stat st;

    if (geteuid() != 0 || stat(line->folders.state, &st) != 0 || st.st_uid == 0)
        return ERR_OK;
    if (setgroups(0, NULL) == 0 && setresgid(st.st_gid, st.st_gid, st.st_gid) == 0 &&
        setresuid(st.st_uid, st.st_uid, st.st_uid) == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0)
        return ERR_OK;
    complaint_set(&line->complaint, "cannot become the owner of %s (errno %d)", line->folders.state, errno);
    return ERR_SYSTEM;
}

static enum err
begin(void)
{
    const struct rlimit none = { 0, 0 };

    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return ERR_SYSTEM;
    umask(077);
    log_open("harkara", LOG_WARN, STDERR_FILENO);
    return ERR_OK;
}

/* Before anything secret is made or read; and while we are root, whom the limit on locked memory does not
 * bind. */
static enum err
secrets_begin(struct command_line *line)
{
    enum err err = line->config.unlocked_secrets != 0 ? secret_pool_open_unlocked(SECRET_POOL_BYTES)
                                                      : secret_pool_open(SECRET_POOL_BYTES);

    if (err != ERR_OK) {
        complaint_set(&line->complaint, COMPLAINT_MEMORY, SECRET_POOL_BYTES / 1024);
        return ERR_CONFIG;
    }
    return kek_take(environ, &line->master_key, &line->complaint);
}

static enum exit_code
run(const struct command *row, int count, char **words, struct command_line *line)
{
    enum err err = arguments_parse(count, words, row->options, row->words_min, row->words_max,
                                   &line->arguments, &line->complaint);

    if (err != ERR_OK) {
        fprintf(stderr, "harkara %s%s%s: %s\nTry \"harkara help %s%s%s\".\n", row->group,
                row->name == NULL ? "" : " ", row->name == NULL ? "" : row->name, line->complaint.text,
                row->group, row->name == NULL ? "" : " ", row->name == NULL ? "" : row->name);
        line->complaint.text[0] = '\0';
        return EXIT_USAGE;
    }
    if (line->arguments.wants_help) {
        command_help(row, stdout);
        return EXIT_DONE;
    }
    err = settings_read(line);
    if (err == ERR_OK)
        err = secrets_begin(line);
    if (err == ERR_OK && row->is_beside_server)
        err = owner_become(line);
    return err == ERR_OK ? row->run(line) : command_fail(line, err);
}

static enum exit_code
help(int count, char **words)
{
    const struct command *row = count == 0 ? NULL : command_find(words[0], count < 2 ? NULL : words[1]);

    if (row == NULL)
        help_print(stdout);
    else
        command_help(row, stdout);
    return EXIT_DONE;
}

int
main(int argc, char **argv)
{
    static struct command_line line;
    const char *group = argc < 2 ? "help" : argv[1];
    enum exit_code code = EXIT_INTERNAL;
    enum err err = begin();

    if (err != ERR_OK) {
        code = command_fail(&line, err);
    } else if (strcmp(group, "help") == 0 || strcmp(group, "--help") == 0 || strcmp(group, "-h") == 0) {
        code = help(argc > 2 ? argc - 2 : 0, argv + 2);
    } else if (strcmp(group, "version") == 0 || strcmp(group, "--version") == 0) {
        puts("harkara " HARKARA_VERSION);
        code = EXIT_DONE;
    } else {
        const struct command *row = command_find(group, argc < 3 ? NULL : argv[2]);
        int taken = row != NULL && row->name != NULL ? 3 : 2;
        if (row == NULL) {
            fprintf(stderr, "harkara: there is no such command. Try \"harkara help\".\n");
            code = EXIT_USAGE;
        } else {
            code = run(row, argc - taken, argv + taken, &line);
        }
    }
    if (line.complaint.text[0] != '\0')
        fprintf(stderr, "harkara: %s\n", line.complaint.text);
    secret_free(line.master_key);
    if (fflush(stdout) != 0 && code == EXIT_DONE)
        code = EXIT_INTERNAL;
    return (int)code;
}
