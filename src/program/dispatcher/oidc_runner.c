#include "program/dispatcher/oidc_runner.h"
#include "core/log.h"
#include "domain/identity/oidc_issuer.h"
#include "domain/identity/oidc_task.h"
#include "domain/tenant/tenant.h"
#include "domain/tenant/tenant_key.h"
#include "program/dispatcher/oidc_exchanger.h"
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ARENA_BYTES  (2u * 1024u * 1024u)
#define IDLE_MS_MAX  5000 /* tasks come with a notice; this finds what a lost one left */
#define PAUSE_MS     500
#define DB_REOPEN_MS 5000

struct worker {
    struct oidc_runner *runner;
    struct db *db;
    struct vault vault;
    struct oidc_exchanger *exchanger;
    struct arena *arena; /* of a task; wiped after it */
    pthread_t thread;
    bool has_thread;
    int wake_fd;
};

struct oidc_runner {
    struct oidc_runner_config config;
    atomic_bool is_draining;
    struct worker workers[OIDC_RUNNER_THREADS];
    size_t count; /* opened; of who opens and frees */
};

struct work {
    struct arena *arena;
    const struct clock *clock;
    struct oidc_task_claim claim;
    struct oidc_issuer issuer;
    struct vault_sealed secret;
    enum oidc_task_outcome outcome;
    const struct oidc_discovery *discovery; /* that was asked for and came */
    struct vault_sealed answer;
    bool has_answer;
};

static enum err
take_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = oidc_task_take(tx, work->arena, &work->claim);

    if (err == ERR_OK)
        err = oidc_issuer_get(tx, work->claim.issuer, work->arena, &work->issuer);
    return err == ERR_OK ? oidc_issuer_secret_read(tx, work->claim.issuer, work->arena, &work->secret) : err;
}

static enum err
settle_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = ERR_OK;

    if (work->discovery != NULL)
        err = oidc_issuer_discovered(tx, work->claim.issuer, work->discovery->authorization_endpoint,
                                     work->discovery->names_itself, clock_wall(work->clock));
    return err == ERR_OK
               ? oidc_task_settle(tx, work->claim.id, work->outcome, work->has_answer ? &work->answer : NULL)
               : err;
}

static enum err
exchange(struct worker *worker, struct work *work, struct oidc_trouble *trouble)
{
    const struct vault_place place = oidc_issuer_secret_place(work->claim.issuer);
    struct oidc_party party = { .issuer = work->issuer.issuer, .client_id = work->issuer.client_id };
    struct secret *secret = NULL, *plain = NULL;
    struct oidc_task_request request;
    struct id_token token;
    enum err err = jws_algorithm_from(work->issuer.algorithm, &party.algorithm);

    if (err == ERR_OK)
        err = vault_open(&worker->vault, VAULT_CREDENTIAL, &place, &work->secret, &secret);
    if (err == ERR_OK)
        err = oidc_task_request_open(&worker->vault, &work->claim, &plain, &request);
    if (err == ERR_OK) {
        const struct oidc_exchange with = { .client_id = party.client_id,
                                            .client_secret = secret_slice(secret),
                                            .redirect_uri = request.redirect_uri,
                                            .code = request.code,
                                            .verifier = request.verifier };
        err = oidc_exchanger_run(worker->exchanger, &party, &with, request.nonce, worker->arena, &token,
                                 trouble);
    }
    if (err == ERR_OK) {
        const struct oidc_task_answer answer = { .subject = token.subject,
                                                 .email = token.email,
                                                 .is_email_verified = token.is_email_verified };
        err = oidc_task_answer_seal(&worker->vault, work->claim.id, &answer, worker->arena, &work->answer);
        work->has_answer = err == ERR_OK;
    }
    secret_free(plain);
    secret_free(secret);
    return err;
}

static enum oidc_task_outcome
outcome_of(enum err err)
{
    if (err == ERR_OK)
        return OIDC_TASK_DONE;
    return err == ERR_IDENTITY_TOKEN ? OIDC_TASK_REFUSED : OIDC_TASK_FAILED;
}

/* One task. ERR_NOTHING: there was none. Whatever became of the call, whoever waits is told. */
static enum err
worker_step(struct worker *worker)
{
    const struct oidc_runner_config *config = &worker->runner->config;
    struct work work = { .arena = worker->arena, .clock = config->clock };
    struct oidc_trouble trouble = { .step = OIDC_STEP_DONE };
    enum err err = db_run(worker->db, tenant_platform, take_in, &work), why;

    if (err != ERR_OK)
        return err;
    if (work.claim.kind == OIDC_TASK_DISCOVERY)
        why = oidc_exchanger_discover(worker->exchanger, work.issuer.issuer, &work.discovery, &trouble);
    else
        why = exchange(worker, &work, &trouble);
    work.outcome = outcome_of(why);
    log_event(why == ERR_OK ? LOG_INFO : LOG_WARN, "oidc.task_ended",
              LOG_ID("issuer", ID_ISSUER, work.claim.issuer),
              LOG_WORD("kind", work.claim.kind == OIDC_TASK_DISCOVERY ? "discovery" : "exchange"),
              LOG_WORD("step", oidc_step_word(trouble.step)),
              LOG_WORD("fault", id_token_fault_word(trouble.fault)), LOG_NUM("status", trouble.status),
              LOG_ERR(why));
    err = db_run(worker->db, tenant_platform, settle_in, &work);
    return err == ERR_NOT_FOUND ? ERR_OK : err; /* nobody waits any more, or the issuer was taken away */
}

static void
on_notice(void *ctx, struct slice channel UNUSED, struct slice payload UNUSED)
{
    *(bool *)ctx = true;
}

static enum err
worker_wait(struct worker *worker)
{
    struct pollfd fds[] = { { .fd = worker->wake_fd, .events = POLLIN },
                            { .fd = db_fd(worker->db), .events = POLLIN } };
    bool was_told = false;
    enum err err = db_notifications(worker->db, on_notice, &was_told); /* they may come with an answer */

    if (err != ERR_OK || was_told)
        return err;
    if (poll(fds, COUNT_OF(fds), IDLE_MS_MAX) < 0)
        return ERR_OK; /* interrupted: look again */
    return db_notifications(worker->db, on_notice, &was_told);
}

static void *
worker_run(void *ctx)
{
    struct worker *worker = ctx;

    while (!atomic_load(&worker->runner->is_draining)) {
        enum err err = worker_step(worker);
        arena_reset(worker->arena);
        if (err == ERR_NOTHING)
            err = worker_wait(worker);
        if (err == ERR_OK)
            continue;
        log_event(err_class(err) == ERR_CLASS_UNAVAILABLE ? LOG_WARN : LOG_ERROR, "oidc.runner_failed",
                  LOG_ERR(err));
        if (err != ERR_DB_UNAVAILABLE || db_reopen(worker->db, DB_REOPEN_MS) != ERR_OK)
            (void)poll(&(struct pollfd){ .fd = worker->wake_fd, .events = POLLIN }, 1, PAUSE_MS);
    }
    return NULL;
}

static enum err
worker_open(struct worker *worker, struct oidc_runner *runner)
{
    const struct oidc_runner_config *config = &runner->config;
    enum err err = ERR_NO_MEMORY;

    *worker = (struct worker){ .runner = runner };
    worker->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (worker->wake_fd < 0)
        return ERR_SYSTEM;
    worker->arena = arena_new(ARENA_BYTES);
    if (worker->arena != NULL)
        err =
            oidc_exchanger_new(&(struct oidc_exchanger_config){ .ca_file = config->ca_file,
                                                                .clock = config->clock,
                                                                .allows_loopback = config->allows_loopback },
                               &worker->exchanger);
    if (err == ERR_OK)
        err = db_open(config->database, &worker->db);
    if (err == ERR_OK)
        err = db_listen(worker->db, OIDC_TASK_ASKED);
    worker->vault = tenant_vault(config->vault_client, worker->db);
    if (err == ERR_OK && pthread_create(&worker->thread, NULL, worker_run, worker) != 0)
        err = ERR_SYSTEM;
    worker->has_thread = err == ERR_OK;
    return err;
}

enum err
oidc_runner_new(const struct oidc_runner_config *config, struct oidc_runner **out)
{
    struct oidc_runner *runner = calloc(1, sizeof(*runner));
    enum err err = ERR_OK;

    if (runner == NULL)
        return ERR_NO_MEMORY;
    runner->config = *config;
    while (err == ERR_OK && runner->count < OIDC_RUNNER_THREADS)
        err = worker_open(&runner->workers[runner->count++], runner);
    if (err == ERR_OK) {
        *out = runner;
        return ERR_OK;
    }
    oidc_runner_free(runner);
    return err;
}

void
oidc_runner_drain(struct oidc_runner *runner)
{
    static const uint64_t one = 1;

    atomic_store(&runner->is_draining, true);
    for (size_t i = 0; i < runner->count; i++)
        if (write(runner->workers[i].wake_fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
            log_event(LOG_DEBUG, "oidc.wake_failed", LOG_ERR(ERR_SYSTEM)); /* it looks every few seconds */
}

void
oidc_runner_free(struct oidc_runner *runner)
{
    if (runner == NULL)
        return;
    oidc_runner_drain(runner);
    for (size_t i = 0; i < runner->count; i++) {
        struct worker *worker = &runner->workers[i];
        if (worker->has_thread)
            pthread_join(worker->thread, NULL);
        oidc_exchanger_free(worker->exchanger);
        db_close(worker->db);
        arena_free(worker->arena);
        if (worker->wake_fd >= 0)
            close(worker->wake_fd);
    }
    free(runner);
}
