/*
 * Where limits come from: the settings of the installation; what the operator gave a workspace in their
 * place; what the workspace set for a sender or a key, which only ever tightens that. What was read is
 * remembered for LIMIT_BOOK_MS, so a change is felt everywhere within that time.
 */
#ifndef DOMAIN_LIMIT_LIMIT_BOOK_H
#define DOMAIN_LIMIT_LIMIT_BOOK_H
#include "domain/limit/limit.h"
#include "platform/db/db.h"

#define LIMIT_BOOK_MS       2000
#define LIMIT_BOOK_EARLY_MS 200 /* so long before one of those who ask reads it anew */
#define LIMIT_BOOK_ENTRIES  4096u

/* By enum limit_name. */
struct limit_values {
    uint64_t of[LIMIT_NAME_COUNT];
};

/* What an operator gave a workspace; 0: as the installation's settings say. */
struct limit_grant {
    uint64_t requests_per_second, key_requests_per_second, sender_per_second, sender_per_day,
        sender_per_month, messages_per_day, messages_per_month;
};
/* Of the transaction's tenant. */
MUST_CHECK enum err limit_grant_read(struct db_tx *tx, struct limit_grant *out);
/* Puts all of them. ERR_DB_CONSTRAINT: one is beyond what can be counted. */
MUST_CHECK enum err limit_grant_write(struct db_tx *tx, const struct limit_grant *grant);

/* What a workspace set for a channel (messages) or a key (requests); 0: nothing. */
struct limit_setting {
    struct id subject;
    uint64_t requests_per_second, messages_per_second, messages_per_day, messages_per_month;
    uint32_t revision; /* 0: never set */
    struct wall_time updated_at;
};
MUST_CHECK enum err limit_setting_read(struct db_tx *tx, struct id subject, struct limit_setting *out);
/* Puts all of them; `revision` is the one they replace, and the next one afterwards. ERR_DB_CONFLICT:
 * somebody was faster. */
MUST_CHECK enum err limit_setting_write(struct db_tx *tx, struct limit_setting *setting);

/* What applies to a tenant's channel or key, or to the tenant alone (zero), read anew. */
MUST_CHECK enum err limit_values_read(struct db_tx *tx, const struct limit_values *defaults,
                                      struct id subject, struct limit_values *out);

struct limit_book; /* one per process; thread-safe */
MUST_CHECK enum err limit_book_new(const struct clock *clock, const struct limit_values *defaults,
                                   struct limit_book **out);
void limit_book_free(struct limit_book *book);
/* The same, as remembered. `db` NULL: what is remembered has to do, and ERR_WOULD_WAIT says that it does not.
 */
MUST_CHECK enum err limit_book_look(struct limit_book *book, struct db *db, struct id tenant,
                                    struct id subject, struct limit_values *out);

#endif
