/*
 * GET /v1/messages/export: all messages that a list with the same filters would show, a line of JSON each,
 * the newest first. A page of the list at a time is in memory. The last line says how many there were:
 * without it, the export was cut. That it began, and what it gave, are events.
 */
#include "core/log.h"
#include "platform/net/http_stream.h"
#include "program/gateway/act.h"
#include "program/gateway/gateway.h"
#include "program/gateway/message_query.h"
#include "program/gateway/message_show.h"
#include "program/gateway/reach.h"
#include "wire/json/json.h"

#define EXPORT_ARENA_BYTES (32u * 1024u * 1024u) /* a page of messages, sealed and opened */
#define EXPORT_LINE_BYTES  (256u * 1024u)

struct export
{
    struct http_request *request;
    struct arena *arena; /* owned; one page's */
    struct id id;        /* of its two events */
    struct message_filter filter;
    bool has_content;
    struct message *messages;
    size_t count, given;
    enum event_type type; /* of the event to be written now */
    bool is_whole;
    struct audit_act act;
};

/* {"actor", "key_id", "filters": [...], ...}: which filters, not what they say, since that may be personal.
 */
static enum err
event_data(const struct export *export, struct buf *out)
{
    const struct principal *principal = export->request->principal;
    bool is_key = principal->kind == PRINCIPAL_KEY;
    char actor[ID_TEXT_BYTES];

    buf_add_format(out, "{\"actor\":\"%s\",\"%s\":\"%.*s\",\"content\":%s,\"filters\":[",
                   is_key ? "api-key" : "person", is_key ? "key_id" : "person_id",
                   SLICE_FMT(id_print(is_key ? ID_KEY : ID_PERSON, principal->actor, actor)),
                   export->has_content ? "true" : "false");
    for (size_t i = 0; i < export->request->query_count; i++) {
        buf_add_text(out, i == 0 ? "" : ",");
        json_add_string(out, export->request->query[i].name);
    }
    buf_add_text(out, "]");
    if (export->type == EVENT_EXPORT_ENDED)
        buf_add_format(out, ",\"count\":%zu,\"whole\":%s", export->given,
                       export->is_whole ? "true" : "false");
    buf_add_text(out, "}");
    return buf_done(out);
}

static enum err
export_note(struct db_tx *tx, const struct export *export, struct slice data)
{
    struct audit_act act = export->act;

    act.detail = data;
    return audit_append(tx, gateway_worker_of(export->request)->gateway->clock, &act);
}

static enum err
event_in(struct db_tx *tx, void *ctx)
{
    const struct export *export = ctx;
    const struct clock *clock = gateway_worker_of(export->request)->gateway->clock;
    struct buf data;

    buf_init(&data, 4096);
    enum err err = event_data(export, &data);
    if (err == ERR_OK)
        err = event_append(tx, &(struct event){ .id = id_new(clock),
                                                .type = export->type,
                                                .subject = export->id,
                                                .occurred_at = clock_wall(clock),
                                                .data = buf_slice(&data) });
    if (err == ERR_OK) /* who took out what, told twice: that it began, and what it gave */
        err = export_note(tx, export, buf_slice(&data));
    buf_release(&data);
    return err;
}

static enum err
page_in(struct db_tx *tx, void *ctx)
{
    struct export *export = ctx;

    return message_list(tx, &export->filter, MESSAGE_LIST_MAX, export->arena, &export->messages,
                        &export->count);
}

/* As a list shows it, with the content beside it when that was asked for. */
static enum err
line_write(const struct export *export, const struct message *message, const struct message_opening *opened)
{
    json_t *shown = message_show(message, opened->peer, opened->metadata), *content = NULL;
    struct buf line;
    enum err err = export->has_content ? json_parse(opened->content, &content) : ERR_OK;

    if (err == ERR_OK && export->has_content)
        err = reach_content(export->request, export->arena, content);
    if (err == ERR_OK && export->has_content)
        show_set(&shown, "content", content);
    else
        json_decref(content);
    if (err == ERR_OK && shown == NULL)
        err = ERR_NO_MEMORY;
    buf_init(&line, EXPORT_LINE_BYTES);
    if (err == ERR_OK)
        err = json_print(shown, &line);
    buf_add_byte(&line, '\n');
    if (err == ERR_OK)
        err = buf_done(&line);
    if (err == ERR_OK)
        err = http_stream_write(export->request, buf_slice(&line));
    buf_release_wiped(&line);
    json_decref(shown);
    return err;
}

/* The rest of this page, and then page after page; each is read once it is wanted. */
static enum err
pages_write(struct export *export)
{
    struct message_opening *opened = NULL;

    for (;;) {
        bool has_more = export->count > MESSAGE_LIST_MAX;
        size_t count = has_more ? MESSAGE_LIST_MAX : export->count;
        enum err err = messages_open(export->request, export->messages, count, export->has_content,
                                     export->arena, &opened);
        for (size_t i = 0; err == ERR_OK && i < count; i++) {
            err = line_write(export, &export->messages[i], &opened[i]);
            export->given += err == ERR_OK;
        }
        if (err != ERR_OK || !has_more)
            return err;
        export->filter.cursor = export->messages[count - 1].id;
        arena_reset(export->arena);
        err = gateway_read(export->request, page_in, export);
        if (err != ERR_OK)
            return err;
    }
}

static enum err
end_write(struct export *export)
{
    char text[64];
    int len = snprintf(text, sizeof(text), "{\"end\":true,\"count\":%zu}\n", export->given);

    return http_stream_write(export->request, slice_of(text, (size_t)len));
}

static enum err
messages_export(struct http_request *request, struct http_response *response)
{
    const struct clock *clock = gateway_worker_of(request)->gateway->clock;
    struct export export = { .request = request, .id = id_new(clock), .type = EVENT_EXPORT_BEGUN };
    enum err err = message_query_read(request, &export.filter);

    export.filter.cursor = export.id; /* what is accepted from now on is not part of it */
    export.has_content = slice_eq(http_query(request, "content"), SLICE("true"));
    export.arena = arena_new(EXPORT_ARENA_BYTES);
    if (err == ERR_OK && export.arena == NULL)
        err = ERR_NO_MEMORY;
    if (err == ERR_OK)
        err = act_begin(request, AUDIT_MESSAGES_EXPORTED, ID_EVENT, (struct id){ { 0 } }, &export.act);
    if (err == ERR_OK)
        err = gateway_write(request, event_in, &export); /* before the first byte leaves */
    if (err == ERR_OK)
        err = gateway_read(request, page_in, &export);
    if (err == ERR_OK) {
        response->status = 200;
        response->content_type = SLICE("application/x-ndjson");
        err = http_stream_answer(request, response, HTTP_STREAM_UNDECLARED);
    }
    if (err != ERR_OK) {
        arena_free(export.arena);
        return err;
    }
    err = pages_write(&export);
    export.is_whole = err == ERR_OK;
    export.type = EVENT_EXPORT_ENDED;
    enum err noted = act_begin(request, AUDIT_MESSAGES_EXPORTED, ID_EVENT, (struct id){ { 0 } }, &export.act);
    if (noted == ERR_OK)
        noted = gateway_write(request, event_in, &export);
    if (err == ERR_OK)
        err = noted; /* what is not on record is not given as whole */
    if (err == ERR_OK)
        err = end_write(&export);
    if (err != ERR_OK)
        log_event(err == ERR_HTTP_BROKEN ? LOG_INFO : LOG_ERROR, "export.cut", LOG_NUM("count", export.given),
                  LOG_ERR(err));
    http_stream_end(request);
    arena_free(export.arena);
    return ERR_DEFERRED;
}

const struct http_route export_routes[] = {
    { HTTP_GET, "/v1/messages/export", messages_export, "exportMessages", HTTP_ACCESS_KEY, "messages:export",
      .is_streamed = true },
    { .handler = NULL },
};
