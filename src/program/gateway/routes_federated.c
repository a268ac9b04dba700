/*
 * Signing in, connecting an identity and opening a link by an OpenID provider: three beginnings, which say
 * where the browser is to go, and one end, to which the provider sends it back. Between them nothing is kept
 * (domain/identity/federation.h). The end answers a person's browser, so whatever became of it, it sends it
 * to a page of ours, which says so.
 */
#include "domain/identity/enrolment.h"
#include "domain/identity/federation.h"
#include "domain/identity/invitation.h"
#include "domain/identity/oidc_identity.h"
#include "domain/identity/oidc_issuer.h"
#include "domain/identity/person.h"
#include "program/gateway/act.h"
#include "program/gateway/federator.h"
#include "program/gateway/passkey_ask.h"
#include "program/gateway/person_gate.h"
#include "program/gateway/session_start.h"
#include "wire/json/json.h"
#include "wire/oidc/oidc_request.h"

#define CALLBACK_PATH       "/v1/session/federated/callback"
#define BODY_BYTES_MAX      4096u
#define AUTHORIZE_BYTES_MAX 4096u

struct look {
    struct id id;
    struct arena *arena;
    struct oidc_issuer issuer;
};

static enum err
issuer_in(struct db_tx *tx, void *ctx)
{
    struct look *look = ctx;

    return oidc_issuer_get(tx, look->id, look->arena, &look->issuer);
}

static enum err
issuer_load(struct http_request *request, struct id id, struct oidc_issuer *out)
{
    struct look look = { .id = id, .arena = request->arena };
    enum err err = platform_read(request, issuer_in, &look);

    *out = look.issuer;
    return err;
}

static struct slice
redirect_uri(const struct http_request *request)
{
    return arena_format(request->arena, "%s" CALLBACK_PATH, gateway_worker_of(request)->gateway->origin.text);
}

/* The beginnings. */

struct beginning {
    struct federation federation;
    struct federation_secrets secrets;
    struct http_response response; /* so far */
};

/* Where the browser goes, of an issuer that is known. */
static enum err
begin_reply(struct http_request *request, struct http_response *response, const struct oidc_issuer *issuer,
            const struct beginning *beginning)
{
    char verifier[OIDC_VERIFIER_BYTES], challenge[OIDC_VERIFIER_BYTES];
    const struct oidc_authorization with = {
        .client_id = issuer->client_id,
        .redirect_uri = redirect_uri(request),
        .state = slice_of(beginning->secrets.state, sizeof(beginning->secrets.state)),
        .nonce = slice_of(beginning->secrets.nonce, sizeof(beginning->secrets.nonce)),
        .challenge = slice_of(challenge, sizeof(challenge)),
    };
    struct buf url;
    enum err err = with.redirect_uri.ptr == NULL
                       ? ERR_NO_MEMORY
                       : oidc_pkce(beginning->secrets.verifier, verifier, challenge);

    buf_init(&url, AUTHORIZE_BYTES_MAX);
    if (err == ERR_OK) {
        oidc_authorization_url(&url, issuer->authorization_endpoint, &with);
        err = buf_done(&url);
    }
    if (err == ERR_OK)
        err = http_reply_json(request, response, 200,
                              json_pack("{s:o}", "authorization_url", show_text(buf_slice(&url))));
    buf_release(&url);
    return err;
}

/* When the dispatcher has looked it up. */
static enum err
discovered(struct http_request *request, struct http_response *response, enum err err,
           const struct oidc_task_answer *answer UNUSED, void *ctx)
{
    struct beginning *beginning = ctx;
    struct oidc_issuer issuer;

    *response = beginning->response;
    if (err == ERR_OK)
        err = issuer_load(request, beginning->federation.issuer, &issuer);
    if (err == ERR_OK && !issuer.is_discovered)
        err = ERR_IDENTITY_PROVIDER;
    return err == ERR_OK ? begin_reply(request, response, &issuer, beginning) : err;
}

/* `subject` is that of the purpose; the browser gets its cookie here, if it has none. */
static enum err
begin(struct http_request *request, struct http_response *response, enum federation_purpose purpose,
      struct slice subject)
{
    const struct gateway_worker *worker = gateway_worker_of(request);
    const struct gateway *gateway = worker->gateway;
    struct beginning *beginning = arena_alloc(request->arena, sizeof(*beginning));
    struct federator_ask *ask = arena_alloc(request->arena, sizeof(*ask));
    struct oidc_issuer issuer;

    if (beginning == NULL || ask == NULL)
        return ERR_NO_MEMORY;
    *beginning = (struct beginning){ .federation = { .id = id_new(gateway->clock), .purpose = purpose } };
    memcpy(beginning->federation.subject, subject.ptr, subject.len);
    enum err err = id_parse(ID_ISSUER, json_text_of(request_json(request), "provider_id"),
                            &beginning->federation.issuer);
    err = err == ERR_OK ? issuer_load(request, beginning->federation.issuer, &issuer) : ERR_NOT_FOUND;
    if (err == ERR_OK)
        err = person_gate_browser(request, response, &beginning->federation.browser);
    if (err == ERR_OK)
        err = federation_begin(&worker->vault, &beginning->federation, &beginning->secrets);
    if (err != ERR_OK)
        return err;
    if (issuer.is_discovered &&
        clock_wall(gateway->clock).us - issuer.discovered_at.us < OIDC_ISSUER_DISCOVERED_MS * INT64_C(1000))
        return begin_reply(request, response, &issuer, beginning);
    beginning->response = *response; /* with the browser's cookie; the answer is another one */
    *ask = (struct federator_ask){ .request = request,
                                   .issuer = issuer.id,
                                   .kind = OIDC_TASK_DISCOVERY,
                                   .done = discovered,
                                   .ctx = beginning };
    return federator_submit(gateway->federator, ask);
}

static enum err
sign_in_post(struct http_request *request, struct http_response *response)
{
    enum err err = person_gate_check_origin(request);

    return err == ERR_OK ? begin(request, response, FEDERATION_SIGN_IN, SLICE("")) : err;
}

static enum err
identity_post(struct http_request *request, struct http_response *response)
{
    struct id session = gateway_person(request)->session.id;

    return begin(request, response, FEDERATION_CONNECT, slice_of(session.bytes, ID_BYTES));
}

/* A link, whichever of the two it is. */
struct link {
    const struct clock *clock;
    const unsigned char *hash;
    struct arena *arena;
    struct enrolment enrolment; /* of an invitation its id, workspace and end */
    bool is_invited;
    struct invitation invitation; /* with is_invited */
};

static enum err
link_in(struct db_tx *tx, void *ctx)
{
    struct link *link = ctx;
    struct tenant workspace;
    enum err err = enrolment_find_hashed(tx, link->clock, link->hash, &link->enrolment);

    if (err == ERR_OK)
        err = db_tx_turn_to(tx, link->enrolment.workspace);
    if (err == ERR_OK)
        err = tenant_get(tx, link->arena, &workspace);
    if (err == ERR_OK && workspace.state != TENANT_ACTIVE)
        err = ERR_LINK_INVALID;
    return err == ERR_NOT_FOUND ? ERR_LINK_INVALID : err;
}

static enum err
link_find(struct http_request *request, const unsigned char hash[static 32], struct link *link)
{
    const struct gateway_worker *worker = gateway_worker_of(request);

    *link = (struct link){ .clock = worker->gateway->clock, .hash = hash, .arena = request->arena };
    enum err err = platform_read(request, link_in, link);
    if (err != ERR_LINK_INVALID)
        return err;
    err = invitation_find_hashed(worker->db, link->clock, hash, request->arena, &link->invitation);
    link->is_invited = err == ERR_OK;
    if (err == ERR_OK)
        link->enrolment = (struct enrolment){ .id = link->invitation.id,
                                              .workspace = link->invitation.tenant,
                                              .expires_at = link->invitation.expires_at };
    return err;
}

static enum err
enrolment_post(struct http_request *request, struct http_response *response)
{
    unsigned char hash[32];
    struct link link;
    enum err err = person_gate_check_origin(request);

    if (err == ERR_OK)
        err = enrolment_token_hash(json_text_of(request_json(request), "token"), hash);
    if (err == ERR_OK)
        err = link_find(request, hash, &link);
    if (err == ERR_OK)
        err = begin(request, response, FEDERATION_ENROL, slice_of(hash, sizeof(hash)));
    return passkey_refused(request, err);
}

/* The end. */

struct end {
    struct federation federation;
    struct federation_secrets secrets;
    struct oidc_issuer issuer;
    struct oidc_task_answer answer;
    struct slice email; /* as of person_email_read, of a verified one; else empty */
    unsigned char subject_index[VAULT_INDEX_BYTES];
    struct id identity, person; /* zero: nobody has it */
    bool is_known;
    /* Of what is made. */
    struct oidc_identity_new made;
    struct link link;
    struct person_sealed sealed;
    struct session session;
    struct audit_act act;
    const struct gateway *gateway;
};

/* Where each purpose comes from, and goes on to. */
static const char *
page_of(enum federation_purpose purpose)
{
    switch (purpose) {
    case FEDERATION_SIGN_IN:
        return "/sign-in";
    case FEDERATION_CONNECT:
        return "/security";
    case FEDERATION_ENROL:
        return "/enrol";
    }
    bug("a purpose that does not exist");
}

/* To a page of ours. `what` is a literal: "?problem=..." or nothing. */
static enum err
send_to(struct http_request *request, struct http_response *response, const char *page, const char *what,
        const char *word)
{
    struct slice location = arena_format(request->arena, "%s%s%s%s",
                                         gateway_worker_of(request)->gateway->origin.text, page, what, word);

    if (location.ptr == NULL)
        return ERR_NO_MEMORY;
    http_response_add(response, "Location", location);
    return http_reply_empty(response, 303);
}

/* What was refused counts against the address, as a passkey's does; a sign-in is told in the audit log. */
static enum err
send_back(struct http_request *request, struct http_response *response, const struct end *end, enum err err)
{
    enum federation_purpose purpose = end->federation.purpose;

    err = purpose == FEDERATION_SIGN_IN
              ? passkey_refused_told(request, err, AUDIT_SESSION_REFUSED, end->person)
              : passkey_refused(request, err);
    return send_to(request, response, page_of(purpose), "?problem=", err_code(err));
}

static enum err
identity_in(struct db_tx *tx, void *ctx)
{
    struct end *end = ctx;
    enum err err =
        oidc_identity_find(tx, end->federation.issuer, end->subject_index, &end->identity, &end->person);

    end->is_known = err == ERR_OK;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err
used_take(struct db_tx *tx, struct wall_time now, void *ctx)
{
    const struct end *end = ctx;
    enum err err = oidc_identity_used(tx, end->identity, now);

    return err == ERR_NOT_FOUND ? ERR_IDENTITY_UNKNOWN : err; /* taken away just now */
}

/* A session that is a half, for whom the identity is. */
static enum err
end_sign_in(struct http_request *request, struct http_response *response, struct end *end)
{
    const struct gateway_worker *worker = gateway_worker_of(request);
    struct session_start start = {
        .person = end->person, .factors = SESSION_FEDERATED, .take = used_take, .ctx = end
    };
    struct person person;
    enum err err = end->is_known
                       ? person_get(worker->db, &worker->vault, end->person, request->arena, &person)
                       : ERR_IDENTITY_UNKNOWN;

    if (err == ERR_OK && person.has_left)
        err = ERR_IDENTITY_UNKNOWN;
    if (err == ERR_OK)
        err = session_start_run(request, &start);
    if (err == ERR_OK)
        err = person_gate_renew(request, response, start.token);
    if (err == ERR_OK)
        err = send_to(request, response, "/second-factor", "", "");
    session_start_release(&start);
    return err;
}

static enum err
connect_in(struct db_tx *tx, void *ctx)
{
    struct end *end = ctx;
    enum err err = oidc_identity_insert(tx, &end->made, clock_wall(end->gateway->clock), false);

    if (err == ERR_OK)
        err =
            db_tx_turn_to(tx, id_is_zero(end->session.workspace) ? tenant_platform : end->session.workspace);
    return err == ERR_OK ? audit_append(tx, end->gateway->clock, &end->act) : err;
}

static enum err
act_of(struct http_request *request, struct end *end, struct id workspace, enum audit_action action,
       enum id_kind kind, struct id object)
{
    const struct gateway_worker *worker = gateway_worker_of(request);

    end->act = (struct audit_act){
        .actor = { .kind = AUDIT_ACTOR_PERSON, .id = end->person, .session = end->session.id },
        .action = action,
        .object_kind = kind,
        .object = object,
        .outcome = AUDIT_DONE
    };
    enum err err = audit_address_add(&end->act, end->person, request->peer_address, request->arena);
    return err == ERR_OK
               ? audit_prepare(&worker->vault, worker->gateway->clock, workspace, &end->act, request->arena)
               : err;
}

/* For the session that asked, if this browser still has it. */
static enum err
end_connect(struct http_request *request, struct http_response *response, struct end *end)
{
    const struct gateway_worker *worker = gateway_worker_of(request);
    unsigned char subject[FEDERATION_SUBJECT_BYTES] = { 0 };
    enum err err = person_gate_present(request, &end->session);

    memcpy(subject, end->session.id.bytes, ID_BYTES);
    if (err == ERR_OK && (memcmp(subject, end->federation.subject, sizeof(subject)) != 0 ||
                          session_is_half(end->session.factors)))
        err = ERR_SESSION;
    if (err == ERR_OK && end->is_known)
        err = ERR_EXISTS;
    if (err != ERR_OK)
        return err;
    end->person = end->session.person;
    end->identity = id_new(end->gateway->clock);
    err = oidc_identity_seal(&worker->vault, end->identity, end->person, end->federation.issuer,
                             end->answer.subject, end->answer.email, request->arena, &end->made);
    if (err == ERR_OK)
        err = act_of(request, end,
                     id_is_zero(end->session.workspace) ? tenant_platform : end->session.workspace,
                     AUDIT_IDENTITY_ADDED, ID_IDENTITY, end->identity);
    if (err == ERR_OK)
        err = platform_write(request, connect_in, end);
    return err == ERR_OK ? send_to(request, response, "/security", "?connected=", "1") : err;
}

/* Person, identity and membership, in the transaction of the session. */
static enum err
enrol_take(struct db_tx *tx, struct wall_time now, void *ctx)
{
    struct end *end = ctx;
    const struct clock *clock = end->gateway->clock;
    struct id membership;
    enum err err =
        end->link.is_invited ? ERR_OK : enrolment_use(tx, clock, end->link.enrolment.id, end->person);

    if (err == ERR_OK)
        err = person_insert(tx, clock, &end->sealed);
    if (err == ERR_EXISTS)
        err = ERR_IDENTITY_PERSON;
    if (err == ERR_OK)
        err = oidc_identity_insert(tx, &end->made, now, true);
    if (err == ERR_OK)
        err = db_tx_turn_to(tx, end->link.enrolment.workspace);
    if (err == ERR_OK && end->link.is_invited)
        err = invitation_accept(tx, clock, &end->link.invitation, end->person, &membership);
    else if (err == ERR_OK)
        err = membership_add(tx, clock,
                             &(struct membership_new){ .person = end->person,
                                                       .role = { .word = ROLE_OWNER },
                                                       .reach = MEMBERSHIP_ALL },
                             &membership);
    if (err == ERR_OK)
        err = audit_append(tx, clock, &end->act);
    return err == ERR_OK ? db_tx_turn_to(tx, tenant_platform) : err;
}

/* Who is invited has to be whom the provider names, and nobody who is here already becomes somebody else. */
static enum err
enrol_judge(struct http_request *request, const struct end *end)
{
    const struct gateway_worker *worker = gateway_worker_of(request);
    struct slice invited, email;
    struct id other;
    enum err err = ERR_OK;

    if (end->link.is_invited) {
        err = invitation_email_open(&worker->vault, &end->link.invitation, request->arena, &invited);
        if (err == ERR_OK)
            err = person_email_read(invited, request->arena, &email);
        if (err == ERR_OK && (end->email.len == 0 || !slice_eq(email, end->email)))
            err = ERR_IDENTITY_EMAIL;
    }
    if (err == ERR_OK && end->email.len != 0) {
        err = person_find(worker->db, &worker->vault, end->email, &other);
        err = err == ERR_OK ? ERR_IDENTITY_PERSON : err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    return err;
}

/* Somebody new; asked for another name when the second factor is set up. */
static enum err
end_enrol(struct http_request *request, struct http_response *response, struct end *end)
{
    const struct gateway_worker *worker = gateway_worker_of(request);
    struct session_start start = { .factors = SESSION_FEDERATED, .take = enrol_take, .ctx = end };
    struct person person = { .email = end->email, .is_email_verified = true };
    size_t at = slice_find(end->answer.email, '@');

    if (end->is_known) /* he signs in, and opens the link as who he is */
        return end_sign_in(request, response, end);
    enum err err = link_find(request, end->federation.subject, &end->link);
    if (err == ERR_OK)
        err = enrol_judge(request, end);
    if (err != ERR_OK)
        return err;
    end->person = person.id = start.person = end->federation.id; /* as with passkeys: the ceremony's */
    end->identity = id_new(end->gateway->clock);
    person.name = at > 0 && at < end->answer.email.len && at <= PERSON_NAME_MAX &&
                          slice_is_utf8(slice_first(end->answer.email, at))
                      ? slice_first(end->answer.email, at)
                      : end->issuer.name;
    err = person_seal(&worker->vault, &person, request->arena, &end->sealed);
    if (err == ERR_OK)
        err = oidc_identity_seal(&worker->vault, end->identity, end->person, end->federation.issuer,
                                 end->answer.subject, end->answer.email, request->arena, &end->made);
    if (err == ERR_OK)
        err = act_of(request, end, end->link.enrolment.workspace,
                     end->link.is_invited ? AUDIT_INVITATION_ACCEPTED : AUDIT_PERSON_ENROLLED, ID_PERSON,
                     end->person);
    start.workspace = end->link.enrolment.workspace;
    if (err == ERR_OK)
        err = session_start_run(request, &start);
    if (err == ERR_OK)
        err = person_gate_renew(request, response, start.token);
    if (err == ERR_OK)
        err = send_to(request, response, "/second-factor", "", "");
    session_start_release(&start);
    return err;
}

/* What the provider says of whoever came back. */
static enum err
exchanged(struct http_request *request, struct http_response *response, enum err err,
          const struct oidc_task_answer *answer, void *ctx)
{
    const struct gateway_worker *worker = gateway_worker_of(request);
    struct end *end = ctx;

    if (err == ERR_OK) {
        end->answer = *answer;
        if (answer->is_email_verified && answer->email.len != 0 &&
            person_email_read(answer->email, request->arena, &end->email) != ERR_OK)
            end->email = SLICE_EMPTY;
        if (!oidc_issuer_admits(&end->issuer, end->email, answer->is_email_verified))
            err = ERR_IDENTITY_EMAIL;
    }
    if (err == ERR_OK)
        err =
            oidc_identity_index(&worker->vault, end->federation.issuer, answer->subject, end->subject_index);
    if (err == ERR_OK)
        err = platform_read(request, identity_in, end);
    if (err == ERR_OK)
        switch (end->federation.purpose) {
        case FEDERATION_SIGN_IN:
            err = end_sign_in(request, response, end);
            break;
        case FEDERATION_CONNECT:
            err = end_connect(request, response, end);
            break;
        case FEDERATION_ENROL:
            err = end_enrol(request, response, end);
            break;
        }
    return err == ERR_OK ? ERR_OK : send_back(request, response, end, err);
}

/* The parameter, which is there once. false: it is not, or more often. */
static bool
parameter(const struct http_request *request, const char *name, struct slice *out)
{
    size_t count = 0;

    *out = SLICE_EMPTY;
    for (size_t i = 0; i < request->query_count; i++)
        if (slice_eq(request->query[i].name, slice_text(name))) {
            *out = request->query[i].value;
            count++;
        }
    return count == 1;
}

/* Of this browser, in time, and of the issuer that was asked (RFC 9207). */
static enum err
end_read(struct http_request *request, struct end *end, struct slice *code_out)
{
    const struct gateway_worker *worker = gateway_worker_of(request);
    struct slice state, browser, named, error;
    bool has_named = parameter(request, "iss", &named);
    enum err err = person_gate_browser_again(request, &browser);

    if (err == ERR_OK && !parameter(request, "state", &state))
        err = ERR_CEREMONY;
    if (err == ERR_OK)
        err = federation_read(&worker->vault, worker->gateway->clock, state, browser, &end->federation,
                              &end->secrets);
    if (err == ERR_OK) {
        err = issuer_load(request, end->federation.issuer, &end->issuer);
        err = err == ERR_NOT_FOUND ? ERR_CEREMONY : err;
    }
    if (err != ERR_OK) {
        end->federation.purpose = FEDERATION_SIGN_IN; /* it says nothing that could be believed */
        return err;
    }
    if (!has_named && http_query(request, "iss").ptr != NULL)
        return ERR_IDENTITY_TOKEN;
    if (!oidc_answer_is_of(named, end->issuer.issuer, end->issuer.names_itself))
        return ERR_IDENTITY_TOKEN;
    if (parameter(request, "error", &error))
        return slice_eq(error, SLICE("access_denied")) ? ERR_INCOMPLETE : ERR_IDENTITY_PROVIDER;
    return parameter(request, "code", code_out) && code_out->len != 0 && code_out->len <= OIDC_CODE_BYTES_MAX
               ? ERR_OK
               : ERR_IDENTITY_TOKEN;
}

static enum err
callback_get(struct http_request *request, struct http_response *response)
{
    const struct gateway *gateway = gateway_worker_of(request)->gateway;
    struct end *end = arena_alloc(request->arena, sizeof(*end));
    struct federator_ask *ask = arena_alloc(request->arena, sizeof(*ask));
    char *verifier = arena_alloc(request->arena, OIDC_VERIFIER_BYTES), challenge[OIDC_VERIFIER_BYTES];
    struct slice code;

    if (end == NULL || ask == NULL || verifier == NULL)
        return ERR_NO_MEMORY;
    *end = (struct end){ .gateway = gateway, .federation = { .purpose = FEDERATION_SIGN_IN } };
    enum err err = end_read(request, end, &code);
    if (err == ERR_INCOMPLETE) /* the person would not */
        return send_to(request, response, page_of(end->federation.purpose), "?problem=", "dismissed");
    if (err == ERR_OK)
        err = oidc_pkce(end->secrets.verifier, verifier, challenge);
    if (err == ERR_OK) {
        *ask = (struct federator_ask){ .request = request,
                                       .issuer = end->federation.issuer,
                                       .kind = OIDC_TASK_EXCHANGE,
                                       .ceremony = end->federation.id,
                                       .with = { .code = code,
                                                 .verifier = slice_of(verifier, OIDC_VERIFIER_BYTES),
                                                 .nonce =
                                                     slice_of(end->secrets.nonce, sizeof(end->secrets.nonce)),
                                                 .redirect_uri = redirect_uri(request) },
                                       .done = exchanged,
                                       .ctx = end };
        err = ask->with.redirect_uri.ptr == NULL ? ERR_NO_MEMORY : federator_submit(gateway->federator, ask);
    }
    return err == ERR_DEFERRED ? err : send_back(request, response, end, err);
}

const struct http_route federated_routes[] = {
    { HTTP_POST, "/v1/session/federated", sign_in_post, "beginFederatedSignIn", HTTP_ACCESS_OPEN, NULL,
      .body_bytes_max = BODY_BYTES_MAX },
    /* Not of the contract: providers add to the query what they like. */
    { HTTP_GET, CALLBACK_PATH, callback_get, NULL, HTTP_ACCESS_OPEN, NULL },
    { HTTP_POST, "/v1/me/identities", identity_post, "beginIdentity", HTTP_ACCESS_SESSION, NULL,
      .body_bytes_max = BODY_BYTES_MAX, .needs_step_up = true },
    { HTTP_POST, "/v1/enrolment/federated", enrolment_post, "beginFederatedEnrolment", HTTP_ACCESS_OPEN, NULL,
      .body_bytes_max = BODY_BYTES_MAX },
    { .handler = NULL },
};
