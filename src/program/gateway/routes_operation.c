/* /v1/operations: what is asked of a provider besides sending, and what came of it. */
#include "domain/channel/channel.h"
#include "program/gateway/act.h"
#include "program/gateway/operation_show.h"
#include "program/gateway/reach.h"
#include "wire/json/json.h"

#define REQUEST_BYTES_MAX 16384u /* what the vault takes as a credential */

static const char *const state_words[] = { [PROVIDER_TASK_WAITING] = "waiting",
                                           [PROVIDER_TASK_LEASED] = "running",
                                           [PROVIDER_TASK_DONE] = "succeeded",
                                           [PROVIDER_TASK_FAILED] = "failed" };

static json_t *
error_show(const struct provider_task *task)
{
    if (task->error_class.len == 0)
        return json_null();
    return json_pack("{s:o, s:o, s:o}", "code", show_text(task->error_code), "title",
                     show_text(task->error_title), "class", show_text(task->error_class));
}

json_t *
operation_show(const struct provider_task *task)
{
    json_t *result = NULL;

    if (json_parse(task->result, &result) != ERR_OK)
        return NULL;
    return json_pack("{s:o, s:s, s:o, s:o, s:s, s:i, s:o, s:o, s:o, s:o, s:o}", "id",
                     show_id(ID_OPERATION, task->id), "kind", provider_task_kind_word(task->kind),
                     "channel_id", show_id(ID_CHANNEL, task->channel), "subject_id",
                     id_is_zero(task->subject)
                         ? json_null()
                         : show_id(provider_task_subject_kind(task->kind), task->subject),
                     "state", state_words[task->state], "attempt_count", task->attempt, "due_at",
                     task->state == PROVIDER_TASK_WAITING ? show_time(task->due_at) : json_null(), "error",
                     error_show(task), "result", result, "created_at", show_time(task->created_at),
                     "finished_at", task->has_finished ? show_time(task->finished_at) : json_null());
}

struct begin {
    struct provider_task_new with;
    struct arena *arena;
    struct provider_task task;
};

static enum err
begin_in(struct db_tx *tx, void *ctx)
{
    struct begin *begin = ctx;
    struct channel channel;
    enum err err = channel_get(tx, begin->with.channel, begin->arena, &channel);

    if (err == ERR_OK)
        err = provider_task_create(tx, &begin->with);
    return err == ERR_OK ? provider_task_get(tx, begin->with.id, begin->arena, &begin->task) : err;
}

enum err
operation_begin(struct http_request *request, const struct operation_new *with, json_t *content,
                struct provider_task *out)
{
    struct gateway_worker *worker = gateway_worker_of(request);
    struct begin begin = { .arena = request->arena,
                           .with = { .id = id_new(worker->gateway->clock),
                                     .channel = with->channel,
                                     .kind = with->kind,
                                     .subject = with->subject,
                                     .moves_media = with->moves_media,
                                     .is_asked = true } };
    struct vault_place place = provider_task_place(request->tenant, begin.with.id);
    struct vault_sealed sealed;
    struct buf text;
    enum err err = ERR_OK;

    buf_init(&text, REQUEST_BYTES_MAX);
    if (content != NULL) {
        err = json_print(content, &text);
        if (err == ERR_OK)
            err = vault_seal(&worker->vault, VAULT_CREDENTIAL, &place, buf_slice(&text), request->arena,
                             &sealed);
        begin.with.request = &sealed;
    }
    if (err == ERR_OK)
        err =
            act_write(request,
                      &(struct act_work){ .action = AUDIT_OPERATION_ASKED,
                                          .object_kind = ID_OPERATION,
                                          .object = &begin.with.id,
                                          .detail = arena_format(request->arena, "{\"kind\":\"%s\"}",
                                                                 provider_task_kind_word(begin.with.kind)) },
                      begin_in, &begin);
    if (err == ERR_OK)
        *out = begin.task;
    buf_release_wiped(&text);
    json_decref(content);
    return err;
}

enum err
operation_reply(struct http_request *request, struct http_response *response,
                const struct provider_task *task)
{
    gateway_locate(request, response, "/v1/operations/", ID_OPERATION, task->id);
    return http_reply_json(request, response, 202, operation_show(task));
}

struct read {
    struct id id;
    struct gateway_page page;
    struct arena *arena;
    struct channel channel;
    struct provider_task task, *tasks;
    size_t count;
};

static enum err
read_one(struct db_tx *tx, void *ctx)
{
    struct read *read = ctx;

    return provider_task_get(tx, read->id, read->arena, &read->task);
}

static enum err
read_list(struct db_tx *tx, void *ctx)
{
    struct read *read = ctx;
    enum err err = channel_get(tx, read->id, read->arena, &read->channel);

    return err == ERR_OK ? provider_task_list(tx, read->id, read->page.cursor, read->page.limit, read->arena,
                                              &read->tasks, &read->count)
                         : err;
}

static enum err
operation_get(struct http_request *request, struct http_response *response)
{
    struct read read = { .arena = request->arena };
    enum err err = gateway_path_id(request, "operation_id", ID_OPERATION, &read.id);

    if (err == ERR_OK)
        err = gateway_read(request, read_one, &read);
    if (err == ERR_OK)
        err = reach_check_channel(request, read.task.channel);
    return err == ERR_OK ? http_reply_json(request, response, 200, operation_show(&read.task)) : err;
}

static enum err
operation_get_list(struct http_request *request, struct http_response *response)
{
    struct read read = { .arena = request->arena };
    enum err err = gateway_path_id(request, "channel_id", ID_CHANNEL, &read.id);

    if (err == ERR_OK)
        err = gateway_page_read(request, ID_OPERATION, &read.page);
    if (err == ERR_OK)
        err = gateway_read(request, read_list, &read);
    if (err != ERR_OK)
        return err;
    size_t shown = gateway_page_shown(&read.page, read.count);
    json_t *items = json_array();
    for (size_t i = 0; i < shown; i++)
        show_append(&items, operation_show(&read.tasks[i]));
    return gateway_page_reply(request, response, &read.page, read.count, items);
}

const struct http_route operation_routes[] = {
    { HTTP_GET, "/v1/operations/{operation_id}", operation_get, "getOperation", HTTP_ACCESS_KEY,
      "channels:read" },
    { HTTP_GET, "/v1/channels/{channel_id}/operations", operation_get_list, "listChannelOperations",
      HTTP_ACCESS_KEY, "channels:read" },
    { .handler = NULL },
};
