/* /v1/people: who works in this workspace, as what, and until when; GET /v1/permissions. */
#include "domain/identity/member_access.h"
#include "program/gateway/act.h"
#include "program/gateway/mailing.h"
#include "program/gateway/people.h"
#include "program/gateway/person_gate.h"
#include "program/gateway/reach.h"
#include "wire/http/etag.h"
#include "wire/json/json.h"

#define PEOPLE_BODY_BYTES_MAX (16u * 1024u)

struct work {
    struct http_request *request;
    struct id id;
    struct gateway_page page;
    struct membership_filter filter;
    struct membership_change change;
    struct membership member, *members;
    struct member_access access;
    struct member_sign_in sign_in;
    size_t count, keys;
    struct audit_act act;
    struct mailing news;
};

static json_t *
member_show(const struct http_request *request, const struct membership *member, const struct person *people,
            size_t people_count)
{
    const struct person *person = people_find(people, people_count, member->person);

    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:o, s:o, s:I, s:o, s:o, s:o}", "id",
                     show_id(ID_MEMBERSHIP, member->id), "person_id", show_id(ID_PERSON, member->person),
                     "name", person == NULL ? json_null() : show_text_or_null(person->name), "email",
                     person == NULL ? json_null() : show_text_or_null(person->email), "role",
                     people_show_role(&member->role), "role_name", show_text(member->role_name), "state",
                     membership_state_word(member->state), "scope", membership_reach_word(member->reach),
                     "channels", reach_show_channels(request, member->channels, member->channel_count),
                     "teams", people_show_ids(ID_TEAM, member->teams, member->team_count), "api_keys",
                     (json_int_t)member->key_count, "joined_at", show_time(member->joined_at), "last_seen_at",
                     people_show_time(member->last_seen_at), "left_at", people_show_time(member->left_at));
}

static enum err
member_reply(struct http_request *request, struct http_response *response, const struct membership *member)
{
    char tag[ETAG_TEXT_BYTES];
    struct person *people;
    size_t count;
    enum err err = people_read(request, &member->person, 1, &people, &count);
    struct slice printed = arena_copy(request->arena, etag_print((uint32_t)member->revision, tag));

    if (err == ERR_OK && printed.ptr == NULL)
        err = ERR_NO_MEMORY;
    if (err != ERR_OK)
        return err;
    http_response_add(response, "ETag", printed);
    return http_reply_json(request, response, 200, member_show(request, member, people, count));
}

static enum err
list_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return membership_list(tx, &work->filter, work->page.limit, work->request->arena, &work->members,
                           &work->count);
}

static enum err
people_get_list(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request };
    struct slice state = http_query(request, "state");
    struct person *people = NULL;
    size_t people_count = 0;
    enum err err = gateway_page_read(request, ID_MEMBERSHIP, &work.page);

    work.filter.cursor = work.page.cursor;
    work.filter.has_state = state.ptr != NULL;
    for (unsigned i = 0; i <= MEMBERSHIP_LEFT; i++) /* the contract has checked the word */
        if (slice_eq(state, slice_text(membership_state_word((enum membership_state)i))))
            work.filter.state = (enum membership_state)i;
    if (err == ERR_OK)
        err = gateway_read(request, list_in, &work);
    if (err != ERR_OK)
        return err;
    size_t shown = gateway_page_shown(&work.page, work.count);
    struct id *ids = arena_array(request->arena, shown, sizeof(*ids));
    if (ids == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < shown; i++)
        ids[i] = work.members[i].person;
    err = people_read(request, ids, shown, &people, &people_count);
    if (err != ERR_OK)
        return err;
    json_t *items = json_array();
    for (size_t i = 0; i < shown; i++)
        show_append(&items, member_show(request, &work.members[i], people, people_count));
    return gateway_page_reply(request, response, &work.page, work.count, items);
}

static enum err
get_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return membership_get(tx, work->id, work->request->arena, &work->member);
}

static enum err
people_get_one(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request };
    enum err err = gateway_path_id(request, "membership_id", ID_MEMBERSHIP, &work.id);

    if (err == ERR_OK)
        err = gateway_read(request, get_in, &work);
    return err == ERR_OK ? member_reply(request, response, &work.member) : err;
}

static enum err
access_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = get_in(tx, work);

    return err == ERR_OK ? member_access_read(tx, gateway_worker_of(work->request)->gateway->clock,
                                              work->member.person, work->request->arena, &work->access)
                         : err;
}

static enum err
sign_in_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    const struct gateway *gateway = gateway_worker_of(work->request)->gateway;

    return member_sign_in_read(tx, gateway->clock, &gateway->session_rules, work->member.person,
                               work->request->tenant, &work->sign_in);
}

/* Of whoever has left nothing is told: how he signs in elsewhere is not this workspace's. */
static enum err
people_get_access(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request };
    enum err err = gateway_path_id(request, "membership_id", ID_MEMBERSHIP, &work.id);

    if (err == ERR_OK)
        err = gateway_read(request, access_in, &work);
    if (err == ERR_OK && work.member.state != MEMBERSHIP_LEFT)
        err = platform_read(request, sign_in_in, &work);
    if (err != ERR_OK)
        return err;
    json_t *keys = json_array();
    for (size_t i = 0; i < work.access.key_count; i++) {
        const struct member_key *key = &work.access.keys[i];
        show_append(&keys,
                    json_pack("{s:o, s:o, s:o, s:b, s:o}", "id", show_id(ID_KEY, key->id), "name",
                              show_text(key->name), "last_four", show_text(key->last_four), "is_made_by_key",
                              (int)key->is_by_key, "last_used_at", people_show_time(key->last_used_at)));
    }
    return http_reply_json(
        request, response, 200,
        json_pack("{s:I, s:I, s:b, s:o, s:I}", "sessions", (json_int_t)work.sign_in.session_count, "passkeys",
                  (json_int_t)work.sign_in.passkey_count, "has_authenticator_app", (int)work.sign_in.has_totp,
                  "api_keys", keys, "invitations", (json_int_t)work.access.invitation_count));
}

static enum err
change_read(struct http_request *request, struct membership_change *change)
{
    const json_t *body = request_json(request);
    struct slice role = json_text_of(body, "role"), scope = json_text_of(body, "scope");
    struct slice state = json_text_of(body, "state");
    struct id *channels;
    enum err err = ERR_OK;

    change->has_role = role.ptr != NULL;
    change->has_reach = scope.ptr != NULL;
    change->has_state = state.ptr != NULL;
    change->state = slice_eq(state, SLICE("suspended")) ? MEMBERSHIP_SUSPENDED : MEMBERSHIP_ACTIVE;
    if (change->has_role)
        err = people_role_read(request, role, "/role", &change->role);
    bool has_channels = json_member(body, "channels") != NULL;
    if (err == ERR_OK && change->has_reach)
        err = people_reach_read(request, scope, has_channels, &change->reach);
    if (err == ERR_OK && has_channels && !change->has_reach) {
        problem_add(&request->problem, request->arena, SLICE("/channels"),
                    SLICE("is possible with a scope only"));
        err = ERR_CONTRACT;
    }
    if (err == ERR_OK)
        err = people_ids_read(request, "channels", ID_CHANNEL, ERR_CHANNEL_UNKNOWN, &channels,
                              &change->channel_count);
    if (err == ERR_OK)
        change->channels = channels;
    return err;
}

/* The tag is compared in the transaction. */
static enum err
change_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    const struct clock *clock = gateway_worker_of(work->request)->gateway->clock;
    struct authority authority;
    char tag[ETAG_TEXT_BYTES];
    enum err err = membership_get(tx, work->id, work->request->arena, &work->member);

    if (err == ERR_OK)
        err = request_check_match(work->request, etag_print((uint32_t)work->member.revision, tag));
    work->change.revision = http_header(work->request, "If-Match").ptr == NULL ? 0 : work->member.revision;
    if (err == ERR_OK)
        err = people_authority(tx, work->request, &authority);
    if (err == ERR_OK)
        err = membership_update(tx, clock, &authority, work->id, &work->change, work->request->arena);
    if (err == ERR_OK)
        err = audit_append(tx, clock, &work->act);
    return err == ERR_OK ? get_in(tx, work) : err;
}

static enum err
people_patch(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request };
    enum err err = gateway_path_id(request, "membership_id", ID_MEMBERSHIP, &work.id);
    struct slice state = json_text_of(request_json(request), "state");

    if (err == ERR_OK)
        err = change_read(request, &work.change);
    if (err == ERR_OK)
        err = act_begin(request,
                        state.ptr == NULL                  ? AUDIT_MEMBERSHIP_UPDATED
                        : slice_eq(state, SLICE("active")) ? AUDIT_MEMBERSHIP_RESUMED
                                                           : AUDIT_MEMBERSHIP_SUSPENDED,
                        ID_MEMBERSHIP, work.id, &work.act);
    if (err == ERR_OK)
        err = people_problem(request, gateway_write(request, change_in, &work));
    return err == ERR_OK ? member_reply(request, response, &work.member) : err;
}

static enum err
end_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    const struct clock *clock = gateway_worker_of(work->request)->gateway->clock;
    struct authority authority;
    struct membership before;
    char detail[64];
    enum err err = people_authority(tx, work->request, &authority);

    if (err == ERR_OK)
        err = membership_get(tx, work->id, work->request->arena, &before);
    if (err == ERR_OK)
        err = membership_end(tx, clock, &authority, work->id, work->request->arena, &work->keys);
    if (err != ERR_OK || before.state == MEMBERSHIP_LEFT)
        return err;
    int len = snprintf(detail, sizeof(detail), "{\"keys_revoked\":%zu}", work->keys);
    work->act.detail = slice_of(detail, (size_t)len);
    err = audit_append(tx, clock, &work->act);
    return err == ERR_OK ? mailing_put(tx, &work->news) : err;
}

static enum err
people_remove(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request };
    enum err err = gateway_path_id(request, "membership_id", ID_MEMBERSHIP, &work.id);

    if (err == ERR_OK)
        err = act_begin(request, AUDIT_MEMBERSHIP_ENDED, ID_MEMBERSHIP, work.id, &work.act);
    if (err == ERR_OK)
        err = mailing_removal(request, work.id, &work.news);
    if (err == ERR_OK)
        err = gateway_write(request, end_in, &work);
    return err == ERR_OK ? http_reply_empty(response, 204) : err;
}

static enum err
permissions_get(struct http_request *request, struct http_response *response)
{
    json_t *items = json_array();

    for (unsigned i = 0; i < API_SCOPE_COUNT; i++)
        show_append(&items, json_pack("{s:s, s:b}", "permission", api_scope_word((enum api_scope)i),
                                      "is_whole_workspace", (int)(role_whole_workspace() >> i & 1)));
    return http_reply_json(request, response, 200, json_pack("{s:o}", "data", items));
}

const struct http_route people_routes[] = {
    { HTTP_GET, "/v1/people", people_get_list, "listPeople", HTTP_ACCESS_KEY, "people:read" },
    { HTTP_GET, "/v1/people/{membership_id}", people_get_one, "getPerson", HTTP_ACCESS_KEY, "people:read" },
    { HTTP_GET, "/v1/people/{membership_id}/access", people_get_access, "getPersonAccess", HTTP_ACCESS_KEY,
      "people:manage" },
    { HTTP_PATCH, "/v1/people/{membership_id}", people_patch, "updatePerson", HTTP_ACCESS_KEY,
      "people:manage", .body_bytes_max = PEOPLE_BODY_BYTES_MAX, .needs_step_up = true },
    { HTTP_DELETE, "/v1/people/{membership_id}", people_remove, "removePerson", HTTP_ACCESS_KEY,
      "people:manage", .needs_step_up = true },
    { HTTP_GET, "/v1/permissions", permissions_get, "listPermissions", HTTP_ACCESS_KEY, "people:read" },
    { .handler = NULL },
};
