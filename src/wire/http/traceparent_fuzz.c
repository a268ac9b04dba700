#include "core/fuzz.h"
#include "wire/http/traceparent.h"

/* What is read prints as version 00 and reads the same again. */
FUZZ_TARGET(data, size)
{
    struct traceparent trace, again;
    char text[TRACEPARENT_TEXT_BYTES];

    if (traceparent_parse(slice_of(data, size), &trace) != ERR_OK)
        return 0;
    struct slice printed = traceparent_print(&trace, text);
    FUZZ_CHECK(printed.len == TRACEPARENT_TEXT_BYTES - 1);
    FUZZ_CHECK(traceparent_parse(printed, &again) == ERR_OK);
    FUZZ_CHECK(memcmp(&trace, &again, sizeof(trace)) == 0);
    FUZZ_CHECK(size >= printed.len && memcmp(data + 3, printed.ptr + 3, printed.len - 3) == 0);
    return 0;
}
