/* Which addresses tenants' webhooks may name and reach: the rules of platform/net/address_guard.h, on the
 * web's ports. */
#ifndef DOMAIN_WEBHOOK_WEBHOOK_ADDRESS_H
#define DOMAIN_WEBHOOK_WEBHOOK_ADDRESS_H
#include "platform/net/address_guard.h"

/*
 * Public addresses on these ports ("443,8443"); in the operator's ranges (a CIDR list, may be empty) any
 * port, also by http. Names in `refuse` (a list, may be empty; borrowed while the guard is used) and all
 * below them are refused, and the host of public_url, our own (borrowed too). ERR_CONFIG.
 */
MUST_CHECK enum err webhook_guard_init(struct address_guard *guard, struct slice allow, struct slice ports,
                                       struct slice refuse, struct slice public_url);

#endif
