/*
 * Invitations into a workspace: a link that makes whoever opens it a member, once, within 48 hours. The token
 * has 256 random bits and is kept as its SHA-256; sending it again makes another one, and the one before is
 * worth nothing. The address is sealed; who invites gives no more than he has.
 */
#ifndef DOMAIN_IDENTITY_INVITATION_H
#define DOMAIN_IDENTITY_INVITATION_H
#include "core/secret.h"
#include "domain/identity/membership.h"
#include "platform/ipc/vault_client.h"

#define INVITATION_HOURS          48
#define INVITATION_PER_TENANT_MAX 500u /* that are pending */
#define INVITATION_TEAMS_MAX      50u

enum invitation_state { INVITATION_PENDING, INVITATION_ACCEPTED, INVITATION_EXPIRED, INVITATION_REVOKED };
const char *invitation_state_word(enum invitation_state state);
MUST_CHECK enum err invitation_state_parse(struct slice word, enum invitation_state *out);

struct invitation {
    struct id id, tenant;
    struct role_ref role;
    struct slice role_name;
    enum membership_reach reach;
    struct id *channels, *teams;
    size_t channel_count, team_count;
    enum invitation_state state; /* a pending one whose time is over is expired */
    int64_t sent_count;
    bool is_by_person; /* else by a key */
    struct id invited_by;
    struct wall_time created_at, expires_at;
    struct vault_sealed email;
    bool is_mailed;           /* its link was sent to the address; else it was shown, to be handed over */
    struct slice tenant_name; /* invitation_find alone */
};

struct invitation_new {
    struct id id;
    struct vault_sealed email;
    unsigned char email_index[VAULT_INDEX_BYTES];
    struct role_ref role;
    enum membership_reach reach;
    const struct id *channels, *teams;
    size_t channel_count, team_count;
    bool is_mailed;
    unsigned char token_hash[32]; /* enrolment_token_draw */
};
/* The address for the invitation's row, and the index by which equal ones meet. */
MUST_CHECK enum err invitation_seal(const struct vault *vault, struct id tenant, struct slice email,
                                    struct arena *arena, struct invitation_new *with);
MUST_CHECK enum err invitation_email_open(const struct vault *vault, const struct invitation *invitation,
                                          struct arena *arena, struct slice *out);
/*
 * ERR_EXISTS: an invitation of this address is pending. ERR_AUTHORITY, ERR_ROLE_UNKNOWN, ERR_CHANNEL_UNKNOWN,
 * ERR_TEAM_UNKNOWN, ERR_TOO_MANY.
 */
MUST_CHECK enum err invitation_create(struct db_tx *tx, const struct clock *clock,
                                      const struct authority *authority, const struct invitation_new *with,
                                      struct arena *arena);
/* Another token, 48 hours from now, also for one that has expired. ERR_NOT_FOUND, ERR_STATE_CONFLICT:
 * accepted or revoked. ERR_AUTHORITY: it gives more than whoever asks has. */
MUST_CHECK enum err invitation_resend(struct db_tx *tx, const struct clock *clock,
                                      const struct authority *authority, struct id invitation,
                                      const unsigned char token_hash[static 32], bool is_mailed,
                                      struct arena *arena);
/* Done again it changes nothing. ERR_NOT_FOUND, ERR_STATE_CONFLICT: accepted. */
MUST_CHECK enum err invitation_revoke(struct db_tx *tx, const struct clock *clock, struct id invitation,
                                      struct arena *arena);
/* ERR_NOT_FOUND. */
MUST_CHECK enum err invitation_get(struct db_tx *tx, const struct clock *clock, struct id invitation,
                                   struct arena *arena, struct invitation *out);
/* Newest first, after `before` (zero: newest), limit + 1 rows. */
MUST_CHECK enum err invitation_list(struct db_tx *tx, const struct clock *clock, struct id before,
                                    size_t limit, struct arena *arena, struct invitation **out,
                                    size_t *count_out);

/* By a link's token (as enrolment_token_hash), across workspaces ("invitation.find"). ERR_LINK_INVALID: none
 * is pending, or its workspace rests. */
MUST_CHECK enum err invitation_find(struct db *db, const struct clock *clock, struct slice token,
                                    struct arena *arena, struct invitation *out);
/* The same by what is kept of the token. */
MUST_CHECK enum err invitation_find_hashed(struct db *db, const struct clock *clock,
                                           const unsigned char hash[static 32], struct arena *arena,
                                           struct invitation *out);
/*
 * In a transaction of the invitation's workspace: the person is a member from its commit on.
 * ERR_LINK_INVALID: somebody was faster, or it has ended meanwhile. ERR_EXISTS: is a member already. As of
 * membership_add too.
 */
MUST_CHECK enum err invitation_accept(struct db_tx *tx, const struct clock *clock,
                                      const struct invitation *invitation, struct id person,
                                      struct id *membership_out);

#endif
