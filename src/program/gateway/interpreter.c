#include "program/gateway/interpreter.h"
#include "core/log.h"
#include "core/metric.h"
#include "domain/tenant/tenant_key.h"
#include "program/gateway/interpreter_internal.h"
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CLAIM_MAX         256u
#define CLAIM_ARENA_BYTES (32u * 1024u * 1024u) /* so many small bodies, and what surrounds them */
/* One large body opened, its content sealed twice; or so many small ones. */
#define BODY_ARENA_BYTES (96u * 1024u * 1024u)
#define GATHER_MS        5    /* between two claims while something comes in */
#define IDLE_MS          1000 /* also finds what a lost notice, a lease or a due time left */
#define DB_REOPEN_MS     5000

struct postpone {
    const struct interpreter *interpreter;
    const struct provider_event *event;
    enum err why;
};

static enum err
body_postpone(struct db_tx *tx, void *ctx)
{
    const struct postpone *postpone = ctx;

    return provider_event_postpone(tx, postpone->interpreter->config.clock, postpone->event, postpone->why);
}

static enum err
reading_postpone(struct interpreter *interpreter, const struct reading *reading, enum err why)
{
    struct postpone postpone = { .interpreter = interpreter, .event = reading->event, .why = why };

    log_event(LOG_WARN, "provider_event.postponed", LOG_ID("event", ID_PROVIDER_EVENT, reading->event->id),
              LOG_NUM("attempt", reading->event->attempt), LOG_ERR(why));
    return db_run(interpreter->db, reading->event->tenant, body_postpone, &postpone);
}

static void
reading_done(const struct reading *reading)
{
    if (reading->is_lost) /* another gateway took it over and will do it */
        return;
    metric_add(METRIC_PROVIDER_EVENTS_INTERPRETED, 1);
    log_event(LOG_DEBUG, "provider_event.interpreted", LOG_ID("event", ID_PROVIDER_EVENT, reading->event->id),
              LOG_NUM("ignored", reading->ignored_count), LOG_NUM("unrouted", reading->unrouted_count));
}

struct batch {
    struct interpreter *interpreter;
    struct reading **readings; /* by tenant */
    size_t count;
};

static enum err
batch_in(struct db_tx *tx, void *ctx)
{
    const struct batch *batch = ctx;

    return readings_apply(tx, batch->readings, batch->count, batch->interpreter->body_arena);
}

/* Together; each by itself when one of them cannot be applied, which is then postponed. */
static enum err
batch_apply(const struct batch *batch)
{
    enum err err = batch->count == 0 ? ERR_OK
                                     : db_run(batch->interpreter->db, batch->readings[0]->event->tenant,
                                              batch_in, (void *)(uintptr_t)batch);

    if (err == ERR_DB_UNAVAILABLE) /* claimed bodies come back when their lease ends */
        return err;
    if (err != ERR_OK && batch->count == 1)
        return reading_postpone(batch->interpreter, batch->readings[0], err);
    if (err == ERR_OK) {
        for (size_t i = 0; i < batch->count; i++)
            reading_done(batch->readings[i]);
        return ERR_OK;
    }
    err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < batch->count; i++)
        err = batch_apply(&(struct batch){ batch->interpreter, &batch->readings[i], 1 });
    return err;
}

static int
reading_compare(const void *a, const void *b)
{
    const struct reading *left = *(struct reading *const *)a, *right = *(struct reading *const *)b;
    int order = memcmp(left->event->tenant.bytes, right->event->tenant.bytes, ID_BYTES);

    return order != 0 ? order : left < right ? -1 : left > right;
}

/* Opens those that are still to be read, in one exchange, and makes their steps. */
static enum err
readings_make(struct interpreter *interpreter, struct reading *readings, size_t count)
{
    struct vault_ask *asks = arena_array(interpreter->body_arena, count, sizeof(*asks));
    size_t *of = arena_array(interpreter->body_arena, count, sizeof(*of)), asked = 0;

    if (asks == NULL || of == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        if (readings[i].err != ERR_OK)
            continue;
        asks[asked] = provider_event_ask(readings[i].event);
        of[asked++] = i;
    }
    vault_ask_many(&interpreter->vault, asks, asked, interpreter->body_arena);
    for (size_t i = 0; i < asked; i++)
        readings[of[i]].err =
            asks[i].err == ERR_OK ? reading_prepare(&readings[of[i]], asks[i].plain) : asks[i].err;
    return readings_seal(interpreter, readings, count);
}

/* All of these events, with their bodies. */
static enum err
events_interpret(struct interpreter *interpreter, const struct provider_event *const *events, size_t count)
{
    struct reading *readings = arena_array(interpreter->body_arena, count, sizeof(*readings));
    struct batch batch = { interpreter, arena_array(interpreter->body_arena, count, sizeof(struct reading *)),
                           0 };
    enum err err = readings == NULL || batch.readings == NULL ? ERR_NO_MEMORY : ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        /* Claimed so often, and never settled: it ended those who read it. */
        bool is_deadly = events[i]->attempt > PROVIDER_EVENT_CLAIMS_MAX;
        readings[i] = (struct reading){ .interpreter = interpreter,
                                        .event = events[i],
                                        .arena = interpreter->body_arena,
                                        .err = is_deadly ? ERR_PROVIDER_BODY : ERR_OK };
    }
    if (err == ERR_OK)
        err = readings_make(interpreter, readings, count);
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        if (readings[i].err == ERR_OK)
            batch.readings[batch.count++] = &readings[i];
        else if (readings[i].err == ERR_DB_UNAVAILABLE)
            err = readings[i].err;
        else
            err = reading_postpone(interpreter, &readings[i], readings[i].err);
    }
    if (err == ERR_OK && batch.count > 0) {
        qsort(batch.readings, batch.count, sizeof(struct reading *), reading_compare);
        err = batch_apply(&batch);
    }
    arena_reset(interpreter->body_arena);
    return err;
}

struct large {
    struct arena *arena;
    struct provider_event *event;
};

static enum err
body_read_in(struct db_tx *tx, void *ctx)
{
    const struct large *large = ctx;

    return provider_event_body_read(tx, large->arena, large->event);
}

/* Small bodies many at once, large ones each by itself. */
static enum err
claimed_interpret(struct interpreter *interpreter, struct provider_event *events, size_t count)
{
    const struct provider_event **small =
        arena_array(interpreter->claim_arena, count, sizeof(const struct provider_event *));
    size_t small_count = 0;
    enum err err = small == NULL ? ERR_NO_MEMORY : ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < count; i++)
        if (!events[i].is_large)
            small[small_count++] = &events[i];
    if (err == ERR_OK && small_count > 0)
        err = events_interpret(interpreter, small, small_count);
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        struct large large = { interpreter->body_arena, &events[i] };
        const struct provider_event *alone = &events[i];
        if (!events[i].is_large)
            continue;
        err = db_run(interpreter->db, events[i].tenant, body_read_in, &large);
        if (err == ERR_OK)
            err = events_interpret(interpreter, &alone, 1);
    }
    return err;
}

static void
on_notice(void *ctx, struct slice channel UNUSED, struct slice payload UNUSED)
{
    *(bool *)ctx = true;
}

/* Until there is something to do: a notice, the next look, or the end. */
static enum err
interpreter_wait(struct interpreter *interpreter)
{
    struct pollfd fds[] = { { .fd = interpreter->wake_fd, .events = POLLIN },
                            { .fd = db_fd(interpreter->db), .events = POLLIN } };
    bool was_told = false;
    enum err err = db_notifications(interpreter->db, on_notice, &was_told); /* what came with an answer */

    if (err != ERR_OK || was_told)
        return err;
    if (poll(fds, COUNT_OF(fds), IDLE_MS) < 0)
        return ERR_OK; /* interrupted: look again */
    return db_notifications(interpreter->db, on_notice, &was_told);
}

static void *
interpreter_run(void *ctx)
{
    struct interpreter *interpreter = ctx;

    while (!atomic_load(&interpreter->is_stopping)) {
        struct provider_event *events = NULL;
        size_t count = 0;
        enum err err =
            provider_event_claim(interpreter->db, CLAIM_MAX, interpreter->claim_arena, &events, &count);

        if (err == ERR_OK && count > 0)
            err = claimed_interpret(interpreter, events, count);
        arena_reset(interpreter->claim_arena);
        arena_reset(interpreter->body_arena);
        if (err == ERR_OK && count == 0)
            err = interpreter_wait(interpreter);
        else if (err == ERR_OK && count < CLAIM_MAX) /* what comes meanwhile comes together */
            (void)poll(&(struct pollfd){ .fd = interpreter->wake_fd, .events = POLLIN }, 1, GATHER_MS);
        if (err == ERR_DB_UNAVAILABLE) {
            log_event(LOG_WARN, "interpreter.database_away", LOG_ERR(err));
            if (db_reopen(interpreter->db, DB_REOPEN_MS) != ERR_OK)
                (void)poll(&(struct pollfd){ .fd = interpreter->wake_fd, .events = POLLIN }, 1, IDLE_MS);
        } else if (err != ERR_OK) { /* claimed bodies come back when their lease ends */
            log_event(LOG_ERROR, "interpreter.failed", LOG_ERR(err));
            (void)poll(&(struct pollfd){ .fd = interpreter->wake_fd, .events = POLLIN }, 1, IDLE_MS);
        }
    }
    return NULL;
}

enum err
interpreter_new(const struct interpreter_config *config, struct interpreter **out)
{
    struct interpreter *interpreter = calloc(1, sizeof(*interpreter));
    enum err err = ERR_NO_MEMORY;

    if (interpreter == NULL)
        return ERR_NO_MEMORY;
    interpreter->config = *config;
    interpreter->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    interpreter->claim_arena = arena_new(CLAIM_ARENA_BYTES);
    interpreter->body_arena = arena_new(BODY_ARENA_BYTES);
    if (interpreter->wake_fd < 0)
        err = ERR_SYSTEM;
    else if (interpreter->claim_arena != NULL && interpreter->body_arena != NULL)
        err = db_open(config->database, &interpreter->db);
    if (err == ERR_OK)
        err = db_listen(interpreter->db, "harkara_provider_event");
    interpreter->vault = tenant_vault(config->vault_client, interpreter->db);
    if (err == ERR_OK && pthread_create(&interpreter->thread, NULL, interpreter_run, interpreter) != 0)
        err = ERR_SYSTEM;
    if (err == ERR_OK) {
        *out = interpreter;
        return ERR_OK;
    }
    db_close(interpreter->db);
    arena_free(interpreter->claim_arena);
    arena_free(interpreter->body_arena);
    if (interpreter->wake_fd >= 0)
        close(interpreter->wake_fd);
    free(interpreter);
    return err;
}

void
interpreter_free(struct interpreter *interpreter)
{
    const uint64_t one = 1;

    if (interpreter == NULL)
        return;
    atomic_store(&interpreter->is_stopping, true);
    if (write(interpreter->wake_fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
        log_event(LOG_DEBUG, "interpreter.wake_failed",
                  LOG_ERR(ERR_SYSTEM)); /* it looks each second anyway */
    pthread_join(interpreter->thread, NULL);
    db_close(interpreter->db);
    arena_free(interpreter->claim_arena);
    arena_free(interpreter->body_arena);
    close(interpreter->wake_fd);
    free(interpreter);
}
