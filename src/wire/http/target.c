#include "wire/http/target.h"

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Whether the three bytes at `at` are an escape; its octet goes to *out. */
static bool
escape_read(struct slice text, size_t at, char *out)
{
    if (text.len - at < 3)
        return false;
    int high = hex_digit(text.ptr[at + 1]), low = hex_digit(text.ptr[at + 2]);
    if (high < 0 || low < 0)
        return false;
    *out = (char)(high * 16 + low);
    return true;
}

static bool
is_plain_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' ||
           c == '_' || c == '.' || c == '~' || c == '-' || c == '%';
}

enum err
target_read(struct slice text, bool is_options, struct target *out)
{
    struct slice rest = text;
    char octet;

    *out = (struct target){ .is_plain = true };
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c <= 0x20 || c >= 0x7F || strchr("\"#<>\\^`{|}", c) != NULL)
            return ERR_HTTP_SYNTAX;
        if (c == '%' && !escape_read(text, i, &octet))
            return ERR_HTTP_SYNTAX;
    }
    size_t scheme = slice_eq_nocase(slice_first(text, 7), SLICE("http://"))    ? 7
                    : slice_eq_nocase(slice_first(text, 8), SLICE("https://")) ? 8
                                                                               : 0;
    if (scheme != 0) {
        rest = slice_drop(text, scheme);
        size_t end = 0;
        while (end < rest.len && rest.ptr[end] != '/' && rest.ptr[end] != '?')
            end++;
        if (end == 0)
            return ERR_HTTP_SYNTAX;
        rest = slice_drop(rest, end);
    }
    out->path = slice_take_until(&rest, '?');
    out->query = rest;
    if (scheme != 0 && out->path.len == 0)
        out->path = SLICE("/");
    if (is_options && slice_eq(text, SLICE("*")))
        return ERR_OK;
    if (out->path.len == 0 || out->path.ptr[0] != '/')
        return ERR_HTTP_SYNTAX;
    for (size_t i = 0; i < out->path.len; i++)
        out->is_plain = out->is_plain && is_plain_byte(out->path.ptr[i]);
    return ERR_OK;
}

bool
target_query_take(struct slice *query, struct slice *name_out, struct slice *value_out)
{
    while (query->len != 0) {
        *value_out = slice_take_until(query, '&');
        if (value_out->len == 0)
            continue;
        *name_out = slice_take_until(value_out, '=');
        return true;
    }
    return false;
}

enum err
target_decode(struct arena *arena, struct slice text, bool plus_is_blank, struct slice *out)
{
    char *to = arena_alloc(arena, text.len);
    size_t len = 0;

    *out = SLICE_EMPTY;
    if (to == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            if (!escape_read(text, i, &c))
                return ERR_ENCODING;
            i += 2;
        } else if (c == '+' && plus_is_blank) {
            c = ' ';
        }
        if ((unsigned char)c < 0x20 || c == 0x7F)
            return ERR_ENCODING;
        to[len++] = c;
    }
    if (!slice_is_utf8(slice_of(to, len)))
        return ERR_ENCODING;
    *out = slice_of(to, len);
    return ERR_OK;
}
