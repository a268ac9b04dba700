/*
 * /v1/invitations: links that make whoever opens them a member. Where there is a relay they go to the address
 * that is invited; else, or when it is asked for, the link is shown to whoever invites, once, to be handed
 * over.
 */
#include "domain/identity/enrolment.h"
#include "domain/identity/invitation.h"
#include "program/gateway/act.h"
#include "program/gateway/mailing.h"
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
    struct slice email, link; /* link empty: there is none, or it was mailed */
    unsigned char token_hash[32];
    struct audit_act act;
    struct mailing mailing;
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
        "{s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:s, s:s, s:I, s:o, s:o, s:o}", "id",
        show_id(ID_INVITATION, invitation->id), "email", show_text(email), "role",
        people_show_role(&invitation->role), "role_name", show_text(invitation->role_name), "scope",
        membership_reach_word(invitation->reach), "channels",
        reach_show_channels(request, invitation->channels, invitation->channel_count), "teams",
        people_show_ids(ID_TEAM, invitation->teams, invitation->team_count), "state",
        invitation_state_word(invitation->state), "delivery", invitation->is_mailed ? "mail" : "link",
        "sent_count", (json_int_t)invitation->sent_count, "invited_by",
        people_show_actor(invitation->is_by_person ? SLICE("person") : SLICE("key"), invitation->invited_by),
        "created_at", show_time(invitation->created_at), "expires_at", show_time(invitation->expires_at));
}

/* With the link, when it is to be handed over. */
static enum err
invitation_reply(struct http_request *request, struct http_response *response, int status, struct work *work)
{
    const struct gateway_worker *worker = gateway_worker_of(request);
    struct slice email;
    enum err err = invitation_email_open(&worker->vault, &work->invitation, request->arena, &email);

    if (err != ERR_OK)
        return err;
    json_t *shown = invitation_show(request, &work->invitation, email);
    if (work->link.len != 0)
        show_set(&shown, "link", show_text(work->link));
    return http_reply_json(request, response, status, shown);
}

/* A token for the address, and its mail where mail is sent and wanted: before the transaction. */
static enum err
link_make(struct work *work, struct id invitation, bool is_mail_wanted)
{
    struct http_request *request = work->request;
    struct secret *token = NULL;
    enum err err = enrolment_token_draw(&token, work->token_hash);

    if (err == ERR_OK) {
        work->link = mailing_page(request, "enrol", token);
        err = work->link.ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    secret_free(token);
    if (err == ERR_OK && is_mail_wanted)
        err = mailing_invitation(request, invitation, work->email, work->link, &work->mailing);
    if (work->mailing.is_there)
        work->link = SLICE_EMPTY;
    return err;
}

static enum err
create_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    struct authority authority;
    enum err err = people_authority(tx, work->request, &authority);

    if (err == ERR_OK)
        err = invitation_create(tx, clock_of(work), &authority, &work->with, work->request->arena);
    if (err == ERR_OK)
        err = audit_append(tx, clock_of(work), &work->act);
    if (err == ERR_OK)
        err = invitation_get(tx, clock_of(work), work->with.id, work->request->arena, &work->invitation);
    return err == ERR_OK ? mailing_put(tx, &work->mailing) : err;
}

static enum err
with_read(struct http_request *request, struct work *work)
{
    const json_t *body = request_json(request);
    struct slice scope = json_text_of(body, "scope");
    struct invitation_new *with = &work->with;
    struct id *channels, *teams;
    enum err err = person_email_read(json_text_of(body, "email"), request->arena, &work->email);

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
    return invitation_seal(&gateway_worker_of(request)->vault, request->tenant, work->email, request->arena,
                           with);
}

static enum err
invitation_post(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request,
                         .with = { .id = id_new(gateway_worker_of(request)->gateway->clock) } };
    enum err err = with_read(request, &work);

    if (err == ERR_OK)
        err = link_make(&work, work.with.id, json_text_of(request_json(request), "delivery").ptr == NULL);
    work.with.is_mailed = work.mailing.is_there;
    memcpy(work.with.token_hash, work.token_hash, sizeof(work.with.token_hash));
    if (err == ERR_OK)
        err = act_begin(request, AUDIT_INVITATION_SENT, ID_INVITATION, work.with.id, &work.act);
    if (err == ERR_OK)
        err = gateway_write(request, create_in, &work);
    if (err == ERR_EXISTS)
        problem_add(&request->problem, request->arena, SLICE("/email"),
                    SLICE("is invited already; send that invitation again"));
    if (err != ERR_OK)
        return people_problem(request, err);
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

    if (err == ERR_OK)
        err = invitation_resend(tx, clock_of(work), &authority, work->id, work->token_hash,
                                work->mailing.is_there, work->request->arena);
    if (err == ERR_OK)
        err = audit_append(tx, clock_of(work), &work->act);
    if (err == ERR_OK)
        err = get_in(tx, work);
    return err == ERR_OK ? mailing_put(tx, &work->mailing) : err;
}

static enum err
revoke_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = invitation_revoke(tx, clock_of(work), work->id, work->request->arena);

    if (err == ERR_OK)
        err = audit_append(tx, clock_of(work), &work->act);
    if (err == ERR_OK)
        err = get_in(tx, work);
    return err == ERR_OK ? mailing_withdraw(tx, work->request, work->id) : err;
}

static enum err
invitation_change(struct http_response *response, struct work *work, enum audit_action action,
                  enum err (*change)(struct db_tx *tx, void *ctx))
{
    enum err err = act_begin(work->request, action, ID_INVITATION, work->id, &work->act);

    if (err == ERR_OK)
        err = gateway_write(work->request, change, work);
    return err == ERR_OK ? invitation_reply(work->request, response, 200, work) : err;
}

/* To the address that it was for from the beginning. */
static enum err
invitation_post_resend(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request };
    enum err err = gateway_path_id(request, "invitation_id", ID_INVITATION, &work.id);

    if (err == ERR_OK)
        err = gateway_read(request, get_in, &work);
    if (err == ERR_OK)
        err = invitation_email_open(&gateway_worker_of(request)->vault, &work.invitation, request->arena,
                                    &work.email);
    if (err == ERR_OK)
        err = link_make(&work, work.id, true);
    return err == ERR_OK ? invitation_change(response, &work, AUDIT_INVITATION_RESENT, resend_in) : err;
}

static enum err
invitation_post_revoke(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request };
    enum err err = gateway_path_id(request, "invitation_id", ID_INVITATION, &work.id);

    return err == ERR_OK ? invitation_change(response, &work, AUDIT_INVITATION_REVOKED, revoke_in) : err;
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
