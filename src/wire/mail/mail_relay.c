#include "wire/mail/mail_relay.h"
#include "core/num.h"
#include <string.h>

static bool
is_of(struct slice text, const char *marks)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c != '\0' && strchr(marks, c) != NULL)))
            return false;
    }
    return text.len != 0;
}

bool
mail_address_is_plain(struct slice address)
{
    size_t at = slice_find(address, '@');

    if (at == 0 || at + 1 >= address.len || address.len > MAIL_ADDRESS_BYTES_MAX || !slice_is_utf8(address))
        return false;
    for (size_t i = 0; i < address.len; i++) {
        unsigned char c = (unsigned char)address.ptr[i];
        if (c <= ' ' || c == 0x7f || strchr("<>()[]\\,;:\"", c) != NULL || (c == '@' && i != at))
            return false;
    }
    return true;
}

/* Of "host[:port]" the host; false: not such a thing. IPv6 stands in brackets. */
static bool
host_split(struct slice rest, struct slice *host)
{
    bool is_bracketed = slice_starts_with(rest, SLICE("["));
    size_t end = is_bracketed ? slice_find(rest, ']') : slice_find(rest, ':');
    struct slice port = slice_drop(rest, end < rest.len ? end + is_bracketed : rest.len);
    int64_t number = 0;

    *host = is_bracketed ? slice_drop(slice_first(rest, end), 1) : slice_first(rest, end);
    if (is_bracketed && end == rest.len)
        return false;
    if (port.len != 0 && (port.ptr[0] != ':' || num_i64_parse(slice_drop(port, 1), &number) != ERR_OK ||
                          number < 1 || number > 65535))
        return false;
    return is_of(*host, is_bracketed ? ":." : "-.");
}

enum err
mail_relay_read(struct slice text, struct mail_relay *out)
{
    static const struct slice loopbacks[] = { { "localhost", 9 }, { "127.0.0.1", 9 }, { "::1", 3 } };
    bool is_tls = slice_starts_with(text, SLICE("smtps://"));
    struct slice rest = slice_drop(text, is_tls ? 8 : text.len < 7 ? text.len : 7), host;

    *out = (struct mail_relay){ .is_plain = false };
    if ((!is_tls && !slice_starts_with(text, SLICE("smtp://"))) || text.len >= sizeof(out->url) ||
        !host_split(rest, &host))
        return ERR_CONFIG;
    for (size_t i = 0; i < COUNT_OF(loopbacks); i++)
        out->is_plain |= !is_tls && slice_eq(host, loopbacks[i]);
    memcpy(out->url, text.ptr, text.len);
    return ERR_OK;
}

enum err
mailbox_read(struct slice text, struct mailbox *out)
{
    text = slice_trim(text);
    size_t open = slice_find(text, '<');

    *out = (struct mailbox){ .address = text };
    if (open < text.len && slice_ends_with(text, SLICE(">"))) {
        out->name = slice_trim(slice_first(text, open));
        out->address = slice_drop(slice_first(text, text.len - 1), open + 1);
    }
    for (size_t i = 0; i < out->name.len; i++)
        if ((unsigned char)out->name.ptr[i] < ' ' || out->name.ptr[i] == 0x7f)
            return ERR_CONFIG;
    return out->name.len <= 100 && slice_is_utf8(out->name) && mail_address_is_plain(out->address)
               ? ERR_OK
               : ERR_CONFIG;
}
