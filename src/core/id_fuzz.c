#include "core/fuzz.h"
#include "core/id.h"

/* An id has one spelling outside, and one but for the case of its letters inside; a text is of one kind. */
FUZZ_TARGET(data, size)
{
    struct slice text = slice_of(data, size);
    char printed[ID_TEXT_BYTES], uuid[ID_UUID_BYTES];
    struct id id, back;
    int kinds = 0;

    for (enum id_kind kind = ID_TENANT; kind <= ID_MEDIA; kind++) {
        enum err err = id_parse(kind, text, &id);
        FUZZ_CHECK(err == ERR_OK || err == ERR_ID_SYNTAX);
        if (err != ERR_OK)
            continue;
        kinds++;
        FUZZ_CHECK(slice_eq(id_print(kind, id, printed), text));
        FUZZ_CHECK(id_uuid_parse(id_uuid_print(id, uuid), &back) == ERR_OK && id_eq(id, back));
    }
    FUZZ_CHECK(kinds <= 1);
    if (id_uuid_parse(text, &id) == ERR_OK) {
        FUZZ_CHECK(kinds == 0);
        FUZZ_CHECK(slice_eq_nocase(id_uuid_print(id, uuid), text));
        FUZZ_CHECK(id_parse(ID_EVENT, id_print(ID_EVENT, id, printed), &back) == ERR_OK && id_eq(id, back));
    }
    return 0;
}
