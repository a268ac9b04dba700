#include "domain/channel/whatsapp/whatsapp_peer.h"
#include "core/attribute.h"
#include <stdio.h>

/* `marker` stands behind `before` digits in numbers of the longer form, which have `len` characters. */
static const struct {
    const char *prefix, *marker;
    size_t before, len;
    const char *next; /* what the digit behind the marker may be; NULL: any */
} spellings[] = {
    { "+55", "9", 5, 14, "6789" }, /* only mobile numbers got the digit: theirs began with 6 to 9 before */
    { "+52", "1", 3, 14, NULL },
    { "+54", "9", 3, 14, NULL },
};

struct slice
whatsapp_peer_other_spelling(struct slice number, char room[static WHATSAPP_SPELLING_BYTES])
{
    for (size_t i = 0; i < COUNT_OF(spellings); i++) {
        size_t before = spellings[i].before, len = spellings[i].len;
        bool is_long = number.len == len && number.ptr[before] == spellings[i].marker[0];
        struct slice rest = slice_drop(number, is_long ? before + 1 : before);
        if (!slice_starts_with(number, slice_text(spellings[i].prefix)) ||
            (!is_long && number.len != len - 1))
            continue;
        if (spellings[i].next != NULL && slice_find(slice_text(spellings[i].next), rest.ptr[0]) == 4)
            continue;
        int n = snprintf(room, WHATSAPP_SPELLING_BYTES, "%.*s%s%.*s", (int)before, number.ptr,
                         is_long ? "" : spellings[i].marker, SLICE_FMT(rest));
        return slice_of(room, (size_t)n);
    }
    return SLICE_EMPTY;
}
