/*
 * One-time codes by time (RFC 6238): HMAC-SHA-1, six digits, steps of 30 seconds, which is what every
 * authenticator application speaks. A code is good in its own step and in the one before and after, and once.
 */
#ifndef CRYPTO_TOTP_H
#define CRYPTO_TOTP_H
#include "core/clock.h"
#include "core/err.h"
#include "core/slice.h"

#define TOTP_SECRET_BYTES 20u /* RFC 4226, section 4, R6: as long as the hash */
#define TOTP_DIGITS       6u
#define TOTP_STEP_SECONDS 30u

/* The step of a time; 0 before 1970. */
uint64_t totp_step(struct wall_time t);
/* The code of a step, without a NUL. ERR_CRYPTO. */
MUST_CHECK enum err totp_code(struct slice secret, uint64_t step, char out[static TOTP_DIGITS]);
/*
 * Whose of the three steps around `now` the code is, and of those only what is above `last`, the step that
 * was taken last: so a code that was seen over somebody's shoulder is good for nothing. Takes the same time
 * for every code. ERR_SIGNATURE: of none; *step_out is then unchanged. ERR_CRYPTO.
 */
MUST_CHECK enum err totp_check(struct slice secret, struct slice code, uint64_t now, uint64_t last,
                               uint64_t *step_out);

#endif
