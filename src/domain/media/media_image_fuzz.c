#include "core/fuzz.h"
#include "domain/media/media_image.h"

/* A size has both sides; and what the whole says, no beginning of it contradicts: it waits or says the same.
 */
FUZZ_TARGET(data, size)
{
    struct slice whole = slice_of(data, size);
    struct media_image_size told, early;
    enum err err = media_image_size_read(whole, &told);

    FUZZ_CHECK(err == ERR_OK || err == ERR_INCOMPLETE || err == ERR_MEDIA_MISMATCH);
    FUZZ_CHECK(err != ERR_OK || (told.width > 0 && told.height > 0));
    for (size_t have = 0; have < size && have < 2048; have++) {
        enum err before = media_image_size_read(slice_first(whole, have), &early);
        FUZZ_CHECK(before == ERR_INCOMPLETE || before == err);
        FUZZ_CHECK(before != ERR_OK || (early.width == told.width && early.height == told.height));
    }
    return 0;
}
