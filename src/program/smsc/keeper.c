#include "program/smsc/keeper.h"
#include "core/log.h"
#include "core/metric.h"
#include "domain/tenant/tenant_key.h"
#include "program/smsc/keeper_store.h"
#include "wire/smpp/smpp_status.h"
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define ARENA_BYTES     (32u * 1024u * 1024u)
#define CONNECTOR_BYTES (64u * 1024u)
#define LOOK_MS         1000
#define DB_REOPEN_MS    5000
#define PDUS_AT_ONCE    200u
#define CONNECTORS_MAX  1000u

/* A connector that the loop was told of. */
struct known {
    struct id tenant, id;
    int64_t revision;
    bool was_seen;
};

struct keeper {
    struct keeper_config config;
    struct db *db;
    struct vault vault;
    struct arena *arena;
    pthread_t thread;
    struct mailbox tasks;
    struct keeper_task *left, **left_last; /* not done yet: the database was away */
    atomic_bool is_stopping;
    bool has_lock, had_lock, has_routes;
    struct known *known; /* owned: CONNECTORS_MAX */
    size_t known_count;
    unsigned char *routes_seen; /* owned: what the last ROUTES said */
    size_t routes_seen_len;
    struct mono_time looked_at;
};

void
keeper_connector_free(struct keeper_connector *connector)
{
    if (connector == NULL)
        return;
    secret_free(connector->password);
    arena_free(connector->arena);
    free(connector);
}

void
keeper_news_free(struct keeper_news *news)
{
    if (news == NULL)
        return;
    keeper_connector_free(news->connector);
    free(news->tenants);
    free(news->routes);
    free(news);
}

struct keeper_task *
keeper_task_new(enum keeper_task_kind kind, struct id tenant, struct id connector)
{
    struct keeper_task *task = calloc(1, sizeof(*task));

    if (task == NULL)
        return NULL;
    task->kind = kind;
    task->tenant = tenant;
    task->connector = connector;
    buf_init(&task->body, SMPP_PDU_BYTES_MAX + 64u);
    return task;
}

void
keeper_task_free(struct keeper_task *task)
{
    if (task == NULL)
        return;
    buf_release_wiped(&task->body);
    free(task->links);
    free(task);
}

static struct keeper_news *
news_new(enum keeper_news_kind kind)
{
    struct keeper_news *news = calloc(1, sizeof(*news));

    if (news != NULL)
        news->kind = kind;
    return news;
}

static enum err
news_put(struct keeper *keeper, struct keeper_news *news)
{
    if (news == NULL)
        return ERR_NO_MEMORY;
    mailbox_put(keeper->config.news, &news->item);
    return ERR_OK;
}

/* What was put. */

/* Stored together, or where that fails each by itself; then they are answered. */
static void
pdus_store(struct keeper *keeper, struct keeper_task **tasks, size_t count)
{
    enum err err =
        keeper_store_pdus(keeper->db, &keeper->vault, keeper->config.clock, tasks, count, keeper->arena);

    if (err != ERR_OK && err_class(err) != ERR_CLASS_UNAVAILABLE && count > 1) {
        for (size_t i = 0; i < count; i++)
            pdus_store(keeper, tasks + i, 1);
        return;
    }
    if (err != ERR_OK)
        log_event(LOG_WARN, "smsc.not_stored", LOG_NUM("count", count), LOG_ERR(err));
    else
        metric_add(METRIC_PROVIDER_EVENTS, count);
    for (size_t i = 0; i < count; i++) {
        if (err != ERR_OK)
            tasks[i]->status = SMPP_TEMPORARY_ERROR; /* the operator sends it again */
        mailbox_put(keeper->config.stored, &tasks[i]->item);
    }
}

static enum err
task_do(struct keeper *keeper, const struct keeper_task *task)
{
    switch (task->kind) {
    case KEEPER_LINKS:
        return keeper_store_links(keeper->db, task->links, task->link_count, keeper->arena);
    case KEEPER_BREAK:
    case KEEPER_UP:
    case KEEPER_DOWN:
    case KEEPER_THROTTLED:
        return keeper_store_state(keeper->db, keeper->config.clock, task, keeper->arena);
    case KEEPER_LATE:
        return keeper_store_late(keeper->db, keeper->config.clock, task, keeper->arena);
    case KEEPER_PDU:
        break;
    }
    bug("a task of another kind");
}

/* PDUs first: somebody waits for them. */
static enum err
tasks_do(struct keeper *keeper)
{
    struct keeper_task *pdus[PDUS_AT_ONCE];
    size_t pdu_count = 0;
    bool is_behind = keeper->left != NULL; /* the database was away: how links do is told again, and again */
    enum err err = ERR_OK;

    for (struct keeper_task *task = (struct keeper_task *)mailbox_take(&keeper->tasks), *next; task != NULL;
         task = next) {
        next = (struct keeper_task *)task->item.next;
        task->item.next = NULL;
        if (task->kind == KEEPER_LINKS && is_behind) {
            keeper_task_free(task);
            continue;
        }
        if (task->kind != KEEPER_PDU) {
            *keeper->left_last = task;
            keeper->left_last = (struct keeper_task **)&task->item.next;
            continue;
        }
        pdus[pdu_count++] = task;
        if (pdu_count == PDUS_AT_ONCE || next == NULL) {
            pdus_store(keeper, pdus, pdu_count);
            arena_reset(keeper->arena);
            pdu_count = 0;
        }
    }
    if (pdu_count > 0)
        pdus_store(keeper, pdus, pdu_count);
    while (err == ERR_OK && keeper->left != NULL) {
        struct keeper_task *task = keeper->left;
        arena_reset(keeper->arena);
        err = task_do(keeper, task);
        if (err_class(err) == ERR_CLASS_UNAVAILABLE)
            return err; /* again when the database is back */
        if (err != ERR_OK)
            log_event(LOG_ERROR, "smsc.not_kept", LOG_ID("connector", ID_SMS_CONNECTOR, task->connector),
                      LOG_ERR(err));
        err = ERR_OK;
        keeper->left = (struct keeper_task *)task->item.next;
        if (keeper->left == NULL)
            keeper->left_last = &keeper->left;
        keeper_task_free(task);
    }
    return err;
}

/* What there is to be bound. */

static struct known *
known_find(struct keeper *keeper, struct id id)
{
    for (size_t i = 0; i < keeper->known_count; i++)
        if (id_eq(keeper->known[i].id, id))
            return &keeper->known[i];
    return NULL;
}

/* Its settings and its password, which the vault opens. */
static enum err
connector_tell(struct keeper *keeper, const struct keeper_row *row)
{
    struct keeper_connector *connector = calloc(1, sizeof(*connector));
    struct keeper_news *news = NULL;
    enum err err = connector == NULL ? ERR_NO_MEMORY : ERR_OK;

    if (err == ERR_OK) {
        connector->tenant = row->tenant;
        connector->arena = arena_new(CONNECTOR_BYTES);
        err = connector->arena == NULL
                  ? ERR_NO_MEMORY
                  : keeper_store_connector(keeper->db, &keeper->vault, row, connector, keeper->arena);
    }
    if (err == ERR_OK && (news = news_new(KEEPER_CONNECTOR)) == NULL)
        err = ERR_NO_MEMORY;
    if (err != ERR_OK) {
        keeper_connector_free(connector);
        return err;
    }
    news->connector = connector;
    return news_put(keeper, news);
}

static enum err
gone_tell(struct keeper *keeper, const struct known *known)
{
    struct keeper_news *news = news_new(KEEPER_GONE);
    enum err err = keeper_store_gone(keeper->db, known->tenant, known->id);

    if (err != ERR_OK || news == NULL) {
        free(news);
        return err != ERR_OK ? err : ERR_NO_MEMORY;
    }
    news->id = known->id;
    return news_put(keeper, news);
}

/* Of one that cannot be read the others do not depend: it is looked at again. */
static enum err
connectors_look(struct keeper *keeper, const struct keeper_row *rows, size_t count)
{
    enum err err = ERR_OK;

    for (size_t i = 0; i < keeper->known_count; i++)
        keeper->known[i].was_seen = false;
    for (size_t i = 0; i < count; i++) {
        struct known *known = known_find(keeper, rows[i].id);
        if (known != NULL)
            known->was_seen = true;
        if (known != NULL && known->revision == rows[i].revision)
            continue;
        if (known == NULL && keeper->known_count == CONNECTORS_MAX)
            continue;
        err = connector_tell(keeper, &rows[i]);
        if (err == ERR_DB_UNAVAILABLE)
            return err;
        if (err != ERR_OK) {
            log_event(LOG_WARN, "smsc.connector_unreadable",
                      LOG_ID("connector", ID_SMS_CONNECTOR, rows[i].id), LOG_ERR(err));
            continue;
        }
        if (known == NULL)
            known = &keeper->known[keeper->known_count++];
        *known = (struct known){ rows[i].tenant, rows[i].id, rows[i].revision, true };
    }
    for (size_t i = keeper->known_count; i-- > 0;) {
        if (keeper->known[i].was_seen)
            continue;
        err = gone_tell(keeper, &keeper->known[i]);
        if (err != ERR_OK)
            return err;
        keeper->known[i] = keeper->known[--keeper->known_count];
    }
    return ERR_OK;
}

/* All routes again, when they are not what the loop was told. */
static enum err
routes_look(struct keeper *keeper)
{
    struct keeper_news *news = news_new(KEEPER_ROUTES);
    unsigned char *seen = NULL;
    size_t seen_len = 0;
    enum err err = news == NULL ? ERR_NO_MEMORY
                                : keeper_store_routes(keeper->db, &news->tenants, &news->routes,
                                                      &news->route_count, &seen, &seen_len);

    if (err == ERR_OK && (!keeper->has_routes || seen_len != keeper->routes_seen_len ||
                          (seen_len > 0 && memcmp(seen, keeper->routes_seen, seen_len) != 0))) {
        free(keeper->routes_seen);
        keeper->routes_seen = seen;
        keeper->routes_seen_len = seen_len;
        keeper->has_routes = true;
        return news_put(keeper, news);
    }
    free(seen);
    keeper_news_free(news);
    return err;
}

static enum err
look(struct keeper *keeper)
{
    struct keeper_row *rows = NULL;
    size_t count = 0;
    enum err err =
        keeper_store_look(keeper->db, CONNECTORS_MAX, keeper->arena, &keeper->has_lock, &rows, &count);

    if (err != ERR_OK)
        return err;
    if (keeper->has_lock != keeper->had_lock) {
        err = news_put(keeper, news_new(keeper->has_lock ? KEEPER_WORKS : KEEPER_STOPS));
        keeper->had_lock = keeper->has_lock;
        if (keeper->has_lock)
            log_event(LOG_INFO, "smsc.works");
        else
            log_event(LOG_WARN, "smsc.lock_lost");
    }
    if (err == ERR_OK && keeper->has_lock)
        err = routes_look(keeper); /* before a connector binds: what waits for it is carried at once */
    return err == ERR_OK && keeper->has_lock ? connectors_look(keeper, rows, count) : err;
}

static enum err
keeper_round(struct keeper *keeper)
{
    struct mono_time now = clock_mono(keeper->config.clock);
    enum err err = tasks_do(keeper);

    arena_reset(keeper->arena);
    if (err != ERR_OK || (keeper->looked_at.us != 0 && now.us - keeper->looked_at.us < LOOK_MS * 1000) ||
        atomic_load(&keeper->is_stopping))
        return err;
    keeper->looked_at = now;
    err = look(keeper);
    arena_reset(keeper->arena);
    return err;
}

static void
on_notice(void *ctx, struct slice channel UNUSED, struct slice payload UNUSED)
{
    ((struct keeper *)ctx)->looked_at.us = 0;
}

/* Until something is put, a connector or a route is changed, or it is time to look by itself. */
static void
keeper_wait(struct keeper *keeper)
{
    struct pollfd fds[] = { { .fd = keeper->tasks.event_fd, .events = POLLIN },
                            { .fd = db_fd(keeper->db), .events = POLLIN } };
    bool is_lost = db_notifications(keeper->db, on_notice, keeper) != ERR_OK; /* what came with an answer */

    if (is_lost || keeper->looked_at.us == 0)
        return; /* the next round says what is wrong */
    if (poll(fds, 2, LOOK_MS) > 0 && fds[1].revents != 0 &&
        db_notifications(keeper->db, on_notice, keeper) != ERR_OK)
        keeper->looked_at.us = 0;
}

static void *
keeper_run(void *ctx)
{
    struct keeper *keeper = ctx;

    for (;;) {
        bool is_last = atomic_load(&keeper->is_stopping);
        enum err err = keeper_round(keeper);

        if (is_last)
            return NULL;
        if (err != ERR_OK) {
            log_event(err_class(err) == ERR_CLASS_UNAVAILABLE ? LOG_WARN : LOG_ERROR, "smsc.keeper_failed",
                      LOG_ERR(err));
            if (err != ERR_DB_UNAVAILABLE || db_reopen(keeper->db, DB_REOPEN_MS) != ERR_OK)
                (void)poll(NULL, 0, 200);
            keeper->looked_at.us = 0; /* the lock went with the connection */
            continue;
        }
        keeper_wait(keeper);
    }
}

enum err
keeper_new(const struct keeper_config *config, struct keeper **out)
{
    struct keeper *keeper = calloc(1, sizeof(*keeper));
    enum err err = ERR_NO_MEMORY;

    *out = NULL;
    if (keeper == NULL)
        return ERR_NO_MEMORY;
    keeper->config = *config;
    keeper->left_last = &keeper->left;
    keeper->arena = arena_new(ARENA_BYTES);
    keeper->known = calloc(CONNECTORS_MAX, sizeof(*keeper->known));
    if (keeper->arena != NULL && keeper->known != NULL)
        err = mailbox_init(&keeper->tasks);
    if (err == ERR_OK)
        err = db_open(config->database, &keeper->db);
    if (err == ERR_OK)
        err = db_listen(keeper->db, "harkara_sms_connector");
    keeper->vault = tenant_vault(config->vault_client, keeper->db);
    if (err == ERR_OK && pthread_create(&keeper->thread, NULL, keeper_run, keeper) != 0)
        err = ERR_SYSTEM;
    if (err == ERR_OK) {
        *out = keeper;
        return ERR_OK;
    }
    db_close(keeper->db);
    arena_free(keeper->arena);
    free(keeper->known);
    free(keeper);
    return err;
}

void
keeper_put(struct keeper *keeper, struct keeper_task *task)
{
    mailbox_put(&keeper->tasks, &task->item);
}

void
keeper_free(struct keeper *keeper)
{
    if (keeper == NULL)
        return;
    atomic_store(&keeper->is_stopping, true);
    mailbox_wake(&keeper->tasks);
    pthread_join(keeper->thread, NULL);
    struct keeper_task *task = keeper->left;
    for (struct keeper_task *next; task != NULL; task = next) {
        next = (struct keeper_task *)task->item.next;
        keeper_task_free(task);
    }
    mailbox_release(&keeper->tasks);
    db_close(keeper->db);
    arena_free(keeper->arena);
    free(keeper->known);
    free(keeper->routes_seen);
    free(keeper);
}
