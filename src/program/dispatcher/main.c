/*
 * The dispatcher: claims messages, opens content and the sender's credential just in time, hands them to the
 * provider over HTTPS, records what became of them. It never listens. The loop thread speaks to providers,
 * the store thread to the database and the vault.
 */
#include "core/log.h"
#include "core/metric.h"
#include "crypto/random.h"
#include "domain/sending/send_store.h"
#include "platform/net/http_client.h"
#include "platform/os/role.h"
#include "program/dispatcher/mailer.h"
#include "program/dispatcher/oidc_runner.h"
#include "program/dispatcher/send_answer.h"
#include "program/dispatcher/send_whatsapp.h"
#include "program/dispatcher/task_runner.h"
#include <stdatomic.h>
#include <stdlib.h>

#define SECRET_POOL_BYTES                                                                                    \
    (2u * 1024u * 1024u) /* a token per request in flight, and opened content in passing */
#define VAULT_TIMEOUT_MS   5000
#define RESPONSE_BYTES_MAX (64u * 1024u)
#define CONNECT_TIMEOUT_MS 5000
#define LOOP_MS_MAX        250

static const int dispatcher_calls[] = { SANDBOX_CALLS_BASE, SANDBOX_CALLS_THREADS, SANDBOX_CALLS_LOOP,
                                        SANDBOX_CALLS_FILES, SANDBOX_CALLS_CLIENT };

struct dispatcher {
    struct role *role;
    const struct clock *clock;
    struct vault_client *vault_client;
    struct http_client *http;
    struct address_guard guard;
    struct mailbox ready, settled;
    struct send_whatsapp whatsapp;
    struct phone_zones *zones;
    struct send_store *store;
    struct task_pool *tasks;
    struct mailer *mailer; /* NULL: no relay */
    struct oidc_runner *sign_ins;
    struct usage *usage;
    struct mailbox_item *waiting; /* taken from `ready`: their turn is known and near (pace.h) */
    atomic_bool is_draining;
};

/* One request under way; lives until its `done`. */
struct flight {
    struct dispatcher *dispatcher;
    struct send_job *job;
};

static void
flight_done(void *ctx, const struct http_result *result)
{
    struct flight *flight = ctx;
    struct dispatcher *dispatcher = flight->dispatcher;
    struct send_job *job = flight->job;
    struct whatsapp_answer answer;
    struct whatsapp_usage usage;
    struct usage_change change;
    uint32_t jitter = 0;

    whatsapp_usage_read(http_result_field(result, WHATSAPP_USAGE_APP_FIELD),
                        http_result_field(result, WHATSAPP_USAGE_BUSINESS_FIELD), &usage);
    usage_note(dispatcher->usage, SLICE_EMPTY, &usage, clock_mono(dispatcher->clock), &change);
    usage_log(&change, job->claim.channel);

    whatsapp_answer_read(
        &(struct whatsapp_reply){ .was_sent = result->was_sent,
                                  .http_status = result->failure == HTTP_FAILURE_NONE ? result->status : 0,
                                  .body = result->body,
                                  .retry_after_s = result->retry_after_s,
                                  .regain_s = whatsapp_usage_regain_s(&usage) },
        &answer);
    if (!answer.is_accepted && random_fill(&jitter, sizeof(jitter)) != ERR_OK)
        jitter = (uint32_t)result->elapsed_us;
    struct send_plan plan =
        send_plan_of(&answer, job->claim.attempt, jitter, dispatcher->role->config.uncertain_wait_ms);
    whatsapp_error_code_print(&answer.error, job->error_code);
    send_job_settle(job, dispatcher->clock, plan.verdict, plan.delay_ms, job->error_code,
                    answer.is_accepted ? "" : answer.error.title, plan.error_class);
    if (answer.is_accepted) {
        struct slice id = whatsapp_text_slice(&answer.provider_id);
        memcpy(job->provider_id, id.ptr, id.len);
        job->outcome.provider_id = id.len == 0 ? SLICE_EMPTY : slice_of(job->provider_id, id.len);
    }
    job->plan = plan;
    metric_observe_us(METRIC_SEND_SECONDS, result->elapsed_us);
    switch (plan.verdict) {
    case MESSAGE_VERDICT_SENT:
        metric_add(METRIC_SENDS_ACCEPTED, 1);
        break;
    case MESSAGE_VERDICT_RETRY:
    case MESSAGE_VERDICT_RETURNED:
    case MESSAGE_VERDICT_HELD:
        metric_add(METRIC_SENDS_RETRIED, 1);
        break;
    case MESSAGE_VERDICT_FAILED:
    case MESSAGE_VERDICT_BLOCKED:
        metric_add(METRIC_SENDS_FAILED, 1);
        break;
    case MESSAGE_VERDICT_UNCERTAIN:
        metric_add(METRIC_SENDS_UNCERTAIN, 1);
        break;
    }
    if (!answer.is_accepted)
        log_event(LOG_INFO, "send.refused", LOG_ID("message", ID_MESSAGE, job->claim.message),
                  LOG_NUM("attempt", job->claim.attempt), LOG_NUM("status", result->status),
                  LOG_NUM("code", answer.error.code),
                  LOG_WORD("class", whatsapp_error_class_word(answer.error.class)),
                  LOG_WORD("scope", whatsapp_error_scope_word(answer.error.scope)),
                  LOG_WORD("failure", http_failure_word(result->failure)));
    mailbox_put(&dispatcher->settled, &job->item);
    free(flight);
}

static enum err
flight_start(struct dispatcher *dispatcher, struct send_job *job)
{
    static const char *const headers[] = { "Content-Type: application/json", "Accept: application/json",
                                           NULL };
    struct flight *flight = malloc(sizeof(*flight));
    struct whatsapp_job *own = whatsapp_job_of(job);

    if (flight == NULL)
        return ERR_NO_MEMORY;
    *flight = (struct flight){ .dispatcher = dispatcher, .job = job };
    enum err err = http_client_start(
        dispatcher->http, &(struct http_call){ .method = "POST",
                                               .url = own->url.ptr,
                                               .headers = headers,
                                               .body = buf_slice(&own->body),
                                               .bearer = secret_slice(own->token),
                                               .timeout_ms = (int)dispatcher->role->config.send_timeout_ms,
                                               .connect_timeout_ms = CONNECT_TIMEOUT_MS,
                                               .ctx = flight,
                                               .done = flight_done });
    if (err != ERR_OK) {
        free(flight);
        return err;
    }
    secret_free(own->token);
    own->token = NULL;
    metric_add(METRIC_SENDS_STARTED, 1);
    return ERR_OK;
}

/* Starts what may leave now; returns how long until the next may, at most LOOP_MS_MAX. */
static int
start_waiting(struct dispatcher *dispatcher)
{
    int64_t wait_us = LOOP_MS_MAX * 1000;
    struct mono_time now = clock_mono(dispatcher->clock);
    struct mailbox_item *kept = NULL, **kept_last = &kept;

    for (struct send_job *job = (struct send_job *)dispatcher->waiting, *next; job != NULL; job = next) {
        next = send_job_next(job);
        if (now.us - job->claimed_at.us > dispatcher->role->config.send_lease_ms * 1000 / 2) {
            /* The answer would come after the lease, and another would have taken the message over. */
            send_job_settle(job, dispatcher->clock, MESSAGE_VERDICT_RETURNED, 0, "waited",
                            "The message waited too long for its turn.", "retry");
            mailbox_put(&dispatcher->settled, &job->item);
            continue;
        }
        if (now.us >= job->leave_by.us) {
            send_job_settle(job, dispatcher->clock, MESSAGE_VERDICT_RETURNED, 0, "not-owned",
                            "The sender may be another dispatcher's.", "retry");
            mailbox_put(&dispatcher->settled, &job->item);
            continue;
        }
        if (job->claim.expires_at.us <= clock_wall(dispatcher->clock).us) {
            send_job_settle(job, dispatcher->clock, MESSAGE_VERDICT_RETURNED, 0, "expired",
                            "The message was not sent in time.", "permanent");
            mailbox_put(&dispatcher->settled, &job->item);
            continue;
        }
        if (job->leave_at.us > now.us) {
            wait_us = job->leave_at.us - now.us < wait_us ? job->leave_at.us - now.us : wait_us;
            job->item.next = NULL;
            *kept_last = &job->item;
            kept_last = &job->item.next;
            continue;
        }
        enum err err = flight_start(dispatcher, job);
        if (err == ERR_OK)
            continue;
        log_event(LOG_WARN, "send.not_started", LOG_ID("message", ID_MESSAGE, job->claim.message),
                  LOG_ERR(err));
        send_job_settle(job, dispatcher->clock, MESSAGE_VERDICT_RETURNED, 1000, "not-started",
                        "The request could not be started.", "retry");
        mailbox_put(&dispatcher->settled, &job->item);
    }
    dispatcher->waiting = kept;
    return (int)(wait_us / 1000) + 1;
}

/* While draining, what has not left goes back to the queue for another dispatcher. */
static void
return_waiting(struct dispatcher *dispatcher)
{
    for (struct send_job *job = (struct send_job *)dispatcher->waiting, *next; job != NULL; job = next) {
        next = send_job_next(job);
        send_job_settle(job, dispatcher->clock, MESSAGE_VERDICT_RETURNED, 0, "drained",
                        "The dispatcher was stopping.", "retry");
        mailbox_put(&dispatcher->settled, &job->item);
    }
    dispatcher->waiting = NULL;
}

/* New jobs go behind those that wait already. */
static void
take_ready(struct dispatcher *dispatcher)
{
    struct mailbox_item **last = &dispatcher->waiting;

    while (*last != NULL)
        last = &(*last)->next;
    *last = mailbox_take(&dispatcher->ready);
}

static enum err
dispatcher_run(struct dispatcher *dispatcher)
{
    struct mono_time beat_at = { 0 }, drain_until = { INT64_MAX };
    enum err err = ERR_OK;

    while (err == ERR_OK) {
        struct mono_time now = clock_mono(dispatcher->clock);
        if (now.us - beat_at.us >= 1000000) {
            beat_at = now;
            role_heartbeat();
            metric_set(METRIC_USAGE_PERCENT, usage_highest(dispatcher->usage, now));
        }
        take_ready(dispatcher);
        int wait_ms = LOOP_MS_MAX;
        if (atomic_load(&dispatcher->is_draining)) {
            if (drain_until.us == INT64_MAX) {
                drain_until = mono_after_ms(now, dispatcher->role->config.drain_timeout_ms);
                send_store_drain(dispatcher->store);
                task_pool_drain(dispatcher->tasks);
                mailer_drain(dispatcher->mailer);
                oidc_runner_drain(dispatcher->sign_ins);
            }
            return_waiting(dispatcher);
            if ((send_store_out(dispatcher->store) == 0 && task_pool_busy(dispatcher->tasks) == 0 &&
                 mailer_busy(dispatcher->mailer) == 0) ||
                now.us >= drain_until.us)
                return ERR_OK;
            wait_ms = 20;
        } else {
            wait_ms = start_waiting(dispatcher);
        }
        metric_set(METRIC_SENDS_IN_FLIGHT, (int64_t)http_client_in_flight(dispatcher->http));
        err = http_client_run(dispatcher->http, dispatcher->ready.event_fd, wait_ms);
    }
    return err;
}

static void
on_drain(void *ctx)
{
    struct dispatcher *dispatcher = ctx;

    atomic_store(&dispatcher->is_draining, true);
    mailbox_wake(&dispatcher->ready);
}

static void
on_vault(void *ctx, int fd)
{
    vault_client_relink(((struct dispatcher *)ctx)->vault_client, fd);
}

/* The provider's own address needs no guard against itself: loopback is allowed only where the operator
 * pointed there. */
static enum err
guard_init(struct dispatcher *dispatcher)
{
    static const struct slice loopbacks[] = { { "http://127.0.0.1:", 17 }, { "https://127.0.0.1:", 18 } };
    struct slice url = slice_text(dispatcher->role->config.graph_url);

    for (size_t i = 0; i < COUNT_OF(loopbacks); i++)
        if (slice_starts_with(url, loopbacks[i]))
            return address_guard_init(&dispatcher->guard, SLICE("127.0.0.1/32"));
    if (!slice_starts_with(url, SLICE("https://"))) {
        log_event(LOG_ERROR, "dispatch.graph_url_refused", LOG_ERR(ERR_CONFIG));
        return ERR_CONFIG;
    }
    return address_guard_init(&dispatcher->guard, SLICE_EMPTY);
}

int
main(void)
{
    static struct role role;
    static struct dispatcher dispatcher = { .role = &role };
    enum err err = role_begin("dispatcher", CONFIG_DISPATCHER, SECRET_POOL_BYTES, &role);
    const char *paths[] = { SANDBOX_PATHS_RESOLVER, "/usr/lib", "/lib", "/lib64", "/etc/ssl",
                            role.config.ca_file };
    struct sandbox_rules rules = { .paths_read = paths,
                                   .path_count = COUNT_OF(paths),
                                   .may_connect_any_port =
                                       true, /* a provider's port is the operator's choice */
                                   .calls = dispatcher_calls,
                                   .call_count = COUNT_OF(dispatcher_calls) };

    dispatcher.clock = clock_system();
    if (err == ERR_OK)
        err = guard_init(&dispatcher);
    if (err == ERR_OK)
        err = http_client_new(
            &(struct http_client_config){ .ca_file = role.config.ca_file,
                                          .guard = &dispatcher.guard,
                                          .in_flight_max = (size_t)role.config.send_in_flight_max,
                                          .connections_per_host_max =
                                              (size_t)role.config.send_in_flight_max, /* over HTTP/2, few */
                                          .response_bytes_max = RESPONSE_BYTES_MAX,
                                          .user_agent = "Harkara/" HARKARA_VERSION },
            &dispatcher.http);
    if (err == ERR_OK)
        err = send_zones_load(&dispatcher.zones);
    if (err == ERR_OK)
        err = role_lock_in(&role, &rules);
    if (err == ERR_OK)
        err = vault_client_new(role.vault_fd, VAULT_TIMEOUT_MS, &dispatcher.vault_client);
    if (err == ERR_OK)
        err = usage_new(&dispatcher.usage);
    if (err == ERR_OK)
        err = mailbox_init(&dispatcher.ready);
    if (err == ERR_OK)
        err = mailbox_init(&dispatcher.settled);
    if (err == ERR_OK)
        err = role_watch_start(
            &role, &(struct role_events){ .ctx = &dispatcher, .drain = on_drain, .vault = on_vault });
    if (err == ERR_OK)
        dispatcher.whatsapp = (struct send_whatsapp){ &role.config, dispatcher.clock };
    if (err == ERR_OK)
        err = send_store_new(&(struct send_store_config){ .database = role_database(&role),
                                                          .config = &role.config,
                                                          .clock = dispatcher.clock,
                                                          .vault_client = dispatcher.vault_client,
                                                          .instance = role.instance,
                                                          .kind = &send_whatsapp,
                                                          .kind_ctx = &dispatcher.whatsapp,
                                                          .zones = dispatcher.zones,
                                                          .ready = &dispatcher.ready,
                                                          .settled = &dispatcher.settled },
                             &dispatcher.store);
    if (err == ERR_OK)
        err = task_pool_new(&(struct task_pool_config){ .database = role_database(&role),
                                                        .config = &role.config,
                                                        .clock = dispatcher.clock,
                                                        .vault_client = dispatcher.vault_client,
                                                        .guard = &dispatcher.guard,
                                                        .table = task_table,
                                                        .usage = dispatcher.usage },
                            &dispatcher.tasks);
    if (err == ERR_OK)
        err = mailer_new(&(struct mailer_config){ .database = role_database(&role),
                                                  .config = &role.config,
                                                  .password = role_mail_password(&role),
                                                  .clock = dispatcher.clock,
                                                  .vault_client = dispatcher.vault_client },
                         &dispatcher.mailer);
    if (err == ERR_OK)
        err = oidc_runner_new(
            &(struct oidc_runner_config){ .database = role_database(&role),
                                          .ca_file = role.config.ca_file,
                                          .clock = dispatcher.clock,
                                          .vault_client = dispatcher.vault_client,
                                          .allows_loopback = role.config.issuer_loopback != 0 },
            &dispatcher.sign_ins);
    if (err == ERR_OK) {
        role_ready(&role);
        err = dispatcher_run(&dispatcher);
    }
    role_watch_stop(&role);
    mailer_free(dispatcher.mailer);
    oidc_runner_free(dispatcher.sign_ins);
    task_pool_free(dispatcher.tasks);
    http_client_free(dispatcher.http); /* what is still in flight settles as broken, and is recorded */
    send_store_free(dispatcher.store);
    phone_zones_free(dispatcher.zones);
    usage_free(dispatcher.usage);
    return role_end(&role, err);
}
