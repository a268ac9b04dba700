/*
 * /v1/media: bytes in and out. They pass through a streaming worker piece by piece, are sealed on the way in
 * and opened on the way out; nothing here holds a whole file.
 */
#include "core/log.h"
#include "crypto/encode.h"
#include "domain/media/media.h"
#include "platform/net/http_stream.h"
#include "program/gateway/gateway.h"
#include "program/gateway/reach.h"
#include "wire/http/multipart.h"
#include "wire/json/json.h"
#include <stdlib.h>

#define PIECE_BYTES       65536u
#define FORM_BYTES_MAX    65536u /* of a form, besides the file */
#define VALUE_BYTES_MAX   128u   /* of a form's field that is read */
#define MB                (INT64_C(1) << 20)
#define UPLOAD_BODY_BYTES (MEDIA_BYTES_MAX + FORM_BYTES_MAX)

/* One upload, from its type to its last byte. */
struct upload {
    struct http_request *request;
    struct gateway_worker *worker;
    const struct config *config;
    const struct media_type *type;
    struct slice file_name; /* empty: none */
    struct media_new with;
    struct media_writer *writer; /* owned */
    struct media_written written;
    bool is_begun;    /* there is a row that must be finished or removed */
    bool is_judged;   /* the first bytes have been looked at */
    size_t bytes_max; /* what the type and they allow */
    uint64_t bytes;
    size_t head_len;
    char head[MEDIA_HEAD_BYTES];
};

static enum err
begin_in(struct db_tx *tx, void *ctx)
{
    const struct upload *upload = ctx;

    return media_begin(tx, upload->worker->gateway->clock, &upload->with);
}

static enum err
finish_in(struct db_tx *tx, void *ctx)
{
    const struct upload *upload = ctx;

    return media_finish(tx, upload->with.id, &upload->written);
}

static enum err
abandon_in(struct db_tx *tx, void *ctx)
{
    const struct upload *upload = ctx;

    return media_abandon(tx, upload->with.id);
}

/* No path, no control characters, and so long: what a file name is to those who get it. */
static enum err
file_name_check(struct upload *upload)
{
    struct slice name = upload->file_name;
    bool is_fit = name.len <= MEDIA_FILE_NAME_BYTES_MAX && slice_is_utf8(name);

    for (size_t i = 0; i < name.len; i++)
        is_fit = is_fit && (unsigned char)name.ptr[i] >= 0x20 && name.ptr[i] != 0x7f && name.ptr[i] != '/' &&
                 name.ptr[i] != '\\';
    if (is_fit)
        return ERR_OK;
    problem_add_parameter(&upload->request->problem, upload->request->arena, SLICE("file_name"),
                          SLICE("must be at most 255 bytes of UTF-8 without control characters and slashes"));
    return ERR_QUERY;
}

/* Reserves the room and takes the row: all that can be refused before the bytes have come. */
static enum err
upload_begin(struct upload *upload, struct slice content_type, uint64_t reserve)
{
    struct http_request *request = upload->request;
    struct vault_place place;

    upload->type = media_type_find(content_type);
    if (upload->type == NULL)
        return ERR_MEDIA_TYPE;
    upload->bytes_max = upload->type->bytes_max;
    if (reserve == 0)
        return ERR_MEDIA_EMPTY;
    if (reserve == HTTP_STREAM_UNDECLARED)
        reserve = upload->bytes_max;
    if (reserve > upload->bytes_max)
        return ERR_MEDIA_SIZE;
    enum err err = file_name_check(upload);
    upload->with = (struct media_new){ .id = id_new(upload->worker->gateway->clock),
                                       .direction = MEDIA_OUT,
                                       .mime_type = slice_text(upload->type->mime),
                                       .bytes = reserve,
                                       .storage_max = (uint64_t)(upload->config->media_storage_mb * MB),
                                       .days = upload->config->media_days,
                                       .has_file_name = upload->file_name.len != 0 };
    place = media_file_name_place(request->tenant, upload->with.id);
    if (err == ERR_OK && upload->with.has_file_name)
        err = vault_seal(&upload->worker->vault, VAULT_CONTENT, &place, upload->file_name, request->arena,
                         &upload->with.file_name);
    if (err == ERR_OK)
        err = gateway_write(request, begin_in, upload);
    if (err != ERR_OK)
        return err;
    upload->is_begun = true;
    return media_writer_new(&(struct media_writer_config){ .db = upload->worker->db,
                                                           .vault = &upload->worker->vault,
                                                           .clock = upload->worker->gateway->clock,
                                                           .tenant = request->tenant,
                                                           .media = upload->with.id,
                                                           .bytes_max = upload->bytes_max },
                            &upload->writer);
}

static enum err
upload_judge(struct upload *upload)
{
    upload->is_judged = true;
    return media_type_check(upload->type, slice_of(upload->head, upload->head_len), &upload->bytes_max);
}

static enum err
upload_bytes(struct upload *upload, struct slice bytes)
{
    enum err err = ERR_OK;

    if (bytes.len > upload->bytes_max - upload->bytes)
        return ERR_MEDIA_SIZE;
    upload->bytes += bytes.len;
    if (!upload->is_judged) {
        struct slice part = slice_first(bytes, sizeof(upload->head) - upload->head_len);
        if (part.len != 0)
            memcpy(upload->head + upload->head_len, part.ptr, part.len);
        upload->head_len += part.len;
        if (upload->head_len == sizeof(upload->head))
            err = upload_judge(upload);
        if (err == ERR_OK && upload->bytes > upload->bytes_max) /* the first bytes lowered the limit */
            err = ERR_MEDIA_SIZE;
    }
    return err == ERR_OK ? media_writer_put(upload->writer, bytes) : err;
}

static enum err
upload_end(struct upload *upload)
{
    enum err err = upload->is_judged ? ERR_OK : upload_judge(upload);

    if (err == ERR_OK && upload->bytes > upload->bytes_max)
        err = ERR_MEDIA_SIZE;
    if (err == ERR_OK)
        err = media_writer_end(upload->writer, &upload->written);
    return err;
}

/* The body is the file. */
static enum err
raw_take(struct upload *upload, char *piece)
{
    struct http_request *request = upload->request;
    size_t len = 0;
    enum err err = upload_begin(upload, http_header(request, "Content-Type"), http_stream_declared(request));

    if (err == ERR_OK)
        err = http_stream_accept(request);
    while (err == ERR_OK) {
        err = http_stream_read(request, piece, PIECE_BYTES, &len);
        if (err != ERR_OK || len == 0)
            break;
        err = upload_bytes(upload, slice_of(piece, len));
    }
    return err == ERR_OK ? upload_end(upload) : err;
}

/* A form as the Cloud API takes it: `type` (before the file) or the file's own Content-Type; `file`. */
struct form {
    struct upload *upload;
    struct multipart parser;
    bool is_file, is_type, has_file;
    size_t type_len;
    char type[VALUE_BYTES_MAX];
};

static enum err
form_part(struct form *form)
{
    struct upload *upload = form->upload;
    struct multipart *parser = &form->parser;

    form->is_file = slice_eq(parser->name, SLICE("file"));
    form->is_type = slice_eq(parser->name, SLICE("type"));
    if (!form->is_file)
        return ERR_OK;
    if (form->has_file) {
        problem_add(&upload->request->problem, upload->request->arena, SLICE_EMPTY,
                    SLICE("must hold one file"));
        return ERR_CONTRACT;
    }
    form->has_file = true;
    if (upload->file_name.len == 0 && parser->file_name.len != 0) {
        upload->file_name = arena_copy(upload->request->arena, parser->file_name);
        if (upload->file_name.ptr == NULL)
            return ERR_NO_MEMORY;
    }
    struct slice type = form->type_len != 0 ? slice_of(form->type, form->type_len) : parser->content_type;
    uint64_t declared = http_stream_declared(upload->request);
    /* What the form itself takes is not known: room is reserved for what can be the file at most. */
    const struct media_type *known = media_type_find(type);
    if (known != NULL && declared > known->bytes_max + FORM_BYTES_MAX && declared != HTTP_STREAM_UNDECLARED)
        return ERR_MEDIA_SIZE;
    if (known == NULL || declared > known->bytes_max)
        declared = HTTP_STREAM_UNDECLARED;
    return upload_begin(upload, type, declared);
}

static enum err
form_data(struct form *form, struct slice data)
{
    if (form->is_file)
        return upload_bytes(form->upload, data);
    if (!form->is_type)
        return ERR_OK;
    if (data.len > sizeof(form->type) - form->type_len)
        return ERR_MEDIA_TYPE;
    memcpy(form->type + form->type_len, data.ptr, data.len);
    form->type_len += data.len;
    return ERR_OK;
}

static enum err
form_take(struct upload *upload, char *piece)
{
    struct http_request *request = upload->request;
    struct form form = { .upload = upload };
    enum multipart_event event = MULTIPART_MORE;
    struct slice data;
    size_t len = 1;
    enum err err = multipart_init(&form.parser, http_header(request, "Content-Type"));

    if (err == ERR_OK)
        err = http_stream_accept(request);
    while (err == ERR_OK && len != 0) {
        err = http_stream_read(request, piece, PIECE_BYTES, &len);
        struct slice rest = slice_of(piece, len);
        while (err == ERR_OK && rest.len != 0) {
            err = multipart_next(&form.parser, &rest, &event, &data);
            if (err == ERR_OK && event == MULTIPART_PART)
                err = form_part(&form);
            if (err == ERR_OK && event == MULTIPART_DATA)
                err = form_data(&form, data);
        }
    }
    if (err != ERR_OK)
        return err;
    if (!form.has_file || event != MULTIPART_END) {
        problem_add(&request->problem, request->arena, SLICE_EMPTY,
                    form.has_file ? SLICE("must end with its last delimiter")
                                  : SLICE("must hold a part of the name file"));
        return ERR_CONTRACT;
    }
    return upload_end(upload);
}

static json_t *
error_show(const struct media *media)
{
    return media->error_code.len == 0 ? json_null()
                                      : json_pack("{s:o, s:o}", "code", show_text(media->error_code), "title",
                                                  show_text(media->error_title));
}

static json_t *
sha256_show(const struct media *media)
{
    struct buf text;

    if (!media->has_sha256 || media->state != MEDIA_READY)
        return json_null();
    buf_init(&text, (size_t)2 * HASH_BYTES);
    encode_hex(&text, slice_of(media->sha256, HASH_BYTES));
    json_t *shown = buf_done(&text) == ERR_OK ? show_text(buf_slice(&text)) : NULL;
    buf_release(&text);
    return shown;
}

static json_t *
media_show(const struct media *media, struct slice file_name)
{
    bool is_in = media->direction == MEDIA_IN;

    return json_pack("{s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id",
                     show_id(ID_MEDIA, media->id), "direction", is_in ? "inbound" : "outbound", "state",
                     media_state_word(media->state), "type",
                     media->type == NULL ? json_null() : json_string(media_kind_word(media->type->kind)),
                     "mime_type", show_text(media->mime_type), "bytes",
                     media->state == MEDIA_READY ? json_integer((json_int_t)media->bytes) : json_null(),
                     "sha256", sha256_show(media), "file_name", show_text_or_null(file_name), "channel_id",
                     is_in ? show_id(ID_CHANNEL, media->channel) : json_null(), "message_id",
                     is_in ? show_id(ID_MESSAGE, media->message) : json_null(), "error", error_show(media),
                     "created_at", show_time(media->created_at), "expires_at", show_time(media->expires_at));
}

struct read {
    const struct http_request *request;
    struct id id;
    struct arena *arena;
    struct media media;
};

static enum err
read_in(struct db_tx *tx, void *ctx)
{
    struct read *read = ctx;

    return media_get(tx, read->id, read->arena, &read->media);
}

static enum err
file_name_open(struct http_request *request, const struct media *media, struct slice *out)
{
    struct vault_place place = media_file_name_place(request->tenant, media->id);

    *out = SLICE_EMPTY;
    return media->has_file_name ? vault_open_content(&gateway_worker_of(request)->vault, &place,
                                                     &media->file_name, request->arena, out)
                                : ERR_OK;
}

static enum err
media_load(struct http_request *request, struct read *read, struct slice *file_name_out)
{
    enum err err = gateway_path_id(request, "media_id", ID_MEDIA, &read->id);

    read->arena = request->arena;
    if (err == ERR_OK)
        err = gateway_read(request, read_in, read);
    if (err == ERR_OK && read->media.direction == MEDIA_IN)
        err = reach_check_channel(request, read->media.channel);
    return err == ERR_OK ? file_name_open(request, &read->media, file_name_out) : err;
}

/* POST /v1/media. Whatever fails, nothing of it stays. */
static enum err
media_post(struct http_request *request, struct http_response *response)
{
    struct gateway_worker *worker = gateway_worker_of(request);
    struct upload upload = { .request = request,
                             .worker = worker,
                             .config = &worker->gateway->role->config,
                             .file_name = http_query(request, "file_name") };
    char *piece = malloc(PIECE_BYTES), room[MEDIA_FILE_NAME_BYTES_MAX];
    struct slice disposition = http_header(request, "Content-Disposition");
    struct slice type = http_header(request, "Content-Type");
    struct read read = { .arena = request->arena };
    enum err err = ERR_NO_MEMORY;

    if (piece == NULL)
        goto done;
    if (upload.file_name.len == 0 && disposition.len != 0)
        upload.file_name = multipart_parameter(disposition, "filename", room, sizeof(room));
    struct slice rest = type;
    if (slice_eq_nocase(slice_trim(slice_take_until(&rest, ';')), SLICE("multipart/form-data")))
        err = form_take(&upload, piece);
    else
        err = raw_take(&upload, piece);
    if (err == ERR_OK)
        err = gateway_write(request, finish_in, &upload);
    read.id = upload.with.id;
    if (err == ERR_OK) {
        upload.is_begun = false;
        err = gateway_read(request, read_in, &read);
    }
done:
    if (upload.is_begun && gateway_write(request, abandon_in, &upload) != ERR_OK)
        log_event(LOG_WARN, "media.left", LOG_ID("media", ID_MEDIA, upload.with.id));
    media_writer_free(upload.writer);
    if (piece != NULL)
        explicit_bzero(piece, PIECE_BYTES);
    free(piece);
    explicit_bzero(upload.head, sizeof(upload.head));
    if (err != ERR_OK)
        return err;
    gateway_locate(request, response, "/v1/media/", ID_MEDIA, read.id);
    return http_reply_json(request, response, 201, media_show(&read.media, upload.file_name));
}

static enum err
media_get_one(struct http_request *request, struct http_response *response)
{
    struct read read = { 0 };
    struct slice file_name;
    enum err err = media_load(request, &read, &file_name);

    return err == ERR_OK ? http_reply_json(request, response, 200, media_show(&read.media, file_name)) : err;
}

/* attachment; filename*=UTF-8''... (RFC 6266, RFC 8187): whatever the name holds, it stays one value. */
static struct slice
disposition_print(struct arena *arena, struct slice file_name)
{
    static const char kept[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    struct buf text;

    buf_init(&text, 64 + 3 * MEDIA_FILE_NAME_BYTES_MAX);
    buf_add_text(&text, "attachment");
    if (file_name.len != 0)
        buf_add_text(&text, "; filename*=UTF-8''");
    for (size_t i = 0; i < file_name.len; i++) {
        if (memchr(kept, file_name.ptr[i], sizeof(kept) - 1) != NULL)
            buf_add_byte(&text, file_name.ptr[i]);
        else
            buf_add_format(&text, "%%%02X", (unsigned char)file_name.ptr[i]);
    }
    struct slice value =
        buf_done(&text) == ERR_OK ? arena_copy(arena, buf_slice(&text)) : SLICE("attachment");
    buf_release_wiped(&text);
    return value.ptr == NULL ? SLICE("attachment") : value;
}

/* The first chunk is opened before anything is answered: what cannot be read is a problem document, not a
 * torn file. */
static enum err
media_get_content(struct http_request *request, struct http_response *response)
{
    struct gateway_worker *worker = gateway_worker_of(request);
    struct arena *arena = arena_new(MEDIA_CHUNK_ARENA_BYTES);
    struct read read = { 0 };
    struct slice file_name, chunk;
    uint32_t number = 0;
    enum err err = arena == NULL ? ERR_NO_MEMORY : media_load(request, &read, &file_name);

    if (err == ERR_OK && read.media.state != MEDIA_READY)
        err = ERR_MEDIA_STATE;
    if (err == ERR_OK)
        err =
            media_chunk_open(worker->db, &worker->vault, request->tenant, &read.media, number, arena, &chunk);
    if (err == ERR_OK) {
        response->status = 200;
        response->content_type = read.media.mime_type;
        http_response_add(response, "Content-Disposition", disposition_print(request->arena, file_name));
        err = http_stream_answer(request, response, read.media.bytes);
    }
    if (err != ERR_OK) {
        arena_free(arena);
        return err;
    }
    err = http_stream_write(request, chunk);
    while (err == ERR_OK && ++number < read.media.chunk_count) {
        arena_reset(arena);
        err =
            media_chunk_open(worker->db, &worker->vault, request->tenant, &read.media, number, arena, &chunk);
        if (err == ERR_OK)
            err = http_stream_write(request, chunk);
    }
    if (err != ERR_OK && err != ERR_HTTP_BROKEN)
        log_event(LOG_ERROR, "media.not_given", LOG_ID("media", ID_MEDIA, read.id), LOG_ERR(err));
    http_stream_end(request);
    arena_free(arena);
    return ERR_DEFERRED;
}

static enum err
delete_in(struct db_tx *tx, void *ctx)
{
    struct read *read = ctx;
    enum err err = media_get(tx, read->id, read->arena, &read->media);

    if (err == ERR_OK && read->media.direction == MEDIA_IN)
        err = reach_check_channel(read->request, read->media.channel);
    return err == ERR_OK ? media_delete(tx, read->id) : err;
}

static enum err
media_remove(struct http_request *request, struct http_response *response)
{
    struct read read = { .request = request, .arena = request->arena };
    enum err err = gateway_path_id(request, "media_id", ID_MEDIA, &read.id);

    if (err == ERR_OK)
        err = gateway_write(request, delete_in, &read);
    return err == ERR_OK ? http_reply_empty(response, 204) : err;
}

const struct http_route media_routes[] = {
    { HTTP_POST, "/v1/media", media_post, "createMedia", HTTP_ACCESS_KEY, "media:write",
      .body_bytes_max = UPLOAD_BODY_BYTES, .is_streamed = true },
    { HTTP_GET, "/v1/media/{media_id}", media_get_one, "getMedia", HTTP_ACCESS_KEY, "media:read" },
    { HTTP_GET, "/v1/media/{media_id}/content", media_get_content, "getMediaContent", HTTP_ACCESS_KEY,
      "media:read", .is_streamed = true },
    { HTTP_DELETE, "/v1/media/{media_id}", media_remove, "deleteMedia", HTTP_ACCESS_KEY, "media:write" },
    { .handler = NULL },
};
