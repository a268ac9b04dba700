#include "core/fuzz.h"
#include "wire/http/target.h"

/* Percent-encodes everything but letters and digits. */
static size_t
encode(struct slice text, char *out)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
            out[len++] = (char)c;
        else
            len += (size_t)snprintf(out + len, 4, "%%%02X", c);
    }
    return len;
}

/* The parts lie within the text and make it up again; what decodes, encodes and decodes to the same. */
FUZZ_TARGET(data, size)
{
    struct slice text = slice_of(data, size), name, value, decoded, again;
    struct target target;
    struct arena *arena = arena_new(1 << 20);

    FUZZ_CHECK(arena != NULL);
    if (target_read(text, true, &target) == ERR_OK) {
        FUZZ_CHECK(memchr(data, 0, size) == NULL && memchr(data, '\n', size) == NULL);
        FUZZ_CHECK(target.path.len != 0 && (target.path.ptr[0] == '/' || slice_eq(target.path, SLICE("*"))));
        FUZZ_CHECK(slice_find(target.path, '?') == target.path.len);
        FUZZ_CHECK(slice_ends_with(text, target.query));
        size_t taken = 0;
        for (struct slice rest = target.query; target_query_take(&rest, &name, &value);) {
            FUZZ_CHECK(slice_find(name, '=') == name.len && slice_find(name, '&') == name.len);
            taken += name.len + value.len;
        }
        FUZZ_CHECK(taken <= target.query.len);
    }
    if (size < 4096 && target_decode(arena, text, true, &decoded) == ERR_OK) {
        char encoded[3 * 4096];
        FUZZ_CHECK(decoded.len <= size && slice_is_utf8(decoded));
        size_t len = encode(decoded, encoded);
        FUZZ_CHECK(target_decode(arena, slice_of(encoded, len), true, &again) == ERR_OK);
        FUZZ_CHECK(slice_eq(decoded, again));
    }
    arena_free(arena);
    return 0;
}
