/* How long to wait before a process that ended is started again: 100 ms, doubled up to 30 s, with jitter. */
#ifndef PROGRAM_HARKARA_RESTART_H
#define PROGRAM_HARKARA_RESTART_H
#include <stdbool.h>
#include <stdint.h>

#define RESTART_FIRST_MS   100
#define RESTART_MS_MAX     30000
#define RESTART_HEALTHY_MS 60000 /* served so long: the next end is the first again */

struct restart {
    unsigned failures; /* in a row; starts at 0 */
};

/*
 * The process ended after it had served for `served_ms` (0: it never did). Returns the wait in milliseconds:
 * between half and all of the step, by `random`, so that several processes that a common cause ended do not
 * return at once. `is_hopeless` (it said that its settings are wrong) takes the longest step.
 */
int64_t restart_after(struct restart *restart, int64_t served_ms, bool is_hopeless, uint32_t random);

#endif
