/* Which buttons a template may have: how many of each kind, in which order, and with which members. */
#include "domain/template/template_check_internal.h"

enum button {
    BUTTON_QUICK_REPLY,
    BUTTON_URL,
    BUTTON_PHONE_NUMBER,
    BUTTON_COPY_CODE,
    BUTTON_MPM,
    BUTTON_SPM,
    BUTTON_CATALOG,
    BUTTON_FLOW,
    BUTTON_ORDER_DETAILS,
    BUTTON_VOICE_CALL,
    BUTTON_CALL_PERMISSION,
    BUTTON_CONTACT_INFO,
    BUTTON_OTP,
    BUTTON_NONE,
};

static const struct {
    const char *word;
    size_t count_max;
    bool needs_text; /* for the others WhatsApp has a text of its own */
} kinds[] = {
    [BUTTON_QUICK_REPLY] = { "QUICK_REPLY", TEMPLATE_BUTTONS_MAX, true },
    [BUTTON_URL] = { "URL", 2, true },
    [BUTTON_PHONE_NUMBER] = { "PHONE_NUMBER", 1, true },
    [BUTTON_COPY_CODE] = { "COPY_CODE", 1, false },
    [BUTTON_MPM] = { "MPM", 1, false },
    [BUTTON_SPM] = { "SPM", 1, false },
    [BUTTON_CATALOG] = { "CATALOG", 1, false },
    [BUTTON_FLOW] = { "FLOW", 1, true },
    [BUTTON_ORDER_DETAILS] = { "ORDER_DETAILS", 1, false },
    [BUTTON_VOICE_CALL] = { "VOICE_CALL", 1, false },
    [BUTTON_CALL_PERMISSION] = { "CALL_PERMISSION_REQUEST", 1, false },
    [BUTTON_CONTACT_INFO] = { "REQUEST_CONTACT_INFO", 1, false },
    [BUTTON_OTP] = { "OTP", 1, false },
};

static enum button
kind_of(const json_t *button)
{
    for (unsigned i = 0; i < COUNT_OF(kinds); i++)
        if (template_word_is(button, "type", kinds[i].word))
            return (enum button)i;
    return BUTTON_NONE;
}

static void
phone_check(struct template_check *check, const json_t *button)
{
    struct slice phone = json_text_of(button, "phone_number");
    size_t digits = 0;

    if (!template_text_check(check, button, "phone_number", TEMPLATE_PHONE_MAX))
        return;
    for (size_t i = 0; i < phone.len; i++) {
        bool is_digit = phone.ptr[i] >= '0' && phone.ptr[i] <= '9';
        digits += is_digit;
        if (!is_digit && !(i == 0 && phone.ptr[i] == '+') &&
            slice_find(SLICE(" -()."), phone.ptr[i]) == sizeof(" -().") - 1) {
            template_fault_at(check, "phone_number", "must be a phone number");
            return;
        }
    }
    if (digits < 3)
        template_fault_at(check, "phone_number", "must be a phone number");
}

/* The example of a code: a text, or a list of one. */
static void
coupon_check(struct template_check *check, const json_t *button, bool has_offer)
{
    const json_t *example = json_member(button, "example");
    size_t max = has_offer ? TEMPLATE_OFFER_COUPON_MAX : TEMPLATE_COUPON_MAX;

    if (json_is_array(example) && json_array_size(example) == 1)
        example = json_array_get(example, 0);
    struct slice text = slice_of(json_string_value(example), json_string_length(example));
    if (!json_is_string(example) || text.len == 0 || slice_utf8_count(text) > max)
        template_fault_at(check, "example", "must be a code of 1 to %zu characters", max);
}

static void
flow_check(struct template_check *check, const json_t *button)
{
    static const char *const sources[] = { "flow_id", "flow_name", "flow_json" };
    size_t source_count = 0;
    bool is_exchange = template_word_is(button, "flow_action", "DATA_EXCHANGE");

    for (size_t i = 0; i < COUNT_OF(sources); i++)
        source_count += json_text_of(button, sources[i]).len > 0;
    if (source_count != 1)
        template_fault(check, "needs one of flow_id, flow_name and flow_json; it has %zu", source_count);
    if (json_member(button, "flow_action") != NULL && !is_exchange &&
        !template_word_is(button, "flow_action", "NAVIGATE"))
        template_fault_at(check, "flow_action", "must be navigate or data_exchange");
    if (is_exchange && json_member(button, "navigate_screen") != NULL)
        template_fault_at(check, "navigate_screen", "goes with flow_action navigate only");
}

static void
button_check(struct template_check *check, enum button kind, const json_t *button,
             struct template_buttons_around around)
{
    static const char *const plain[] = { "type", "text", NULL };
    static const char *const url[] = { "type", "text", "url", "example", NULL };
    static const char *const phone[] = { "type", "text", "phone_number", NULL };
    static const char *const coupon[] = { "type", "text", "example", NULL };
    static const char *const flow[] = { "type",      "text",        "flow_id",         "flow_name",
                                        "flow_json", "flow_action", "navigate_screen", NULL };

    switch (kind) {
    case BUTTON_URL:
        template_members_check(check, button, url);
        template_url_check(check, button);
        break;
    case BUTTON_PHONE_NUMBER:
        template_members_check(check, button, phone);
        phone_check(check, button);
        break;
    case BUTTON_COPY_CODE:
        template_members_check(check, button, coupon);
        coupon_check(check, button, around.has_offer);
        break;
    case BUTTON_FLOW:
        template_members_check(check, button, flow);
        flow_check(check, button);
        break;
    case BUTTON_ORDER_DETAILS:
        template_members_check(check, button, plain);
        if (!check->definition->is_order_details)
            template_fault_at(check, "type", "needs display_format order_details on the template");
        break;
    case BUTTON_SPM:
        template_members_check(check, button, plain);
        if (!around.has_product_header)
            template_fault_at(check, "type", "needs a header of format product");
        break;
    case BUTTON_OTP:
        template_fault_at(check, "type", "is for authentication templates only");
        break;
    case BUTTON_QUICK_REPLY:
    case BUTTON_MPM:
    case BUTTON_CATALOG:
    case BUTTON_VOICE_CALL:
    case BUTTON_CALL_PERMISSION:
    case BUTTON_CONTACT_INFO:
        template_members_check(check, button, plain);
        break;
    case BUTTON_NONE:
        template_fault_at(check, "type", "is not a kind of template button");
        return;
    }
    if (kind != BUTTON_OTP && (kinds[kind].needs_text || json_member(button, "text") != NULL))
        (void)template_text_check(check, button, "text", TEMPLATE_BUTTON_TEXT_MAX);
}

/* A code to copy first, then a link; nothing else. */
static void
offer_order_check(struct template_check *check, const json_t *buttons)
{
    for (size_t i = 0; i < json_array_size(buttons); i++) {
        enum button kind = kind_of(json_array_get(buttons, i));
        size_t before = template_enter_index(check, i);
        if (kind != BUTTON_COPY_CODE && kind != BUTTON_URL)
            template_fault_at(check, "type", "a limited-time offer has COPY_CODE and URL buttons only");
        else if (kind == BUTTON_COPY_CODE && i > 0)
            template_fault_at(check, "type", "the COPY_CODE button of a limited-time offer comes first");
        template_leave(check, before);
    }
}

void
template_buttons_check(struct template_check *check, const json_t *component,
                       struct template_buttons_around around)
{
    const json_t *buttons = json_member(component, "buttons");
    size_t count = json_array_size(buttons), counts[COUNT_OF(kinds) + 1] = { 0 }, reply_groups = 0;
    size_t max = around.place == TEMPLATE_PLACE_CARD ? TEMPLATE_CARD_BUTTONS_MAX : TEMPLATE_BUTTONS_MAX;
    enum button last = BUTTON_NONE;
    static const char *const members[] = { "type", "buttons", NULL };

    template_members_check(check, component, members);
    size_t before = template_enter(check, "buttons");
    if (count < 1 || count > max)
        template_fault(check, "needs 1 to %zu buttons; it has %zu", max, count);
    for (size_t i = 0; i < count && count <= max; i++) {
        const json_t *button = json_array_get(buttons, i);
        enum button kind = kind_of(button);
        size_t before_one = template_enter_index(check, i);
        counts[kind]++;
        if (kind != BUTTON_NONE && counts[kind] == kinds[kind].count_max + 1)
            template_fault_at(check, "type", "a template has at most %zu of %s", kinds[kind].count_max,
                              kinds[kind].word);
        reply_groups += kind == BUTTON_QUICK_REPLY && last != BUTTON_QUICK_REPLY;
        if (kind == BUTTON_QUICK_REPLY && last != BUTTON_QUICK_REPLY && reply_groups == 2)
            template_fault_at(check, "type",
                              "quick replies stand together, before or behind the other buttons");
        last = kind;
        button_check(check, kind, button, around);
        template_leave(check, before_one);
    }
    /* In one group, but with others on both sides. */
    if (reply_groups == 1 && count <= max && last != BUTTON_QUICK_REPLY &&
        kind_of(json_array_get(buttons, 0)) != BUTTON_QUICK_REPLY)
        template_fault(check, "quick replies stand before or behind the other buttons, not among them");
    if (around.has_product_header && counts[BUTTON_SPM] == 0)
        template_fault(check, "a header of format product needs an SPM button");
    if (around.has_offer)
        offer_order_check(check, buttons);
    template_leave(check, before);
}

void
template_buttons_kinds(const json_t *component, struct buf *out)
{
    const json_t *buttons = json_member(component, "buttons");

    for (size_t i = 0; i < json_array_size(buttons); i++) {
        enum button kind = kind_of(json_array_get(buttons, i));
        buf_add_text(out, kind == BUTTON_NONE ? "?" : kinds[kind].word);
        buf_add_byte(out, ',');
    }
}
