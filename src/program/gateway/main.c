/*
 * The gateway: the API, providers' callbacks, and the interpretation of what they posted. It may seal
 * anything and open content; no credential opens for it. Start: begin, contract, lock in, watch, threads,
 * ready, loop.
 */
#include "core/log.h"
#include "domain/dnd/dnd_watch.h"
#include "domain/limit/limit_redis.h"
#include "domain/limit/limit_table.h"
#include "domain/policy/phone_zone.h"
#include "domain/tenant/tenant_key.h"
#include "domain/webhook/webhook_address.h"
#include "platform/redis/redis.h"
#include "program/gateway/admin.h"
#include "program/gateway/callback_stage.h"
#include "program/gateway/committer.h"
#include "program/gateway/dashboard.h"
#include "program/gateway/esme.h"
#include "program/gateway/federator.h"
#include "program/gateway/gateway.h"
#include "program/gateway/interpreter.h"
#include "program/gateway/limiter.h"
#include "program/gateway/live.h"
#include <stdatomic.h>
#include <stdlib.h>

#define SECRET_POOL_BYTES                                                                                    \
    ROLE_SECRET_BYTES_MAX /* opened content passes through it, up to a callback's 3 MiB */
#define VAULT_TIMEOUT_MS 5000
#define BODY_BYTES_MAX   (4u * 1024u * 1024u) /* a batch of messages; callbacks have 3 MiB */

static const int gateway_calls[] = { SANDBOX_CALLS_BASE,  SANDBOX_CALLS_THREADS, SANDBOX_CALLS_LOOP,
                                     SANDBOX_CALLS_FILES, SANDBOX_CALLS_CLIENT,  SANDBOX_CALLS_SERVER };
/* For a database that is named, not numbered; and folders by their settings: of the DND registry,
 * and of the certificate for SMPP. */
static const char *gateway_paths[] = { SANDBOX_PATHS_RESOLVER, NULL, NULL };

static const struct sandbox_rules gateway_rules = {
    .paths_read = gateway_paths,
    .path_count = COUNT_OF(gateway_paths) - 2,
    .calls = gateway_calls,
    .call_count = COUNT_OF(gateway_calls),
};

/* The server that a drain stops; set before the watch starts, since the order may come at once. */
static _Atomic(struct http_server *) api_server;
static atomic_bool is_draining;

enum err
gateway_worker_open(void *ctx, unsigned index UNUSED, void **worker_out)
{
    struct gateway *gateway = ctx;
    struct gateway_worker *worker = calloc(1, sizeof(*worker));

    if (worker == NULL)
        return ERR_NO_MEMORY;
    worker->gateway = gateway;
    enum err err = db_open(role_database(gateway->role), &worker->db);
    if (err != ERR_OK) {
        free(worker);
        return err;
    }
    worker->vault = tenant_vault(gateway->vault_client, worker->db);
    *worker_out = worker;
    return ERR_OK;
}

void
gateway_worker_close(void *ctx UNUSED, void *worker_ctx)
{
    struct gateway_worker *worker = worker_ctx;

    if (worker == NULL)
        return;
    db_close(worker->db);
    free(worker);
}

static void
on_drain(void *ctx UNUSED)
{
    atomic_store(&is_draining, true);
    struct http_server *server = atomic_load(&api_server);
    if (server != NULL)
        http_server_stop(server);
}

static void
on_vault(void *ctx, int fd)
{
    vault_client_relink(((struct gateway *)ctx)->vault_client, fd);
}

static void
on_tick(void *ctx UNUSED)
{
    role_heartbeat();
}

static enum err
gateway_handle(void *ctx, struct http_request *request, struct http_response *response)
{
    return router_handle(((struct gateway *)ctx)->router, request, response);
}

static enum err
gateway_handle_on_loop(void *ctx, struct http_request *request, struct http_response *response)
{
    return router_handle_on_loop(((struct gateway *)ctx)->router, request, response);
}

static size_t
gateway_body_limit(void *ctx, enum http_method method, struct slice path)
{
    return router_body_limit(((struct gateway *)ctx)->router, method, path);
}

static enum err
server_new(struct gateway *gateway, struct http_server **out)
{
    const struct config *config = &gateway->role->config;

    gateway->on_loop.gateway = gateway;
    return http_server_new(
        &(struct http_server_config){
            .listen_fd = gateway->role->listen_fd,
            .workers = (unsigned)config->gateway_workers,
            .stream_workers = (unsigned)config->media_workers,
            .connections_max = (size_t)config->http_connections_max,
            .queue_max = (size_t)config->http_queue_max,
            .body_bytes_max = BODY_BYTES_MAX,
            .is_https = slice_starts_with(slice_text(config->public_url), SLICE("https://")),
            .drain_ms = (int)config->drain_timeout_ms,
            .trusted_proxies = slice_text(config->trusted_proxies),
            .clock = gateway->clock,
            .ctx = gateway,
            .worker_open = gateway_worker_open,
            .worker_close = gateway_worker_close,
            .body_limit = gateway_body_limit,
            .handle = gateway_handle,
            .handle_on_loop = gateway_handle_on_loop,
            .loop_worker = &gateway->on_loop },
        out);
}

/* What follows from settings: folders, and Redis, where it is reached by TCP. */
static enum err
rules_make(const struct config *config, struct sandbox_rules *out)
{
    uint16_t port = 0;

    *out = gateway_rules;
    gateway_paths[out->path_count++] = config->dnd_dir;
    if (config->smpp_tls_dir[0] != '\0')
        gateway_paths[out->path_count++] = config->smpp_tls_dir;
    if (config->redis_url[0] == '\0')
        return ERR_OK;
    enum err err = redis_url_check(slice_text(config->redis_url), &port);
    if (err == ERR_OK && port != 0)
        out->ports[out->port_count++] = port;
    return err;
}

/* What is missing is judged as a place whose time is not known. */
static enum err
zones_load(struct gateway *gateway)
{
    size_t missing = 0;
    enum err err = phone_zones_load(PHONE_ZONES_FOLDER, &gateway->zones, &missing);

    if (err == ERR_OK && missing > 0)
        log_event(LOG_WARN, "zones.missing", LOG_NUM("count", missing));
    return err;
}

/* Counted in this host's table alone, or with other hosts in Redis. */
static enum err
limits_open(struct gateway *gateway, struct limit_table *table, struct limit_redis **redis_out)
{
    const struct config *config = &gateway->role->config;
    struct limiter_config with = { .local = limit_table_backend(table),
                                   .shared = limit_table_backend(table),
                                   .clock = gateway->clock,
                                   .database = role_database(gateway->role) };
    bool is_shared_out = strcmp(config->limits_without_redis, "share") == 0;

    if (config->redis_url[0] != '\0') {
        enum err err = limit_redis_new(
            &(struct limit_redis_config){
                .url = config->redis_url,
                .user = config->redis_user,
                .password = role_redis_password(gateway->role),
                .timeout_ms = (int)config->redis_timeout_ms,
                .shares = is_shared_out ? (unsigned)(config->limit_hosts * config->gateways) : 0,
                .clock = gateway->clock },
            redis_out);
        if (err != ERR_OK)
            return err;
        with.shared = limit_redis_backend(*redis_out);
        with.is_shared = true;
    }
    return limiter_new(&with, config, &gateway->limiter);
}

/* Without the dashboard the API is served all the same, unless one was asked for. */
static enum err
dashboard_load(const struct config *config, struct dashboard **out)
{
    enum err err = dashboard_open(config->dashboard, out);

    if (err == ERR_OK)
        return err;
    bool is_optional = config->dashboard[0] == '\0' && err == ERR_NOT_FOUND;
    log_event(is_optional ? LOG_INFO : LOG_ERROR, "gateway.dashboard_absent", LOG_ERR(err));
    return is_optional ? ERR_OK : ERR_CONFIG;
}

/* A public URL that says no origin is no fault: then nobody signs in here. A wrong setting is one. */
static enum err
sign_in_settings(struct gateway *gateway)
{
    const struct config *config = &gateway->role->config;
    struct slice setting = slice_text(config->origin);

    gateway->session_rules = (struct session_rules){ .idle_ms = config->session_idle_minutes * 60000,
                                                     .absolute_ms = config->session_hours * 3600000,
                                                     .step_up_ms = config->step_up_minutes * 60000 };
    enum err err = origin_read(setting, slice_text(config->public_url), &gateway->origin);
    if (err == ERR_CONFIG && setting.len == 0) {
        gateway->origin.whole = gateway->origin.host = SLICE_EMPTY;
        err = ERR_OK;
    }
    return err;
}

int
main(void)
{
    static struct role role;
    static struct gateway gateway = { .role = &role };
    static const struct http_route *const tables[] = { message_routes,
                                                       message_batch_routes,
                                                       message_resend_routes,
                                                       settings_routes,
                                                       policy_routes,
                                                       export_routes,
                                                       channel_routes,
                                                       sms_connector_routes,
                                                       sms_route_routes,
                                                       sms_preview_routes,
                                                       webhook_endpoint_routes,
                                                       webhook_delivery_routes,
                                                       api_key_routes,
                                                       smpp_routes,
                                                       contract_routes,
                                                       callback_routes,
                                                       operation_routes,
                                                       number_routes,
                                                       read_routes,
                                                       template_routes,
                                                       media_routes,
                                                       signup_routes,
                                                       usage_routes,
                                                       audit_routes,
                                                       session_routes,
                                                       me_routes,
                                                       email_routes,
                                                       enrolment_routes,
                                                       factor_routes,
                                                       identity_routes,
                                                       federated_routes,
                                                       people_routes,
                                                       role_routes,
                                                       team_routes,
                                                       invitation_routes,
                                                       review_routes,
                                                       platform_routes,
                                                       overview_routes,
                                                       dnd_routes,
                                                       consent_routes,
                                                       consent_import_routes,
                                                       consent_settings_routes,
                                                       suppression_routes,
                                                       stream_routes,
                                                       dlt_routes,
                                                       dlt_template_routes,
                                                       health_routes };
    struct contract *contract = NULL;
    struct http_server *server = NULL;
    struct interpreter *interpreter = NULL;
    struct admin *admin = NULL;
    struct esme_server *esmes = NULL;
    struct limit_table *table = NULL;
    struct limit_redis *redis = NULL;
    struct sandbox_rules rules;
    char why[256] = "";
    enum err err = role_begin("gateway", CONFIG_GATEWAY, SECRET_POOL_BYTES, &role);

    gateway.clock = clock_system();
    if (err == ERR_OK)
        err = sign_in_settings(&gateway);
    if (err == ERR_OK)
        err = contract_compile(contract_document(), &contract, why, sizeof(why));
    if (err == ERR_OK)
        err = router_new(&(struct router_config){ .tables = tables,
                                                  .table_count = COUNT_OF(tables),
                                                  .contract = contract,
                                                  .authenticate = gateway_authenticate,
                                                  .limit = limiter_judge,
                                                  .fallback = dashboard_answer,
                                                  .cors_origins = slice_text(role.config.cors_origins) },
                         &gateway.router);
    if (err == ERR_OK) /* the router has found it too */
        gateway.message_create = contract_find(contract, "createMessage");
    if (err == ERR_OK)
        err = webhook_guard_init(&gateway.guard, slice_text(role.config.webhook_allow),
                                 slice_text(role.config.webhook_ports),
                                 slice_text(role.config.webhook_refuse), slice_text(role.config.public_url));
    if (err == ERR_OK)
        err = rules_make(&role.config, &rules);
    if (err == ERR_OK)
        err = zones_load(&gateway);
    if (err == ERR_OK) /* the last files that are opened */
        err = dashboard_load(&role.config, &gateway.dashboard);
    if (err == ERR_OK)
        err = role_lock_in(&role, &rules);
    if (err == ERR_OK)
        err = vault_client_new(role.vault_fd, VAULT_TIMEOUT_MS, &gateway.vault_client);
    if (err == ERR_OK)
        err = role_watch_start(
            &role, &(struct role_events){ .ctx = &gateway, .drain = on_drain, .vault = on_vault });
    if (err == ERR_OK)
        err = authentication_new(gateway.clock, &gateway.authentication);
    if (err == ERR_OK)
        err = limit_table_open(role.limits, role.limits_bytes, gateway.clock, &table);
    if (err == ERR_OK)
        err = limits_open(&gateway, table, &redis);
    if (err == ERR_OK)
        err = committer_new(&(struct committer_config){ .database = role_database(&role),
                                                        .vault = gateway.vault_client,
                                                        .clock = gateway.clock,
                                                        .queue_max = (size_t)role.config.http_queue_max,
                                                        .batch_max = (size_t)role.config.commit_batch_max },
                            &gateway.committer);
    if (err == ERR_OK)
        err = interpreter_new(&(struct interpreter_config){ .database = role_database(&role),
                                                            .clock = gateway.clock,
                                                            .vault_client = gateway.vault_client,
                                                            .fetch_media = role.config.fetch_media != 0,
                                                            .media_days = role.config.media_days },
                              &interpreter);
    if (err == ERR_OK)
        err = callback_stage_new(
            &(struct callback_stage_config){ .database = role_database(&role),
                                             .clock = gateway.clock,
                                             .vault_client = gateway.vault_client,
                                             .interpreter = interpreter,
                                             .limiter = gateway.limiter,
                                             .queue_max = (size_t)role.config.http_queue_max,
                                             .batch_max = (size_t)role.config.commit_batch_max },
            &gateway.callbacks);
    if (err == ERR_OK)
        err = live_new(&(struct live_config){ .database = role_database(&role),
                                              .clock = gateway.clock,
                                              .session_rules = gateway.session_rules,
                                              .streams_max = (size_t)role.config.streams_max,
                                              .workspace_max = (size_t)role.config.streams_workspace,
                                              .actor_max = (size_t)role.config.streams_person },
                       &gateway.live);
    if (err == ERR_OK)
        err = dnd_watch_new(role.config.dnd_dir, gateway.clock, &gateway.dnd);
    if (err == ERR_OK)
        err = federator_new(&gateway, &gateway.federator);
    if (err == ERR_OK && role.admin_fd >= 0)
        err = admin_new(&gateway, &admin);
    if (err == ERR_OK && role.smpp_fd >= 0)
        err = esme_server_new(&gateway, role.smpp_fd, &esmes);
    if (err == ERR_OK)
        err = server_new(&gateway, &server);
    if (err == ERR_OK) {
        atomic_store(&api_server, server);
        if (atomic_load(&is_draining)) /* the order came before there was a server */
            http_server_stop(server);
        role_ready(&role);
        err = http_server_run(server, on_tick, NULL);
    }
    role_watch_stop(&role);
    atomic_store(&api_server, NULL);
    esme_server_stop(esmes); /* what it handed over comes back before the committer stops */
    committer_stop(gateway.committer); /* answers what it still holds; a worker that is late is refused */
    callback_stage_stop(gateway.callbacks);
    federator_stop(gateway.federator);
    live_stop(gateway.live); /* lets go of the answers that it still writes */
    http_server_free(server);
    live_free(gateway.live);
    callback_stage_free(gateway.callbacks);
    federator_free(gateway.federator);
    committer_free(gateway.committer);
    esme_server_free(esmes);
    limiter_free(gateway.limiter); /* writes what was accepted */
    limit_redis_free(redis);
    limit_table_close(table);
    interpreter_free(interpreter);
    admin_free(admin);
    authentication_free(gateway.authentication);
    vault_client_free(gateway.vault_client);
    router_free(gateway.router);
    contract_free(contract);
    dnd_watch_free(gateway.dnd);
    dashboard_free(gateway.dashboard);
    phone_zones_free(gateway.zones);
    return role_end(&role, err);
}
