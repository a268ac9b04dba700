#include "core/unit.h"
#include "domain/channel/whatsapp/whatsapp_answer.h"
#include "domain/channel/whatsapp/whatsapp_fixture_testing.h"
#include <stdio.h>
#include <stdlib.h>

#define WAMID "wamid.HBgLMTQxNTU1NTAxMjMVAgARGBI3QTBDNEYyRDkxQjg2RTVGMzAA"

static struct whatsapp_answer
answer_of(int http_status, struct slice body)
{
    struct whatsapp_reply reply = {
        .was_sent = true, .http_status = http_status, .body = body, .retry_after_s = -1
    };
    struct whatsapp_answer answer;

    whatsapp_answer_read(&reply, &answer);
    return answer;
}

static void
an_acceptance_gives_the_ids(void **state UNUSED)
{
    static const struct {
        const char *file;
        enum whatsapp_acceptance acceptance;
        const char *wa_id, *user_id;
    } rows[] = {
        { "accepted.json", WHATSAPP_ACCEPTED, "14155550123", "" },
        { "accepted-template.json", WHATSAPP_ACCEPTED, "14155550123", "" },
        { "accepted-held.json", WHATSAPP_ACCEPTED_HELD, "14155550123", "" },
        { "accepted-paused.json", WHATSAPP_ACCEPTED_PAUSED, "14155550123", "" },
        { "accepted-new-word.json", WHATSAPP_ACCEPTED_OTHER, "14155550123", "" },
        { "accepted-other-number.json", WHATSAPP_ACCEPTED, "551155550188", "" },
        { "accepted-by-user-id.json", WHATSAPP_ACCEPTED, "", "IN.4403817725509316" },
        { "accepted-with-user-id.json", WHATSAPP_ACCEPTED, "14155550123", "IN.4403817725509316" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf body;
        whatsapp_fixture_read("answer", rows[i].file, &body);
        struct whatsapp_answer answer = answer_of(200, buf_slice(&body));
        assert_true(answer.is_accepted);
        assert_string_equal(answer.provider_id.bytes, WAMID);
        assert_string_equal(answer.wa_id.bytes, rows[i].wa_id);
        assert_string_equal(answer.user_id.bytes, rows[i].user_id);
        assert_int_equal(answer.acceptance, rows[i].acceptance);
        buf_release(&body);
    }
}

static void
a_refusal_is_judged_by_its_code(void **state UNUSED)
{
    static const struct {
        const char *file;
        int http_status;
        int64_t code, subcode;
        enum whatsapp_error_class class;
    } rows[] = {
        { "error-100.json", 400, 100, 0, WHATSAPP_PERMANENT },
        { "error-100-33.json", 404, 100, 33, WHATSAPP_CREDENTIAL_BROKEN },
        { "error-100-33.json", 400, 100, 33, WHATSAPP_CREDENTIAL_BROKEN },
        { "error-100-user-title.json", 400, 100, 2388040, WHATSAPP_PERMANENT },
        { "error-190-expired.json", 401, 190, 463, WHATSAPP_CREDENTIAL_BROKEN },
        { "error-0.json", 401, 0, 0, WHATSAPP_CREDENTIAL_BROKEN },
        { "error-10.json", 403, 10, 0, WHATSAPP_CREDENTIAL_BROKEN },
        { "error-131005.json", 403, 131005, 0, WHATSAPP_WAIT },
        { "error-130429.json", 400, 130429, 2494055, WHATSAPP_THROTTLE },
        { "error-130429.json", 429, 130429, 2494055, WHATSAPP_THROTTLE },
        { "error-131056.json", 400, 131056, 0, WHATSAPP_THROTTLE },
        { "error-80007.json", 400, 80007, 0, WHATSAPP_THROTTLE },
        { "error-4-transient.json", 429, 4, 0, WHATSAPP_THROTTLE },
        { "error-131026.json", 400, 131026, 0, WHATSAPP_PERMANENT },
        { "error-131047.json", 400, 131047, 0, WHATSAPP_PERMANENT },
        { "error-132001.json", 404, 132001, 0, WHATSAPP_PERMANENT },
        { "error-131000.json", 500, 131000, 0, WHATSAPP_RETRY },
        { "error-2-transient.json", 503, 2, 0, WHATSAPP_RETRY },
        { "error-code-as-text.json", 400, 131026, 0, WHATSAPP_PERMANENT },
        { "error-graph-method.json", 400, 2500, 0, WHATSAPP_PERMANENT },
        { "error-graph-method.json", 500, 2500, 0, WHATSAPP_RETRY },
        { "error-in-success.json", 200, 131009, 0, WHATSAPP_PERMANENT },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf body;
        whatsapp_fixture_read("answer", rows[i].file, &body);
        struct whatsapp_answer answer = answer_of(rows[i].http_status, buf_slice(&body));
        if (answer.is_accepted || answer.error.code != rows[i].code ||
            answer.error.subcode != rows[i].subcode || answer.error.class != rows[i].class)
            fail_msg("%s", rows[i].file);
        /* A person's number stands in some of Meta's texts: none of them may come out. */
        assert_null(strstr(answer.error.title, "4155550123"));
        buf_release(&body);
    }
}

/* Nobody has said whether the message was taken: only what cannot have been may be repeated. */
static void
without_words_of_the_provider_the_status_decides(void **state UNUSED)
{
    static const char *const unreadable[] = { "page-502.html",
                                              "page-403.html",
                                              "error-without-code.json",
                                              "error-as-text.json",
                                              "success-without-id.json",
                                              "success-read.json",
                                              "cut.json" };
    static const struct {
        int http_status;
        enum whatsapp_error_class class;
    } rows[] = {
        { 200, WHATSAPP_UNCERTAIN },
        { 202, WHATSAPP_UNCERTAIN },
        { 206, WHATSAPP_UNCERTAIN },
        { 301, WHATSAPP_RETRY },
        { 302, WHATSAPP_RETRY },
        { 400, WHATSAPP_RETRY },
        { 401, WHATSAPP_CREDENTIAL_BROKEN },
        { 403, WHATSAPP_RETRY },
        { 404, WHATSAPP_RETRY },
        { 407, WHATSAPP_RETRY },
        { 413, WHATSAPP_RETRY },
        { 429, WHATSAPP_THROTTLE },
        { 500, WHATSAPP_UNCERTAIN },
        { 502, WHATSAPP_UNCERTAIN },
        { 503, WHATSAPP_UNCERTAIN },
        { 504, WHATSAPP_UNCERTAIN },
        { 599, WHATSAPP_UNCERTAIN },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (size_t k = 0; k <= COUNT_OF(unreadable); k++) {
            struct buf body;
            buf_init(&body, 64); /* the last time: an empty body */
            if (k < COUNT_OF(unreadable))
                whatsapp_fixture_read("answer", unreadable[k], &body);
            struct whatsapp_answer answer = answer_of(rows[i].http_status, buf_slice(&body));
            if (answer.is_accepted || answer.error.class != rows[i].class ||
                answer.error.code != WHATSAPP_CODE_NONE)
                fail_msg("HTTP %d with %s", rows[i].http_status,
                         k < COUNT_OF(unreadable) ? unreadable[k] : "nothing");
            buf_release(&body);
        }
    }
}

static void
a_broken_connection_is_uncertain_unless_nothing_left(void **state UNUSED)
{
    struct whatsapp_reply reply = { .was_sent = false, .retry_after_s = -1 };
    struct whatsapp_answer answer;

    whatsapp_answer_read(&reply, &answer);
    assert_false(answer.is_accepted);
    assert_int_equal(answer.error.class, WHATSAPP_RETRY);
    reply.was_sent = true;
    whatsapp_answer_read(&reply, &answer);
    assert_false(answer.is_accepted);
    assert_int_equal(answer.error.class, WHATSAPP_UNCERTAIN);
}

static void
a_failure_is_not_made_a_success_by_an_id_in_it(void **state UNUSED)
{
    struct buf body;

    whatsapp_fixture_read("answer", "accepted.json", &body);
    assert_false(answer_of(500, buf_slice(&body)).is_accepted);
    assert_int_equal(answer_of(500, buf_slice(&body)).error.class, WHATSAPP_UNCERTAIN);
    assert_false(answer_of(400, buf_slice(&body)).is_accepted);
    buf_release(&body);
}

static void
a_huge_answer_is_as_good_as_none(void **state UNUSED)
{
    size_t len = WHATSAPP_ANSWER_BYTES_MAX + 1;
    char *body = malloc(len);

    assert_non_null(body);
    memset(body, ' ', len);
    memcpy(body, "{\"messages\":[{\"id\":\"wamid.A\"}]}", 31);
    assert_true(answer_of(200, slice_of(body, len - 1)).is_accepted);
    assert_false(answer_of(200, slice_of(body, len)).is_accepted);
    assert_int_equal(answer_of(200, slice_of(body, len)).error.class, WHATSAPP_UNCERTAIN);
    free(body);
}

static void
an_id_that_does_not_fit_leaves_the_message_accepted(void **state UNUSED)
{
    char body[1024], id[WHATSAPP_PROVIDER_ID_MAX + 2];

    memset(id, 'A', sizeof(id) - 1);
    id[sizeof(id) - 1] = '\0';
    snprintf(body, sizeof(body), "{\"messages\":[{\"id\":\"%s\"}]}", id + 1);
    assert_int_equal(answer_of(200, slice_text(body)).provider_id.len, WHATSAPP_PROVIDER_ID_MAX);
    snprintf(body, sizeof(body), "{\"messages\":[{\"id\":\"%s\"}]}", id);
    assert_true(answer_of(200, slice_text(body)).is_accepted);
    assert_int_equal(answer_of(200, slice_text(body)).provider_id.len, 0);
}

static void
retry_after_counts_when_it_asks_for_more(void **state UNUSED)
{
    static const struct {
        const char *file;
        int http_status;
        int64_t header_s;
        uint32_t want_s;
    } rows[] = {
        { "error-130429.json", 429, -1, 0 },       { "error-130429.json", 429, 30, 30 },
        { "error-131056.json", 400, 1, 4 },        { "error-131056.json", 400, 60, 60 },
        { "error-2-transient.json", 503, 10, 10 }, { "error-2-transient.json", 503, INT64_MAX, 604800 },
        { "error-131026.json", 400, 30, 0 },       { "error-0.json", 401, 30, 0 },
        { "page-502.html", 502, 30, 0 },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf body;
        struct whatsapp_answer answer;
        whatsapp_fixture_read("answer", rows[i].file, &body);
        struct whatsapp_reply reply = { true, rows[i].http_status, buf_slice(&body), rows[i].header_s };
        whatsapp_answer_read(&reply, &answer);
        assert_int_equal(answer.error.retry_after_s, rows[i].want_s);
        buf_release(&body);
    }
}

/* A cut answer never turns into an acceptance, and never into a refusal of the message. */
static void
cut_is_uncertain(const char *name, struct slice content)
{
    struct slice whole = content;

    while (whole.len > 0 && whole.ptr[whole.len - 1] == '\n')
        whole.len--;
    for (size_t len = 0; len < whole.len; len++) {
        struct whatsapp_answer answer = answer_of(200, slice_first(whole, len));
        if (answer.is_accepted || answer.error.class != WHATSAPP_UNCERTAIN)
            fail_msg("%s cut at %zu", name, len);
    }
}

static void
every_cut_of_every_answer_is_uncertain(void **state UNUSED)
{
    assert_true(whatsapp_fixture_each("answer", ".json", cut_is_uncertain) > 20);
}

UNIT_MAIN(cmocka_unit_test(an_acceptance_gives_the_ids), cmocka_unit_test(a_refusal_is_judged_by_its_code),
          cmocka_unit_test(without_words_of_the_provider_the_status_decides),
          cmocka_unit_test(a_broken_connection_is_uncertain_unless_nothing_left),
          cmocka_unit_test(a_failure_is_not_made_a_success_by_an_id_in_it),
          cmocka_unit_test(a_huge_answer_is_as_good_as_none),
          cmocka_unit_test(an_id_that_does_not_fit_leaves_the_message_accepted),
          cmocka_unit_test(retry_after_counts_when_it_asks_for_more),
          cmocka_unit_test(every_cut_of_every_answer_is_uncertain))
