/*
 * The webhooks role: fans the event log out to tenants' endpoints and delivers each event, signed, at least
 * once. It reaches public addresses only (and ranges that the operator allowed), and never listens. The loop
 * thread speaks to endpoints, the store thread to the database and the vault.
 */
#include "core/log.h"
#include "core/metric.h"
#include "crypto/random.h"
#include "domain/webhook/webhook_address.h"
#include "platform/net/http_client.h"
#include "platform/os/role.h"
#include "program/webhooks/delivery_lanes.h"
#include "program/webhooks/delivery_store.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* For each request in flight the tenant's own fields (and a bearer's line, which none has here). */
#define SECRET_POOL_BYTES  (2u * 1024u * 1024u)
#define VAULT_TIMEOUT_MS   5000
#define RESPONSE_BYTES_MAX (16u * 1024u)
#define CONNECT_TIMEOUT_MS 5000
#define LOOP_MS_MAX        250
#define IDLE_LOOP_MS_MAX   1000 /* with nothing to do: the heartbeat's step */
#define WAIT_MS_MAX        5000 /* of a delivery that was claimed: less than its lease has to spare */
#define IDLE_MS_MAX        5000

static const int webhooks_calls[] = { SANDBOX_CALLS_BASE, SANDBOX_CALLS_THREADS, SANDBOX_CALLS_LOOP,
                                      SANDBOX_CALLS_FILES, SANDBOX_CALLS_CLIENT };

struct webhooks {
    struct role *role;
    struct vault_client *vault_client;
    struct http_client *http;
    struct delivery_lanes *lanes;
    struct address_guard guard;
    struct mailbox ready, settled;
    struct delivery_store *store;
    atomic_bool is_draining;
};

struct flight {
    struct webhooks *webhooks;
    struct delivery_job *job;
};

static enum webhook_result
result_of(const struct delivery_job *job, const struct http_result *result)
{
    if (job->has_expired)
        return WEBHOOK_RESULT_CERTIFICATE_EXPIRED;
    switch (result->failure) {
    case HTTP_FAILURE_NONE:
        return result->status >= 200 && result->status <= 299 ? WEBHOOK_RESULT_DELIVERED
                                                              : WEBHOOK_RESULT_STATUS;
    case HTTP_FAILURE_DNS:
        return WEBHOOK_RESULT_DNS;
    case HTTP_FAILURE_BLOCKED:
    case HTTP_FAILURE_URL:
        return WEBHOOK_RESULT_BLOCKED;
    case HTTP_FAILURE_CONNECT:
        return WEBHOOK_RESULT_CONNECT;
    case HTTP_FAILURE_TLS:
        return WEBHOOK_RESULT_TLS;
    case HTTP_FAILURE_TIMEOUT:
        return WEBHOOK_RESULT_TIMEOUT;
    case HTTP_FAILURE_SIZE:
        return WEBHOOK_RESULT_SIZE;
    case HTTP_FAILURE_BROKEN:
        return WEBHOOK_RESULT_BROKEN;
    }
    bug("a failure outside the enum");
}

/* Back to the queue: they never left. */
static void
give_back(struct webhooks *webhooks, struct delivery_job *job)
{
    for (struct delivery_job *next; job != NULL; job = next) {
        next = delivery_job_next(job);
        job->is_released = true;
        mailbox_put(&webhooks->settled, &job->item);
    }
}

static void
flight_done(void *ctx, const struct http_result *result)
{
    struct flight *flight = ctx;
    struct webhooks *webhooks = flight->webhooks;
    struct delivery_job *job = flight->job;
    struct webhook_outcome *outcome = &job->outcome;
    uint32_t jitter = 0;

    if (random_fill(&jitter, sizeof(jitter)) != ERR_OK)
        jitter = (uint32_t)result->elapsed_us;
    outcome->latency_ms = (int32_t)(result->elapsed_us / 1000);
    snprintf(job->address, sizeof(job->address), "%s", result->peer == NULL ? "" : result->peer);
    job->answer_len = result->body.len < sizeof(job->answer) ? result->body.len : sizeof(job->answer);
    if (job->answer_len > 0)
        memcpy(job->answer, result->body.ptr, job->answer_len);
    outcome->result =
        (struct webhook_attempt){ .result = result_of(job, result),
                                  .status = result->failure == HTTP_FAILURE_NONE ? result->status : 0,
                                  .retry_after_s = result->retry_after_s };
    outcome->plan = webhook_plan_of(&outcome->result, outcome->attempt, jitter,
                                    (unsigned)webhooks->role->config.webhook_schedule_scale_percent);
    if (outcome->plan.verdict == WEBHOOK_DELIVERED) {
        metric_add(METRIC_WEBHOOKS_DELIVERED, 1);
    } else {
        metric_add(METRIC_WEBHOOKS_FAILED_ATTEMPTS, 1);
        log_event(LOG_INFO, "webhook.attempt_failed", LOG_ID("delivery", ID_DELIVERY, outcome->delivery),
                  LOG_NUM("attempt", outcome->attempt),
                  LOG_WORD("result", webhook_result_word(outcome->result.result)),
                  LOG_NUM("status", outcome->result.status));
        /* It may have asked to wait, or be held: what else waits for it comes again when that is recorded. */
        give_back(webhooks, delivery_lanes_take_endpoint(webhooks->lanes, outcome->endpoint));
    }
    delivery_lanes_end(webhooks->lanes, job);
    mailbox_put(&webhooks->settled, &job->item);
    free(flight);
}

static void
flight_start(struct webhooks *webhooks, struct delivery_job *job)
{
    const char *headers[4 + WEBHOOK_HEADERS_MAX + 1] = { "Content-Type: application/json", job->id_header,
                                                         job->timestamp_header, job->signature_header.ptr };
    struct flight *flight = malloc(sizeof(*flight));
    size_t count = 0;
    enum err err = flight == NULL ? ERR_NO_MEMORY : ERR_OK;

    if (flight != NULL)
        *flight = (struct flight){ .webhooks = webhooks, .job = job };
    if (err == ERR_OK && job->headers != NULL)
        err = webhook_headers_lines(secret_slice(job->headers), headers + 4, &count);
    headers[4 + count] = NULL;

    if (err == ERR_OK && job->has_expired) { /* an attempt that nobody hears of but the log */
        flight_done(flight, &(struct http_result){ .failure = HTTP_FAILURE_TLS, .retry_after_s = -1 });
        return;
    }
    if (err == ERR_OK)
        err = http_client_start(
            webhooks->http,
            &(struct http_call){ .method = "POST",
                                 .url = job->url.ptr,
                                 .headers = headers,
                                 .body = buf_slice(&job->body),
                                 .client_certificate = buf_slice(&job->client_certificate),
                                 .client_key =
                                     job->client_key == NULL ? SLICE_EMPTY : secret_slice(job->client_key),
                                 .timeout_ms = (int)webhooks->role->config.webhook_timeout_ms,
                                 .connect_timeout_ms = CONNECT_TIMEOUT_MS,
                                 .ctx = flight,
                                 .done = flight_done });
    if (err == ERR_OK)
        return;
    if (err == ERR_URL_INVALID && flight != NULL) { /* as an attempt: it will not get better by itself */
        flight_done(flight, &(struct http_result){ .failure = HTTP_FAILURE_URL, .retry_after_s = -1 });
        return;
    }
    log_event(LOG_WARN, "webhook.not_started", LOG_ID("delivery", ID_DELIVERY, job->outcome.delivery),
              LOG_ERR(err));
    free(flight);
    delivery_lanes_end(webhooks->lanes, job);
    give_back(webhooks, job);
}

/* What was handed over waits for its turn; those whose turn it is leave. */
static void
start_ready(struct webhooks *webhooks, struct mono_time now)
{
    bool is_draining = atomic_load(&webhooks->is_draining);

    for (struct delivery_job *job = (struct delivery_job *)mailbox_take(&webhooks->ready), *next; job != NULL;
         job = next) {
        next = delivery_job_next(job);
        job->item.next = NULL;
        if (is_draining || delivery_lanes_put(webhooks->lanes, job, now) != ERR_OK)
            give_back(webhooks, job);
    }
    if (delivery_lanes_waiting(webhooks->lanes) == 0)
        return;
    give_back(webhooks, is_draining ? delivery_lanes_take_all(webhooks->lanes)
                                    : delivery_lanes_take_stale(webhooks->lanes, now));
    for (struct delivery_job *job; (job = delivery_lanes_next(webhooks->lanes)) != NULL;)
        flight_start(webhooks, job);
}

static int
loop_ms(const struct webhooks *webhooks)
{
    bool is_idle = http_client_in_flight(webhooks->http) == 0;

    return atomic_load(&webhooks->is_draining) ? 20 : is_idle ? IDLE_LOOP_MS_MAX : LOOP_MS_MAX;
}

static enum err
webhooks_run(struct webhooks *webhooks)
{
    struct mono_time beat_at = { 0 }, drain_until = { INT64_MAX };
    enum err err = ERR_OK;

    while (err == ERR_OK) {
        struct mono_time now = clock_mono(clock_system());
        if (now.us - beat_at.us >= 1000000) {
            beat_at = now;
            role_heartbeat();
        }
        start_ready(webhooks, now);
        if (atomic_load(&webhooks->is_draining)) {
            if (drain_until.us == INT64_MAX) {
                drain_until = mono_after_ms(now, webhooks->role->config.drain_timeout_ms);
                delivery_store_drain(webhooks->store);
            }
            if (delivery_store_out(webhooks->store) == 0 || now.us >= drain_until.us)
                return ERR_OK;
        }
        metric_set(METRIC_WEBHOOKS_IN_FLIGHT, (int64_t)http_client_in_flight(webhooks->http));
        err = http_client_run(webhooks->http, webhooks->ready.event_fd, loop_ms(webhooks));
    }
    return err;
}

static void
on_drain(void *ctx)
{
    struct webhooks *webhooks = ctx;

    atomic_store(&webhooks->is_draining, true);
    mailbox_wake(&webhooks->ready);
}

static void
on_vault(void *ctx, int fd)
{
    vault_client_relink(((struct webhooks *)ctx)->vault_client, fd);
}

int
main(void)
{
    static struct role role;
    static struct webhooks webhooks = { .role = &role };
    enum err err = role_begin("webhooks", CONFIG_WEBHOOKS, SECRET_POOL_BYTES, &role);
    const char *paths[] = { SANDBOX_PATHS_RESOLVER, "/usr/lib", "/lib", "/lib64", "/etc/ssl",
                            role.config.ca_file };
    struct sandbox_rules rules = { .paths_read = paths,
                                   .path_count = COUNT_OF(paths),
                                   .may_connect_any_port =
                                       true, /* the address guard judges address and port */
                                   .calls = webhooks_calls,
                                   .call_count = COUNT_OF(webhooks_calls) };

    if (err == ERR_OK)
        err = webhook_guard_init(&webhooks.guard, slice_text(role.config.webhook_allow),
                                 slice_text(role.config.webhook_ports),
                                 slice_text(role.config.webhook_refuse), slice_text(role.config.public_url));
    if (err == ERR_OK)
        err = http_client_new(
            &(struct http_client_config){ .ca_file = role.config.ca_file,
                                          .guard = &webhooks.guard,
                                          .in_flight_max = (size_t)role.config.webhook_in_flight_max,
                                          .connections_per_host_max =
                                              (size_t)role.config.endpoint_in_flight_max,
                                          .response_bytes_max = RESPONSE_BYTES_MAX,
                                          .user_agent = "Harkara-Webhooks/" HARKARA_VERSION },
            &webhooks.http);
    if (err == ERR_OK) {
        webhooks.lanes = delivery_lanes_new(&(struct delivery_lanes_config){
            .in_flight_max = (size_t)role.config.webhook_in_flight_max,
            .per_tenant_max = (size_t)role.config.webhook_tenant_in_flight_max,
            .per_endpoint_max = (size_t)role.config.endpoint_in_flight_max,
            .wait_ms_max = WAIT_MS_MAX });
        err = webhooks.lanes == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    if (err == ERR_OK)
        err = role_lock_in(&role, &rules);
    if (err == ERR_OK)
        err = vault_client_new(role.vault_fd, VAULT_TIMEOUT_MS, &webhooks.vault_client);
    if (err == ERR_OK)
        err = mailbox_init(&webhooks.ready);
    if (err == ERR_OK)
        err = mailbox_init(&webhooks.settled);
    if (err == ERR_OK)
        err = role_watch_start(
            &role, &(struct role_events){ .ctx = &webhooks, .drain = on_drain, .vault = on_vault });
    if (err == ERR_OK)
        err = delivery_store_new(&(struct delivery_store_config){ .database = role_database(&role),
                                                                  .config = &role.config,
                                                                  .clock = clock_system(),
                                                                  .vault_client = webhooks.vault_client,
                                                                  .ready = &webhooks.ready,
                                                                  .settled = &webhooks.settled,
                                                                  .idle_ms_max = IDLE_MS_MAX },
                                 &webhooks.store);
    if (err == ERR_OK) {
        role_ready(&role);
        err = webhooks_run(&webhooks);
    }
    role_watch_stop(&role);
    if (webhooks.lanes != NULL)
        give_back(&webhooks, delivery_lanes_take_all(webhooks.lanes));
    http_client_free(webhooks.http); /* what is in flight settles as broken, and is recorded as an attempt */
    delivery_store_free(webhooks.store);
    delivery_lanes_free(webhooks.lanes);
    return role_end(&role, err);
}
