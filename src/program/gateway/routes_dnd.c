/* GET /v1/dnd, and POST /v1/dnd/lookup: the registry of who wants no commercial messages, which is the
 * platform's. */
#include "domain/dnd/dnd_watch.h"
#include "program/gateway/act.h"
#include "program/gateway/gateway.h"
#include "wire/json/json.h"
#include <stdio.h>

#define LOOKUP_BODY_BYTES_MAX 1024u

static const char *const day_words[DND_DAY_COUNT] = { "monday", "tuesday",  "wednesday", "thursday",
                                                      "friday", "saturday", "sunday",    "holiday" };

static enum err
dnd_get(struct http_request *request, struct http_response *response)
{
    const struct gateway *gateway = gateway_worker_of(request)->gateway;
    struct dnd_registry *registry = dnd_watch_take(gateway->dnd);
    int64_t days = gateway->role->config.dnd_days;

    if (registry == NULL)
        return http_reply_json(request, response, 200,
                               json_pack("{s:b, s:n, s:n, s:n, s:b, s:I, s:n}", "loaded", 0, "number_count",
                                         "imported_at", "age_seconds", "is_old", 0, "old_after_days",
                                         (json_int_t)days, "source"));
    const struct dnd_registry_facts *facts = dnd_registry_facts(registry);
    int64_t age = (clock_wall(gateway->clock).us - facts->imported_at.us) / 1000000;
    age = age < 0 ? 0 : age; /* another machine's clock, when it was imported */
    json_t *shown = json_pack("{s:b, s:I, s:o, s:I, s:b, s:I, s:s}", "loaded", 1, "number_count",
                              (json_int_t)facts->number_count, "imported_at", show_time(facts->imported_at),
                              "age_seconds", (json_int_t)age, "is_old",
                              dnd_is_old(facts->imported_at, clock_wall(gateway->clock), days),
                              "old_after_days", (json_int_t)days, "source", facts->source);
    dnd_registry_unref(registry);
    return http_reply_json(request, response, 200, shown);
}

static json_t *
preference_show(const struct dnd_preference *preference)
{
    json_t *categories = json_array(), *modes = json_array(), *hours = json_array(), *days = json_array();

    for (unsigned c = 0; c < DND_CATEGORY_COUNT; c++)
        if ((preference->categories >> c & 1) != 0)
            show_append(&categories, json_integer(c));
    for (unsigned m = 0; m < DND_MODE_COUNT; m++)
        if ((preference->modes >> m & 1) != 0)
            show_append(&modes, json_string(dnd_mode_word((enum dnd_mode)m)));
    for (unsigned b = 0; b < DND_BAND_COUNT; b++) {
        char from[8], until[8];

        if ((preference->bands >> b & 1) == 0)
            continue;
        snprintf(from, sizeof(from), "%02u:00", dnd_band_hour(b) % 100);
        snprintf(until, sizeof(until), "%02u:00", dnd_band_hour(b + 1) % 100);
        show_append(&hours, json_pack("{s:s, s:s}", "from", from, "until", until));
    }
    for (unsigned d = 0; d < DND_DAY_COUNT; d++)
        if ((preference->days >> d & 1) != 0)
            show_append(&days, json_string(day_words[d]));
    return json_pack("{s:o, s:o, s:o, s:o}", "categories", categories, "modes", modes, "hours", hours, "days",
                     days);
}

static enum dnd_mode
mode_of(struct slice word)
{
    for (unsigned m = 0; m < DND_MODE_COUNT; m++)
        if (slice_eq(word, slice_text(dnd_mode_word((enum dnd_mode)m))))
            return (enum dnd_mode)m;
    return DND_MODE_SMS; /* unsaid; the contract refuses other words */
}

static enum err
nothing_more_in(struct db_tx *tx UNUSED, void *ctx UNUSED)
{
    return ERR_OK;
}

static json_t *
judged_show(const struct gateway *gateway, const struct dnd_registry *registry, const json_t *body)
{
    struct dnd_preference preference;
    struct wall_time until = { 0 };
    const char *word = "not-applicable";
    int64_t category = 0;
    uint64_t number = 0;
    bool is_listed = false;

    (void)json_int_of(body, "category", &category);
    if (dnd_number_of(json_text_of(body, "recipient"), &number)) {
        is_listed = registry != NULL && dnd_lookup(registry, number, &preference);
        word = registry == NULL ? "unknown" : "clear";
    }
    if (is_listed)
        switch (dnd_judge(&preference, (unsigned)category, mode_of(json_text_of(body, "mode")),
                          clock_wall(gateway->clock), &until)) {
        case DND_CLEAR:
            break;
        case DND_BLOCKED:
            word = "blocked";
            break;
        case DND_NOT_NOW:
            word = "not-now";
            break;
        }
    return json_pack("{s:s, s:o, s:o, s:o}", "verdict", word, "until",
                     strcmp(word, "not-now") == 0 ? show_time(until) : json_null(), "blocked",
                     is_listed ? preference_show(&preference) : json_null(), "registry_imported_at",
                     registry == NULL ? json_null() : show_time(dnd_registry_facts(registry)->imported_at));
}

/* What somebody has said about messages is personal: that it was looked at is on disk before it is shown. */
static enum err
lookup_post(struct http_request *request, struct http_response *response)
{
    const struct gateway *gateway = gateway_worker_of(request)->gateway;
    enum err err =
        act_write(request,
                  &(struct act_work){
                      .action = AUDIT_DND_LOOKED_UP, .object_kind = ID_TENANT, .object = &request->tenant },
                  nothing_more_in, NULL);

    if (err != ERR_OK)
        return err;
    struct dnd_registry *registry = dnd_watch_take(gateway->dnd);
    json_t *shown = judged_show(gateway, registry, request_json(request));
    dnd_registry_unref(registry);
    return http_reply_json(request, response, 200, shown);
}

const struct http_route dnd_routes[] = {
    { HTTP_GET, "/v1/dnd", dnd_get, "getDnd", HTTP_ACCESS_KEY, "settings:read" },
    { HTTP_POST, "/v1/dnd/lookup", lookup_post, "lookUpDnd", HTTP_ACCESS_KEY, "settings:read",
      .body_bytes_max = LOOKUP_BODY_BYTES_MAX },
    { .handler = NULL },
};
