/* The handlers that task_table.c lists; each stands in the file of its subject. */
#ifndef PROGRAM_DISPATCHER_TASK_HANDLERS_H
#define PROGRAM_DISPATCHER_TASK_HANDLERS_H
#include "program/dispatcher/task.h"

/* task_number.c */
enum err task_number_sync(struct task_run *run);

#endif
