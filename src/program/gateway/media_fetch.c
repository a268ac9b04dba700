#include "program/gateway/media_fetch.h"
#include "domain/channel/provider_task.h"
#include "wire/json/json.h"

#define MIME_UNKNOWN "application/octet-stream"

struct media_fetch {
    struct media_new with;
    struct id task;
};

/* Which of the members is the media: the one that the content's type names. */
static json_t *
media_of(const json_t *content)
{
    struct slice type = json_text_of(content, "type");
    enum media_kind kind;

    if (media_kind_parse(type, &kind) != ERR_OK)
        return NULL;
    json_t *object = json_object_get(content, media_kind_word(kind));
    return json_text_of(object, "id").len == 0 ? NULL : object;
}

bool
media_fetch_concerns(const json_t *content)
{
    return media_of(content) != NULL;
}

enum err
media_fetch_prepare(const struct media_fetch_reader *reader, json_t *content, struct media_fetch **out)
{
    json_t *object = media_of(content);
    struct slice name = json_text_of(object, "filename"), mime = json_text_of(object, "mime_type");
    char id[ID_TEXT_BYTES];

    *out = NULL;
    if (object == NULL)
        return ERR_OK;
    struct media_fetch *fetch = arena_alloc(reader->arena, sizeof(*fetch));
    if (fetch == NULL)
        return ERR_NO_MEMORY;
    if (mime.len == 0 || mime.len > MEDIA_MIME_BYTES_MAX)
        mime = SLICE(MIME_UNKNOWN);
    name = slice_first(name, MEDIA_FILE_NAME_BYTES_MAX);
    while (name.len != 0 && !slice_is_utf8(name)) /* cut within a character */
        name.len--;
    fetch->task = id_new(reader->clock);
    fetch->with = (struct media_new){ .id = id_new(reader->clock),
                                      .direction = MEDIA_IN,
                                      .mime_type = arena_copy(reader->arena, mime),
                                      .days = reader->days,
                                      .has_file_name = name.len != 0,
                                      .provider_id = arena_copy(reader->arena, json_text_of(object, "id")) };
    if (fetch->with.mime_type.ptr == NULL || fetch->with.provider_id.ptr == NULL)
        return ERR_NO_MEMORY;
    struct vault_place place = media_file_name_place(reader->tenant, fetch->with.id);
    enum err err = name.len == 0 ? ERR_OK
                                 : vault_seal(reader->vault, VAULT_CONTENT, &place, name, reader->arena,
                                              &fetch->with.file_name);
    struct slice printed = id_print(ID_MEDIA, fetch->with.id, id);
    if (err == ERR_OK && json_object_set_new(object, "media_id", json_stringn(printed.ptr, printed.len)) != 0)
        err = ERR_NO_MEMORY;
    *out = fetch;
    return err;
}

enum err
media_fetch_begin(struct db_tx *tx, const struct clock *clock, struct media_fetch *fetch, struct id channel,
                  struct id message)
{
    fetch->with.channel = channel;
    fetch->with.message = message;
    enum err err = media_begin(tx, clock, &fetch->with);

    return err == ERR_OK
               ? provider_task_create(tx, &(struct provider_task_new){ .id = fetch->task,
                                                                       .channel = channel,
                                                                       .kind = PROVIDER_TASK_MEDIA_FETCH,
                                                                       .subject = fetch->with.id })
               : err;
}
