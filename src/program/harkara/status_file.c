#include "program/harkara/status_file.h"
#include "wire/json/json.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define PATH_BYTES_MAX 600u

static const char *const state_names[] = { "waiting", "starting", "ready", "draining", "stopped" };
static const char *const end_names[] = { "none", "exit", "signal" };
static const char *const memory_names[] = { "none", "memfd_secret", "mlock", "unlocked" };
static const char *const sandbox_names[] = { "user_dropped", "root", "files", "ports", "scopes", "calls" };

const char *
status_state_name(enum status_state state)
{
    return (unsigned)state < COUNT_OF(state_names) ? state_names[state] : "unknown";
}

static void
time_print(struct buf *out, const char *key, struct wall_time at)
{
    char text[WALL_TEXT_BYTES];

    buf_add_format(out, "\"%s\":\"%s\"", key, wall_print(at, text).ptr);
}

static void
process_print(struct buf *out, const struct status_process *process)
{
    uint8_t bits = sandbox_facts_pack(&process->sandbox);

    buf_add_format(out, "{\"role\":\"%s\",\"index\":%u,\"pid\":%d,\"state\":\"%s\",\"restarts\":%llu,",
                   process->role, process->index, process->pid, status_state_name(process->state),
                   (unsigned long long)process->restarts);
    time_print(out, "started_at", process->started_at);
    buf_add_format(out, ",\"last_end\":\"%s\",\"last_end_number\":%d", end_names[process->last_end],
                   process->last_end_number);
    if (process->has_sandbox) {
        buf_add_text(out, ",\"sandbox\":{");
        for (size_t i = 0; i < COUNT_OF(sandbox_names); i++)
            buf_add_format(out, "%s\"%s\":%s", i == 0 ? "" : ",", sandbox_names[i],
                           (bits & 1u << i) != 0 ? "true" : "false");
        buf_add_format(out, "},\"memory\":\"%s\"", memory_names[process->memory]);
    }
    buf_add_text(out, "}");
}

void
status_print(struct buf *out, const struct status *status)
{
    buf_add_format(out, "{\"pid\":%d,\"state\":\"%s\",", status->pid, status_state_name(status->state));
    time_print(out, "started_at", status->started_at);
    if (status->listen[0] != '\0') {
        buf_add_text(out, ",\"listen\":");
        json_add_string(out, slice_text(status->listen));
    }
    if (status->master_key[0] != '\0')
        buf_add_format(out, ",\"master_key\":\"%s\"", status->master_key);
    if (status->token[0] != '\0') {
        buf_add_text(out, ",\"token\":");
        json_add_string(out, slice_text(status->token));
    }
    buf_add_text(out, ",\"processes\":[");
    for (size_t i = 0; i < status->count; i++) {
        buf_add_text(out, i == 0 ? "\n" : ",\n");
        process_print(out, &status->processes[i]);
    }
    buf_add_text(out, "]}\n");
}

/* The position of the member's word in the list; false when it is none of them. */
static bool
word_take(const json_t *object, const char *member, const char *const *words, size_t count, size_t *out)
{
    struct slice word = json_text_of(object, member);

    for (*out = 0; *out < count; (*out)++)
        if (word.ptr != NULL && slice_eq(word, slice_text(words[*out])))
            return true;
    return false;
}

static bool
int_take(const json_t *object, const char *member, int64_t max, int64_t *out)
{
    return json_int_of(object, member, out) && *out >= 0 && *out <= max;
}

static bool
sandbox_take(const json_t *object, struct status_process *out)
{
    const json_t *sandbox = json_member(object, "sandbox");
    size_t memory = 0;
    uint8_t bits = 0;

    if (sandbox == NULL)
        return true;
    for (size_t i = 0; i < COUNT_OF(sandbox_names); i++)
        if (json_is_true(json_member(sandbox, sandbox_names[i])))
            bits |= (uint8_t)(1u << i);
    if (!word_take(object, "memory", memory_names, COUNT_OF(memory_names), &memory))
        return false;
    out->has_sandbox = true;
    out->sandbox = sandbox_facts_unpack(bits);
    out->memory = (enum secret_memory)memory;
    return true;
}

static bool
process_take(const json_t *object, struct status_process *out)
{
    struct slice role = json_text_of(object, "role");
    int64_t index, pid, restarts, number;
    size_t state, end;

    if (role.len == 0 || role.len >= sizeof(out->role) || !int_take(object, "index", 1000, &index) ||
        !int_take(object, "pid", INT32_MAX, &pid) || !int_take(object, "restarts", INT64_MAX, &restarts) ||
        !int_take(object, "last_end_number", 255, &number) ||
        !word_take(object, "state", state_names, COUNT_OF(state_names), &state) ||
        !word_take(object, "last_end", end_names, COUNT_OF(end_names), &end) ||
        wall_parse(json_text_of(object, "started_at"), &out->started_at) != ERR_OK)
        return false;
    memcpy(out->role, role.ptr, role.len);
    out->index = (unsigned)index;
    out->pid = (int)pid;
    out->restarts = (uint64_t)restarts;
    out->last_end_number = (int)number;
    out->state = (enum status_state)state;
    out->last_end = (enum status_end)end;
    return sandbox_take(object, out);
}

enum err
status_parse(struct slice text, struct status *out)
{
    json_t *root = NULL;
    int64_t pid;
    size_t state;
    enum err err = json_parse(text, &root);

    *out = (struct status){ 0 };
    if (err != ERR_OK)
        return err;
    const json_t *processes = json_member(root, "processes");
    err = ERR_FRAME;
    if (!int_take(root, "pid", INT32_MAX, &pid) ||
        !word_take(root, "state", state_names, COUNT_OF(state_names), &state) ||
        wall_parse(json_text_of(root, "started_at"), &out->started_at) != ERR_OK ||
        json_array_size(processes) > STATUS_PROCESSES_MAX || !json_is_array(processes))
        goto done;
    out->pid = (int)pid;
    out->state = (enum status_state)state;
    snprintf(out->listen, sizeof(out->listen), "%.*s", SLICE_FMT(json_text_of(root, "listen")));
    snprintf(out->master_key, sizeof(out->master_key), "%.*s", SLICE_FMT(json_text_of(root, "master_key")));
    snprintf(out->token, sizeof(out->token), "%.*s", SLICE_FMT(json_text_of(root, "token")));
    for (size_t i = 0; i < json_array_size(processes); i++)
        if (!process_take(json_array_get(processes, i), &out->processes[out->count++]))
            goto done;
    err = ERR_OK;
done:
    json_decref(root);
    return err;
}

enum err
status_write(const char *path, const struct status *status)
{
    char beside[PATH_BYTES_MAX];
    struct buf text;
    int fd = -1;

    buf_init(&text, STATUS_BYTES_MAX);
    status_print(&text, status);
    enum err err = buf_done(&text);
    if (err != ERR_OK)
        goto done;
    err = ERR_SYSTEM;
    if (snprintf(beside, sizeof(beside), "%s.new", path) >= (int)sizeof(beside))
        goto done;
    fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || write(fd, text.ptr, text.len) != (ssize_t)text.len || rename(beside, path) != 0)
        goto done;
    err = ERR_OK;
done:
    if (fd >= 0)
        close(fd);
    buf_release(&text);
    return err;
}

enum err
status_read(const char *path, struct status *out)
{
    struct buf text;
    ssize_t n = 0;
    enum err err = ERR_SYSTEM;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return errno == ENOENT ? ERR_NOT_FOUND : errno == EACCES ? ERR_SCOPE : ERR_SYSTEM;
    buf_init(&text, STATUS_BYTES_MAX);
    char *to = buf_reserve(&text, STATUS_BYTES_MAX);
    if (to == NULL)
        goto done;
    while (text.len < STATUS_BYTES_MAX && (n = read(fd, to + text.len, STATUS_BYTES_MAX - text.len)) > 0)
        text.len += (size_t)n;
    if (n == 0)
        err = status_parse(buf_slice(&text), out);
done:
    close(fd);
    buf_release(&text);
    return err;
}
