/* Our media as the samples of headers: found where they are named, told apart, and replaced. */
#include "core/unit.h"
#include "domain/template/template_sample.h"
#include "wire/json/json.h"

static struct arena *arena;

static int
opened(void **state UNUSED)
{
    arena = arena_new(1u << 20);
    return arena == NULL ? -1 : 0;
}

static int
closed(void **state UNUSED)
{
    arena_free(arena);
    return 0;
}

static json_t *
parsed(const char *text)
{
    json_t *tree = NULL;

    assert_ok(json_parse(slice_text(text), &tree));
    return tree;
}

#define FIRST  "med_01jd8h0m4zfg5v2c9x7k3q6t1n"
#define SECOND "med_01jd8h0m4zfg5v2c9x7k3q6t1p"
#define CARD(handle)                                                                                         \
    "{\"components\":[{\"type\":\"header\",\"format\":\"video\",\"example\":{\"header_handle\":[\"" handle   \
    "\"]}}]}"

static void
samples_are_found_in_headers_and_on_cards(void **state UNUSED)
{
    json_t *tree =
        parsed("{\"components\":[{\"type\":\"BODY\",\"text\":\"" FIRST "\"},"
               "{\"type\":\"Header\",\"format\":\"Image\",\"example\":{\"header_handle\":\"" FIRST "\"}},"
               "{\"type\":\"CAROUSEL\",\"cards\":[" CARD("4::theirs") "," CARD(SECOND) "]}]}");
    struct template_sample samples[TEMPLATE_SAMPLES_MAX];
    struct id first, second;
    size_t count;

    assert_ok(id_parse(ID_MEDIA, SLICE(FIRST), &first));
    assert_ok(id_parse(ID_MEDIA, SLICE(SECOND), &second));
    assert_ok(template_samples(tree, arena, samples, &count));
    assert_int_equal(count, 2);
    assert_true(id_eq(samples[0].media, first));
    assert_int_equal(samples[0].format, TEMPLATE_SAMPLE_IMAGE);
    assert_true(slice_eq(samples[0].at, SLICE("/components/1/example/header_handle")));
    assert_true(id_eq(samples[1].media, second));
    assert_int_equal(samples[1].format, TEMPLATE_SAMPLE_VIDEO);
    assert_true(slice_eq(samples[1].at, SLICE("/components/2/cards/1/components/0/example/header_handle/0")));
    assert_ok(template_sample_set(&samples[1], SLICE("4::\xc3\xa9:ARZ")));
    assert_ok(template_samples(tree, arena, samples, &count));
    assert_int_equal(count, 1);
    assert_int_equal(template_sample_set(&samples[0], SLICE("\xff")),
                     ERR_NO_MEMORY); /* no JSON can hold it */
    json_decref(tree);
}

static void
no_more_are_taken_than_there_is_room_for(void **state UNUSED)
{
    struct template_sample samples[TEMPLATE_SAMPLES_MAX];
    size_t count;
    json_t *tree = parsed("{\"components\":[{\"type\":\"CAROUSEL\",\"cards\":[]}]}"),
           *card = parsed(CARD(FIRST));
    json_t *cards = json_object_get(json_array_get(json_object_get(tree, "components"), 0), "cards");

    for (size_t i = 0; i < TEMPLATE_SAMPLES_MAX; i++)
        assert_int_equal(json_array_append(cards, card), 0);
    assert_ok(template_samples(tree, arena, samples, &count));
    assert_int_equal(count, TEMPLATE_SAMPLES_MAX);
    assert_int_equal(json_array_append(cards, card), 0);
    assert_int_equal(template_samples(tree, arena, samples, &count), ERR_LIMIT);
    json_decref(card);
    json_decref(tree);
}

static void
a_sample_is_of_its_header_s_type_and_size(void **state UNUSED)
{
    static const struct {
        enum template_sample_format format;
        const char *mime;
        uint64_t bytes;
        bool fits;
    } cases[] = {
        { TEMPLATE_SAMPLE_IMAGE, "image/jpeg", 5u << 20, true },
        { TEMPLATE_SAMPLE_IMAGE, "image/png", 1, true },
        { TEMPLATE_SAMPLE_IMAGE, "image/png", (5u << 20) + 1, false },
        { TEMPLATE_SAMPLE_IMAGE, "image/webp", 1, false },
        { TEMPLATE_SAMPLE_VIDEO, "video/mp4", 16u << 20, true },
        { TEMPLATE_SAMPLE_VIDEO, "video/3gpp", 1, false },
        { TEMPLATE_SAMPLE_DOCUMENT, "application/pdf", 100u << 20, true },
        { TEMPLATE_SAMPLE_DOCUMENT, "text/plain", 1, false },
        { TEMPLATE_SAMPLE_GIF, "video/mp4", 3670016, true },
        { TEMPLATE_SAMPLE_GIF, "video/mp4", 3670017, false },
        { TEMPLATE_SAMPLE_IMAGE, "image/jpeg", 0, false },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(template_sample_fits(cases[i].format, slice_text(cases[i].mime), cases[i].bytes),
                         cases[i].fits);
}

static void
what_looks_like_ours_is_ours(void **state UNUSED)
{
    struct id media;

    assert_true(template_sample_is_ours(SLICE(FIRST), &media) && !id_is_zero(media));
    assert_true(template_sample_is_ours(SLICE("med_nothing"), &media) && id_is_zero(media));
    assert_false(template_sample_is_ours(SLICE("4::aW1hZ2UvanBlZw==:ARZ"), &media));
}

UNIT_MAIN(cmocka_unit_test_setup_teardown(samples_are_found_in_headers_and_on_cards, opened, closed),
          cmocka_unit_test_setup_teardown(no_more_are_taken_than_there_is_room_for, opened, closed),
          cmocka_unit_test(a_sample_is_of_its_header_s_type_and_size),
          cmocka_unit_test(what_looks_like_ours_is_ours))
