/*
 * Who asks, behind proxies: X-Forwarded-For, in which each proxy appends the address that it saw. It is
 * believed from the right, and only as far as trusted proxies wrote it: the first address from the right that
 * is not one of theirs is the client. What stands left of it anybody may have made up.
 */
#ifndef PLATFORM_NET_FORWARDED_H
#define PLATFORM_NET_FORWARDED_H
#include "core/slice.h"
#include "platform/net/address_guard.h"

struct forwarded_trust {
    struct address_range ranges[ADDRESS_RANGES_MAX];
    size_t count;
};

/*
 * `peer` is the socket's peer; NULL stands for a unix socket, which is always trusted. `list` is the field's
 * value, several lines joined by commas; empty when it was not sent. The text of the client's address is
 * written to `out`: empty when nobody told it, or when a trusted proxy passed on something that is no address
 * (so that no allow-list can match it).
 */
struct slice forwarded_client(const struct forwarded_trust *trust, const struct sockaddr *peer,
                              struct slice list, char out[static ADDRESS_TEXT_BYTES]);

#endif
