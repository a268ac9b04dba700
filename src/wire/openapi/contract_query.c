#include "core/num.h"
#include "wire/openapi/contract_internal.h"

#define NAME_BYTES_MAX 64u /* of an unknown parameter, when a problem names it */

struct query_check {
    const struct contract_operation *operation;
    const struct contract_parameter *parameters;
    size_t count;
    struct arena *arena;
    struct problem *problem;
    struct pattern_scratch scratch;
    bool is_invalid;
};

static void
refuse(struct query_check *check, struct slice name, struct slice detail)
{
    check->is_invalid = true;
    if (check->problem->count < PROBLEM_ERRORS_MAX)
        problem_add_parameter(check->problem, check->arena, name, detail);
}

/* Text as the JSON value that the schema speaks of; *out stays NULL, without an error, when it is none. */
static enum err
value_from(const struct schema *schema, struct slice text, json_t **out)
{
    int64_t number;

    *out = NULL;
    switch (schema_text_of(schema)) {
    case SCHEMA_TEXT_INTEGER:
        if (num_i64_parse(text, &number) != ERR_OK)
            return ERR_OK;
        *out = json_integer(number);
        break;
    case SCHEMA_TEXT_BOOLEAN:
        if (!slice_eq(text, SLICE("true")) && !slice_eq(text, SLICE("false")))
            return ERR_OK;
        *out = json_boolean(text.len == sizeof("true") - 1);
        break;
    case SCHEMA_TEXT_ARRAY: /* list_from takes these, and a contract with the next does not compile */
    case SCHEMA_TEXT_NONE:
    case SCHEMA_TEXT_STRING:
        *out = json_stringn_nocheck(text.len == 0 ? "" : text.ptr, text.len);
        break;
    }
    return *out == NULL ? ERR_NO_MEMORY : ERR_OK;
}

/* The items between commas. No text is no item. */
static enum err
list_from(const struct schema *schema, struct slice text, json_t **out)
{
    enum err err = ERR_OK;
    json_t *list = json_array(), *item = NULL;

    *out = NULL;
    if (list == NULL)
        return ERR_NO_MEMORY;
    for (bool has_more = text.len > 0; has_more;) {
        has_more = slice_find(text, ',') < text.len;
        err = value_from(schema_items(schema), slice_take_until(&text, ','), &item);
        if (err != ERR_OK)
            goto done;
        if (item == NULL)
            item = json_null(); /* no item is null: the schema refuses it */
        if (json_array_append_new(list, item) != 0) {
            err = ERR_NO_MEMORY;
            goto done;
        }
    }
    *out = list;
    list = NULL;
done:
    json_decref(list);
    return err;
}

static enum err
value_check(struct query_check *check, const struct contract_query *query, struct slice text)
{
    struct schema_check one = {
        .arena = check->arena, .problem = check->problem, .parameter = query->name, .scratch = &check->scratch
    };
    bool is_list = schema_text_of(query->schema) == SCHEMA_TEXT_ARRAY;
    json_t *value;
    enum err err = is_list ? list_from(query->schema, text, &value) : value_from(query->schema, text, &value);

    if (err != ERR_OK)
        return err;
    if (value == NULL) {
        bool is_number = schema_text_of(query->schema) == SCHEMA_TEXT_INTEGER;
        refuse(check, query->name, is_number ? SLICE("must be an integer") : SLICE("must be true or false"));
        return ERR_OK;
    }
    schema_check_value(query->schema, value, &one);
    json_decref(value);
    check->is_invalid = check->is_invalid || one.is_invalid;
    return one.err;
}

/* At most so many bytes, and whole characters. */
static struct slice
name_to_show(struct slice name)
{
    if (name.len == 0)
        return SLICE("(empty)");
    if (name.len <= NAME_BYTES_MAX)
        return name;
    size_t len = NAME_BYTES_MAX;
    while (len > 0 && ((unsigned char)name.ptr[len] & 0xC0) == 0x80)
        len--;
    return slice_first(name, len);
}

static const struct contract_query *
query_find(const struct contract_operation *operation, struct slice name)
{
    for (size_t i = 0; i < operation->query_count; i++)
        if (slice_eq(operation->query[i].name, name))
            return &operation->query[i];
    return NULL;
}

/* How many parameters before `end` have this name. */
static size_t
count_before(const struct query_check *check, struct slice name, size_t end)
{
    size_t count = 0;

    for (size_t i = 0; i < end; i++)
        if (slice_eq(check->parameters[i].name, name))
            count++;
    return count;
}

static enum err
given_check(struct query_check *check)
{
    for (size_t i = 0; i < check->count; i++) {
        const struct contract_parameter *given = &check->parameters[i];
        const struct contract_query *query = query_find(check->operation, given->name);
        size_t before = count_before(check, given->name, i);
        if (before == 1)
            refuse(check, name_to_show(given->name), SLICE("must not be repeated"));
        if (before > 0)
            continue;
        if (query == NULL) {
            refuse(check, name_to_show(given->name), SLICE("is not a known parameter"));
            continue;
        }
        enum err err = value_check(check, query, given->value);
        if (err != ERR_OK)
            return err;
    }
    return ERR_OK;
}

enum err
contract_check_query(const struct contract_operation *operation, const struct contract_parameter *parameters,
                     size_t count, struct arena *arena, struct problem *problem)
{
    struct query_check check = {
        .operation = operation, .parameters = parameters, .count = count, .arena = arena, .problem = problem
    };
    enum err err = given_check(&check);

    pattern_scratch_release(&check.scratch);
    for (size_t i = 0; err == ERR_OK && i < operation->query_count; i++)
        if (operation->query[i].is_required && count_before(&check, operation->query[i].name, count) == 0)
            refuse(&check, operation->query[i].name, SLICE("is required"));
    if (err != ERR_OK)
        return err;
    return check.is_invalid ? ERR_QUERY : ERR_OK;
}
