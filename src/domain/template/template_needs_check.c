/* A send's values against a template's needs. */
#include "core/attribute.h"
#include "core/buf.h"
#include "core/num.h"
#include "domain/template/template_definition.h"
#include "domain/template/template_needs.h"
#include "wire/json/json.h"

#define FILLED_BUTTON_MAX TEMPLATE_BUTTONS_MAX

struct fit {
    struct arena *arena;     /* borrowed */
    struct problem *problem; /* borrowed */
    struct buf at;           /* JSON Pointer of the place that is looked at */
    bool is_named;
    size_t fault_count;
};

static size_t
fit_enter(struct fit *fit, const char *member)
{
    size_t before = fit->at.len;

    json_pointer_add(&fit->at, slice_text(member));
    return before;
}

static size_t
fit_enter_index(struct fit *fit, size_t index)
{
    size_t before = fit->at.len;

    json_pointer_add_index(&fit->at, index);
    return before;
}

static void
fit_leave(struct fit *fit, size_t before)
{
    if (fit->at.err == ERR_OK)
        fit->at.len = before;
}

/* `detail` from arena_format. */
static void
fit_fault(struct fit *fit, struct slice detail)
{
    fit->fault_count++;
    problem_add(fit->problem, fit->arena, buf_slice(&fit->at), detail);
}

/* The first component of a type, and where it is; NULL: there is none. */
static const json_t *
component_of(const json_t *components, const char *type, size_t *index_out)
{
    for (size_t i = 0; i < json_array_size(components); i++) {
        const json_t *component = json_array_get(components, i);
        if (slice_eq_nocase(json_text_of(component, "type"), slice_text(type))) {
            *index_out = i;
            return component;
        }
    }
    return NULL;
}

static size_t
component_enter(struct fit *fit, const json_t *component, size_t index)
{
    size_t before = fit->at.len;

    if (component != NULL) {
        (void)fit_enter_index(fit, index);
        (void)fit_enter(fit, "parameters");
    }
    return before;
}

/* The characters that a value shows. *is_text_out: it can stand for a variable at all. */
static size_t
value_length(const json_t *parameter, bool *is_text_out)
{
    struct slice type = json_text_of(parameter, "type");
    struct slice text = SLICE_EMPTY;

    *is_text_out = true;
    if (slice_eq(type, SLICE("text")))
        text = json_text_of(parameter, "text");
    else if (slice_eq(type, SLICE("currency")))
        text = json_text_of(json_member(parameter, "currency"), "fallback_value");
    else if (slice_eq(type, SLICE("date_time")))
        text = json_text_of(json_member(parameter, "date_time"), "fallback_value");
    else
        *is_text_out = false;
    return slice_utf8_count(text);
}

static bool
is_variable(const json_t *variables, struct slice name)
{
    for (size_t i = 0; i < json_array_size(variables); i++) {
        const json_t *variable = json_array_get(variables, i);
        if (slice_eq(name, slice_of(json_string_value(variable), json_string_length(variable))))
            return true;
    }
    return false;
}

static size_t
value_check(struct fit *fit, const char *what, const json_t *variables, const json_t *parameter)
{
    struct slice name = json_text_of(parameter, "parameter_name");
    bool is_text = false;
    size_t length = value_length(parameter, &is_text);

    if (!is_text)
        fit_fault(fit, arena_format(fit->arena,
                                    "must be a text: it stands for a variable of the template's %s", what));
    else if (fit->is_named && (name.ptr == NULL || !is_variable(variables, name)))
        fit_fault(fit, arena_format(fit->arena,
                                    name.ptr == NULL
                                        ? "needs a parameter_name: the template's %s has named variables"
                                        : "its parameter_name is no variable of the template's %s",
                                    what));
    else if (!fit->is_named && name.ptr != NULL)
        fit_fault(fit, arena_format(fit->arena, "the variables of the template's %s have no names", what));
    return length;
}

/* A text of the template and the values for its variables. `component` is NULL when none was sent. */
static void
text_fit(struct fit *fit, const char *what, const json_t *needs, const json_t *component, size_t index,
         size_t length_max)
{
    const json_t *parameters = json_member(component, "parameters"),
                 *variables = json_member(needs, "variables");
    size_t given = json_array_size(parameters), needed = json_array_size(variables);
    int64_t fixed = 0;
    size_t before = component_enter(fit, component, index);

    (void)json_int_of(needs, "fixed", &fixed);
    size_t length = (size_t)fixed;
    if (given != needed)
        fit_fault(fit, arena_format(fit->arena, "the template's %s has %zu variables; %zu values are given",
                                    what, needed, given));
    for (size_t i = 0; i < given && given == needed; i++) {
        size_t before_one = fit_enter_index(fit, i);
        length += value_check(fit, what, variables, json_array_get(parameters, i));
        fit_leave(fit, before_one);
    }
    if (given == needed && length > length_max)
        fit_fault(fit, arena_format(fit->arena,
                                    "the template's %s may have %zu characters; with its values it has %zu",
                                    what, length_max, length));
    fit_leave(fit, before);
}

static void
header_fit(struct fit *fit, const json_t *needs, const json_t *components)
{
    static const char *const kinds[] = { "image", "video", "document", "gif", "location", "product" };
    size_t index = 0;
    const json_t *component = component_of(components, "header", &index);
    const json_t *parameters = json_member(component, "parameters");
    struct slice kind = json_text_of(needs, "kind"),
                 given = json_text_of(json_array_get(parameters, 0), "type");

    if (needs == NULL) {
        if (component == NULL)
            return;
        size_t before = component_enter(fit, component, index);
        fit_fault(fit, SLICE("the template has no header"));
        fit_leave(fit, before);
        return;
    }
    if (slice_eq(kind, SLICE("text"))) {
        text_fit(fit, "header", needs, component, index, TEMPLATE_HEADER_TEXT_MAX);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (!slice_eq(kind, slice_text(kinds[i])) ||
            (json_array_size(parameters) == 1 && slice_eq(given, kind)))
            continue;
        size_t before = component_enter(fit, component, index);
        fit_fault(fit,
                  arena_format(fit->arena, "the template's header needs 1 value of type %s; %zu %s given",
                               kinds[i], json_array_size(parameters),
                               json_array_size(parameters) == 1 ? "of another type is" : "are"));
        fit_leave(fit, before);
    }
}

static void
body_fit(struct fit *fit, const json_t *needs, const json_t *components, size_t length_max)
{
    size_t index = 0;
    const json_t *component = component_of(components, "body", &index);

    if (needs != NULL || component != NULL)
        text_fit(fit, "body", needs, component, index, length_max);
}

/* 0 to 9, as a number or its text. */
static bool
button_place(const json_t *component, size_t *out)
{
    int64_t place = -1;

    if (!json_int_of(component, "index", &place) &&
        num_i64_parse(json_text_of(component, "index"), &place) != ERR_OK)
        return false;
    *out = (size_t)place;
    return place >= 0 && place < (int64_t)FILLED_BUTTON_MAX;
}

static void
buttons_fit(struct fit *fit, const json_t *needs, const json_t *components)
{
    size_t button_count = json_array_size(needs), place = 0;
    bool is_filled[FILLED_BUTTON_MAX] = { false };

    for (size_t i = 0; i < json_array_size(components); i++) {
        const json_t *component = json_array_get(components, i), *button = NULL;
        if (!slice_eq_nocase(json_text_of(component, "type"), SLICE("button")) ||
            !button_place(component, &place))
            continue;
        size_t before = fit_enter_index(fit, i);
        button = json_array_get(needs, place);
        is_filled[place] = true;
        if (button == NULL) {
            (void)fit_enter(fit, "index");
            fit_fault(fit,
                      arena_format(fit->arena, "the template has %zu buttons; there is none at index %zu",
                                   button_count, place));
        } else if (!slice_eq_nocase(json_text_of(component, "sub_type"), json_text_of(button, "kind"))) {
            (void)fit_enter(fit, "sub_type");
            fit_fault(fit, arena_format(fit->arena, "the template's button at index %zu is of another kind",
                                        place));
        } else if (slice_eq(json_text_of(button, "kind"), SLICE("url")) &&
                   !json_is_true(json_member(button, "needs_value"))) {
            (void)fit_enter(fit, "parameters");
            fit_fault(fit,
                      arena_format(fit->arena, "the template's button at index %zu has no variable", place));
        }
        fit_leave(fit, before);
    }
    for (size_t i = 0; i < button_count && i < FILLED_BUTTON_MAX; i++)
        if (!is_filled[i] && json_is_true(json_member(json_array_get(needs, i), "needs_value")))
            fit_fault(fit, arena_format(fit->arena, "the template's button at index %zu needs a value", i));
}

static void
offer_fit(struct fit *fit, const json_t *needs, const json_t *components)
{
    size_t index = 0;
    const json_t *component = component_of(components, "limited_time_offer", &index);
    bool expires = json_is_true(json_member(needs, "expires"));

    if (expires && component == NULL) {
        fit_fault(fit, SLICE("the template's limited-time offer needs its expiration_time_ms"));
    } else if (!expires && component != NULL) {
        size_t before = fit_enter_index(fit, index);
        fit_fault(fit, needs == NULL ? SLICE("the template has no limited-time offer")
                                     : SLICE("the template's offer does not expire"));
        fit_leave(fit, before);
    }
}

static void
cards_fit(struct fit *fit, const json_t *needs, const json_t *components)
{
    size_t index = 0, needed = json_array_size(needs);
    const json_t *component = component_of(components, "carousel", &index);
    const json_t *cards = json_member(component, "cards");
    size_t before = fit->at.len;

    if (component != NULL) {
        (void)fit_enter_index(fit, index);
        (void)fit_enter(fit, "cards");
    }
    if (json_array_size(cards) != needed)
        fit_fault(fit, arena_format(fit->arena, "the template's carousel has %zu cards; %zu are given",
                                    needed, json_array_size(cards)));
    for (size_t i = 0; i < json_array_size(cards) && json_array_size(cards) == needed; i++) {
        const json_t *card = json_array_get(cards, i), *parts = json_member(card, "components");
        int64_t place = (int64_t)i;
        (void)json_int_of(card, "card_index", &place);
        const json_t *card_needs = json_array_get(needs, place < 0 ? needed : (size_t)place);
        size_t before_card = fit_enter_index(fit, i);
        if (card_needs == NULL) {
            (void)fit_enter(fit, "card_index");
            fit_fault(fit, arena_format(fit->arena, "the template's carousel has %zu cards", needed));
        } else {
            (void)fit_enter(fit, "components");
            header_fit(fit, json_member(card_needs, "header"), parts);
            body_fit(fit, json_member(card_needs, "body"), parts, TEMPLATE_CARD_BODY_MAX);
            buttons_fit(fit, json_member(card_needs, "buttons"), parts);
        }
        fit_leave(fit, before_card);
    }
    fit_leave(fit, before);
}

enum err
template_needs_check(const json_t *needs, bool is_named, const json_t *send, struct slice at,
                     struct arena *arena, struct problem *problem)
{
    struct fit fit = { .arena = arena, .problem = problem, .is_named = is_named };
    const json_t *components = json_member(send, "components");

    buf_init(&fit.at, JSON_POINTER_MAX);
    buf_add(&fit.at, at);
    (void)fit_enter(&fit, "components");
    header_fit(&fit, json_member(needs, "header"), components);
    body_fit(&fit, json_member(needs, "body"), components,
             json_member(needs, "offer") != NULL ? TEMPLATE_OFFER_BODY_MAX : TEMPLATE_BODY_TEXT_MAX);
    buttons_fit(&fit, json_member(needs, "buttons"), components);
    offer_fit(&fit, json_member(needs, "offer"), components);
    cards_fit(&fit, json_member(needs, "cards"), components);
    enum err err = fit.at.err != ERR_OK ? fit.at.err : fit.fault_count == 0 ? ERR_OK : ERR_TEMPLATE_MISMATCH;
    buf_release(&fit.at);
    return err;
}
