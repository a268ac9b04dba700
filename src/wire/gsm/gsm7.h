/*
 * The 7-bit alphabets of short messages: 3GPP TS 23.038, 6.2.1 (default alphabet and its extension) and annex
 * A (national languages: single shift tables A.2, locking shift tables A.3). A septet is one octet here, 0 to
 * 0x7F; packing is separate.
 */
#ifndef WIRE_GSM_GSM7_H
#define WIRE_GSM_GSM7_H
#include "core/buf.h"
#include "core/slice.h"

#define GSM7_ESCAPE 0x1Bu

/* National language identifiers, 6.2.1.2.4: the value on the wire. */
enum gsm7_language {
    GSM7_DEFAULT,
    GSM7_TURKISH,
    GSM7_SPANISH, /* has a single shift table alone */
    GSM7_PORTUGUESE,
    GSM7_BENGALI, /* and Assamese */
    GSM7_GUJARATI,
    GSM7_HINDI,
    GSM7_KANNADA,
    GSM7_MALAYALAM,
    GSM7_ORIYA,
    GSM7_PUNJABI,
    GSM7_TAMIL,
    GSM7_TELUGU,
    GSM7_URDU,
};
#define GSM7_LANGUAGES 14u

/* Which table stands in the place of the default one, and which is reached by the escape. */
struct gsm7_alphabet {
    enum gsm7_language locking, single;
};

/* false: an identifier that is reserved. */
bool gsm7_language_read(unsigned identifier, enum gsm7_language *out);
bool gsm7_has_locking_table(enum gsm7_language language);

/* The septets of a code point: 1, or 2 with the escape before it. 0: the alphabet does not have it. */
size_t gsm7_from_code_point(struct gsm7_alphabet alphabet, uint32_t code_point, unsigned char out[static 2]);
/*
 * Takes a character off *septets, which are not empty. An escape whose table has nothing there gives what the
 * other table has; an escape before an escape or at the end gives a space (6.2.1.1); what is in no table, or
 * no septet, U+FFFD.
 */
uint32_t gsm7_take(struct gsm7_alphabet alphabet, struct slice *septets);

/* Octets with 8 septets in 7, after `fill_bits` (0 to 6) zero bits (TS 23.040, 9.2.3.24). */
void gsm7_pack(struct slice septets, unsigned fill_bits, struct buf *out);
/* The other way; ERR_ENCODING: the octets are too few for so many. */
MUST_CHECK enum err gsm7_unpack(struct slice octets, size_t septet_count, unsigned fill_bits,
                                struct buf *out);

#endif
