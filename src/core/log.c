#include "core/log.h"
#include "core/metric.h"
#include "core/num.h"
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#define CUT ",\"cut\":true"

/* Written once by log_open, before threads. */
static const char *log_role = "none";
static enum log_level log_lowest = LOG_INFO;
static int log_fd = STDERR_FILENO;

/*
 * Lines that one thread holds. Roles share a pipe: what they write must go in whole, between each other's, so
 * no more than that is held. Only the holder touches it; the handler of a fault reads it, and `len` is set
 * when the text is there.
 */
struct held {
    char text[PIPE_BUF];
    atomic_size_t len;
    unsigned lines;
    atomic_flag is_taken;
};
static struct held helds[LOG_HOLDERS_MAX];
static _Thread_local struct held *own; /* NULL: this thread holds nothing */

/* A line under construction; text that does not fit any more sets `full`. */
struct line {
    char text[LOG_LINE_BYTES_MAX];
    size_t len;
    bool full;
};

void
log_open(const char *role, enum log_level level, int fd)
{
    log_role = role;
    log_lowest = level;
    log_fd = fd;
}

static void
line_add(struct line *line, struct slice text)
{
    const size_t end = sizeof(CUT "}\n") - 1; /* room kept for the end of every line */

    if (line->full || text.len > sizeof(line->text) - end - line->len) {
        line->full = true;
        return;
    }
    if (text.len != 0)
        memcpy(line->text + line->len, text.ptr, text.len);
    line->len += text.len;
}

/* Between quotes, of a form that has nothing to escape. */
static void
line_add_quoted(struct line *line, struct slice text)
{
    line_add(line, SLICE("\""));
    line_add(line, text);
    line_add(line, SLICE("\""));
}

/* Between quotes; what JSON would have to escape is no word of ours and becomes '?'. */
static void
line_add_word(struct line *line, struct slice text)
{
    size_t plain = 0; /* where the run of characters that may stand began */

    line_add(line, SLICE("\""));
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c >= ' ' && c <= '~' && c != '"' && c != '\\')
            continue;
        line_add(line, slice_of(text.ptr + plain, i - plain));
        line_add(line, SLICE("?"));
        plain = i + 1;
    }
    line_add(line, slice_drop(text, plain));
    line_add(line, SLICE("\""));
}

static void
line_add_hash(struct line *line, struct slice digest)
{
    static const char hex[] = "0123456789abcdef";
    char text[16];
    size_t len = 0;

    for (size_t i = 0; i < digest.len && i < 8; i++) {
        unsigned byte = (unsigned char)digest.ptr[i];
        text[len++] = hex[byte >> 4];
        text[len++] = hex[byte & 15];
    }
    line_add_quoted(line, slice_of(text, len));
}

/* Two characters help support to tell numbers apart; of a text that they would be half of, none is kept. */
static void
line_add_address(struct line *line, struct slice address)
{
    char text[3] = { '*' };
    size_t kept = address.len > 4 ? 2 : 0;

    if (kept != 0)
        memcpy(text + 1, address.ptr + address.len - kept, kept);
    line_add_word(line, slice_of(text, 1 + kept));
}

static struct slice
sqlstate_checked(struct slice text)
{
    if (text.len != 5)
        return SLICE("?????");
    for (size_t i = 0; i < text.len; i++)
        if (!((text.ptr[i] >= '0' && text.ptr[i] <= '9') || (text.ptr[i] >= 'A' && text.ptr[i] <= 'Z')))
            return SLICE("?????");
    return text;
}

static void
line_add_value(struct line *line, const struct log_field *field)
{
    char text[ID_TEXT_BYTES > WALL_TEXT_BYTES ? ID_TEXT_BYTES : WALL_TEXT_BYTES];

    switch (field->type) {
    case LOG_FIELD_ID:
        line_add_quoted(line, id_print(field->kind, field->id, text));
        return;
    case LOG_FIELD_NUM:
        line_add(line, num_i64_print(field->num, text));
        return;
    case LOG_FIELD_WORD:
        line_add_word(line, field->text);
        return;
    case LOG_FIELD_ERR:
        line_add_word(line, slice_text(err_code((enum err)field->num)));
        return;
    case LOG_FIELD_ADDRESS:
        line_add_address(line, field->text);
        return;
    case LOG_FIELD_TIME:
        line_add_quoted(line, wall_print((struct wall_time){ field->num }, text));
        return;
    case LOG_FIELD_SQLSTATE:
        line_add_word(line, sqlstate_checked(field->text));
        return;
    case LOG_FIELD_HASH:
        line_add_hash(line, field->text);
        return;
    }
    bug("a log field of no type");
}

static struct slice
level_name(enum log_level level)
{
    switch (level) {
    case LOG_DEBUG:
        return SLICE("debug");
    case LOG_INFO:
        return SLICE("info");
    case LOG_WARN:
        return SLICE("warn");
    case LOG_ERROR:
        return SLICE("error");
    }
    bug("a log level that does not exist");
}

enum err
log_level_parse(struct slice text, enum log_level *out)
{
    for (enum log_level level = LOG_DEBUG; level <= LOG_ERROR; level++) {
        if (slice_eq(text, level_name(level))) {
            *out = level;
            return ERR_OK;
        }
    }
    return ERR_CONFIG;
}

/* A member of the object; one that does not fit leaves no part of itself. */
static void
line_add_field(struct line *line, const struct log_field *field)
{
    size_t before = line->len;

    line_add(line, SLICE(","));
    line_add_quoted(line, slice_text(field->key));
    line_add(line, SLICE(":"));
    line_add_value(line, field);
    if (line->full)
        line->len = before;
}

static void
line_end(struct line *line)
{
    struct slice end = line->full ? SLICE(CUT "}\n") : SLICE("}\n");

    memcpy(line->text + line->len, end.ptr, end.len); /* line_add kept the room */
    line->len += end.len;
}

static void
lines_write(const char *text, size_t len, unsigned lines)
{
    ssize_t written;

    do
        written = write(log_fd, text, len);
    while (written < 0 && errno == EINTR);
    /* Nobody can be told that the log is gone but the metrics; the work goes on. */
    metric_add(written == (ssize_t)len ? METRIC_LOG_LINES : METRIC_LOG_LINES_LOST, lines);
}

/* The process has a fault: what is held is all that will be known of its last requests. */
static void
on_fault(int number)
{
    for (size_t i = 0; i < LOG_HOLDERS_MAX; i++) {
        size_t len = atomic_exchange(&helds[i].len, 0);
        if (len != 0 && write(log_fd, helds[i].text, len) < 0)
            continue;
    }
    raise(number); /* the default again, which ends us on return */
}

/* Where somebody else watches (a sanitizer, a test), faults stay theirs. */
static void
faults_watch(void)
{
    static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
    const struct sigaction watch = { .sa_handler = on_fault, .sa_flags = (int)SA_RESETHAND };
    struct sigaction before;

    for (size_t i = 0; i < COUNT_OF(faults); i++)
        if (sigaction(faults[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
            (void)sigaction(faults[i], &watch, NULL);
}

void
log_hold(void)
{
    if (own != NULL)
        return;
    for (size_t i = 0; own == NULL && i < LOG_HOLDERS_MAX; i++)
        if (!atomic_flag_test_and_set(&helds[i].is_taken))
            own = &helds[i];
    if (own != NULL)
        faults_watch();
}

void
log_flush(void)
{
    if (own == NULL || atomic_load_explicit(&own->len, memory_order_relaxed) == 0)
        return;
    lines_write(own->text, atomic_load_explicit(&own->len, memory_order_relaxed), own->lines);
    atomic_store(&own->len, 0);
    own->lines = 0;
}

void
log_unhold(void)
{
    log_flush();
    if (own != NULL)
        atomic_flag_clear(&own->is_taken);
    own = NULL;
}

static void
line_hold(const struct line *line)
{
    if (line->len > sizeof(own->text) - atomic_load_explicit(&own->len, memory_order_relaxed))
        log_flush();
    size_t len = atomic_load_explicit(&own->len, memory_order_relaxed);
    memcpy(own->text + len, line->text, line->len);
    own->lines++;
    atomic_store_explicit(&own->len, len + line->len, memory_order_release);
}

void
log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
    struct line line UNCLEARED; /* only what was added is read */
    char at[WALL_TEXT_BYTES];

    line.len = 0;
    line.full = false;
    if (level < log_lowest)
        return;
    line_add(&line, SLICE("{\"at\":"));
    line_add_quoted(&line, wall_print(clock_wall(clock_system()), at));
    line_add(&line, SLICE(",\"level\":"));
    line_add_quoted(&line, level_name(level));
    line_add(&line, SLICE(",\"role\":"));
    line_add_word(&line, slice_text(log_role));
    line_add(&line, SLICE(",\"event\":"));
    line_add_word(&line, slice_text(event));
    for (size_t i = 0; i < count && !line.full; i++)
        if (fields[i].key != NULL)
            line_add_field(&line, &fields[i]);
    line_end(&line);
    if (own != NULL && level < LOG_WARN) {
        line_hold(&line);
        return;
    }
    log_flush();
    lines_write(line.text, line.len, 1);
}
