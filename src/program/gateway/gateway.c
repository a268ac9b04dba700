#include "program/gateway/gateway.h"
#include "core/log.h"
#include "core/num.h"
#include "crypto/hash.h"
#include "program/gateway/person_gate.h"
#include "program/gateway/reach.h"
#include "wire/json/json.h"

#define PAGE_LIMIT_DEFAULT 25
#define PAGE_LIMIT_MAX     100
#define DB_REOPEN_MS       2000 /* a request does not wait longer for the database to come back */

enum err
gateway_authenticate(struct http_request *request, const struct http_route *route)
{
    struct gateway_worker *worker = gateway_worker_of(request);
    struct principal *principal = NULL;
    struct slice presented;
    enum api_scope wanted = API_SCOPE_COUNT;
    struct api_principal key;

    if (http_header(request, "Authorization").ptr == NULL && person_gate_applies(request, route))
        return person_gate_authenticate(request, route);
    if (route->access == HTTP_ACCESS_SESSION)
        return ERR_SESSION; /* no key is a person */
    principal = arena_alloc(request->arena, sizeof(*principal));
    if (principal == NULL)
        return ERR_NO_MEMORY;
    if (route->scope != NULL && api_scope_parse(slice_text(route->scope), &wanted) != ERR_OK)
        bug("a route names a scope that does not exist");
    enum err err = request_bearer(request, &presented);
    if (err == ERR_OK)
        err = authentication_check(worker->gateway->authentication, worker->db, presented,
                                   request->peer_address, wanted, &key);
    if (err == ERR_DB_UNAVAILABLE && db_reopen(worker->db, DB_REOPEN_MS) == ERR_OK)
        err = authentication_check(worker->gateway->authentication, worker->db, presented,
                                   request->peer_address, wanted, &key);
    if (err != ERR_OK)
        return err;
    *principal = (struct principal){
        .kind = PRINCIPAL_KEY, .tenant = key.tenant, .actor = key.key, .scopes = key.scopes, .mode = key.mode
    };
    request->principal = principal;
    request->tenant = principal->tenant;
    return ERR_OK;
}

enum err
gateway_write(struct http_request *request, enum err (*work)(struct db_tx *tx, void *ctx), void *ctx)
{
    struct gateway_worker *worker = gateway_worker_of(request);

    if (gateway_is_on_loop(request))
        return ERR_WOULD_WAIT;
    enum err err = db_run(worker->db, request->tenant, work, ctx);

    if (err == ERR_DB_UNAVAILABLE && db_reopen(worker->db, DB_REOPEN_MS) != ERR_OK)
        log_event(LOG_WARN, "gateway.database_away", LOG_ERR(err));
    return err;
}

enum err
gateway_read(struct http_request *request, enum err (*work)(struct db_tx *tx, void *ctx), void *ctx)
{
    struct gateway_worker *worker = gateway_worker_of(request);

    if (gateway_is_on_loop(request))
        return ERR_WOULD_WAIT;
    enum err err = db_run(worker->db, request->tenant, work, ctx);

    if (err == ERR_DB_UNAVAILABLE && db_reopen(worker->db, DB_REOPEN_MS) == ERR_OK)
        err = db_run(worker->db, request->tenant, work, ctx);
    return err;
}

enum err
gateway_request_hash(const char *operation, const json_t *body, size_t bytes_max,
                     unsigned char out[static GATEWAY_FINGERPRINT_BYTES])
{
    struct buf canonical;

    _Static_assert(HASH_BYTES == GATEWAY_FINGERPRINT_BYTES, "a fingerprint is made of a hash as long");
    buf_init(&canonical, bytes_max);
    (void)buf_reserve(&canonical, bytes_max < 1000 ? bytes_max : 1000); /* mostly enough */
    buf_add_text(&canonical, operation);
    buf_add_byte(&canonical, '\n');
    enum err err = json_print_canonical(body, &canonical);
    if (err == ERR_OK)
        err = hash_sha256(buf_slice(&canonical), out);
    buf_release_wiped(&canonical);
    return err;
}

enum err
gateway_fingerprint(struct http_request *request, const char *operation, const json_t *body, size_t bytes_max,
                    unsigned char out[static GATEWAY_FINGERPRINT_BYTES])
{
    unsigned char hash[HASH_BYTES];

    _Static_assert(VAULT_INDEX_BYTES == GATEWAY_FINGERPRINT_BYTES, "a fingerprint is a blind index");
    enum err err = gateway_request_hash(operation, body, bytes_max, hash);
    return err == ERR_OK ? vault_index(&gateway_worker_of(request)->vault, request->tenant, "request",
                                       slice_of(hash, sizeof(hash)), out)
                         : err;
}

enum err
gateway_page_read(struct http_request *request, enum id_kind kind, struct gateway_page *out)
{
    struct slice limit = http_query(request, "limit"), cursor = http_query(request, "cursor");
    struct slice prefix = id_prefix(kind);
    char text[ID_TEXT_BYTES];
    int number = PAGE_LIMIT_DEFAULT;

    *out = (struct gateway_page){ .kind = kind, .limit = PAGE_LIMIT_DEFAULT };
    if (limit.ptr != NULL && num_int_parse(limit, 1, PAGE_LIMIT_MAX, &number) != ERR_OK) {
        problem_add_parameter(&request->problem, request->arena, SLICE("limit"), SLICE("must be 1 to 100"));
        return ERR_QUERY;
    }
    out->limit = (size_t)number;
    if (cursor.ptr == NULL)
        return ERR_OK;
    if (cursor.len == sizeof(text) - 1 - prefix.len) {
        memcpy(text, prefix.ptr, prefix.len);
        memcpy(text + prefix.len, cursor.ptr, cursor.len);
        if (id_parse(kind, slice_of(text, sizeof(text) - 1), &out->cursor) == ERR_OK)
            return ERR_OK;
    }
    problem_add_parameter(&request->problem, request->arena, SLICE("cursor"),
                          SLICE("must be the next_cursor of a page before"));
    return ERR_QUERY;
}

size_t
gateway_page_shown(const struct gateway_page *page, size_t read_count)
{
    return read_count < page->limit ? read_count : page->limit;
}

enum err
gateway_page_reply(struct http_request *request, struct http_response *response,
                   const struct gateway_page *page, size_t read_count, json_t *items)
{
    bool has_more = read_count > page->limit;
    struct slice last = json_text_of(json_array_get(items, page->limit - 1), "id");
    struct slice cursor = slice_drop(last, id_prefix(page->kind).len);
    json_t *next = has_more ? json_stringn(cursor.ptr, cursor.len) : json_null();

    /* "o" takes its values, also when packing fails */
    return http_reply_json(
        request, response, 200,
        json_pack("{s:o, s:b, s:o}", "data", items, "has_more", (int)has_more, "next_cursor", next));
}

void
gateway_locate(struct http_request *request, struct http_response *response, const char *collection,
               enum id_kind kind, struct id id)
{
    size_t len = strlen(collection);
    char *text = arena_alloc(request->arena, len + ID_TEXT_BYTES);

    if (text == NULL) /* without room in the arena it is left out */
        return;
    memcpy(text, collection, len);
    struct slice printed = id_print(kind, id, text + len);
    http_response_add(response, "Location", slice_of(text, len + printed.len));
}

enum err
gateway_path_id(const struct http_request *request, const char *name, enum id_kind kind, struct id *out)
{
    if (id_parse(kind, request_path_parameter(request, name), out) != ERR_OK)
        return ERR_NOT_FOUND;
    return kind == ID_CHANNEL && request->principal != NULL ? reach_check_channel(request, *out) : ERR_OK;
}

json_t *
show_id(enum id_kind kind, struct id id)
{
    char text[ID_TEXT_BYTES];
    struct slice printed = id_print(kind, id, text);

    return json_stringn(printed.ptr, printed.len);
}

json_t *
show_time(struct wall_time t)
{
    char text[WALL_TEXT_BYTES];
    struct slice printed = wall_print(t, text);

    return json_stringn(printed.ptr, printed.len);
}

json_t *
show_text(struct slice text)
{
    return json_stringn(text.len == 0 ? "" : text.ptr, text.len);
}

json_t *
show_text_or_null(struct slice text)
{
    return text.len == 0 ? json_null() : json_stringn(text.ptr, text.len);
}

static void
give_up(json_t **value)
{
    json_decref(*value);
    *value = NULL;
}

void
show_append(json_t **list, json_t *value)
{
    if (json_array_append_new(*list, value) != 0)
        give_up(list);
}

void
show_set(json_t **object, const char *member, json_t *value)
{
    if (json_object_set_new(*object, member, value) != 0)
        give_up(object);
}
