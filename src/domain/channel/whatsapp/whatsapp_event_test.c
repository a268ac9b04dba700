#include "core/unit.h"
#include "domain/channel/whatsapp/whatsapp_dump_testing.h"
#include "domain/channel/whatsapp/whatsapp_event.h"
#include "domain/channel/whatsapp/whatsapp_fixture_testing.h"
#include "wire/json/json.h"
#include "wire/json/json_foreign.h"
#include <stdio.h>
#include <stdlib.h>

static json_t *
dump_of(struct slice body)
{
    json_t *events = NULL;

    assert_ok(whatsapp_dump(body, &events));
    return events;
}

/* Compact text of a value, with a NUL at the end; the caller releases. */
static struct buf
text_of(const json_t *value)
{
    struct buf text;

    buf_init(&text, 8u << 20);
    assert_ok(json_print(value, &text));
    buf_add_byte(&text, '\0');
    assert_ok(buf_done(&text));
    return text;
}

/* Each webhook fixture has, beside it, what it means: NAME.json and NAME.events, one event on a line. */
static void
fixture_means_what_is_written_beside_it(const char *name, struct slice body)
{
    json_t *events = dump_of(body);
    struct buf got, want;
    char file[256];

    buf_init(&got, 8u << 20);
    for (size_t i = 0; i < json_array_size(events); i++) {
        assert_ok(json_print(json_array_get(events, i), &got));
        buf_add_byte(&got, '\n');
    }
    snprintf(file, sizeof(file), "%.*s.events", (int)strlen(name) - 5, name);
    whatsapp_fixture_read("webhook", file, &want);
    if (!slice_eq(buf_slice(&got), buf_slice(&want)))
        fail_msg("%s:\n%.*s", file, SLICE_FMT(buf_slice(&got)));
    buf_release(&want);
    buf_release(&got);
    json_decref(events);
}

static void
every_fixture_means_what_is_written_beside_it(void **state UNUSED)
{
    assert_true(whatsapp_fixture_each("webhook", ".json", fixture_means_what_is_written_beside_it) >= 90);
}

static enum err
must_not_be_called(void *ctx, const struct whatsapp_event *event UNUSED)
{
    *(unsigned *)ctx += 1;
    return ERR_OK;
}

static enum err
read_quietly(struct slice body, unsigned *calls)
{
    struct arena *arena = arena_new(1u << 20);

    *calls = 0;
    enum err err = whatsapp_event_read(body, arena, must_not_be_called, calls);
    arena_free(arena);
    return err;
}

static void
no_cut_is_read(const char *name, struct slice body)
{
    struct slice whole = body;
    unsigned calls;

    while (whole.len > 0 && whole.ptr[whole.len - 1] == '\n')
        whole.len--;
    for (size_t len = 0; len < whole.len; len++)
        if (read_quietly(slice_first(whole, len), &calls) == ERR_OK || calls != 0)
            fail_msg("%s cut at %zu", name, len);
}

static void
every_cut_of_every_fixture_is_refused_whole(void **state UNUSED)
{
    assert_true(whatsapp_fixture_each("webhook", ".json", no_cut_is_read) >= 90);
}

/* Applies `change` to the value and all below it. */
static void
walk(json_t *value, void (*change)(json_t *value))
{
    const char *key;
    json_t *member;
    size_t index;

    json_object_foreach(value, key, member)
    {
        walk(member, change);
    }
    json_array_foreach(value, index, member)
    {
        walk(member, change);
    }
    change(value);
}

static void
unknown_add(json_t *value)
{
    if (json_is_object(value))
        json_object_set_new(value, "x_new", json_pack("{s:[i,s,n]}", "deep", 1, "two"));
}

static void
unknown_remove(json_t *value)
{
    if (json_is_object(value))
        json_object_del(value, "x_new");
}

static void
assert_same_dump(const char *name, struct slice body, void (*change)(json_t *), void (*level)(json_t *))
{
    json_t *tree = NULL, *before = dump_of(body), *after;

    assert_ok(json_parse_foreign(body, &tree));
    walk(tree, change);
    struct buf changed = text_of(tree);
    after = dump_of(slice_text(changed.ptr));
    walk(before, level);
    walk(after, level);
    if (!json_equal(before, after)) {
        struct buf text = text_of(after);
        fail_msg("%s became %s", name, text.ptr);
    }
    buf_release(&changed);
    json_decref(tree);
    json_decref(before);
    json_decref(after);
}

static void
unknown_members_change_nothing_in(const char *name, struct slice body)
{
    assert_same_dump(name, body, unknown_add, unknown_remove);
}

static void
unknown_members_change_nothing(void **state UNUSED)
{
    assert_true(whatsapp_fixture_each("webhook", ".json", unknown_members_change_nothing_in) >= 90);
}

/* An integer as text, and decimal text that is an integer's as a number. */
static json_t *
flipped(const json_t *value, bool both_ways)
{
    char text[32];

    if (json_is_integer(value)) {
        snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return json_string(text);
    }
    if (!both_ways || !json_is_string(value))
        return NULL;
    const char *digits = json_string_value(value);
    if (digits[0] < '1' || digits[0] > '9' || strspn(digits, "0123456789") != strlen(digits) ||
        strlen(digits) > 17)
        return NULL;
    return json_integer(strtoll(digits, NULL, 10));
}

static void
members_flip(json_t *value, bool both_ways)
{
    const char *key;
    json_t *member;
    size_t index;

    json_object_foreach(value, key, member)
    {
        json_t *other = flipped(member, both_ways);
        if (other != NULL)
            json_object_set_new(value, key, other);
    }
    json_array_foreach(value, index, member)
    {
        json_t *other = flipped(member, both_ways);
        if (other != NULL)
            json_array_set_new(value, index, other);
    }
}

static void
numbers_and_text_flip(json_t *value)
{
    members_flip(value, true);
}

static void
numbers_become_text(json_t *value)
{
    members_flip(value, false);
}

static void
numbers_as_text_change_nothing_in(const char *name, struct slice body)
{
    assert_same_dump(name, body, numbers_and_text_flip, numbers_become_text);
}

static void
numbers_as_text_and_text_as_numbers_change_nothing(void **state UNUSED)
{
    assert_true(whatsapp_fixture_each("webhook", ".json", numbers_as_text_change_nothing_in) >= 90);
}

static void
what_is_no_envelope_is_refused(void **state UNUSED)
{
    static const struct {
        const char *body;
        enum err err;
    } rows[] = {
        { "", ERR_JSON_SYNTAX },
        { "hello", ERR_JSON_SYNTAX },
        { "<html></html>", ERR_JSON_SYNTAX },
        { "{\"entry\":[]", ERR_JSON_SYNTAX },
        { "{\"entry\":[]}x", ERR_JSON_SYNTAX },
        { "null", ERR_PROVIDER_BODY },
        { "[]", ERR_PROVIDER_BODY },
        { "7", ERR_PROVIDER_BODY },
        { "{}", ERR_PROVIDER_BODY },
        { "{\"object\":\"whatsapp_business_account\"}", ERR_PROVIDER_BODY },
        { "{\"object\":\"whatsapp_business_account\",\"entry\":{}}", ERR_PROVIDER_BODY },
        { "{\"object\":\"whatsapp_business_account\",\"entry\":null}", ERR_PROVIDER_BODY },
    };
    unsigned calls;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(read_quietly(slice_text(rows[i].body), &calls), rows[i].err);
        assert_int_equal(calls, 0);
    }
}

static void
the_limits_hold_before_the_first_event(void **state UNUSED)
{
    struct buf body;
    unsigned calls;

    buf_init(&body, 2 * WHATSAPP_BODY_BYTES_MAX);
    /* One entry, one change and the statuses: exactly the limit, then one more. */
    for (size_t extra = 0; extra <= 1; extra++) {
        buf_clear(&body);
        buf_add_text(&body, "{\"entry\":[{\"changes\":[{\"field\":\"messages\",\"value\":{\"statuses\":[0");
        for (size_t i = 1; i < WHATSAPP_EVENTS_MAX - 2 + extra; i++)
            buf_add_text(&body, ",0");
        buf_add_text(&body, "]}}]}]}");
        assert_int_equal(read_quietly(buf_slice(&body), &calls), extra == 0 ? ERR_OK : ERR_LIMIT);
        assert_int_equal(calls, extra == 0 ? WHATSAPP_EVENTS_MAX - 2 : 0);
    }
    buf_clear(&body);
    buf_add_text(&body, "{\"entry\":[{}]}");
    while (body.len < WHATSAPP_BODY_BYTES_MAX)
        buf_add_byte(&body, ' ');
    assert_int_equal(read_quietly(buf_slice(&body), &calls), ERR_OK);
    buf_add_byte(&body, ' ');
    assert_int_equal(read_quietly(buf_slice(&body), &calls), ERR_LIMIT);
    buf_release(&body);
}

static enum err
stop_at_the_second(void *ctx, const struct whatsapp_event *event UNUSED)
{
    unsigned *calls = ctx;

    return ++*calls == 2 ? ERR_DB_CONFLICT : ERR_OK;
}

static void
an_error_of_the_visitor_stops_and_comes_back(void **state UNUSED)
{
    struct arena *arena = arena_new(1u << 16);
    struct buf body;
    unsigned calls = 0;

    whatsapp_fixture_read("webhook", "batch.json", &body);
    assert_int_equal(whatsapp_event_read(buf_slice(&body), arena, stop_at_the_second, &calls),
                     ERR_DB_CONFLICT);
    assert_int_equal(calls, 2);
    buf_release(&body);
    arena_free(arena);
}

static enum err
note_kind(void *ctx, const struct whatsapp_event *event)
{
    *(enum whatsapp_event_kind *)ctx = event->kind;
    return ERR_OK;
}

/* A number that did not fit into the arena must not pass for an id that is missing. */
static void
a_full_arena_is_an_error_and_not_a_missing_id(void **state UNUSED)
{
    struct buf body;
    enum err err = ERR_NO_MEMORY;
    unsigned failures = 0;

    whatsapp_fixture_read("webhook", "message-numbers-and-text.json", &body);
    for (size_t room = 1; err != ERR_OK; room += 8) {
        struct arena *arena = arena_new(room);
        enum whatsapp_event_kind kind = WHATSAPP_EVENT_FAULT;
        err = whatsapp_event_read(buf_slice(&body), arena, note_kind, &kind);
        assert_int_equal(kind, err == ERR_OK ? WHATSAPP_EVENT_MESSAGE : WHATSAPP_EVENT_FAULT);
        assert_true(err == ERR_OK || (err == ERR_NO_MEMORY && ++failures < 100));
        arena_free(arena);
    }
    assert_true(failures > 3);
    buf_release(&body);
}

struct raw_check {
    const char *member, *text;
    enum whatsapp_event_kind kind;
    unsigned calls;
};

static enum err
raw_is(void *ctx, const struct whatsapp_event *event)
{
    struct raw_check *check = ctx;

    check->calls++;
    assert_int_equal(event->kind, check->kind);
    assert_true(slice_eq(json_text_of(event->raw, check->member), slice_text(check->text)));
    return ERR_OK;
}

/* What is kept for later is the whole of it: the status, the message, or the changed value. */
static void
each_kind_hands_on_its_raw_json(void **state UNUSED)
{
    struct {
        const char *file;
        struct raw_check check;
    } rows[] = {
        { "status-delivered.json", { "recipient_id", "14155550123", WHATSAPP_EVENT_STATUS, 0 } },
        { "message-text.json", { "timestamp", "1763797728", WHATSAPP_EVENT_MESSAGE, 0 } },
        { "faults.json", { "title", "Rate limit hit", WHATSAPP_EVENT_FAULT, 0 } },
        { "notice-account-violation.json", { "event", "ACCOUNT_VIOLATION", WHATSAPP_EVENT_NOTICE, 0 } },
        { "status-payment.json", { "status", "captured", WHATSAPP_EVENT_NOTICE, 0 } },
        { "unknown-other-product.json", { "id", "1", WHATSAPP_EVENT_UNKNOWN, 0 } },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct arena *arena = arena_new(1u << 16);
        struct buf body;
        whatsapp_fixture_read("webhook", rows[i].file, &body);
        assert_ok(whatsapp_event_read(buf_slice(&body), arena, raw_is, &rows[i].check));
        assert_int_equal(rows[i].check.calls, 1);
        buf_release(&body);
        arena_free(arena);
    }
}

static enum err
name_is_cut(void *ctx, const struct whatsapp_event *event)
{
    assert_int_equal(event->message.profile_name.len, *(size_t *)ctx);
    assert_true(slice_is_utf8(event->message.profile_name));
    return ERR_OK;
}

static void
a_long_profile_name_is_cut_between_characters(void **state UNUSED)
{
    /* Two-byte characters: an odd limit would fall into the middle of one. */
    static const struct {
        size_t ascii, wide, want;
    } rows[] = { { 0, 256, 512 }, { 0, 300, 512 }, { 1, 300, 511 }, { 512, 0, 512 }, { 513, 0, 512 } };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct arena *arena = arena_new(1u << 16);
        struct buf body;
        size_t want = rows[i].want;
        buf_init(&body, 1u << 16);
        buf_add_text(
            &body, "{\"entry\":[{\"changes\":[{\"field\":\"messages\",\"value\":{\"contacts\":[{\"profile\":"
                   "{\"name\":\"");
        for (size_t k = 0; k < rows[i].ascii; k++)
            buf_add_text(&body, "a");
        for (size_t k = 0; k < rows[i].wide; k++)
            buf_add_text(&body, "\xC3\xA9");
        buf_add_text(&body, "\"}}],\"messages\":[{\"id\":\"w\",\"from\":\"14155550123\"}]}}]}]}");
        assert_ok(whatsapp_event_read(buf_slice(&body), arena, name_is_cut, &want));
        buf_release(&body);
        arena_free(arena);
    }
}

static void
an_id_of_absurd_length_is_none(void **state UNUSED)
{
    for (size_t len = WHATSAPP_ID_MAX - 1; len <= WHATSAPP_ID_MAX + 1; len++) {
        struct arena *arena = arena_new(1u << 16);
        enum whatsapp_event_kind kind = WHATSAPP_EVENT_FAULT;
        struct buf body;
        buf_init(&body, 1u << 16);
        buf_add_text(&body,
                     "{\"entry\":[{\"changes\":[{\"field\":\"messages\",\"value\":{\"statuses\":[{\"id\":\"");
        for (size_t k = 0; k < len; k++)
            buf_add_byte(&body, 'w');
        buf_add_text(&body, "\",\"status\":\"sent\"}]}}]}]}");
        assert_ok(whatsapp_event_read(buf_slice(&body), arena, note_kind, &kind));
        assert_int_equal(kind, len <= WHATSAPP_ID_MAX ? WHATSAPP_EVENT_STATUS : WHATSAPP_EVENT_UNKNOWN);
        buf_release(&body);
        arena_free(arena);
    }
}

UNIT_MAIN(cmocka_unit_test(every_fixture_means_what_is_written_beside_it),
          cmocka_unit_test(every_cut_of_every_fixture_is_refused_whole),
          cmocka_unit_test(unknown_members_change_nothing),
          cmocka_unit_test(numbers_as_text_and_text_as_numbers_change_nothing),
          cmocka_unit_test(what_is_no_envelope_is_refused),
          cmocka_unit_test(the_limits_hold_before_the_first_event),
          cmocka_unit_test(an_error_of_the_visitor_stops_and_comes_back),
          cmocka_unit_test(a_full_arena_is_an_error_and_not_a_missing_id),
          cmocka_unit_test(each_kind_hands_on_its_raw_json),
          cmocka_unit_test(a_long_profile_name_is_cut_between_characters),
          cmocka_unit_test(an_id_of_absurd_length_is_none))
