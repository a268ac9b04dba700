/*
 * The scheduler: what is done by the clock. Of several, one works at a time; but each writes down what its
 * own vault says of its keys' use, and any seals the audit log. It never listens, and speaks to the database
 * and the vault alone.
 */
#include "core/log.h"
#include "domain/tenant/tenant_key.h"
#include "platform/os/role.h"
#include "program/scheduler/audit_turn.h"
#include "program/scheduler/grown_tables.h"
#include "program/scheduler/housekeeping.h"
#include "program/scheduler/key_use.h"
#include "program/scheduler/number_sync.h"
#include <poll.h>

#define SECRET_POOL_BYTES 65536u
#define TICK_MS           1000
#define RUN_MS            15000 /* between runs; at once when a batch was full */
#define DB_REOPEN_MS      5000
#define KEY_USE_MS        10000
#define VAULT_TIMEOUT_MS  2000 /* a new link comes on this thread: waiting for one would be in vain */
#define AGAIN_MS          1000 /* after what a moment may mend */

static const int scheduler_calls[] = { SANDBOX_CALLS_BASE, SANDBOX_CALLS_LOOP, SANDBOX_CALLS_FILES,
                                       SANDBOX_CALLS_CLIENT };
static const char *const scheduler_paths[] = { SANDBOX_PATHS_RESOLVER }; /* for a database that is named */

static const struct sandbox_rules scheduler_rules = {
    .paths_read = scheduler_paths,
    .path_count = COUNT_OF(scheduler_paths),
    .calls = scheduler_calls,
    .call_count = COUNT_OF(scheduler_calls),
};

static struct {
    bool is_draining;
    struct vault_client *vault;
} scheduler;

static void
on_drain(void *ctx UNUSED)
{
    scheduler.is_draining = true;
}

static void
on_vault(void *ctx UNUSED, int fd)
{
    vault_client_relink(scheduler.vault, fd);
}

/* What cannot be written down now is told again. */
static void
key_use_turn(struct db *db)
{
    struct vault vault = { .client = scheduler.vault };
    size_t count = 0;
    enum err err = key_use_take(db, &vault, &count);

    if (err != ERR_OK)
        log_event(LOG_WARN, "scheduler.key_use_left", LOG_ERR(err));
}

/* What is away now is asked again at the next turn: entries wait where they are. */
static int64_t
audit_once(struct db *db, int64_t turn_ms)
{
    struct vault vault = tenant_vault(scheduler.vault, db);
    struct audit_turn_result result;
    enum err err = audit_turn(db, &vault, clock_system(), &result);

    if (err != ERR_OK)
        log_event(LOG_WARN, "scheduler.audit_left", LOG_ERR(err));
    return err == ERR_OK && result.has_more ? 0 : turn_ms;
}

/* What is left now is looked at a second later: until then plans are only slower. */
static void
grown_once(struct db *db)
{
    size_t analyzed = 0;
    enum err err = grown_tables_analyze(db, &analyzed);

    if (err != ERR_OK)
        log_event(LOG_WARN, "scheduler.grown_left", LOG_ERR(err));
    if (analyzed > 0)
        log_event(LOG_INFO, "scheduler.analyzed", LOG_NUM("tables", analyzed));
}

static enum err
run_once(struct db *db, int64_t *wait_ms_out)
{
    struct housekeeping_result result;
    size_t asked = 0;
    enum err err = housekeeping_run(db, clock_system(), &result);

    if (err == ERR_OK && result.was_leader)
        err = number_sync_ask(db, clock_system(), &asked);

    *wait_ms_out = RUN_MS;
    if (err_class(err) == ERR_CLASS_UNAVAILABLE) { /* away, in a conflict, or slower than its time limit */
        log_event(LOG_WARN, "scheduler.database_away", LOG_ERR(err));
        if (err == ERR_DB_UNAVAILABLE && db_reopen(db, DB_REOPEN_MS) != ERR_OK)
            return ERR_OK;
        *wait_ms_out = AGAIN_MS; /* a disk that is full refuses at once, again and again */
        return ERR_OK;
    }
    if (err != ERR_OK)
        return err;
    if (result.has_more)
        *wait_ms_out = 0;
    if (result.partitions_made + result.keys_removed + result.events_removed + result.deliveries_removed +
            result.secrets_removed + result.tasks_removed + result.media_removed + result.windows_removed +
            result.usage_removed + result.sms_removed + asked >
        0)
        log_event(LOG_INFO, "scheduler.kept_house", LOG_NUM("partitions", result.partitions_made),
                  LOG_NUM("keys", result.keys_removed), LOG_NUM("events", result.events_removed),
                  LOG_NUM("deliveries", result.deliveries_removed),
                  LOG_NUM("secrets", result.secrets_removed), LOG_NUM("tasks", result.tasks_removed),
                  LOG_NUM("media", result.media_removed), LOG_NUM("windows", result.windows_removed),
                  LOG_NUM("usage", result.usage_removed), LOG_NUM("sign_ins", result.sign_ins_removed),
                  LOG_NUM("sms", result.sms_removed), LOG_NUM("syncs", asked));
    return ERR_OK;
}

int
main(void)
{
    static struct role role;
    struct db *db = NULL;
    struct role_events events = { .drain = on_drain, .vault = on_vault };
    struct mono_time run_at = { 0 }, key_use_at = { 0 }, audit_at = { 0 }, grown_at = { 0 };
    enum err err = role_begin("scheduler", CONFIG_SCHEDULER, SECRET_POOL_BYTES, &role);

    if (err == ERR_OK)
        err = role_lock_in(&role, &scheduler_rules);
    if (err == ERR_OK)
        err = vault_client_new(role.vault_fd, VAULT_TIMEOUT_MS, &scheduler.vault);
    if (err == ERR_OK)
        err = db_open(role_database(&role), &db);
    if (err == ERR_OK)
        role_ready(&role);
    while (err == ERR_OK && !scheduler.is_draining) {
        struct mono_time now = clock_mono(clock_system());
        int64_t wait_ms = 0;
        if (now.us >= run_at.us) {
            err = run_once(db, &wait_ms);
            run_at = mono_after_ms(now, wait_ms);
        }
        if (err == ERR_OK && now.us >= grown_at.us) {
            grown_once(db);
            grown_at = mono_after_ms(now, GROWN_TABLES_MS);
        }
        if (err == ERR_OK && now.us >= audit_at.us)
            audit_at = mono_after_ms(now, audit_once(db, role.config.audit_seal_ms));
        if (err == ERR_OK && now.us >= key_use_at.us) {
            key_use_turn(db);
            key_use_at = mono_after_ms(now, KEY_USE_MS);
        }
        role_heartbeat();
        struct pollfd fd = { .fd = role_fd(&role), .events = POLLIN };
        if (poll(&fd, 1, wait_ms == 0 && run_at.us == now.us ? 0 : TICK_MS) > 0)
            role_step(&role, &events);
    }
    if (err == ERR_OK) /* gateways have ended by now, the vault has not */
        key_use_turn(db);
    db_close(db);
    vault_client_free(scheduler.vault);
    return role_end(&role, err);
}
