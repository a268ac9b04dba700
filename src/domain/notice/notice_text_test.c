/* What mails say: every kind in both languages, and what others' names cannot do in them. */
#include "core/unit.h"
#include "domain/notice/notice_text.h"
#include <stdio.h>
#include <string.h>

struct printed {
    struct buf subject, text, html;
};

static struct printed
print(const struct notice *notice)
{
    struct printed printed;

    buf_init(&printed.subject, 1024);
    buf_init(&printed.text, NOTICE_MAIL_BYTES_MAX);
    buf_init(&printed.html, NOTICE_MAIL_BYTES_MAX);
    assert_ok(notice_text_print(notice, &printed.subject, &printed.text, &printed.html));
    return printed;
}

static void
release(struct printed *printed)
{
    buf_release(&printed->subject);
    buf_release(&printed->text);
    buf_release(&printed->html);
}

static const struct notice full = {
    .to = { "asha@example.org", 16 },
    .name = { "Asha", 4 },
    .workspace = { "Chai & Sons", 11 },
    .by = { "Ravi", 4 },
    .link = { "https://app.example.org/enrol#abc", 33 },
    .detail = { "Phone", 5 },
    .address = { "203.0.113.7", 11 },
    .at = { INT64_C(1795393932000000) },
    .expires_at = { INT64_C(1795566732000000) },
};

static void
each_kind_says_all_of_it_in_both_languages(void **state UNUSED)
{
    for (unsigned kind = 0; kind < NOTICE_KIND_COUNT; kind++)
        for (unsigned language = 0; language < 2; language++) {
            struct notice notice = full;
            notice.kind = (enum notice_kind)kind;
            notice.language = (enum notice_language)language;
            struct printed printed = print(&notice);
            const struct slice all[] = { buf_slice(&printed.subject), buf_slice(&printed.text),
                                         buf_slice(&printed.html) };
            for (size_t i = 0; i < COUNT_OF(all); i++) {
                assert_true(all[i].len > 10 && slice_is_utf8(all[i]));
                assert_int_equal(slice_find(all[i], '{'), all[i].len);
                assert_int_equal(slice_find(all[i], '}'), all[i].len);
            }
            assert_int_equal(slice_find(all[0], '\n'), all[0].len);
            bool is_hindi = slice_contains(all[0], SLICE("\xe0\xa4"));
            assert_int_equal(is_hindi, language == NOTICE_HINDI);
            bool has_link = slice_contains(all[1], full.link);
            assert_int_equal(has_link, kind != NOTICE_EMAIL_CHANGED && kind != NOTICE_REMOVED);
            assert_int_equal(slice_contains(all[2], full.link), has_link);
            release(&printed);
        }
}

static void
an_invitation_reads_as_one(void **state UNUSED)
{
    struct notice notice = full;

    notice.kind = NOTICE_INVITATION;
    notice.name = SLICE_EMPTY;
    struct printed printed = print(&notice);
    assert_true(slice_eq(buf_slice(&printed.subject), SLICE("You are invited to Chai & Sons")));
    buf_add_byte(&printed.text, '\0');
    assert_string_equal(
        printed.text.ptr,
        "Hello,\n\nRavi invites you to work in Chai & Sons on Harkara.\n\n"
        "Accept the invitation:\nhttps://app.example.org/enrol#abc\n\n"
        "The link is good once, until 2026-11-25 00:32 UTC. If you do not know what this is about, "
        "leave this mail alone: nothing happens then.\n\n"
        "-- \nThis mail was written by Harkara, and nobody reads answers to it.\n");
    assert_true(slice_contains(buf_slice(&printed.html), SLICE("Chai &amp; Sons")));
    release(&printed);
    notice.by = SLICE_EMPTY;
    printed = print(&notice);
    assert_true(slice_contains(buf_slice(&printed.text), SLICE("Somebody invites you")));
    release(&printed);
}

/* Whoever invites may write to anybody: what he calls himself and his workspace is not to become his mail. */
static void
names_carry_no_links_lines_or_markup(void **state UNUSED)
{
    static const char *const names[] = {
        "Win at https://evil.example/x now",
        "www.evil.example",
        "<a href=x>free</a>",
        "one\ntwo\r\nthree",
        "write to me@evil.example",
        "a\xc2\xa0\x62",
        "{link}",
    };

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct notice notice = full;
        notice.kind = NOTICE_INVITATION;
        notice.by = notice.workspace = slice_text(names[i]);
        struct printed printed = print(&notice);
        const struct slice all[] = { buf_slice(&printed.subject), buf_slice(&printed.text),
                                     buf_slice(&printed.html) };
        for (size_t k = 0; k < COUNT_OF(all); k++) {
            assert_false(slice_contains(all[k], SLICE("evil.example")));
            assert_false(slice_contains(all[k], SLICE("me@")));
            assert_false(slice_contains(all[k], SLICE("<a href=x")) && k == 2);
            assert_false(slice_contains(all[k], SLICE("one\n")));
            assert_int_equal(slice_find(all[k], '\r'), all[k].len);
        }
        assert_int_equal(slice_find(all[0], '\n'), all[0].len);
        release(&printed);
    }
}

static void
a_long_name_is_cut_between_characters(void **state UNUSED)
{
    char hindi[300];
    struct notice notice = full;

    for (size_t i = 0; i < sizeof(hindi); i += 3)
        memcpy(hindi + i, "\xe0\xa4\x85", 3);
    notice.kind = NOTICE_INVITATION;
    notice.workspace = slice_of(hindi, sizeof(hindi));
    struct printed printed = print(&notice);
    assert_true(slice_is_utf8(buf_slice(&printed.subject)));
    assert_true(slice_utf8_count(buf_slice(&printed.subject)) < NOTICE_NAME_MAX + 25);
    assert_true(slice_ends_with(buf_slice(&printed.subject), SLICE("…")));
    release(&printed);
}

static void
a_browser_is_called_by_its_name(void **state UNUSED)
{
    static const struct {
        const char *user_agent, *english;
    } rows[] = {
        { "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux" },
        { "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 "
          "Safari/537.36 Edg/140.0",
          "Edge on Windows" },
        { "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Mobile "
          "Safari/537.36",
          "Chrome on Android" },
        { "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1",
          "Safari on iPhone" },
        { "curl/8.0", "an unknown browser" },
        { "", "an unknown browser" },
        { "<script>", "an unknown browser" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct notice notice = full;
        char want[64];
        notice.kind = NOTICE_SIGNED_IN;
        notice.detail = slice_text(rows[i].user_agent);
        struct printed printed = print(&notice);
        snprintf(want, sizeof(want), "with %s, from 203.0.113.7.", rows[i].english);
        assert_true(slice_contains(buf_slice(&printed.text), slice_text(want)));
        release(&printed);
    }
}

UNIT_MAIN(cmocka_unit_test(each_kind_says_all_of_it_in_both_languages),
          cmocka_unit_test(an_invitation_reads_as_one),
          cmocka_unit_test(names_carry_no_links_lines_or_markup),
          cmocka_unit_test(a_long_name_is_cut_between_characters),
          cmocka_unit_test(a_browser_is_called_by_its_name))
