/* /v1/suppressions: whom never to write to. */
#include "domain/message/message.h"
#include "program/gateway/act.h"
#include "program/gateway/consent_show.h"
#include "program/gateway/gateway.h"
#include "program/gateway/reach.h"
#include "wire/json/json.h"

struct work {
    struct http_request *request;
    struct gateway_page page;
    struct suppression_filter filter;
    struct suppression_new row;
    struct suppression one, *rows;
    size_t count;
    struct id id;
    struct audit_act act;
};

static const struct clock *
clock_of(const struct http_request *request)
{
    return gateway_worker_of(request)->gateway->clock;
}

static enum err
list_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = suppression_list(tx, &work->filter, work->page.limit, work->request->arena, &work->rows,
                                    &work->count);
    size_t shown = err == ERR_OK ? gateway_page_shown(&work->page, work->count) : 0, known = 0;
    struct id *ids = arena_array(work->request->arena, shown, sizeof(*ids));

    if (err == ERR_OK && ids == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < shown; i++)
        if (work->rows[i].has_peer)
            ids[known++] = work->rows[i].id;
    return err == ERR_OK ? reach_reveal_write(tx, work->request, &work->act, ids, known) : err;
}

static enum err
suppression_get_list(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request };
    enum err err = gateway_page_read(request, ID_SUPPRESSION, &work.page);

    work.filter = (struct suppression_filter){ .channel_kind = http_query(request, "channel"),
                                               .reason = http_query(request, "reason"),
                                               .cursor = work.page.cursor };
    if (err == ERR_OK)
        err = reach_reveal_begin(request, ID_SUPPRESSION, &work.act);
    if (err == ERR_OK)
        err = gateway_read(request, list_in, &work);
    size_t shown = err == ERR_OK ? gateway_page_shown(&work.page, work.count) : 0;
    struct slice *peers = arena_array(request->arena, shown, sizeof(*peers));
    if (err == ERR_OK && peers == NULL)
        err = ERR_NO_MEMORY;
    if (err == ERR_OK)
        err = suppression_peers_open(&gateway_worker_of(request)->vault, request->tenant, work.rows, shown,
                                     request->arena, peers);
    if (err != ERR_OK)
        return err;
    json_t *items = json_array();
    for (size_t i = 0; i < shown; i++) {
        struct slice address =
            peers[i].len == 0 ? SLICE_EMPTY : reach_address(request, request->arena, peers[i]);
        show_append(&items, suppression_show(&work.rows[i], address));
    }
    return gateway_page_reply(request, response, &work.page, work.count, items);
}

static enum err
add_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = suppression_add(tx, clock_of(work->request), &work->row, 1, work->request->arena);

    work->id = work->row.id;
    return err == ERR_OK ? suppression_get(tx, work->id, work->request->arena, &work->one) : err;
}

static enum err
suppression_post(struct http_request *request, struct http_response *response)
{
    const json_t *body = request_json(request);
    struct slice kind = json_text_of(body, "channel"), scope = json_text_of(body, "scope"),
                 reason = json_text_of(body, "reason");
    struct work work = { .request = request };
    struct consent_sealing sealing = { .row = id_new(clock_of(request)),
                                       .address = json_text_of(body, "address") };
    enum err err = consent_seal(request, &sealing, 1, request->arena);

    work.row =
        (struct suppression_new){ .id = sealing.row,
                                  .channel_kind = kind.ptr == NULL ? SLICE(SUPPRESSION_ANY_KIND) : kind,
                                  .is_all = !slice_eq(scope, SLICE("promotional")),
                                  .reason = slice_eq(reason, SLICE("complaint")) ? SUPPRESSION_COMPLAINT
                                                                                 : SUPPRESSION_MANUAL,
                                  .peer = &sealing.peer,
                                  .actor = consent_asker(request),
                                  .actor_id = reach_asker(request).id,
                                  .at = clock_wall(clock_of(request)) };
    memcpy(work.row.peer_index, sealing.peer_index, VAULT_INDEX_BYTES);
    if (err == ERR_OK)
        err = act_write(request,
                        &(struct act_work){ .action = AUDIT_SUPPRESSION_ADDED,
                                            .object_kind = ID_SUPPRESSION,
                                            .object = &work.id,
                                            .detail = act_members(request) },
                        add_in, &work);
    if (err != ERR_OK)
        return err;
    struct slice address = reach_address(request, request->arena, sealing.address);
    if (work.row.is_fresh)
        gateway_locate(request, response, "/v1/suppressions/", ID_SUPPRESSION, work.id);
    return http_reply_json(request, response, work.row.is_fresh ? 201 : 200,
                           suppression_show(&work.one, address));
}

static enum err
remove_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return suppression_remove(tx, clock_of(work->request), work->id, work->request->arena);
}

static enum err
suppression_delete(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request };
    enum err err = gateway_path_id(request, "suppression_id", ID_SUPPRESSION, &work.id);

    if (err == ERR_OK)
        err = act_write(request,
                        &(struct act_work){ .action = AUDIT_SUPPRESSION_REMOVED,
                                            .object_kind = ID_SUPPRESSION,
                                            .object = &work.id },
                        remove_in, &work);
    return err == ERR_OK ? http_reply_empty(response, 204) : err;
}

const struct http_route suppression_routes[] = {
    { HTTP_GET, "/v1/suppressions", suppression_get_list, "listSuppressions", HTTP_ACCESS_KEY,
      "consents:read" },
    { HTTP_POST, "/v1/suppressions", suppression_post, "addSuppression", HTTP_ACCESS_KEY, "consents:manage",
      .body_bytes_max = 1024 },
    { HTTP_DELETE, "/v1/suppressions/{suppression_id}", suppression_delete, "removeSuppression",
      HTTP_ACCESS_KEY, "consents:manage" },
    { .handler = NULL },
};
