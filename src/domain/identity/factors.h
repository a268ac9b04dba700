/* What a person could show besides what a provider says of him. */
#ifndef DOMAIN_IDENTITY_FACTORS_H
#define DOMAIN_IDENTITY_FACTORS_H
#include "core/err.h"
#include "core/id.h"
#include "platform/db/db.h"

/* In a transaction of tenant_platform: bits of enum session_factor: a passkey, an application that has shown
 * a code, a recovery code that was not used. 0: the person has to set one up. */
MUST_CHECK enum err factors_of(struct db_tx *tx, struct id person, unsigned *out);

#endif
