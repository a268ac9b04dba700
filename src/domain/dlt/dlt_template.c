#include "domain/dlt/dlt_template.h"
#include "core/num.h"

#define TEMPLATE_COLUMNS                                                                                                    \
    "t.id, t.entity_id, t.kind, t.registered_id, t.name, t.category, t.text, t.variable_types,"                             \
    " t.variable_points::text[], t.consent_template_id, t.state, t.paused_reason, t.paused_at, t.created_at, t.updated_at," \
    " ARRAY(SELECT h.id FROM dlt_template_header l JOIN dlt_header h ON h.tenant_id = $1 AND h.id = l.header_id"            \
    " WHERE l.tenant_id = $1 AND l.template_id = t.id ORDER BY h.name)::text[],"                                            \
    " ARRAY(SELECT h.name FROM dlt_template_header l JOIN dlt_header h ON h.tenant_id = $1 AND h.id = l.header_id"          \
    " WHERE l.tenant_id = $1 AND l.template_id = t.id ORDER BY h.name)"

static const struct {
    struct slice category, suffix;
    bool is_promotional;
} categories[] = {
    { { "transactional", 13 }, { "-T", 2 }, false },   { { "service", 7 }, { "-S", 2 }, false },
    { { "service-explicit", 16 }, { "-P", 2 }, true }, { { "promotional", 11 }, { "-P", 2 }, true },
    { { "government", 10 }, { "-G", 2 }, false },
};

struct slice
dlt_category_suffix(struct slice category)
{
    for (size_t i = 0; i < sizeof(categories) / sizeof(categories[0]); i++)
        if (slice_eq(category, categories[i].category))
            return categories[i].suffix;
    return SLICE_EMPTY;
}

bool
dlt_category_is_promotional(struct slice category)
{
    for (size_t i = 0; i < sizeof(categories) / sizeof(categories[0]); i++)
        if (slice_eq(category, categories[i].category))
            return categories[i].is_promotional;
    return false;
}

static struct slice
kept(const struct db_rows *rows, size_t row, int column, struct arena *arena)
{
    struct slice text = db_text(rows, row, column);

    return text.len == 0 ? SLICE_EMPTY : arena_copy(arena, text);
}

static enum err
template_read(const struct db_rows *rows, size_t row, struct arena *arena, struct dlt_template *out)
{
    struct slice types[DLT_VARIABLES_MAX], points[DLT_VARIABLES_MAX];
    struct slice ids[DLT_TEMPLATE_HEADERS_MAX], names[DLT_TEMPLATE_HEADERS_MAX];
    size_t read = 0;

    *out = (struct dlt_template){ .id = db_id(rows, row, 0),
                                  .entity = db_id(rows, row, 1),
                                  .is_consent = slice_eq(db_text(rows, row, 2), SLICE("consent")),
                                  .registered_id = kept(rows, row, 3, arena),
                                  .name = kept(rows, row, 4, arena),
                                  .category = kept(rows, row, 5, arena),
                                  .text = kept(rows, row, 6, arena),
                                  .consent_template_id = kept(rows, row, 9, arena),
                                  .state = kept(rows, row, 10, arena),
                                  .paused_reason = kept(rows, row, 11, arena),
                                  .created_at = db_time(rows, row, 13),
                                  .updated_at = db_time(rows, row, 14) };
    if (!db_is_null(rows, row, 12))
        out->paused_at = db_time(rows, row, 12);
    enum err err = db_text_array(rows, row, 7, arena, types, DLT_VARIABLES_MAX, &out->rule_count);
    if (err == ERR_OK)
        err = db_text_array(rows, row, 8, arena, points, DLT_VARIABLES_MAX, &read);
    for (size_t i = 0; err == ERR_OK && i < out->rule_count; i++) {
        int number = 0;
        err = i < read ? num_int_parse(points[i], 0, DLT_VARIABLE_POINTS_MAX, &number) : ERR_DB_DATA;
        out->rules[i].points_max = (uint32_t)number;
        if (err == ERR_OK)
            err = dlt_variable_read(types[i], &out->rules[i].type);
    }
    if (err == ERR_OK)
        err = db_text_array(rows, row, 15, arena, ids, DLT_TEMPLATE_HEADERS_MAX, &out->header_count);
    if (err == ERR_OK)
        err = db_text_array(rows, row, 16, arena, names, DLT_TEMPLATE_HEADERS_MAX, &read);
    out->headers = arena_array(arena, out->header_count + 1, sizeof(*out->headers));
    out->header_names = arena_array(arena, out->header_count + 1, sizeof(*out->header_names));
    if (err == ERR_OK && (out->headers == NULL || out->header_names == NULL))
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < out->header_count; i++) {
        out->header_names[i] = i < read ? names[i] : SLICE_EMPTY;
        err = id_uuid_parse(ids[i], &out->headers[i]);
    }
    return err;
}

static enum err
templates_read(struct db_rows *rows, enum err err, struct arena *arena, struct dlt_template **out,
               size_t *count_out)
{
    size_t count = err == ERR_OK ? db_rows_count(rows) : 0;

    *count_out = count;
    *out = arena_array(arena, count + 1, sizeof(**out));
    if (err == ERR_OK && *out == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        err = template_read(rows, i, arena, &(*out)[i]);
    db_rows_free(rows);
    return err;
}

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

static const struct db_stmt template_list_stmt = {
    "dlt_template_list",
    "SELECT " TEMPLATE_COLUMNS " FROM dlt_template t WHERE t.tenant_id = $1"
    " AND ($2::text IS NULL OR position(lower($2) in lower(t.name)) > 0 OR position(lower($2) in lower(t.text)) > 0"
    "  OR position($2 in t.registered_id) > 0)"
    " AND ($3::text IS NULL OR t.state = $3) AND ($4::text IS NULL OR t.kind = $4)"
    " AND ($5::uuid IS NULL OR EXISTS (SELECT FROM dlt_template_header l WHERE l.tenant_id = $1 AND l.template_id = t.id"
    "  AND l.header_id = $5)) AND ($6::uuid IS NULL OR t.id < $6) ORDER BY t.id DESC LIMIT $7"
};

enum err
dlt_template_list(struct db_tx *tx, struct arena *arena, const struct dlt_template_query *query,
                  struct dlt_template **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err =
        db_query(tx, &template_list_stmt,
                 DB_ARGS(text_or_null(query->text), text_or_null(query->state), text_or_null(query->kind),
                         id_or_null(query->header), id_or_null(query->cursor), DB_I64((int64_t)query->limit)),
                 &rows);

    return templates_read(rows, err, arena, out, count_out);
}

static const struct db_stmt template_get_stmt = {
    "dlt_template_get", "SELECT " TEMPLATE_COLUMNS " FROM dlt_template t WHERE t.tenant_id = $1 AND t.id = $2"
};

enum err
dlt_template_get(struct db_tx *tx, struct arena *arena, struct id id, struct dlt_template *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &template_get_stmt, DB_ARGS(DB_ID(id)), &rows);

    if (err == ERR_OK)
        err = db_rows_count(rows) == 0 ? ERR_NOT_FOUND : template_read(rows, 0, arena, out);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt template_candidates_stmt = {
    "dlt_template_candidates",
    "SELECT " TEMPLATE_COLUMNS " FROM dlt_template t WHERE t.tenant_id = $1 AND t.kind = 'content'"
    " AND ($2::text IS NULL OR EXISTS (SELECT FROM dlt_template_header l JOIN dlt_header h ON h.tenant_id = $1 AND h.id = l.header_id"
    "  WHERE l.tenant_id = $1 AND l.template_id = t.id AND h.name = $2))"
    " AND ($3::text IS NULL OR t.registered_id = $3) AND ($4::text IS NULL OR starts_with($4, t.lead))"
    " ORDER BY t.state = 'active' AND t.paused_at IS NULL DESC, t.id DESC LIMIT $5"
};

enum err
dlt_template_candidates(struct db_tx *tx, struct arena *arena, struct slice header,
                        struct slice registered_id, struct slice lead_of, size_t limit,
                        struct dlt_template **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &template_candidates_stmt,
                            DB_ARGS(text_or_null(header), text_or_null(registered_id), text_or_null(lead_of),
                                    DB_I64((int64_t)limit)),
                            &rows);

    return templates_read(rows, err, arena, out, count_out);
}

/* How every text of the template begins, as the database compares it. */
static enum err
lead_of(struct arena *arena, const struct dlt_template *with, struct slice *out)
{
    struct dlt_pattern pattern;
    enum err err = dlt_pattern_read(arena, with->text, with->rules, with->rule_count, &pattern);

    if (err != ERR_OK)
        return err;
    uint32_t count = pattern.fixed[0].count < DLT_LEAD_POINTS ? pattern.fixed[0].count : DLT_LEAD_POINTS;
    *out = dlt_text_part(arena, pattern.text, 0, count);
    return out->ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
}

struct written {
    struct slice lead, types[DLT_VARIABLES_MAX];
    int64_t points[DLT_VARIABLES_MAX];
};

static enum err
template_write(struct arena *arena, const struct dlt_template *with, struct written *out)
{
    for (size_t i = 0; i < with->rule_count; i++) {
        out->types[i] = dlt_variable_text(with->rules[i].type);
        out->points[i] = with->rules[i].points_max;
    }
    return lead_of(arena, with, &out->lead);
}

static const struct db_stmt template_create_stmt = {
    "dlt_template_create",
    "INSERT INTO dlt_template (tenant_id, id, entity_id, kind, registered_id, name, category, text, lead, variable_types,"
    " variable_points, consent_template_id, state, created_at, updated_at)"
    " SELECT $1, $2, e.id, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14 FROM dlt_entity e"
    " WHERE e.tenant_id = $1 AND e.id = $3 AND (SELECT count(*) FROM dlt_template WHERE tenant_id = $1) < 10000"
};
static const struct db_stmt template_entity_stmt = {
    "dlt_template_entity", "SELECT FROM dlt_entity WHERE tenant_id = $1 AND id = $2 FOR KEY SHARE"
};
static const struct db_stmt template_headers_stmt = {
    "dlt_template_headers",
    "INSERT INTO dlt_template_header (tenant_id, template_id, header_id)"
    " SELECT $1, $2, h.id FROM dlt_header h WHERE h.tenant_id = $1 AND h.name = ANY ($3)"
};

static enum err
headers_write(struct db_tx *tx, const struct dlt_template *with)
{
    size_t affected = 0;
    enum err err =
        with->header_count == 0
            ? ERR_OK
            : db_exec(tx, &template_headers_stmt,
                      DB_ARGS(DB_ID(with->id), DB_TEXT_ARRAY(with->header_names, with->header_count)),
                      &affected);

    return err == ERR_OK && affected != with->header_count ? ERR_DLT_HEADER_UNKNOWN : err;
}

enum err
dlt_template_create(struct db_tx *tx, const struct clock *clock, struct arena *arena,
                    const struct dlt_template *with)
{
    struct written written;
    struct db_rows *rows = NULL;
    size_t affected = 0;
    enum err err = template_write(arena, with, &written);

    if (err != ERR_OK)
        return err;
    err = db_query(tx, &template_entity_stmt, DB_ARGS(DB_ID(with->entity)), &rows);
    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_DLT_ENTITY_UNKNOWN;
    db_rows_free(rows);
    if (err == ERR_OK)
        err = db_exec(
            tx, &template_create_stmt,
            DB_ARGS(DB_ID(with->id), DB_ID(with->entity), DB_TEXT_Z(with->is_consent ? "consent" : "content"),
                    DB_TEXT(with->registered_id), DB_TEXT(with->name), text_or_null(with->category),
                    DB_TEXT(with->text), DB_TEXT(written.lead),
                    DB_TEXT_ARRAY(written.types, with->rule_count),
                    DB_I64_ARRAY(written.points, with->rule_count), text_or_null(with->consent_template_id),
                    DB_TEXT(with->state), DB_TIME(clock_wall(clock))),
            &affected);
    if (err == ERR_OK && affected == 0)
        err = ERR_TOO_MANY;
    return err == ERR_OK ? headers_write(tx, with) : err;
}

static const struct db_stmt template_replace_stmt = {
    "dlt_template_replace",
    "UPDATE dlt_template SET name = $3, category = $4, text = $5, lead = $6, variable_types = $7, variable_points = $8,"
    " consent_template_id = $9, state = $10, paused_reason = $11,"
    " paused_at = CASE WHEN $11::text IS NULL THEN NULL ELSE coalesce(paused_at, $12) END, updated_at = $12"
    " WHERE tenant_id = $1 AND id = $2"
};
static const struct db_stmt template_headers_drop_stmt = {
    "dlt_template_headers_drop", "DELETE FROM dlt_template_header WHERE tenant_id = $1 AND template_id = $2"
};

enum err
dlt_template_replace(struct db_tx *tx, const struct clock *clock, struct arena *arena,
                     const struct dlt_template *with)
{
    struct written written;
    enum err err = template_write(arena, with, &written);

    if (err == ERR_OK)
        err = db_exec_one(
            tx, &template_replace_stmt,
            DB_ARGS(DB_ID(with->id), DB_TEXT(with->name), text_or_null(with->category), DB_TEXT(with->text),
                    DB_TEXT(written.lead), DB_TEXT_ARRAY(written.types, with->rule_count),
                    DB_I64_ARRAY(written.points, with->rule_count), text_or_null(with->consent_template_id),
                    DB_TEXT(with->state), text_or_null(with->paused_reason), DB_TIME(clock_wall(clock))));
    if (err == ERR_OK)
        err = db_exec(tx, &template_headers_drop_stmt, DB_ARGS(DB_ID(with->id)), NULL);
    return err == ERR_OK ? headers_write(tx, with) : err;
}

static const struct db_stmt template_delete_stmt = {
    "dlt_template_delete", "DELETE FROM dlt_template WHERE tenant_id = $1 AND id = $2"
};

enum err
dlt_template_delete(struct db_tx *tx, struct id id)
{
    return db_exec_one(tx, &template_delete_stmt, DB_ARGS(DB_ID(id)));
}
