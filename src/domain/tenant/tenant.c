#include "domain/tenant/tenant.h"

const struct id tenant_platform = { { [6] = 0x70, [8] = 0x80 } };

static const char *const state_words[] = {
    [TENANT_ACTIVE] = "active", [TENANT_SUSPENDED] = "suspended", [TENANT_CLOSED] = "closed"
};

const char *
tenant_state_word(enum tenant_state state)
{
    if ((unsigned)state >= COUNT_OF(state_words))
        bug("a tenant's state outside its enum");
    return state_words[state];
}

enum err
tenant_state_parse(struct slice word, enum tenant_state *out)
{
    for (size_t i = 0; i < COUNT_OF(state_words); i++)
        if (slice_eq(word, slice_text(state_words[i]))) {
            *out = (enum tenant_state)i;
            return ERR_OK;
        }
    return ERR_STATE_CONFLICT;
}

/* Letters and digits of the name, lower case, runs of anything else as one dash. */
static struct slice
slug_from_name(struct arena *arena, struct slice name)
{
    char *slug = arena_alloc(arena, TENANT_SLUG_MAX + 1);
    size_t len = 0;

    if (slug == NULL)
        return SLICE_EMPTY;
    for (size_t i = 0; i < name.len && len < TENANT_SLUG_MAX; i++) {
        char c = name.ptr[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            slug[len++] = c;
        else if (len > 0 && slug[len - 1] != '-')
            slug[len++] = '-';
    }
    while (len > 0 && slug[len - 1] == '-')
        len--;
    return slice_of(slug, len);
}

static const struct db_stmt tenant_insert_stmt = {
    "tenant_insert", "INSERT INTO tenant (tenant_id, name, slug) VALUES ($1, $2, $3)"
};

static const struct db_stmt tenant_key_insert_stmt = {
    "tenant_key_insert",
    "INSERT INTO tenant_key (tenant_id, purpose, version, kek_version, wrapped_ct, wrapped_iv, wrapped_tag)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7)"
};

/* Of the key-encryption key: see key_rotation.c. */
static const struct db_stmt tenant_wraps_stmt = {
    "tenant_wraps", "UPDATE kek SET wraps = wraps + 3 WHERE version = $2 AND $1::uuid IS NOT NULL"
};

struct tenant_insert {
    const struct tenant *tenant;
    const struct vault_wrapped_key *keys;
    enum err (*also)(struct db_tx *tx, void *ctx);
    void *ctx;
};

static enum err
keys_insert(struct db_tx *tx, const struct vault_wrapped_key keys[3])
{
    enum err err = ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < 3; i++) {
        const struct vault_wrapped_key *key = &keys[i];
        err = db_exec_one(tx, &tenant_key_insert_stmt,
                          DB_ARGS(DB_I64(key->purpose), DB_I64(key->version), DB_I64(key->kek_version),
                                  DB_BYTES(slice_of(key->cipher, sizeof(key->cipher))),
                                  DB_BYTES(slice_of(key->iv, sizeof(key->iv))),
                                  DB_BYTES(slice_of(key->tag, sizeof(key->tag)))));
    }
    return err == ERR_OK ? db_exec_one(tx, &tenant_wraps_stmt, DB_ARGS(DB_I64(keys[0].kek_version))) : err;
}

static enum err
tenant_insert(struct db_tx *tx, void *ctx)
{
    const struct tenant_insert *insert = ctx;
    enum err err = db_exec_one(tx, &tenant_insert_stmt,
                               DB_ARGS(DB_TEXT(insert->tenant->name), DB_TEXT(insert->tenant->slug)));

    if (err == ERR_OK)
        err = keys_insert(tx, insert->keys);
    return err == ERR_OK && insert->also != NULL ? insert->also(tx, insert->ctx) : err;
}

enum err
tenant_create(struct db *db, const struct vault *vault, const struct clock *clock, struct slice name,
              struct slice slug, enum err (*also)(struct db_tx *tx, void *ctx), void *ctx,
              struct arena *arena, struct tenant *out)
{
    struct vault_wrapped_key keys[3];
    struct tenant tenant = { .id = id_new(clock),
                             .state = TENANT_ACTIVE,
                             .created_at = clock_wall(clock),
                             .send_weight = TENANT_SEND_WEIGHT };

    tenant.name = arena_copy(arena, name);
    tenant.slug = slug.len == 0 ? slug_from_name(arena, name) : arena_copy(arena, slug);
    if (tenant.name.ptr == NULL || tenant.slug.ptr == NULL)
        return ERR_NO_MEMORY;
    if (tenant.slug.len > TENANT_SLUG_MAX) /* the column's pattern counts dashes apart */
        return ERR_DB_DATA;
    enum err err = vault_make_keys(vault, tenant.id, keys);
    if (err != ERR_OK)
        return err;
    struct tenant_insert insert = { .tenant = &tenant, .keys = keys, .also = also, .ctx = ctx };
    err = db_run(db, tenant.id, tenant_insert, &insert);
    if (err == ERR_DB_CONSTRAINT) /* the column checks of name and slug */
        err = ERR_DB_DATA;
    if (err == ERR_OK)
        *out = tenant;
    return err;
}

/* The row is locked: two hosts that start together make one set. */
static const struct db_stmt platform_keys_stmt = {
    "tenant_platform_keys",
    "SELECT EXISTS (SELECT FROM tenant_key k WHERE k.tenant_id = $1) FROM tenant WHERE tenant_id = $1 FOR UPDATE"
};

struct platform_keys {
    const struct vault *vault;
    struct vault_wrapped_key keys[3];
    bool are_made;
};

static enum err
platform_keys_in(struct db_tx *tx, void *ctx)
{
    struct platform_keys *platform = ctx;
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &platform_keys_stmt, DB_NO_ARGS, &rows);
    bool are_there = false;

    if (err == ERR_OK)
        err = db_rows_count(rows) == 0 ? ERR_NOT_FOUND : ERR_OK;
    if (err == ERR_OK)
        are_there = db_bool(rows, 0, 0);
    db_rows_free(rows);
    if (err != ERR_OK || are_there)
        return err;
    if (!platform->are_made)
        err = vault_make_keys(platform->vault, tenant_platform, platform->keys);
    platform->are_made = err == ERR_OK;
    return err == ERR_OK ? keys_insert(tx, platform->keys) : err;
}

enum err
tenant_platform_keys(struct db *db, const struct vault *vault)
{
    struct platform_keys platform = { .vault = vault };

    return db_run(db, tenant_platform, platform_keys_in, &platform);
}

static enum err
tenant_from_row(const struct db_rows *rows, size_t row, struct arena *arena, struct tenant *out)
{
    out->id = db_id(rows, row, 0);
    out->name = arena_copy(arena, db_text(rows, row, 1));
    out->slug = arena_copy(arena, db_text(rows, row, 2));
    out->created_at = db_time(rows, row, 4);
    out->send_weight = db_i64(rows, row, 5);
    if (out->name.ptr == NULL || out->slug.ptr == NULL)
        return ERR_NO_MEMORY;
    return tenant_state_parse(db_text(rows, row, 3), &out->state);
}

static const struct db_stmt tenant_list_stmt = {
    "tenant_list",
    "SELECT tenant_id, name, slug, state, created_at, send_weight FROM tenant WHERE tenant_id <> $1"
    " ORDER BY tenant_id"
    " LIMIT 1000" /* TENANT_LIST_MAX */
};

/* What a statement finds; *out lives in the arena. */
static enum err
tenants_read(struct db_tx *tx, const struct db_stmt *stmt, struct db_args args, struct arena *arena,
             struct tenant **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, stmt, args, &rows);

    if (err != ERR_OK)
        goto done;
    size_t count = db_rows_count(rows);
    struct tenant *tenants = arena_array(arena, count, sizeof(*tenants));
    if (tenants == NULL) {
        err = ERR_NO_MEMORY;
        goto done;
    }
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        err = tenant_from_row(rows, i, arena, &tenants[i]);
    if (err == ERR_OK) {
        *out = tenants;
        *count_out = count;
    }
done:
    db_rows_free(rows);
    return err;
}

enum err
tenant_list(struct db *db, struct arena *arena, struct tenant **out, size_t *count_out)
{
    struct db_tx tx = { .is_open = false };
    enum err err = db_begin_across(db, "admin.tenant", &tx);

    if (err == ERR_OK)
        err = tenants_read(&tx, &tenant_list_stmt, DB_ARGS(DB_ID(tenant_platform)), arena, out, count_out);
    db_rollback(&tx);
    return err;
}

static const struct db_stmt tenant_page_stmt = {
    "tenant_page",
    "SELECT tenant_id, name, slug, state, created_at, send_weight FROM tenant WHERE tenant_id <> $1"
    " AND ($2::uuid IS NULL OR tenant_id < $2) ORDER BY tenant_id DESC LIMIT $3"
};

enum err
tenant_page(struct db *db, struct id cursor, size_t limit, struct arena *arena, struct tenant **out,
            size_t *count_out)
{
    struct db_tx tx = { .is_open = false };
    enum err err = db_begin_across(db, "platform.workspaces", &tx);

    if (err == ERR_OK)
        err = tenants_read(&tx, &tenant_page_stmt,
                           DB_ARGS(DB_ID(tenant_platform), id_is_zero(cursor) ? DB_NULL : DB_ID(cursor),
                                   DB_I64((int64_t)limit + 1)),
                           arena, out, count_out);
    db_rollback(&tx);
    return err;
}

static const struct db_stmt tenant_suspend_stmt = { "tenant_suspend",
                                                    "SELECT tenant_suspend($2) WHERE $1::uuid IS NOT NULL" };

enum err
tenant_suspend(struct db_tx *tx, bool suspended)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &tenant_suspend_stmt, DB_ARGS(DB_BOOL(suspended)), &rows);

    if (err == ERR_OK && !db_bool(rows, 0, 0))
        err = ERR_STATE_CONFLICT;
    db_rows_free(rows);
    return err;
}

static const struct db_stmt tenant_find_stmt = {
    "tenant_find",
    "SELECT tenant_id, name, slug, state, created_at, send_weight FROM tenant WHERE (slug = $1 OR tenant_id = $2)"
    " AND tenant_id <> $3 LIMIT 1"
};

enum err
tenant_find(struct db *db, struct slice slug_or_id, struct arena *arena, struct tenant *out)
{
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;
    struct id id = { { 0 } };

    if (id_parse(ID_TENANT, slug_or_id, &id) != ERR_OK)
        id = (struct id){ { 0 } }; /* then it is a slug */
    enum err err = db_begin_across(db, "admin.tenant", &tx);
    if (err == ERR_OK)
        err = db_query(&tx, &tenant_find_stmt,
                       DB_ARGS(DB_TEXT(slug_or_id), DB_ID(id), DB_ID(tenant_platform)), &rows);
    if (err == ERR_OK)
        err = db_rows_count(rows) == 0 ? ERR_NOT_FOUND : tenant_from_row(rows, 0, arena, out);
    db_rows_free(rows);
    db_rollback(&tx);
    return err;
}

static const struct db_stmt tenant_get_stmt = {
    "tenant_get",
    "SELECT tenant_id, name, slug, state, created_at, send_weight FROM tenant WHERE tenant_id = $1"
};

enum err
tenant_get(struct db_tx *tx, struct arena *arena, struct tenant *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &tenant_get_stmt, DB_NO_ARGS, &rows);

    if (err == ERR_OK)
        err = db_rows_count(rows) == 0 ? ERR_NOT_FOUND : tenant_from_row(rows, 0, arena, out);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt tenant_close_stmt = { "tenant_close",
                                                  "UPDATE tenant SET state = 'closed' WHERE tenant_id = $1" };
static const struct db_stmt tenant_settle_stmt = { "tenant_settle",
                                                   "SELECT tenant_settle(false) WHERE $1::uuid IS NOT NULL" };

enum err
tenant_close(struct db_tx *tx)
{
    enum err err = db_exec_one(tx, &tenant_close_stmt, DB_NO_ARGS);

    return err == ERR_OK ? db_exec_one(tx, &tenant_settle_stmt, DB_NO_ARGS) : err;
}

static const struct db_stmt tenant_weigh_stmt = { "tenant_weigh",
                                                  "UPDATE tenant SET send_weight = $2 WHERE tenant_id = $1" };

enum err
tenant_weigh(struct db_tx *tx, int64_t send_weight)
{
    return db_exec_one(tx, &tenant_weigh_stmt, DB_ARGS(DB_I64(send_weight)));
}
