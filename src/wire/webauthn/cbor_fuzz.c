#include "core/fuzz.h"
#include "wire/webauthn/cbor.h"

/* Items lie within the input, take at least a byte, and a failure takes none. */
FUZZ_TARGET(data, size)
{
    struct slice input = slice_of(data, size), whole;
    struct cbor_item item;
    int64_t number;

    while (input.len > 0) {
        struct slice before = input, probe = input;
        if (cbor_take_whole(&input, &whole) != ERR_OK) {
            FUZZ_CHECK(input.ptr == before.ptr && input.len == before.len);
            break;
        }
        FUZZ_CHECK(whole.ptr == before.ptr && whole.len > 0 && whole.len + input.len == before.len);
        FUZZ_CHECK(cbor_take(&probe, &item) == ERR_OK && probe.len >= input.len);
        if (item.kind == CBOR_BYTES || item.kind == CBOR_TEXT)
            FUZZ_CHECK(item.text.len == item.number && probe.len == input.len);
        probe = before;
        if (cbor_take_int(&probe, &number) == ERR_OK)
            FUZZ_CHECK((item.kind == CBOR_UNSIGNED) == (number >= 0) && probe.len == input.len);
        struct slice again = whole, other; /* what was taken stands by itself */
        FUZZ_CHECK(cbor_take_whole(&again, &other) == ERR_OK && again.len == 0 && slice_eq(whole, other));
    }
    return 0;
}
