#include "platform/os/role.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/num.h"
#include "platform/ipc/link.h"
#include "platform/os/role_settings.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define SETTINGS_TIMEOUT_MS 10000 /* the supervisor sends the frame right after the start */
#define SEND_TIMEOUT_MS     5000
#define PATHS_MAX           32u

/* One per process. */
struct role_private {
    struct secret *database, *redis, *mail; /* NUL-terminated; NULL: none */
    uint16_t ports[ROLE_DATABASE_PORTS_MAX];
    size_t port_count;
    char ca_file[ROLE_PATH_BYTES_MAX + 1];
    struct link_reader reader;
    struct role_events events; /* of the watch thread; written before it starts */
    pthread_t watch;
    int watch_stop_fd; /* -1: no thread */
    bool is_told_to_drain;
};
static struct role_private the_private = { .watch_stop_fd = -1 };

#ifdef HARKARA_SANITIZED
/* The leak checker hangs under the filter, and a symbolizer would be another program. */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
    return "detect_leaks=0:symbolize=0";
}

/* Asked for by name, the leak checker gets what it needs instead: no filter, and another thread may look. */
static bool
is_leak_hunt(void)
{
    const char *options = getenv("ASAN_OPTIONS");

    return options != NULL && strstr(options, "detect_leaks=1") != NULL;
}
#else
#define is_leak_hunt() false
#endif

static bool
fd_is_open(int fd)
{
    return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

/* What a core dump, a debugger or a stray descriptor would give away is closed before anything is read. */
static enum err
purge(void)
{
    const struct rlimit none = { 0, 0 };
    struct rlimit files;

    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
        close_range(ROLE_FD_FREE, UINT_MAX, 0) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return ERR_SYSTEM;
    umask(077);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &files) != 0)
            return ERR_SYSTEM;
    }
    return ERR_OK;
}

/* The environment holds this role's settings and no others: what comes too much is refused, not overlooked.
 */
static enum err
settings_read(struct config *config, enum config_role config_role, enum log_level *level_out)
{
    struct config_problem problem = { { 0 }, { 0 } };
    char *own[CONFIG_COUNT + 1] = { NULL };
    static struct config check;

    config_init(config);
    enum err err = config_read_environment(config, environ, &problem);
    if (err != ERR_OK)
        return err;
    size_t count = config_environment_for(config, config_role, own, CONFIG_COUNT);
    config_init(&check);
    err = config_read_environment(&check, own, &problem);
    while (count > 0)
        free(own[--count]);
    if (err == ERR_OK && memcmp(&check, config, sizeof(check)) != 0)
        err = ERR_CONFIG;
    return err == ERR_OK ? log_level_parse(slice_text(config->log_level), level_out) : err;
}

/* With a NUL behind it; nothing is kept of nothing. */
static enum err
secret_keep(struct slice text, struct secret **out)
{
    if (text.len == 0)
        return ERR_OK;
    *out = secret_new(text.len + 1);
    if (*out == NULL)
        return ERR_NO_MEMORY;
    memcpy(secret_bytes(*out), text.ptr, text.len);
    return ERR_OK;
}

static enum err
settings_receive(struct role *role)
{
    struct role_private *own = role->private;
    struct role_settings settings;
    struct buf frame;
    int fd = -1;

    buf_init(&frame, ROLE_CONNINFO_BYTES_MAX + ROLE_PATH_BYTES_MAX + 2 * ROLE_PASSWORD_BYTES_MAX + 64);
    enum err err = link_receive(ROLE_FD_SUPERVISOR, &frame, &fd, SETTINGS_TIMEOUT_MS);
    if (fd >= 0)
        close(fd);
    if (err == ERR_OK)
        err = role_settings_parse(buf_slice(&frame), &settings);
    if (err != ERR_OK)
        goto done;
    role->index = settings.index;
    role->instance = settings.instance;
    memcpy(own->ports, settings.ports, sizeof(own->ports));
    own->port_count = settings.port_count;
    snprintf(own->ca_file, sizeof(own->ca_file), "%.*s", SLICE_FMT(settings.ca_file));
    err = secret_keep(settings.conninfo, &own->database);
    if (err == ERR_OK)
        err = secret_keep(settings.redis_password, &own->redis);
    if (err == ERR_OK)
        err = secret_keep(settings.mail_password, &own->mail);
done:
    buf_release_wiped(&frame);
    return err;
}

/* NULL: not a page of this build's size. */
static void *
page_map(int fd, int protection)
{
    struct stat st;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size < (off_t)metric_page_bytes())
        return NULL;
    void *page = mmap(NULL, metric_page_bytes(), protection, MAP_SHARED, fd, 0);
    return page == MAP_FAILED ? NULL : page;
}

static enum err
own_page_open(const struct role *role)
{
    char name[32];
    void *page = page_map(ROLE_FD_PAGE, PROT_READ | PROT_WRITE);

    if (page == NULL)
        return ERR_SYSTEM;
    close(ROLE_FD_PAGE);
    snprintf(name, sizeof(name), "%s-%u", role->name, role->index);
    metric_open(page, name);
    return ERR_OK;
}

static int
is_page_name(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* The supervisor has made every file before the first role starts, and never shortens one. */
static enum err
all_pages_open(struct role *role)
{
    struct dirent **entries = NULL;
    int count = scandirat(ROLE_FD_PAGES, ".", &entries, is_page_name, alphasort);

    for (int i = 0; i < count; i++) {
        int fd = openat(ROLE_FD_PAGES, entries[i]->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        void *page = fd < 0 || role->page_count == ROLE_PAGES_MAX ? NULL : page_map(fd, PROT_READ);
        if (page != NULL)
            role->pages[role->page_count++] = page;
        if (fd >= 0)
            close(fd);
        free(entries[i]);
    }
    free(entries);
    close(ROLE_FD_PAGES);
    return count < 0 ? ERR_SYSTEM : ERR_OK;
}

/* The supervisor has sealed its size: nobody can shorten it under us. */
static enum err
limits_map(struct role *role)
{
    struct stat st;

    if (fstat(ROLE_FD_LIMITS, &st) != 0 || st.st_size <= 0)
        return ERR_SYSTEM;
    void *memory = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, ROLE_FD_LIMITS, 0);
    close(ROLE_FD_LIMITS);
    if (memory == MAP_FAILED)
        return ERR_SYSTEM;
    role->limits = memory;
    role->limits_bytes = (size_t)st.st_size;
    return ERR_OK;
}

static enum err
pool_make(const struct config *config, size_t bytes)
{
    if (bytes > ROLE_SECRET_BYTES_MAX)
        bug("a role's secrets are more than the supervisor has looked for");
    enum err err = config->unlocked_secrets != 0 ? secret_pool_open_unlocked(bytes) : secret_pool_open(bytes);
    if (err != ERR_OK)
        log_event(LOG_ERROR, "role.memory_refused", LOG_NUM("bytes", bytes));
    else if (secret_pool_memory() == SECRET_MEMORY_UNLOCKED)
        log_event(LOG_WARN, "role.memory_unlocked", LOG_NUM("bytes", bytes));
    return err;
}

enum err
role_begin(const char *name, enum config_role config_role, size_t secret_bytes, struct role *out)
{
    struct role_private *own = &the_private;
    enum log_level level = LOG_INFO;

    *out = (struct role){
        .name = name, .vault_fd = -1, .listen_fd = -1, .admin_fd = -1, .smpp_fd = -1, .private = own
    };
    link_reader_init(&own->reader, ROLE_FD_SUPERVISOR);
    enum err err = purge();
    if (err != ERR_OK)
        return err;
    if (!fd_is_open(ROLE_FD_SUPERVISOR)) {
        fprintf(stderr, "harkara %s: is started by \"harkara serve\" only\n", name);
        return ERR_FRAME;
    }
    out->vault_fd = fd_is_open(ROLE_FD_VAULT) ? ROLE_FD_VAULT : -1;
    out->listen_fd = fd_is_open(ROLE_FD_LISTEN) ? ROLE_FD_LISTEN : -1;
    out->admin_fd = fd_is_open(ROLE_FD_ADMIN) ? ROLE_FD_ADMIN : -1;
    out->smpp_fd = fd_is_open(ROLE_FD_SMPP) ? ROLE_FD_SMPP : -1;

    err = settings_read(&out->config, config_role, &level);
    log_open(name, level, STDERR_FILENO);
    if (err == ERR_OK)
        err = pool_make(&out->config, secret_bytes);
    if (err == ERR_OK)
        err = settings_receive(out);
    if (err == ERR_OK)
        err = own_page_open(out);
    if (err == ERR_OK && fd_is_open(ROLE_FD_PAGES))
        err = all_pages_open(out);
    if (err == ERR_OK && fd_is_open(ROLE_FD_LIMITS))
        err = limits_map(out);
    if (err == ERR_OK)
        log_event(LOG_INFO, "role.begun", LOG_NUM("index", out->index),
                  LOG_ID("instance", ID_INSTANCE, out->instance));
    return err;
}

const char *
role_database(const struct role *role)
{
    return role->private->database == NULL ? NULL : (const char *)secret_bytes(role->private->database);
}

const char *
role_redis_password(const struct role *role)
{
    return role->private->redis == NULL ? NULL : (const char *)secret_bytes(role->private->redis);
}

const char *
role_mail_password(const struct role *role)
{
    return role->private->mail == NULL ? NULL : (const char *)secret_bytes(role->private->mail);
}

enum err
role_receive(struct role *role UNUSED, struct buf *frame, int *fd_out, int timeout_ms)
{
    return link_receive(ROLE_FD_SUPERVISOR, frame, fd_out, timeout_ms);
}

enum err
role_lock_in(struct role *role, const struct sandbox_rules *rules)
{
    struct sandbox_rules mine = *rules;
    const char *paths[PATHS_MAX];
    char user[48];

    snprintf(user, sizeof(user), "harkara-%s", role->name);
    mine.user = user;
    mine.dies_with_parent = true;
    if (role->private->port_count > SANDBOX_PORTS_MAX - mine.port_count)
        return ERR_LIMIT;
    for (size_t i = 0; i < role->private->port_count; i++)
        mine.ports[mine.port_count++] = role->private->ports[i];
    if (role->private->ca_file[0] != '\0') {
        if (mine.path_count >= PATHS_MAX)
            return ERR_LIMIT;
        if (mine.path_count > 0)
            memcpy(paths, mine.paths_read, mine.path_count * sizeof(paths[0]));
        paths[mine.path_count++] = role->private->ca_file;
        mine.paths_read = paths;
    }
    enum err err = is_leak_hunt() ? ERR_OK : sandbox_enter(&mine, &role->sandbox);
    if (err == ERR_OK)
        log_event(LOG_INFO, "role.locked_in", LOG_NUM("user_dropped", role->sandbox.is_user_dropped),
                  LOG_NUM("files", role->sandbox.has_files), LOG_NUM("ports", role->sandbox.has_ports),
                  LOG_NUM("scopes", role->sandbox.has_scopes), LOG_NUM("calls", role->sandbox.has_calls));
    return err;
}

int
role_fd(const struct role *role UNUSED)
{
    return ROLE_FD_SUPERVISOR;
}

/* The supervisor is trusted more than this process: what it says is obeyed; what is not understood is
 * dropped. */
static void
frame_obey(struct role_private *own, const struct role_events *events, struct slice frame, int fd)
{
    unsigned char kind = (unsigned char)frame.ptr[0];

    if (kind == LINK_DRAIN && !own->is_told_to_drain) {
        own->is_told_to_drain = true;
        metric_state_set(METRIC_STATE_DRAINING);
        log_event(LOG_INFO, "role.draining");
        events->drain(events->ctx);
    } else if (kind == LINK_VAULT && fd >= 0 && events->vault != NULL) {
        events->vault(events->ctx, fd);
        return;
    } else if (kind == LINK_ADOPT && fd >= 0 && frame.len == 2 && events->adopt != NULL) {
        events->adopt(events->ctx, fd, (uint8_t)frame.ptr[1]);
        return;
    } else if (kind == LINK_KEK && events->kek != NULL) {
        events->kek(events->ctx, frame, fd);
        return;
    } else if (kind == LINK_HSM_UNWRAP && fd >= 0 && events->unwrap != NULL) {
        events->unwrap(events->ctx, frame, fd);
        return;
    } else if (kind == LINK_HSM_MAKE && fd < 0 && events->make != NULL) {
        events->make(events->ctx, frame);
    }
    if (fd >= 0)
        close(fd);
}

void
role_step(struct role *role, const struct role_events *events)
{
    struct role_private *own = role->private;
    struct slice frame;
    enum err err;
    int fd = -1;

    do {
        err = link_reader_fill(&own->reader);
        if (err != ERR_OK && err != ERR_INCOMPLETE)
            _exit(ROLE_EXIT_ORPHAN);
        err = link_reader_take(&own->reader, &frame, &fd);
        if (err == ERR_OK)
            frame_obey(own, events, frame, fd);
    } while (err == ERR_OK);
}

static void *
watch_run(void *argument)
{
    struct role *role = argument;
    struct role_private *own = role->private;
    struct pollfd waits[2] = { { .fd = ROLE_FD_SUPERVISOR, .events = POLLIN },
                               { .fd = own->watch_stop_fd, .events = POLLIN } };

    for (;;) {
        if (poll(waits, COUNT_OF(waits), -1) < 0) {
            if (errno == EINTR)
                continue;
            bug("poll of the supervisor's link");
        }
        if (waits[1].revents != 0)
            return NULL;
        role_step(role, &own->events);
    }
}

enum err
role_watch_start(struct role *role, const struct role_events *events)
{
    struct role_private *own = role->private;

    own->events = *events;
    own->watch_stop_fd = eventfd(0, EFD_CLOEXEC);
    if (own->watch_stop_fd < 0)
        return ERR_SYSTEM;
    if (pthread_create(&own->watch, NULL, watch_run, role) != 0) {
        close(own->watch_stop_fd);
        own->watch_stop_fd = -1;
        return ERR_SYSTEM;
    }
    return ERR_OK;
}

void
role_watch_stop(struct role *role)
{
    struct role_private *own = role->private;
    const uint64_t one = 1;

    if (own->watch_stop_fd < 0)
        return;
    if (write(own->watch_stop_fd, &one, sizeof(one)) != sizeof(one))
        bug("an event descriptor that takes no event");
    pthread_join(own->watch, NULL);
    close(own->watch_stop_fd);
    own->watch_stop_fd = -1;
}

void
role_ready(struct role *role)
{
    const char frame[3] = { LINK_READY, (char)sandbox_facts_pack(&role->sandbox),
                            (char)secret_pool_memory() };

    metric_state_set(METRIC_STATE_READY);
    role_heartbeat();
    log_event(LOG_INFO, "role.ready");
    if (link_send(ROLE_FD_SUPERVISOR, slice_of(frame, sizeof(frame)), -1, SEND_TIMEOUT_MS) != ERR_OK)
        _exit(ROLE_EXIT_ORPHAN);
}

void
role_heartbeat(void)
{
    metric_heartbeat(clock_wall(clock_system()));
}

int
role_end(struct role *role, enum err err)
{
    struct role_private *own = role->private;
    int code = err == ERR_OK                                     ? ROLE_EXIT_OK
               : err == ERR_CONFIG || err == ERR_VAULT_KEK_WRONG ? ROLE_EXIT_CONFIG
                                                                 : ROLE_EXIT_FAILED;

    role_watch_stop(role);
    metric_state_set(METRIC_STATE_STOPPED);
    if (err == ERR_OK)
        log_event(LOG_INFO, "role.ended");
    else
        log_event(LOG_ERROR, "role.failed", LOG_ERR(err));
    if (err != ERR_OK) {
        char frame[3] = { LINK_FAILED };
        num_u16be_put(frame + 1, (uint16_t)err);
        if (link_send(ROLE_FD_SUPERVISOR, slice_of(frame, sizeof(frame)), -1, SEND_TIMEOUT_MS) != ERR_OK)
            code = ROLE_EXIT_ORPHAN;
    }
    link_reader_release(&own->reader);
    secret_free(own->database);
    secret_free(own->redis);
    secret_free(own->mail);
    own->database = own->redis = own->mail = NULL;
    if (is_leak_hunt() && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0)
        code = ROLE_EXIT_FAILED;
    return code;
}
