#include "program/gateway/me.h"
#include "domain/identity/email_change.h"
#include "program/gateway/person_gate.h"
#include "wire/json/json.h"

enum err
me_load(struct http_request *request, struct person *out)
{
    const struct gateway_worker *worker = gateway_worker_of(request);

    return person_get(worker->db, &worker->vault, gateway_person(request)->session.person, request->arena,
                      out);
}

enum err
me_audit(struct db_tx *tx, const struct http_request *request, const struct audit_act *act)
{
    enum err err = db_tx_turn_to(tx, request->tenant);

    return err == ERR_OK ? audit_append(tx, gateway_worker_of(request)->gateway->clock, act) : err;
}

struct pending {
    const struct clock *clock;
    struct id person;
    struct arena *arena;
    bool is_there;
    struct email_change change;
};

static enum err
pending_in(struct db_tx *tx, void *ctx)
{
    struct pending *pending = ctx;
    enum err err = email_change_get(tx, pending->clock, pending->person, pending->arena, &pending->change);

    pending->is_there = err == ERR_OK;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* null when nothing is under way. *out is owned. */
static enum err
pending_show(struct http_request *request, struct id person, json_t **out)
{
    const struct gateway_worker *worker = gateway_worker_of(request);
    struct pending pending = { .clock = worker->gateway->clock, .person = person, .arena = request->arena };
    struct slice email;
    enum err err = platform_read(request, pending_in, &pending);

    if (err == ERR_OK && !pending.is_there) {
        *out = json_null();
        return ERR_OK;
    }
    if (err == ERR_OK)
        err = email_change_open(&worker->vault, &pending.change, request->arena, &email);
    if (err == ERR_OK)
        *out = json_pack("{s:o, s:s, s:o, s:o}", "email", show_text(email), "delivery",
                         pending.change.is_mailed ? "mail" : "link", "created_at",
                         show_time(pending.change.created_at), "expires_at",
                         show_time(pending.change.expires_at));
    return err;
}

enum err
me_reply(struct http_request *request, struct http_response *response, const struct person *person)
{
    json_t *pending = NULL;
    enum err err = pending_show(request, person->id, &pending);

    if (err != ERR_OK)
        return err;
    return http_reply_json(
        request, response, 200,
        json_pack("{s:o, s:o, s:o, s:b, s:o, s:s, s:o}", "id", show_id(ID_PERSON, person->id), "name",
                  show_text(person->name), "email", show_text_or_null(person->email), "is_email_verified",
                  (int)person->is_email_verified, "pending_email", pending, "language",
                  person->reads_hindi ? "hi" : "en", "created_at", show_time(person->created_at)));
}
