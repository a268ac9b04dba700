#include "core/arena.h"
#include "core/num.h"
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISON 1
#endif
#endif
#ifdef ARENA_POISON
#include <sanitizer/asan_interface.h>
#define poison(ptr, len)   ASAN_POISON_MEMORY_REGION((ptr), (len))
#define unpoison(ptr, len) ASAN_UNPOISON_MEMORY_REGION((ptr), (len))
#else
#define poison(ptr, len)   ((void)(ptr), (void)(len))
#define unpoison(ptr, len) ((void)(ptr), (void)(len))
#endif

/* Blocks double up to the maximum; a piece that is larger gets a block of its own size. */
#define BLOCK_BYTES     8192u
#define BLOCK_BYTES_MAX (256u * 1024u)

/* Invariant: bytes at and above `used` are zero, so that what is handed out needs no clearing. */
struct block {
    struct block *before;
    size_t bytes, used;
    alignas(max_align_t) char data[];
};

struct arena {
    struct block *last; /* owned, with all before it; NULL at first */
    size_t bytes_max, used;
    size_t first_bytes; /* of the first block */
};

struct arena *
arena_new_keeping(size_t bytes_max, size_t kept_bytes)
{
    struct arena *arena = calloc(1, sizeof(*arena));

    if (arena != NULL) {
        arena->bytes_max = bytes_max;
        arena->first_bytes = kept_bytes;
    }
    return arena;
}

struct arena *
arena_new(size_t bytes_max)
{
    return arena_new_keeping(bytes_max, BLOCK_BYTES);
}

static void
block_wipe(struct block *block)
{
    unpoison(block->data, block->bytes);
    explicit_bzero(block->data, block->used);
    block->used = 0;
}

void
arena_reset(struct arena *arena)
{
    for (struct block *before; arena->last != NULL; arena->last = before) {
        before = arena->last->before;
        block_wipe(arena->last);
        if (before == NULL) {
            poison(arena->last->data, arena->last->bytes);
            break;
        }
        free(arena->last);
    }
    arena->used = 0;
}

void
arena_free(struct arena *arena)
{
    if (arena == NULL)
        return;
    arena_reset(arena);
    if (arena->last != NULL)
        unpoison(arena->last->data, arena->last->bytes);
    free(arena->last);
    free(arena);
}

static struct block *
block_new(const struct arena *arena, size_t need)
{
    struct block *before = arena->last;
    size_t bytes = before == NULL ? arena->first_bytes : before->bytes * 2, whole;

    if (before != NULL && bytes > BLOCK_BYTES_MAX)
        bytes = BLOCK_BYTES_MAX;
    if (bytes < need)
        bytes = need;
    if (num_add(bytes, sizeof(struct block), &whole) != ERR_OK)
        return NULL;
    struct block *block = calloc(1, whole);
    if (block == NULL)
        return NULL;
    block->before = before;
    block->bytes = bytes;
    poison(block->data, bytes);
    return block;
}

void *
arena_alloc(struct arena *arena, size_t bytes)
{
    const size_t unit = alignof(max_align_t);
    size_t padded;

    if (num_add(bytes == 0 ? 1 : bytes, unit - 1, &padded) != ERR_OK)
        return NULL;
    padded -= padded % unit;
    if (padded > arena->bytes_max - arena->used)
        return NULL;
    if (arena->last == NULL || padded > arena->last->bytes - arena->last->used) {
        struct block *block = block_new(arena, padded);
        if (block == NULL)
            return NULL;
        arena->last = block;
    }
    char *piece = arena->last->data + arena->last->used;
    arena->last->used += padded;
    arena->used += padded;
    unpoison(piece, bytes);
    return piece;
}

void *
arena_array(struct arena *arena, size_t count, size_t bytes)
{
    size_t whole;

    if (num_mul(count, bytes, &whole) != ERR_OK)
        return NULL;
    return arena_alloc(arena, whole);
}

struct slice
arena_copy(struct arena *arena, struct slice bytes)
{
    char *copy = arena_alloc(arena, bytes.len);

    if (copy == NULL)
        return SLICE_EMPTY;
    if (bytes.len != 0)
        memcpy(copy, bytes.ptr, bytes.len);
    return slice_of(copy, bytes.len);
}

enum err
arena_text(struct arena *arena, struct slice text, char **out)
{
    size_t bytes;

    *out = NULL;
    if (slice_find(text, '\0') != text.len)
        return ERR_ENCODING;
    if (num_add(text.len, 1, &bytes) != ERR_OK)
        return ERR_NO_MEMORY;
    char *copy = arena_alloc(arena, bytes);
    if (copy == NULL)
        return ERR_NO_MEMORY;
    if (text.len != 0)
        memcpy(copy, text.ptr, text.len); /* the NUL is there: what an arena hands out is zero */
    *out = copy;
    return ERR_OK;
}

struct slice
arena_format(struct arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int need = vsnprintf(NULL, 0, format, args);

    if (need < 0)
        bug("a format that cannot be printed");
    char *text = arena_alloc(arena, (size_t)need + 1);
    if (text != NULL)
        vsnprintf(text, (size_t)need + 1, format, again);
    va_end(again);
    va_end(args);
    return slice_of(text, text == NULL ? 0 : (size_t)need);
}

size_t
arena_used(const struct arena *arena)
{
    return arena->used;
}
