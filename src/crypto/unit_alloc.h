/* For tests that let the library's n-th allocation fail. Call unit_alloc_install before anything else of it.
 */
#ifndef CRYPTO_UNIT_ALLOC_H
#define CRYPTO_UNIT_ALLOC_H
#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

/* How many more allocations succeed; negative: all of them. */
static _Atomic long unit_alloc_left = -1;
static _Atomic bool unit_alloc_failed;

static bool
unit_alloc_may(void)
{
    long left = atomic_load(&unit_alloc_left);

    if (left < 0)
        return true;
    if (left == 0)
        atomic_store(&unit_alloc_failed, true);
    else
        atomic_store(&unit_alloc_left, left - 1);
    return left > 0;
}

static void *
unit_alloc_malloc(size_t bytes, const char *file UNUSED, int line UNUSED)
{
    return unit_alloc_may() ? malloc(bytes) : NULL;
}

static void *
unit_alloc_realloc(void *ptr, size_t bytes, const char *file UNUSED, int line UNUSED)
{
    return unit_alloc_may() ? realloc(ptr, bytes) : NULL;
}

static void
unit_alloc_free(void *ptr, const char *file UNUSED, int line UNUSED)
{
    free(ptr);
}

static bool
unit_alloc_install(void)
{
    return CRYPTO_set_mem_functions(unit_alloc_malloc, unit_alloc_realloc, unit_alloc_free) == 1;
}

/* From here on so many succeed. */
static void
unit_alloc_arm(long left)
{
    atomic_store(&unit_alloc_failed, false);
    atomic_store(&unit_alloc_left, left);
}

/* All succeed again; whether one has failed. */
static bool
unit_alloc_disarm(void)
{
    atomic_store(&unit_alloc_left, -1);
    return atomic_load(&unit_alloc_failed);
}

#endif
