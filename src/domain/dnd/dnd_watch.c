#include "domain/dnd/dnd_watch.h"
#include "core/log.h"
#include "core/metric.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

/* By what a file is known again. */
struct seen {
    bool is_there;
    dev_t device;
    ino_t inode;
    off_t bytes;
    struct timespec changed_at;
};

struct dnd_watch {
    char folder[1024], path[1100];
    const struct clock *clock;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t mutex; /* guards the fields below */
    pthread_cond_t stop;
    bool is_stopping;
    struct dnd_registry *registry; /* owned, one reference; NULL: none */
    /* The thread's own. */
    struct seen seen;
};

static struct seen
file_seen(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return (struct seen){ .is_there = false };
    return (struct seen){ true, st.st_dev, st.st_ino, st.st_size, st.st_mtim };
}

static bool
is_same(const struct seen *a, const struct seen *b)
{
    return a->is_there == b->is_there && a->device == b->device && a->inode == b->inode &&
           a->bytes == b->bytes && a->changed_at.tv_sec == b->changed_at.tv_sec &&
           a->changed_at.tv_nsec == b->changed_at.tv_nsec;
}

static void
metrics_set(const struct dnd_watch *watch, const struct dnd_registry *registry)
{
    const struct dnd_registry_facts *facts = registry == NULL ? NULL : dnd_registry_facts(registry);

    metric_set(METRIC_DND_NUMBERS, facts == NULL ? 0 : (int64_t)facts->number_count);
    metric_set(METRIC_DND_AGE,
               facts == NULL ? -1 : (clock_wall(watch->clock).us - facts->imported_at.us) / 1000000);
}

bool
dnd_watch_look(struct dnd_watch *watch)
{
    struct seen now = file_seen(watch->path);
    struct dnd_registry *registry = NULL, *old;

    if (is_same(&now, &watch->seen)) {
        metrics_set(watch, watch->registry); /* only this thread changes it */
        return false;
    }
    enum err err = now.is_there ? dnd_registry_open(watch->folder, &registry) : ERR_NOTHING;
    watch->seen = now;
    if (err == ERR_OK)
        log_event(LOG_INFO, "dnd.opened", LOG_NUM("count", dnd_registry_facts(registry)->number_count),
                  LOG_TIME("imported_at", dnd_registry_facts(registry)->imported_at));
    else if (err == ERR_NOTHING)
        log_event(LOG_INFO, "dnd.absent");
    else
        log_event(LOG_ERROR, "dnd.unreadable", LOG_ERR(err));
    /* One that cannot be read does not push out the one that is open: it is older, and still right for most.
     */
    if (err != ERR_OK && err != ERR_NOTHING)
        return false;
    pthread_mutex_lock(&watch->mutex);
    old = watch->registry;
    watch->registry = registry;
    pthread_mutex_unlock(&watch->mutex);
    dnd_registry_unref(old);
    metrics_set(watch, registry);
    return true;
}

static void *
watch_run(void *of)
{
    struct dnd_watch *watch = of;

    pthread_mutex_lock(&watch->mutex);
    while (!watch->is_stopping) {
        struct timespec until;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += DND_WATCH_MS / 1000;
        while (!watch->is_stopping &&
               pthread_cond_timedwait(&watch->stop, &watch->mutex, &until) != ETIMEDOUT)
            continue;
        if (watch->is_stopping)
            break;
        pthread_mutex_unlock(&watch->mutex);
        (void)dnd_watch_look(watch);
        pthread_mutex_lock(&watch->mutex);
    }
    pthread_mutex_unlock(&watch->mutex);
    return NULL;
}

enum err
dnd_watch_new(const char *folder, const struct clock *clock, struct dnd_watch **out)
{
    struct dnd_watch *watch = calloc(1, sizeof(*watch));
    pthread_condattr_t monotonic;

    *out = NULL;
    if (watch == NULL)
        return ERR_NO_MEMORY;
    watch->clock = clock;
    if ((size_t)snprintf(watch->folder, sizeof(watch->folder), "%s", folder) >= sizeof(watch->folder)) {
        free(watch);
        return ERR_SYSTEM;
    }
    snprintf(watch->path, sizeof(watch->path), "%s/" DND_REGISTRY_NAME, folder);
    pthread_mutex_init(&watch->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&watch->stop, &monotonic);
    pthread_condattr_destroy(&monotonic);
    watch->seen.bytes = -1; /* no file: what is there is news, and so is nothing */
    (void)dnd_watch_look(watch);
    watch->has_thread = pthread_create(&watch->thread, NULL, watch_run, watch) == 0;
    if (!watch->has_thread) {
        dnd_watch_free(watch);
        return ERR_SYSTEM;
    }
    *out = watch;
    return ERR_OK;
}

struct dnd_registry *
dnd_watch_take(struct dnd_watch *watch)
{
    pthread_mutex_lock(&watch->mutex);
    struct dnd_registry *registry = watch->registry == NULL ? NULL : dnd_registry_ref(watch->registry);
    pthread_mutex_unlock(&watch->mutex);
    return registry;
}

void
dnd_watch_pause(struct dnd_watch *watch)
{
    if (!watch->has_thread)
        return;
    pthread_mutex_lock(&watch->mutex);
    watch->is_stopping = true;
    pthread_cond_signal(&watch->stop);
    pthread_mutex_unlock(&watch->mutex);
    pthread_join(watch->thread, NULL);
    watch->has_thread = false;
}

void
dnd_watch_free(struct dnd_watch *watch)
{
    if (watch == NULL)
        return;
    dnd_watch_pause(watch);
    dnd_registry_unref(watch->registry);
    pthread_cond_destroy(&watch->stop);
    pthread_mutex_destroy(&watch->mutex);
    free(watch);
}
