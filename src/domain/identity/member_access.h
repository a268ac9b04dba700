/*
 * What a member has in a workspace now, beyond the role: all of it ends when the member is off-boarded
 * (membership_end), so it is what somebody looks at first.
 */
#ifndef DOMAIN_IDENTITY_MEMBER_ACCESS_H
#define DOMAIN_IDENTITY_MEMBER_ACCESS_H
#include "domain/identity/membership.h"
#include "domain/identity/session.h"

struct member_key {
    struct id id;
    struct slice name, last_four;
    bool is_by_key;                /* a key of the person has made it */
    struct wall_time last_used_at; /* us 0: never */
};

struct member_access {
    struct member_key *keys; /* good ones, the newest first */
    size_t key_count;
    int64_t invitation_count; /* that are pending, of the person and of those keys */
};
/* In the workspace's transaction. */
MUST_CHECK enum err member_access_read(struct db_tx *tx, const struct clock *clock, struct id person,
                                       struct arena *arena, struct member_access *out);

/* How the person signs in, and where: */
struct member_sign_in {
    int64_t session_count; /* live ones that work in `workspace` */
    int64_t passkey_count;
    bool has_totp;
};
/* In a transaction of tenant_platform. */
MUST_CHECK enum err member_sign_in_read(struct db_tx *tx, const struct clock *clock,
                                        const struct session_rules *rules, struct id person,
                                        struct id workspace, struct member_sign_in *out);

#endif
