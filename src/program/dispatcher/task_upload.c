#include "program/dispatcher/task_upload.h"
#include "core/num.h"
#include "domain/media/media.h"
#include "program/dispatcher/task_internal.h"
#include "wire/json/json.h"

#define UPLOAD_TIMEOUT_MS 300000
#define RESUMES_MAX       8u    /* of one run, each of them further than the one before it */
#define SESSION_BYTES_MAX 1024u /* "upload:...?sig=...": opaque but for its beginning */
#define HANDLE_BYTES_MAX  2048u
#define APP_ID_MAX        32u

struct upload {
    struct id media;
    struct slice session, handle; /* empty: none yet */
};

struct task_uploads {
    struct slice app; /* whose the access token is; empty: not asked yet */
    unsigned resumes;
    size_t count;
    struct upload list[TASK_UPLOADS_MAX];
};

/* As it stands behind the version in a path, its query included: nothing in it that would end either. */
static bool
is_session(struct slice id)
{
    if (!slice_starts_with(id, SLICE("upload:")) || id.len > SESSION_BYTES_MAX)
        return false;
    for (size_t i = 0; i < id.len; i++)
        if (id.ptr[i] <= ' ' || id.ptr[i] >= 0x7f || id.ptr[i] == '#' || id.ptr[i] == '"' ||
            id.ptr[i] == '\\')
            return false;
    return true;
}

static enum err
text_keep(struct task_run *run, struct slice text, struct slice *out)
{
    *out = arena_copy(run->arena, text);
    return out->ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
}

/* What an attempt before this one has left. */
static enum err
uploads_open(struct task_run *run)
{
    struct task_uploads *uploads = arena_alloc(run->arena, sizeof(*uploads));
    json_t *progress = NULL;
    enum err err = uploads == NULL ? ERR_NO_MEMORY : ERR_OK;

    if (err == ERR_OK && run->claim->progress.len != 0)
        err = json_parse(run->claim->progress, &progress);
    const json_t *list = json_member(progress, "uploads");
    for (size_t i = 0; err == ERR_OK && i < json_array_size(list) && i < TASK_UPLOADS_MAX; i++) {
        const json_t *one = json_array_get(list, i);
        struct upload *upload = &uploads->list[uploads->count++];
        err = id_parse(ID_MEDIA, json_text_of(one, "media_id"), &upload->media);
        if (err == ERR_OK)
            err = text_keep(run, json_text_of(one, "session"), &upload->session);
        if (err == ERR_OK)
            err = text_keep(run, json_text_of(one, "handle"), &upload->handle);
    }
    json_decref(progress);
    run->uploads = uploads;
    return err;
}

static enum err
upload_find(struct task_run *run, struct id media, struct upload **out)
{
    enum err err = run->uploads == NULL ? uploads_open(run) : ERR_OK;
    struct task_uploads *uploads = run->uploads;

    for (size_t i = 0; err == ERR_OK && i < uploads->count; i++)
        if (id_eq(uploads->list[i].media, media)) {
            *out = &uploads->list[i];
            return ERR_OK;
        }
    if (err != ERR_OK)
        return err;
    if (uploads->count == TASK_UPLOADS_MAX)
        return ERR_LIMIT;
    *out = &uploads->list[uploads->count++];
    **out = (struct upload){ .media = media };
    return ERR_OK;
}

struct keep {
    struct task_run *run;
    struct slice progress;
};

static enum err
keep_in(struct db_tx *tx, void *ctx)
{
    const struct keep *keep = ctx;

    return provider_task_progress(tx, keep->run->claim, keep->progress);
}

/* Written before the next call: should we die now, the next attempt goes on from here. */
static enum err
progress_keep(struct task_run *run)
{
    const struct task_uploads *uploads = run->uploads;
    struct keep keep = { .run = run };
    json_t *list = json_array();
    char id[ID_TEXT_BYTES];

    for (size_t i = 0; i < uploads->count; i++) {
        const struct upload *one = &uploads->list[i];
        (void)id_print(ID_MEDIA, one->media, id);
        json_t *shown = json_pack("{s:s, s:s%, s:s%}", "media_id", id, "session",
                                  one->session.len == 0 ? "" : one->session.ptr, one->session.len, "handle",
                                  one->handle.len == 0 ? "" : one->handle.ptr, one->handle.len);
        if (shown == NULL || json_array_append_new(list, shown) != 0) {
            json_decref(list);
            return ERR_NO_MEMORY;
        }
    }
    enum err err = task_print(run, json_pack("{s:o}", "uploads", list), &keep.progress);
    return err == ERR_OK ? task_write(run, keep_in, &keep) : err;
}

/* What is asked for is not there, or not for us: no fault of the token. */
static bool
is_object_refused(const struct task_run *run, enum err err)
{
    return err == ERR_PROVIDER_REFUSED && run->http_status != 0 &&
           (run->error.code == 100 || run->error.class == WHATSAPP_PERMANENT);
}

static bool
is_app_id(struct slice id)
{
    for (size_t i = 0; i < id.len; i++)
        if (id.ptr[i] < '0' || id.ptr[i] > '9')
            return false;
    return id.len > 0 && id.len <= APP_ID_MAX;
}

/*
 * Whose app the access token is. Asked of the provider each time: a token is of exactly one app, and this is
 * the one that may take its uploads, whatever anybody has written down before the token was replaced. Where
 * the app does not show itself to the token, the token is asked about itself.
 */
static enum err
app_find(struct task_run *run, struct slice *app_out)
{
    struct task_uploads *uploads = run->uploads;
    const json_t *answer = NULL;
    struct slice app = SLICE_EMPTY;
    enum err err = ERR_OK;

    if (uploads->app.len == 0) {
        err = task_call(run, "GET", SLICE("/app?fields=id"), SLICE_EMPTY, &answer);
        if (err == ERR_OK)
            app = json_text_of(answer, "id");
    }
    if (is_object_refused(run, err)) {
        struct slice token = task_token(run);
        struct buf path;
        buf_init(&path, 3 * HTTP_CLIENT_BEARER_BYTES_MAX + 64);
        task_query_add(&path, "/debug_token?input_token=", token);
        err = buf_done(&path);
        if (err == ERR_OK)
            err = task_call(run, "GET", buf_slice(&path), SLICE_EMPTY, &answer);
        buf_release_wiped(&path);
        if (err == ERR_OK)
            app = json_text_of(json_member(answer, "data"), "app_id");
        if (is_object_refused(run, err))
            err = ERR_OK;
    }
    if (err == ERR_OK && uploads->app.len == 0) {
        if (!is_app_id(app))
            return task_fail(run, "app-unknown", "WhatsApp does not say which app the access token is of.");
        err = text_keep(run, app, &uploads->app);
    }
    *app_out = uploads->app;
    return err;
}

struct work {
    struct task_run *run;
    struct upload *upload;
    struct media media;
    /* The bytes that go out. */
    uint32_t chunk;      /* the next */
    size_t skip;         /* of its beginning */
    struct slice part;   /* what is left of the piece in hand */
    struct arena *arena; /* owned; of one chunk */
};

static enum err
media_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return media_get(tx, work->upload->media, work->run->arena, &work->media);
}

/* By type alone: what the tenant calls its file is nobody's business there. */
static const char *
file_name_of(const struct media_type *type)
{
    switch (type->kind) {
    case MEDIA_IMAGE:
        return slice_eq(slice_text(type->mime), SLICE("image/png")) ? "sample.png" : "sample.jpg";
    case MEDIA_VIDEO:
        return "sample.mp4";
    case MEDIA_DOCUMENT:
        return "sample.pdf";
    case MEDIA_AUDIO:
    case MEDIA_STICKER:
    case MEDIA_KINDS:
        break;
    }
    return "sample";
}

static enum err
session_begin(struct work *work)
{
    struct task_run *run = work->run;
    const json_t *answer = NULL;
    struct slice app = SLICE_EMPTY;
    struct buf path;
    enum err err = app_find(run, &app);

    buf_init(&path, 512);
    buf_add_format(&path, "/%.*s/uploads?file_name=%s&file_length=%llu", SLICE_FMT(app),
                   file_name_of(work->media.type), (unsigned long long)work->media.bytes);
    task_query_add(&path, "&file_type=", slice_text(work->media.type->mime));
    if (err == ERR_OK)
        err = buf_done(&path);
    if (err == ERR_OK)
        err = task_call(run, "POST", buf_slice(&path), SLICE_EMPTY, &answer);
    buf_release(&path);
    if (err == ERR_PROVIDER_REFUSED && run->error.code == 100 && run->error.subcode == 33)
        return task_fail(run, "whatsapp-100-33", "The access token may not upload for its app.");
    if (err != ERR_OK)
        return err;
    if (!is_session(json_text_of(answer, "id")))
        return task_fail(run, "upload-unanswered", "WhatsApp did not say how it calls the upload.");
    err = text_keep(run, json_text_of(answer, "id"), &work->upload->session);
    return err == ERR_OK ? progress_keep(run) : err;
}

static enum err
session_call(struct work *work, const struct task_request *with, const json_t **answer_out)
{
    struct task_request request = *with;

    request.path = arena_format(work->run->arena, "/%.*s", SLICE_FMT(work->upload->session));
    request.bearer_scheme = "OAuth";
    return request.path.ptr == NULL ? ERR_NO_MEMORY : task_call_with(work->run, &request, answer_out);
}

/* How many bytes have come there. */
static enum err
session_offset(struct work *work, uint64_t *out)
{
    const json_t *answer = NULL;
    int64_t given = 0;
    enum err err = session_call(work, &(struct task_request){ .method = "GET" }, &answer);

    *out = 0;
    if (err != ERR_OK)
        return err;
    if (json_int_of(answer, "file_offset", &given))
        *out = given < 0 ? UINT64_MAX : (uint64_t)given;
    else if (num_u64_parse(json_text_of(answer, "file_offset"), out) != ERR_OK)
        *out = UINT64_MAX;
    return *out <= work->media.bytes
               ? ERR_OK
               : task_fail(work->run, "upload-unanswered", "WhatsApp did not say how far the upload is.");
}

static enum err
bytes_read(void *ctx, char *to, size_t max, size_t *len_out)
{
    struct work *work = ctx;
    struct task_run *run = work->run;
    enum err err = ERR_OK;

    if (work->part.len == 0 && work->chunk < work->media.chunk_count) {
        arena_reset(work->arena);
        err = task_hold(run);
        if (err == ERR_OK)
            err = media_chunk_open(run->runner->db, run->vault, run->claim->tenant, &work->media,
                                   work->chunk++, work->arena, &work->part);
        if (err == ERR_OK)
            work->part = slice_drop(work->part, work->skip);
        work->skip = 0;
    }
    if (err != ERR_OK)
        return err;
    struct slice piece = slice_first(work->part, max);
    if (piece.len != 0)
        memcpy(to, piece.ptr, piece.len);
    work->part = slice_drop(work->part, piece.len);
    *len_out = piece.len;
    return ERR_OK;
}

static enum err
bytes_send(struct work *work, uint64_t offset)
{
    struct task_run *run = work->run;
    const json_t *answer = NULL;
    struct slice header = arena_format(run->arena, "file_offset: %llu", (unsigned long long)offset);
    struct task_request request = { .method = "POST",
                                    .content_type = "Content-Type: application/octet-stream",
                                    .header = header.ptr,
                                    .timeout_ms = UPLOAD_TIMEOUT_MS };

    if (header.ptr == NULL)
        return ERR_NO_MEMORY;
    work->chunk = (uint32_t)(offset / MEDIA_CHUNK_BYTES);
    work->skip = (size_t)(offset % MEDIA_CHUNK_BYTES);
    work->part = SLICE_EMPTY;
    if (offset < work->media.bytes) /* else only the answer was lost */
        request.source = (struct http_source){ work->media.bytes - offset, bytes_read, work };
    enum err err = session_call(work, &request, &answer);
    if (err != ERR_OK)
        return err;
    struct slice handle = json_text_of(answer, "h");
    if (handle.len == 0 || handle.len > HANDLE_BYTES_MAX)
        return task_fail(run, "upload-unanswered", "WhatsApp did not say how it calls what was uploaded.");
    err = text_keep(run, handle, &work->upload->handle);
    return err == ERR_OK ? progress_keep(run) : err;
}

/*
 * A session of an attempt before may be over: then one more is made. When the connection breaks, the upload
 * goes on at once, as long as each try gets further; else the task waits, and its next attempt asks where it
 * stands. Bytes of the broken connection may still have been on their way when that was asked: then it is
 * asked again.
 */
static enum err
upload_run(struct work *work)
{
    struct task_run *run = work->run;
    bool is_fresh = work->upload->session.len == 0, is_resumed = !is_fresh, has_tried = false;
    uint64_t reached = 0;
    enum err err = is_fresh ? session_begin(work) : ERR_OK;

    while (err == ERR_OK) {
        uint64_t offset = 0;
        err = is_resumed ? session_offset(work, &offset) : ERR_OK;
        bool is_further = !has_tried || offset > reached, is_asked = err == ERR_OK;
        has_tried = true;
        reached = offset;
        if (err == ERR_OK)
            err = bytes_send(work, offset);
        if (err == ERR_OK)
            return ERR_OK;
        bool is_refused = is_object_refused(run, err);
        bool is_broken =
            err == ERR_PROVIDER_REFUSED && run->http_status == 0 && run->error.class == WHATSAPP_UNCERTAIN;
        if ((is_broken || (is_refused && is_resumed && is_asked)) && is_further &&
            run->uploads->resumes < RESUMES_MAX) {
            run->uploads->resumes++;
            is_resumed = true;
            err = ERR_OK;
        } else if (is_refused && !is_fresh) {
            is_fresh = true;
            is_resumed = has_tried = false;
            reached = 0;
            err = session_begin(work);
        }
    }
    return err;
}

enum err
task_upload(struct task_run *run, struct id media, struct slice *handle_out)
{
    struct work work = { .run = run };
    enum err err = upload_find(run, media, &work.upload);

    if (err == ERR_OK && work.upload->handle.len == 0) {
        err = task_read(run, media_in, &work);
        if (err == ERR_OK && (work.media.state != MEDIA_READY || work.media.type == NULL))
            err = ERR_NOT_FOUND;
        if (err == ERR_OK && (work.arena = arena_new(MEDIA_CHUNK_ARENA_BYTES)) == NULL)
            err = ERR_NO_MEMORY;
        if (err == ERR_OK)
            err = upload_run(&work);
        arena_free(work.arena);
    }
    if (err == ERR_NOT_FOUND) /* now, or between two of its chunks */
        return task_fail(run, "media-unknown", "The media was deleted before it was uploaded.");
    *handle_out = err == ERR_OK ? work.upload->handle : SLICE_EMPTY;
    return err;
}
