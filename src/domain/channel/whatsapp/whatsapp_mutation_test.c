/*
 * Whatever Meta changes inside of a body: the body is read to its end, what is beside the change means what
 * it meant, and every message has a content that can be stored and read again.
 */
#include "core/unit.h"
#include "domain/channel/whatsapp/whatsapp_event.h"
#include "domain/channel/whatsapp/whatsapp_fixture_testing.h"
#include "domain/channel/whatsapp/whatsapp_inbound.h"
#include "wire/json/json.h"
#include "wire/json/json_foreign.h"

#define ARENA_BYTES   (8u << 20)
#define ROUNDS        60u
#define CONTENT_BYTES (8u << 20)

static uint64_t seed = 88172645463325252u;

static size_t
below(size_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (size_t)(seed % n);
}

static json_t *
odd_value(void)
{
    switch (below(11)) {
    case 0:
        return json_null();
    case 1:
        return json_true();
    case 2:
        return json_integer(-7);
    case 3:
        return json_integer(INT64_MAX);
    case 4:
        return json_real(1e300);
    case 5:
        return json_string("");
    case 6:
        return json_string("\xF0\x9F\x98\x80 odd \\ \" text");
    case 7:
        return json_array();
    case 8:
        return json_pack("[{s:[n,i]}]", "id", 3);
    case 9:
        return json_pack("{s:{s:s},s:s}", "id", "x", "y", "type", "type");
    default:
        return json_string("edit");
    }
}

static size_t
nodes(const json_t *value)
{
    const char *name;
    json_t *member;
    size_t index, count = 1;

    json_object_foreach((json_t *)(uintptr_t)value, name, member) count += nodes(member);
    json_array_foreach(value, index, member) count += nodes(member);
    return count;
}

static void
change_member(json_t *object, const char *name)
{
    switch (below(4)) {
    case 0:
        json_object_del(object, name);
        break;
    case 1:
        json_object_set_new(object, name, odd_value());
        break;
    case 2:
        json_object_set(object, "something_new", json_object_get(object, name));
        break;
    default:
        json_object_set_new(object, name, json_pack("[O]", json_object_get(object, name)));
        break;
    }
}

/* The n-th node below `value`, changed in one of several ways; true when it was met. */
static bool
change(json_t *value, size_t *n)
{
    const char *name;
    json_t *member;
    size_t index;

    json_object_foreach(value, name, member)
    {
        if ((*n)-- == 0) {
            change_member(value, name);
            return true;
        }
        if (change(member, n))
            return true;
    }
    json_array_foreach(value, index, member)
    {
        if ((*n)-- == 0) {
            if (below(2) == 0)
                json_array_append(value, member);
            else
                json_array_set_new(value, index, odd_value());
            return true;
        }
        if (change(member, n))
            return true;
    }
    return false;
}

static size_t sentinel_count;

static enum err
visit(void *ctx, const struct whatsapp_event *event)
{
    struct arena *arena = ctx;
    json_t *content = NULL, *again = NULL;
    struct buf text;

    assert_non_null(event->raw);
    if (event->kind != WHATSAPP_EVENT_MESSAGE)
        return ERR_OK;
    assert_true(event->message.provider_id.len > 0 && event->message.peer.len > 0);
    assert_ok(whatsapp_inbound_content(event, arena, &content));
    assert_true(json_text_of(content, "type").len > 0 && json_text_of(content, "type").len <= 40);
    buf_init(&text, CONTENT_BYTES);
    assert_ok(json_print(content, &text));
    assert_ok(json_parse(buf_slice(&text), &again));
    json_decref(again);
    buf_release(&text);
    if (slice_eq(event->message.provider_id, SLICE("wamid.sentinel")) &&
        slice_eq(json_text_of(json_member(content, "text"), "body"), SLICE("still here")))
        sentinel_count++;
    json_decref(content);
    return ERR_OK;
}

static void
changes_are_survived(const char *name, struct slice body)
{
    json_t *tree = NULL;

    assert_ok(json_parse_foreign(body, &tree));
    json_t *changes = json_object_get(json_array_get(json_object_get(tree, "entry"), 0), "changes");
    if (!json_is_array(changes) || json_array_size(changes) == 0) {
        json_decref(tree);
        return;
    }
    for (size_t round = 0; round < ROUNDS; round++) {
        json_t *copy = json_deep_copy(tree);
        json_t *list = json_object_get(json_array_get(json_object_get(copy, "entry"), 0), "changes");
        for (size_t k = below(3); k < 3; k++) {
            size_t at = below(nodes(json_array_get(list, 0)));
            (void)change(json_array_get(list, 0), &at);
        }
        json_array_append_new(list, json_pack("{s:s,s:{s:{s:s},s:[{s:s,s:s,s:s,s:{s:s}}]}}", "field",
                                              "messages", "value", "metadata", "phone_number_id", "1",
                                              "messages", "id", "wamid.sentinel", "from", "14155550123",
                                              "type", "text", "text", "body", "still here"));
        struct buf text;
        struct arena *arena = arena_new(ARENA_BYTES);
        buf_init(&text, CONTENT_BYTES);
        assert_ok(json_print(copy, &text));
        sentinel_count = 0;
        enum err err = whatsapp_event_read(buf_slice(&text), arena, visit, arena);
        /* An entry of another product is not ours to take apart. */
        const json_t *object = json_object_get(copy, "object");
        bool is_ours =
            object == NULL || slice_eq(json_text_of(copy, "object"), SLICE("whatsapp_business_account"));
        if (err != ERR_OK || sentinel_count != is_ours)
            fail_msg("%s, round %zu: %s, %zu\n%.*s", name, round, err_code(err), sentinel_count,
                     SLICE_FMT(buf_slice(&text)));
        buf_release(&text);
        arena_free(arena);
        json_decref(copy);
    }
    json_decref(tree);
}

static void
a_change_anywhere_in_a_body_harms_nothing_beside_it(void **state UNUSED)
{
    assert_true(whatsapp_fixture_each("webhook", ".json", changes_are_survived) >= 90);
}

/* As deep as a body or a text in it may nest, in each place that is taken over as it is: it can be read
 * again. */
static void
what_nests_deeply_can_still_be_stored_and_read(void **state UNUSED)
{
    static const char *const places[] = {
        "\"type\":\"interactive\",\"interactive\":{\"type\":\"nfm_reply\",\"nfm_reply\":{\"response_json\":%s}}",
        "\"type\":\"interactive\",\"interactive\":{\"type\":\"new\",\"new\":%s}",
        "\"type\":\"image\",\"image\":{\"id\":\"1\",\"new\":%s}",
        "\"type\":\"new\",\"new\":%s",
        "\"type\":\"contacts\",\"contacts\":[%s]",
        "\"type\":\"order\",\"order\":{\"product_items\":[%s]}",
        "\"type\":\"text\",\"text\":{\"body\":\"x\"},\"referral\":%s",
        "\"type\":\"edit\",\"edit\":{\"original_message_id\":\"w\",\"message\":{\"type\":\"image\",\"image\":{\"id\":\"1\",\"n\":%s}}}",
    };
    struct arena *arena = arena_new(ARENA_BYTES);

    for (size_t place = 0; place < COUNT_OF(places); place++)
        for (size_t depth = 1; depth < 110; depth += 3) {
            struct buf inner, value, body;
            buf_init(&inner, CONTENT_BYTES);
            buf_init(&value, CONTENT_BYTES);
            buf_init(&body, CONTENT_BYTES);
            for (size_t i = 0; i < depth; i++)
                buf_add_text(&inner, "{\"a\":");
            buf_add_text(&inner, "1");
            for (size_t i = 0; i < depth; i++)
                buf_add_text(&inner, "}");
            if (place == 0)
                json_add_string(&value, buf_slice(&inner));
            else
                buf_add(&value, buf_slice(&inner));
            const char *hole = strstr(places[place], "%s");
            buf_add_text(
                &body,
                "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"1\",\"changes\":[{\"field\":"
                "\"messages\",\"value\":{\"messages\":[{\"id\":\"w\",\"from\":\"14155550123\",");
            buf_add(&body, slice_of(places[place], (size_t)(hole - places[place])));
            buf_add(&body, buf_slice(&value));
            buf_add_text(&body, hole + 2);
            buf_add_text(&body, "}]}}]}]}");
            assert_ok(whatsapp_event_read(buf_slice(&body), arena, visit, arena));
            buf_release(&inner);
            buf_release(&value);
            buf_release(&body);
            arena_reset(arena);
        }
    arena_free(arena);
}

UNIT_MAIN(cmocka_unit_test(a_change_anywhere_in_a_body_harms_nothing_beside_it),
          cmocka_unit_test(what_nests_deeply_can_still_be_stored_and_read))
