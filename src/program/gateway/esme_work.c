/*
 * The two threads behind the loop of SMPP links. One looks at passwords, which takes tens of milliseconds
 * each; the other accepts what is submitted and finds what is owed. Each has its own connection.
 */
#include "core/log.h"
#include "domain/identity/authentication.h"
#include "program/gateway/esme_internal.h"
#include "wire/smpp/smpp_status.h"

void
esme_back(struct esme_server *server, struct esme_job *job)
{
    mailbox_put(&server->back, &job->item);
}

enum err
esme_mended(struct gateway_worker *worker, enum err err)
{
    if (err == ERR_DB_UNAVAILABLE && db_reopen(worker->db, 1000) != ERR_OK)
        log_event(LOG_WARN, "gateway.database_away", LOG_ERR(err));
    return err;
}

/* Binds. */

/* Whose it is, whether his key may be used now and from there, and that he is no stranger who guesses. */
static enum err
bind_judge(struct esme_server *server, struct esme_bind *bind)
{
    struct gateway_worker *worker = server->binder;
    struct api_principal principal;
    struct http_request request = { .worker = worker,
                                    .peer_address = slice_text(bind->address),
                                    .arena = arena_new(64 * 1024) };
    enum err err = request.arena == NULL ? ERR_NO_MEMORY : limiter_judge(&request, HTTP_LIMIT_ARRIVED);

    if (err == ERR_OK)
        err = smpp_account_verify(worker->db, slice_text(bind->system_id), slice_text(bind->password),
                                  &bind->account);
    if (err == ERR_OK)
        limiter_clear(server->gateway->limiter, &request);
    if (err == ERR_OK)
        err = api_principal_load(worker->db, bind->account.key, &principal);
    if (err == ERR_OK)
        err = authentication_judge(&principal, clock_wall(server->gateway->clock), slice_text(bind->address),
                                   API_SCOPE_MESSAGES_SEND);
    if (err == ERR_OK) {
        enum err noted = api_key_note_use(worker->db, bind->account.tenant, bind->account.key,
                                          clock_wall(server->gateway->clock), slice_text(bind->address));
        if (noted != ERR_OK)
            log_event(LOG_WARN, "gateway.smpp_unnoted", LOG_ERR(noted));
    }
    arena_free(request.arena);
    return esme_mended(worker, err);
}

void *
esme_bind_run(void *ctx)
{
    struct esme_server *server = ctx;
    struct esme_job *job;

    while ((job = esme_queue_take(&server->binds)) != NULL) {
        struct esme_bind *bind = (struct esme_bind *)job;
        enum err err = bind_judge(server, bind);
        explicit_bzero(bind->password, sizeof(bind->password));
        /* Nothing is told of an account before its password has matched. */
        bool is_ours = err_class(err) == ERR_CLASS_UNAVAILABLE || err_class(err) == ERR_CLASS_INTERNAL;
        bind->status = err == ERR_OK            ? SMPP_OK
                       : is_ours                ? SMPP_SYSTEM_ERROR
                       : err == ERR_KEY_INVALID ? SMPP_INVALID_PASSWORD
                                                : SMPP_BIND_FAILED;
        if (err != ERR_OK)
            log_event(LOG_INFO, "gateway.smpp_refused", LOG_ERR(err),
                      LOG_ADDRESS("from", slice_text(bind->address)));
        esme_back(server, job);
    }
    return NULL;
}

/*
 * A submit, and those that wait behind it, accepted together. What was taken from the queue after them, or
 * NULL.
 */
static struct esme_job *
submits_run(struct esme_server *server, struct esme_job *job)
{
    struct gateway_worker *worker = server->worker;
    struct esme_submit *ready[ESME_TOGETHER_MAX];
    size_t ready_count = 0;

    for (size_t seen = 1; job != NULL && job->kind == ESME_SUBMIT; seen++) {
        struct esme_submit *submit = (struct esme_submit *)job;
        enum err err = esme_mended(worker, esme_submit_take(worker, submit));
        if (err == ERR_DEFERRED) {
            ready[ready_count++] = submit;
        } else {
            submit->status = esme_status_of(err);
            esme_back(server, job);
        }
        job = seen < ESME_TOGETHER_MAX ? esme_queue_try(&server->work) : NULL;
    }
    if (ready_count > 0)
        esme_submits_accept(worker, ready, ready_count);
    return job;
}

static void
noted(enum err err)
{
    if (err != ERR_OK) /* found again, or forgotten in the end */
        log_event(LOG_WARN, "gateway.smpp_unnoted", LOG_ERR(err));
}

void *
esme_work_run(void *ctx)
{
    struct esme_server *server = ctx;
    struct gateway_worker *worker = server->worker;
    struct esme_job *job;

    while ((job = esme_queue_take(&server->work)) != NULL) {
        if (job->kind == ESME_SUBMIT)
            job = submits_run(server, job);
        if (job == NULL)
            continue;
        struct esme_due *due = (struct esme_due *)job;
        switch (job->kind) {
        case ESME_NOTE:
            noted(esme_mended(worker, esme_submit_note(worker, (struct esme_submit *)job)));
            break;
        case ESME_LOOK:
            due->err = esme_mended(worker, esme_due_look(worker, due));
            noted(due->err);
            break;
        case ESME_SETTLE:
            due->err = esme_mended(worker, esme_due_settle(worker, due));
            noted(due->err);
            break;
        case ESME_SWEEP:
            noted(esme_mended(worker, esme_sweep(worker)));
            break;
        case ESME_SUBMIT:
        case ESME_BIND:
            bug("a submit behind submits, or a bind among the work");
        }
        esme_back(server, job);
    }
    return NULL;
}
