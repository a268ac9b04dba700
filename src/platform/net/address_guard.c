#include "platform/net/address_guard.h"
#include "core/num.h"
#include <arpa/inet.h>

/* One prefix of a block list: the bytes that `bits` covers, the rest zero. */
struct block {
    unsigned char bytes[4];
    unsigned bits;
};

/*
 * IPv4 that is never the public internet: the IANA special-purpose registry (RFC 6890 and its successors)
 * less what is marked as globally reachable there, with multicast, the reserved class E and the limited
 * broadcast in it.
 */
static const struct block blocked_v4[] = {
    { { 0 }, 8 },             /* this network */
    { { 10 }, 8 },            /* private */
    { { 100, 64 }, 10 },      /* carrier-grade NAT; some clouds answer metadata at 100.100.100.200 */
    { { 127 }, 8 },           /* loopback */
    { { 169, 254 }, 16 },     /* link-local; metadata at 169.254.169.254 */
    { { 172, 16 }, 12 },      /* private */
    { { 192, 0, 0 }, 24 },    /* protocol assignments */
    { { 192, 0, 2 }, 24 },    /* documentation */
    { { 192, 88, 99 }, 24 },  /* 6to4 relays */
    { { 192, 168 }, 16 },     /* private */
    { { 198, 18 }, 15 },      /* benchmarks */
    { { 198, 51, 100 }, 24 }, /* documentation */
    { { 203, 0, 113 }, 24 },  /* documentation */
    { { 224 }, 4 },           /* multicast */
    { { 240 }, 4 },           /* reserved, 255.255.255.255 */
};

/*
 * In IPv6 only 2000::/3 is handed out as global unicast, so everything else is refused: ::, ::1,
 * IPv4-compatible, translated and NAT64 prefixes, 100::/64, 5f00::/16, fc00::/7, fe80::/10, fec0::/10,
 * ff00::/8. Within it:
 */
static const struct block blocked_v6[] = {
    { { 0x20, 0x01, 0x00, 0x00 }, 23 }, /* protocol assignments: Teredo, benchmarks, ORCHID */
    { { 0x20, 0x01, 0x0D, 0xB8 }, 32 }, /* documentation */
    { { 0x20, 0x02 }, 16 },             /* 6to4 */
    { { 0x3F, 0xFF, 0x00 }, 20 },       /* documentation */
};

static bool
prefix_holds(const unsigned char *prefix, unsigned bits, const unsigned char *bytes)
{
    unsigned whole = bits / 8, rest = bits % 8;

    if (memcmp(prefix, bytes, whole) != 0)
        return false;
    return rest == 0 || ((prefix[whole] ^ bytes[whole]) >> (8 - rest)) == 0;
}

/* The bytes of an address with its family, which is 0 for anything but IP. IPv4-mapped IPv6 becomes IPv4. */
static int
address_bytes(const struct sockaddr *address, unsigned char out[static 16])
{
    static const unsigned char mapped[12] = { [10] = 0xFF, [11] = 0xFF };

    memset(out, 0, 16);
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof(in));
        memcpy(out, &in.sin_addr, 4);
        return AF_INET;
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in;
        memcpy(&in, address, sizeof(in));
        memcpy(out, &in.sin6_addr, 16);
        if (memcmp(out, mapped, sizeof(mapped)) != 0)
            return AF_INET6;
        memmove(out, out + sizeof(mapped), 4);
        return AF_INET;
    }
    return 0;
}

static uint16_t
address_port(const struct sockaddr *address)
{
    struct sockaddr_in in; /* the port stands in the same place in both families */

    memcpy(&in, address, sizeof(in));
    return ntohs(in.sin_port);
}

void
address_port_set(struct sockaddr_storage *address, uint16_t port)
{
    struct sockaddr_in in;

    memcpy(&in, address, sizeof(in));
    in.sin_port = htons(port);
    memcpy(address, &in, sizeof(in));
}

bool
address_range_holds(const struct address_range *range, const struct sockaddr *address)
{
    unsigned char bytes[16];

    return address_bytes(address, bytes) == range->family && prefix_holds(range->bytes, range->bits, bytes);
}

enum err
address_parse(struct slice text, struct sockaddr_storage *out)
{
    char copy[ADDRESS_TEXT_BYTES];
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    unsigned char bytes[16];

    if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.ptr, '\0', text.len) != NULL)
        return ERR_NUMBER_SYNTAX;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET6, copy, &v6.sin6_addr) == 1) {
        if (address_bytes((const struct sockaddr *)&v6, bytes) == AF_INET6) {
            memset(out, 0, sizeof(*out));
            memcpy(out, &v6, sizeof(v6));
            return ERR_OK;
        }
        memcpy(&v4.sin_addr, bytes, 4);
    } else if (inet_pton(AF_INET, copy, &v4.sin_addr) !=
               1) { /* not inet_aton: it takes octal and short forms */
        return ERR_NUMBER_SYNTAX;
    }
    memset(out, 0, sizeof(*out));
    memcpy(out, &v4, sizeof(v4));
    return ERR_OK;
}

struct slice
address_print(const struct sockaddr *address, char out[static ADDRESS_TEXT_BYTES])
{
    unsigned char bytes[16];
    int family = address_bytes(address, bytes);

    if (family == 0 || inet_ntop(family, bytes, out, ADDRESS_TEXT_BYTES) == NULL)
        return SLICE_EMPTY;
    return slice_text(out);
}

enum err
address_range_parse(struct slice text, struct address_range *out)
{
    struct slice bits_text = text;
    struct slice address_text = slice_take_until(&bits_text, '/');
    struct sockaddr_storage address;
    struct address_range range = { 0 };
    int bits;

    if (address_parse(address_text, &address) != ERR_OK)
        return ERR_CONFIG;
    range.family = address_bytes((const struct sockaddr *)&address, range.bytes);
    if (range.family == AF_INET && slice_find(address_text, ':') != address_text.len)
        return ERR_CONFIG; /* a mapped address: its prefix length would count other bits */
    int bits_max = range.family == AF_INET ? 32 : 128;
    if (address_text.len == text.len)
        bits = bits_max;
    else if (num_int_parse(bits_text, 0, bits_max, &bits) != ERR_OK)
        return ERR_CONFIG;
    range.bits = (unsigned)bits;
    for (unsigned bit = range.bits; bit < (unsigned)bits_max; bit++)
        if ((range.bytes[bit / 8] & (0x80u >> (bit % 8))) != 0)
            return ERR_CONFIG;
    *out = range;
    return ERR_OK;
}

enum err
address_ranges_parse(struct slice list, struct address_range *out, size_t max, size_t *count_out)
{
    struct slice rest = list;
    size_t count = 0;

    *count_out = 0;
    while (rest.len != 0) {
        struct slice one = slice_trim(slice_take_until(&rest, ','));
        if (count == max)
            return ERR_CONFIG;
        if (one.len == 0 && rest.len == 0 && count == 0)
            break; /* blanks alone: an empty list */
        if (address_range_parse(one, &out[count]) != ERR_OK)
            return ERR_CONFIG;
        count++;
    }
    *count_out = count;
    return ERR_OK;
}

enum err
address_guard_init(struct address_guard *guard, struct slice allow)
{
    memset(guard, 0, sizeof(*guard));
    return address_ranges_parse(allow, guard->allowed, ADDRESS_RANGES_MAX, &guard->allowed_count);
}

bool
address_guard_is_allowed(const struct address_guard *guard, const struct sockaddr *address)
{
    for (size_t i = 0; i < guard->allowed_count; i++)
        if (address_range_holds(&guard->allowed[i], address))
            return true;
    return false;
}

static bool
port_is_permitted(const struct address_guard *guard, uint16_t port)
{
    for (size_t i = 0; i < guard->port_count; i++)
        if (guard->ports[i] == port)
            return true;
    return guard->port_count == 0;
}

static bool
is_public(const struct sockaddr *address)
{
    unsigned char bytes[16];
    int family = address_bytes(address, bytes);
    const struct block *blocks = family == AF_INET ? blocked_v4 : blocked_v6;
    size_t count = family == AF_INET ? COUNT_OF(blocked_v4) : COUNT_OF(blocked_v6);

    if (family == 0 || (family == AF_INET6 && (bytes[0] & 0xE0) != 0x20))
        return false;
    for (size_t i = 0; i < count; i++)
        if (prefix_holds(blocks[i].bytes, blocks[i].bits, bytes))
            return false;
    return true;
}

enum err
address_guard_check(const struct address_guard *guard, const struct sockaddr *address)
{
    if (address_guard_is_allowed(guard, address))
        return ERR_OK;
    return is_public(address) && port_is_permitted(guard, address_port(address)) ? ERR_OK
                                                                                 : ERR_ADDRESS_BLOCKED;
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A last label of digits, or of hex behind 0x, makes the whole a number to some resolvers: no name. */
static bool
label_is_number(struct slice label)
{
    size_t digits = 0;

    if (slice_starts_with(label, SLICE("0x")) || slice_starts_with(label, SLICE("0X")))
        return true;
    while (digits < label.len && is_digit(label.ptr[digits]))
        digits++;
    return digits == label.len;
}

/* RFC 1123 letters, digits and hyphens; at least two labels; an A-label is a label like others. */
static bool
is_dns_name(struct slice name)
{
    struct slice rest = name, label = SLICE_EMPTY;
    size_t labels = 0;

    if (name.len == 0 || name.len > 253 || name.ptr[name.len - 1] == '.')
        return false;
    while (rest.len != 0) {
        label = slice_take_until(&rest, '.');
        if (label.len == 0 || label.len > 63 || label.ptr[0] == '-' || label.ptr[label.len - 1] == '-')
            return false;
        for (size_t i = 0; i < label.len; i++) {
            char c = label.ptr[i];
            if (!is_digit(c) && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '-')
                return false;
        }
        labels++;
    }
    return labels >= 2 && !label_is_number(label);
}

/* A literal in the one form that everybody reads alike: what inet_ntop would write. */
static bool
is_canonical_literal(struct slice host, bool is_bracketed, struct sockaddr_storage *out)
{
    char text[ADDRESS_TEXT_BYTES];

    if (address_parse(host, out) != ERR_OK)
        return false;
    if (is_bracketed != (out->ss_family == AF_INET6)) /* a mapped address in brackets falls out here too */
        return false;
    return slice_eq(address_print((const struct sockaddr *)out, text), host);
}

struct url_parts {
    bool is_https, is_bracketed;
    struct slice host;
    uint16_t port;
};

/* Cuts scheme, host and port off; what follows the authority is only checked for bytes that no URL holds. */
static bool
url_cut(struct slice url, struct url_parts *out)
{
    struct slice rest, port_text;
    int port;

    if (url.len == 0 || url.len > ADDRESS_URL_BYTES_MAX)
        return false;
    for (size_t i = 0; i < url.len; i++)
        if (url.ptr[i] <= 0x20 || url.ptr[i] >= 0x7F || strchr("\\\"<>^`{|}#", url.ptr[i]) != NULL)
            return false;
    out->is_https = slice_eq_nocase(slice_first(url, 8), SLICE("https://"));
    if (!out->is_https && !slice_eq_nocase(slice_first(url, 7), SLICE("http://")))
        return false;
    rest = slice_drop(url, out->is_https ? 8 : 7);
    size_t end = 0;
    while (end < rest.len && rest.ptr[end] != '/' && rest.ptr[end] != '?')
        end++;
    rest = slice_first(rest, end);
    out->is_bracketed = rest.len != 0 && rest.ptr[0] == '[';
    if (out->is_bracketed) {
        rest = slice_drop(rest, 1);
        size_t close = slice_find(rest, ']');
        if (close == rest.len)
            return false;
        out->host = slice_first(rest, close);
        rest = slice_drop(rest, close + 1);
    } else {
        out->host =
            slice_first(rest, slice_find(rest, ':')); /* user info has no fit character set for a host */
        rest = slice_drop(rest, out->host.len);
    }
    out->port = out->is_https ? 443 : 80;
    if (rest.len == 0)
        return true;
    port_text = slice_drop(rest, 1);
    if (rest.ptr[0] != ':' || port_text.len == 0 || port_text.len > 5 || port_text.ptr[0] == '0' ||
        num_int_parse(port_text, 1, 65535, &port) != ERR_OK)
        return false;
    out->port = (uint16_t)port;
    return true;
}

enum err
address_guard_refuse_own(struct address_guard *guard, struct slice url)
{
    struct url_parts parts;

    if (!url_cut(url, &parts) || parts.host.len == 0)
        return ERR_CONFIG;
    guard->own_host = parts.host;
    guard->own_port = parts.port;
    return ERR_OK;
}

static bool
is_own(const struct address_guard *guard, struct slice host)
{
    return guard->own_host.len > 0 && slice_eq_nocase(host, guard->own_host);
}

/* By whole labels, in any case. */
static bool
name_is_refused(const struct address_guard *guard, struct slice host)
{
    for (size_t i = 0; i < guard->refused_count; i++) {
        struct slice name = guard->refused[i];
        if (host.len < name.len || !slice_eq_nocase(slice_drop(host, host.len - name.len), name))
            continue;
        if (host.len == name.len || host.ptr[host.len - name.len - 1] == '.')
            return true;
    }
    return false;
}

enum err
address_guard_check_url(const struct address_guard *guard, struct slice url)
{
    struct url_parts parts;
    struct sockaddr_storage address;

    if (!url_cut(url, &parts))
        return ERR_URL_INVALID;
    if (!is_canonical_literal(parts.host, parts.is_bracketed, &address)) {
        if (parts.is_bracketed || !is_dns_name(parts.host) || !parts.is_https)
            return ERR_URL_INVALID;
        return port_is_permitted(guard, parts.port) && !name_is_refused(guard, parts.host) &&
                       !is_own(guard, parts.host)
                   ? ERR_OK
                   : ERR_ADDRESS_BLOCKED;
    }
    if (is_own(guard, parts.host) && parts.port == guard->own_port)
        return ERR_ADDRESS_BLOCKED;
    if (address_guard_is_allowed(guard, (const struct sockaddr *)&address))
        return ERR_OK;
    if (!parts.is_https)
        return ERR_URL_INVALID;
    return is_public((const struct sockaddr *)&address) && port_is_permitted(guard, parts.port)
               ? ERR_OK
               : ERR_ADDRESS_BLOCKED;
}
