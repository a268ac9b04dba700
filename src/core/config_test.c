#include "core/buf.h"
#include "core/config.h"
#include "core/num.h"
#include "core/unit.h"
#include <stdlib.h>

struct row {
    const char *field, *variable, *fallback;
    int64_t min, max; /* numbers only */
    unsigned roles;
    bool is_num;
};

static const struct row rows[] = {
#define CONFIG_TEXT(field, variable, fallback, roles, help)                                                  \
    { #field, variable, fallback, 0, 0, roles, false },
#define CONFIG_NUM(field, variable, fallback, min, max, roles, help)                                         \
    { #field, variable, #fallback, min, max, roles, true },
#include "core/config.def"
#undef CONFIG_TEXT
#undef CONFIG_NUM
};

static const enum config_role all_roles[] = { CONFIG_SUPERVISOR, CONFIG_VAULT,    CONFIG_GATEWAY,
                                              CONFIG_DISPATCHER, CONFIG_WEBHOOKS, CONFIG_SCHEDULER,
                                              CONFIG_HSM,        CONFIG_SMSC };

static enum err
read_text(struct config *config, const char *text, struct config_problem *problem)
{
    memset(problem, 0, sizeof(*problem));
    config_init(config);
    return config_read_text(config, slice_text(text), problem);
}

static enum err
read_one(struct config *config, const char *setting, struct config_problem *problem)
{
    char copy[2048];
    char *environment[] = { copy, NULL };

    assert_true(strlen(setting) < sizeof(copy));
    memcpy(copy, setting, strlen(setting) + 1);
    memset(problem, 0, sizeof(*problem));
    config_init(config);
    return config_read_environment(config, environment, problem);
}

static void
defaults_are_those_of_the_table_and_within_its_limits(void **state UNUSED)
{
    struct config config;

    config_init(&config);
    assert_string_equal(config.listen, "127.0.0.1:8080");
    assert_string_equal(config.database_url, "");
    assert_string_equal(config.log_level, "info");
    assert_int_equal(config.gateways, 1);
    assert_int_equal(config.drain_timeout_ms, 15000);
    assert_int_equal(COUNT_OF(rows), CONFIG_COUNT);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t fallback = 0;
        assert_true(slice_starts_with(slice_text(rows[i].variable), SLICE("HARKARA_")) ||
                    strcmp(rows[i].variable, "DATABASE_URL") == 0);
        assert_true(strlen(rows[i].variable) < sizeof(((struct config_problem *)NULL)->variable));
        assert_true(strlen(rows[i].fallback) < CONFIG_TEXT_BYTES_MAX);
        assert_true((rows[i].roles & CONFIG_SUPERVISOR) != 0); /* who hands them on must know them */
        if (rows[i].is_num) {
            assert_ok(num_i64_parse(slice_text(rows[i].fallback), &fallback));
            assert_true(rows[i].min <= fallback && fallback <= rows[i].max);
        }
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(rows[i].variable, rows[j].variable);
    }
}

static void
a_file_overlays_what_it_names(void **state UNUSED)
{
    struct config config;
    struct config_problem problem;

    assert_ok(read_text(&config,
                        "# a comment\n"
                        "\n"
                        " \t \n"
                        "HARKARA_GATEWAYS=4\n"
                        "  HARKARA_LISTEN =  unix:/run/x y=z  \r\n"
                        "   # HARKARA_LISTEN=no\n"
                        "HARKARA_PUBLIC_URL=\n"
                        "DATABASE_URL=postgresql://a:b@c/d?sslmode=require#x",
                        &problem));
    assert_int_equal(config.gateways, 4);
    assert_string_equal(config.listen, "unix:/run/x y=z");
    assert_string_equal(config.public_url, "");
    assert_string_equal(config.database_url, "postgresql://a:b@c/d?sslmode=require#x");
    assert_int_equal(config.dispatchers, 1);
    assert_ok(read_text(&config, "", &problem));
    assert_ok(read_text(&config, "\n\n#", &problem));
}

static void
a_shorter_text_leaves_nothing_of_the_longer_one(void **state UNUSED)
{
    struct config config, expected;
    struct config_problem problem;

    assert_ok(read_text(&config, "HARKARA_LISTEN=0123456789012345678901234567890\n", &problem));
    assert_ok(config_read_text(&config, SLICE("HARKARA_LISTEN=127.0.0.1:8080"), &problem));
    config_init(&expected);
    assert_memory_equal(&config, &expected, sizeof(config));
}

static void
a_line_that_is_no_setting_is_refused_with_its_place(void **state UNUSED)
{
    static const struct {
        const char *text, *variable, *detail;
    } cases[] = {
        { "HARKARA_GATEWAYS\n", "line 1", "is not KEY=value" },
        { "\n# x\nharkara_gateways=1", "line 3", "is not KEY=value" },
        { "=1", "line 1", "is not KEY=value" },
        { "\r\n\r\n=", "line 3", "is not KEY=value" },
        { "export HARKARA_GATEWAYS=1", "line 1", "is not KEY=value" },
        { "HARKARA_GATEWAY=1", "HARKARA_GATEWAY", "is not a setting" },
        { "HARKARA_GATEWAYSS=1", "HARKARA_GATEWAYSS", "is not a setting" },
        { "PATH=/bin", "PATH", "is not a setting" },
        { "HARKARA_TEST_X=1", "HARKARA_TEST_X",
          "is not a setting" }, /* passed over in the environment only */
        { "HARKARA_GATEWAYS=1\nHARKARA_GATEWAYS=1", "HARKARA_GATEWAYS", "is given twice" },
        { "HARKARA_A0123456789012345678901234567890123456789012345678901234=1", "line 1",
          "is not KEY=value" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct config config;
        struct config_problem problem;
        assert_int_equal(read_text(&config, cases[i].text, &problem), ERR_CONFIG);
        assert_string_equal(problem.variable, cases[i].variable);
        assert_string_equal(problem.detail, cases[i].detail);
    }
}

/* A stray line may be half of a password, and a value may be all of one. */
static void
a_problem_never_shows_a_value(void **state UNUSED)
{
    static const char *const texts[] = {
        "HARKARA_GATEWAYS=hunter2", "HARKARA_GATEWAYS=hunter2=hunter2", "hunter2",
        "hunter2=hunter2",          "HARKARA_LISTEN=hunter2\x01",       "HARKARA_LISTEN=hunter2\xFF",
        "HARKARA_hunter2=hunter2",  "HARKARA_UNKNOWN=hunter2",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct config config;
        struct config_problem problem;
        if (read_text(&config, texts[i], &problem) == ERR_OK)
            fail_msg("row %zu", i);
        assert_null(strstr(problem.variable, "hunter2"));
        assert_null(strstr(problem.detail, "hunter2"));
        assert_true(problem.variable[0] != '\0' && problem.detail[0] != '\0');
        if (slice_starts_with(slice_text(texts[i]), SLICE("HARKARA_"))) {
            assert_int_equal(read_one(&config, texts[i], &problem), ERR_CONFIG);
            assert_null(strstr(problem.variable, "hunter2"));
            assert_null(strstr(problem.detail, "hunter2"));
        }
    }
}

static void
every_number_is_held_to_its_limits(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const int64_t values[] = { rows[i].min - 1, rows[i].min, rows[i].max, rows[i].max + 1 };
        for (size_t v = 0; rows[i].is_num && v < COUNT_OF(values); v++) {
            struct config config;
            struct config_problem problem;
            struct buf text;
            buf_init(&text, 200);
            buf_add_format(&text, "%s=%lld", rows[i].variable, (long long)values[v]);
            buf_add_byte(&text, '\0');
            bool is_inside = values[v] >= rows[i].min && values[v] <= rows[i].max;
            assert_int_equal(read_text(&config, text.ptr, &problem), is_inside ? ERR_OK : ERR_CONFIG);
            assert_int_equal(read_one(&config, text.ptr, &problem), is_inside ? ERR_OK : ERR_CONFIG);
            if (!is_inside)
                assert_string_equal(problem.variable, rows[i].variable);
            buf_release(&text);
        }
    }
    static const char *const bad[] = { "HARKARA_GATEWAYS=",    "HARKARA_GATEWAYS=one",
                                       "HARKARA_GATEWAYS=1.0", "HARKARA_GATEWAYS=+1",
                                       "HARKARA_GATEWAYS=0x1", "HARKARA_GATEWAYS=99999999999999999999" };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct config config;
        struct config_problem problem;
        assert_int_equal(read_text(&config, bad[i], &problem), ERR_CONFIG);
        assert_string_equal(problem.detail, "must be a whole number from 1 to 16");
    }
}

static void
a_text_has_a_limit_and_no_control_characters(void **state UNUSED)
{
    struct config config;
    struct config_problem problem;
    struct buf text;

    for (size_t len = CONFIG_TEXT_BYTES_MAX - 3; len < CONFIG_TEXT_BYTES_MAX + 3; len++) {
        buf_init(&text, 4096);
        buf_add_text(&text, "HARKARA_LISTEN=");
        for (size_t i = 0; i < len; i++)
            buf_add_byte(&text, 'x');
        buf_add_byte(&text, '\0');
        bool fits = len < CONFIG_TEXT_BYTES_MAX;
        assert_int_equal(read_text(&config, text.ptr, &problem), fits ? ERR_OK : ERR_CONFIG);
        assert_int_equal(strlen(config.listen), fits ? len : strlen("127.0.0.1:8080"));
        buf_release(&text);
    }
    static const char *const bad[] = { "HARKARA_LISTEN=a\001b", "HARKARA_LISTEN=a\tb", "HARKARA_LISTEN=\x7F",
                                       "HARKARA_LISTEN=\xFF", "HARKARA_LISTEN=\xC0\xAF" };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(read_text(&config, bad[i], &problem), ERR_CONFIG);
    config_init(&config);
    assert_int_equal(config_read_text(&config, SLICE("HARKARA_LISTEN=a\0b"), &problem), ERR_CONFIG);
    assert_ok(read_text(&config, "HARKARA_LISTEN=h\xC3\xA9", &problem));
}

static void
the_environment_is_read_and_an_unknown_name_of_ours_is_refused(void **state UNUSED)
{
    static const struct {
        const char *setting;
        enum err err;
        const char *variable;
    } cases[] = {
        { "HARKARA_GATEWAYS=2", ERR_OK, "" },
        { "DATABASE_URL=postgresql:///x", ERR_OK, "" },
        { "PATH=/bin", ERR_OK, "" },
        { "HOME", ERR_OK, "" },
        { "=x", ERR_OK, "" },
        { "", ERR_OK, "" },
        { "harkara_gateways=2", ERR_OK, "" },
        { "HARKARAGATEWAYS=2", ERR_OK, "" },
        { "MASTER_KEK=00", ERR_OK, "" },
        { "HARKARA_SOURCE=/x", ERR_OK, "" },
        { "HARKARA_TEST_=x", ERR_OK, "" },
        { "HARKARA_TEST_ANY=x", ERR_OK, "" },
        { "HARKARA_DEMO_ANY=x", ERR_OK, "" },
        { "HARKARA_SOURCES=/x", ERR_CONFIG, "HARKARA_SOURCES" },
        { "HARKARA_TEST=x", ERR_CONFIG, "HARKARA_TEST" },
        { "HARKARA_GATEWAY=2", ERR_CONFIG, "HARKARA_GATEWAY" },
        { "HARKARA_GATEWAYS_=2", ERR_CONFIG, "HARKARA_GATEWAYS_" },
        { "HARKARA_=2", ERR_CONFIG, "HARKARA_" },
        { "HARKARA_", ERR_CONFIG, "HARKARA_" },
        { "HARKARA_gateways=2", ERR_CONFIG, "HARKARA_..." },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct config config;
        struct config_problem problem;
        enum err err = read_one(&config, cases[i].setting, &problem);
        if (err != cases[i].err)
            print_error("%s\n", cases[i].setting);
        assert_int_equal(err, cases[i].err);
        assert_string_equal(problem.variable, cases[i].variable);
        assert_int_equal(config.gateways, i == 0 ? 2 : 1);
    }
}

static void
the_environment_wins_over_the_file(void **state UNUSED)
{
    struct config config;
    struct config_problem problem;
    char gateways[] = "HARKARA_GATEWAYS=3";
    char *environment[] = { gateways, NULL };

    assert_ok(read_text(&config, "HARKARA_GATEWAYS=2\nHARKARA_DISPATCHERS=2\n", &problem));
    assert_ok(config_read_environment(&config, environment, &problem));
    assert_int_equal(config.gateways, 3);
    assert_int_equal(config.dispatchers, 2);
}

static void
environment_release(char **environment, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(environment[i]);
}

/* Every setting gets a value other than its default. */
static void
config_change_all(struct config *config)
{
    struct config_problem problem;

    config_init(config);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf line;
        buf_init(&line, 200);
        if (rows[i].is_num) {
            int64_t fallback = 0;
            assert_ok(num_i64_parse(slice_text(rows[i].fallback), &fallback));
            buf_add_format(&line, "%s=%lld", rows[i].variable,
                           (long long)(fallback == rows[i].max ? rows[i].min : rows[i].max));
        } else {
            buf_add_format(&line, "%s=changed-%zu = #x", rows[i].variable, i);
        }
        assert_ok(config_read_text(config, buf_slice(&line), &problem));
        buf_release(&line);
    }
}

static void
a_role_gets_its_own_settings_and_no_others(void **state UNUSED)
{
    struct config config;

    config_change_all(&config);
    for (size_t r = 0; r < COUNT_OF(all_roles); r++) {
        char *environment[CONFIG_COUNT];
        size_t count = config_environment_for(&config, all_roles[r], environment, CONFIG_COUNT), wanted = 0;
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            struct slice name = slice_text(rows[i].variable);
            bool found = false;
            for (size_t e = 0; e < count; e++) {
                struct slice rest = slice_text(environment[e]);
                found = found || slice_eq(slice_take_until(&rest, '='), name);
            }
            assert_int_equal(found, (rows[i].roles & all_roles[r]) != 0);
            wanted += found;
        }
        assert_int_equal(count, wanted);
        environment_release(environment, count);
    }
}

/* It names the database and may hold its password; the state directory holds the keys. */
static void
only_the_supervisor_gets_the_way_to_the_database_and_the_master_key(void **state UNUSED)
{
    static const char *const guarded[] = { "DATABASE_URL", "HARKARA_MASTER_KEK_FILE", "HARKARA_STATE_DIR" };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (size_t g = 0; g < COUNT_OF(guarded); g++)
            if (strcmp(rows[i].variable, guarded[g]) == 0)
                assert_int_equal(rows[i].roles, CONFIG_SUPERVISOR);
}

static void
what_a_role_is_started_with_reads_back_the_same(void **state UNUSED)
{
    struct config config, back;
    struct config_problem problem;
    char *environment[CONFIG_COUNT + 1];

    config_change_all(&config);
    size_t count = config_environment_for(&config, CONFIG_SUPERVISOR, environment, CONFIG_COUNT);
    environment[count] = NULL;
    config_init(&back);
    assert_ok(config_read_environment(&back, environment, &problem));
    assert_memory_equal(&back, &config, sizeof(config));
    environment_release(environment, count);
}

static void
defaults_are_not_passed_on(void **state UNUSED)
{
    struct config config;
    struct config_problem problem;
    char *environment[CONFIG_COUNT];

    config_init(&config);
    for (size_t r = 0; r < COUNT_OF(all_roles); r++)
        assert_int_equal(config_environment_for(&config, all_roles[r], environment, CONFIG_COUNT), 0);
    assert_ok(read_text(&config, "HARKARA_GRAPH_VERSION=v26.0", &problem));
    assert_int_equal(config_environment_for(&config, CONFIG_VAULT, environment, CONFIG_COUNT), 0);
    assert_int_equal(config_environment_for(&config, CONFIG_DISPATCHER, environment, CONFIG_COUNT), 1);
    assert_string_equal(environment[0], "HARKARA_GRAPH_VERSION=v26.0");
    free(environment[0]);
}

static void
help_line(void *ctx, const char *variable, const char *fallback, const char *help)
{
    size_t *at = ctx;

    assert_true(*at < COUNT_OF(rows));
    assert_string_equal(variable, rows[*at].variable);
    assert_string_equal(fallback, rows[*at].fallback);
    assert_true(strlen(help) > 0);
    assert_null(strpbrk(help, "|\n")); /* it becomes a cell of a table */
    ++*at;
}

static void
help_has_a_line_for_each_setting(void **state UNUSED)
{
    size_t at = 0;

    config_help(help_line, &at);
    assert_int_equal(at, COUNT_OF(rows));
}

UNIT_MAIN(cmocka_unit_test(defaults_are_those_of_the_table_and_within_its_limits),
          cmocka_unit_test(a_file_overlays_what_it_names),
          cmocka_unit_test(a_shorter_text_leaves_nothing_of_the_longer_one),
          cmocka_unit_test(a_line_that_is_no_setting_is_refused_with_its_place),
          cmocka_unit_test(a_problem_never_shows_a_value),
          cmocka_unit_test(every_number_is_held_to_its_limits),
          cmocka_unit_test(a_text_has_a_limit_and_no_control_characters),
          cmocka_unit_test(the_environment_is_read_and_an_unknown_name_of_ours_is_refused),
          cmocka_unit_test(the_environment_wins_over_the_file),
          cmocka_unit_test(a_role_gets_its_own_settings_and_no_others),
          cmocka_unit_test(only_the_supervisor_gets_the_way_to_the_database_and_the_master_key),
          cmocka_unit_test(what_a_role_is_started_with_reads_back_the_same),
          cmocka_unit_test(defaults_are_not_passed_on), cmocka_unit_test(help_has_a_line_for_each_setting))
