/*
 * Another e-mail address of a person: it becomes theirs when they open the link that went to it. One at a
 * time, good for an hour; the token has 256 random bits and is kept as its SHA-256. Rows of tenant_platform.
 * The vault is not asked within a transaction: seal before, open after.
 */
#ifndef DOMAIN_IDENTITY_EMAIL_CHANGE_H
#define DOMAIN_IDENTITY_EMAIL_CHANGE_H
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/id.h"
#include "platform/db/db.h"
#include "platform/ipc/vault_client.h"

#define EMAIL_CHANGE_MS 3600000

struct email_change {
    struct id id, person;
    bool is_mailed; /* the link went to the address; one that was shown proves nothing about it */
    struct wall_time created_at, expires_at;
    struct vault_sealed email;
    unsigned char token_hash[32]; /* enrolment_token_draw; not read back */
};

/* Of an id that is given. */
MUST_CHECK enum err email_change_seal(const struct vault *vault, struct slice email, struct arena *arena,
                                      struct email_change *change);
MUST_CHECK enum err email_change_open(const struct vault *vault, const struct email_change *change,
                                      struct arena *arena, struct slice *out);
/* In place of the person's earlier one, if any, whose link is worth nothing from then on; sets its times. */
MUST_CHECK enum err email_change_put(struct db_tx *tx, const struct clock *clock,
                                     struct email_change *change);
/* The person's, if it is still good. ERR_NOT_FOUND. */
MUST_CHECK enum err email_change_get(struct db_tx *tx, const struct clock *clock, struct id person,
                                     struct arena *arena, struct email_change *out);
/* By the link's token, of this person alone. ERR_LINK_INVALID: there is none, it is another person's, it was
 * used, or it has expired. */
MUST_CHECK enum err email_change_find(struct db_tx *tx, const struct clock *clock, struct id person,
                                      struct slice token, struct arena *arena, struct email_change *out);
/* Uses it up. ERR_LINK_INVALID: somebody was faster, or it has expired. */
MUST_CHECK enum err email_change_use(struct db_tx *tx, const struct clock *clock, struct id change);
/* ERR_NOT_FOUND: nothing is under way. */
MUST_CHECK enum err email_change_drop(struct db_tx *tx, const struct clock *clock, struct id person);

#endif
