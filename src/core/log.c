#include "core/log.h"
#include "core/metric.h"
#include "core/num.h"
#include <errno.h>
#include <unistd.h>

#define CUT ",\"cut\":true"

/* Written once by log_open, before threads. */
static const char *log_role = "none";
static enum log_level log_lowest = LOG_INFO;
static int log_fd = STDERR_FILENO;

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

/* Between quotes; what JSON would have to escape is no word of ours and becomes '?'. */
static void
line_add_word(struct line *line, struct slice text)
{
    line_add(line, SLICE("\""));
    for (size_t i = 0; i < text.len && !line->full; i++) {
        char c = text.ptr[i];
        line_add(line, c < ' ' || c > '~' || c == '"' || c == '\\' ? SLICE("?") : slice_of(&c, 1));
    }
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
    line_add_word(line, slice_of(text, len));
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
        line_add_word(line, id_print(field->kind, field->id, text));
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
        line_add_word(line, wall_print((struct wall_time){ field->num }, text));
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
    line_add_word(line, slice_text(field->key));
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

void
log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
    struct line line = { .len = 0 };
    char at[WALL_TEXT_BYTES];
    ssize_t written;

    if (level < log_lowest)
        return;
    line_add(&line, SLICE("{\"at\":"));
    line_add_word(&line, wall_print(clock_wall(clock_system()), at));
    line_add(&line, SLICE(",\"level\":"));
    line_add_word(&line, level_name(level));
    line_add(&line, SLICE(",\"role\":"));
    line_add_word(&line, slice_text(log_role));
    line_add(&line, SLICE(",\"event\":"));
    line_add_word(&line, slice_text(event));
    for (size_t i = 0; i < count && !line.full; i++)
        if (fields[i].key != NULL)
            line_add_field(&line, &fields[i]);
    line_end(&line);
    do
        written = write(log_fd, line.text, line.len);
    while (written < 0 && errno == EINTR);
    /* Nobody can be told that the log is gone but the metrics; the work goes on. */
    metric_add(written == (ssize_t)line.len ? METRIC_LOG_LINES : METRIC_LOG_LINES_LOST, 1);
}
