/*
 * Work that ends together is freed together: a request or a job allocates from
 * its arena and never frees a piece. NULL at the limit, an error like any other.
 */
#ifndef CORE_ARENA_H
#define CORE_ARENA_H
#include "core/err.h"
#include "core/slice.h"

struct arena; /* not thread-safe: it belongs to one request or job at a time */

/* bytes_max counts what is handed out, padding included. NULL: no memory. Owned: arena_free. */
struct arena *arena_new(size_t bytes_max);
/*
 * The same for large jobs that follow one another: its first block, which arena_reset keeps, has kept_bytes,
 * so that each job finds the memory of the one before.
 */
struct arena *arena_new_keeping(size_t bytes_max, size_t kept_bytes);
/* Wipes every byte that was handed out, then frees. Accepts NULL. */
void arena_free(struct arena *arena);
/* Wipes, and keeps the first block for the next job. */
void arena_reset(struct arena *arena);

/* Zeroed, aligned for any type. NULL at the limit or without memory. */
void *arena_alloc(struct arena *arena, size_t bytes);
/* `count` elements of `bytes` each; NULL on overflow as well. */
void *arena_array(struct arena *arena, size_t count, size_t bytes);
/* A copy of the slice: NULL and length 0 when there was no room, while an empty slice copies to a pointer. */
struct slice arena_copy(struct arena *arena, struct slice bytes);
/* A C string for a library's door. ERR_ENCODING when the slice holds a NUL, ERR_NO_MEMORY at the limit. */
MUST_CHECK enum err arena_text(struct arena *arena, struct slice text, char **out);
/* printf into the arena; an empty slice with NULL ptr when there was no room. */
struct slice arena_format(struct arena *arena, const char *format, ...) FORMAT_LIKE(2, 3);
size_t arena_used(const struct arena *arena);

#endif
