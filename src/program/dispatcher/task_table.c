/* Who does what: one row per kind of provider task. */
#include "program/dispatcher/task.h"
#include "program/dispatcher/task_handlers.h"

const struct task_handler task_table[PROVIDER_TASK_KINDS] = {
    [PROVIDER_TASK_NUMBER_SYNC] = { .run = task_number_sync },
};
