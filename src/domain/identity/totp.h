/*
 * One-time codes of people (crypto/totp.h), in Harkara's own workspace. The secret is drawn, sealed and
 * checked in the vault; it is seen once, by the person who enrols it. The vault is asked outside of
 * transactions.
 */
#ifndef DOMAIN_IDENTITY_TOTP_H
#define DOMAIN_IDENTITY_TOTP_H
#include "core/arena.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/id.h"
#include "core/secret.h"
#include "platform/db/db.h"
#include "platform/ipc/vault_client.h"

struct totp {
    struct id person;
    uint32_t generation; /* of the secret */
    struct vault_sealed secret;
    uint64_t last_step; /* taken last */
    bool is_confirmed;  /* else it is no factor yet */
    struct wall_time created_at, confirmed_at;
};

/* ERR_NOT_FOUND: the person has none. */
MUST_CHECK enum err totp_read(struct db_tx *tx, struct id person, struct arena *arena, struct totp *out);
/*
 * A new secret, for a person who has none or one that was never confirmed, whose `generation` is `earlier`
 * (0: none). *secret_out is owned: show it (totp_uri) and forget it.
 */
MUST_CHECK enum err totp_make(const struct vault *vault, struct id person, uint32_t earlier,
                              struct arena *arena, struct totp *out, struct secret **secret_out);
/* Stores it. ERR_STATE_CONFLICT: one was confirmed, or another one stored, meanwhile. */
MUST_CHECK enum err totp_put(struct db_tx *tx, const struct totp *totp, struct wall_time now);
/* Asks the vault. ERR_OK and the step of the code, which totp_take has to take; ERR_CODE_REFUSED. */
MUST_CHECK enum err totp_code_check(const struct vault *vault, const struct totp *totp, struct slice code,
                                    struct wall_time now, uint64_t *step_out);
/*
 * The code of this step is used up, and with the first one the secret is confirmed. ERR_CODE_REFUSED: it was
 * used meanwhile, or the secret is another one.
 */
MUST_CHECK enum err totp_take(struct db_tx *tx, const struct totp *totp, uint64_t step, struct wall_time now);
/* ERR_NOT_FOUND. */
MUST_CHECK enum err totp_delete(struct db_tx *tx, struct id person);

/*
 * otpauth://totp/Harkara:ada%40example.org?secret=...&issuer=Harkara..., what an authenticator application
 * reads out of a QR code. The buffer is wiped when it is released (buf_release_wiped).
 */
void totp_uri(struct buf *out, struct slice issuer, struct slice account, struct slice secret);

#endif
