#include "program/harkara/child.h"
#include "core/log.h"
#include "core/metric.h"
#include "crypto/random.h"
#include "platform/os/process.h"
#include "platform/os/role.h"
#include "platform/os/role_settings.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define SAY_TIMEOUT_MS 1000 /* frames are small and the buffer is empty, or the process is stuck */
#define PAGE_BYTES_MAX 16384u

#ifdef HARKARA_SANITIZED
#define PASSED_MAX 5u
#else
#define PASSED_MAX 2u
#endif

enum err
child_init(struct child *child, const struct roster_row *row, unsigned index, const char *pages_folder)
{
    char path[600];

    *child = (struct child){ .row = row, .index = index, .link = -1 };
    snprintf(path, sizeof(path), "%s/%s-%u", pages_folder, row->name, index);
    /* A new file at each start of the supervisor: what an earlier run left may still be mapped somewhere. */
    if (unlink(path) != 0 && errno != ENOENT)
        return ERR_SYSTEM;
    child->page_fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (child->page_fd < 0 || ftruncate(child->page_fd, (off_t)metric_page_bytes()) != 0)
        return ERR_SYSTEM;
    return ERR_OK;
}

static void
link_close(struct child *child)
{
    if (child->link < 0)
        return;
    link_reader_release(&child->reader);
    close(child->link);
    child->link = -1;
}

void
child_release(struct child *child)
{
    link_close(child);
    if (child->page_fd >= 0)
        close(child->page_fd);
    child->page_fd = -1;
}

/* In place: others have it mapped, and a shorter file would end them. */
static enum err
page_clear(const struct child *child)
{
    static const char zeros[PAGE_BYTES_MAX];
    size_t bytes = metric_page_bytes();

    if (bytes > sizeof(zeros))
        bug("a metric page larger than its zeros");
    return pwrite(child->page_fd, zeros, bytes, 0) == (ssize_t)bytes ? ERR_OK : ERR_SYSTEM;
}

/* Its own settings, in sanitized builds what steers the sanitizers, and for the token's process what SoftHSM2
 * reads; nothing else of our environment. */
static size_t
environment_make(const struct child *child, const struct config *config, char *out[CONFIG_COUNT + PASSED_MAX])
{
    size_t count = config_environment_for(config, child->row->settings, out, CONFIG_COUNT);
#ifdef HARKARA_SANITIZED
    static const char *const names[] = { "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS" };

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && asprintf(&out[count], "%s=%s", names[i], value) > 0)
            count++;
    }
#endif
    const char *softhsm = child->row->settings == CONFIG_HSM ? getenv("SOFTHSM2_CONF") : NULL;
    if (softhsm != NULL && asprintf(&out[count], "SOFTHSM2_CONF=%s", softhsm) > 0)
        count++;
    out[count] = NULL;
    return count;
}

static enum err
process_begin(struct child *child, const struct child_start *with, int peer_fd)
{
    char *environment[CONFIG_COUNT + PASSED_MAX], index[12], name[48];
    char *const arguments[] = { name, index, NULL };
    const struct process_fd all[] = { { peer_fd, ROLE_FD_SUPERVISOR },    { child->page_fd, ROLE_FD_PAGE },
                                      { with->vault_fd, ROLE_FD_VAULT },  { with->listen_fd, ROLE_FD_LISTEN },
                                      { with->admin_fd, ROLE_FD_ADMIN },  { with->pages_fd, ROLE_FD_PAGES },
                                      { with->limits_fd, ROLE_FD_LIMITS }, { with->smpp_fd, ROLE_FD_SMPP } };
    struct process_fd fds[COUNT_OF(all)];
    size_t fd_count = 0;

    for (size_t i = 0; i < COUNT_OF(all); i++)
        if (all[i].from >= 0)
            fds[fd_count++] = all[i];
    snprintf(name, sizeof(name), "harkara-%s", child->row->name);
    snprintf(index, sizeof(index), "%u", child->index);
    size_t count = environment_make(child, with->config, environment);
    enum err err = process_start(&(struct process_start){ .path = with->executable,
                                                          .arguments = arguments,
                                                          .environment = environment,
                                                          .fds = fds,
                                                          .fd_count = fd_count },
                                 &child->pid);
    while (count > 0)
        free(environment[--count]);
    return err;
}

enum err
child_start(struct child *child, const struct child_start *with)
{
    struct role_settings settings = { .index = (uint16_t)child->index,
                                      .instance = id_new(with->clock),
                                      .port_count = with->port_count,
                                      .ca_file = with->ca_file,
                                      .redis_password = with->redis_password,
                                      .mail_password = with->mail_password,
                                      .conninfo = with->conninfo };
    struct buf frame;
    int fds[2];

    memcpy(settings.ports, with->ports, with->port_count * sizeof(with->ports[0]));
    enum err err = page_clear(child);
    if (err == ERR_OK)
        err = link_pair(fds);
    if (err != ERR_OK)
        return err;
    err = process_begin(child, with, fds[1]);
    close(fds[1]);
    if (err != ERR_OK) {
        log_event(LOG_ERROR, "child.not_started", LOG_WORD("process", child->row->name),
                  LOG_NUM("errno", errno));
        close(fds[0]);
        child->pid = 0;
        return err;
    }
    child->link = fds[0];
    link_reader_init(&child->reader, child->link);
    child->state = STATUS_STARTING;
    child->instance = settings.instance;
    child->failure = ERR_OK;
    child->was_ready = child->is_to_restart = child->has_sandbox = false;
    child->started_at = clock_wall(with->clock);
    child->heartbeat = (struct wall_time){ 0 };
    child->heartbeat_since = clock_mono(with->clock);
    buf_init(&frame, ROLE_CONNINFO_BYTES_MAX + ROLE_PATH_BYTES_MAX + ROLE_PASSWORD_BYTES_MAX + 64);
    role_settings_print(&frame, &settings);
    if (buf_done(&frame) != ERR_OK)
        bug("a role's settings larger than their limit");
    child_say(child, buf_slice(&frame), -1);
    buf_release_wiped(&frame);
    log_event(LOG_INFO, "child.started", LOG_WORD("process", child->row->name),
              LOG_NUM("index", child->index), LOG_NUM("pid", child->pid));
    return ERR_OK;
}

void
child_kill(const struct child *child)
{
    if (child->pid > 0)
        (void)kill(child->pid, SIGKILL); /* ours and not reaped: it is there */
}

void
child_say(struct child *child, struct slice frame, int fd_or_minus_1)
{
    if (child->link < 0)
        return;
    enum err err = link_send(child->link, frame, fd_or_minus_1, SAY_TIMEOUT_MS);
    if (err == ERR_OK || err == ERR_FRAME) /* ERR_FRAME: it ended, and is about to be reaped */
        return;
    log_event(LOG_ERROR, "child.deaf", LOG_WORD("process", child->row->name), LOG_NUM("pid", child->pid),
              LOG_ERR(err));
    child_kill(child);
}

void
child_drain(struct child *child, int limit_ms, const struct clock *clock)
{
    const char kind = LINK_DRAIN;

    if (child->pid == 0 || child->state == STATUS_DRAINING)
        return;
    child->state = STATUS_DRAINING;
    child->kill_at = mono_after_ms(clock_mono(clock), limit_ms);
    child_say(child, slice_of(&kind, 1), -1);
}

/* The page is outside input: it is copied, and what it says is only believed to be a time. */
static void
heartbeat_look(struct child *child, const struct clock *clock)
{
    unsigned char page[PAGE_BYTES_MAX] __attribute__((aligned(16)));
    struct metric_view view;

    if (pread(child->page_fd, page, metric_page_bytes(), 0) != (ssize_t)metric_page_bytes() ||
        metric_view(page, metric_page_bytes(), &view) != ERR_OK ||
        view.heartbeat_at.us == child->heartbeat.us)
        return;
    child->heartbeat = view.heartbeat_at;
    child->heartbeat_since = clock_mono(clock);
}

bool
child_tick(struct child *child, const struct clock *clock)
{
    struct mono_time now = clock_mono(clock);

    if (child->pid == 0)
        return false;
    heartbeat_look(child, clock);
    if (child->state == STATUS_DRAINING && now.us >= child->kill_at.us) {
        log_event(LOG_WARN, "child.drain_too_long", LOG_WORD("process", child->row->name),
                  LOG_NUM("pid", child->pid));
        child_kill(child);
        return true;
    }
    if (now.us - child->heartbeat_since.us >= (int64_t)ROLE_SILENT_MS_MAX * 1000) {
        log_event(LOG_ERROR, "child.silent", LOG_WORD("process", child->row->name),
                  LOG_NUM("pid", child->pid));
        child_kill(child);
        return true;
    }
    return false;
}

void
child_ended(struct child *child, int wait_status, bool is_last, const struct clock *clock)
{
    struct mono_time now = clock_mono(clock);
    bool was_told = child->state == STATUS_DRAINING;
    uint32_t random = 0;

    child->last_end = WIFSIGNALED(wait_status) ? STATUS_END_SIGNAL : STATUS_END_EXIT;
    child->last_end_number = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
    log_event(was_told && wait_status == 0 ? LOG_INFO : LOG_WARN, "child.ended",
              LOG_WORD("process", child->row->name), LOG_NUM("index", child->index),
              LOG_NUM("pid", child->pid), LOG_WORD("how", WIFSIGNALED(wait_status) ? "signal" : "exit"),
              LOG_NUM("number", child->last_end_number), LOG_ERR(child->failure));
    link_close(child);
    child->pid = 0;
    child->has_sandbox = false;
    if (is_last) {
        child->state = STATUS_STOPPED;
        return;
    }
    if (random_fill(&random, sizeof(random)) != ERR_OK)
        random = (uint32_t)now.us;
    int64_t served_ms = child->was_ready ? (now.us - child->ready_at.us) / 1000 : 0;
    bool is_hopeless =
        child->last_end == STATUS_END_EXIT && child->last_end_number == ROLE_EXIT_CONFIG && !child->was_ready;
    int64_t wait_ms =
        child->is_to_restart ? 0 : restart_after(&child->restart, served_ms, is_hopeless, random);
    child->state = STATUS_WAITING;
    child->start_at = mono_after_ms(now, wait_ms);
    child->restarts++;
    metric_add(METRIC_RESTARTS, 1);
}

enum err
child_ready(struct child *child, struct slice frame, const struct clock *clock)
{
    if (frame.len != 3 || (unsigned char)frame.ptr[2] > SECRET_MEMORY_UNLOCKED)
        return ERR_FRAME;
    child->sandbox = sandbox_facts_unpack((uint8_t)frame.ptr[1]);
    child->memory = (enum secret_memory)frame.ptr[2];
    child->has_sandbox = true;
    if (child->state == STATUS_STARTING) {
        child->state = STATUS_READY;
        child->was_ready = true;
        child->ready_at = clock_mono(clock);
    }
    return ERR_OK;
}

void
child_status(const struct child *child, struct status_process *out)
{
    *out = (struct status_process){ .index = child->index,
                                    .pid = child->pid,
                                    .state = child->state,
                                    .restarts = child->restarts,
                                    .started_at = child->started_at,
                                    .last_end = child->last_end,
                                    .last_end_number = child->last_end_number,
                                    .has_sandbox = child->has_sandbox,
                                    .sandbox = child->sandbox,
                                    .memory = child->memory };
    snprintf(out->role, sizeof(out->role), "%s", child->row->name);
}
