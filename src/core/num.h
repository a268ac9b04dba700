/* Arithmetic on numbers from outside, and numbers to and from text: everything reports overflow. */
#ifndef CORE_NUM_H
#define CORE_NUM_H
#include "core/err.h"
#include "core/slice.h"

/* ERR_OVERFLOW when the result does not fit; *out is then unchanged. */
MUST_CHECK enum err num_add(size_t a, size_t b, size_t *out);
MUST_CHECK enum err num_mul(size_t a, size_t b, size_t *out);

/*
 * Decimal digits, the whole slice; zeros may lead; no sign for u64, an optional '-' for i64, no
 * spaces, no '+'. ERR_NUMBER_SYNTAX or ERR_OVERFLOW; *out is then unchanged.
 */
MUST_CHECK enum err num_u64_parse(struct slice text, uint64_t *out);
MUST_CHECK enum err num_i64_parse(struct slice text, int64_t *out);
/* As num_i64_parse, and within [min, max], else ERR_OVERFLOW. */
MUST_CHECK enum err num_int_parse(struct slice text, int min, int max, int *out);

/* Decimal text, without a NUL; the slice points into `out`, which it need not fill. */
#define NUM_TEXT_BYTES 20u /* of the largest u64 and of the smallest i64 */
struct slice num_u64_print(uint64_t number, char out[static NUM_TEXT_BYTES]);
struct slice num_i64_print(int64_t number, char out[static NUM_TEXT_BYTES]);
/* The value of a hexadecimal digit of either case; -1 for any other byte. */
int num_hex_digit(char digit);

/* Wire integers, big-endian; the caller has made sure of the bytes. */
uint16_t num_u16be_get(const void *from);
uint32_t num_u32be_get(const void *from);
uint64_t num_u64be_get(const void *from);
void num_u16be_put(void *to, uint16_t value);
void num_u32be_put(void *to, uint32_t value);
void num_u64be_put(void *to, uint64_t value);

#endif
