#include "domain/channel/whatsapp/whatsapp_send.h"
#include "domain/channel/whatsapp/whatsapp_content.h"
#include "wire/json/json.h"

#define VERSION_PART_MAX    4u
#define PHONE_NUMBER_ID_MAX 32u
#define USER_ID_MAX         128u /* after the country */
#define GROUP_ID_MAX        200u /* ours; those seen have about 70 */
#define IDENTITY_MAX        256u

static size_t
digits_count(struct slice s)
{
    size_t n = 0;

    while (n < s.len && s.ptr[n] >= '0' && s.ptr[n] <= '9')
        n++;
    return n;
}

/* E.164. The plus sign matters: without it WhatsApp puts the sender's own country code in front. */
static bool
is_number(struct slice to)
{
    if (to.len < 8 || to.len > 16 || to.ptr[0] != '+' || to.ptr[1] == '0')
        return false;
    return digits_count(slice_drop(to, 1)) == to.len - 1;
}

/* "US.13491208655302741918", or "US.ENT.506847293015824" across linked portfolios. */
static bool
is_user_id(struct slice to)
{
    if (to.len < 4 || to.ptr[0] < 'A' || to.ptr[0] > 'Z' || to.ptr[1] < 'A' || to.ptr[1] > 'Z' ||
        to.ptr[2] != '.')
        return false;
    struct slice rest = slice_drop(to, 3);
    if (slice_starts_with(rest, SLICE("ENT.")))
        rest = slice_drop(rest, 4);
    if (rest.len == 0 || rest.len > USER_ID_MAX)
        return false;
    for (size_t i = 0; i < rest.len; i++) {
        char c = rest.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')))
            return false;
    }
    return true;
}

/* The id of a group behind our prefix; empty when `to` is no group. */
static struct slice
group_of(struct slice to)
{
    struct slice prefix = SLICE("group:"), marks = SLICE("+/=_.@-");

    if (!slice_starts_with(to, prefix))
        return SLICE_EMPTY;
    struct slice id = slice_drop(to, prefix.len);
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
              slice_find(marks, c) < marks.len))
            return SLICE_EMPTY;
    }
    return id.len > GROUP_ID_MAX ? SLICE_EMPTY : id;
}

static void
add_member(struct buf *out, const char *name, struct slice value)
{
    buf_add_text(out, ",\"");
    buf_add_text(out, name);
    buf_add_text(out, "\":");
    json_add_string(out, value);
}

/* The reaction's own message_id is ours; WhatsApp wants its own. */
static void
add_reaction(struct buf *out, const json_t *reaction, struct slice provider_id)
{
    buf_add_text(out, ",\"reaction\":{\"message_id\":");
    json_add_string(out, provider_id);
    add_member(out, "emoji", json_text_of(reaction, "emoji"));
    buf_add_text(out, "}");
}

enum err
whatsapp_send_print(const struct whatsapp_send *send, struct buf *out)
{
    const char *type = whatsapp_content_type_word(send->content);
    const json_t *object = type == NULL ? NULL : json_member(send->content, type);
    bool is_reaction = type != NULL && !whatsapp_content_may_quote(send->content);

    struct slice group = group_of(send->to);
    struct slice identity = json_text_of(send->content, "recipient_identity_key_hash");

    if (group.len == 0 && !is_number(send->to) && !is_user_id(send->to))
        return ERR_RECIPIENT_INVALID;
    if (object == NULL || (is_reaction && send->refers_to.len == 0))
        return ERR_MESSAGE_INVALID;
    buf_add_text(out, "{\"messaging_product\":\"whatsapp\"");
    add_member(out, "recipient_type", group.len > 0 ? SLICE("group") : SLICE("individual"));
    if (group.len > 0)
        add_member(out, "to", group);
    else
        add_member(out, is_number(send->to) ? "to" : "recipient", send->to);
    if (identity.len > 0 && identity.len <= IDENTITY_MAX)
        add_member(out, "recipient_identity_key_hash", identity);
    add_member(out, "type", slice_text(type));
    if (is_reaction) {
        add_reaction(out, object, send->refers_to);
    } else {
        buf_add_text(out, ",\"");
        buf_add_text(out, type);
        buf_add_text(out, "\":");
        enum err err = json_print(object, out);
        if (err != ERR_OK)
            return err;
        if (send->refers_to.len > 0) {
            buf_add_text(out, ",\"context\":{\"message_id\":");
            json_add_string(out, send->refers_to);
            buf_add_text(out, "}");
        }
    }
    if (send->callback_data.len > 0)
        add_member(out, "biz_opaque_callback_data", send->callback_data);
    buf_add_text(out, "}");
    return buf_done(out);
}

/* "v25.0" and nothing that could lead elsewhere in the path. */
static bool
is_version(struct slice version)
{
    if (version.len < 4 || version.ptr[0] != 'v')
        return false;
    struct slice rest = slice_drop(version, 1);
    struct slice major = slice_take_until(&rest, '.');
    return major.len > 0 && major.len <= VERSION_PART_MAX && digits_count(major) == major.len &&
           rest.len > 0 && rest.len <= VERSION_PART_MAX && digits_count(rest) == rest.len;
}

enum err
whatsapp_send_path(struct slice version, struct slice phone_number_id, struct buf *out)
{
    if (!is_version(version) || phone_number_id.len == 0 || phone_number_id.len > PHONE_NUMBER_ID_MAX ||
        digits_count(phone_number_id) != phone_number_id.len)
        return ERR_URL_INVALID;
    buf_add_text(out, "/");
    buf_add(out, version);
    buf_add_text(out, "/");
    buf_add(out, phone_number_id);
    buf_add_text(out, "/messages");
    return buf_done(out);
}
