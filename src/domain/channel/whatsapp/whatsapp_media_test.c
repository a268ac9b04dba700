#include "core/unit.h"
#include "domain/channel/whatsapp/whatsapp_media.h"

#define OURS "med_01jd8h0m4zfg5v2c9x7k3q6t1n"

static size_t
refs_of(const char *text, struct whatsapp_media_ref *refs)
{
    json_t *content = json_loads(text, 0, NULL);
    size_t count;

    assert_non_null(content);
    assert_ok(whatsapp_media_refs(content, refs, &count));
    for (size_t i = 0; i < count; i++)
        refs[i].object = NULL; /* gone with the content */
    json_decref(content);
    return count;
}

static void
our_media_is_found_wherever_it_may_stand(void **state UNUSED)
{
    static const struct {
        const char *content, *kind;
        size_t count;
    } rows[] = {
        { "{\"type\":\"image\",\"image\":{\"id\":\"" OURS "\"}}", "image", 1 },
        { "{\"type\":\"sticker\",\"sticker\":{\"id\":\"" OURS "\"}}", "sticker", 1 },
        { "{\"type\":\"image\",\"image\":{\"id\":\"1234567890\"}}", NULL, 0 },
        { "{\"type\":\"image\",\"image\":{\"link\":\"https://a.example/med_1\"}}", NULL, 0 },
        { "{\"type\":\"text\",\"text\":{\"body\":\"" OURS "\"}}", NULL, 0 },
        { "{\"interactive\":{\"header\":{\"type\":\"video\",\"video\":{\"id\":\"" OURS "\"}}}}", "video", 1 },
        { "{\"template\":{\"components\":[{\"type\":\"header\",\"parameters\":[{\"type\":\"document\",\"document\":{\"id\":\"" OURS
          "\"}}]},{\"type\":\"carousel\",\"cards\":[{\"components\":[{\"parameters\":[{\"image\":{\"id\":\"" OURS
          "\"}}]}]}]}]}}",
          "document", 2 },
    };
    struct whatsapp_media_ref refs[WHATSAPP_MEDIA_REFS_MAX];

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t count = refs_of(rows[i].content, refs);
        if (count != rows[i].count ||
            (count != 0 && !slice_eq(slice_text(refs[0].kind), slice_text(rows[i].kind))))
            fail_msg("row %zu: %zu", i, count);
        assert_true(count == 0 || !id_is_zero(refs[0].media));
    }
    assert_int_equal(refs_of("{\"image\":{\"id\":\"med_none\"}}", refs), 1);
    assert_true(id_is_zero(refs[0].media));
}

static void
media_comes_from_meta_or_from_where_we_were_pointed(void **state UNUSED)
{
    static const struct {
        const char *url;
        bool is_theirs;
    } rows[] = {
        { "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1", true },
        { "https://scontent-fra3-1.fbcdn.net/v/t1", true },
        { "https://graph.facebook.com/x", true },
        { "http://lookaside.fbsbx.com/x", false },
        { "https://lookaside.fbsbx.com.evil.example/x", false },
        { "https://evilfbcdn.net/x", false },
        { "https://.fbcdn.net/x", false },
        { "https://evil.example/lookaside.fbsbx.com/x", false },
        { "https://lookaside.fbsbx.com@evil.example/x", false },
        { "https://lookaside.fbsbx.com:8443/x", false },
        { "https://graph.facebook.com.evil.example/x", false },
        { "https://graph.facebook.com", false },
        { "", false },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (whatsapp_media_url_is_theirs(slice_text(rows[i].url), SLICE("https://graph.facebook.com")) !=
            rows[i].is_theirs)
            fail_msg("%s", rows[i].url);
    assert_true(
        whatsapp_media_url_is_theirs(SLICE("http://127.0.0.1:4004/m"), SLICE("http://127.0.0.1:4004")));
    assert_false(
        whatsapp_media_url_is_theirs(SLICE("http://127.0.0.1:40040/m"), SLICE("http://127.0.0.1:4004")));
}

UNIT_MAIN(cmocka_unit_test(our_media_is_found_wherever_it_may_stand),
          cmocka_unit_test(media_comes_from_meta_or_from_where_we_were_pointed))
