/*
 * For tests of what is wiped before it is freed: the program's own explicit_bzero, which counts. Include it
 * in one file of a test program; both names are taken, as the fortified headers call the second.
 */
#ifndef CORE_UNIT_WIPE_H
#define CORE_UNIT_WIPE_H
#include <stddef.h>
#include <string.h>

void explicit_bzero(void *ptr, size_t len);
void __explicit_bzero_chk(void *ptr, size_t len, size_t room);

/* How many octets that were not zero have been wiped since the test set it to 0. */
static size_t unit_wiped;

void
explicit_bzero(void *ptr, size_t len)
{
    volatile unsigned char *p = ptr;

    for (size_t i = 0; i < len; i++) {
        unit_wiped += p[i] != 0;
        p[i] = 0;
    }
}

void
__explicit_bzero_chk(void *ptr, size_t len, size_t room)
{
    if (len > room)
        __builtin_trap();
    explicit_bzero(ptr, len);
}

#endif
