/* The definition as a whole: its heading, and which components go together. */
#include "domain/template/template_definition.h"
#include "domain/template/template_check_internal.h"
#include <stdarg.h>
#include <stdio.h>

#define DETAIL_BYTES 200u

static const char *const category_words[] = { [TEMPLATE_MARKETING] = "marketing",
                                              [TEMPLATE_UTILITY] = "utility",
                                              [TEMPLATE_AUTHENTICATION] = "authentication" };

const char *
template_category_word(enum template_category category)
{
    if ((unsigned)category >= COUNT_OF(category_words))
        bug("no such template category");
    return category_words[category];
}

enum err
template_category_parse(struct slice word, enum template_category *out)
{
    for (unsigned i = 0; i < COUNT_OF(category_words); i++)
        if (slice_eq_nocase(word, slice_text(category_words[i]))) {
            *out = (enum template_category)i;
            return ERR_OK;
        }
    return ERR_TEMPLATE_INVALID;
}

size_t
template_enter(struct template_check *check, const char *member)
{
    size_t before = check->at.len;

    json_pointer_add(&check->at, slice_text(member));
    return before;
}

size_t
template_enter_index(struct template_check *check, size_t index)
{
    size_t before = check->at.len;

    json_pointer_add_index(&check->at, index);
    return before;
}

void
template_leave(struct template_check *check, size_t before)
{
    if (check->at.err == ERR_OK)
        check->at.len = before;
}

static void FORMAT_LIKE(2, 0) fault_print(struct template_check *check, const char *format, va_list args)
{
    char detail[DETAIL_BYTES];

    check->fault_count++;
    (void)vsnprintf(detail, sizeof(detail), format, args);
    problem_add(check->problem, check->arena, buf_slice(&check->at), slice_text(detail));
}

void
template_fault(struct template_check *check, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fault_print(check, format, args);
    va_end(args);
}

void
template_fault_at(struct template_check *check, const char *member, const char *format, ...)
{
    va_list args;
    size_t before = template_enter(check, member);

    va_start(args, format);
    fault_print(check, format, args);
    va_end(args);
    template_leave(check, before);
}

bool
template_text_check(struct template_check *check, const json_t *object, const char *member, size_t max)
{
    struct slice text = json_text_of(object, member);
    size_t length = slice_utf8_count(text), solid = 0;

    for (size_t i = 0; i < text.len; i++)
        solid += slice_find(SLICE(" \t\r\n"), text.ptr[i]) == 4;
    if (solid > 0 && length <= max)
        return true;
    if (length > max)
        template_fault_at(check, member, "may have %zu characters; it has %zu", max, length);
    else
        template_fault_at(check, member, "is needed: a text of 1 to %zu characters", max);
    return false;
}

void
template_members_check(struct template_check *check, const json_t *object, const char *const *members)
{
    const char *key;
    json_t *value;

    if (!json_is_object(object)) {
        template_fault(check, "must be an object");
        return;
    }
    json_object_foreach(json_iterable(object), key, value)
    {
        size_t i = 0;
        while (members[i] != NULL && strcmp(key, members[i]) != 0)
            i++;
        if (members[i] == NULL)
            template_fault_at(check, key, "does not belong here");
    }
}

bool
template_word_is(const json_t *object, const char *member, const char *word)
{
    return slice_eq_nocase(json_text_of(object, member), slice_text(word));
}

enum component {
    COMPONENT_HEADER,
    COMPONENT_BODY,
    COMPONENT_FOOTER,
    COMPONENT_BUTTONS,
    COMPONENT_OFFER,
    COMPONENT_CAROUSEL,
    COMPONENT_NONE,
};

static enum component
component_kind(const json_t *component)
{
    static const char *const words[] = {
        [COMPONENT_HEADER] = "HEADER",
        [COMPONENT_BODY] = "BODY",
        [COMPONENT_FOOTER] = "FOOTER",
        [COMPONENT_BUTTONS] = "BUTTONS",
        [COMPONENT_OFFER] = "LIMITED_TIME_OFFER",
        [COMPONENT_CAROUSEL] = "CAROUSEL",
    };

    for (unsigned i = 0; i < COUNT_OF(words); i++)
        if (template_word_is(component, "type", words[i]))
            return (enum component)i;
    return COMPONENT_NONE;
}

/* Which components there are; each once. */
struct parts {
    const json_t *part[COMPONENT_NONE + 1];
};

static void
offer_check(struct template_check *check, const json_t *component, const struct parts *parts)
{
    static const char *const members[] = { "type", "limited_time_offer", NULL };
    static const char *const inner_members[] = { "text", "has_expiration", NULL };
    const json_t *offer = json_member(component, "limited_time_offer");
    const json_t *header = parts->part[COMPONENT_HEADER], *expires = json_member(offer, "has_expiration");

    template_members_check(check, component, members);
    size_t before = template_enter(check, "limited_time_offer");
    template_members_check(check, offer, inner_members);
    (void)template_text_check(check, offer, "text", TEMPLATE_OFFER_TEXT_MAX);
    if (expires != NULL && !json_is_boolean(expires))
        template_fault_at(check, "has_expiration", "must be true or false");
    template_leave(check, before);
    if (check->definition->category != TEMPLATE_MARKETING)
        template_fault_at(check, "type", "a limited-time offer is a marketing template");
    if (header != NULL && !template_word_is(header, "format", "IMAGE") &&
        !template_word_is(header, "format", "VIDEO"))
        template_fault_at(check, "type", "a limited-time offer has a picture or a film as its header");
    if (parts->part[COMPONENT_FOOTER] != NULL)
        template_fault_at(check, "type", "a limited-time offer has no footer");
}

static void
component_check(struct template_check *check, enum component kind, const json_t *component,
                const struct parts *parts)
{
    static const char *const text_members[] = { "type", "text", "example", NULL };
    static const char *const footer_members[] = { "type", "text", NULL };
    bool has_offer = parts->part[COMPONENT_OFFER] != NULL;
    bool has_product = template_word_is(parts->part[COMPONENT_HEADER], "format", "PRODUCT");

    if (parts->part[COMPONENT_CAROUSEL] != NULL && kind != COMPONENT_BODY && kind != COMPONENT_CAROUSEL)
        template_fault_at(check, "type", "beside a carousel there is a body only");
    switch (kind) {
    case COMPONENT_HEADER:
        template_header_check(check, component, TEMPLATE_PLACE_TEMPLATE);
        if (has_product && parts->part[COMPONENT_BUTTONS] == NULL)
            template_fault_at(check, "format", "a header of format product needs an SPM button");
        break;
    case COMPONENT_BODY:
        template_members_check(check, component, text_members);
        template_body_text_check(check, component,
                                 has_offer ? TEMPLATE_OFFER_BODY_MAX : TEMPLATE_BODY_TEXT_MAX);
        break;
    case COMPONENT_FOOTER:
        template_members_check(check, component, footer_members);
        template_footer_text_check(check, component);
        break;
    case COMPONENT_BUTTONS:
        template_buttons_check(
            check, component,
            (struct template_buttons_around){ TEMPLATE_PLACE_TEMPLATE, has_offer, has_product });
        break;
    case COMPONENT_OFFER:
        offer_check(check, component, parts);
        break;
    case COMPONENT_CAROUSEL:
        if (check->definition->category == TEMPLATE_UTILITY)
            template_fault_at(check, "type", "a carousel is a marketing template");
        template_cards_check(check, component);
        break;
    case COMPONENT_NONE:
        template_fault_at(check, "type", "is not a component of a template");
        break;
    }
}

static void
components_check(struct template_check *check, const json_t *components)
{
    struct parts parts = { .part = { NULL } };
    size_t count = json_array_size(components), before = template_enter(check, "components");

    if (count < 1 || count > TEMPLATE_COMPONENTS_MAX) {
        template_fault(check, "needs 1 to %u components; it has %zu", TEMPLATE_COMPONENTS_MAX, count);
        count = 0;
    }
    if (check->definition->category == TEMPLATE_AUTHENTICATION && count > 0) {
        template_one_time_code_check(check, components);
        template_leave(check, before);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *component = json_array_get(components, i);
        enum component kind = component_kind(component);
        size_t before_one = template_enter_index(check, i);
        if (kind != COMPONENT_NONE && parts.part[kind] != NULL)
            template_fault_at(check, "type", "is given twice");
        else
            parts.part[kind] = component;
        template_leave(check, before_one);
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *component = json_array_get(components, i);
        size_t before_one = template_enter_index(check, i);
        component_check(check, component_kind(component), component, &parts);
        template_leave(check, before_one);
    }
    if (count > 0 && parts.part[COMPONENT_BODY] == NULL)
        template_fault(check, "needs a body");
    template_leave(check, before);
}

static void
ttl_check(struct template_check *check)
{
    static const struct {
        int64_t min, max;
        bool may_be_forever;
    } ranges[] = { [TEMPLATE_MARKETING] = { 43200, 2592000, false },
                   [TEMPLATE_UTILITY] = { 30, 43200, true },
                   [TEMPLATE_AUTHENTICATION] = { 30, 900, true } };
    const struct template_definition *definition = check->definition;
    int64_t min = ranges[definition->category].min, max = ranges[definition->category].max;

    if (!definition->has_ttl || (definition->ttl_s >= min && definition->ttl_s <= max) ||
        (definition->ttl_s == -1 && ranges[definition->category].may_be_forever))
        return;
    template_fault_at(check, "message_send_ttl_seconds", "must be from %lld to %lld for this category%s",
                      (long long)min, (long long)max,
                      ranges[definition->category].may_be_forever ? ", or -1 for 30 days" : "");
}

static void
heading_check(struct template_check *check)
{
    struct slice name = check->definition->name;
    bool is_name = name.len > 0 && name.len <= TEMPLATE_NAME_MAX;

    for (size_t i = 0; i < name.len; i++)
        is_name = is_name && ((name.ptr[i] >= 'a' && name.ptr[i] <= 'z') ||
                              (name.ptr[i] >= '0' && name.ptr[i] <= '9') || name.ptr[i] == '_');
    if (!is_name)
        template_fault_at(check, "name", "must be 1 to %u lower-case letters, digits and _",
                          TEMPLATE_NAME_MAX);
    if (!template_language_is_known(check->definition->language))
        template_fault_at(check, "language", "is not a language of WhatsApp's, such as en_US");
    ttl_check(check);
}

static enum err
check_with(const struct template_definition *definition, bool is_whole, struct arena *arena,
           struct problem *problem)
{
    struct template_check check = { .definition = definition, .arena = arena, .problem = problem };

    buf_init(&check.at, JSON_POINTER_MAX);
    heading_check(&check);
    if (is_whole)
        components_check(&check, definition->components);
    buf_release(&check.at);
    return check.fault_count == 0 ? ERR_OK : ERR_TEMPLATE_INVALID;
}

enum err
template_definition_check(const struct template_definition *definition, struct arena *arena,
                          struct problem *problem)
{
    return check_with(definition, true, arena, problem);
}

enum err
template_heading_check(const struct template_definition *definition, struct arena *arena,
                       struct problem *problem)
{
    return check_with(definition, false, arena, problem);
}

enum err
template_definition_read(const json_t *body, struct arena *arena, struct problem *problem,
                         struct template_definition *out)
{
    struct slice format = json_text_of(body, "parameter_format");
    enum err err = ERR_OK;

    *out = (struct template_definition){
        .name = json_text_of(body, "name"),
        .language = json_text_of(body, "language"),
        .is_named = slice_eq_nocase(format, SLICE("named")),
        .is_order_details = template_word_is(body, "display_format", "ORDER_DETAILS"),
        .components = json_member(body, "components"),
    };
    out->has_ttl = json_int_of(body, "message_send_ttl_seconds", &out->ttl_s);
    if (template_category_parse(json_text_of(body, "category"), &out->category) != ERR_OK) {
        problem_add(problem, arena, SLICE("/category"),
                    SLICE("must be marketing, utility or authentication"));
        err = ERR_TEMPLATE_INVALID;
    }
    if (format.ptr != NULL && !out->is_named && !slice_eq_nocase(format, SLICE("positional"))) {
        problem_add(problem, arena, SLICE("/parameter_format"), SLICE("must be positional or named"));
        err = ERR_TEMPLATE_INVALID;
    }
    return err;
}
