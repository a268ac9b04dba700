/* Bodies on their way from whoever stored them to the interpreter's thread. */
#include "core/log.h"
#include "program/gateway/interpreter_internal.h"
#include <unistd.h>

#define HANDED_COUNT_MAX 4096u /* so few that all are read long before their lease is over */
#define HANDED_BYTES_MAX (32u * 1024u * 1024u)

bool
interpreter_takes(struct interpreter *interpreter, size_t count, size_t bytes)
{
    pthread_mutex_lock(&interpreter->lock);
    bool has_room =
        interpreter->count + count <= HANDED_COUNT_MAX && interpreter->bytes + bytes <= HANDED_BYTES_MAX;
    pthread_mutex_unlock(&interpreter->lock);
    return has_room;
}

static struct handed *
handed_new(const struct interpreter_body *bodies, size_t count)
{
    struct arena *arena = arena_new(2 * HANDED_BYTES_MAX);
    struct handed *handed = arena == NULL ? NULL : arena_alloc(arena, sizeof(*handed));
    bool is_whole = handed != NULL;

    if (is_whole) {
        *handed = (struct handed){ .arena = arena,
                                   .events = arena_array(arena, count, sizeof(*handed->events)),
                                   .bodies = arena_array(arena, count, sizeof(*handed->bodies)),
                                   .numbers = arena_array(arena, count, sizeof(*handed->numbers)),
                                   .count = count };
        is_whole = handed->events != NULL && handed->bodies != NULL && handed->numbers != NULL;
    }
    for (size_t i = 0; is_whole && i < count; i++) {
        handed->events[i] = (struct provider_event){ .id = bodies[i].event,
                                                     .tenant = bodies[i].tenant,
                                                     .channel = bodies[i].channel,
                                                     .batch = bodies[i].batch,
                                                     .attempt = 1 };
        handed->bodies[i] = arena_copy(arena, bodies[i].bytes);
        handed->numbers[i] = arena_copy(arena, bodies[i].number);
        handed->bytes += bodies[i].bytes.len;
        is_whole = handed->bodies[i].ptr != NULL && handed->numbers[i].ptr != NULL;
    }
    if (is_whole)
        return handed;
    arena_free(arena);
    return NULL;
}

void
interpreter_wake(struct interpreter *interpreter)
{
    const uint64_t one = 1;

    if (write(interpreter->wake_fd, &one, sizeof(one)) !=
        (ssize_t)sizeof(one)) /* it looks each second anyway */
        log_event(LOG_DEBUG, "interpreter.wake_failed", LOG_ERR(ERR_SYSTEM));
}

void
interpreter_hand(struct interpreter *interpreter, const struct interpreter_body *bodies, size_t count)
{
    struct handed *handed = count == 0 ? NULL : handed_new(bodies, count);

    if (handed == NULL)
        return;
    pthread_mutex_lock(&interpreter->lock);
    bool wakes = interpreter->is_resting;
    interpreter->is_resting = false;
    *interpreter->last = handed;
    interpreter->last = &handed->next;
    interpreter->count += handed->count;
    interpreter->bytes += handed->bytes;
    pthread_mutex_unlock(&interpreter->lock);
    if (wakes)
        interpreter_wake(interpreter);
}

struct handed *
handed_take(struct interpreter *interpreter, size_t count_max, size_t *count_out)
{
    size_t count = 0;

    pthread_mutex_lock(&interpreter->lock);
    struct handed *first = interpreter->first, **end = &interpreter->first;
    while (*end != NULL && (count == 0 || count + (*end)->count <= count_max)) {
        count += (*end)->count;
        end = &(*end)->next;
    }
    interpreter->first = *end;
    *end = NULL;
    if (interpreter->first == NULL)
        interpreter->last = &interpreter->first;
    pthread_mutex_unlock(&interpreter->lock);
    *count_out = count;
    return count == 0 ? NULL : first;
}

bool
handed_rest(struct interpreter *interpreter)
{
    pthread_mutex_lock(&interpreter->lock);
    bool rests = interpreter->is_resting = interpreter->first == NULL;
    pthread_mutex_unlock(&interpreter->lock);
    return rests;
}

void
handed_release(struct interpreter *interpreter, struct handed *handed)
{
    while (handed != NULL) {
        struct handed *next = handed->next;
        pthread_mutex_lock(&interpreter->lock);
        interpreter->count -= handed->count;
        interpreter->bytes -= handed->bytes;
        pthread_mutex_unlock(&interpreter->lock);
        arena_free(handed->arena);
        handed = next;
    }
}
