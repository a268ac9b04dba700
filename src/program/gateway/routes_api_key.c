/* /v1/api-keys: made with a scope, shown once, changed, given another secret, revoked at once. */
#include "program/gateway/act.h"
#include "program/gateway/gateway.h"
#include "program/gateway/people.h"
#include "wire/json/json.h"

#define API_KEY_BODY_BYTES_MAX (16u * 1024u)
#define ROTATE_OVERLAP_S       86400

static json_t *
time_or_null(bool is_set, struct wall_time t)
{
    return is_set ? show_time(t) : json_null();
}

static json_t *
key_show(const struct api_key *key)
{
    json_t *scopes = json_array(), *cidrs = json_array();

    for (unsigned i = 0; i < API_SCOPE_COUNT; i++)
        if (key->scopes & (UINT64_C(1) << i))
            show_append(&scopes, json_string(api_scope_word((enum api_scope)i)));
    for (size_t i = 0; i < key->cidr_count; i++)
        show_append(&cidrs, show_text(key->cidrs[i]));
    return json_pack("{s:o, s:o, s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id",
                     show_id(ID_KEY, key->id), "name", show_text(key->name), "mode",
                     key->mode == API_KEY_LIVE ? "live" : "test", "scopes", scopes, "allowed_cidrs", cidrs,
                     "last_four", key->last_four, "created_at", show_time(key->created_at), "expires_at",
                     time_or_null(key->has_expiry, key->expires_at), "revoked_at",
                     time_or_null(key->is_revoked, key->revoked_at), "last_used_at",
                     time_or_null(key->was_used, key->last_used_at), "last_used_from",
                     show_text_or_null(key->last_used_from), "created_by",
                     people_show_actor(key->maker_kind, key->maker), "rotated_at",
                     time_or_null(key->was_rotated, key->rotated_at), "previous_until",
                     time_or_null(key->has_previous, key->previous_until));
}

struct work {
    struct id id;
    struct api_key_new with;
    struct api_key_change change;
    int64_t overlap_s;
    uint64_t permissions;
    struct audit_act act;
    struct gateway_page page;
    const struct clock *clock;
    struct arena *arena;
    struct api_key key, *keys;
    size_t count;
    struct secret *text; /* owned */
};

static enum err
create_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    secret_free(work->text); /* of a try that clashed */
    work->text = NULL;
    enum err err = api_key_create(tx, work->clock, &work->with, work->arena, &work->key, &work->text);
    work->act.object = work->key.id;
    return err == ERR_OK ? audit_append(tx, work->clock, &work->act) : err;
}

static enum err
cidrs_read(struct http_request *request, const json_t *list, const struct slice **cidrs_out,
           size_t *count_out)
{
    struct slice *cidrs = arena_array(request->arena, API_KEY_CIDRS_MAX, sizeof(*cidrs));

    if (cidrs == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < json_array_size(list); i++) { /* as many as the contract allows */
        const json_t *item = json_array_get(list, i);
        struct slice text = slice_of(json_string_value(item), json_string_length(item));
        struct address_range range;
        if (address_range_parse(text, &range) != ERR_OK) {
            problem_add(&request->problem, request->arena,
                        arena_format(request->arena, "/allowed_cidrs/%zu", i),
                        SLICE("must be a CIDR whose host bits are zero, such as 203.0.113.0/24"));
            return ERR_CONTRACT;
        }
        cidrs[i] = text;
    }
    *cidrs_out = cidrs;
    *count_out = json_array_size(list);
    return ERR_OK;
}

/* A key gives no more than its maker has. */
static enum err
scopes_read(struct http_request *request, const json_t *list, uint64_t *out)
{
    const struct principal *principal = request->principal;

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        enum api_scope scope;
        if (api_scope_parse(slice_of(json_string_value(item), json_string_length(item)), &scope) != ERR_OK)
            return ERR_CONTRACT;
        if (!principal_may(principal, scope)) {
            problem_add(&request->problem, request->arena, arena_format(request->arena, "/scopes/%zu", i),
                        SLICE("is a permission that the one who asks does not have"));
            return ERR_SCOPE;
        }
        *out |= UINT64_C(1) << scope;
    }
    return ERR_OK;
}

/* The key with its secret, which is shown this once; or the error, and nothing of it stays. */
static enum err
secret_reply(struct http_request *request, struct http_response *response, int status, struct work *work,
             enum err err)
{
    json_t *shown = err == ERR_OK ? key_show(&work->key) : NULL;

    if (err == ERR_OK)
        show_set(&shown, "key", show_text(secret_slice(work->text)));
    secret_free(work->text);
    return err == ERR_OK ? http_reply_json(request, response, status, shown) : err;
}

/* Null: never; else a time to come. */
static enum err
expiry_read(struct http_request *request, struct slice text, struct wall_time *out)
{
    struct wall_time now = clock_wall(gateway_worker_of(request)->gateway->clock);
    enum err err = text.ptr == NULL ? ERR_OK : wall_parse(text, out);

    if (err == ERR_OK && text.ptr != NULL && out->us <= now.us) {
        problem_add(&request->problem, request->arena, SLICE("/expires_at"), SLICE("must be in the future"));
        err = ERR_CONTRACT;
    }
    return err;
}

static enum err
api_key_post(struct http_request *request, struct http_response *response)
{
    const struct principal *principal = request->principal;
    const json_t *body = request_json(request);
    struct slice expires = json_text_of(body, "expires_at"), mode = json_text_of(body, "mode");
    struct work work = { .clock = gateway_worker_of(request)->gateway->clock,
                         .arena = request->arena,
                         .with = { .name = json_text_of(body, "name"),
                                   .mode = slice_eq(mode, SLICE("test")) ? API_KEY_TEST : API_KEY_LIVE,
                                   .has_expiry = expires.ptr != NULL,
                                   .maker_kind = principal->kind == PRINCIPAL_PERSON ? "person" : "key",
                                   .maker = principal->actor } };
    enum err err = scopes_read(request, json_member(body, "scopes"), &work.with.scopes);

    if (err == ERR_OK)
        err =
            cidrs_read(request, json_member(body, "allowed_cidrs"), &work.with.cidrs, &work.with.cidr_count);
    if (err == ERR_OK)
        err = expiry_read(request, expires, &work.with.expires_at);
    if (err == ERR_OK)
        err = act_begin(request, AUDIT_API_KEY_CREATED, ID_KEY, (struct id){ { 0 } }, &work.act);
    work.act.detail = act_members(request);
    if (err == ERR_OK)
        err = gateway_write(request, create_in, &work);
    if (err == ERR_OK)
        gateway_locate(request, response, "/v1/api-keys/", ID_KEY, work.key.id);
    return secret_reply(request, response, 201, &work, err);
}

static enum err
get_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return api_key_get(tx, work->id, work->arena, &work->key);
}

static enum err
api_key_get_one(struct http_request *request, struct http_response *response)
{
    struct work work = { .arena = request->arena };
    enum err err = gateway_path_id(request, "key_id", ID_KEY, &work.id);

    if (err == ERR_OK)
        err = gateway_read(request, get_in, &work);
    return err == ERR_OK ? http_reply_json(request, response, 200, key_show(&work.key)) : err;
}

static enum err
list_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return api_key_list(tx, work->page.cursor, work->page.limit, work->arena, &work->keys, &work->count);
}

static enum err
api_key_get_list(struct http_request *request, struct http_response *response)
{
    struct work work = { .arena = request->arena };
    enum err err = gateway_page_read(request, ID_KEY, &work.page);

    if (err == ERR_OK)
        err = gateway_read(request, list_in, &work);
    if (err != ERR_OK)
        return err;
    size_t shown = gateway_page_shown(&work.page, work.count);
    json_t *items = json_array();
    for (size_t i = 0; i < shown; i++)
        show_append(&items, key_show(&work.keys[i]));
    return gateway_page_reply(request, response, &work.page, work.count, items);
}

static enum err
revoke_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    enum err err = api_key_revoke(tx, work->clock, work->id);
    return err == ERR_OK ? audit_append(tx, work->clock, &work->act) : err;
}

static enum err
api_key_revoke_one(struct http_request *request, struct http_response *response)
{
    struct work work = { .clock = gateway_worker_of(request)->gateway->clock };
    enum err err = gateway_path_id(request, "key_id", ID_KEY, &work.id);

    if (err == ERR_OK)
        err = act_begin(request, AUDIT_API_KEY_REVOKED, ID_KEY, work.id, &work.act);
    if (err == ERR_OK)
        err = gateway_write(request, revoke_in, &work);
    return err == ERR_OK ? http_reply_empty(response, 204) : err;
}

static enum err
change_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err =
        api_key_change(tx, work->clock, work->id, work->permissions, &work->change, work->arena, &work->key);

    return err == ERR_OK ? audit_append(tx, work->clock, &work->act) : err;
}

static struct work
work_of(struct http_request *request)
{
    const struct principal *principal = request->principal;

    return (struct work){ .clock = gateway_worker_of(request)->gateway->clock,
                          .arena = request->arena,
                          .permissions = principal->scopes };
}

static enum err
api_key_patch(struct http_request *request, struct http_response *response)
{
    const json_t *body = request_json(request);
    struct slice expires = json_text_of(body, "expires_at");
    struct work work = work_of(request);
    enum err err = gateway_path_id(request, "key_id", ID_KEY, &work.id);

    work.change = (struct api_key_change){ .name = json_text_of(body, "name"),
                                           .has_scopes = json_member(body, "scopes") != NULL,
                                           .has_cidrs = json_member(body, "allowed_cidrs") != NULL,
                                           .has_expires_at = json_member(body, "expires_at") != NULL,
                                           .has_expiry = expires.ptr != NULL };
    if (err == ERR_OK)
        err = scopes_read(request, json_member(body, "scopes"), &work.change.scopes);
    if (err == ERR_OK)
        err = cidrs_read(request, json_member(body, "allowed_cidrs"), &work.change.cidrs,
                         &work.change.cidr_count);
    if (err == ERR_OK)
        err = expiry_read(request, expires, &work.change.expires_at);
    if (err == ERR_OK)
        err = act_begin(request, AUDIT_API_KEY_UPDATED, ID_KEY, work.id, &work.act);
    work.act.detail = act_members(request);
    if (err == ERR_OK)
        err = gateway_write(request, change_in, &work);
    return err == ERR_OK ? http_reply_json(request, response, 200, key_show(&work.key)) : err;
}

static enum err
rotate_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    secret_free(work->text); /* of a try that clashed */
    work->text = NULL;
    enum err err = api_key_rotate(tx, work->clock, work->id, work->permissions, work->overlap_s, work->arena,
                                  &work->key, &work->text);
    return err == ERR_OK ? audit_append(tx, work->clock, &work->act) : err;
}

static enum err
api_key_rotate_one(struct http_request *request, struct http_response *response)
{
    struct work work = work_of(request);
    enum err err = gateway_path_id(request, "key_id", ID_KEY, &work.id);

    work.overlap_s = ROTATE_OVERLAP_S;
    (void)json_int_of(request_json(request), "overlap_s", &work.overlap_s);
    if (err == ERR_OK)
        err = act_begin(request, AUDIT_API_KEY_ROTATED, ID_KEY, work.id, &work.act);
    if (err == ERR_OK)
        err = gateway_write(request, rotate_in, &work);
    return secret_reply(request, response, 200, &work, err);
}

const struct http_route api_key_routes[] = {
    { HTTP_POST, "/v1/api-keys", api_key_post, "createApiKey", HTTP_ACCESS_KEY, "keys:manage",
      .body_bytes_max = API_KEY_BODY_BYTES_MAX, .needs_step_up = true },
    { HTTP_GET, "/v1/api-keys", api_key_get_list, "listApiKeys", HTTP_ACCESS_KEY, "keys:manage" },
    { HTTP_GET, "/v1/api-keys/{key_id}", api_key_get_one, "getApiKey", HTTP_ACCESS_KEY, "keys:manage" },
    { HTTP_PATCH, "/v1/api-keys/{key_id}", api_key_patch, "updateApiKey", HTTP_ACCESS_KEY, "keys:manage",
      .body_bytes_max = API_KEY_BODY_BYTES_MAX, .needs_step_up = true },
    { HTTP_POST, "/v1/api-keys/{key_id}/rotate", api_key_rotate_one, "rotateApiKey", HTTP_ACCESS_KEY,
      "keys:manage", .body_bytes_max = API_KEY_BODY_BYTES_MAX, .needs_step_up = true },
    { HTTP_DELETE, "/v1/api-keys/{key_id}", api_key_revoke_one, "revokeApiKey", HTTP_ACCESS_KEY,
      "keys:manage" },
    { .handler = NULL },
};
