/* What the commands of `harkara` share: one row per command, and what they are given. */
#ifndef PROGRAM_HARKARA_COMMAND_H
#define PROGRAM_HARKARA_COMMAND_H
#include "core/arena.h"
#include "core/config.h"
#include "core/secret.h"
#include "program/harkara/arguments.h"
#include "program/harkara/complaint.h"
#include "program/harkara/exit_code.h"
#include "program/harkara/folders.h"
#include <jansson.h>

/* A complaint of several commands; with how many KiB. */
#define COMPLAINT_MEMORY                                                                                     \
    "%u KiB of memory must be locked for secrets, and may not be: raise the limit (ulimit -l) to 8192, or "  \
    "set HARKARA_UNLOCKED_SECRETS=1, and they may be swapped out"

struct command_line {
    struct arguments arguments;
    struct config config;
    struct folders folders;
    struct secret *master_key;  /* of the environment; NULL: none there */
    struct complaint complaint; /* a command that fails fills it; main prints it */
};

struct command {
    const char *group, *name; /* "tenant", "create"; or "serve", NULL. A NULL group ends the table. */
    const char *synopsis;     /* what follows the name, in one line */
    const char *summary;      /* one line for the list */
    const char *detail;       /* paragraphs for its own help; NULL: none */
    const struct argument_option *options;
    size_t words_min, words_max;
    bool is_beside_server; /* speaks to a server that runs: root becomes the user that it serves as */
    enum exit_code (*run)(struct command_line *line);
};

/* Every command takes it. */
#define COMMAND_COMMON_OPTIONS                                                                               \
    {                                                                                                        \
        .name = "--config", .value_name = "FILE",                                                            \
        .help = "Settings, one KEY=value a line; the environment goes before it."                            \
    }
#define COMMAND_JSON_OPTION                                                                                  \
    {                                                                                                        \
        .name = "--json", .help = "Print JSON."                                                              \
    }

extern const struct command commands_server[]; /* serve, status, migrate, config */
extern const struct command commands_tenant[];
extern const struct command commands_key[];
extern const struct command commands_vault[];
extern const struct command commands_audit[];
extern const struct command commands_issuer[];
extern const struct command commands_person[];
extern const struct command commands_dnd[];

extern const struct argument_option command_limits_options[];
enum exit_code command_limits(struct command_line *line);
enum exit_code command_serve(struct command_line *line);
enum exit_code command_status(struct command_line *line);

/* One line about the DND registry for `harkara status`. */
void command_dnd_line(const struct command_line *line);
/* Likewise for its JSON: an object, owned. */
json_t *command_dnd_json(const struct command_line *line);

/* Prints and drops the value: one line of JSON on standard output. */
void command_print_json(json_t *value);
/* For the result of a failed step, with what the row of err.def says if nothing better was said. */
enum exit_code command_fail(struct command_line *line, enum err err);

#endif
