/*
 * JSON (RFC 8259) on jansson, with the house's limits: duplicates and trailing bytes refused, depth bounded,
 * UTF-8 checked, U+0000 refused. A tree is a `json_t *`; include <jansson.h> where one is walked. From the
 * first parse on, what a tree held is wiped as it is freed.
 */
#ifndef WIRE_JSON_JSON_H
#define WIRE_JSON_JSON_H
#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/slice.h"
#include <jansson.h>

#define JSON_DEPTH_MAX   32u
#define JSON_POINTER_MAX 512u
/* What a tree in an arena takes of it, at most, for each byte of its text; and for 64 more. */
#define JSON_IN_ARENA_FACTOR 80u

/*
 * *out is owned: json_decref. ERR_JSON_SYNTAX, ERR_JSON_DEPTH, ERR_UTF8, ERR_NO_MEMORY. Any value may stand
 * on top. Depth is checked before the tree is built.
 */
MUST_CHECK enum err json_parse(struct slice text, json_t **out);
/*
 * The same, with all of the tree in the arena: it ends with it, and nothing of it may be changed or let go
 * before (json_decref of what was json_incref'd or json_copy'd from it is right). Takes up to
 * JSON_IN_ARENA_FACTOR times the text's length, whatever it is refused for.
 */
MUST_CHECK enum err json_parse_in(struct arena *arena, struct slice text, const json_t **out);

/* Compact, in insertion order. Numbers with a fraction print with 15 digits. */
MUST_CHECK enum err json_print(const json_t *value, struct buf *out);
/*
 * The same value always gives the same bytes: keys sorted bytewise, compact, shortest number form (1, 1.0 and
 * 1e0 stay distinct only by type). For fingerprints.
 */
MUST_CHECK enum err json_print_canonical(const json_t *value, struct buf *out);

/* Borrowed from the tree; SLICE_EMPTY with NULL ptr when the member is missing or not a string. `object` may
 * be NULL. */
struct slice json_text_of(const json_t *object, const char *member);
/* The member, borrowed, or NULL. `object` may be NULL or of another type. */
const json_t *json_member(const json_t *object, const char *member);
/* false when missing or not an integer; *out is then unchanged. */
bool json_int_of(const json_t *object, const char *member, int64_t *out);

/* jansson's iterators take a tree that may be changed, and do not change it. */
static inline json_t *
json_iterable(const json_t *value)
{
    union {
        const json_t *in;
        json_t *out;
    } same = { value };

    return same.out;
}

/* Writes `text` as a JSON string with its quotes; invalid UTF-8 is a bug of the caller. */
void json_add_string(struct buf *out, struct slice text);

/* Appends one reference token to a JSON Pointer (RFC 6901): "/" and the token with ~ and / escaped. */
void json_pointer_add(struct buf *pointer, struct slice token);
void json_pointer_add_index(struct buf *pointer, size_t index);

#endif
