/* Random octets from the system's generator, fit for keys. */
#ifndef CRYPTO_RANDOM_H
#define CRYPTO_RANDOM_H
#include "core/err.h"
#include <stddef.h>

/* ERR_CRYPTO when the generator fails; the process should then stop what it does. */
MUST_CHECK enum err random_fill(void *out, size_t len);

#endif
