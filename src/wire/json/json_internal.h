/* For json_test.c only: the allocator behind the trees, so that a test can let it fail and see what it gets
 * back. */
#ifndef WIRE_JSON_JSON_INTERNAL_H
#define WIRE_JSON_JSON_INTERNAL_H
#include <stddef.h>

/* Before threads; malloc and free at first. `giver` must hand out what malloc returned. */
void json_use_allocator(void *(*giver)(size_t bytes), void (*taker)(void *ptr));

#endif
