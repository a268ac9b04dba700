/* key create, key list, key revoke. */
#include "domain/identity/api_key.h"
#include "domain/tenant/tenant.h"
#include "program/harkara/command.h"
#include "program/harkara/database.h"
#include "program/harkara/key_expiry.h"
#include "program/harkara/operator_act.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ARENA_BYTES_MAX ((size_t)1024 * 1024)
#define LIST_LIMIT      100u

#define TENANT_OPTION                                                                                        \
    {                                                                                                        \
        .name = "--tenant", .value_name = "TENANT", .help = "Its slug or its ten_ id.", .is_required = true  \
    }

static const struct argument_option create_options[] = {
    TENANT_OPTION,
    { .name = "--name", .value_name = "NAME", .help = "What it is for.", .is_required = true },
    { .name = "--scope",
      .value_name = "SCOPE",
      .help = "What it may do, or \"all\".",
      .is_required = true,
      .is_repeatable = true },
    { .name = "--mode", .value_name = "MODE", .help = "live (default) or test." },
    { .name = "--expires", .value_name = "WHEN", .help = "90d, 12h or an RFC 3339 time; else never." },
    { .name = "--cidr",
      .value_name = "RANGE",
      .help = "Where it may be used from; else anywhere.",
      .is_repeatable = true },
    COMMAND_JSON_OPTION,
    COMMAND_COMMON_OPTIONS,
    { .name = NULL },
};
static const struct argument_option tenant_options[] = {
    TENANT_OPTION, COMMAND_JSON_OPTION, COMMAND_COMMON_OPTIONS, { .name = NULL }
};

/* A command's way into one tenant. */
struct session {
    struct arena *arena;
    struct db *db;
    struct tenant tenant;
};

static enum err
session_open(struct command_line *line, struct session *out)
{
    *out = (struct session){ .arena = arena_new(ARENA_BYTES_MAX) };
    if (out->arena == NULL)
        return ERR_NO_MEMORY;
    enum err err = database_open_admin(&line->config, &line->folders, &out->db, &line->complaint);
    if (err != ERR_OK)
        return err;
    err = tenant_find(out->db, slice_text(arguments_value(&line->arguments, "--tenant")), out->arena,
                      &out->tenant);
    if (err == ERR_NOT_FOUND)
        complaint_set(&line->complaint, "there is no such tenant; \"harkara tenant list\" shows all");
    return err;
}

static void
session_close(struct session *session)
{
    db_close(session->db);
    arena_free(session->arena);
}

static enum err
scopes_read(struct command_line *line, uint64_t *out)
{
    const char *word;

    *out = 0;
    for (size_t i = 0; (word = arguments_nth(&line->arguments, "--scope", i)) != NULL; i++) {
        enum api_scope scope;
        if (slice_eq(slice_text(word), SLICE("all"))) {
            *out |= ((uint64_t)1 << API_SCOPE_COUNT) - 1;
        } else if (api_scope_parse(slice_text(word), &scope) == ERR_OK) {
            *out |= (uint64_t)1 << scope;
        } else {
            complaint_set(&line->complaint, "\"%s\" is no scope; \"harkara help key create\" lists them",
                          word);
            return ERR_QUERY;
        }
    }
    return ERR_OK;
}

static enum err
mode_read(struct command_line *line, enum api_key_mode *out)
{
    const char *word = arguments_value(&line->arguments, "--mode");

    *out = API_KEY_LIVE;
    if (word == NULL || slice_eq(slice_text(word), SLICE("live")))
        return ERR_OK;
    *out = API_KEY_TEST;
    if (slice_eq(slice_text(word), SLICE("test")))
        return ERR_OK;
    complaint_set(&line->complaint, "--mode is live or test");
    return ERR_QUERY;
}

static enum err
expiry_read(struct command_line *line, struct api_key_new *with)
{
    const char *when = arguments_value(&line->arguments, "--expires");
    struct wall_time now = clock_wall(clock_system());

    with->has_expiry = when != NULL;
    if (when == NULL)
        return ERR_OK;
    if (key_expiry_parse(slice_text(when), now, &with->expires_at) == ERR_OK && with->expires_at.us > now.us)
        return ERR_OK;
    complaint_set(&line->complaint,
                  "--expires is a span such as 90d or 12h, or a time to come: 2030-01-01T00:00:00Z");
    return ERR_TIME_SYNTAX;
}

static json_t *
key_json(const struct api_key *key)
{
    char id[ID_TEXT_BYTES], at[WALL_TEXT_BYTES];
    json_t *scopes = json_array(), *cidrs = json_array();

    for (unsigned i = 0; i < API_SCOPE_COUNT; i++)
        if ((key->scopes & (uint64_t)1 << i) != 0)
            json_array_append_new(scopes, json_string(api_scope_word((enum api_scope)i)));
    for (size_t i = 0; i < key->cidr_count; i++)
        json_array_append_new(cidrs, json_stringn(key->cidrs[i].ptr, key->cidrs[i].len));
    json_t *root =
        json_pack("{s:s,s:s%,s:s,s:s,s:o,s:o,s:b,s:s}", "id", id_print(ID_KEY, key->id, id).ptr, "name",
                  key->name.ptr, key->name.len, "mode", key->mode == API_KEY_LIVE ? "live" : "test",
                  "last_four", key->last_four, "scopes", scopes, "cidrs", cidrs, "is_revoked",
                  (int)key->is_revoked, "created_at", wall_print(key->created_at, at).ptr);
    if (key->has_expiry)
        json_object_set_new(root, "expires_at", json_string(wall_print(key->expires_at, at).ptr));
    if (key->was_used)
        json_object_set_new(root, "last_used_at", json_string(wall_print(key->last_used_at, at).ptr));
    return root;
}

struct key_make {
    struct api_key_new with;
    struct arena *arena;
    struct api_key key;
    struct secret *text;
};

static enum err
key_make(struct db_tx *tx, void *ctx)
{
    struct key_make *make = ctx;

    secret_free(make->text); /* of a try that was rolled back */
    make->text = NULL;
    return api_key_create(tx, clock_system(), &make->with, make->arena, &make->key, &make->text);
}

/* Shown once, here. Written with one call past stdio's buffer, which nobody would wipe. */
static void
key_show(const struct command_line *line, const struct key_make *make)
{
    struct slice text = secret_slice(make->text);
    struct buf out;

    buf_init(&out, 8192);
    if (arguments_has(&line->arguments, "--json")) {
        json_t *root = key_json(&make->key);
        json_object_set_new(root, "key", json_stringn(text.ptr, text.len));
        char *printed = json_dumps(root, JSON_COMPACT);
        if (printed == NULL)
            bug("a key that is no JSON");
        buf_add_text(&out, printed);
        secret_wipe(printed, strlen(printed));
        free(printed);
        json_decref(root);
    } else {
        buf_add(&out, text);
    }
    buf_add_byte(&out, '\n');
    struct slice left = buf_slice(&out);
    while (left.len > 0) {
        ssize_t n = write(STDOUT_FILENO, left.ptr, left.len);
        if (n <= 0)
            break;
        left = slice_drop(left, (size_t)n);
    }
    buf_release_wiped(&out);
}

static enum exit_code
create(struct command_line *line)
{
    struct slice cidrs[API_KEY_CIDRS_MAX];
    struct key_make make = { .with = { .name = slice_text(arguments_value(&line->arguments, "--name")),
                                       .cidrs = cidrs,
                                       .maker_kind = "operator" } };
    struct session session = { 0 };
    const char *cidr;
    enum err err = scopes_read(line, &make.with.scopes);

    if (err == ERR_OK)
        err = mode_read(line, &make.with.mode);
    if (err == ERR_OK)
        err = expiry_read(line, &make.with);
    for (size_t i = 0; err == ERR_OK && (cidr = arguments_nth(&line->arguments, "--cidr", i)) != NULL; i++) {
        if (i == API_KEY_CIDRS_MAX)
            err = ERR_TOO_MANY;
        else
            cidrs[make.with.cidr_count++] = slice_text(cidr);
    }
    if (err == ERR_OK && !slice_is_utf8(make.with.name))
        err = ERR_UTF8;
    if (err == ERR_OK)
        err = session_open(line, &session);
    make.arena = session.arena;
    if (err == ERR_OK) {
        err = db_run(session.db, session.tenant.id, operator_act_in,
                     &(struct operator_act_of){ .action = AUDIT_API_KEY_CREATED,
                                                .work = key_make,
                                                .ctx = &make,
                                                .object_kind = ID_KEY,
                                                .object = &make.key.id });
        if (err == ERR_DB_DATA || err == ERR_DB_CONSTRAINT)
            complaint_set(&line->complaint,
                          "a name has 1 to 120 characters, and a --cidr is canonical: 203.0.113.0/24, "
                          "2001:db8::/32, 203.0.113.7");
    }
    if (err == ERR_OK)
        key_show(line, &make);
    secret_free(make.text);
    session_close(&session);
    return err == ERR_OK ? EXIT_DONE : command_fail(line, err);
}

struct key_list {
    struct arena *arena;
    struct api_key *keys;
    size_t count;
    struct id before;
};

static enum err
key_list(struct db_tx *tx, void *ctx)
{
    struct key_list *list = ctx;

    return api_key_list(tx, list->before, LIST_LIMIT, list->arena, &list->keys, &list->count);
}

static const char *
key_state(const struct api_key *key)
{
    return key->is_revoked                                                          ? "revoked"
           : key->has_expiry && key->expires_at.us <= clock_wall(clock_system()).us ? "expired"
                                                                                    : "valid";
}

static void
key_line(const struct api_key *key)
{
    char id[ID_TEXT_BYTES], at[WALL_TEXT_BYTES];

    printf("%s  %s  ...%s  %-7s  %s  %.*s ", id_print(ID_KEY, key->id, id).ptr,
           key->mode == API_KEY_LIVE ? "live" : "test", key->last_four, key_state(key),
           wall_print(key->created_at, at).ptr, SLICE_FMT(key->name));
    for (unsigned i = 0; i < API_SCOPE_COUNT; i++)
        if ((key->scopes & (uint64_t)1 << i) != 0)
            printf(" %s", api_scope_word((enum api_scope)i));
    putchar('\n');
}

static enum exit_code
list(struct command_line *line)
{
    json_t *all = arguments_has(&line->arguments, "--json") ? json_array() : NULL;
    struct session session;
    struct key_list page = { 0 };
    enum err err = session_open(line, &session);

    page.arena = session.arena;
    while (err == ERR_OK) {
        err = db_run(session.db, session.tenant.id, key_list, &page);
        size_t shown = err != ERR_OK ? 0 : page.count < LIST_LIMIT ? page.count : LIST_LIMIT;
        for (size_t i = 0; i < shown; i++) {
            if (all == NULL)
                key_line(&page.keys[i]);
            else
                json_array_append_new(all, key_json(&page.keys[i]));
        }
        if (page.count <= LIST_LIMIT)
            break;
        page.before = page.keys[shown - 1].id;
    }
    if (err == ERR_OK && all != NULL)
        command_print_json(all);
    else
        json_decref(all);
    session_close(&session);
    return err == ERR_OK ? EXIT_DONE : command_fail(line, err);
}

static enum err
key_revoke(struct db_tx *tx, void *ctx)
{
    return api_key_revoke(tx, clock_system(), *(const struct id *)ctx);
}

static enum exit_code
revoke_one(struct command_line *line)
{
    struct session session = { 0 };
    struct id key;
    enum err err = id_parse(ID_KEY, slice_text(arguments_word(&line->arguments, 0)), &key);

    if (err == ERR_OK)
        err = session_open(line, &session);
    if (err == ERR_OK)
        err = db_run(session.db, session.tenant.id, operator_act_in,
                     &(struct operator_act_of){ .action = AUDIT_API_KEY_REVOKED,
                                                .work = key_revoke,
                                                .ctx = &key,
                                                .object_kind = ID_KEY,
                                                .object = &key });
    if ((err == ERR_NOT_FOUND || err == ERR_ID_SYNTAX) && line->complaint.text[0] == '\0')
        complaint_set(&line->complaint, "this tenant has no such key; \"harkara key list\" shows all");
    if (err == ERR_OK && arguments_has(&line->arguments, "--json"))
        command_print_json(json_pack("{s:b}", "is_revoked", 1));
    else if (err == ERR_OK)
        puts("revoked; every process refuses it within a second");
    session_close(&session);
    return err == ERR_OK ? EXIT_DONE : command_fail(line, err);
}

/* clang-format off */
const struct command commands_key[] = {
    { "key", "create", "--tenant TENANT --name NAME --scope SCOPE... [--expires WHEN] [--cidr RANGE...]",
      "Make an API key and print it, once.",
      "Scopes: messages:send messages:read channels:read channels:manage templates:read templates:manage\n"
      "webhooks:read webhooks:manage settings:read settings:manage keys:manage; docs/api.md has them all.\n"
      "Only a salted hash is stored: a key that was not written down is made anew.",
      create_options, 0, 0, true, create },
    { "key", "list", "--tenant TENANT [--json]", "List a tenant's keys: id, mode, last four, state, creation, name, scopes.",
      NULL, tenant_options, 0, 0, true, list },
    { "key", "revoke", "--tenant TENANT KEY_ID", "End a key; every process refuses it within a second.",
      "Repeating it is harmless.", tenant_options, 1, 1, true, revoke_one },
    { .group = NULL },
};
/* clang-format on */
