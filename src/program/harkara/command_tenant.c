/* tenant create, list, weigh, close, shred; limits is in a file of its own. */
#include "core/num.h"
#include "domain/tenant/tenant.h"
#include "program/harkara/command.h"
#include "program/harkara/command_vault.h"
#include "program/harkara/control.h"
#include "program/harkara/database.h"
#include "program/harkara/enrolment_link.h"
#include "program/harkara/operator_act.h"
#include <stdio.h>

#define ARENA_BYTES_MAX  ((size_t)2 * 1024 * 1024)
#define VAULT_TIMEOUT_MS 10000

static const struct argument_option create_options[] = {
    { .name = "--name",
      .value_name = "NAME",
      .help = "What people call it; up to 120 characters.",
      .is_required = true },
    { .name = "--slug",
      .value_name = "SLUG",
      .help = "Its short name: a-z, 0-9 and dashes; else made from the name." },
    COMMAND_JSON_OPTION,
    COMMAND_COMMON_OPTIONS,
    { .name = NULL },
};
static const struct argument_option list_options[] = { COMMAND_JSON_OPTION,
                                                       COMMAND_COMMON_OPTIONS,
                                                       { .name = NULL } };

static const struct argument_option weigh_options[] = {
    { .name = "--weight",
      .value_name = "WEIGHT",
      .help = "1 to 10000; one that was never weighed has 100.",
      .is_required = true },
    COMMAND_JSON_OPTION,
    COMMAND_COMMON_OPTIONS,
    { .name = NULL },
};

static const struct argument_option close_options[] = {
    { .name = "--yes-really", .help = "It is meant.", .is_required = true },
    COMMAND_JSON_OPTION,
    COMMAND_COMMON_OPTIONS,
    { .name = NULL },
};

static json_t *
tenant_json(const struct tenant *tenant)
{
    char id[ID_TEXT_BYTES], at[WALL_TEXT_BYTES];

    return json_pack("{s:s,s:s%,s:s%,s:s,s:s,s:I}", "id", id_print(ID_TENANT, tenant->id, id).ptr, "name",
                     tenant->name.ptr, tenant->name.len, "slug", tenant->slug.ptr, tenant->slug.len, "state",
                     tenant_state_word(tenant->state), "created_at", wall_print(tenant->created_at, at).ptr,
                     "send_weight", (json_int_t)tenant->send_weight);
}

/* The data keys are drawn and wrapped in the vault of the running server: this process never sees a key. */
static enum err
create_with_vault(struct command_line *line, struct db *db, struct arena *arena, struct tenant *out)
{
    const char *slug = arguments_value(&line->arguments, "--slug");
    struct vault_client *client = NULL;
    int link = -1;
    enum err err = control_ask(line->folders.control_socket, &link, &line->complaint);

    if (err == ERR_OK)
        err = vault_client_new(link, VAULT_TIMEOUT_MS, &client);
    if (err != ERR_OK)
        return err;
    struct vault vault = { .client = client };
    struct operator_act_of act = { .action = AUDIT_TENANT_CREATED };
    err = tenant_create(db, &vault, clock_system(), slice_text(arguments_value(&line->arguments, "--name")),
                        slug == NULL ? SLICE_EMPTY : slice_text(slug), operator_act_in, &act, arena, out);
    if (err == ERR_EXISTS)
        complaint_set(&line->complaint, "there is a tenant of this slug already: give another --slug");
    else if (err == ERR_DB_DATA || err == ERR_DB_CONSTRAINT)
        complaint_set(&line->complaint,
                      "a name has 1 to 120 characters, a slug 1 to 63 of a-z, 0-9 and single dashes "
                      "inside: give --slug if the name has none of them");
    vault_client_free(client);
    return err;
}

static void
link_print(struct command_line *line, const struct tenant *tenant, const struct enrolment_link *link)
{
    char id[ID_TEXT_BYTES], at[WALL_TEXT_BYTES];
    const char *url = secret_slice(link->url).ptr;

    if (arguments_has(&line->arguments, "--json")) {
        json_t *shown = tenant_json(tenant);
        if (json_object_set_new(shown, "enrolment_url", json_string(url)) != 0 ||
            json_object_set_new(shown, "enrolment_expires_at",
                                json_string(wall_print(link->expires_at, at).ptr)) != 0)
            bug("a link that is no JSON");
        command_print_json(shown);
        return;
    }
    printf("%s  %.*s\n", id_print(ID_TENANT, tenant->id, id).ptr, SLICE_FMT(tenant->slug));
    printf("Whoever opens this link before %s becomes its owner, once:\n%s\n",
           wall_print(link->expires_at, at).ptr, url);
}

static enum exit_code
create(struct command_line *line)
{
    struct arena *arena = arena_new(ARENA_BYTES_MAX);
    struct enrolment_link link = { .url = NULL };
    struct complaint no_link;
    struct tenant tenant;
    struct db *db = NULL;
    char id[ID_TEXT_BYTES];
    enum err err = arena == NULL ? ERR_NO_MEMORY : ERR_OK;

    if (err == ERR_OK && !slice_is_utf8(slice_text(arguments_value(&line->arguments, "--name")))) {
        complaint_set(&line->complaint, "--name is not valid UTF-8");
        err = ERR_UTF8;
    }
    if (err == ERR_OK)
        err = database_open_admin(&line->config, &line->folders, &db, &line->complaint);
    if (err == ERR_OK)
        err = create_with_vault(line, db, arena, &tenant);
    /* A workspace that nobody can sign in to is one all the same: keys work. */
    bool has_link = err == ERR_OK && enrolment_link_make(line, db, tenant.id, &link, &no_link) == ERR_OK;
    if (has_link)
        link_print(line, &tenant, &link);
    else if (err == ERR_OK && arguments_has(&line->arguments, "--json"))
        command_print_json(tenant_json(&tenant));
    else if (err == ERR_OK)
        printf("%s  %.*s\n", id_print(ID_TENANT, tenant.id, id).ptr, SLICE_FMT(tenant.slug));
    enrolment_link_release(&link);
    db_close(db);
    arena_free(arena);
    return err == ERR_OK ? EXIT_DONE : command_fail(line, err);
}

/* For a workspace of before, and where a link has expired. */
static enum exit_code
enrol(struct command_line *line)
{
    struct arena *arena = arena_new(ARENA_BYTES_MAX);
    struct enrolment_link link = { .url = NULL };
    struct tenant tenant;
    struct db *db = NULL;
    enum err err = arena == NULL ? ERR_NO_MEMORY : ERR_OK;

    if (err == ERR_OK)
        err = database_open_admin(&line->config, &line->folders, &db, &line->complaint);
    if (err == ERR_OK)
        err = tenant_find(db, slice_text(arguments_word(&line->arguments, 0)), arena, &tenant);
    if (err == ERR_NOT_FOUND)
        complaint_set(&line->complaint, "there is no tenant %s", arguments_word(&line->arguments, 0));
    if (err == ERR_OK && tenant.state != TENANT_ACTIVE) {
        complaint_set(&line->complaint, "the tenant is not active");
        err = ERR_STATE_CONFLICT;
    }
    if (err == ERR_OK)
        err = enrolment_link_make(line, db, tenant.id, &link, &line->complaint);
    if (err == ERR_OK)
        link_print(line, &tenant, &link);
    enrolment_link_release(&link);
    db_close(db);
    arena_free(arena);
    return err == ERR_OK ? EXIT_DONE : command_fail(line, err);
}

static void
list_print(const struct command_line *line, const struct tenant *tenants, size_t count)
{
    json_t *all = arguments_has(&line->arguments, "--json") ? json_array() : NULL;
    char id[ID_TEXT_BYTES], at[WALL_TEXT_BYTES];

    for (size_t i = 0; i < count; i++) {
        const struct tenant *tenant = &tenants[i];
        if (all == NULL)
            printf("%s  %-9s  %s  %.*s  %.*s\n", id_print(ID_TENANT, tenant->id, id).ptr,
                   tenant_state_word(tenant->state), wall_print(tenant->created_at, at).ptr,
                   SLICE_FMT(tenant->slug), SLICE_FMT(tenant->name));
        else if (json_array_append_new(all, tenant_json(tenant)) != 0)
            bug("a tenant that is no JSON");
    }
    if (all != NULL)
        command_print_json(all);
}

static enum exit_code
list(struct command_line *line)
{
    struct arena *arena = arena_new(ARENA_BYTES_MAX);
    struct tenant *tenants = NULL;
    struct db *db = NULL;
    size_t count = 0;
    enum err err = arena == NULL ? ERR_NO_MEMORY : ERR_OK;

    if (err == ERR_OK)
        err = database_open_admin(&line->config, &line->folders, &db, &line->complaint);
    if (err == ERR_OK)
        err = tenant_list(db, arena, &tenants, &count);
    if (err == ERR_OK)
        list_print(line, tenants, count);
    db_close(db);
    arena_free(arena);
    return err == ERR_OK ? EXIT_DONE : command_fail(line, err);
}

static enum err
weigh_in(struct db_tx *tx, void *weight)
{
    return tenant_weigh(tx, *(const int *)weight);
}

/* The dispatchers know of it within a second. */
static enum exit_code
weigh(struct command_line *line)
{
    struct arena *arena = arena_new(ARENA_BYTES_MAX);
    struct tenant tenant;
    struct db *db = NULL;
    int weight = 0;
    enum err err = arena == NULL ? ERR_NO_MEMORY : ERR_OK;

    if (err == ERR_OK)
        err = num_int_parse(slice_text(arguments_value(&line->arguments, "--weight")), 1,
                            TENANT_SEND_WEIGHT_MAX, &weight);
    if (err != ERR_OK && err != ERR_NO_MEMORY)
        complaint_set(&line->complaint, "--weight is a number from 1 to %d", TENANT_SEND_WEIGHT_MAX);
    if (err == ERR_OK)
        err = database_open_admin(&line->config, &line->folders, &db, &line->complaint);
    if (err == ERR_OK)
        err = tenant_find(db, slice_text(arguments_word(&line->arguments, 0)), arena, &tenant);
    if (err == ERR_NOT_FOUND)
        complaint_set(&line->complaint, "there is no tenant %s", arguments_word(&line->arguments, 0));
    if (err == ERR_OK)
        err = db_run(db, tenant.id, operator_act_in,
                     &(struct operator_act_of){ .action = AUDIT_TENANT_WEIGHED,
                                                .work = weigh_in,
                                                .ctx = &weight,
                                                .detail = arena_format(arena, "{\"weight\":%d}", weight) });
    if (err == ERR_OK) {
        tenant.send_weight = weight;
        if (arguments_has(&line->arguments, "--json"))
            command_print_json(tenant_json(&tenant));
        else
            printf("%.*s weighs %d\n", SLICE_FMT(tenant.slug), weight);
    }
    db_close(db);
    arena_free(arena);
    return err == ERR_OK ? EXIT_DONE : command_fail(line, err);
}

static enum err
close_in(struct db_tx *tx, void *ctx UNUSED)
{
    return tenant_close(tx);
}

/* Nothing of it is served or sent any more, and nothing is lost yet. */
static enum exit_code
close_tenant(struct command_line *line)
{
    struct vault_command command;
    struct tenant tenant;
    enum err err = vault_command_open(line, &command);

    if (err == ERR_OK)
        err = vault_command_tenant(&command, arguments_word(&line->arguments, 0), &tenant);
    if (err == ERR_OK)
        err = db_run(command.db, tenant.id, operator_act_in,
                     &(struct operator_act_of){ .action = AUDIT_TENANT_CLOSED, .work = close_in });
    if (err == ERR_OK) {
        tenant.state = TENANT_CLOSED;
        if (arguments_has(&line->arguments, "--json"))
            command_print_json(tenant_json(&tenant));
        else
            printf("%.*s is closed\n", SLICE_FMT(tenant.slug));
    }
    vault_command_close(&command);
    return err == ERR_OK ? EXIT_DONE : command_fail(line, err);
}

/* Its data keys are destroyed, here and in the vault's memory: what was sealed under them is noise. */
static enum exit_code
shred(struct command_line *line)
{
    struct vault_command command;
    struct tenant tenant;
    enum err err = vault_command_open(line, &command);

    if (err == ERR_OK)
        err = vault_command_lock(&command);
    if (err == ERR_OK)
        err = vault_command_tenant(&command, arguments_word(&line->arguments, 0), &tenant);
    if (err == ERR_OK)
        err = key_shred(command.db, &command.vault, &command.operator, tenant.id);
    if (err == ERR_STATE_CONFLICT)
        complaint_set(&line->complaint, "only a closed tenant is shredded: harkara tenant close %s first",
                      arguments_word(&line->arguments, 0));
    if (err == ERR_OK && arguments_has(&line->arguments, "--json"))
        command_print_json(tenant_json(&tenant));
    else if (err == ERR_OK)
        printf(
            "the keys of %.*s are destroyed. Copies of them are in backups and write-ahead logs that were made "
            "before: those must go too (docs/operations.md)\n",
            SLICE_FMT(tenant.slug));
    vault_command_close(&command);
    return err == ERR_OK ? EXIT_DONE : command_fail(line, err);
}

/* clang-format off */
const struct command commands_tenant[] = {
    { "tenant", "create", "--name NAME [--slug SLUG] [--json]", "Make a tenant (a workspace) and its data keys.",
      "Prints its id and slug, and a link: whoever opens it becomes its owner. Needs a running server: its vault makes the keys.",
      create_options, 0, 0, true, create },
    { "tenant", "enrol", "TENANT [--json]", "Print a link: whoever opens it becomes an owner of the tenant.",
      "It is good once, for HARKARA_ENROLMENT_HOURS. Nothing sends it: hand it over yourself. TENANT is a slug or an id.",
      list_options, 1, 1, true, enrol },
    { "tenant", "list", "[--json]", "List all tenants: id, state, creation, slug, name.", NULL, list_options, 0, 0, true, list },
    { "tenant", "weigh", "TENANT --weight WEIGHT [--json]", "Give a tenant more or less of sending, beside others.",
      "While several tenants wait to send, each gets its part by weight. TENANT is a slug or an id.",
      weigh_options, 1, 1, true, weigh },
    { "tenant", "close", "TENANT --yes-really", "End a tenant's service; its data stays.",
      "Its API keys answer 403 from then on, and nothing is sent for it any more. TENANT is a slug or an id.",
      close_options, 1, 1, true, close_tenant },
    { "tenant", "shred", "TENANT --yes-really", "Destroy a closed tenant's keys: nothing sealed opens again.",
      "There is no way back. Copies of the keys, wrapped, are in backups and write-ahead logs that were made before.",
      close_options, 1, 1, true, shred },
    { "tenant", "limits", "TENANT [--messages-per-day N] [...] [--reset] [--json]", "Show or set what a tenant is limited to.",
      "What is not given is as the settings HARKARA_RATE_... and HARKARA_QUOTA_... say. It holds within two seconds.",
      command_limits_options, 1, 1, true, command_limits },
    { .group = NULL },
};
/* clang-format on */
