/* What the policy gate is asked about messages that are about to leave, as far as it is in the database. */
#ifndef DOMAIN_MESSAGE_MESSAGE_SENDING_INTERNAL_H
#define DOMAIN_MESSAGE_MESSAGE_SENDING_INTERNAL_H
#include "domain/message/message_queue.h"

/* From their column; in the arena. ERR_DB_DATA, ERR_NO_MEMORY. */
MUST_CHECK enum err sending_settings_read(struct slice text, struct arena *arena,
                                          const struct policy_settings **out);

struct sending_known {
    struct slice channel_kind, workspace; /* as their columns say */
    int64_t person;                       /* of POLICY_PERSON_FACTS */
    const struct policy_settings *settings;
    struct wall_time now;
};
/* Into the job's facts. ERR_DB_DATA. */
MUST_CHECK enum err sending_facts_read(const struct sending_known *known, struct message_job *job);

/* Of one workspace: counts what their recipients had, if it minds, and judges. */
MUST_CHECK enum err sending_judge(struct db_tx *tx, struct message_job *const *jobs, size_t count,
                                  struct arena *arena);

#endif
