/*
 * For tests: one allocation of our own objects that fails, the first, second ... of this thread. The linker
 * sends their calls here (db_allocations in meson.build); the libraries' own allocations are not meant.
 *
 *     failing_malloc_arm(n);
 *     enum err err = ...;
 *     bool has_failed = failing_malloc_disarm();
 */
#ifndef PLATFORM_DB_FAILING_MALLOC_TESTING_H
#define PLATFORM_DB_FAILING_MALLOC_TESTING_H
#include <stdbool.h>
#include <stddef.h>

/* After `count` more that succeed, one fails. */
void failing_malloc_arm(size_t count);
/* All succeed again. Whether one has failed since. */
bool failing_malloc_disarm(void);

#endif
