#include "platform/os/role_settings.h"
#include "core/num.h"
#include "platform/ipc/link.h"

#define HEAD_BYTES (1u + 2u + ID_BYTES + 1u)

void
role_settings_print(struct buf *frame, const struct role_settings *settings)
{
    buf_add_byte(frame, LINK_SETTINGS);
    buf_add_u16be(frame, settings->index);
    buf_add(frame, slice_of(settings->instance.bytes, ID_BYTES));
    buf_add_byte(frame, (char)settings->port_count);
    for (size_t i = 0; i < settings->port_count; i++)
        buf_add_u16be(frame, settings->ports[i]);
    buf_add_u16be(frame, (uint16_t)settings->ca_file.len);
    buf_add(frame, settings->ca_file);
    buf_add_u16be(frame, (uint16_t)settings->redis_password.len);
    buf_add(frame, settings->redis_password);
    buf_add_u16be(frame, (uint16_t)settings->mail_password.len);
    buf_add(frame, settings->mail_password);
    buf_add(frame, settings->conninfo);
}

/* Two octets that count, and what they count, without a NUL. */
static bool
piece_take(struct slice *rest, size_t max, struct slice *out)
{
    size_t len = rest->len < 2 ? 0 : num_u16be_get(rest->ptr);

    if (rest->len < 2 || len > max || len > rest->len - 2)
        return false;
    *out = slice_first(slice_drop(*rest, 2), len);
    *rest = slice_drop(*rest, 2 + len);
    return slice_find(*out, '\0') == out->len;
}

enum err
role_settings_parse(struct slice frame, struct role_settings *out)
{
    if (frame.len < HEAD_BYTES || frame.ptr[0] != LINK_SETTINGS)
        return ERR_FRAME;
    struct slice rest = slice_drop(frame, HEAD_BYTES);
    *out = (struct role_settings){ .index = num_u16be_get(frame.ptr + 1),
                                   .port_count = (unsigned char)frame.ptr[HEAD_BYTES - 1] };
    memcpy(out->instance.bytes, frame.ptr + 3, ID_BYTES);
    if (out->port_count > ROLE_DATABASE_PORTS_MAX || rest.len < 2 * out->port_count)
        return ERR_FRAME;
    for (size_t i = 0; i < out->port_count; i++)
        out->ports[i] = num_u16be_get(rest.ptr + 2 * i);
    rest = slice_drop(rest, 2 * out->port_count);
    if (!piece_take(&rest, ROLE_PATH_BYTES_MAX, &out->ca_file) ||
        !piece_take(&rest, ROLE_PASSWORD_BYTES_MAX, &out->redis_password) ||
        !piece_take(&rest, ROLE_PASSWORD_BYTES_MAX, &out->mail_password) ||
        rest.len > ROLE_CONNINFO_BYTES_MAX || slice_find(rest, '\0') < rest.len)
        return ERR_FRAME;
    out->conninfo = rest;
    return ERR_OK;
}
