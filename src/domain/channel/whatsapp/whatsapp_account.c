#include "domain/channel/whatsapp/whatsapp_account.h"
#include "domain/channel/whatsapp/whatsapp_json_internal.h"
#include "wire/json/json.h"

#define DISPLAY_NUMBER_MAX 32u

struct account_reader {
    struct whatsapp_reader reader;
    const json_t *value;
    struct buf details;
};

/* A copy in lower case; NULL ptr when the member is missing, empty or too long. */
static struct slice
word_of(struct account_reader *account, const json_t *object, const char *member)
{
    struct slice given = whatsapp_json_text(&account->reader, object, member, WHATSAPP_WORD_MAX);
    char *copy = given.len == 0 ? NULL : arena_alloc(account->reader.arena, given.len);

    if (given.len > 0 && copy == NULL)
        account->reader.has_run_out = true;
    for (size_t i = 0; copy != NULL && i < given.len; i++)
        copy[i] =
            (char)(given.ptr[i] >= 'A' && given.ptr[i] <= 'Z' ? given.ptr[i] + 'a' - 'A' : given.ptr[i]);
    return copy == NULL ? SLICE_EMPTY : slice_of(copy, given.len);
}

static struct slice
kept(struct whatsapp_reader *reader, struct slice text)
{
    struct slice copy = text.len == 0 ? SLICE_EMPTY : arena_copy(reader->arena, text);

    reader->has_run_out |= text.len > 0 && copy.ptr == NULL;
    return copy;
}

static struct slice
text_of(struct account_reader *account, const char *member)
{
    return kept(&account->reader,
                whatsapp_text_cut(json_text_of(account->value, member), WHATSAPP_ACCOUNT_NAME_MAX));
}

/* ",\"violation\":\"adult\""; a word that was not said is left out. */
static void
detail_add(struct account_reader *account, const char *name, struct slice text)
{
    if (text.ptr == NULL)
        return;
    buf_add_format(&account->details, ",\"%s\":", name);
    json_add_string(&account->details, text);
}

static void
detail_add_number(struct account_reader *account, const char *member)
{
    int64_t number = 0;

    if (!whatsapp_json_int(account->value, member, &number))
        return;
    buf_add_format(&account->details, ",\"%s\":", member);
    buf_add_i64(&account->details, number);
}

/* The digits alone: WhatsApp writes numbers with and without a plus sign. */
static struct slice
digits_of(struct account_reader *account, const char *member)
{
    struct slice given = whatsapp_json_text(&account->reader, account->value, member, DISPLAY_NUMBER_MAX);
    char *digits = given.len == 0 ? NULL : arena_alloc(account->reader.arena, given.len);
    size_t len = 0;

    if (given.len > 0 && digits == NULL)
        account->reader.has_run_out = true;
    for (size_t i = 0; digits != NULL && i < given.len; i++)
        if (given.ptr[i] >= '0' && given.ptr[i] <= '9')
            digits[len++] = given.ptr[i];
    return len == 0 ? SLICE_EMPTY : slice_of(digits, len);
}

/* "tier_2k", also where WhatsApp gives the number of people. */
static struct slice
limit_of(struct account_reader *account, const char *member)
{
    static const struct {
        int64_t people;
        struct slice tier;
    } tiers[] = { { -1, { "tier_unlimited", 14 } }, { 50, { "tier_50", 7 } },   { 250, { "tier_250", 8 } },
                  { 1000, { "tier_1k", 7 } },       { 2000, { "tier_2k", 7 } }, { 10000, { "tier_10k", 8 } },
                  { 100000, { "tier_100k", 9 } } };
    int64_t people = 0;

    if (whatsapp_json_int(account->value, member, &people))
        for (size_t i = 0; i < COUNT_OF(tiers); i++)
            if (tiers[i].people == people)
                return tiers[i].tier;
    return word_of(account, account->value, member);
}

static void
quality_read(struct account_reader *account, struct whatsapp_account_notice *out)
{
    out->kind = WHATSAPP_ACCOUNT_QUALITY;
    out->notice = word_of(account, account->value, "event");
    out->messaging_limit = limit_of(account, "current_limit");
    if (out->messaging_limit.ptr == NULL)
        out->messaging_limit = limit_of(account, "max_daily_conversations_per_business");
    if (slice_eq(out->notice, SLICE("throughput_upgrade")))
        out->throughput = SLICE("high");
    detail_add(account, "notice", out->notice);
}

static void
capability_read(struct account_reader *account, struct whatsapp_account_notice *out)
{
    out->kind = WHATSAPP_ACCOUNT_QUALITY;
    out->notice = SLICE("capability_update");
    out->messaging_limit = limit_of(account, "max_daily_conversations_per_business");
    if (out->messaging_limit.ptr == NULL)
        out->messaging_limit = limit_of(account, "max_daily_conversation_per_phone"); /* before 2026 */
    detail_add(account, "notice", out->notice);
    detail_add_number(account, "max_phone_numbers_per_business");
    detail_add_number(account, "max_phone_numbers_per_waba");
}

static void
name_read(struct account_reader *account, struct whatsapp_account_notice *out)
{
    out->kind = WHATSAPP_ACCOUNT_NAME;
    out->decision = word_of(account, account->value, "decision");
    out->requested_name = text_of(account, "requested_verified_name");
    detail_add(account, "decision", out->decision);
    detail_add(account, "requested_name", out->requested_name);
    detail_add(account, "rejection_reason", text_of(account, "rejection_reason"));
}

/* [{"type", "until"?}]: whether one of them keeps messages from leaving. */
static bool
restrictions_read(struct account_reader *account, const json_t *list)
{
    bool stops_messages = false;

    buf_add_text(&account->details, ",\"restrictions\":[");
    for (size_t i = 0; i < json_array_size(list) && i < WHATSAPP_ACCOUNT_RESTRICTIONS_MAX; i++) {
        const json_t *one = json_array_get(list, i);
        struct slice type = word_of(account, one, "restriction_type");
        char at[WALL_TEXT_BYTES];
        struct wall_time until;
        stops_messages |= slice_eq(type, SLICE("restricted_biz_initiated_messaging")) ||
                          slice_eq(type, SLICE("restricted_customer_initiated_messaging"));
        buf_add_text(&account->details, i == 0 ? "{\"type\":" : ",{\"type\":");
        json_add_string(&account->details, type.ptr == NULL ? SLICE("unknown") : type);
        if (whatsapp_json_time(one, "expiration", &until)) {
            buf_add_text(&account->details, ",\"until\":");
            json_add_string(&account->details, wall_print(until, at));
        }
        buf_add_byte(&account->details, '}');
    }
    buf_add_byte(&account->details, ']');
    return stops_messages;
}

static void
effect_set(struct whatsapp_account_notice *out, enum whatsapp_account_effect effect, const char *reason)
{
    out->effect = effect;
    out->reason = reason;
}

static void
update_read(struct account_reader *account, struct whatsapp_account_notice *out)
{
    static const struct {
        struct slice event;
        const char *reason;
    } ends[] = { { { "account_deleted", 15 }, "WhatsApp deleted the account." },
                 { { "account_offboarded", 18 }, "The number has left the platform." },
                 { { "partner_removed", 15 }, "The account was disconnected from the app." } };
    const json_t *ban = json_member(account->value, "ban_info");
    struct slice ban_state = word_of(account, ban, "waba_ban_state");

    out->notice = word_of(account, account->value, "event");
    detail_add(account, "notice", out->notice);
    detail_add(account, "violation",
               word_of(account, json_member(account->value, "violation_info"), "violation_type"));
    detail_add(account, "ban_state", ban_state);
    for (size_t i = 0; i < COUNT_OF(ends); i++)
        if (slice_eq(out->notice, ends[i].event))
            effect_set(out, WHATSAPP_ACCOUNT_BREAKS, ends[i].reason);
    if (slice_eq(ban_state, SLICE("disable")))
        effect_set(out, WHATSAPP_ACCOUNT_BREAKS, "WhatsApp disabled the account.");
    const json_t *restrictions = json_member(account->value, "restriction_info");
    if (json_is_array(restrictions) && restrictions_read(account, restrictions))
        effect_set(out, WHATSAPP_ACCOUNT_PAUSES, "WhatsApp restricted the account's messages.");
}

static void
alert_read(struct account_reader *account, struct whatsapp_account_notice *out)
{
    const json_t *alert = json_member(account->value, "alert_info");

    out->notice = word_of(account, alert, "alert_type");
    detail_add(account, "notice", out->notice);
    detail_add(account, "severity", word_of(account, alert, "alert_severity"));
    detail_add(account, "alert_status", word_of(account, alert, "alert_status"));
    detail_add(account, "entity_type", word_of(account, account->value, "entity_type"));
}

static void
review_read(struct account_reader *account, struct whatsapp_account_notice *out)
{
    out->decision = word_of(account, account->value, "decision");
    out->notice = SLICE("account_review");
    detail_add(account, "notice", out->notice);
    detail_add(account, "decision", out->decision);
}

static void
security_read(struct account_reader *account, struct whatsapp_account_notice *out)
{
    out->kind = WHATSAPP_ACCOUNT_SECURITY;
    out->notice = word_of(account, account->value, "event");
    detail_add(account, "notice", out->notice);
}

static const struct {
    struct slice field;
    void (*read)(struct account_reader *account, struct whatsapp_account_notice *out);
} readers[] = {
    { { "phone_number_quality_update", 27 }, quality_read },
    { { "business_capability_update", 26 }, capability_read },
    { { "phone_number_name_update", 24 }, name_read },
    { { "account_update", 14 }, update_read },
    { { "account_alerts", 14 }, alert_read },
    { { "account_review_update", 21 }, review_read },
    { { "security", 8 }, security_read },
};

enum err
whatsapp_account_read(const struct whatsapp_event *event, struct arena *arena,
                      struct whatsapp_account_notice *out)
{
    struct account_reader account = { .reader = { .arena = arena }, .value = event->raw };

    if (slice_starts_with(event->field, SLICE("message_template_")) ||
        slice_starts_with(event->field, SLICE("template_")) ||
        slice_eq(event->field, SLICE("user_preferences")))
        return ERR_NOTHING;
    *out = (struct whatsapp_account_notice){ .kind = WHATSAPP_ACCOUNT_OTHER };
    buf_init(&account.details, WHATSAPP_ACCOUNT_DETAILS_MAX);
    out->number = digits_of(&account, "display_phone_number");
    if (out->number.ptr == NULL)
        out->number = digits_of(&account, "phone_number");
    for (size_t i = 0; i < COUNT_OF(readers); i++)
        if (slice_eq(event->field, readers[i].field)) {
            out->kind = WHATSAPP_ACCOUNT_STANDING; /* unless the reader says otherwise */
            readers[i].read(&account, out);
        }
    enum err err = buf_done(&account.details);
    if (err == ERR_OK)
        out->details = arena_copy(arena, buf_slice(&account.details));
    if (err != ERR_OK || out->details.ptr == NULL || account.reader.has_run_out)
        err = ERR_NO_MEMORY;
    buf_release(&account.details);
    return err;
}

/* A number in E.164 has at most 15 digits and no 0 in front. */
static struct slice
peer_of(struct whatsapp_reader *reader, const json_t *entry)
{
    struct slice wa_id = whatsapp_json_text(reader, entry, "wa_id", WHATSAPP_ID_MAX);
    bool is_number = wa_id.len >= 7 && wa_id.len <= 15 && wa_id.ptr[0] != '0';

    for (size_t i = 0; is_number && i < wa_id.len; i++)
        is_number = wa_id.ptr[i] >= '0' && wa_id.ptr[i] <= '9';
    if (!is_number) {
        struct slice user_id = whatsapp_json_text(reader, entry, "user_id", WHATSAPP_ID_MAX);
        return kept(reader, user_id.len > 0 ? user_id : wa_id);
    }
    struct slice peer = arena_format(reader->arena, "+%.*s", SLICE_FMT(wa_id));
    reader->has_run_out |= peer.ptr == NULL;
    return peer;
}

enum err
whatsapp_preferences_read(const struct whatsapp_event *event, struct arena *arena,
                          struct whatsapp_preference **out, size_t *count_out)
{
    struct account_reader account = { .reader = { .arena = arena } };
    const json_t *list = json_member(event->raw, "user_preferences");
    size_t count = json_array_size(list);
    struct whatsapp_preference *all = NULL;

    *count_out = 0;
    if (!slice_eq(event->field, SLICE("user_preferences")))
        return ERR_NOTHING;
    if (count > WHATSAPP_EVENTS_MAX)
        return ERR_LIMIT;
    all = arena_array(arena, count, sizeof(*all));
    if (all == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const json_t *entry = json_array_get(list, i);
        struct whatsapp_preference *one = &all[*count_out];
        *one = (struct whatsapp_preference){ .peer = peer_of(&account.reader, entry),
                                             .category = word_of(&account, entry, "category"),
                                             .value = word_of(&account, entry, "value") };
        one->has_time = whatsapp_json_time(entry, "timestamp", &one->time);
        if (one->peer.len > 0 && one->value.len > 0)
            ++*count_out;
    }
    *out = all;
    return account.reader.has_run_out ? ERR_NO_MEMORY : ERR_OK;
}
