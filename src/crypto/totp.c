#include "crypto/totp.h"
#include "core/num.h"
#include "core/secret.h"
#include "crypto/mac.h"

uint64_t
totp_step(struct wall_time t)
{
    return t.us < 0 ? 0 : (uint64_t)t.us / 1000000 / TOTP_STEP_SECONDS;
}

/* RFC 4226, 5.3: four octets of the MAC from where its last four bits say, without the sign, modulo 10^6. */
enum err
totp_code(struct slice secret, uint64_t step, char out[static TOTP_DIGITS])
{
    unsigned char counter[8], mac[MAC_SHA1_BYTES];

    num_u64be_put(counter, step);
    enum err err = mac_sha1(secret, slice_of(counter, sizeof(counter)), mac);
    if (err == ERR_OK) {
        uint32_t number = num_u32be_get(mac + (mac[MAC_SHA1_BYTES - 1] & 15)) & 0x7fffffff;
        for (size_t i = TOTP_DIGITS; i-- > 0; number /= 10)
            out[i] = (char)('0' + number % 10);
    }
    secret_wipe(mac, sizeof(mac));
    return err;
}

enum err
totp_check(struct slice secret, struct slice code, uint64_t now, uint64_t last, uint64_t *step_out)
{
    uint64_t first = now > 0 ? now - 1 : 0, found = 0;
    bool is_found = false;
    char expected[TOTP_DIGITS];

    for (uint64_t step = first; step <= first + (now > 0 ? 2 : 1); step++) {
        enum err err = totp_code(secret, step, expected);
        if (err != ERR_OK)
            return err;
        /* All three are compared whatever the first says; of equal codes the earliest is taken. */
        bool is_good = secret_eq(slice_of(expected, sizeof(expected)), code) && step > last;
        found = is_good && !is_found ? step : found;
        is_found |= is_good;
    }
    secret_wipe(expected, sizeof(expected));
    if (!is_found)
        return ERR_SIGNATURE;
    *step_out = found;
    return ERR_OK;
}
