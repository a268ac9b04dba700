/*
 * Recovery codes: ten of a person, each good once in place of a second factor, kept as salted hashes. A code
 * has 80 random bits, as four groups of four letters of Crockford's base32 ("7k3q-6t1n-x9v2-c4mz"), so that
 * no slow hash is needed: nobody tries them all.
 */
#ifndef DOMAIN_IDENTITY_RECOVERY_CODE_H
#define DOMAIN_IDENTITY_RECOVERY_CODE_H
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/id.h"
#include "core/slice.h"
#include "platform/db/db.h"

#define RECOVERY_CODES           10u
#define RECOVERY_CODE_TEXT_BYTES 19u
#define RECOVERY_CODE_SALT_BYTES 16u
#define RECOVERY_CODE_HASH_BYTES 32u

struct recovery_codes {
    char text[RECOVERY_CODES][RECOVERY_CODE_TEXT_BYTES]; /* shown once; recovery_codes_wipe */
    unsigned char salt[RECOVERY_CODES][RECOVERY_CODE_SALT_BYTES];
    unsigned char hash[RECOVERY_CODES][RECOVERY_CODE_HASH_BYTES];
};

/* Draws ten. ERR_CRYPTO. */
MUST_CHECK enum err recovery_codes_make(struct recovery_codes *out);
void recovery_codes_wipe(struct recovery_codes *codes);
/* In place of all that the person had. */
MUST_CHECK enum err recovery_codes_put(struct db_tx *tx, struct id person, const struct recovery_codes *codes,
                                       struct wall_time now);
/* How many are left, and since when there are any; 0 and an untouched time: none were made. */
MUST_CHECK enum err recovery_codes_left(struct db_tx *tx, struct id person, size_t *left_out,
                                        struct wall_time *made_at_out);
/*
 * Takes a code as a person types it: letters of either case, o for 0, i or l for 1, with hyphens and spaces
 * or without. ERR_CODE_REFUSED: it is none of the person's, or was used.
 */
MUST_CHECK enum err recovery_code_take(struct db_tx *tx, struct id person, struct slice text,
                                       struct wall_time now);

#endif
