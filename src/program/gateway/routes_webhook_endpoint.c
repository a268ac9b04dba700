/* /v1/webhook-endpoints: where a workspace hears of its events, of which, and how. */
#include "core/num.h"
#include "crypto/encode.h"
#include "domain/webhook/webhook_delivery.h"
#include "domain/webhook/webhook_signature.h"
#include "program/gateway/act.h"
#include "program/gateway/gateway.h"
#include "wire/http/etag.h"
#include "wire/json/json.h"

#define ENDPOINT_BODY_BYTES_MAX (32u * 1024u) /* fields of 12 KiB, a certificate of 8, a key of 4 */

/* "whpk_..." of the present generation, or null. */
static json_t *
public_key_show(const struct webhook_endpoint *endpoint)
{
    struct buf text;
    json_t *shown = NULL;

    if (!endpoint->has_public_key)
        return json_null();
    buf_init(&text, 64);
    webhook_public_key_print(slice_of(endpoint->public_key, sizeof(endpoint->public_key)), &text);
    if (buf_done(&text) == ERR_OK)
        shown = show_text(buf_slice(&text));
    buf_release(&text);
    return shown;
}

/* What is known of the certificate that is shown to the endpoint's server, or null. The key is never shown.
 */
static json_t *
client_show(const struct webhook_endpoint *endpoint)
{
    struct buf text;
    json_t *shown = NULL;

    if (!endpoint->has_client)
        return json_null();
    buf_init(&text, 2 * CERTIFICATE_FINGERPRINT_BYTES);
    encode_hex(&text, slice_of(endpoint->client_fingerprint, sizeof(endpoint->client_fingerprint)));
    if (buf_done(&text) == ERR_OK)
        shown = json_pack("{s:o, s:o, s:o, s:o}", "subject", show_text(endpoint->client_subject), "issuer",
                          show_text(endpoint->client_issuer), "not_after",
                          show_time(endpoint->client_not_after), "fingerprint", show_text(buf_slice(&text)));
    buf_release(&text);
    return shown;
}

static json_t *
endpoint_show(const struct webhook_endpoint *endpoint)
{
    json_t *events = json_array(), *channels = json_array(), *names = json_array();

    for (size_t i = 0; i < endpoint->event_count; i++)
        show_append(&events, show_text(endpoint->events[i]));
    for (size_t i = 0; i < endpoint->channel_count; i++)
        show_append(&channels, show_id(ID_CHANNEL, endpoint->channels[i]));
    for (size_t i = 0; i < endpoint->header_count; i++)
        show_append(&names, show_text(endpoint->header_names[i]));
    json_t *shown =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:o}", "id",
                  show_id(ID_ENDPOINT, endpoint->id), "url", show_text(endpoint->url), "description",
                  show_text(endpoint->description), "events", events, "channels", channels, "signature",
                  webhook_signing_word(endpoint->signing), "payload", endpoint->is_thin ? "thin" : "full",
                  "header_names", names, "public_key", public_key_show(endpoint), "state",
                  webhook_endpoint_state_word(endpoint->state), "disabled_reason",
                  show_text_or_null(endpoint->disabled_reason), "failing_since",
                  endpoint->is_failing ? show_time(endpoint->failing_since) : json_null(), "created_at",
                  show_time(endpoint->created_at), "updated_at", show_time(endpoint->updated_at));
    show_set(&shown, "previous_keys_until",
             endpoint->has_previous ? show_time(endpoint->previous_until) : json_null());
    show_set(&shown, "consecutive_failures", json_integer((json_int_t)endpoint->failures));
    show_set(&shown, "failing_notices", json_integer((json_int_t)endpoint->notices));
    show_set(&shown, "client_certificate", client_show(endpoint));
    show_set(&shown, "held_until", endpoint->is_held ? show_time(endpoint->held_until) : json_null());
    return shown;
}

/* With the secret, when it was just made: it is not shown again. */
static enum err
endpoint_reply(struct http_request *request, struct http_response *response, int status,
               const struct webhook_endpoint *endpoint, const struct secret *secret)
{
    char tag[ETAG_TEXT_BYTES];
    json_t *shown = endpoint_show(endpoint);

    if (secret != NULL)
        show_set(&shown, "secret", show_text(secret_slice(secret)));
    http_response_add(response, "ETag", arena_copy(request->arena, etag_print(endpoint->revision, tag)));
    return http_reply_json(request, response, status, shown);
}

struct work {
    struct id id;
    struct webhook_endpoint_new with;
    struct webhook_endpoint_change change;
    struct webhook_headers headers;
    struct certificate certificate; /* zeroed, or of certificate_read */
    struct webhook_client client;
    struct webhook_keys keys;
    int64_t overlap_s;
    struct gateway_page page;
    struct arena *arena;
    struct webhook_endpoint endpoint, *endpoints;
    size_t count;
};

static enum err
url_check(struct http_request *request, struct slice url)
{
    enum err err =
        url.ptr == NULL ? ERR_OK : address_guard_check_url(&gateway_worker_of(request)->gateway->guard, url);

    if (err != ERR_OK)
        problem_add(
            &request->problem, request->arena, SLICE("/url"),
            err == ERR_ADDRESS_BLOCKED
                ? SLICE("must name a public address")
                : SLICE("must be an https URL with a host name, without user name, fragment or odd port"));
    return err;
}

static enum err
events_read(struct http_request *request, const struct slice **out, size_t *count_out)
{
    const json_t *list = json_member(request_json(request), "events");
    struct slice *events = arena_array(request->arena, WEBHOOK_ENDPOINT_EVENTS_MAX, sizeof(*events));

    if (events == NULL)
        return ERR_NO_MEMORY;
    *count_out = 0;
    for (size_t i = 0; i < json_array_size(list) && i < WEBHOOK_ENDPOINT_EVENTS_MAX; i++) {
        const json_t *item = json_array_get(list, i);
        events[(*count_out)++] = slice_of(json_string_value(item), json_string_length(item));
    }
    *out = events;
    return ERR_OK;
}

/* *out stays NULL when nothing is said of them. The contract has checked the ids. */
static enum err
channels_read(struct http_request *request, const struct id **out, size_t *count_out)
{
    const json_t *list = json_member(request_json(request), "channels");

    *count_out = json_array_size(list);
    if (list == NULL)
        return ERR_OK;
    struct id *channels = arena_array(request->arena, WEBHOOK_ENDPOINT_CHANNELS_MAX, sizeof(*channels));
    if (channels == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < *count_out && i < WEBHOOK_ENDPOINT_CHANNELS_MAX; i++) {
        const json_t *item = json_array_get(list, i);
        enum err err =
            id_parse(ID_CHANNEL, slice_of(json_string_value(item), json_string_length(item)), &channels[i]);
        if (err != ERR_OK)
            return err;
    }
    *out = channels;
    return ERR_OK;
}

static enum err
header_check(struct http_request *request, size_t i, struct slice name, struct slice value,
             const struct webhook_headers *before)
{
    const char *member = "name", *detail = NULL;

    if (!webhook_header_name_is_fit(name))
        detail = "must not be a field that frames the message or is ours";
    for (size_t k = 0; k < before->count && detail == NULL; k++)
        if (slice_eq_nocase(before->names[k], name))
            detail = "must not be there twice";
    if (detail == NULL && !webhook_header_value_is_fit(value)) {
        member = "value";
        detail = "must be visible ASCII, without blanks at its ends";
    }
    if (detail == NULL)
        return ERR_OK;
    problem_add(&request->problem, request->arena, arena_format(request->arena, "/headers/%zu/%s", i, member),
                slice_text(detail));
    return ERR_CONTRACT;
}

/* The tenant's fields, sealed for this generation; *out stays NULL when nothing is said of them. */
static enum err
headers_read(struct http_request *request, struct id endpoint, uint32_t generation,
             struct webhook_headers *headers, const struct webhook_headers **out)
{
    struct vault_place place = webhook_headers_place(request->tenant, endpoint, generation);
    const json_t *list = json_member(request_json(request), "headers");
    struct buf value;
    enum err err = ERR_OK;

    *headers = (struct webhook_headers){ .count = 0 };
    if (list == NULL)
        return ERR_OK;
    buf_init(&value, WEBHOOK_HEADERS_BYTES_MAX);
    for (size_t i = 0; err == ERR_OK && i < json_array_size(list) && i < WEBHOOK_HEADERS_MAX; i++) {
        const json_t *item = json_array_get(list, i);
        struct slice name = json_text_of(item, "name"), text = json_text_of(item, "value");
        err = header_check(request, i, name, text, headers);
        if (err != ERR_OK)
            break;
        webhook_headers_add(&value, name, text);
        headers->names[headers->count++] = name;
    }
    if (err == ERR_OK)
        err = buf_done(&value);
    if (err == ERR_OK && headers->count > 0)
        err = vault_seal(&gateway_worker_of(request)->vault, VAULT_CREDENTIAL, &place, buf_slice(&value),
                         request->arena, &headers->sealed);
    buf_release_wiped(&value);
    if (err == ERR_OK)
        *out = headers;
    return err;
}

static enum err
client_refuse(struct http_request *request, enum certificate_fault fault)
{
    static const struct {
        const char *member, *detail;
    } rows[] = {
        [CERTIFICATE_FAULT_CHAIN] = { "certificate",
                                      "must be one to five certificates in PEM, the client's own first, without a key" },
        [CERTIFICATE_FAULT_NAME] = { "certificate", "must have a shorter subject and issuer" },
        [CERTIFICATE_FAULT_EXPIRED] = { "certificate", "must not have expired" },
        [CERTIFICATE_FAULT_KEY] = { "private_key", "must be a private key in PEM" },
        [CERTIFICATE_FAULT_ENCRYPTED] = { "private_key", "must not be encrypted" },
        [CERTIFICATE_FAULT_KIND] = { "private_key",
                                     "must be RSA of at least 2048 bits, EC on P-256 or P-384, or Ed25519" },
        [CERTIFICATE_FAULT_MISMATCH] = { "private_key", "must be the key of the first certificate" },
    };

    problem_add(&request->problem, request->arena,
                arena_format(request->arena, "/client_certificate/%s", rows[fault].member),
                slice_text(rows[fault].detail));
    return ERR_CONTRACT;
}

/* A client certificate, its key sealed for this generation, or null; *out stays NULL when nothing is said. */
static enum err
client_read(struct http_request *request, struct id endpoint, uint32_t generation, struct work *work,
            const struct webhook_client **out)
{
    struct vault_place place = webhook_client_key_place(request->tenant, endpoint, generation);
    const json_t *given = json_member(request_json(request), "client_certificate");
    enum certificate_fault fault = CERTIFICATE_FAULT_NONE;

    if (given == NULL)
        return ERR_OK;
    *out = &work->client;
    if (json_is_null(given))
        return ERR_OK;
    enum err err =
        certificate_read(json_text_of(given, "certificate"), json_text_of(given, "private_key"),
                         clock_wall(gateway_worker_of(request)->gateway->clock), &work->certificate, &fault);
    if (err == ERR_OK && fault != CERTIFICATE_FAULT_NONE)
        return client_refuse(request, fault);
    if (err == ERR_OK)
        err = vault_seal(&gateway_worker_of(request)->vault, VAULT_CREDENTIAL, &place,
                         secret_slice(work->certificate.key), request->arena, &work->client.key);
    work->client.certificate = &work->certificate;
    return err;
}

/* Keys for what the endpoint is signed with; *text_out, a new secret's, is shown once and owned by the
 * caller. */
static enum err
keys_make(struct http_request *request, struct id endpoint, uint32_t generation, bool wants_secret,
          bool wants_private_key, struct webhook_keys *out, struct secret **text_out)
{
    return webhook_keys_make(&gateway_worker_of(request)->vault, request->tenant, endpoint, generation,
                             wants_secret, wants_private_key, request->arena, out, text_out);
}

static enum err
create_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return webhook_endpoint_create(tx, &work->with, work->arena, &work->endpoint);
}

static enum err
endpoint_post(struct http_request *request, struct http_response *response)
{
    const json_t *body = request_json(request);
    struct secret *text = NULL;
    struct work work = { .arena = request->arena,
                         .with = { .id = id_new(gateway_worker_of(request)->gateway->clock),
                                   .url = json_text_of(body, "url"),
                                   .description = json_text_of(body, "description"),
                                   .signing = webhook_signing_from(json_text_of(body, "signature")),
                                   .is_thin = slice_eq(json_text_of(body, "payload"), SLICE("thin")) } };
    enum err err = url_check(request, work.with.url);

    if (err == ERR_OK)
        err = events_read(request, &work.with.events, &work.with.event_count);
    if (err == ERR_OK)
        err = channels_read(request, &work.with.channels, &work.with.channel_count);
    if (err == ERR_OK)
        err = headers_read(request, work.with.id, 1, &work.headers, &work.with.headers);
    if (err == ERR_OK)
        err = client_read(request, work.with.id, 1, &work, &work.with.client);
    if (err == ERR_OK)
        err = keys_make(request, work.with.id, 1, webhook_signing_has_hmac(work.with.signing),
                        webhook_signing_has_ed25519(work.with.signing), &work.with.keys, &text);
    if (err == ERR_OK)
        err = act_write(request,
                        &(struct act_work){ .action = AUDIT_ENDPOINT_CREATED,
                                            .object_kind = ID_ENDPOINT,
                                            .object = &work.with.id },
                        create_in, &work);
    if (err == ERR_OK) {
        gateway_locate(request, response, "/v1/webhook-endpoints/", ID_ENDPOINT, work.endpoint.id);
        err = endpoint_reply(request, response, 201, &work.endpoint, text);
    }
    certificate_release(&work.certificate);
    secret_free(text);
    return err;
}

static enum err
get_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return webhook_endpoint_get(tx, work->id, work->arena, &work->endpoint);
}

static enum err
endpoint_get_one(struct http_request *request, struct http_response *response)
{
    struct work work = { .arena = request->arena };
    enum err err = gateway_path_id(request, "endpoint_id", ID_ENDPOINT, &work.id);

    if (err == ERR_OK)
        err = gateway_read(request, get_in, &work);
    return err == ERR_OK ? endpoint_reply(request, response, 200, &work.endpoint, NULL) : err;
}

static enum err
list_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return webhook_endpoint_list(tx, work->page.cursor, work->page.limit, work->arena, &work->endpoints,
                                 &work->count);
}

static enum err
endpoint_get_list(struct http_request *request, struct http_response *response)
{
    struct work work = { .arena = request->arena };
    enum err err = gateway_page_read(request, ID_ENDPOINT, &work.page);

    if (err == ERR_OK)
        err = gateway_read(request, list_in, &work);
    if (err != ERR_OK)
        return err;
    size_t shown = gateway_page_shown(&work.page, work.count);
    json_t *items = json_array();
    for (size_t i = 0; i < shown; i++)
        show_append(&items, endpoint_show(&work.endpoints[i]));
    return gateway_page_reply(request, response, &work.page, work.count, items);
}

/* The endpoint of the path, and If-Match against it; without If-Match any revision may be changed. */
static enum err
endpoint_for_change(struct http_request *request, struct work *work, uint32_t *revision_out)
{
    char tag[ETAG_TEXT_BYTES];
    enum err err = gateway_path_id(request, "endpoint_id", ID_ENDPOINT, &work->id);

    if (err == ERR_OK)
        err = gateway_read(request, get_in, work);
    if (err == ERR_OK)
        err = request_check_match(request, etag_print(work->endpoint.revision, tag));
    *revision_out = http_header(request, "If-Match").ptr == NULL ? 0 : work->endpoint.revision;
    return err;
}

static enum err
change_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return webhook_endpoint_update(tx, work->id, &work->change, work->arena, &work->endpoint);
}

/*
 * Values of fields are never shown, so another URL must not show them to whoever has it: they are given
 * again, or taken away. Nobody may have given some meanwhile either.
 */
static enum err
headers_meet(struct http_request *request, struct work *work)
{
    struct slice url = work->change.url;

    if (url.ptr == NULL || slice_eq(url, work->endpoint.url))
        return ERR_OK;
    work->change.revision = work->endpoint.revision;
    if (work->endpoint.header_count == 0 || json_member(request_json(request), "headers") != NULL)
        return ERR_OK;
    problem_add(&request->problem, request->arena, SLICE("/headers"),
                SLICE("are needed with another URL, or an empty list: their values will be sent there"));
    return ERR_CONTRACT;
}

/* What the present generation lacks for another way of signing is made; a new secret is shown, this once. */
static enum err
signing_change(struct http_request *request, struct work *work, struct secret **text_out)
{
    const struct webhook_endpoint *endpoint = &work->endpoint;
    bool wants_secret = webhook_signing_has_hmac(work->change.signing) && !endpoint->has_secret;
    bool wants_key = webhook_signing_has_ed25519(work->change.signing) && !endpoint->has_public_key;

    if (!work->change.has_signing || (!wants_secret && !wants_key))
        return ERR_OK;
    enum err err = keys_make(request, endpoint->id, endpoint->generation, wants_secret, wants_key,
                             &work->keys, text_out);
    if (err == ERR_OK)
        work->change.keys = &work->keys;
    return err;
}

static enum err
endpoint_patch(struct http_request *request, struct http_response *response)
{
    const json_t *body = request_json(request);
    struct slice state = json_text_of(body, "state"), signing = json_text_of(body, "signature"),
                 payload = json_text_of(body, "payload");
    struct secret *text = NULL;
    struct work work = { .arena = request->arena,
                         .change = { .url = json_text_of(body, "url"),
                                     .description = json_text_of(body, "description"),
                                     .has_channels = json_member(body, "channels") != NULL,
                                     .has_signing = signing.ptr != NULL,
                                     .signing = webhook_signing_from(signing),
                                     .has_payload = payload.ptr != NULL,
                                     .is_thin = slice_eq(payload, SLICE("thin")),
                                     .has_state = state.ptr != NULL,
                                     .state = slice_eq(state, SLICE("enabled"))
                                                  ? WEBHOOK_ENDPOINT_ENABLED
                                                  : WEBHOOK_ENDPOINT_DISABLED } };
    enum err err = url_check(request, work.change.url);

    if (err == ERR_OK)
        err = events_read(request, &work.change.events, &work.change.event_count);
    if (err == ERR_OK)
        err = channels_read(request, &work.change.channels, &work.change.channel_count);
    if (err == ERR_OK)
        err = endpoint_for_change(request, &work, &work.change.revision);
    if (err == ERR_OK)
        err = headers_meet(request, &work);
    if (err == ERR_OK)
        err = headers_read(request, work.id, work.endpoint.headers_generation + 1, &work.headers,
                           &work.change.headers);
    work.change.headers_generation = work.endpoint.headers_generation;
    if (err == ERR_OK)
        err = client_read(request, work.id, work.endpoint.client_generation + 1, &work, &work.change.client);
    work.change.client_generation = work.endpoint.client_generation;
    if (err == ERR_OK)
        err = signing_change(request, &work, &text);
    if (err == ERR_OK)
        err = act_write(request,
                        &(struct act_work){ .action = AUDIT_ENDPOINT_UPDATED,
                                            .object_kind = ID_ENDPOINT,
                                            .object = &work.id,
                                            .detail = act_members(request) },
                        change_in, &work);
    if (err == ERR_OK)
        err = endpoint_reply(request, response, 200, &work.endpoint, text);
    certificate_release(&work.certificate);
    secret_free(text);
    return err;
}

static enum err
delete_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return webhook_endpoint_delete(tx, work->id, work->change.revision);
}

static enum err
endpoint_remove(struct http_request *request, struct http_response *response)
{
    struct work work = { .arena = request->arena };
    enum err err = endpoint_for_change(request, &work, &work.change.revision);

    if (err == ERR_OK)
        err =
            act_write(request,
                      &(struct act_work){
                          .action = AUDIT_ENDPOINT_DELETED, .object_kind = ID_ENDPOINT, .object = &work.id },
                      delete_in, &work);
    if (err == ERR_NOT_FOUND && work.change.revision != 0)
        err = ERR_HTTP_PRECONDITION; /* it was there a moment ago, with the revision that was asked for */
    return err == ERR_OK ? http_reply_empty(response, 204) : err;
}

static enum err
rotate_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return webhook_endpoint_rotate(tx, work->id, &work->keys, work->overlap_s, work->arena, &work->endpoint);
}

static enum err
endpoint_rotate(struct http_request *request, struct http_response *response)
{
    struct work work = { .arena = request->arena, .overlap_s = WEBHOOK_OVERLAP_S_DEFAULT };
    struct slice overlap = http_query(request, "overlap_s");
    struct secret *text = NULL;
    uint32_t revision;
    enum err err = endpoint_for_change(request, &work, &revision);

    if (err == ERR_OK && overlap.ptr != NULL && num_i64_parse(overlap, &work.overlap_s) != ERR_OK)
        err = ERR_QUERY; /* the contract has looked at it */
    if (err == ERR_OK)
        err = keys_make(request, work.id, work.endpoint.generation + 1,
                        webhook_signing_has_hmac(work.endpoint.signing),
                        webhook_signing_has_ed25519(work.endpoint.signing), &work.keys, &text);
    if (err == ERR_OK)
        err = act_write(request,
                        &(struct act_work){ .action = AUDIT_ENDPOINT_SECRET_ROTATED,
                                            .object_kind = ID_ENDPOINT,
                                            .object = &work.id },
                        rotate_in, &work);
    if (err == ERR_OK)
        err = endpoint_reply(request, response, 200, &work.endpoint, text);
    secret_free(text);
    return err;
}

static enum err
revoke_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return webhook_endpoint_revoke_previous(tx, work->id, work->arena, &work->endpoint);
}

static enum err
previous_keys_revoke(struct http_request *request, struct http_response *response)
{
    struct work work = { .arena = request->arena };
    enum err err = gateway_path_id(request, "endpoint_id", ID_ENDPOINT, &work.id);

    if (err == ERR_OK)
        err = act_write(request,
                        &(struct act_work){ .action = AUDIT_ENDPOINT_SECRET_ROTATED,
                                            .object_kind = ID_ENDPOINT,
                                            .object = &work.id,
                                            .detail = SLICE("{\"previous\":\"revoked\"}") },
                        revoke_in, &work);
    return err == ERR_OK ? http_reply_empty(response, 204) : err;
}

const struct http_route webhook_endpoint_routes[] = {
    { HTTP_POST, "/v1/webhook-endpoints", endpoint_post, "createWebhookEndpoint", HTTP_ACCESS_KEY,
      "webhooks:manage", .body_bytes_max = ENDPOINT_BODY_BYTES_MAX },
    { HTTP_GET, "/v1/webhook-endpoints", endpoint_get_list, "listWebhookEndpoints", HTTP_ACCESS_KEY,
      "webhooks:read" },
    { HTTP_GET, "/v1/webhook-endpoints/{endpoint_id}", endpoint_get_one, "getWebhookEndpoint",
      HTTP_ACCESS_KEY, "webhooks:read" },
    { HTTP_PATCH, "/v1/webhook-endpoints/{endpoint_id}", endpoint_patch, "updateWebhookEndpoint",
      HTTP_ACCESS_KEY, "webhooks:manage", .body_bytes_max = ENDPOINT_BODY_BYTES_MAX },
    { HTTP_DELETE, "/v1/webhook-endpoints/{endpoint_id}", endpoint_remove, "deleteWebhookEndpoint",
      HTTP_ACCESS_KEY, "webhooks:manage" },
    { HTTP_POST, "/v1/webhook-endpoints/{endpoint_id}/rotate-secret", endpoint_rotate, "rotateWebhookSecret",
      HTTP_ACCESS_KEY, "webhooks:manage" },
    { HTTP_DELETE, "/v1/webhook-endpoints/{endpoint_id}/previous-keys", previous_keys_revoke,
      "revokeWebhookPreviousKeys", HTTP_ACCESS_KEY, "webhooks:manage" },
    { .handler = NULL },
};
