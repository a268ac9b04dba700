/* What every unit test includes: cmocka with the headers it wants before it. */
#ifndef CORE_UNIT_H
#define CORE_UNIT_H
#include "core/attribute.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define UNIT_MAIN(...)                                                                                       \
    int main(void)                                                                                           \
    {                                                                                                        \
        const struct CMUnitTest tests[] = { __VA_ARGS__ };                                                   \
        return cmocka_run_group_tests(tests, NULL, NULL);                                                    \
    }
#define assert_ok(call) assert_int_equal((call), ERR_OK)

#endif
