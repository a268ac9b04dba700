#include "program/gateway/person_gate.h"
#include "core/log.h"
#include "crypto/encode.h"
#include "crypto/random.h"
#include "domain/identity/factors.h"
#include "domain/identity/membership.h"
#include "domain/identity/person.h"
#include "domain/identity/platform_role.h"
#include "wire/http/cookie.h"

#define BROWSER_BYTES      32u
#define BROWSER_TEXT_BYTES 43u
#define DB_REOPEN_MS       2000

/* Over all Cookie lines: an HTTP/2 front may send several. ERR_NOTHING; ERR_HTTP_HEADER: it is there twice.
 */
static enum err
cookie_read(const struct http_request *request, const char *name, struct slice *out)
{
    enum err found = ERR_NOTHING;

    for (size_t i = 0; i < request->header_count; i++) {
        struct slice value;
        if (!slice_eq_nocase(request->headers[i].name, SLICE("Cookie")))
            continue;
        enum err err = cookie_find(request->headers[i].value, slice_text(name), &value);
        if (err == ERR_NOTHING)
            continue;
        if (err != ERR_OK || found == ERR_OK)
            return ERR_HTTP_HEADER;
        *out = value;
        found = ERR_OK;
    }
    return found;
}

bool
person_gate_applies(const struct http_request *request, const struct http_route *route)
{
    struct slice token;

    return route->access == HTTP_ACCESS_SESSION || cookie_read(request, PERSON_COOKIE, &token) != ERR_NOTHING;
}

enum err
person_gate_check_origin(const struct http_request *request)
{
    const struct origin *ours = &gateway_worker_of(request)->gateway->origin;
    struct slice origin = http_header(request, "Origin");

    return ours->whole.len != 0 && origin.ptr != NULL && slice_eq(origin, ours->whole) ? ERR_OK : ERR_ORIGIN;
}

/* What changes something must come from a page of ours, which knows the session's token of changes. */
static enum err
change_check(const struct http_request *request, struct slice token)
{
    struct slice shown = http_header(request, "X-CSRF-Token");
    char csrf[SESSION_TEXT_BYTES];

    if (request->method == HTTP_GET || request->method == HTTP_HEAD)
        return ERR_OK;
    enum err err = person_gate_check_origin(request);
    if (err == ERR_OK)
        err = session_csrf(token, csrf);
    if (err == ERR_OK && (shown.ptr == NULL || !secret_eq(shown, slice_of(csrf, sizeof(csrf)))))
        err = ERR_CSRF;
    return err;
}

static enum err
session_look(struct http_request *request, struct slice token, bool is_feed, struct session *out)
{
    struct gateway_worker *worker = gateway_worker_of(request);
    const struct gateway *gateway = worker->gateway;
    struct session_rules rules = gateway->session_rules;

    /* A page that looks for news by itself does not keep the session of somebody who has left it. */
    rules.is_unattended = is_feed || http_header(request, "X-Harkara-Unattended").ptr != NULL;
    enum err err =
        session_check(worker->db, gateway->clock, &rules, token, request->peer_address, request->arena, out);

    if (err == ERR_DB_UNAVAILABLE && db_reopen(worker->db, DB_REOPEN_MS) == ERR_OK)
        err = session_check(worker->db, gateway->clock, &rules, token, request->peer_address, request->arena,
                            out);
    return err;
}

/* What the person may do in the workspace that the session works in. Nothing, if it is no member of it any
 * more. */
static enum err
permissions_read(struct http_request *request, struct gateway_person *person)
{
    struct gateway_worker *worker = gateway_worker_of(request);
    struct principal *principal = &person->principal;
    struct membership_principal membership = { .permissions = 0 };
    enum err err = ERR_OK;

    if (id_is_zero(person->session.workspace))
        return ERR_OK;
    err = membership_principal(worker->db, person->session.person, person->session.workspace, request->arena,
                               &membership);
    if (err != ERR_OK)
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    principal->scopes = membership.permissions;
    principal->is_channel_limited = membership.is_channel_limited;
    principal->channels = membership.channels;
    principal->channel_count = membership.channel_count;
    return ERR_OK;
}

struct factors {
    struct id person;
    unsigned bits;
};

static enum err
factors_in(struct db_tx *tx, void *ctx)
{
    struct factors *factors = ctx;

    return factors_of(tx, factors->person, &factors->bits);
}

/* Of a half only what completes it. Who has a factor shows it, and sets up no other one in its place. */
static enum err
half_check(struct http_request *request, const struct http_route *route, struct gateway_person *person)
{
    struct factors factors = { .person = person->session.person };

    person->principal.scopes = 0;
    if (route->half == HTTP_HALF_OPEN)
        return ERR_OK;
    if (route->half == HTTP_HALF_CLOSED)
        return ERR_SECOND_FACTOR;
    enum err err = platform_read(request, factors_in, &factors);
    if (err == ERR_OK && factors.bits != 0)
        err = ERR_SECOND_FACTOR;
    person->principal.is_stepped_up = err == ERR_OK; /* nothing could be shown again */
    return err;
}

struct platform_look {
    struct id person;
    enum platform_role role;
};

static enum err
platform_look_in(struct db_tx *tx, void *ctx)
{
    struct platform_look *look = ctx;

    return platform_role_get(tx, look->person, &look->role);
}

/* For the platform itself: then nothing counts that the person may do in a workspace. */
static enum err
platform_enter(struct http_request *request, struct gateway_person *person, enum platform_permission wanted)
{
    struct platform_look look = { .person = person->session.person };
    enum err err = platform_read(request, platform_look_in, &look);

    person->principal.tenant = tenant_platform;
    if (err != ERR_OK)
        return err == ERR_NOT_FOUND ? ERR_SCOPE : err;
    return platform_role_may(look.role, wanted) ? ERR_OK : ERR_SCOPE;
}

/* In the workspace that the session works in. */
static enum err
workspace_enter(struct http_request *request, struct gateway_person *person, const struct http_route *route)
{
    enum api_scope wanted;
    enum err err = session_is_half(person->session.factors) ? half_check(request, route, person)
                                                            : permissions_read(request, person);

    if (err == ERR_TENANT_SUSPENDED && route->access == HTTP_ACCESS_SESSION && route->scope == NULL)
        err = ERR_OK; /* without it he can still look at himself, and leave */
    if (err == ERR_OK && route->scope != NULL) {
        if (api_scope_parse(slice_text(route->scope), &wanted) != ERR_OK)
            bug("a route names a scope that does not exist");
        err = principal_may(&person->principal, wanted) ? ERR_OK : ERR_SCOPE;
    }
    if (err == ERR_OK && route->scope == NULL && route->access == HTTP_ACCESS_KEY &&
        person->principal.scopes == 0)
        err = ERR_SCOPE; /* no member here, or not any more */
    return err;
}

enum err
person_gate_authenticate(struct http_request *request, const struct http_route *route)
{
    struct gateway_person *person;
    enum platform_permission wanted;
    struct slice token;

    if (cookie_read(request, PERSON_COOKIE, &token) != ERR_OK)
        return ERR_SESSION;
    if (gateway_is_on_loop(request))
        return ERR_WOULD_WAIT;
    person = arena_alloc(request->arena, sizeof(*person));
    if (person == NULL)
        return ERR_NO_MEMORY;
    enum err err = session_look(request, token, route->is_feed, &person->session);
    if (err == ERR_OK)
        err = change_check(request, token);
    if (err != ERR_OK)
        return err;
    person->token = token;
    person->principal = (struct principal){
        .kind = PRINCIPAL_PERSON,
        .tenant = id_is_zero(person->session.workspace) ? tenant_platform : person->session.workspace,
        .actor = person->session.person,
        .session = person->session.id,
        .is_stepped_up = person->session.stepped_up_until.us != 0,
    };
    bool is_platform =
        route->scope != NULL && platform_permission_parse(slice_text(route->scope), &wanted) == ERR_OK;
    err = is_platform && !session_is_half(person->session.factors) ? platform_enter(request, person, wanted)
                                                                   : workspace_enter(request, person, route);
    if (err == ERR_OK && route->needs_step_up && !person->principal.is_stepped_up)
        err = ERR_STEP_UP;
    if (err != ERR_OK)
        return err;
    request->principal = &person->principal;
    request->tenant = person->principal.tenant;
    return ERR_OK;
}

const struct gateway_person *
gateway_person(const struct http_request *request)
{
    const struct principal *principal = request->principal;

    if (principal == NULL || principal->kind != PRINCIPAL_PERSON)
        bug("a route for people was asked by somebody else");
    return (const struct gateway_person *)principal;
}

enum err
person_gate_present(struct http_request *request, struct session *out)
{
    struct slice token;

    return cookie_read(request, PERSON_COOKIE, &token) == ERR_OK ? session_look(request, token, false, out)
                                                                 : ERR_SESSION;
}

/* What a browser keeps. */

static bool
browser_is_one(struct slice text)
{
    unsigned char octets[BROWSER_TEXT_BYTES / 4 * 3 + 3];
    size_t len = 0;

    return text.len == BROWSER_TEXT_BYTES && decode_base64url(text, octets, &len) == ERR_OK &&
           len == BROWSER_BYTES;
}

enum err
person_gate_browser_again(const struct http_request *request, struct slice *out)
{
    return cookie_read(request, BROWSER_COOKIE, out) == ERR_OK && browser_is_one(*out) ? ERR_OK
                                                                                       : ERR_CEREMONY;
}

enum err
person_gate_browser(struct http_request *request, struct http_response *response, struct slice *out)
{
    unsigned char octets[BROWSER_BYTES];
    struct buf text;

    if (person_gate_browser_again(request, out) == ERR_OK)
        return ERR_OK;
    buf_init(&text, BROWSER_TEXT_BYTES);
    enum err err = random_fill(octets, sizeof(octets));
    if (err == ERR_OK) {
        encode_base64url(&text, slice_of(octets, sizeof(octets)));
        err = buf_done(&text);
    }
    if (err == ERR_OK) {
        *out = arena_copy(request->arena, buf_slice(&text));
        struct slice cookie = arena_format(
            request->arena, BROWSER_COOKIE "=%.*s; Path=/; Secure; HttpOnly; SameSite=Lax", SLICE_FMT(*out));
        err = out->ptr == NULL || cookie.ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
        if (err == ERR_OK)
            http_response_add(response, "Set-Cookie", cookie);
    }
    buf_release_wiped(&text);
    return err;
}

void
person_gate_clear(struct http_response *response)
{
    http_response_add(response, "Set-Cookie",
                      SLICE(PERSON_COOKIE "=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"));
}

/* What a person is shown of the session. */

static json_t *
workspace_show(const struct membership_place *place)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "id", show_id(ID_TENANT, place->tenant), "name",
                     show_text(place->tenant_name), "slug", show_text(place->tenant_slug), "role",
                     show_text(place->role_name), "membership_id", show_id(ID_MEMBERSHIP, place->membership));
}

static json_t *
permissions_show(uint64_t scopes)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < API_SCOPE_COUNT; i++)
        if (scopes & (UINT64_C(1) << i))
            show_append(&list, json_string(api_scope_word((enum api_scope)i)));
    return list;
}

static json_t *
factors_show(unsigned bits)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < SESSION_FACTOR_COUNT; i++)
        if ((bits & (1u << i)) != 0)
            show_append(&list, json_string(session_factor_word((enum session_factor)(1u << i))));
    return list;
}

/* What is left to do: null, or show one of these, or set one up. */
static json_t *
second_factor_show(const struct session *session, unsigned factors)
{
    if (!session_is_half(session->factors))
        return json_null();
    return json_pack("{s:s, s:o}", "state", factors == 0 ? "missing" : "needed", "available",
                     factors_show(factors));
}

static json_t *
session_show(const struct session *session, const struct person *person,
             const struct membership_place *places, size_t count, uint64_t scopes, struct slice csrf,
             unsigned own_factors)
{
    json_t *all = json_array(), *workspace = NULL;

    for (size_t i = 0; i < count; i++) {
        show_append(&all, workspace_show(&places[i]));
        if (id_eq(places[i].tenant, session->workspace))
            workspace = workspace_show(&places[i]);
    }
    return json_pack("{s:o, s:{s:o, s:o, s:o, s:b}, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id",
                     show_id(ID_SESSION, session->id), "person", "id", show_id(ID_PERSON, person->id), "name",
                     show_text(person->name), "email", show_text_or_null(person->email), "is_email_verified",
                     (int)person->is_email_verified, "workspace", workspace == NULL ? json_null() : workspace,
                     "workspaces", all, "permissions", permissions_show(scopes), "csrf_token",
                     show_text(csrf), "created_at", show_time(session->created_at), "expires_at",
                     show_time(session->expires_at), "idle_expires_at", show_time(session->idle_until),
                     "stepped_up_until",
                     session->stepped_up_until.us == 0 ? json_null() : show_time(session->stepped_up_until),
                     "authenticated_by", factors_show(session->factors), "second_factor",
                     second_factor_show(session, own_factors));
}

static enum err
cookie_set(struct http_request *request, struct http_response *response, struct slice token)
{
    int64_t seconds = gateway_worker_of(request)->gateway->session_rules.absolute_ms / 1000;
    struct slice cookie = arena_format(
        request->arena, PERSON_COOKIE "=%.*s; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=%lld",
        SLICE_FMT(token), (long long)seconds);

    if (cookie.ptr == NULL)
        return ERR_NO_MEMORY;
    http_response_add(response, "Set-Cookie", cookie);
    return ERR_OK;
}

enum err
person_gate_complete(struct db_tx *tx, const struct http_request *request, enum session_factor factor,
                     struct secret **token_out)
{
    const struct session *session = &gateway_person(request)->session;

    secret_free(*token_out); /* of a try that clashed */
    *token_out = NULL;
    if (!session_is_half(session->factors))
        return ERR_OK;
    return session_step_up(tx, gateway_worker_of(request)->gateway->clock, session->id, factor, token_out);
}

enum err
person_gate_renew(struct http_request *request, struct http_response *response, const struct secret *token)
{
    return token == NULL ? ERR_OK : cookie_set(request, response, secret_slice(token));
}

enum err
person_gate_reply(struct http_request *request, struct http_response *response, int status,
                  const struct session *session, struct slice token, bool is_new_token)
{
    struct gateway_worker *worker = gateway_worker_of(request);
    struct membership_principal membership = { .permissions = 0 };
    struct membership_place *places = NULL;
    struct person person = { .id = session->person };
    struct factors factors = { .person = session->person };
    char csrf[SESSION_TEXT_BYTES];
    size_t count = 0;
    enum err err = session_csrf(token, csrf);

    if (err == ERR_OK)
        err = person_get(worker->db, &worker->vault, session->person, request->arena, &person);
    bool is_half = session_is_half(session->factors);
    if (err == ERR_OK && is_half)
        err = platform_read(request, factors_in, &factors);
    if (err == ERR_OK && !is_half)
        err = membership_list_of(worker->db, session->person, request->arena, &places, &count);
    if (err == ERR_OK && !is_half && !id_is_zero(session->workspace)) {
        err = membership_principal(worker->db, session->person, session->workspace, request->arena,
                                   &membership);
        if (err == ERR_NOT_FOUND || err == ERR_TENANT_SUSPENDED)
            err = ERR_OK;
    }
    if (err == ERR_OK && is_new_token)
        err = cookie_set(request, response, token);
    return err == ERR_OK
               ? http_reply_json(request, response, status,
                                 session_show(session, &person, places, count, membership.permissions,
                                              slice_of(csrf, sizeof(csrf)), factors.bits))
               : err;
}

enum err
platform_read(struct http_request *request, enum err (*work)(struct db_tx *tx, void *ctx), void *ctx)
{
    struct gateway_worker *worker = gateway_worker_of(request);
    enum err err = db_run(worker->db, tenant_platform, work, ctx);

    if (err == ERR_DB_UNAVAILABLE && db_reopen(worker->db, DB_REOPEN_MS) == ERR_OK)
        err = db_run(worker->db, tenant_platform, work, ctx);
    return err;
}

enum err
platform_write(struct http_request *request, enum err (*work)(struct db_tx *tx, void *ctx), void *ctx)
{
    struct gateway_worker *worker = gateway_worker_of(request);
    enum err err = db_run(worker->db, tenant_platform, work, ctx);

    if (err == ERR_DB_UNAVAILABLE && db_reopen(worker->db, DB_REOPEN_MS) != ERR_OK)
        log_event(LOG_WARN, "gateway.database_away", LOG_ERR(err));
    return err;
}
