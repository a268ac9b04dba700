/* The facts of each active number are asked for every few hours, and the templates of its account every day.
 */
#ifndef PROGRAM_SCHEDULER_NUMBER_SYNC_H
#define PROGRAM_SCHEDULER_NUMBER_SYNC_H
#include "platform/db/db.h"

#define NUMBER_SYNC_HOURS     6
#define TEMPLATE_SYNC_HOURS   24
#define NUMBER_SYNC_BATCH_MAX 500

/*
 * Makes a number.sync task for active channels that had none for NUMBER_SYNC_HOURS, and a template.sync task
 * for those that had none for TEMPLATE_SYNC_HOURS (younger ones are left to their tenants); *asked_out is how
 * many. Two schedulers at a time would ask twice, which does no harm.
 */
MUST_CHECK enum err number_sync_ask(struct db *db, const struct clock *clock, size_t *asked_out);

#endif
