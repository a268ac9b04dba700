/*
 * POST /v1/consents/import and POST /v1/suppressions/import: lines of JSON or comma-separated values. Each
 * row has its own result; what cannot be taken is refused alone, and the rest is stored in one transaction.
 */
#include "domain/consent/consent_import.h"
#include "domain/consent/consent_notice.h"
#include "domain/consent/consent_settings.h"
#include "program/gateway/act.h"
#include "program/gateway/consent_show.h"
#include "program/gateway/gateway.h"
#include "program/gateway/reach.h"
#include "wire/json/json.h"

#define IMPORT_BODY_BYTES_MAX (2u << 20)
#define IMPORT_ROWS_MAX       2000u
#define IMPORT_ARENA_BYTES    (64u << 20)

enum field { ADDRESS, CHANNEL, PURPOSE, STATE, AT, METHOD, LANGUAGE, NOTICE, EVIDENCE, SCOPE, FIELD_COUNT };
static const char *const fields[FIELD_COUNT] = { "address", "channel",  "purpose",   "state",    "at",
                                                 "method",  "language", "notice_id", "evidence", "scope" };

struct row {
    struct slice of[FIELD_COUNT]; /* NULL ptr: not given */
    enum err err;
    const char *wrong; /* the field that is not as it has to be; NULL: none, or it is not one field */
};

struct import {
    struct http_request *request;
    struct arena *arena; /* owned: a request's own has no room for so many rows */
    bool is_suppressions;
    struct row *rows;
    size_t count;
    struct consent_sealing *sealings; /* beside the rows */
    struct consent_new *entries;      /* of good rows, with the next two */
    struct suppression_new *suppressions;
    size_t *of;
    size_t good;
    struct id *notices;
    bool *known;
};

static void
row_refuse(struct row *row, enum err err, enum field field)
{
    row->err = err;
    row->wrong = fields[field];
}

/* Text that is not given, or empty, is not given. */
static enum err
json_row_read(struct arena *arena, struct slice line, struct row *row)
{
    json_t *value = NULL;
    const char *member;
    json_t *given;
    enum err err = json_parse(line, &value);

    if (err != ERR_OK || !json_is_object(value)) {
        row->err = err == ERR_NO_MEMORY ? err : ERR_JSON_SYNTAX;
        json_decref(value);
        return err == ERR_NO_MEMORY ? err : ERR_OK;
    }
    err = ERR_OK;
    json_object_foreach(value, member, given)
    {
        size_t f = 0;
        while (f < FIELD_COUNT && strcmp(member, fields[f]) != 0)
            f++;
        if (f == FIELD_COUNT || (!json_is_string(given) && !(f == EVIDENCE && json_is_object(given)))) {
            row->err = ERR_CONTRACT;
            continue;
        }
        struct buf text;
        buf_init(&text, CONSENT_EVIDENCE_BYTES_MAX);
        if (json_is_object(given))
            err = json_object_size(given) == 0 ? ERR_OK : json_print(given, &text);
        else if (f == EVIDENCE && json_string_length(given) > 0)
            buf_add_text(&text, "{\"reference\":"),
                json_add_string(&text, slice_text(json_string_value(given))), buf_add_byte(&text, '}');
        else
            buf_add(&text, slice_of(json_string_value(given), json_string_length(given)));
        if (err == ERR_OK)
            err = buf_done(&text);
        if (err == ERR_LIMIT)
            row_refuse(row, ERR_CONTRACT, (enum field)f), err = ERR_OK;
        else if (err == ERR_OK && buf_slice(&text).len > 0 &&
                 (row->of[f] = arena_copy(arena, buf_slice(&text))).ptr == NULL)
            err = ERR_NO_MEMORY;
        buf_release_wiped(&text);
        if (err != ERR_OK)
            break;
    }
    json_decref(value);
    return err;
}

static enum err
row_add(struct import *import, struct row **out)
{
    if (import->count == IMPORT_ROWS_MAX)
        return ERR_HTTP_BODY_SIZE;
    *out = &import->rows[import->count++];
    **out = (struct row){ .err = ERR_OK };
    return ERR_OK;
}

static enum err
json_read(struct import *import, struct slice body)
{
    enum err err = ERR_OK;
    struct row *row;

    while (err == ERR_OK && body.len > 0) {
        struct slice line = slice_trim(slice_take_until(&body, '\n'));
        if (line.len == 0)
            continue;
        err = row_add(import, &row);
        if (err == ERR_OK)
            err = json_row_read(import->arena, line, row);
    }
    return err;
}

static enum err
csv_read(struct import *import, struct slice body)
{
    struct slice cells[CONSENT_CELLS_MAX];
    enum field columns[CONSENT_CELLS_MAX];
    struct arena *arena = import->arena;
    size_t count = 0, width = 0;
    struct row *row;

    if (slice_starts_with(body, SLICE("\xef\xbb\xbf")))
        body = slice_drop(body, 3);
    if (!slice_is_utf8(body))
        return ERR_UTF8;
    enum err err = consent_csv_take(&body, arena, cells, &width);
    for (size_t i = 0; err == ERR_OK && i < width; i++) {
        size_t f = 0;
        while (f < FIELD_COUNT && !slice_eq_nocase(cells[i], slice_text(fields[f])))
            f++;
        columns[i] = (enum field)f;
        if (f == FIELD_COUNT)
            err = ERR_CONTRACT;
    }
    while (err == ERR_OK) {
        err = consent_csv_take(&body, arena, cells, &count);
        if (err != ERR_OK || (count == 1 && cells[0].len == 0))
            continue;
        err = row_add(import, &row);
        if (err == ERR_OK && count != width)
            row->err = ERR_CONTRACT;
        for (size_t i = 0; err == ERR_OK && i < count && i < width; i++) {
            row->of[columns[i]] = cells[i].len == 0 ? SLICE_EMPTY : cells[i];
            if (columns[i] != EVIDENCE || cells[i].len == 0)
                continue;
            struct buf text;
            buf_init(&text, CONSENT_EVIDENCE_BYTES_MAX);
            buf_add_text(&text, "{\"reference\":");
            json_add_string(&text, cells[i]);
            buf_add_byte(&text, '}');
            if (buf_done(&text) != ERR_OK)
                row_refuse(row, ERR_CONTRACT, EVIDENCE);
            else if ((row->of[EVIDENCE] = arena_copy(arena, buf_slice(&text))).ptr == NULL)
                err = ERR_NO_MEMORY;
            buf_release_wiped(&text);
        }
    }
    return err == ERR_NOTHING ? ERR_OK : err;
}

/* What a schema says of a single one. */
static void
row_check(struct import *import, struct row *row)
{
    struct slice channel = row->of[CHANNEL], scope = row->of[SCOPE];
    bool is_kind = slice_eq(channel, SLICE("whatsapp")) || slice_eq(channel, SLICE("sms"));

    if (row->err != ERR_OK)
        return;
    if (!consent_address_is_valid(row->of[ADDRESS]))
        row_refuse(row, ERR_RECIPIENT_INVALID, ADDRESS);
    else if (import->is_suppressions ? channel.ptr != NULL && !is_kind && !slice_eq(channel, SLICE("any"))
                                     : !is_kind)
        row_refuse(row, ERR_CONTRACT, CHANNEL);
    else if (import->is_suppressions && scope.ptr != NULL && !slice_eq(scope, SLICE("all")) &&
             !slice_eq(scope, SLICE("promotional")))
        row_refuse(row, ERR_CONTRACT, SCOPE);
    else if (!import->is_suppressions && !consent_purpose_is_valid(row->of[PURPOSE]))
        row_refuse(row, ERR_CONTRACT, PURPOSE);
    else if (row->of[METHOD].ptr != NULL && !consent_method_is_valid(row->of[METHOD]))
        row_refuse(row, ERR_CONTRACT, METHOD);
    else if (row->of[LANGUAGE].len > 35)
        row_refuse(row, ERR_CONTRACT, LANGUAGE);
}

static void
suppression_make(struct import *import, size_t i, struct wall_time now)
{
    const struct row *row = &import->rows[i];
    struct suppression_new *out = &import->suppressions[import->good];

    *out =
        (struct suppression_new){ .id = import->sealings[i].row,
                                  .channel_kind = row->of[CHANNEL].ptr == NULL ? SLICE(SUPPRESSION_ANY_KIND)
                                                                               : row->of[CHANNEL],
                                  .is_all = !slice_eq(row->of[SCOPE], SLICE("promotional")),
                                  .reason = SUPPRESSION_IMPORT,
                                  .peer = &import->sealings[i].peer,
                                  .actor = consent_asker(import->request),
                                  .actor_id = reach_asker(import->request).id,
                                  .at = now };
    memcpy(out->peer_index, import->sealings[i].peer_index, VAULT_INDEX_BYTES);
    import->of[import->good++] = i;
}

static void
entry_make(struct import *import, size_t i, const struct consent_settings *settings, struct wall_time now)
{
    struct row *row = &import->rows[i];
    struct consent_new *out = &import->entries[import->good];

    *out =
        (struct consent_new){ .id = import->sealings[i].row,
                              .channel_kind = row->of[CHANNEL],
                              .purpose = row->of[PURPOSE],
                              .source = CONSENT_IMPORT,
                              .method = row->of[METHOD],
                              .language = row->of[LANGUAGE],
                              .notice = import->notices[i],
                              .peer = &import->sealings[i].peer,
                              .evidence =
                                  row->of[EVIDENCE].ptr == NULL ? NULL : &import->sealings[i].sealed_evidence,
                              .actor = consent_asker(import->request),
                              .actor_id = reach_asker(import->request).id,
                              .at = now };
    memcpy(out->peer_index, import->sealings[i].peer_index, VAULT_INDEX_BYTES);
    if (row->of[STATE].ptr == NULL)
        out->state = out->evidence == NULL ? CONSENT_UNKNOWN : settings->of_import;
    else if (consent_state_parse(row->of[STATE], &out->state) != ERR_OK)
        row_refuse(row, ERR_CONTRACT, STATE);
    if (row->err == ERR_OK && out->state == CONSENT_GRANTED && out->evidence == NULL)
        row_refuse(row, ERR_CONSENT_EVIDENCE, EVIDENCE);
    if (row->of[AT].ptr != NULL && (wall_parse(row->of[AT], &out->at) != ERR_OK ||
                                    out->at.us > now.us + CONSENT_AHEAD_MS_MAX * INT64_C(1000)))
        row_refuse(row, ERR_CONTRACT, AT);
    if (row->err == ERR_OK && !import->known[i])
        row_refuse(row, ERR_CONSENT_NOTICE_UNKNOWN, NOTICE);
    if (row->err == ERR_OK)
        import->of[import->good++] = i;
}

static enum err
import_in(struct db_tx *tx, void *ctx)
{
    struct import *import = ctx;
    const struct clock *clock = gateway_worker_of(import->request)->gateway->clock;
    struct wall_time now = clock_wall(clock);
    struct consent_settings settings;
    enum err err = consent_settings_read(tx, import->arena, &settings);

    import->good = 0;
    if (err == ERR_OK && import->count > 0)
        err = consent_notices_known(tx, import->notices, import->count, import->known);
    for (size_t i = 0; err == ERR_OK && i < import->count; i++) {
        if (import->rows[i].err != ERR_OK)
            continue;
        if (import->is_suppressions)
            suppression_make(import, i, now);
        else
            entry_make(import, i, &settings, now);
    }
    if (err != ERR_OK)
        return err;
    return import->is_suppressions
               ? suppression_add(tx, clock, import->suppressions, import->good, import->arena)
               : consent_record(tx, clock, import->entries, import->good, import->arena);
}

static enum err
import_prepare(struct import *import)
{
    struct http_request *request = import->request;
    const struct clock *clock = gateway_worker_of(request)->gateway->clock;
    size_t count = import->count;

    import->sealings = arena_array(import->arena, count, sizeof(*import->sealings));
    import->entries = arena_array(import->arena, count, sizeof(*import->entries));
    import->suppressions = arena_array(import->arena, count, sizeof(*import->suppressions));
    import->of = arena_array(import->arena, count, sizeof(*import->of));
    import->notices = arena_array(import->arena, count, sizeof(*import->notices));
    import->known = arena_array(import->arena, count, sizeof(*import->known));
    if (import->sealings == NULL || import->entries == NULL || import->suppressions == NULL ||
        import->of == NULL || import->notices == NULL || import->known == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        struct row *row = &import->rows[i];
        row_check(import, row);
        if (row->err == ERR_OK && row->of[NOTICE].ptr != NULL &&
            id_parse(ID_NOTICE, row->of[NOTICE], &import->notices[i]) != ERR_OK)
            row_refuse(row, ERR_CONSENT_NOTICE_UNKNOWN, NOTICE);
        /* A row that is refused is sealed as well: so the places stay beside each other, and it costs nobody
         * anything. */
        import->sealings[i] =
            (struct consent_sealing){ .row = id_new(clock),
                                      .address = row->err == ERR_OK ? row->of[ADDRESS] : SLICE("-"),
                                      .evidence = row->err == ERR_OK ? row->of[EVIDENCE] : SLICE_EMPTY };
    }
    return count == 0 ? ERR_OK : consent_seal(request, import->sealings, count, import->arena);
}

static enum err
import_reply(struct import *import, struct http_response *response)
{
    enum id_kind kind = import->is_suppressions ? ID_SUPPRESSION : ID_CONSENT;
    json_t *rows = json_array();
    json_int_t recorded = 0, repeated = 0;

    for (size_t i = 0, g = 0; i < import->count; i++) {
        bool is_good = g < import->good && import->of[g] == i;
        enum err err = import->rows[i].err;
        if (is_good && err == ERR_OK && !import->is_suppressions)
            err = import->entries[g].err;
        bool is_fresh = is_good && (import->is_suppressions ? import->suppressions[g].is_fresh
                                                            : import->entries[g].is_fresh);
        struct id id = !is_good                  ? (struct id){ { 0 } }
                       : import->is_suppressions ? import->suppressions[g].id
                                                 : import->entries[g].id;
        recorded += err == ERR_OK && is_fresh;
        repeated += err == ERR_OK && !is_fresh;
        show_append(&rows, json_pack("{s:I, s:s, s:o, s:o, s:o}", "row", (json_int_t)i + 1, "result",
                                     err != ERR_OK ? "refused"
                                     : is_fresh    ? "recorded"
                                                   : "repeated",
                                     "id", err == ERR_OK ? show_id(kind, id) : json_null(), "code",
                                     err == ERR_OK ? json_null() : json_string(err_code(err)), "field",
                                     import->rows[i].wrong == NULL ? json_null()
                                                                   : json_string(import->rows[i].wrong)));
        g += is_good;
    }
    return http_reply_json(import->request, response, 200,
                           json_pack("{s:I, s:I, s:I, s:o}", "recorded", recorded, "repeated", repeated,
                                     "refused", (json_int_t)import->count - recorded - repeated, "rows",
                                     rows));
}

static enum err
rows_import(struct http_request *request, struct http_response *response, bool is_suppressions)
{
    struct import import = { .request = request, .is_suppressions = is_suppressions };
    struct slice type = http_header(request, "Content-Type"),
                 first = slice_trim(slice_first(type, slice_find(type, ';')));
    enum err err = ERR_OK;

    import.arena = arena_new(IMPORT_ARENA_BYTES);
    if (import.arena != NULL)
        import.rows = arena_array(import.arena, IMPORT_ROWS_MAX, sizeof(*import.rows));
    if (import.rows == NULL)
        err = ERR_NO_MEMORY;
    else if (slice_eq_nocase(first, SLICE("text/csv")))
        err = csv_read(&import, request->body);
    else if (slice_eq_nocase(first, SLICE("application/x-ndjson")))
        err = json_read(&import, request->body);
    else
        err = ERR_HTTP_MEDIA_TYPE;
    if (err == ERR_OK)
        err = import_prepare(&import);
    if (err == ERR_OK)
        err = act_write(request,
                        &(struct act_work){
                            .action = is_suppressions ? AUDIT_SUPPRESSIONS_IMPORTED : AUDIT_CONSENTS_IMPORTED,
                            .object_kind = ID_TENANT,
                            .object = &request->tenant,
                            .detail = arena_format(import.arena, "{\"rows\":%zu}", import.count) },
                        import_in, &import);
    if (err == ERR_OK)
        err = import_reply(&import, response);
    arena_free(import.arena);
    return err;
}

static enum err
consent_post_import(struct http_request *request, struct http_response *response)
{
    return rows_import(request, response, false);
}

static enum err
suppression_post_import(struct http_request *request, struct http_response *response)
{
    return rows_import(request, response, true);
}

const struct http_route consent_import_routes[] = {
    { HTTP_POST, "/v1/consents/import", consent_post_import, "importConsents", HTTP_ACCESS_KEY,
      "consents:manage", .body_bytes_max = IMPORT_BODY_BYTES_MAX, .has_raw_body = true },
    { HTTP_POST, "/v1/suppressions/import", suppression_post_import, "importSuppressions", HTTP_ACCESS_KEY,
      "consents:manage", .body_bytes_max = IMPORT_BODY_BYTES_MAX, .has_raw_body = true },
    { .handler = NULL },
};
