/* Source: Cloud API, template messages: what holds between several values of one, and for each value. */
#include "core/attribute.h"
#include "domain/channel/whatsapp/whatsapp_content_internal.h"

#define URL_BUTTONS_MAX  2u
#define CARD_BUTTONS_MAX 2u
#define NAMES_MAX        100u

/* WhatsApp refuses the whole message for one such value (132018, earlier 132012 and 100). */
static void
value_check(struct content_check *check, const json_t *object, const char *member)
{
    const json_t *value = json_member(object, member);
    struct slice text = json_text_of(object, member);
    size_t spaces = 0;
    const char *detail = value != NULL && text.len == 0 ? "must not be empty" : NULL;

    for (size_t i = 0; i < text.len && detail == NULL; i++) {
        spaces = text.ptr[i] == ' ' ? spaces + 1 : 0;
        if (text.ptr[i] == '\n' || text.ptr[i] == '\r')
            detail = "must not have a line break";
        else if (text.ptr[i] == '\t')
            detail = "must not have a tab";
        else if (spaces > WHATSAPP_TEMPLATE_SPACES_MAX)
            detail = "must not have more than 4 spaces in a row";
    }
    if (detail != NULL)
        content_fault_at(check, member, detail);
}

/* Named variables: all of a template's, or none. */
struct naming {
    bool is_known, is_named;
};

static void
name_check(struct content_check *check, struct naming *naming, const json_t *parameter)
{
    bool has_name = json_member(parameter, "parameter_name") != NULL;

    if (!naming->is_known) {
        naming->is_known = true;
        naming->is_named = has_name;
    } else if (naming->is_named != has_name) {
        content_fault_at(check, "parameter_name",
                         naming->is_named ? "is needed: the other values have one"
                                          : "is too much: the other values have none");
    }
}

/* A value of a header, a body or a URL button. */
static void
parameter_check(struct content_check *check, struct naming *naming, const json_t *parameter)
{
    static const struct {
        const char *type, *object, *member;
    } values[] = { { "text", NULL, "text" },
                   { "currency", "currency", "fallback_value" },
                   { "date_time", "date_time", "fallback_value" } };
    static const char *const files[] = { "image", "video", "document", "gif" };
    struct slice type = json_text_of(parameter, "type");

    for (size_t i = 0; i < COUNT_OF(values); i++) {
        if (!slice_eq(type, slice_text(values[i].type)))
            continue;
        if (naming != NULL)
            name_check(check, naming, parameter);
        if (values[i].object == NULL) {
            value_check(check, parameter, values[i].member);
        } else {
            size_t before = content_enter(check, values[i].object);
            value_check(check, json_member(parameter, values[i].object), values[i].member);
            content_leave(check, before);
        }
    }
    for (size_t i = 0; i < COUNT_OF(files); i++)
        if (slice_eq(type, slice_text(files[i])))
            content_media_check(check, parameter, files[i]);
    if (slice_eq(type, SLICE("location"))) {
        size_t before = content_enter(check, "location");
        content_location_check(check, json_member(parameter, "location"));
        content_leave(check, before);
    }
}

static void
parameters_check(struct content_check *check, struct naming *naming, const json_t *component)
{
    const json_t *parameters = json_member(component, "parameters");
    size_t before = content_enter(check, "parameters");

    for (size_t i = 0; i < json_array_size(parameters); i++) {
        size_t before_one = content_enter_index(check, i);
        parameter_check(check, naming, json_array_get(parameters, i));
        content_leave(check, before_one);
    }
    content_unique_check(check, parameters, NULL, "parameter_name", NAMES_MAX, "is another value's name too");
    content_leave(check, before);
}

/* Header: one value, whatever its kind (a text header has one variable). */
static void
header_check(struct content_check *check, struct naming *naming, const json_t *component)
{
    if (json_array_size(json_member(component, "parameters")) > 1)
        content_fault_at(check, "parameters", "a header takes one value");
    parameters_check(check, naming, component);
}

enum button {
    BUTTON_URL,
    BUTTON_QUICK_REPLY,
    BUTTON_COPY_CODE,
    BUTTON_CATALOG,
    BUTTON_MPM,
    BUTTON_FLOW,
    BUTTON_ORDER_DETAILS,
    BUTTON_VOICE_CALL,
};

static const struct {
    const char *word;
    size_t count_max; /* in one template */
} buttons[] = {
    [BUTTON_URL] = { "url", URL_BUTTONS_MAX },
    [BUTTON_QUICK_REPLY] = { "quick_reply", WHATSAPP_TEMPLATE_BUTTONS_MAX },
    [BUTTON_COPY_CODE] = { "copy_code", 1 },
    [BUTTON_CATALOG] = { "catalog", 1 },
    [BUTTON_MPM] = { "mpm", 1 },
    [BUTTON_FLOW] = { "flow", 1 },
    [BUTTON_ORDER_DETAILS] = { "order_details", 1 },
    [BUTTON_VOICE_CALL] = { "voice_call", 1 },
};

/* What was seen of the buttons of one template, or of one card. */
struct button_places {
    bool is_taken[WHATSAPP_TEMPLATE_BUTTONS_MAX];
    enum button kind[WHATSAPP_TEMPLATE_BUTTONS_MAX];
    size_t count[COUNT_OF(buttons)];
};

/* Which members an action button's `action` has: each belongs to one kind of button. */
static void
action_check(struct content_check *check, enum button kind, const json_t *component)
{
    static const struct {
        const char *member;
        unsigned goes_with;
    } members[] = { { "thumbnail_product_retailer_id", 1u << BUTTON_CATALOG | 1u << BUTTON_MPM },
                    { "sections", 1u << BUTTON_MPM },
                    { "flow_token", 1u << BUTTON_FLOW },
                    { "flow_action_data", 1u << BUTTON_FLOW },
                    { "order_details", 1u << BUTTON_ORDER_DETAILS } };
    const json_t *action = json_member(json_array_get(json_member(component, "parameters"), 0), "action");
    const json_t *sections = json_member(action, "sections");
    size_t before = content_enter(check, "parameters");

    (void)content_enter_index(check, 0);
    (void)content_enter(check, "action");
    for (size_t i = 0; i < COUNT_OF(members); i++)
        if (json_member(action, members[i].member) != NULL && (members[i].goes_with & 1u << kind) == 0)
            content_fault_at(check, members[i].member, "does not belong to this kind of button");
    if (kind == BUTTON_MPM && json_array_size(sections) == 0)
        content_fault_at(check, "sections", "is needed for a multi-product button");
    if (kind == BUTTON_ORDER_DETAILS && json_member(action, "order_details") == NULL)
        content_fault_at(check, "order_details", "is needed for an order-details button");
    if (kind == BUTTON_ORDER_DETAILS) {
        (void)content_enter(check, "order_details");
        content_order_check(check, json_member(action, "order_details"));
    }
    if (kind == BUTTON_MPM) {
        (void)content_enter(check, "sections");
        content_sections_check(check, sections, "product_items", WHATSAPP_PRODUCTS_MAX,
                               "has more than 30 products in all");
    }
    content_leave(check, before);
}

static bool
button_kind(const json_t *component, enum button *out)
{
    struct slice word = json_text_of(component, "sub_type");

    for (unsigned i = 0; i < COUNT_OF(buttons); i++)
        if (slice_eq_nocase(word, slice_text(buttons[i].word))) {
            *out = (enum button)i;
            return true;
        }
    return false;
}

static void
button_check(struct content_check *check, struct button_places *places, const json_t *component)
{
    enum button kind;
    int64_t index = -1;

    if (!button_kind(component, &kind)) {
        content_fault_at(check, "sub_type", "is not a kind of template button");
        return;
    }
    if (++places->count[kind] == buttons[kind].count_max + 1)
        content_fault_at(check, "sub_type", "there are more buttons of this kind than a template can have");
    if (!whatsapp_json_int(component, "index", &index) || index < 0 ||
        index >= WHATSAPP_TEMPLATE_BUTTONS_MAX) {
        content_fault_at(check, "index", "must be from 0 to 9");
    } else if (places->is_taken[index]) {
        content_fault_at(check, "index", "is another button's index too");
    } else {
        places->is_taken[index] = true;
        places->kind[index] = kind;
    }
    switch (kind) {
    case BUTTON_URL: /* its value has no name even where the variables of the text have */
        parameters_check(check, NULL, component);
        break;
    case BUTTON_CATALOG:
    case BUTTON_MPM:
    case BUTTON_FLOW:
    case BUTTON_ORDER_DETAILS:
        action_check(check, kind, component);
        break;
    case BUTTON_VOICE_CALL: {
        size_t before = content_enter(check, "parameters");
        content_unique_check(check, json_member(component, "parameters"), NULL, "type", 2, "is given twice");
        content_leave(check, before);
        break;
    }
    case BUTTON_QUICK_REPLY:
    case BUTTON_COPY_CODE:
        break;
    }
}

struct card {
    struct slice header; /* the kind of its value; empty when there is none */
    struct button_places places;
};

/* The components of one card: at most one header and one body, and at most two buttons. */
static void
card_check(struct content_check *check, struct naming *naming, const json_t *components, struct card *card)
{
    size_t header_count = 0, body_count = 0, button_count = 0;

    for (size_t i = 0; i < json_array_size(components); i++) {
        const json_t *component = json_array_get(components, i);
        struct slice type = json_text_of(component, "type");
        size_t before = content_enter_index(check, i);
        if (slice_eq(type, SLICE("header"))) {
            card->header = json_text_of(json_array_get(json_member(component, "parameters"), 0), "type");
            if (++header_count > 1)
                content_fault_at(check, "type", "a card has only one header");
            header_check(check, naming, component);
        } else if (slice_eq(type, SLICE("body"))) {
            if (++body_count > 1)
                content_fault_at(check, "type", "a card has only one body");
            parameters_check(check, naming, component);
        } else if (slice_eq(type, SLICE("button"))) {
            if (++button_count == CARD_BUTTONS_MAX + 1)
                content_fault_at(check, "type", "a card has at most 2 buttons");
            button_check(check, &card->places, component);
        } else {
            content_fault_at(check, "type", "is not a component of a card");
        }
        content_leave(check, before);
    }
}

/* Cards are made alike: the same kind of header, and the same kind of button at each place. */
static bool
is_alike(const struct card *a, const struct card *b)
{
    if (!slice_eq(a->header, b->header))
        return false;
    for (size_t i = 0; i < WHATSAPP_TEMPLATE_BUTTONS_MAX; i++)
        if (a->places.is_taken[i] && b->places.is_taken[i] && a->places.kind[i] != b->places.kind[i])
            return false;
    return true;
}

static void
carousel_check(struct content_check *check, struct naming *naming, const json_t *component)
{
    const json_t *cards = json_member(component, "cards");
    size_t count = json_array_size(cards), before = content_enter(check, "cards");
    struct card first = { .header = SLICE_EMPTY };

    if (count < 2 || count > WHATSAPP_CARDS_MAX)
        content_fault(check, "needs 2 to 10 cards");
    content_card_places_check(check, cards);
    for (size_t i = 0; i < count && count <= WHATSAPP_CARDS_MAX; i++) {
        struct card card = { .header = SLICE_EMPTY };
        size_t before_card = content_enter_index(check, i);
        (void)content_enter(check, "components");
        card_check(check, naming, json_member(json_array_get(cards, i), "components"), &card);
        if (i == 0)
            first = card;
        else if (!is_alike(&first, &card))
            content_fault(check, "must be of the same kinds as on the first card");
        content_leave(check, before_card);
    }
    content_leave(check, before);
}

enum component {
    COMPONENT_HEADER,
    COMPONENT_BODY,
    COMPONENT_BUTTON,
    COMPONENT_OFFER,
    COMPONENT_TAP_TARGET,
    COMPONENT_CAROUSEL,
    COMPONENT_NONE,
};

static enum component
component_kind(const json_t *component)
{
    static const char *const words[] = {
        [COMPONENT_HEADER] = "header",
        [COMPONENT_BODY] = "body",
        [COMPONENT_BUTTON] = "button",
        [COMPONENT_OFFER] = "limited_time_offer",
        [COMPONENT_TAP_TARGET] = "tap_target_configuration",
        [COMPONENT_CAROUSEL] = "carousel",
    };
    struct slice type = json_text_of(component, "type");

    for (unsigned i = 0; i < COUNT_OF(words); i++)
        if (slice_eq(type, slice_text(words[i])))
            return (enum component)i;
    return COMPONENT_NONE;
}

/* What was seen of one template. */
struct template_seen {
    struct naming naming;
    struct button_places places;
    size_t count[COMPONENT_NONE + 1];
    size_t header_at;          /* which component is the header */
    struct slice header_value; /* the kind of its value */
};

static void
component_check(struct content_check *check, struct template_seen *seen, const json_t *component, size_t at)
{
    enum component kind = component_kind(component);

    if (++seen->count[kind] > 1 && kind != COMPONENT_BUTTON && kind != COMPONENT_NONE)
        content_fault_at(check, "type", "is given twice");
    switch (kind) {
    case COMPONENT_HEADER:
        seen->header_at = at;
        seen->header_value = json_text_of(json_array_get(json_member(component, "parameters"), 0), "type");
        header_check(check, &seen->naming, component);
        break;
    case COMPONENT_BODY:
        parameters_check(check, &seen->naming, component);
        break;
    case COMPONENT_BUTTON:
        button_check(check, &seen->places, component);
        break;
    case COMPONENT_CAROUSEL:
        carousel_check(check, &seen->naming, component);
        break;
    case COMPONENT_OFFER:
    case COMPONENT_TAP_TARGET:
        break;
    case COMPONENT_NONE:
        content_fault_at(check, "type", "is not a component of a template");
        break;
    }
}

void
content_template_check(struct content_check *check, const json_t *template)
{
    const json_t *components = json_member(template, "components");
    struct template_seen seen = { .count = { 0 } };
    size_t before = content_enter(check, "components");

    for (size_t i = 0; i < json_array_size(components); i++) {
        size_t before_one = content_enter_index(check, i);
        component_check(check, &seen, json_array_get(components, i), i);
        content_leave(check, before_one);
    }
    if (seen.count[COMPONENT_OFFER] > 0 && seen.count[COMPONENT_HEADER] > 0 &&
        !slice_eq(seen.header_value, SLICE("image")) && !slice_eq(seen.header_value, SLICE("video"))) {
        (void)content_enter_index(check, seen.header_at);
        content_fault_at(check, "parameters", "a limited-time offer has a picture or a film as its header");
    }
    content_leave(check, before);
}
