/* Bytes that somebody else owns: a pointer and a length, by value, with no NUL at the end. */
#ifndef CORE_SLICE_H
#define CORE_SLICE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *ptr; /* borrowed; may be NULL when len is 0 */
    size_t len;
};

/* A slice of a string literal; the literal may hold NULs. */
#define SLICE(literal) ((struct slice){ "" literal, sizeof(literal) - 1 })
#define SLICE_EMPTY    ((struct slice){ NULL, 0 })
/* For printf's "%.*s": only for text that came from us. */
#define SLICE_FMT(s) (int)(s).len, (s).ptr

static inline struct slice
slice_of(const void *ptr, size_t len)
{
    return (struct slice){ ptr, len };
}

static inline struct slice
slice_text(const char *text)
{
    return (struct slice){ text, text == NULL ? 0 : strlen(text) };
}

static inline bool
slice_eq(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* The first n bytes; all of them when there are fewer. */
static inline struct slice
slice_first(struct slice s, size_t n)
{
    return (struct slice){ s.ptr, n < s.len ? n : s.len };
}

/* Without the first n bytes; empty when there are fewer. */
static inline struct slice
slice_drop(struct slice s, size_t n)
{
    if (n >= s.len)
        return (struct slice){ s.ptr, 0 };
    return (struct slice){ s.ptr + n, s.len - n };
}

static inline bool
slice_starts_with(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && slice_eq(slice_first(s, prefix.len), prefix);
}

static inline bool
slice_ends_with(struct slice s, struct slice suffix)
{
    return s.len >= suffix.len && slice_eq(slice_drop(s, s.len - suffix.len), suffix);
}

/* ASCII case-insensitive equality, for header names and schemes. */
bool slice_eq_nocase(struct slice a, struct slice b);
/* Position of the byte, or s.len when it is not there. */
size_t slice_find(struct slice s, char byte);
/* Whether `needle` occurs in `s`. An empty needle occurs everywhere. */
bool slice_contains(struct slice s, struct slice needle);
/* Without spaces and tabs at both ends. */
struct slice slice_trim(struct slice s);
/* Takes the part before the first `byte` off *rest, and the byte with it; the whole when it is not there. */
struct slice slice_take_until(struct slice *rest, char byte);
/* Bytewise order, as memcmp; a prefix comes first. */
int slice_compare(struct slice a, struct slice b);
/* Well-formed UTF-8 by RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF. */
bool slice_is_utf8(struct slice s);
/* Number of Unicode code points; the slice must be valid UTF-8. */
size_t slice_utf8_count(struct slice s);
/* Takes the first code point off *s. false: it is empty, or does not begin with a well-formed sequence. */
bool slice_utf8_take(struct slice *s, uint32_t *code_point_out);

#endif
