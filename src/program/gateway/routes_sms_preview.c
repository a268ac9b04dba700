/* POST /v1/sms/preview: what a text becomes. Nothing is sent or kept. */
#include "program/gateway/gateway.h"
#include "program/gateway/reach.h"
#include "program/gateway/sms_check.h"
#include "wire/json/json.h"
#include <stdio.h>

#define PREVIEW_BODY_BYTES_MAX (48u * 1024u)

static json_t *
because_show(const struct sms_text *text)
{
    char code_point[16];
    struct buf character;

    if (text->alphabet != SMS_UCS2 || text->beyond_gsm7 == 0)
        return json_null();
    snprintf(code_point, sizeof(code_point), "U+%04X", (unsigned)text->beyond_gsm7);
    buf_init(&character, 16);
    buf_add_utf8(&character, text->beyond_gsm7);
    json_t *shown =
        json_pack("{s:o, s:s}", "character", show_text(buf_slice(&character)), "code_point", code_point);
    buf_release(&character);
    return shown;
}

/* Some language whose national table it takes; NULL: none. */
static const char *
language_of(const struct sms_text *text)
{
    if (text->alphabet != SMS_GSM7)
        return NULL;
    const char *locking = sms_language_word(text->tables.locking);
    return locking != NULL ? locking : sms_language_word(text->tables.single);
}

static enum err
count_show(const struct sms_way *way, size_t choice, struct slice text, json_t **list)
{
    struct sms_rules rules = sms_way_rules(way, choice);
    struct sms_text measured;
    enum err err = sms_text_measure(text, &rules, &measured);
    bool is_too_long = err == ERR_LIMIT;

    if (err != ERR_OK && !is_too_long)
        return err;
    const char *language = language_of(&measured);
    show_append(
        list,
        json_pack("{s:o, s:s, s:o, s:I, s:I, s:I, s:b, s:o}", "connector_id",
                  choice < way->count ? show_id(ID_SMS_CONNECTOR, way->connectors[choice].id) : json_null(),
                  "alphabet", measured.alphabet == SMS_GSM7 ? "gsm7" : "ucs2", "language",
                  language == NULL ? json_null() : json_string(language), "units", (json_int_t)measured.units,
                  "part_units", (json_int_t)measured.part_units_max, "parts", (json_int_t)measured.part_count,
                  "is_too_long", is_too_long, "unicode_because", because_show(&measured)));
    return ERR_OK;
}

static enum err
preview_post(struct http_request *request, struct http_response *response)
{
    const json_t *body = request_json(request);
    struct sms_way *way = arena_alloc(request->arena, sizeof(*way));
    enum sms_unicode unicode = SMS_UNICODE_AUTO;
    struct sms_content content;
    struct id channel;

    if (way == NULL)
        return ERR_NO_MEMORY;
    enum err err = id_parse(ID_CHANNEL, json_text_of(body, "channel_id"), &channel);
    if (err != ERR_OK || !reach_has_channel(request, channel))
        err = ERR_NOT_FOUND;
    struct slice to = json_text_of(body, "to");
    if (err == ERR_OK)
        err =
            sms_way_read(request, channel, slice_starts_with(to, SLICE("+")) ? to : (struct slice){ NULL, 0 },
                         request->arena, way);
    if (err == ERR_NOT_FOUND) {
        problem_add(&request->problem, request->arena, SLICE("/channel_id"),
                    SLICE("is not an SMS channel of this workspace"));
        return ERR_CHANNEL_UNKNOWN;
    }
    if (err == ERR_OK)
        err = sms_unicode_parse(way->channel.sms.unicode, &unicode);
    if (err == ERR_OK)
        err = sms_content_read(json_member(body, "content"), unicode, SLICE("/content"), request->arena,
                               &request->problem, &content);
    if (err != ERR_OK)
        return err;
    json_t *counts = json_array();
    for (size_t i = 0; err == ERR_OK && i < (way->count == 0 ? 1 : way->count); i++)
        err = count_show(way, i, content.text, &counts);
    if (err != ERR_OK) {
        json_decref(counts);
        return err;
    }
    return http_reply_json(request, response, 200,
                           json_pack("{s:o, s:I, s:o}", "text", show_text(content.text), "changed",
                                     (json_int_t)content.changed, "counts", counts));
}

const struct http_route sms_preview_routes[] = {
    { HTTP_POST, "/v1/sms/preview", preview_post, "previewSms", HTTP_ACCESS_KEY, "messages:send",
      .body_bytes_max = PREVIEW_BODY_BYTES_MAX },
    { .handler = NULL },
};
