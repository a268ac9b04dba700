/* The 1st, 2nd, 3rd ... allocation fails, until all succeed: nothing leaks, and no half of a thing comes out.
 */
#include "core/unit.h"
#include "domain/channel/whatsapp/whatsapp_answer.h"
#include "domain/channel/whatsapp/whatsapp_fixture_testing.h"
#include "domain/channel/whatsapp/whatsapp_inbound.h"
#include "domain/channel/whatsapp/whatsapp_send.h"
#include "wire/json/json.h"
#include "wire/json/json_testing.h"

#define ARENA_BYTES (1u << 20)
#define TRIES_MAX   5000u

struct visited {
    struct arena *arena;
    json_t *contents; /* of the messages */
};

static enum err
message_take(void *ctx, const struct whatsapp_event *event)
{
    struct visited *visited = ctx;
    json_t *content = NULL;

    if (event->kind != WHATSAPP_EVENT_MESSAGE)
        return ERR_OK;
    enum err err = whatsapp_inbound_content(event, visited->arena, &content);
    if (err != ERR_OK)
        assert_null(content);
    else if (json_array_append_new(visited->contents, content) != 0)
        err = ERR_NO_MEMORY;
    return err;
}

static json_t *
contents_of(struct slice body, enum err *err_out)
{
    struct visited visited = { .arena = arena_new(ARENA_BYTES), .contents = json_array() };

    *err_out = visited.contents == NULL ? ERR_NO_MEMORY
                                        : whatsapp_event_read(body, visited.arena, message_take, &visited);
    arena_free(visited.arena);
    return visited.contents;
}

static void
body_survives_each_failure(const char *name, struct slice body)
{
    enum err err;
    json_t *whole = contents_of(body, &err);
    size_t tries = 0;

    assert_ok(err);
    do {
        json_testing_starve(tries++);
        json_t *contents = contents_of(body, &err);
        json_testing_feed();
        if (err == ERR_OK ? !json_equal(contents, whole) : err != ERR_NO_MEMORY)
            fail_msg("%s with %zu allocations", name, tries - 1);
        json_decref(contents);
        assert_true(tries < TRIES_MAX);
    } while (err != ERR_OK);
    json_decref(whole);
}

static void
a_body_is_read_whole_or_reported_as_out_of_memory(void **state UNUSED)
{
    assert_true(whatsapp_fixture_each("webhook", ".json", body_survives_each_failure) >= 90);
}

/* Out of memory is no verdict either: an answer is then never an acceptance that was not read, nor a refusal.
 */
static void
answer_survives_each_failure(const char *name, struct slice body)
{
    struct whatsapp_reply reply = { .was_sent = true, .http_status = 200, .body = body, .retry_after_s = -1 };
    struct whatsapp_answer whole, answer;
    size_t tries;

    whatsapp_answer_read(&reply, &whole);
    for (tries = 0; tries < 200; tries++) {
        json_testing_starve(tries);
        whatsapp_answer_read(&reply, &answer);
        json_testing_feed();
        bool is_same = answer.is_accepted == whole.is_accepted && answer.error.class == whole.error.class &&
                       answer.error.code == whole.error.code;
        bool is_unread = !answer.is_accepted && answer.error.class == WHATSAPP_UNCERTAIN;
        if (!is_same && !is_unread)
            fail_msg("%s with %zu allocations", name, tries);
    }
}

static void
an_answer_without_memory_is_uncertain(void **state UNUSED)
{
    assert_true(whatsapp_fixture_each("answer", ".json", answer_survives_each_failure) > 20);
}

static void
content_survives_each_failure(const char *name UNUSED, struct slice file)
{
    json_t *fixture = NULL;
    enum err err;
    size_t tries = 0;

    assert_ok(json_parse(file, &fixture));
    struct whatsapp_send send = { .to = json_text_of(fixture, "to"),
                                  .refers_to = json_text_of(fixture, "refers_to"),
                                  .content = json_member(fixture, "content") };
    do {
        struct buf body;
        buf_init(&body, WHATSAPP_SEND_BYTES_MAX);
        json_testing_starve(tries++);
        err = whatsapp_send_print(&send, &body);
        json_testing_feed();
        assert_true(err == ERR_OK || err == ERR_NO_MEMORY);
        buf_release(&body);
        assert_true(tries < TRIES_MAX);
    } while (err != ERR_OK);
    json_decref(fixture);
}

static void
a_send_is_printed_whole_or_reported_as_out_of_memory(void **state UNUSED)
{
    assert_true(whatsapp_fixture_each("content", ".json", content_survives_each_failure) >= 50);
}

UNIT_MAIN(cmocka_unit_test(a_body_is_read_whole_or_reported_as_out_of_memory),
          cmocka_unit_test(an_answer_without_memory_is_uncertain),
          cmocka_unit_test(a_send_is_printed_whole_or_reported_as_out_of_memory))
