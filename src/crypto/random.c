#include "crypto/random.h"
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>

/* One system call gives so many; up to 256 come whole. */
#define STOCK_BYTES 256u
static _Thread_local struct {
    unsigned char bytes[STOCK_BYTES];
    size_t left;
    unsigned forks; /* when it was filled */
} stock;
static _Atomic unsigned forks; /* of which this process is the child */
static pthread_once_t forks_once = PTHREAD_ONCE_INIT;
static bool are_forks_watched; /* written once, before anybody reads it */

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

static void
fork_count(void)
{
    forks++;
}

static void
forks_watch(void)
{
    are_forks_watched = pthread_atfork(NULL, NULL, fork_count) == 0;
}

enum err
random_draw(void *out, size_t len)
{
    if (len > STOCK_BYTES || pthread_once(&forks_once, forks_watch) != 0 || !are_forks_watched)
        return random_fill(out, len);
    if (stock.left < len || stock.forks != forks) {
        stock.left = 0;
        enum err err = random_fill(stock.bytes, sizeof(stock.bytes));
        if (err != ERR_OK)
            return err;
        stock.left = STOCK_BYTES;
        stock.forks = forks;
    }
    stock.left -= len;
    if (len > 0) {
        memcpy(out, stock.bytes + stock.left, len);
        explicit_bzero(stock.bytes + stock.left, len);
    }
    return ERR_OK;
}
