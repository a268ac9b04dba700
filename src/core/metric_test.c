#include "core/metric.h"
#include "core/num.h"
#include "core/unit.h"
#include "core/unit_child.h"
#include <pthread.h>
#include <stdlib.h>

static const struct row {
    const char *name, *type, *help;
} rows[] = {
#define COUNTER(name, text, help)   { text, "counter", help },
#define GAUGE(name, text, help)     { text, "gauge", help },
#define HISTOGRAM(name, text, help) { text, "histogram", help },
#include "core/metric.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
};

/* A page of its own for each test; those before stay alive, as the process writes to the last one only. */
static void *
page_new(const char *role)
{
    static void *pages[32];
    static size_t count;
    void *page = calloc(1, metric_page_bytes());

    assert_non_null(page);
    assert_true(count < COUNT_OF(pages));
    pages[count++] = page; /* reachable: no leak */
    metric_open(page, role);
    return page;
}

/* Runs first: nothing has called metric_open yet. */
static void
without_a_page_nothing_happens(void **state UNUSED)
{
    metric_add(METRIC_HTTP_REQUESTS, 1);
    metric_set(METRIC_HTTP_CONNECTIONS, 1);
    metric_observe_us(METRIC_HTTP_SECONDS, 1);
    metric_state_set(METRIC_STATE_READY);
    metric_heartbeat((struct wall_time){ 1 });
}

static void
names_and_helps_fit_the_text_format(void **state UNUSED)
{
    assert_int_equal(COUNT_OF(rows), METRIC_COUNT);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice name = slice_text(rows[i].name);
        assert_true(slice_starts_with(name, SLICE("harkara_")));
        assert_int_equal(strspn(rows[i].name, "abcdefghijklmnopqrstuvwxyz_"), name.len);
        assert_int_equal(slice_ends_with(name, SLICE("_total")), strcmp(rows[i].type, "counter") == 0);
        assert_int_equal(slice_ends_with(name, SLICE("_seconds")), strcmp(rows[i].type, "histogram") == 0);
        assert_true(strlen(rows[i].help) > 0);
        assert_null(strpbrk(rows[i].help, "\\\n")); /* what a HELP line would have to escape */
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(rows[i].name, rows[j].name);
    }
}

static void
each_metric_counts_in_slots_of_its_own(void **state UNUSED)
{
    void *page = page_new("tester");

    for (int m = 0; m < METRIC_COUNT; m++) {
        if (strcmp(rows[m].type, "histogram") == 0)
            for (int i = 0; i <= m; i++)
                metric_observe_us((enum metric)m, INT64_C(1) << (i % 40));
        else
            metric_add((enum metric)m, (uint64_t)m + 1);
    }
    for (int m = 0; m < METRIC_COUNT; m++)
        assert_int_equal(metric_read(page, (enum metric)m), m + 1);
}

static void
a_gauge_goes_up_and_down(void **state UNUSED)
{
    void *page = page_new("tester");

    metric_set(METRIC_HTTP_CONNECTIONS, 7);
    metric_add(METRIC_HTTP_CONNECTIONS, 2);
    assert_int_equal(metric_read(page, METRIC_HTTP_CONNECTIONS), 9);
    metric_set(METRIC_HTTP_CONNECTIONS, -3);
    assert_int_equal(metric_read(page, METRIC_HTTP_CONNECTIONS), -3);
}

static void
a_page_tells_who_wrote_it_and_when(void **state UNUSED)
{
    void *page = page_new("gateway-0");
    struct metric_view view;
    int64_t now_us = clock_wall(clock_system()).us;

    assert_ok(metric_view(page, metric_page_bytes(), &view));
    assert_string_equal(view.role, "gateway-0");
    assert_int_equal(view.pid, getpid());
    assert_int_equal(view.state, METRIC_STATE_STARTING);
    assert_true(view.started_at.us <= now_us && view.started_at.us > now_us - 60000000);
    assert_int_equal(view.heartbeat_at.us, view.started_at.us);
    metric_state_set(METRIC_STATE_DRAINING);
    metric_heartbeat((struct wall_time){ 4711 });
    int64_t started_us = view.started_at.us;
    assert_ok(metric_view(page, metric_page_bytes(), &view));
    assert_int_equal(view.state, METRIC_STATE_DRAINING);
    assert_int_equal(view.heartbeat_at.us, 4711);
    assert_int_equal(view.started_at.us, started_us);
}

/* Every single octet before the role's end is put wrong in turn: nothing but times and counts may vary
 * freely. */
static void
a_page_of_another_build_or_of_nonsense_is_refused(void **state UNUSED)
{
    unsigned char *page = page_new("tester"), *copy = malloc(metric_page_bytes());
    struct metric_view view;
    size_t bytes = metric_page_bytes(), refused = 0;
    static const size_t begun = 8 + 8; /* magic and build stand first */

    assert_non_null(copy);
    assert_int_equal(metric_view(NULL, bytes, &view), ERR_FRAME);
    assert_int_equal(metric_view(page, bytes - 1, &view), ERR_FRAME);
    assert_int_equal(metric_view(page, 0, &view), ERR_FRAME);
    memset(copy, 0, bytes);
    assert_int_equal(metric_view(copy, bytes, &view), ERR_FRAME);
    memset(copy, 0xFF, bytes);
    assert_int_equal(metric_view(copy, bytes, &view), ERR_FRAME);
    for (size_t at = 0; at < 80 && at < bytes; at++) {
        memcpy(copy, page, bytes);
        copy[at] ^= 0x80;
        enum err err = metric_view(copy, bytes, &view);
        assert_true(err == ERR_OK || err == ERR_FRAME);
        if (at < begun)
            assert_int_equal(err, ERR_FRAME);
        refused += err == ERR_FRAME;
        if (err == ERR_OK)
            assert_string_equal(view.role, "tester");
    }
    assert_true(refused >= begun + 4 + 6); /* also the state, and each letter of the role */
    free(copy);
}

static void
a_role_that_would_not_fit_a_label_is_refused_by_the_reader(void **state UNUSED)
{
    unsigned char *page = page_new("tester"), *copy = malloc(metric_page_bytes());
    static const char
        *const bad[] = { "",        "Tester",      "te ter",
                         "te\"ter", "te\\ter",     "te\nter",
                         "te_ter",  "te\xC3\xA9r", "0123456789012345678901234567890x" /* no NUL */ };
    struct metric_view view;
    size_t at = 0;

    assert_non_null(copy);
    while (memcmp(page + at, "tester", 7) != 0)
        at++;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        memcpy(copy, page, metric_page_bytes());
        memset(copy + at, 0, 32);
        memcpy(copy + at, bad[i], strlen(bad[i]));
        assert_int_equal(metric_view(copy, metric_page_bytes(), &view), ERR_FRAME);
    }
    free(copy);
}

static int
run_open(void *ctx)
{
    metric_open(calloc(1, metric_page_bytes()), ctx);
    return 0;
}

static int
run_add_to_histogram(void *ctx UNUSED)
{
    metric_add(METRIC_HTTP_SECONDS, 1);
    return 0;
}

static int
run_set_counter(void *ctx UNUSED)
{
    metric_set(METRIC_HTTP_REQUESTS, 1);
    return 0;
}

static int
run_observe_gauge(void *ctx UNUSED)
{
    metric_observe_us(METRIC_HTTP_CONNECTIONS, 1);
    return 0;
}

static void
using_a_metric_as_another_kind_or_a_bad_role_is_a_bug(void **state UNUSED)
{
    char good[] = "0123456789-0123456789-012345678", upper[] = "Vault", empty[] = "";
    char longer[] = "0123456789-0123456789-0123456789";

    assert_int_equal(unit_child(run_open, good), 0);
    assert_int_equal(unit_child(run_open, upper), -SIGABRT);
    assert_int_equal(unit_child(run_open, empty), -SIGABRT);
    assert_int_equal(unit_child(run_open, longer), -SIGABRT);
    assert_int_equal(unit_child(run_add_to_histogram, NULL), -SIGABRT);
    assert_int_equal(unit_child(run_set_counter, NULL), -SIGABRT);
    assert_int_equal(unit_child(run_observe_gauge, NULL), -SIGABRT);
}

/* One line of the text format taken apart. */
struct sample {
    struct slice name, role, le, value;
};

static bool
sample_scan(struct slice line, struct sample *out)
{
    struct slice labels = line;

    *out = (struct sample){ .name = slice_take_until(&labels, '{') };
    out->value = labels;
    labels = slice_take_until(&out->value, '}');
    while (labels.len > 0) {
        struct slice name = slice_take_until(&labels, '=');
        if (!slice_starts_with(labels, SLICE("\"")))
            return false;
        labels = slice_drop(labels, 1);
        struct slice value = slice_take_until(&labels, '"');
        if (slice_eq(name, SLICE("role")))
            out->role = value;
        else if (slice_eq(name, SLICE("le")))
            out->le = value;
        else
            return false;
        if (labels.len > 0 && !slice_starts_with(labels, SLICE(",")))
            return false;
        labels = slice_drop(labels, 1);
    }
    if (!slice_starts_with(out->value, SLICE(" ")))
        return false;
    out->value = slice_drop(out->value, 1);
    return true;
}

static struct slice
line_take(struct slice *text)
{
    assert_true(slice_find(*text, '\n') < text->len); /* every line has its end */
    return slice_take_until(text, '\n');
}

static void
assert_line(struct slice *text, const char *format, const char *name, const char *rest)
{
    struct buf want;

    buf_init(&want, 1000);
    buf_add_text(&want, format);
    buf_add_text(&want, name);
    buf_add_byte(&want, ' ');
    buf_add_text(&want, rest);
    struct slice got = line_take(text);
    if (!slice_eq(got, buf_slice(&want)))
        fail_msg("got %.*s, want %.*s", SLICE_FMT(got), SLICE_FMT(buf_slice(&want)));
    buf_release(&want);
}

/* Seconds as text to microseconds. */
static uint64_t
seconds_us(struct slice text)
{
    struct slice whole = slice_take_until(&text, '.');
    uint64_t us = 0, fraction = 0;

    assert_ok(num_u64_parse(whole, &us));
    if (text.len > 0)
        assert_ok(num_u64_parse(text, &fraction));
    for (size_t i = text.len; i < 6; i++)
        fraction *= 10;
    return us * 1000000 + fraction;
}

static void
check_histogram(struct slice *text, const char *name, const char *role, uint64_t count, uint64_t sum_us)
{
    uint64_t last = 0, number = 0, le_us = 0;
    struct sample sample;

    for (size_t i = 0; i < METRIC_BUCKETS; i++) {
        assert_true(sample_scan(line_take(text), &sample));
        assert_true(slice_starts_with(sample.name, slice_text(name)));
        assert_true(slice_ends_with(sample.name, SLICE("_bucket")));
        assert_true(slice_eq(sample.role, slice_text(role)));
        assert_ok(num_u64_parse(sample.value, &number));
        assert_true(number >= last); /* buckets are cumulative */
        last = number;
        if (i == METRIC_BUCKETS - 1) {
            assert_true(slice_eq(sample.le, SLICE("+Inf")));
        } else {
            assert_true(seconds_us(sample.le) > le_us);
            le_us = seconds_us(sample.le);
        }
    }
    assert_int_equal(number, count);
    assert_true(sample_scan(line_take(text), &sample));
    assert_true(slice_ends_with(sample.name, SLICE("_sum")));
    assert_int_equal(seconds_us(sample.value), sum_us);
    assert_true(sample_scan(line_take(text), &sample));
    assert_true(slice_ends_with(sample.name, SLICE("_count")));
    assert_ok(num_u64_parse(sample.value, &number));
    assert_int_equal(number, count);
}

static void
the_text_has_each_family_once_with_a_sample_of_each_page(void **state UNUSED)
{
    void *vault = page_new("vault");
    metric_add(METRIC_VAULT_SEALS, 5);
    metric_set(METRIC_SENDS_IN_FLIGHT, -1);
    void *gateway = page_new("gateway-0");
    metric_add(METRIC_VAULT_SEALS, UINT64_MAX);
    metric_observe_us(METRIC_HTTP_SECONDS, 1500000);
    metric_observe_us(METRIC_HTTP_SECONDS, 7);
    void *nothing = calloc(1, metric_page_bytes()); /* a role that has not begun yet */
    const void *const pages[] = { vault, nothing, gateway };
    static const char *const roles[] = { "vault", "gateway-0" };
    struct buf out;

    buf_init(&out, 1u << 20);
    metric_print(&out, pages, COUNT_OF(pages));
    assert_ok(buf_done(&out));
    struct slice text = buf_slice(&out);
    assert_true(slice_is_utf8(text));
    for (int m = 0; m < METRIC_COUNT; m++) {
        assert_line(&text, "# HELP ", rows[m].name, rows[m].help);
        assert_line(&text, "# TYPE ", rows[m].name, rows[m].type);
        for (size_t page = 0; page < 2; page++) {
            struct sample sample;
            bool is_timed = m == METRIC_HTTP_SECONDS && page == 1;
            if (strcmp(rows[m].type, "histogram") == 0) {
                check_histogram(&text, rows[m].name, roles[page], is_timed ? 2 : 0, is_timed ? 1500007 : 0);
                continue;
            }
            assert_true(sample_scan(line_take(&text), &sample));
            assert_true(slice_eq(sample.name, slice_text(rows[m].name)));
            assert_true(slice_eq(sample.role, slice_text(roles[page])));
            struct slice want = SLICE("0");
            if (m == METRIC_VAULT_SEALS)
                want = page == 0 ? SLICE("5") : SLICE("18446744073709551615");
            else if (m == METRIC_SENDS_IN_FLIGHT && page == 0)
                want = SLICE("-1");
            assert_true(slice_eq(sample.value, want));
        }
    }
    assert_int_equal(text.len, 0);
    buf_release(&out);
    free(nothing);
}

/* An observation on a bound belongs to the bucket of that bound (le: less or equal). */
static void
an_observation_falls_into_the_first_bucket_that_holds_it(void **state UNUSED)
{
    static const struct {
        int64_t us;
        const char *le;
    } cases[] = {
        { INT64_MIN, "0.0005" }, { -1, "0.0005" },      { 0, "0.0005" },    { 500, "0.0005" },
        { 501, "0.001" },        { 1000, "0.001" },     { 2500, "0.0025" }, { 2501, "0.005" },
        { 999999, "1" },         { 1000000, "1" },      { 1000001, "2.5" }, { 10000000, "10" },
        { 10000001, "+Inf" },    { INT64_MAX, "+Inf" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const void *page = page_new("tester");
        struct buf out;
        struct sample sample = { .name = SLICE_EMPTY };
        metric_observe_us(METRIC_SEND_SECONDS, cases[i].us);
        buf_init(&out, 1u << 20);
        metric_print(&out, &page, 1);
        assert_ok(buf_done(&out));
        struct slice text = buf_slice(&out), first = SLICE_EMPTY;
        while (first.len == 0) {
            struct slice line = line_take(&text);
            if (slice_starts_with(line, SLICE("harkara_send_seconds_bucket")) && sample_scan(line, &sample) &&
                slice_eq(sample.value, SLICE("1")))
                first = sample.le;
        }
        if (!slice_eq(first, slice_text(cases[i].le)))
            fail_msg("%lld us: le %.*s", (long long)cases[i].us, SLICE_FMT(first));
        buf_release(&out);
    }
}

/* A clock that stepped back must not make the sum of all times nonsense. */
static void
a_negative_time_counts_as_none(void **state UNUSED)
{
    const void *page = page_new("tester");
    struct buf out;

    metric_observe_us(METRIC_SEND_SECONDS, -5);
    metric_observe_us(METRIC_SEND_SECONDS, INT64_MIN);
    metric_observe_us(METRIC_SEND_SECONDS, 250000);
    buf_init(&out, 1u << 20);
    metric_print(&out, &page, 1);
    assert_ok(buf_done(&out));
    assert_true(slice_contains(buf_slice(&out), SLICE("\nharkara_send_seconds_sum{role=\"tester\"} 0.25\n")));
    assert_true(slice_contains(buf_slice(&out), SLICE("\nharkara_send_seconds_count{role=\"tester\"} 3\n")));
    buf_release(&out);
}

static void
a_page_that_does_not_fit_the_buffer_marks_it_as_failed(void **state UNUSED)
{
    const void *page = page_new("tester");
    struct buf out;

    buf_init(&out, 1000);
    metric_print(&out, &page, 1);
    assert_int_equal(buf_done(&out), ERR_LIMIT);
    buf_release(&out);
}

enum { THREADS = 4, STEPS = 20000 };

static void *
thread_run(void *ctx UNUSED)
{
    for (int i = 0; i < STEPS; i++) {
        metric_add(METRIC_HTTP_REQUESTS, 1);
        metric_add(METRIC_HTTP_CONNECTIONS, i % 2 == 0 ? 1 : UINT64_MAX);
        metric_observe_us(METRIC_HTTP_SECONDS, i);
        metric_heartbeat((struct wall_time){ i });
    }
    return NULL;
}

static void
no_count_is_lost_between_threads(void **state UNUSED)
{
    void *page = page_new("tester");
    pthread_t threads[THREADS];
    struct metric_view view;

    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, thread_run, NULL), 0);
    for (int i = 0; i < 1000; i++)
        assert_ok(metric_view(page, metric_page_bytes(), &view)); /* read while it is written */
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(metric_read(page, METRIC_HTTP_REQUESTS), THREADS * STEPS);
    assert_int_equal(metric_read(page, METRIC_HTTP_CONNECTIONS), 0);
    assert_int_equal(metric_read(page, METRIC_HTTP_SECONDS), THREADS * STEPS);
}

UNIT_MAIN(cmocka_unit_test(without_a_page_nothing_happens),
          cmocka_unit_test(names_and_helps_fit_the_text_format),
          cmocka_unit_test(each_metric_counts_in_slots_of_its_own),
          cmocka_unit_test(a_gauge_goes_up_and_down), cmocka_unit_test(a_page_tells_who_wrote_it_and_when),
          cmocka_unit_test(a_page_of_another_build_or_of_nonsense_is_refused),
          cmocka_unit_test(a_role_that_would_not_fit_a_label_is_refused_by_the_reader),
          cmocka_unit_test(using_a_metric_as_another_kind_or_a_bad_role_is_a_bug),
          cmocka_unit_test(the_text_has_each_family_once_with_a_sample_of_each_page),
          cmocka_unit_test(an_observation_falls_into_the_first_bucket_that_holds_it),
          cmocka_unit_test(a_negative_time_counts_as_none),
          cmocka_unit_test(a_page_that_does_not_fit_the_buffer_marks_it_as_failed),
          cmocka_unit_test(no_count_is_lost_between_threads))
