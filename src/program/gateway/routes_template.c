/* /v1/templates: WhatsApp's message templates, from their definition to their end. What changes one is a
 * task. */
#include "crypto/hash.h"
#include "domain/template/template.h"
#include "domain/template/template_needs.h"
#include "program/gateway/act.h"
#include "program/gateway/media_named.h"
#include "program/gateway/operation_show.h"
#include "program/gateway/reach.h"
#include "wire/http/etag.h"
#include "wire/json/json.h"

#define TEMPLATE_BODY_BYTES_MAX (256u * 1024u)

static json_t *
category_show(bool has_one, enum template_category category)
{
    return has_one ? json_string(template_category_word(category)) : json_null();
}

static json_t *
error_show(const struct template *template)
{
    if (template->error_code.len == 0)
        return json_null();
    return json_pack("{s:o, s:o}", "code", show_text(template->error_code), "title",
                     show_text(template->error_title));
}

/* When WhatsApp takes another edit; null: now, or not at all in this state. */
static json_t *
next_edit_show(const struct template *template, struct wall_time now)
{
    struct wall_time at = { 0 };

    if (template->state == TEMPLATE_APPROVED)
        at = template_edit_allowed_at(template->edits, template->edit_count, now);
    return at.us > now.us ? show_time(at) : json_null();
}

static json_t *
template_show(const struct template *template, struct wall_time now)
{
    const char *change = template_change_word(template->change);

    return json_pack(
        "{s:o, s:o, s:o, s:o, s:s, s:s, s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o,"
        " s:o, s:o}",
        "id", show_id(ID_TEMPLATE, template->id), "channel_id", show_id(ID_CHANNEL, template->channel),
        "name", show_text(template->name), "language", show_text(template->language), "category",
        template_category_word(template->category), "parameter_format",
        template->is_named ? "named" : "positional", "state", template_state_word(template->state),
        "state_reason", show_text_or_null(template->state_reason), "state_detail",
        show_text_or_null(template->state_detail), "quality", template_quality_word(template->quality),
        "previous_category", category_show(template->has_previous_category, template->previous_category),
        "correct_category", category_show(template->has_correct_category, template->correct_category),
        "category_change_at",
        template->has_category_change_at ? show_time(template->category_change_at) : json_null(),
        "message_send_ttl_seconds", template->has_ttl ? json_integer(template->ttl_s) : json_null(),
        "cta_url_link_tracking_opted_out", template->is_link_tracking_off, "library_template_name",
        show_text_or_null(template->library_name), "change",
        change == NULL ? json_null() : json_string(change), "next_edit_at", next_edit_show(template, now),
        "error", error_show(template), "provider_id", show_text_or_null(template->provider_id), "created_at",
        show_time(template->created_at), "updated_at", show_time(template->updated_at), "synced_at",
        template->has_synced_at ? show_time(template->synced_at) : json_null());
}

/* With its components, opened just now. */
static enum err
template_reply(struct http_request *request, struct http_response *response, int status,
               const struct template *template)
{
    struct gateway_worker *worker = gateway_worker_of(request);
    struct vault_place place = template_components_place(request->tenant, template->id);
    json_t *components = json_null();
    char tag[ETAG_TEXT_BYTES];
    struct slice text;
    enum err err = ERR_OK;

    if (template->has_components)
        err = vault_open_content(&worker->vault, &place, &template->components, request->arena, &text);
    if (err == ERR_OK && template->has_components)
        err = json_parse(text, &components);
    if (err != ERR_OK)
        return err;
    json_t *shown = template_show(template, clock_wall(worker->gateway->clock));
    show_set(&shown, "components", components);
    http_response_add(response, "ETag", arena_copy(request->arena, etag_print(template->revision, tag)));
    return http_reply_json(request, response, status, shown);
}

static enum err
printed(struct http_request *request, const json_t *value, bool is_canonical, struct slice *out)
{
    struct buf text;

    buf_init(&text, 2 * TEMPLATE_BODY_BYTES_MAX);
    enum err err = is_canonical ? json_print_canonical(value, &text) : json_print(value, &text);
    *out = arena_copy(request->arena, buf_slice(&text));
    if (err == ERR_OK && out->ptr == NULL)
        err = ERR_NO_MEMORY;
    buf_release_wiped(&text);
    return err;
}

/* The text sealed for one of the template's places. */
static enum err
value_seal(struct http_request *request, struct vault_place place, const json_t *value,
           struct vault_sealed *sealed_out)
{
    struct gateway_worker *worker = gateway_worker_of(request);
    struct slice text;
    enum err err = printed(request, value, false, &text);

    return err == ERR_OK ? vault_seal(&worker->vault, VAULT_CONTENT, &place, text, request->arena, sealed_out)
                         : err;
}

struct create {
    struct template_new with;
    struct vault_sealed components, draft;
    unsigned char digest[HASH_BYTES];
    const struct clock *clock;
    struct arena *arena;
    struct template template;
    struct media_named_samples named;
    bool is_replay;
};

static enum err
create_in(struct db_tx *tx, void *ctx)
{
    struct create *create = ctx;
    enum err err = template_create(tx, create->clock, &create->with, create->arena, &create->template,
                                   &create->is_replay);

    /* What was asked before is answered as it was, whatever has become of its media. */
    return err == ERR_OK && !create->is_replay
               ? media_named_samples_keep(tx, create->clock, create->arena, &create->named)
               : err;
}

/* What WhatsApp is sent: the request without what is ours, its words as WhatsApp writes them. Owned. */
static json_t *
draft_of(const json_t *body, enum template_category category)
{
    static const char *const upper[] = { [TEMPLATE_MARKETING] = "MARKETING",
                                         [TEMPLATE_UTILITY] = "UTILITY",
                                         [TEMPLATE_AUTHENTICATION] = "AUTHENTICATION" };
    static const struct {
        const char *member, *word, *sent;
    } words[] = { { "parameter_format", "named", "NAMED" },
                  { "parameter_format", "positional", "POSITIONAL" },
                  { "display_format", "order_details", "ORDER_DETAILS" } };
    json_t *draft = json_copy(json_iterable(body));
    bool is_whole = draft != NULL;

    (void)json_object_del(draft, "channel_id");
    if (json_object_get(draft, "category") != NULL)
        is_whole = is_whole && json_object_set_new(draft, "category", json_string(upper[category])) == 0;
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (slice_eq(json_text_of(body, words[i].member), slice_text(words[i].word)))
            is_whole =
                is_whole && json_object_set_new(draft, words[i].member, json_string(words[i].sent)) == 0;
    if (is_whole)
        return draft;
    json_decref(draft);
    return NULL;
}

/* Components as they are kept: sealed, with their digest and with what a send has to bring for them. */
static enum err
components_prepare(struct http_request *request, const json_t *components, struct create *create)
{
    struct slice canonical;
    json_t *needs = NULL;
    enum err err = value_seal(request, template_components_place(request->tenant, create->with.id),
                              components, &create->components);

    if (err == ERR_OK)
        err = printed(request, components, true, &canonical);
    if (err == ERR_OK)
        err = hash_sha256(canonical, create->digest);
    if (err == ERR_OK)
        err = template_needs_of(components, &needs);
    if (err == ERR_OK)
        err = printed(request, needs, false, &create->with.needs);
    json_decref(needs);
    create->with.components = &create->components;
    create->with.digest = create->digest;
    return err;
}

static enum err
create_prepare(struct http_request *request, struct create *create)
{
    const json_t *body = request_json(request);
    struct template_definition definition;
    struct template_new *with = &create->with;
    enum err err = template_definition_read(body, request->arena, &request->problem, &definition);

    if (err == ERR_OK && definition.components != NULL)
        err = template_definition_check(&definition, request->arena, &request->problem);
    else if (err == ERR_OK)
        err = template_heading_check(&definition, request->arena, &request->problem);
    if (err == ERR_OK)
        err = media_named_samples_read(request, &create->named);
    with->has_samples = create->named.count > 0;
    if (err == ERR_OK)
        err = request_idempotency_key(request, &with->idempotency_key);
    if (err == ERR_OK && (id_parse(ID_CHANNEL, json_text_of(body, "channel_id"), &with->channel) != ERR_OK ||
                          !reach_has_channel(request, with->channel)))
        err = ERR_CHANNEL_UNKNOWN;
    if (err == ERR_OK && with->idempotency_key.ptr != NULL)
        err = gateway_fingerprint(request, "POST /v1/templates", body, 2 * TEMPLATE_BODY_BYTES_MAX,
                                  with->fingerprint);
    if (err != ERR_OK)
        return err;
    with->id = id_new(create->clock);
    with->name = definition.name;
    with->language = definition.language;
    with->category = definition.category;
    with->is_named = definition.is_named;
    with->is_order_details = definition.is_order_details;
    with->has_ttl = definition.has_ttl;
    with->ttl_s = definition.ttl_s;
    with->is_link_tracking_off = json_is_true(json_member(body, "cta_url_link_tracking_opted_out"));
    with->library_name = json_text_of(body, "library_template_name");
    if (definition.components != NULL)
        err = components_prepare(request, definition.components, create);
    json_t *draft = draft_of(body, definition.category);
    if (err == ERR_OK)
        err = draft == NULL ? ERR_NO_MEMORY
                            : value_seal(request, template_draft_place(request->tenant, with->id), draft,
                                         &create->draft);
    json_decref(draft);
    with->draft = &create->draft;
    return err;
}

static enum err
template_post(struct http_request *request, struct http_response *response)
{
    struct create *create = arena_alloc(request->arena, sizeof(*create));

    if (create == NULL)
        return ERR_NO_MEMORY;
    create->clock = gateway_worker_of(request)->gateway->clock;
    create->arena = request->arena;
    const struct act_work act = { .action = AUDIT_TEMPLATE_CREATED,
                                  .object_kind = ID_TEMPLATE,
                                  .object = &create->template.id,
                                  .is_nothing = &create->is_replay };
    enum err err = create_prepare(request, create);
    if (err == ERR_OK)
        err = act_write(request, &act, create_in, create);
    if (err == ERR_EXISTS && create->with.idempotency_key.ptr != NULL)
        err = act_write(request, &act, create_in,
                        create); /* the same key at the same moment: it is a replay now */
    if (err == ERR_EXISTS)
        problem_add(&request->problem, request->arena, SLICE("/name"),
                    SLICE("is there already in this language"));
    else if (err == ERR_CHANNEL_UNKNOWN)
        problem_add(&request->problem, request->arena, SLICE("/channel_id"),
                    SLICE("is not a channel of this workspace"));
    if (err == ERR_MEDIA_UNKNOWN || err == ERR_MEDIA_KIND)
        media_named_fault_add(request, &create->named.fault);
    if (err != ERR_OK)
        return err;
    if (create->is_replay)
        http_response_add(response, "Idempotency-Replayed", SLICE("true"));
    gateway_locate(request, response, "/v1/templates/", ID_TEMPLATE, create->template.id);
    return template_reply(request, response, 202, &create->template);
}

struct read {
    struct id id;
    struct template_filter filter;
    struct gateway_page page;
    struct arena *arena;
    struct template template, *templates;
    size_t count;
};

static enum err
read_one(struct db_tx *tx, void *ctx)
{
    struct read *read = ctx;
    enum err err = template_reach_check(tx, read->id, read->filter.channels, read->filter.channel_count);

    if (err == ERR_OK)
        err = template_get(tx, read->id, read->arena, &read->template);
    return err == ERR_OK ? template_name_reached(tx, read->filter.channels, read->filter.channel_count,
                                                 &read->template, 1)
                         : err;
}

static enum err
read_list(struct db_tx *tx, void *ctx)
{
    struct read *read = ctx;

    enum err err =
        template_list(tx, &read->filter, read->page.limit, read->arena, &read->templates, &read->count);

    return err == ERR_OK ? template_name_reached(tx, read->filter.channels, read->filter.channel_count,
                                                 read->templates, read->count)
                         : err;
}

static enum err
template_get_one(struct http_request *request, struct http_response *response)
{
    struct read *read = arena_alloc(request->arena, sizeof(*read));

    if (read == NULL)
        return ERR_NO_MEMORY;
    read->arena = request->arena;
    read->filter.channels = reach_channels(request, &read->filter.channel_count);
    enum err err = gateway_path_id(request, "template_id", ID_TEMPLATE, &read->id);
    if (err == ERR_OK)
        err = gateway_read(request, read_one, read);
    return err == ERR_OK ? template_reply(request, response, 200, &read->template) : err;
}

static enum err
filter_read(struct http_request *request, struct template_filter *filter)
{
    struct slice channel = http_query(request, "channel_id"), state = http_query(request, "state");
    struct slice category = http_query(request, "category");
    enum err err = ERR_OK;

    filter->channels = reach_channels(request, &filter->channel_count);
    filter->language = http_query(request, "language");
    filter->name = http_query(request, "name");
    filter->has_state = state.ptr != NULL;
    filter->has_category = category.ptr != NULL;
    if (channel.ptr != NULL)
        err = id_parse(ID_CHANNEL, channel, &filter->channel);
    if (err == ERR_OK && channel.ptr != NULL && !reach_has_channel(request, filter->channel))
        filter->channel_count = 0; /* one that does not exist for whoever asks has no templates */
    if (err == ERR_OK && filter->has_state)
        err = template_state_parse(state, &filter->state);
    if (err == ERR_OK && filter->has_category)
        err = template_category_parse(category, &filter->category);
    return err == ERR_OK ? ERR_OK : ERR_QUERY;
}

static enum err
template_get_list(struct http_request *request, struct http_response *response)
{
    struct read *read = arena_alloc(request->arena, sizeof(*read));

    if (read == NULL)
        return ERR_NO_MEMORY;
    read->arena = request->arena;
    enum err err = gateway_page_read(request, ID_TEMPLATE, &read->page);
    read->filter.cursor = read->page.cursor;
    if (err == ERR_OK)
        err = filter_read(request, &read->filter);
    if (err == ERR_OK)
        err = gateway_read(request, read_list, read);
    if (err != ERR_OK)
        return err;
    size_t shown = gateway_page_shown(&read->page, read->count);
    struct wall_time now = clock_wall(gateway_worker_of(request)->gateway->clock);
    json_t *items = json_array();
    for (size_t i = 0; i < shown; i++)
        show_append(&items, template_show(&read->templates[i], now));
    return gateway_page_reply(request, response, &read->page, read->count, items);
}

struct change {
    struct template_ask ask;
    struct vault_sealed draft;
    struct read read;
    const struct clock *clock;
    struct slice why;
    struct template template;
    struct media_named_samples named;
};

static enum err
change_in(struct db_tx *tx, void *ctx)
{
    struct change *change = ctx;

    enum err err = template_change_ask(tx, change->clock, &change->ask, change->read.arena, &change->why,
                                       &change->template);

    if (err == ERR_OK)
        err = template_name_reached(tx, change->read.filter.channels, change->read.filter.channel_count,
                                    &change->template, 1);
    return err == ERR_OK ? media_named_samples_keep(tx, change->clock, change->read.arena, &change->named)
                         : err;
}

/* The template of the path, and that it is the one the client knows. */
static enum err
change_begin(struct http_request *request, enum template_change kind, struct change **out)
{
    struct change *change = arena_alloc(request->arena, sizeof(*change));
    char tag[ETAG_TEXT_BYTES];

    if (change == NULL)
        return ERR_NO_MEMORY;
    change->clock = gateway_worker_of(request)->gateway->clock;
    change->read.arena = request->arena;
    change->read.filter.channels = reach_channels(request, &change->read.filter.channel_count);
    change->ask.change = kind;
    enum err err = gateway_path_id(request, "template_id", ID_TEMPLATE, &change->read.id);
    if (err == ERR_OK)
        err = gateway_read(request, read_one, &change->read);
    if (err == ERR_OK)
        err = request_check_match(request, etag_print(change->read.template.revision, tag));
    change->ask.template = change->read.id;
    change->ask.revision = http_header(request, "If-Match").ptr == NULL ? 0 : change->read.template.revision;
    *out = change;
    return err;
}

static enum err
change_reply(struct http_request *request, struct http_response *response, struct change *change)
{
    bool is_delete = change->ask.change == TEMPLATE_CHANGE_DELETE;
    enum err err =
        act_write(request,
                  &(struct act_work){ .action = is_delete ? AUDIT_TEMPLATE_DELETED : AUDIT_TEMPLATE_UPDATED,
                                      .object_kind = ID_TEMPLATE,
                                      .object = &change->read.id,
                                      .detail = is_delete ? SLICE_EMPTY : act_members(request) },
                  change_in, change);

    if (err == ERR_STATE_CONFLICT)
        request->problem.detail = change->why;
    if (err == ERR_MEDIA_UNKNOWN || err == ERR_MEDIA_KIND)
        media_named_fault_add(request, &change->named.fault);
    return err == ERR_OK ? template_reply(request, response, 202, &change->template) : err;
}

/* The edit as it would leave the template: judged as a whole when it brings components. */
static enum err
edit_check(struct http_request *request, struct change *change)
{
    const struct template *template = &change->read.template;
    const json_t *body = request_json(request);
    struct slice category = json_text_of(body, "category");
    struct template_definition definition = { .name = template->name,
                                              .language = template->language,
                                              .category = template->category,
                                              .is_named = template->is_named,
                                              .is_order_details = template->is_order_details,
                                              .components = json_member(body, "components") };
    enum err err = ERR_OK;

    definition.has_ttl = json_int_of(body, "message_send_ttl_seconds", &definition.ttl_s);
    if (category.ptr != NULL)
        err = template_category_parse(category, &definition.category);
    if (err == ERR_OK && definition.category != template->category && template->state == TEMPLATE_APPROVED) {
        request->problem.detail = SLICE("The category of an approved template cannot be changed.");
        err = ERR_STATE_CONFLICT;
    }
    if (err == ERR_OK)
        err = definition.components == NULL
                  ? template_heading_check(&definition, request->arena, &request->problem)
                  : template_definition_check(&definition, request->arena, &request->problem);
    if (err == ERR_OK)
        err = media_named_samples_read(request, &change->named);
    change->ask.has_samples = change->named.count > 0;
    if (err != ERR_OK)
        return err;
    json_t *draft = draft_of(body, definition.category);
    err = draft == NULL ? ERR_NO_MEMORY
                        : value_seal(request, template_draft_place(request->tenant, template->id), draft,
                                     &change->draft);
    json_decref(draft);
    change->ask.draft = &change->draft;
    return err;
}

static enum err
template_patch(struct http_request *request, struct http_response *response)
{
    struct change *change;
    enum err err = change_begin(request, TEMPLATE_CHANGE_EDIT, &change);

    if (err == ERR_OK)
        err = edit_check(request, change);
    return err == ERR_OK ? change_reply(request, response, change) : err;
}

static enum err
template_remove(struct http_request *request, struct http_response *response)
{
    struct change *change;
    enum err err = change_begin(request, TEMPLATE_CHANGE_DELETE, &change);

    if (err != ERR_OK)
        return err;
    change->ask.is_all_languages = slice_eq(http_query(request, "all_languages"), SLICE("true"));
    return change_reply(request, response, change);
}

static enum err
template_unpause(struct http_request *request, struct http_response *response)
{
    struct change *change;
    enum err err = change_begin(request, TEMPLATE_CHANGE_UNPAUSE, &change);

    return err == ERR_OK ? change_reply(request, response, change) : err;
}

static enum err
template_sync(struct http_request *request, struct http_response *response)
{
    struct provider_task task;
    struct id channel;
    enum err err = gateway_path_id(request, "channel_id", ID_CHANNEL, &channel);

    if (err == ERR_OK)
        err = operation_begin(
            request, &(struct operation_new){ .kind = PROVIDER_TASK_TEMPLATE_SYNC, .channel = channel }, NULL,
            &task);
    return err == ERR_OK ? operation_reply(request, response, &task) : err;
}

const struct http_route template_routes[] = {
    { HTTP_POST, "/v1/templates", template_post, "createTemplate", HTTP_ACCESS_KEY, "templates:manage",
      .body_bytes_max = TEMPLATE_BODY_BYTES_MAX },
    { HTTP_GET, "/v1/templates", template_get_list, "listTemplates", HTTP_ACCESS_KEY, "templates:read" },
    { HTTP_GET, "/v1/templates/{template_id}", template_get_one, "getTemplate", HTTP_ACCESS_KEY,
      "templates:read" },
    { HTTP_PATCH, "/v1/templates/{template_id}", template_patch, "updateTemplate", HTTP_ACCESS_KEY,
      "templates:manage", .body_bytes_max = TEMPLATE_BODY_BYTES_MAX },
    { HTTP_DELETE, "/v1/templates/{template_id}", template_remove, "deleteTemplate", HTTP_ACCESS_KEY,
      "templates:manage" },
    { HTTP_POST, "/v1/templates/{template_id}/unpause", template_unpause, "unpauseTemplate", HTTP_ACCESS_KEY,
      "templates:manage" },
    { HTTP_POST, "/v1/channels/{channel_id}/templates/sync", template_sync, "syncChannelTemplates",
      HTTP_ACCESS_KEY, "templates:manage" },
    { .handler = NULL },
};
