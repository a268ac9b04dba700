#include "program/gateway/media_named.h"
#include "domain/channel/provider_task.h"
#include "domain/media/media.h"
#include "domain/media/media_image.h"
#include "wire/json/json.h"

#define MARGIN_MS (INT64_C(3600) * 1000) /* beyond a task's patience: its last attempt takes its time too */

static const char unknown[] = "is not media of this workspace that is ready";

static struct wall_time
kept_until(const struct clock *clock, enum provider_task_kind kind)
{
    return wall_after_ms(clock_wall(clock), provider_task_patience_ms(kind) + MARGIN_MS);
}

enum err
media_named_samples_read(struct http_request *request, struct media_named_samples *out)
{
    *out = (struct media_named_samples){ .count = 0 };
    return template_samples(json_iterable(request_json(request)), request->arena, out->samples, &out->count);
}

enum err
media_named_samples_keep(struct db_tx *tx, const struct clock *clock, struct arena *arena,
                         struct media_named_samples *named)
{
    struct wall_time until = kept_until(clock, PROVIDER_TASK_TEMPLATE_CREATE);
    enum err err = ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < named->count; i++) {
        const struct template_sample *sample = &named->samples[i];
        struct media media;
        err = media_keep(tx, clock, sample->media, until, arena, &media);
        named->fault = (struct media_named_fault){ .at = sample->at };
        if (err == ERR_NOT_FOUND) {
            named->fault.detail = unknown;
            err = ERR_MEDIA_UNKNOWN;
        } else if (err == ERR_OK &&
                   (media.type == NULL ||
                    !template_sample_fits(sample->format, slice_text(media.type->mime), media.bytes))) {
            named->fault.detail = template_sample_wants(sample->format);
            err = ERR_MEDIA_KIND;
        }
    }
    return err;
}

void
media_named_fault_add(struct http_request *request, const struct media_named_fault *fault)
{
    if (fault->detail != NULL)
        problem_add(&request->problem, request->arena, fault->at, slice_text(fault->detail));
}

struct picture {
    struct id id;
    const struct clock *clock;
    struct arena *arena;
    struct media media;
};

static enum err
picture_keep_in(struct db_tx *tx, void *ctx)
{
    struct picture *picture = ctx;

    return media_keep(tx, picture->clock, picture->id,
                      kept_until(picture->clock, PROVIDER_TASK_NUMBER_PROFILE), picture->arena,
                      &picture->media);
}

/* Its first chunk tells its size; where a JPEG has more than that before its frame, WhatsApp is the judge. */
static enum err
picture_measure(struct http_request *request, const struct picture *picture, const char **detail_out)
{
    struct gateway_worker *worker = gateway_worker_of(request);
    struct arena *arena = arena_new(MEDIA_CHUNK_ARENA_BYTES);
    struct media_image_size size;
    struct slice head;
    enum err err = arena == NULL ? ERR_NO_MEMORY
                                 : media_chunk_open(worker->db, &worker->vault, request->tenant,
                                                    &picture->media, 0, arena, &head);

    bool is_whole = err == ERR_OK && picture->media.bytes == head.len;
    if (err == ERR_OK)
        err = media_image_size_read(head, &size);
    if (err == ERR_INCOMPLETE && !is_whole) {
        err = ERR_OK;
    } else if (err == ERR_INCOMPLETE || err == ERR_MEDIA_MISMATCH ||
               (err == ERR_OK && (size.width != size.height || size.width < MEDIA_NAMED_PICTURE_MIN))) {
        *detail_out = "must be a square picture of at least 192 by 192 pixels";
        err = ERR_MEDIA_FORMAT;
    }
    if (err == ERR_NOT_FOUND) {
        *detail_out = unknown;
        err = ERR_MEDIA_UNKNOWN;
    }
    arena_free(arena);
    return err;
}

enum err
media_named_picture_check(struct http_request *request, const char *member)
{
    struct picture picture = { .clock = gateway_worker_of(request)->gateway->clock, .arena = request->arena };
    struct slice text = json_text_of(request_json(request), member);
    struct media_named_fault fault = { .at = arena_format(request->arena, "/%s", member) };
    enum err err = ERR_OK;

    if (text.ptr == NULL)
        return ERR_OK;
    if (fault.at.ptr == NULL)
        return ERR_NO_MEMORY;
    if (id_parse(ID_MEDIA, text, &picture.id) != ERR_OK)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK)
        err = gateway_write(request, picture_keep_in, &picture);
    if (err == ERR_NOT_FOUND) {
        fault.detail = unknown;
        err = ERR_MEDIA_UNKNOWN;
    } else if (err == ERR_OK && (picture.media.type == NULL || picture.media.type->kind != MEDIA_IMAGE)) {
        fault.detail = template_sample_wants(TEMPLATE_SAMPLE_IMAGE);
        err = ERR_MEDIA_KIND;
    } else if (err == ERR_OK) {
        err = picture_measure(request, &picture, &fault.detail);
    }
    media_named_fault_add(request, &fault);
    return err;
}
