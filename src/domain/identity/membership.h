/*
 * A person in a workspace: the role, whether it holds everywhere or for some channels only, and since when.
 * The person's own data belongs to no workspace; here it is an id.
 */
#ifndef DOMAIN_IDENTITY_MEMBERSHIP_H
#define DOMAIN_IDENTITY_MEMBERSHIP_H
#include "domain/identity/role.h"

#define MEMBERSHIP_PER_TENANT_MAX 2000u
#define MEMBERSHIP_CHANNELS_MAX   200u /* that one person is limited to */
#define MEMBERSHIP_OF_PERSON_MAX  200u /* workspaces of one person */

enum membership_state { MEMBERSHIP_ACTIVE, MEMBERSHIP_SUSPENDED, MEMBERSHIP_LEFT };
enum membership_reach { MEMBERSHIP_ALL, MEMBERSHIP_TEAMS, MEMBERSHIP_CHANNELS };
const char *membership_state_word(enum membership_state state);
const char *membership_reach_word(enum membership_reach reach);
MUST_CHECK enum err membership_reach_parse(struct slice word, enum membership_reach *out);

struct membership {
    struct id id, person;
    struct role_ref role;
    struct slice role_name; /* the word, or the name that the workspace gave it */
    uint64_t permissions;   /* of the role */
    enum membership_state state;
    enum membership_reach reach;
    struct id *channels; /* with MEMBERSHIP_CHANNELS */
    size_t channel_count;
    struct wall_time joined_at, last_seen_at, left_at; /* us 0: not yet */
    int64_t revision;
};

struct membership_new {
    struct id person;
    struct role_ref role;
    enum membership_reach reach;
    const struct id *channels; /* with MEMBERSHIP_CHANNELS */
    size_t channel_count;
};
/*
 * Makes the person a member. One who had left is one again, with the same id. ERR_EXISTS: is a member
 * already. ERR_TOO_MANY. ERR_CHANNEL_UNKNOWN: a channel is not of this workspace. ERR_NOT_FOUND: the role is
 * not.
 */
MUST_CHECK enum err membership_add(struct db_tx *tx, const struct clock *clock,
                                   const struct membership_new *with, struct id *id_out);

/* What a person may do in a workspace now. */
struct membership_principal {
    struct id membership;
    struct role_ref role;
    uint64_t permissions; /* bits of enum api_scope; without role_whole_workspace() when limited */
    bool is_channel_limited;
    struct id *channels; /* in the arena; sorted, each once */
    size_t channel_count;
};
/*
 * One transaction of two statements, which also notes (once a minute) that the person was seen here.
 * ERR_NOT_FOUND: no member, or one that was suspended or has left. ERR_TENANT_SUSPENDED: the workspace is.
 */
MUST_CHECK enum err membership_principal(struct db *db, struct id person, struct id tenant,
                                         struct arena *arena, struct membership_principal *out);

/* A workspace that a person may work in. */
struct membership_place {
    struct id tenant, membership;
    struct slice tenant_name, tenant_slug, role_name;
    struct role_ref role;
    struct wall_time joined_at;
};
/* Across workspaces ("session.workspaces"): the active ones of active workspaces, the first joined first. */
MUST_CHECK enum err membership_list_of(struct db *db, struct id person, struct arena *arena,
                                       struct membership_place **out, size_t *count_out);

#endif
