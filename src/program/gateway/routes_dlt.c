/* /v1/dlt: what a workspace has registered with India's operators, but for templates (routes_dlt_template.c).
 */
#include "crypto/encode.h"
#include "domain/dlt/dlt_registry.h"
#include "program/gateway/act.h"
#include "program/gateway/gateway.h"
#include "wire/json/json.h"

#define DLT_BODY_BYTES_MAX (16u * 1024u)

struct work {
    struct http_request *request;
    const struct clock *clock;
    struct id id;
    struct dlt_entity entity, *entities;
    struct dlt_chain chain, *chains;
    struct dlt_header header, *headers;
    struct dlt_link_row link, *links;
    struct dlt_change change;
    struct dlt_counts counts;
    struct gateway_page page;
    struct slice query, state;
    size_t count, chain_count;
};

static struct work
work_of(struct http_request *request)
{
    return (struct work){ .request = request, .clock = gateway_worker_of(request)->gateway->clock };
}

static json_t *
time_or_null(struct wall_time t)
{
    return t.us == 0 ? json_null() : show_time(t);
}

static json_t *
entity_show(const struct dlt_entity *entity)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "id", show_id(ID_DLT_ENTITY, entity->id),
                     "registered_id", show_text(entity->registered_id), "name", show_text(entity->name),
                     "state", show_text(entity->state), "created_at", show_time(entity->created_at),
                     "updated_at", show_time(entity->updated_at));
}

static json_t *
hash_show(const unsigned char hash[static DLT_CHAIN_HASH_BYTES])
{
    struct buf hex;
    json_t *shown = NULL;

    buf_init(&hex, 2 * DLT_CHAIN_HASH_BYTES);
    encode_hex(&hex, slice_of(hash, DLT_CHAIN_HASH_BYTES));
    if (buf_done(&hex) == ERR_OK)
        shown = show_text(buf_slice(&hex));
    buf_release(&hex);
    return shown;
}

static json_t *
chain_show(const struct dlt_chain *chain)
{
    json_t *members = json_array();

    for (size_t i = 0; i < chain->member_count; i++)
        show_append(&members,
                    json_pack("{s:o, s:o, s:o}", "registered_id", show_text(chain->members[i].registered_id),
                              "name", show_text(chain->members[i].name), "role",
                              show_text(chain->members[i].role)));
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", show_id(ID_DLT_CHAIN, chain->id),
                     "entity_id", show_id(ID_DLT_ENTITY, chain->entity), "hash", hash_show(chain->hash),
                     "telemarketers", members, "state", show_text(chain->state), "created_at",
                     show_time(chain->created_at), "updated_at", show_time(chain->updated_at));
}

static json_t *
header_show(const struct dlt_header *header)
{
    bool is_active = header->paused_reason.len == 0 && slice_eq(header->state, SLICE("active"));

    return json_pack(
        "{s:o, s:o, s:o, s:b, s:o, s:o, s:b, s:o, s:o, s:I, s:o, s:o}", "id",
        show_id(ID_DLT_HEADER, header->id), "entity_id", show_id(ID_DLT_ENTITY, header->entity), "name",
        show_text(header->name), "is_promotional", dlt_header_is_promotional(header->name), "registered_id",
        show_text_or_null(header->registered_id), "state", show_text(header->state), "is_active", is_active,
        "paused_at", time_or_null(header->paused_at), "paused_reason",
        show_text_or_null(header->paused_reason), "template_count", (json_int_t)header->template_count,
        "created_at", show_time(header->created_at), "updated_at", show_time(header->updated_at));
}

static json_t *
link_show(const struct dlt_link_row *row)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "id", show_id(ID_DLT_LINK, row->id), "kind",
                     show_text(dlt_link_kind_text(row->link.kind)), "value", show_text(row->link.value),
                     "expires_at", row->link.has_expiry ? show_time(row->link.expires_at) : json_null(),
                     "created_at", show_time(row->created_at));
}

static enum err
refused(struct http_request *request, const char *pointer, const char *detail)
{
    problem_add(&request->problem, request->arena, slice_text(pointer), slice_text(detail));
    return ERR_DLT_INVALID;
}

/* Where a failed change had its reason. */
static enum err
explained(struct http_request *request, const char *pointer, enum err err)
{
    if (err == ERR_DLT_ENTITY_UNKNOWN)
        problem_add(&request->problem, request->arena, SLICE("/entity_id"),
                    SLICE("must be an entity of this workspace"));
    if (err == ERR_EXISTS)
        problem_add(&request->problem, request->arena, slice_text(pointer),
                    SLICE("is registered here already"));
    return err;
}

static enum err
entity_id_read(struct http_request *request, struct id *out)
{
    return id_parse(ID_DLT_ENTITY, json_text_of(request_json(request), "entity_id"), out) == ERR_OK
               ? ERR_OK
               : explained(request, "", ERR_DLT_ENTITY_UNKNOWN);
}

static enum err
overview_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = dlt_entity_list(tx, work->request->arena, &work->entities, &work->count);

    if (err == ERR_OK)
        err = dlt_chain_list(tx, work->request->arena, &work->chains, &work->chain_count);
    return err == ERR_OK ? dlt_counts_read(tx, work->clock, &work->counts) : err;
}

static enum err
overview_get(struct http_request *request, struct http_response *response)
{
    struct work work = work_of(request);
    enum err err = gateway_read(request, overview_in, &work);

    if (err != ERR_OK)
        return err;
    json_t *entities = json_array(), *chains = json_array();
    for (size_t i = 0; i < work.count; i++)
        show_append(&entities, entity_show(&work.entities[i]));
    for (size_t i = 0; i < work.chain_count; i++)
        show_append(&chains, chain_show(&work.chains[i]));
    return http_reply_json(
        request, response, 200,
        json_pack("{s:o, s:o, s:{s:I, s:I}, s:{s:I, s:I}, s:{s:I, s:I}}", "entities", entities, "chains",
                  chains, "headers", "total", (json_int_t)work.counts.headers, "active",
                  (json_int_t)work.counts.headers_active, "templates", "total",
                  (json_int_t)work.counts.templates, "active", (json_int_t)work.counts.templates_active,
                  "links", "total", (json_int_t)work.counts.links, "ending",
                  (json_int_t)work.counts.links_ending));
}

/* An entity as it is now: there are few. */
static enum err
entity_find(struct db_tx *tx, struct work *work)
{
    enum err err = dlt_entity_list(tx, work->request->arena, &work->entities, &work->count);

    for (size_t i = 0; err == ERR_OK && i < work->count; i++) {
        if (id_eq(work->entities[i].id, work->id)) {
            work->entity = work->entities[i];
            return ERR_OK;
        }
    }
    return err == ERR_OK ? ERR_NOT_FOUND : err;
}

static enum err
entity_create_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = dlt_entity_create(tx, work->clock, &work->entity);

    return err == ERR_OK ? entity_find(tx, work) : err;
}

static enum err
entity_post(struct http_request *request, struct http_response *response)
{
    const json_t *body = request_json(request);
    struct work work = work_of(request);

    work.id = id_new(work.clock);
    work.entity = (struct dlt_entity){ .id = work.id,
                                       .registered_id = json_text_of(body, "registered_id"),
                                       .name = json_text_of(body, "name"),
                                       .state = json_text_of(body, "state") };
    if (work.entity.state.ptr == NULL)
        work.entity.state = SLICE("active");
    enum err err =
        act_write(request,
                  &(struct act_work){
                      .action = AUDIT_DLT_ENTITY_CREATED, .object_kind = ID_DLT_ENTITY, .object = &work.id },
                  entity_create_in, &work);
    if (err != ERR_OK)
        return explained(request, "/registered_id", err);
    if (err == ERR_OK)
        gateway_locate(request, response, "/v1/dlt/entities/", ID_DLT_ENTITY, work.id);
    return err == ERR_OK ? http_reply_json(request, response, 201, entity_show(&work.entity)) : err;
}

static enum err
entity_update_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = dlt_entity_update(tx, work->clock, work->id, &work->change);

    return err == ERR_OK ? entity_find(tx, work) : err;
}

static enum err
entity_patch(struct http_request *request, struct http_response *response)
{
    const json_t *body = request_json(request);
    struct work work = work_of(request);
    enum err err = gateway_path_id(request, "dlt_entity_id", ID_DLT_ENTITY, &work.id);

    work.change =
        (struct dlt_change){ .name = json_text_of(body, "name"), .state = json_text_of(body, "state") };
    if (err == ERR_OK)
        err = act_write(request,
                        &(struct act_work){ .action = AUDIT_DLT_ENTITY_UPDATED,
                                            .object_kind = ID_DLT_ENTITY,
                                            .object = &work.id,
                                            .detail = act_members(request) },
                        entity_update_in, &work);
    return err == ERR_OK ? http_reply_json(request, response, 200, entity_show(&work.entity)) : err;
}

/* Removing one of anything. */
static enum err
removed(struct http_request *request, struct http_response *response, const char *parameter,
        enum id_kind kind, enum audit_action action, enum err (*work_in)(struct db_tx *tx, void *ctx))
{
    struct work work = work_of(request);
    enum err err = gateway_path_id(request, parameter, kind, &work.id);

    if (err == ERR_OK)
        err = act_write(request,
                        &(struct act_work){ .action = action, .object_kind = kind, .object = &work.id },
                        work_in, &work);
    return err == ERR_OK ? http_reply_empty(response, 204) : err;
}

static enum err
entity_delete_in(struct db_tx *tx, void *ctx)
{
    return dlt_entity_delete(tx, ((struct work *)ctx)->id);
}

static enum err
entity_remove(struct http_request *request, struct http_response *response)
{
    return removed(request, response, "dlt_entity_id", ID_DLT_ENTITY, AUDIT_DLT_ENTITY_DELETED,
                   entity_delete_in);
}

static enum err
chain_find(struct db_tx *tx, struct work *work)
{
    enum err err = dlt_chain_list(tx, work->request->arena, &work->chains, &work->chain_count);

    for (size_t i = 0; err == ERR_OK && i < work->chain_count; i++) {
        if (id_eq(work->chains[i].id, work->id)) {
            work->chain = work->chains[i];
            return ERR_OK;
        }
    }
    return err == ERR_OK ? ERR_NOT_FOUND : err;
}

static enum err
chain_create_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = dlt_chain_create(tx, work->clock, work->request->arena, &work->chain);

    return err == ERR_OK ? chain_find(tx, work) : err;
}

static enum err
chain_post(struct http_request *request, struct http_response *response)
{
    const json_t *body = request_json(request), *members = json_member(body, "telemarketers");
    struct work work = work_of(request);
    enum err err = entity_id_read(request, &work.chain.entity);

    work.chain.id = work.id = id_new(work.clock);
    work.chain.state =
        json_text_of(body, "state").ptr == NULL ? SLICE("active") : json_text_of(body, "state");
    work.chain.member_count = json_array_size(members);
    for (size_t i = 0; i < work.chain.member_count && i < DLT_MEMBERS_MAX; i++) {
        const json_t *member = json_array_get(members, i);
        bool is_last = i + 1 == work.chain.member_count;
        work.chain.members[i] =
            (struct dlt_member){ json_text_of(member, "registered_id"), json_text_of(member, "name"),
                                 is_last ? SLICE("delivery") : SLICE("aggregator") };
    }
    if (err == ERR_OK)
        err = explained(request, "/telemarketers",
                        act_write(request,
                                  &(struct act_work){ .action = AUDIT_DLT_CHAIN_CREATED,
                                                      .object_kind = ID_DLT_CHAIN,
                                                      .object = &work.id },
                                  chain_create_in, &work));
    if (err == ERR_OK)
        gateway_locate(request, response, "/v1/dlt/chains/", ID_DLT_CHAIN, work.id);
    return err == ERR_OK ? http_reply_json(request, response, 201, chain_show(&work.chain)) : err;
}

static enum err
chain_update_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = dlt_chain_update(tx, work->clock, work->id, work->state);

    return err == ERR_OK ? chain_find(tx, work) : err;
}

static enum err
chain_patch(struct http_request *request, struct http_response *response)
{
    struct work work = work_of(request);
    enum err err = gateway_path_id(request, "dlt_chain_id", ID_DLT_CHAIN, &work.id);

    work.state = json_text_of(request_json(request), "state");
    if (err == ERR_OK)
        err = act_write(request,
                        &(struct act_work){ .action = AUDIT_DLT_CHAIN_UPDATED,
                                            .object_kind = ID_DLT_CHAIN,
                                            .object = &work.id },
                        chain_update_in, &work);
    return err == ERR_OK ? http_reply_json(request, response, 200, chain_show(&work.chain)) : err;
}

static enum err
chain_delete_in(struct db_tx *tx, void *ctx)
{
    return dlt_chain_delete(tx, ((struct work *)ctx)->id);
}

static enum err
chain_remove(struct http_request *request, struct http_response *response)
{
    return removed(request, response, "dlt_chain_id", ID_DLT_CHAIN, AUDIT_DLT_CHAIN_DELETED, chain_delete_in);
}

static enum err
header_list_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return dlt_header_list(tx, work->request->arena, work->query, work->state, work->page.cursor,
                           work->page.limit + 1, &work->headers, &work->count);
}

static enum err
header_get_list(struct http_request *request, struct http_response *response)
{
    struct work work = work_of(request);
    enum err err = gateway_page_read(request, ID_DLT_HEADER, &work.page);

    work.query = http_query(request, "q");
    work.state = http_query(request, "state");
    if (err == ERR_OK)
        err = gateway_read(request, header_list_in, &work);
    if (err != ERR_OK)
        return err;
    json_t *items = json_array();
    for (size_t i = 0; i < gateway_page_shown(&work.page, work.count); i++)
        show_append(&items, header_show(&work.headers[i]));
    return gateway_page_reply(request, response, &work.page, work.count, items);
}

static enum err
header_create_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = dlt_header_create(tx, work->clock, &work->header);

    return err == ERR_OK ? dlt_header_get(tx, work->request->arena, work->id, &work->header) : err;
}

static enum err
header_post(struct http_request *request, struct http_response *response)
{
    const json_t *body = request_json(request);
    struct work work = work_of(request);
    enum err err = entity_id_read(request, &work.header.entity);

    work.header.id = work.id = id_new(work.clock);
    work.header.name = json_text_of(body, "name");
    work.header.registered_id = json_text_of(body, "registered_id");
    work.header.state =
        json_text_of(body, "state").ptr == NULL ? SLICE("active") : json_text_of(body, "state");
    const char *fault = dlt_header_fault(work.header.name);
    if (err == ERR_OK && fault != NULL)
        err = refused(request, "/name", fault);
    if (err == ERR_OK)
        err = explained(request, "/name",
                        act_write(request,
                                  &(struct act_work){ .action = AUDIT_DLT_HEADER_CREATED,
                                                      .object_kind = ID_DLT_HEADER,
                                                      .object = &work.id },
                                  header_create_in, &work));
    if (err == ERR_OK)
        gateway_locate(request, response, "/v1/dlt/headers/", ID_DLT_HEADER, work.id);
    return err == ERR_OK ? http_reply_json(request, response, 201, header_show(&work.header)) : err;
}

static enum err
header_update_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = dlt_header_update(tx, work->clock, work->id, &work->change);

    return err == ERR_OK ? dlt_header_get(tx, work->request->arena, work->id, &work->header) : err;
}

static enum err
header_patch(struct http_request *request, struct http_response *response)
{
    const json_t *body = request_json(request);
    struct work work = work_of(request);
    enum err err = gateway_path_id(request, "dlt_header_id", ID_DLT_HEADER, &work.id);

    work.change = (struct dlt_change){ .registered_id = json_text_of(body, "registered_id"),
                                       .state = json_text_of(body, "state"),
                                       .paused_reason = json_text_of(body, "paused_reason"),
                                       .has_pause = json_member(body, "paused_reason") != NULL };
    if (err == ERR_OK)
        err = act_write(request,
                        &(struct act_work){ .action = AUDIT_DLT_HEADER_UPDATED,
                                            .object_kind = ID_DLT_HEADER,
                                            .object = &work.id,
                                            .detail = act_members(request) },
                        header_update_in, &work);
    return err == ERR_OK ? http_reply_json(request, response, 200, header_show(&work.header)) : err;
}

static enum err
header_delete_in(struct db_tx *tx, void *ctx)
{
    return dlt_header_delete(tx, ((struct work *)ctx)->id);
}

static enum err
header_remove(struct http_request *request, struct http_response *response)
{
    return removed(request, response, "dlt_header_id", ID_DLT_HEADER, AUDIT_DLT_HEADER_DELETED,
                   header_delete_in);
}

static enum err
link_list_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return dlt_link_list(tx, work->request->arena, work->query, work->page.cursor, work->page.limit + 1,
                         &work->links, &work->count);
}

static enum err
link_get_list(struct http_request *request, struct http_response *response)
{
    struct work work = work_of(request);
    enum err err = gateway_page_read(request, ID_DLT_LINK, &work.page);

    work.query = http_query(request, "q");
    if (err == ERR_OK)
        err = gateway_read(request, link_list_in, &work);
    if (err != ERR_OK)
        return err;
    json_t *items = json_array();
    for (size_t i = 0; i < gateway_page_shown(&work.page, work.count); i++)
        show_append(&items, link_show(&work.links[i]));
    return gateway_page_reply(request, response, &work.page, work.count, items);
}

static enum err
link_create_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return dlt_link_create(tx, work->clock, &work->link);
}

static enum err
link_post(struct http_request *request, struct http_response *response)
{
    const json_t *body = request_json(request);
    struct slice ends = json_text_of(body, "expires_at");
    struct work work = work_of(request);
    enum err err = dlt_link_kind_read(json_text_of(body, "kind"), &work.link.link.kind);

    work.link.id = work.id = id_new(work.clock);
    work.link.created_at = clock_wall(work.clock);
    work.link.link.value = json_text_of(body, "value");
    work.link.link.has_expiry = ends.ptr != NULL;
    const char *fault = err == ERR_OK ? dlt_link_fault(work.link.link.kind, work.link.link.value) : NULL;
    if (fault != NULL)
        err = refused(request, "/value", fault);
    if (err == ERR_OK && ends.ptr != NULL)
        err = wall_parse(ends, &work.link.link.expires_at);
    if (err == ERR_OK)
        err = explained(request, "/value",
                        act_write(request,
                                  &(struct act_work){ .action = AUDIT_DLT_LINK_CREATED,
                                                      .object_kind = ID_DLT_LINK,
                                                      .object = &work.id },
                                  link_create_in, &work));
    if (err == ERR_OK)
        gateway_locate(request, response, "/v1/dlt/links/", ID_DLT_LINK, work.id);
    return err == ERR_OK ? http_reply_json(request, response, 201, link_show(&work.link)) : err;
}

static enum err
link_delete_in(struct db_tx *tx, void *ctx)
{
    return dlt_link_delete(tx, ((struct work *)ctx)->id);
}

static enum err
link_remove(struct http_request *request, struct http_response *response)
{
    return removed(request, response, "dlt_link_id", ID_DLT_LINK, AUDIT_DLT_LINK_DELETED, link_delete_in);
}

const struct http_route dlt_routes[] = {
    { HTTP_GET, "/v1/dlt", overview_get, "getDlt", HTTP_ACCESS_KEY, "dlt:read" },
    { HTTP_POST, "/v1/dlt/entities", entity_post, "createDltEntity", HTTP_ACCESS_KEY, "dlt:manage",
      .body_bytes_max = DLT_BODY_BYTES_MAX },
    { HTTP_PATCH, "/v1/dlt/entities/{dlt_entity_id}", entity_patch, "updateDltEntity", HTTP_ACCESS_KEY,
      "dlt:manage", .body_bytes_max = DLT_BODY_BYTES_MAX },
    { HTTP_DELETE, "/v1/dlt/entities/{dlt_entity_id}", entity_remove, "deleteDltEntity", HTTP_ACCESS_KEY,
      "dlt:manage" },
    { HTTP_POST, "/v1/dlt/chains", chain_post, "createDltChain", HTTP_ACCESS_KEY, "dlt:manage",
      .body_bytes_max = DLT_BODY_BYTES_MAX },
    { HTTP_PATCH, "/v1/dlt/chains/{dlt_chain_id}", chain_patch, "updateDltChain", HTTP_ACCESS_KEY,
      "dlt:manage", .body_bytes_max = DLT_BODY_BYTES_MAX },
    { HTTP_DELETE, "/v1/dlt/chains/{dlt_chain_id}", chain_remove, "deleteDltChain", HTTP_ACCESS_KEY,
      "dlt:manage" },
    { HTTP_GET, "/v1/dlt/headers", header_get_list, "listDltHeaders", HTTP_ACCESS_KEY, "dlt:read" },
    { HTTP_POST, "/v1/dlt/headers", header_post, "createDltHeader", HTTP_ACCESS_KEY, "dlt:manage",
      .body_bytes_max = DLT_BODY_BYTES_MAX },
    { HTTP_PATCH, "/v1/dlt/headers/{dlt_header_id}", header_patch, "updateDltHeader", HTTP_ACCESS_KEY,
      "dlt:manage", .body_bytes_max = DLT_BODY_BYTES_MAX },
    { HTTP_DELETE, "/v1/dlt/headers/{dlt_header_id}", header_remove, "deleteDltHeader", HTTP_ACCESS_KEY,
      "dlt:manage" },
    { HTTP_GET, "/v1/dlt/links", link_get_list, "listDltLinks", HTTP_ACCESS_KEY, "dlt:read" },
    { HTTP_POST, "/v1/dlt/links", link_post, "createDltLink", HTTP_ACCESS_KEY, "dlt:manage",
      .body_bytes_max = DLT_BODY_BYTES_MAX },
    { HTTP_DELETE, "/v1/dlt/links/{dlt_link_id}", link_remove, "deleteDltLink", HTTP_ACCESS_KEY,
      "dlt:manage" },
    { .handler = NULL },
};
