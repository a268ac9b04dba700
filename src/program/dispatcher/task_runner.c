#include "program/dispatcher/task_runner.h"
#include "core/log.h"
#include "core/metric.h"
#include "crypto/random.h"
#include "domain/tenant/tenant_key.h"
#include "program/dispatcher/task_internal.h"
#include "program/dispatcher/task_plan.h"
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ARENA_BYTES        (32u * 1024u * 1024u)
#define RESPONSE_BYTES_MAX (4u << 20) /* a page of templates */
#define IDLE_MS_MAX        5000       /* tasks come with a notice; this finds what a lost one left */
#define TAKE_OVER_MS       1000
#define CLAIM_LEASE_MS     60000 /* from the claim to the first call */
#define DB_REOPEN_MS       5000
#define MEDIA_WAIT_MS      250 /* who ends with media looks at once; this is for what others leave */
#define TASK_THREADS_MAX   16u /* HARKARA_TASK_THREADS */

struct task_pool {
    struct task_pool_config config;
    atomic_bool is_draining, is_stopping;
    atomic_size_t busy;
    pthread_mutex_t lock; /* of each runner's media_for, and of served */
    struct id served;     /* the tenant whose task was claimed last */
    size_t count;         /* opened; of who opens and frees */
    struct task_runner *runners;
};

bool
task_pool_is_stopping(const struct task_pool *pool)
{
    return atomic_load(&pool->is_stopping);
}

static enum err
client_new(struct task_runner *runner)
{
    return http_client_new(&(struct http_client_config){ .ca_file = runner->config->config->ca_file,
                                                         .guard = runner->config->guard,
                                                         .in_flight_max = 1,
                                                         .connections_per_host_max = 1,
                                                         .response_bytes_max = RESPONSE_BYTES_MAX,
                                                         .user_agent = "Harkara/" HARKARA_VERSION },
                           &runner->http);
}

static size_t
threads_of(const struct task_pool *pool)
{
    return (size_t)pool->config.config->task_threads;
}

/* Media may take minutes: one thread is always there for what does not. */
static size_t
media_max(const struct task_pool *pool)
{
    return threads_of(pool) > 1 ? threads_of(pool) - 1 : 1;
}

static size_t
media_of(const struct task_pool *pool, struct id tenant)
{
    size_t count = 0;

    for (size_t i = 0; i < threads_of(pool); i++)
        count += id_eq(pool->runners[i].media_for, tenant);
    return count;
}

static size_t
media_count(const struct task_pool *pool)
{
    return threads_of(pool) - media_of(pool, (struct id){ { 0 } });
}

/* What may be claimed now; `sated` has room for one tenant of each runner. */
static struct provider_task_wish
wish_of(struct task_pool *pool, struct id *sated)
{
    struct provider_task_wish wish = { .lease_ms = CLAIM_LEASE_MS, .sated = sated };
    size_t most = (size_t)pool->config.config->media_tenant_in_flight_max;

    pthread_mutex_lock(&pool->lock);
    wish.served = pool->served;
    wish.no_media = media_count(pool) >= media_max(pool);
    for (size_t i = 0; i < threads_of(pool); i++)
        if (!id_is_zero(pool->runners[i].media_for) && media_of(pool, pool->runners[i].media_for) >= most)
            sated[wish.sated_count++] = pool->runners[i].media_for;
    pthread_mutex_unlock(&pool->lock);
    return wish;
}

/* false: another thread has claimed media at the same moment, and this one would be over a limit. */
static bool
claim_admit(struct task_runner *runner, const struct provider_task_claim *claim)
{
    struct task_pool *pool = runner->pool;
    bool is_media = claim->is_known && claim->moves_media, is_admitted;

    pthread_mutex_lock(&pool->lock);
    pool->served = claim->tenant;
    is_admitted = !is_media ||
                  (media_count(pool) < media_max(pool) &&
                   media_of(pool, claim->tenant) < (size_t)pool->config.config->media_tenant_in_flight_max);
    if (is_media && is_admitted)
        runner->media_for = claim->tenant;
    pthread_mutex_unlock(&pool->lock);
    return is_admitted;
}

static void
claim_leave(struct task_runner *runner)
{
    pthread_mutex_lock(&runner->pool->lock);
    runner->media_for = (struct id){ { 0 } };
    pthread_mutex_unlock(&runner->pool->lock);
}

struct give_back {
    const struct clock *clock;
    const struct provider_task_claim *claim;
};

static enum err
give_back_in(struct db_tx *tx, void *ctx)
{
    const struct give_back *back = ctx;

    return provider_task_settle(
        tx, back->clock, back->claim,
        &(struct provider_task_outcome){ .state = PROVIDER_TASK_WAITING, .due_at = clock_wall(back->clock) });
}

/* As if it had never been claimed. */
static enum err
claim_return(struct task_runner *runner, const struct provider_task_claim *claim)
{
    struct give_back back = { .clock = runner->config->clock, .claim = claim };
    enum err err = db_run(runner->db, claim->tenant, give_back_in, &back);

    return err == ERR_STATE_CONFLICT ? ERR_OK : err;
}

struct access {
    struct task_run *run;
    struct channel_access channel;
};

static enum err
access_in(struct db_tx *tx, void *ctx)
{
    struct access *access = ctx;

    return channel_access_read(tx, access->run->claim->channel, access->run->arena, &access->channel);
}

/* Whether the account may be called for, as far as its answers have told. */
static enum err
turn_take(struct task_run *run)
{
    struct task_runner *runner = run->runner;

    if (!run->claim->is_known || !provider_task_is_management(run->claim->kind))
        return ERR_OK;
    runner->held_ms = usage_turn_ms(runner->config->usage, run->waba_id, clock_mono(run->clock));
    if (runner->held_ms == 0)
        return ERR_OK;
    metric_add(METRIC_TASKS_HELD, 1);
    return task_fail(run, "usage-held", "WhatsApp's limit of management calls is nearly reached.");
}

/* The channel's identifiers, its token and the task's own request, opened. */
static enum err
run_prepare(struct task_run *run)
{
    struct task_runner *runner = run->runner;
    const struct provider_task_claim *claim = run->claim;
    struct access access = { .run = run };
    enum err err = task_read(run, access_in, &access);

    if (err == ERR_NOT_FOUND)
        return task_fail(run, "channel-deleted", "The channel was deleted.");
    if (err != ERR_OK)
        return err;
    run->waba_id = access.channel.waba_id;
    run->phone_number_id = access.channel.phone_number_id;
    run->has_token = access.channel.has_token;
    run->revision = access.channel.revision;
    err = turn_take(run);
    if (err != ERR_OK)
        return err;
    if (run->has_token) {
        struct vault_place place = channel_credential_place(claim->tenant, claim->channel,
                                                            CHANNEL_ACCESS_TOKEN, access.channel.generation);
        err = vault_open(&runner->vault, VAULT_CREDENTIAL, &place, &access.channel.token, &runner->token);
    }
    if (err == ERR_OK && claim->has_request) {
        struct vault_place place = provider_task_place(claim->tenant, claim->task);
        err = vault_open(&runner->vault, VAULT_CREDENTIAL, &place, &claim->request, &runner->request);
        if (err == ERR_OK)
            run->request = secret_slice(runner->request);
    }
    return err;
}

/* What the end of a run means, in one transaction. */
struct settlement {
    struct task_run *run;
    const struct task_handler *handler;
    struct task_plan plan;
    struct provider_task_outcome outcome;
};

static enum err
settle_in(struct db_tx *tx, void *ctx)
{
    struct settlement *settlement = ctx;
    struct task_run *run = settlement->run;
    enum err err = ERR_OK;

    if (settlement->plan.state != PROVIDER_TASK_WAITING && settlement->handler != NULL &&
        settlement->handler->record != NULL) {
        err = provider_task_hold(tx, run->claim, CLAIM_LEASE_MS); /* before anything is applied */
        if (err == ERR_OK)
            err = settlement->handler->record(tx, run);
        settlement->outcome.result = run->result;
    }
    if (err == ERR_OK && settlement->plan.breaks_channel)
        err = channel_break(tx, run->clock, run->claim->channel, run->revision,
                            "The provider refused the access token.", run->arena);
    return err == ERR_OK ? provider_task_settle(tx, run->clock, run->claim, &settlement->outcome) : err;
}

static void
plan_count(const struct task_plan *plan)
{
    switch (plan->state) {
    case PROVIDER_TASK_WAITING:
        metric_add(METRIC_TASKS_RETRIED, 1);
        return;
    case PROVIDER_TASK_DONE:
        metric_add(METRIC_TASKS_DONE, 1);
        return;
    case PROVIDER_TASK_FAILED:
        metric_add(METRIC_TASKS_FAILED, 1);
        return;
    case PROVIDER_TASK_LEASED:
        return;
    }
}

static void
failure_note(struct task_run *run, enum err why, const struct task_plan *plan)
{
    run->error_class = plan->error_class;
    if (why == ERR_OK || why == ERR_PROVIDER_REFUSED)
        return;
    snprintf(run->error_code, sizeof(run->error_code), "%s", err_code(why));
    run->error_title = err_title(why);
}

/* Writes what came of the run. While the database is away it is tried again: only the record can be repeated.
 */
static enum err
run_settle(struct task_run *run, const struct task_handler *handler, enum err why)
{
    struct task_runner *runner = run->runner;
    struct wall_time now = clock_wall(run->clock);
    /* A file that somebody sent would be lost, and a message with one fail where one without it waits. */
    struct task_age age = { .attempt = run->claim->attempt,
                            .awaits_token =
                                run->claim->is_known && (run->claim->kind == PROVIDER_TASK_MEDIA_FETCH ||
                                                         run->claim->kind == PROVIDER_TASK_MEDIA_PUSH) };
    struct settlement settlement = { .run = run, .handler = handler };
    struct task_plan *plan = &settlement.plan;

    if (random_fill(&age.jitter, sizeof(age.jitter)) != ERR_OK)
        age.jitter = (uint32_t)now.us;
    if (run->claim->is_known)
        age.patience_ms =
            provider_task_patience_ms(run->claim->kind) - (now.us - run->claim->created_at.us) / 1000;
    if (runner->held_ms > 0)
        *plan = task_plan_held(runner->held_ms, &age);
    else if (why == ERR_OK)
        *plan = (struct task_plan){ .state = PROVIDER_TASK_DONE };
    else if (why == ERR_PROVIDER_REFUSED)
        *plan = task_plan_refused(&run->error, &age);
    else
        *plan = task_plan_failed(why, &age);
    failure_note(run, why, plan);
    run->is_done = plan->state == PROVIDER_TASK_DONE;
    settlement.outcome = (struct provider_task_outcome){
        .state = plan->state,
        .due_at = wall_after_ms(now, plan->delay_ms),
        .is_counted = plan->is_counted,
        .is_unsure = plan->is_unsure && runner->may_have_left,
        .error_code = plan->error_class == NULL ? SLICE_EMPTY : slice_text(run->error_code),
        .error_title = plan->error_class == NULL ? SLICE_EMPTY : slice_text(run->error_title),
        .error_class = plan->error_class,
        .result = run->result
    };
    enum err err = db_run(runner->db, run->claim->tenant, settle_in, &settlement);
    for (int tries = 0; err == ERR_DB_UNAVAILABLE && tries < 3 && !task_pool_is_stopping(runner->pool);
         tries++)
        if (db_reopen(runner->db, DB_REOPEN_MS) == ERR_OK)
            err = db_run(runner->db, run->claim->tenant, settle_in, &settlement);
    if (err == ERR_OK)
        plan_count(plan);
    return err;
}

static const struct task_handler *
handler_of(const struct task_runner *runner, const struct provider_task_claim *claim)
{
    const struct task_handler *handler = claim->is_known ? &runner->config->table[claim->kind] : NULL;

    return handler == NULL || handler->run == NULL ? NULL : handler;
}

/* One task, from its claim to its end. */
static enum err
task_perform(struct task_runner *runner, const struct provider_task_claim *claim)
{
    struct task_run run = { .claim = claim,
                            .clock = runner->config->clock,
                            .vault = &runner->vault,
                            .arena = runner->arena,
                            .runner = runner,
                            .error_title = "" };
    const struct task_handler *handler = handler_of(runner, claim);
    enum err err = ERR_OK;

    runner->may_have_left = false;
    runner->held_ms = 0;
    runner->held_until = mono_after_ms(clock_mono(run.clock), CLAIM_LEASE_MS);
    if (handler == NULL)
        err = task_fail(&run, "kind-unknown", "This version does not know the kind of task.");
    if (err == ERR_OK && claim->attempt > TASK_ATTEMPTS_MAX)
        err = task_fail(&run, "attempts-exhausted", "The task never came to an end.");
    if (err == ERR_OK && runner->http == NULL)
        err = client_new(runner);
    if (err == ERR_OK)
        err = run_prepare(&run);
    if (err == ERR_OK && handler != NULL)
        err = handler->run(&run);
    enum err why = err;
    if (err == ERR_STATE_CONFLICT)
        err = ERR_OK; /* another has taken it over and will do it */
    else
        err = run_settle(&run, handler, why);
    if (err == ERR_STATE_CONFLICT)
        err = ERR_OK;
    log_event(why == ERR_OK ? LOG_DEBUG : LOG_INFO, "task.ended", LOG_ID("task", ID_OPERATION, claim->task),
              LOG_WORD("kind", claim->is_known ? provider_task_kind_word(claim->kind) : "unknown"),
              LOG_NUM("attempt", claim->attempt),
              LOG_NUM("code", why == ERR_PROVIDER_REFUSED ? run.error.code : 0), LOG_ERR(why));
    for (size_t i = 0; i < runner->answer_count; i++)
        json_decref(runner->answers[i]);
    runner->answer_count = 0;
    secret_free(runner->token);
    secret_free(runner->request);
    runner->token = runner->request = NULL;
    return err;
}

static void
on_notice(void *ctx, struct slice channel UNUSED, struct slice payload UNUSED)
{
    *(bool *)ctx = true;
}

/*
 * Until a notice comes, something is due, or the pool drains. What is due and was not claimed is being
 * claimed by another, or is media that has to wait for a thread that has such in hand: no reason to spin.
 */
static enum err
runner_wait(struct task_runner *runner, bool has_media_waiting)
{
    struct pollfd fds[] = { { .fd = runner->wake_fd, .events = POLLIN },
                            { .fd = db_fd(runner->db), .events = POLLIN } };
    struct wall_time due;
    bool was_told = false;
    int64_t wait_ms = IDLE_MS_MAX;
    enum err err = provider_task_next_due(runner->db, &due);

    if (err != ERR_OK && err != ERR_NOTHING)
        return err;
    if (err == ERR_OK) {
        int64_t least_ms = has_media_waiting ? MEDIA_WAIT_MS : 50;
        int64_t until_ms = (due.us - clock_wall(runner->config->clock).us) / 1000 + 1;
        wait_ms = until_ms < least_ms ? least_ms : until_ms < IDLE_MS_MAX ? until_ms : IDLE_MS_MAX;
    }
    err = db_notifications(runner->db, on_notice, &was_told); /* what came with an answer makes no sound */
    if (err != ERR_OK || was_told)
        return err;
    if (poll(fds, COUNT_OF(fds), (int)wait_ms) < 0)
        return ERR_OK; /* interrupted: look again */
    return db_notifications(runner->db, on_notice, &was_told);
}

static enum err
take_over(struct task_runner *runner)
{
    struct mono_time now = clock_mono(runner->config->clock);
    size_t taken = 0;

    if (now.us - runner->took_over_at.us < TAKE_OVER_MS * 1000)
        return ERR_OK;
    runner->took_over_at = now;
    enum err err = provider_task_take_over(runner->db, &taken);
    if (err == ERR_OK && taken > 0)
        log_event(LOG_INFO, "task.taken_over", LOG_NUM("count", (int64_t)taken));
    return err;
}

static enum err
runner_step(struct task_runner *runner)
{
    struct task_pool *pool = runner->pool;
    struct provider_task_claim claim;
    struct id sated[TASK_THREADS_MAX];
    struct provider_task_wish wish = wish_of(pool, sated);
    enum err err = take_over(runner);

    /* Counted before it is claimed: who drains must not find nothing under way while a claim is on its way.
     */
    atomic_fetch_add(&pool->busy, 1);
    if (err == ERR_OK)
        err = atomic_load(&pool->is_draining)
                  ? ERR_NOTHING
                  : provider_task_claim_next(runner->db, &wish, runner->arena, &claim);
    if (err == ERR_OK)
        err = claim_admit(runner, &claim) ? task_perform(runner, &claim) : claim_return(runner, &claim);
    claim_leave(runner);
    atomic_fetch_sub(&pool->busy, 1);
    arena_reset(runner->arena);
    return err == ERR_NOTHING && !atomic_load(&pool->is_draining)
               ? runner_wait(runner, wish.no_media || wish.sated_count > 0)
               : err;
}

static void *
runner_run(void *ctx)
{
    struct task_runner *runner = ctx;

    while (!atomic_load(&runner->pool->is_draining)) {
        enum err err = runner_step(runner);
        if (err == ERR_OK || err == ERR_NOTHING)
            continue;
        log_event(err_class(err) == ERR_CLASS_UNAVAILABLE ? LOG_WARN : LOG_ERROR, "task.runner_failed",
                  LOG_ERR(err)); /* a task that was claimed comes back when its lease ends */
        if (err != ERR_DB_UNAVAILABLE || db_reopen(runner->db, DB_REOPEN_MS) != ERR_OK)
            (void)poll(&(struct pollfd){ .fd = runner->wake_fd, .events = POLLIN }, 1, 500);
    }
    return NULL;
}

static enum err
runner_open(struct task_runner *runner, struct task_pool *pool)
{
    enum err err = ERR_NO_MEMORY;

    pthread_mutex_lock(&pool->lock); /* those that were opened before run already */
    *runner = (struct task_runner){ .config = &pool->config, .pool = pool };
    pthread_mutex_unlock(&pool->lock);
    runner->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (runner->wake_fd < 0)
        return ERR_SYSTEM;
    runner->arena = arena_new(ARENA_BYTES);
    if (runner->arena != NULL)
        err = client_new(runner);
    if (err == ERR_OK)
        err = db_open(pool->config.database, &runner->db);
    if (err == ERR_OK)
        err = db_listen(runner->db, "harkara_provider_task");
    runner->vault = tenant_vault(pool->config.vault_client, runner->db);
    if (err == ERR_OK && pthread_create(&runner->thread, NULL, runner_run, runner) != 0)
        err = ERR_SYSTEM;
    runner->has_thread = err == ERR_OK;
    return err;
}

enum err
task_pool_new(const struct task_pool_config *config, struct task_pool **out)
{
    struct task_pool *pool = calloc(1, sizeof(*pool));
    enum err err = ERR_OK;

    if (pool == NULL)
        return ERR_NO_MEMORY;
    pool->config = *config;
    if (pthread_mutex_init(&pool->lock, NULL) != 0) {
        free(pool);
        return ERR_SYSTEM;
    }
    pool->runners = calloc((size_t)config->config->task_threads, sizeof(*pool->runners));
    if (pool->runners == NULL)
        err = ERR_NO_MEMORY;
    while (err == ERR_OK && pool->count < (size_t)config->config->task_threads)
        err = runner_open(&pool->runners[pool->count++], pool);
    if (err == ERR_OK) {
        *out = pool;
        return ERR_OK;
    }
    task_pool_free(pool);
    return err;
}

void
task_pool_drain(struct task_pool *pool)
{
    static const uint64_t one = 1;

    atomic_store(&pool->is_draining, true);
    for (size_t i = 0; i < pool->count; i++)
        if (write(pool->runners[i].wake_fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
            log_event(LOG_DEBUG, "task.wake_failed", LOG_ERR(ERR_SYSTEM)); /* it looks each second anyway */
}

size_t
task_pool_busy(const struct task_pool *pool)
{
    return atomic_load(&pool->busy);
}

void
task_pool_free(struct task_pool *pool)
{
    if (pool == NULL)
        return;
    atomic_store(&pool->is_stopping, true);
    task_pool_drain(pool);
    for (size_t i = 0; i < pool->count; i++) {
        struct task_runner *runner = &pool->runners[i];
        if (runner->has_thread)
            pthread_join(runner->thread, NULL);
        http_client_free(runner->http);
        db_close(runner->db);
        arena_free(runner->arena);
        if (runner->wake_fd >= 0)
            close(runner->wake_fd);
    }
    pthread_mutex_destroy(&pool->lock);
    free(pool->runners);
    free(pool);
}
