/* /v1/roles: the built-in ones, and those that the workspace makes. */
#include "program/gateway/act.h"
#include "program/gateway/people.h"
#include "wire/http/etag.h"
#include "wire/json/json.h"

#define ROLE_BODY_BYTES_MAX 8192u

struct work {
    struct http_request *request;
    struct custom_role role, *roles;
    size_t count;
    int64_t word_counts[ROLE_WORD_COUNT];
    bool has_permissions; /* of a change */
    struct audit_act act;
};

static json_t *
role_show(const struct custom_role *role)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:b, s:I, s:o, s:o}", "id", show_id(ID_ROLE, role->id), "name",
                     show_text(role->name), "description", show_text(role->description), "permissions",
                     people_show_permissions(role->permissions), "is_built_in", 0, "members",
                     (json_int_t)role->member_count, "created_at", show_time(role->created_at), "updated_at",
                     show_time(role->updated_at));
}

static json_t *
word_show(enum role_word word, int64_t count)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:b, s:I, s:n, s:n}", "id", role_word_text(word), "name",
                     role_word_text(word), "description", role_word_purpose(word), "permissions",
                     people_show_permissions(role_word_permissions(word)), "is_built_in", 1, "members",
                     (json_int_t)count, "created_at", "updated_at");
}

/* `shown` is taken. */
static enum err
role_reply(struct http_request *request, struct http_response *response, int status, int64_t revision,
           json_t *shown)
{
    char tag[ETAG_TEXT_BYTES];
    struct slice printed = arena_copy(request->arena, etag_print((uint64_t)revision, tag));

    if (printed.ptr == NULL) {
        json_decref(shown);
        return ERR_NO_MEMORY;
    }
    http_response_add(response, "ETag", printed);
    return http_reply_json(request, response, status, shown);
}

static enum err
list_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = role_list(tx, work->request->arena, &work->roles, &work->count);

    return err == ERR_OK ? role_word_counts(tx, work->word_counts) : err;
}

/* All of them at once: there are few. */
static enum err
role_get_list(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request };
    enum err err = gateway_read(request, list_in, &work);

    if (err != ERR_OK)
        return err;
    json_t *items = json_array();
    for (unsigned i = 0; i < ROLE_WORD_COUNT; i++)
        show_append(&items, word_show((enum role_word)i, work.word_counts[i]));
    for (size_t i = 0; i < work.count; i++)
        show_append(&items, role_show(&work.roles[i]));
    return http_reply_json(request, response, 200, json_pack("{s:o}", "data", items));
}

static enum err
get_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return role_get(tx, work->role.id, work->request->arena, &work->role);
}

static enum err
role_get_one(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request };
    enum role_word word;

    if (role_word_parse(request_path_parameter(request, "role_id"), &word) == ERR_OK) {
        enum err err = gateway_read(request, list_in, &work);
        return err == ERR_OK /* 0: nobody changes it */
                   ? role_reply(request, response, 200, 0, word_show(word, work.word_counts[word]))
                   : err;
    }
    enum err err = gateway_path_id(request, "role_id", ID_ROLE, &work.role.id);
    if (err == ERR_OK)
        err = gateway_read(request, get_in, &work);
    return err == ERR_OK ? role_reply(request, response, 200, work.role.revision, role_show(&work.role))
                         : err;
}

/* The contract has checked each word. */
static enum err
permissions_read(const json_t *list, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        enum api_scope scope;
        if (api_scope_parse(slice_of(json_string_value(item), json_string_length(item)), &scope) != ERR_OK)
            return ERR_CONTRACT;
        *out |= UINT64_C(1) << scope;
    }
    return ERR_OK;
}

static enum err
role_problem(struct http_request *request, enum err err)
{
    if (err == ERR_EXISTS)
        problem_add(&request->problem, request->arena, SLICE("/name"), SLICE("is a role's name already"));
    else if (err == ERR_AUTHORITY && request_json(request) != NULL)
        problem_add(&request->problem, request->arena, SLICE("/permissions"),
                    SLICE("has one that whoever asks does not have"));
    return err;
}

static enum err
create_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    const struct clock *clock = gateway_worker_of(work->request)->gateway->clock;
    struct authority authority;
    enum err err = people_authority(tx, work->request, &authority);

    if (err == ERR_OK)
        err = role_create(tx, clock, &authority, &work->role);
    if (err == ERR_OK)
        err = audit_append(tx, clock, &work->act);
    return err == ERR_OK ? get_in(tx, work) : err;
}

static enum err
role_post(struct http_request *request, struct http_response *response)
{
    const json_t *body = request_json(request);
    struct slice description = json_text_of(body, "description");
    struct work work = { .request = request,
                         .role = { .id = id_new(gateway_worker_of(request)->gateway->clock),
                                   .name = json_text_of(body, "name"),
                                   .description = description.ptr == NULL ? SLICE("") : description } };
    enum err err = permissions_read(json_member(body, "permissions"), &work.role.permissions);

    if (err == ERR_OK)
        err = act_begin(request, AUDIT_ROLE_CREATED, ID_ROLE, work.role.id, &work.act);
    if (err == ERR_OK)
        err = role_problem(request, gateway_write(request, create_in, &work));
    if (err != ERR_OK)
        return err;
    gateway_locate(request, response, "/v1/roles/", ID_ROLE, work.role.id);
    return role_reply(request, response, 201, work.role.revision, role_show(&work.role));
}

static enum err
update_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    const struct clock *clock = gateway_worker_of(work->request)->gateway->clock;
    struct custom_role with, asked = work->role;
    struct authority authority;
    char tag[ETAG_TEXT_BYTES];
    enum err err = role_get(tx, work->role.id, work->request->arena, &with);

    if (err == ERR_OK)
        err = request_check_match(work->request, etag_print((uint32_t)with.revision, tag));
    if (err == ERR_OK)
        err = people_authority(tx, work->request, &authority);
    if (err != ERR_OK)
        return err;
    with.name = asked.name.ptr == NULL ? with.name : asked.name;
    with.description = asked.description.ptr == NULL ? with.description : asked.description;
    with.permissions = work->has_permissions ? asked.permissions : with.permissions;
    err = role_update(tx, clock, &authority, &with, work->request->arena);
    if (err == ERR_OK)
        err = audit_append(tx, clock, &work->act);
    struct id id = work->role.id;
    if (err == ERR_OK)
        err = role_get(tx, id, work->request->arena, &with);
    if (err == ERR_OK)
        work->role = with;
    return err;
}

static enum err
role_patch(struct http_request *request, struct http_response *response)
{
    const json_t *body = request_json(request);
    struct work work = { .request = request,
                         .has_permissions = json_member(body, "permissions") != NULL,
                         .role = { .name = json_text_of(body, "name"),
                                   .description = json_text_of(body, "description") } };
    enum err err = gateway_path_id(request, "role_id", ID_ROLE, &work.role.id);

    if (err == ERR_OK)
        err = permissions_read(json_member(body, "permissions"), &work.role.permissions);
    if (err == ERR_OK)
        err = act_begin(request, AUDIT_ROLE_UPDATED, ID_ROLE, work.role.id, &work.act);
    if (err == ERR_OK)
        err = role_problem(request, gateway_write(request, update_in, &work));
    return err == ERR_OK ? role_reply(request, response, 200, work.role.revision, role_show(&work.role))
                         : err;
}

static enum err
delete_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    struct authority authority;
    enum err err = people_authority(tx, work->request, &authority);

    if (err == ERR_OK)
        err = role_delete(tx, &authority, work->role.id, work->request->arena);
    return err == ERR_OK ? audit_append(tx, gateway_worker_of(work->request)->gateway->clock, &work->act)
                         : err;
}

static enum err
role_remove(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request };
    enum err err = gateway_path_id(request, "role_id", ID_ROLE, &work.role.id);

    if (err == ERR_OK)
        err = act_begin(request, AUDIT_ROLE_DELETED, ID_ROLE, work.role.id, &work.act);
    if (err == ERR_OK)
        err = role_problem(request, gateway_write(request, delete_in, &work));
    return err == ERR_OK ? http_reply_empty(response, 204) : err;
}

const struct http_route role_routes[] = {
    { HTTP_GET, "/v1/roles", role_get_list, "listRoles", HTTP_ACCESS_KEY, "people:read" },
    { HTTP_POST, "/v1/roles", role_post, "createRole", HTTP_ACCESS_KEY, "roles:manage",
      .body_bytes_max = ROLE_BODY_BYTES_MAX, .needs_step_up = true },
    { HTTP_GET, "/v1/roles/{role_id}", role_get_one, "getRole", HTTP_ACCESS_KEY, "people:read" },
    { HTTP_PATCH, "/v1/roles/{role_id}", role_patch, "updateRole", HTTP_ACCESS_KEY, "roles:manage",
      .body_bytes_max = ROLE_BODY_BYTES_MAX, .needs_step_up = true },
    { HTTP_DELETE, "/v1/roles/{role_id}", role_remove, "deleteRole", HTTP_ACCESS_KEY, "roles:manage",
      .needs_step_up = true },
    { .handler = NULL },
};
