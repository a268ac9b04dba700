/*
 * Latencies in microseconds, kept in buckets whose width is at most 1/32 of their value: memory does not grow
 * with the number of samples, and a percentile is read to 3 %.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H
#include <stdint.h>

#define HISTOGRAM_EXACT   64u /* below: one bucket a microsecond */
#define HISTOGRAM_HALF    32u /* buckets for each doubling above */
#define HISTOGRAM_DOUBLES 30u /* up to 64 * 2^30 us: 19 hours */
#define HISTOGRAM_BUCKETS (HISTOGRAM_EXACT + HISTOGRAM_HALF * HISTOGRAM_DOUBLES)

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t count, max_us;
};

static inline void
histogram_add(struct histogram *histogram, uint64_t us)
{
    uint64_t bucket = us;

    if (us >= HISTOGRAM_EXACT) {
        unsigned shift = 58u - (unsigned)__builtin_clzll(us); /* leaves the highest 6 bits */
        bucket = HISTOGRAM_EXACT + (uint64_t)(shift - 1) * HISTOGRAM_HALF + ((us >> shift) - HISTOGRAM_HALF);
    }
    histogram->counts[bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1]++;
    histogram->count++;
    if (us > histogram->max_us)
        histogram->max_us = us;
}

/* The upper end of the bucket that holds the sample at `per_mille`; 0 without samples. */
static inline uint64_t
histogram_at(const struct histogram *histogram, unsigned per_mille)
{
    uint64_t wanted = (histogram->count * per_mille + 999) / 1000, seen = 0;

    for (uint64_t bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        seen += histogram->counts[bucket];
        if (histogram->counts[bucket] == 0 || seen < wanted)
            continue;
        uint64_t end = bucket;
        if (bucket >= HISTOGRAM_EXACT) {
            uint64_t shift = (bucket - HISTOGRAM_EXACT) / HISTOGRAM_HALF + 1;
            uint64_t part = (bucket - HISTOGRAM_EXACT) % HISTOGRAM_HALF + HISTOGRAM_HALF;
            end = ((part + 1) << shift) - 1;
        }
        return end < histogram->max_us ? end : histogram->max_us;
    }
    return 0;
}

#endif
