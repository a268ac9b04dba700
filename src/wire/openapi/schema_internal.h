/* A schema in memory: schema_set.c finds and keeps it, schema_keyword.c reads its keywords, schema_check.c
 * applies it. */
#ifndef WIRE_OPENAPI_SCHEMA_INTERNAL_H
#define WIRE_OPENAPI_SCHEMA_INTERNAL_H
#include "wire/openapi/format.h"
#include "wire/openapi/schema.h"

enum schema_type { /* bits */
                   SCHEMA_NULL = 1,
                   SCHEMA_BOOLEAN = 2,
                   SCHEMA_INTEGER = 4,
                   SCHEMA_NUMBER = 8,
                   SCHEMA_STRING = 16,
                   SCHEMA_ARRAY = 32,
                   SCHEMA_OBJECT = 64,
};

struct schema_named { /* a property, or a value of the discriminator */
    struct slice name;
    const struct schema *schema;
};

struct schema_branch { /* of allOf, anyOf, oneOf */
    const struct schema *schema;
};

struct schema_list {
    struct schema_branch *items;
    size_t count;
};

/* Everything lies in the set's arena or in the document. A maximum that is not set is SIZE_MAX. */
struct schema {
    unsigned types; /* 0: any */
    enum format format;
    const json_t *enumeration, *constant;
    struct slice values_detail; /* for both: what a problem says */

    size_t length_min, length_max;
    const struct pattern *pattern;
    struct slice pattern_detail;

    const json_t *minimum, *maximum;

    const struct schema *items;
    size_t items_min, items_max;

    struct schema_named *properties; /* sorted by name */
    size_t property_count;
    struct slice *required;
    size_t required_count;
    size_t properties_min, properties_max;

    struct schema_list all_of, any_of, one_of;
    struct slice choice_detail; /* for is_choice_of_fields: what a problem says */
    struct slice discriminator; /* empty: none */
    struct schema_named *mapping;
    size_t mapping_count;
    struct slice mapping_detail;

    bool is_unique, is_closed;
    bool is_choice_of_fields; /* oneOf or anyOf, every branch with nothing but `required` */
    bool is_only_required;    /* such a branch */
};

/* schema_keyword.c: every keyword of the node. */
MUST_CHECK enum err schema_read(struct schema_set *set, const json_t *node, struct slice at,
                                struct schema *schema);
/* schema_set.c */
MUST_CHECK enum err schema_set_pattern(struct schema_set *set, struct slice text, const struct pattern **out);
bool schema_set_is_closed(const struct schema_set *set);
bool schema_is_annotation(struct slice keyword);

#endif
