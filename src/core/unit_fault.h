/* For tests that ask for more memory than there is: under a sanitizer too, malloc then returns NULL. */
#ifndef CORE_UNIT_FAULT_H
#define CORE_UNIT_FAULT_H

const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *
__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

const char *
__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

#endif
