/* tenant limits: what an operator gives one workspace in place of the installation's settings. */
#include "core/num.h"
#include "domain/limit/limit_book.h"
#include "domain/tenant/tenant.h"
#include "program/harkara/command.h"
#include "program/harkara/database.h"
#include "program/harkara/operator_act.h"
#include <stdio.h>

#define ARENA_BYTES_MAX ((size_t)2 * 1024 * 1024)

const struct argument_option command_limits_options[] = {
    { .name = "--requests-per-second", .value_name = "N", .help = "Of the workspace." },
    { .name = "--key-requests-per-second", .value_name = "N", .help = "Of each of its keys." },
    { .name = "--sender-per-second", .value_name = "N", .help = "Messages through each of its senders." },
    { .name = "--sender-per-day", .value_name = "N", .help = "Messages through each of its senders." },
    { .name = "--sender-per-month", .value_name = "N", .help = "Messages through each of its senders." },
    { .name = "--messages-per-day", .value_name = "N", .help = "Of the workspace." },
    { .name = "--messages-per-month", .value_name = "N", .help = "Of the workspace." },
    { .name = "--reset", .help = "First forget all that was given before." },
    COMMAND_JSON_OPTION,
    COMMAND_COMMON_OPTIONS,
    { .name = NULL },
};

/* An option, the member of the JSON, the field, and the most that can be counted. */
static const struct {
    const char *option, *member;
    size_t offset;
    uint64_t max;
} fields[] = {
    { "--requests-per-second", "requests_per_second", offsetof(struct limit_grant, requests_per_second),
      LIMIT_RATE_MAX },
    { "--key-requests-per-second", "key_requests_per_second",
      offsetof(struct limit_grant, key_requests_per_second), LIMIT_RATE_MAX },
    { "--sender-per-second", "sender_per_second", offsetof(struct limit_grant, sender_per_second),
      LIMIT_RATE_MAX },
    { "--sender-per-day", "sender_per_day", offsetof(struct limit_grant, sender_per_day), LIMIT_QUOTA_MAX },
    { "--sender-per-month", "sender_per_month", offsetof(struct limit_grant, sender_per_month),
      LIMIT_QUOTA_MAX },
    { "--messages-per-day", "messages_per_day", offsetof(struct limit_grant, messages_per_day),
      LIMIT_QUOTA_MAX },
    { "--messages-per-month", "messages_per_month", offsetof(struct limit_grant, messages_per_month),
      LIMIT_QUOTA_MAX },
};

static uint64_t *
field_of(struct limit_grant *grant, size_t at)
{
    return (uint64_t *)(void *)((char *)grant + fields[at].offset);
}

struct limits_work {
    struct command_line *line;
    struct limit_grant grant;
    bool is_change;
};

static enum err
options_read(struct limits_work *work)
{
    struct command_line *line = work->line;

    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        const char *text = arguments_value(&line->arguments, fields[i].option);
        uint64_t number = 0;
        if (text == NULL)
            continue;
        if (num_u64_parse(slice_text(text), &number) != ERR_OK || number < 1 || number > fields[i].max) {
            complaint_set(&line->complaint, "%s is a number from 1 to %llu", fields[i].option,
                          (unsigned long long)fields[i].max);
            return ERR_QUERY;
        }
        *field_of(&work->grant, i) = number;
        work->is_change = true;
    }
    return ERR_OK;
}

static enum err
grant_in(struct db_tx *tx, void *ctx)
{
    struct limits_work *work = ctx;
    bool is_reset = arguments_has(&work->line->arguments, "--reset");
    enum err err = limit_grant_read(tx, &work->grant);

    if (err == ERR_OK && is_reset)
        work->grant = (struct limit_grant){ 0 };
    if (err == ERR_OK)
        err = options_read(work);
    if (err == ERR_OK && (work->is_change || is_reset))
        err = limit_grant_write(tx, &work->grant);
    if (err == ERR_OK && (work->is_change || is_reset))
        err = operator_act(tx, AUDIT_LIMITS_UPDATED, ID_TENANT, tx->tenant,
                           is_reset ? SLICE("{\"reset\":true}") : SLICE_EMPTY);
    return err;
}

static void
grant_print(struct limits_work *work)
{
    json_t *shown = json_object();

    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        uint64_t number = *field_of(&work->grant, i);
        if (!arguments_has(&work->line->arguments, "--json")) {
            if (number == 0)
                printf("%-26s as the installation has it\n", fields[i].member);
            else
                printf("%-26s %llu\n", fields[i].member, (unsigned long long)number);
        } else if (json_object_set_new(shown, fields[i].member,
                                       number == 0 ? json_null() : json_integer((json_int_t)number)) != 0) {
            bug("limits that are no JSON");
        }
    }
    if (arguments_has(&work->line->arguments, "--json"))
        command_print_json(shown);
    else
        json_decref(shown);
}

enum exit_code
command_limits(struct command_line *line)
{
    struct limits_work work = { .line = line };
    struct arena *arena = arena_new(ARENA_BYTES_MAX);
    struct tenant tenant;
    struct db *db = NULL;
    enum err err = arena == NULL ? ERR_NO_MEMORY : ERR_OK;

    if (err == ERR_OK)
        err = database_open_admin(&line->config, &line->folders, &db, &line->complaint);
    if (err == ERR_OK)
        err = tenant_find(db, slice_text(arguments_word(&line->arguments, 0)), arena, &tenant);
    if (err == ERR_NOT_FOUND)
        complaint_set(&line->complaint, "there is no tenant %s", arguments_word(&line->arguments, 0));
    if (err == ERR_OK)
        err = db_run(db, tenant.id, grant_in, &work);
    if (err == ERR_OK)
        grant_print(&work);
    db_close(db);
    arena_free(arena);
    return err == ERR_OK ? EXIT_DONE : command_fail(line, err);
}
