/*
 * smsc: SMS links. Binds to operators' message centres over SMPP, sends what is due through them, and stores
 * what they send us. It never listens. The loop thread speaks to operators; the store thread claims, opens
 * and records messages (domain/sending); the keeper thread has the rest of the database; names are resolved
 * by a fourth.
 *
 * Of the smsc processes of an installation one works, the others stand by (keeper.h).
 */
#include "core/log.h"
#include "core/metric.h"
#include "domain/channel/sms/sms_event.h"
#include "domain/sending/send_store.h"
#include "platform/os/role.h"
#include "program/smsc/bundle.h"
#include "program/smsc/carrier.h"
#include "program/smsc/keeper.h"
#include "program/smsc/link.h"
#include "program/smsc/resolver.h"
#include "program/smsc/send_sms.h"
#include "wire/smpp/smpp_status.h"
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define SECRET_POOL_BYTES (1024u * 1024u) /* a password per connector, and opened ones in passing */
#define VAULT_TIMEOUT_MS  5000
#define LOOP_MS_MAX       250
#define LINKS_TOLD_MS     5000 /* what links do is told so often ... */
#define LINKS_CHANGED_MS  250  /* ... and when it changes, after so long at the least */
#define UNBIND_MS         8000 /* when all end: for what is out, and for the answer to unbind */

static const int smsc_calls[] = { SANDBOX_CALLS_BASE, SANDBOX_CALLS_THREADS, SANDBOX_CALLS_LOOP,
                                  SANDBOX_CALLS_FILES, SANDBOX_CALLS_CLIENT };

struct smsc {
    struct role *role;
    const struct clock *clock;
    struct vault_client *vault_client;
    struct address_guard guard;
    struct stream_tls *system_tls;
    struct mailbox ready, settled, news, stored, resolved;
    struct send_sms sms;
    struct phone_zones *zones;
    struct dnd_watch *dnd;
    struct send_store *store; /* NULL while it stands by */
    struct keeper *keeper;
    struct resolver *resolver;
    struct carrier *carrier;
    struct bundle *bundles;
    struct mono_time told_at;
    uint64_t told_changes;
    atomic_bool is_draining;
    bool is_over;
};

/* What links tell. */

static void
task_put(struct smsc *smsc, struct keeper_task *task)
{
    if (task != NULL)
        keeper_put(smsc->keeper, task);
}

static void
state_tell(struct smsc *smsc, const struct bundle *bundle, enum keeper_task_kind kind, const char *reason,
           int64_t per_second)
{
    struct keeper_task *task =
        keeper_task_new(kind, bundle->connector->tenant, bundle->connector->settings.id);

    if (task != NULL) {
        snprintf(task->reason, sizeof(task->reason), "%s", reason);
        task->per_second = per_second;
    }
    task_put(smsc, task);
}

static void
on_resolve(void *ctx, struct link *link)
{
    struct smsc *smsc = ctx;
    const struct sms_connector *settings = link_config(link)->settings;
    struct resolver_job *job = NULL;
    struct sockaddr_storage address;

    if (address_parse(settings->host, &address) == ERR_OK) {
        link_resolved(link, &address, 1, clock_mono(smsc->clock));
        return;
    }
    if (settings->host.len < sizeof(job->host))
        job = calloc(1, sizeof(*job));
    if (job == NULL)
        return; /* it gives up by itself, and tries again */
    memcpy(job->host, settings->host.ptr, settings->host.len);
    job->connector = settings->id;
    job->link = link_config(link)->number;
    resolver_put(smsc->resolver, job);
}

static void
on_bound(void *ctx, struct link *link)
{
    struct smsc *smsc = ctx;
    struct bundle *bundle = bundles_of(smsc->bundles, link);

    if (bundle->bound_count++ == 0 && !bundle->is_retired)
        state_tell(smsc, bundle, KEEPER_UP, "", 0);
    if (link_config(link)->kind != LINK_RECEIVER && !bundle->is_retired)
        carrier_bound(smsc->carrier, bundle->connector->settings.id, link_session(link));
}

static void
on_unbound(void *ctx, struct link *link)
{
    struct smsc *smsc = ctx;
    struct bundle *bundle = bundles_of(smsc->bundles, link);

    if (--bundle->bound_count == 0 && !bundle->is_retired)
        state_tell(smsc, bundle, KEEPER_DOWN, link_end_reason(link), 0);
    carrier_unbound(smsc->carrier, bundle->connector->settings.id, link_session(link));
}

/* Answered once it is stored: sms_event.h says as what. */
static void
on_request(void *ctx, struct link *link, const struct smpp_pdu *pdu)
{
    struct smsc *smsc = ctx;
    const struct link_config *config = link_config(link);
    struct keeper_task *task = keeper_task_new(KEEPER_PDU, config->tenant, config->settings->id);
    struct buf raw;

    buf_init(&raw, SMPP_PDU_BYTES_MAX);
    size_t began = smpp_pdu_begin(&raw, pdu->command, pdu->status, pdu->sequence);
    buf_add(&raw, pdu->body);
    smpp_pdu_end(&raw, began);
    if (task != NULL) {
        sms_event_add(&task->body, link_session_id(link), buf_slice(&raw));
        task->session = link_session_id(link);
        task->link = config->number;
        task->command = pdu->command;
        task->sequence = pdu->sequence;
    }
    if (task == NULL || buf_done(&raw) != ERR_OK || buf_done(&task->body) != ERR_OK) {
        keeper_task_free(task);
        link_answer(link, link_session_id(link), pdu->command, pdu->sequence, SMPP_TEMPORARY_ERROR,
                    clock_mono(smsc->clock));
    } else {
        keeper_put(smsc->keeper, task);
    }
    buf_release_wiped(&raw);
}

static void
on_answer(void *ctx, struct link *link, uint64_t tag, const struct smpp_pdu *answer)
{
    struct smsc *smsc = ctx;

    carrier_answer(smsc->carrier, link_session(link), tag, answer, clock_mono(smsc->clock));
}

static void
on_lost(void *ctx, struct link *link UNUSED, uint64_t tag)
{
    struct smsc *smsc = ctx;

    carrier_lost(smsc->carrier, tag);
}

/* Its other links end with the round (bundles_sweep): this one is still in use. */
static void
on_refused(void *ctx, struct link *link, uint32_t status UNUSED)
{
    struct smsc *smsc = ctx;
    struct bundle *bundle = bundles_of(smsc->bundles, link);

    if (bundle->is_broken || bundle->is_retired)
        return;
    bundle->is_broken = true;
    state_tell(smsc, bundle, KEEPER_BREAK, link_detail(link), 0);
}

static const struct link_calls link_calls = { .resolve = on_resolve,
                                              .bound = on_bound,
                                              .unbound = on_unbound,
                                              .request = on_request,
                                              .answer = on_answer,
                                              .lost = on_lost,
                                              .refused = on_refused };

/* What the carrier tells. */

static void
on_settled(void *ctx, struct sms_job *job)
{
    struct smsc *smsc = ctx;

    switch (job->job.outcome.verdict) {
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
    mailbox_put(&smsc->settled, &job->job.item);
}

static void
on_late(void *ctx, struct id tenant, const struct sms_part *part)
{
    struct smsc *smsc = ctx;
    struct keeper_task *task = keeper_task_new(KEEPER_LATE, tenant, part->connector);

    if (task != NULL) {
        task->part = *part;
        memcpy(task->provider_id, part->provider_id.ptr, part->provider_id.len);
    }
    task_put(smsc, task);
}

static void
on_throttled(void *ctx, struct id connector, int64_t per_second)
{
    struct smsc *smsc = ctx;
    const struct bundle *bundle = bundles_find(smsc->bundles, connector);

    if (bundle != NULL)
        state_tell(smsc, bundle, KEEPER_THROTTLED, "The operator asked us to slow down.", per_second);
}

/* Connectors. */

/* No further submit; what is out comes back, then they unbind. */
/* In place of the bundle that it had, if it had one. */
static enum err
bundle_begin(struct smsc *smsc, struct keeper_news *news, struct mono_time now)
{
    struct bundle *bundle = NULL, *old = NULL;
    enum err err = bundle_new(news->connector, smsc->system_tls, &bundle);

    news->connector = NULL;
    if (err == ERR_OK)
        err = carrier_set(smsc->carrier, bundle->connector->tenant, &bundle->connector->settings, now);
    if (err != ERR_OK) {
        bundle_free(bundle);
        return err;
    }
    old = bundles_find(smsc->bundles, bundle->connector->settings.id);
    if (old != NULL)
        bundle_retire(old, now);
    bundle->next = smsc->bundles;
    smsc->bundles = bundle;
    return bundle_begin_links(
        bundle,
        &(struct bundle_links){
            .guard = &smsc->guard, .clock = smsc->clock, .calls = &link_calls, .ctx = smsc },
        now);
}

static void
bundle_end(struct smsc *smsc, struct bundle *bundle, struct mono_time now)
{
    carrier_drop(smsc->carrier, bundle->connector->settings.id);
    bundle_retire(bundle, now);
}

static enum err
store_begin(struct smsc *smsc)
{
    return send_store_new(&(struct send_store_config){ .database = role_database(smsc->role),
                                                       .config = &smsc->role->config,
                                                       .clock = smsc->clock,
                                                       .vault_client = smsc->vault_client,
                                                       .instance = smsc->role->instance,
                                                       .kind = &send_sms,
                                                       .kind_ctx = &smsc->sms,
                                                       .zones = smsc->zones,
                                                       .dnd = smsc->dnd,
                                                       .ready = &smsc->ready,
                                                       .settled = &smsc->settled },
                          &smsc->store);
}

static enum err
news_apply(struct smsc *smsc, struct keeper_news *news, struct mono_time now)
{
    struct bundle *bundle = NULL;
    enum err err = ERR_OK;

    switch (news->kind) {
    case KEEPER_WORKS:
        return smsc->store == NULL && !atomic_load(&smsc->is_draining) ? store_begin(smsc) : ERR_OK;
    case KEEPER_STOPS:
        smsc->is_over = true;
        return ERR_OK;
    case KEEPER_CONNECTOR:
        err = atomic_load(&smsc->is_draining) ? ERR_OK : bundle_begin(smsc, news, now);
        if (err != ERR_OK)
            log_event(LOG_ERROR, "smsc.connector_unusable", LOG_ERR(err));
        return ERR_OK; /* the others' links do not depend on it */
    case KEEPER_GONE:
        bundle = bundles_find(smsc->bundles, news->id);
        if (bundle != NULL)
            bundle_end(smsc, bundle, now);
        return ERR_OK;
    case KEEPER_ROUTES:
        carrier_routes(smsc->carrier, news->tenants, news->routes, news->route_count);
        news->tenants = NULL;
        news->routes = NULL;
        return ERR_OK;
    }
    bug("news of another kind");
}

/* What other threads have put. */

static enum err
news_take(struct smsc *smsc, struct mono_time now)
{
    enum err err = ERR_OK;

    for (struct keeper_news *news = (struct keeper_news *)mailbox_take(&smsc->news), *next; news != NULL;
         news = next) {
        next = (struct keeper_news *)news->item.next;
        if (err == ERR_OK)
            err = news_apply(smsc, news, now);
        keeper_news_free(news);
    }
    return err;
}

static struct link *
link_find(struct smsc *smsc, struct id connector, unsigned number)
{
    struct bundle *bundle = bundles_find(smsc->bundles, connector);

    return bundle == NULL || number >= bundle->count ? NULL : bundle->links[number];
}

static void
stored_take(struct smsc *smsc, struct mono_time now)
{
    for (struct keeper_task *task = (struct keeper_task *)mailbox_take(&smsc->stored), *next; task != NULL;
         task = next) {
        next = (struct keeper_task *)task->item.next;
        /* Of a bundle that ends, too: the session's own id tells which link it is. */
        for (struct bundle *bundle = smsc->bundles; bundle != NULL; bundle = bundle->next)
            if (id_eq(bundle->connector->settings.id, task->connector) && task->link < bundle->count)
                link_answer(bundle->links[task->link], task->session, task->command, task->sequence,
                            task->status, now);
        keeper_task_free(task);
    }
}

static void
resolved_take(struct smsc *smsc, struct mono_time now)
{
    for (struct resolver_job *job = (struct resolver_job *)mailbox_take(&smsc->resolved), *next; job != NULL;
         job = next) {
        next = (struct resolver_job *)job->item.next;
        struct link *link = link_find(smsc, job->connector, job->link);
        if (link != NULL && slice_eq(link_config(link)->settings->host, slice_text(job->host)))
            link_resolved(link, job->addresses, job->count, now);
        free(job);
    }
}

static void
ready_take(struct smsc *smsc, struct mono_time now)
{
    for (struct send_job *job = (struct send_job *)mailbox_take(&smsc->ready), *next; job != NULL;
         job = next) {
        next = send_job_next(job);
        job->item.next = NULL;
        metric_add(METRIC_SENDS_STARTED, 1);
        carrier_take(smsc->carrier, sms_job_of(job), now);
    }
}

/* How links do, for the dashboard. */
static void
links_tell(struct smsc *smsc, struct mono_time now)
{
    uint64_t changes = bundles_changes(smsc->bundles);
    int64_t since_us = now.us - smsc->told_at.us;
    struct keeper_task *task = NULL;
    size_t bound = 0;

    if (smsc->bundles == NULL ||
        since_us < (changes == smsc->told_changes ? LINKS_TOLD_MS : LINKS_CHANGED_MS) * INT64_C(1000))
        return;
    smsc->told_at = now;
    smsc->told_changes = changes;
    task = bundles_task(smsc->bundles, smsc->carrier, smsc->clock, now, &bound);
    if (task == NULL)
        return;
    metric_set(METRIC_SMS_LINKS_BOUND, (int64_t)bound);
    task_put(smsc, task);
}

/* The loop. */

/* Bundles that have come to their end; those that broke begin to. */
static void
bundles_sweep(struct smsc *smsc, struct mono_time now)
{
    for (struct bundle **at = &smsc->bundles, *bundle; (bundle = *at) != NULL;) {
        if (bundle->is_broken && !bundle->is_retired) {
            struct id id = bundle->connector->settings.id;
            bundle_retire(bundle, now);
            carrier_drop(smsc->carrier, id);
        }
        if (!bundle_is_over(bundle)) {
            at = &bundle->next;
            continue;
        }
        *at = bundle->next;
        bundle_free(bundle);
    }
}

/* Polls all there is; then every link has its turn. `until` is when something is due at the latest. */
static enum err
loop_turn(struct smsc *smsc, struct mono_time until)
{
    enum { READY, NEWS, STORED, RESOLVED, MAILBOXES };
    static struct pollfd fds[MAILBOXES + BUNDLES_LINKS_MAX];
    struct mono_time now = clock_mono(smsc->clock);
    size_t count = MAILBOXES;

    fds[READY] = (struct pollfd){ .fd = smsc->ready.event_fd, .events = POLLIN };
    fds[NEWS] = (struct pollfd){ .fd = smsc->news.event_fd, .events = POLLIN };
    fds[STORED] = (struct pollfd){ .fd = smsc->stored.event_fd, .events = POLLIN };
    fds[RESOLVED] = (struct pollfd){ .fd = smsc->resolved.event_fd, .events = POLLIN };
    for (struct bundle *bundle = smsc->bundles; bundle != NULL; bundle = bundle->next)
        for (size_t i = 0; i < bundle->count && count < COUNT_OF(fds); i++) {
            struct mono_time next = link_next(bundle->links[i]);
            until = next.us < until.us ? next : until;
            fds[count++] =
                (struct pollfd){ .fd = link_fd(bundle->links[i]), .events = link_events(bundle->links[i]) };
        }
    int64_t wait_ms = until.us <= now.us ? 0 : (until.us - now.us + 999) / 1000;
    (void)poll(fds, (nfds_t)count, (int)(wait_ms > LOOP_MS_MAX ? LOOP_MS_MAX : wait_ms));
    now = clock_mono(smsc->clock);
    count = MAILBOXES;
    for (struct bundle *bundle = smsc->bundles; bundle != NULL; bundle = bundle->next)
        for (size_t i = 0; i < bundle->count; i++, count++)
            link_step(bundle->links[i], count < COUNT_OF(fds) ? fds[count].revents : POLLIN, now);
    bundles_sweep(smsc, now);
    enum err err = news_take(smsc, now);
    stored_take(smsc, now);
    resolved_take(smsc, now);
    return err;
}

/* Writes what the carrier and the answers have added, without another poll. */
static void
links_flush(struct smsc *smsc)
{
    struct mono_time now = clock_mono(smsc->clock);

    for (struct bundle *bundle = smsc->bundles; bundle != NULL; bundle = bundle->next)
        for (size_t i = 0; i < bundle->count; i++)
            if (link_session(bundle->links[i]) != NULL &&
                smpp_session_out(link_session(bundle->links[i])).len > 0)
                link_step(bundle->links[i], 0, now);
}

/* Nothing more is taken; what is out comes back; then all links unbind. true: it is done. */
static bool
drain_step(struct smsc *smsc, struct mono_time now, struct mono_time until, bool *is_ending)
{
    carrier_return(smsc->carrier);
    if (!*is_ending &&
        ((carrier_count(smsc->carrier) == 0 && (smsc->store == NULL || send_store_out(smsc->store) == 0)) ||
         now.us >= until.us - UNBIND_MS * 1000)) {
        *is_ending = true;
        for (struct bundle *bundle = smsc->bundles; bundle != NULL; bundle = bundle->next)
            bundle_retire(bundle, now);
    }
    return now.us >= until.us || (*is_ending && smsc->bundles == NULL);
}

static enum err
smsc_run(struct smsc *smsc)
{
    struct mono_time beat_at = { 0 }, drain_until = { INT64_MAX };
    bool is_ending = false;
    enum err err = ERR_OK;

    while (err == ERR_OK && !smsc->is_over) {
        struct mono_time now = clock_mono(smsc->clock);
        if (now.us - beat_at.us >= 1000000) {
            beat_at = now;
            role_heartbeat();
            metric_set(METRIC_SENDS_IN_FLIGHT, (int64_t)carrier_count(smsc->carrier));
        }
        ready_take(smsc, now);
        struct mono_time until = mono_after_ms(now, LOOP_MS_MAX);
        if (atomic_load(&smsc->is_draining)) {
            if (drain_until.us == INT64_MAX) {
                drain_until = mono_after_ms(now, smsc->role->config.drain_timeout_ms);
                if (smsc->store != NULL)
                    send_store_drain(smsc->store);
            }
            if (drain_step(smsc, now, drain_until, &is_ending))
                return ERR_OK;
            until = mono_after_ms(now, 20);
        } else {
            struct mono_time next = carrier_step(smsc->carrier, now);
            until = next.us < until.us ? next : until;
        }
        links_tell(smsc, now);
        links_flush(smsc);
        err = loop_turn(smsc, until);
    }
    return err == ERR_OK ? ERR_STOPPING : err;
}

static void
on_drain(void *ctx)
{
    struct smsc *smsc = ctx;

    atomic_store(&smsc->is_draining, true);
    mailbox_wake(&smsc->ready);
}

static void
on_vault(void *ctx, int fd)
{
    vault_client_relink(((struct smsc *)ctx)->vault_client, fd);
}

static enum err
mailboxes_init(struct smsc *smsc)
{
    struct mailbox *all[] = { &smsc->ready, &smsc->settled, &smsc->news, &smsc->stored, &smsc->resolved };
    enum err err = ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < COUNT_OF(all); i++)
        err = mailbox_init(all[i]);
    return err;
}

/* What is still out when the time to drain is over comes back as lost, and is recorded so. */
static void
smsc_end(struct smsc *smsc)
{
    for (struct bundle *bundle; (bundle = smsc->bundles) != NULL;) {
        for (size_t i = 0; i < bundle->count; i++) {
            link_free(bundle->links[i]);
            bundle->links[i] = NULL;
        }
        bundle->count = 0;
        smsc->bundles = bundle->next;
        bundle_free(bundle);
    }
    if (smsc->carrier != NULL)
        carrier_return(smsc->carrier);
    send_store_free(smsc->store);
    dnd_watch_free(smsc->dnd);
    phone_zones_free(smsc->zones);
    keeper_free(smsc->keeper);
    if (smsc->resolver != NULL) {
        resolver_free(smsc->resolver);
        resolver_jobs_free(&smsc->resolved);
    }
    carrier_free(smsc->carrier);
    stream_tls_unref(smsc->system_tls);
}

int
main(void)
{
    static struct role role;
    static struct smsc smsc = { .role = &role };
    enum err err = role_begin("smsc", CONFIG_SMSC, SECRET_POOL_BYTES, &role);
    const char *paths[] = { SANDBOX_PATHS_RESOLVER, "/usr/lib", "/lib", "/lib64", "/etc/ssl",
                            role.config.dnd_dir };
    struct sandbox_rules rules = { .paths_read = paths,
                                   .path_count = COUNT_OF(paths),
                                   .may_connect_any_port = true, /* an operator's port is its own choice */
                                   .calls = smsc_calls,
                                   .call_count = COUNT_OF(smsc_calls) };

    smsc.clock = clock_system();
    smsc.sms.clock = smsc.clock;
    if (err == ERR_OK)
        err = address_guard_init(&smsc.guard, slice_text(role.config.smpp_allow));
    if (err == ERR_OK)
        err = stream_tls_file(role.config.ca_file, &smsc.system_tls);
    if (err == ERR_OK)
        err = send_zones_load(&smsc.zones);
    if (err == ERR_OK)
        err = role_lock_in(&role, &rules);
    if (err == ERR_OK)
        err = vault_client_new(role.vault_fd, VAULT_TIMEOUT_MS, &smsc.vault_client);
    if (err == ERR_OK)
        err = mailboxes_init(&smsc);
    if (err == ERR_OK)
        err = carrier_new(&(struct carrier_config){ .clock = smsc.clock,
                                                    .in_flight_max = (size_t)role.config.send_in_flight_max,
                                                    .lease_ms = role.config.send_lease_ms,
                                                    .uncertain_wait_ms = role.config.uncertain_wait_ms,
                                                    .ctx = &smsc,
                                                    .settled = on_settled,
                                                    .late = on_late,
                                                    .throttled = on_throttled },
                          &smsc.carrier);
    if (err == ERR_OK)
        err = role_watch_start(&role,
                               &(struct role_events){ .ctx = &smsc, .drain = on_drain, .vault = on_vault });
    if (err == ERR_OK)
        err = dnd_watch_new(role.config.dnd_dir, smsc.clock, &smsc.dnd);
    if (err == ERR_OK)
        err = resolver_new(&smsc.resolved, &smsc.resolver);
    if (err == ERR_OK)
        err = keeper_new(&(struct keeper_config){ .database = role_database(&role),
                                                  .clock = smsc.clock,
                                                  .vault_client = smsc.vault_client,
                                                  .news = &smsc.news,
                                                  .stored = &smsc.stored },
                         &smsc.keeper);
    if (err == ERR_OK) {
        role_ready(&role);
        err = smsc_run(&smsc);
    }
    role_watch_stop(&role);
    smsc_end(&smsc);
    return role_end(&role, err);
}
