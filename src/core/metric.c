#include "core/metric.h"
#include <stdatomic.h>
#include <unistd.h>

#define MAGIC 0x68726b6d65747231u /* "hrkmetr1" */

enum kind { KIND_COUNTER, KIND_GAUGE, KIND_HISTOGRAM };

/* Where each metric's slots begin; a histogram has its buckets and then the sum in microseconds. */
enum slot {
#define COUNTER(name, text, help)   SLOT_##name,
#define GAUGE(name, text, help)     SLOT_##name,
#define HISTOGRAM(name, text, help) SLOT_##name, SLOT_SUM_OF_##name = SLOT_##name + (int)METRIC_BUCKETS,
#include "core/metric.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
    SLOT_COUNT
};

struct row {
    enum kind kind;
    unsigned slot;
    const char *name, *help;
};

static const struct row rows[METRIC_COUNT] = {
#define COUNTER(name, text, help)   { KIND_COUNTER, SLOT_##name, text, help },
#define GAUGE(name, text, help)     { KIND_GAUGE, SLOT_##name, text, help },
#define HISTOGRAM(name, text, help) { KIND_HISTOGRAM, SLOT_##name, text, help },
#include "core/metric.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
};

/* From a commit on a fast disk to a provider that is about to time out. */
static const int64_t bounds_us[METRIC_BUCKETS - 1] = { 500,     1000,    2500,    5000,   10000,
                                                       25000,   50000,   100000,  250000, 500000,
                                                       1000000, 2500000, 10000000 };

struct metric_page {
    _Atomic uint64_t magic; /* written last */
    uint64_t build;
    int32_t pid;
    _Atomic uint32_t state;
    _Atomic int64_t started_us, heartbeat_us; /* the first heartbeat is the start */
    char role[32];
    _Atomic uint64_t slots[SLOT_COUNT];
};

static struct metric_page *own; /* written once by metric_open, before threads */

size_t
metric_page_bytes(void)
{
    return sizeof(struct metric_page);
}

/* FNV-1a, octet by octet. */
static uint64_t
hash_more(uint64_t hash, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ p[i]) * 0x100000001b3u;
    return hash;
}

/* Over all that gives the slots their meaning: two builds with the same value have the same page. */
static uint64_t
build_hash(void)
{
    const size_t bytes = sizeof(struct metric_page);
    uint64_t hash = hash_more(0xcbf29ce484222325u, HARKARA_VERSION, sizeof(HARKARA_VERSION));

    hash = hash_more(hash, &bytes, sizeof(bytes));
    hash = hash_more(hash, bounds_us, sizeof(bounds_us));
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        hash = hash_more(hash, &rows[i].kind, sizeof(rows[i].kind));
        hash = hash_more(hash, rows[i].name, strlen(rows[i].name) + 1);
    }
    return hash;
}

/* A role's name goes into a label and onto a terminal: small letters, digits and '-', then a NUL. */
static bool
role_is_sound(const char *role, size_t bytes)
{
    size_t len = strnlen(role, bytes);

    if (len == 0 || len == bytes)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!((role[i] >= 'a' && role[i] <= 'z') || (role[i] >= '0' && role[i] <= '9') || role[i] == '-'))
            return false;
    return true;
}

void
metric_open(void *page, const char *role)
{
    struct metric_page *mine = page;

    if (!role_is_sound(role, sizeof(mine->role)))
        bug("a role's name that is not fit for its page");
    mine->build = build_hash();
    mine->pid = (int32_t)getpid();
    memcpy(mine->role, role, strlen(role)); /* the page is zero behind it */
    int64_t now_us = clock_wall(clock_system()).us;
    atomic_store_explicit(&mine->started_us, now_us, memory_order_relaxed);
    atomic_store_explicit(&mine->heartbeat_us, now_us, memory_order_relaxed);
    atomic_store_explicit(&mine->state, METRIC_STATE_STARTING, memory_order_relaxed);
    atomic_store_explicit(&mine->magic, MAGIC, memory_order_release);
    own = mine;
}

static const struct row *
row_of(enum metric metric)
{
    if ((unsigned)metric >= METRIC_COUNT)
        bug("a metric outside metric.def");
    return &rows[metric];
}

void
metric_add(enum metric metric, uint64_t n)
{
    const struct row *row = row_of(metric);

    if (row->kind == KIND_HISTOGRAM)
        bug("a histogram takes observations");
    if (own != NULL)
        atomic_fetch_add_explicit(&own->slots[row->slot], n, memory_order_relaxed);
}

void
metric_set(enum metric metric, int64_t value)
{
    const struct row *row = row_of(metric);

    if (row->kind != KIND_GAUGE)
        bug("only a gauge is set");
    if (own != NULL)
        atomic_store_explicit(&own->slots[row->slot], (uint64_t)value, memory_order_relaxed);
}

void
metric_observe_us(enum metric metric, int64_t us)
{
    const struct row *row = row_of(metric);
    unsigned bucket = 0;

    if (row->kind != KIND_HISTOGRAM)
        bug("only a histogram takes observations");
    if (own == NULL)
        return;
    if (us < 0)
        us = 0;
    while (bucket < METRIC_BUCKETS - 1 && us > bounds_us[bucket])
        bucket++;
    atomic_fetch_add_explicit(&own->slots[row->slot + bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&own->slots[row->slot + METRIC_BUCKETS], (uint64_t)us, memory_order_relaxed);
}

void
metric_state_set(enum metric_state state)
{
    if (own != NULL)
        atomic_store_explicit(&own->state, (uint32_t)state, memory_order_relaxed);
}

void
metric_heartbeat(struct wall_time now)
{
    if (own != NULL)
        atomic_store_explicit(&own->heartbeat_us, now.us, memory_order_relaxed);
}

enum err
metric_view(const void *page, size_t bytes, struct metric_view *out)
{
    const struct metric_page *theirs = page;

    if (page == NULL || bytes < sizeof(*theirs) ||
        atomic_load_explicit(&theirs->magic, memory_order_acquire) != MAGIC || theirs->build != build_hash())
        return ERR_FRAME;
    uint32_t state = atomic_load_explicit(&theirs->state, memory_order_relaxed);
    struct metric_view view = {
        .pid = theirs->pid,
        .state = (enum metric_state)state,
        .started_at = { atomic_load_explicit(&theirs->started_us, memory_order_relaxed) },
        .heartbeat_at = { atomic_load_explicit(&theirs->heartbeat_us, memory_order_relaxed) },
    };
    /* Checked in the copy: the page may change meanwhile. */
    memcpy(view.role, theirs->role, sizeof(view.role));
    if (state > METRIC_STATE_STOPPED || view.pid <= 0 || !role_is_sound(view.role, sizeof(view.role)))
        return ERR_FRAME;
    *out = view;
    return ERR_OK;
}

static uint64_t
slot_read(const struct metric_page *page, unsigned slot)
{
    return atomic_load_explicit(&page->slots[slot], memory_order_relaxed);
}

int64_t
metric_read(const void *page, enum metric metric)
{
    const struct row *row = row_of(metric);
    uint64_t value = 0;

    if (row->kind != KIND_HISTOGRAM)
        return (int64_t)slot_read(page, row->slot);
    for (unsigned bucket = 0; bucket < METRIC_BUCKETS; bucket++)
        value += slot_read(page, row->slot + bucket);
    return (int64_t)value;
}

/* Microseconds as seconds, exactly, without zeros at the end. */
static void
print_seconds(struct buf *out, uint64_t us)
{
    uint64_t fraction = us % 1000000;
    int digits = 6;

    buf_add_u64(out, us / 1000000);
    if (fraction == 0)
        return;
    for (; fraction % 10 == 0; digits--)
        fraction /= 10;
    buf_add_format(out, ".%0*llu", digits, (unsigned long long)fraction);
}

/* _count is the sum of the buckets read here: it equals the +Inf bucket even while the role counts on. */
static void
print_histogram(struct buf *out, const struct row *row, const struct metric_page *page, const char *role)
{
    uint64_t count = 0;

    for (unsigned bucket = 0; bucket < METRIC_BUCKETS; bucket++) {
        count += slot_read(page, row->slot + bucket);
        buf_add_format(out, "%s_bucket{role=\"%s\",le=\"", row->name, role);
        if (bucket == METRIC_BUCKETS - 1)
            buf_add_text(out, "+Inf");
        else
            print_seconds(out, (uint64_t)bounds_us[bucket]);
        buf_add_text(out, "\"} ");
        buf_add_u64(out, count);
        buf_add_byte(out, '\n');
    }
    buf_add_format(out, "%s_sum{role=\"%s\"} ", row->name, role);
    print_seconds(out, slot_read(page, row->slot + METRIC_BUCKETS));
    buf_add_format(out, "\n%s_count{role=\"%s\"} ", row->name, role);
    buf_add_u64(out, count);
    buf_add_byte(out, '\n');
}

static void
print_sample(struct buf *out, const struct row *row, const struct metric_page *page, const char *role)
{
    if (row->kind == KIND_HISTOGRAM) {
        print_histogram(out, row, page, role);
        return;
    }
    buf_add_format(out, "%s{role=\"%s\"} ", row->name, role);
    if (row->kind == KIND_GAUGE)
        buf_add_i64(out, (int64_t)slot_read(page, row->slot));
    else
        buf_add_u64(out, slot_read(page, row->slot));
    buf_add_byte(out, '\n');
}

void
metric_print(struct buf *out, const void *const *pages, size_t count)
{
    static const char *const types[] = {
        [KIND_COUNTER] = "counter", [KIND_GAUGE] = "gauge", [KIND_HISTOGRAM] = "histogram"
    };

    for (size_t i = 0; i < METRIC_COUNT; i++) {
        buf_add_format(out, "# HELP %s %s\n# TYPE %s %s\n", rows[i].name, rows[i].help, rows[i].name,
                       types[rows[i].kind]);
        for (size_t at = 0; at < count; at++) {
            struct metric_view view;
            if (metric_view(pages[at], sizeof(struct metric_page), &view) == ERR_OK)
                print_sample(out, &rows[i], pages[at], view.role);
        }
    }
}
