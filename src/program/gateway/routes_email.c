/*
 * /v1/me/email: another address for a person. It is theirs when they open a link, signed in; a link that was
 * sent to the address shows that it is theirs, one that was shown to them does not, and the address stays
 * unverified then.
 */
#include "domain/identity/email_change.h"
#include "domain/identity/enrolment.h"
#include "domain/identity/throttle.h"
#include "program/gateway/act.h"
#include "program/gateway/mailing.h"
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
    struct mailing mailing;
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

    if (err == ERR_OK)
        err = me_audit(tx, work->request, &work->act);
    return err == ERR_OK ? mailing_put(tx, &work->mailing) : err;
}

static enum err
email_reply(struct http_request *request, struct http_response *response, const struct email_change *change,
            struct slice email, struct slice link)
{
    json_t *shown = json_pack("{s:o, s:s, s:o, s:o}", "email", show_text(email), "delivery",
                              change->is_mailed ? "mail" : "link", "created_at",
                              show_time(change->created_at), "expires_at", show_time(change->expires_at));

    if (!change->is_mailed)
        show_set(&shown, "link", show_text(link));
    return http_reply_json(request, response, 202, shown);
}

/* The mail with the link, where mail is sent; the person who reads it is the one who asks. */
static enum err
link_mail(struct http_request *request, struct work *work, struct slice email, struct slice link)
{
    struct person person;
    enum err err = me_load(request, &person);

    return err != ERR_OK ? err
                         : mailing_link(request,
                                        &(struct notice){ .kind = NOTICE_EMAIL_CONFIRM,
                                                          .language = mailing_language(&person),
                                                          .about = work->person, /* one at a time */
                                                          .expires_at = wall_after_ms(clock_wall(work->clock),
                                                                                      EMAIL_CHANGE_MS),
                                                          .to = email,
                                                          .name = person.name,
                                                          .link = link },
                                        &work->mailing);
}

static enum err
email_post(struct http_request *request, struct http_response *response)
{
    struct work work = work_of(request);
    struct secret *token = NULL;
    struct slice email, link = SLICE_EMPTY;
    enum err err = person_email_read(json_text_of(request_json(request), "email"), request->arena, &email);

    if (err == ERR_CONTRACT)
        problem_add(&request->problem, request->arena, SLICE("/email"), SLICE("is no e-mail address"));
    if (err == ERR_OK)
        err = throttle(request, work.person);
    work.change = (struct email_change){ .id = id_new(work.clock),
                                         .person = work.person,
                                         .is_mailed = mailing_is_on(request) };
    if (err == ERR_OK)
        err = email_change_seal(&gateway_worker_of(request)->vault, email, request->arena, &work.change);
    if (err == ERR_OK)
        err = enrolment_token_draw(&token, work.change.token_hash);
    if (err == ERR_OK) {
        link = mailing_page(request, "confirm-email", token);
        err = link.ptr == NULL ? ERR_NO_MEMORY : link_mail(request, &work, email, link);
    }
    if (err == ERR_OK)
        err = act_begin(request, AUDIT_PERSON_EMAIL_ASKED, ID_PERSON, work.person, &work.act);
    if (err == ERR_OK)
        err = platform_write(request, put_in, &work);
    if (err == ERR_OK)
        err = email_reply(request, response, &work.change, email, link);
    secret_free(token);
    return err;
}

static enum err
drop_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = email_change_drop(tx, work->clock, work->person);

    if (err == ERR_OK)
        err = me_audit(tx, work->request, &work->act);
    return err == ERR_OK ? mailing_withdraw(tx, work->request, work->person) : err;
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
    if (err == ERR_OK)
        err = me_audit(tx, work->request, &work->act);
    return err == ERR_OK ? mailing_put(tx, &work->mailing) : err;
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
    if (err == ERR_OK) /* to the address that was: whoever took the account over has the new one */
        err = mailing_news(request, &person, NOTICE_EMAIL_CHANGED, SLICE_EMPTY, SLICE_EMPTY, &work.mailing);
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
