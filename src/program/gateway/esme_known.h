/*
 * What the database said of SMPP accounts and of their senders, for as long as what it says of an API key is
 * remembered (AUTHENTICATION_CACHE_MS): so a revocation is felt within a second, and a message asks nothing.
 * Only what is there is kept. One thread's own.
 */
#ifndef PROGRAM_GATEWAY_ESME_KNOWN_H
#define PROGRAM_GATEWAY_ESME_KNOWN_H
#include "domain/identity/smpp_account.h"

#define ESME_KNOWN_ACCOUNTS 64u  /* one that falls into the place of another replaces it */
#define ESME_KNOWN_SENDERS  256u /* likewise */

struct esme_known;

MUST_CHECK enum err esme_known_new(const struct clock *clock, struct esme_known **out);
void esme_known_free(struct esme_known *known);

/* smpp_account_load, and api_principal_load of its key. */
MUST_CHECK enum err esme_known_account(struct esme_known *known, struct db *db, struct slice system_id,
                                       struct smpp_account *account_out, struct api_principal *principal_out);
/* smpp_account_channel. */
MUST_CHECK enum err esme_known_channel(struct esme_known *known, struct db *db,
                                       const struct smpp_account *account, struct slice sender,
                                       struct id *out);

#endif
