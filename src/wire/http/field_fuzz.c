#include "core/fuzz.h"
#include "wire/http/field.h"

static bool
lies_within(struct slice part, struct slice whole)
{
    return part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

/* The first byte says which field; what is taken lies within the value and has only the bytes it may have. */
FUZZ_TARGET(data, size)
{
    struct slice value = slice_drop(slice_of(data, size), 1), out;

    if (size == 0)
        return 0;
    switch (data[0]) {
    case 'b':
        if (field_bearer(value, &out) == ERR_OK) {
            FUZZ_CHECK(out.len != 0 && lies_within(out, value) && field_is_value(out));
            FUZZ_CHECK(slice_find(out, ' ') == out.len && slice_find(out, ',') == out.len);
        } else {
            FUZZ_CHECK(out.len == 0);
        }
        break;
    case 'i':
        if (field_idempotency_key(value, &out) == ERR_OK) {
            FUZZ_CHECK(out.len != 0 && out.len <= FIELD_IDEMPOTENCY_BYTES_MAX && lies_within(out, value));
            struct slice again;
            FUZZ_CHECK(field_idempotency_key(out, &again) == ERR_OK && slice_eq(out, again));
        }
        break;
    case 'h':
        if (field_is_host(value))
            FUZZ_CHECK(value.len <= FIELD_HOST_BYTES_MAX && field_is_value(value) &&
                       slice_find(value, '@') == value.len && slice_find(value, '/') == value.len);
        break;
    case 'a': /* what is named beats what names all, so only an unnamed one can be accepted by "*" */
        if (field_accepts_coding(value, SLICE("br")))
            FUZZ_CHECK(value.len != 0);
        if (field_accepts_type(value, SLICE("text/html")))
            FUZZ_CHECK(value.len >= sizeof("text/html") - 1);
        break;
    default:
        if (field_check_json(value) == ERR_OK)
            FUZZ_CHECK(value.len >= sizeof("application/json") - 1);
        if (field_is_name(value))
            FUZZ_CHECK(field_is_value(value));
        break;
    }
    return 0;
}
