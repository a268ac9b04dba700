/* Many of a provider's reports at once (message_report_apply in message.h is for one). */
#ifndef DOMAIN_MESSAGE_MESSAGE_REPORT_H
#define DOMAIN_MESSAGE_MESSAGE_REPORT_H
#include "domain/message/message.h"

struct message_report_item {
    const struct message_report *report;   /* its message and sender are known */
    const struct message_pricing *pricing; /* that came with it; NULL: none */
    bool is_settled;                       /* out: it was applied, or had been before */
};

/*
 * Applies what a few statements can apply for all of them: sent, delivered and read, said of the sender in
 * use, of a message of which nothing else is said here. Of one message in their order; the rows are locked by
 * id. What is left (is_settled false) is for message_pricing_keep and message_report_apply, one by one.
 */
MUST_CHECK enum err message_reports_apply(struct db_tx *tx, const struct clock *clock,
                                          struct message_report_item *items, size_t count,
                                          struct arena *arena);

#endif
