/* The cards of a carousel: each made like the first. */
#include "domain/template/template_check_internal.h"

/* What the parts of a card are, in a text that compares: "HEADER IMAGE,BODY,BUTTONS URL,QUICK_REPLY,". */
static void
card_kinds(const json_t *components, struct buf *out)
{
    static const char *const formats[] = { "IMAGE", "VIDEO", "PRODUCT" };
    static const char *const types[] = { "HEADER", "BODY", "BUTTONS" };

    for (size_t t = 0; t < COUNT_OF(types); t++)
        for (size_t i = 0; i < json_array_size(components); i++) {
            const json_t *component = json_array_get(components, i);
            if (!template_word_is(component, "type", types[t]))
                continue;
            buf_add_text(out, types[t]);
            for (size_t f = 0; f < COUNT_OF(formats); f++)
                if (template_word_is(component, "format", formats[f]))
                    buf_add_text(out, formats[f]);
            buf_add_byte(out, ',');
            template_buttons_kinds(component, out);
        }
}

static void
card_check(struct template_check *check, const json_t *card)
{
    static const char *const card_members[] = { "components", NULL };
    static const char *const body_members[] = { "type", "text", "example", NULL };
    const json_t *components = json_member(card, "components");
    size_t headers = 0, bodies = 0, button_lists = 0;
    bool has_product = false;

    template_members_check(check, card, card_members);
    for (size_t i = 0; i < json_array_size(components); i++)
        has_product = has_product || template_word_is(json_array_get(components, i), "format", "PRODUCT");
    size_t before = template_enter(check, "components");
    if (json_array_size(components) > TEMPLATE_COMPONENTS_MAX) {
        template_fault(check, "a card has at most a header, a body and buttons");
        components = NULL;
    }
    for (size_t i = 0; i < json_array_size(components); i++) {
        const json_t *component = json_array_get(components, i);
        size_t before_one = template_enter_index(check, i);
        if (template_word_is(component, "type", "HEADER") && headers++ == 0) {
            template_header_check(check, component, TEMPLATE_PLACE_CARD);
        } else if (template_word_is(component, "type", "BODY") && bodies++ == 0) {
            template_members_check(check, component, body_members);
            template_body_text_check(check, component, TEMPLATE_CARD_BODY_MAX);
        } else if (template_word_is(component, "type", "BUTTONS") && button_lists++ == 0) {
            template_buttons_check(
                check, component,
                (struct template_buttons_around){ TEMPLATE_PLACE_CARD, false, has_product });
        } else {
            template_fault_at(check, "type", "a card has one header, at most one body, and buttons");
        }
        template_leave(check, before_one);
    }
    if (headers == 0)
        template_fault(check, "a card needs a header");
    if (button_lists == 0)
        template_fault(check, "a card needs 1 to %u buttons", TEMPLATE_CARD_BUTTONS_MAX);
    template_leave(check, before);
}

void
template_cards_check(struct template_check *check, const json_t *carousel)
{
    static const char *const members[] = { "type", "cards", NULL };
    const json_t *cards = json_member(carousel, "cards");
    size_t count = json_array_size(cards);
    struct buf first, kinds;

    buf_init(&first, 4096);
    buf_init(&kinds, 4096);
    template_members_check(check, carousel, members);
    size_t before = template_enter(check, "cards");
    if (count < TEMPLATE_CARDS_MIN || count > TEMPLATE_CARDS_MAX)
        template_fault(check, "needs %u to %u cards; it has %zu", TEMPLATE_CARDS_MIN, TEMPLATE_CARDS_MAX,
                       count);
    for (size_t i = 0; i < count && count <= TEMPLATE_CARDS_MAX; i++) {
        const json_t *card = json_array_get(cards, i);
        size_t before_card = template_enter_index(check, i);
        card_check(check, card);
        buf_clear(&kinds);
        card_kinds(json_member(card, "components"), i == 0 ? &first : &kinds);
        if (i > 0 && !slice_eq(buf_slice(&first), buf_slice(&kinds)))
            template_fault_at(check, "components",
                              "must be of the same kinds as on the first card, in header and buttons");
        template_leave(check, before_card);
    }
    template_leave(check, before);
    buf_release(&first);
    buf_release(&kinds);
}
