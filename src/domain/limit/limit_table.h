/*
 * The back end for one host: all gateways count in one table of fixed size, in memory that the supervisor
 * made and that ends with it. A counter is 16 octets, the keyed hash of its key and its word, and changes by
 * one compare-and-swap over both: there is no moment at which a process that dies leaves it half written.
 * What such a process had taken and not yet given back stays taken. Only a new counter's place is found under
 * a lock, which the kernel releases when its holder dies.
 *
 * The table never grows, and a counter that still says something is never dropped. Where the addresses of
 * strangers have filled their part, they share one counter of each name; where tenants have filled theirs, a
 * decision over a new counter is ERR_LIMITS_UNAVAILABLE.
 */
#ifndef DOMAIN_LIMIT_LIMIT_TABLE_H
#define DOMAIN_LIMIT_LIMIT_TABLE_H
#include "domain/limit/limit.h"

#define LIMIT_TABLE_COUNTERS_MIN 1024u
#define LIMIT_TABLE_COUNTERS_MAX (16u * 1024 * 1024)

/* Room for so many counters of tenants; rounded up to a power of two. Pages that no counter is in cost
 * nothing. */
size_t limit_table_bytes(size_t counters);
/* Makes it in zeroed memory of that size, shared by all who will use it. ERR_SYSTEM, ERR_CRYPTO. */
MUST_CHECK enum err limit_table_init(void *memory, size_t bytes, size_t counters);

struct limit_table; /* a process's view; thread-safe */
/* The memory of limit_table_init, mapped for writing as long as the view lives. ERR_FRAME: it is none. */
MUST_CHECK enum err limit_table_open(void *memory, size_t bytes, const struct clock *clock,
                                     struct limit_table **out);
void limit_table_close(struct limit_table *table); /* accepts NULL; the memory stays */

struct limit_backend limit_table_backend(struct limit_table *table);
/* How many counters of tenants have a place, over and over-aged ones included; for a gauge. */
uint64_t limit_table_used(const struct limit_table *table);

#endif
