#include "domain/message/message_queue.h"

static const struct db_stmt message_wake_stmt = {
    "message_wake", "UPDATE dispatch_queue SET due_at = now() WHERE tenant_id = $1 AND message_id = ANY($2)"
                    " AND state = 'ready' AND due_at > now()"
};

enum err
message_wake(struct db_tx *tx, const struct id *messages, size_t count)
{
    return db_exec(tx, &message_wake_stmt, DB_ARGS(DB_ID_ARRAY(messages, count)), NULL);
}
