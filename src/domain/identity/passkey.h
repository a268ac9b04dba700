/*
 * The passkeys of people, in Harkara's own workspace: every transaction here is one of tenant_platform. What
 * a passkey says is judged by wire/webauthn; here it is kept.
 */
#ifndef DOMAIN_IDENTITY_PASSKEY_H
#define DOMAIN_IDENTITY_PASSKEY_H
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/id.h"
#include "core/slice.h"
#include "platform/db/db.h"

#define PASSKEYS_MAX           20u /* of one person */
#define PASSKEY_NAME_CHARS_MAX 60u

struct passkey { /* slices are in the arena that it was read into */
    struct id id, person;
    struct slice credential_id;
    struct slice public_key; /* COSE_Key */
    int algorithm;           /* of it, by the COSE registry */
    uint32_t sign_count;
    struct slice aaguid;
    unsigned transports; /* a set of enum webauthn_transport */
    bool is_backup_eligible, is_backed_up;
    struct slice name;
    struct wall_time created_at;
    bool was_used;
    struct wall_time last_used_at; /* with was_used */
};

/*
 * ERR_EXISTS: somebody has this credential already, the person or another one. ERR_TOO_MANY: the person has
 * PASSKEYS_MAX. `was_used` and `last_used_at` are not read.
 */
MUST_CHECK enum err passkey_insert(struct db_tx *tx, const struct passkey *passkey);
/* By what a browser says it signed with. ERR_NOT_FOUND. */
MUST_CHECK enum err passkey_find(struct db_tx *tx, struct slice credential_id, struct arena *arena,
                                 struct passkey *out);
/* The oldest first; at most PASSKEYS_MAX. */
MUST_CHECK enum err passkey_list(struct db_tx *tx, struct id person, struct arena *arena,
                                 struct passkey **out, size_t *count_out);
/*
 * It has signed in, and says so many signatures. ERR_PASSKEY_REFUSED: another sign-in with it was faster and
 * had the same counter or a greater one; or it was removed meanwhile.
 */
MUST_CHECK enum err passkey_used(struct db_tx *tx, struct id passkey, uint32_t sign_count, bool is_backed_up,
                                 struct wall_time now);
/* ERR_NOT_FOUND: it is not this person's. */
MUST_CHECK enum err passkey_rename(struct db_tx *tx, struct id person, struct id passkey, struct slice name);
/* As before; ERR_STATE_CONFLICT: it is the last one, without which the person could not sign in. */
MUST_CHECK enum err passkey_delete(struct db_tx *tx, struct id person, struct id passkey);

#endif
