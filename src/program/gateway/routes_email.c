/*
 * /v1/me/email: another address for a person. It is theirs when they open a link, signed in; a link that was
 * sent to the address shows that it is theirs, one that was shown to them does not, and the address stays
 * unverified then.
 */
#include "domain/identity/email_change.h"
#include "domain/identity/enrolment.h"
#include "domain/identity/throttle.h"
#include "program/gateway/act.h"
#include "program/gateway/me.h"
#include "program/gateway/passkey_ask.h"
#include "program/gateway/person_gate.h"
#include "wire/json/json.h"

struct work {
    struct http_request *request;
    const struct clock *clock;
    struct id person;
    struct slice token;
    struct email_change change;
    struct person_sealed sealed;
    struct audit_act act;
};

static struct work
work_of(struct http_request *request)
{
    return (struct work){ .request = request,
                          .clock = gateway_worker_of(request)->gateway->clock,
                          .person = gateway_person(request)->session.person };
}

/* Links that a person asks for are counted as guesses are: nobody is flooded with them. */
static enum err
throttle(struct http_request *request, struct id person)
{
    const struct gateway_worker *worker = gateway_worker_of(request);
    int wait_s = 0;
    enum err err =
        throttle_take(worker->db, worker->gateway->clock, "email", slice_of(person.bytes, ID_BYTES), &wait_s);

    if (err == ERR_THROTTLED)
        request->problem.retry_after_s = (uint32_t)wait_s;
    return err;
}

static enum err
put_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = email_change_put(tx, work->clock, &work->change);

    return err == ERR_OK ? me_audit(tx, work->request, &work->act) : err;
}

static enum err
email_reply(struct http_request *request, struct http_response *response, const struct email_change *change,
            struct slice email, const struct secret *token)
{
    struct slice link =
        arena_format(request->arena, "%s/confirm-email#%.*s",
                     gateway_worker_of(request)->gateway->origin.text, SLICE_FMT(secret_slice(token)));

    return link.ptr == NULL
               ? ERR_NO_MEMORY
               : http_reply_json(request, response, 202,
                                 json_pack("{s:o, s:s, s:o, s:o, s:o}", "email", show_text(email), "delivery",
                                           "link", "created_at", show_time(change->created_at), "expires_at",
                                           show_time(change->expires_at), "link", show_text(link)));
}

static enum err
email_post(struct http_request *request, struct http_response *response)
{
    struct work work = work_of(request);
    struct secret *token = NULL;
    struct slice email;
    enum err err = person_email_read(json_text_of(request_json(request), "email"), request->arena, &email);

    if (err == ERR_CONTRACT)
        problem_add(&request->problem, request->arena, SLICE("/email"), SLICE("is no e-mail address"));
    if (err == ERR_OK)
        err = throttle(request, work.person);
    work.change = (struct email_change){ .id = id_new(work.clock), .person = work.person };
    if (err == ERR_OK)
        err = email_change_seal(&gateway_worker_of(request)->vault, email, request->arena, &work.change);
    if (err == ERR_OK)
        err = enrolment_token_draw(&token, work.change.token_hash);
    if (err == ERR_OK)
        err = act_begin(request, AUDIT_PERSON_EMAIL_ASKED, ID_PERSON, work.person, &work.act);
    if (err == ERR_OK)
        err = platform_write(request, put_in, &work);
    if (err == ERR_OK)
        err = email_reply(request, response, &work.change, email, token);
    secret_free(token);
    return err;
}

static enum err
drop_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = email_change_drop(tx, work->clock, work->person, &work->change.id);

    return err == ERR_OK ? me_audit(tx, work->request, &work->act) : err;
}

static enum err
email_delete(struct http_request *request, struct http_response *response)
{
    struct work work = work_of(request);
    enum err err = act_begin(request, AUDIT_PERSON_EMAIL_DROPPED, ID_PERSON, work.person, &work.act);

    if (err == ERR_OK)
        err = platform_write(request, drop_in, &work);
    return err == ERR_OK ? http_reply_empty(response, 204) : err;
}

static enum err
find_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return email_change_find(tx, work->clock, work->person, work->token, work->request->arena, &work->change);
}

static enum err
confirm_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = email_change_use(tx, work->clock, work->change.id);

    if (err == ERR_OK)
        err = person_update(tx, work->clock, &work->sealed);
    return err == ERR_OK ? me_audit(tx, work->request, &work->act) : err;
}

static enum err
email_confirm(struct http_request *request, struct http_response *response)
{
    const struct gateway_worker *worker = gateway_worker_of(request);
    struct work work = work_of(request);
    struct person person;

    work.token = json_text_of(request_json(request), "token");
    enum err err = platform_read(request, find_in, &work);
    if (err == ERR_OK)
        err = me_load(request, &person);
    if (err == ERR_OK)
        err = email_change_open(&worker->vault, &work.change, request->arena, &person.email);
    if (err == ERR_OK) {
        person.is_email_verified = work.change.is_mailed;
        person.generation++;
        err = person_seal(&worker->vault, &person, request->arena, &work.sealed);
    }
    if (err == ERR_OK)
        err = act_begin(request, AUDIT_PERSON_EMAIL_CHANGED, ID_PERSON, work.person, &work.act);
    if (err == ERR_OK)
        err = platform_write(request, confirm_in, &work);
    if (err == ERR_EXISTS)
        request->problem.detail = SLICE("The address is another person's already.");
    return err == ERR_OK ? me_reply(request, response, &person) : passkey_refused(request, err);
}

const struct http_route email_routes[] = {
    { HTTP_POST, "/v1/me/email", email_post, "changeEmail", HTTP_ACCESS_SESSION, NULL, .body_bytes_max = 4096,
      .needs_step_up = true },
    { HTTP_DELETE, "/v1/me/email", email_delete, "dropEmailChange", HTTP_ACCESS_SESSION, NULL },
    { HTTP_POST, "/v1/me/email/confirm", email_confirm, "confirmEmail", HTTP_ACCESS_SESSION, NULL,
      .body_bytes_max = 4096 },
    { .handler = NULL },
};
