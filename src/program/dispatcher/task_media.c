/*
 * Media to the provider and from it, piece by piece: a push reads our sealed chunks as the request goes out,
 * a fetch seals them as the answer comes in. Both may run again: a fetch writes from the beginning, and a
 * push that was not heard of leaves a file at the provider that goes by itself.
 */
#include "core/num.h"
#include "crypto/encode.h"
#include "crypto/random.h"
#include "domain/channel/whatsapp/whatsapp_media.h"
#include "domain/event/event.h"
#include "domain/media/media_provider.h"
#include "domain/message/message_queue.h"
#include "program/dispatcher/task_handlers.h"
#include "program/dispatcher/task_internal.h"
#include "wire/json/json.h"

#define MEDIA_TIMEOUT_MS 300000
#define FETCH_URLS_MAX   3 /* a URL lives five minutes: when it is over, another is asked for */
#define BOUNDARY_BYTES   16u
#define FORM_HEAD_BYTES  2048u
#define MB               (INT64_C(1) << 20)

/* What both know of their media, from `run` to `record`. */
struct work {
    struct task_run *run;
    struct media media;
    struct slice file_name;
    bool is_gone; /* deleted, or there is nothing to do any more */
    struct media_written written;
    struct slice provider_id;
    uint64_t reserve;
};

static enum err
load_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return media_get(tx, work->run->claim->subject, work->run->arena, &work->media);
}

static enum err
work_new(struct task_run *run, struct work **out)
{
    struct work *work = arena_alloc(run->arena, sizeof(*work));

    if (work == NULL)
        return ERR_NO_MEMORY;
    work->run = run;
    run->state = *out = work;
    enum err err = task_read(run, load_in, work);
    work->is_gone = err == ERR_NOT_FOUND;
    return work->is_gone ? ERR_OK : err;
}

/* A push's body: the form's head, the chunks, its tail. */
struct push {
    struct work *work;
    struct slice head, tail;
    struct slice part;   /* what is left of the piece in hand */
    struct arena *arena; /* owned; of one chunk */
    uint32_t next;       /* chunk */
    bool has_head, has_tail;
};

static enum err
push_read(void *ctx, char *to, size_t max, size_t *len_out)
{
    struct push *push = ctx;
    struct task_run *run = push->work->run;
    const struct media *media = &push->work->media;
    enum err err = ERR_OK;

    if (push->part.len == 0 && !push->has_head) {
        push->has_head = true;
        push->part = push->head;
    } else if (push->part.len == 0 && push->next < media->chunk_count) {
        arena_reset(push->arena);
        err = task_hold(run);
        if (err == ERR_OK)
            err = media_chunk_open(run->runner->db, run->vault, run->claim->tenant, media, push->next++,
                                   push->arena, &push->part);
    } else if (push->part.len == 0 && !push->has_tail) {
        push->has_tail = true;
        push->part = push->tail;
    }
    if (err != ERR_OK)
        return err;
    struct slice piece = slice_first(push->part, max);
    if (piece.len != 0)
        memcpy(to, piece.ptr, piece.len);
    push->part = slice_drop(push->part, piece.len);
    *len_out = piece.len;
    return ERR_OK;
}

/* In a quoted string of a form, what would end it is percent-encoded, as browsers do. */
static void
name_add(struct buf *out, struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        if (c == '"' || c == '\r' || c == '\n' || c == '\0')
            buf_add_format(out, "%%%02X", c);
        else
            buf_add_byte(out, (char)c);
    }
}

static enum err
form_print(struct push *push, struct slice boundary)
{
    struct work *work = push->work;
    struct arena *arena = work->run->arena;
    struct buf text;

    buf_init(&text, FORM_HEAD_BYTES);
    buf_add_format(&text,
                   "--%.*s\r\nContent-Disposition: form-data; name=\"messaging_product\"\r\n\r\nwhatsapp\r\n"
                   "--%.*s\r\nContent-Disposition: form-data; name=\"type\"\r\n\r\n%.*s\r\n"
                   "--%.*s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"",
                   SLICE_FMT(boundary), SLICE_FMT(boundary), SLICE_FMT(work->media.mime_type),
                   SLICE_FMT(boundary));
    name_add(&text, work->file_name.len == 0 ? SLICE("file") : work->file_name);
    buf_add_format(&text, "\"\r\nContent-Type: %.*s\r\n\r\n", SLICE_FMT(work->media.mime_type));
    enum err err = buf_done(&text);
    push->head = arena_copy(arena, buf_slice(&text));
    push->tail = arena_format(arena, "\r\n--%.*s--\r\n", SLICE_FMT(boundary));
    buf_release_wiped(&text);
    return err == ERR_OK && (push->head.ptr == NULL || push->tail.ptr == NULL) ? ERR_NO_MEMORY : err;
}

static enum err
boundary_make(struct arena *arena, struct slice *out)
{
    unsigned char drawn[BOUNDARY_BYTES];
    struct buf text;
    enum err err = random_fill(drawn, sizeof(drawn));

    buf_init(&text, 2 * sizeof(drawn));
    if (err == ERR_OK)
        encode_hex(&text, slice_of(drawn, sizeof(drawn)));
    *out = arena_copy(arena, buf_slice(&text));
    buf_release(&text);
    return err == ERR_OK && out->ptr == NULL ? ERR_NO_MEMORY : err;
}

static enum err
push_send(struct push *push)
{
    struct work *work = push->work;
    struct task_run *run = work->run;
    const json_t *answer = NULL;
    struct slice boundary, type, path;
    enum err err = boundary_make(run->arena, &boundary);

    if (err == ERR_OK)
        err = form_print(push, boundary);
    if (err != ERR_OK)
        return err;
    path = arena_format(run->arena, "/%.*s/media", SLICE_FMT(run->phone_number_id));
    type = arena_format(run->arena, "Content-Type: multipart/form-data; boundary=%.*s", SLICE_FMT(boundary));
    if (path.ptr == NULL || type.ptr == NULL)
        return ERR_NO_MEMORY;
    err =
        task_call_with(run,
                       &(struct task_request){
                           .method = "POST",
                           .path = path,
                           .content_type = type.ptr,
                           .source = { push->head.len + work->media.bytes + push->tail.len, push_read, push },
                           .timeout_ms = MEDIA_TIMEOUT_MS },
                       &answer);
    if (err != ERR_OK)
        return err;
    work->provider_id = arena_copy(run->arena, json_text_of(answer, "id"));
    return work->provider_id.len == 0
               ? task_fail(run, "media-unanswered", "WhatsApp did not say what it calls the media.")
               : ERR_OK;
}

enum err
task_media_push(struct task_run *run)
{
    struct vault_place place = media_file_name_place(run->claim->tenant, run->claim->subject);
    struct push push = { 0 };
    struct work *work;
    enum err err = work_new(run, &work);

    if (err != ERR_OK)
        return err;
    if (work->is_gone || work->media.state != MEDIA_READY)
        return task_fail(run, "media-unknown", "The media was deleted before it was pushed.");
    if (work->media.has_file_name)
        err = vault_open_content(run->vault, &place, &work->media.file_name, run->arena, &work->file_name);
    if (err != ERR_OK)
        return err;
    push.work = work;
    push.arena = arena_new(MEDIA_CHUNK_ARENA_BYTES);
    err = push.arena == NULL ? ERR_NO_MEMORY : push_send(&push);
    arena_free(push.arena);
    return err;
}

/* Whoever waited goes on: with the provider's id, or to fail with the media's error. */
static enum err
waiting_wake(struct db_tx *tx, struct task_run *run)
{
    struct id *messages;
    size_t count;
    enum err err;

    do {
        err = media_wait_take(tx, run->claim->subject, run->claim->channel, run->arena, &messages, &count);
        if (err == ERR_OK && count != 0)
            err = message_wake(tx, messages, count);
    } while (err == ERR_OK && count == MEDIA_PROVIDER_WAITS_MAX);
    return err;
}

enum err
task_media_push_record(struct db_tx *tx, struct task_run *run)
{
    const struct work *work = run->state;
    const struct provider_task_claim *claim = run->claim;
    struct wall_time now = clock_wall(run->clock);
    enum err err =
        run->is_done
            ? media_provider_ready(tx, claim->subject, claim->channel, work->provider_id, now)
            : media_provider_failed(tx, claim->subject, claim->channel, slice_text(run->error_code),
                                    slice_text(run->error_title == NULL ? "" : run->error_title), now);

    return err == ERR_OK ? waiting_wake(tx, run) : err;
}

/* A digest in hexadecimal, as the API gives it, or in base64, as callbacks do. */
static bool
sha256_read(struct slice text, unsigned char out[static HASH_BYTES])
{
    unsigned char bytes[2 * HASH_BYTES];
    size_t len = 0;

    if (text.len == (size_t)2 * HASH_BYTES)
        return decode_hex(text, out, HASH_BYTES) == ERR_OK;
    if (text.len > 44 || decode_base64(text, bytes, &len) != ERR_OK || len != HASH_BYTES)
        return false;
    memcpy(out, bytes, HASH_BYTES);
    return true;
}

static enum err
reserve_in(struct db_tx *tx, void *ctx)
{
    const struct work *work = ctx;
    const struct config *config = work->run->runner->config->config;

    return media_reserve(tx, work->media.id, work->reserve, (uint64_t)(config->media_storage_mb * MB));
}

struct fetch {
    struct work *work;
    struct media_writer *writer; /* owned */
};

static enum err
fetch_write(void *ctx, struct slice bytes)
{
    struct fetch *fetch = ctx;
    enum err err = task_hold(fetch->work->run);

    return err == ERR_OK ? media_writer_put(fetch->writer, bytes) : err;
}

/* The size, as a number or as digits; 0: not told. */
static uint64_t
size_of(const json_t *answer)
{
    const json_t *value = json_member(answer, "file_size");
    uint64_t size = 0;

    if (json_is_integer(value) && json_integer_value(value) > 0)
        return (uint64_t)json_integer_value(value);
    return num_u64_parse(json_text_of(answer, "file_size"), &size) == ERR_OK ? size : 0;
}

/* From one URL. ERR_NOT_FOUND: its time was over. */
static enum err
fetch_from(struct fetch *fetch, const char *url, uint64_t bytes_max)
{
    struct work *work = fetch->work;
    struct task_run *run = work->run;

    media_writer_free(fetch->writer);
    fetch->writer = NULL;
    enum err err = media_writer_new(&(struct media_writer_config){ .db = run->runner->db,
                                                                   .vault = run->vault,
                                                                   .clock = run->clock,
                                                                   .tenant = run->claim->tenant,
                                                                   .media = work->media.id,
                                                                   .bytes_max = bytes_max },
                                    &fetch->writer);
    if (err == ERR_OK)
        err = task_call_with(run,
                             &(struct task_request){ .method = "GET",
                                                     .url = url,
                                                     .sink = { bytes_max, fetch_write, fetch },
                                                     .timeout_ms = MEDIA_TIMEOUT_MS },
                             NULL);
    if (err == ERR_PROVIDER_REFUSED && run->http_status == 404)
        return ERR_NOT_FOUND;
    return err == ERR_OK ? media_writer_end(fetch->writer, &work->written) : err;
}

/* Asks where it is, and gets it; once more when the URL is over before it was used. */
static enum err
fetch_run(struct fetch *fetch)
{
    struct work *work = fetch->work;
    struct task_run *run = work->run;
    unsigned char sha256[HASH_BYTES];
    struct slice path = arena_format(run->arena, "/%.*s?phone_number_id=%.*s",
                                     SLICE_FMT(work->media.provider_id), SLICE_FMT(run->phone_number_id));
    enum err err = ERR_NOT_FOUND;

    if (path.ptr == NULL)
        return ERR_NO_MEMORY;
    for (int tries = 0; err == ERR_NOT_FOUND && tries < FETCH_URLS_MAX; tries++) {
        const json_t *answer = NULL;
        char *url = NULL;
        err = task_call(run, "GET", path, SLICE_EMPTY, &answer);
        if (err == ERR_OK)
            err = arena_text(run->arena, json_text_of(answer, "url"), &url);
        if (err != ERR_OK)
            return err;
        if (!whatsapp_media_url_is_theirs(slice_text(url),
                                          slice_text(run->runner->config->config->graph_url)))
            return task_fail(run, err_code(ERR_MEDIA_HOST),
                             "WhatsApp named an address for the media that is not its own.");
        uint64_t size = size_of(answer);
        if (size > MEDIA_BYTES_MAX)
            return task_fail(run, err_code(ERR_MEDIA_SIZE), "The media is larger than 100 MiB.");
        work->reserve = size == 0 ? MEDIA_BYTES_MAX : size;
        err = task_write(run, reserve_in, work);
        if (err == ERR_OK)
            err = fetch_from(fetch, url, work->reserve);
        bool is_told = sha256_read(json_text_of(answer, "sha256"), sha256);
        if (err == ERR_OK && ((is_told && memcmp(sha256, work->written.sha256, HASH_BYTES) != 0) ||
                              (size != 0 && size != work->written.bytes)))
            return task_fail(run, err_code(ERR_MEDIA_HASH),
                             "The bytes are not those that WhatsApp announced.");
    }
    return err == ERR_NOT_FOUND ? ERR_PROVIDER_REFUSED : err; /* as the last answer was read */
}

enum err
task_media_fetch(struct task_run *run)
{
    struct fetch fetch = { 0 };
    struct work *work;
    enum err err = work_new(run, &work);

    if (err != ERR_OK)
        return err;
    work->is_gone = work->is_gone || work->media.state != MEDIA_FETCHING;
    if (work->is_gone)
        return ERR_OK;
    fetch.work = work;
    err = fetch_run(&fetch);
    media_writer_free(fetch.writer);
    if (err == ERR_MEDIA_STORAGE) /* these no other attempt would mend */
        return task_fail(run, err_code(err), "The workspace has no room for this much media.");
    if (err == ERR_MEDIA_EMPTY)
        return task_fail(run, err_code(err), "The media has no bytes.");
    if (err == ERR_STATE_CONFLICT) /* deleted meanwhile, or the task is another's: whose record will say */
        work->is_gone = true;
    return err;
}

/* media.ready or media.failed. */
static enum err
media_tell(struct db_tx *tx, struct task_run *run, const struct work *work)
{
    char text[ID_TEXT_BYTES];
    struct slice message = id_print(ID_MESSAGE, work->media.message, text), data;

    if (run->is_done)
        data = arena_format(run->arena, "{\"message_id\":\"%.*s\",\"bytes\":%llu,\"error\":null}",
                            SLICE_FMT(message), (unsigned long long)work->written.bytes);
    else /* codes and titles are ours: there is nothing in them to escape */
        data = arena_format(
            run->arena,
            "{\"message_id\":\"%.*s\",\"bytes\":null,\"error\":{\"code\":\"%s\",\"title\":\"%s\"}}",
            SLICE_FMT(message), run->error_code, run->error_title == NULL ? "" : run->error_title);
    if (data.ptr == NULL)
        return ERR_NO_MEMORY;
    return event_append(tx, &(struct event){ .id = id_new(run->clock),
                                             .type = run->is_done ? EVENT_MEDIA_READY : EVENT_MEDIA_FAILED,
                                             .subject = work->media.id,
                                             .channel = run->claim->channel,
                                             .occurred_at = clock_wall(run->clock),
                                             .data = data });
}

enum err
task_media_fetch_record(struct db_tx *tx, struct task_run *run)
{
    const struct work *work = run->state;
    struct media media;

    if (work == NULL || work->is_gone)
        return ERR_OK;
    enum err err = media_get(tx, run->claim->subject, run->arena, &media);
    if (err != ERR_OK || media.state != MEDIA_FETCHING)
        return err == ERR_NOT_FOUND ? ERR_OK : err; /* deleted: there is nothing to tell */
    if (run->is_done)
        err = media_finish(tx, media.id, &work->written);
    else
        err = media_fail(tx, media.id, run->error_code, run->error_title == NULL ? "" : run->error_title);
    return err == ERR_OK ? media_tell(tx, run, work) : err;
}
