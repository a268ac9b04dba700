#include "platform/net/forwarded.h"

/* An address, or with a port that is dropped: "192.0.2.1:1234", "[2001:db8::1]:1234". */
static enum err
entry_parse(struct slice entry, struct sockaddr_storage *out)
{
    if (entry.len != 0 && entry.ptr[0] == '[') {
        size_t close = slice_find(entry, ']');
        struct slice after = slice_drop(entry, close + 1);
        if (close == entry.len || (after.len != 0 && after.ptr[0] != ':'))
            return ERR_NUMBER_SYNTAX;
        return address_parse(slice_first(slice_drop(entry, 1), close - 1), out);
    }
    size_t colon = slice_find(entry, ':');
    bool has_port =
        colon != entry.len && slice_find(slice_drop(entry, colon + 1), ':') == entry.len - colon - 1;
    return address_parse(has_port ? slice_first(entry, colon) : entry, out);
}

static bool
is_trusted(const struct forwarded_trust *trust, const struct sockaddr *address)
{
    for (size_t i = 0; i < trust->count; i++)
        if (address_range_holds(&trust->ranges[i], address))
            return true;
    return false;
}

struct slice
forwarded_client(const struct forwarded_trust *trust, const struct sockaddr *peer, struct slice list,
                 char out[static ADDRESS_TEXT_BYTES])
{
    struct sockaddr_storage hop;
    const struct sockaddr *client = peer;
    struct slice left = slice_trim(list);

    while (left.len != 0 && (client == NULL || is_trusted(trust, client))) {
        size_t start = left.len; /* of the last entry */
        while (start > 0 && left.ptr[start - 1] != ',')
            start--;
        if (entry_parse(slice_trim(slice_drop(left, start)), &hop) != ERR_OK)
            return SLICE_EMPTY;
        client = (const struct sockaddr *)&hop;
        left = slice_first(left, start == 0 ? 0 : start - 1);
    }
    return client == NULL ? SLICE_EMPTY : address_print(client, out);
}
