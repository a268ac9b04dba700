#include "program/gateway/admin.h"
#include "core/metric.h"
#include "domain/tenant/tenant_key.h"
#include <pthread.h>
#include <stdlib.h>

#define METRICS_BYTES_MAX (1024u * 1024u)

struct admin {
    struct gateway *gateway;
    struct router *router;
    struct http_server *server;
    pthread_t thread;
};

static enum err
health_get(struct http_request *request, struct http_response *response)
{
    return http_reply_json(request, response, 200, json_pack("{s:s}", "status", "ok"));
}

static const struct db_stmt ready_stmt = { "ready", "SELECT" };

static enum err
ready_ask(struct db_tx *tx, void *ctx UNUSED)
{
    return db_exec(tx, &ready_stmt, DB_NO_ARGS, NULL);
}

/* Any transaction would do: a purpose that opens nothing costs nothing. */
static enum err
database_answers(struct db *db)
{
    enum err err = db_run_across(db, "ready", ready_ask, NULL);

    return err == ERR_DB_UNAVAILABLE && db_reopen(db, 1000) == ERR_OK
               ? db_run_across(db, "ready", ready_ask, NULL)
               : err;
}

/* Of any gateway: not each of them has asked since it went. */
static bool
redis_is_away(const struct role *role)
{
    struct metric_view view;

    for (size_t i = 0; i < role->page_count; i++)
        if (metric_view(role->pages[i], metric_page_bytes(), &view) == ERR_OK &&
            metric_read(role->pages[i], METRIC_REDIS_AWAY) != 0)
            return true;
    return false;
}

static enum err
ready_get(struct http_request *request, struct http_response *response)
{
    struct gateway_worker *worker = gateway_worker_of(request);
    struct vault_facts facts;
    enum err database = database_answers(worker->db), vault = vault_facts(&worker->vault, &facts);
    bool is_ready = database == ERR_OK && vault == ERR_OK;

    if (!is_ready)
        http_response_add(response, "Retry-After", SLICE("1"));
    return http_reply_json(request, response, is_ready ? 200 : 503,
                           json_pack("{s:s, s:s, s:s, s:s}", "status", is_ready ? "ready" : "unready",
                                     "limits", redis_is_away(worker->gateway->role) ? "redis-away" : "ok",
                                     "database", database == ERR_OK ? "ok" : "away", "vault",
                                     vault == ERR_OK ? "ok" : "away"));
}

const struct http_route health_routes[] = {
    { HTTP_GET, "/healthz", health_get, NULL, HTTP_ACCESS_OPEN, .begins_on_loop = true,
      .is_unlimited = true },
    { HTTP_GET, "/readyz", ready_get, NULL, HTTP_ACCESS_OPEN, .is_unlimited = true },
    { .handler = NULL },
};

static enum err
metrics_get(struct http_request *request, struct http_response *response)
{
    const struct role *role = gateway_worker_of(request)->gateway->role;
    struct buf text;

    buf_init(&text, METRICS_BYTES_MAX);
    metric_print(&text, role->pages, role->page_count);
    enum err err = buf_done(&text);
    response->status = 200;
    response->content_type = SLICE("text/plain; version=0.0.4; charset=utf-8");
    response->body = arena_copy(request->arena, buf_slice(&text));
    buf_release(&text);
    return err == ERR_OK && response->body.ptr == NULL ? ERR_NO_MEMORY : err;
}

static const struct http_route metrics_routes[] = {
    { HTTP_GET, "/metrics", metrics_get, NULL, HTTP_ACCESS_OPEN },
    { .handler = NULL },
};

static enum err
admin_worker_open(void *ctx, unsigned index, void **worker_out)
{
    const struct admin *admin = ctx;

    return gateway_worker_open(admin->gateway, index, worker_out);
}

static enum err
admin_handle(void *ctx, struct http_request *request, struct http_response *response)
{
    return router_handle(((struct admin *)ctx)->router, request, response);
}

static size_t
admin_body_limit(void *ctx, enum http_method method, struct slice path)
{
    return router_body_limit(((struct admin *)ctx)->router, method, path);
}

static void *
admin_run(void *ctx)
{
    struct admin *admin = ctx;

    if (http_server_run(admin->server, NULL, NULL) != ERR_OK)
        bug("the admin loop cannot fail once it runs");
    return NULL;
}

enum err
admin_new(struct gateway *gateway, struct admin **out)
{
    static const struct http_route *const tables[] = { health_routes, metrics_routes };
    struct admin *admin = calloc(1, sizeof(*admin));

    if (admin == NULL)
        return ERR_NO_MEMORY;
    admin->gateway = gateway;
    enum err err = router_new(&(struct router_config){ .tables = tables, .table_count = COUNT_OF(tables) },
                              &admin->router);
    if (err == ERR_OK)
        err = http_server_new(&(struct http_server_config){ .listen_fd = gateway->role->admin_fd,
                                                            .workers = 1,
                                                            .connections_max = 16,
                                                            .queue_max = 16,
                                                            .clock = gateway->clock,
                                                            .ctx = admin,
                                                            .worker_open = admin_worker_open,
                                                            .worker_close = gateway_worker_close,
                                                            .body_limit = admin_body_limit,
                                                            .handle = admin_handle },
                              &admin->server);
    if (err == ERR_OK && pthread_create(&admin->thread, NULL, admin_run, admin) != 0)
        err = ERR_SYSTEM;
    if (err == ERR_OK) {
        *out = admin;
        return ERR_OK;
    }
    http_server_free(admin->server);
    router_free(admin->router);
    free(admin);
    return err;
}

void
admin_free(struct admin *admin)
{
    if (admin == NULL)
        return;
    http_server_stop(admin->server);
    pthread_join(admin->thread, NULL);
    http_server_free(admin->server);
    router_free(admin->router);
    free(admin);
}
