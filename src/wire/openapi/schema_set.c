#include "wire/json/json.h"
#include "wire/openapi/schema_internal.h"
#include <stdio.h>
#include <stdlib.h>

#define SET_BYTES_MAX  ((size_t)8 * 1024 * 1024)
#define REFERENCES_MAX 16u /* from one $ref to the next */

struct compiled { /* what was compiled from which node */
    const json_t *node;
    struct schema *schema;
    enum { VISIT_NONE, VISIT_OPEN, VISIT_DONE } visit; /* while the set is sealed */
    struct compiled *next;
};

struct held_pattern {
    struct pattern *pattern; /* owned */
    struct held_pattern *next;
};

struct schema_set {
    const json_t *document;
    struct arena *arena;
    bool is_closed, is_sealed;
    struct compiled *compiled;
    struct held_pattern *patterns;
    char why[256];
};

enum err
schema_set_new(const json_t *document, bool is_closed, struct schema_set **out)
{
    struct schema_set *set = calloc(1, sizeof(*set));

    *out = NULL;
    if (set == NULL)
        return ERR_NO_MEMORY;
    set->arena = arena_new(SET_BYTES_MAX);
    if (set->arena == NULL) {
        free(set);
        return ERR_NO_MEMORY;
    }
    set->document = document;
    set->is_closed = is_closed;
    *out = set;
    return ERR_OK;
}

void
schema_set_free(struct schema_set *set)
{
    if (set == NULL)
        return;
    for (struct held_pattern *held = set->patterns; held != NULL; held = held->next)
        pattern_free(held->pattern);
    arena_free(set->arena);
    free(set);
}

const char *
schema_set_why(const struct schema_set *set)
{
    return set->why;
}

bool
schema_set_is_closed(const struct schema_set *set)
{
    return set->is_closed;
}

struct arena *
schema_set_arena(struct schema_set *set)
{
    return set->arena;
}

enum err
schema_set_refuse(struct schema_set *set, struct slice at, const char *why)
{
    if (set->why[0] == '\0')
        snprintf(set->why, sizeof(set->why), "%.*s: %s", SLICE_FMT(at), why);
    return ERR_CONTRACT;
}

enum err
schema_set_pattern(struct schema_set *set, struct slice text, const struct pattern **out)
{
    struct held_pattern *held = arena_alloc(set->arena, sizeof(*held));

    *out = NULL;
    if (held == NULL)
        return ERR_NO_MEMORY;
    enum err err = pattern_compile(text, &held->pattern);
    if (err != ERR_OK)
        return err;
    held->next = set->patterns;
    set->patterns = held;
    *out = held->pattern;
    return ERR_OK;
}

bool
schema_is_annotation(struct slice keyword)
{
    static const char *const names[] = { "title",   "description", "example", "examples",
                                         "default", "deprecated",  "$comment" };

    if (slice_starts_with(keyword, SLICE("x-")))
        return true;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (slice_eq(keyword, slice_text(names[i])))
            return true;
    return false;
}

/* One reference token of a JSON Pointer, unescaped, is a member of `node`. */
static const json_t *
node_child(const json_t *node, struct slice token)
{
    char name[256];
    size_t len = 0;

    for (size_t i = 0; i < token.len && len < sizeof(name) - 1; i++) {
        if (token.ptr[i] == '~' && i + 1 < token.len) {
            name[len++] = token.ptr[++i] == '1' ? '/' : '~';
        } else {
            name[len++] = token.ptr[i];
        }
    }
    name[len] = '\0';
    return json_member(node, name);
}

enum err
schema_set_node(struct schema_set *set, const json_t *node, struct slice at, const json_t **out)
{
    *out = NULL;
    for (unsigned hops = 0; hops < REFERENCES_MAX; hops++) {
        const json_t *reference = json_member(node, "$ref");
        if (reference == NULL) {
            *out = node;
            return ERR_OK;
        }
        const char *key;
        json_t *value;
        json_object_foreach(json_iterable(node), key, value)
        {
            if (strcmp(key, "$ref") != 0 && !schema_is_annotation(slice_text(key)))
                return schema_set_refuse(set, at, "$ref stands beside another keyword");
        }
        struct slice path = json_text_of(node, "$ref");
        if (!slice_starts_with(path, SLICE("#/")))
            return schema_set_refuse(set, at, "$ref leads out of the document");
        path = slice_drop(path, 2);
        for (node = set->document; node != NULL && path.len > 0;)
            node = node_child(node, slice_take_until(&path, '/'));
        if (node == NULL)
            return schema_set_refuse(set, at, "$ref leads nowhere");
    }
    return schema_set_refuse(set, at, "$ref leads in a circle");
}

enum err
schema_compile(struct schema_set *set, const json_t *node, struct slice at, const struct schema **out)
{
    const json_t *real;
    enum err err = schema_set_node(set, node, at, &real);

    *out = NULL;
    if (err != ERR_OK)
        return err;
    for (struct compiled *old = set->compiled; old != NULL; old = old->next) {
        if (old->node == real) {
            *out = old->schema;
            return ERR_OK;
        }
    }
    if (set->is_sealed || !json_is_object(real))
        return schema_set_refuse(set, at, "not a schema");
    struct compiled *record = arena_alloc(set->arena, sizeof(*record));
    if (record != NULL)
        record->schema = arena_alloc(set->arena, sizeof(*record->schema));
    if (record == NULL || record->schema == NULL)
        return ERR_NO_MEMORY;
    record->node = real; /* known before its keywords are, so that a schema may hold itself further down */
    record->next = set->compiled;
    set->compiled = record;
    *out = record->schema;
    return schema_read(set, real, at, record->schema);
}

static struct compiled *
compiled_of(const struct schema_set *set, const struct schema *schema)
{
    struct compiled *one = set->compiled;

    while (one->schema != schema) /* every schema of a set is in it */
        one = one->next;
    return one;
}

/* A schema that reaches itself through allOf, anyOf or oneOf would check the same value for ever. */
static bool
applies_itself(const struct schema_set *set, struct compiled *one)
{
    const struct schema_list *lists[] = { &one->schema->all_of, &one->schema->any_of, &one->schema->one_of };

    if (one->visit != VISIT_NONE)
        return one->visit == VISIT_OPEN;
    one->visit = VISIT_OPEN;
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        for (size_t j = 0; j < lists[i]->count; j++)
            if (applies_itself(set, compiled_of(set, lists[i]->items[j].schema)))
                return true;
    one->visit = VISIT_DONE;
    return false;
}

enum err
schema_set_seal(struct schema_set *set)
{
    struct pattern_scratch scratch = { .match = NULL };
    enum err err = ERR_OK;

    for (struct compiled *one = set->compiled; one != NULL; one = one->next)
        if (applies_itself(set, one))
            return schema_set_refuse(set, SLICE("#"), "a schema applies itself to the same value");
    for (struct compiled *one = set->compiled; one != NULL && err == ERR_OK; one = one->next) {
        struct schema_check check = { .scratch = &scratch };
        const json_t *fallback = json_member(one->node, "default");
        if (fallback == NULL)
            continue;
        schema_check_value(one->schema, fallback, &check);
        err = check.err;
        if (err == ERR_OK && check.is_invalid)
            err = schema_set_refuse(set, SLICE("#"), "a default does not fit its own schema");
    }
    pattern_scratch_release(&scratch);
    set->is_sealed = err == ERR_OK;
    return err;
}
