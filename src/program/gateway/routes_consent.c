/* /v1/consents: the ledger. No address is ever in a path or a query: who looks somebody up, posts. */
#include "core/log.h"
#include "domain/consent/consent_notice.h"
#include "domain/consent/consent_settings.h"
#include "domain/message/message.h"
#include "platform/net/http_stream.h"
#include "program/gateway/act.h"
#include "program/gateway/consent_show.h"
#include "program/gateway/gateway.h"
#include "program/gateway/reach.h"
#include "wire/json/json.h"

#define CONSENT_BODY_BYTES_MAX 32768u
#define EXPORT_ARENA_BYTES     (8u << 20)

struct work {
    struct http_request *request;
    struct arena *arena;
    struct gateway_page page;
    struct consent_filter filter;
    unsigned char peer_index[VAULT_INDEX_BYTES];
    struct consent_new entry;
    bool is_state_given;
    struct id id, notice;
    struct consent consent, *consents;
    size_t count;
    struct consent_holding *holdings;
    size_t holding_count;
    struct suppression *suppressions;
    size_t suppression_count;
    struct consent_notice told;
    size_t erased;
    struct audit_act act;
};

static const struct clock *
clock_of(const struct http_request *request)
{
    return gateway_worker_of(request)->gateway->clock;
}

static struct slice
address_of(const struct http_request *request)
{
    return json_text_of(request_json(request), "address");
}

static enum err
notice_check(struct db_tx *tx, struct id notice)
{
    bool is_known = true;
    enum err err = id_is_zero(notice) ? ERR_OK : consent_notices_known(tx, &notice, 1, &is_known);

    return err == ERR_OK && !is_known ? ERR_CONSENT_NOTICE_UNKNOWN : err;
}

static enum err
record_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    struct consent_new *entry = &work->entry;
    struct consent_settings settings;
    enum err err = consent_settings_read(tx, work->arena, &settings);

    if (err == ERR_OK && !work->is_state_given) /* a default grants only what is proved */
        entry->state =
            entry->evidence == NULL ? CONSENT_UNKNOWN : consent_settings_of(&settings, entry->source);
    if (err == ERR_OK)
        err = notice_check(tx, entry->notice);
    if (err == ERR_OK)
        err = consent_record(tx, clock_of(work->request), entry, 1, work->arena);
    if (err == ERR_OK)
        err = entry->err;
    if (err == ERR_OK)
        err = consent_get(tx, entry->id, work->arena, &work->consent);
    work->id = entry->id;
    return err;
}

static enum err
time_read(struct http_request *request, struct slice text, struct wall_time *out)
{
    struct wall_time now = clock_wall(clock_of(request));

    *out = now;
    if (text.ptr == NULL)
        return ERR_OK;
    if (wall_parse(text, out) == ERR_OK && out->us <= now.us + CONSENT_AHEAD_MS_MAX * INT64_C(1000))
        return ERR_OK;
    problem_add(&request->problem, request->arena, SLICE("/at"), SLICE("must be a time that has been"));
    return ERR_CONTRACT;
}

static enum err
evidence_print(struct http_request *request, const json_t *evidence, struct slice *out)
{
    struct buf text;

    *out = SLICE_EMPTY;
    if (!json_is_object(evidence) || json_object_size(evidence) == 0)
        return ERR_OK;
    buf_init(&text, CONSENT_EVIDENCE_BYTES_MAX);
    enum err err = json_print(evidence, &text);
    if (err == ERR_OK)
        err = buf_done(&text);
    if (err == ERR_OK && (*out = arena_copy(request->arena, buf_slice(&text))).ptr == NULL)
        err = ERR_NO_MEMORY;
    buf_release_wiped(&text);
    return err;
}

static enum err
consent_post(struct http_request *request, struct http_response *response)
{
    const json_t *body = request_json(request);
    struct slice state = json_text_of(body, "state"), notice = json_text_of(body, "notice_id");
    struct work work = { .request = request, .arena = request->arena };
    struct consent_sealing sealing = { .row = id_new(clock_of(request)), .address = address_of(request) };
    struct consent_new *entry = &work.entry;

    *entry = (struct consent_new){ .id = sealing.row,
                                   .channel_kind = json_text_of(body, "channel"),
                                   .purpose = json_text_of(body, "purpose"),
                                   .method = json_text_of(body, "method"),
                                   .language = json_text_of(body, "language"),
                                   .actor = consent_asker(request),
                                   .actor_id = reach_asker(request).id };
    entry->source = entry->actor == CONSENT_BY_PERSON ? CONSENT_MANUAL : CONSENT_API;
    work.is_state_given = state.ptr != NULL;
    enum err err = work.is_state_given ? consent_state_parse(state, &entry->state) : ERR_OK;
    if (err == ERR_OK && notice.ptr != NULL && id_parse(ID_NOTICE, notice, &entry->notice) != ERR_OK)
        err = ERR_CONSENT_NOTICE_UNKNOWN;
    if (err == ERR_OK)
        err = time_read(request, json_text_of(body, "at"), &entry->at);
    if (err == ERR_OK)
        err = evidence_print(request, json_member(body, "evidence"), &sealing.evidence);
    if (err == ERR_OK && work.is_state_given && entry->state == CONSENT_GRANTED &&
        sealing.evidence.ptr == NULL)
        err = ERR_CONSENT_EVIDENCE;
    if (err == ERR_OK)
        err = consent_seal(request, &sealing, 1, request->arena);
    if (err != ERR_OK)
        return err;
    memcpy(entry->peer_index, sealing.peer_index, VAULT_INDEX_BYTES);
    entry->peer = &sealing.peer;
    entry->evidence = sealing.evidence.ptr == NULL ? NULL : &sealing.sealed_evidence;
    err = act_write(request,
                    &(struct act_work){ .action = AUDIT_CONSENT_RECORDED,
                                        .object_kind = ID_CONSENT,
                                        .object = &work.id,
                                        .detail = act_members(request) },
                    record_in, &work);
    if (err != ERR_OK)
        return err;
    struct slice address = reach_address(request, request->arena, sealing.address);
    gateway_locate(request, response, "/v1/consents/", ID_CONSENT, entry->id);
    return http_reply_json(request, response, 201, consent_show(&work.consent, address));
}

/* The ledger as it is listed */

static enum err
ids_told(struct db_tx *tx, struct work *work, size_t shown)
{
    struct id *ids = arena_array(work->arena, shown, sizeof(*ids));
    size_t known = 0;

    if (ids == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < shown; i++)
        if (work->consents[i].has_peer)
            ids[known++] = work->consents[i].id;
    return reach_reveal_write(tx, work->request, &work->act, ids, known);
}

static enum err
list_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err =
        consent_list(tx, &work->filter, work->page.limit, work->arena, &work->consents, &work->count);

    return err == ERR_OK ? ids_told(tx, work, gateway_page_shown(&work->page, work->count)) : err;
}

/* As whoever asks may see them. */
static enum err
addresses_open(struct work *work, size_t count, struct slice **out)
{
    struct http_request *request = work->request;
    struct slice *peers = arena_array(work->arena, count, sizeof(*peers));

    *out = peers;
    if (peers == NULL)
        return ERR_NO_MEMORY;
    enum err err = consent_peers_open(&gateway_worker_of(request)->vault, request->tenant, work->consents,
                                      count, work->arena, peers);
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        if (peers[i].len > 0)
            peers[i] = reach_address(request, work->arena, peers[i]);
        if (work->consents[i].has_peer && peers[i].ptr == NULL)
            err = ERR_NO_MEMORY;
    }
    return err;
}

static enum err
filter_read(struct http_request *request, struct consent_filter *filter)
{
    struct slice since = http_query(request, "since"), until = http_query(request, "until");

    filter->channel_kind = http_query(request, "channel");
    filter->purpose = http_query(request, "purpose");
    filter->state = http_query(request, "state");
    filter->source = http_query(request, "source");
    enum err err = since.ptr == NULL ? ERR_OK : wall_parse(since, &filter->since);
    if (err == ERR_OK && until.ptr != NULL)
        err = wall_parse(until, &filter->until);
    return err == ERR_OK ? err : ERR_QUERY;
}

static enum err
consent_get_list(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request, .arena = request->arena };
    struct slice *addresses = NULL;
    enum err err = gateway_page_read(request, ID_CONSENT, &work.page);

    if (err == ERR_OK)
        err = filter_read(request, &work.filter);
    work.filter.cursor = work.page.cursor;
    if (err == ERR_OK)
        err = reach_reveal_begin(request, ID_CONSENT, &work.act);
    if (err == ERR_OK)
        err = gateway_read(request, list_in, &work);
    size_t shown = err == ERR_OK ? gateway_page_shown(&work.page, work.count) : 0;
    if (err == ERR_OK)
        err = addresses_open(&work, shown, &addresses);
    if (err != ERR_OK)
        return err;
    json_t *items = json_array();
    for (size_t i = 0; i < shown; i++)
        show_append(&items, consent_show(&work.consents[i], addresses[i]));
    return gateway_page_reply(request, response, &work.page, work.count, items);
}

/* One entry, with what proves it */

static enum err
one_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = consent_get(tx, work->id, work->arena, &work->consent);

    work->consents = &work->consent;
    if (err == ERR_OK && !id_is_zero(work->consent.notice))
        err = consent_notice_get(tx, work->consent.notice, work->arena, &work->told);
    return err == ERR_OK ? ids_told(tx, work, 1) : err;
}

static enum err
one_read(struct work *work, struct slice *address_out, json_t **evidence_out)
{
    struct http_request *request = work->request;
    struct vault_place place;
    struct slice *addresses = NULL, text;
    enum err err = gateway_path_id(request, "consent_id", ID_CONSENT, &work->id);

    *evidence_out = NULL;
    if (err == ERR_OK)
        err = reach_reveal_begin(request, ID_CONSENT, &work->act);
    if (err == ERR_OK)
        err = gateway_read(request, one_in, work);
    if (err == ERR_OK)
        err = addresses_open(work, 1, &addresses);
    if (err != ERR_OK)
        return err;
    *address_out = addresses[0];
    if (!work->consent.has_sealed_evidence)
        return ERR_OK;
    place = consent_evidence_place(request->tenant, work->id);
    err = vault_open_content(&gateway_worker_of(request)->vault, &place, &work->consent.evidence,
                             request->arena, &text);
    if (err == ERR_OK)
        err = json_parse(text, evidence_out);
    if (err == ERR_OK && (*evidence_out = reach_strings(request, request->arena, *evidence_out)) == NULL)
        err = ERR_NO_MEMORY;
    return err;
}

static enum err
consent_get_one(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request, .arena = request->arena };
    json_t *evidence = NULL;
    struct slice address = SLICE_EMPTY;
    enum err err = one_read(&work, &address, &evidence);

    if (err != ERR_OK)
        return err;
    json_t *shown = consent_show(&work.consent, address);
    show_set(&shown, "evidence", evidence == NULL ? json_null() : evidence);
    return http_reply_json(request, response, 200, shown);
}

/* The notice as a receipt names it. */
static json_t *
receipt_notice(const struct consent_notice *notice)
{
    char hex[2 * CONSENT_NOTICE_HASH_BYTES + 1];

    if (id_is_zero(notice->id))
        return json_null();
    for (size_t i = 0; i < CONSENT_NOTICE_HASH_BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02x", notice->hash[i]);
    return json_pack("{s:o, s:o, s:o, s:I, s:s}", "id", show_id(ID_NOTICE, notice->id), "name",
                     show_text(notice->name), "language", show_text(notice->language), "version",
                     (json_int_t)notice->version, "sha256", hex);
}

/*
 * The record's fields as ISO/IEC TS 27560 groups them: header, processing, party, event. The person is the
 * keyed index of the workspace, never the number.
 */
static enum err
consent_get_receipt(struct http_request *request, struct http_response *response)
{
    static const char *const terms[] = { "jurisdiction", "lawful_basis",      "data_categories",
                                         "recipients",   "storage_locations", "retention",
                                         "withdrawal",   "privacy_rights" };
    struct work work = { .request = request, .arena = request->arena };
    json_t *evidence = NULL, *told = NULL;
    struct slice address;
    char index[2 * VAULT_INDEX_BYTES + 1];
    enum err err = one_read(&work, &address, &evidence);

    json_decref(evidence);
    if (err == ERR_OK && work.told.terms.len > 0)
        err = json_parse(work.told.terms, &told);
    if (err != ERR_OK)
        return err;
    for (size_t i = 0; i < VAULT_INDEX_BYTES; i++)
        snprintf(index + 2 * i, 3, "%02x", work.consent.peer_index[i]);
    const struct consent *consent = &work.consent;
    json_t *processing = json_pack("{s:o, s:o}", "purpose", show_text(consent->purpose), "channel",
                                   show_text(consent->channel_kind));
    for (size_t i = 0; i < COUNT_OF(terms); i++) {
        json_t *value = json_object_get(told, terms[i]);
        show_set(&processing, terms[i], value == NULL ? json_null() : json_incref(value));
    }
    json_t *controller = json_object_get(told, "controller");
    json_t *shown = json_pack(
        "{s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:{s:s, s:o, s:o, s:o, s:o, s:b, s:o}}", "schema",
        "ISO/IEC TS 27560:2023", "record_id", show_id(ID_CONSENT, consent->id), "pii_principal_id", index,
        "pii_controller", controller == NULL ? json_null() : json_incref(controller), "notice",
        receipt_notice(&work.told), "processing", processing, "issued_at",
        show_time(clock_wall(clock_of(request))), "event", "state", consent_state_word(consent->state), "at",
        show_time(consent->at), "recorded_at", show_time(consent->recorded_at), "method",
        show_text_or_null(consent->method), "language", show_text_or_null(consent->language), "has_evidence",
        consent->has_evidence, "entity", show_text(consent->actor));
    json_decref(told);
    return http_reply_json(request, response, 200, shown);
}

/* A person */

static enum err
lookup_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    struct suppression_filter suppressed = { .peer_index = work->peer_index };
    enum err err = consent_holdings(tx, work->peer_index, work->arena, &work->holdings, &work->holding_count);

    if (err == ERR_OK)
        err =
            suppression_list(tx, &suppressed, 50, work->arena, &work->suppressions, &work->suppression_count);
    return err == ERR_OK
               ? consent_list(tx, &work->filter, CONSENT_LIST_MAX, work->arena, &work->consents, &work->count)
               : err;
}

static enum err
consent_post_lookup(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request, .arena = request->arena };
    struct slice address = address_of(request);
    enum err err =
        message_peer_index(&gateway_worker_of(request)->vault, request->tenant, address, work.peer_index);

    work.filter.peer_index = work.peer_index;
    if (err == ERR_OK)
        err = gateway_read(request, lookup_in, &work);
    address = reach_address(request, request->arena, address);
    if (err == ERR_OK && address.ptr == NULL)
        err = ERR_NO_MEMORY;
    if (err != ERR_OK)
        return err;
    json_t *states = json_array(), *suppressions = json_array(), *history = json_array();
    for (size_t i = 0; i < work.holding_count; i++) {
        const struct consent_holding *holding = &work.holdings[i];
        show_append(&states,
                    json_pack("{s:o, s:o, s:s, s:o, s:o}", "channel", show_text(holding->channel_kind),
                              "purpose", show_text(holding->purpose), "state",
                              consent_state_word(holding->state), "at", show_time(holding->at), "consent_id",
                              show_id(ID_CONSENT, holding->entry)));
    }
    for (size_t i = 0; i < work.suppression_count; i++)
        show_append(&suppressions, suppression_show(&work.suppressions[i], address));
    for (size_t i = 0; i < work.count && i < CONSENT_LIST_MAX; i++)
        show_append(&history, consent_show(&work.consents[i], address));
    return http_reply_json(request, response, 200,
                           json_pack("{s:o, s:o, s:o, s:o}", "address", show_text(address), "states", states,
                                     "suppressions", suppressions, "history", history));
}

static enum err
erase_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return consent_erase(tx, work->peer_index, &work->erased);
}

static enum err
consent_post_erase(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request, .arena = request->arena };
    enum err err = message_peer_index(&gateway_worker_of(request)->vault, request->tenant,
                                      address_of(request), work.peer_index);

    if (err == ERR_OK)
        err = act_write(request,
                        &(struct act_work){ .action = AUDIT_CONSENT_ERASED,
                                            .object_kind = ID_TENANT,
                                            .object = &request->tenant },
                        erase_in, &work);
    return err == ERR_OK ? http_reply_json(request, response, 200,
                                           json_pack("{s:I}", "erased", (json_int_t)work.erased))
                         : err;
}

/* Everything, a line each, the newest first; the last line says how many there were. */
static enum err
export_lines(struct work *work, size_t *given)
{
    for (;;) {
        struct slice *addresses = NULL;
        work->page.limit = CONSENT_LIST_MAX;
        enum err err = gateway_read(work->request, list_in, work);
        size_t shown = err == ERR_OK ? gateway_page_shown(&work->page, work->count) : 0;
        if (err == ERR_OK)
            err = addresses_open(work, shown, &addresses);
        for (size_t i = 0; err == ERR_OK && i < shown; i++) {
            json_t *line = consent_show(&work->consents[i], addresses[i]);
            struct buf text;
            buf_init(&text, CONSENT_BODY_BYTES_MAX);
            err = line == NULL ? ERR_NO_MEMORY : json_print(line, &text);
            buf_add_byte(&text, '\n');
            if (err == ERR_OK)
                err = buf_done(&text);
            if (err == ERR_OK)
                err = http_stream_write(work->request, buf_slice(&text));
            buf_release_wiped(&text);
            json_decref(line);
            *given += err == ERR_OK;
        }
        if (err != ERR_OK || work->count <= shown)
            return err;
        work->filter.cursor = work->consents[shown - 1].id;
        arena_reset(work->arena);
    }
}

static enum err
nothing_in(struct db_tx *tx UNUSED, void *ctx UNUSED)
{
    return ERR_OK;
}

static enum err
consent_export(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request, .arena = arena_new(EXPORT_ARENA_BYTES) };
    size_t given = 0;
    char text[64];
    enum err err = work.arena == NULL ? ERR_NO_MEMORY : filter_read(request, &work.filter);

    work.filter.cursor = id_new(clock_of(request)); /* what is recorded from now on is not part of it */
    if (err == ERR_OK)
        err =
            act_write(request,
                      &(struct act_work){ .action = AUDIT_CONSENTS_EXPORTED,
                                          .object_kind = ID_TENANT,
                                          .object = &request->tenant,
                                          .detail = reach_reveals(request) ? SLICE("{\"addresses\":true}")
                                                                           : SLICE("{\"addresses\":false}") },
                      nothing_in, NULL); /* before the first byte leaves */
    if (err == ERR_OK)
        err = reach_reveal_begin(request, ID_CONSENT, &work.act);
    if (err == ERR_OK) {
        response->status = 200;
        response->content_type = SLICE("application/x-ndjson");
        err = http_stream_answer(request, response, HTTP_STREAM_UNDECLARED);
    }
    if (err != ERR_OK) {
        arena_free(work.arena);
        return err;
    }
    err = export_lines(&work, &given);
    if (err == ERR_OK) {
        int len = snprintf(text, sizeof(text), "{\"end\":true,\"count\":%zu}\n", given);
        err = http_stream_write(request, slice_of(text, (size_t)len));
    }
    if (err != ERR_OK)
        log_event(err == ERR_HTTP_BROKEN ? LOG_INFO : LOG_ERROR, "consent.export_cut",
                  LOG_NUM("count", given), LOG_ERR(err));
    http_stream_end(request);
    arena_free(work.arena);
    return ERR_DEFERRED;
}

const struct http_route consent_routes[] = {
    { HTTP_GET, "/v1/consents", consent_get_list, "listConsents", HTTP_ACCESS_KEY, "consents:read" },
    { HTTP_POST, "/v1/consents", consent_post, "recordConsent", HTTP_ACCESS_KEY, "consents:manage",
      .body_bytes_max = CONSENT_BODY_BYTES_MAX },
    { HTTP_POST, "/v1/consents/lookup", consent_post_lookup, "lookUpConsents", HTTP_ACCESS_KEY,
      "consents:read", .body_bytes_max = 1024 },
    { HTTP_POST, "/v1/consents/erase", consent_post_erase, "eraseConsentIdentity", HTTP_ACCESS_KEY,
      "consents:manage", .body_bytes_max = 1024 },
    { HTTP_GET, "/v1/consents/export", consent_export, "exportConsents", HTTP_ACCESS_KEY, "consents:manage",
      .is_streamed = true },
    { HTTP_GET, "/v1/consents/{consent_id}", consent_get_one, "getConsent", HTTP_ACCESS_KEY,
      "consents:read" },
    { HTTP_GET, "/v1/consents/{consent_id}/receipt", consent_get_receipt, "getConsentReceipt",
      HTTP_ACCESS_KEY, "consents:read" },
    { .handler = NULL },
};
