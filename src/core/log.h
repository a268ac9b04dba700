/*
 * One event, one line of JSON on standard error, through typed fields. Event
 * names and keys are literals, listed in docs/logging.md (a test compares).
 * Nothing from outside is ever logged as free text: there is no field type for it.
 */
#ifndef CORE_LOG_H
#define CORE_LOG_H
#include "core/clock.h"
#include "core/err.h"
#include "core/id.h"
#include "core/slice.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

enum log_field_type {
    LOG_FIELD_ID,
    LOG_FIELD_NUM,
    LOG_FIELD_WORD,    /* a literal of ours, or an enum's name */
    LOG_FIELD_ERR,     /* the row's code */
    LOG_FIELD_ADDRESS, /* a number or mail address: only its last two characters are kept */
    LOG_FIELD_TIME,
    LOG_FIELD_SQLSTATE, /* five characters [0-9A-Z]; anything else is written as "?????" */
    LOG_FIELD_HASH      /* first 8 octets in hex: tells values apart, reveals none */
};

struct log_field {
    const char *key;
    enum log_field_type type;
    enum id_kind kind;
    struct id id;
    int64_t num;
    struct slice text;
};

#define LOG_ID(key_, kind_, id_)                                                                             \
    ((struct log_field){ .key = "" key_, .type = LOG_FIELD_ID, .kind = (kind_), .id = (id_) })
#define LOG_NUM(key_, num_)                                                                                  \
    ((struct log_field){ .key = "" key_, .type = LOG_FIELD_NUM, .num = (int64_t)(num_) })
#define LOG_WORD(key_, word_)                                                                                \
    ((struct log_field){ .key = "" key_, .type = LOG_FIELD_WORD, .text = slice_text(word_) })
#define LOG_ERR(err_) ((struct log_field){ .key = "err", .type = LOG_FIELD_ERR, .num = (int64_t)(err_) })
#define LOG_ADDRESS(key_, text_)                                                                             \
    ((struct log_field){ .key = "" key_, .type = LOG_FIELD_ADDRESS, .text = (text_) })
#define LOG_TIME(key_, wall_)                                                                                \
    ((struct log_field){ .key = "" key_, .type = LOG_FIELD_TIME, .num = (wall_).us })
#define LOG_SQLSTATE(text_)                                                                                  \
    ((struct log_field){ .key = "sqlstate", .type = LOG_FIELD_SQLSTATE, .text = slice_text(text_) })
#define LOG_HASH(key_, digest_)                                                                              \
    ((struct log_field){ .key = "" key_, .type = LOG_FIELD_HASH, .text = (digest_) })

/* Once per process, before threads: the role's name (a literal), the lowest level written, the descriptor. */
void log_open(const char *role, enum log_level level, int fd);
/* "debug", "info", "warn" or "error". ERR_CONFIG otherwise. */
MUST_CHECK enum err log_level_parse(struct slice text, enum log_level *out);
/* One write(2) per line unless they are held, at most LOG_LINE_BYTES_MAX; a longer one is cut at a field.
 * Thread-safe. */
void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count);

/*
 * From log_hold to log_unhold, lines of the calling thread below LOG_WARN may wait for each other and are
 * written together: by log_flush, when there is no more room, before a line of LOG_WARN or LOG_ERROR, and
 * when the process is ended by a fault of its own. Only what ends it from outside (SIGKILL) can lose them, so
 * whoever holds flushes before it sleeps. At most LOG_HOLDERS_MAX threads of a process can; for others
 * nothing changes.
 */
#define LOG_HOLDERS_MAX 4u
void log_hold(void);
void log_flush(void);
void log_unhold(void);

#define LOG_LINE_BYTES_MAX 2048u
#define log_event(level, event, ...)                                                                         \
    log_write((level), "" event, (const struct log_field[]){ { .key = NULL }, __VA_ARGS__ },                 \
              sizeof((const struct log_field[]){ { .key = NULL }, __VA_ARGS__ }) / sizeof(struct log_field))

#endif
