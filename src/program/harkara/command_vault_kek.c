/*
 * vault rotate --kek, --new-master-key-file, --new-hsm-secret: another key-encryption key, made of what there
 * is, of another master key or of another master secret, and all data keys moved to it. What was needed
 * before is removed at the end, when nothing needs it any more. Each step is whole or not there; what an
 * earlier run left is finished first.
 */
#include "core/num.h"
#include "crypto/kdf.h"
#include "program/harkara/command_vault.h"
#include "program/harkara/control.h"
#include "program/harkara/kek.h"
#include <stdio.h>

#define COST_MIN     14 /* of scrypt, as a power of two: KDF_SCRYPT_N_MIN .. KDF_SCRYPT_N_MAX */
#define COST_MAX     20
#define RETIRE_TRIES 5 /* a tenant that is being made just then takes one more */

_Static_assert(KDF_SCRYPT_N_MIN >> COST_MIN == 1 && KDF_SCRYPT_N_MAX >> COST_MAX == 1, "the bounds of kdf.h");

struct rotation {
    struct vault_command *command;
    const char *file;  /* of another master key; NULL: not that */
    bool wants_secret; /* another master secret */
    /* As the database has it: */
    size_t keks_in_use;
    uint32_t version; /* the newest of them */
    int64_t made_of;
    struct master_secret secrets[MASTER_SECRETS_MAX];
    size_t secret_count;
    struct kek_rotated *out;
};

bool
kek_rotation_is_wanted(struct command_line *line, bool *out)
{
    bool has_file = arguments_has(&line->arguments, "--new-master-key-file"),
         has_secret = arguments_has(&line->arguments, "--new-hsm-secret"),
         has_place =
             arguments_has(&line->arguments, "--hsm-key") || arguments_has(&line->arguments, "--hsm-token");

    *out = has_file || has_secret || arguments_has(&line->arguments, "--kek");
    if (has_file && has_secret)
        complaint_set(&line->complaint, "--new-master-key-file or --new-hsm-secret, not both");
    else if (has_place && !has_secret)
        complaint_set(&line->complaint, "--hsm-key and --hsm-token go with --new-hsm-secret");
    else
        return true;
    return false;
}

static enum err
state_read(struct rotation *rotation)
{
    struct db *db = rotation->command->db;
    struct kek_version keks[KEK_VERSIONS_MAX];
    size_t count = 0;
    enum err err = kek_versions(db, keks, &count);

    rotation->keks_in_use = 0;
    rotation->version = 0;
    for (size_t i = 0; i < count; i++)
        if (!keks[i].is_retired) {
            rotation->keks_in_use++;
            rotation->version = keks[i].version;
            rotation->made_of = keks[i].made_of;
        }
    if (err == ERR_OK && rotation->keks_in_use == 0)
        err = ERR_NOT_FOUND;
    return err == ERR_OK ? master_secrets(db, rotation->secrets, &rotation->secret_count) : err;
}

/* The newest key-encryption key is made of another secret than what is still there: another secret was on its
 * way. */
static bool
has_older_secret(const struct rotation *rotation)
{
    for (size_t i = 0; i < rotation->secret_count; i++)
        if (rotation->secrets[i].state == MASTER_SECRET_STORED &&
            rotation->secrets[i].version < rotation->made_of)
            return true;
    return false;
}

static enum err
rewrap_work(struct rotation *rotation)
{
    struct vault_command *command = rotation->command;
    struct id tenants[KEY_TENANTS_MAX], after = { { 0 } };
    size_t count = 0;
    enum err err;

    do {
        err = key_tenants(command->db, after, tenants, &count);
        for (size_t i = 0; err == ERR_OK && i < count; i++) {
            size_t changed = 0;
            err = key_rewrap(command->db, &command->vault, tenants[i], rotation->version, &changed);
            rotation->out->wrapped += (int64_t)changed;
            after = tenants[i];
        }
    } while (err == ERR_OK && count > 0);
    return err;
}

/* Everything under the newest, the older ones away, and the secrets that only they needed. */
static enum err
settle(struct rotation *rotation, bool is_token_left)
{
    struct vault_command *command = rotation->command;
    size_t retired = 0, removed = 0;
    enum err err = state_read(rotation);

    for (int i = 0; err == ERR_OK && rotation->keks_in_use > 1 && i < RETIRE_TRIES; i++) {
        err = rewrap_work(rotation);
        if (err == ERR_OK)
            err = kek_retire(command->db, &command->vault, &command->operator, rotation->version, &retired);
        if (err == ERR_OK)
            err = state_read(rotation);
    }
    if (err == ERR_OK && rotation->keks_in_use > 1) {
        complaint_set(&command->line->complaint,
                      "data keys are still made under an older key-encryption key: try again");
        return ERR_BUSY;
    }
    if (err == ERR_OK)
        err = master_secret_remove(command->db, &command->operator, is_token_left, &removed);
    rotation->out->secrets_removed += removed;
    return err == ERR_OK ? state_read(rotation) : err;
}

static enum err
kek_make(struct rotation *rotation, const struct secret *master)
{
    struct vault_command *command = rotation->command;
    struct command_line *line = command->line;
    const char *cost = arguments_value(&line->arguments, "--scrypt-cost");
    struct control_kek wanted = { .has_master = master != NULL };
    struct vault_booted booted = { .kek_version = 0 };
    int exponent = 0;

    if (cost != NULL && num_int_parse(slice_text(cost), COST_MIN, COST_MAX, &exponent) != ERR_OK) {
        complaint_set(&line->complaint, "--scrypt-cost must be %d to %d", COST_MIN, COST_MAX);
        return ERR_DB_DATA;
    }
    wanted.scrypt_n = cost == NULL ? 0 : 1u << exponent;
    if (master != NULL)
        memcpy(wanted.master, secret_slice(master).ptr, sizeof(wanted.master));
    enum err err = control_ask_kek(line->folders.control_socket, &wanted, &booted, &line->complaint);
    secret_wipe(&wanted, sizeof(wanted));
    if (err == ERR_OK)
        return kek_note_made(command->db, &command->operator, booted.kek_version);
    if (err == ERR_LIMIT)
        err = ERR_BUSY;
    if (line->complaint.text[0] == '\0')
        complaint_set(&line->complaint,
                      err == ERR_BUSY ? "the server makes one already, another master key is on its way, or "
                                        "its token is away"
                                      : "the vault made no key-encryption key: see the server's log");
    return err;
}

/* Master secrets. */

enum err
vault_command_secret_store(struct db *db, const struct key_operator *operator,
                           const struct hsm_wrapped * wrapped)
{
    struct master_secret secret = { .version = wrapped->version };

    memcpy(secret.cipher, wrapped->cipher, sizeof(secret.cipher));
    memcpy(secret.iv, wrapped->iv, sizeof(secret.iv));
    memcpy(secret.tag, wrapped->tag, sizeof(secret.tag));
    return master_secret_store(db, operator, & secret);
}

/* Where it is to be: as the command says, else where the present one is, else as the settings say. */
static enum err
place_of_secret(struct rotation *rotation, struct control_secret *out)
{
    struct command_line *line = rotation->command->line;
    const struct master_secret *newest = master_secret_newest(rotation->secrets, rotation->secret_count);
    const char *token = arguments_value(&line->arguments, "--hsm-token"),
               *key = arguments_value(&line->arguments, "--hsm-key");

    if (newest == NULL && line->config.hsm_module[0] == '\0') {
        complaint_set(&line->complaint, "there is no token: HARKARA_HSM_MODULE and its fellows name one");
        return ERR_DB_DATA;
    }
    if (token == NULL)
        token = newest != NULL ? newest->token : line->config.hsm_token;
    if (key == NULL)
        key = newest != NULL ? newest->key : line->config.hsm_key;
    if (!hsm_label_is_valid(slice_text(token)) || !hsm_label_is_valid(slice_text(key))) {
        complaint_set(&line->complaint, "labels have 1 to %u octets", HSM_LABEL_BYTES_MAX);
        return ERR_DB_DATA;
    }
    *out = (struct control_secret){ .version = 0 };
    snprintf(out->token, sizeof(out->token), "%s", token);
    snprintf(out->key, sizeof(out->key), "%s", key);
    return ERR_OK;
}

/* Whether the newest secret is there already. */
static bool
is_newest_at(const struct rotation *rotation, const struct control_secret *place)
{
    const struct master_secret *newest = master_secret_newest(rotation->secrets, rotation->secret_count);

    return newest != NULL && strcmp(newest->token, place->token) == 0 && strcmp(newest->key, place->key) == 0;
}

/* Unless one was made that no key-encryption key was made of: a run that was killed has left it. */
static enum err
secret_make(struct rotation *rotation, struct control_secret *wanted)
{
    struct vault_command *command = rotation->command;
    struct command_line *line = command->line;
    const struct master_secret *newest = master_secret_newest(rotation->secrets, rotation->secret_count);
    struct hsm_made made;

    if (is_newest_at(rotation, wanted) && !newest->is_needed)
        return ERR_OK;
    enum err err =
        master_secret_ask(command->db, slice_text(wanted->token), slice_text(wanted->key), &wanted->version);
    if (err != ERR_OK)
        return err;
    err = control_ask_secret(line->folders.control_socket, wanted, &made, &line->complaint);
    if (err != ERR_OK) {
        complaint_set(&line->complaint, "the token's process is away, or busy: try again (harkara status)");
        return err;
    }
    if (made.trouble != HSM_TROUBLE_NONE) {
        complaint_set(&line->complaint, "%s", hsm_trouble_text(made.trouble));
        return hsm_trouble_may_pass(made.trouble) ? ERR_VAULT_UNAVAILABLE : ERR_CONFIG;
    }
    return vault_command_secret_store(command->db, &command->operator, & made.made);
}

/* The whole. */

static enum err
finish_earlier(struct rotation *rotation)
{
    if (rotation->keks_in_use == 1 && !has_older_secret(rotation))
        return ERR_OK;
    fprintf(stderr, "harkara: finishes the rotation to key-encryption key %u\n", rotation->version);
    return settle(rotation, false);
}

/* What an earlier run left is finished first. That was all, unless it was another work: a secret that was on
 * its way is the one that is wanted now; with another master key it is not known which one the newest was
 * made of, so one more is made. */
static enum err
kek_rotate_with(struct rotation *rotation, const struct secret *master)
{
    struct control_secret place = { .version = 0 };
    enum err err = state_read(rotation);
    bool was_unfinished = rotation->keks_in_use > 1 || has_older_secret(rotation),
         was_secret = has_older_secret(rotation);

    if (err == ERR_OK && rotation->wants_secret)
        err = place_of_secret(rotation, &place);
    if (err == ERR_OK)
        err = finish_earlier(rotation);
    if (err != ERR_OK || (rotation->wants_secret ? was_secret && is_newest_at(rotation, &place)
                                                 : was_unfinished && master == NULL))
        return err;
    if (rotation->wants_secret)
        err = secret_make(rotation, &place);
    if (err == ERR_OK)
        err = kek_make(rotation, master);
    return err == ERR_OK ? settle(rotation, master != NULL) : err;
}

enum err
kek_rotate(struct vault_command *command, struct kek_rotated *out)
{
    static struct rotation rotation;
    struct command_line *line = command->line;
    struct secret *master = NULL;
    enum err err = ERR_OK;

    rotation = (struct rotation){ .command = command,
                                  .file = arguments_value(&line->arguments, "--new-master-key-file"),
                                  .wants_secret = arguments_has(&line->arguments, "--new-hsm-secret"),
                                  .out = out };
    if (rotation.file != NULL)
        err = kek_file_read(rotation.file, &master, &line->complaint);
    if (err == ERR_OK)
        err = kek_rotate_with(&rotation, master);
    if (err == ERR_OK && master != NULL)
        err = control_ask_master_done(line->folders.control_socket, &line->complaint);
    secret_free(master);
    out->version = rotation.version;
    out->made_of = rotation.made_of;
    for (size_t i = 0; i < rotation.secret_count; i++)
        if (rotation.secrets[i].version == rotation.made_of) {
            memcpy(out->token, rotation.secrets[i].token, sizeof(out->token));
            memcpy(out->key, rotation.secrets[i].key, sizeof(out->key));
        }
    return err;
}

void
kek_rotated_print(const struct kek_rotated *rotated)
{
    printf("key-encryption key %u is in force; %lld data keys were wrapped by it\n", rotated->version,
           (long long)rotated->wrapped);
    if (rotated->made_of > 0)
        printf("it is made of master secret %lld, which key %s in token %s wraps\n",
               (long long)rotated->made_of, rotated->key, rotated->token);
    if (rotated->secrets_removed > 0)
        printf("%zu master secrets that nothing needs any more were removed\n", rotated->secrets_removed);
}
