/*
 * Roles: what a person may do in a workspace, as a set of the permissions that keys have as scopes
 * (scope.def). Eight are built in (role.def); a workspace makes others.
 */
#ifndef DOMAIN_IDENTITY_ROLE_H
#define DOMAIN_IDENTITY_ROLE_H
#include "domain/identity/api_key.h"

enum role_word {
#define ROLE(name, word, purpose, permissions) ROLE_##name,
#include "domain/identity/role.def"
#undef ROLE
    ROLE_WORD_COUNT
};
const char *role_word_text(enum role_word role);
const char *role_word_purpose(enum role_word role);
uint64_t role_word_permissions(enum role_word role);
/* ERR_NOT_FOUND when the text is no built-in role. */
MUST_CHECK enum err role_word_parse(struct slice text, enum role_word *out);

/*
 * What whoever is limited to some channels never has, whatever the role says: it reaches the whole workspace.
 * A key or a webhook of such a person would see what the person must not.
 */
uint64_t role_whole_workspace(void);

/* One of the built-in roles, or one of the workspace's own. */
struct role_ref {
    bool is_custom;
    enum role_word word; /* unless is_custom */
    struct id id;        /* with is_custom */
};

/*
 * What whoever asks may hand out, change and take away: nobody gives a permission that he lacks, or touches
 * somebody who has more than himself, and only owners make and unmake owners.
 */
struct authority {
    uint64_t permissions;
    bool is_owner;
    const char *kind; /* "person", "key": a literal */
    struct id actor;
};
bool authority_covers(const struct authority *authority, const struct role_ref *role, uint64_t permissions);

#define ROLE_PER_TENANT_MAX  50u
#define ROLE_NAME_MAX        60u
#define ROLE_DESCRIPTION_MAX 300u

/* One of the workspace's own. */
struct custom_role {
    struct id id;
    struct slice name, description;
    uint64_t permissions;
    int64_t member_count; /* active and suspended ones */
    struct wall_time created_at, updated_at;
    int64_t revision;
};
/* By name, all of them. */
MUST_CHECK enum err role_list(struct db_tx *tx, struct arena *arena, struct custom_role **out,
                              size_t *count_out);
/* ERR_NOT_FOUND. */
MUST_CHECK enum err role_get(struct db_tx *tx, struct id role, struct arena *arena, struct custom_role *out);
/* How many have each of the built-in roles. */
MUST_CHECK enum err role_word_counts(struct db_tx *tx, int64_t out[static ROLE_WORD_COUNT]);
/* What a role gives. ERR_ROLE_UNKNOWN. */
MUST_CHECK enum err role_permissions(struct db_tx *tx, const struct role_ref *role, struct arena *arena,
                                     uint64_t *out);
/* Name, description and permissions of `with`; its id is new. ERR_AUTHORITY, ERR_EXISTS: the name is taken,
 * or is a built-in role's. ERR_TOO_MANY. */
MUST_CHECK enum err role_create(struct db_tx *tx, const struct clock *clock,
                                const struct authority *authority, const struct custom_role *with);
/* All of `with`, if its revision is the stored one (0: any). ERR_NOT_FOUND, ERR_HTTP_PRECONDITION,
 * ERR_AUTHORITY: it has, or would have, more than whoever asks. ERR_EXISTS. */
MUST_CHECK enum err role_update(struct db_tx *tx, const struct clock *clock,
                                const struct authority *authority, const struct custom_role *with,
                                struct arena *arena);
/* ERR_NOT_FOUND, ERR_AUTHORITY, ERR_ROLE_IN_USE. */
MUST_CHECK enum err role_delete(struct db_tx *tx, const struct authority *authority, struct id role,
                                struct arena *arena);

#endif
