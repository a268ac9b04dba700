#include "core/log.h"
#include "core/metric.h"
#include "domain/limit/limit_table.h"
#include "platform/ipc/link.h"
#include "program/harkara/control.h"
#include "program/harkara/roster.h"
#include "program/harkara/supervisor_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_MS        1000
#define DRAIN_GRACE_MS 3000 /* beyond what processes give themselves */
/* One Ctrl-C may come as two signals: from the terminal, and from the program that started us. */
#define INSIST_MS       2000
#define FRAMES_PER_TURN 16u /* one process cannot keep the loop to itself */

enum err
supervisor_block_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return ERR_SYSTEM;
    return ERR_OK;
}

static int
drain_limit_ms(const struct supervisor *s)
{
    return (int)s->with->config->drain_timeout_ms + DRAIN_GRACE_MS;
}

/* Status. */

static bool
all_ready(const struct supervisor *s)
{
    for (size_t i = 0; i < s->child_count; i++)
        if (s->children[i].state != STATUS_READY && (&s->children[i] != s->hsm || supervisor_needs_hsm(s)))
            return false;
    return !database_is_embedded(s->with->database) || database_pid(s->with->database) > 0;
}

/* Where master keys come from: with a token, the other one is only there until nothing hangs on it any more.
 */
static void
master_key_say(const struct supervisor *s, struct status *out)
{
    const struct master_secret *newest = master_secret_newest(s->secrets, s->secret_count);
    const char *given = s->masters[0] == NULL               ? ""
                        : s->with->is_master_of_environment ? "environment"
                                                            : "file";

    snprintf(out->master_key, sizeof(out->master_key), "%s%s%s", given,
             given[0] != '\0' && newest != NULL ? " and " : "", newest != NULL ? "pkcs11" : "");
    if (newest != NULL)
        snprintf(out->token, sizeof(out->token), "%s", newest->token);
}

static void
status_refresh(struct supervisor *s)
{
    static struct status status;

    status = (struct status){ .pid = (int)getpid(), .started_at = s->started_at, .count = s->child_count };
    status.state = s->is_stopping ? STATUS_DRAINING : all_ready(s) ? STATUS_READY : STATUS_STARTING;
    snprintf(status.listen, sizeof(status.listen), "%.159s", s->with->config->listen);
    master_key_say(s, &status);
    for (size_t i = 0; i < s->child_count; i++)
        child_status(&s->children[i], &status.processes[i]);
    if (database_is_embedded(s->with->database) && status.count < STATUS_PROCESSES_MAX) {
        struct status_process *postgres = &status.processes[status.count++];
        pid_t pid = database_pid(s->with->database);
        *postgres = (struct status_process){ .role = "postgres",
                                             .pid = (int)pid,
                                             .state = pid > 0 ? STATUS_READY : STATUS_WAITING,
                                             .restarts = s->database_restarts,
                                             .started_at = s->database_started_at };
    }
    enum err err = status_write(s->with->folders->status, &status);
    if (err != ERR_OK)
        log_event(LOG_WARN, "supervisor.status_not_written", LOG_ERR(err), LOG_NUM("errno", errno));
    s->is_status_stale = false;
}

/* Stopping: stage by stage; the vault is in the last one. */

static bool
stage_is_over(const struct supervisor *s)
{
    for (size_t i = 0; i < s->child_count; i++)
        if (s->children[i].row->stage == s->stage && s->children[i].pid > 0)
            return false;
    return true;
}

static void
stage_drain(struct supervisor *s)
{
    for (size_t i = 0; i < s->child_count; i++)
        if (s->children[i].row->stage == s->stage)
            child_drain(&s->children[i], drain_limit_ms(s), s->with->clock);
}

void
supervisor_stop(struct supervisor *s, enum err why)
{
    if (s->is_stopping)
        return;
    s->is_stopping = true;
    s->err = why;
    s->stage = 0;
    s->stopping_since = clock_mono(s->with->clock);
    s->is_status_stale = true;
    metric_state_set(METRIC_STATE_DRAINING);
    if (why == ERR_OK)
        log_event(LOG_INFO, "supervisor.stopping");
    else
        log_event(LOG_ERROR, "supervisor.failed", LOG_ERR(why));
    for (size_t i = 0; i < s->child_count; i++)
        if (s->children[i].pid == 0)
            s->children[i].state = STATUS_STOPPED;
    stage_drain(s);
}

/* Whether all processes are gone. */
static bool
stop_step(struct supervisor *s)
{
    while (stage_is_over(s)) {
        if (++s->stage == ROSTER_STAGES)
            return true;
        stage_drain(s);
    }
    return false;
}

static void
stop_hard(struct supervisor *s)
{
    log_event(LOG_WARN, "supervisor.stopping_hard");
    for (size_t i = 0; i < s->child_count; i++)
        child_kill(&s->children[i]);
}

/* Starting. */

static void
start(struct supervisor *s, size_t at)
{
    struct child *child = &s->children[at];
    const struct roster_row *row = child->row;
    bool is_first = child->index == 0;
    struct child_start with = {
        .executable = s->executables[at],
        .config = s->with->config,
        .conninfo = row->login == NULL ? SLICE_EMPTY : database_conninfo(s->with->database, row->login),
        .ports = s->ports,
        .port_count = row->login == NULL ? 0 : s->port_count,
        .ca_file = row->login == NULL ? SLICE_EMPTY : database_ca_file(s->with->database),
        .vault_fd = row->vault_role == 0 ? -1 : supervisor_vault_link(s, row->vault_role),
        .listen_fd = row->has_listener ? s->with->listen_fd : -1,
        .admin_fd = row->has_admin && is_first ? s->with->admin_fd : -1,
        .smpp_fd = row->has_admin && is_first ? s->with->smpp_fd : -1,
        .pages_fd = row->has_admin && is_first ? s->pages_fd : -1,
        .limits_fd = row->has_limits ? s->limits_fd : -1,
        .redis_password = row->has_limits && s->with->redis_password != NULL
                              ? secret_slice(s->with->redis_password)
                              : SLICE_EMPTY,
        .mail_password = row->has_mail && s->with->mail_password != NULL
                             ? secret_slice(s->with->mail_password)
                             : SLICE_EMPTY,
        .clock = s->with->clock,
    };

    enum err err = child_start(child, &with);
    if (with.vault_fd >= 0)
        close(with.vault_fd);
    s->is_status_stale = true;
    if (err != ERR_OK) { /* no memory, no processes: as if it had ended at once */
        child_ended(child, 0x7f00, false, s->with->clock);
        return;
    }
    if (child == s->vault)
        supervisor_vault_boot(s);
    if (child == s->hsm)
        supervisor_hsm_open(s);
}

/* Whether its next start depends on time alone. */
static bool
is_waiting(const struct supervisor *s, const struct child *child)
{
    if (child->pid != 0 || child->state != STATUS_WAITING)
        return false;
    if (child == s->vault)
        return !supervisor_needs_hsm(s) || s->hsm->state == STATUS_READY;
    return child == s->hsm || s->has_booted;
}

/* The vault comes first, with a token after the token's process; the others wait for its first word, and
 * after that for nothing but their own time.
 */
static void
start_due(struct supervisor *s)
{
    struct mono_time now = clock_mono(s->with->clock);

    for (size_t i = 0; i < s->child_count && !s->is_stopping; i++) {
        if (is_waiting(s, &s->children[i]) && now.us >= s->children[i].start_at.us)
            start(s, i);
    }
    if (s->is_stopping || !database_is_embedded(s->with->database) || database_pid(s->with->database) > 0 ||
        now.us < s->database_start_at.us)
        return;
    struct complaint complaint = { { 0 } };
    enum err err = database_restart(s->with->database, &complaint);
    now = clock_mono(s->with->clock);
    s->is_status_stale = true;
    s->database_restarts++;
    metric_add(METRIC_RESTARTS, 1);
    if (err == ERR_OK) {
        s->database_up_at = now;
        s->database_started_at = clock_wall(s->with->clock);
        log_event(LOG_INFO, "supervisor.database_restarted");
    } else {
        s->database_start_at = mono_after_ms(now, restart_after(&s->database_restart, 0, false, 0));
        log_event(LOG_ERROR, "supervisor.database_not_restarted", LOG_ERR(err));
    }
}

/* Frames from a process. false: it broke the rules. */
static bool
frame_take(struct supervisor *s, struct child *child, struct slice frame)
{
    bool is_new = child->state == STATUS_STARTING;

    switch ((unsigned char)frame.ptr[0]) {
    case LINK_READY:
        if (child_ready(child, frame, s->with->clock) != ERR_OK)
            return false;
        if (child == s->vault && is_new) {
            s->has_booted = true;
            supervisor_vault_links_renew(s);
            supervisor_platform_keys(s);
        }
        s->is_status_stale = true;
        return true;
    case LINK_FAILED:
        if (frame.len != 3)
            return false;
        child->failure = (enum err)((unsigned char)frame.ptr[1] << 8 | (unsigned char)frame.ptr[2]);
        if (child->failure <= ERR_OK || child->failure >= ERR_COUNT)
            child->failure = ERR_FRAME;
        return true;
    case LINK_KEK_MADE:
        if (child != s->vault)
            return false;
        supervisor_kek_made(s, frame);
        return true;
    case LINK_HSM_OPENED:
        if (child != s->hsm)
            return false;
        supervisor_hsm_opened(s, frame);
        return true;
    case LINK_HSM_MADE:
        if (child != s->hsm)
            return false;
        supervisor_secret_made(s, frame);
        return true;
    case LINK_BOOTED:
        if (child != s->vault)
            return false;
        supervisor_vault_booted(s, frame);
        return true;
    default:
        return false;
    }
}

static void
link_read(struct supervisor *s, struct child *child)
{
    enum err err = ERR_OK;

    for (unsigned i = 0; err == ERR_OK && child->link >= 0 && i < FRAMES_PER_TURN; i++) {
        struct slice frame;
        int fd = -1;
        enum err filled = link_reader_fill(&child->reader);
        err = link_reader_take(&child->reader, &frame, &fd);
        if (fd >= 0)
            close(fd); /* no process of ours hands one up */
        if (err == ERR_OK && !frame_take(s, child, frame))
            err = ERR_FRAME;
        else if (err == ERR_INCOMPLETE && filled != ERR_OK && filled != ERR_INCOMPLETE)
            err = filled;
    }
    if (err == ERR_OK || err == ERR_INCOMPLETE)
        return;
    /* It ended, or is about to: a process without its link is of no use. */
    link_reader_release(&child->reader);
    close(child->link);
    child->link = -1;
    child_kill(child);
}

/* Signals. */

static void
ended(struct supervisor *s, pid_t pid, int wait_status)
{
    struct mono_time now = clock_mono(s->with->clock);

    s->is_status_stale = true;
    if (pid == database_pid(s->with->database)) {
        database_reaped(s->with->database);
        s->database_start_at = mono_after_ms(
            now, restart_after(&s->database_restart, (now.us - s->database_up_at.us) / 1000, false, 0));
        log_event(LOG_ERROR, "supervisor.database_ended", LOG_NUM("status", wait_status));
        return;
    }
    for (size_t i = 0; i < s->child_count; i++) {
        struct child *child = &s->children[i];
        if (child->pid != pid)
            continue;
        if (child->link >= 0)
            link_read(s, child); /* its last words */
        child_ended(child, wait_status, s->is_stopping, s->with->clock);
        if (child == s->hsm && s->is_hsm_refused)
            child->state = STATUS_STOPPED;
        if (child == s->vault)
            supervisor_kek_give_up(s);
        if (child == s->hsm)
            supervisor_secret_give_up(s);
        if (child == s->vault && !s->has_booted && !s->is_stopping && !child->is_to_restart) {
            complaint_set(s->complaint, "the vault did not start: %s",
                          child->failure == ERR_OK ? "see its last lines above" : err_title(child->failure));
            supervisor_stop(s, child->failure == ERR_OK ? ERR_SYSTEM : child->failure);
        }
        return;
    }
}

static void
signals_read(struct supervisor *s)
{
    struct signalfd_siginfo info;
    int wait_status;

    while (read(s->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGCHLD)
            continue;
        if (!s->is_stopping)
            supervisor_stop(s, ERR_OK);
        else if (clock_mono(s->with->clock).us >= mono_after_ms(s->stopping_since, INSIST_MS).us)
            stop_hard(s);
    }
    for (pid_t pid; (pid = waitpid(-1, &wait_status, WNOHANG)) > 0;)
        ended(s, pid, wait_status);
}

static void
control_read(struct supervisor *s)
{
    struct control_request request;
    int connection = -1;
    enum err err = control_accept(s->with->control_fd, &connection, &request);

    if (err == ERR_SCOPE)
        log_event(LOG_WARN, "supervisor.command_refused");
    if (err != ERR_OK)
        return;
    switch (request.kind) {
    case CONTROL_VAULT:
        break;
    case CONTROL_KEK:
        supervisor_kek_make(s, &request.kek, connection);
        secret_wipe(&request, sizeof(request));
        return;
    case CONTROL_MASTER_DONE:
        supervisor_master_done(s, connection);
        return;
    case CONTROL_SECRET:
        supervisor_secret_make(s, &request.secret, connection);
        return;
    }
    int link = supervisor_vault_link(s, VAULT_ROLE_ADMIN);
    if (link < 0) {
        close(connection);
        return;
    }
    control_answer(connection, link);
}

/* Once a second. */
static void
tick(struct supervisor *s)
{
    struct mono_time now = clock_mono(s->with->clock);

    if (now.us < s->tick_at.us)
        return;
    s->tick_at = mono_after_ms(now, TICK_MS);
    metric_heartbeat(clock_wall(s->with->clock));
    for (size_t i = 0; i < s->child_count; i++)
        (void)child_tick(&s->children[i], s->with->clock);
    supervisor_platform_keys(s);
    if (s->is_stopping || !followed_files_changed(&s->files))
        return;
    log_event(LOG_INFO, "supervisor.files_replaced");
    for (size_t i = 0; i < s->child_count; i++) {
        if (s->children[i].row->follows == ROSTER_FOLLOWS_ALWAYS ||
            (s->children[i].row->follows == ROSTER_FOLLOWS_WITH_DATABASE && s->port_count > 0)) {
            child_drain(&s->children[i], drain_limit_ms(s), s->with->clock);
            s->children[i].is_to_restart = true;
        }
    }
}

/* How long nothing is due. */
static int
wait_ms(const struct supervisor *s)
{
    int64_t now_us = clock_mono(s->with->clock).us, until_us = s->tick_at.us;

    for (size_t i = 0; i < s->child_count; i++)
        if (is_waiting(s, &s->children[i]) && s->children[i].start_at.us < until_us)
            until_us = s->children[i].start_at.us;
    return until_us <= now_us ? 0 : (int)((until_us - now_us + 999) / 1000);
}

static void
turn(struct supervisor *s)
{
    /* Commands wait in the backlog until the vault serves. */
    struct pollfd waits[CHILDREN_MAX + 2] = {
        { .fd = s->signal_fd, .events = POLLIN },
        { .fd = supervisor_vault_serves(s) ? s->with->control_fd : -1, .events = POLLIN },
    };

    for (size_t i = 0; i < s->child_count; i++)
        waits[2 + i] = (struct pollfd){ .fd = s->children[i].link, .events = POLLIN }; /* -1: passed over */
    if (poll(waits, 2 + (nfds_t)s->child_count, wait_ms(s)) < 0 && errno != EINTR)
        bug("poll of the supervisor's descriptors");
    /* Words before deaths: a process that said why it ends is heard first. */
    for (size_t i = 0; i < s->child_count; i++)
        if (waits[2 + i].revents != 0 && s->children[i].link == waits[2 + i].fd)
            link_read(s, &s->children[i]);
    if (waits[1].revents != 0)
        control_read(s);
    signals_read(s);
    tick(s);
    start_due(s);
    if (!s->is_serving && !s->is_stopping && all_ready(s)) {
        s->is_serving = s->is_status_stale = true;
        metric_state_set(METRIC_STATE_READY);
        log_event(LOG_INFO, "supervisor.serving");
    }
    if (s->is_status_stale)
        status_refresh(s);
}

/* Our own page lies beside the others'. */
static enum err
own_page_open(const struct supervisor *s)
{
    char path[FOLDERS_PATH_BYTES + 32];

    snprintf(path, sizeof(path), "%s/supervisor-0", s->with->folders->pages);
    if (unlink(path) != 0 && errno != ENOENT)
        return ERR_SYSTEM;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)metric_page_bytes()) != 0)
        return ERR_SYSTEM;
    void *page = mmap(NULL, metric_page_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (page == MAP_FAILED)
        return ERR_SYSTEM;
    metric_open(page, "supervisor-0");
    return ERR_OK;
}

/* Memory without a name: nobody but the gateways has it, and it ends with the last of us. */
static enum err
limits_make(struct supervisor *s)
{
    size_t counters = (size_t)s->with->config->limit_counters, bytes = limit_table_bytes(counters);

    s->limits_fd = memfd_create("harkara-limits", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (s->limits_fd < 0 || ftruncate(s->limits_fd, (off_t)bytes) != 0)
        return ERR_SYSTEM;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, s->limits_fd, 0);
    if (memory == MAP_FAILED)
        return ERR_SYSTEM;
    enum err err = limit_table_init(memory, bytes, counters);
    munmap(memory, bytes);
    /* A shorter file would end whoever has it mapped. */
    if (err == ERR_OK && fcntl(s->limits_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        err = ERR_SYSTEM;
    return err;
}

static enum err
prepare(struct supervisor *s)
{
    const struct supervisor_options *with = s->with;
    struct complaint *complaint = s->complaint;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    s->pages_fd = open(with->folders->pages, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->signal_fd < 0 || s->pages_fd < 0 || own_page_open(s) != ERR_OK) {
        complaint_set(complaint, "%s: cannot be used (errno %d)", with->folders->pages, errno);
        return ERR_SYSTEM;
    }
    if (limits_make(s) != ERR_OK) {
        complaint_set(complaint, "the memory for limits cannot be had (errno %d)", errno);
        return ERR_SYSTEM;
    }
    for (const struct roster_row *row = roster; row->name != NULL; row++) {
        for (unsigned index = 0; index < roster_count(row, with->config); index++) {
            if (s->child_count == CHILDREN_MAX)
                bug("more processes than there is room for");
            size_t at = s->child_count++;
            enum err err = folders_executable(with->folders, row->name, s->executables[at],
                                              sizeof(s->executables[at]), complaint);
            if (err != ERR_OK)
                return err;
            err = child_init(&s->children[at], row, index, with->folders->pages);
            if (err != ERR_OK) {
                complaint_set(complaint, "%s: a page cannot be made (errno %d)", with->folders->pages, errno);
                return err;
            }
        }
    }
    s->vault = &s->children[0];
    for (size_t i = 0; i < s->child_count; i++)
        if (s->children[i].row->settings == CONFIG_HSM)
            s->hsm = &s->children[i];
    s->port_count = database_ports(with->database, s->ports);
    s->started_at = s->database_started_at = clock_wall(with->clock);
    s->database_up_at = clock_mono(with->clock);
    followed_files_init(&s->files, with->config->ca_file, database_ca_file(with->database).ptr);
    supervisor_secrets_refresh(s);
    return database_keks(with->database, s->keks, &s->kek_count, complaint);
}

enum err
supervisor_run(const struct supervisor_options *options, struct complaint *complaint)
{
    struct supervisor *s = calloc(1, sizeof(*s));
    struct hsm_pins pins = options->pins;

    if (s == NULL) {
        for (size_t i = 0; i < COUNT_OF(options->masters); i++)
            secret_free(options->masters[i]);
        hsm_pins_free(&pins);
        return ERR_NO_MEMORY;
    }
    s->with = options;
    s->complaint = complaint;
    s->signal_fd = s->pages_fd = s->limits_fd = s->kek_connection = s->secret_connection = -1;
    memcpy(s->masters, options->masters, sizeof(s->masters));
    s->pins = pins;
    enum err err = prepare(s);
    if (err == ERR_OK) {
        start_due(s);
        do
            turn(s);
        while (!s->is_stopping || !stop_step(s));
        err = s->err;
        metric_state_set(METRIC_STATE_STOPPED);
        log_event(LOG_INFO, "supervisor.stopped");
    }
    for (size_t i = 0; i < s->child_count; i++)
        child_release(&s->children[i]);
    supervisor_kek_give_up(s);
    supervisor_secret_give_up(s);
    for (size_t i = 0; i < COUNT_OF(s->masters); i++)
        secret_free(s->masters[i]);
    hsm_pins_free(&s->pins);
    if (s->signal_fd >= 0)
        close(s->signal_fd);
    if (s->pages_fd >= 0)
        close(s->pages_fd);
    if (s->limits_fd >= 0)
        close(s->limits_fd);
    free(s);
    return err;
}
