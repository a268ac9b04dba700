/* /v1/teams: channels that belong together, and who works on them. */
#include "domain/identity/team.h"
#include "program/gateway/act.h"
#include "program/gateway/people.h"
#include "program/gateway/reach.h"
#include "wire/http/etag.h"
#include "wire/json/json.h"

#define TEAM_BODY_BYTES_MAX (16u * 1024u)

struct work {
    struct http_request *request;
    struct id member;
    struct team team, *teams;
    size_t count;
    bool has_channels, is_removal;
    struct audit_act act;
};

static json_t *
team_show(const struct http_request *request, const struct team *team)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "id", show_id(ID_TEAM, team->id), "name",
                     show_text(team->name), "channels",
                     reach_show_channels(request, team->channels, team->channel_count), "members",
                     people_show_ids(ID_MEMBERSHIP, team->members, team->member_count), "created_at",
                     show_time(team->created_at), "updated_at", show_time(team->updated_at));
}

static enum err
team_reply(struct http_request *request, struct http_response *response, int status, const struct team *team)
{
    char tag[ETAG_TEXT_BYTES];
    struct slice printed = arena_copy(request->arena, etag_print((uint32_t)team->revision, tag));

    if (printed.ptr == NULL)
        return ERR_NO_MEMORY;
    http_response_add(response, "ETag", printed);
    return http_reply_json(request, response, status, team_show(request, team));
}

static const struct clock *
clock_of(const struct work *work)
{
    return gateway_worker_of(work->request)->gateway->clock;
}

static enum err
list_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return team_list(tx, work->request->arena, &work->teams, &work->count);
}

/* All of them at once: there are few. */
static enum err
team_get_list(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request };
    enum err err = gateway_read(request, list_in, &work);

    if (err != ERR_OK)
        return err;
    json_t *items = json_array();
    for (size_t i = 0; i < work.count; i++)
        show_append(&items, team_show(request, &work.teams[i]));
    return http_reply_json(request, response, 200, json_pack("{s:o}", "data", items));
}

static enum err
get_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    struct id id = work->team.id;

    return team_get(tx, id, work->request->arena, &work->team);
}

static enum err
team_get_one(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request };
    enum err err = gateway_path_id(request, "team_id", ID_TEAM, &work.team.id);

    if (err == ERR_OK)
        err = gateway_read(request, get_in, &work);
    return err == ERR_OK ? team_reply(request, response, 200, &work.team) : err;
}

static enum err
create_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = team_create(tx, clock_of(work), &work->team);

    if (err == ERR_OK)
        err = audit_append(tx, clock_of(work), &work->act);
    return err == ERR_OK ? get_in(tx, work) : err;
}

static enum err
team_problem(struct http_request *request, enum err err)
{
    if (err == ERR_EXISTS)
        problem_add(&request->problem, request->arena, SLICE("/name"), SLICE("is a team's name already"));
    return people_problem(request, err);
}

static enum err
team_post(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request,
                         .team = { .id = id_new(gateway_worker_of(request)->gateway->clock),
                                   .name = json_text_of(request_json(request), "name") } };
    enum err err = people_ids_read(request, "channels", ID_CHANNEL, ERR_CHANNEL_UNKNOWN, &work.team.channels,
                                   &work.team.channel_count);

    if (err == ERR_OK)
        err = act_begin(request, AUDIT_TEAM_CREATED, ID_TEAM, work.team.id, &work.act);
    if (err == ERR_OK)
        err = team_problem(request, gateway_write(request, create_in, &work));
    if (err != ERR_OK)
        return err;
    gateway_locate(request, response, "/v1/teams/", ID_TEAM, work.team.id);
    return team_reply(request, response, 201, &work.team);
}

static enum err
update_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    const struct team *asked = &work->team;
    struct team with;
    char tag[ETAG_TEXT_BYTES];
    enum err err = team_get(tx, asked->id, work->request->arena, &with);

    if (err == ERR_OK)
        err = request_check_match(work->request, etag_print((uint32_t)with.revision, tag));
    if (err != ERR_OK)
        return err;
    with.name = asked->name.ptr == NULL ? with.name : asked->name;
    if (work->has_channels) {
        with.channels = asked->channels;
        with.channel_count = asked->channel_count;
    }
    err = team_update(tx, clock_of(work), &with);
    if (err == ERR_OK)
        err = audit_append(tx, clock_of(work), &work->act);
    if (err == ERR_OK)
        err = team_get(tx, asked->id, work->request->arena, &with);
    if (err == ERR_OK)
        work->team = with;
    return err;
}

static enum err
team_patch(struct http_request *request, struct http_response *response)
{
    const json_t *body = request_json(request);
    struct work work = { .request = request,
                         .has_channels = json_member(body, "channels") != NULL,
                         .team = { .name = json_text_of(body, "name") } };
    enum err err = gateway_path_id(request, "team_id", ID_TEAM, &work.team.id);

    if (err == ERR_OK)
        err = people_ids_read(request, "channels", ID_CHANNEL, ERR_CHANNEL_UNKNOWN, &work.team.channels,
                              &work.team.channel_count);
    if (err == ERR_OK)
        err = act_begin(request, AUDIT_TEAM_UPDATED, ID_TEAM, work.team.id, &work.act);
    if (err == ERR_OK)
        err = team_problem(request, gateway_write(request, update_in, &work));
    return err == ERR_OK ? team_reply(request, response, 200, &work.team) : err;
}

static enum err
delete_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = team_delete(tx, work->team.id);

    return err == ERR_OK ? audit_append(tx, clock_of(work), &work->act) : err;
}

static enum err
team_remove_one(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request };
    enum err err = gateway_path_id(request, "team_id", ID_TEAM, &work.team.id);

    if (err == ERR_OK)
        err = act_begin(request, AUDIT_TEAM_DELETED, ID_TEAM, work.team.id, &work.act);
    if (err == ERR_OK)
        err = gateway_write(request, delete_in, &work);
    return err == ERR_OK ? http_reply_empty(response, 204) : err;
}

static enum err
member_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    struct authority authority;
    char detail[80], id[ID_TEXT_BYTES];
    enum err err = people_authority(tx, work->request, &authority);

    if (err == ERR_OK)
        err = (work->is_removal ? team_remove : team_add)(tx, &authority, work->team.id, work->member,
                                                          work->request->arena);
    int len = snprintf(detail, sizeof(detail), "{\"%s\":\"%.*s\"}", work->is_removal ? "removed" : "added",
                       SLICE_FMT(id_print(ID_MEMBERSHIP, work->member, id)));
    work->act.detail = slice_of(detail, (size_t)len);
    return err == ERR_OK ? audit_append(tx, clock_of(work), &work->act) : err;
}

static enum err
member_change(struct http_request *request, struct http_response *response, bool is_removal)
{
    struct work work = { .request = request, .is_removal = is_removal };
    enum err err = gateway_path_id(request, "team_id", ID_TEAM, &work.team.id);

    if (err == ERR_OK)
        err = gateway_path_id(request, "membership_id", ID_MEMBERSHIP, &work.member);
    if (err == ERR_OK)
        err = act_begin(request, AUDIT_TEAM_UPDATED, ID_TEAM, work.team.id, &work.act);
    if (err == ERR_OK)
        err = gateway_write(request, member_in, &work);
    return err == ERR_OK ? http_reply_empty(response, 204) : err;
}

static enum err
member_put(struct http_request *request, struct http_response *response)
{
    return member_change(request, response, false);
}

static enum err
member_remove(struct http_request *request, struct http_response *response)
{
    return member_change(request, response, true);
}

const struct http_route team_routes[] = {
    { HTTP_GET, "/v1/teams", team_get_list, "listTeams", HTTP_ACCESS_KEY, "people:read" },
    { HTTP_POST, "/v1/teams", team_post, "createTeam", HTTP_ACCESS_KEY, "people:manage",
      .body_bytes_max = TEAM_BODY_BYTES_MAX },
    { HTTP_GET, "/v1/teams/{team_id}", team_get_one, "getTeam", HTTP_ACCESS_KEY, "people:read" },
    { HTTP_PATCH, "/v1/teams/{team_id}", team_patch, "updateTeam", HTTP_ACCESS_KEY, "people:manage",
      .body_bytes_max = TEAM_BODY_BYTES_MAX },
    { HTTP_DELETE, "/v1/teams/{team_id}", team_remove_one, "deleteTeam", HTTP_ACCESS_KEY, "people:manage" },
    { HTTP_PUT, "/v1/teams/{team_id}/members/{membership_id}", member_put, "addTeamMember", HTTP_ACCESS_KEY,
      "people:manage" },
    { HTTP_DELETE, "/v1/teams/{team_id}/members/{membership_id}", member_remove, "removeTeamMember",
      HTTP_ACCESS_KEY, "people:manage" },
    { .handler = NULL },
};
