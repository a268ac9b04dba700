#include "domain/identity/platform_role.h"

#define PLATFORM_MAY(permission) (1u << PLATFORM_##permission)

static const char *const permissions[PLATFORM_PERMISSION_COUNT] = {
#define PLATFORM_PERMISSION(name, word) [PLATFORM_##name] = word,
#define PLATFORM_ROLE(name, word, permissions)
#include "domain/identity/platform_role.def"
#undef PLATFORM_PERMISSION
#undef PLATFORM_ROLE
};

static const struct {
    const char *word;
    unsigned may;
} roles[PLATFORM_ROLE_COUNT] = {
#define PLATFORM_PERMISSION(name, word)
#define PLATFORM_ROLE(name, word, permissions) [PLATFORM_ROLE_##name] = { word, permissions },
#include "domain/identity/platform_role.def"
#undef PLATFORM_PERMISSION
#undef PLATFORM_ROLE
};

const char *
platform_permission_word(enum platform_permission permission)
{
    if ((unsigned)permission >= PLATFORM_PERMISSION_COUNT)
        bug("a permission outside platform_role.def");
    return permissions[permission];
}

enum err
platform_permission_parse(struct slice word, enum platform_permission *out)
{
    for (unsigned i = 0; i < PLATFORM_PERMISSION_COUNT; i++)
        if (slice_eq(word, slice_text(permissions[i]))) {
            *out = (enum platform_permission)i;
            return ERR_OK;
        }
    return ERR_NOT_FOUND;
}

const char *
platform_role_word(enum platform_role role)
{
    if ((unsigned)role >= PLATFORM_ROLE_COUNT)
        bug("a role outside platform_role.def");
    return roles[role].word;
}

enum err
platform_role_parse(struct slice word, enum platform_role *out)
{
    for (unsigned i = 0; i < PLATFORM_ROLE_COUNT; i++)
        if (slice_eq(word, slice_text(roles[i].word))) {
            *out = (enum platform_role)i;
            return ERR_OK;
        }
    return ERR_NOT_FOUND;
}

bool
platform_role_may(enum platform_role role, enum platform_permission permission)
{
    return (roles[role].may & (1u << permission)) != 0;
}

static const struct db_stmt platform_role_get_stmt = {
    "platform_role_get",
    "SELECT r.role FROM platform_role r JOIN person p ON p.tenant_id = $1 AND p.id = r.person_id"
    " WHERE r.tenant_id = $1 AND r.person_id = $2 AND p.state = 'active'"
};

enum err
platform_role_get(struct db_tx *tx, struct id person, enum platform_role *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &platform_role_get_stmt, DB_ARGS(DB_ID(person)), &rows);

    if (err == ERR_OK)
        err = db_rows_count(rows) == 0 ? ERR_NOT_FOUND : platform_role_parse(db_text(rows, 0, 0), out);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt platform_role_grant_stmt = {
    "platform_role_grant",
    "INSERT INTO platform_role (tenant_id, person_id, role, granted_at, granted_by)"
    " SELECT $1, p.id, $3, $4, $5 FROM person p WHERE p.tenant_id = $1 AND p.id = $2 AND p.state = 'active'"
    " ON CONFLICT (tenant_id, person_id) DO UPDATE SET role = excluded.role, granted_at = excluded.granted_at,"
    " granted_by = excluded.granted_by"
};

enum err
platform_role_grant(struct db_tx *tx, const struct clock *clock, struct id person, enum platform_role role,
                    struct slice granted_by)
{
    return db_exec_one(tx, &platform_role_grant_stmt,
                       DB_ARGS(DB_ID(person), DB_TEXT_Z(platform_role_word(role)), DB_TIME(clock_wall(clock)),
                               DB_TEXT(granted_by)));
}

static const struct db_stmt platform_role_revoke_stmt = {
    "platform_role_revoke", "DELETE FROM platform_role WHERE tenant_id = $1 AND person_id = $2"
};

enum err
platform_role_revoke(struct db_tx *tx, struct id person)
{
    return db_exec_one(tx, &platform_role_revoke_stmt, DB_ARGS(DB_ID(person)));
}

static const struct db_stmt platform_people_stmt = {
    "platform_people",
    "SELECT p.id, p.state, p.created_at, r.role, r.granted_at, r.granted_by FROM person p LEFT JOIN platform_role r"
    " ON r.tenant_id = $1 AND r.person_id = p.id WHERE p.tenant_id = $1 AND p.id > $2"
    " AND (NOT $3::boolean OR r.role IS NOT NULL) ORDER BY p.id LIMIT 200"
};
_Static_assert(PLATFORM_PEOPLE_PAGE == 200, "the statement's limit");

enum err
platform_people(struct db_tx *tx, struct id after, bool has_role, struct arena *arena,
                struct platform_person **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &platform_people_stmt, DB_ARGS(DB_ID(after), DB_BOOL(has_role)), &rows);

    if (err != ERR_OK)
        goto done;
    size_t count = db_rows_count(rows);
    struct platform_person *people = arena_array(arena, count, sizeof(*people));
    if (people == NULL) {
        err = ERR_NO_MEMORY;
        goto done;
    }
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        people[i] = (struct platform_person){ .id = db_id(rows, i, 0),
                                              .has_left = slice_eq(db_text(rows, i, 1), SLICE("left")),
                                              .created_at = db_time(rows, i, 2),
                                              .has_role = !db_is_null(rows, i, 3) };
        if (!people[i].has_role)
            continue;
        people[i].granted_at = db_time(rows, i, 4);
        people[i].granted_by = arena_copy(arena, db_text(rows, i, 5));
        err = people[i].granted_by.ptr == NULL ? ERR_NO_MEMORY
                                               : platform_role_parse(db_text(rows, i, 3), &people[i].role);
    }
    *out = people;
    *count_out = count;
done:
    db_rows_free(rows);
    return err;
}
