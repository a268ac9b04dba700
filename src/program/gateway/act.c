#include "program/gateway/act.h"
#include "program/gateway/gateway.h"

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
