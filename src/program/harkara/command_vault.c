/* vault rotate, vault rekey: keys are made new, and values move to them, while everything runs. */
#include "program/harkara/command_vault.h"
#include "core/num.h"
#include "domain/tenant/key_rotation.h"
#include "domain/tenant/rekey.h"
#include "domain/tenant/tenant.h"
#include "domain/tenant/tenant_key.h"
#include "program/harkara/command.h"
#include "program/harkara/control.h"
#include "program/harkara/database.h"
#include "program/harkara/kek.h"
#include "program/harkara/operator_act.h"
#include "program/harkara/status_file.h"
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ARENA_BYTES_MAX  ((size_t)1024 * 1024)
#define BATCH_BYTES_MAX  ((size_t)256 * 1024 * 1024)
#define VAULT_TIMEOUT_MS 30000
#define GRACE_S          900
#define GRACE_S_MAX      31536000

static const struct argument_option rotate_options[] = {
    { .name = "--kek", .help = "A new key-encryption key; all data keys are wrapped by it." },
    { .name = "--new-master-key-file",
      .value_name = "FILE",
      .help = "Make it of this master key, which replaces the present one, or a token's." },
    { .name = "--new-hsm-secret", .help = "Make it of a new master secret in the token." },
    { .name = "--hsm-key",
      .value_name = "LABEL",
      .help = "Wrapped by this key of the token; else by the present one." },
    { .name = "--hsm-token", .value_name = "LABEL", .help = "In this token of the server's settings." },
    { .name = "--scrypt-cost", .value_name = "N", .help = "Its cost, 2^N: 14 to 20; else 17." },
    { .name = "--tenant", .value_name = "TENANT", .help = "New data keys for this one: slug or id." },
    { .name = "--all", .help = "New data keys for all tenants." },
    { .name = "--purpose", .value_name = "PURPOSE", .help = "Only content or only credential keys." },
    COMMAND_JSON_OPTION,
    COMMAND_COMMON_OPTIONS,
    { .name = NULL },
};
static const struct argument_option rekey_options[] = {
    { .name = "--tenant", .value_name = "TENANT", .help = "Only this one: slug or id." },
    { .name = "--grace",
      .value_name = "SECONDS",
      .help = "How old a newer key must be before an unused older one is destroyed; else 900." },
    COMMAND_JSON_OPTION,
    COMMAND_COMMON_OPTIONS,
    { .name = NULL },
};

struct key_operator
vault_command_operator(void)
{
    const char *sudo = getenv("SUDO_USER");
    const struct passwd *user = getpwuid(geteuid());
    const char *name = sudo != NULL && sudo[0] != '\0' ? sudo : user != NULL ? user->pw_name : "unknown";

    return (struct key_operator){ clock_system(), slice_first(slice_text(name), 64), operator_key_act };
}

enum err
vault_command_open(struct command_line *line, struct vault_command *out)
{
    int link = -1;

    *out = (struct vault_command){ .line = line, .arena = arena_new(ARENA_BYTES_MAX) };
    out->operator= vault_command_operator();
    enum err err = out->arena == NULL ? ERR_NO_MEMORY : ERR_OK;
    if (err == ERR_OK)
        err = database_open_admin(&line->config, &line->folders, &out->db, &line->complaint);
    if (err == ERR_OK)
        err = control_ask(line->folders.control_socket, &link, &line->complaint);
    if (err == ERR_OK)
        err = vault_client_new(link, VAULT_TIMEOUT_MS, &out->client);
    if (err == ERR_OK)
        out->vault = tenant_vault(out->client, out->db);
    return err;
}

void
vault_command_close(struct vault_command *command)
{
    vault_client_free(command->client);
    db_close(command->db);
    arena_free(command->arena);
}

enum err
vault_command_lock(struct vault_command *command)
{
    enum err err = key_work_lock(command->db);

    if (err == ERR_BUSY)
        complaint_set(&command->line->complaint, "another rotation, re-encryption or shredding is at work");
    return err;
}

enum err
vault_command_tenant(struct vault_command *command, const char *text, struct tenant *out)
{
    enum err err = tenant_find(command->db, slice_text(text), command->arena, out);

    if (err == ERR_NOT_FOUND)
        complaint_set(&command->line->complaint, "there is no tenant %s", text);
    return err;
}

/* Does something for one tenant, or for all of them in order, from where it was left on. */
typedef enum err (*tenant_work)(struct vault_command *command, struct id tenant, void *ctx, int64_t *done);

static enum err
for_one_or_all(struct vault_command *command, const char *kind, const char *scope, const char *tenant,
               tenant_work work, void *ctx, int64_t *done_out)
{
    struct key_work where = { .kind = kind, .scope = slice_text(scope) };
    struct id tenants[KEY_TENANTS_MAX];
    struct tenant one;
    bool is_resumed = false;
    size_t count = 0;
    enum err err;

    *done_out = 0;
    if (tenant != NULL) {
        err = vault_command_tenant(command, tenant, &one);
        return err == ERR_OK ? work(command, one.id, ctx, done_out) : err;
    }
    err = key_work_begin(command->db, &where, &is_resumed);
    if (err == ERR_OK && is_resumed)
        fprintf(stderr, "harkara: goes on where it was left\n");
    do {
        if (err == ERR_OK)
            err = key_tenants(command->db, where.after, tenants, &count);
        for (size_t i = 0; err == ERR_OK && i < count; i++) {
            err = work(command, tenants[i], ctx, &where.done_count);
            where.after = tenants[i];
            if (err == ERR_OK)
                err = key_work_save(command->db, &where);
        }
    } while (err == ERR_OK && count > 0);
    *done_out = where.done_count;
    return err == ERR_OK ? key_work_end(command->db, &where) : err;
}

/* Data keys. */

static enum err
advance_work(struct vault_command *command, struct id tenant, void *ctx, int64_t *done)
{
    const unsigned *purposes = ctx;
    enum err err = ERR_OK;

    for (enum vault_purpose purpose = VAULT_CONTENT; err == ERR_OK && purpose <= VAULT_CREDENTIAL;
         purpose++) {
        uint32_t version = 0;
        if ((*purposes & (1u << purpose)) == 0)
            continue;
        err = key_advance(command->db, &command->vault, &command->operator, tenant, purpose, &version);
        *done += err == ERR_OK;
        if (err == ERR_NOT_FOUND) /* shredded in between */
            err = ERR_OK;
    }
    return err;
}

/* The purposes as a set, and a word for them. */
static enum err
purposes_read(struct command_line *line, unsigned *out, const char **scope_out)
{
    const char *text = arguments_value(&line->arguments, "--purpose");

    *out = 1u << VAULT_CONTENT | 1u << VAULT_CREDENTIAL;
    *scope_out = "content and credential";
    if (text == NULL)
        return ERR_OK;
    for (enum vault_purpose purpose = VAULT_CONTENT; purpose <= VAULT_CREDENTIAL; purpose++)
        if (strcmp(text, vault_purpose_name(purpose)) == 0) {
            *out = 1u << purpose;
            *scope_out = vault_purpose_name(purpose);
            return ERR_OK;
        }
    complaint_set(
        &line->complaint,
        strcmp(text, vault_purpose_name(VAULT_INDEX)) == 0
            ? "index keys are not rotated: an index made with another key would not find what the first one "
              "indexed (docs/vault.md)"
            : "--purpose must be content or credential");
    return ERR_DB_DATA;
}

static enum exit_code
rotate(struct command_line *line)
{
    bool is_all = arguments_has(&line->arguments, "--all"), is_kek = false;
    const char *tenant = arguments_value(&line->arguments, "--tenant"), *scope = NULL;
    struct vault_command command = { .line = line };
    struct kek_rotated kek = { .version = 0 };
    int64_t made = 0;
    unsigned purposes = 0;

    if (!kek_rotation_is_wanted(line, &is_kek))
        return EXIT_USAGE;

    if ((!is_kek && !is_all && tenant == NULL) || (is_all && tenant != NULL)) {
        complaint_set(
            &line->complaint,
            "say what to rotate: --kek, --new-master-key-file FILE, --new-hsm-secret, --tenant TENANT or --all");
        return EXIT_USAGE;
    }
    enum err err = purposes_read(line, &purposes, &scope);
    if (err == ERR_OK)
        err = vault_command_open(line, &command);
    if (err == ERR_OK)
        err = vault_command_lock(&command);
    if (err == ERR_OK && is_kek)
        err = kek_rotate(&command, &kek);
    if (err == ERR_OK && (is_all || tenant != NULL))
        err = for_one_or_all(&command, "rotate", scope, tenant, advance_work, &purposes, &made);
    if (err == ERR_OK && arguments_has(&line->arguments, "--json"))
        command_print_json(json_pack("{s:o,s:I,s:I,s:o,s:I}", "kek_version",
                                     is_kek ? json_integer((json_int_t)kek.version) : json_null(),
                                     "keys_wrapped", (json_int_t)kek.wrapped, "keys_made", (json_int_t)made,
                                     "master_secret",
                                     kek.made_of > 0 ? json_integer((json_int_t)kek.made_of) : json_null(),
                                     "secrets_removed", (json_int_t)kek.secrets_removed));
    else if (err == ERR_OK) {
        if (is_kek)
            kek_rotated_print(&kek);
        if (is_all || tenant != NULL)
            printf("%lld data keys were made; \"harkara vault rekey\" moves what is stored to them\n",
                   (long long)made);
    }
    vault_command_close(&command);
    return err == ERR_OK ? EXIT_DONE : command_fail(line, err);
}

/* Values. */

struct rekey {
    struct rekey_group groups[REKEY_GROUPS_MAX];
    size_t group_count;
    struct arena *batch;
    int64_t grace_s;
    int64_t destroyed, kept, left; /* older versions, and values that are still under them */
};

static enum err
rekey_purpose(struct vault_command *command, struct rekey *rekey, struct id tenant,
              enum vault_purpose purpose, uint32_t newest, int64_t *done)
{
    enum err err = ERR_OK;

    for (size_t g = 0; err == ERR_OK && g < rekey->group_count; g++) {
        struct rekey_cursor cursor = { .is_at_end = rekey->groups[g].purpose != purpose };
        while (err == ERR_OK && !cursor.is_at_end) {
            size_t count = 0;
            err = rekey_step(command->db, &command->vault, tenant, &rekey->groups[g], newest, &cursor,
                             rekey->batch, &count);
            *done += (int64_t)count;
        }
    }
    return err;
}

static enum err
rekey_tell(struct vault_command *command, struct rekey *rekey, struct id tenant, int64_t rows)
{
    arena_reset(rekey->batch);
    return db_run(command->db, tenant, operator_act_in,
                  &(struct operator_act_of){
                      .action = AUDIT_TENANT_REKEYED,
                      .detail = arena_format(rekey->batch, "{\"rows\":%lld}", (long long)rows) });
}

static enum err
rekey_work(struct vault_command *command, struct id tenant, void *ctx, int64_t *done)
{
    struct rekey *rekey = ctx;
    struct key_version versions[KEY_VERSIONS_MAX];
    uint32_t newest[VAULT_INDEX + 1] = { 0 };
    size_t count = 0;
    enum err err = key_versions(command->db, tenant, versions, &count);
    int64_t before = *done;

    for (size_t i = 0; i < count; i++)
        if (versions[i].version > newest[versions[i].purpose])
            newest[versions[i].purpose] = versions[i].version;
    for (enum vault_purpose purpose = VAULT_CONTENT; err == ERR_OK && purpose <= VAULT_CREDENTIAL; purpose++)
        if (newest[purpose] > 1)
            err = rekey_purpose(command, rekey, tenant, purpose, newest[purpose], done);
    if (err == ERR_OK && *done > before) /* many transactions: told when the last is done */
        err = rekey_tell(command, rekey, tenant, *done - before);
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        int64_t left = 0;
        if (versions[i].purpose == VAULT_INDEX || versions[i].version == newest[versions[i].purpose])
            continue;
        err = key_destroy(command->db, &command->vault, &command->operator, tenant, versions[i].purpose,
                          versions[i].version, rekey->grace_s, &left);
        rekey->destroyed += err == ERR_OK;
        rekey->kept += err == ERR_NOTHING;
        rekey->left += left;
        if (err == ERR_NOTHING || err == ERR_NOT_FOUND)
            err = ERR_OK;
    }
    return err;
}

static enum exit_code
rekey(struct command_line *line)
{
    const char *grace = arguments_value(&line->arguments, "--grace");
    struct vault_command command = { .line = line };
    struct rekey *rekey = calloc(1, sizeof(*rekey));
    int64_t done = 0;
    int grace_s = GRACE_S;
    enum err err = rekey == NULL ? ERR_NO_MEMORY : ERR_OK;

    if (err == ERR_OK && grace != NULL &&
        num_int_parse(slice_text(grace), 0, GRACE_S_MAX, &grace_s) != ERR_OK) {
        complaint_set(&line->complaint, "--grace must be 0 to %d seconds", GRACE_S_MAX);
        err = ERR_DB_DATA;
    }
    if (err == ERR_OK)
        err = vault_command_open(line, &command);
    if (err == ERR_OK)
        err = vault_command_lock(&command);
    if (err == ERR_OK) {
        rekey->grace_s = grace_s;
        rekey->batch = arena_new(BATCH_BYTES_MAX);
        err = rekey->batch == NULL
                  ? ERR_NO_MEMORY
                  : rekey_groups(command.db, command.arena, rekey->groups, &rekey->group_count);
    }
    if (err == ERR_OK)
        err = for_one_or_all(&command, "rekey", "all", arguments_value(&line->arguments, "--tenant"),
                             rekey_work, rekey, &done);
    if (err == ERR_OK && arguments_has(&line->arguments, "--json"))
        command_print_json(json_pack("{s:I,s:I,s:I,s:I}", "rows_rekeyed", (json_int_t)done, "keys_destroyed",
                                     (json_int_t)rekey->destroyed, "keys_kept", (json_int_t)rekey->kept,
                                     "values_left", (json_int_t)rekey->left));
    else if (err == ERR_OK)
        printf(
            "%lld rows were sealed again; %lld older keys destroyed, %lld kept (%lld values are under them, or "
            "their successors are younger than %d s): run it again later\n",
            (long long)done, (long long)rekey->destroyed, (long long)rekey->kept, (long long)rekey->left,
            grace_s);
    if (rekey != NULL)
        arena_free(rekey->batch);
    free(rekey);
    vault_command_close(&command);
    return err == ERR_OK ? EXIT_DONE : command_fail(line, err);
}

/* clang-format off */
const struct command commands_vault[] = {
    { "vault", "status", "[--tenant TENANT] [--json]", "Show keys: versions, age, use, limits.",
      "Counts of seals and opens are what the vaults have told so far: every ten seconds, and a vault that is killed\n"
      "takes what it has not told with it.",
      vault_status_options, 0, 0, true, command_vault_status },
    { "vault", "rotate", "[--kek] [--new-master-key-file FILE | --new-hsm-secret] [--tenant TENANT | --all] [--purpose PURPOSE]",
      "Make new keys while everything runs.",
      "--kek makes a key-encryption key with a new salt, wraps all data keys by it and retires the older ones; with\n"
      "--new-master-key-file of another master key, with --new-hsm-secret of a new secret in the token. Killed, it goes\n"
      "on when it is run again. --tenant and --all make new data keys: from then on values are sealed under them.",
      rotate_options, 0, 0, true, rotate },
    { "vault", "rekey", "[--tenant TENANT] [--grace SECONDS]", "Move stored values to the newest data keys.",
      "In small batches, while everything runs; killed, it goes on when it is run again. Older keys that nothing is\n"
      "sealed under any more are destroyed.",
      rekey_options, 0, 0, true, rekey },
    { "vault", "hsm-init", "", "Make the token's key and the master secret that it wraps.",
      "For HARKARA_HSM_MODULE and its fellows, once and while harkara does not serve. A key of that label that is in\n"
      "the token already is taken, if it cannot leave the token.",
      vault_hsm_init_options, 0, 0, false, command_vault_hsm_init },
    { .group = NULL },
};
/* clang-format on */
