#include "wire/json/json.h"
#include "wire/json/json_internal.h"
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

/*
 * Bodies carry message text and, when a channel is connected, credentials. jansson keeps both in ordinary
 * memory, so that memory is wiped as it is freed. jansson also tells a lack of memory from a syntax error
 * only sometimes: the allocator notes it.
 */
static void *(*give)(size_t bytes) = malloc; /* both set before threads */
static void (*take)(void *ptr) = free;
static _Thread_local bool has_run_out;
static _Thread_local struct arena *into; /* where json_parse_in builds its tree, meanwhile */
static pthread_once_t jansson_once = PTHREAD_ONCE_INIT;

static void *
tree_allocate(size_t bytes)
{
    void *ptr = into != NULL ? arena_alloc(into, bytes) : give(bytes);

    if (ptr == NULL)
        has_run_out = true;
    return ptr;
}

static void
tree_free(void *ptr)
{
    if (ptr == NULL || into != NULL) /* what lies in an arena is wiped with it */
        return;
    explicit_bzero(ptr, malloc_usable_size(ptr));
    take(ptr);
}

/* jansson would read its hash seed from /dev/urandom, which a sandbox hides, and then fall back to the time
 * of day. */
static void
jansson_prepare(void)
{
    size_t seed = 0;

    json_set_alloc_funcs(tree_allocate, tree_free);
    if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
        seed = 0; /* its own way */
    json_object_seed(seed);
}

void
json_use_allocator(void *(*giver)(size_t bytes), void (*taker)(void *ptr))
{
    give = giver;
    take = taker;
}

/* The deepest nesting of brackets outside of strings: what building the tree would recurse to. */
static size_t
json_depth_of(struct slice text)
{
    size_t depth = 0, deepest = 0;
    bool in_string = false;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > deepest)
                deepest = depth;
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return deepest;
}

enum err
json_load(struct slice text, size_t flags, json_t **out, enum json_error_code *why_out)
{
    json_error_t error;

    (void)pthread_once(&jansson_once, jansson_prepare);
    has_run_out = false;
    *out = json_loadb(text.ptr, text.len, flags, &error);
    *why_out = *out == NULL ? json_error_code(&error) : json_error_unknown;
    if (*out != NULL)
        return ERR_OK;
    return has_run_out ? ERR_NO_MEMORY : ERR_JSON_SYNTAX;
}

enum err
json_parse(struct slice text, json_t **out)
{
    enum json_error_code why;

    *out = NULL;
    if (!slice_is_utf8(text))
        return ERR_UTF8;
    if (text.len == 0)
        return ERR_JSON_SYNTAX;
    if (json_depth_of(text) > JSON_DEPTH_MAX)
        return ERR_JSON_DEPTH;
    return json_load(text, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, out, &why);
}

enum err
json_parse_in(struct arena *arena, struct slice text, const json_t **out)
{
    json_t *tree = NULL;

    into = arena;
    enum err err = json_parse(text, &tree);
    into = NULL;
    *out = tree;
    return err;
}

/* Of a tree: jansson has checked that its text is UTF-8. */
static void string_add(struct buf *out, struct slice text);

/* jansson's own form, which knows the locale's decimal point. */
static enum err
real_add(struct buf *out, const json_t *value)
{
    char text[64];
    size_t len = json_dumpb(value, text, sizeof(text), JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));

    if (len == 0 || len > sizeof(text))
        return ERR_NO_MEMORY;
    buf_add(out, slice_of(text, len));
    return ERR_OK;
}

static enum err value_add(struct buf *out, const json_t *value);

static enum err
object_add(struct buf *out, const json_t *value)
{
    json_t *object = json_iterable(value);
    enum err err = ERR_OK;
    char before = '{';

    for (void *at = json_object_iter(object); err == ERR_OK && at != NULL;
         at = json_object_iter_next(object, at), before = ',') {
        buf_add_byte(out, before);
        string_add(out, slice_of(json_object_iter_key(at), json_object_iter_key_len(at)));
        buf_add_byte(out, ':');
        err = value_add(out, json_object_iter_value(at));
    }
    buf_add(out, before == '{' ? SLICE("{}") : SLICE("}"));
    return err;
}

static enum err
array_add(struct buf *out, const json_t *array)
{
    size_t count = json_array_size(array);
    enum err err = ERR_OK;

    buf_add_byte(out, '[');
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        if (i > 0)
            buf_add_byte(out, ',');
        err = value_add(out, json_array_get(array, i));
    }
    buf_add_byte(out, ']');
    return err;
}

/* Into the buffer at once: jansson's printer calls back for every mark and every run of text. */
static enum err
value_add(struct buf *out, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return object_add(out, value);
    case JSON_ARRAY:
        return array_add(out, value);
    case JSON_STRING:
        string_add(out, slice_of(json_string_value(value), json_string_length(value)));
        return ERR_OK;
    case JSON_INTEGER:
        buf_add_i64(out, json_integer_value(value));
        return ERR_OK;
    case JSON_REAL:
        return real_add(out, value);
    case JSON_TRUE:
        buf_add(out, SLICE("true"));
        return ERR_OK;
    case JSON_FALSE:
        buf_add(out, SLICE("false"));
        return ERR_OK;
    case JSON_NULL:
        buf_add(out, SLICE("null"));
        return ERR_OK;
    }
    return ERR_JSON_SYNTAX;
}

enum err
json_print(const json_t *value, struct buf *out)
{
    enum err err = value == NULL ? ERR_NO_MEMORY : value_add(out, value);

    return err != ERR_OK ? err : buf_done(out);
}

/* The fewest digits that read back as the same number, and a mark that it is not an integer. */
static void
canonical_real(struct buf *out, double number)
{
    char text[32];
    int len = 0;

    for (int digits = 1; digits <= 17; digits++) {
        len = snprintf(text, sizeof(text), "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    struct slice written = slice_of(text, (size_t)len);
    buf_add(out, written);
    if (slice_find(written, '.') == written.len && slice_find(written, 'e') == written.len)
        buf_add_text(out, ".0");
}

#define FEW_MEMBERS 16u /* of an object that is sorted on the stack */

struct canonical_member {
    struct slice key;
    const json_t *value;
};

static int
canonical_member_compare(const void *a, const void *b)
{
    return slice_compare(((const struct canonical_member *)a)->key,
                         ((const struct canonical_member *)b)->key);
}

static enum err canonical_add(struct buf *out, const json_t *value, unsigned depth);

static enum err
canonical_object(struct buf *out, const json_t *object, unsigned depth)
{
    enum err err = ERR_OK;
    size_t count = json_object_size(object), n = 0;
    struct canonical_member few[FEW_MEMBERS] UNCLEARED;
    struct canonical_member *members = count <= FEW_MEMBERS ? few : calloc(count, sizeof(*members));
    const char *key;
    json_t *value;

    if (members == NULL)
        return ERR_NO_MEMORY;
    json_object_foreach(json_iterable(object), key, value)
    {
        members[n++] = (struct canonical_member){ slice_text(key), value };
    }
    qsort(members, n, sizeof(*members), canonical_member_compare);
    buf_add_byte(out, '{');
    for (size_t i = 0; i < n && err == ERR_OK; i++) {
        if (i > 0)
            buf_add_byte(out, ',');
        string_add(out, members[i].key);
        buf_add_byte(out, ':');
        err = canonical_add(out, members[i].value, depth);
    }
    buf_add_byte(out, '}');
    if (members != few)
        free(members);
    return err;
}

static enum err
canonical_array(struct buf *out, const json_t *array, unsigned depth)
{
    enum err err = ERR_OK;

    buf_add_byte(out, '[');
    for (size_t i = 0; i < json_array_size(array) && err == ERR_OK; i++) {
        if (i > 0)
            buf_add_byte(out, ',');
        err = canonical_add(out, json_array_get(array, i), depth);
    }
    buf_add_byte(out, ']');
    return err;
}

static enum err
canonical_add(struct buf *out, const json_t *value, unsigned depth)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return depth == JSON_DEPTH_MAX ? ERR_JSON_DEPTH : canonical_object(out, value, depth + 1);
    case JSON_ARRAY:
        return depth == JSON_DEPTH_MAX ? ERR_JSON_DEPTH : canonical_array(out, value, depth + 1);
    case JSON_STRING:
        string_add(out, slice_of(json_string_value(value), json_string_length(value)));
        return ERR_OK;
    case JSON_INTEGER:
        buf_add_i64(out, json_integer_value(value));
        return ERR_OK;
    case JSON_REAL:
        canonical_real(out, json_real_value(value));
        return ERR_OK;
    case JSON_TRUE:
        buf_add_text(out, "true");
        return ERR_OK;
    case JSON_FALSE:
        buf_add_text(out, "false");
        return ERR_OK;
    case JSON_NULL:
        buf_add_text(out, "null");
        return ERR_OK;
    }
    return ERR_JSON_SYNTAX;
}

enum err
json_print_canonical(const json_t *value, struct buf *out)
{
    enum err err = canonical_add(out, value, 0);

    return err != ERR_OK ? err : buf_done(out);
}

struct slice
json_text_of(const json_t *object, const char *member)
{
    const json_t *value = json_member(object, member);

    if (!json_is_string(value))
        return SLICE_EMPTY;
    return slice_of(json_string_value(value), json_string_length(value));
}

const json_t *
json_member(const json_t *object, const char *member)
{
    return json_object_get(object, member); /* NULL for NULL and for other types */
}

bool
json_int_of(const json_t *object, const char *member, int64_t *out)
{
    const json_t *value = json_member(object, member);

    if (!json_is_integer(value))
        return false;
    *out = json_integer_value(value);
    return true;
}

static void
json_add_escaped(struct buf *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char short_form[0x20] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'
    };

    buf_add_byte(out, '\\');
    if (c >= 0x20) {
        buf_add_byte(out, (char)c); /* quote or backslash */
    } else if (short_form[c] != '\0') {
        buf_add_byte(out, short_form[c]);
    } else {
        buf_add_text(out, "u00");
        buf_add_byte(out, hex[c >> 4]);
        buf_add_byte(out, hex[c & 15]);
    }
}

static void
string_add(struct buf *out, struct slice text)
{
    size_t plain = 0; /* where the run of bytes that need no escape began */

    buf_add_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buf_add(out, slice_of(text.ptr + plain, i - plain));
        json_add_escaped(out, c);
        plain = i + 1;
    }
    buf_add(out, slice_drop(text, plain));
    buf_add_byte(out, '"');
}

void
json_add_string(struct buf *out, struct slice text)
{
    if (!slice_is_utf8(text))
        bug("a JSON string is not UTF-8");
    string_add(out, text);
}

void
json_pointer_add(struct buf *pointer, struct slice token)
{
    buf_add_byte(pointer, '/');
    for (size_t i = 0; i < token.len; i++) {
        if (token.ptr[i] == '~')
            buf_add_text(pointer, "~0");
        else if (token.ptr[i] == '/')
            buf_add_text(pointer, "~1");
        else
            buf_add_byte(pointer, token.ptr[i]);
    }
}

void
json_pointer_add_index(struct buf *pointer, size_t index)
{
    buf_add_byte(pointer, '/');
    buf_add_u64(pointer, index);
}
