/* Which addresses tenants' webhooks may name and reach: the rules of platform/net/address_guard.h, on the
 * web's ports. */
#ifndef DOMAIN_WEBHOOK_WEBHOOK_ADDRESS_H
#define DOMAIN_WEBHOOK_WEBHOOK_ADDRESS_H
#include "platform/net/address_guard.h"

/* Public addresses on 443 and 8443; in the operator's ranges (a CIDR list, may be empty) any port, also by
 * http. */
MUST_CHECK enum err webhook_guard_init(struct address_guard *guard, struct slice allow);

#endif
