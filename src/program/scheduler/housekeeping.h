/*
 * What has to be done now and then, by one scheduler at a time: partitions ahead of time, and the end of what
 * has been kept long enough. Each run is one bounded transaction; what it leaves, the next one takes.
 */
#ifndef PROGRAM_SCHEDULER_HOUSEKEEPING_H
#define PROGRAM_SCHEDULER_HOUSEKEEPING_H
#include "platform/db/db.h"

#define HOUSEKEEPING_BATCH_MAX 5000
#define IDEMPOTENCY_KEY_HOURS  24
#define PROVIDER_EVENT_DAYS    7 /* after it was interpreted, or given up */
#define WEBHOOK_DELIVERY_DAYS  30
#define PROVIDER_TASK_DAYS     30  /* after it has finished */
#define MEDIA_BATCH_MAX        100 /* with all their chunks, each up to 100 MiB */
#define MEDIA_LEFT_HOURS       1   /* an upload of which nothing was heard for so long is over */
#define WINDOW_DAYS            90 /* after it ended; whose is not known any more is left to WhatsApp to judge */
#define USAGE_DAYS             400 /* what was used of quotas: a year can be compared with the last */
#define FIGURE_DAYS            32  /* what became of messages, by the quarter of an hour */
#define SMS_PART_DAYS          45  /* of ids that operators give again, the newest counts */
#define SMS_PARKED_HOURS       72  /* how long a receipt waits for its part */
#define SESSION_DAYS           30  /* after it was over at the latest */
#define CEREMONY_HOURS         2   /* both are worth nothing any more by then */
#define OIDC_TASK_SECONDS      120 /* nobody waits for one any more */
#define PARTITION_MONTHS_AHEAD 3

struct housekeeping_result {
    bool was_leader; /* false: another scheduler is at it; nothing was done */
    size_t partitions_made;
    size_t keys_removed, events_removed, deliveries_removed, secrets_removed, tasks_removed, replays_removed;
    size_t media_removed, windows_removed, usage_removed, sign_ins_removed, sms_removed;
    bool has_more; /* a batch was full: come again soon */
};

MUST_CHECK enum err housekeeping_run(struct db *db, const struct clock *clock,
                                     struct housekeeping_result *out);

#endif
