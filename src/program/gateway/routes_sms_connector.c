/* /v1/sms/connectors: accounts at SMS operators. */
#include "domain/channel/sms/sms_connector.h"
#include "program/gateway/act.h"
#include "program/gateway/gateway.h"
#include "program/gateway/reach.h"
#include "wire/http/etag.h"
#include "wire/json/json.h"

#define BODY_BYTES_MAX (24u * 1024u)

static json_t *
number_or_null(int64_t number)
{
    return number == 0 ? json_null() : json_integer(number);
}

static json_t *
numbering_show(struct sms_numbering numbering)
{
    return json_pack("{s:i, s:i}", "ton", (int)numbering.ton, "npi", (int)numbering.npi);
}

static json_t *
link_show(const struct sms_link *link, struct wall_time now)
{
    return json_pack("{s:i, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:I}", "number", (int)link->number, "kind",
                     show_text(link->kind), "state", show_text(link->state), "is_stale",
                     link->told_at.us < wall_after_ms(now, -SMS_LINK_STALE_MS).us, "since",
                     show_time(link->since), "detail", show_text_or_null(link->detail), "next_try_at",
                     link->next_try_at.us == 0 ? json_null() : show_time(link->next_try_at), "per_second",
                     number_or_null(link->per_second), "in_flight", (json_int_t)link->in_flight);
}

static json_t *
languages_show(unsigned languages)
{
    json_t *list = json_array();

    for (unsigned i = 1; i < GSM7_LANGUAGES; i++)
        if ((languages & (1u << i)) != 0)
            show_append(&list, json_string(sms_language_word((enum gsm7_language)i)));
    return list;
}

static json_t *
connector_show(const struct sms_connector *c, const struct sms_link *links, size_t link_count,
               struct wall_time now)
{
    json_t *shown_links = json_array();

    for (size_t i = 0; i < link_count; i++)
        if (id_eq(links[i].connector, c->id))
            show_append(&shown_links, link_show(&links[i], now));
    json_t *shown = json_pack(
        "{s:o, s:o, s:s, s:o, s:o, s:i, s:b, s:o, s:o, s:o, s:o, s:o, s:{s:i, s:i, s:i}, s:i, s:i, s:i, s:i}",
        "id", show_id(ID_SMS_CONNECTOR, c->id), "name", show_text(c->name), "state",
        sms_connector_state_word(c->state), "state_reason", show_text_or_null(c->state_reason), "host",
        show_text(c->host), "port", (int)c->port, "tls", (int)c->has_tls, "tls_ca",
        show_text_or_null(c->tls_ca), "system_id", show_text(c->system_id), "system_type",
        show_text(c->system_type), "address_range", show_text(c->address_range), "service_type",
        show_text(c->service_type), "binds", "transceivers", (int)c->transceivers, "transmitters",
        (int)c->transmitters, "receivers", (int)c->receivers, "window", (int)c->window_max, "per_second",
        (int)c->per_second, "enquire_s", (int)c->enquire_s, "answer_s", (int)c->answer_s);
    show_set(&shown, "encoding",
             json_pack("{s:s, s:s, s:o}", "joining", sms_joining_word(c->joining), "alphabet",
                       sms_alphabet_word(c->alphabet), "languages", languages_show(c->languages)));
    show_set(&shown, "addressing",
             json_pack("{s:o, s:o, s:o, s:o, s:o}", "country_code", show_text_or_null(c->country_code),
                       "alphanumeric", numbering_show(c->alphanumeric), "number", numbering_show(c->number),
                       "short_code", numbering_show(c->short_code), "recipient",
                       numbering_show(c->recipient)));
    show_set(&shown, "validity_max_s", number_or_null(c->validity_max_s));
    show_set(&shown, "receipts",
             json_pack("{s:s, s:i, s:s}", "ids", sms_receipt_ids_word(c->receipt_ids), "zone_minutes",
                       c->receipt_zone_minutes, "error_codes", c->has_india_codes ? "india" : "none"));
    show_set(&shown, "dlt",
             json_pack("{s:o, s:o, s:o, s:b}", "entity_tag", number_or_null(c->dlt_entity_tag),
                       "template_tag", number_or_null(c->dlt_template_tag), "chain_tag",
                       number_or_null(c->dlt_chain_tag), "ends_with_nul", (int)c->dlt_ends_with_nul));
    show_set(&shown, "links", shown_links);
    show_set(&shown, "unrouted",
             json_pack("{s:I, s:I, s:o}", "senders", (json_int_t)c->unrouted_senders, "recipients",
                       (json_int_t)c->unrouted_recipients, "last_at",
                       c->unrouted_at.us == 0 ? json_null() : show_time(c->unrouted_at)));
    show_set(&shown, "created_at", show_time(c->created_at));
    show_set(&shown, "updated_at", show_time(c->updated_at));
    return shown;
}

/* What the body gives; the rest stays. The contract has checked types, words and ranges. */
static void
text_take(const json_t *object, const char *member, struct slice *into)
{
    struct slice text = json_text_of(object, member);

    if (text.ptr != NULL)
        *into = text;
}

static void
unsigned_take(const json_t *object, const char *member, unsigned *into)
{
    int64_t number = 0;

    if (json_int_of(object, member, &number))
        *into = (unsigned)number;
    else if (json_is_null(json_member(object, member)))
        *into = 0;
}

static void
tag_take(const json_t *object, const char *member, uint16_t *into)
{
    unsigned tag = *into;

    unsigned_take(object, member, &tag);
    *into = (uint16_t)tag;
}

static void
bool_take(const json_t *object, const char *member, bool *into)
{
    const json_t *value = json_member(object, member);

    if (json_is_boolean(value))
        *into = json_is_true(value);
}

static void
numbering_take(const json_t *object, const char *member, struct sms_numbering *into)
{
    const json_t *numbering = json_member(object, member);
    unsigned ton = into->ton, npi = into->npi;

    unsigned_take(numbering, "ton", &ton);
    unsigned_take(numbering, "npi", &npi);
    *into = (struct sms_numbering){ (uint8_t)ton, (uint8_t)npi };
}

static enum err
languages_take(const json_t *encoding, unsigned *into)
{
    const json_t *list = json_member(encoding, "languages");
    enum gsm7_language language;
    enum err err = ERR_OK;

    if (list != NULL)
        *into = 0;
    for (size_t i = 0; err == ERR_OK && i < json_array_size(list); i++) {
        err = sms_language_parse(slice_text(json_string_value(json_array_get(list, i))), &language);
        if (err == ERR_OK)
            *into |= 1u << language;
    }
    return err;
}

static enum err
words_take(const json_t *body, struct sms_connector *c)
{
    const json_t *encoding = json_member(body, "encoding"), *receipts = json_member(body, "receipts");
    struct slice joining = json_text_of(encoding, "joining"), alphabet = json_text_of(encoding, "alphabet"),
                 ids = json_text_of(receipts, "ids"), codes = json_text_of(receipts, "error_codes"),
                 state = json_text_of(body, "state");
    int64_t zone = 0;
    enum err err = ERR_OK;

    if (joining.ptr != NULL)
        err = sms_joining_parse(joining, &c->joining);
    if (err == ERR_OK && alphabet.ptr != NULL)
        err = sms_alphabet_parse(alphabet, &c->alphabet);
    if (err == ERR_OK && ids.ptr != NULL)
        err = sms_receipt_ids_parse(ids, &c->receipt_ids);
    if (err == ERR_OK && state.ptr != NULL)
        err = sms_connector_state_parse(state, &c->state);
    if (codes.ptr != NULL)
        c->has_india_codes = slice_eq(codes, SLICE("india"));
    if (json_int_of(receipts, "zone_minutes", &zone))
        c->receipt_zone_minutes = (int)zone;
    return err == ERR_OK ? languages_take(encoding, &c->languages) : err;
}

static enum err
connector_take(struct http_request *request, const json_t *body, struct sms_connector *c)
{
    const json_t *binds = json_member(body, "binds"), *addressing = json_member(body, "addressing"),
                 *dlt = json_member(body, "dlt");
    const char *pointer = NULL, *detail = NULL;
    unsigned port = c->port;

    text_take(body, "name", &c->name);
    text_take(body, "host", &c->host);
    text_take(body, "system_id", &c->system_id);
    text_take(body, "system_type", &c->system_type);
    text_take(body, "address_range", &c->address_range);
    text_take(body, "service_type", &c->service_type);
    text_take(body, "tls_ca", &c->tls_ca);
    if (json_is_null(json_member(body, "tls_ca")))
        c->tls_ca = SLICE_EMPTY;
    bool_take(body, "tls", &c->has_tls);
    unsigned_take(body, "port", &port);
    c->port = (uint16_t)port;
    unsigned_take(binds, "transceivers", &c->transceivers);
    unsigned_take(binds, "transmitters", &c->transmitters);
    unsigned_take(binds, "receivers", &c->receivers);
    unsigned_take(body, "window", &c->window_max);
    unsigned_take(body, "per_second", &c->per_second);
    unsigned_take(body, "enquire_s", &c->enquire_s);
    unsigned_take(body, "answer_s", &c->answer_s);
    unsigned_take(body, "validity_max_s", &c->validity_max_s);
    text_take(addressing, "country_code", &c->country_code);
    if (json_is_null(json_member(addressing, "country_code")))
        c->country_code = SLICE_EMPTY;
    numbering_take(addressing, "alphanumeric", &c->alphanumeric);
    numbering_take(addressing, "number", &c->number);
    numbering_take(addressing, "short_code", &c->short_code);
    numbering_take(addressing, "recipient", &c->recipient);
    tag_take(dlt, "entity_tag", &c->dlt_entity_tag);
    tag_take(dlt, "template_tag", &c->dlt_template_tag);
    tag_take(dlt, "chain_tag", &c->dlt_chain_tag);
    bool_take(dlt, "ends_with_nul", &c->dlt_ends_with_nul);
    enum err err = words_take(body, c);
    if (err == ERR_OK)
        err = sms_connector_check(c, &pointer, &detail);
    if (pointer != NULL)
        problem_add(&request->problem, request->arena, slice_text(pointer), slice_text(detail));
    return err;
}

struct connector_work {
    struct http_request *request;
    struct id id;
    const struct clock *clock;
    struct arena *arena;
    struct sms_connector connector, *connectors;
    struct sms_link *links;
    size_t count, link_count;
    const struct vault_sealed *password; /* NULL: as it was */
    uint32_t revision;                   /* 0: any */
};

static enum err
connector_read_in(struct db_tx *tx, void *ctx)
{
    struct connector_work *work = ctx;
    enum err err = sms_connector_get(tx, work->id, work->arena, &work->connector);

    return err == ERR_OK ? sms_links_list(tx, work->arena, &work->links, &work->link_count) : err;
}

static enum err
connector_list_in(struct db_tx *tx, void *ctx)
{
    struct connector_work *work = ctx;
    enum err err = sms_connectors_list(tx, work->arena, &work->connectors, &work->count);

    return err == ERR_OK ? sms_links_list(tx, work->arena, &work->links, &work->link_count) : err;
}

static enum err
connector_reply(struct http_response *response, int status, struct connector_work *work)
{
    struct http_request *request = work->request;
    char tag[ETAG_TEXT_BYTES];

    http_response_add(response, "ETag",
                      arena_copy(request->arena, etag_print(work->connector.revision, tag)));
    return http_reply_json(
        request, response, status,
        connector_show(&work->connector, work->links, work->link_count, clock_wall(work->clock)));
}

static struct connector_work
work_of(struct http_request *request)
{
    return (struct connector_work){ .request = request,
                                    .clock = gateway_worker_of(request)->gateway->clock,
                                    .arena = request->arena };
}

static enum err
connector_create_in(struct db_tx *tx, void *ctx)
{
    struct connector_work *work = ctx;
    enum err err = sms_connector_create(tx, &work->connector, work->password);

    return err == ERR_OK ? connector_read_in(tx, work) : err;
}

static enum err
connector_post(struct http_request *request, struct http_response *response)
{
    struct connector_work work = work_of(request);
    const json_t *body = request_json(request);
    struct vault_sealed password;
    enum err err = reach_check_workspace(request);

    sms_connector_init(&work.connector);
    if (json_member(body, "binds") != NULL)
        work.connector.transceivers = 0; /* those that are said are all */
    if (err == ERR_OK)
        err = connector_take(request, body, &work.connector);
    work.id = work.connector.id = id_new(work.clock);
    work.connector.state = SMS_CONNECTOR_ACTIVE;
    struct vault_place place = sms_connector_password_place(request->tenant, work.id, 1);
    if (err == ERR_OK)
        err = vault_seal(&gateway_worker_of(request)->vault, VAULT_CREDENTIAL, &place,
                         json_text_of(body, "password"), request->arena, &password);
    work.password = &password;
    if (err == ERR_OK)
        err = act_write(request,
                        &(struct act_work){ .action = AUDIT_SMS_CONNECTOR_CREATED,
                                            .object_kind = ID_SMS_CONNECTOR,
                                            .object = &work.id },
                        connector_create_in, &work);
    if (err != ERR_OK)
        return err;
    gateway_locate(request, response, "/v1/sms/connectors/", ID_SMS_CONNECTOR, work.id);
    return connector_reply(response, 201, &work);
}

static enum err
connector_get(struct http_request *request, struct http_response *response)
{
    struct connector_work work = work_of(request);
    enum err err = gateway_path_id(request, "connector_id", ID_SMS_CONNECTOR, &work.id);

    if (err == ERR_OK)
        err = gateway_read(request, connector_read_in, &work);
    return err == ERR_OK ? connector_reply(response, 200, &work) : err;
}

static enum err
connectors_get(struct http_request *request, struct http_response *response)
{
    struct connector_work work = work_of(request);
    enum err err = gateway_read(request, connector_list_in, &work);

    if (err != ERR_OK)
        return err;
    json_t *items = json_array();
    for (size_t i = 0; i < work.count; i++)
        show_append(&items,
                    connector_show(&work.connectors[i], work.links, work.link_count, clock_wall(work.clock)));
    return http_reply_json(request, response, 200, json_pack("{s:o}", "data", items));
}

static enum err
connector_update_in(struct db_tx *tx, void *ctx)
{
    struct connector_work *work = ctx;
    enum err err = sms_connector_update(tx, work->clock, &work->connector, work->password);

    return err == ERR_OK ? connector_read_in(tx, work) : err;
}

/* Whoever has a password sent somewhere else has to know it: the one that is kept is for where it was given.
 */
static enum err
password_meet(struct http_request *request, const struct sms_connector *was, const struct sms_connector *is,
              bool has_password)
{
    if (has_password || (slice_eq(was->host, is->host) && was->port == is->port &&
                         was->has_tls == is->has_tls && slice_eq(was->tls_ca, is->tls_ca)))
        return ERR_OK;
    problem_add(&request->problem, request->arena, SLICE("/password"),
                SLICE("is needed with another host, port or TLS: it will be sent there"));
    return ERR_CONTRACT;
}

static enum err
connector_patch(struct http_request *request, struct http_response *response)
{
    struct connector_work work = work_of(request);
    const json_t *body = request_json(request);
    struct slice plain = json_text_of(body, "password");
    char tag[ETAG_TEXT_BYTES];
    struct vault_sealed password;
    enum err err = reach_check_workspace(request);

    if (err == ERR_OK)
        err = gateway_path_id(request, "connector_id", ID_SMS_CONNECTOR, &work.id);
    if (err == ERR_OK)
        err = gateway_read(request, connector_read_in, &work);
    if (err == ERR_OK)
        err = request_check_match(request, etag_print(work.connector.revision, tag));
    /* Another password, or another account, may be let in again. */
    if (err == ERR_OK && work.connector.state == SMS_CONNECTOR_BROKEN &&
        (plain.ptr != NULL || json_text_of(body, "system_id").ptr != NULL))
        work.connector.state = SMS_CONNECTOR_ACTIVE;
    const struct sms_connector was = work.connector;
    if (err == ERR_OK)
        err = connector_take(request, body, &work.connector);
    if (err == ERR_OK)
        err = password_meet(request, &was, &work.connector, plain.ptr != NULL);
    if (err == ERR_OK && plain.ptr != NULL) {
        struct vault_place place =
            sms_connector_password_place(request->tenant, work.id, work.connector.password_generation + 1);
        err = vault_seal(&gateway_worker_of(request)->vault, VAULT_CREDENTIAL, &place, plain, request->arena,
                         &password);
        work.password = &password;
    }
    if (err == ERR_OK)
        err = act_write(request,
                        &(struct act_work){ .action = AUDIT_SMS_CONNECTOR_UPDATED,
                                            .object_kind = ID_SMS_CONNECTOR,
                                            .object = &work.id,
                                            .detail = act_members(request) },
                        connector_update_in, &work);
    return err == ERR_OK ? connector_reply(response, 200, &work) : err;
}

static enum err
connector_delete_in(struct db_tx *tx, void *ctx)
{
    struct connector_work *work = ctx;

    return sms_connector_delete(tx, work->id, work->revision);
}

static enum err
connector_remove(struct http_request *request, struct http_response *response)
{
    struct connector_work work = work_of(request);
    char tag[ETAG_TEXT_BYTES];
    enum err err = reach_check_workspace(request);

    if (err == ERR_OK)
        err = gateway_path_id(request, "connector_id", ID_SMS_CONNECTOR, &work.id);
    if (err == ERR_OK)
        err = gateway_read(request, connector_read_in, &work);
    if (err == ERR_OK)
        err = request_check_match(request, etag_print(work.connector.revision, tag));
    work.revision = http_header(request, "If-Match").ptr == NULL ? 0 : work.connector.revision;
    if (err == ERR_OK)
        err = act_write(request,
                        &(struct act_work){ .action = AUDIT_SMS_CONNECTOR_DELETED,
                                            .object_kind = ID_SMS_CONNECTOR,
                                            .object = &work.id },
                        connector_delete_in, &work);
    return err == ERR_OK ? http_reply_empty(response, 204) : err;
}

const struct http_route sms_connector_routes[] = {
    { HTTP_POST, "/v1/sms/connectors", connector_post, "createSmsConnector", HTTP_ACCESS_KEY,
      "channels:manage", .body_bytes_max = BODY_BYTES_MAX },
    { HTTP_GET, "/v1/sms/connectors", connectors_get, "listSmsConnectors", HTTP_ACCESS_KEY, "channels:read" },
    { HTTP_GET, "/v1/sms/connectors/{connector_id}", connector_get, "getSmsConnector", HTTP_ACCESS_KEY,
      "channels:read" },
    { HTTP_PATCH, "/v1/sms/connectors/{connector_id}", connector_patch, "updateSmsConnector", HTTP_ACCESS_KEY,
      "channels:manage", .body_bytes_max = BODY_BYTES_MAX },
    { HTTP_DELETE, "/v1/sms/connectors/{connector_id}", connector_remove, "deleteSmsConnector",
      HTTP_ACCESS_KEY, "channels:manage" },
    { .handler = NULL },
};
