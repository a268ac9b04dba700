#include "core/unit.h"
#include "wire/http/traceparent.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define SPAN  "b7ad6b7169203331"

static void
the_example_of_the_standard_is_read(void **state UNUSED)
{
    struct traceparent trace;
    char text[TRACEPARENT_TEXT_BYTES];

    assert_ok(traceparent_parse(SLICE("00-" TRACE "-" SPAN "-01"), &trace));
    assert_int_equal(trace.trace[0], 0x0a);
    assert_int_equal(trace.span[7], 0x31);
    assert_int_equal(trace.flags, 1);
    assert_true(slice_eq(traceparent_print(&trace, text), SLICE("00-" TRACE "-" SPAN "-01")));
    /* a version to come may say more */
    assert_ok(traceparent_parse(SLICE("cc-" TRACE "-" SPAN "-01-what-the-future-holds"), &trace));
    assert_ok(traceparent_parse(SLICE("cc-" TRACE "-" SPAN "-01"), &trace));
}

static void
what_is_not_a_traceparent_is_as_if_not_sent(void **state UNUSED)
{
    static const char *const bad[] = {
        "",
        "00",
        "00-" TRACE "-" SPAN,
        "00-" TRACE "-" SPAN "-0",
        "00-" TRACE "-" SPAN "-01-",
        "00-" TRACE "-" SPAN "-01x",
        "ff-" TRACE "-" SPAN "-01",
        "cc-" TRACE "-" SPAN "-01x",
        "00-00000000000000000000000000000000-" SPAN "-01",
        "00-" TRACE "-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01",
        "00-" TRACE "-" SPAN "-0g",
        "00_" TRACE "-" SPAN "-01",
        " 00-" TRACE "-" SPAN "-01",
    };
    struct traceparent trace;

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (traceparent_parse(slice_text(bad[i]), &trace) != ERR_HTTP_HEADER)
            fail_msg("taken: %s", bad[i]);
}

UNIT_MAIN(cmocka_unit_test(the_example_of_the_standard_is_read),
          cmocka_unit_test(what_is_not_a_traceparent_is_as_if_not_sent))
