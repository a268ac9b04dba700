#include "core/clock.h"
#include "core/fuzz.h"

/* What is read is printed as the same second when its offset is zero, and reads back to the millisecond. */
FUZZ_TARGET(data, size)
{
    struct slice text = slice_of(data, size);
    struct wall_time t = { 4711 }, back = { 0 };
    char printed[WALL_TEXT_BYTES], of_month[WALL_TEXT_BYTES];
    enum err err = wall_parse(text, &t);

    if (err != ERR_OK) {
        FUZZ_CHECK(err == ERR_TIME_SYNTAX && t.us == 4711);
        return 0;
    }
    struct slice shown = wall_print(t, printed);
    FUZZ_CHECK(shown.len == 24);
    FUZZ_CHECK(wall_parse(shown, &back) == ERR_OK);
    FUZZ_CHECK(back.us <= t.us && t.us - back.us < 1000);
    if (slice_ends_with(text, SLICE("Z")) || slice_ends_with(text, SLICE("z")))
        FUZZ_CHECK(slice_eq_nocase(slice_first(text, 19), slice_first(shown, 19)));
    struct wall_time first = wall_month_start(t, 0), next = wall_month_start(t, 1);
    FUZZ_CHECK(first.us <= t.us && t.us <= next.us);
    FUZZ_CHECK(slice_starts_with(wall_print(first, of_month), slice_first(shown, sizeof("2026-11") - 1)));
    return 0;
}
