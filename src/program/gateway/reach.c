#include "program/gateway/reach.h"
#include "core/buf.h"
#include "program/gateway/act.h"
#include "program/gateway/gateway.h"
#include "program/gateway/mask.h"

static const struct principal *
principal_of(const struct http_request *request)
{
    return request->principal;
}

bool
reach_has_channel(const struct http_request *request, struct id channel)
{
    const struct principal *principal = principal_of(request);

    if (!principal->is_channel_limited)
        return true;
    for (size_t i = 0; i < principal->channel_count; i++)
        if (id_eq(principal->channels[i], channel))
            return true;
    return false;
}

enum err
reach_check_channel(const struct http_request *request, struct id channel)
{
    return reach_has_channel(request, channel) ? ERR_OK : ERR_NOT_FOUND;
}

enum err
reach_check_workspace(const struct http_request *request)
{
    return principal_of(request)->is_channel_limited ? ERR_CHANNEL_LIMITED : ERR_OK;
}

const struct id *
reach_channels(const struct http_request *request, size_t *count_out)
{
    static const struct id none[1]; /* limited to no channel at all: a list of none, not no list */
    const struct principal *principal = principal_of(request);

    *count_out = principal->is_channel_limited ? principal->channel_count : 0;
    if (!principal->is_channel_limited)
        return NULL;
    return principal->channel_count == 0 ? none : principal->channels;
}

json_t *
reach_show_channels(const struct http_request *request, const struct id *channels, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        if (reach_has_channel(request, channels[i]))
            show_append(&list, show_id(ID_CHANNEL, channels[i]));
    return list;
}

struct message_by
reach_asker(const struct http_request *request)
{
    const struct principal *principal = principal_of(request);

    return (struct message_by){ .is_person = principal->kind == PRINCIPAL_PERSON, .id = principal->actor };
}

bool
reach_reveals(const struct http_request *request)
{
    /* Whoever looks again, and has the numbers already, may ask without them: it is no showing of numbers
     * then. */
    return principal_may(principal_of(request), API_SCOPE_CONTACT_IDENTITY_REVEAL) &&
           !slice_eq(http_query(request, "reveal"), SLICE("false"));
}

enum err
reach_reveal_begin(struct http_request *request, enum id_kind kind, struct audit_act *out)
{
    return reach_reveals(request)
               ? act_begin(request, AUDIT_IDENTITY_REVEALED, kind, (struct id){ { 0 } }, out)
               : ERR_OK;
}

/* One of them is the object; of several, {"shown": ["msg_...", ...]}. */
enum err
reach_reveal_write(struct db_tx *tx, struct http_request *request, struct audit_act *act,
                   const struct id *ids, size_t count)
{
    const struct clock *clock = gateway_worker_of(request)->gateway->clock;
    char id[ID_TEXT_BYTES];
    struct buf detail;

    if (!reach_reveals(request) || count == 0)
        return ERR_OK;
    if (count == 1) {
        act->object = ids[0];
        return audit_append(tx, clock, act);
    }
    buf_init(&detail, AUDIT_DETAIL_BYTES_MAX);
    buf_add_text(&detail, "{\"shown\":[");
    for (size_t i = 0; i < count; i++)
        buf_add_format(&detail, "%s\"%.*s\"", i == 0 ? "" : ",",
                       SLICE_FMT(id_print(act->object_kind, ids[i], id)));
    buf_add_text(&detail, "]}");
    enum err err = buf_done(&detail);
    act->detail = buf_slice(&detail);
    if (err == ERR_OK)
        err = audit_append(tx, clock, act);
    act->detail = SLICE_EMPTY;
    buf_release(&detail);
    return err;
}

struct slice
reach_address(const struct http_request *request, struct arena *arena, struct slice address)
{
    return reach_reveals(request) ? address : mask_address(arena, address);
}

struct slice
reach_text(const struct http_request *request, struct arena *arena, struct slice text)
{
    return reach_reveals(request) ? text : mask_text(arena, text);
}

enum err
reach_content(const struct http_request *request, struct arena *arena, json_t *content)
{
    return reach_reveals(request) ? ERR_OK : mask_content(arena, content);
}

json_t *
reach_strings(const struct http_request *request, struct arena *arena, json_t *value)
{
    if (value == NULL || reach_reveals(request) || mask_strings(arena, value) == ERR_OK)
        return value;
    json_decref(value);
    return NULL;
}
