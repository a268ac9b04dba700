#include "program/dispatcher/send_media.h"
#include "domain/channel/provider_task.h"
#include "domain/channel/whatsapp/whatsapp_media.h"
#include "domain/media/media_provider.h"

struct look {
    const struct clock *clock;
    const struct message_claim *claim;
    struct whatsapp_media_ref refs[WHATSAPP_MEDIA_REFS_MAX];
    struct slice provider_ids[WHATSAPP_MEDIA_REFS_MAX];
    size_t count;
    struct arena *arena;
    struct send_media *out;
};

/* The media is with us, and the provider has none of it: a push, asked for once. */
static enum err
push_begin(struct db_tx *tx, const struct look *look, struct id media, struct wall_time now)
{
    enum err err = media_provider_begin(tx, media, look->claim->channel, now);

    return err == ERR_OK
               ? provider_task_create(tx, &(struct provider_task_new){ .id = id_new(look->clock),
                                                                       .channel = look->claim->channel,
                                                                       .kind = PROVIDER_TASK_MEDIA_PUSH,
                                                                       .subject = media })
               : err;
}

static enum err
one_look(struct db_tx *tx, struct look *look, size_t i)
{
    struct id id = look->refs[i].media, channel = look->claim->channel;
    struct wall_time now = clock_wall(look->clock);
    struct media_provider there;
    struct media media;
    enum err err = media_get(tx, id, look->arena, &media);

    if (err == ERR_NOT_FOUND || (err == ERR_OK && media.state == MEDIA_FAILED)) {
        look->out->verdict = SEND_MEDIA_FAIL;
        look->out->code = SLICE("media-unknown");
        return ERR_OK;
    }
    if (err != ERR_OK)
        return err;
    err = media_provider_find(tx, id, channel, now, look->arena, &there);
    if (err == ERR_NOT_FOUND && media.state == MEDIA_READY)
        err = push_begin(tx, look, id, now);
    else if (err == ERR_OK && there.state == MEDIA_PROVIDER_READY) {
        look->provider_ids[i] = there.provider_id;
        return ERR_OK;
    } else if (err == ERR_OK && there.state == MEDIA_PROVIDER_FAILED) {
        look->out->verdict = SEND_MEDIA_FAIL;
        look->out->code = there.error_code;
        return ERR_OK;
    }
    if (err != ERR_OK &&
        err != ERR_NOT_FOUND) /* not found: it is being fetched; looked at again in a while */
        return err;
    if (look->out->verdict == SEND_MEDIA_GO)
        look->out->verdict = SEND_MEDIA_WAIT;
    return media_wait_add(tx, id, channel, look->claim->message);
}

static enum err
look_in(struct db_tx *tx, void *ctx)
{
    struct look *look = ctx;
    enum err err = ERR_OK;

    *look->out = (struct send_media){ .verdict = SEND_MEDIA_GO };
    for (size_t i = 0; err == ERR_OK && i < look->count; i++)
        err = one_look(tx, look, i);
    return err;
}

enum err
send_media_replace(struct db *db, const struct clock *clock, const struct message_claim *claim,
                   json_t *content, struct arena *arena, struct send_media *out)
{
    struct look look = { .clock = clock, .claim = claim, .arena = arena, .out = out };
    enum err err = whatsapp_media_refs(content, look.refs, &look.count);

    *out = (struct send_media){ .verdict = SEND_MEDIA_GO };
    if (err != ERR_OK || look.count == 0)
        return err;
    err = db_run(db, claim->tenant, look_in, &look);
    for (out->count = 0; out->count < look.count; out->count++)
        out->media[out->count] = look.refs[out->count].media;
    for (size_t i = 0; err == ERR_OK && out->verdict == SEND_MEDIA_GO && i < look.count; i++)
        if (json_object_set_new(look.refs[i].object, "id",
                                json_stringn(look.provider_ids[i].ptr, look.provider_ids[i].len)) != 0)
            err = ERR_NO_MEMORY;
    return err;
}
