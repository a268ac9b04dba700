/*
 * cmocka says "not ok 3 # SKIP name" of a test that was skipped. Readers of TAP count that as failed, and
 * rightly: the specification skips with "ok". All its output passes this function, of which ours comes first.
 */
#include "core/unit.h"
#include <string.h>

void
print_message(const char *const format, ...)
{
    va_list values;

    va_start(values, format);
    if (strcmp(format, "not ok %u # SKIP %s\n") == 0)
        vprint_message("ok %u # SKIP %s\n", values);
    else
        vprint_message(format, values);
    va_end(values);
}
