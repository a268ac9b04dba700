#include "domain/identity/role.h"

#define ROLE_MAY(scope) (UINT64_C(1) << API_SCOPE_##scope)
#define ROLE_EVERYTHING ((UINT64_C(1) << API_SCOPE_COUNT) - 1)

static const struct {
    const char *word, *purpose;
    uint64_t permissions;
} roles[ROLE_WORD_COUNT] = {
#define ROLE(name, word, purpose, permissions) [ROLE_##name] = { word, purpose, permissions },
#include "domain/identity/role.def"
#undef ROLE
};

/* A set of scopes is 64 bits; a stored key has at most 32 words (sql/0002). */
_Static_assert(API_SCOPE_COUNT <= 32, "a key with every scope can be stored");

const char *
role_word_text(enum role_word role)
{
    if ((unsigned)role >= ROLE_WORD_COUNT)
        bug("a role outside role.def");
    return roles[role].word;
}

const char *
role_word_purpose(enum role_word role)
{
    if ((unsigned)role >= ROLE_WORD_COUNT)
        bug("a role outside role.def");
    return roles[role].purpose;
}

uint64_t
role_word_permissions(enum role_word role)
{
    if ((unsigned)role >= ROLE_WORD_COUNT)
        bug("a role outside role.def");
    return roles[role].permissions;
}

enum err
role_word_parse(struct slice text, enum role_word *out)
{
    for (unsigned i = 0; i < ROLE_WORD_COUNT; i++)
        if (slice_eq(text, slice_text(roles[i].word))) {
            *out = (enum role_word)i;
            return ERR_OK;
        }
    return ERR_NOT_FOUND;
}

uint64_t
role_whole_workspace(void)
{
    return ROLE_MAY(WEBHOOKS_READ) | ROLE_MAY(WEBHOOKS_MANAGE) | ROLE_MAY(SETTINGS_MANAGE) |
           ROLE_MAY(KEYS_MANAGE) | ROLE_MAY(PEOPLE_MANAGE) | ROLE_MAY(ROLES_MANAGE) | ROLE_MAY(AUDIT_READ) |
           ROLE_MAY(AUDIT_EXPORT) | ROLE_MAY(DLT_MANAGE) | ROLE_MAY(CONSENTS_READ) |
           ROLE_MAY(CONSENTS_MANAGE);
}
