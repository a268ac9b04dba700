/* What somebody reaches: every channel, some, or none; and what is shown of addresses. */
#include "core/unit.h"
#include "program/gateway/gateway.h"
#include "program/gateway/reach.h"

static const struct id first = { { 1 } }, second = { { 2 } }, third = { { 3 } };

/* A request by somebody limited to these channels; with `limit` false to none. */
static struct http_request
request_of(struct principal *principal, struct arena *arena, bool limit, const struct id *channels,
           size_t count)
{
    *principal = (struct principal){ .kind = PRINCIPAL_PERSON,
                                     .actor = { { 9 } },
                                     .is_channel_limited = limit,
                                     .channels = channels,
                                     .channel_count = count };
    return (struct http_request){ .arena = arena, .principal = principal };
}

static void
a_limit_is_held_by_every_question_alike(void **state UNUSED)
{
    const struct id two[] = { first, second };
    static const struct {
        const char *name;
        bool limit;
        size_t count;
        bool reaches_first, reaches_second, reaches_third;
    } rows[] = {
        { "no limit", false, 0, true, true, true },
        { "no limit, whatever else is there", false, 2, true, true, true },
        { "two", true, 2, true, true, false },
        { "one", true, 1, true, false, false },
        { "limited to none", true, 0, false, false, false },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct principal principal;
        struct http_request request = request_of(&principal, NULL, rows[i].limit, two, rows[i].count);
        const bool expected[] = { rows[i].reaches_first, rows[i].reaches_second, rows[i].reaches_third };
        const struct id channels[] = { first, second, third };
        size_t count = 7, shown = 0;
        for (size_t c = 0; c < COUNT_OF(channels); c++) {
            shown += expected[c];
            if (reach_has_channel(&request, channels[c]) != expected[c])
                fail_msg("%s: channel %zu", rows[i].name, c);
            assert_int_equal(reach_check_channel(&request, channels[c]),
                             expected[c] ? ERR_OK : ERR_NOT_FOUND);
        }
        assert_int_equal(reach_check_workspace(&request), rows[i].limit ? ERR_CHANNEL_LIMITED : ERR_OK);
        const struct id *list = reach_channels(&request, &count);
        assert_int_equal(count, rows[i].limit ? rows[i].count : 0);
        assert_true((list != NULL) == rows[i].limit); /* a list of none is not no list */
        json_t *listed = reach_show_channels(&request, channels, COUNT_OF(channels));
        assert_int_equal(json_array_size(listed), shown);
        json_decref(listed);
    }
}

static void
whoever_asks_is_named_by_kind(void **state UNUSED)
{
    struct principal principal;
    struct http_request request = request_of(&principal, NULL, false, NULL, 0);

    assert_true(reach_asker(&request).is_person);
    assert_true(id_eq(reach_asker(&request).id, principal.actor));
    principal.kind = PRINCIPAL_KEY;
    assert_false(reach_asker(&request).is_person);
    assert_true(id_eq(reach_asker(&request).id, principal.actor));
}

static void
addresses_are_masked_without_the_permission_and_as_they_are_with_it(void **state UNUSED)
{
    struct arena *arena = arena_new(64 * 1024);
    struct principal principal;
    struct http_request request = request_of(&principal, arena, false, NULL, 0);
    struct slice number = SLICE("+14155550123"), words = SLICE("no way to +14155550123 today");
    json_t *content = json_pack("{s:{s:s}}", "text", "body", "Hello");

    principal.scopes = ~(UINT64_C(1) << API_SCOPE_CONTACT_IDENTITY_REVEAL); /* everything else */
    assert_false(reach_reveals(&request));
    assert_true(slice_eq(reach_address(&request, arena, number), SLICE("****0123")));
    assert_false(slice_contains(reach_text(&request, arena, words), SLICE("41555501")));
    assert_ok(reach_content(&request, arena, content));
    json_t *strings = reach_strings(&request, arena, json_pack("[s]", "of 14155550123"));
    assert_null(strstr(json_string_value(json_array_get(strings, 0)), "41555501"));
    json_decref(strings);
    assert_null(reach_strings(&request, arena, NULL));

    principal.scopes = UINT64_C(1) << API_SCOPE_CONTACT_IDENTITY_REVEAL;
    assert_true(reach_reveals(&request));
    assert_true(slice_eq(reach_address(&request, arena, number), number));
    assert_true(slice_eq(reach_text(&request, arena, words), words));
    json_decref(content);
    arena_free(arena);
}

UNIT_MAIN(cmocka_unit_test(a_limit_is_held_by_every_question_alike),
          cmocka_unit_test(whoever_asks_is_named_by_kind),
          cmocka_unit_test(addresses_are_masked_without_the_permission_and_as_they_are_with_it))
