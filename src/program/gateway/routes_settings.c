/* GET and PUT /v1/settings/messages. */
#include "domain/message/message_settings.h"
#include "program/gateway/act.h"
#include "program/gateway/gateway.h"
#include "wire/http/etag.h"
#include "wire/json/json.h"

#define SETTINGS_BODY_BYTES_MAX 4096u

struct settings_work {
    struct http_request *request;
    struct message_settings settings; /* read; or to be written, with the revision that they replace */
    bool has_time_zone;               /* else it stays */
};

static enum err
settings_reply(struct http_request *request, struct http_response *response,
               const struct message_settings *settings)
{
    char tag[ETAG_TEXT_BYTES];
    json_t *uncertain = json_object();

    for (unsigned i = 0; i < MESSAGE_CATEGORY_COUNT; i++)
        show_set(&uncertain, message_category_word((enum message_category)i),
                 json_string(message_uncertain_policy_word(settings->uncertain[i])));
    json_t *wait = settings->uncertain_wait_s == 0 ? json_null() : json_integer(settings->uncertain_wait_s);
    json_t *changed = settings->revision == 0 ? json_null() : show_time(settings->updated_at);
    struct slice printed = arena_copy(request->arena, etag_print(settings->revision, tag));

    if (uncertain == NULL || printed.ptr == NULL) {
        json_decref(uncertain);
        json_decref(wait);
        json_decref(changed);
        return ERR_NO_MEMORY;
    }
    http_response_add(response, "ETag", printed);
    return http_reply_json(request, response, 200,
                           json_pack("{s:o, s:o, s:s, s:o}", "uncertain", uncertain, "uncertain_wait_s", wait,
                                     "time_zone", settings->time_zone, "updated_at", changed));
}

static enum err
settings_read_in(struct db_tx *tx, void *ctx)
{
    struct settings_work *work = ctx;

    return message_settings_read(tx, &work->settings);
}

static enum err
settings_get(struct http_request *request, struct http_response *response)
{
    struct settings_work work = { .request = request };
    enum err err = gateway_read(request, settings_read_in, &work);

    return err == ERR_OK ? settings_reply(request, response, &work.settings) : err;
}

/* The tag is compared in the transaction; who comes between the two is a conflict, and this runs again. */
static enum err
settings_write_in(struct db_tx *tx, void *ctx)
{
    struct settings_work *work = ctx;
    struct message_settings before;
    char tag[ETAG_TEXT_BYTES];
    enum err err = message_settings_read(tx, &before);

    if (err == ERR_OK)
        err = request_check_match(work->request, etag_print(before.revision, tag));
    work->settings.revision = before.revision;
    if (err == ERR_OK && !work->has_time_zone)
        err = message_time_zone_set(&work->settings, slice_text(before.time_zone));
    return err == ERR_OK ? message_settings_write(tx, &work->settings) : err;
}

static enum err
settings_put(struct http_request *request, struct http_response *response)
{
    const json_t *body = request_json(request), *uncertain = json_member(body, "uncertain");
    struct settings_work work = { .request = request };
    enum err err = ERR_OK;

    for (unsigned i = 0; err == ERR_OK && i < MESSAGE_CATEGORY_COUNT; i++)
        err = message_uncertain_policy_parse(
            json_text_of(uncertain, message_category_word((enum message_category)i)),
            &work.settings.uncertain[i]); /* the contract has checked each word */
    struct slice zone = json_text_of(body, "time_zone");
    work.has_time_zone = zone.len != 0;
    if (err == ERR_OK && work.has_time_zone)
        err = message_time_zone_set(&work.settings, zone);
    (void)json_int_of(body, "uncertain_wait_s", &work.settings.uncertain_wait_s); /* null: 0 */
    if (err == ERR_OK)
        err = act_write(request,
                        &(struct act_work){ .action = AUDIT_SETTINGS_UPDATED,
                                            .object_kind = ID_TENANT,
                                            .object = &request->tenant,
                                            .detail = act_members(request) },
                        settings_write_in, &work);
    if (err == ERR_DB_DATA) /* all else was checked by the contract */
        problem_add(&request->problem, request->arena, SLICE("/time_zone"),
                    SLICE("must be a time zone, such as Asia/Kolkata"));
    return err == ERR_OK ? settings_reply(request, response, &work.settings) : err;
}

const struct http_route settings_routes[] = {
    { HTTP_GET, "/v1/settings/messages", settings_get, "getMessageSettings", HTTP_ACCESS_KEY,
      "settings:read" },
    { HTTP_PUT, "/v1/settings/messages", settings_put, "putMessageSettings", HTTP_ACCESS_KEY,
      "settings:manage", .body_bytes_max = SETTINGS_BODY_BYTES_MAX },
    { .handler = NULL },
};
