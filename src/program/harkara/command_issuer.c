/* issuer add, list, remove: OpenID providers that people may sign in by. */
#include "core/buf.h"
#include "domain/identity/oidc_issuer.h"
#include "domain/identity/origin.h"
#include "program/harkara/command_vault.h"
#include "program/harkara/database.h"
#include "program/harkara/operator_act.h"
#include "wire/oidc/jws.h"
#include "wire/oidc/oidc_discovery.h"
#include <stdio.h>
#include <unistd.h>

#define ARENA_BYTES   ((size_t)1024 * 1024)
#define CALLBACK_PATH "/v1/session/federated/callback"

static const struct argument_option add_options[] = {
    { .name = "--name",
      .value_name = "NAME",
      .help = "What its button says, such as Google.",
      .is_required = true },
    { .name = "--client-id", .value_name = "ID", .help = "Who we are to it.", .is_required = true },
    { .name = "--client-secret-file",
      .value_name = "FILE",
      .help = "Our secret with it; - is standard input.",
      .is_required = true },
    { .name = "--algorithm", .value_name = "ALGORITHM", .help = "RS256 (default), ES256 or EdDSA." },
    { .name = "--domain",
      .value_name = "DOMAIN",
      .help = "Only people with a verified address of it.",
      .is_repeatable = true },
    COMMAND_JSON_OPTION,
    COMMAND_COMMON_OPTIONS,
    { .name = NULL },
};
static const struct argument_option list_options[] = { COMMAND_JSON_OPTION,
                                                       COMMAND_COMMON_OPTIONS,
                                                       { .name = NULL } };
static const struct argument_option remove_options[] = {
    { .name = "--yes-really", .help = "Though people sign in by it." },
    COMMAND_JSON_OPTION,
    COMMAND_COMMON_OPTIONS,
    { .name = NULL },
};

static json_t *
issuer_json(const struct oidc_issuer *issuer)
{
    char id[ID_TEXT_BYTES], at[WALL_TEXT_BYTES];
    json_t *domains = json_array();

    for (size_t i = 0; i < issuer->domain_count; i++)
        if (json_array_append_new(domains, json_stringn(issuer->domains[i].ptr, issuer->domains[i].len)) != 0)
            bug("a domain that is no JSON");
    return json_pack("{s:s, s:s%, s:s%, s:s%, s:s%, s:o, s:s}", "id", id_print(ID_ISSUER, issuer->id, id).ptr,
                     "name", issuer->name.ptr, issuer->name.len, "issuer", issuer->issuer.ptr,
                     issuer->issuer.len, "client_id", issuer->client_id.ptr, issuer->client_id.len,
                     "algorithm", issuer->algorithm.ptr, issuer->algorithm.len, "domains", domains,
                     "created_at", wall_print(issuer->created_at, at).ptr);
}

/* A host name, in lower case. false: it is none. */
static bool
domain_read(struct slice text, struct arena *arena, struct slice *out)
{
    char *lower = arena_alloc(arena, text.len + 1);

    if (lower == NULL || text.len == 0 || text.len > 253 || slice_find(text, '.') == text.len)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-'))
            return false;
        lower[i] = c;
    }
    *out = slice_of(lower, text.len);
    return lower[0] != '.' && lower[text.len - 1] != '.';
}

static enum err
refuse(struct command_line *line, const char *why)
{
    complaint_set(&line->complaint, "%s", why);
    return ERR_QUERY;
}

static enum err
issuer_read(struct command_line *line, struct arena *arena, struct oidc_issuer *out)
{
    const struct arguments *arguments = &line->arguments;
    const char *algorithm = arguments_value(arguments, "--algorithm"), *domain;
    enum public_key_algorithm known;

    *out =
        (struct oidc_issuer){ .id = id_new(clock_system()),
                              .created_at = clock_wall(clock_system()),
                              .issuer = slice_text(arguments_word(arguments, 0)),
                              .name = slice_text(arguments_value(arguments, "--name")),
                              .client_id = slice_text(arguments_value(arguments, "--client-id")),
                              .algorithm = algorithm == NULL ? SLICE("RS256") : slice_text(algorithm),
                              .domains = arena_array(arena, OIDC_ISSUER_DOMAINS_MAX, sizeof(struct slice)) };
    if (out->domains == NULL)
        return ERR_NO_MEMORY;
    if (!oidc_url_is_fit(out->issuer, line->config.issuer_loopback != 0))
        return refuse(line,
                      "an issuer is https://host, as its own documents name it (for one on loopback see "
                      "HARKARA_ISSUER_LOOPBACK)");
    if (jws_algorithm_from(out->algorithm, &known) != ERR_OK)
        return refuse(line, "--algorithm is RS256, ES256 or EdDSA");
    if (out->name.len == 0 || !slice_is_utf8(out->name) || slice_utf8_count(out->name) > OIDC_ISSUER_NAME_MAX)
        return refuse(line, "--name has 1 to 60 characters");
    if (out->client_id.len == 0 || out->client_id.len > 512 || !slice_is_utf8(out->client_id))
        return refuse(line, "--client-id has 1 to 512 octets");
    for (size_t i = 0; (domain = arguments_nth(arguments, "--domain", i)) != NULL; i++) {
        if (i == OIDC_ISSUER_DOMAINS_MAX)
            return refuse(line, "there may be 50 domains");
        if (!domain_read(slice_text(domain), arena, &out->domains[i]))
            return refuse(line, "--domain is a name such as example.org");
        out->domain_count++;
    }
    return ERR_OK;
}

/* One line; its end is not part of it. *out is owned. */
static enum err
secret_read(struct command_line *line, struct secret **out)
{
    const char *path = arguments_value(&line->arguments, "--client-secret-file");
    FILE *from = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    char text[OIDC_ISSUER_SECRET_MAX + 3];
    enum err err = ERR_OK;

    *out = NULL;
    if (from == NULL) {
        complaint_set(&line->complaint, "%s cannot be read", path);
        return ERR_NOT_FOUND;
    }
    setbuf(from, NULL); /* no copy of it in a buffer that nobody wipes */
    size_t len = fread(text, 1, sizeof(text), from);
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    for (size_t i = 0; i < len; i++)
        if (text[i] < ' ' || text[i] == 0x7f)
            err = ERR_QUERY;
    if (err != ERR_OK || ferror(from) || len == 0 || len > OIDC_ISSUER_SECRET_MAX)
        err = refuse(line, "the client's secret is one line of 1 to 512 octets");
    if (err == ERR_OK) {
        *out = secret_copy(slice_of(text, len));
        err = *out == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    secret_wipe(text, sizeof(text));
    if (from != stdin)
        (void)fclose(from);
    return err;
}

struct add {
    struct oidc_issuer issuer;
    struct vault_sealed secret;
};

static enum err
add_in(struct db_tx *tx, void *ctx)
{
    const struct add *add = ctx;
    enum err err = oidc_issuer_insert(tx, &add->issuer, &add->secret);

    return err == ERR_OK ? operator_act(tx, AUDIT_ISSUER_ADDED, ID_ISSUER, add->issuer.id, SLICE_EMPTY) : err;
}

static void
added_print(struct command_line *line, const struct oidc_issuer *issuer)
{
    struct origin origin;
    char id[ID_TEXT_BYTES];
    enum err err = origin_read(slice_text(line->config.origin), slice_text(line->config.public_url), &origin);

    if (arguments_has(&line->arguments, "--json")) {
        json_t *shown = issuer_json(issuer);
        if (err == ERR_OK &&
            json_object_set_new(shown, "redirect_uri",
                                json_sprintf("%.*s" CALLBACK_PATH, SLICE_FMT(origin.whole))) != 0)
            bug("an address that is no JSON");
        command_print_json(shown);
        return;
    }
    printf("%s  %.*s\n", id_print(ID_ISSUER, issuer->id, id).ptr, SLICE_FMT(issuer->name));
    if (err == ERR_OK)
        printf("Register this redirect URI with it: %.*s" CALLBACK_PATH "\n", SLICE_FMT(origin.whole));
    else
        printf("Nobody can sign in yet: HARKARA_ORIGIN is to be https://host, or http://localhost\n");
}

static enum exit_code
add(struct command_line *line)
{
    struct vault_command command = { .line = line };
    struct secret *secret = NULL;
    struct add add;
    enum err err = secret_read(line, &secret);

    if (err == ERR_OK)
        err = vault_command_open(line, &command);
    if (err == ERR_OK)
        err = issuer_read(line, command.arena, &add.issuer);
    if (err == ERR_OK) {
        const struct vault_place place = oidc_issuer_secret_place(add.issuer.id);
        err = vault_seal(&command.vault, VAULT_CREDENTIAL, &place, secret_slice(secret), command.arena,
                         &add.secret);
    }
    if (err == ERR_OK)
        err = db_run(command.db, tenant_platform, add_in, &add);
    if (err == ERR_EXISTS)
        complaint_set(&line->complaint, "there is this issuer already; remove it first");
    if (err == ERR_OK)
        added_print(line, &add.issuer);
    secret_free(secret);
    vault_command_close(&command);
    return err == ERR_OK ? EXIT_DONE : command_fail(line, err);
}

/* vault_command_open without the vault: no server need run. */
static enum err
database_only(struct command_line *line, struct vault_command *out)
{
    *out = (struct vault_command){ .line = line, .arena = arena_new(ARENA_BYTES) };
    return out->arena == NULL
               ? ERR_NO_MEMORY
               : database_open_admin(&line->config, &line->folders, &out->db, &line->complaint);
}

struct look {
    struct arena *arena;
    struct oidc_issuer *issuers;
    size_t count;
    struct id removed;
    size_t people, sessions_ended;
    bool is_meant;
};

static enum err
list_in(struct db_tx *tx, void *ctx)
{
    struct look *look = ctx;

    return oidc_issuer_list(tx, look->arena, &look->issuers, &look->count);
}

static void
list_print(const struct command_line *line, const struct look *look)
{
    json_t *all = arguments_has(&line->arguments, "--json") ? json_array() : NULL;
    char id[ID_TEXT_BYTES];

    for (size_t i = 0; i < look->count; i++) {
        const struct oidc_issuer *issuer = &look->issuers[i];
        if (all == NULL)
            printf("%s  %.*s  %.*s\n", id_print(ID_ISSUER, issuer->id, id).ptr, SLICE_FMT(issuer->issuer),
                   SLICE_FMT(issuer->name));
        else if (json_array_append_new(all, issuer_json(issuer)) != 0)
            bug("an issuer that is no JSON");
    }
    if (all != NULL)
        command_print_json(all);
}

static enum exit_code
list(struct command_line *line)
{
    struct vault_command command = { .line = line };
    struct look look = { .count = 0 };
    enum err err = database_only(line, &command);

    look.arena = command.arena;
    if (err == ERR_OK)
        err = db_run(command.db, tenant_platform, list_in, &look);
    if (err == ERR_OK)
        list_print(line, &look);
    vault_command_close(&command);
    return err == ERR_OK ? EXIT_DONE : command_fail(line, err);
}

static enum err
remove_in(struct db_tx *tx, void *ctx)
{
    struct look *look = ctx;
    enum err err = oidc_issuer_people(tx, look->removed, &look->people);

    if (err == ERR_OK && look->people > 0 && !look->is_meant)
        err = ERR_STATE_CONFLICT;
    if (err == ERR_OK)
        err = oidc_issuer_delete(tx, clock_system(), look->removed, &look->sessions_ended);
    return err == ERR_OK ? operator_act(tx, AUDIT_ISSUER_REMOVED, ID_ISSUER, look->removed, SLICE_EMPTY)
                         : err;
}

/* By its URL or its id. */
static enum exit_code
remove_one(struct command_line *line)
{
    struct slice word = slice_text(arguments_word(&line->arguments, 0));
    struct vault_command command = { .line = line };
    struct look look = { .is_meant = arguments_has(&line->arguments, "--yes-really") };
    enum err err = database_only(line, &command);
    bool is_known = err == ERR_OK && id_parse(ID_ISSUER, word, &look.removed) == ERR_OK;

    look.arena = command.arena;
    if (err == ERR_OK)
        err = db_run(command.db, tenant_platform, list_in, &look);
    for (size_t i = 0; err == ERR_OK && !is_known && i < look.count; i++)
        if (slice_eq(look.issuers[i].issuer, word)) {
            look.removed = look.issuers[i].id;
            is_known = true;
        }
    if (err == ERR_OK)
        err = is_known ? db_run(command.db, tenant_platform, remove_in, &look) : ERR_NOT_FOUND;
    if (err == ERR_NOT_FOUND)
        complaint_set(&line->complaint, "there is no such issuer; \"harkara issuer list\" shows all");
    if (err == ERR_STATE_CONFLICT)
        complaint_set(
            &line->complaint,
            "%zu people sign in by it, some perhaps in no other way; with --yes-really they do no more",
            look.people);
    if (err == ERR_OK && arguments_has(&line->arguments, "--json"))
        command_print_json(json_pack("{s:I, s:I}", "people", (json_int_t)look.people, "sessions_ended",
                                     (json_int_t)look.sessions_ended));
    else if (err == ERR_OK)
        printf("removed; %zu people signed in by it, %zu sessions ended\n", look.people, look.sessions_ended);
    vault_command_close(&command);
    return err == ERR_OK ? EXIT_DONE : command_fail(line, err);
}

/* clang-format off */
const struct command commands_issuer[] = {
    { "issuer", "add",
      "ISSUER --name NAME --client-id ID --client-secret-file FILE [--algorithm A] [--domain D]... [--json]",
      "Let people sign in by an OpenID provider.",
      "ISSUER is its URL as its discovery document says it, such as https://accounts.google.com. The secret is\n"
      "sealed in the running server's vault. Printed is the redirect URI to register there. Nobody gets an account\n"
      "by it alone: people connect it to theirs, or come by a link of Harkara's.",
      add_options, 1, 1, true, add },
    { "issuer", "list", "[--json]", "Show the OpenID providers.", NULL, list_options, 0, 0, true, list },
    { "issuer", "remove", "ISSUER [--yes-really] [--json]", "Let nobody sign in by it any more.",
      "ISSUER is its URL or its idp_ id. Sessions that began by an issuer end for whoever was connected to it.",
      remove_options, 1, 1, true, remove_one },
    { .group = NULL },
};
/* clang-format on */
