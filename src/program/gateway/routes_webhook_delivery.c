/* What became of each delivery to an endpoint; deliveries made again; and an event to test an endpoint with.
 */
#include "domain/webhook/webhook_delivery.h"
#include "domain/webhook/webhook_log.h"
#include "domain/webhook/webhook_replay.h"
#include "program/gateway/act.h"
#include "program/gateway/gateway.h"
#include "program/gateway/reach.h"
#include "wire/json/json.h"

#define REPLAY_BODY_BYTES_MAX (16u * 1024u)

struct work {
    struct id id;
    struct gateway_page page;
    struct webhook_delivery_filter filter;
    struct webhook_replay_new with;
    const struct clock *clock;
    struct arena *arena;
    struct webhook_delivery delivery, *deliveries;
    struct webhook_replay replay;
    struct id event;
    size_t count;
};

static struct work
work_of(struct http_request *request)
{
    return (struct work){ .arena = request->arena, .clock = gateway_worker_of(request)->gateway->clock };
}

/* As text: what is not UTF-8 in it is shown as U+FFFD. The first KiB may end within a character. */
static json_t *
answer_show(struct slice answer)
{
    struct buf text;

    for (size_t cut = 0; cut < 4 && cut <= answer.len; cut++)
        if (slice_is_utf8(slice_first(answer, answer.len - cut)))
            return show_text(slice_first(answer, answer.len - cut));
    buf_init(&text, 3 * WEBHOOK_ANSWER_BYTES_MAX);
    for (size_t i = 0; i < answer.len; i++)
        if ((unsigned char)answer.ptr[i] < 0x80)
            buf_add_byte(&text, answer.ptr[i]);
        else
            buf_add_text(&text, "\xEF\xBF\xBD");
    json_t *shown = buf_done(&text) == ERR_OK ? show_text(buf_slice(&text)) : NULL;
    buf_release_wiped(&text);
    return shown;
}

static json_t *
attempt_show(const struct webhook_log_attempt *attempt)
{
    return json_pack("{s:i, s:o, s:o, s:o, s:i, s:o}", "number", (int)attempt->number, "at",
                     show_time(attempt->at), "outcome", show_text(attempt->outcome), "status_code",
                     attempt->status_code == 0 ? json_null() : json_integer(attempt->status_code),
                     "latency_ms", (int)attempt->latency_ms, "address", show_text_or_null(attempt->address));
}

static json_t *
delivery_show(const struct webhook_delivery *delivery, json_t *attempts)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id",
                     show_id(ID_DELIVERY, delivery->id), "endpoint_id",
                     show_id(ID_ENDPOINT, delivery->endpoint), "event_id", show_id(ID_EVENT, delivery->event),
                     "event_type", show_text(delivery->event_type), "state", show_text(delivery->state),
                     "attempts", attempts, "next_attempt_at",
                     delivery->is_pending ? show_time(delivery->due_at) : json_null(), "created_at",
                     show_time(delivery->created_at), "finished_at",
                     delivery->is_finished ? show_time(delivery->finished_at) : json_null());
}

static json_t *
listed_show(const struct webhook_delivery *delivery)
{
    json_t *attempts = json_array();

    for (size_t i = 0; i < delivery->attempt_count; i++)
        show_append(&attempts, attempt_show(&delivery->attempts[i]));
    return delivery_show(delivery, attempts);
}

static enum err
deliveries_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    struct webhook_endpoint endpoint;
    enum err err =
        webhook_endpoint_get(tx, work->id, work->arena, &endpoint); /* unknown: 404, not an empty log */

    return err == ERR_OK
               ? webhook_delivery_list(tx, work->id, &work->filter, work->page.cursor, work->page.limit,
                                       work->arena, &work->deliveries, &work->count)
               : err;
}

/* The contract has looked at each value. */
static enum err
filter_read(struct http_request *request, struct webhook_delivery_filter *filter)
{
    struct slice after = http_query(request, "created_after"), before = http_query(request, "created_before");
    struct slice event = http_query(request, "event_id");
    enum err err = ERR_OK;

    filter->states = http_query(request, "state");
    filter->types = http_query(request, "event_type");
    filter->has_after = after.ptr != NULL;
    filter->has_before = before.ptr != NULL;
    if (filter->has_after)
        err = wall_parse(after, &filter->after);
    if (err == ERR_OK && filter->has_before)
        err = wall_parse(before, &filter->before);
    if (err == ERR_OK && event.ptr != NULL)
        err = id_parse(ID_EVENT, event, &filter->event);
    return err == ERR_OK ? ERR_OK : ERR_QUERY;
}

static enum err
deliveries_get(struct http_request *request, struct http_response *response)
{
    struct work work = work_of(request);
    enum err err = gateway_path_id(request, "endpoint_id", ID_ENDPOINT, &work.id);

    if (err == ERR_OK)
        err = gateway_page_read(request, ID_DELIVERY, &work.page);
    if (err == ERR_OK)
        err = filter_read(request, &work.filter);
    if (err == ERR_OK)
        err = gateway_read(request, deliveries_in, &work);
    if (err != ERR_OK)
        return err;
    size_t shown = gateway_page_shown(&work.page, work.count);
    json_t *items = json_array();
    for (size_t i = 0; i < shown; i++)
        show_append(&items, listed_show(&work.deliveries[i]));
    return gateway_page_reply(request, response, &work.page, work.count, items);
}

/* With what the endpoint answered, opened for this answer of ours. */
static enum err
delivery_reply(struct http_request *request, struct http_response *response, int status,
               const struct webhook_delivery *delivery)
{
    const struct vault *vault = &gateway_worker_of(request)->vault;
    json_t *attempts = json_array();
    enum err err = ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < delivery->attempt_count; i++) {
        const struct webhook_log_attempt *attempt = &delivery->attempts[i];
        struct vault_place place = webhook_answer_place(request->tenant, attempt->id);
        struct slice answer = SLICE_EMPTY;
        json_t *shown = attempt_show(attempt);
        if (attempt->has_answer)
            err = vault_open_content(vault, &place, &attempt->answer, request->arena, &answer);
        show_set(&shown, "answer",
                 attempt->has_answer ? reach_strings(request, request->arena, answer_show(answer))
                                     : json_null());
        show_append(&attempts, shown);
    }
    if (err != ERR_OK) {
        json_decref(attempts);
        return err;
    }
    return http_reply_json(request, response, status, delivery_show(delivery, attempts));
}

static enum err
delivery_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return webhook_delivery_get(tx, work->id, work->arena, &work->delivery);
}

static enum err
delivery_get(struct http_request *request, struct http_response *response)
{
    struct work work = work_of(request);
    enum err err = gateway_path_id(request, "delivery_id", ID_DELIVERY, &work.id);

    if (err == ERR_OK)
        err = gateway_read(request, delivery_in, &work);
    return err == ERR_OK ? delivery_reply(request, response, 200, &work.delivery) : err;
}

static enum err
delivery_again_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return webhook_delivery_again(tx, work->id, work->arena, &work->delivery);
}

static enum err
delivery_replay(struct http_request *request, struct http_response *response)
{
    struct work work = work_of(request);
    enum err err = gateway_path_id(request, "delivery_id", ID_DELIVERY, &work.id);

    if (err == ERR_OK)
        err = gateway_write(request, delivery_again_in, &work);
    return err == ERR_OK ? delivery_reply(request, response, 202, &work.delivery) : err;
}

static enum err
test_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    struct webhook_endpoint endpoint;
    enum err err = webhook_endpoint_get(tx, work->id, work->arena, &endpoint);

    if (err == ERR_OK && endpoint.state != WEBHOOK_ENDPOINT_ENABLED)
        err = ERR_STATE_CONFLICT;
    work->event = id_new(work->clock);
    return err == ERR_OK ? event_append(tx, &(struct event){ .id = work->event,
                                                             .type = EVENT_TEST_PING,
                                                             .subject = work->id,
                                                             .occurred_at = clock_wall(work->clock) })
                         : err;
}

static enum err
endpoint_test(struct http_request *request, struct http_response *response)
{
    struct work work = work_of(request);
    enum err err = gateway_path_id(request, "endpoint_id", ID_ENDPOINT, &work.id);

    if (err == ERR_OK)
        err = gateway_write(request, test_in, &work);
    return err == ERR_OK ? http_reply_json(request, response, 202,
                                           json_pack("{s:o}", "event_id", show_id(ID_EVENT, work.event)))
                         : err;
}

static enum err
replay_reply(struct http_request *request, struct http_response *response, int status,
             const struct webhook_replay *replay)
{
    json_t *events = json_array();

    for (size_t i = 0; i < replay->event_count; i++)
        show_append(&events, show_text(replay->events[i]));
    return http_reply_json(
        request, response, status,
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:I, s:o, s:o}", "id", show_id(ID_REPLAY, replay->id),
                  "endpoint_id", show_id(ID_ENDPOINT, replay->endpoint), "since", show_time(replay->since),
                  "until", show_time(replay->until), "events", events, "only",
                  replay->has_all ? "all" : "failed", "state", show_text(replay->state), "count",
                  (json_int_t)replay->count, "created_at", show_time(replay->created_at), "finished_at",
                  replay->is_finished ? show_time(replay->finished_at) : json_null()));
}

static enum err
replay_read(struct http_request *request, struct webhook_replay_new *with)
{
    const json_t *body = request_json(request), *list = json_member(body, "events");
    struct slice until = json_text_of(body, "until");
    struct slice *events = arena_array(request->arena, WEBHOOK_ENDPOINT_EVENTS_MAX, sizeof(*events));
    enum err err = wall_parse(json_text_of(body, "since"), &with->since);

    if (events == NULL)
        return ERR_NO_MEMORY;
    with->until = (struct wall_time){ INT64_MAX };
    if (err == ERR_OK && until.ptr != NULL)
        err = wall_parse(until, &with->until);
    else if (err == ERR_OK)
        with->until = clock_wall(gateway_worker_of(request)->gateway->clock);
    for (size_t i = 0; i < json_array_size(list) && i < WEBHOOK_ENDPOINT_EVENTS_MAX; i++) {
        const json_t *item = json_array_get(list, i);
        events[with->event_count++] = slice_of(json_string_value(item), json_string_length(item));
    }
    if (with->event_count == 0)
        events[with->event_count++] = SLICE("*");
    with->events = events;
    with->has_all = slice_eq(json_text_of(body, "only"), SLICE("all"));
    if (err == ERR_OK && with->until.us < with->since.us) {
        problem_add(&request->problem, request->arena, SLICE("/until"), SLICE("must not be before since"));
        err = ERR_CONTRACT;
    }
    return err;
}

static enum err
replay_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return webhook_replay_create(tx, &work->with, work->arena, &work->replay);
}

static enum err
endpoint_replay(struct http_request *request, struct http_response *response)
{
    struct work work = work_of(request);
    enum err err = gateway_path_id(request, "endpoint_id", ID_ENDPOINT, &work.with.endpoint);

    work.with.id = id_new(work.clock);
    if (err == ERR_OK)
        err = replay_read(request, &work.with);
    if (err == ERR_OK)
        err = act_write(request,
                        &(struct act_work){ .action = AUDIT_ENDPOINT_REPLAYED,
                                            .object_kind = ID_ENDPOINT,
                                            .object = &work.with.endpoint },
                        replay_in, &work);
    return err == ERR_OK ? replay_reply(request, response, 202, &work.replay) : err;
}

static enum err
replay_get_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return webhook_replay_get(tx, work->id, work->arena, &work->replay);
}

static enum err
replay_get(struct http_request *request, struct http_response *response)
{
    struct work work = work_of(request);
    enum err err = gateway_path_id(request, "replay_id", ID_REPLAY, &work.id);

    if (err == ERR_OK)
        err = gateway_read(request, replay_get_in, &work);
    return err == ERR_OK ? replay_reply(request, response, 200, &work.replay) : err;
}

const struct http_route webhook_delivery_routes[] = {
    { HTTP_GET, "/v1/webhook-endpoints/{endpoint_id}/deliveries", deliveries_get, "listWebhookDeliveries",
      HTTP_ACCESS_KEY, "webhooks:read" },
    { HTTP_POST, "/v1/webhook-endpoints/{endpoint_id}/test", endpoint_test, "testWebhookEndpoint",
      HTTP_ACCESS_KEY, "webhooks:manage" },
    { HTTP_POST, "/v1/webhook-endpoints/{endpoint_id}/replay", endpoint_replay, "replayWebhookEvents",
      HTTP_ACCESS_KEY, "webhooks:manage", .body_bytes_max = REPLAY_BODY_BYTES_MAX },
    { HTTP_GET, "/v1/webhook-deliveries/{delivery_id}", delivery_get, "getWebhookDelivery", HTTP_ACCESS_KEY,
      "webhooks:read" },
    { HTTP_POST, "/v1/webhook-deliveries/{delivery_id}/replay", delivery_replay, "replayWebhookDelivery",
      HTTP_ACCESS_KEY, "webhooks:manage" },
    { HTTP_GET, "/v1/webhook-replays/{replay_id}", replay_get, "getWebhookReplay", HTTP_ACCESS_KEY,
      "webhooks:read" },
    { .handler = NULL },
};
