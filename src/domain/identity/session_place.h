/* Whether a person has come from here before, as far as the sessions that are kept tell. */
#ifndef DOMAIN_IDENTITY_SESSION_PLACE_H
#define DOMAIN_IDENTITY_SESSION_PLACE_H
#include "core/err.h"
#include "core/id.h"
#include "core/slice.h"
#include "platform/db/db.h"

/* With this browser from this network (of IPv4 the /24, of IPv6 the /48: addresses change by themselves). In
 * a transaction of tenant_platform; `address` is an address's text, or empty. */
MUST_CHECK enum err session_place_is_known(struct db_tx *tx, struct id person, struct slice address,
                                           struct slice user_agent, bool *out);

#endif
