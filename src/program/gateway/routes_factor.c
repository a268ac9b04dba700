/*
 * /v1/me/totp: a person's authenticator application. Its secret is drawn and checked in the vault; it is
 * shown once, to be read by the application, and is a factor from the first right code on.
 * /v1/me/recovery-codes: what is good in place of it, shown once and kept as hashes.
 */
#include "crypto/encode.h"
#include "domain/identity/factors.h"
#include "domain/identity/person.h"
#include "domain/identity/recovery_code.h"
#include "domain/identity/totp.h"
#include "program/gateway/act.h"
#include "program/gateway/person_gate.h"
#include "program/gateway/second_factor.h"
#include "wire/json/json.h"
#include "wire/qr/qr_code.h"

#define SVG_BYTES_MAX ((size_t)128 * 1024)

struct work {
    const struct clock *clock;
    struct arena *arena;
    struct id person, workspace;
    struct totp totp;
    struct second_factor second;
    const struct recovery_codes *codes;
    size_t left;
    struct wall_time made_at; /* us 0: none were made */
    struct audit_act act;
    const struct http_request *request;
    struct secret *token; /* owned: of a session that the first code completes */
};

static struct work
work_of(const struct http_request *request)
{
    return (struct work){ .clock = gateway_worker_of(request)->gateway->clock,
                          .arena = request->arena,
                          .person = gateway_person(request)->session.person,
                          .workspace = request->tenant,
                          .request = request };
}

static enum err
audit(struct db_tx *tx, const struct work *work)
{
    enum err err = db_tx_turn_to(tx, work->workspace);

    return err == ERR_OK ? audit_append(tx, work->clock, &work->act) : err;
}

static enum err
read_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return totp_read(tx, work->person, work->arena, &work->totp);
}

static enum err
totp_show(struct http_request *request, struct http_response *response, const struct totp *totp)
{
    return http_reply_json(request, response, 200,
                           json_pack("{s:b, s:o, s:o}", "is_confirmed", (int)totp->is_confirmed, "created_at",
                                     show_time(totp->created_at), "confirmed_at",
                                     totp->is_confirmed ? show_time(totp->confirmed_at) : json_null()));
}

static enum err
totp_get(struct http_request *request, struct http_response *response)
{
    struct work work = work_of(request);
    enum err err = platform_read(request, read_in, &work);

    return err == ERR_OK ? totp_show(request, response, &work.totp) : err;
}

static enum err
put_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return totp_put(tx, &work->totp, clock_wall(work->clock));
}

/* All of it says the secret: wiped as soon as it is answered. */
static enum err
secret_show(struct http_request *request, struct http_response *response, const struct secret *secret)
{
    const struct gateway_worker *worker = gateway_worker_of(request);
    struct person person;
    struct buf uri, svg, path, text;
    unsigned side = 0;
    enum err err = person_get(worker->db, &worker->vault, gateway_person(request)->session.person,
                              request->arena, &person);

    buf_init(&uri, QR_TEXT_BYTES_MAX);
    buf_init(&path, SVG_BYTES_MAX);
    buf_init(&svg, SVG_BYTES_MAX);
    buf_init(&text, 200);
    if (err == ERR_OK) {
        totp_uri(&uri, SLICE("Harkara"), person.email.len != 0 ? person.email : person.name,
                 secret_slice(secret));
        encode_base32(&text, secret_slice(secret));
        err = buf_done(&uri);
    }
    if (err == ERR_OK)
        err = qr_path(buf_slice(&uri), &path, &side);
    if (err == ERR_OK) {
        buf_add_format(&svg, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %u %u\"><path d=\"",
                       side, side);
        buf_add(&svg, buf_slice(&path));
        buf_add_text(&svg, "\" shape-rendering=\"crispEdges\"/></svg>");
        err = buf_done(&svg);
    }
    if (err == ERR_OK)
        err = buf_done(&text);
    if (err == ERR_OK)
        err = http_reply_json(request, response, 200,
                              json_pack("{s:o, s:o, s:o}", "secret", show_text(buf_slice(&text)), "uri",
                                        show_text(buf_slice(&uri)), "qr_svg", show_text(buf_slice(&svg))));
    buf_release_wiped(&text);
    buf_release_wiped(&svg);
    buf_release_wiped(&path);
    buf_release_wiped(&uri);
    return err;
}

static enum err
totp_post(struct http_request *request, struct http_response *response)
{
    struct work work = work_of(request);
    struct secret *secret = NULL;
    enum err err = platform_read(request, read_in, &work);

    if (err == ERR_OK && work.totp.is_confirmed)
        return ERR_EXISTS;
    uint32_t earlier = err == ERR_OK ? work.totp.generation : 0;
    if (err == ERR_NOT_FOUND)
        err = ERR_OK;
    if (err == ERR_OK)
        err = totp_make(&gateway_worker_of(request)->vault, work.person, earlier, request->arena, &work.totp,
                        &secret);
    if (err == ERR_OK)
        err = platform_write(request, put_in, &work);
    if (err == ERR_OK)
        err = secret_show(request, response, secret);
    secret_free(secret);
    return err;
}

static enum err
confirm_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = second_factor_take(tx, work->clock, &work->second);

    if (err == ERR_OK)
        err = read_in(tx, work);
    if (err == ERR_OK)
        err = person_gate_complete(tx, work->request, SESSION_TOTP, &work->token);
    return err == ERR_OK ? audit(tx, work) : err;
}

static enum err
totp_confirm(struct http_request *request, struct http_response *response)
{
    const struct id none = { { 0 } };
    struct work work = work_of(request);
    enum err err =
        second_factor_first(request, work.person, json_text_of(request_json(request), "code"), &work.second);

    if (err == ERR_OK)
        err = act_begin(request, AUDIT_TOTP_ADDED, ID_PERSON, none, &work.act);
    if (err == ERR_OK)
        err = platform_write(request, confirm_in, &work);
    if (err == ERR_OK)
        err = person_gate_renew(request, response, work.token);
    secret_free(work.token);
    return err == ERR_OK ? totp_show(request, response, &work.totp) : err;
}

/* Who signs in by a provider keeps a second factor; codes for an emergency are none to live by. */
static enum err
delete_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    unsigned factors = 0;
    enum err err = totp_delete(tx, work->person);

    if (err == ERR_OK)
        err = factors_of(tx, work->person, &factors);
    if (err == ERR_OK && (factors & SESSION_PASSKEY) == 0)
        err = ERR_STATE_CONFLICT;
    return err == ERR_OK ? audit(tx, work) : err;
}

static enum err
totp_remove(struct http_request *request, struct http_response *response)
{
    const struct id none = { { 0 } };
    struct work work = work_of(request);
    enum err err = act_begin(request, AUDIT_TOTP_REMOVED, ID_PERSON, none, &work.act);

    if (err == ERR_OK)
        err = platform_write(request, delete_in, &work);
    if (err == ERR_STATE_CONFLICT)
        request->problem.detail = SLICE("It is the only second factor: add a passkey before.");
    return err == ERR_OK ? http_reply_empty(response, 204) : err;
}

static enum err
left_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return recovery_codes_left(tx, work->person, &work->left, &work->made_at);
}

static enum err
recovery_codes_get(struct http_request *request, struct http_response *response)
{
    struct work work = work_of(request);
    enum err err = platform_read(request, left_in, &work);

    return err == ERR_OK
               ? http_reply_json(request, response, 200,
                                 json_pack("{s:I, s:o}", "left_count", (json_int_t)work.left, "made_at",
                                           work.made_at.us == 0 ? json_null() : show_time(work.made_at)))
               : err;
}

static enum err
codes_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = recovery_codes_put(tx, work->person, work->codes, work->made_at);

    return err == ERR_OK ? audit(tx, work) : err;
}

/* Their text is in the answer and nowhere else. */
static enum err
recovery_codes_post(struct http_request *request, struct http_response *response)
{
    struct work work = work_of(request);
    struct recovery_codes codes = { .text = { { 0 } } };
    enum err err = recovery_codes_make(&codes);

    work.codes = &codes;
    work.made_at = clock_wall(work.clock);
    if (err == ERR_OK)
        err = act_begin(request, AUDIT_RECOVERY_CODES_MADE, ID_PERSON, work.person, &work.act);
    if (err == ERR_OK)
        err = platform_write(request, codes_in, &work);
    if (err == ERR_OK) {
        json_t *list = json_array();
        for (size_t i = 0; i < RECOVERY_CODES; i++)
            show_append(&list, show_text(slice_of(codes.text[i], sizeof(codes.text[i]))));
        err = http_reply_json(request, response, 200,
                              json_pack("{s:o, s:o}", "codes", list, "made_at", show_time(work.made_at)));
    }
    recovery_codes_wipe(&codes);
    return err;
}

const struct http_route factor_routes[] = {
    { HTTP_GET, "/v1/me/totp", totp_get, "getTotp", HTTP_ACCESS_SESSION, NULL, .half = HTTP_HALF_SET_UP },
    { HTTP_POST, "/v1/me/totp", totp_post, "beginTotp", HTTP_ACCESS_SESSION, NULL, .needs_step_up = true,
      .half = HTTP_HALF_SET_UP },
    { HTTP_POST, "/v1/me/totp/confirm", totp_confirm, "confirmTotp", HTTP_ACCESS_SESSION, NULL,
      .body_bytes_max = 1024, .needs_step_up = true, .half = HTTP_HALF_SET_UP },
    { HTTP_DELETE, "/v1/me/totp", totp_remove, "removeTotp", HTTP_ACCESS_SESSION, NULL,
      .needs_step_up = true },
    { HTTP_GET, "/v1/me/recovery-codes", recovery_codes_get, "getRecoveryCodes", HTTP_ACCESS_SESSION, NULL },
    { HTTP_POST, "/v1/me/recovery-codes", recovery_codes_post, "makeRecoveryCodes", HTTP_ACCESS_SESSION, NULL,
      .needs_step_up = true },
    { .handler = NULL },
};
