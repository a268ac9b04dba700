/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash of 64 bits for tables whose keys come from
 * outside. Who does not know the key cannot look for keys that meet. It is no MAC for messages that leave the
 * process.
 */
#ifndef CRYPTO_SIPHASH_H
#define CRYPTO_SIPHASH_H
#include "core/slice.h"

#define SIPHASH_KEY_BYTES 16u

uint64_t siphash(const unsigned char key[static SIPHASH_KEY_BYTES], struct slice bytes);

#endif
