/* Tasks about a message: one that came in was read, and somebody is typing; the media of one that was sent is
 * lost at the provider. */
#include "domain/channel/whatsapp/whatsapp_media.h"
#include "domain/media/media_provider.h"
#include "domain/message/message_fallback.h"
#include "program/dispatcher/task_handlers.h"
#include "wire/json/json.h"

struct subject {
    const struct task_run *run;
    struct message message;
    struct message_sender senders[MESSAGE_SENDERS_MAX]; /* of one that has a chain */
    size_t sender_count;
};

static enum err
subject_in(struct db_tx *tx, void *ctx)
{
    struct subject *subject = ctx;

    enum err err = message_get(tx, subject->run->claim->subject, subject->run->arena, &subject->message);

    return err == ERR_OK && subject->message.fallback_count > 0
               ? message_senders(tx, subject->message.id, subject->run->arena, subject->senders,
                                 &subject->sender_count)
               : err;
}

/* Doing it twice is doing it once. */
enum err
task_message_mark_read(struct task_run *run)
{
    struct subject incoming = { .run = run };
    json_t *request = NULL;
    struct slice path = arena_format(run->arena, "/%.*s/messages", SLICE_FMT(run->phone_number_id)), body;
    enum err err = path.ptr == NULL ? ERR_NO_MEMORY : task_read(run, subject_in, &incoming);

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

struct lost {
    struct id media[WHATSAPP_MEDIA_REFS_MAX * MESSAGE_SENDERS_MAX];
    size_t count;
};

static enum err
lost_add(struct lost *lost, struct slice text)
{
    struct whatsapp_media_ref refs[WHATSAPP_MEDIA_REFS_MAX];
    json_t *content = NULL;
    size_t count = 0;
    enum err err = json_parse(text, &content);

    if (err == ERR_OK)
        err = whatsapp_media_refs(content, refs, &count);
    for (size_t i = 0; err == ERR_OK && i < count && lost->count < COUNT_OF(lost->media); i++)
        lost->media[lost->count++] = refs[i].media;
    json_decref(content);
    return err;
}

/*
 * Which media it was stands in the content alone, so it takes somebody who may open it. Of a chain, all that
 * this channel may have sent: what is forgotten without need is pushed once more. Nothing is asked.
 */
enum err
task_media_forget(struct task_run *run)
{
    struct lost *lost = arena_alloc(run->arena, sizeof(*lost));
    struct subject sent = { .run = run };
    struct slice peer, text;
    enum err err = lost == NULL ? ERR_NO_MEMORY : task_read(run, subject_in, &sent);

    run->state = lost;
    if (err == ERR_OK)
        err = message_open(run->vault, run->claim->tenant, sent.message.id, &sent.message.sealed, run->arena,
                           &peer, &text);
    if (err == ERR_OK)
        err = lost_add(lost, text);
    for (size_t i = 0; err == ERR_OK && i < sent.sender_count; i++) {
        const struct message_sender *sender = &sent.senders[i];
        if (!sender->has_content || !id_eq(sender->channel, run->claim->channel))
            continue;
        err = message_sender_open(run->vault, run->claim->tenant, sent.message.id, sender, run->arena, &text);
        if (err == ERR_OK)
            err = lost_add(lost, text);
    }
    return err;
}

enum err
task_media_forget_record(struct db_tx *tx, struct task_run *run)
{
    const struct lost *lost = run->state;
    enum err err = ERR_OK;

    for (size_t i = 0; err == ERR_OK && run->is_done && i < lost->count; i++)
        err = media_provider_forget(tx, lost->media[i], run->claim->channel);
    return err;
}
