#include "core/log.h"
#include "core/metric.h"
#include "core/unit.h"
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEMBERS_MAX 600u

/* A line taken apart: the members of one flat JSON object, values as they are written. */
struct members {
    struct slice keys[MEMBERS_MAX], values[MEMBERS_MAX];
    size_t count;
};

static bool
take_text(struct slice *rest, struct slice text)
{
    if (!slice_starts_with(*rest, text))
        return false;
    *rest = slice_drop(*rest, text.len);
    return true;
}

/* RFC 8259, 7, and stricter: no escapes, only printable ASCII. The slice is with its quotes. */
static bool
take_string(struct slice *rest, struct slice *out)
{
    size_t len = 1;

    if (!slice_starts_with(*rest, SLICE("\"")))
        return false;
    while (len < rest->len && rest->ptr[len] != '"') {
        if (rest->ptr[len] < ' ' || rest->ptr[len] > '~' || rest->ptr[len] == '\\')
            return false;
        len++;
    }
    if (len == rest->len)
        return false;
    *out = slice_first(*rest, len + 1);
    *rest = slice_drop(*rest, len + 1);
    return true;
}

/* A string, a whole number without leading zeros, or true. */
static bool
take_value(struct slice *rest, struct slice *out)
{
    size_t len = slice_starts_with(*rest, SLICE("-")) ? 1 : 0, digits = 0;

    if (take_string(rest, out))
        return true;
    *out = SLICE("true");
    if (take_text(rest, *out))
        return true;
    while (len + digits < rest->len && rest->ptr[len + digits] >= '0' && rest->ptr[len + digits] <= '9')
        digits++;
    if (digits == 0 || (digits > 1 && rest->ptr[len] == '0'))
        return false;
    *out = slice_first(*rest, len + digits);
    *rest = slice_drop(*rest, len + digits);
    return true;
}

static bool
line_scan(struct slice line, struct members *out)
{
    out->count = 0;
    if (!take_text(&line, SLICE("{")))
        return false;
    do {
        struct slice *key = &out->keys[out->count], *value = &out->values[out->count];
        if (out->count == MEMBERS_MAX || !take_string(&line, key) || !take_text(&line, SLICE(":")) ||
            !take_value(&line, value))
            return false;
        *key = slice_of(key->ptr + 1, key->len - 2);
        for (size_t i = 0; i < out->count; i++)
            if (slice_eq(out->keys[i], *key))
                return false;
        out->count++;
    } while (take_text(&line, SLICE(",")));
    return slice_eq(line, SLICE("}\n"));
}

static char log_text[8u << 20]; /* what the log holds after the last log_read */
static int log_memory = -1;

/* An empty log in memory. */
static void
log_begin(enum log_level level)
{
    if (log_memory >= 0)
        close(log_memory);
    log_memory = memfd_create("log", MFD_CLOEXEC);
    assert_true(log_memory >= 0);
    assert_int_equal(fcntl(log_memory, F_SETFL, O_APPEND), 0);
    log_open("tester", level, log_memory);
}

static struct slice
log_read(void)
{
    ssize_t len = pread(log_memory, log_text, sizeof(log_text), 0);

    assert_true(len >= 0);
    return slice_of(log_text, (size_t)len);
}

/* The only line of the log, taken apart. */
static void
log_scan_one(struct members *out)
{
    struct slice line = log_read();

    if (!line_scan(line, out))
        fail_msg("no line of JSON: %.*s", SLICE_FMT(line));
}

static void
assert_member(const struct members *members, const char *key, const char *value)
{
    for (size_t i = 0; i < members->count; i++) {
        if (!slice_eq(members->keys[i], slice_text(key)))
            continue;
        if (!slice_eq(members->values[i], slice_text(value)))
            fail_msg("%s is %.*s, not %s", key, SLICE_FMT(members->values[i]), value);
        return;
    }
    fail_msg("there is no %s", key);
}

static void
an_event_is_one_line_of_json_with_its_fields_in_order(void **state UNUSED)
{
    struct members line;
    struct id id;
    static const unsigned char digest[] = { 0, 1, 0xAB, 0xFF, 4, 5, 6, 7, 8, 9 };

    assert_ok(id_parse(ID_MESSAGE, SLICE("msg_01fwhe4ydgfk1shh6w1g60eecf"), &id));
    log_begin(LOG_INFO);
    log_event(LOG_WARN, "message.accepted", LOG_ID("message", ID_MESSAGE, id), LOG_NUM("count", -42),
              LOG_WORD("kind", "text"), LOG_ERR(ERR_RECIPIENT_INVALID),
              LOG_ADDRESS("to", SLICE("+14155550167")), LOG_TIME("due", ((struct wall_time){ 0 })),
              LOG_SQLSTATE("40001"), LOG_HASH("body", slice_of(digest, sizeof(digest))));
    log_scan_one(&line);
    static const char *const keys[] = { "at",   "level", "role", "event", "message",  "count",
                                        "kind", "err",   "to",   "due",   "sqlstate", "body" };
    assert_int_equal(line.count, COUNT_OF(keys));
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        assert_true(slice_eq(line.keys[i], slice_text(keys[i])));
    assert_member(&line, "level", "\"warn\"");
    assert_member(&line, "role", "\"tester\"");
    assert_member(&line, "event", "\"message.accepted\"");
    assert_member(&line, "message", "\"msg_01fwhe4ydgfk1shh6w1g60eecf\"");
    assert_member(&line, "count", "-42");
    assert_member(&line, "kind", "\"text\"");
    assert_member(&line, "err", "\"recipient-invalid\"");
    assert_member(&line, "to", "\"*67\"");
    assert_member(&line, "due", "\"1970-01-01T00:00:00.000Z\"");
    assert_member(&line, "sqlstate", "\"40001\"");
    assert_member(&line, "body", "\"0001abff04050607\"");
    struct wall_time at;
    assert_ok(wall_parse(slice_of(line.values[0].ptr + 1, line.values[0].len - 2), &at));
    int64_t age_us = clock_wall(clock_system()).us - at.us;
    assert_true(age_us >= 0 && age_us < INT64_C(60000000));
}

static void
an_event_needs_no_fields(void **state UNUSED)
{
    struct members line;

    log_begin(LOG_INFO);
    log_event(LOG_INFO, "role.ready");
    log_scan_one(&line);
    assert_int_equal(line.count, 4);
}

static void
only_levels_from_the_lowest_up_are_written(void **state UNUSED)
{
    static const char *const names[] = { "\"debug\"", "\"info\"", "\"warn\"", "\"error\"" };

    for (enum log_level lowest = LOG_DEBUG; lowest <= LOG_ERROR; lowest++) {
        for (enum log_level level = LOG_DEBUG; level <= LOG_ERROR; level++) {
            struct members line;
            log_begin(lowest);
            log_write(level, "x", NULL, 0);
            assert_int_equal(log_read().len > 0, level >= lowest);
            if (level < lowest)
                continue;
            log_scan_one(&line);
            assert_member(&line, "level", names[level]);
        }
    }
}

static void
a_level_is_read_by_its_name_only(void **state UNUSED)
{
    static const char *const names[] = { "debug", "info", "warn", "error" };
    static const char *const bad[] = { "", "Debug", "INFO", "warning", "err", "errors", "error ", "0" };
    enum log_level level = LOG_DEBUG;

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_ok(log_level_parse(slice_text(names[i]), &level));
        assert_int_equal(level, i);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(log_level_parse(slice_text(bad[i]), &level), ERR_CONFIG);
    assert_int_equal(level, LOG_ERROR); /* unchanged by what was refused */
}

/* Words come from us; were one not a word after all, the line still is one line of JSON. */
static void
no_word_breaks_out_of_its_quotes(void **state UNUSED)
{
    struct members line;

    for (int c = 1; c < 256; c++) {
        char word[4] = { 'a', (char)c, 'b', '\0' }, want[6] = { '"', 'a', (char)c, 'b', '"', '\0' };
        if (c < ' ' || c > '~' || c == '"' || c == '\\')
            want[2] = '?';
        log_begin(LOG_INFO);
        log_event(LOG_INFO, "x", LOG_WORD("word", word));
        log_scan_one(&line);
        assert_member(&line, "word", want);
    }
    log_begin(LOG_INFO);
    log_event(LOG_INFO, "x", LOG_WORD("word", NULL));
    log_scan_one(&line);
    assert_member(&line, "word", "\"\"");
}

static void
an_address_shows_its_last_two_characters_at_most(void **state UNUSED)
{
    static const struct {
        const char *address, *shown;
    } rows[] = {
        { "", "\"*\"" },
        { "1", "\"*\"" },
        { "12", "\"*\"" },
        { "123", "\"*\"" },
        { "1234", "\"*\"" }, /* two of four would be half of it */
        { "12345", "\"*45\"" },
        { "+919876543210", "\"*10\"" },
        { "asha@example.org", "\"*rg\"" },
        { "12345\"}", "\"*?}\"" },
        { "12345\\n", "\"*?n\"" },
        { "asha@\xE0\xA4\xAD\xE0\xA4\xBE", "\"*\?\?\"" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct members line;
        log_begin(LOG_INFO);
        log_event(LOG_INFO, "x", LOG_ADDRESS("to", slice_text(rows[i].address)));
        log_scan_one(&line);
        assert_member(&line, "to", rows[i].shown);
    }
    /* Marked values, searched for in the whole log: no three characters in a row are there. */
    static const char marked[] = "QZXWVKJQZXWVKJ";
    log_begin(LOG_DEBUG);
    for (size_t len = 0; len < sizeof(marked); len++)
        log_event(LOG_DEBUG, "x", LOG_ADDRESS("to", slice_of(marked, len)));
    struct slice text = log_read();
    for (size_t from = 0; from + 3 < sizeof(marked); from++)
        assert_false(slice_contains(text, slice_of(marked + from, 3)));
}

static void
a_sqlstate_is_five_capitals_or_digits(void **state UNUSED)
{
    static const struct {
        const char *text, *shown;
    } rows[] = {
        { "00000", "\"00000\"" },       { "40P01", "\"40P01\"" },      { "ZZZZZ", "\"ZZZZZ\"" },
        { NULL, "\"\?\?\?\?\?\"" },     { "", "\"\?\?\?\?\?\"" },      { "4000", "\"\?\?\?\?\?\"" },
        { "400012", "\"\?\?\?\?\?\"" }, { "40p01", "\"\?\?\?\?\?\"" }, { "40 01", "\"\?\?\?\?\?\"" },
        { "40\"01", "\"\?\?\?\?\?\"" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct members line;
        log_begin(LOG_INFO);
        log_event(LOG_INFO, "x", LOG_SQLSTATE(rows[i].text));
        log_scan_one(&line);
        assert_member(&line, "sqlstate", rows[i].shown);
    }
}

static void
numbers_hashes_reasons_and_times_are_written_over_their_whole_range(void **state UNUSED)
{
    struct members line;

    log_begin(LOG_INFO);
    log_event(LOG_INFO, "x", LOG_NUM("a", INT64_MIN), LOG_NUM("b", INT64_MAX), LOG_NUM("c", 0),
              LOG_HASH("d", SLICE_EMPTY), LOG_HASH("e", SLICE("\x7F\x80")),
              LOG_TIME("f", ((struct wall_time){ INT64_MAX })));
    log_scan_one(&line);
    assert_member(&line, "a", "-9223372036854775808");
    assert_member(&line, "b", "9223372036854775807");
    assert_member(&line, "c", "0");
    assert_member(&line, "d", "\"\"");
    assert_member(&line, "e", "\"7f80\"");
    assert_member(&line, "f", "\"9999-12-31T23:59:59.999Z\"");
    for (int err = ERR_OK; err < ERR_COUNT; err++) {
        log_begin(LOG_INFO);
        log_event(LOG_INFO, "x", LOG_ERR(err));
        log_scan_one(&line);
    }
}

/* A word of every length before a field that must then be whole or absent. */
static void
a_line_that_is_too_long_is_cut_between_fields(void **state UNUSED)
{
    static const char *const ends[] = { "last", "cut", "cut" };
    static const size_t counts[] = { 7, 7, 6 }; /* nothing cut; the last field cut; the word cut too */
    static char word[LOG_LINE_BYTES_MAX + 20];
    size_t stage = 0, longest = 0;

    for (size_t len = 1500; len < sizeof(word); len++) {
        struct members line;
        memset(word, 'w', len);
        word[len] = '\0';
        log_begin(LOG_INFO);
        log_event(LOG_INFO, "x", LOG_NUM("first", 1), LOG_WORD("long", word), LOG_NUM("last", 123456));
        struct slice text = log_read();
        assert_true(text.len <= LOG_LINE_BYTES_MAX);
        log_scan_one(&line);
        assert_member(&line, "first", "1");
        struct slice end = line.keys[line.count - 1];
        if (line.count != counts[stage] || !slice_eq(end, slice_text(ends[stage])))
            stage++;
        assert_true(stage < COUNT_OF(ends));
        assert_int_equal(line.count, counts[stage]);
        assert_true(slice_eq(end, slice_text(ends[stage])));
        assert_member(&line, ends[stage], stage == 0 ? "123456" : "true");
        longest = text.len > longest ? text.len : longest;
    }
    assert_int_equal(stage, 2);
    assert_true(longest > LOG_LINE_BYTES_MAX - 16); /* no room is wasted */
}

static void
more_fields_than_a_line_holds_leave_whole_ones(void **state UNUSED)
{
    static char keys[500][8];
    struct log_field fields[500];
    struct members line;

    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        keys[i][0] = 'k';
        keys[i][1] = (char)('0' + i / 100);
        keys[i][2] = (char)('0' + i / 10 % 10);
        keys[i][3] = (char)('0' + i % 10);
        fields[i] = (struct log_field){ .key = keys[i], .type = LOG_FIELD_NUM, .num = (int64_t)i + 1000 };
    }
    for (size_t count = 0; count <= COUNT_OF(fields); count++) {
        log_begin(LOG_INFO);
        log_write(LOG_INFO, "x", fields, count);
        log_scan_one(&line);
        bool is_cut = slice_eq(line.keys[line.count - 1], SLICE("cut"));
        assert_int_equal(is_cut, line.count - 4 - is_cut < count);
        for (size_t i = 4; i < line.count - is_cut; i++) {
            assert_true(slice_eq(line.keys[i], slice_text(keys[i - 4])));
            assert_int_equal(line.values[i].len, 4);
        }
    }
    assert_true(slice_eq(line.keys[line.count - 1], SLICE("cut")));
}

enum { THREADS = 4, LINES_EACH = 2000 };

static void *
thread_run(void *ctx)
{
    for (int i = 0; i < LINES_EACH; i++)
        log_event(LOG_INFO, "thread.step", LOG_NUM("thread", *(const int *)ctx), LOG_NUM("step", i));
    return NULL;
}

static void
lines_of_threads_do_not_mix(void **state UNUSED)
{
    pthread_t threads[THREADS];
    int numbers[THREADS];
    static struct members line;
    size_t count = 0;

    log_begin(LOG_INFO);
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, thread_run, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (struct slice rest = log_read(); rest.len > 0; count++) {
        size_t len = slice_find(rest, '\n');
        assert_true(len < rest.len && line_scan(slice_first(rest, len + 1), &line));
        assert_member(&line, "event", "\"thread.step\"");
        rest = slice_drop(rest, len + 1);
    }
    assert_int_equal(count, THREADS * LINES_EACH);
}

static size_t
lines_of(struct slice text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += text.ptr[i] == '\n';
    return count;
}

static void
held_lines_wait_for_each_other(void **state UNUSED)
{
    log_begin(LOG_INFO);
    log_hold();
    log_event(LOG_INFO, "x", LOG_NUM("n", 1));
    log_event(LOG_INFO, "x", LOG_NUM("n", 2));
    assert_int_equal(log_read().len, 0);
    log_flush();
    assert_int_equal(lines_of(log_read()), 2);
    log_event(LOG_INFO, "x", LOG_NUM("n", 3));
    assert_int_equal(lines_of(log_read()), 2);
    log_event(LOG_WARN, "x", LOG_NUM("n", 4)); /* not held, and not before what was there first */
    assert_int_equal(lines_of(log_read()), 4);
    assert_true(slice_ends_with(log_read(), SLICE("\"n\":4}\n")));
    assert_true(slice_contains(log_read(), SLICE("\"n\":3}\n")));
    log_event(LOG_INFO, "x", LOG_NUM("n", 5));
    log_unhold();
    assert_int_equal(lines_of(log_read()), 5);
    log_event(LOG_INFO, "x", LOG_NUM("n", 6)); /* nothing is held any more */
    assert_int_equal(lines_of(log_read()), 6);
}

/* Each write must go into a pipe whole, between those of other processes. */
static void
no_more_is_held_than_a_pipe_takes_whole(void **state UNUSED)
{
    int ends[2];
    char text[65536];
    size_t seen = 0;

    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK | O_DIRECT), 0); /* a read is what one write wrote */
    log_open("tester", LOG_INFO, ends[1]);
    log_hold();
    for (int i = 0; i < 100; i++) {
        log_event(LOG_INFO, "x", LOG_NUM("n", i),
                  LOG_WORD("word", "0123456789012345678901234567890123456789"));
        for (ssize_t got; (got = read(ends[0], text, sizeof(text))) > 0;) {
            assert_in_range(got, PIPE_BUF / 2, PIPE_BUF);
            assert_int_equal(text[0], '{');
            assert_int_equal(text[got - 1], '\n');
            seen += lines_of(slice_of(text, (size_t)got));
        }
    }
    log_unhold();
    seen += lines_of(slice_of(text, (size_t)read(ends[0], text, sizeof(text))));
    assert_int_equal(seen, 100);
    close(ends[0]);
    close(ends[1]);
}

/* What a process did last is what one wants to know of it. */
static void
a_fault_writes_what_was_held(void **state UNUSED)
{
    static const int faults[] = { SIGABRT, SIGSEGV };

    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        log_begin(LOG_INFO);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            signal(faults[i], SIG_DFL); /* as in a process that is no test */
            log_hold();
            log_event(LOG_INFO, "x", LOG_NUM("n", 1));
            log_event(LOG_INFO, "x", LOG_NUM("n", 2));
            raise(faults[i]);
            _exit(0);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), faults[i]);
        assert_int_equal(lines_of(log_read()), 2);
    }
}

/* A reader that no longer reads must not stop the work, nor go unseen. */
static void
a_line_that_cannot_be_written_is_counted(void **state UNUSED)
{
    void *page = calloc(1, metric_page_bytes());
    int ends[2];
    int64_t total = 0;

    assert_non_null(page);
    metric_open(page, "tester");
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    log_open("tester", LOG_INFO, ends[1]);
    while (metric_read(page, METRIC_LOG_LINES_LOST) == 0 && total < 100000) {
        log_event(LOG_INFO, "pipe.filled");
        total++;
    }
    assert_int_equal(metric_read(page, METRIC_LOG_LINES_LOST), 1);
    assert_int_equal(metric_read(page, METRIC_LOG_LINES), total - 1);
    log_open("tester", LOG_WARN, ends[1]);
    log_event(LOG_INFO, "pipe.filled"); /* below the level: neither written nor lost */
    assert_int_equal(metric_read(page, METRIC_LOG_LINES_LOST), 1);
    close(ends[0]);
    close(ends[1]);
    log_event(LOG_WARN, "pipe.gone");
    assert_int_equal(metric_read(page, METRIC_LOG_LINES_LOST), 2);
    /* The page stays: it is in use until the process ends. */
}

UNIT_MAIN(cmocka_unit_test(an_event_is_one_line_of_json_with_its_fields_in_order),
          cmocka_unit_test(an_event_needs_no_fields),
          cmocka_unit_test(only_levels_from_the_lowest_up_are_written),
          cmocka_unit_test(a_level_is_read_by_its_name_only),
          cmocka_unit_test(no_word_breaks_out_of_its_quotes),
          cmocka_unit_test(an_address_shows_its_last_two_characters_at_most),
          cmocka_unit_test(a_sqlstate_is_five_capitals_or_digits),
          cmocka_unit_test(numbers_hashes_reasons_and_times_are_written_over_their_whole_range),
          cmocka_unit_test(a_line_that_is_too_long_is_cut_between_fields),
          cmocka_unit_test(more_fields_than_a_line_holds_leave_whole_ones),
          cmocka_unit_test(lines_of_threads_do_not_mix), cmocka_unit_test(held_lines_wait_for_each_other),
          cmocka_unit_test(no_more_is_held_than_a_pipe_takes_whole),
          cmocka_unit_test(a_fault_writes_what_was_held),
          cmocka_unit_test(a_line_that_cannot_be_written_is_counted))
