#include "program/vault/vault_core.h"
#include "core/metric.h"
#include "crypto/random.h"
#include "program/vault/vault_core_internal.h"
#include "program/vault/vault_policy.h"
#include <stddef.h>
#include <stdlib.h>

enum err
vault_core_new(const struct vault_core_options *options, struct vault_core **out)
{
    struct vault_core *core = calloc(1, sizeof(*core));

    *out = NULL;
    if (options->key_capacity < VAULT_SEAL_KEYS_MAX)
        bug("a keyring too small for one request");
    if (core == NULL)
        return ERR_NO_MEMORY;
    core->options = *options;
    core->work = secret_new(VAULT_KEY_BYTES);
    enum err err = core->work == NULL ? ERR_NO_MEMORY : vault_keyring_new(options->key_capacity, &core->ring);
    if (err == ERR_OK)
        err = vault_usage_new(options->key_capacity, &core->usage);
    if (err == ERR_OK)
        err = random_fill(core->instance.bytes, sizeof(core->instance.bytes));
    if (err != ERR_OK) {
        vault_core_free(core);
        return err;
    }
    *out = core;
    return ERR_OK;
}

void
vault_core_free(struct vault_core *core)
{
    if (core == NULL)
        return;
    for (size_t i = 0; i < core->kek_count; i++)
        secret_free(core->keks[i].key);
    vault_keyring_free(core->ring);
    vault_usage_free(core->usage);
    secret_free(core->work);
    free(core);
}

/* One gate for all: is this role allowed to do this to that? (SEAL asks for each of its items.) */
static bool
is_allowed(const struct vault_request *request, enum vault_role role)
{
    switch (request->op) {
    case VAULT_OP_SEAL:
        return true;
    case VAULT_OP_RESEAL:
        for (size_t i = 0; i < request->item_count; i++)
            if (!vault_policy_knows(request->purpose, request->items[i].place.table,
                                    request->items[i].place.column))
                return false;
        return vault_policy_allows_op(role, request->op);
    case VAULT_OP_MAKE_KEY: /* an index key of another version would find nothing that the first one indexed
                             */
        return request->purpose != VAULT_INDEX && vault_policy_allows_op(role, request->op);
    case VAULT_OP_OPEN:
        return vault_policy_allows_value(role, request->op, request->purpose, request->place.table,
                                         request->place.column);
    case VAULT_OP_VERIFY_MAC:
    case VAULT_OP_MATCHES:
    case VAULT_OP_SIGN_MAC:
    case VAULT_OP_MAKE_ED25519:
    case VAULT_OP_SIGN_ED25519:
    case VAULT_OP_MAKE_TOTP:
    case VAULT_OP_CHECK_TOTP:
        return vault_policy_allows_value(role, request->op, VAULT_CREDENTIAL, request->place.table,
                                         request->place.column);
    case VAULT_OP_KEY_LOAD:
        return vault_policy_allows_key(role, request->key.purpose);
    case VAULT_OP_INDEX:
    case VAULT_OP_MAKE_KEYS:
    case VAULT_OP_FACTS:
    case VAULT_OP_REWRAP:
    case VAULT_OP_FORGET:
    case VAULT_OP_KEK_FORGET:
    case VAULT_OP_USAGE:
        return vault_policy_allows_op(role, request->op);
    }
    return false;
}

static enum err
request_run(struct vault_core *core, enum vault_role role, struct buf *work)
{
    if (!is_allowed(&core->request, role))
        return ERR_VAULT_FORBIDDEN;
    switch (core->request.op) {
    case VAULT_OP_SEAL:
        return vault_core_seal(core, role, work);
    case VAULT_OP_OPEN:
        return vault_core_open(core, work);
    case VAULT_OP_VERIFY_MAC:
    case VAULT_OP_MATCHES:
    case VAULT_OP_SIGN_MAC:
    case VAULT_OP_SIGN_ED25519:
        return vault_core_use_credential(core);
    case VAULT_OP_MAKE_ED25519:
        return vault_core_make_ed25519(core, work);
    case VAULT_OP_MAKE_TOTP:
        return vault_core_make_totp(core, work);
    case VAULT_OP_CHECK_TOTP:
        return vault_core_check_totp(core);
    case VAULT_OP_KEY_LOAD:
        return vault_core_key_load(core);
    case VAULT_OP_INDEX:
        return vault_core_index(core);
    case VAULT_OP_MAKE_KEYS:
        return vault_core_make_keys(core);
    case VAULT_OP_FACTS:
        return vault_core_facts(core);
    case VAULT_OP_RESEAL:
        return vault_core_reseal(core, work);
    case VAULT_OP_REWRAP:
        return vault_core_rewrap(core);
    case VAULT_OP_MAKE_KEY:
        return vault_core_make_key(core);
    case VAULT_OP_FORGET:
        return vault_core_forget(core);
    case VAULT_OP_KEK_FORGET:
        return vault_core_kek_forget(core);
    case VAULT_OP_USAGE:
        return vault_core_usage(core);
    }
    return ERR_VAULT_FORBIDDEN;
}

void
vault_core_turn(struct vault_core *core, struct mono_time now)
{
    core->now = now;
    vault_keyring_expire(core->ring, (struct mono_time){ now.us - (int64_t)VAULT_KEY_BELIEVED_MS * 1000 });
}

enum err
vault_core_handle(struct vault_core *core, enum vault_role role, struct slice request, struct buf *answer,
                  struct vault_outcome *outcome_out)
{
    struct buf work;

    if (core->kek_count == 0)
        bug("a request before the boot");
    buf_clear(answer);
    if (vault_request_decode(request, &core->request) != ERR_OK)
        return ERR_FRAME;
    memset(&core->answer, 0, offsetof(struct vault_answer, sealed)); /* of the lists only counts are needed */
    core->answer.op = core->request.op;
    core->answer.id = core->request.id;
    buf_init(&work, VAULT_FRAME_BYTES_MAX);
    core->answer.result = vault_result_of(request_run(core, role, &work));
    if (core->answer.result == VAULT_RESULT_FORBIDDEN)
        metric_add(METRIC_VAULT_REFUSED, 1);
    vault_answer_encode(answer, &core->answer);
    if (buf_done(answer) != ERR_OK) {
        core->answer.result = vault_result_of(buf_done(answer));
        buf_clear(answer);
        vault_answer_encode(answer, &core->answer);
    }
    *outcome_out = (struct vault_outcome){ core->answer.op, core->answer.result };
    buf_release_wiped(&work);
    /* Both point into memory that is gone or somebody else's, and the answer may hold a signature. */
    secret_wipe(core->answer.sealed, core->answer.sealed_count * sizeof(core->answer.sealed[0]));
    secret_wipe(&core->answer, offsetof(struct vault_answer, sealed));
    secret_wipe(core->request.items, core->request.item_count * sizeof(core->request.items[0]));
    secret_wipe(&core->request, offsetof(struct vault_request, items));
    return buf_done(answer);
}
