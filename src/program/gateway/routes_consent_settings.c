/* /v1/settings/consent and /v1/consent-notices. */
#include "domain/consent/consent_notice.h"
#include "domain/consent/consent_settings.h"
#include "program/gateway/act.h"
#include "program/gateway/consent_show.h"
#include "program/gateway/gateway.h"
#include "program/gateway/reach.h"
#include "wire/http/etag.h"
#include "wire/json/json.h"

#define SETTINGS_BODY_BYTES_MAX 32768u
#define NOTICE_BODY_BYTES_MAX   (128u * 1024u)
#define TERMS_BYTES_MAX         16384u

struct work {
    struct http_request *request;
    struct consent_settings settings;
    struct gateway_page page;
    struct consent_notice notice, *notices;
    size_t count;
    struct id id;
};

static json_t *
word_show(const struct consent_settings *settings, enum consent_word word)
{
    json_t *own = json_array();

    for (size_t i = 0; i < settings->keywords.own_count[word]; i++)
        show_append(&own, show_text(settings->keywords.own[word][i]));
    return json_pack("{s:o, s:b, s:o}", "words", own, "is_answered", settings->is_answered[word], "text",
                     show_text_or_null(settings->answer[word]));
}

static enum err
settings_reply(struct http_request *request, struct http_response *response,
               const struct consent_settings *settings)
{
    char tag[ETAG_TEXT_BYTES];
    struct slice printed = arena_copy(request->arena, etag_print(settings->revision, tag));

    if (printed.ptr == NULL)
        return ERR_NO_MEMORY;
    http_response_add(response, "ETag", printed);
    return http_reply_json(
        request, response, 200,
        json_pack("{s:{s:s, s:s, s:s, s:s}, s:s, s:{s:o, s:o, s:o}, s:o}", "defaults", "manual",
                  consent_state_word(settings->of_manual), "import", consent_state_word(settings->of_import),
                  "inbound", consent_state_word(settings->of_inbound), "api",
                  consent_state_word(settings->of_api), "stop_scope",
                  settings->stops_all ? "all" : "promotional", "keywords", "stop",
                  word_show(settings, CONSENT_STOP), "start", word_show(settings, CONSENT_START), "help",
                  word_show(settings, CONSENT_HELP), "updated_at",
                  settings->revision == 0 ? json_null() : show_time(settings->updated_at)));
}

static enum err
read_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return consent_settings_read(tx, work->request->arena, &work->settings);
}

static enum err
settings_get(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request };
    enum err err = gateway_read(request, read_in, &work);

    return err == ERR_OK ? settings_reply(request, response, &work.settings) : err;
}

static enum err
word_refuse(struct http_request *request, enum consent_word word, size_t at, const char *why)
{
    problem_add(&request->problem, request->arena,
                arena_format(request->arena, "/keywords/%s/words/%zu", consent_word_text(word), at),
                slice_text(why));
    return ERR_CONTRACT;
}

/* The workspace's own words, folded. One that means something else already would never be heard. */
static enum err
words_read(struct http_request *request, enum consent_word word, const json_t *given,
           struct consent_settings *settings)
{
    static const struct consent_keywords none;
    size_t count = json_array_size(given);
    struct slice *words = arena_array(request->arena, count, sizeof(*words));
    const char *language;
    enum consent_word ours;

    if (words == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const json_t *text = json_array_get(given, i);
        enum err err = consent_keyword_fold(slice_of(json_string_value(text), json_string_length(text)),
                                            request->arena, &words[i]);
        if (err == ERR_NOTHING)
            return word_refuse(request, word, i, "must have letters or digits");
        if (err != ERR_OK)
            return err;
        if (consent_keyword_match(words[i], &none, &ours, &language) && ours != word)
            return word_refuse(request, word, i, "means something else already");
    }
    settings->keywords.own[word] = words;
    settings->keywords.own_count[word] = count;
    return ERR_OK;
}

static enum err
settings_parse(struct http_request *request, struct consent_settings *out)
{
    const json_t *body = request_json(request), *defaults = json_member(body, "defaults");
    static const char *const paths[] = { "manual", "import", "inbound", "api" };
    enum consent_state *const states[] = { &out->of_manual, &out->of_import, &out->of_inbound, &out->of_api };
    enum err err = ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < COUNT_OF(paths); i++)
        err = consent_state_parse(json_text_of(defaults, paths[i]), states[i]);
    out->stops_all = slice_eq(json_text_of(body, "stop_scope"), SLICE("all"));
    for (unsigned i = 0; err == ERR_OK && i < CONSENT_WORD_COUNT; i++) {
        const json_t *word =
            json_member(json_member(body, "keywords"), consent_word_text((enum consent_word)i));
        out->is_answered[i] = json_is_true(json_member(word, "is_answered"));
        out->answer[i] = json_text_of(word, "text");
        err = words_read(request, (enum consent_word)i, json_member(word, "words"), out);
    }
    return err;
}

static enum err
write_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    struct consent_settings before;
    char tag[ETAG_TEXT_BYTES];
    enum err err = consent_settings_read(tx, work->request->arena, &before);

    if (err == ERR_OK)
        err = request_check_match(work->request, etag_print(before.revision, tag));
    work->settings.revision = before.revision;
    return err == ERR_OK ? consent_settings_write(tx, &work->settings) : err;
}

static enum err
settings_put(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request };
    enum err err = settings_parse(request, &work.settings);

    if (err == ERR_OK)
        err = act_write(request,
                        &(struct act_work){ .action = AUDIT_SETTINGS_UPDATED,
                                            .object_kind = ID_TENANT,
                                            .object = &request->tenant,
                                            .detail = act_members(request) },
                        write_in, &work);
    return err == ERR_OK ? settings_reply(request, response, &work.settings) : err;
}

/* Notices */

static enum err
notice_show(const struct consent_notice *notice, bool has_text, json_t **out)
{
    char hex[2 * CONSENT_NOTICE_HASH_BYTES + 1];
    json_t *terms = NULL;
    enum err err = json_parse(notice->terms, &terms);

    for (size_t i = 0; i < CONSENT_NOTICE_HASH_BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02x", notice->hash[i]);
    if (err == ERR_OK)
        *out = json_pack("{s:o, s:o, s:o, s:I, s:s, s:o, s:o}", "id", show_id(ID_NOTICE, notice->id), "name",
                         show_text(notice->name), "language", show_text(notice->language), "version",
                         (json_int_t)notice->version, "sha256", hex, "terms", terms, "created_at",
                         show_time(notice->created_at));
    if (err == ERR_OK && has_text)
        show_set(out, "text", show_text(notice->text));
    return err == ERR_OK && *out == NULL ? ERR_NO_MEMORY : err;
}

static enum err
notice_add_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return consent_notice_add(tx, gateway_worker_of(work->request)->gateway->clock,
                              consent_asker(work->request), reach_asker(work->request).id, &work->notice);
}

static enum err
notice_reply(struct http_request *request, struct http_response *response, int status,
             const struct consent_notice *notice)
{
    json_t *shown = NULL;
    enum err err = notice_show(notice, true, &shown);

    return err == ERR_OK ? http_reply_json(request, response, status, shown) : err;
}

static enum err
notice_post(struct http_request *request, struct http_response *response)
{
    const json_t *body = request_json(request), *terms = json_member(body, "terms");
    struct work work = { .request = request };
    struct buf text;

    work.notice = (struct consent_notice){ .id = id_new(gateway_worker_of(request)->gateway->clock),
                                           .name = json_text_of(body, "name"),
                                           .language = json_text_of(body, "language"),
                                           .text = json_text_of(body, "text"),
                                           .terms = SLICE("{}") };
    buf_init(&text, TERMS_BYTES_MAX);
    enum err err = terms == NULL ? ERR_OK : json_print(terms, &text);
    if (err == ERR_OK && terms != NULL) {
        err = buf_done(&text);
        work.notice.terms = buf_slice(&text);
    }
    work.id = work.notice.id;
    if (err == ERR_OK)
        err =
            act_write(request,
                      &(struct act_work){
                          .action = AUDIT_CONSENT_NOTICE_MADE, .object_kind = ID_NOTICE, .object = &work.id },
                      notice_add_in, &work);
    if (err == ERR_OK) {
        gateway_locate(request, response, "/v1/consent-notices/", ID_NOTICE, work.id);
        err = notice_reply(request, response, 201, &work.notice);
    }
    buf_release(&text);
    return err;
}

static enum err
notices_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return consent_notice_list(tx, work->page.cursor, work->page.limit, work->request->arena, &work->notices,
                               &work->count);
}

static enum err
notice_get_list(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request };
    enum err err = gateway_page_read(request, ID_NOTICE, &work.page);

    if (err == ERR_OK)
        err = gateway_read(request, notices_in, &work);
    size_t shown = err == ERR_OK ? gateway_page_shown(&work.page, work.count) : 0;
    json_t *items = json_array();
    for (size_t i = 0; err == ERR_OK && i < shown; i++) {
        json_t *item = NULL;
        err = notice_show(&work.notices[i], false, &item);
        if (err == ERR_OK)
            show_append(&items, item);
    }
    if (err != ERR_OK) {
        json_decref(items);
        return err;
    }
    return gateway_page_reply(request, response, &work.page, work.count, items);
}

static enum err
notice_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return consent_notice_get(tx, work->id, work->request->arena, &work->notice);
}

static enum err
notice_get_one(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request };
    enum err err = gateway_path_id(request, "notice_id", ID_NOTICE, &work.id);

    if (err == ERR_OK)
        err = gateway_read(request, notice_in, &work);
    return err == ERR_OK ? notice_reply(request, response, 200, &work.notice) : err;
}

const struct http_route consent_settings_routes[] = {
    { HTTP_GET, "/v1/settings/consent", settings_get, "getConsentSettings", HTTP_ACCESS_KEY,
      "settings:read" },
    { HTTP_PUT, "/v1/settings/consent", settings_put, "putConsentSettings", HTTP_ACCESS_KEY,
      "settings:manage", .body_bytes_max = SETTINGS_BODY_BYTES_MAX },
    { HTTP_GET, "/v1/consent-notices", notice_get_list, "listConsentNotices", HTTP_ACCESS_KEY,
      "consents:read" },
    { HTTP_POST, "/v1/consent-notices", notice_post, "createConsentNotice", HTTP_ACCESS_KEY,
      "consents:manage", .body_bytes_max = NOTICE_BODY_BYTES_MAX },
    { HTTP_GET, "/v1/consent-notices/{notice_id}", notice_get_one, "getConsentNotice", HTTP_ACCESS_KEY,
      "consents:read" },
    { .handler = NULL },
};
