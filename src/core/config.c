#include "core/config.h"
#include "core/num.h"
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

struct setting {
    const char *variable, *fallback_text, *help;
    int64_t fallback, min, max; /* numbers only */
    size_t offset;
    unsigned roles;
    bool is_num;
};

/* clang-format off */
static const struct setting settings[] = {
#define CONFIG_TEXT(field, name, fallback_, roles_, help_) \
    { .variable = name, .fallback_text = fallback_, .help = help_, .offset = offsetof(struct config, field), \
      .roles = roles_ },
#define CONFIG_NUM(field, name, fallback_, min_, max_, roles_, help_) \
    { .variable = name, .fallback_text = #fallback_, .help = help_, .fallback = fallback_, .min = min_, .max = max_, \
      .offset = offsetof(struct config, field), .roles = roles_, .is_num = true },
#include "core/config.def"
#undef CONFIG_TEXT
#undef CONFIG_NUM
};
/* clang-format on */
_Static_assert(COUNT_OF(settings) == CONFIG_COUNT, "one row per setting");

/* Names of ours in the environment that are no settings; a trailing '_' makes the name a prefix. */
static const char *const passed[] = {
    "HARKARA_TEST_",  /* the tests' own */
    "HARKARA_DEMO_",  /* the demonstration's own */
    "HARKARA_SOURCE", /* set by the build for its tests */
};

static char *
setting_text(const struct setting *setting, struct config *config)
{
    return (char *)config + setting->offset;
}

static int64_t *
setting_num(const struct setting *setting, struct config *config)
{
    return (void *)((char *)config + setting->offset);
}

void
config_init(struct config *config)
{
    *config = (struct config){ 0 };
    for (size_t i = 0; i < CONFIG_COUNT; i++) {
        if (settings[i].is_num)
            *setting_num(&settings[i], config) = settings[i].fallback;
        else
            memcpy(setting_text(&settings[i], config), settings[i].fallback_text,
                   strlen(settings[i].fallback_text));
    }
}

static enum err
refuse(struct config_problem *problem, struct slice variable, const char *detail)
{
    snprintf(problem->variable, sizeof(problem->variable), "%.*s", SLICE_FMT(slice_first(variable, 63)));
    snprintf(problem->detail, sizeof(problem->detail), "%s", detail);
    return ERR_CONFIG;
}

static bool
text_is_plain(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7F)
            return false;
    return slice_is_utf8(text);
}

static enum err
setting_take(const struct setting *setting, struct config *config, struct slice value,
             struct config_problem *problem)
{
    struct slice variable = slice_text(setting->variable);

    if (setting->is_num) {
        int64_t num;
        if (num_i64_parse(value, &num) != ERR_OK || num < setting->min || num > setting->max) {
            char detail[sizeof(problem->detail)];
            snprintf(detail, sizeof(detail), "must be a whole number from %lld to %lld",
                     (long long)setting->min, (long long)setting->max);
            return refuse(problem, variable, detail);
        }
        *setting_num(setting, config) = num;
        return ERR_OK;
    }
    if (value.len >= CONFIG_TEXT_BYTES_MAX)
        return refuse(problem, variable, "is too long: 1023 bytes are allowed");
    if (!text_is_plain(value))
        return refuse(problem, variable, "must be UTF-8 without control characters");
    char *text = setting_text(setting, config);
    memset(text, 0, CONFIG_TEXT_BYTES_MAX);
    if (value.len != 0)
        memcpy(text, value.ptr, value.len);
    return ERR_OK;
}

/* CONFIG_COUNT when there is no such setting. */
static size_t
setting_find(struct slice variable)
{
    size_t i = 0;

    while (i < CONFIG_COUNT && !slice_eq(variable, slice_text(settings[i].variable)))
        i++;
    return i;
}

/* Only what looks like a name is shown to the operator: a stray line may be half of a secret. */
static bool
variable_is_sound(struct slice variable)
{
    for (size_t i = 0; i < variable.len; i++)
        if (!((variable.ptr[i] >= 'A' && variable.ptr[i] <= 'Z') ||
              (variable.ptr[i] >= '0' && variable.ptr[i] <= '9') || variable.ptr[i] == '_'))
            return false;
    return variable.len > 0 && variable.len < sizeof(((struct config_problem *)NULL)->variable);
}

enum err
config_read_text(struct config *config, struct slice text, struct config_problem *problem)
{
    bool seen[CONFIG_COUNT] = { false };

    for (unsigned number = 1; text.len > 0; number++) {
        struct slice line = slice_take_until(&text, '\n');
        if (slice_ends_with(line, SLICE("\r")))
            line.len--;
        line = slice_trim(line);
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        char where[24];
        snprintf(where, sizeof(where), "line %u", number);
        bool is_pair = slice_find(line, '=') < line.len;
        struct slice variable = slice_trim(slice_take_until(&line, '='));
        if (!is_pair || !variable_is_sound(variable))
            return refuse(problem, slice_text(where), "is not KEY=value");
        size_t at = setting_find(variable);
        if (at == CONFIG_COUNT)
            return refuse(problem, variable, "is not a setting");
        if (seen[at])
            return refuse(problem, variable, "is given twice");
        seen[at] = true;
        enum err err = setting_take(&settings[at], config, slice_trim(line), problem);
        if (err != ERR_OK)
            return err;
    }
    return ERR_OK;
}

static bool
variable_is_passed(struct slice variable)
{
    for (size_t i = 0; i < COUNT_OF(passed); i++) {
        struct slice name = slice_text(passed[i]);
        if (slice_ends_with(name, SLICE("_")) ? slice_starts_with(variable, name) : slice_eq(variable, name))
            return true;
    }
    return false;
}

enum err
config_read_environment(struct config *config, char *const *environment, struct config_problem *problem)
{
    for (; *environment != NULL; environment++) {
        struct slice value = slice_text(*environment), variable = slice_take_until(&value, '=');
        size_t at = setting_find(variable);
        if (at == CONFIG_COUNT) {
            if (!slice_starts_with(variable, SLICE("HARKARA_")) || variable_is_passed(variable))
                continue;
            return refuse(problem, variable_is_sound(variable) ? variable : SLICE("HARKARA_..."),
                          "is not a setting");
        }
        enum err err = setting_take(&settings[at], config, value, problem);
        if (err != ERR_OK)
            return err;
    }
    return ERR_OK;
}

/* NULL for a setting that has its default. */
static char *
setting_print(const struct setting *setting, struct config *config)
{
    char number[24];
    const char *value = number;
    char *out = NULL;

    if (setting->is_num) {
        if (*setting_num(setting, config) == setting->fallback)
            return NULL;
        snprintf(number, sizeof(number), "%lld", (long long)*setting_num(setting, config));
    } else {
        value = setting_text(setting, config);
        if (strcmp(value, setting->fallback_text) == 0)
            return NULL;
    }
    if (asprintf(&out, "%s=%s", setting->variable, value) < 0)
        bug("no memory for a role's environment"); /* starting it with other settings would be worse */
    return out;
}

size_t
config_environment_for(const struct config *config, enum config_role role, char **out, size_t max)
{
    struct config copy = *config; /* the accessors are for both uses and take no const */
    size_t count = 0;

    for (size_t i = 0; i < CONFIG_COUNT; i++) {
        char *text = (settings[i].roles & (unsigned)role) == 0 ? NULL : setting_print(&settings[i], &copy);
        if (text == NULL)
            continue;
        if (count == max)
            bug("no room for a role's environment");
        out[count++] = text;
    }
    return count;
}

void
config_help(void (*line)(void *ctx, const char *variable, const char *fallback, const char *help), void *ctx)
{
    for (size_t i = 0; i < CONFIG_COUNT; i++)
        line(ctx, settings[i].variable, settings[i].fallback_text, settings[i].help);
}
