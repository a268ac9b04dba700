#include "core/config.h"
#include "core/fuzz.h"

static void
check_text(const char *text)
{
    struct slice s = slice_of(text, strnlen(text, CONFIG_TEXT_BYTES_MAX));

    FUZZ_CHECK(s.len < CONFIG_TEXT_BYTES_MAX);
    FUZZ_CHECK(slice_is_utf8(s));
    for (size_t i = 0; i < s.len; i++)
        FUZZ_CHECK((unsigned char)s.ptr[i] >= ' ');
}

/* What was read is within the table's limits, whether or not all of it was. */
static void
check_limits(const struct config *config)
{
#define CONFIG_TEXT(field, variable, fallback, roles, help) check_text(config->field);
#define CONFIG_NUM(field, variable, fallback, min, max, roles, help)                                         \
    FUZZ_CHECK(config->field >= (min) && config->field <= (max));
#include "core/config.def"
#undef CONFIG_TEXT
#undef CONFIG_NUM
}

/* A file that is accepted makes settings that survive the way into a role's environment. */
FUZZ_TARGET(data, size)
{
    static struct config config, back;
    struct config_problem problem = { .variable = "", .detail = "" };
    char *environment[CONFIG_COUNT + 1];

    config_init(&config);
    enum err err = config_read_text(&config, slice_of(data, size), &problem);
    check_limits(&config);
    if (err != ERR_OK) {
        FUZZ_CHECK(err == ERR_CONFIG);
        FUZZ_CHECK(problem.variable[0] != '\0' && problem.detail[0] != '\0');
        FUZZ_CHECK(strnlen(problem.variable, sizeof(problem.variable)) < sizeof(problem.variable));
        FUZZ_CHECK(strnlen(problem.detail, sizeof(problem.detail)) < sizeof(problem.detail));
        return 0;
    }
    size_t count = config_environment_for(&config, CONFIG_SUPERVISOR, environment, CONFIG_COUNT);
    environment[count] = NULL;
    config_init(&back);
    FUZZ_CHECK(config_read_environment(&back, environment, &problem) == ERR_OK);
    FUZZ_CHECK(memcmp(&back, &config, sizeof(back)) == 0);
    while (count > 0)
        free(environment[--count]);
    return 0;
}
