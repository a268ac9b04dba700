/* vault status: which keys there are, how old they are, and how much they were used. */
#include "program/harkara/command_vault.h"
#include "program/harkara/status_file.h"
#include <inttypes.h>
#include <stdio.h>

/* NIST SP 800-38D, 8.3: values, or data keys, sealed under one key with random IVs. */
#define STANDARD_MAX (INT64_C(1) << 32)
#define STOP_AT      (STANDARD_MAX / 2) /* the vault seals no more under a data key (VAULT_KEY_SEALS_MAX) */
#define WARN_AT      (STANDARD_MAX / 4)

const struct argument_option vault_status_options[] = {
    { .name = "--tenant", .value_name = "TENANT", .help = "Each key of this one: slug or id." },
    COMMAND_JSON_OPTION,
    COMMAND_COMMON_OPTIONS,
    { .name = NULL },
};

struct figures {
    struct vault_facts facts;
    char provider[32], token[33]; /* the server's own word; the latter empty: none */
    struct kek_version keks[KEK_VERSIONS_MAX];
    size_t kek_count;
    struct key_total totals[KEY_TOTALS_MAX];
    size_t total_count;
    struct key_version versions[KEY_VERSIONS_MAX];
    size_t version_count;
    struct master_secret secrets[MASTER_SECRETS_MAX];
    size_t secret_count;
    struct key_work works[2];
    size_t work_count;
    bool has_tenant;
    struct tenant tenant;
};

static const char *
memory_word(enum secret_memory memory)
{
    switch (memory) {
    case SECRET_MEMORY_FD:
        return "memfd_secret";
    case SECRET_MEMORY_LOCKED:
        return "locked";
    case SECRET_MEMORY_UNLOCKED:
        return "unlocked";
    case SECRET_MEMORY_NONE:
        break;
    }
    return "none";
}

static int64_t
age_days(struct wall_time since)
{
    return (clock_wall(clock_system()).us - since.us) / (INT64_C(86400) * 1000000);
}

static bool
is_held(const struct vault_facts *facts, uint32_t version)
{
    for (size_t i = 0; i < facts->kek_count; i++)
        if (facts->keks[i] == version)
            return true;
    return false;
}

static enum err
provider_read(struct vault_command *command, struct figures *out)
{
    static struct status status;
    enum err err = status_read(command->line->folders.status, &status);

    if (err != ERR_OK)
        return err;
    snprintf(out->provider, sizeof(out->provider), "%s", status.master_key);
    snprintf(out->token, sizeof(out->token), "%s", status.token);
    return ERR_OK;
}

static enum err
figures_read(struct vault_command *command, struct figures *out)
{
    const char *tenant = arguments_value(&command->line->arguments, "--tenant");
    const char *const kinds[] = { "rotate", "rekey" };
    enum err err = vault_facts(&command->vault, &out->facts);

    if (err == ERR_OK)
        err = provider_read(command, out);
    if (err == ERR_OK)
        err = kek_versions(command->db, out->keks, &out->kek_count);
    if (err == ERR_OK)
        err = master_secrets(command->db, out->secrets, &out->secret_count);
    if (err == ERR_OK)
        err = key_totals(command->db, out->totals, &out->total_count);
    if (err == ERR_OK && tenant != NULL) {
        out->has_tenant = true;
        err = vault_command_tenant(command, tenant, &out->tenant);
        if (err == ERR_OK)
            err = key_versions(command->db, out->tenant.id, out->versions, &out->version_count);
    }
    for (size_t i = 0; err == ERR_OK && i < COUNT_OF(kinds); i++) {
        struct key_work *work = &out->works[out->work_count];
        work->kind = kinds[i];
        err = key_work_find(command->db, work, command->arena);
        out->work_count += err == ERR_OK;
        if (err == ERR_NOT_FOUND)
            err = ERR_OK;
    }
    return err;
}

static json_t *
time_json(struct wall_time at, bool is_set)
{
    char text[WALL_TEXT_BYTES];

    return is_set ? json_string(wall_print(at, text).ptr) : json_null();
}

static void
append(json_t *to, json_t *value)
{
    if (json_array_append_new(to, value) != 0)
        bug("a figure that is no JSON");
}

static json_t *
made_of_json(int64_t made_of)
{
    return made_of < 0    ? json_string("unknown")
           : made_of == 0 ? json_string("master key")
                          : json_sprintf("master secret %lld", (long long)made_of);
}

static json_t *
secrets_json(const struct figures *figures)
{
    json_t *secrets = json_array();

    for (size_t i = 0; i < figures->secret_count; i++) {
        const struct master_secret *secret = &figures->secrets[i];
        append(secrets, json_pack("{s:I,s:s,s:s,s:s,s:b,s:I,s:b,s:o,s:o}", "version",
                                  (json_int_t)secret->version, "token", secret->token, "key", secret->key,
                                  "state", master_secret_state_name(secret->state), "is_needed",
                                  (int)secret->is_needed, "key_wraps", (json_int_t)secret->key_wraps,
                                  "is_due", (int)(secret->key_wraps >= WARN_AT), "created_at",
                                  time_json(secret->created_at, true), "removed_at",
                                  time_json(secret->removed_at, secret->state == MASTER_SECRET_REMOVED)));
    }
    return secrets;
}

static void
json_print(const struct figures *figures)
{
    json_t *keks = json_array(), *totals = json_array(), *versions = json_array(), *works = json_array();

    for (size_t i = 0; i < figures->kek_count; i++) {
        const struct kek_version *kek = &figures->keks[i];
        append(keks,
               json_pack("{s:I,s:o,s:I,s:I,s:I,s:o,s:I,s:o,s:b,s:b,s:b}", "version", (json_int_t)kek->version,
                         "made_of", made_of_json(kek->made_of), "scrypt_n", (json_int_t)kek->scrypt_n,
                         "keys_wrapped", (json_int_t)kek->keys, "wraps", (json_int_t)kek->wraps, "created_at",
                         time_json(kek->created_at, true), "age_days", (json_int_t)age_days(kek->created_at),
                         "retired_at", time_json(kek->retired_at, kek->is_retired), "is_held",
                         (int)is_held(&figures->facts, kek->version), "is_in_force",
                         (int)(kek->version == figures->facts.kek_version), "is_due",
                         (int)(kek->wraps >= WARN_AT)));
    }
    for (size_t i = 0; i < figures->total_count; i++) {
        const struct key_total *total = &figures->totals[i];
        append(totals,
               json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:o,s:o,s:b}", "purpose",
                         vault_purpose_name(total->purpose), "version", (json_int_t)total->version, "keys",
                         (json_int_t)total->keys, "seals", (json_int_t)total->seals, "opens",
                         (json_int_t)total->opens, "seals_most", (json_int_t)total->seals_most, "oldest_at",
                         time_json(total->oldest_at, true), "newest_at", time_json(total->newest_at, true),
                         "is_due", (int)(total->seals_most >= WARN_AT)));
    }
    for (size_t i = 0; i < figures->version_count; i++) {
        const struct key_version *key = &figures->versions[i];
        append(versions,
               json_pack("{s:s,s:I,s:I,s:I,s:I,s:o,s:o,s:b}", "purpose", vault_purpose_name(key->purpose),
                         "version", (json_int_t)key->version, "kek_version", (json_int_t)key->kek_version,
                         "seals", (json_int_t)key->seals, "opens", (json_int_t)key->opens, "created_at",
                         time_json(key->created_at, true), "used_at", time_json(key->used_at, key->is_used),
                         "is_due", (int)(key->seals >= WARN_AT)));
    }
    for (size_t i = 0; i < figures->work_count; i++)
        append(works, json_pack("{s:s,s:s%,s:I}", "kind", figures->works[i].kind, "scope",
                                figures->works[i].scope.ptr, figures->works[i].scope.len, "done",
                                (json_int_t)figures->works[i].done_count));
    json_t *root = json_pack(
        "{s:s,s:s,s:s,s:I,s:I,s:{s:I,s:I,s:I},s:o,s:o,s:o}", "provider", figures->provider, "memory",
        memory_word(figures->facts.memory), "self_tests", "passed", "keys_held",
        (json_int_t)figures->facts.keys_held, "uses_uncounted", (json_int_t)figures->facts.uses_uncounted,
        "limits", "standard", (json_int_t)STANDARD_MAX, "stop_at", (json_int_t)STOP_AT, "warn_at",
        (json_int_t)WARN_AT, "key_encryption_keys", keks, "data_keys", totals, "works", works);
    if (figures->has_tenant && json_object_set(root, "tenant_keys", versions) != 0)
        bug("a figure that is no JSON");
    if (json_object_set_new(root, "token",
                            figures->token[0] == '\0' ? json_null() : json_string(figures->token)) != 0)
        bug("a figure that is no JSON");
    if (json_object_set_new(root, "master_secrets", secrets_json(figures)) != 0)
        bug("a figure that is no JSON");
    json_decref(versions);
    command_print_json(root);
}

static void
table_print(const struct figures *figures)
{
    printf("master key: %s%s%s; memory: %s; self-tests: passed; data keys held: %" PRIu64
           "; uses not counted: %" PRIu64 "\n\n",
           figures->provider, figures->token[0] == '\0' ? "" : ", token ", figures->token,
           memory_word(figures->facts.memory), figures->facts.keys_held, figures->facts.uses_uncounted);
    printf("%-9s%-8s%-10s%-8s%-12s%s\n", "KEK", "AGE", "SCRYPT N", "KEYS", "WRAPS", "STATE");
    for (size_t i = 0; i < figures->kek_count; i++) {
        const struct kek_version *kek = &figures->keks[i];
        printf("%-9u%-4lld d  %-10u%-8lld%-12lld%s%s\n", kek->version, (long long)age_days(kek->created_at),
               kek->scrypt_n, (long long)kek->keys, (long long)kek->wraps,
               kek->version == figures->facts.kek_version ? "in force"
               : kek->is_retired                          ? "retired"
               : is_held(&figures->facts, kek->version)   ? "in use"
                                                          : "NOT HELD",
               kek->wraps >= WARN_AT ? ", ROTATE IT" : "");
    }
    if (figures->secret_count > 0)
        printf("\n%-9s%-8s%-12s%-14s%-20s%s\n", "SECRET", "AGE", "STATE", "WRAPS BY KEY", "KEY", "TOKEN");
    for (size_t i = 0; i < figures->secret_count; i++) {
        const struct master_secret *secret = &figures->secrets[i];
        printf("%-9u%-4lld d  %-12s%-14lld%-20s%s%s\n", secret->version,
               (long long)age_days(secret->created_at),
               secret->state == MASTER_SECRET_STORED && secret->is_needed
                   ? "in use"
                   : master_secret_state_name(secret->state),
               (long long)secret->key_wraps, secret->key, secret->token,
               secret->key_wraps >= WARN_AT ? ", TAKE ANOTHER KEY" : "");
    }
    printf("\n%-12s%-9s%-8s%-8s%-14s%-14s%s\n", "DATA KEYS", "VERSION", "TENANTS", "OLDEST", "SEALS", "OPENS",
           "MOST SEALS OF ONE");
    for (size_t i = 0; i < figures->total_count; i++) {
        const struct key_total *total = &figures->totals[i];
        printf("%-12s%-9u%-8lld%-4lld d  %-14lld%-14lld%lld%s\n", vault_purpose_name(total->purpose),
               total->version, (long long)total->keys, (long long)age_days(total->oldest_at),
               (long long)total->seals, (long long)total->opens, (long long)total->seals_most,
               total->seals_most >= WARN_AT ? " ROTATE IT" : "");
    }
    if (figures->has_tenant)
        printf("\n%-12s%-9s%-6s%-8s%-14s%s\n", "OF IT", "VERSION", "KEK", "AGE", "SEALS", "OPENS");
    for (size_t i = 0; i < figures->version_count; i++) {
        const struct key_version *key = &figures->versions[i];
        printf("%-12s%-9u%-6u%-4lld d  %-14lld%lld%s\n", vault_purpose_name(key->purpose), key->version,
               key->kek_version, (long long)age_days(key->created_at), (long long)key->seals,
               (long long)key->opens, key->seals >= WARN_AT ? " ROTATE IT" : "");
    }
    for (size_t i = 0; i < figures->work_count; i++)
        printf("\n\"vault %s\" (%.*s) was begun and not finished: %lld done. Run it again.\n",
               figures->works[i].kind, SLICE_FMT(figures->works[i].scope),
               (long long)figures->works[i].done_count);
    printf(
        "\nA key seals at most 2^31 values (half of what NIST SP 800-38D allows); from 2^30 on it says ROTATE IT.\n");
}

enum exit_code
command_vault_status(struct command_line *line)
{
    static struct figures figures;
    struct vault_command command;
    enum err err = vault_command_open(line, &command);

    if (err == ERR_OK)
        err = figures_read(&command, &figures);
    if (err == ERR_OK && arguments_has(&line->arguments, "--json"))
        json_print(&figures);
    else if (err == ERR_OK)
        table_print(&figures);
    vault_command_close(&command);
    return err == ERR_OK ? EXIT_DONE : command_fail(line, err);
}
