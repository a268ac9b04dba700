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

#endif
