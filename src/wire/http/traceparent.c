#include "wire/http/traceparent.h"

/* Exactly `count` octets from lower-case hex off the front of *rest. */
static bool
hex_take(struct slice *rest, unsigned char *out, size_t count)
{
    if (rest->len < 2 * count)
        return false;
    for (size_t i = 0; i < 2 * count; i++) {
        char c = rest->ptr[i];
        unsigned digit;
        if (c >= '0' && c <= '9')
            digit = (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (unsigned)(c - 'a') + 10;
        else
            return false;
        out[i / 2] = (unsigned char)(i % 2 == 0 ? digit << 4 : out[i / 2] | digit);
    }
    *rest = slice_drop(*rest, 2 * count);
    return true;
}

static bool
dash_take(struct slice *rest)
{
    if (rest->len == 0 || rest->ptr[0] != '-')
        return false;
    *rest = slice_drop(*rest, 1);
    return true;
}

static bool
is_zero(const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

enum err
traceparent_parse(struct slice text, struct traceparent *out)
{
    struct traceparent trace;
    struct slice rest = text;
    unsigned char version;

    if (!hex_take(&rest, &version, 1) || !dash_take(&rest) || !hex_take(&rest, trace.trace, TRACE_ID_BYTES) ||
        !dash_take(&rest) || !hex_take(&rest, trace.span, TRACE_SPAN_BYTES) || !dash_take(&rest) ||
        !hex_take(&rest, &trace.flags, 1))
        return ERR_HTTP_HEADER;
    if (version == 0xFF || (version == 0 && rest.len != 0) || (rest.len != 0 && rest.ptr[0] != '-'))
        return ERR_HTTP_HEADER;
    if (is_zero(trace.trace, TRACE_ID_BYTES) || is_zero(trace.span, TRACE_SPAN_BYTES))
        return ERR_HTTP_HEADER;
    *out = trace;
    return ERR_OK;
}

static char *
hex_put(char *at, const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        *at++ = "0123456789abcdef"[bytes[i] >> 4];
        *at++ = "0123456789abcdef"[bytes[i] & 15];
    }
    return at;
}

struct slice
traceparent_print(const struct traceparent *trace, char out[static TRACEPARENT_TEXT_BYTES])
{
    char *at = out;

    *at++ = '0';
    *at++ = '0';
    *at++ = '-';
    at = hex_put(at, trace->trace, TRACE_ID_BYTES);
    *at++ = '-';
    at = hex_put(at, trace->span, TRACE_SPAN_BYTES);
    *at++ = '-';
    at = hex_put(at, &trace->flags, 1);
    *at = '\0';
    return slice_of(out, (size_t)(at - out));
}
