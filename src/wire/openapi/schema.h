/*
 * JSON Schema 2020-12, the part that the contract uses. A schema with any other keyword does not compile, so
 * that nothing is silently unchecked. Used:
 *
 *   type (one or several), enum, const
 *   minLength, maxLength (code points), pattern, format (format.h)
 *   minimum, maximum
 *   items, minItems, maxItems, uniqueItems (only with maxItems up to SCHEMA_UNIQUE_ITEMS_MAX)
 *   properties, required, additionalProperties (true or false), minProperties, maxProperties
 *   allOf, anyOf, oneOf, and OpenAPI's discriminator with a mapping
 *   $ref within the document, with nothing but annotations beside it
 *   default: held against its own schema, otherwise an annotation, as are title, description, example,
 * examples, deprecated, $comment and x-...
 *
 * x-detail is ours: what a problem says when `pattern` does not match, such as "must be E.164, such as
 * +14155550123".
 *
 * One deviation, on the strict side: 1.0 is not an `integer`, so that a handler never meets a real where it
 * reads one.
 */
#ifndef WIRE_OPENAPI_SCHEMA_H
#define WIRE_OPENAPI_SCHEMA_H
#include "core/arena.h"
#include "core/err.h"
#include "core/slice.h"
#include "wire/http/problem.h"
#include "wire/openapi/pattern.h"
#include <jansson.h>

#define SCHEMA_UNIQUE_ITEMS_MAX 128u

struct schema;     /* immutable once the set is sealed */
struct schema_set; /* all schemas of one document, which may refer to each other */

/*
 * `document` is borrowed and must outlive the set. With `is_closed`, an object with `properties` and without
 * `additionalProperties` takes no others: for responses, where clients must expect more but tests must not.
 */
MUST_CHECK enum err schema_set_new(const json_t *document, bool is_closed, struct schema_set **out);
void schema_set_free(struct schema_set *set);
/* What schema_set_node, schema_compile or schema_set_seal found wrong, and where. */
const char *schema_set_why(const struct schema_set *set);
/* Notes the first fault and returns ERR_CONTRACT. `at` is a JSON Pointer for people. */
MUST_CHECK enum err schema_set_refuse(struct schema_set *set, struct slice at, const char *why);
/* Memory that lives as long as the set. */
struct arena *schema_set_arena(struct schema_set *set);

/* Follows $ref as long as there is one. ERR_CONTRACT: it leads nowhere or in a circle. */
MUST_CHECK enum err schema_set_node(struct schema_set *set, const json_t *node, struct slice at,
                                    const json_t **out);
/* The same node gives the same schema. Not usable before the set is sealed. ERR_CONTRACT, ERR_NO_MEMORY. */
MUST_CHECK enum err schema_compile(struct schema_set *set, const json_t *node, struct slice at,
                                   const struct schema **out);
/* Once, after the last schema: refuses schemas that apply themselves to the same value, and defaults that do
 * not fit. */
MUST_CHECK enum err schema_set_seal(struct schema_set *set);

/* One check of one value. Zeroed at first; afterwards schema_check_release. */
struct schema_check {
    struct arena *arena;     /* for the texts of `problem` */
    struct problem *problem; /* NULL: the verdict alone is wanted */
    struct slice parameter;  /* set: errors name this parameter, not a place in the body */
    struct pattern_scratch *scratch;
    bool is_invalid; /* the verdict */
    enum err err;    /* ERR_NO_MEMORY: the verdict means nothing */
};

void schema_check_value(const struct schema *schema, const json_t *value, struct schema_check *check);

/* What a query parameter's text stands for: the schema's one type, or that of its first allOf. */
enum schema_text {
    SCHEMA_TEXT_NONE, /* another type, several, or none */
    SCHEMA_TEXT_STRING,
    SCHEMA_TEXT_INTEGER,
    SCHEMA_TEXT_BOOLEAN,
    SCHEMA_TEXT_ARRAY
};
enum schema_text schema_text_of(const struct schema *schema);
/* Of an array; NULL when there is none. */
const struct schema *schema_items(const struct schema *schema);

#endif
