#include "program/gateway/interpreter.h"
#include "core/log.h"
#include "core/metric.h"
#include "domain/tenant/tenant_key.h"
#include "program/gateway/consent_follow.h"
#include "program/gateway/interpreter_internal.h"
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CLAIM_MAX         256u
#define CLAIM_ARENA_BYTES (32u * 1024u * 1024u) /* so many small bodies, and what surrounds them */
/* One large body opened, its content sealed twice; or so many small ones. */
#define BODY_ARENA_BYTES (96u * 1024u * 1024u)
#define GATHER_MS        5    /* while something comes in: what comes meanwhile is read together */
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
event_postpone(struct interpreter *interpreter, const struct provider_event *event, enum err why)
{
    struct postpone postpone = { .interpreter = interpreter, .event = event, .why = why };

    log_event(LOG_WARN, "provider_event.postponed", LOG_ID("event", ID_PROVIDER_EVENT, event->id),
              LOG_NUM("attempt", event->attempt), LOG_ERR(why));
    return db_run(interpreter->db, event->tenant, body_postpone, &postpone);
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
        return event_postpone(batch->interpreter, batch->readings[0]->event, err);
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

/* Bodies that are read together: as they were claimed, or opened already, as they were handed over. */
struct bodies {
    const struct provider_event **events;
    struct slice *opened, *numbers; /* NULL: they are to be opened, and their numbers not known */
    size_t count;
};

static enum err
bodies_new(struct arena *arena, size_t count, bool are_open, struct bodies *out)
{
    *out = (struct bodies){ .events = arena_array(arena, count, sizeof(const struct provider_event *)) };
    if (are_open) {
        out->opened = arena_array(arena, count, sizeof(*out->opened));
        out->numbers = arena_array(arena, count, sizeof(*out->numbers));
    }
    return out->events == NULL || (are_open && (out->opened == NULL || out->numbers == NULL)) ? ERR_NO_MEMORY
                                                                                              : ERR_OK;
}

/* Opens those that are still to be read, in one exchange, and makes their steps. */
static enum err
readings_open(struct interpreter *interpreter, struct reading *readings, size_t count)
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
    return ERR_OK;
}

static enum err
readings_make(struct interpreter *interpreter, struct reading *readings, const struct bodies *bodies)
{
    enum err err = bodies->opened == NULL ? readings_open(interpreter, readings, bodies->count) : ERR_OK;

    for (size_t i = 0; bodies->opened != NULL && i < bodies->count; i++) {
        readings[i].number = bodies->numbers[i];
        readings[i].err = reading_prepare(&readings[i], bodies->opened[i]);
    }
    return err == ERR_OK ? readings_seal(interpreter, readings, bodies->count) : err;
}

static enum err
bodies_interpret(struct interpreter *interpreter, const struct bodies *bodies)
{
    size_t count = bodies->count;
    struct reading *readings = arena_array(interpreter->body_arena, count, sizeof(*readings));
    struct batch batch = { interpreter, arena_array(interpreter->body_arena, count, sizeof(struct reading *)),
                           0 };
    enum err err = readings == NULL || batch.readings == NULL ? ERR_NO_MEMORY : ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        /* Claimed so often, and never settled: it ended those who read it. */
        bool is_deadly = bodies->events[i]->attempt > PROVIDER_EVENT_CLAIMS_MAX;
        readings[i] = (struct reading){ .interpreter = interpreter,
                                        .event = bodies->events[i],
                                        .arena = interpreter->body_arena,
                                        .err = is_deadly ? ERR_PROVIDER_BODY : ERR_OK };
    }
    if (err == ERR_OK)
        err = readings_make(interpreter, readings, bodies);
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        if (readings[i].err == ERR_OK)
            batch.readings[batch.count++] = &readings[i];
        else if (readings[i].err == ERR_DB_UNAVAILABLE)
            err = readings[i].err;
        else
            err = event_postpone(interpreter, readings[i].event, readings[i].err);
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

/* What came over SMPP, in the order of its coming: large ones each by itself, and before those that are
 * applied together, which are then all that is left of their batches. */
static enum err
pdus_interpret(struct interpreter *interpreter, struct provider_event *events, size_t count)
{
    const struct provider_event **small =
        arena_array(interpreter->claim_arena, count, sizeof(const struct provider_event *));
    size_t small_count = 0;
    enum err err = small == NULL ? ERR_NO_MEMORY : ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        struct large large = { interpreter->body_arena, &events[i] };
        const struct provider_event *event = &events[i];
        if (id_is_zero(event->connector))
            continue;
        if (!event->is_large) {
            small[small_count++] = event;
            continue;
        }
        err = db_run(interpreter->db, event->tenant, body_read_in, &large);
        if (err == ERR_OK)
            err = sms_bodies_interpret(interpreter, &event, 1, event_postpone);
    }
    return err == ERR_OK && small_count > 0
               ? sms_bodies_interpret(interpreter, small, small_count, event_postpone)
               : err;
}

/* Small bodies many at once, large ones each by itself. */
static enum err
claimed_interpret(struct interpreter *interpreter, struct provider_event *events, size_t count)
{
    struct bodies small;
    enum err err = bodies_new(interpreter->claim_arena, count, false, &small);

    if (err == ERR_OK)
        err = pdus_interpret(interpreter, events, count);
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        if (!events[i].is_large && id_is_zero(events[i].connector))
            small.events[small.count++] = &events[i];
    if (err == ERR_OK && small.count > 0)
        err = bodies_interpret(interpreter, &small);
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        struct large large = { interpreter->body_arena, &events[i] };
        const struct provider_event *event = &events[i];
        if (!events[i].is_large || !id_is_zero(events[i].connector))
            continue;
        err = db_run(interpreter->db, events[i].tenant, body_read_in, &large);
        if (err == ERR_OK)
            err = bodies_interpret(interpreter, &(struct bodies){ .events = &event, .count = 1 });
    }
    return err;
}

/* What lies in the table and is due. Those that ended their readers come last, and each alone. */
static enum err
table_read(struct interpreter *interpreter, bool *was_any_out)
{
    struct provider_event *events = NULL;
    bool is_split = false;
    size_t count = 0;
    enum err err = provider_event_claim(interpreter->db, CLAIM_MAX, false, interpreter->claim_arena, &events,
                                        &count, &is_split);

    if (err == ERR_OK && count == 0)
        err = provider_event_claim(interpreter->db, 1, true, interpreter->claim_arena, &events, &count,
                                   &is_split);
    *was_any_out = err == ERR_OK && (count > 0 || is_split);
    if (err == ERR_OK && count > 0)
        err = claimed_interpret(interpreter, events, count);
    return err;
}

/* What was handed over. When it fails as a whole, it comes back from the table when its lease ends. */
static enum err
handed_read(struct interpreter *interpreter, size_t *count_out)
{
    struct handed *first = handed_take(interpreter, CLAIM_MAX, count_out);
    struct bodies bodies;
    enum err err = first == NULL ? ERR_OK : bodies_new(interpreter->claim_arena, *count_out, true, &bodies);

    for (const struct handed *handed = first; err == ERR_OK && handed != NULL; handed = handed->next)
        for (size_t i = 0; i < handed->count; i++) {
            bodies.events[bodies.count] = &handed->events[i];
            bodies.opened[bodies.count] = handed->bodies[i];
            bodies.numbers[bodies.count++] = handed->numbers[i];
        }
    if (err == ERR_OK && first != NULL)
        err = bodies_interpret(interpreter, &bodies);
    handed_release(interpreter, first);
    return err;
}

static void
on_notice(void *ctx, struct slice channel UNUSED, struct slice payload UNUSED)
{
    *(bool *)ctx = true;
}

/* Until it is woken, or (with `fd`) the database says something, or the time is over. What woke it is
 * forgotten. */
static void
interpreter_pause(struct interpreter *interpreter, int fd, int ms)
{
    struct pollfd fds[] = { { .fd = interpreter->wake_fd, .events = POLLIN },
                            { .fd = fd, .events = POLLIN } }; /* of -1 nothing is heard */
    uint64_t woken = 0;

    (void)poll(fds, COUNT_OF(fds), ms);
    if ((fds[0].revents & POLLIN) != 0 && read(interpreter->wake_fd, &woken, sizeof(woken)) < 0)
        log_event(LOG_DEBUG, "interpreter.wake_failed", LOG_ERR(ERR_SYSTEM));
}

/* Until there is something to do: a body, a notice, the next look at the table, or the end. */
static enum err
interpreter_wait(struct interpreter *interpreter)
{
    int64_t left_ms = (interpreter->look_at.us - clock_mono(clock_system()).us + 999) / 1000;
    bool was_told = false;
    enum err err = db_notifications(interpreter->db, on_notice, &was_told); /* what came with an answer */

    if (err == ERR_OK && !was_told && left_ms > 0 && handed_rest(interpreter)) {
        interpreter_pause(interpreter, db_fd(interpreter->db), left_ms < IDLE_MS ? (int)left_ms : IDLE_MS);
        err = db_notifications(interpreter->db, on_notice, &was_told);
    }
    if (was_told)
        interpreter->look_at = clock_mono(clock_system());
    return err;
}

static enum err
interpreter_turn(struct interpreter *interpreter, bool is_stopping, size_t *read_out)
{
    struct mono_time now = clock_mono(clock_system());
    bool was_any = false;
    enum err err = handed_read(interpreter, read_out);

    if (err == ERR_OK && !is_stopping && interpreter->look_at.us <= now.us) {
        err = table_read(interpreter, &was_any);
        if (err == ERR_OK)
            err = sms_waiting_interpret(interpreter, &was_any);
        interpreter->has_followers = true; /* what others left, or was put off */
        interpreter->look_at = was_any ? now : mono_after_ms(now, IDLE_MS);
    }
    arena_reset(interpreter->claim_arena);
    arena_reset(interpreter->body_arena);
    if (err == ERR_OK && interpreter->has_followers) {
        interpreter->has_followers = false;
        err = consent_follow(interpreter->db, &interpreter->vault, interpreter->config.clock);
    }
    if (err != ERR_OK || is_stopping || was_any || *read_out >= CLAIM_MAX)
        return err;
    if (*read_out == 0)
        return interpreter_wait(interpreter);
    interpreter_pause(interpreter, -1, GATHER_MS);
    return ERR_OK;
}

static void *
interpreter_run(void *ctx)
{
    struct interpreter *interpreter = ctx;

    for (;;) {
        bool is_stopping = atomic_load(&interpreter->is_stopping); /* before it looks what there is */
        size_t read = 0;
        enum err err = interpreter_turn(interpreter, is_stopping, &read);

        if (is_stopping && (read == 0 || err != ERR_OK))
            return NULL;
        if (err == ERR_DB_UNAVAILABLE) {
            log_event(LOG_WARN, "interpreter.database_away", LOG_ERR(err));
            if (db_reopen(interpreter->db, DB_REOPEN_MS) != ERR_OK)
                interpreter_pause(interpreter, -1, IDLE_MS);
        } else if (err != ERR_OK) { /* claimed bodies come back when their lease ends */
            log_event(LOG_ERROR, "interpreter.failed", LOG_ERR(err));
            interpreter_pause(interpreter, -1, IDLE_MS);
        }
    }
}

enum err
interpreter_new(const struct interpreter_config *config, struct interpreter **out)
{
    struct interpreter *interpreter = calloc(1, sizeof(*interpreter));
    enum err err = ERR_NO_MEMORY;

    if (interpreter == NULL)
        return ERR_NO_MEMORY;
    interpreter->config = *config;
    interpreter->last = &interpreter->first;
    pthread_mutex_init(&interpreter->lock, NULL);
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
    pthread_mutex_destroy(&interpreter->lock);
    free(interpreter);
    return err;
}

void
interpreter_free(struct interpreter *interpreter)
{
    size_t left = 0;

    if (interpreter == NULL)
        return;
    atomic_store(&interpreter->is_stopping, true);
    interpreter_wake(interpreter);
    pthread_join(interpreter->thread, NULL);
    handed_release(interpreter, handed_take(interpreter, SIZE_MAX, &left)); /* the table has them */
    db_close(interpreter->db);
    arena_free(interpreter->claim_arena);
    arena_free(interpreter->body_arena);
    close(interpreter->wake_fd);
    pthread_mutex_destroy(&interpreter->lock);
    free(interpreter);
}
