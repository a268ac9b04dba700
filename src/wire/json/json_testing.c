#include "wire/json/json_testing.h"
#include "wire/json/json_internal.h"
#include <stdlib.h>

static size_t allocations_left;

static void *
allocate_while_left(size_t bytes)
{
    if (allocations_left == 0)
        return NULL;
    allocations_left--;
    return malloc(bytes);
}

void
json_testing_starve(size_t allocations)
{
    allocations_left = allocations;
    json_use_allocator(allocate_while_left, free);
}

void
json_testing_feed(void)
{
    json_use_allocator(malloc, free);
}
