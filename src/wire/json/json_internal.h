/* What json.c shares with json_foreign.c and the tests. */
#ifndef WIRE_JSON_JSON_INTERNAL_H
#define WIRE_JSON_JSON_INTERNAL_H
#include "core/err.h"
#include "core/slice.h"
#include <jansson.h>

/*
 * jansson's parser with our allocator. ERR_JSON_SYNTAX with the reason in *why_out, or ERR_NO_MEMORY. Depth
 * is the caller's to have checked.
 */
MUST_CHECK enum err json_load(struct slice text, size_t flags, json_t **out, enum json_error_code *why_out);

/*
 * The allocator behind the trees; malloc and free at first. Before threads. `giver` must hand out what malloc
 * returned; what `taker` gets has been wiped.
 */
void json_use_allocator(void *(*giver)(size_t bytes), void (*taker)(void *ptr));

#endif
