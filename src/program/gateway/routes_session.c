/* /v1/session: signing in with a passkey, who is signed in, another workspace, a fresh factor, and the end.
 */
#include "domain/identity/membership.h"
#include "domain/identity/person.h"
#include "domain/identity/recovery_code.h"
#include "domain/identity/throttle.h"
#include "domain/identity/totp.h"
#include "program/gateway/act.h"
#include "program/gateway/passkey_ask.h"
#include "program/gateway/person_gate.h"
#include "program/gateway/second_factor.h"
#include "program/gateway/session_start.h"
#include "wire/json/json.h"

#define SESSION_BODY_BYTES_MAX (32u * 1024u)

static enum err
passkey_options(struct http_request *request, struct http_response *response)
{
    const struct id nobody = { { 0 } };

    return passkey_ask_show(request, response, CEREMONY_SIGN_IN, nobody, NULL, 0);
}

struct shown {
    const struct passkey_answer *answer;
    const struct passkey_shown *shown;
};

static enum err
shown_take(struct db_tx *tx, struct wall_time now, void *ctx)
{
    const struct shown *shown = ctx;

    return passkey_answer_take(tx, shown->answer, shown->shown, now);
}

static enum err
passkey_sign_in(struct http_request *request, struct http_response *response)
{
    const struct id nobody = { { 0 } };
    struct passkey_answer answer;
    struct passkey_shown shown = { .passkey = {
                                       .person = { { 0 } } } }; /* told of, also when nothing was read */
    struct shown of = { &answer, &shown };
    struct session_start start = { .factors = SESSION_PASSKEY, .take = shown_take, .ctx = &of };
    struct person person;
    enum err err = passkey_answer_read(request, CEREMONY_SIGN_IN, nobody, &answer);

    if (err == ERR_OK)
        err = passkey_answer_check(request, &answer, &shown);
    if (err == ERR_OK)
        err = person_get(gateway_worker_of(request)->db, &gateway_worker_of(request)->vault,
                         shown.passkey.person, request->arena, &person);
    if (err == ERR_OK && person.has_left)
        err = ERR_PASSKEY_REFUSED;
    start.person = shown.passkey.person;
    if (err == ERR_OK)
        err = session_start_run(request, &start);
    if (err == ERR_OK)
        err = person_gate_reply(request, response, 200, &start.session, secret_slice(start.token), true);
    session_start_release(&start);
    return passkey_refused_told(request, err, AUDIT_SESSION_REFUSED, shown.passkey.person);
}

static enum err
session_get(struct http_request *request, struct http_response *response)
{
    const struct gateway_person *person = gateway_person(request);

    return person_gate_reply(request, response, 200, &person->session, person->token, false);
}

/* Changes of the session that asks. */
struct change {
    const struct gateway *gateway;
    const struct passkey_answer *answer; /* NULL: a code was shown */
    const struct passkey_shown *shown;
    struct second_factor *second;
    struct id person, session, workspace;
    enum session_factor factor;
    struct audit_act act, used; /* the latter with a recovery code */
    struct secret *token;       /* owned */
};

static enum err
end_in(struct db_tx *tx, void *ctx)
{
    struct change *change = ctx;
    enum err err =
        session_end(tx, change->gateway->clock, change->person, change->session, SESSION_SIGNED_OUT);

    if (err == ERR_OK)
        err = db_tx_turn_to(tx, change->workspace);
    return err == ERR_OK ? audit_append(tx, change->gateway->clock, &change->act) : err;
}

static enum err
session_delete(struct http_request *request, struct http_response *response)
{
    const struct gateway_person *person = gateway_person(request);
    struct change change = { .gateway = gateway_worker_of(request)->gateway,
                             .person = person->session.person,
                             .session = person->session.id,
                             .workspace = request->tenant };
    enum err err = act_begin(request, AUDIT_SESSION_ENDED, ID_SESSION, change.session, &change.act);

    if (err == ERR_OK)
        err = platform_write(request, end_in, &change);
    if (err != ERR_OK && err != ERR_NOT_FOUND) /* somebody else has ended it just now */
        return err;
    person_gate_clear(response);
    return http_reply_empty(response, 204);
}

static enum err
switch_in(struct db_tx *tx, void *ctx)
{
    struct change *change = ctx;

    secret_free(change->token);
    change->token = NULL;
    enum err err = session_switch(tx, change->session, change->workspace, &change->token);
    if (err == ERR_OK)
        err = db_tx_turn_to(tx, change->workspace);
    return err == ERR_OK ? audit_append(tx, change->gateway->clock, &change->act) : err;
}

/* A workspace that the person is no member of is one that does not exist. */
static enum err
workspace_post(struct http_request *request, struct http_response *response)
{
    const struct gateway_worker *worker = gateway_worker_of(request);
    const struct gateway_person *person = gateway_person(request);
    struct change change = { .gateway = worker->gateway, .session = person->session.id };
    struct membership_principal membership;
    struct session session = person->session;
    enum err err = id_parse(ID_TENANT, json_text_of(request_json(request), "tenant_id"), &change.workspace);

    if (err == ERR_OK && id_is_zero(change.workspace)) /* which is no tenant at all */
        err = ERR_NOT_FOUND;
    if (err == ERR_OK)
        err = membership_principal(worker->db, session.person, change.workspace, request->arena, &membership);
    if (err != ERR_OK)
        return err == ERR_ID_SYNTAX ? ERR_NOT_FOUND : err;
    request->tenant = change.workspace; /* that one's log tells of it */
    err = act_begin(request, AUDIT_SESSION_SWITCHED, ID_SESSION, session.id, &change.act);
    if (err == ERR_OK)
        err = platform_write(request, switch_in, &change);
    session.workspace = change.workspace;
    if (err == ERR_OK)
        err = person_gate_reply(request, response, 200, &session, secret_slice(change.token), true);
    secret_free(change.token);
    return err == ERR_NOT_FOUND ? ERR_SESSION : err;
}

/* A factor, shown again. */

struct passkeys {
    struct id person;
    struct arena *arena;
    struct passkey *passkeys;
    size_t count;
};

static enum err
passkeys_in(struct db_tx *tx, void *ctx)
{
    struct passkeys *list = ctx;

    return passkey_list(tx, list->person, list->arena, &list->passkeys, &list->count);
}

static enum err
step_up_options(struct http_request *request, struct http_response *response)
{
    const struct session *session = &gateway_person(request)->session;
    struct passkeys list = { .person = session->person, .arena = request->arena };
    enum err err = platform_read(request, passkeys_in, &list);

    return err == ERR_OK
               ? passkey_ask_show(request, response, CEREMONY_STEP_UP, session->id, list.passkeys, list.count)
               : err;
}

static enum err
step_up_in(struct db_tx *tx, void *ctx)
{
    struct change *change = ctx;
    const struct clock *clock = change->gateway->clock;
    enum err err = change->answer != NULL
                       ? passkey_answer_take(tx, change->answer, change->shown, clock_wall(clock))
                       : second_factor_take(tx, clock, change->second);

    secret_free(change->token);
    change->token = NULL;
    if (err == ERR_OK)
        err = session_step_up(tx, clock, change->session, change->factor, &change->token);
    if (err == ERR_OK)
        err = db_tx_turn_to(tx, change->workspace);
    if (err == ERR_OK && change->factor == SESSION_RECOVERY_CODE)
        err = audit_append(tx, clock, &change->used);
    return err == ERR_OK ? audit_append(tx, clock, &change->act) : err;
}

static enum err
step_up(struct http_request *request, struct http_response *response, struct change *change)
{
    const struct gateway *gateway = gateway_worker_of(request)->gateway;
    struct session session = gateway_person(request)->session;
    enum err err = act_begin(request, AUDIT_SESSION_STEPPED_UP, ID_SESSION, session.id, &change->act);

    if (err == ERR_OK && change->factor == SESSION_RECOVERY_CODE)
        err = act_begin(request, AUDIT_RECOVERY_CODE_USED, ID_PERSON, session.person, &change->used);
    change->gateway = gateway;
    change->session = session.id;
    change->workspace = request->tenant;
    if (err == ERR_OK)
        err = platform_write(request, step_up_in, change);
    session.stepped_up_until = wall_after_ms(clock_wall(gateway->clock), gateway->session_rules.step_up_ms);
    session.factors |= change->factor;
    if (err == ERR_OK)
        err = person_gate_reply(request, response, 200, &session, secret_slice(change->token), true);
    secret_free(change->token);
    return err == ERR_NOT_FOUND ? ERR_SESSION : err;
}

static enum err
step_up_passkey(struct http_request *request, struct http_response *response)
{
    const struct session *session = &gateway_person(request)->session;
    struct passkey_answer answer;
    struct passkey_shown shown;
    struct change change = { .answer = &answer, .shown = &shown, .factor = SESSION_PASSKEY };
    enum err err = passkey_answer_read(request, CEREMONY_STEP_UP, session->id, &answer);

    if (err == ERR_OK)
        err = passkey_answer_check(request, &answer, &shown);
    if (err == ERR_OK && !id_eq(shown.passkey.person, session->person))
        err = ERR_PASSKEY_REFUSED;
    return passkey_refused_told(request, err == ERR_OK ? step_up(request, response, &change) : err,
                                AUDIT_SESSION_STEPPED_UP, session->person);
}

static enum err
step_up_totp(struct http_request *request, struct http_response *response)
{
    const struct session *session = &gateway_person(request)->session;
    struct second_factor second;
    struct change change = { .second = &second, .factor = SESSION_TOTP };
    enum err err =
        second_factor_check(request, session->person, json_text_of(request_json(request), "code"), &second);

    return code_refused_told(request, err == ERR_OK ? step_up(request, response, &change) : err,
                             AUDIT_SESSION_STEPPED_UP);
}

static enum err
step_up_recovery_code(struct http_request *request, struct http_response *response)
{
    struct second_factor second;
    struct change change = { .second = &second, .factor = SESSION_RECOVERY_CODE };
    enum err err = second_factor_recovery(request, gateway_person(request)->session.person,
                                          json_text_of(request_json(request), "code"), &second);

    return code_refused_told(request, err == ERR_OK ? step_up(request, response, &change) : err,
                             AUDIT_SESSION_STEPPED_UP);
}

const struct http_route session_routes[] = {
    { HTTP_POST, "/v1/session/passkey/options", passkey_options, "beginPasskeySignIn", HTTP_ACCESS_OPEN,
      NULL },
    { HTTP_POST, "/v1/session/passkey", passkey_sign_in, "signInWithPasskey", HTTP_ACCESS_OPEN, NULL,
      .body_bytes_max = SESSION_BODY_BYTES_MAX },
    { HTTP_GET, "/v1/session", session_get, "getSession", HTTP_ACCESS_SESSION, NULL, .half = HTTP_HALF_OPEN },
    { HTTP_DELETE, "/v1/session", session_delete, "signOut", HTTP_ACCESS_SESSION, NULL,
      .half = HTTP_HALF_OPEN },
    { HTTP_POST, "/v1/session/workspace", workspace_post, "switchWorkspace", HTTP_ACCESS_SESSION, NULL,
      .body_bytes_max = 1024 },
    { HTTP_POST, "/v1/session/step-up/passkey/options", step_up_options, "beginPasskeyStepUp",
      HTTP_ACCESS_SESSION, NULL, .half = HTTP_HALF_OPEN },
    { HTTP_POST, "/v1/session/step-up/passkey", step_up_passkey, "stepUpWithPasskey", HTTP_ACCESS_SESSION,
      NULL, .body_bytes_max = SESSION_BODY_BYTES_MAX, .half = HTTP_HALF_OPEN },
    { HTTP_POST, "/v1/session/step-up/totp", step_up_totp, "stepUpWithTotp", HTTP_ACCESS_SESSION, NULL,
      .body_bytes_max = 1024, .half = HTTP_HALF_OPEN },
    { HTTP_POST, "/v1/session/step-up/recovery-code", step_up_recovery_code, "stepUpWithRecoveryCode",
      HTTP_ACCESS_SESSION, NULL, .body_bytes_max = 1024, .half = HTTP_HALF_OPEN },
    { .handler = NULL },
};
