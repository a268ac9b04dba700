#include "platform/db/failing_malloc_testing.h"

static _Thread_local long left = -1; /* -1: all succeed */
static _Thread_local bool has_failed;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void
failing_malloc_arm(size_t count)
{
    has_failed = false;
    left = (long)count;
}

bool
failing_malloc_disarm(void)
{
    left = -1;
    return has_failed;
}

static bool
must_fail(void)
{
    if (left < 0 || --left >= 0)
        return false;
    has_failed = true;
    return true; /* one fails: left is -1 now */
}

void *
__wrap_malloc(size_t size)
{
    return must_fail() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
    return must_fail() ? NULL : __real_calloc(count, size);
}
