#include "core/fuzz.h"
#include "wire/tzif/tzif.h"

/* Whatever the file says, an offset is one of its own, the same when it is asked again, and less than 26
 * hours. */
FUZZ_TARGET(data, size)
{
    static const int64_t at[] = {
        INT64_MIN,  -62135596800, -2147483648,      -1,       0, 1, 1700000000, 1794000000,
        4102444800, 253402300799, 9007199254740993, INT64_MAX
    };
    struct tzif zone;

    if (tzif_read(slice_of(data, size), &zone) != ERR_OK) {
        FUZZ_CHECK(tzif_offset(&zone, 0) == 0);
        return 0;
    }
    FUZZ_CHECK(zone.transition_count <= TZIF_TRANSITIONS_MAX);
    for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        int32_t offset = tzif_offset(&zone, at[i]);

        FUZZ_CHECK(offset >= -93599 && offset <= 93599);
        FUZZ_CHECK(offset == tzif_offset(&zone, at[i]));
    }
    return 0;
}
