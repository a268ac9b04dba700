#include "core/fuzz.h"
#include "domain/media/media_type.h"

/* Whatever comes: a known error, a limit within the type's own, and no regard for what lies behind the head.
 */
FUZZ_TARGET(data, size)
{
    struct slice head = slice_of(data, size);
    unsigned kinds = 0;

    for (size_t i = 0; media_type_at(i) != NULL; i++) {
        const struct media_type *type = media_type_at(i);
        size_t bytes_max = 0, again = 0;
        enum err err = media_type_check(type, head, &bytes_max);
        FUZZ_CHECK(err == ERR_OK || err == ERR_MEDIA_EMPTY || err == ERR_MEDIA_MISMATCH ||
                   err == ERR_MEDIA_FORMAT);
        FUZZ_CHECK((err == ERR_MEDIA_EMPTY) == (size == 0));
        FUZZ_CHECK(bytes_max > 0 && bytes_max <= type->bytes_max);
        FUZZ_CHECK(media_type_check(type, slice_first(head, MEDIA_HEAD_BYTES), &again) == err &&
                   again == bytes_max);
        if (err == ERR_OK)
            kinds |= 1u << type->kind;
    }
    /* No bytes pass for a picture and for a sound. */
    FUZZ_CHECK(!((kinds & 1u << MEDIA_IMAGE) != 0 && (kinds & 1u << MEDIA_AUDIO) != 0));
    (void)media_type_find(head);
    return 0;
}
