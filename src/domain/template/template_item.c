#include "domain/template/template_item.h"
#include "wire/json/json.h"
#include <inttypes.h>

#define ID_MAX       64u
#define LANGUAGE_MAX 16u
#define TTL_MAX      (90 * 24 * 60 * 60)

/* Text, or a number as its text; empty when it is missing, too long, or something else. */
static struct slice
text_of(const json_t *object, const char *member, size_t bytes_max, struct arena *arena)
{
    const json_t *value = json_member(object, member);
    struct slice text = json_text_of(object, member);

    if (json_is_integer(value))
        text = arena_format(arena, "%" PRId64, (int64_t)json_integer_value(value));
    return text.len > bytes_max ? SLICE_EMPTY : text;
}

/* WhatsApp's word in lower case; empty for "NONE". */
static enum err
reason_read(const json_t *object, struct arena *arena, struct slice *out)
{
    struct slice word = text_of(object, "rejected_reason", TEMPLATE_WORD_MAX, arena);

    *out = SLICE_EMPTY;
    if (word.len == 0 || slice_eq_nocase(word, SLICE("NONE")))
        return ERR_OK;
    char *copy = arena_alloc(arena, word.len);
    if (copy == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < word.len; i++)
        copy[i] = (char)(word.ptr[i] >= 'A' && word.ptr[i] <= 'Z' ? word.ptr[i] + ('a' - 'A') : word.ptr[i]);
    *out = slice_of(copy, word.len);
    return ERR_OK;
}

enum err
template_item_read(const json_t *object, struct arena *arena, struct template_item *out)
{
    const json_t *quality = json_member(object, "quality_score"),
                 *components = json_member(object, "components");
    struct slice score =
        json_is_object(quality) ? json_text_of(quality, "score") : json_text_of(object, "quality_score");
    struct slice format = json_text_of(object, "parameter_format");
    struct template_news *news = &out->news;
    int64_t ttl_s = 0;

    *out = (struct template_item){ .provider_id = text_of(object, "id", ID_MAX, arena),
                                   .name = text_of(object, "name", TEMPLATE_NAME_MAX, arena),
                                   .language = text_of(object, "language", LANGUAGE_MAX, arena),
                                   .components = json_is_array(components) ? components : NULL };
    if (out->provider_id.len == 0 || out->name.len == 0 || out->language.len == 0)
        return ERR_NOTHING;
    news->provider_id = out->provider_id;
    news->is_look = true;
    news->has_state = template_state_parse(json_text_of(object, "status"), &news->state) == ERR_OK;
    news->has_category = template_category_parse(json_text_of(object, "category"), &news->category) == ERR_OK;
    news->has_correct_category =
        template_category_parse(json_text_of(object, "correct_category"), &news->correct_category) == ERR_OK;
    news->has_quality = score.ptr != NULL;
    news->quality = template_quality_of(score);
    news->has_format = format.ptr != NULL;
    news->is_named = slice_eq_nocase(format, SLICE("NAMED"));
    if (json_int_of(object, "message_send_ttl_seconds", &ttl_s) && ttl_s >= -1 && ttl_s <= TTL_MAX) {
        news->is_ttl_known = news->has_ttl = true;
        news->ttl_s = ttl_s;
    }
    return reason_read(object, arena, &news->state_reason);
}
