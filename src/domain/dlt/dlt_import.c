#include "domain/dlt/dlt_import.h"
#include "crypto/hash.h"
#include "wire/csv/csv_table.h"

#define NAME_BYTES_MAX 64u

enum field {
    FIELD_ID,
    FIELD_NAME,
    FIELD_TEXT,
    FIELD_CATEGORY,
    FIELD_HEADERS,
    FIELD_STATE,
    FIELD_CONSENT,
    FIELD_KIND,
    FIELD_VALUE,
    FIELD_EXPIRY,
    FIELD_COUNT
};

#define OF_HEADERS   (1u << DLT_IMPORT_HEADERS)
#define OF_TEMPLATES (1u << DLT_IMPORT_TEMPLATES)
#define OF_CONSENT   (1u << DLT_IMPORT_CONSENT_TEMPLATES)
#define OF_LINKS     (1u << DLT_IMPORT_LINKS)

/* What portals call their columns, in small letters and digits alone. Of two columns for one field, the one
 * whose row comes first. */
static const struct {
    unsigned kinds;
    enum field field;
    const char *column;
} columns[] = {
    { OF_HEADERS, FIELD_NAME, "headername" },
    { OF_HEADERS, FIELD_NAME, "header" },
    { OF_HEADERS, FIELD_NAME, "senderid" },
    { OF_HEADERS, FIELD_NAME, "sender" },
    { OF_HEADERS, FIELD_NAME, "cli" },
    { OF_HEADERS, FIELD_ID, "headerid" },
    { OF_HEADERS, FIELD_ID, "headerregistrationid" },
    { OF_HEADERS, FIELD_ID, "cliid" },
    { OF_TEMPLATES | OF_CONSENT, FIELD_ID, "templateid" },
    { OF_TEMPLATES, FIELD_ID, "contenttemplateid" },
    { OF_TEMPLATES, FIELD_ID, "dlttemplateid" },
    { OF_TEMPLATES, FIELD_ID, "dltteid" },
    { OF_TEMPLATES, FIELD_ID, "teid" },
    { OF_CONSENT, FIELD_ID, "consenttemplateid" },
    { OF_TEMPLATES | OF_CONSENT, FIELD_NAME, "templatename" },
    { OF_TEMPLATES, FIELD_NAME, "contenttemplatename" },
    { OF_CONSENT, FIELD_NAME, "consenttemplatename" },
    { OF_TEMPLATES | OF_CONSENT, FIELD_NAME, "name" },
    { OF_TEMPLATES | OF_CONSENT, FIELD_TEXT, "templatecontent" },
    { OF_TEMPLATES | OF_CONSENT, FIELD_TEXT, "templatemessage" },
    { OF_TEMPLATES | OF_CONSENT, FIELD_TEXT, "templatetext" },
    { OF_TEMPLATES | OF_CONSENT, FIELD_TEXT, "messagecontent" },
    { OF_TEMPLATES | OF_CONSENT, FIELD_TEXT, "content" },
    { OF_TEMPLATES | OF_CONSENT, FIELD_TEXT, "message" },
    { OF_TEMPLATES | OF_CONSENT, FIELD_TEXT, "template" },
    { OF_TEMPLATES | OF_CONSENT, FIELD_TEXT, "text" },
    { OF_TEMPLATES, FIELD_CATEGORY, "templatetype" },
    { OF_TEMPLATES, FIELD_CATEGORY, "communicationtype" },
    { OF_TEMPLATES, FIELD_CATEGORY, "templatecategory" },
    { OF_TEMPLATES, FIELD_CATEGORY, "contenttype" },
    { OF_TEMPLATES, FIELD_CATEGORY, "category" },
    { OF_TEMPLATES, FIELD_CATEGORY, "type" },
    { OF_TEMPLATES | OF_CONSENT, FIELD_HEADERS, "headers" },
    { OF_TEMPLATES | OF_CONSENT, FIELD_HEADERS, "header" },
    { OF_TEMPLATES | OF_CONSENT, FIELD_HEADERS, "headername" },
    { OF_TEMPLATES | OF_CONSENT, FIELD_HEADERS, "senderid" },
    { OF_TEMPLATES | OF_CONSENT, FIELD_HEADERS, "associatedheaders" },
    { OF_TEMPLATES | OF_CONSENT, FIELD_HEADERS, "cli" },
    { OF_TEMPLATES, FIELD_CONSENT, "consenttemplateid" },
    { OF_HEADERS | OF_TEMPLATES | OF_CONSENT, FIELD_STATE, "status" },
    { OF_HEADERS, FIELD_STATE, "headerstatus" },
    { OF_TEMPLATES | OF_CONSENT, FIELD_STATE, "templatestatus" },
    { OF_HEADERS | OF_TEMPLATES | OF_CONSENT, FIELD_STATE, "approvalstatus" },
    { OF_HEADERS | OF_TEMPLATES | OF_CONSENT, FIELD_STATE, "state" },
    { OF_LINKS, FIELD_KIND, "type" },
    { OF_LINKS, FIELD_KIND, "urltype" },
    { OF_LINKS, FIELD_KIND, "ctatype" },
    { OF_LINKS, FIELD_KIND, "kind" },
    { OF_LINKS, FIELD_VALUE, "url" },
    { OF_LINKS, FIELD_VALUE, "cta" },
    { OF_LINKS, FIELD_VALUE, "ctavalue" },
    { OF_LINKS, FIELD_VALUE, "link" },
    { OF_LINKS, FIELD_VALUE, "value" },
    { OF_LINKS, FIELD_VALUE, "number" },
    { OF_LINKS, FIELD_VALUE, "callbacknumber" },
    { OF_LINKS, FIELD_EXPIRY, "expirydate" },
    { OF_LINKS, FIELD_EXPIRY, "expireson" },
    { OF_LINKS, FIELD_EXPIRY, "validtill" },
    { OF_LINKS, FIELD_EXPIRY, "expiry" },
};

/* What portals say, likewise, and what we say. */
struct word {
    const char *theirs;
    struct slice ours;
};
static const struct word category_words[] = {
    { "transactional", { "transactional", 13 } },
    { "trans", { "transactional", 13 } },
    { "service", { "service", 7 } },
    { "serviceimplicit", { "service", 7 } },
    { "serviceinferred", { "service", 7 } },
    { "serviceexplicit", { "service-explicit", 16 } },
    { "promotional", { "promotional", 11 } },
    { "promo", { "promotional", 11 } },
    { "government", { "government", 10 } },
};
static const struct word state_words[] = {
    { "", { "active", 6 } },
    { "active", { "active", 6 } },
    { "approved", { "active", 6 } },
    { "registered", { "active", 6 } },
    { "inactive", { "inactive", 8 } },
    { "deactivated", { "inactive", 8 } },
    { "expired", { "inactive", 8 } },
    { "rejected", { "inactive", 8 } },
    { "pending", { "inactive", 8 } },
    { "blacklisted", { "blacklisted", 11 } },
    { "blocked", { "blacklisted", 11 } },
    { "suspended", { "inactive", 8 } },
};
static const struct word link_words[] = {
    { "static", { "static", 6 } },
    { "staticurl", { "static", 6 } },
    { "url", { "static", 6 } },
    { "dynamic", { "dynamic", 7 } },
    { "dynamicurl", { "dynamic", 7 } },
    { "short", { "short", 5 } },
    { "shorturl", { "short", 5 } },
    { "apk", { "app", 3 } },
    { "app", { "app", 3 } },
    { "ott", { "ott", 3 } },
    { "ottlink", { "ott", 3 } },
    { "number", { "number", 6 } },
    { "callbacknumber", { "number", 6 } },
    { "mobile", { "number", 6 } },
    { "tollfree", { "number", 6 } },
    { "landline", { "number", 6 } },
    { "cbn", { "number", 6 } },
};
#define WORD_OF(words, text) word_of((words), sizeof(words) / sizeof((words)[0]), (text))

static const struct slice kind_texts[] = {
    { "headers", 7 }, { "templates", 9 }, { "consent-templates", 17 }, { "links", 5 }
};

struct slice
dlt_import_kind_text(enum dlt_import_kind kind)
{
    return kind_texts[kind];
}

enum err
dlt_import_kind_read(struct slice text, enum dlt_import_kind *out)
{
    for (enum dlt_import_kind kind = DLT_IMPORT_HEADERS; kind <= DLT_IMPORT_LINKS; kind++) {
        if (slice_eq(text, kind_texts[kind])) {
            *out = kind;
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}

const char *
dlt_import_outcome_word(enum dlt_import_outcome outcome)
{
    static const char *const words[] = { "add", "change", "same", "error" };

    return words[outcome];
}

/* Small letters and digits alone. */
static struct slice
bare(struct slice text, char room[static NAME_BYTES_MAX])
{
    size_t len = 0;

    for (size_t i = 0; i < text.len && len < NAME_BYTES_MAX; i++) {
        char c = text.ptr[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            room[len++] = c;
    }
    return slice_of(room, len);
}

static struct slice
word_of(const struct word *words, size_t count, struct slice text)
{
    char room[NAME_BYTES_MAX];
    struct slice named = bare(text, room);

    for (size_t i = 0; i < count; i++)
        if (slice_eq(named, slice_text(words[i].theirs)))
            return words[i].ours;
    return SLICE_EMPTY;
}

/* Of what a spreadsheet is kept from taking for a number: '1107..., ="1107...". */
static struct slice
unquoted(struct slice text)
{
    text = slice_trim(text);
    if (slice_starts_with(text, SLICE("'")))
        return slice_drop(text, 1);
    if (text.len > 3 && slice_starts_with(text, SLICE("=\"")) && slice_ends_with(text, SLICE("\"")))
        return slice_of(text.ptr + 2, text.len - 3);
    return text;
}

struct reading {
    struct db_tx *tx;
    const struct clock *clock;
    struct arena *arena;
    enum dlt_import_kind kind;
    struct id entity;
    bool is_preview;
    int at[FIELD_COUNT]; /* the column of each field; -1: none */
    struct dlt_header *headers;
    struct dlt_template *templates;
    struct dlt_link_row *links;
    size_t header_count, template_count, link_count;
};

static struct slice
field_of(const struct reading *r, const struct csv_row *row, enum field field)
{
    return r->at[field] < 0 || (uint32_t)r->at[field] >= row->count ? SLICE_EMPTY : row->fields[r->at[field]];
}

static const char *
columns_find(struct reading *r, const struct csv_row *head)
{
    for (enum field field = 0; field < FIELD_COUNT; field++)
        r->at[field] = -1;
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
        if (!(columns[i].kinds >> r->kind & 1u) || r->at[columns[i].field] >= 0)
            continue;
        for (uint32_t j = 0; j < head->count; j++) {
            char room[NAME_BYTES_MAX];
            if (slice_eq(bare(head->fields[j], room), slice_text(columns[i].column)) &&
                r->at[columns[i].field] < 0)
                r->at[columns[i].field] = (int)j;
        }
    }
    if (r->kind == DLT_IMPORT_LINKS)
        return r->at[FIELD_VALUE] < 0 ? "has no column with the link or number (URL, CTA, Number)" : NULL;
    if (r->kind == DLT_IMPORT_HEADERS)
        return r->at[FIELD_NAME] < 0 ? "has no column with the header (Header, Header Name, Sender ID)"
                                     : NULL;
    if (r->at[FIELD_ID] < 0)
        return "has no column with the template's id (Template ID)";
    if (r->at[FIELD_TEXT] < 0)
        return "has no column with the template's text (Template Content, Message)";
    return r->kind == DLT_IMPORT_TEMPLATES && r->at[FIELD_CATEGORY] < 0
               ? "has no column with the template's category (Template Type, Category)"
               : NULL;
}

static enum err
bad(struct dlt_import_row *out, const char *problem)
{
    out->outcome = DLT_IMPORT_BAD;
    out->problem = problem;
    return ERR_OK;
}

static enum err
header_import(struct reading *r, const struct csv_row *row, struct dlt_import_row *out)
{
    struct dlt_header with = { .entity = r->entity,
                               .name = slice_trim(field_of(r, row, FIELD_NAME)),
                               .registered_id = unquoted(field_of(r, row, FIELD_ID)),
                               .state = WORD_OF(state_words, field_of(r, row, FIELD_STATE)) };

    out->subject = with.name;
    if (dlt_header_fault(with.name) != NULL)
        return bad(out, "The header is not 3 to 11 letters, or digits that begin with 0 to 8.");
    if (with.registered_id.len > 0 && !dlt_id_is_written(with.registered_id))
        return bad(out, "The id is not written in digits; a spreadsheet may have rounded it.");
    if (with.state.ptr == NULL)
        return bad(out, "The status is none that is known.");
    for (size_t i = 0; i < r->header_count; i++) {
        const struct dlt_header *there = &r->headers[i];
        if (!slice_eq(there->name, with.name))
            continue;
        if (!id_eq(there->entity, r->entity))
            return bad(out, "The header is registered here for another entity.");
        bool is_same = slice_eq(there->state, with.state) &&
                       (with.registered_id.len == 0 || slice_eq(there->registered_id, with.registered_id));
        out->outcome = is_same ? DLT_IMPORT_SAME : DLT_IMPORT_CHANGE;
        if (is_same || r->is_preview)
            return ERR_OK;
        return dlt_header_update(r->tx, r->clock, there->id,
                                 &(struct dlt_change){ .state = with.state,
                                                       .registered_id = with.registered_id.len == 0
                                                                            ? SLICE_EMPTY
                                                                            : with.registered_id });
    }
    with.id = id_new(r->clock);
    return r->is_preview ? ERR_OK : dlt_header_create(r->tx, r->clock, &with);
}

/* "HRKARA, SHOPIN": each is registered here, and named once. */
static const char *
headers_take(struct reading *r, struct slice list, struct dlt_template *with)
{
    with->header_names = arena_array(r->arena, DLT_TEMPLATE_HEADERS_MAX, sizeof(*with->header_names));
    if (with->header_names == NULL)
        return "There is no memory for it.";
    for (size_t i = 0; i < list.len;) {
        size_t end = i;
        while (end < list.len && memchr(",;|/ \n", list.ptr[end], 6) == NULL)
            end++;
        struct slice name = slice_of(list.ptr + i, end - i);
        bool is_known = false, is_new = name.len > 0;
        i = end + 1;
        for (size_t j = 0; j < r->header_count && name.len > 0; j++)
            is_known = is_known || slice_eq(r->headers[j].name, name);
        for (size_t j = 0; j < with->header_count; j++)
            is_new = is_new && !slice_eq(with->header_names[j], name);
        if (name.len > 0 && !is_known)
            return "It names a header that is not registered here: import headers first.";
        if (is_new && with->header_count == DLT_TEMPLATE_HEADERS_MAX)
            return "It names more than 50 headers.";
        if (is_new && dlt_header_is_promotional(name) && !with->is_consent &&
            !dlt_category_is_promotional(with->category))
            return "It names a header of digits, and is not promotional.";
        if (is_new)
            with->header_names[with->header_count++] = name;
    }
    return NULL;
}

static bool
headers_are(const struct dlt_template *there, const struct dlt_template *with)
{
    bool is_same = there->header_count == with->header_count;

    for (size_t i = 0; i < with->header_count && is_same; i++) {
        bool is_there = false;
        for (size_t j = 0; j < there->header_count; j++)
            is_there = is_there || slice_eq(there->header_names[j], with->header_names[i]);
        is_same = is_there;
    }
    return is_same;
}

static const char *
template_take(struct reading *r, const struct csv_row *row, struct dlt_template *with)
{
    struct dlt_pattern pattern;

    *with = (struct dlt_template){ .entity = r->entity,
                                   .is_consent = r->kind == DLT_IMPORT_CONSENT_TEMPLATES,
                                   .registered_id = unquoted(field_of(r, row, FIELD_ID)),
                                   .name = slice_trim(field_of(r, row, FIELD_NAME)),
                                   .text = field_of(r, row, FIELD_TEXT),
                                   .consent_template_id = unquoted(field_of(r, row, FIELD_CONSENT)),
                                   .state = WORD_OF(state_words, field_of(r, row, FIELD_STATE)) };
    if (!with->is_consent)
        with->category = WORD_OF(category_words, field_of(r, row, FIELD_CATEGORY));
    if (!dlt_id_is_written(with->registered_id) ||
        (with->consent_template_id.len > 0 && !dlt_id_is_written(with->consent_template_id)))
        return "The id is not written in digits; a spreadsheet may have rounded it.";
    if (with->name.len == 0)
        with->name = with->registered_id;
    if (slice_utf8_count(with->name) > 200)
        return "The name has more than 200 letters.";
    if (with->text.len == 0)
        return "There is no text.";
    if (!with->is_consent && with->category.ptr == NULL)
        return "The category is none that is known.";
    if (with->state.ptr == NULL)
        return "The status is none that is known.";
    if (dlt_pattern_read(r->arena, with->text, NULL, 0, &pattern) != ERR_OK)
        return "The text has a variable of a kind that is not known, or is too long.";
    return headers_take(r, field_of(r, row, FIELD_HEADERS), with);
}

static enum err
template_import(struct reading *r, const struct csv_row *row, struct dlt_import_row *out)
{
    struct dlt_template with;
    const char *problem = template_take(r, row, &with);

    out->subject = with.registered_id;
    if (problem != NULL)
        return bad(out, problem);
    for (size_t i = 0; i < r->template_count; i++) {
        const struct dlt_template *there = &r->templates[i];
        if (!slice_eq(there->registered_id, with.registered_id))
            continue;
        if (there->is_consent != with.is_consent || !id_eq(there->entity, r->entity))
            return bad(out, "The id is that of another kind of template, or of another entity.");
        bool has_headers = r->at[FIELD_HEADERS] >= 0, has_consent = r->at[FIELD_CONSENT] >= 0;
        bool is_same_text = slice_eq(there->text, with.text);
        bool is_same = is_same_text && slice_eq(there->name, with.name) &&
                       slice_eq(there->category, with.category) && slice_eq(there->state, with.state) &&
                       (!has_headers || headers_are(there, &with)) &&
                       (!has_consent || slice_eq(there->consent_template_id, with.consent_template_id));
        out->outcome = is_same ? DLT_IMPORT_SAME : DLT_IMPORT_CHANGE;
        if (is_same || r->is_preview)
            return ERR_OK;
        with.id = there->id;
        with.paused_reason = there->paused_reason;
        if (is_same_text) { /* types that were set here stay with their text */
            memcpy(with.rules, there->rules, sizeof(with.rules));
            with.rule_count = there->rule_count;
        }
        if (!has_headers) {
            with.header_names = there->header_names;
            with.header_count = there->header_count;
        }
        if (!has_consent)
            with.consent_template_id = there->consent_template_id;
        return dlt_template_replace(r->tx, r->clock, r->arena, &with);
    }
    with.id = id_new(r->clock);
    return r->is_preview ? ERR_OK : dlt_template_create(r->tx, r->clock, r->arena, &with);
}

/* The end of a day in India, of "2026-12-31", "31-12-2026" or "31/12/2026". */
static enum err
expiry_read(struct arena *arena, struct slice text, struct wall_time *out)
{
    if (text.len != 10)
        return ERR_TIME_SYNTAX;
    struct slice year = slice_first(text, 4), month = slice_of(text.ptr + 5, 2),
                 day = slice_of(text.ptr + 8, 2);
    if (text.ptr[2] == '-' || text.ptr[2] == '/') {
        day = slice_first(text, 2);
        month = slice_of(text.ptr + 3, 2);
        year = slice_of(text.ptr + 6, 4);
    }
    struct slice written =
        arena_format(arena, "%.*s-%.*s-%.*sT18:30:00Z", SLICE_FMT(year), SLICE_FMT(month), SLICE_FMT(day));
    return written.ptr == NULL ? ERR_NO_MEMORY : wall_parse(written, out);
}

static enum err
link_import(struct reading *r, const struct csv_row *row, struct dlt_import_row *out)
{
    struct dlt_link_row with = { .link.value = slice_trim(field_of(r, row, FIELD_VALUE)) };
    struct slice ends = slice_trim(field_of(r, row, FIELD_EXPIRY)), said = field_of(r, row, FIELD_KIND);
    struct slice kind = WORD_OF(link_words, said);
    char digits[16];

    out->subject = with.link.value;
    if (slice_trim(said).len ==
        0) /* no portal says it alike: a number, an application, or a link that goes on behind its '?' */
        kind = dlt_looks_like_number(with.link.value, digits)    ? SLICE("number")
               : slice_ends_with(with.link.value, SLICE(".apk")) ? SLICE("app")
               : slice_ends_with(with.link.value, SLICE("?"))    ? SLICE("dynamic")
                                                                 : SLICE("static");
    if (dlt_link_kind_read(kind, &with.link.kind) != ERR_OK)
        return bad(out, "The type is none that is known.");
    if (with.link.value.len > 500 || dlt_link_fault(with.link.kind, with.link.value) != NULL)
        return bad(out, "The value is no link or number of its type.");
    with.link.has_expiry = ends.len > 0;
    if (ends.len > 0 && expiry_read(r->arena, ends, &with.link.expires_at) != ERR_OK)
        return bad(out, "The date is not written as 2026-12-31 or 31-12-2026.");
    for (size_t i = 0; i < r->link_count; i++) {
        const struct dlt_link *there = &r->links[i].link;
        if (there->kind != with.link.kind || !slice_eq(there->value, with.link.value))
            continue;
        bool is_same =
            !with.link.has_expiry || (there->has_expiry && there->expires_at.us == with.link.expires_at.us);
        out->outcome = is_same ? DLT_IMPORT_SAME : DLT_IMPORT_CHANGE;
        return is_same || r->is_preview ? ERR_OK
                                        : dlt_link_prolong(r->tx, r->links[i].id, with.link.expires_at);
    }
    with.id = id_new(r->clock);
    return r->is_preview ? ERR_OK : dlt_link_create(r->tx, r->clock, &with);
}

static enum err
registered_read(struct reading *r)
{
    const struct dlt_template_query all = { .limit = DLT_TEMPLATES_MAX };
    struct id none = { { 0 } };
    enum err err = ERR_OK;

    if (r->kind == DLT_IMPORT_LINKS)
        return dlt_link_list(r->tx, r->arena, SLICE_EMPTY, none, DLT_LINKS_MAX, &r->links, &r->link_count);
    err = dlt_header_list(r->tx, r->arena, SLICE_EMPTY, SLICE_EMPTY, none, DLT_HEADERS_MAX, &r->headers,
                          &r->header_count);
    return err == ERR_OK && r->kind != DLT_IMPORT_HEADERS
               ? dlt_template_list(r->tx, r->arena, &all, &r->templates, &r->template_count)
               : err;
}

static enum err
rows_run(struct reading *r, const struct csv_table *table, struct dlt_import *out)
{
    enum err err = ERR_OK;

    memset(out->counts, 0, sizeof(out->counts));
    out->count = 0;
    for (size_t i = 1; i < table->count && err == ERR_OK; i++) {
        struct dlt_import_row *row = &out->rows[out->count++];
        *row = (struct dlt_import_row){ .number = table->rows[i].number };
        err = r->kind == DLT_IMPORT_HEADERS ? header_import(r, &table->rows[i], row)
              : r->kind == DLT_IMPORT_LINKS ? link_import(r, &table->rows[i], row)
                                            : template_import(r, &table->rows[i], row);
        for (size_t j = 0; j + 1 < out->count && err == ERR_OK && row->subject.len > 0; j++)
            if (row->outcome != DLT_IMPORT_BAD && slice_eq(out->rows[j].subject, row->subject))
                err = bad(row, "It is in the file already.");
        out->counts[row->outcome]++;
    }
    return err;
}

static const struct db_stmt entity_stmt = { "dlt_import_entity",
                                            "SELECT FROM dlt_entity WHERE tenant_id = $1 AND id = $2"
                                            " FOR KEY SHARE" };
static const struct db_stmt import_stmt = {
    "dlt_import",
    "INSERT INTO dlt_import (tenant_id, id, kind, digest, row_count, added_count, changed_count, same_count, imported_at)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
};

enum err
dlt_import_run(struct db_tx *tx, const struct clock *clock, struct arena *arena, struct id id,
               enum dlt_import_kind kind, struct id entity, struct slice csv, bool is_preview,
               struct dlt_import *out, const char **problem_out)
{
    struct reading r = {
        .tx = tx, .clock = clock, .arena = arena, .kind = kind, .entity = entity, .is_preview = true
    };
    struct csv_table table;
    struct db_rows *rows = NULL;
    unsigned char digest[HASH_BYTES];
    enum err err = csv_table_read(arena, csv, DLT_IMPORT_ROWS_MAX + 1, &table);

    *out = (struct dlt_import){ .rows = NULL };
    *problem_out = NULL;
    if (err != ERR_OK)
        return err;
    *problem_out = table.count < 2 ? "has no rows below its head" : columns_find(&r, &table.rows[0]);
    if (*problem_out != NULL)
        return ERR_DLT_INVALID;
    out->rows = arena_array(arena, table.count, sizeof(*out->rows));
    if (out->rows == NULL)
        return ERR_NO_MEMORY;
    err = db_query(tx, &entity_stmt, DB_ARGS(DB_ID(entity)), &rows);
    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_DLT_ENTITY_UNKNOWN;
    db_rows_free(rows);
    if (err == ERR_OK)
        err = registered_read(&r);
    if (err == ERR_OK)
        err = rows_run(&r, &table, out); /* all of it is judged before a row is written */
    if (err != ERR_OK || is_preview || out->counts[DLT_IMPORT_BAD] > 0)
        return err;
    r.is_preview = false;
    err = rows_run(&r, &table, out);
    if (err == ERR_OK)
        err = hash_sha256(csv, digest);
    return err == ERR_OK
               ? db_exec_one(tx, &import_stmt,
                             DB_ARGS(DB_ID(id), DB_TEXT(dlt_import_kind_text(kind)),
                                     DB_BYTES(slice_of(digest, sizeof(digest))), DB_I64((int64_t)out->count),
                                     DB_I64((int64_t)out->counts[DLT_IMPORT_ADD]),
                                     DB_I64((int64_t)out->counts[DLT_IMPORT_CHANGE]),
                                     DB_I64((int64_t)out->counts[DLT_IMPORT_SAME]),
                                     DB_TIME(clock_wall(clock))))
               : err;
}
