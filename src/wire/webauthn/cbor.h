/*
 * The CBOR (RFC 8949) that authenticators speak, CTAP 2.1 section 8: definite lengths, numbers and lengths in
 * their shortest form, no tags, no floating point. What else there is, is refused. Nothing is allocated:
 * items are taken one after the other off a slice, and strings point into it.
 */
#ifndef WIRE_WEBAUTHN_CBOR_H
#define WIRE_WEBAUTHN_CBOR_H
#include "core/err.h"
#include "core/slice.h"

#define CBOR_DEPTH_MAX 4u  /* arrays and maps in one another, the outermost counted */
#define CBOR_COUNT_MAX 64u /* elements of an array, pairs of a map */

enum cbor_kind {
    CBOR_UNSIGNED, /* number */
    CBOR_NEGATIVE, /* -1 - number */
    CBOR_BYTES,    /* text */
    CBOR_TEXT,     /* text, valid UTF-8 */
    CBOR_ARRAY,    /* number of elements, which follow */
    CBOR_MAP,      /* number of pairs, which follow: key, value, key, value */
    CBOR_FALSE,
    CBOR_TRUE,
    CBOR_NULL,
};

struct cbor_item {
    enum cbor_kind kind;
    uint64_t number;
    struct slice text; /* borrowed: points into the input */
};

/*
 * Takes the next item off the front of *input; of an array or a map its head alone, whose elements come next.
 * ERR_ENCODING: it is none, or not in the form above, or cut short; *input is then unchanged.
 */
MUST_CHECK enum err cbor_take(struct slice *input, struct cbor_item *item_out);
/*
 * Takes a whole item with all that is in it, at most CBOR_DEPTH_MAX deep, no key twice in a map; *whole_out
 * are its bytes. ERR_ENCODING as above.
 */
MUST_CHECK enum err cbor_take_whole(struct slice *input, struct slice *whole_out);
/* As cbor_take, and it is of this kind. */
MUST_CHECK enum err cbor_take_kind(struct slice *input, enum cbor_kind kind, struct cbor_item *item_out);
/* Takes an integer of either sign. ERR_ENCODING also when it does not fit. */
MUST_CHECK enum err cbor_take_int(struct slice *input, int64_t *out);

#endif
