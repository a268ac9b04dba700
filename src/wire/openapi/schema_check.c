#include "wire/json/json.h"
#include "wire/openapi/schema_internal.h"

/* The way from the value under check to the top, on the stack. */
struct place {
    const struct place *parent; /* NULL: the top */
    struct slice name;          /* a member; NULL ptr: an item */
    size_t index;
    unsigned depth;
};

static void check_at(const struct schema *schema, const json_t *value, const struct place *place,
                     struct schema_check *check);

static struct place
place_member(const struct place *parent, struct slice name)
{
    return (struct place){ parent, name, 0, parent == NULL ? 1 : parent->depth + 1 };
}

static struct place
place_item(const struct place *parent, size_t index)
{
    return (struct place){ parent, SLICE_EMPTY, index, parent == NULL ? 1 : parent->depth + 1 };
}

static void
place_print(const struct place *place, struct buf *out)
{
    if (place == NULL)
        return;
    place_print(place->parent, out);
    if (place->name.ptr == NULL)
        json_pointer_add_index(out, place->index);
    else
        json_pointer_add(out, place->name);
}

/* Whether nothing more needs to be found. */
static bool
is_done(const struct schema_check *check)
{
    if (check->err != ERR_OK)
        return true;
    return check->problem == NULL ? check->is_invalid : check->problem->count >= PROBLEM_ERRORS_MAX;
}

static void
report(struct schema_check *check, const struct place *place, struct slice detail)
{
    struct buf pointer;

    check->is_invalid = true;
    if (is_done(check) || check->problem == NULL)
        return;
    if (detail.ptr == NULL) {
        check->err = ERR_NO_MEMORY;
        return;
    }
    if (check->parameter.ptr != NULL) {
        problem_add_parameter(check->problem, check->arena, check->parameter, detail);
        return;
    }
    buf_init(&pointer, JSON_POINTER_MAX);
    place_print(place, &pointer);
    if (buf_done(&pointer) == ERR_OK)
        problem_add(check->problem, check->arena, buf_slice(&pointer), detail);
    else if (pointer.err == ERR_LIMIT &&
             place != NULL) /* a name of the client's own making, too long to repeat */
        report(check, place->parent, SLICE("has a field that is not known"));
    else
        check->err = pointer.err;
    buf_release(&pointer);
}

/* "must be at most 10 items", with the noun in the singular for 1. */
static void
report_count(struct schema_check *check, const struct place *place, const char *verb, size_t count,
             const char *noun)
{
    check->is_invalid = true;
    if (check->problem != NULL)
        report(check, place,
               arena_format(check->arena, "%s %zu %s%s", verb, count, noun, count == 1 ? "" : "s"));
}

static unsigned
type_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return SCHEMA_OBJECT;
    case JSON_ARRAY:
        return SCHEMA_ARRAY;
    case JSON_STRING:
        return SCHEMA_STRING;
    case JSON_INTEGER:
        return SCHEMA_INTEGER | SCHEMA_NUMBER;
    case JSON_REAL:
        return SCHEMA_NUMBER;
    case JSON_TRUE:
    case JSON_FALSE:
        return SCHEMA_BOOLEAN;
    case JSON_NULL:
        return SCHEMA_NULL;
    }
    return 0;
}

static void
report_type(struct schema_check *check, const struct place *place, unsigned types)
{
    static const struct {
        enum schema_type type;
        const char *name;
    } rows[] = {
        { SCHEMA_OBJECT, "an object" },   { SCHEMA_ARRAY, "an array" },  { SCHEMA_STRING, "a string" },
        { SCHEMA_INTEGER, "an integer" }, { SCHEMA_NUMBER, "a number" }, { SCHEMA_BOOLEAN, "true or false" },
        { SCHEMA_NULL, "null" },
    };
    struct slice detail = SLICE("must be");

    check->is_invalid = true;
    if (check->problem == NULL)
        return;
    bool is_first = true;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if ((types & rows[i].type) == 0)
            continue;
        detail =
            arena_format(check->arena, "%.*s %s%s", SLICE_FMT(detail), is_first ? "" : "or ", rows[i].name);
        is_first = false;
    }
    report(check, place, detail);
}

static void
check_values(const struct schema *schema, const json_t *value, const struct place *place,
             struct schema_check *check)
{
    if (schema->constant != NULL && !json_equal(value, schema->constant))
        report(check, place, schema->values_detail);
    if (schema->enumeration == NULL)
        return;
    for (size_t i = 0; i < json_array_size(schema->enumeration); i++)
        if (json_equal(value, json_array_get(schema->enumeration, i)))
            return;
    report(check, place, schema->values_detail);
}

static void
check_string(const struct schema *schema, const json_t *value, const struct place *place,
             struct schema_check *check)
{
    struct slice text = slice_of(json_string_value(value), json_string_length(value));
    bool has_length = schema->length_min > 0 || schema->length_max != SIZE_MAX;
    size_t length = has_length ? slice_utf8_count(text) : 0;

    if (length < schema->length_min) {
        if (schema->length_min == 1)
            report(check, place, SLICE("must not be empty"));
        else
            report_count(check, place, "must be at least", schema->length_min, "character");
        return;
    }
    if (length > schema->length_max) {
        report_count(check, place, "must be at most", schema->length_max, "character");
        return; /* the pattern is not tried on a text of any length */
    }
    if (schema->pattern != NULL) {
        enum err err = pattern_match(schema->pattern, text, check->scratch);
        if (err == ERR_NO_MEMORY)
            check->err = err;
        if (err != ERR_OK) {
            report(check, place, schema->pattern_detail);
            return;
        }
    }
    if (!format_matches(schema->format, text))
        report(check, place, slice_text(format_detail(schema->format)));
}

/* Integers are compared as such: a double would blur the large ones. */
static int
number_compare(const json_t *a, const json_t *b)
{
    if (json_is_integer(a) && json_is_integer(b))
        return json_integer_value(a) < json_integer_value(b) ? -1
                                                             : json_integer_value(a) > json_integer_value(b);
    return json_number_value(a) < json_number_value(b) ? -1 : json_number_value(a) > json_number_value(b);
}

static void
report_bound(struct schema_check *check, const struct place *place, const char *verb, const json_t *bound)
{
    check->is_invalid = true;
    if (check->problem == NULL)
        return;
    if (json_is_integer(bound))
        report(check, place,
               arena_format(check->arena, "%s %lld", verb, (long long)json_integer_value(bound)));
    else
        report(check, place, arena_format(check->arena, "%s %.15g", verb, json_real_value(bound)));
}

static void
check_number(const struct schema *schema, const json_t *value, const struct place *place,
             struct schema_check *check)
{
    if (schema->minimum != NULL && number_compare(value, schema->minimum) < 0)
        report_bound(check, place, "must be at least", schema->minimum);
    else if (schema->maximum != NULL && number_compare(value, schema->maximum) > 0)
        report_bound(check, place, "must be at most", schema->maximum);
}

static void
check_unique(const json_t *array, const struct place *place, struct schema_check *check)
{
    for (size_t i = 1; i < json_array_size(array) && !is_done(check); i++) {
        for (size_t j = 0; j < i; j++) {
            if (json_equal(json_array_get(array, i), json_array_get(array, j))) {
                struct place item = place_item(place, i);
                report(check, &item, SLICE("must not repeat an earlier item"));
                break;
            }
        }
    }
}

static void
check_array(const struct schema *schema, const json_t *value, const struct place *place,
            struct schema_check *check)
{
    size_t count = json_array_size(value);

    if (count < schema->items_min) {
        if (schema->items_min == 1)
            report(check, place, SLICE("must not be empty"));
        else
            report_count(check, place, "must have at least", schema->items_min, "item");
    }
    if (count > schema->items_max) {
        report_count(check, place, "must have at most", schema->items_max, "item");
        return; /* the work on items is bounded by what is allowed */
    }
    if (schema->is_unique)
        check_unique(value, place, check);
    if (schema->items == NULL)
        return;
    for (size_t i = 0; i < count && !is_done(check); i++) {
        struct place item = place_item(place, i);
        check_at(schema->items, json_array_get(value, i), &item, check);
    }
}

static const struct schema *
named_find(const struct schema_named *names, size_t count, struct slice name)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = slice_compare(name, names[middle].name);
        if (order == 0)
            return names[middle].schema;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static bool
has_member(const json_t *object, struct slice name)
{
    return json_object_getn(object, name.ptr, name.len) != NULL;
}

static void
check_required(const struct schema *schema, const json_t *value, const struct place *place,
               struct schema_check *check)
{
    for (size_t i = 0; i < schema->required_count && !is_done(check); i++) {
        if (!has_member(value, schema->required[i])) {
            struct place member = place_member(place, schema->required[i]);
            report(check, &member, SLICE("is required"));
        }
    }
}

static void
check_members(const struct schema *schema, const json_t *value, const struct place *place,
              struct schema_check *check)
{
    json_t *object = json_iterable(value);

    for (void *at = json_object_iter(object); at != NULL && !is_done(check);
         at = json_object_iter_next(object, at)) {
        struct place member =
            place_member(place, slice_of(json_object_iter_key(at), json_object_iter_key_len(at)));
        const struct schema *known = named_find(schema->properties, schema->property_count, member.name);
        if (known != NULL)
            check_at(known, json_object_iter_value(at), &member, check);
        else if (schema->is_closed)
            report(check, &member, SLICE("is not a known field"));
    }
}

static void
check_object(const struct schema *schema, const json_t *value, const struct place *place,
             struct schema_check *check)
{
    size_t count = json_object_size(value);

    if (count < schema->properties_min) {
        if (schema->properties_min == 1)
            report(check, place, SLICE("must not be empty"));
        else
            report_count(check, place, "must have at least", schema->properties_min, "field");
    }
    if (count > schema->properties_max)
        report_count(check, place, "must have at most", schema->properties_max, "field");
    check_required(schema, value, place, check);
    if (schema->property_count > 0 || schema->is_closed)
        check_members(schema, value, place, check);
}

static bool
would_pass(const struct schema *schema, const json_t *value, const struct place *place,
           struct schema_check *check)
{
    struct schema_check silent = { .arena = check->arena, .scratch = check->scratch };

    check_at(schema, value, place, &silent);
    if (silent.err != ERR_OK)
        check->err = silent.err;
    return !silent.is_invalid;
}

/*
 * One branch is chosen by the value of a field, and its errors are the errors. A missing field is reported
 * here unless `required` has done so.
 */
static void
check_discriminated(const struct schema *schema, const json_t *value, const struct place *place,
                    struct schema_check *check)
{
    struct place member = place_member(place, schema->discriminator);

    if (!json_is_object(value)) {
        report_type(check, place, SCHEMA_OBJECT);
        return;
    }
    const json_t *chosen = json_object_getn(value, schema->discriminator.ptr, schema->discriminator.len);
    if (chosen == NULL) {
        for (size_t i = 0; i < schema->required_count; i++)
            if (slice_eq(schema->required[i], schema->discriminator))
                return;
        report(check, &member, SLICE("is required"));
        return;
    }
    if (!json_is_string(chosen)) {
        report_type(check, &member, SCHEMA_STRING);
        return;
    }
    const struct schema *branch = named_find(schema->mapping, schema->mapping_count,
                                             slice_of(json_string_value(chosen), json_string_length(chosen)));
    if (branch == NULL)
        report(check, &member, schema->mapping_detail);
    else
        check_at(branch, value, place, check);
}

/* When only one branch is for values of this type, such as one of "an object or null", its errors say the
 * most. */
static const struct schema *
only_branch_for(const struct schema_list *list, const json_t *value)
{
    const struct schema *only = NULL;

    for (size_t i = 0; i < list->count; i++) {
        unsigned types = list->items[i].schema->types;
        if (types != 0 && (types & type_of(value)) == 0)
            continue;
        if (only != NULL)
            return NULL;
        only = list->items[i].schema;
    }
    return only;
}

static void
check_alternatives(const struct schema *schema, const json_t *value, const struct place *place,
                   struct schema_check *check)
{
    bool is_one = schema->one_of.count > 0;
    const struct schema_list *list = is_one ? &schema->one_of : &schema->any_of;
    size_t passed = 0;

    for (size_t i = 0; i < list->count && check->err == ERR_OK; i++)
        if (would_pass(list->items[i].schema, value, place, check))
            passed++;
    if (check->err != ERR_OK || passed == 1 || (passed > 1 && !is_one))
        return;
    const struct schema *only = passed == 0 ? only_branch_for(list, value) : NULL;
    if (schema->is_choice_of_fields)
        report(check, place, schema->choice_detail);
    else if (only != NULL)
        check_at(only, value, place, check);
    else
        report(check, place, SLICE("has none of the allowed forms, or several"));
}

static void
check_at(const struct schema *schema, const json_t *value, const struct place *place,
         struct schema_check *check)
{
    if (place != NULL && place->depth > JSON_DEPTH_MAX) {
        report(check, place->parent, SLICE("is nested too deeply"));
        return;
    }
    unsigned type = type_of(value);
    if (schema->types != 0 && (schema->types & type) == 0) {
        report_type(check, place, schema->types);
        return;
    }
    check_values(schema, value, place, check);
    if (type == SCHEMA_STRING)
        check_string(schema, value, place, check);
    else if ((type & SCHEMA_NUMBER) != 0)
        check_number(schema, value, place, check);
    else if (type == SCHEMA_ARRAY)
        check_array(schema, value, place, check);
    else if (type == SCHEMA_OBJECT)
        check_object(schema, value, place, check);
    for (size_t i = 0; i < schema->all_of.count && !is_done(check); i++)
        check_at(schema->all_of.items[i].schema, value, place, check);
    if (is_done(check))
        return;
    if (schema->discriminator.len > 0)
        check_discriminated(schema, value, place, check);
    else if (schema->one_of.count + schema->any_of.count > 0)
        check_alternatives(schema, value, place, check);
}

void
schema_check_value(const struct schema *schema, const json_t *value, struct schema_check *check)
{
    check_at(schema, value, NULL, check);
}

enum schema_text
schema_text_of(const struct schema *schema)
{
    switch (schema->types) {
    case SCHEMA_STRING:
        return SCHEMA_TEXT_STRING;
    case SCHEMA_INTEGER:
        return SCHEMA_TEXT_INTEGER;
    case SCHEMA_BOOLEAN:
        return SCHEMA_TEXT_BOOLEAN;
    case SCHEMA_ARRAY:
        return SCHEMA_TEXT_ARRAY;
    case 0:
        return schema->all_of.count == 0 ? SCHEMA_TEXT_NONE : schema_text_of(schema->all_of.items[0].schema);
    default:
        return SCHEMA_TEXT_NONE;
    }
}

const struct schema *
schema_items(const struct schema *schema)
{
    return schema->items;
}
