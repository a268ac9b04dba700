#include "domain/template/template_sample.h"
#include "core/buf.h"
#include "wire/json/json.h"

#define MB UINT64_C(1048576)

/* The Cloud API's media page: what a header of each format may show. */
static const struct {
    const char *format, *mime[2];
    uint64_t bytes_max;
    const char *wants;
} formats[] = {
    [TEMPLATE_SAMPLE_IMAGE] = { "IMAGE",
                                { "image/jpeg", "image/png" },
                                5 * MB,
                                "must be media of type image/jpeg or image/png, of at most 5 MiB" },
    [TEMPLATE_SAMPLE_VIDEO] = { "VIDEO",
                                { "video/mp4", NULL },
                                16 * MB,
                                "must be media of type video/mp4, of at most 16 MiB" },
    [TEMPLATE_SAMPLE_DOCUMENT] = { "DOCUMENT",
                                   { "application/pdf", NULL },
                                   100 * MB,
                                   "must be media of type application/pdf, of at most 100 MiB" },
    [TEMPLATE_SAMPLE_GIF] = { "GIF",
                              { "video/mp4", NULL },
                              7 * MB / 2,
                              "must be media of type video/mp4, of at most 3.5 MiB" },
};

bool
template_sample_is_ours(struct slice handle, struct id *media_out)
{
    *media_out = (struct id){ { 0 } };
    if (!slice_starts_with(handle, id_prefix(ID_MEDIA)))
        return false;
    if (id_parse(ID_MEDIA, handle, media_out) != ERR_OK)
        *media_out = (struct id){ { 0 } };
    return true;
}

bool
template_sample_fits(enum template_sample_format format, struct slice mime_type, uint64_t bytes)
{
    bool is_one = false;

    for (size_t i = 0; i < COUNT_OF(formats[format].mime); i++)
        is_one = is_one || (formats[format].mime[i] != NULL &&
                            slice_eq_nocase(mime_type, slice_text(formats[format].mime[i])));
    return is_one && bytes > 0 && bytes <= formats[format].bytes_max;
}

const char *
template_sample_wants(enum template_sample_format format)
{
    return formats[format].wants;
}

struct walk {
    struct arena *arena;
    struct template_sample *out;
    size_t count;
    struct buf at;
};

/* A list of one, or the text alone: both are taken from clients. */
static enum err
header_look(struct walk *walk, const json_t *header, enum template_sample_format format)
{
    json_t *example = json_object_get(header, "example");
    const json_t *handles = json_object_get(example, "header_handle");
    const json_t *handle = json_is_string(handles) ? handles : json_array_get(handles, 0);
    struct id media;

    if (!json_is_string(handle) ||
        !template_sample_is_ours(slice_of(json_string_value(handle), json_string_length(handle)), &media))
        return ERR_OK;
    if (walk->count == TEMPLATE_SAMPLES_MAX)
        return ERR_LIMIT;
    struct slice at = arena_format(walk->arena, "%.*s/example/header_handle%s",
                                   SLICE_FMT(buf_slice(&walk->at)), json_is_string(handles) ? "" : "/0");
    walk->out[walk->count++] =
        (struct template_sample){ .example = example, .format = format, .media = media, .at = at };
    return at.ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
}

static enum err
components_walk(struct walk *walk, const json_t *components, bool is_card)
{
    size_t before = walk->at.len, before_one;
    enum err err = ERR_OK;

    json_pointer_add(&walk->at, SLICE("components"));
    before_one = walk->at.len;
    for (size_t i = 0; err == ERR_OK && i < json_array_size(components); i++) {
        const json_t *one = json_array_get(components, i), *cards = json_object_get(one, "cards");
        json_pointer_add_index(&walk->at, i);
        for (unsigned f = 0; err == ERR_OK && f < COUNT_OF(formats); f++)
            if (slice_eq_nocase(json_text_of(one, "type"), SLICE("HEADER")) &&
                slice_eq_nocase(json_text_of(one, "format"), slice_text(formats[f].format)))
                err = header_look(walk, one, (enum template_sample_format)f);
        json_pointer_add(&walk->at, SLICE("cards"));
        size_t before_card = walk->at.len;
        for (size_t c = 0; err == ERR_OK && !is_card && c < json_array_size(cards); c++) {
            json_pointer_add_index(&walk->at, c);
            err = components_walk(walk, json_object_get(json_array_get(cards, c), "components"), true);
            walk->at.len = before_card;
        }
        walk->at.len = before_one;
    }
    walk->at.len = before;
    return err == ERR_OK ? walk->at.err : err;
}

enum err
template_samples(json_t *definition, struct arena *arena,
                 struct template_sample out[static TEMPLATE_SAMPLES_MAX], size_t *count_out)
{
    struct walk walk = { .arena = arena, .out = out };

    buf_init(&walk.at, JSON_POINTER_MAX);
    enum err err = components_walk(&walk, json_object_get(definition, "components"), false);
    buf_release(&walk.at);
    *count_out = walk.count;
    return err;
}

enum err
template_sample_set(const struct template_sample *sample, struct slice handle)
{
    return json_object_set_new(sample->example, "header_handle", json_pack("[s%]", handle.ptr, handle.len)) ==
                   0
               ? ERR_OK
               : ERR_NO_MEMORY;
}
