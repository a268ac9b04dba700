/* /v1/dlt/templates and /v1/dlt/match: what may be said, and whether a text is that. */
#include "domain/dlt/dlt_check.h"
#include "domain/dlt/dlt_import.h"
#include "program/gateway/act.h"
#include "program/gateway/gateway.h"
#include "wire/json/json.h"

#define DLT_TEMPLATE_BODY_BYTES_MAX (64u * 1024u)
#define MATCH_ARENA_BYTES           ((size_t)32 << 20) /* 500 templates of the longest texts that portals take */
#define IMPORT_BODY_BYTES_MAX       (2u * 1024u * 1024u)
#define IMPORT_ARENA_BYTES          ((size_t)64 << 20)
#define SHOW_ARENA_BYTES            ((size_t)16 << 20)

struct work {
    struct http_request *request;
    const struct clock *clock;
    struct arena *arena; /* owned, where the request's has not enough room; else NULL */
    struct id id;
    struct dlt_template template, *templates;
    struct dlt_template_query query;
    struct gateway_page page;
    size_t count;
    struct dlt_asked asked;
    struct dlt_found found;
};

static struct work
work_of(struct http_request *request)
{
    return (struct work){ .request = request, .clock = gateway_worker_of(request)->gateway->clock };
}

static json_t *
remarks_show(unsigned remarks)
{
    static const char *const words[] = { "adjacent", "many", "little-fixed", "blanks", "angles", "untyped" };
    json_t *shown = json_array();

    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (remarks >> i & 1u)
            show_append(&shown, json_string(words[i]));
    return shown;
}

static json_t *
template_show(struct arena *arena, const struct dlt_template *t)
{
    json_t *variables = json_array(), *headers = json_array();
    struct dlt_pattern pattern = { .variable_count = 0 };
    bool is_active = t->paused_reason.len == 0 && slice_eq(t->state, SLICE("active"));

    if (dlt_pattern_read(arena, t->text, t->rules, t->rule_count, &pattern) != ERR_OK) {
        json_decref(variables);
        variables = NULL; /* no memory: nothing is shown */
    }
    for (uint32_t i = 0; i < pattern.variable_count; i++)
        show_append(&variables,
                    json_pack("{s:o, s:i}", "type", show_text(dlt_variable_text(pattern.variables[i].type)),
                              "max_length", (int)pattern.variables[i].points_max));
    for (size_t i = 0; i < t->header_count; i++)
        show_append(&headers, show_text(t->header_names[i]));
    return json_pack(
        "{s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o}", "id",
        show_id(ID_DLT_TEMPLATE, t->id), "entity_id", show_id(ID_DLT_ENTITY, t->entity), "kind",
        t->is_consent ? "consent" : "content", "registered_id", show_text(t->registered_id), "name",
        show_text(t->name), "category", show_text_or_null(t->category), "suffix",
        show_text_or_null(dlt_category_suffix(t->category)), "text", show_text(t->text), "variables",
        variables, "headers", headers, "consent_template_id", show_text_or_null(t->consent_template_id),
        "state", show_text(t->state), "is_active", is_active, "paused_at",
        t->paused_at.us == 0 ? json_null() : show_time(t->paused_at), "paused_reason",
        show_text_or_null(t->paused_reason), "remarks", remarks_show(dlt_pattern_remarks(&pattern)),
        "created_at", show_time(t->created_at), "updated_at", show_time(t->updated_at));
}

static enum err
list_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return dlt_template_list(tx, work->arena, &work->query, &work->templates, &work->count);
}

static enum err
template_get_list(struct http_request *request, struct http_response *response)
{
    struct work work = work_of(request);
    struct slice header = http_query(request, "header_id");
    enum err err = gateway_page_read(request, ID_DLT_TEMPLATE, &work.page);

    work.query = (struct dlt_template_query){ .text = http_query(request, "q"),
                                              .state = http_query(request, "state"),
                                              .kind = http_query(request, "kind"),
                                              .cursor = work.page.cursor,
                                              .limit = work.page.limit + 1 };
    if (err == ERR_OK && header.len > 0)
        err = id_parse(ID_DLT_HEADER, header, &work.query.header) == ERR_OK ? ERR_OK : ERR_QUERY;
    if (err != ERR_OK)
        return err;
    work.arena = arena_new(SHOW_ARENA_BYTES);
    err = work.arena == NULL ? ERR_NO_MEMORY : gateway_read(request, list_in, &work);
    if (err == ERR_OK) {
        json_t *items = json_array();
        for (size_t i = 0; i < gateway_page_shown(&work.page, work.count); i++)
            show_append(&items, template_show(work.arena, &work.templates[i]));
        err = gateway_page_reply(request, response, &work.page, work.count, items);
    }
    arena_free(work.arena);
    return err;
}

static enum err
get_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return dlt_template_get(tx, work->request->arena, work->id, &work->template);
}

static enum err
template_reply(struct http_request *request, struct http_response *response, int status,
               const struct dlt_template *t)
{
    return http_reply_json(request, response, status, template_show(request->arena, t));
}

static enum err
template_get_one(struct http_request *request, struct http_response *response)
{
    struct work work = work_of(request);
    enum err err = gateway_path_id(request, "dlt_template_id", ID_DLT_TEMPLATE, &work.id);

    if (err == ERR_OK)
        err = gateway_read(request, get_in, &work);
    return err == ERR_OK ? template_reply(request, response, 200, &work.template) : err;
}

static enum err
refused(struct http_request *request, const char *pointer, const char *detail)
{
    problem_add(&request->problem, request->arena, slice_text(pointer), slice_text(detail));
    return ERR_DLT_INVALID;
}

/* The members of a body that it has, over what *t is. */
static enum err
template_take(struct http_request *request, struct dlt_template *t)
{
    const json_t *body = request_json(request), *variables = json_member(body, "variables"),
                 *headers = json_member(body, "headers");
    const struct {
        const char *member;
        struct slice *into;
    } texts[] = { { "name", &t->name },
                  { "category", &t->category },
                  { "text", &t->text },
                  { "state", &t->state },
                  { "consent_template_id", &t->consent_template_id },
                  { "paused_reason", &t->paused_reason } };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (json_member(body, texts[i].member) != NULL)
            *texts[i].into = json_text_of(body, texts[i].member); /* null empties */
    if (variables != NULL) {
        t->rule_count = json_array_size(variables);
        for (size_t i = 0; i < t->rule_count && i < DLT_VARIABLES_MAX; i++) {
            int64_t points = 0;
            (void)json_int_of(json_array_get(variables, i), "max_length", &points);
            t->rules[i].points_max = (uint32_t)points;
            if (dlt_variable_read(json_text_of(json_array_get(variables, i), "type"), &t->rules[i].type) !=
                ERR_OK)
                return ERR_CONTRACT;
        }
    } else if (json_member(body, "text") != NULL) {
        t->rule_count = 0;
    }
    if (headers != NULL) {
        t->header_count = json_array_size(headers);
        t->header_names = arena_array(request->arena, t->header_count + 1, sizeof(*t->header_names));
        if (t->header_names == NULL)
            return ERR_NO_MEMORY;
        for (size_t i = 0; i < t->header_count; i++)
            t->header_names[i] = slice_of(json_string_value(json_array_get(headers, i)),
                                          json_string_length(json_array_get(headers, i)));
    }
    if (t->is_consent == (t->category.len > 0))
        return refused(request, "/category",
                       t->is_consent ? "is none of a consent template" : "is what a content template needs");
    for (size_t i = 0; i < t->header_count; i++)
        if (dlt_header_is_promotional(t->header_names[i]) && !t->is_consent &&
            !dlt_category_is_promotional(t->category))
            return refused(request, "/headers", "must be of letters, unless the template is promotional");
    return ERR_OK;
}

static enum err
explained(struct http_request *request, enum err err)
{
    const char *pointer = NULL, *detail = NULL;

    if (err == ERR_DLT_ENTITY_UNKNOWN) {
        pointer = "/entity_id";
        detail = "must be an entity of this workspace";
    } else if (err == ERR_DLT_HEADER_UNKNOWN) {
        pointer = "/headers";
        detail = "must be headers of this workspace, each once";
    } else if (err == ERR_EXISTS) {
        pointer = "/registered_id";
        detail = "is registered here already";
    } else if (err == ERR_ENCODING || err == ERR_LIMIT) {
        return refused(request, "/text",
                       err == ERR_LIMIT ? "must have at most 32 variables and 4096 letters"
                                        : "has a tag that is none, or fewer variables than are described");
    }
    if (pointer != NULL)
        problem_add(&request->problem, request->arena, slice_text(pointer), slice_text(detail));
    return err;
}

static enum err
create_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = dlt_template_create(tx, work->clock, work->request->arena, &work->template);

    return err == ERR_OK ? dlt_template_get(tx, work->request->arena, work->id, &work->template) : err;
}

static enum err
template_post(struct http_request *request, struct http_response *response)
{
    const json_t *body = request_json(request);
    struct work work = work_of(request);
    enum err err = ERR_OK;

    work.id = id_new(work.clock);
    work.template =
        (struct dlt_template){ .id = work.id,
                               .is_consent = slice_eq(json_text_of(body, "kind"), SLICE("consent")),
                               .registered_id = json_text_of(body, "registered_id"),
                               .state = SLICE("active") };
    if (id_parse(ID_DLT_ENTITY, json_text_of(body, "entity_id"), &work.template.entity) != ERR_OK)
        return explained(request, ERR_DLT_ENTITY_UNKNOWN);
    err = template_take(request, &work.template);
    if (err == ERR_OK)
        err = explained(request, act_write(request,
                                           &(struct act_work){ .action = AUDIT_DLT_TEMPLATE_CREATED,
                                                               .object_kind = ID_DLT_TEMPLATE,
                                                               .object = &work.id },
                                           create_in, &work));
    if (err != ERR_OK)
        return err;
    gateway_locate(request, response, "/v1/dlt/templates/", ID_DLT_TEMPLATE, work.id);
    return template_reply(request, response, 201, &work.template);
}

static enum err
update_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = get_in(tx, work);

    if (err == ERR_OK)
        err = template_take(work->request, &work->template);
    if (err == ERR_OK)
        err = dlt_template_replace(tx, work->clock, work->request->arena, &work->template);
    return err == ERR_OK ? get_in(tx, work) : err;
}

static enum err
template_patch(struct http_request *request, struct http_response *response)
{
    struct work work = work_of(request);
    enum err err = gateway_path_id(request, "dlt_template_id", ID_DLT_TEMPLATE, &work.id);

    if (err == ERR_OK)
        err = explained(request, act_write(request,
                                           &(struct act_work){ .action = AUDIT_DLT_TEMPLATE_UPDATED,
                                                               .object_kind = ID_DLT_TEMPLATE,
                                                               .object = &work.id,
                                                               .detail = act_members(request) },
                                           update_in, &work));
    return err == ERR_OK ? template_reply(request, response, 200, &work.template) : err;
}

static enum err
delete_in(struct db_tx *tx, void *ctx)
{
    return dlt_template_delete(tx, ((struct work *)ctx)->id);
}

static enum err
template_remove(struct http_request *request, struct http_response *response)
{
    struct work work = work_of(request);
    enum err err = gateway_path_id(request, "dlt_template_id", ID_DLT_TEMPLATE, &work.id);

    if (err == ERR_OK)
        err = act_write(request,
                        &(struct act_work){ .action = AUDIT_DLT_TEMPLATE_DELETED,
                                            .object_kind = ID_DLT_TEMPLATE,
                                            .object = &work.id },
                        delete_in, &work);
    return err == ERR_OK ? http_reply_empty(response, 204) : err;
}

static enum err
match_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return dlt_check(tx, work->clock, work->arena, &work->asked, &work->found);
}

/* {"start", "end", "text"}: a place in code points, and what stands there. */
static json_t *
place_show(struct arena *arena, struct dlt_text text, struct dlt_place place)
{
    return json_pack("{s:i, s:i, s:o}", "start", (int)place.start, "end", (int)place.end, "text",
                     show_text(dlt_text_part(arena, text, place.start, place.end)));
}

static json_t *
match_show(struct arena *arena, const struct dlt_found *found)
{
    const struct dlt_match *match = &found->match;
    bool is_near = found->has_template && match->verdict == DLT_NOT_MATCHED;
    bool is_wrong = found->has_template && match->verdict != DLT_OK;
    json_t *values = json_array();

    for (uint32_t i = 0; found->has_template && i < match->value_count; i++)
        show_append(&values, place_show(arena, found->text, match->values[i]));
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i}", "verdict",
        show_text(dlt_verdict_text(found->verdict)), "title", show_text(dlt_verdict_title(found->verdict)),
        "template", found->has_template ? template_show(arena, &found->template) : json_null(), "fault",
        is_wrong ? show_text(dlt_fault_text(match->fault)) : json_null(), "variable",
        is_wrong && match->variable > 0 ? json_integer(match->variable) : json_null(), "values", values,
        "text", show_text(dlt_text_part(arena, found->text, 0, found->text.count)), "found",
        is_wrong ? place_show(arena, found->text, match->text) : json_null(), "expected",
        is_near ? place_show(arena, found->template_text, match->fixed) : json_null(), "nearness",
        found->has_template ? (int)match->nearness : 0);
}

static enum err
match_post(struct http_request *request, struct http_response *response)
{
    const json_t *body = request_json(request);
    struct slice category = json_text_of(body, "category");
    struct work work = work_of(request);

    work.asked = (struct dlt_asked){ .header = json_text_of(body, "header"),
                                     .text = json_text_of(body, "text"),
                                     .template_registered_id = json_text_of(body, "template_id"),
                                     .has_category = category.ptr != NULL,
                                     .is_promotional = slice_eq(category, SLICE("promotional")),
                                     .wants_nearest = true };
    work.arena = arena_new(MATCH_ARENA_BYTES);
    enum err err = work.arena == NULL ? ERR_NO_MEMORY : gateway_read(request, match_in, &work);
    if (err == ERR_OK)
        err = http_reply_json(request, response, 200, match_show(work.arena, &work.found));
    arena_free(work.arena);
    return err == ERR_LIMIT ? refused(request, "/text", "must have at most 4096 letters, in NFC too") : err;
}

struct importing {
    struct work work;
    enum dlt_import_kind kind;
    struct id entity;
    struct slice csv;
    bool is_preview, is_nothing;
    struct dlt_import done;
    const char *problem;
};

static enum err
import_in(struct db_tx *tx, void *ctx)
{
    struct importing *importing = ctx;
    struct work *work = &importing->work;

    arena_reset(work->arena); /* of a try that clashed */
    enum err err =
        dlt_import_run(tx, work->clock, work->arena, work->id, importing->kind, importing->entity,
                       importing->csv, importing->is_preview, &importing->done, &importing->problem);
    importing->is_nothing = importing->is_preview || importing->done.counts[DLT_IMPORT_BAD] > 0;
    return err;
}

static json_t *
import_show(const struct importing *importing)
{
    const struct dlt_import *done = &importing->done;
    json_t *rows = json_array();

    for (size_t i = 0; i < done->count; i++)
        show_append(&rows, json_pack("{s:i, s:s, s:o, s:o}", "row", (int)done->rows[i].number, "outcome",
                                     dlt_import_outcome_word(done->rows[i].outcome), "subject",
                                     show_text(done->rows[i].subject), "problem",
                                     done->rows[i].problem == NULL ? json_null()
                                                                   : json_string(done->rows[i].problem)));
    return json_pack("{s:o, s:b, s:i, s:i, s:i, s:i, s:o}", "id",
                     importing->is_preview ? json_null() : show_id(ID_DLT_IMPORT, importing->work.id),
                     "preview", importing->is_preview, "added", (int)done->counts[DLT_IMPORT_ADD], "changed",
                     (int)done->counts[DLT_IMPORT_CHANGE], "same", (int)done->counts[DLT_IMPORT_SAME],
                     "errors", (int)done->counts[DLT_IMPORT_BAD], "rows", rows);
}

/* Why a file was not read, or which rows of it kept all of it out. */
static enum err
import_refused(struct http_request *request, const struct importing *importing, enum err err)
{
    if (err == ERR_DLT_INVALID)
        return refused(request, "/csv", importing->problem);
    if (err == ERR_ENCODING)
        return refused(request, "/csv",
                       "has quotes that do not close, or that stand in the midst of a field");
    if (err == ERR_LIMIT)
        return refused(request, "/csv", "has more than 2000 rows, 64 columns, or 64 KiB in a field");
    if (err != ERR_OK)
        return explained(request, err);
    for (size_t i = 0; i < importing->done.count; i++)
        if (importing->done.rows[i].outcome == DLT_IMPORT_BAD) {
            struct slice detail = arena_format(request->arena, "row %u: %s", importing->done.rows[i].number,
                                               importing->done.rows[i].problem);
            problem_add(&request->problem, request->arena, SLICE("/csv"), detail);
        }
    return ERR_DLT_INVALID;
}

static enum err
import_post(struct http_request *request, struct http_response *response)
{
    const json_t *body = request_json(request);
    struct importing importing = { .work = work_of(request),
                                   .csv = json_text_of(body, "csv"),
                                   .is_preview = json_is_true(json_member(body, "preview")) };
    enum err err = dlt_import_kind_read(json_text_of(body, "kind"), &importing.kind);

    importing.work.id = id_new(importing.work.clock);
    if (err == ERR_OK &&
        id_parse(ID_DLT_ENTITY, json_text_of(body, "entity_id"), &importing.entity) != ERR_OK)
        err = explained(request, ERR_DLT_ENTITY_UNKNOWN);
    if (err != ERR_OK)
        return err;
    importing.work.arena = arena_new(IMPORT_ARENA_BYTES);
    err = importing.work.arena == NULL ? ERR_NO_MEMORY
                                       : act_write(request,
                                                   &(struct act_work){ .action = AUDIT_DLT_REGISTRY_IMPORTED,
                                                                       .object_kind = ID_DLT_IMPORT,
                                                                       .object = &importing.work.id,
                                                                       .is_nothing = &importing.is_nothing },
                                                   import_in, &importing);
    if (err != ERR_OK || (!importing.is_preview && importing.done.counts[DLT_IMPORT_BAD] > 0))
        err = import_refused(request, &importing, err);
    if (err == ERR_OK)
        err = http_reply_json(request, response, 200, import_show(&importing));
    arena_free(importing.work.arena);
    return err;
}

const struct http_route dlt_template_routes[] = {
    { HTTP_GET, "/v1/dlt/templates", template_get_list, "listDltTemplates", HTTP_ACCESS_KEY, "dlt:read" },
    { HTTP_POST, "/v1/dlt/templates", template_post, "createDltTemplate", HTTP_ACCESS_KEY, "dlt:manage",
      .body_bytes_max = DLT_TEMPLATE_BODY_BYTES_MAX },
    { HTTP_GET, "/v1/dlt/templates/{dlt_template_id}", template_get_one, "getDltTemplate", HTTP_ACCESS_KEY,
      "dlt:read" },
    { HTTP_PATCH, "/v1/dlt/templates/{dlt_template_id}", template_patch, "updateDltTemplate", HTTP_ACCESS_KEY,
      "dlt:manage", .body_bytes_max = DLT_TEMPLATE_BODY_BYTES_MAX },
    { HTTP_DELETE, "/v1/dlt/templates/{dlt_template_id}", template_remove, "deleteDltTemplate",
      HTTP_ACCESS_KEY, "dlt:manage" },
    { HTTP_POST, "/v1/dlt/match", match_post, "matchDltText", HTTP_ACCESS_KEY, "dlt:read",
      .body_bytes_max = DLT_TEMPLATE_BODY_BYTES_MAX },
    { HTTP_POST, "/v1/dlt/imports", import_post, "importDlt", HTTP_ACCESS_KEY, "dlt:manage",
      .body_bytes_max = IMPORT_BODY_BYTES_MAX },
    { .handler = NULL },
};
