/* Teams: channels that belong together, and the members who work on them. */
#ifndef DOMAIN_IDENTITY_TEAM_H
#define DOMAIN_IDENTITY_TEAM_H
#include "domain/identity/membership.h"

#define TEAM_PER_TENANT_MAX 100u
#define TEAM_NAME_MAX       60u

struct team {
    struct id id;
    struct slice name;
    struct id *channels, *members; /* of memberships */
    size_t channel_count, member_count;
    struct wall_time created_at, updated_at;
    int64_t revision;
};
/* By name, all of them. */
MUST_CHECK enum err team_list(struct db_tx *tx, struct arena *arena, struct team **out, size_t *count_out);
/* ERR_NOT_FOUND. */
MUST_CHECK enum err team_get(struct db_tx *tx, struct id team, struct arena *arena, struct team *out);
/* Name and channels of `with`; its id is new. ERR_EXISTS: the name is taken. ERR_CHANNEL_UNKNOWN,
 * ERR_TOO_MANY. */
MUST_CHECK enum err team_create(struct db_tx *tx, const struct clock *clock, const struct team *with);
/* Name and channels, if the revision is the stored one (0: any). ERR_NOT_FOUND, ERR_HTTP_PRECONDITION,
 * ERR_EXISTS, ERR_CHANNEL_UNKNOWN. */
MUST_CHECK enum err team_update(struct db_tx *tx, const struct clock *clock, const struct team *with);
/* Its members lose what it gave. ERR_NOT_FOUND. */
MUST_CHECK enum err team_delete(struct db_tx *tx, struct id team);
/* Done again it changes nothing. ERR_NOT_FOUND: no such team, or member who has not left. ERR_AUTHORITY: the
 * member has more than whoever asks. */
MUST_CHECK enum err team_add(struct db_tx *tx, const struct authority *authority, struct id team,
                             struct id membership, struct arena *arena);
MUST_CHECK enum err team_remove(struct db_tx *tx, const struct authority *authority, struct id team,
                                struct id membership, struct arena *arena);

#endif
