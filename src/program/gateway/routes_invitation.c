/*
 * /v1/invitations: links that make whoever opens them a member. No e-mail is sent: the link is shown to
 * whoever invites, once, to be handed over.
 */
#include "domain/identity/invitation.h"
#include "program/gateway/act.h"
#include "program/gateway/people.h"
#include "program/gateway/reach.h"
#include "wire/json/json.h"

#define INVITATION_BODY_BYTES_MAX (32u * 1024u)

struct work {
    struct http_request *request;
    struct id id;
    struct gateway_page page;
    struct invitation_new with;
    struct invitation invitation, *invitations;
    size_t count;
    struct secret *token; /* owned */
    struct audit_act act;
};

static const struct clock *
clock_of(const struct work *work)
{
    return gateway_worker_of(work->request)->gateway->clock;
}

static json_t *
invitation_show(const struct http_request *request, const struct invitation *invitation, struct slice email)
{
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:s, s:I, s:o, s:o, s:o}", "id",
        show_id(ID_INVITATION, invitation->id), "email", show_text(email), "role",
        people_show_role(&invitation->role), "role_name", show_text(invitation->role_name), "scope",
        membership_reach_word(invitation->reach), "channels",
        reach_show_channels(request, invitation->channels, invitation->channel_count), "teams",
        people_show_ids(ID_TEAM, invitation->teams, invitation->team_count), "state",
        invitation_state_word(invitation->state), "sent_count", (json_int_t)invitation->sent_count,
        "invited_by",
        people_show_actor(invitation->is_by_person ? SLICE("person") : SLICE("key"), invitation->invited_by),
        "created_at", show_time(invitation->created_at), "expires_at", show_time(invitation->expires_at));
}

/* With the link, when there is a token to show. */
static enum err
invitation_reply(struct http_request *request, struct http_response *response, int status, struct work *work)
{
    const struct gateway_worker *worker = gateway_worker_of(request);
    struct slice email;
    enum err err = invitation_email_open(&worker->vault, &work->invitation, request->arena, &email);

    if (err != ERR_OK) {
        secret_free(work->token);
        return err;
    }
    json_t *shown = invitation_show(request, &work->invitation, email);
    if (work->token != NULL) {
        struct slice link = arena_format(request->arena, "%s/enrol#%.*s", worker->gateway->origin.text,
                                         SLICE_FMT(secret_slice(work->token)));
        show_set(&shown, "link", link.ptr == NULL ? NULL : show_text(link));
        secret_free(work->token);
        work->token = NULL;
    }
    return http_reply_json(request, response, status, shown);
}

static enum err
create_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    struct authority authority;
    enum err err = people_authority(tx, work->request, &authority);

    secret_free(work->token); /* of a try that clashed */
    work->token = NULL;
    if (err == ERR_OK)
        err = invitation_create(tx, clock_of(work), &authority, &work->with, work->request->arena,
                                &work->token);
    if (err == ERR_OK)
        err = audit_append(tx, clock_of(work), &work->act);
    return err == ERR_OK
               ? invitation_get(tx, clock_of(work), work->with.id, work->request->arena, &work->invitation)
               : err;
}

static enum err
with_read(struct http_request *request, struct invitation_new *with)
{
    const json_t *body = request_json(request);
    struct slice scope = json_text_of(body, "scope"), email;
    struct id *channels, *teams;
    enum err err = person_email_read(json_text_of(body, "email"), request->arena, &email);

    if (err == ERR_CONTRACT)
        problem_add(&request->problem, request->arena, SLICE("/email"), SLICE("is no e-mail address"));
    if (err == ERR_OK)
        err = people_role_read(request, json_text_of(body, "role"), "/role", &with->role);
    if (err == ERR_OK)
        err = people_reach_read(request, scope.ptr == NULL ? SLICE("all") : scope,
                                json_member(body, "channels") != NULL, &with->reach);
    if (err == ERR_OK)
        err = people_ids_read(request, "channels", ID_CHANNEL, ERR_CHANNEL_UNKNOWN, &channels,
                              &with->channel_count);
    if (err == ERR_OK)
        err = people_ids_read(request, "teams", ID_TEAM, ERR_TEAM_UNKNOWN, &teams, &with->team_count);
    if (err != ERR_OK)
        return err;
    with->channels = channels;
    with->teams = teams;
    return invitation_seal(&gateway_worker_of(request)->vault, request->tenant, email, request->arena, with);
}

static enum err
invitation_post(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request,
                         .with = { .id = id_new(gateway_worker_of(request)->gateway->clock) } };
    enum err err = with_read(request, &work.with);

    if (err == ERR_OK)
        err = act_begin(request, AUDIT_INVITATION_SENT, ID_INVITATION, work.with.id, &work.act);
    if (err == ERR_OK)
        err = gateway_write(request, create_in, &work);
    if (err == ERR_EXISTS)
        problem_add(&request->problem, request->arena, SLICE("/email"),
                    SLICE("is invited already; send that invitation again"));
    if (err != ERR_OK) {
        secret_free(work.token);
        return people_problem(request, err);
    }
    gateway_locate(request, response, "/v1/invitations/", ID_INVITATION, work.with.id);
    return invitation_reply(request, response, 201, &work);
}

static enum err
list_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return invitation_list(tx, clock_of(work), work->page.cursor, work->page.limit, work->request->arena,
                           &work->invitations, &work->count);
}

static enum err
invitation_get_list(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request };
    enum err err = gateway_page_read(request, ID_INVITATION, &work.page);

    if (err == ERR_OK)
        err = gateway_read(request, list_in, &work);
    size_t shown = err == ERR_OK ? gateway_page_shown(&work.page, work.count) : 0;
    json_t *items = json_array();
    for (size_t i = 0; err == ERR_OK && i < shown; i++) {
        struct slice email;
        err = invitation_email_open(&gateway_worker_of(request)->vault, &work.invitations[i], request->arena,
                                    &email);
        if (err == ERR_OK)
            show_append(&items, invitation_show(request, &work.invitations[i], email));
    }
    if (err != ERR_OK) {
        json_decref(items);
        return err;
    }
    return gateway_page_reply(request, response, &work.page, work.count, items);
}

static enum err
get_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return invitation_get(tx, clock_of(work), work->id, work->request->arena, &work->invitation);
}

static enum err
invitation_get_one(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request };
    enum err err = gateway_path_id(request, "invitation_id", ID_INVITATION, &work.id);

    if (err == ERR_OK)
        err = gateway_read(request, get_in, &work);
    return err == ERR_OK ? invitation_reply(request, response, 200, &work) : err;
}

static enum err
resend_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    struct authority authority;
    enum err err = people_authority(tx, work->request, &authority);

    secret_free(work->token);
    work->token = NULL;
    if (err == ERR_OK)
        err = invitation_resend(tx, clock_of(work), &authority, work->id, work->request->arena, &work->token);
    if (err == ERR_OK)
        err = audit_append(tx, clock_of(work), &work->act);
    return err == ERR_OK ? get_in(tx, work) : err;
}

static enum err
revoke_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = invitation_revoke(tx, clock_of(work), work->id, work->request->arena);

    if (err == ERR_OK)
        err = audit_append(tx, clock_of(work), &work->act);
    return err == ERR_OK ? get_in(tx, work) : err;
}

static enum err
invitation_change(struct http_request *request, struct http_response *response, enum audit_action action,
                  enum err (*change)(struct db_tx *tx, void *ctx))
{
    struct work work = { .request = request };
    enum err err = gateway_path_id(request, "invitation_id", ID_INVITATION, &work.id);

    if (err == ERR_OK)
        err = act_begin(request, action, ID_INVITATION, work.id, &work.act);
    if (err == ERR_OK)
        err = gateway_write(request, change, &work);
    if (err != ERR_OK) {
        secret_free(work.token);
        return err;
    }
    return invitation_reply(request, response, 200, &work);
}

static enum err
invitation_post_resend(struct http_request *request, struct http_response *response)
{
    return invitation_change(request, response, AUDIT_INVITATION_RESENT, resend_in);
}

static enum err
invitation_post_revoke(struct http_request *request, struct http_response *response)
{
    return invitation_change(request, response, AUDIT_INVITATION_REVOKED, revoke_in);
}

const struct http_route invitation_routes[] = {
    { HTTP_GET, "/v1/invitations", invitation_get_list, "listInvitations", HTTP_ACCESS_KEY, "people:read" },
    { HTTP_POST, "/v1/invitations", invitation_post, "createInvitation", HTTP_ACCESS_KEY, "people:manage",
      .body_bytes_max = INVITATION_BODY_BYTES_MAX, .needs_step_up = true },
    { HTTP_GET, "/v1/invitations/{invitation_id}", invitation_get_one, "getInvitation", HTTP_ACCESS_KEY,
      "people:read" },
    { HTTP_POST, "/v1/invitations/{invitation_id}/resend", invitation_post_resend, "resendInvitation",
      HTTP_ACCESS_KEY, "people:manage", .needs_step_up = true },
    { HTTP_POST, "/v1/invitations/{invitation_id}/revoke", invitation_post_revoke, "revokeInvitation",
      HTTP_ACCESS_KEY, "people:manage" },
    { .handler = NULL },
};
