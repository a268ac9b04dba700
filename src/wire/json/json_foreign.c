#include "wire/json/json_foreign.h"
#include "wire/json/json.h"
#include "wire/json/json_internal.h"
#include <stdlib.h>

/* Nesting of brackets outside of strings; strings end where the parser will see them end. */
static bool
is_too_deep(struct slice text)
{
    size_t depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '[' || c == '{') && ++depth > JSON_FOREIGN_DEPTH_MAX)
            return true;
        else if (!in_string && (c == ']' || c == '}') && depth > 0)
            depth--;
    }
    return false;
}

/* The code unit of a \uXXXX at the front of `s`, or -1. */
static int
code_unit(struct slice s)
{
    int unit = 0;

    if (s.len < 6 || s.ptr[0] != '\\' || s.ptr[1] != 'u')
        return -1;
    for (size_t i = 2; i < 6; i++) {
        char c = s.ptr[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

/* Mends one escape, in place and without changing its length; returns how many bytes to step over. */
static size_t
escape_mend(char *at, size_t left)
{
    static const char replacement[] = { 'f', 'f', 'f', 'd' }; /* U+FFFD */
    int unit = code_unit(slice_of(at, left));

    if (unit < 0)
        return left < 2 ? 1 : 2;
    if (unit >= 0xD800 && unit <= 0xDBFF) {
        int low = code_unit(slice_of(at + 6, left - 6));
        if (low >= 0xDC00 && low <= 0xDFFF)
            return 12;
    }
    if (unit == 0 || (unit >= 0xD800 && unit <= 0xDFFF))
        memcpy(at + 2, replacement, sizeof(replacement));
    return 6;
}

/* How many of the bytes at the front form one well-formed character; 0: a stray byte. */
static size_t
character_bytes(struct slice s)
{
    for (size_t n = 1; n <= 4 && n <= s.len; n++)
        if (slice_is_utf8(slice_first(s, n)))
            return n;
    return 0;
}

static void
strings_mend(char *text, size_t len)
{
    bool in_string = false;

    for (size_t i = 0; i < len;) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x80) {
            size_t n = character_bytes(slice_of(text + i, len - i));
            if (n == 0)
                text[i] = '?';
            i += n == 0 ? 1 : n;
        } else if (in_string && c == '\\') {
            i += escape_mend(text + i, len - i);
        } else {
            if (c == '"')
                in_string = !in_string;
            i++;
        }
    }
}

enum err
json_parse_foreign(struct slice text, json_t **out)
{
    enum json_error_code why;
    enum err err = json_parse(text, out); /* nearly always enough */

    if (err == ERR_OK || err == ERR_NO_MEMORY || text.len == 0)
        return err;
    if (is_too_deep(text))
        return ERR_JSON_DEPTH;
    char *copy = malloc(text.len);
    if (copy == NULL)
        return ERR_NO_MEMORY;
    memcpy(copy, text.ptr, text.len);
    strings_mend(copy, text.len);
    err = json_load(slice_of(copy, text.len), JSON_DECODE_ANY, out, &why);
    if (err == ERR_JSON_SYNTAX && why == json_error_numeric_overflow)
        err = json_load(slice_of(copy, text.len), JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, out, &why);
    explicit_bzero(copy, text.len); /* message text */
    free(copy);
    return err;
}
