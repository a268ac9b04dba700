/* person list, grant, revoke: who there is, and who has a role of the platform. */
#include "domain/identity/platform_role.h"
#include "domain/tenant/tenant.h"
#include "program/harkara/command.h"
#include "program/harkara/command_vault.h"
#include "program/harkara/database.h"
#include "program/harkara/operator_act.h"
#include <stdio.h>

#define ARENA_BYTES ((size_t)256 * 1024)

static const struct argument_option list_options[] = {
    { .name = "--platform", .help = "Only those with a role of the platform." },
    COMMAND_JSON_OPTION,
    COMMAND_COMMON_OPTIONS,
    { .name = NULL },
};
static const struct argument_option grant_options[] = {
    { .name = "--role", .value_name = "ROLE", .help = "operator, support or auditor.", .is_required = true },
    COMMAND_JSON_OPTION,
    COMMAND_COMMON_OPTIONS,
    { .name = NULL },
};
static const struct argument_option revoke_options[] = { COMMAND_JSON_OPTION,
                                                         COMMAND_COMMON_OPTIONS,
                                                         { .name = NULL } };

struct page {
    struct id after;
    bool has_role;
    struct arena *arena;
    struct platform_person *people;
    size_t count;
};

static enum err
page_in(struct db_tx *tx, void *ctx)
{
    struct page *page = ctx;

    return platform_people(tx, page->after, page->has_role, page->arena, &page->people, &page->count);
}

static void
person_print(const struct platform_person *person, json_t *all)
{
    char id[ID_TEXT_BYTES], created[WALL_TEXT_BYTES], granted[WALL_TEXT_BYTES];
    const char *role = person->has_role ? platform_role_word(person->role) : NULL;
    const char *state = person->has_left ? "left" : "active";

    if (all == NULL)
        printf("%s  %-6s  %s  %s\n", id_print(ID_PERSON, person->id, id).ptr, state,
               wall_print(person->created_at, created).ptr, role == NULL ? "-" : role);
    else if (json_array_append_new(
                 all,
                 json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:s?}", "id", id_print(ID_PERSON, person->id, id).ptr,
                           "state", state, "created_at", wall_print(person->created_at, created).ptr,
                           "platform_role", role, "granted_at",
                           role == NULL ? NULL : wall_print(person->granted_at, granted).ptr, "granted_by",
                           role == NULL ? NULL : person->granted_by.ptr)) != 0)
        bug("a person that is no JSON");
}

static enum exit_code
list(struct command_line *line)
{
    struct page page = { .arena = arena_new(ARENA_BYTES),
                         .has_role = arguments_has(&line->arguments, "--platform") };
    json_t *all = arguments_has(&line->arguments, "--json") ? json_array() : NULL;
    struct db *db = NULL;
    enum err err = page.arena == NULL ? ERR_NO_MEMORY : ERR_OK;

    if (err == ERR_OK)
        err = database_open_admin(&line->config, &line->folders, &db, &line->complaint);
    do {
        if (err == ERR_OK) {
            arena_reset(page.arena);
            err = db_run(db, tenant_platform, page_in, &page);
        }
        for (size_t i = 0; err == ERR_OK && i < page.count; i++)
            person_print(&page.people[i], all);
        if (err == ERR_OK && page.count > 0)
            page.after = page.people[page.count - 1].id;
    } while (err == ERR_OK && page.count == PLATFORM_PEOPLE_PAGE);
    if (err == ERR_OK && all != NULL)
        command_print_json(all);
    else
        json_decref(all);
    db_close(db);
    arena_free(page.arena);
    return err == ERR_OK ? EXIT_DONE : command_fail(line, err);
}

struct change {
    struct id person;
    bool grants;
    enum platform_role role;
};

static enum err
change_in(struct db_tx *tx, void *ctx)
{
    const struct change *change = ctx;

    return change->grants ? platform_role_grant(tx, clock_system(), change->person, change->role,
                                                vault_command_operator().name)
                          : platform_role_revoke(tx, change->person);
}

static enum exit_code
change_make(struct command_line *line, bool grants)
{
    const char *role = grants ? arguments_value(&line->arguments, "--role") : "";
    struct change change = { .grants = grants };
    char detail[64];
    struct db *db = NULL;
    enum err err = grants ? platform_role_parse(slice_text(role), &change.role) : ERR_OK;

    if (err != ERR_OK) {
        complaint_set(&line->complaint, "--role is operator, support or auditor");
        return command_fail(line, ERR_DB_DATA);
    }
    snprintf(detail, sizeof(detail), "{\"role\":\"%s\"}", role);
    err = id_parse(ID_PERSON, slice_text(arguments_word(&line->arguments, 0)), &change.person);
    if (err == ERR_OK)
        err = database_open_admin(&line->config, &line->folders, &db, &line->complaint);
    if (err == ERR_OK)
        err = db_run(db, tenant_platform, operator_act_in,
                     &(struct operator_act_of){ .action = grants ? AUDIT_PLATFORM_ROLE_GRANTED
                                                                 : AUDIT_PLATFORM_ROLE_REVOKED,
                                                .work = change_in,
                                                .ctx = &change,
                                                .object_kind = ID_PERSON,
                                                .object = &change.person,
                                                .detail = grants ? slice_text(detail) : SLICE_EMPTY });
    if ((err == ERR_NOT_FOUND || err == ERR_ID_SYNTAX) && line->complaint.text[0] == '\0')
        complaint_set(&line->complaint,
                      grants
                          ? "there is no such person; \"harkara person list\" shows all, and everybody sees "
                            "the own id on the page of the account"
                          : "this person has no role of the platform; \"harkara person list --platform\" "
                            "shows who has");
    if (err == ERR_OK && arguments_has(&line->arguments, "--json"))
        command_print_json(json_pack("{s:s, s:s?}", "id", arguments_word(&line->arguments, 0),
                                     "platform_role", grants ? role : NULL));
    else if (err == ERR_OK)
        printf("%s %s; it holds from now on\n", arguments_word(&line->arguments, 0),
               grants ? role : "has no role of the platform any more");
    db_close(db);
    return err == ERR_OK ? EXIT_DONE : command_fail(line, err);
}

static enum exit_code
grant(struct command_line *line)
{
    return change_make(line, true);
}

static enum exit_code
revoke(struct command_line *line)
{
    return change_make(line, false);
}

/* clang-format off */
const struct command commands_person[] = {
    { "person", "list", "[--platform] [--json]", "List people by their ids, with their roles of the platform.",
      "What they are called is sealed, and is not shown here: everybody finds the own id with GET /v1/me.", list_options, 0, 0, true, list },
    { "person", "grant", "PERSON --role ROLE", "Give a person a role of the platform.",
      "operator sees and suspends workspaces and reads Harkara's own audit log; support sees workspaces; auditor sees them and\n"
      "reads that log. None of them reaches into a workspace. It takes the place of the role before.", grant_options, 1, 1, true, grant },
    { "person", "revoke", "PERSON", "Take a person's role of the platform away.", NULL, revoke_options, 1, 1, true, revoke },
    { .group = NULL },
};
/* clang-format on */
