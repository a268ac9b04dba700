#include "domain/identity/origin.h"
#include "core/num.h"
#include <stdio.h>

static bool
is_host(struct slice host)
{
    bool has_letter = false;

    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        bool is_letter = c >= 'a' && c <= 'z';
        if (!is_letter && !(c >= '0' && c <= '9') && c != '-' && c != '.')
            return false;
        has_letter = has_letter || is_letter; /* an address of version 4 has none; one of 6 has colons */
    }
    return has_letter && host.len <= 253 && host.ptr[0] != '.' && host.ptr[0] != '-';
}

enum err
origin_read(struct slice setting, struct slice public_url, struct origin *out)
{
    struct slice rest = setting.len != 0 ? setting : public_url, scheme, port = SLICE_EMPTY;
    int number = 0;

    if (slice_starts_with(rest, SLICE("https://")))
        scheme = SLICE("https");
    else if (slice_starts_with(rest, SLICE("http://")))
        scheme = SLICE("http");
    else
        return ERR_CONFIG;
    rest = slice_drop(rest, scheme.len + 3);
    if (setting.len == 0) /* a URL may have a path */
        rest = slice_take_until(&rest, '/');
    struct slice host = rest;
    if (setting.len == 0 && slice_starts_with(rest, SLICE("[::1]"))) {
        port = slice_drop(rest, 5);
        host = SLICE("localhost");
    } else {
        host = slice_first(rest, slice_find(rest, ':'));
        port = slice_drop(rest, host.len);
        if (setting.len == 0 && slice_eq(host, SLICE("127.0.0.1")))
            host = SLICE("localhost");
    }
    if (!is_host(host) || (slice_eq(scheme, SLICE("http")) && !slice_eq(host, SLICE("localhost"))))
        return ERR_CONFIG;
    if (port.len != 0 &&
        (port.ptr[0] != ':' || num_int_parse(slice_drop(port, 1), 1, 65535, &number) != ERR_OK))
        return ERR_CONFIG;
    if (number == (slice_eq(scheme, SLICE("https")) ? 443 : 80)) /* browsers leave it out */
        number = 0;
    int len = number == 0
                  ? snprintf(out->text, sizeof(out->text), "%.*s://%.*s", SLICE_FMT(scheme), SLICE_FMT(host))
                  : snprintf(out->text, sizeof(out->text), "%.*s://%.*s:%d", SLICE_FMT(scheme),
                             SLICE_FMT(host), number);
    if (len < 0 || (size_t)len >= sizeof(out->text))
        return ERR_CONFIG;
    out->whole = slice_of(out->text, (size_t)len);
    out->host = slice_of(out->text + scheme.len + 3, host.len);
    return ERR_OK;
}
