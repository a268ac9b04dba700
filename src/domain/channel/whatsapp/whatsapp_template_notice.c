#include "domain/channel/whatsapp/whatsapp_template_notice.h"
#include "domain/channel/whatsapp/whatsapp_json_internal.h"
#include "wire/json/json.h"

#define LANGUAGE_MAX 16u

struct notice_reader {
    struct whatsapp_reader reader;
    const json_t *value;
};

static struct slice
text_of(struct notice_reader *notice, const json_t *object, const char *member, size_t bytes_max)
{
    return whatsapp_json_text(&notice->reader, object, member, bytes_max);
}

/* A copy with each byte through `with`. */
static struct slice
mapped(struct notice_reader *notice, struct slice text, char (*with)(char byte))
{
    char *copy = arena_alloc(notice->reader.arena, text.len + 1);

    if (copy == NULL) {
        notice->reader.has_run_out = true;
        return SLICE_EMPTY;
    }
    for (size_t i = 0; i < text.len; i++)
        copy[i] = with(text.ptr[i]);
    return slice_of(copy, text.len);
}

static char
lower(char byte)
{
    return (char)(byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte);
}

static char
underscored(char byte)
{
    return (char)(byte == '-' ? '_' : byte);
}

/* "NONE" is WhatsApp's word for no reason; then a pause says in its title which one it is. */
static struct slice
reason_of(struct notice_reader *notice)
{
    const json_t *other = json_member(notice->value, "other_info");
    struct slice reason = text_of(notice, notice->value, "reason", WHATSAPP_WORD_MAX);

    if (reason.len == 0 || slice_eq_nocase(reason, SLICE("NONE")))
        reason = text_of(notice, other, "title", WHATSAPP_WORD_MAX);
    return mapped(notice, reason, lower);
}

static struct slice
detail_of(struct notice_reader *notice)
{
    const json_t *rejection = json_member(notice->value, "rejection_info");
    struct slice what = json_text_of(rejection, "reason"), advice = json_text_of(rejection, "recommendation");
    struct slice other = json_text_of(json_member(notice->value, "other_info"), "description");
    struct slice date =
        text_of(notice, json_member(notice->value, "disable_info"), "disable_date", WHATSAPP_WORD_MAX);
    struct slice detail = other;

    what = whatsapp_text_cut(what, WHATSAPP_TEMPLATE_DETAIL_MAX);
    advice = whatsapp_text_cut(advice, WHATSAPP_TEMPLATE_DETAIL_MAX);
    if (what.len > 0 && advice.len > 0)
        detail = arena_format(notice->reader.arena, "%.*s %.*s", SLICE_FMT(what), SLICE_FMT(advice));
    else if (what.len + advice.len > 0)
        detail = what.len > 0 ? what : advice;
    else if (other.len == 0 && date.len > 0)
        detail = arena_format(notice->reader.arena, "disable_date %.*s", SLICE_FMT(date));
    if (detail.ptr == NULL && (what.len > 0 || date.len > 0))
        notice->reader.has_run_out = true;
    return whatsapp_text_cut(detail, WHATSAPP_TEMPLATE_DETAIL_MAX);
}

enum err
whatsapp_template_notice_read(const struct whatsapp_event *event, struct arena *arena,
                              struct whatsapp_template_notice *out)
{
    struct notice_reader notice = { .reader = { .arena = arena }, .value = event->raw };
    bool is_status = slice_eq(event->field, SLICE("message_template_status_update"));

    if (event->kind != WHATSAPP_EVENT_NOTICE)
        return ERR_NOTHING;
    *out = (struct whatsapp_template_notice){
        .template_id = text_of(&notice, event->raw, "message_template_id", WHATSAPP_WORD_MAX),
        .name = text_of(&notice, event->raw, "message_template_name", WHATSAPP_TEMPLATE_NAME_MAX),
        .quality = text_of(&notice, event->raw, "new_quality_score", WHATSAPP_WORD_MAX),
    };
    out->language =
        mapped(&notice, text_of(&notice, event->raw, "message_template_language", LANGUAGE_MAX), underscored);
    if (notice.reader.has_run_out)
        return ERR_NO_MEMORY;
    if (out->name.len == 0 || out->language.len == 0)
        return ERR_NOTHING;
    /* One of Meta's own samples brings a quality under the field of the status. */
    if (slice_eq(event->field, SLICE("message_template_quality_update")) ||
        (is_status && out->quality.len > 0)) {
        out->kind = WHATSAPP_TEMPLATE_QUALITY;
    } else if (is_status) {
        out->kind = WHATSAPP_TEMPLATE_STATUS;
        out->event = text_of(&notice, event->raw, "event", WHATSAPP_WORD_MAX);
        out->reason = reason_of(&notice);
        out->detail = detail_of(&notice);
    } else if (slice_eq(event->field, SLICE("message_template_components_update"))) {
        out->kind = WHATSAPP_TEMPLATE_COMPONENTS;
    } else if (slice_eq(event->field, SLICE("template_category_update"))) {
        out->kind = WHATSAPP_TEMPLATE_CATEGORY;
        out->new_category = text_of(&notice, event->raw, "new_category", WHATSAPP_WORD_MAX);
        out->correct_category = text_of(&notice, event->raw, "correct_category", WHATSAPP_WORD_MAX);
        out->has_change_at = whatsapp_json_time(event->raw, "category_update_timestamp", &out->change_at);
    } else {
        return ERR_NOTHING;
    }
    return notice.reader.has_run_out ? ERR_NO_MEMORY : ERR_OK;
}
