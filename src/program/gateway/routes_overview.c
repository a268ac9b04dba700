/* GET /v1/overview: the workspace's day, of what whoever asks may see. */
#include "domain/dnd/dnd_watch.h"
#include "domain/overview/overview.h"
#include "program/gateway/gateway.h"
#include "program/gateway/reach.h"

struct view {
    const struct clock *clock;
    struct overview_sight sight;
    struct arena *arena;
    struct overview overview;
};

static enum err
overview_in(struct db_tx *tx, void *ctx)
{
    struct view *view = ctx;

    return overview_read(tx, view->clock, &view->sight, view->arena, &view->overview);
}

static json_t *
figures_show(const struct overview_figures *figures)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "sent", (json_int_t)figures->sent, "delivered",
                     (json_int_t)figures->delivered, "failed", (json_int_t)figures->failed, "blocked",
                     (json_int_t)figures->blocked, "received", (json_int_t)figures->received);
}

static json_t *
messages_show(const struct overview *overview)
{
    json_t *hours = json_array();

    for (size_t i = 0; i < overview->hour_count; i++) {
        json_t *hour = figures_show(&overview->hours[i].figures);
        show_set(&hour, "at", show_time(overview->hours[i].at));
        show_append(&hours, hour);
    }
    return json_pack("{s:o, s:o, s:o, s:o}", "today", figures_show(&overview->today), "yesterday",
                     figures_show(&overview->yesterday), "yesterday_by_now",
                     figures_show(&overview->yesterday_by_now), "hours", hours);
}

static json_t *
channels_show(const struct overview *overview, bool has_figures)
{
    json_t *list = json_array();

    for (size_t i = 0; i < overview->channel_count; i++) {
        const struct overview_channel *channel = &overview->channels[i];
        show_append(&list, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id",
                                     show_id(ID_CHANNEL, channel->id), "kind", show_text(channel->kind),
                                     "name", show_text(channel->name), "state", show_text(channel->state),
                                     "state_reason", show_text_or_null(channel->state_reason),
                                     "display_phone_number", show_text_or_null(channel->display_phone_number),
                                     "quality", show_text_or_null(channel->quality), "messaging_limit",
                                     show_text_or_null(channel->messaging_limit), "today",
                                     has_figures ? figures_show(&channel->today) : json_null()));
    }
    return list;
}

/* What an object of this attention is an id of. */
static enum id_kind
object_kind(enum overview_attention_kind kind)
{
    switch (kind) {
    case OVERVIEW_CHANNEL_BROKEN:
    case OVERVIEW_CHANNEL_QUALITY:
    case OVERVIEW_CHANNEL_CONNECTING:
    case OVERVIEW_CHANNEL_PAUSED:
    case OVERVIEW_QUOTA_USED:
    case OVERVIEW_QUOTA_SHORT:
        return ID_CHANNEL;
    case OVERVIEW_CONNECTOR_BROKEN:
    case OVERVIEW_CONNECTOR_UNBOUND:
        return ID_SMS_CONNECTOR;
    case OVERVIEW_ENDPOINT_DISABLED:
    case OVERVIEW_ENDPOINT_FAILING:
        return ID_ENDPOINT;
    case OVERVIEW_TEMPLATE_TURNED_DOWN:
        return ID_TEMPLATE;
    case OVERVIEW_KEY_EXPIRES:
        return ID_KEY;
    case OVERVIEW_REVIEW_OVERDUE:
        return ID_REVIEW;
    case OVERVIEW_MESSAGES_UNCERTAIN:
        return ID_MESSAGE;
    case OVERVIEW_DND_MISSING: /* the platform's: it has no object */
    case OVERVIEW_DND_OLD:
        return ID_TENANT;
    case OVERVIEW_ATTENTION_COUNT:
        break;
    }
    bug("no such kind of attention");
}

static json_t *
attention_show(const struct overview *overview)
{
    json_t *list = json_array();

    for (size_t i = 0; i < overview->attention_count; i++) {
        const struct overview_attention *attention = &overview->attention[i];
        show_append(&list,
                    json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:I}", "kind",
                              overview_attention_word(attention->kind), "severity",
                              overview_attention_severity(attention->kind), "object_id",
                              attention->has_object ? show_id(object_kind(attention->kind), attention->object)
                                                    : json_null(),
                              "name", show_text_or_null(attention->name), "detail",
                              show_text_or_null(attention->detail), "at", show_time(attention->at), "count",
                              (json_int_t)attention->count));
    }
    return list;
}

static void
dnd_look(const struct gateway *gateway, struct overview_sight *sight)
{
    struct dnd_registry *registry = dnd_watch_take(gateway->dnd);

    if (registry == NULL) {
        sight->dnd = OVERVIEW_DND_NONE;
        return;
    }
    sight->dnd_imported_at = dnd_registry_facts(registry)->imported_at;
    if (dnd_is_old(sight->dnd_imported_at, clock_wall(gateway->clock), gateway->role->config.dnd_days))
        sight->dnd = OVERVIEW_DND_AGED;
    dnd_registry_unref(registry);
}

static enum err
overview_get(struct http_request *request, struct http_response *response)
{
    const struct principal *principal = request->principal;
    struct view view = { .clock = gateway_worker_of(request)->gateway->clock, .arena = request->arena };
    struct overview_sight *sight = &view.sight;

    *sight = (struct overview_sight){ .messages = principal_may(principal, API_SCOPE_MESSAGES_READ),
                                      .channels = principal_may(principal, API_SCOPE_CHANNELS_READ),
                                      .templates = principal_may(principal, API_SCOPE_TEMPLATES_READ),
                                      .webhooks = principal_may(principal, API_SCOPE_WEBHOOKS_READ),
                                      .keys = principal_may(principal, API_SCOPE_KEYS_MANAGE),
                                      .people = principal_may(principal, API_SCOPE_PEOPLE_READ),
                                      .usage = principal_may(principal, API_SCOPE_USAGE_READ) };
    sight->figures = sight->messages || sight->usage;
    if (principal_may(principal, API_SCOPE_SETTINGS_READ))
        dnd_look(gateway_worker_of(request)->gateway, sight);
    sight->channels_of = reach_channels(request, &sight->channel_count);
    enum err err = gateway_read(request, overview_in, &view);
    if (err != ERR_OK)
        return err;
    const struct overview *overview = &view.overview;
    return http_reply_json(
        request, response, 200,
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "time_zone", show_text(overview->time_zone),
                  "yesterday_begins_at", show_time(overview->yesterday_at), "today_begins_at",
                  show_time(overview->today_at), "today_ends_at", show_time(overview->tomorrow_at),
                  "messages", sight->figures ? messages_show(overview) : json_null(), "channels",
                  sight->channels ? channels_show(overview, sight->figures) : json_null(), "attention",
                  attention_show(overview)));
}

const struct http_route overview_routes[] = {
    { HTTP_GET, "/v1/overview", overview_get, "getOverview", HTTP_ACCESS_KEY },
    { .handler = NULL },
};
