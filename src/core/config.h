/*
 * Every setting, its environment variable, default, limits and meaning stand in
 * config.def. The supervisor reads the environment and, before it, the file
 * harkara.conf (KEY=value lines); each role gets only the settings it is listed for.
 */
#ifndef CORE_CONFIG_H
#define CORE_CONFIG_H
#include "core/err.h"
#include "core/slice.h"

enum config_role {
    CONFIG_SUPERVISOR = 1,
    CONFIG_VAULT = 2,
    CONFIG_GATEWAY = 4,
    CONFIG_DISPATCHER = 8,
    CONFIG_WEBHOOKS = 16,
    CONFIG_SCHEDULER = 32,
    CONFIG_HSM = 64,
    CONFIG_SMSC = 128,
};

#define CONFIG_TEXT_BYTES_MAX 1024u

struct config {
#define CONFIG_TEXT(field, variable, fallback, roles, help)          char field[CONFIG_TEXT_BYTES_MAX];
#define CONFIG_NUM(field, variable, fallback, min, max, roles, help) int64_t field;
#include "core/config.def"
#undef CONFIG_TEXT
#undef CONFIG_NUM
};

/* How many settings there are: room enough for config_environment_for. */
enum {
    CONFIG_COUNT = 0
#define CONFIG_TEXT(field, variable, fallback, roles, help)          +1
#define CONFIG_NUM(field, variable, fallback, min, max, roles, help) +1
#include "core/config.def"
#undef CONFIG_TEXT
#undef CONFIG_NUM
};

/* Why a setting was refused; for the operator's eyes. Never holds the value. */
struct config_problem {
    char variable[64];
    char detail[160];
};

/* Defaults only. */
void config_init(struct config *config);
/* Overlays KEY=value lines ('#' comments, blank lines; no name twice). ERR_CONFIG fills the problem in. */
MUST_CHECK enum err config_read_text(struct config *config, struct slice text,
                                     struct config_problem *problem);
/*
 * Overlays HARKARA_* and DATABASE_URL from an environment block. Unknown HARKARA_ names are refused with
 * ERR_CONFIG: a misspelt setting must not be lost in silence. Passed over: HARKARA_TEST_*, HARKARA_DEMO_* and
 * HARKARA_SOURCE (tests and the demonstration), and every name without our prefix.
 */
MUST_CHECK enum err config_read_environment(struct config *config, char *const *environment,
                                            struct config_problem *problem);
/*
 * The "NAME=value" strings a role is started with: only its own settings that differ from the default.
 * Returns the count written (max is at least CONFIG_COUNT); strings are allocated with malloc, owned by the
 * caller.
 */
size_t config_environment_for(const struct config *config, enum config_role role, char **out, size_t max);
/*
 * One line per setting, for `harkara config`. The master key is none; DATABASE_URL, which may hold a
 * password, goes to the supervisor alone.
 */
void config_help(void (*line)(void *ctx, const char *variable, const char *fallback, const char *help),
                 void *ctx);

#endif
