/* From components to needs. */
#include "domain/template/template_needs.h"
#include "core/attribute.h"
#include "domain/template/template_variables.h"
#include "wire/json/json.h"

#define KIND_MAX 40u

/* A word of WhatsApp's as an owned JSON string in lower case; NULL without memory. */
static json_t *
kind_word(const json_t *object, const char *member)
{
    struct slice word = slice_first(json_text_of(object, member), KIND_MAX);
    char lower[KIND_MAX];

    for (size_t i = 0; i < word.len; i++)
        lower[i] = (char)(word.ptr[i] >= 'A' && word.ptr[i] <= 'Z' ? word.ptr[i] + ('a' - 'A') : word.ptr[i]);
    for (size_t i = 0; i < word.len; i++) /* a cut within a character is no word of WhatsApp's */
        if ((unsigned char)lower[i] >= 0x80)
            return json_string("unknown");
    return json_stringn(lower, word.len);
}

/* A text with its variables. Without a text it is an authentication template's body: one code. */
static json_t *
text_needs(const json_t *component)
{
    struct template_variables found;
    struct slice text = json_text_of(component, "text");
    json_t *names = json_array();

    template_variables_find(text.ptr == NULL ? SLICE("{{1}}") : text, &found);
    for (size_t i = 0; i < found.count; i++)
        if (json_array_append_new(names, json_stringn(found.names[i].ptr, found.names[i].len)) != 0) {
            json_decref(names);
            return NULL;
        }
    return json_pack("{s:s, s:o, s:I}", "kind", "text", "variables", names, "fixed",
                     (json_int_t)found.fixed_length);
}

static json_t *
header_needs(const json_t *component)
{
    if (slice_eq_nocase(json_text_of(component, "format"), SLICE("TEXT")))
        return text_needs(component);
    return json_pack("{s:o}", "kind", kind_word(component, "format"));
}

static bool
has_variable(const json_t *button)
{
    struct template_variables found;

    template_variables_find(json_text_of(button, "url"), &found);
    return found.place_count > 0;
}

static json_t *
button_needs(const json_t *button)
{
    static const char *const always[] = { "COPY_CODE", "MPM", "ORDER_DETAILS" };
    struct slice type = json_text_of(button, "type");
    bool needs_value = false;

    if (slice_eq_nocase(type, SLICE("OTP"))) /* sent as the URL button that WhatsApp makes of it */
        return json_pack("{s:s, s:b}", "kind", "url", "needs_value", true);
    if (slice_eq_nocase(type, SLICE("URL")))
        needs_value = has_variable(button);
    for (size_t i = 0; i < COUNT_OF(always); i++)
        needs_value = needs_value || slice_eq_nocase(type, slice_text(always[i]));
    return json_pack("{s:o, s:b}", "kind", kind_word(button, "type"), "needs_value", needs_value);
}

static json_t *components_needs(const json_t *components, bool is_card);

/* The elements of component[member], each through `of`. */
static json_t *
list_needs(const json_t *component, const char *member, json_t *(*of)(const json_t *element))
{
    const json_t *elements = json_member(component, member);
    json_t *list = json_array();

    for (size_t i = 0; i < json_array_size(elements); i++)
        if (json_array_append_new(list, of(json_array_get(elements, i))) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *
card_needs(const json_t *card)
{
    return components_needs(json_member(card, "components"), true);
}

static json_t *
offer_needs(const json_t *component)
{
    const json_t *offer = json_member(component, "limited_time_offer");

    return json_pack("{s:b}", "expires", json_is_true(json_member(offer, "has_expiration")));
}

static json_t *
components_needs(const json_t *components, bool is_card)
{
    json_t *needs = json_object();

    for (size_t i = 0; i < json_array_size(components); i++) {
        const json_t *component = json_array_get(components, i);
        struct slice type = json_text_of(component, "type");
        const char *member = NULL;
        json_t *part = NULL;
        if (slice_eq_nocase(type, SLICE("HEADER"))) {
            member = "header";
            part = header_needs(component);
        } else if (slice_eq_nocase(type, SLICE("BODY"))) {
            member = "body";
            part = text_needs(component);
        } else if (slice_eq_nocase(type, SLICE("BUTTONS"))) {
            member = "buttons";
            part = list_needs(component, "buttons", button_needs);
        } else if (slice_eq_nocase(type, SLICE("LIMITED_TIME_OFFER")) && !is_card) {
            member = "offer";
            part = offer_needs(component);
        } else if (slice_eq_nocase(type, SLICE("CAROUSEL")) && !is_card) { /* cards hold no cards */
            member = "cards";
            part = list_needs(component, "cards", card_needs);
        }
        if (member != NULL && json_object_set_new(needs, member, part) != 0) {
            json_decref(needs);
            return NULL;
        }
    }
    return needs;
}

enum err
template_needs_of(const json_t *components, json_t **out)
{
    *out = components_needs(components, false);
    return *out == NULL ? ERR_NO_MEMORY : ERR_OK;
}
