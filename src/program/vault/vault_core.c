#include "program/vault/vault_core.h"
#include "core/metric.h"
#include "program/vault/vault_core_internal.h"
#include "program/vault/vault_policy.h"
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
    if (core->work == NULL || vault_keyring_new(options->key_capacity, &core->ring) != ERR_OK) {
        vault_core_free(core);
        return ERR_NO_MEMORY;
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
    case VAULT_OP_OPEN:
        return vault_policy_allows_value(role, request->op, request->purpose, request->place.table,
                                         request->place.column);
    case VAULT_OP_VERIFY_MAC:
    case VAULT_OP_MATCHES:
    case VAULT_OP_SIGN_MAC:
    case VAULT_OP_MAKE_ED25519:
    case VAULT_OP_SIGN_ED25519:
        return vault_policy_allows_value(role, request->op, VAULT_CREDENTIAL, request->place.table,
                                         request->place.column);
    case VAULT_OP_KEY_LOAD:
        return vault_policy_allows_key(role, request->key.purpose);
    case VAULT_OP_INDEX:
    case VAULT_OP_MAKE_KEYS:
    case VAULT_OP_FACTS:
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
    case VAULT_OP_KEY_LOAD:
        return vault_core_key_load(core);
    case VAULT_OP_INDEX:
        return vault_core_index(core);
    case VAULT_OP_MAKE_KEYS:
        return vault_core_make_keys(core);
    case VAULT_OP_FACTS:
        return vault_core_facts(core);
    }
    return ERR_VAULT_FORBIDDEN;
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
    core->answer = (struct vault_answer){ .op = core->request.op, .id = core->request.id };
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
    secret_wipe(&core->answer, sizeof(core->answer));
    secret_wipe(&core->request, sizeof(core->request));
    return buf_done(answer);
}
