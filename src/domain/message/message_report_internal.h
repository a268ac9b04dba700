/* What this room's files share of reports. */
#ifndef DOMAIN_MESSAGE_MESSAGE_REPORT_INTERNAL_H
#define DOMAIN_MESSAGE_MESSAGE_REPORT_INTERNAL_H
#include "domain/message/message_report.h"

/* How providers' ids lead back to messages; the arrays run beside each other. */
struct provider_refs {
    const struct id *channels, *messages;
    const struct slice *ids;
    const int64_t *senders;
    size_t count;
};
/* Those that are there already stay as they are; *kept_out (may be NULL) counts the others. */
MUST_CHECK enum err provider_refs_keep(struct db_tx *tx, const struct provider_refs *refs, size_t *kept_out);

/* As it is stored: a JSON object. */
MUST_CHECK enum err message_pricing_print(const struct message_pricing *pricing, struct arena *arena,
                                          struct slice *out);

#endif
