#include "program/gateway/session_start.h"
#include "domain/identity/membership.h"
#include "program/gateway/person_gate.h"

/* The workspace that somebody comes to first: where he has been the longest. */
static enum err
first_workspace(struct http_request *request, struct id person, struct id *out)
{
    struct membership_place *places = NULL;
    size_t count = 0;
    enum err err =
        membership_list_of(gateway_worker_of(request)->db, person, request->arena, &places, &count);

    *out = err == ERR_OK && count > 0 ? places[0].tenant : (struct id){ { 0 } };
    return err;
}

static enum err
start_in(struct db_tx *tx, void *ctx)
{
    struct session_start *start = ctx;
    const struct clock *clock = start->gateway->clock;
    enum err err = start->take(tx, clock_wall(clock), start->ctx);

    secret_free(start->token); /* of a try that clashed */
    start->token = NULL;
    if (err == ERR_OK && start->has_earlier) {
        err = session_end(tx, clock, start->earlier.person, start->earlier.id, SESSION_REPLACED);
        err = err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    if (err == ERR_OK)
        err = session_begin(tx, clock, &start->gateway->session_rules, &start->with, &start->session,
                            &start->token);
    if (err != ERR_OK)
        return err;
    start->act.actor.session = start->act.object = start->session.id;
    err = id_is_zero(start->with.workspace) ? ERR_OK : db_tx_turn_to(tx, start->with.workspace);
    if (err == ERR_OK)
        err = audit_append(tx, clock, &start->act);
    return err == ERR_OK ? mailing_put(tx, &start->news) : err;
}

enum err
session_start_run(struct http_request *request, struct session_start *start)
{
    struct gateway_worker *worker = gateway_worker_of(request);
    enum err err = ERR_OK;

    start->with.workspace = start->workspace;
    if (id_is_zero(start->workspace))
        err = first_workspace(request, start->person, &start->with.workspace);
    start->gateway = worker->gateway;
    start->with.person = start->person;
    start->with.factors = start->factors;
    start->with.address = request->peer_address;
    start->with.user_agent = http_header(request, "User-Agent");
    start->act = (struct audit_act){ .actor = { .kind = AUDIT_ACTOR_PERSON, .id = start->person },
                                     .action = AUDIT_SESSION_BEGAN,
                                     .object_kind = ID_SESSION,
                                     .outcome = AUDIT_DONE };
    if (err == ERR_OK)
        err = audit_address_add(&start->act, start->person, request->peer_address, request->arena);
    if (err == ERR_OK)
        err = audit_prepare(&worker->vault, worker->gateway->clock,
                            id_is_zero(start->with.workspace) ? tenant_platform : start->with.workspace,
                            &start->act, request->arena);
    if (err == ERR_OK) {
        err = person_gate_present(request, &start->earlier);
        start->has_earlier = err == ERR_OK;
        err = err == ERR_SESSION ? ERR_OK : err;
    }
    if (err == ERR_OK && id_is_zero(start->workspace)) /* else it is somebody's first */
        err = mailing_sign_in(request, start->person, &start->news);
    return err == ERR_OK ? platform_write(request, start_in, start) : err;
}

void
session_start_release(struct session_start *start)
{
    secret_free(start->token);
    start->token = NULL;
}
