#include "core/fuzz.h"
#include "domain/message/message.h"

/* What is taken for a mark is one of ours, to the letter. */
FUZZ_TARGET(data, size)
{
    struct slice text = slice_of(data, size);
    char printed[MESSAGE_MARK_BYTES];
    unsigned sender = 0;
    struct id id;
    enum err err = message_mark_parse(text, &id, &sender);

    FUZZ_CHECK(err == ERR_OK || err == ERR_ID_SYNTAX);
    if (err == ERR_OK) {
        FUZZ_CHECK(sender <= MESSAGE_FALLBACKS_MAX);
        FUZZ_CHECK(slice_eq(message_mark_print(id, sender, printed), text));
    }
    return 0;
}
