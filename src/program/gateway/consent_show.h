/* What the routes of consents and suppressions share: reading an address, sealing, showing. */
#ifndef PROGRAM_GATEWAY_CONSENT_SHOW_H
#define PROGRAM_GATEWAY_CONSENT_SHOW_H
#include "domain/audit/audit.h"
#include "domain/consent/suppression.h"
#include "platform/net/router.h"
#include <jansson.h>

/* `address`: as whoever asks may see it; SLICE_EMPTY: it is not known. */
json_t *consent_show(const struct consent *consent, struct slice address);
json_t *suppression_show(const struct suppression *row, struct slice address);

enum consent_actor consent_asker(const struct http_request *request);

/* One thing to be sealed beside its index. */
struct consent_sealing {
    struct id row;                               /* of the ledger, or of a suppression */
    struct slice address, evidence;              /* evidence NULL ptr: none */
    unsigned char peer_index[VAULT_INDEX_BYTES]; /* out, with the next two */
    struct vault_sealed peer, sealed_evidence;
};
/* All of them in one exchange with the vault. */
MUST_CHECK enum err consent_seal(struct http_request *request, struct consent_sealing *sealings, size_t count,
                                 struct arena *arena);

#endif
