/* By whom people may sign in besides themselves: the providers, for everybody, and a person's own identities.
 */
#include "domain/identity/oidc_identity.h"
#include "domain/identity/oidc_issuer.h"
#include "program/gateway/act.h"
#include "program/gateway/person_gate.h"

struct work {
    const struct gateway *gateway;
    struct arena *arena;
    struct id person, id, workspace;
    struct oidc_issuer *issuers;
    size_t count;
    struct audit_act act;
};

static enum err
issuers_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return oidc_issuer_list(tx, work->arena, &work->issuers, &work->count);
}

static enum err
providers_get(struct http_request *request, struct http_response *response)
{
    struct work work = { .arena = request->arena };
    enum err err = platform_read(request, issuers_in, &work);

    if (err != ERR_OK)
        return err;
    json_t *list = json_array();
    for (size_t i = 0; i < work.count; i++)
        show_append(&list, json_pack("{s:o, s:o}", "id", show_id(ID_ISSUER, work.issuers[i].id), "name",
                                     show_text(work.issuers[i].name)));
    return http_reply_json(request, response, 200, json_pack("{s:o}", "data", list));
}

static json_t *
identity_show(const struct oidc_identity *identity)
{
    return json_pack("{s:o, s:{s:o, s:o}, s:o, s:o, s:o}", "id", show_id(ID_IDENTITY, identity->id),
                     "provider", "id", show_id(ID_ISSUER, identity->issuer), "name",
                     show_text(identity->issuer_name), "email", show_text_or_null(identity->email),
                     "created_at", show_time(identity->created_at), "last_used_at",
                     identity->was_used ? show_time(identity->last_used_at) : json_null());
}

static enum err
identities_get(struct http_request *request, struct http_response *response)
{
    struct gateway_worker *worker = gateway_worker_of(request);
    struct oidc_identity *identities = NULL;
    size_t count = 0;
    enum err err = oidc_identity_list(worker->db, &worker->vault, gateway_person(request)->session.person,
                                      request->arena, &identities, &count);

    if (err != ERR_OK)
        return err;
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        show_append(&list, identity_show(&identities[i]));
    return http_reply_json(request, response, 200, json_pack("{s:o}", "data", list));
}

static enum err
delete_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = oidc_identity_delete(tx, work->person, work->id);

    if (err == ERR_OK)
        err = db_tx_turn_to(tx, work->workspace);
    return err == ERR_OK ? audit_append(tx, work->gateway->clock, &work->act) : err;
}

static enum err
identity_delete_one(struct http_request *request, struct http_response *response)
{
    struct work work = { .gateway = gateway_worker_of(request)->gateway,
                         .person = gateway_person(request)->session.person,
                         .workspace = request->tenant };
    enum err err = gateway_path_id(request, "identity_id", ID_IDENTITY, &work.id);

    if (err == ERR_OK)
        err = act_begin(request, AUDIT_IDENTITY_REMOVED, ID_IDENTITY, work.id, &work.act);
    if (err == ERR_OK)
        err = platform_write(request, delete_in, &work);
    if (err == ERR_STATE_CONFLICT)
        request->problem.detail = SLICE("It is all that you sign in with: add a passkey before.");
    return err == ERR_OK ? http_reply_empty(response, 204) : err;
}

const struct http_route identity_routes[] = {
    { HTTP_GET, "/v1/session/providers", providers_get, "listSignInProviders", HTTP_ACCESS_OPEN, NULL },
    { HTTP_GET, "/v1/me/identities", identities_get, "listIdentities", HTTP_ACCESS_SESSION, NULL },
    { HTTP_DELETE, "/v1/me/identities/{identity_id}", identity_delete_one, "removeIdentity",
      HTTP_ACCESS_SESSION, NULL, .needs_step_up = true },
    { .handler = NULL },
};
