/* Source: Cloud API, interactive messages: what holds between several fields of one. */
#include "core/attribute.h"
#include "domain/channel/whatsapp/whatsapp_content_internal.h"

#define REPLY_BUTTONS_MAX 3u

static void
button_check(struct content_check *check, const json_t *action)
{
    const json_t *buttons = json_member(action, "buttons");
    size_t before = content_enter(check, "buttons");

    if (json_array_size(buttons) > REPLY_BUTTONS_MAX)
        content_fault(check, "has more than 3 buttons");
    content_unique_check(check, buttons, "reply", "id", REPLY_BUTTONS_MAX, "is another button's id too");
    content_unique_check(check, buttons, "reply", "title", REPLY_BUTTONS_MAX,
                         "is another button's title too");
    content_leave(check, before);
}

/* Ids of rows are told apart over all sections. */
static void
row_ids_check(struct content_check *check, const json_t *sections)
{
    struct slice seen[WHATSAPP_LIST_ROWS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < json_array_size(sections); i++) {
        const json_t *rows = json_member(json_array_get(sections, i), "rows");
        for (size_t row = 0; row < json_array_size(rows) && count < COUNT_OF(seen); row++) {
            struct slice id = json_text_of(json_array_get(rows, row), "id");
            size_t k = 0;
            while (k < count && !slice_eq(seen[k], id))
                k++;
            if (k < count && id.len > 0) {
                size_t before = content_enter_index(check, i);
                (void)content_enter(check, "rows");
                (void)content_enter_index(check, row);
                content_fault_at(check, "id", "is another row's id too");
                content_leave(check, before);
            }
            seen[count++] = id;
        }
    }
}

static void
list_check(struct content_check *check, const json_t *action)
{
    const json_t *sections = json_member(action, "sections");
    size_t before = content_enter(check, "sections");

    content_sections_check(check, sections, "rows", WHATSAPP_LIST_ROWS_MAX, "has more than 10 rows in all");
    row_ids_check(check, sections);
    content_leave(check, before);
}

static void
product_list_check(struct content_check *check, const json_t *action)
{
    size_t before = content_enter(check, "sections");

    content_sections_check(check, json_member(action, "sections"), "product_items", WHATSAPP_PRODUCTS_MAX,
                           "has more than 30 products in all");
    content_leave(check, before);
}

static void
flow_check(struct content_check *check, const json_t *action)
{
    const json_t *parameters = json_member(action, "parameters");
    struct slice flow_action = json_text_of(parameters, "flow_action");
    bool has_payload = json_member(parameters, "flow_action_payload") != NULL;
    size_t before = content_enter(check, "parameters");

    if ((json_member(parameters, "flow_id") != NULL) == (json_member(parameters, "flow_name") != NULL))
        content_fault(check, "needs a flow_id or a flow_name, and not both");
    if (slice_eq(flow_action, SLICE("navigate")) && !has_payload)
        content_fault_at(check, "flow_action_payload", "is needed with the flow_action navigate");
    if (slice_eq(flow_action, SLICE("data_exchange")) && has_payload)
        content_fault_at(check, "flow_action_payload", "goes only with the flow_action navigate");
    content_leave(check, before);
}

static size_t
line_breaks(struct slice text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '\n')
            count++;
    return count;
}

static void
media_card_check(struct content_check *check, const json_t *card, const json_t *first)
{
    const json_t *header = json_member(card, "header"), *action = json_member(card, "action");
    const json_t *buttons = json_member(action, "buttons");
    struct slice kind = json_text_of(header, "type");
    size_t before = content_enter(check, "header");

    if (!slice_eq(kind, json_text_of(json_member(first, "header"), "type")))
        content_fault_at(check, "type", "must be the same on every card");
    content_media_check(check, header, slice_eq(kind, SLICE("video")) ? "video" : "image");
    content_leave(check, before);

    if (line_breaks(json_text_of(json_member(card, "body"), "text")) > WHATSAPP_CARD_LINE_BREAKS_MAX) {
        before = content_enter(check, "body");
        content_fault_at(check, "text", "has more than 2 line breaks");
        content_leave(check, before);
    }

    before = content_enter(check, "action");
    if (json_array_size(buttons) != json_array_size(json_member(json_member(first, "action"), "buttons")))
        content_fault(check, "must have the same buttons on every card");
    (void)content_enter(check, "buttons");
    content_unique_check(check, buttons, "quick_reply", "id", WHATSAPP_CARDS_MAX,
                         "is another button's id too");
    content_unique_check(check, buttons, "quick_reply", "title", WHATSAPP_CARDS_MAX,
                         "is another button's title too");
    content_leave(check, before);
}

static void
product_card_check(struct content_check *check, const json_t *card, const json_t *first)
{
    const json_t *action = json_member(card, "action");

    if (!slice_eq(json_text_of(action, "catalog_id"),
                  json_text_of(json_member(first, "action"), "catalog_id"))) {
        size_t before = content_enter(check, "action");
        content_fault_at(check, "catalog_id", "must be the same on every card");
        content_leave(check, before);
    }
}

static void
carousel_check(struct content_check *check, const json_t *action)
{
    const json_t *cards = json_member(action, "cards"), *first = json_array_get(cards, 0);
    size_t count = json_array_size(cards), before = content_enter(check, "cards");

    if (count < 2 || count > WHATSAPP_CARDS_MAX)
        content_fault(check, "needs 2 to 10 cards");
    content_card_places_check(check, cards);
    for (size_t i = 0; i < count && count <= WHATSAPP_CARDS_MAX; i++) {
        const json_t *card = json_array_get(cards, i);
        size_t before_card = content_enter_index(check, i);
        if (!slice_eq(json_text_of(card, "type"), json_text_of(first, "type")))
            content_fault_at(check, "type", "must be the same on every card");
        else if (slice_eq(json_text_of(card, "type"), SLICE("product")))
            product_card_check(check, card, first);
        else
            media_card_check(check, card, first);
        content_leave(check, before_card);
    }
    content_leave(check, before);
}

/* The form is known for India only. */
static void
address_check(struct content_check *check, const json_t *action)
{
    const json_t *parameters = json_member(action, "parameters");

    if (!slice_eq(json_text_of(parameters, "country"), SLICE("IN"))) {
        size_t before = content_enter(check, "parameters");
        content_fault_at(check, "country", "must be IN");
        content_leave(check, before);
    }
}

static void
order_details_check(struct content_check *check, const json_t *action)
{
    size_t before = content_enter(check, "parameters");

    content_order_check(check, json_member(action, "parameters"));
    content_leave(check, before);
}

static const struct interactive_kind {
    const char *type;
    void (*check)(struct content_check *check,
                  const json_t *action); /* NULL: all of it stands in the contract */
} kinds[] = {
    { "button", button_check },
    { "list", list_check },
    { "cta_url", NULL },
    { "location_request_message", NULL },
    { "address_message", address_check },
    { "product", NULL },
    { "product_list", product_list_check },
    { "catalog_message", NULL },
    { "flow", flow_check },
    { "carousel", carousel_check },
    { "voice_call", NULL },
    { "call_permission_request", NULL },
    { "order_details", order_details_check },
    { "order_status", NULL },
};

static const struct interactive_kind *
kind_of(const json_t *interactive)
{
    struct slice type = json_text_of(interactive, "type");

    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (slice_eq(type, slice_text(kinds[i].type)))
            return &kinds[i];
    return NULL;
}

static void
header_check(struct content_check *check, const json_t *header)
{
    static const char *const files[] = { "image", "video", "document" };
    size_t before = content_enter(check, "header");

    for (size_t i = 0; i < COUNT_OF(files); i++)
        if (slice_eq(json_text_of(header, "type"), slice_text(files[i])))
            content_media_check(check, header, files[i]);
    content_leave(check, before);
}

void
content_interactive_check(struct content_check *check, const json_t *interactive)
{
    const struct interactive_kind *kind = kind_of(interactive);

    if (kind == NULL) {
        content_fault_at(check, "type", "is not a kind of interactive message");
        return;
    }
    header_check(check, json_member(interactive, "header"));
    if (kind->check != NULL) {
        size_t before = content_enter(check, "action");
        kind->check(check, json_member(interactive, "action"));
        content_leave(check, before);
    }
}
