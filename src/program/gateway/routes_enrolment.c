/* /v1/enrolment: whoever has the link becomes the workspace's owner, or what he is invited as, with a passkey
 * of his own. */
#include "domain/identity/enrolment.h"
#include "domain/identity/invitation.h"
#include "domain/identity/membership.h"
#include "domain/identity/person.h"
#include "program/gateway/act.h"
#include "program/gateway/mailing.h"
#include "program/gateway/passkey_ask.h"
#include "program/gateway/person_gate.h"
#include "wire/json/json.h"

#define ENROLMENT_BODY_BYTES_MAX (32u * 1024u)

struct work {
    const struct gateway *gateway;
    struct arena *arena;
    struct slice token;
    struct enrolment enrolment; /* of an invitation: its id, workspace and end */
    bool is_invited;
    struct invitation invitation; /* with is_invited */
    struct tenant workspace;
    struct id person;
    bool is_new; /* a person who was not here before */
    const struct passkey_answer *answer;
    struct person_sealed sealed; /* of one who is new, or who gets the address that was invited */
    bool is_person_changed;
    struct passkey passkey;
    struct session_new with;
    struct session session;
    struct audit_act act;
    struct secret *text; /* owned: the session's */
};

/* The link and the workspace that it is for. */
static enum err
find_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = enrolment_find(tx, work->gateway->clock, work->token, &work->enrolment);

    if (err == ERR_OK)
        err = db_tx_turn_to(tx, work->enrolment.workspace);
    if (err == ERR_OK)
        err = tenant_get(tx, work->arena, &work->workspace);
    if (err == ERR_OK && work->workspace.state != TENANT_ACTIVE)
        err = ERR_LINK_INVALID;
    return err == ERR_NOT_FOUND ? ERR_LINK_INVALID : err;
}

static enum err
find(struct http_request *request, struct work *work)
{
    *work = (struct work){ .gateway = gateway_worker_of(request)->gateway,
                           .arena = request->arena,
                           .token = json_text_of(request_json(request), "token") };
    enum err err = platform_read(request, find_in, work);
    if (err != ERR_LINK_INVALID)
        return err;
    err = invitation_find(gateway_worker_of(request)->db, work->gateway->clock, work->token, work->arena,
                          &work->invitation);
    if (err != ERR_OK)
        return err;
    work->is_invited = true;
    work->enrolment = (struct enrolment){ .id = work->invitation.id,
                                          .workspace = work->invitation.tenant,
                                          .expires_at = work->invitation.expires_at };
    work->workspace = (struct tenant){ .id = work->invitation.tenant, .name = work->invitation.tenant_name };
    return ERR_OK;
}

static enum err
enrolment_options(struct http_request *request, struct http_response *response)
{
    struct work work;
    struct slice name = json_text_of(request_json(request), "name");
    enum err err = person_gate_check_origin(request);

    if (err == ERR_OK)
        err = find(request, &work);
    if (err != ERR_OK)
        return passkey_refused(request, err);
    struct id ceremony = id_new(work.gateway->clock);
    json_t *more =
        json_pack("{s:s, s:{s:o, s:o}, s:o}", "kind", work.is_invited ? "invitation" : "owner", "workspace",
                  "id", show_id(ID_TENANT, work.workspace.id), "name", show_text(work.workspace.name),
                  "expires_at", show_time(work.enrolment.expires_at));
    return more == NULL ? ERR_NO_MEMORY
                        : passkey_ask_new(
                              request, response,
                              &(struct passkey_ask_new){ .kind = CEREMONY_ENROL,
                                                         .subject = work.enrolment.id,
                                                         .ceremony = ceremony,
                                                         .person = ceremony, /* see below */
                                                         .name = name.len != 0 ? name : work.workspace.name,
                                                         .more = more });
}

/* The person, the passkey, the membership and the session come together or not at all, and use the link up.
 */
static enum err
enrol_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    const struct clock *clock = work->gateway->clock;
    struct id membership;
    enum err err = work->is_invited ? ERR_OK : enrolment_use(tx, clock, work->enrolment.id, work->person);

    secret_free(work->text); /* of a try that clashed */
    work->text = NULL;
    if (err == ERR_OK && work->is_new) {
        err = ceremony_use(tx, work->answer->ceremony.id);
        if (err == ERR_OK)
            err = person_insert(tx, clock, &work->sealed);
        if (err == ERR_OK)
            err = passkey_insert(tx, &work->passkey);
        if (err == ERR_OK)
            err = session_begin(tx, clock, &work->gateway->session_rules, &work->with, &work->session,
                                &work->text);
        work->act.actor.session = work->session.id;
    }
    if (err == ERR_OK && work->is_person_changed)
        err = person_update(tx, clock, &work->sealed);
    if (err == ERR_OK)
        err = db_tx_turn_to(tx, work->enrolment.workspace);
    if (err == ERR_OK && work->is_invited)
        err = invitation_accept(tx, clock, &work->invitation, work->person, &membership);
    else if (err == ERR_OK)
        err = membership_add(tx, clock,
                             &(struct membership_new){ .person = work->person,
                                                       .role = { .word = ROLE_OWNER },
                                                       .reach = MEMBERSHIP_ALL },
                             &membership);
    return err == ERR_OK ? audit_append(tx, clock, &work->act) : err;
}

static enum err
act_of(struct http_request *request, struct work *work)
{
    const struct gateway_worker *worker = gateway_worker_of(request);

    work->act =
        (struct audit_act){ .actor = { .kind = AUDIT_ACTOR_PERSON, .id = work->person },
                            .action = work->is_invited ? AUDIT_INVITATION_ACCEPTED : AUDIT_PERSON_ENROLLED,
                            .object_kind = ID_PERSON,
                            .object = work->person,
                            .outcome = AUDIT_DONE };
    enum err err = audit_address_add(&work->act, work->person, request->peer_address, request->arena);
    return err == ERR_OK ? audit_prepare(&worker->vault, worker->gateway->clock, work->enrolment.workspace,
                                         &work->act, request->arena)
                         : err;
}

/*
 * Whoever accepts an invitation gets the address that was invited, if they have none; and it is verified if
 * the link went there and nobody else has shown that it is theirs.
 */
static enum err
email_take(struct http_request *request, const struct work *work, struct person *person)
{
    const struct gateway_worker *worker = gateway_worker_of(request);
    struct id other;

    if (!work->is_invited || person->email.len != 0)
        return ERR_OK;
    enum err err = invitation_email_open(&worker->vault, &work->invitation, request->arena, &person->email);
    if (err != ERR_OK || !work->invitation.is_mailed)
        return err;
    err = person_find(worker->db, &worker->vault, person->email, &other);
    person->is_email_verified = err == ERR_NOT_FOUND;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* The ceremony's id becomes the person's: so it was known to the authenticator, and nothing had to be kept.
 */
static enum err
enrolment_post(struct http_request *request, struct http_response *response)
{
    const json_t *body = request_json(request);
    struct passkey_answer answer;
    struct person person = { .name = json_text_of(body, "name") };
    struct work work;
    enum err err = person_gate_check_origin(request);

    if (err == ERR_OK)
        err = find(request, &work);
    if (err == ERR_OK)
        err = passkey_answer_read(request, CEREMONY_ENROL, work.enrolment.id, &answer);
    if (err != ERR_OK)
        return passkey_refused(request, err);
    work.answer = &answer;
    work.is_new = true;
    work.person = person.id = answer.ceremony.id;
    work.with = (struct session_new){ .person = work.person,
                                      .workspace = work.enrolment.workspace,
                                      .factors = SESSION_PASSKEY,
                                      .address = request->peer_address,
                                      .user_agent = http_header(request, "User-Agent") };
    err = passkey_answer_new(request, &answer, work.person, "passkey_name", &work.passkey);
    if (err == ERR_OK)
        err = email_take(request, &work, &person);
    person.reads_hindi = notice_language_of(http_header(request, "Accept-Language")) == NOTICE_HINDI;
    if (err == ERR_OK)
        err = person_seal(&gateway_worker_of(request)->vault, &person, request->arena, &work.sealed);
    if (err == ERR_OK)
        err = act_of(request, &work);
    if (err == ERR_OK)
        err = platform_write(request, enrol_in, &work);
    if (err == ERR_OK)
        err = person_gate_reply(request, response, 200, &work.session, secret_slice(work.text), true);
    secret_free(work.text);
    return passkey_refused(request, err);
}

static enum err
address_add(struct http_request *request, struct work *work)
{
    const struct gateway_worker *worker = gateway_worker_of(request);
    struct person person;
    enum err err = person_get(worker->db, &worker->vault, work->person, request->arena, &person);

    if (err != ERR_OK || person.email.len != 0)
        return err;
    err = email_take(request, work, &person);
    work->is_person_changed = err == ERR_OK && person.email.len != 0;
    person.generation++;
    return work->is_person_changed ? person_seal(&worker->vault, &person, request->arena, &work->sealed)
                                   : err;
}

/* For somebody who is here already: the workspace is added to his. */
static enum err
enrolment_accept(struct http_request *request, struct http_response *response)
{
    const struct gateway_person *person = gateway_person(request);
    struct work work;
    enum err err = find(request, &work);

    work.person = person->session.person;
    if (err == ERR_OK)
        err = address_add(request, &work);
    if (err == ERR_OK)
        err = act_of(request, &work);
    work.act.actor.session = person->session.id;
    if (err == ERR_OK)
        err = platform_write(request, enrol_in, &work);
    return passkey_refused(request, err == ERR_OK ? person_gate_reply(request, response, 200,
                                                                      &person->session, person->token, false)
                                                  : err);
}

const struct http_route enrolment_routes[] = {
    { HTTP_POST, "/v1/enrolment/options", enrolment_options, "beginEnrolment", HTTP_ACCESS_OPEN, NULL,
      .body_bytes_max = 4096 },
    { HTTP_POST, "/v1/enrolment", enrolment_post, "enrol", HTTP_ACCESS_OPEN, NULL,
      .body_bytes_max = ENROLMENT_BODY_BYTES_MAX },
    { HTTP_POST, "/v1/enrolment/accept", enrolment_accept, "acceptEnrolment", HTTP_ACCESS_SESSION, NULL,
      .body_bytes_max = 4096, .needs_step_up = true },
    { .handler = NULL },
};
