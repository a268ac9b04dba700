/* Hex, base32 and base64 (RFC 4648), strict on input: no white space, canonical spare bits. */
#ifndef CRYPTO_ENCODE_H
#define CRYPTO_ENCODE_H
#include "core/buf.h"
#include "core/err.h"
#include "core/slice.h"

/* Lower case. */
void encode_hex(struct buf *out, struct slice bytes);
/* Upper or lower case; ERR_ENCODING unless exactly `len` octets. */
MUST_CHECK enum err decode_hex(struct slice text, unsigned char *out, size_t len);

/* Upper case, without padding: as secrets of one-time codes are written. */
void encode_base32(struct buf *out, struct slice bytes);

/* With padding. */
void encode_base64(struct buf *out, struct slice bytes);
/* URL-safe alphabet without padding. */
void encode_base64url(struct buf *out, struct slice bytes);
/* Padding may be missing, never wrong. *len_out octets written; out has room for text.len / 4 * 3 + 3. */
MUST_CHECK enum err decode_base64(struct slice text, unsigned char *out, size_t *len_out);
MUST_CHECK enum err decode_base64url(struct slice text, unsigned char *out, size_t *len_out);

#endif
