/* /v1/me: a person's own name, passkeys and sessions. Nobody else's are reached here: everything is asked for
 * by the session's person. */
#include "domain/identity/person.h"
#include "program/gateway/act.h"
#include "program/gateway/mailing.h"
#include "program/gateway/me.h"
#include "program/gateway/passkey_ask.h"
#include "program/gateway/person_gate.h"
#include "wire/json/json.h"

#define PASSKEY_BODY_BYTES_MAX (32u * 1024u)

struct work {
    const struct gateway *gateway;
    struct arena *arena;
    struct id person, id, except, workspace;
    struct slice name;
    struct person_sealed sealed;
    const struct passkey_answer *answer;
    struct passkey passkey, *passkeys;
    struct mailing mailing;
    struct session *sessions;
    size_t count;
    struct audit_act act;
    const struct http_request *request;
    struct secret *token; /* owned: of a session that a new passkey completes */
};

static struct work
work_of(const struct http_request *request)
{
    const struct gateway_person *person = gateway_person(request);

    return (struct work){ .gateway = gateway_worker_of(request)->gateway,
                          .arena = request->arena,
                          .person = person->session.person,
                          .except = person->session.id,
                          .workspace = request->tenant,
                          .request = request };
}

/* At the end of a work in tenant_platform: the workspace that the session is in is told of it. */
static enum err
audit(struct db_tx *tx, const struct work *work)
{
    enum err err = db_tx_turn_to(tx, work->workspace);

    return err == ERR_OK ? audit_append(tx, work->gateway->clock, &work->act) : err;
}

/* The person. */

static enum err
me_get(struct http_request *request, struct http_response *response)
{
    struct person person;
    enum err err = me_load(request, &person);

    return err == ERR_OK ? me_reply(request, response, &person) : err;
}

static enum err
person_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = person_update(tx, work->gateway->clock, &work->sealed);

    return err == ERR_OK ? audit(tx, work) : err;
}

static enum err
me_patch(struct http_request *request, struct http_response *response)
{
    struct work work = work_of(request);
    struct person person;
    enum err err = me_load(request, &person);

    if (err == ERR_OK) {
        struct slice name = json_text_of(request_json(request), "name");
        struct slice language = json_text_of(request_json(request), "language");
        person.name = name.ptr == NULL ? person.name : name;
        person.reads_hindi = language.ptr == NULL ? person.reads_hindi : slice_eq(language, SLICE("hi"));
        person.generation++;
    }
    if (err == ERR_OK)
        err = person_seal(&gateway_worker_of(request)->vault, &person, request->arena, &work.sealed);
    if (err == ERR_OK)
        err = act_begin(request, AUDIT_PERSON_UPDATED, ID_PERSON, work.person, &work.act);
    if (err == ERR_OK)
        err = platform_write(request, person_in, &work);
    return err == ERR_OK ? me_reply(request, response, &person) : err;
}

/* Passkeys. */

static enum err
passkeys_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return passkey_list(tx, work->person, work->arena, &work->passkeys, &work->count);
}

static enum err
passkeys_get(struct http_request *request, struct http_response *response)
{
    struct work work = work_of(request);
    enum err err = platform_read(request, passkeys_in, &work);
    json_t *list = NULL;

    if (err != ERR_OK)
        return err;
    list = json_array();
    for (size_t i = 0; i < work.count; i++)
        show_append(&list, passkey_show(&work.passkeys[i]));
    return http_reply_json(request, response, 200, json_pack("{s:o}", "data", list));
}

static enum err
passkey_options(struct http_request *request, struct http_response *response)
{
    struct work work = work_of(request);
    struct person person;
    enum err err = me_load(request, &person);

    if (err == ERR_OK)
        err = platform_read(request, passkeys_in, &work);
    return err == ERR_OK ? passkey_ask_new(request, response,
                                           &(struct passkey_ask_new){
                                               .kind = CEREMONY_ADD_PASSKEY,
                                               .subject = work.except,
                                               .ceremony = id_new(work.gateway->clock),
                                               .person = work.person,
                                               .name = person.email.len != 0 ? person.email : person.name,
                                               .passkeys = work.passkeys,
                                               .count = work.count })
                         : err;
}

static enum err
passkey_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = ceremony_use(tx, work->answer->ceremony.id);

    if (err == ERR_OK)
        err = passkey_insert(tx, &work->passkey);
    if (err == ERR_OK)
        err = person_gate_complete(tx, work->request, SESSION_PASSKEY, &work->token);
    if (err == ERR_OK)
        err = audit(tx, work);
    return err == ERR_OK ? mailing_put(tx, &work->mailing) : err;
}

/* Whoever has got into the account adds one of his own: so its owner hears of it. */
static enum err
passkey_news(struct http_request *request, struct work *work)
{
    struct person person;
    enum err err = mailing_is_on(request) ? me_load(request, &person) : ERR_NOTHING;

    if (err == ERR_OK)
        err = mailing_news(request, &person, NOTICE_PASSKEY_ADDED, work->passkey.name, SLICE_EMPTY,
                           &work->mailing);
    return err == ERR_NOTHING ? ERR_OK : err;
}

static enum err
passkey_post(struct http_request *request, struct http_response *response)
{
    struct work work = work_of(request);
    struct passkey_answer answer;
    enum err err = passkey_answer_read(request, CEREMONY_ADD_PASSKEY, work.except, &answer);

    work.answer = &answer;
    if (err == ERR_OK)
        err = passkey_answer_new(request, &answer, work.person, "name", &work.passkey);
    if (err == ERR_OK)
        err = act_begin(request, AUDIT_PASSKEY_ADDED, ID_PASSKEY, work.passkey.id, &work.act);
    if (err == ERR_OK)
        err = passkey_news(request, &work);
    if (err == ERR_OK)
        err = platform_write(request, passkey_in, &work);
    if (err == ERR_OK)
        err = person_gate_renew(request, response, work.token);
    secret_free(work.token);
    if (err != ERR_OK)
        return err;
    gateway_locate(request, response, "/v1/me/passkeys/", ID_PASSKEY, work.passkey.id);
    return http_reply_json(request, response, 201, passkey_show(&work.passkey));
}

static enum err
rename_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = passkey_rename(tx, work->person, work->id, work->name);

    if (err == ERR_OK)
        err = passkeys_in(tx, work);
    return err == ERR_OK ? audit(tx, work) : err;
}

static enum err
passkey_patch(struct http_request *request, struct http_response *response)
{
    struct work work = work_of(request);
    enum err err = gateway_path_id(request, "passkey_id", ID_PASSKEY, &work.id);

    work.name = json_text_of(request_json(request), "name");
    if (err == ERR_OK)
        err = act_begin(request, AUDIT_PASSKEY_RENAMED, ID_PASSKEY, work.id, &work.act);
    if (err == ERR_OK)
        err = platform_write(request, rename_in, &work);
    for (size_t i = 0; err == ERR_OK && i < work.count; i++)
        if (id_eq(work.passkeys[i].id, work.id))
            return http_reply_json(request, response, 200, passkey_show(&work.passkeys[i]));
    return err == ERR_OK ? ERR_NOT_FOUND : err;
}

static enum err
remove_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = passkey_delete(tx, work->person, work->id);

    return err == ERR_OK ? audit(tx, work) : err;
}

static enum err
passkey_delete_one(struct http_request *request, struct http_response *response)
{
    struct work work = work_of(request);
    enum err err = gateway_path_id(request, "passkey_id", ID_PASSKEY, &work.id);

    if (err == ERR_OK)
        err = act_begin(request, AUDIT_PASSKEY_REMOVED, ID_PASSKEY, work.id, &work.act);
    if (err == ERR_OK)
        err = platform_write(request, remove_in, &work);
    if (err == ERR_STATE_CONFLICT)
        request->problem.detail = SLICE("It is the only passkey: add another one before.");
    return err == ERR_OK ? http_reply_empty(response, 204) : err;
}

/* Sessions. */

static json_t *
session_show(const struct session *session, struct id current)
{
    json_t *factors = json_array();

    for (unsigned i = 0; i < SESSION_FACTOR_COUNT; i++)
        if ((session->factors & (1u << i)) != 0)
            show_append(&factors, json_string(session_factor_word((enum session_factor)(1u << i))));
    return json_pack("{s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "id", show_id(ID_SESSION, session->id),
                     "is_current", (int)id_eq(session->id, current), "created_at",
                     show_time(session->created_at), "last_used_at", show_time(session->seen_at),
                     "expires_at", show_time(session->expires_at), "address",
                     show_text_or_null(session->address), "user_agent", show_text(session->user_agent),
                     "authenticated_by", factors);
}

static enum err
sessions_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return session_list(tx, work->gateway->clock, &work->gateway->session_rules, work->person, work->arena,
                        &work->sessions, &work->count);
}

static enum err
sessions_get(struct http_request *request, struct http_response *response)
{
    struct work work = work_of(request);
    enum err err = platform_read(request, sessions_in, &work);

    if (err != ERR_OK)
        return err;
    json_t *list = json_array();
    for (size_t i = 0; i < work.count; i++)
        show_append(&list, session_show(&work.sessions[i], work.except));
    return http_reply_json(request, response, 200, json_pack("{s:o}", "data", list));
}

static enum err
end_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = session_end(tx, work->gateway->clock, work->person, work->id, SESSION_REVOKED);

    return err == ERR_OK ? audit(tx, work) : err;
}

static enum err
session_delete_one(struct http_request *request, struct http_response *response)
{
    struct work work = work_of(request);
    enum err err = gateway_path_id(request, "session_id", ID_SESSION, &work.id);

    if (err == ERR_OK)
        err = act_begin(request, AUDIT_SESSION_ENDED, ID_SESSION, work.id, &work.act);
    if (err == ERR_OK)
        err = platform_write(request, end_in, &work);
    if (err != ERR_OK)
        return err;
    if (id_eq(work.id, work.except))
        person_gate_clear(response);
    return http_reply_empty(response, 204);
}

static enum err
end_all_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err =
        session_end_all(tx, work->gateway->clock, work->person, work->except, SESSION_REVOKED, &work->count);

    return err == ERR_OK ? audit(tx, work) : err;
}

static enum err
sessions_delete(struct http_request *request, struct http_response *response)
{
    const struct id all = { { 0 } };
    struct work work = work_of(request);
    enum err err = act_begin(request, AUDIT_SESSION_ENDED, ID_SESSION, all, &work.act);

    if (err == ERR_OK)
        err = platform_write(request, end_all_in, &work);
    return err == ERR_OK ? http_reply_json(request, response, 200,
                                           json_pack("{s:I}", "ended_count", (json_int_t)work.count))
                         : err;
}

const struct http_route me_routes[] = {
    { HTTP_GET, "/v1/me", me_get, "getMe", HTTP_ACCESS_SESSION, NULL, .half = HTTP_HALF_OPEN },
    { HTTP_PATCH, "/v1/me", me_patch, "updateMe", HTTP_ACCESS_SESSION, NULL, .body_bytes_max = 4096,
      .half = HTTP_HALF_SET_UP },
    { HTTP_GET, "/v1/me/passkeys", passkeys_get, "listPasskeys", HTTP_ACCESS_SESSION, NULL },
    { HTTP_POST, "/v1/me/passkeys/options", passkey_options, "beginPasskey", HTTP_ACCESS_SESSION, NULL,
      .needs_step_up = true, .half = HTTP_HALF_SET_UP },
    { HTTP_POST, "/v1/me/passkeys", passkey_post, "addPasskey", HTTP_ACCESS_SESSION, NULL,
      .body_bytes_max = PASSKEY_BODY_BYTES_MAX, .needs_step_up = true, .half = HTTP_HALF_SET_UP },
    { HTTP_PATCH, "/v1/me/passkeys/{passkey_id}", passkey_patch, "renamePasskey", HTTP_ACCESS_SESSION, NULL,
      .body_bytes_max = 4096 },
    { HTTP_DELETE, "/v1/me/passkeys/{passkey_id}", passkey_delete_one, "removePasskey", HTTP_ACCESS_SESSION,
      NULL, .needs_step_up = true },
    { HTTP_GET, "/v1/me/sessions", sessions_get, "listSessions", HTTP_ACCESS_SESSION, NULL },
    { HTTP_DELETE, "/v1/me/sessions", sessions_delete, "endOtherSessions", HTTP_ACCESS_SESSION, NULL },
    { HTTP_DELETE, "/v1/me/sessions/{session_id}", session_delete_one, "endSession", HTTP_ACCESS_SESSION,
      NULL },
    { .handler = NULL },
};
