#include "program/gateway/act.h"
#include "core/buf.h"
#include "domain/identity/membership.h"
#include "domain/tenant/tenant.h"
#include "program/gateway/gateway.h"
#include "wire/json/json.h"

enum err
act_begin(struct http_request *request, enum audit_action action, enum id_kind object_kind, struct id object,
          struct audit_act *out)
{
    const struct gateway_worker *worker = gateway_worker_of(request);
    const struct principal *principal = request->principal;

    *out = (struct audit_act){ .actor = { .kind = principal->kind == PRINCIPAL_PERSON ? AUDIT_ACTOR_PERSON
                                                                                      : AUDIT_ACTOR_KEY,
                                          .id = principal->actor,
                                          .session = principal->session },
                               .action = action,
                               .object_kind = object_kind,
                               .object = object,
                               .outcome = AUDIT_DONE };
    if (gateway_is_on_loop(request))
        return ERR_WOULD_WAIT;
    enum err err = audit_address_add(out, principal->actor, request->peer_address, request->arena);
    return err == ERR_OK
               ? audit_prepare(&worker->vault, worker->gateway->clock, request->tenant, out, request->arena)
               : err;
}

struct refusal {
    const struct clock *clock;
    struct audit_act act;
};

static enum err
refusal_in(struct db_tx *tx, void *ctx)
{
    const struct refusal *refusal = ctx;

    return audit_append(tx, refusal->clock, &refusal->act);
}

enum err
act_refused(struct http_request *request, enum audit_action action, struct id person, enum err err)
{
    struct gateway_worker *worker = gateway_worker_of(request);
    const struct principal *principal = request->principal;
    struct refusal refusal = { .clock = worker->gateway->clock,
                               .act = { .actor = { .kind = AUDIT_ACTOR_NOBODY },
                                        .action = action,
                                        .object_kind = ID_PERSON,
                                        .object = person,
                                        .outcome = AUDIT_REFUSED } };
    struct membership_place *places = NULL;
    struct id tenant = tenant_platform;
    size_t count = 0;
    enum err told = ERR_OK;

    if (principal != NULL) {
        refusal.act.actor = (struct audit_actor){ .kind = AUDIT_ACTOR_PERSON,
                                                  .id = principal->actor,
                                                  .session = principal->session };
        refusal.act.object_kind = ID_SESSION;
        refusal.act.object = principal->session;
        tenant = request->tenant;
    } else if (!id_is_zero(person)) {
        told = membership_list_of(worker->db, person, request->arena, &places, &count);
        tenant = count > 0 ? places[0].tenant : tenant;
    }
    refusal.act.detail = arena_format(request->arena, "{\"reason\":\"%s\"}", err_code(err));
    if (told == ERR_OK)
        told = audit_address_add(&refusal.act, refusal.act.actor.id, request->peer_address, request->arena);
    if (told == ERR_OK)
        told = audit_prepare(&worker->vault, refusal.clock, tenant, &refusal.act, request->arena);
    if (told == ERR_OK)
        told = db_run(worker->db, tenant, refusal_in, &refusal);
    return told == ERR_OK ? err : told;
}

struct acting {
    const struct act_work *with;
    struct audit_act act;
    const struct clock *clock;
    enum err (*work)(struct db_tx *tx, void *ctx);
    void *ctx;
};

static enum err
act_in(struct db_tx *tx, void *ctx)
{
    struct acting *acting = ctx;
    enum err err = acting->work(tx, acting->ctx);

    if (err != ERR_OK || (acting->with->is_nothing != NULL && *acting->with->is_nothing))
        return err;
    acting->act.object = *acting->with->object;
    return audit_append(tx, acting->clock, &acting->act);
}

enum err
act_write(struct http_request *request, const struct act_work *act,
          enum err (*work)(struct db_tx *tx, void *ctx), void *ctx)
{
    struct acting acting = {
        .with = act, .clock = gateway_worker_of(request)->gateway->clock, .work = work, .ctx = ctx
    };
    enum err err = act_begin(request, act->action, act->object_kind, (struct id){ { 0 } }, &acting.act);

    acting.act.detail = act->detail;
    return err == ERR_OK ? gateway_write(request, act_in, &acting) : err;
}

struct slice
act_members(struct http_request *request)
{
    json_t *body = json_iterable(request_json(request));
    struct slice copied = SLICE_EMPTY;
    struct buf text;
    const char *member, *comma = "";
    json_t *value;

    buf_init(&text, AUDIT_DETAIL_BYTES_MAX);
    buf_add_text(&text, "{\"members\":[");
    json_object_foreach(body, member, value)
    {
        buf_add_text(&text, comma);
        json_add_string(&text, slice_text(member));
        comma = ",";
    }
    buf_add_text(&text, "]}");
    if (buf_done(&text) == ERR_OK)
        copied = arena_copy(request->arena, buf_slice(&text));
    buf_release(&text);
    return copied.ptr == NULL ? SLICE_EMPTY : copied;
}
