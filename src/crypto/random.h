/* Random octets from the system's generator. */
#ifndef CRYPTO_RANDOM_H
#define CRYPTO_RANDOM_H
#include "core/err.h"
#include <stddef.h>

/* Fit for keys. ERR_CRYPTO when the generator fails; the process should then stop what it does. */
MUST_CHECK enum err random_fill(void *out, size_t len);
/*
 * For what must differ and not be foretold, but is no secret once it is used, such as IVs: from a few hundred
 * octets that this thread has drawn ahead. Each is given once, and a forked child draws anew. ERR_CRYPTO as
 * above.
 */
MUST_CHECK enum err random_draw(void *out, size_t len);

#endif
