#include "crypto/random.h"
#include <errno.h>
#include <sys/random.h>

/* The kernel's generator itself: no state in this process that could be read, forked or left unseeded. */
enum err
random_fill(void *out, size_t len)
{
    unsigned char *at = out;

    while (len > 0) {
        ssize_t n = getrandom(at, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ERR_CRYPTO;
        at += n;
        len -= (size_t)n;
    }
    return ERR_OK;
}
