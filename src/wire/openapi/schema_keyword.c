#include "wire/json/json.h"
#include "wire/openapi/schema_internal.h"
#include <stdlib.h>

#define DETAIL_BYTES_MAX 400u

/* One schema being read. */
struct job {
    struct schema_set *set;
    const json_t *node;
    struct slice at;
    struct schema *schema;
};

static enum err
refuse(const struct job *job, const char *why)
{
    return schema_set_refuse(job->set, job->at, why);
}

/* `{"keyword": ...}` of the schema at /a is at /a/keyword. */
static struct slice
at_child(const struct job *job, const char *keyword, const char *member)
{
    return arena_format(schema_set_arena(job->set), "%.*s/%s%s%s", SLICE_FMT(job->at), keyword,
                        member == NULL ? "" : "/", member == NULL ? "" : member);
}

static enum err
type_bit(const json_t *name, unsigned *types)
{
    static const struct {
        const char *name;
        enum schema_type type;
    } rows[] = {
        { "null", SCHEMA_NULL },     { "boolean", SCHEMA_BOOLEAN }, { "integer", SCHEMA_INTEGER },
        { "number", SCHEMA_NUMBER }, { "string", SCHEMA_STRING },   { "array", SCHEMA_ARRAY },
        { "object", SCHEMA_OBJECT },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (json_is_string(name) && strcmp(json_string_value(name), rows[i].name) == 0) {
            *types |= rows[i].type;
            return ERR_OK;
        }
    }
    return ERR_CONTRACT;
}

static enum err
keyword_type(struct job *job, const json_t *value)
{
    if (!json_is_array(value))
        return type_bit(value, &job->schema->types) == ERR_OK ? ERR_OK : refuse(job, "an unknown type");
    for (size_t i = 0; i < json_array_size(value); i++)
        if (type_bit(json_array_get(value, i), &job->schema->types) != ERR_OK)
            return refuse(job, "an unknown type");
    return job->schema->types == 0 ? refuse(job, "no type") : ERR_OK;
}

static enum err
keyword_enum(struct job *job, const json_t *value)
{
    if (json_array_size(value) == 0)
        return refuse(job, "enum without values");
    job->schema->enumeration = value;
    return ERR_OK;
}

static enum err
keyword_const(struct job *job, const json_t *value)
{
    job->schema->constant = value;
    return ERR_OK;
}

static enum err
count_from(struct job *job, const json_t *value, size_t *out)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return refuse(job, "a count is not a whole number");
    *out = (size_t)json_integer_value(value);
    return ERR_OK;
}

static enum err
keyword_min_length(struct job *job, const json_t *value)
{
    return count_from(job, value, &job->schema->length_min);
}

static enum err
keyword_max_length(struct job *job, const json_t *value)
{
    return count_from(job, value, &job->schema->length_max);
}

static enum err
keyword_min_items(struct job *job, const json_t *value)
{
    return count_from(job, value, &job->schema->items_min);
}

static enum err
keyword_max_items(struct job *job, const json_t *value)
{
    return count_from(job, value, &job->schema->items_max);
}

static enum err
keyword_min_properties(struct job *job, const json_t *value)
{
    return count_from(job, value, &job->schema->properties_min);
}

static enum err
keyword_max_properties(struct job *job, const json_t *value)
{
    return count_from(job, value, &job->schema->properties_max);
}

static enum err
keyword_unique(struct job *job, const json_t *value)
{
    if (!json_is_boolean(value))
        return refuse(job, "uniqueItems is neither true nor false");
    job->schema->is_unique = json_is_true(value);
    return ERR_OK;
}

static enum err
keyword_pattern(struct job *job, const json_t *value)
{
    struct slice text = slice_of(json_string_value(value), json_string_length(value));

    if (!json_is_string(value))
        return refuse(job, "pattern is not text");
    enum err err = schema_set_pattern(job->set, text, &job->schema->pattern);
    if (err == ERR_CONTRACT)
        return refuse(job, "pattern is no portable regular expression");
    if (err == ERR_OK && job->schema->pattern_detail.ptr == NULL)
        job->schema->pattern_detail =
            arena_format(schema_set_arena(job->set), "must match %.*s", SLICE_FMT(text));
    return err;
}

static enum err
keyword_detail(struct job *job, const json_t *value)
{
    struct slice text = slice_of(json_string_value(value), json_string_length(value));

    if (text.len == 0 || text.len > DETAIL_BYTES_MAX)
        return refuse(job, "x-detail is not a short text");
    job->schema->pattern_detail = text;
    return ERR_OK;
}

static enum err
keyword_format(struct job *job, const json_t *value)
{
    if (!format_find(slice_of(json_string_value(value), json_string_length(value)), &job->schema->format))
        return refuse(job, "an unknown format");
    return ERR_OK;
}

static enum err
keyword_minimum(struct job *job, const json_t *value)
{
    job->schema->minimum = value;
    return json_is_number(value) ? ERR_OK : refuse(job, "minimum is not a number");
}

static enum err
keyword_maximum(struct job *job, const json_t *value)
{
    job->schema->maximum = value;
    return json_is_number(value) ? ERR_OK : refuse(job, "maximum is not a number");
}

static enum err
keyword_items(struct job *job, const json_t *value)
{
    return schema_compile(job->set, value, at_child(job, "items", NULL), &job->schema->items);
}

static int
named_compare(const void *a, const void *b)
{
    return slice_compare(((const struct schema_named *)a)->name, ((const struct schema_named *)b)->name);
}

static enum err
keyword_properties(struct job *job, const json_t *value)
{
    struct schema *schema = job->schema;
    const char *key;
    json_t *property;

    if (!json_is_object(value))
        return refuse(job, "properties is not an object");
    schema->properties =
        arena_array(schema_set_arena(job->set), json_object_size(value) + 1, sizeof(*schema->properties));
    if (schema->properties == NULL)
        return ERR_NO_MEMORY;
    json_object_foreach(json_iterable(value), key, property)
    {
        struct schema_named *named = &schema->properties[schema->property_count++];
        named->name = slice_text(key);
        enum err err = schema_compile(job->set, property, at_child(job, "properties", key), &named->schema);
        if (err != ERR_OK)
            return err;
    }
    qsort(schema->properties, schema->property_count, sizeof(*schema->properties), named_compare);
    return ERR_OK;
}

static enum err
keyword_required(struct job *job, const json_t *value)
{
    struct schema *schema = job->schema;

    schema->required =
        arena_array(schema_set_arena(job->set), json_array_size(value) + 1, sizeof(*schema->required));
    if (schema->required == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *name = json_array_get(value, i);
        if (!json_is_string(name))
            return refuse(job, "required holds something else than names");
        schema->required[schema->required_count++] =
            slice_of(json_string_value(name), json_string_length(name));
    }
    return schema->required_count == 0 ? refuse(job, "required without names") : ERR_OK;
}

static enum err
keyword_additional(struct job *job, const json_t *value)
{
    if (!json_is_boolean(value))
        return refuse(job, "additionalProperties is neither true nor false");
    job->schema->is_closed = json_is_false(value);
    return ERR_OK;
}

static enum err
read_list(struct job *job, const char *keyword, const json_t *value, struct schema_list *out)
{
    out->items = arena_array(schema_set_arena(job->set), json_array_size(value) + 1, sizeof(*out->items));
    if (out->items == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < json_array_size(value); i++) {
        struct slice at =
            arena_format(schema_set_arena(job->set), "%.*s/%s/%zu", SLICE_FMT(job->at), keyword, i);
        enum err err = schema_compile(job->set, json_array_get(value, i), at, &out->items[i].schema);
        if (err != ERR_OK)
            return err;
        out->count++;
    }
    return out->count == 0 ? refuse(job, "a list of schemas is empty") : ERR_OK;
}

static enum err
keyword_all_of(struct job *job, const json_t *value)
{
    return read_list(job, "allOf", value, &job->schema->all_of);
}

static enum err
keyword_any_of(struct job *job, const json_t *value)
{
    return read_list(job, "anyOf", value, &job->schema->any_of);
}

static enum err
keyword_one_of(struct job *job, const json_t *value)
{
    return read_list(job, "oneOf", value, &job->schema->one_of);
}

static enum err
keyword_discriminator(struct job *job, const json_t *value)
{
    struct schema *schema = job->schema;
    const json_t *mapping = json_member(value, "mapping");
    const char *key;
    json_t *target;

    schema->discriminator = json_text_of(value, "propertyName");
    if (schema->discriminator.len == 0 || json_object_size(mapping) == 0)
        return refuse(job, "discriminator without propertyName or mapping");
    schema->mapping =
        arena_array(schema_set_arena(job->set), json_object_size(mapping), sizeof(*schema->mapping));
    if (schema->mapping == NULL)
        return ERR_NO_MEMORY;
    json_object_foreach(json_iterable(mapping), key, target)
    {
        struct schema_named *named = &schema->mapping[schema->mapping_count++];
        json_t *reference = json_pack("{sO}", "$ref", target);
        const json_t *node = NULL;
        named->name = slice_text(key);
        enum err err = reference == NULL
                           ? ERR_NO_MEMORY
                           : schema_set_node(job->set, reference, at_child(job, "discriminator", key), &node);
        json_decref(reference);
        if (err == ERR_OK)
            err = schema_compile(job->set, node, at_child(job, "discriminator", key), &named->schema);
        if (err != ERR_OK)
            return err;
    }
    qsort(schema->mapping, schema->mapping_count, sizeof(*schema->mapping), named_compare);
    return ERR_OK;
}

static const struct keyword {
    const char *name;
    enum err (*read)(struct job *job, const json_t *value);
} keywords[] = {
    { "type", keyword_type },
    { "enum", keyword_enum },
    { "const", keyword_const },
    { "minLength", keyword_min_length },
    { "maxLength", keyword_max_length },
    { "pattern", keyword_pattern },
    { "x-detail", keyword_detail },
    { "format", keyword_format },
    { "minimum", keyword_minimum },
    { "maximum", keyword_maximum },
    { "items", keyword_items },
    { "minItems", keyword_min_items },
    { "maxItems", keyword_max_items },
    { "uniqueItems", keyword_unique },
    { "properties", keyword_properties },
    { "required", keyword_required },
    { "additionalProperties", keyword_additional },
    { "minProperties", keyword_min_properties },
    { "maxProperties", keyword_max_properties },
    { "allOf", keyword_all_of },
    { "anyOf", keyword_any_of },
    { "oneOf", keyword_one_of },
    { "discriminator", keyword_discriminator },
};

static enum err
read_keyword(struct job *job, const char *name, const json_t *value)
{
    for (size_t i = 0; i < COUNT_OF(keywords); i++)
        if (strcmp(name, keywords[i].name) == 0)
            return keywords[i].read(job, value);
    if (schema_is_annotation(slice_text(name)))
        return ERR_OK;
    job->at = at_child(job, name, NULL);
    return refuse(job, "this keyword is not known here");
}

/* The text of a problem, whole or not at all; ptr is NULL without memory. */
static struct slice
detail_from(struct job *job, struct buf *text, struct slice too_long)
{
    struct slice detail = SLICE_EMPTY;

    if (text->err == ERR_OK)
        detail = arena_copy(schema_set_arena(job->set), buf_slice(text));
    else if (text->err == ERR_LIMIT)
        detail = too_long;
    buf_release(text);
    return detail;
}

static struct slice
mapping_detail(struct job *job)
{
    struct buf out;

    buf_init(&out, DETAIL_BYTES_MAX);
    buf_add_text(&out, job->schema->mapping_count == 1 ? "must be " : "must be one of ");
    for (size_t i = 0; i < job->schema->mapping_count; i++) {
        buf_add_text(&out, i == 0 ? "" : ", ");
        json_add_string(&out, job->schema->mapping[i].name);
    }
    return detail_from(job, &out, SLICE("must be one of the values that the contract lists"));
}

static struct slice
values_detail(struct job *job)
{
    const struct schema *schema = job->schema;
    size_t count = schema->constant != NULL ? 1 : json_array_size(schema->enumeration);
    struct buf out;

    buf_init(&out, DETAIL_BYTES_MAX);
    buf_add_text(&out, count == 1 ? "must be " : "must be one of ");
    for (size_t i = 0; i < count; i++) {
        const json_t *value =
            schema->constant != NULL ? schema->constant : json_array_get(schema->enumeration, i);
        buf_add_text(&out, i == 0 ? "" : ", ");
        if (json_print(value, &out) != ERR_OK && out.err == ERR_OK)
            out.err = ERR_NO_MEMORY;
    }
    return detail_from(job, &out, SLICE("must be one of the values that the contract lists"));
}

/* must have exactly one of "id", "link": branches that only require fields; several of one branch by "with".
 */
static struct slice
choice_detail(struct job *job, const struct schema_list *list, const char *how_many)
{
    struct buf out;

    buf_init(&out, DETAIL_BYTES_MAX);
    buf_add_format(&out, "must have %s one of ", how_many);
    for (size_t i = 0; i < list->count; i++) {
        for (size_t j = 0; j < list->items[i].schema->required_count; j++) {
            buf_add_text(&out, j > 0 ? " with " : i > 0 ? ", " : "");
            json_add_string(&out, list->items[i].schema->required[j]);
        }
    }
    return detail_from(job, &out, SLICE("must have one of the fields that the contract lists"));
}

static bool
list_is_choice(const struct schema_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (!list->items[i].schema->is_only_required)
            return false;
    return list->count > 0;
}

static bool
list_has(const struct schema_list *list, const struct schema *schema)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].schema == schema)
            return true;
    return false;
}

static bool
mapping_has(const struct schema *schema, const struct schema *target)
{
    for (size_t i = 0; i < schema->mapping_count; i++)
        if (schema->mapping[i].schema == target)
            return true;
    return false;
}

/* A discriminator must say the same as its oneOf: each branch has a value, each value a branch. */
static enum err
finish_discriminator(struct job *job)
{
    struct schema *schema = job->schema;

    if (schema->one_of.count == 0)
        return refuse(job, "discriminator without oneOf");
    for (size_t i = 0; i < schema->mapping_count; i++)
        if (!list_has(&schema->one_of, schema->mapping[i].schema))
            return refuse(job, "discriminator leads to a schema that is not in oneOf");
    for (size_t i = 0; i < schema->one_of.count; i++)
        if (!mapping_has(schema, schema->one_of.items[i].schema))
            return refuse(job, "a schema of oneOf has no value of the discriminator");
    schema->mapping_detail = mapping_detail(job);
    return schema->mapping_detail.ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
}

/* What can be told only when all keywords of the schema are known. */
static enum err
finish(struct job *job)
{
    struct schema *schema = job->schema;

    if (schema->constant != NULL && schema->enumeration != NULL)
        return refuse(job, "const and enum stand side by side");
    if (schema->constant != NULL || schema->enumeration != NULL) {
        schema->values_detail = values_detail(job);
        if (schema->values_detail.ptr == NULL)
            return ERR_NO_MEMORY;
    }
    if (schema->is_unique && schema->items_max > SCHEMA_UNIQUE_ITEMS_MAX)
        return refuse(job, "uniqueItems without a small maxItems");
    if (schema->property_count > 0 && json_member(job->node, "additionalProperties") == NULL)
        schema->is_closed = schema_set_is_closed(job->set);
    if (schema->discriminator.len > 0)
        return finish_discriminator(job);
    if (schema->one_of.count > 0 && schema->any_of.count > 0)
        return refuse(job, "oneOf and anyOf stand side by side");
    bool is_one = schema->one_of.count > 0;
    const struct schema_list *list = is_one ? &schema->one_of : &schema->any_of;
    schema->is_choice_of_fields = list_is_choice(list);
    if (schema->is_choice_of_fields)
        schema->choice_detail = choice_detail(job, list, is_one ? "exactly" : "at least");
    return schema->is_choice_of_fields && schema->choice_detail.ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
}

enum err
schema_read(struct schema_set *set, const json_t *node, struct slice at, struct schema *schema)
{
    struct job job = { set, node, at, schema };
    const char *key;
    json_t *value;

    *schema = (struct schema){ .length_max = SIZE_MAX, .items_max = SIZE_MAX, .properties_max = SIZE_MAX };
    json_object_foreach(json_iterable(node), key, value)
    {
        enum err err = read_keyword(&job, key, value);
        if (err != ERR_OK)
            return err;
    }
    schema->is_only_required = json_object_size(node) == 1 && schema->required_count > 0;
    return finish(&job);
}
