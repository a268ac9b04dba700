#include "platform/os/role_settings.h"
#include "core/num.h"
#include "platform/ipc/link.h"

#define HEAD_BYTES (1u + 2u + 2u + ID_BYTES)

void
role_settings_print(struct buf *frame, const struct role_settings *settings)
{
    buf_add_byte(frame, LINK_SETTINGS);
    buf_add_u16be(frame, settings->index);
    buf_add_u16be(frame, settings->database_port);
    buf_add(frame, slice_of(settings->instance.bytes, ID_BYTES));
    buf_add(frame, settings->conninfo);
}

enum err
role_settings_parse(struct slice frame, struct role_settings *out)
{
    if (frame.len < HEAD_BYTES || frame.ptr[0] != LINK_SETTINGS)
        return ERR_FRAME;
    struct slice conninfo = slice_drop(frame, HEAD_BYTES);
    if (conninfo.len > ROLE_CONNINFO_BYTES_MAX || slice_find(conninfo, '\0') < conninfo.len)
        return ERR_FRAME;
    out->index = num_u16be_get(frame.ptr + 1);
    out->database_port = num_u16be_get(frame.ptr + 3);
    memcpy(out->instance.bytes, frame.ptr + 5, ID_BYTES);
    out->conninfo = conninfo;
    return ERR_OK;
}
