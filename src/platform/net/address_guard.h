/*
 * Which addresses an outgoing connection may use. Public ones only, unless the operator allowed a range:
 * private, loopback, link-local, documentation, benchmarking, multicast, reserved, metadata, and IPv4 inside
 * IPv6 are refused.
 */
#ifndef PLATFORM_NET_ADDRESS_GUARD_H
#define PLATFORM_NET_ADDRESS_GUARD_H
#include "core/err.h"
#include "core/slice.h"
#include <netinet/in.h>
#include <sys/socket.h>

#define ADDRESS_RANGES_MAX    32u
#define ADDRESS_PORTS_MAX     8u
#define ADDRESS_NAMES_MAX     16u
#define ADDRESS_URL_BYTES_MAX 2048u
#define ADDRESS_TEXT_BYTES    INET6_ADDRSTRLEN

struct address_range {
    int family; /* AF_INET or AF_INET6 */
    unsigned char bytes[16];
    unsigned bits;
};

struct address_guard {
    struct address_range allowed[ADDRESS_RANGES_MAX]; /* the operator's, on any port and by plain http */
    size_t allowed_count;
    uint16_t ports[ADDRESS_PORTS_MAX]; /* for public addresses; none listed: any */
    size_t port_count;
    struct slice refused[ADDRESS_NAMES_MAX]; /* host names, with all below them; borrowed */
    size_t refused_count;
    struct slice own_host; /* as a URL writes it, without brackets; empty: none. Borrowed */
    uint16_t own_port;
};

/* `allow` is a comma-separated CIDR list, possibly empty; no ports are listed. ERR_CONFIG when one is not
 * canonical. */
MUST_CHECK enum err address_guard_init(struct address_guard *guard, struct slice allow);
/*
 * Refuses our own public URL, borrowed while the guard is used: a host name whatever the port, a literal
 * address on this port, also where the operator allowed its range. ERR_CONFIG: it is no http or https URL.
 */
MUST_CHECK enum err address_guard_refuse_own(struct address_guard *guard, struct slice url);
/* ERR_OK or ERR_ADDRESS_BLOCKED, by address and port. IPv4-mapped IPv6 is judged as IPv4; other families are
 * refused. */
MUST_CHECK enum err address_guard_check(const struct address_guard *guard, const struct sockaddr *address);
/* Whether it lies in a range the operator allowed. */
bool address_guard_is_allowed(const struct address_guard *guard, const struct sockaddr *address);
/*
 * The rules for a tenant's URL before any name is resolved: https (http only when the host is a literal
 * address that the operator allowed), a host name with a dot or a canonical literal, no user info, no
 * fragment, no backslash, printable ASCII only, a permitted port, at most ADDRESS_URL_BYTES_MAX bytes.
 * ERR_URL_INVALID or ERR_ADDRESS_BLOCKED (literal, port, our own host, or a name that is refused).
 */
MUST_CHECK enum err address_guard_check_url(const struct address_guard *guard, struct slice url);

/* "10.0.0.0/8", "2001:db8::/32": canonical (host bits zero). ERR_CONFIG. A bare address is /32 or /128. */
MUST_CHECK enum err address_range_parse(struct slice text, struct address_range *out);
/* A comma-separated list; blanks around an entry are ignored. ERR_CONFIG: one is not canonical, or more than
 * `max`. */
MUST_CHECK enum err address_ranges_parse(struct slice list, struct address_range *out, size_t max,
                                         size_t *count_out);
bool address_range_holds(const struct address_range *range, const struct sockaddr *address);

/* Text of an address to a sockaddr with port 0, numeric only. IPv4-mapped IPv6 becomes IPv4.
 * ERR_NUMBER_SYNTAX. */
MUST_CHECK enum err address_parse(struct slice text, struct sockaddr_storage *out);
/* For IPv4 and IPv6. */
void address_port_set(struct sockaddr_storage *address, uint16_t port);
/* The address without its port; IPv4-mapped IPv6 as IPv4. Empty for other families. */
struct slice address_print(const struct sockaddr *address, char out[static ADDRESS_TEXT_BYTES]);

#endif
