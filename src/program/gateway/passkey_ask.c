#include "program/gateway/passkey_ask.h"
#include "core/log.h"
#include "crypto/encode.h"
#include "domain/identity/throttle.h"
#include "program/gateway/act.h"
#include "program/gateway/person_gate.h"
#include "wire/json/json.h"

/* Octets as browsers' JSON has them. */
static json_t *
base64url(struct slice octets)
{
    json_t *shown = NULL;
    struct buf text;

    buf_init(&text, octets.len * 2 + 4);
    encode_base64url(&text, octets);
    if (buf_done(&text) == ERR_OK)
        shown = json_stringn(buf_slice(&text).ptr, buf_slice(&text).len);
    buf_release(&text);
    return shown;
}

static json_t *
transports_show(unsigned transports)
{
    json_t *list = json_array();

    for (unsigned bit = 0; bit < WEBAUTHN_TRANSPORTS_MAX; bit++) {
        const char *word = (transports & (1u << bit)) != 0 ? webauthn_transport_word(1u << bit) : NULL;
        if (word != NULL)
            show_append(&list, json_string(word));
    }
    return list;
}

static json_t *
descriptors(const struct passkey *passkeys, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        show_append(&list, json_pack("{s:s, s:o, s:o}", "type", "public-key", "id",
                                     base64url(passkeys[i].credential_id), "transports",
                                     transports_show(passkeys[i].transports)));
    return list;
}

static enum err
ceremony_begin(struct http_request *request, struct http_response *response, struct ceremony *ceremony,
               json_t **challenge_out)
{
    unsigned char challenge[CEREMONY_CHALLENGE_BYTES];
    enum err err = person_gate_check_origin(request);

    *challenge_out = NULL;
    if (err == ERR_OK)
        err = person_gate_browser(request, response, &ceremony->browser);
    if (err == ERR_OK)
        err = ceremony_challenge(&gateway_worker_of(request)->vault, ceremony, challenge);
    if (err == ERR_OK)
        *challenge_out = base64url(slice_of(challenge, sizeof(challenge)));
    return err;
}

enum err
passkey_ask_show(struct http_request *request, struct http_response *response, enum ceremony_kind kind,
                 struct id subject, const struct passkey *passkeys, size_t count)
{
    const struct gateway *gateway = gateway_worker_of(request)->gateway;
    struct ceremony ceremony = { .id = id_new(gateway->clock), .kind = kind, .subject = subject };
    json_t *challenge;
    enum err err = ceremony_begin(request, response, &ceremony, &challenge);

    if (err != ERR_OK)
        return err;
    return http_reply_json(request, response, 200,
                           json_pack("{s:o, s:{s:o, s:i, s:o, s:s, s:o}}", "ceremony_id",
                                     show_id(ID_CEREMONY, ceremony.id), "public_key", "challenge", challenge,
                                     "timeout", CEREMONY_MS, "rpId", show_text(gateway->origin.host),
                                     "userVerification", "required", "allowCredentials",
                                     descriptors(passkeys, count)));
}

static json_t *
algorithms(void)
{
    static const int known[] = { COSE_ES256, COSE_EDDSA, COSE_RS256 };
    json_t *list = json_array();

    for (size_t i = 0; i < COUNT_OF(known); i++)
        show_append(&list, json_pack("{s:s, s:i}", "type", "public-key", "alg", known[i]));
    return list;
}

enum err
passkey_ask_new(struct http_request *request, struct http_response *response,
                const struct passkey_ask_new *with)
{
    const struct gateway *gateway = gateway_worker_of(request)->gateway;
    struct ceremony ceremony = { .id = with->ceremony, .kind = with->kind, .subject = with->subject };
    json_t *challenge, *answer = with->more == NULL ? json_object() : with->more;
    enum err err = ceremony_begin(request, response, &ceremony, &challenge);

    if (err != ERR_OK) {
        json_decref(answer);
        return err;
    }
    json_t *key =
        json_pack("{s:{s:o, s:s}, s:{s:o, s:o, s:o}, s:o, s:o, s:i, s:{s:s, s:b, s:s}, s:s, s:o}", "rp", "id",
                  show_text(gateway->origin.host), "name", "Harkara", "user", "id",
                  base64url(slice_of(with->person.bytes, ID_BYTES)), "name", show_text(with->name),
                  "displayName", show_text(with->name), "challenge", challenge, "pubKeyCredParams",
                  algorithms(), "timeout", CEREMONY_MS, "authenticatorSelection", "residentKey", "required",
                  "requireResidentKey", 1, "userVerification", "required", "attestation", "none",
                  "excludeCredentials", descriptors(with->passkeys, with->count));
    show_set(&answer, "ceremony_id", show_id(ID_CEREMONY, ceremony.id));
    if (answer == NULL)
        json_decref(key);
    else
        show_set(&answer, "public_key", key);
    return http_reply_json(request, response, 200, answer);
}

enum err
passkey_answer_read(struct http_request *request, enum ceremony_kind kind, struct id subject,
                    struct passkey_answer *out)
{
    const struct gateway_worker *worker = gateway_worker_of(request);
    const struct origin *origin = &worker->gateway->origin;
    enum err err = person_gate_check_origin(request);

    *out = (struct passkey_answer){ .ceremony = { .kind = kind, .subject = subject } };
    if (err == ERR_OK && id_parse(ID_CEREMONY, json_text_of(request_json(request), "ceremony_id"),
                                  &out->ceremony.id) != ERR_OK)
        err = ERR_CEREMONY;
    if (err == ERR_OK)
        err = ceremony_check_time(worker->gateway->clock, out->ceremony.id);
    if (err == ERR_OK)
        err = person_gate_browser_again(request, &out->ceremony.browser);
    if (err == ERR_OK)
        err = ceremony_challenge(&worker->vault, &out->ceremony, out->challenge);
    out->expected = (struct webauthn_expected){ .challenge = slice_of(out->challenge, sizeof(out->challenge)),
                                                .origins = &origin->whole,
                                                .origin_count = 1,
                                                .rp_id = origin->host };
    return err;
}

static void
refusal_note(const struct http_request *request, enum webauthn_fault fault)
{
    log_event(LOG_WARN, "session.passkey_refused", LOG_ID("request", ID_REQUEST, request->id),
              LOG_WORD("fault", webauthn_fault_word(fault)), LOG_ADDRESS("from", request->peer_address));
}

struct find {
    struct slice credential_id;
    struct arena *arena;
    struct passkey passkey;
};

static enum err
find_in(struct db_tx *tx, void *ctx)
{
    struct find *find = ctx;

    return passkey_find(tx, find->credential_id, find->arena, &find->passkey);
}

enum err
passkey_answer_check(struct http_request *request, struct passkey_answer *answer, struct passkey_shown *out)
{
    const json_t *credential = json_member(request_json(request), "credential");
    struct find find = { .arena = request->arena };
    enum webauthn_fault fault = WEBAUTHN_FAULT_CREDENTIAL;
    enum err err = webauthn_assertion_read(credential, request->arena, &answer->credential);

    *out = (struct passkey_shown){ .passkey = { .person = { { 0 } } } };
    find.credential_id = answer->credential.id;
    if (err == ERR_OK)
        err = platform_read(request, find_in, &find);
    if (err == ERR_OK) {
        struct slice handle = answer->credential.user_handle;
        const struct webauthn_stored stored = { .public_key = find.passkey.public_key,
                                                .sign_count = find.passkey.sign_count,
                                                .is_backup_eligible = find.passkey.is_backup_eligible };
        out->passkey = find.passkey;
        if (handle.len != 0 && !slice_eq(handle, slice_of(find.passkey.person.bytes, ID_BYTES)))
            err = ERR_PASSKEY_REFUSED;
        else
            err = webauthn_assertion_check(&answer->expected, &stored, answer->credential.client_data,
                                           answer->credential.authenticator_data,
                                           answer->credential.signature, &out->assertion, &fault);
    }
    if (err == ERR_ENCODING || err == ERR_NOT_FOUND)
        err = ERR_PASSKEY_REFUSED;
    if (err == ERR_PASSKEY_REFUSED)
        refusal_note(request, fault);
    return err;
}

enum err
passkey_answer_new(struct http_request *request, struct passkey_answer *answer, struct id person,
                   const char *member, struct passkey *out)
{
    const struct clock *clock = gateway_worker_of(request)->gateway->clock;
    const json_t *body = request_json(request);
    struct slice name = json_text_of(body, member);
    struct webauthn_registration made;
    enum webauthn_fault fault = WEBAUTHN_FAULT_CREDENTIAL;
    enum err err =
        webauthn_registration_read(json_member(body, "credential"), request->arena, &answer->credential);

    if (err == ERR_OK)
        err = webauthn_registration_check(&answer->expected, answer->credential.client_data,
                                          answer->credential.attestation_object, &made, &fault);
    if (err == ERR_ENCODING)
        err = ERR_PASSKEY_INVALID;
    if (err == ERR_PASSKEY_INVALID)
        refusal_note(request, fault);
    if (err != ERR_OK)
        return err;
    *out = (struct passkey){ .id = id_new(clock),
                             .person = person,
                             .credential_id = made.credential_id,
                             .public_key = made.public_key,
                             .algorithm = made.algorithm,
                             .sign_count = made.sign_count,
                             .aaguid = made.aaguid,
                             .transports = answer->credential.transports,
                             .is_backup_eligible = made.is_backup_eligible,
                             .is_backed_up = made.is_backed_up,
                             .name = name.len == 0 ? SLICE("Passkey") : name,
                             .created_at = clock_wall(clock) };
    return ERR_OK;
}

enum err
passkey_answer_take(struct db_tx *tx, const struct passkey_answer *answer, const struct passkey_shown *shown,
                    struct wall_time now)
{
    enum err err = ceremony_use(tx, answer->ceremony.id);

    return err == ERR_OK ? passkey_used(tx, shown->passkey.id, shown->assertion.sign_count,
                                        shown->assertion.is_backed_up, now)
                         : err;
}

enum err
passkey_refused(struct http_request *request, enum err err)
{
    const struct gateway_worker *worker = gateway_worker_of(request);
    int wait_s = 0;

    if (err != ERR_PASSKEY_REFUSED && err != ERR_CEREMONY && err != ERR_LINK_INVALID &&
        err != ERR_CODE_REFUSED && err != ERR_IDENTITY_TOKEN && err != ERR_IDENTITY_UNKNOWN)
        return err;
    if (throttle_take(worker->db, worker->gateway->clock, "address", request->peer_address, &wait_s) !=
        ERR_THROTTLED)
        return err;
    request->problem.retry_after_s = (uint32_t)wait_s;
    return ERR_THROTTLED;
}

static enum err
tell(struct http_request *request, enum err err, enum audit_action action, struct id person)
{
    return err == ERR_PASSKEY_REFUSED || err == ERR_CEREMONY || err == ERR_CODE_REFUSED ||
                   err == ERR_IDENTITY_TOKEN || err == ERR_IDENTITY_UNKNOWN || err == ERR_IDENTITY_EMAIL
               ? act_refused(request, action, person, err)
               : err;
}

enum err
passkey_refused_told(struct http_request *request, enum err err, enum audit_action action, struct id person)
{
    return tell(request, passkey_refused(request, err), action, person);
}

enum err
code_refused_told(struct http_request *request, enum err err, enum audit_action action)
{
    return tell(request, err, action, (struct id){ { 0 } });
}

json_t *
passkey_show(const struct passkey *passkey)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:b, s:b}", "id", show_id(ID_PASSKEY, passkey->id), "name",
                     show_text(passkey->name), "created_at", show_time(passkey->created_at), "last_used_at",
                     passkey->was_used ? show_time(passkey->last_used_at) : json_null(), "is_synced",
                     (int)passkey->is_backed_up, "can_be_synced", (int)passkey->is_backup_eligible);
}
