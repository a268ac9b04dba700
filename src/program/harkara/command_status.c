#include "core/metric.h"
#include "core/num.h"
#include "program/harkara/command.h"
#include "program/harkara/status_file.h"
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define PAGE_BYTES_MAX 16384u
#define WAIT_S_MAX     3600
#define LOOK_MS        100

/* Nobody is asked: the lock says whether a supervisor lives, its file what it knows, each page how a process
 * does. */
static enum err
look(const struct command_line *line, struct status *out)
{
    if (!folders_is_locked(&line->folders))
        return ERR_NOT_FOUND;
    return status_read(line->folders.status, out);
}

/* Milliseconds since the process's last sign of life; -1: it has no page, or gave none. */
static int64_t
heartbeat_age_ms(const struct command_line *line, const struct status_process *process)
{
    unsigned char page[PAGE_BYTES_MAX] __attribute__((aligned(16)));
    char path[FOLDERS_PATH_BYTES + 64];
    struct metric_view view;

    snprintf(path, sizeof(path), "%s/%s-%u", line->folders.pages, process->role, process->index);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = metric_page_bytes() <= sizeof(page) ? pread(fd, page, metric_page_bytes(), 0) : -1;
    close(fd);
    if (n != (ssize_t)metric_page_bytes() || metric_view(page, (size_t)n, &view) != ERR_OK ||
        view.pid != process->pid)
        return -1;
    return (clock_wall(clock_system()).us - view.heartbeat_at.us) / 1000;
}

static void
age_print(struct wall_time since)
{
    long long s = (long long)((clock_wall(clock_system()).us - since.us) / 1000000);
    char text[24];

    if (s < 120)
        snprintf(text, sizeof(text), "%lld s", s);
    else if (s < 7200)
        snprintf(text, sizeof(text), "%lld min", s / 60);
    else if (s < 172800)
        snprintf(text, sizeof(text), "%lld h", s / 3600);
    else
        snprintf(text, sizeof(text), "%lld d", s / 86400);
    printf("%-9s", text);
}

static const char *
memory_word(enum secret_memory memory)
{
    switch (memory) {
    case SECRET_MEMORY_FD:
        return "secret memory";
    case SECRET_MEMORY_LOCKED:
        return "locked memory";
    case SECRET_MEMORY_UNLOCKED:
        return "UNLOCKED memory";
    case SECRET_MEMORY_NONE:
        break;
    }
    return "no secret memory";
}

static void
sandbox_print(const struct status_process *process)
{
    const struct sandbox_facts *facts = &process->sandbox;

    if (!process->has_sandbox)
        return;
    printf("%s%s%s%s%s, %s",
           facts->is_root           ? "ROOT "
           : facts->is_user_dropped ? "user "
                                    : "",
           facts->has_files ? "files " : "NO-FILES ", facts->has_ports ? "ports " : "NO-PORTS ",
           facts->has_scopes ? "scopes " : "NO-SCOPES ", facts->has_calls ? "calls" : "NO-CALLS",
           memory_word(process->memory));
}

static void
table_print(const struct command_line *line, const struct status *status)
{
    printf("harkara serves on %s since ", status->listen[0] == '\0' ? "an unknown address" : status->listen);
    age_print(status->started_at);
    printf("(pid %d, %s)\n\n", status->pid, status_state_name(status->state));
    printf("%-14s%-9s%-10s%-9s%-10s%-10s%s\n", "PROCESS", "PID", "STATE", "SINCE", "RESTARTS", "HEARTBEAT",
           "LOCKED IN");
    for (size_t i = 0; i < status->count; i++) {
        const struct status_process *process = &status->processes[i];
        int64_t beat_ms = heartbeat_age_ms(line, process);
        char name[48], pid[12] = "-", beat[24] = "-";
        snprintf(name, sizeof(name), "%s-%u", process->role, process->index);
        if (process->pid > 0)
            snprintf(pid, sizeof(pid), "%d", process->pid);
        if (beat_ms >= 0)
            snprintf(beat, sizeof(beat), "%lld.%lld s", (long long)beat_ms / 1000,
                     (long long)beat_ms % 1000 / 100);
        printf("%-14s%-9s%-10s", name, pid, status_state_name(process->state));
        age_print(process->started_at);
        printf("%-10llu%-10s", (unsigned long long)process->restarts, beat);
        sandbox_print(process);
        if (process->last_end != STATUS_END_NONE)
            printf("%s(last end: %s %d)", process->has_sandbox ? " " : "",
                   process->last_end == STATUS_END_SIGNAL ? "signal" : "exit", process->last_end_number);
        putchar('\n');
    }
    command_dnd_line(line);
}

static void
json_print(const struct command_line *line, const struct status *status)
{
    struct buf text;
    json_error_t error;

    buf_init(&text, STATUS_BYTES_MAX);
    status_print(&text, status);
    json_t *root = buf_done(&text) == ERR_OK ? json_loadb(text.ptr, text.len, 0, &error) : NULL;
    json_t *processes = json_object_get(root, "processes");
    for (size_t i = 0; i < status->count; i++) {
        int64_t beat_ms = heartbeat_age_ms(line, &status->processes[i]);
        if (json_object_set_new(json_array_get(processes, i), "heartbeat_age_ms",
                                beat_ms < 0 ? json_null() : json_integer(beat_ms)) != 0)
            bug("a status that is no JSON");
    }
    buf_release(&text);
    if (json_object_set_new(root, "dnd", command_dnd_json(line)) != 0)
        bug("a status that is no JSON");
    command_print_json(root);
}

static enum err
look_until_ready(const struct command_line *line, int64_t wait_s, struct status *out)
{
    const struct timespec pause = { 0, LOOK_MS * 1000000L };
    struct mono_time until = mono_after_ms(clock_mono(clock_system()), wait_s * 1000);

    for (;;) {
        enum err err = look(line, out);
        if ((err == ERR_OK && out->state == STATUS_READY) || clock_mono(clock_system()).us >= until.us)
            return err;
        nanosleep(&pause, NULL);
    }
}

enum exit_code
command_status(struct command_line *line)
{
    static struct status status;
    const char *wait = arguments_value(&line->arguments, "--wait");
    int wait_s = 0;

    if (wait != NULL && num_int_parse(slice_text(wait), 0, WAIT_S_MAX, &wait_s) != ERR_OK) {
        complaint_set(&line->complaint, "--wait must be a number of seconds up to %d", WAIT_S_MAX);
        return EXIT_DATA;
    }
    enum err err = look_until_ready(line, wait_s, &status);
    if (err == ERR_NOT_FOUND) {
        complaint_set(&line->complaint, "no harkara serves with the state folder %s", line->folders.state);
        return EXIT_UNAVAILABLE;
    }
    if (err != ERR_OK)
        return command_fail(line, err);
    if (arguments_has(&line->arguments, "--json"))
        json_print(line, &status);
    else
        table_print(line, &status);
    return status.state == STATUS_READY ? EXIT_DONE : EXIT_NOT_READY;
}
