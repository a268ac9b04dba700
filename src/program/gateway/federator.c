#include "program/gateway/federator.h"
#include "core/log.h"
#include "domain/identity/ceremony.h"
#include "program/gateway/limiter.h"
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define WAITING_MAX  OIDC_TASKS_MAX /* no more could be asked anyway */
#define LOOK_MS      1000           /* answers come with a notice; this finds what a lost one left */
#define PAUSE_MS     200
#define DB_REOPEN_MS 2000

struct federator {
    struct gateway_worker *worker; /* the thread's; its db listens */
    pthread_t thread;
    int wake_fd;
    struct federator_ask *waiting; /* the thread's: asked, not answered */
    pthread_mutex_t lock;
    /* under lock: */
    struct federator_ask *first, **last; /* handed over */
    size_t count;                        /* both */
    bool is_stopping;
    bool is_joined; /* of whoever stops and frees it */
};

static void
wake(struct federator *federator)
{
    static const uint64_t one = 1;

    if (write(federator->wake_fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
        log_event(LOG_DEBUG, "oidc.wake_failed", LOG_ERR(ERR_SYSTEM)); /* it looks each second anyway */
}

enum err
federator_submit(struct federator *federator, struct federator_ask *ask)
{
    enum err err = ERR_DEFERRED;

    ask->next = NULL;
    pthread_mutex_lock(&federator->lock);
    if (federator->is_stopping)
        err = ERR_STOPPING;
    else if (federator->count >= WAITING_MAX)
        err = ERR_BUSY;
    if (err == ERR_DEFERRED) {
        *federator->last = ask;
        federator->last = &ask->next;
        federator->count++;
    }
    pthread_mutex_unlock(&federator->lock);
    if (err == ERR_DEFERRED)
        wake(federator);
    return err;
}

/* All that was handed over. */
static struct federator_ask *
take(struct federator *federator, bool *is_stopping_out)
{
    pthread_mutex_lock(&federator->lock);
    struct federator_ask *all = federator->first;
    federator->first = NULL;
    federator->last = &federator->first;
    *is_stopping_out = federator->is_stopping;
    pthread_mutex_unlock(&federator->lock);
    return all;
}

/* The request is gone afterwards, and `ask` with it. */
static void
finish(struct federator *federator, struct federator_ask *ask, enum err err,
       const struct oidc_task_answer *answer)
{
    struct http_request *request = ask->request;
    struct http_response response = { 0 };

    pthread_mutex_lock(&federator->lock);
    federator->count--;
    pthread_mutex_unlock(&federator->lock);
    request->worker = federator->worker;
    err = ask->done(request, &response, err, answer, ask->ctx);
    enum err_class class = err_class(err);
    if (err == ERR_OK || class == ERR_CLASS_UNAVAILABLE || class == ERR_CLASS_INTERNAL)
        limiter_clear(federator->worker->gateway->limiter, request); /* no stranger's fault */
    if (err == ERR_OK)
        http_answer(request, &response);
    else
        http_answer_problem(request, err);
}

struct asking {
    const struct federator_ask *ask;
    struct oidc_task_new task;
};

/* That it is used up and that it is asked come together: so each is asked once. */
static enum err
ask_in(struct db_tx *tx, void *ctx)
{
    const struct asking *asking = ctx;
    enum err err = id_is_zero(asking->ask->ceremony) ? ERR_OK : ceremony_use(tx, asking->ask->ceremony);

    return err == ERR_OK ? oidc_task_ask(tx, &asking->task) : err;
}

/* Errors are the ask's own. */
static enum err
ask_one(struct federator *federator, struct federator_ask *ask)
{
    struct gateway_worker *worker = federator->worker;
    const struct clock *clock = worker->gateway->clock;
    struct asking asking = { .ask = ask,
                             .task = { .id = id_new(clock),
                                       .issuer = ask->issuer,
                                       .kind = ask->kind,
                                       .address = ask->request->peer_address } };
    enum err err = ERR_OK;

    ask->task = asking.task.id;
    ask->until = mono_after_ms(clock_mono(clock), OIDC_TASK_MS);
    if (ask->kind == OIDC_TASK_EXCHANGE)
        err =
            oidc_task_seal(&worker->vault, ask->task, &ask->with, ask->request->arena, &asking.task.request);
    return err == ERR_OK ? db_run(worker->db, tenant_platform, ask_in, &asking) : err;
}

struct look {
    struct id ids[WAITING_MAX];
    size_t id_count;
    struct arena *arena;
    struct oidc_task_answered answered[OIDC_TASK_ANSWERS_MAX];
    size_t count;
};

static enum err
collect_in(struct db_tx *tx, void *ctx)
{
    struct look *look = ctx;

    return oidc_task_collect(tx, look->ids, look->id_count, look->arena, look->answered, &look->count);
}

static enum err
forget_in(struct db_tx *tx, void *ctx)
{
    struct look *look = ctx;

    return oidc_task_forget(tx, look->ids, look->id_count);
}

static struct federator_ask *
unlink_by_task(struct federator *federator, struct id task)
{
    for (struct federator_ask **at = &federator->waiting; *at != NULL; at = &(*at)->next)
        if (id_eq((*at)->task, task)) {
            struct federator_ask *found = *at;
            *at = found->next;
            return found;
        }
    return NULL;
}

static void
answered(struct federator *federator, const struct oidc_task_answered *task)
{
    struct federator_ask *ask = unlink_by_task(federator, task->id);
    struct oidc_task_answer answer = { .is_email_verified = false };
    enum err err = ERR_OK;

    if (ask == NULL)
        return;
    switch (task->outcome) {
    case OIDC_TASK_DONE:
        if (ask->kind == OIDC_TASK_EXCHANGE)
            err = oidc_task_answer_open(&federator->worker->vault, task, ask->request->arena, &answer);
        break;
    case OIDC_TASK_REFUSED:
        err = ERR_IDENTITY_TOKEN;
        break;
    case OIDC_TASK_FAILED:
        err = ERR_IDENTITY_PROVIDER;
        break;
    }
    finish(federator, ask, err, &answer);
}

/* Takes what has been answered, and finishes it; again while there may be more. */
static enum err
collect(struct federator *federator, struct arena *arena)
{
    enum err err = ERR_OK;

    while (err == ERR_OK && federator->waiting != NULL) {
        struct look look = { .arena = arena };
        for (const struct federator_ask *ask = federator->waiting; ask != NULL; ask = ask->next)
            look.ids[look.id_count++] = ask->task;
        err = db_run(federator->worker->db, tenant_platform, collect_in, &look);
        for (size_t i = 0; err == ERR_OK && i < look.count; i++)
            answered(federator, &look.answered[i]);
        arena_reset(arena);
        if (look.count < OIDC_TASK_ANSWERS_MAX)
            break;
    }
    return err;
}

/* Those whose time is over, or all; whatever the database says of it. */
static void
give_up(struct federator *federator, bool is_all, enum err why)
{
    struct mono_time now = clock_mono(federator->worker->gateway->clock);
    struct federator_ask *over = NULL, **kept = &federator->waiting;
    struct look look = { .id_count = 0 };

    while (*kept != NULL) {
        struct federator_ask *ask = *kept;
        if (!is_all && ask->until.us > now.us) {
            kept = &ask->next;
            continue;
        }
        *kept = ask->next;
        ask->next = over;
        over = ask;
        look.ids[look.id_count++] = ask->task;
    }
    if (over == NULL)
        return;
    enum err err = db_run(federator->worker->db, tenant_platform, forget_in, &look);
    if (err != ERR_OK) /* the scheduler removes them */
        log_event(LOG_WARN, "oidc.tasks_left", LOG_NUM("count", (int64_t)look.id_count), LOG_ERR(err));
    for (struct federator_ask *next; over != NULL; over = next) {
        next = over->next;
        finish(federator, over, why, NULL);
    }
}

static void
on_notice(void *ctx, struct slice channel UNUSED, struct slice payload UNUSED)
{
    *(bool *)ctx = true;
}

/* Until something is handed over or answered, or some time is over. */
static enum err
rest(struct federator *federator)
{
    struct db *db = federator->worker->db;
    struct pollfd fds[] = { { .fd = federator->wake_fd, .events = POLLIN },
                            { .fd = db_fd(db), .events = POLLIN } };
    bool was_told = false;
    uint64_t woken;
    enum err err = db_notifications(db, on_notice, &was_told); /* they may come with an answer */

    if (err != ERR_OK || was_told)
        return err;
    (void)poll(fds, COUNT_OF(fds), federator->waiting != NULL ? LOOK_MS : -1);
    if (read(federator->wake_fd, &woken, sizeof(woken)) < 0)
        woken = 0; /* it was not that */
    return db_notifications(db, on_notice, &was_told);
}

static void *
federator_run(void *ctx)
{
    struct federator *federator = ctx;
    struct arena *arena = arena_new(HTTP_ARENA_BYTES_MAX);
    bool is_stopping = false;

    if (arena == NULL)
        bug("no memory at the start of a thread");
    while (!is_stopping) {
        struct federator_ask *next;
        for (struct federator_ask *ask = take(federator, &is_stopping); ask != NULL; ask = next) {
            next = ask->next;
            enum err err = is_stopping ? ERR_STOPPING : ask_one(federator, ask);
            if (err == ERR_DB_UNAVAILABLE && db_reopen(federator->worker->db, DB_REOPEN_MS) == ERR_OK)
                log_event(LOG_INFO, "oidc.database_back", LOG_NUM("waiting", 1));
            if (err == ERR_OK) {
                ask->next = federator->waiting;
                federator->waiting = ask;
            } else {
                finish(federator, ask, err, NULL);
            }
        }
        enum err err = collect(federator, arena);
        give_up(federator, is_stopping, is_stopping ? ERR_STOPPING : ERR_IDENTITY_PROVIDER);
        if (err == ERR_OK && !is_stopping)
            err = rest(federator);
        if (err == ERR_OK)
            continue;
        log_event(LOG_WARN, "oidc.federator_failed", LOG_ERR(err));
        if (err != ERR_DB_UNAVAILABLE || db_reopen(federator->worker->db, DB_REOPEN_MS) != ERR_OK)
            (void)poll(&(struct pollfd){ .fd = federator->wake_fd, .events = POLLIN }, 1, PAUSE_MS);
    }
    arena_free(arena);
    return NULL;
}

enum err
federator_new(struct gateway *gateway, struct federator **out)
{
    struct federator *federator = calloc(1, sizeof(*federator));
    void *worker = NULL;

    if (federator == NULL)
        return ERR_NO_MEMORY;
    federator->last = &federator->first;
    pthread_mutex_init(&federator->lock, NULL);
    federator->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    enum err err = federator->wake_fd < 0 ? ERR_SYSTEM : gateway_worker_open(gateway, 0, &worker);
    federator->worker = worker;
    if (err == ERR_OK)
        err = db_listen(federator->worker->db, OIDC_TASK_ANSWERED);
    if (err == ERR_OK && pthread_create(&federator->thread, NULL, federator_run, federator) != 0)
        err = ERR_SYSTEM;
    if (err == ERR_OK) {
        *out = federator;
        return ERR_OK;
    }
    gateway_worker_close(gateway, worker);
    if (federator->wake_fd >= 0)
        close(federator->wake_fd);
    pthread_mutex_destroy(&federator->lock);
    free(federator);
    return err;
}

void
federator_stop(struct federator *federator)
{
    if (federator == NULL || federator->is_joined)
        return;
    pthread_mutex_lock(&federator->lock);
    federator->is_stopping = true;
    pthread_mutex_unlock(&federator->lock);
    wake(federator);
    pthread_join(federator->thread, NULL);
    federator->is_joined = true;
}

void
federator_free(struct federator *federator)
{
    if (federator == NULL)
        return;
    federator_stop(federator);
    gateway_worker_close(NULL, federator->worker);
    close(federator->wake_fd);
    pthread_mutex_destroy(&federator->lock);
    free(federator);
}
