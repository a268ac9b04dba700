#include "domain/dlt/dlt_registry.h"
#include "crypto/hash.h"

#define HEADER_LENGTH_LEAST 3u
#define HEADER_LENGTH_MOST  11u

bool
dlt_id_is_written(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    return text.len >= 1 && text.len <= DLT_ID_DIGITS_MAX;
}

bool
dlt_header_is_promotional(struct slice name)
{
    return dlt_id_is_written(name);
}

const char *
dlt_header_fault(struct slice name)
{
    bool is_digits = dlt_header_is_promotional(name);

    if (name.len < HEADER_LENGTH_LEAST || name.len > HEADER_LENGTH_MOST)
        return "must have 3 to 11 letters, or as many digits";
    for (size_t i = 0; i < name.len && !is_digits; i++)
        if (!((name.ptr[i] >= 'A' && name.ptr[i] <= 'Z') || (name.ptr[i] >= 'a' && name.ptr[i] <= 'z')))
            return "must be letters, or digits alone for promotion; without the operator's XY- and -S";
    return is_digits && name.ptr[0] == '9' ? "of digits must begin with its category, 0 to 8" : NULL;
}

enum err
dlt_chain_hash(struct slice entity_registered_id, const struct dlt_member *members, size_t count,
               unsigned char out[static DLT_CHAIN_HASH_BYTES])
{
    struct slice pieces[1 + 2 * DLT_MEMBERS_MAX] = { entity_registered_id };
    size_t used = 1;

    if (count > DLT_MEMBERS_MAX)
        return ERR_LIMIT;
    for (size_t i = 0; i < count; i++) {
        pieces[used++] = SLICE(",");
        pieces[used++] = members[i].registered_id;
    }
    return hash_sha256_pieces(pieces, used, out);
}

/* A row's text, kept. */
static struct slice
kept(const struct db_rows *rows, size_t row, int column, struct arena *arena)
{
    struct slice text = db_text(rows, row, column);

    return text.len == 0 ? SLICE_EMPTY : arena_copy(arena, text);
}

static struct wall_time
time_or_none(const struct db_rows *rows, size_t row, int column)
{
    return db_is_null(rows, row, column) ? (struct wall_time){ 0 } : db_time(rows, row, column);
}

static const struct db_stmt entity_list_stmt = {
    "dlt_entity_list",
    "SELECT id, registered_id, name, state, created_at, updated_at FROM dlt_entity WHERE tenant_id = $1"
    " ORDER BY id LIMIT 20" /* DLT_ENTITIES_MAX */
};

enum err
dlt_entity_list(struct db_tx *tx, struct arena *arena, struct dlt_entity **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &entity_list_stmt, DB_NO_ARGS, &rows);
    size_t count = err == ERR_OK ? db_rows_count(rows) : 0;

    *count_out = count;
    *out = arena_array(arena, count + 1, sizeof(**out));
    if (err == ERR_OK && *out == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        (*out)[i] =
            (struct dlt_entity){ db_id(rows, i, 0),       kept(rows, i, 1, arena), kept(rows, i, 2, arena),
                                 kept(rows, i, 3, arena), db_time(rows, i, 4),     db_time(rows, i, 5) };
    db_rows_free(rows);
    return err;
}

/* An insert with a limit beside it: none when there are as many as allowed. */
static enum err
insert_counted(struct db_tx *tx, const struct db_stmt *stmt, struct db_args args)
{
    size_t affected = 0;
    enum err err = db_exec(tx, stmt, args, &affected);

    return err == ERR_OK && affected == 0 ? ERR_TOO_MANY : err;
}

static const struct db_stmt entity_create_stmt = {
    "dlt_entity_create",
    "INSERT INTO dlt_entity (tenant_id, id, registered_id, name, state, created_at, updated_at)"
    " SELECT $1, $2, $3, $4, $5, $6, $6 WHERE (SELECT count(*) FROM dlt_entity WHERE tenant_id = $1) < 20"
};

enum err
dlt_entity_create(struct db_tx *tx, const struct clock *clock, const struct dlt_entity *with)
{
    return insert_counted(tx, &entity_create_stmt,
                          DB_ARGS(DB_ID(with->id), DB_TEXT(with->registered_id), DB_TEXT(with->name),
                                  DB_TEXT(with->state), DB_TIME(clock_wall(clock))));
}

static const struct db_stmt entity_update_stmt = {
    "dlt_entity_update",
    "UPDATE dlt_entity SET name = coalesce($3, name), state = coalesce($4, state), updated_at = $5"
    " WHERE tenant_id = $1 AND id = $2"
};

enum err
dlt_entity_update(struct db_tx *tx, const struct clock *clock, struct id id, const struct dlt_change *with)
{
    return db_exec_one(
        tx, &entity_update_stmt,
        DB_ARGS(DB_ID(id), DB_TEXT(with->name), DB_TEXT(with->state), DB_TIME(clock_wall(clock))));
}

static const struct db_stmt entity_delete_stmt = {
    "dlt_entity_delete", "DELETE FROM dlt_entity WHERE tenant_id = $1 AND id = $2"
};

enum err
dlt_entity_delete(struct db_tx *tx, struct id id)
{
    return db_exec_one(tx, &entity_delete_stmt, DB_ARGS(DB_ID(id)));
}

static const struct db_stmt chain_list_stmt = {
    "dlt_chain_list",
    "SELECT c.id, c.entity_id, e.registered_id, c.state, c.hash, c.created_at, c.updated_at,"
    " ARRAY(SELECT m.registered_id FROM dlt_chain_member m WHERE m.tenant_id = $1 AND m.chain_id = c.id ORDER BY m.position),"
    " ARRAY(SELECT m.name FROM dlt_chain_member m WHERE m.tenant_id = $1 AND m.chain_id = c.id ORDER BY m.position),"
    " ARRAY(SELECT m.role FROM dlt_chain_member m WHERE m.tenant_id = $1 AND m.chain_id = c.id ORDER BY m.position)"
    " FROM dlt_chain c JOIN dlt_entity e ON e.tenant_id = $1 AND e.id = c.entity_id WHERE c.tenant_id = $1"
    " ORDER BY c.id LIMIT 50" /* DLT_CHAINS_MAX */
};

enum err
dlt_chain_list(struct db_tx *tx, struct arena *arena, struct dlt_chain **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &chain_list_stmt, DB_NO_ARGS, &rows);
    size_t count = err == ERR_OK ? db_rows_count(rows) : 0, read = 0;

    *count_out = count;
    *out = arena_array(arena, count + 1, sizeof(**out));
    if (err == ERR_OK && *out == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        struct dlt_chain *chain = &(*out)[i];
        struct slice texts[3][DLT_MEMBERS_MAX], hash = db_bytes(rows, i, 4);
        *chain = (struct dlt_chain){ .id = db_id(rows, i, 0),
                                     .entity = db_id(rows, i, 1),
                                     .entity_registered_id = kept(rows, i, 2, arena),
                                     .state = kept(rows, i, 3, arena),
                                     .created_at = db_time(rows, i, 5),
                                     .updated_at = db_time(rows, i, 6) };
        if (hash.len == DLT_CHAIN_HASH_BYTES)
            memcpy(chain->hash, hash.ptr, hash.len);
        for (int part = 0; err == ERR_OK && part < 3; part++)
            err = db_text_array(rows, i, 7 + part, arena, texts[part], DLT_MEMBERS_MAX, &read);
        chain->member_count = err == ERR_OK ? read : 0;
        for (size_t j = 0; j < chain->member_count; j++)
            chain->members[j] = (struct dlt_member){ texts[0][j], texts[1][j], texts[2][j] };
    }
    db_rows_free(rows);
    return err;
}

static const struct db_stmt entity_of_stmt = {
    "dlt_entity_of", "SELECT registered_id FROM dlt_entity WHERE tenant_id = $1 AND id = $2"
                     " FOR KEY SHARE"
};
static const struct db_stmt chain_create_stmt = {
    "dlt_chain_create",
    "INSERT INTO dlt_chain (tenant_id, id, entity_id, hash, state, created_at, updated_at)"
    " SELECT $1, $2, $3, $4, $5, $6, $6 WHERE (SELECT count(*) FROM dlt_chain WHERE tenant_id = $1) < 50"
};
static const struct db_stmt member_create_stmt = {
    "dlt_member_create",
    "INSERT INTO dlt_chain_member (tenant_id, chain_id, position, registered_id, name, role)"
    " SELECT $1, $2, t.n, t.registered_id, t.name, t.role"
    " FROM unnest($3::text[], $4::text[], $5::text[]) WITH ORDINALITY t (registered_id, name, role, n)"
};

enum err
dlt_chain_create(struct db_tx *tx, const struct clock *clock, struct arena *arena, struct dlt_chain *with)
{
    struct slice texts[3][DLT_MEMBERS_MAX];
    struct db_rows *rows = NULL;
    size_t n = with->member_count;
    enum err err = db_query(tx, &entity_of_stmt, DB_ARGS(DB_ID(with->entity)), &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_DLT_ENTITY_UNKNOWN;
    if (err == ERR_OK)
        with->entity_registered_id = kept(rows, 0, 0, arena);
    db_rows_free(rows);
    if (err == ERR_OK)
        err = dlt_chain_hash(with->entity_registered_id, with->members, n, with->hash);
    if (err != ERR_OK)
        return err;
    for (size_t i = 0; i < n; i++) {
        texts[0][i] = with->members[i].registered_id;
        texts[1][i] = with->members[i].name.ptr == NULL ? SLICE("") : with->members[i].name;
        texts[2][i] = with->members[i].role;
    }
    with->created_at = with->updated_at = clock_wall(clock);
    err = insert_counted(tx, &chain_create_stmt,
                         DB_ARGS(DB_ID(with->id), DB_ID(with->entity),
                                 DB_BYTES(slice_of(with->hash, sizeof(with->hash))), DB_TEXT(with->state),
                                 DB_TIME(with->created_at)));
    return err == ERR_OK ? db_exec(tx, &member_create_stmt,
                                   DB_ARGS(DB_ID(with->id), DB_TEXT_ARRAY(texts[0], n),
                                           DB_TEXT_ARRAY(texts[1], n), DB_TEXT_ARRAY(texts[2], n)),
                                   NULL)
                         : err;
}

static const struct db_stmt chain_update_stmt = { "dlt_chain_update",
                                                  "UPDATE dlt_chain SET state = $3, updated_at = $4"
                                                  " WHERE tenant_id = $1 AND id = $2" };

enum err
dlt_chain_update(struct db_tx *tx, const struct clock *clock, struct id id, struct slice state)
{
    return db_exec_one(tx, &chain_update_stmt,
                       DB_ARGS(DB_ID(id), DB_TEXT(state), DB_TIME(clock_wall(clock))));
}

static const struct db_stmt chain_delete_stmt = { "dlt_chain_delete",
                                                  "DELETE FROM dlt_chain WHERE tenant_id = $1 AND id = $2" };

enum err
dlt_chain_delete(struct db_tx *tx, struct id id)
{
    return db_exec_one(tx, &chain_delete_stmt, DB_ARGS(DB_ID(id)));
}

#define HEADER_COLUMNS                                                                                               \
    "h.id, h.entity_id, h.name, h.registered_id, h.state, h.paused_reason, h.paused_at, h.created_at, h.updated_at," \
    " (SELECT count(*) FROM dlt_template_header t WHERE t.tenant_id = $1 AND t.header_id = h.id)"

static const struct db_stmt header_list_stmt = {
    "dlt_header_list",
    "SELECT " HEADER_COLUMNS
    " FROM dlt_header h WHERE h.tenant_id = $1 AND ($2::text IS NULL OR position(lower($2) in lower(h.name)) > 0)"
    " AND ($3::text IS NULL OR h.state = $3) AND ($4::uuid IS NULL OR h.id < $4) ORDER BY h.id DESC LIMIT $5"
};
static const struct db_stmt header_get_stmt = { "dlt_header_get",
                                                "SELECT " HEADER_COLUMNS
                                                " FROM dlt_header h WHERE h.tenant_id = $1 AND h.id = $2" };

static struct db_arg
text_or_null(struct slice text)
{
    return DB_TEXT(text.len == 0 ? SLICE_EMPTY : text);
}

static struct db_arg
id_or_null(struct id id)
{
    return id_is_zero(id) ? DB_NULL : DB_ID(id);
}

static void
header_read(const struct db_rows *rows, size_t row, struct arena *arena, struct dlt_header *out)
{
    *out = (struct dlt_header){ .id = db_id(rows, row, 0),
                                .entity = db_id(rows, row, 1),
                                .name = kept(rows, row, 2, arena),
                                .registered_id = kept(rows, row, 3, arena),
                                .state = kept(rows, row, 4, arena),
                                .paused_reason = kept(rows, row, 5, arena),
                                .paused_at = time_or_none(rows, row, 6),
                                .created_at = db_time(rows, row, 7),
                                .updated_at = db_time(rows, row, 8),
                                .template_count = db_i64(rows, row, 9) };
}

enum err
dlt_header_get(struct db_tx *tx, struct arena *arena, struct id id, struct dlt_header *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &header_get_stmt, DB_ARGS(DB_ID(id)), &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK)
        header_read(rows, 0, arena, out);
    db_rows_free(rows);
    return err;
}

enum err
dlt_header_list(struct db_tx *tx, struct arena *arena, struct slice query, struct slice state,
                struct id cursor, size_t limit, struct dlt_header **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(
        tx, &header_list_stmt,
        DB_ARGS(text_or_null(query), text_or_null(state), id_or_null(cursor), DB_I64((int64_t)limit)), &rows);
    size_t count = err == ERR_OK ? db_rows_count(rows) : 0;

    *count_out = count;
    *out = arena_array(arena, count + 1, sizeof(**out));
    if (err == ERR_OK && *out == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        header_read(rows, i, arena, &(*out)[i]);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt header_create_stmt = {
    "dlt_header_create",
    "INSERT INTO dlt_header (tenant_id, id, entity_id, name, registered_id, state, created_at, updated_at)"
    " SELECT $1, $2, e.id, $4, $5, $6, $7, $7 FROM dlt_entity e WHERE e.tenant_id = $1 AND e.id = $3"
    " AND (SELECT count(*) FROM dlt_header WHERE tenant_id = $1) < 2000" /* DLT_HEADERS_MAX */
};

enum err
dlt_header_create(struct db_tx *tx, const struct clock *clock, const struct dlt_header *with)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &entity_of_stmt, DB_ARGS(DB_ID(with->entity)), &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_DLT_ENTITY_UNKNOWN;
    db_rows_free(rows);
    return err == ERR_OK ? insert_counted(tx, &header_create_stmt,
                                          DB_ARGS(DB_ID(with->id), DB_ID(with->entity), DB_TEXT(with->name),
                                                  text_or_null(with->registered_id), DB_TEXT(with->state),
                                                  DB_TIME(clock_wall(clock))))
                         : err;
}

static const struct db_stmt header_update_stmt = {
    "dlt_header_update",
    "UPDATE dlt_header SET registered_id = coalesce($3, registered_id), state = coalesce($4, state),"
    " paused_reason = CASE WHEN $5 THEN $6 ELSE paused_reason END,"
    " paused_at = CASE WHEN NOT $5 THEN paused_at WHEN $6::text IS NULL THEN NULL ELSE coalesce(paused_at, $7) END,"
    " updated_at = $7 WHERE tenant_id = $1 AND id = $2"
};

enum err
dlt_header_update(struct db_tx *tx, const struct clock *clock, struct id id, const struct dlt_change *with)
{
    return db_exec_one(tx, &header_update_stmt,
                       DB_ARGS(DB_ID(id), DB_TEXT(with->registered_id), DB_TEXT(with->state),
                               DB_BOOL(with->has_pause), text_or_null(with->paused_reason),
                               DB_TIME(clock_wall(clock))));
}

static const struct db_stmt header_delete_stmt = {
    "dlt_header_delete", "DELETE FROM dlt_header WHERE tenant_id = $1 AND id = $2"
};

enum err
dlt_header_delete(struct db_tx *tx, struct id id)
{
    return db_exec_one(tx, &header_delete_stmt, DB_ARGS(DB_ID(id)));
}

static enum err
link_read(const struct db_rows *rows, size_t row, struct arena *arena, struct dlt_link_row *out)
{
    *out = (struct dlt_link_row){ .id = db_id(rows, row, 0), .created_at = db_time(rows, row, 4) };
    out->link.value = kept(rows, row, 2, arena);
    out->link.has_expiry = !db_is_null(rows, row, 3);
    out->link.expires_at = time_or_none(rows, row, 3);
    return dlt_link_kind_read(db_text(rows, row, 1), &out->link.kind) == ERR_OK ? ERR_OK : ERR_DB_DATA;
}

static const struct db_stmt link_list_stmt = {
    "dlt_link_list", "SELECT id, kind, value, expires_at, created_at FROM dlt_link WHERE tenant_id = $1"
                     " AND ($2::text IS NULL OR position(lower($2) in lower(value)) > 0)"
                     " AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $4"
};

enum err
dlt_link_list(struct db_tx *tx, struct arena *arena, struct slice query, struct id cursor, size_t limit,
              struct dlt_link_row **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &link_list_stmt,
                            DB_ARGS(text_or_null(query), id_or_null(cursor), DB_I64((int64_t)limit)), &rows);
    size_t count = err == ERR_OK ? db_rows_count(rows) : 0;

    *count_out = count;
    *out = arena_array(arena, count + 1, sizeof(**out));
    if (err == ERR_OK && *out == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        err = link_read(rows, i, arena, &(*out)[i]);
    db_rows_free(rows);
    return err;
}

enum err
dlt_links_read(struct db_tx *tx, const struct clock *clock, struct arena *arena, struct dlt_links *out)
{
    struct dlt_link_row *rows = NULL;
    struct dlt_link *links = NULL;
    size_t count = 0;
    enum err err = dlt_link_list(tx, arena, SLICE_EMPTY, (struct id){ { 0 } }, DLT_LINKS_MAX, &rows, &count);

    if (err == ERR_OK && (links = arena_array(arena, count + 1, sizeof(*links))) == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        links[i] = rows[i].link;
    *out = (struct dlt_links){ links, err == ERR_OK ? count : 0, clock_wall(clock) };
    return err;
}

static const struct db_stmt link_create_stmt = {
    "dlt_link_create",
    "INSERT INTO dlt_link (tenant_id, id, kind, value, expires_at, created_at)"
    " SELECT $1, $2, $3, $4, $5, $6 WHERE (SELECT count(*) FROM dlt_link WHERE tenant_id = $1) < 2000"
};

enum err
dlt_link_create(struct db_tx *tx, const struct clock *clock, const struct dlt_link_row *with)
{
    return insert_counted(tx, &link_create_stmt,
                          DB_ARGS(DB_ID(with->id), DB_TEXT(dlt_link_kind_text(with->link.kind)),
                                  DB_TEXT(with->link.value),
                                  with->link.has_expiry ? DB_TIME(with->link.expires_at) : DB_NULL,
                                  DB_TIME(clock_wall(clock))));
}

static const struct db_stmt link_prolong_stmt = { "dlt_link_prolong", "UPDATE dlt_link SET expires_at = $3"
                                                                      " WHERE tenant_id = $1 AND id = $2" };

enum err
dlt_link_prolong(struct db_tx *tx, struct id id, struct wall_time expires_at)
{
    return db_exec_one(tx, &link_prolong_stmt, DB_ARGS(DB_ID(id), DB_TIME(expires_at)));
}

static const struct db_stmt link_delete_stmt = { "dlt_link_delete",
                                                 "DELETE FROM dlt_link WHERE tenant_id = $1 AND id = $2" };

enum err
dlt_link_delete(struct db_tx *tx, struct id id)
{
    return db_exec_one(tx, &link_delete_stmt, DB_ARGS(DB_ID(id)));
}

static const struct db_stmt counts_stmt = {
    "dlt_counts",
    "SELECT (SELECT count(*) FROM dlt_header WHERE tenant_id = $1),"
    " (SELECT count(*) FROM dlt_header WHERE tenant_id = $1 AND state = 'active' AND paused_at IS NULL),"
    " (SELECT count(*) FROM dlt_template WHERE tenant_id = $1),"
    " (SELECT count(*) FROM dlt_template WHERE tenant_id = $1 AND state = 'active' AND paused_at IS NULL),"
    " (SELECT count(*) FROM dlt_link WHERE tenant_id = $1),"
    " (SELECT count(*) FROM dlt_link WHERE tenant_id = $1 AND expires_at < $2 + interval '30 days')"
};

enum err
dlt_counts_read(struct db_tx *tx, const struct clock *clock, struct dlt_counts *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &counts_stmt, DB_ARGS(DB_TIME(clock_wall(clock))), &rows);

    if (err == ERR_OK)
        *out = (struct dlt_counts){ db_i64(rows, 0, 0), db_i64(rows, 0, 1), db_i64(rows, 0, 2),
                                    db_i64(rows, 0, 3), db_i64(rows, 0, 4), db_i64(rows, 0, 5) };
    db_rows_free(rows);
    return err;
}
