/* Tasks about a message that came in: it was read, and somebody is typing. */
#include "domain/message/message.h"
#include "program/dispatcher/task_handlers.h"
#include "wire/json/json.h"

struct incoming {
    const struct task_run *run;
    struct message message;
};

static enum err
incoming_in(struct db_tx *tx, void *ctx)
{
    struct incoming *incoming = ctx;

    return message_get(tx, incoming->run->claim->subject, incoming->run->arena, &incoming->message);
}

/* Doing it twice is doing it once. */
enum err
task_message_mark_read(struct task_run *run)
{
    struct incoming incoming = { .run = run };
    json_t *request = NULL;
    struct slice path = arena_format(run->arena, "/%.*s/messages", SLICE_FMT(run->phone_number_id)), body;
    enum err err = path.ptr == NULL ? ERR_NO_MEMORY : task_read(run, incoming_in, &incoming);

    if (err == ERR_OK && run->request.len > 0)
        err = json_parse(run->request, &request);
    if (err == ERR_OK) {
        bool is_typing = json_is_true(json_member(request, "typing"));
        struct slice id = incoming.message.provider_id;
        json_t *asked = json_pack("{s:s, s:s, s:s%}", "messaging_product", "whatsapp", "status", "read",
                                  "message_id", id.ptr, id.len);
        if (asked != NULL && is_typing)
            (void)json_object_set_new(asked, "typing_indicator", json_pack("{s:s}", "type", "text"));
        err = task_print(run, asked, &body);
    }
    json_decref(request);
    return err == ERR_OK ? task_call(run, "POST", path, body, NULL) : err;
}
