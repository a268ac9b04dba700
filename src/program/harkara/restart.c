#include "program/harkara/restart.h"

#define DOUBLINGS_MAX 9u /* 100 ms * 2^9 is beyond 30 s */

int64_t
restart_after(struct restart *restart, int64_t served_ms, bool is_hopeless, uint32_t random)
{
    if (served_ms >= RESTART_HEALTHY_MS)
        restart->failures = 0;
    int64_t step = (int64_t)RESTART_FIRST_MS
                   << (restart->failures < DOUBLINGS_MAX ? restart->failures : DOUBLINGS_MAX);
    if (restart->failures < DOUBLINGS_MAX)
        restart->failures++;
    if (step > RESTART_MS_MAX || is_hopeless)
        step = RESTART_MS_MAX;
    return step / 2 + random % (step / 2 + 1);
}
