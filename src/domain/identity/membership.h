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
    struct id *teams;
    size_t channel_count, team_count;
    int64_t key_count;                                 /* keys that the person has made, and that are good */
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
 * already. ERR_TOO_MANY. ERR_CHANNEL_UNKNOWN: a channel is not of this workspace. ERR_ROLE_UNKNOWN.
 */
MUST_CHECK enum err membership_add(struct db_tx *tx, const struct clock *clock,
                                   const struct membership_new *with, struct id *id_out);

struct membership_filter {
    struct id cursor; /* older than this one; zero: from the newest */
    bool has_state;
    enum membership_state state; /* without it: all who have not left */
};
/* Newest first, limit + 1 rows. */
MUST_CHECK enum err membership_list(struct db_tx *tx, const struct membership_filter *filter, size_t limit,
                                    struct arena *arena, struct membership **out, size_t *count_out);
/* Also one who has left. ERR_NOT_FOUND. */
MUST_CHECK enum err membership_get(struct db_tx *tx, struct id membership, struct arena *arena,
                                   struct membership *out);
/* What whoever asks may hand out: `permissions`, and owners if the person (NULL: a key asks) is one here now.
 */
MUST_CHECK enum err membership_authority(struct db_tx *tx, uint64_t permissions, const struct id *person,
                                         struct id actor, struct authority *out);

struct membership_change {
    int64_t revision; /* the stored one; 0: any */
    bool has_role, has_reach, has_state;
    struct role_ref role;
    enum membership_reach reach;
    const struct id *channels; /* with MEMBERSHIP_CHANNELS */
    size_t channel_count;
    enum membership_state state; /* active or suspended */
};
/*
 * ERR_NOT_FOUND, ERR_STATE_CONFLICT: has left. ERR_HTTP_PRECONDITION. ERR_AUTHORITY: the member has, or would
 * have, more than whoever asks. ERR_LAST_OWNER. ERR_ROLE_UNKNOWN, ERR_CHANNEL_UNKNOWN.
 */
MUST_CHECK enum err membership_update(struct db_tx *tx, const struct clock *clock,
                                      const struct authority *authority, struct id membership,
                                      const struct membership_change *change, struct arena *arena);
/*
 * Off-boarding: from this commit on the person has nothing here: no session works in this workspace, no key
 * that the person has made (nor one that such a key has made), no team place, and no invitation of theirs is
 * good. *keys_out: how many keys it were. Done again it changes nothing. Errors as of membership_update.
 */
MUST_CHECK enum err membership_end(struct db_tx *tx, const struct clock *clock,
                                   const struct authority *authority, struct id membership,
                                   struct arena *arena, size_t *keys_out);

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
