/* Who may do what for the platform itself. It opens nothing that a workspace holds: who works in one is its
 * member. */
#ifndef DOMAIN_IDENTITY_PLATFORM_ROLE_H
#define DOMAIN_IDENTITY_PLATFORM_ROLE_H
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/id.h"
#include "core/slice.h"
#include "platform/db/db.h"

enum platform_permission {
#define PLATFORM_PERMISSION(name, word) PLATFORM_##name,
#define PLATFORM_ROLE(name, word, permissions)
#include "domain/identity/platform_role.def"
#undef PLATFORM_PERMISSION
#undef PLATFORM_ROLE
    PLATFORM_PERMISSION_COUNT
};
const char *platform_permission_word(enum platform_permission permission);
/* ERR_NOT_FOUND for a word that is none, such as a workspace's permission. */
MUST_CHECK enum err platform_permission_parse(struct slice word, enum platform_permission *out);

enum platform_role {
#define PLATFORM_PERMISSION(name, word)
#define PLATFORM_ROLE(name, word, permissions) PLATFORM_ROLE_##name,
#include "domain/identity/platform_role.def"
#undef PLATFORM_PERMISSION
#undef PLATFORM_ROLE
    PLATFORM_ROLE_COUNT
};
const char *platform_role_word(enum platform_role role);
MUST_CHECK enum err platform_role_parse(struct slice word, enum platform_role *out);
bool platform_role_may(enum platform_role role, enum platform_permission permission);

/* All of these in a transaction of tenant_platform. */

/* ERR_NOT_FOUND: the person has none, or has left. */
MUST_CHECK enum err platform_role_get(struct db_tx *tx, struct id person, enum platform_role *out);
/* In place of the one before. ERR_NOT_FOUND: there is no such person. As harkara_admin, as what follows. */
MUST_CHECK enum err platform_role_grant(struct db_tx *tx, const struct clock *clock, struct id person,
                                        enum platform_role role, struct slice granted_by);
/* ERR_NOT_FOUND: there was none. */
MUST_CHECK enum err platform_role_revoke(struct db_tx *tx, struct id person);

struct platform_person {
    struct id id;
    bool has_left, has_role;
    enum platform_role role;
    struct wall_time created_at, granted_at; /* the latter with a role */
    struct slice granted_by;
};
#define PLATFORM_PEOPLE_PAGE 200u
/* By age, beyond `after` (zero: from the oldest), at most PLATFORM_PEOPLE_PAGE; with `has_role` those with a
 * role alone. *out lives in the arena. */
MUST_CHECK enum err platform_people(struct db_tx *tx, struct id after, bool has_role, struct arena *arena,
                                    struct platform_person **out, size_t *count_out);

#endif
