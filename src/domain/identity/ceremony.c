#include "domain/identity/ceremony.h"

#define BROWSER_BYTES_MAX 64u

enum err
ceremony_challenge(const struct vault *vault, const struct ceremony *ceremony,
                   unsigned char out[static CEREMONY_CHALLENGE_BYTES])
{
    unsigned char all[1 + 2 * ID_BYTES + BROWSER_BYTES_MAX];

    if (ceremony->browser.len == 0 || ceremony->browser.len > BROWSER_BYTES_MAX)
        return ERR_CEREMONY;
    all[0] = (unsigned char)ceremony->kind; /* all but the last are of one length: nothing reads two ways */
    memcpy(all + 1, ceremony->id.bytes, ID_BYTES);
    memcpy(all + 1 + ID_BYTES, ceremony->subject.bytes, ID_BYTES);
    memcpy(all + 1 + 2 * ID_BYTES, ceremony->browser.ptr, ceremony->browser.len);
    return vault_index(vault, tenant_platform, "ceremony",
                       slice_of(all, 1 + 2 * ID_BYTES + ceremony->browser.len), out);
}

enum err
ceremony_check_time(const struct clock *clock, struct id ceremony)
{
    int64_t age_us = clock_wall(clock).us - id_time(ceremony).us;

    /* Ids run ahead of a clock that was set back, and of each other within a millisecond. */
    return age_us > CEREMONY_MS * INT64_C(1000) || age_us < -CEREMONY_MS * INT64_C(1000) ? ERR_CEREMONY
                                                                                         : ERR_OK;
}

static const struct db_stmt ceremony_use_stmt = { "ceremony_use",
                                                  "INSERT INTO ceremony (tenant_id, id) VALUES ($1, $2)" };

enum err
ceremony_use(struct db_tx *tx, struct id ceremony)
{
    enum err err = db_exec_one(tx, &ceremony_use_stmt, DB_ARGS(DB_ID(ceremony)));

    return err == ERR_EXISTS ? ERR_CEREMONY : err;
}
