#include "domain/dlt/dlt_check.h"
#include "crypto/encode.h"

static const struct db_stmt standing_stmt = {
    "dlt_standing",
    "SELECT (SELECT count(*) FROM dlt_entity WHERE tenant_id = $1), h.state = 'active' AND h.paused_at IS NULL,"
    " e.state = 'active', NOT EXISTS (SELECT FROM dlt_chain c WHERE c.tenant_id = $1 AND c.entity_id = e.id)"
    " OR EXISTS (SELECT FROM dlt_chain c WHERE c.tenant_id = $1 AND c.entity_id = e.id AND c.state = 'active'), h.id"
    " FROM (SELECT 1) one LEFT JOIN dlt_header h ON h.tenant_id = $1 AND h.name = $2"
    " LEFT JOIN dlt_entity e ON e.tenant_id = $1 AND e.id = h.entity_id"
};

struct standing {
    bool has_entity, has_header, header_is_active, entity_is_active, chain_is_good;
    struct id header;
};

static enum err
standing_read(struct db_tx *tx, struct slice header, struct standing *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &standing_stmt, DB_ARGS(DB_TEXT(header)), &rows);

    if (err == ERR_OK) {
        out->has_entity = db_i64(rows, 0, 0) > 0;
        out->has_header = !db_is_null(rows, 0, 1);
        if (out->has_header) {
            out->header_is_active = db_bool(rows, 0, 1);
            out->entity_is_active = db_bool(rows, 0, 2);
            out->chain_is_good = db_bool(rows, 0, 3);
            out->header = db_id(rows, 0, 4);
        }
    }
    db_rows_free(rows);
    return err;
}

/* What is said of a template apart from the text. */
static enum dlt_verdict
template_standing(const struct dlt_asked *asked, const struct standing *standing,
                  const struct dlt_template *template)
{
    bool is_mapped = false;

    if (template->paused_reason.len > 0 || !slice_eq(template->state, SLICE("active")))
        return DLT_TEMPLATE_INACTIVE;
    for (size_t i = 0; i < template->header_count; i++)
        is_mapped = is_mapped || id_eq(template->headers[i], standing->header);
    if (!is_mapped)
        return DLT_NOT_MAPPED;
    if (asked->has_category && asked->is_promotional != dlt_category_is_promotional(template->category))
        return DLT_CATEGORY;
    return DLT_OK;
}

/* Of two candidates, what is closer to a match: any that matches before one that does not. */
static int
rank_of(enum dlt_verdict standing, const struct dlt_match *match)
{
    int rank = 0;

    if (match->verdict == DLT_OK)
        rank = 4000;
    else if (match->verdict == DLT_LINK)
        rank = 3000;
    else if (match->verdict == DLT_VARIABLE)
        rank = 2000;
    else
        rank = (int)match->nearness; /* below 1000 */
    return rank * 2 + (standing == DLT_OK ? 1 : 0);
}

static enum err
candidates_compare(struct dlt_matcher *matcher, struct arena *arena, const struct dlt_asked *asked,
                   const struct standing *standing, const struct dlt_template *templates, size_t count,
                   struct dlt_found *out)
{
    int best = -1;

    for (size_t i = 0; i < count; i++) {
        struct dlt_pattern pattern;
        struct dlt_match match;
        enum dlt_verdict of_template = template_standing(asked, standing, &templates[i]);
        enum err err =
            dlt_pattern_read(arena, templates[i].text, templates[i].rules, templates[i].rule_count, &pattern);
        if (err != ERR_OK)
            return err == ERR_NO_MEMORY ? err : ERR_DB_DATA; /* it was checked when it was written */
        dlt_match(matcher, &pattern, &match);
        int rank = rank_of(of_template, &match);
        if (rank <= best)
            continue;
        best = rank;
        out->has_template = true;
        out->template = templates[i];
        out->match = match;
        out->template_text = pattern.text;
        /* Of one that is not named and does not match, only the difference is of interest. */
        bool is_judged = asked->template_registered_id.len > 0 || match.verdict == DLT_OK;
        out->verdict = of_template == DLT_OK || !is_judged ? match.verdict : of_template;
    }
    return ERR_OK;
}

enum err
dlt_check(struct db_tx *tx, const struct clock *clock, struct arena *arena, const struct dlt_asked *asked,
          struct dlt_found *out)
{
    struct standing standing = { .has_entity = false };
    struct dlt_matcher *matcher = NULL;
    struct dlt_template *templates = NULL;
    struct dlt_links *links = arena_alloc(arena, sizeof(*links));
    size_t count = 0;
    bool is_named = asked->template_registered_id.len > 0;

    *out = (struct dlt_found){ .verdict = DLT_NO_ENTITY };
    if (links == NULL)
        return ERR_NO_MEMORY;
    enum err err = standing_read(tx, asked->header, &standing);
    if (err == ERR_OK && standing.has_header)
        err = dlt_links_read(tx, clock, arena, links);
    if (err == ERR_OK)
        err = dlt_matcher_new(arena, asked->text, links, &matcher);
    if (err != ERR_OK || !standing.has_entity)
        return err;
    out->text = dlt_matcher_text(matcher);
    out->verdict = DLT_HEADER_UNKNOWN;
    if (!standing.has_header)
        return ERR_OK;
    struct slice lead = dlt_text_part(arena, out->text, 0, DLT_LEAD_POINTS);
    if (lead.ptr == NULL)
        return ERR_NO_MEMORY;
    if (lead.len == 0)
        lead = SLICE("\n"); /* no template has a text without a letter, and none begins so */
    err = dlt_template_candidates(tx, arena, is_named ? SLICE_EMPTY : asked->header,
                                  asked->template_registered_id, is_named ? SLICE_EMPTY : lead,
                                  DLT_CANDIDATES_MAX, &templates, &count);
    if (err == ERR_OK)
        err = candidates_compare(matcher, arena, asked, &standing, templates, count, out);
    if (err == ERR_OK && !is_named && asked->wants_nearest &&
        (!out->has_template || out->match.verdict != DLT_OK)) {
        err = dlt_template_candidates(tx, arena, asked->header, SLICE_EMPTY, SLICE_EMPTY, DLT_CANDIDATES_MAX,
                                      &templates, &count);
        if (err == ERR_OK)
            err = candidates_compare(matcher, arena, asked, &standing, templates, count, out);
    }
    if (err != ERR_OK)
        return err;
    /* In the order in which a registry is asked. */
    if (!standing.entity_is_active)
        out->verdict = DLT_ENTITY_INACTIVE;
    else if (!standing.header_is_active)
        out->verdict = DLT_HEADER_INACTIVE;
    else if (!out->has_template)
        out->verdict = is_named ? DLT_TEMPLATE_UNKNOWN : DLT_NOT_MATCHED;
    else if (out->verdict == DLT_OK && !standing.chain_is_good)
        out->verdict = DLT_CHAIN;
    return ERR_OK;
}

/* The verdicts' numbers, in the order in which a registry is asked. */
static const struct db_stmt registered_stmt = {
    "dlt_registered",
    "SELECT CASE WHEN t.id IS NULL THEN 6 WHEN e.state <> 'active' THEN 3 WHEN h.id IS NULL THEN 4"
    " WHEN h.state <> 'active' OR h.paused_at IS NOT NULL THEN 5 WHEN t.state <> 'active' OR t.paused_at IS NOT NULL THEN 7"
    " WHEN NOT EXISTS (SELECT FROM dlt_template_header m WHERE m.tenant_id = $1 AND m.template_id = t.id AND m.header_id = h.id)"
    "  THEN 8"
    " WHEN (t.category IN ('promotional', 'service-explicit')) <> (($4::bigint[])[asked.n] = 1) THEN 9"
    " WHEN c.id IS NULL AND EXISTS (SELECT FROM dlt_chain o WHERE o.tenant_id = $1 AND o.entity_id = e.id) THEN 13"
    " ELSE 1 END,"
    " coalesce(e.registered_id, ''), coalesce(t.registered_id, ''), c.hash,"
    " coalesce((SELECT string_agg(m.registered_id, ',' ORDER BY m.position) FROM dlt_chain_member m"
    "  WHERE m.tenant_id = $1 AND m.chain_id = c.id), '')"
    " FROM unnest($2::uuid[], $3::text[]) WITH ORDINALITY asked (id, header, n)"
    " LEFT JOIN dlt_template t ON t.tenant_id = $1 AND t.id = asked.id"
    " LEFT JOIN dlt_entity e ON e.tenant_id = $1 AND e.id = t.entity_id"
    " LEFT JOIN dlt_header h ON h.tenant_id = $1 AND h.name = asked.header"
    " LEFT JOIN LATERAL (SELECT o.id, o.hash FROM dlt_chain o WHERE o.tenant_id = $1 AND o.entity_id = e.id"
    "  AND o.state = 'active' ORDER BY o.id LIMIT 1) c ON true ORDER BY asked.n LIMIT 500"
};
_Static_assert(DLT_OK == 1 && DLT_ENTITY_INACTIVE == 3 && DLT_HEADER_UNKNOWN == 4 &&
                   DLT_HEADER_INACTIVE == 5 && DLT_TEMPLATE_UNKNOWN == 6 && DLT_TEMPLATE_INACTIVE == 7 &&
                   DLT_NOT_MAPPED == 8 && DLT_CATEGORY == 9 && DLT_CHAIN == 13,
               "the statement's numbers are the verdicts'");

enum err
dlt_registered_read(struct db_tx *tx, struct arena *arena, const struct dlt_use *uses, size_t count,
                    struct dlt_registered **out)
{
    struct db_rows *rows = NULL;
    struct dlt_registered *read = arena_array(arena, count + 1, sizeof(*read));
    struct id *ids = arena_array(arena, count + 1, sizeof(*ids));
    struct slice *headers = arena_array(arena, count + 1, sizeof(*headers));
    int64_t *promotional = arena_array(arena, count + 1, sizeof(*promotional));

    if (read == NULL || ids == NULL || headers == NULL || promotional == NULL)
        return ERR_NO_MEMORY;
    if (count > DLT_CANDIDATES_MAX)
        return ERR_LIMIT;
    for (size_t i = 0; i < count; i++) {
        ids[i] = uses[i].template;
        headers[i] = uses[i].header;
        promotional[i] = uses[i].is_promotional;
    }
    enum err err = db_query(
        tx, &registered_stmt,
        DB_ARGS(DB_ID_ARRAY(ids, count), DB_TEXT_ARRAY(headers, count), DB_I64_ARRAY(promotional, count)),
        &rows);

    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        struct slice hash = db_bytes(rows, i, 3);
        struct buf hex;
        read[i] = (struct dlt_registered){ .standing = (enum dlt_verdict)db_i64(rows, i, 0),
                                           .entity_id = arena_copy(arena, db_text(rows, i, 1)),
                                           .template_id = arena_copy(arena, db_text(rows, i, 2)),
                                           .member_ids = arena_copy(arena, db_text(rows, i, 4)) };
        if (hash.len == DLT_CHAIN_HASH_BYTES) {
            buf_init(&hex, 2 * DLT_CHAIN_HASH_BYTES);
            encode_hex(&hex, hash);
            if (buf_done(&hex) == ERR_OK)
                read[i].chain_hash = arena_copy(arena, buf_slice(&hex));
            buf_release(&hex);
        }
        if (read[i].entity_id.ptr == NULL || read[i].template_id.ptr == NULL ||
            read[i].member_ids.ptr == NULL || (hash.len > 0 && read[i].chain_hash.ptr == NULL))
            err = ERR_NO_MEMORY;
    }
    db_rows_free(rows);
    *out = read;
    return err;
}
