/*
 * Counters, gauges and histograms in one fixed page per process. The page is a
 * file that the supervisor maps for the role before it locks itself in; others
 * map it read-only (the admin socket, `harkara status`), so that figures are
 * read without asking the process, and outlive it. Rows stand in metric.def.
 */
#ifndef CORE_METRIC_H
#define CORE_METRIC_H
#include "core/buf.h"
#include "core/clock.h"
#include "core/err.h"

enum metric {
#define COUNTER(name, text, help)   METRIC_##name,
#define GAUGE(name, text, help)     METRIC_##name,
#define HISTOGRAM(name, text, help) METRIC_##name,
#include "core/metric.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
    METRIC_COUNT
};

/* Of a histogram; their upper bounds stand in metric.c, and the last one is +Inf. */
#define METRIC_BUCKETS 14u

enum metric_state {
    METRIC_STATE_STARTING = 0,
    METRIC_STATE_READY,
    METRIC_STATE_DRAINING,
    METRIC_STATE_STOPPED
};

struct metric_page; /* a fixed layout for one build, metric_page_bytes() long */
size_t metric_page_bytes(void);

/*
 * Uses a mapped, writable, zeroed page of metric_page_bytes(); the role's name ([a-z0-9-], at most 31) is
 * copied in. Before threads.
 */
void metric_open(void *page, const char *role);
/*
 * Without metric_open these do nothing (unit tests). All are thread-safe and lock-free. metric_add is for
 * counters and gauges, metric_set for gauges.
 */
void metric_add(enum metric metric, uint64_t n);
void metric_set(enum metric metric, int64_t value);
void metric_observe_us(enum metric metric, int64_t us);
void metric_state_set(enum metric_state state);
/* Marks the process as alive now; the loop calls it each second. */
void metric_heartbeat(struct wall_time now);

/* What a reader learns of another process's page. That is outside input: all of it is checked. */
struct metric_view {
    char role[32];
    int32_t pid;
    enum metric_state state;
    struct wall_time started_at, heartbeat_at;
};
/* ERR_FRAME when the page is not of this build or was never opened. */
MUST_CHECK enum err metric_view(const void *page, size_t bytes, struct metric_view *out);
/* The value; of a histogram, how many observations. The page has passed metric_view. */
int64_t metric_read(const void *page, enum metric metric);
/*
 * Prometheus text format 0.0.4: HELP and TYPE once per family, one sample per page with label role="...".
 * Pages are metric_page_bytes() long; one that metric_view refuses is left out.
 */
void metric_print(struct buf *out, const void *const *pages, size_t count);

#endif
