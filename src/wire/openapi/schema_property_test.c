/*
 * Random schemas, each with a value that fits it, and then with every fault that the schema allows for, one
 * at a time: the value passes, and each fault is refused with one error, at its place. A schema and its value
 * are made from a seed; the same seed with `fault` = n makes them again with the n-th fault.
 */
#include "core/unit.h"
#include "wire/json/json.h"
#include "wire/openapi/schema.h"
#include <stdio.h>
#include <stdlib.h>

#define SEEDS     400u
#define DEPTH_MAX 5u

struct maker {
    uint64_t random;
    size_t faults, fault; /* seen so far; the one to make */
    char where[512];      /* of the fault that was made */
    json_t *others;       /* schemas that are referred to */
};

struct made {
    json_t *schema, *value; /* owned */
};

static unsigned
draw(struct maker *maker, unsigned below)
{
    maker->random = maker->random * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
    return (unsigned)(maker->random >> 33) % below;
}

/* Whether to make a fault here, at `pointer`. */
static bool
fault_here(struct maker *maker, const char *pointer)
{
    if (maker->faults++ != maker->fault)
        return false;
    snprintf(maker->where, sizeof(maker->where), "%s", pointer);
    return true;
}

static void
replace(struct made *made, json_t *value)
{
    json_decref(made->value);
    made->value = value;
}

static struct made make(struct maker *maker, const char *pointer, unsigned depth);

static json_t *
letters(size_t count, char letter)
{
    char text[64];

    memset(text, letter, sizeof(text));
    return json_stringn(text, count);
}

static struct made
make_string(struct maker *maker, const char *pointer)
{
    size_t min = draw(maker, 5), max = min + draw(maker, 5),
           length = min + draw(maker, (unsigned)(max - min) + 1);
    struct made made = { json_pack("{ss sI sI ss}", "type", "string", "minLength", (json_int_t)min,
                                   "maxLength", (json_int_t)max, "pattern", "^a*$"),
                         letters(length, 'a') };

    if (min > 0 && fault_here(maker, pointer))
        replace(&made, letters(min - 1, 'a'));
    if (fault_here(maker, pointer))
        replace(&made, letters(max + 1, 'a'));
    if (length > 0 && fault_here(maker, pointer))
        replace(&made, letters(length, 'b'));
    if (fault_here(maker, pointer))
        replace(&made, json_integer(7));
    return made;
}

static struct made
make_integer(struct maker *maker, const char *pointer)
{
    json_int_t min = (json_int_t)draw(maker, 100) - 50, max = min + draw(maker, 10);
    struct made made = { json_pack("{ss sI sI}", "type", "integer", "minimum", min, "maximum", max),
                         json_integer(min + draw(maker, (unsigned)(max - min) + 1)) };

    if (fault_here(maker, pointer))
        replace(&made, json_integer(min - 1));
    if (fault_here(maker, pointer))
        replace(&made, json_integer(max + 1));
    if (fault_here(maker, pointer))
        replace(&made, json_real((double)min));
    return made;
}

static struct made
make_choice(struct maker *maker, const char *pointer)
{
    struct made made = { json_pack("{s[s,i,n,{si}]}", "enum", "x", 1, "y", 2),
                         draw(maker, 2) == 0 ? json_null() : json_pack("{si}", "y", 2) };

    if (fault_here(maker, pointer))
        replace(&made, json_pack("{si}", "y", 3));
    if (fault_here(maker, pointer))
        replace(&made, json_string(""));
    return made;
}

static struct made
make_array(struct maker *maker, const char *pointer, unsigned depth)
{
    unsigned count = draw(maker, 4), min = draw(maker, count + 1), max = count + draw(maker, 3);
    struct made made = { json_pack("{ss sI sI}", "type", "array", "minItems", (json_int_t)min, "maxItems",
                                   (json_int_t)max),
                         json_array() };
    char item[512];
    json_t *schema = NULL;
    uint64_t seed = maker->random;

    for (unsigned i = 0; i < count; i++) { /* the same schema for each: made from the same seed */
        maker->random = seed;
        snprintf(item, sizeof(item), "%s/%u", pointer, i);
        struct made one = make(maker, item, depth + 1);
        json_decref(schema);
        schema = one.schema;
        json_array_append_new(made.value, one.value);
    }
    if (schema != NULL)
        json_object_set_new(made.schema, "items", schema);
    if (count > 0 && fault_here(maker, pointer))
        while (json_array_size(made.value) <= max)
            json_array_append(made.value, json_array_get(made.value, 0));
    if (min > 0 && fault_here(maker, pointer))
        while (json_array_size(made.value) >= min)
            json_array_remove(made.value, 0);
    if (fault_here(maker, pointer))
        replace(&made, json_object());
    return made;
}

static struct made
make_object(struct maker *maker, const char *pointer, unsigned depth)
{
    static const char *const names[] = { "a", "b", "a/b", "~", "", "\xe2\x82\xac", "kind" };
    static const char *const tokens[] = { "a", "b", "a~1b", "~0", "", "\xe2\x82\xac", "kind" };
    json_t *properties = json_object(), *required = json_array();
    struct made made = { json_pack("{ss}", "type", "object"), json_object() };
    bool is_closed = draw(maker, 2) == 0;
    char member[512];

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (draw(maker, 3) == 0)
            continue;
        snprintf(member, sizeof(member), "%s/%s", pointer, tokens[i]);
        struct made one = make(maker, member, depth + 1);
        bool is_required = draw(maker, 2) == 0, is_there = is_required || draw(maker, 2) == 0;
        json_object_set_new(properties, names[i], one.schema);
        json_object_set_new(made.value, names[i], one.value);
        if (is_required) {
            json_array_append_new(required, json_string(names[i]));
            if (fault_here(maker, member))
                json_object_del(made.value, names[i]);
        } else if (!is_there && maker->where[0] == '\0') {
            json_object_del(made.value, names[i]); /* unless the fault of this run lies in it */
        }
    }
    json_object_set_new(made.schema, "properties", properties);
    if (json_array_size(required) > 0)
        json_object_set(made.schema, "required", required);
    json_decref(required);
    snprintf(member, sizeof(member), "%s/unknown", pointer);
    if (is_closed)
        json_object_set_new(made.schema, "additionalProperties", json_false());
    if (is_closed && fault_here(maker, member))
        json_object_set_new(made.value, "unknown", json_true());
    if (fault_here(maker, pointer))
        replace(&made, json_array());
    return made;
}

/* {"kind": name, ...} with a discriminator; the other branch is there to be confused with. */
static struct made
make_discriminated(struct maker *maker, const char *pointer, unsigned depth)
{
    char name[32], other[32], path[64], other_path[64], member[512];

    draw(maker, 1);
    snprintf(name, sizeof(name), "s%llx",
             (unsigned long long)maker->random); /* the same for each item of an array */
    snprintf(other, sizeof(other), "o%llx", (unsigned long long)maker->random);
    json_object_set_new(
        maker->others, other,
        json_pack("{s[s] s{s{ss}}}", "required", "kind", "properties", "kind", "const", other));
    snprintf(path, sizeof(path), "#/others/%s", name);
    snprintf(other_path, sizeof(other_path), "#/others/%s", other);
    snprintf(member, sizeof(member), "%s/v", pointer);
    struct made inner = make(maker, member, depth + 1);
    struct made made = { json_pack("{s[{ss}{ss}] s{ss s{ss ss}}}", "oneOf", "$ref", path, "$ref", other_path,
                                   "discriminator", "propertyName", "kind", "mapping", name, path, other,
                                   other_path),
                         json_pack("{ss so}", "kind", name, "v", inner.value) };
    json_object_set_new(maker->others, name,
                        json_pack("{s[ss] sb s{s{ss} so}}", "required", "kind", "v", "additionalProperties",
                                  0, "properties", "kind", "const", name, "v", inner.schema));
    if (fault_here(maker, member))
        json_object_del(made.value, "v");
    snprintf(member, sizeof(member), "%s/kind", pointer);
    if (fault_here(maker, member))
        json_object_set_new(made.value, "kind", json_string("s"));
    if (fault_here(maker, member))
        json_object_set_new(made.value, "kind", json_integer(1));
    if (fault_here(maker, member))
        json_object_del(made.value, "kind");
    return made;
}

/* The same, by way of $ref, allOf, or "or null". */
static struct made
make_wrapped(struct maker *maker, const char *pointer, unsigned depth)
{
    char name[32], path[64];

    switch (draw(maker, 3)) {
    case 0: {
        snprintf(name, sizeof(name), "r%llx", (unsigned long long)maker->random);
        struct made made = make(maker, pointer, depth + 1);
        json_object_set_new(maker->others, name, made.schema);
        snprintf(path, sizeof(path), "#/others/%s", name);
        made.schema = json_pack("{ss ss}", "$ref", path, "description", "d");
        return made;
    }
    case 1: {
        struct made made = make(maker, pointer, depth + 1);
        made.schema = json_pack("{s[o]}", "allOf", made.schema);
        return made;
    }
    default: {
        struct made made = make_object(maker, pointer, depth + 1);
        if (json_is_array(
                made.value)) /* not of either type: the object's own error is not the one that is told */
            json_array_append_new(made.value, json_null());
        made.schema = json_pack("{s[o{ss}]}", "anyOf", made.schema, "type", "null");
        return made;
    }
    }
}

static struct made
make(struct maker *maker, const char *pointer, unsigned depth)
{
    unsigned kind = draw(maker, depth < DEPTH_MAX ? 8 : 3);

    switch (kind) {
    case 0:
        return make_string(maker, pointer);
    case 1:
        return make_integer(maker, pointer);
    case 2:
        return make_choice(maker, pointer);
    case 3:
        return make_array(maker, pointer, depth);
    case 4:
        return make_discriminated(maker, pointer, depth);
    case 5:
        return make_wrapped(maker, pointer, depth);
    default:
        return make_object(maker, pointer, depth);
    }
}

/* Makes the seed's schema and value with the fault, checks them, and returns how many faults there are. */
static size_t
try_one(uint64_t seed, size_t fault)
{
    struct maker maker = { .random = seed, .fault = fault, .others = json_object() };
    struct made made = make(&maker, "", 0);
    json_t *document = json_pack("{so so}", "it", made.schema, "others", maker.others);
    struct arena *arena = arena_new(256 * 1024);
    struct pattern_scratch scratch = { .match = NULL };
    struct problem problem = { .count = 0 };
    struct schema_check check = { .arena = arena, .problem = &problem, .scratch = &scratch };
    const struct schema *schema = NULL;
    struct schema_set *set;

    assert_non_null(document);
    assert_ok(schema_set_new(document, false, &set));
    enum err err = schema_compile(set, json_object_get(document, "it"), SLICE("#"), &schema);
    if (err == ERR_OK)
        err = schema_set_seal(set);
    if (err != ERR_OK)
        print_error("seed %llu: %s\n", (unsigned long long)seed, schema_set_why(set));
    assert_ok(err);
    schema_check_value(schema, made.value, &check);
    bool is_right = fault == SIZE_MAX
                        ? problem.count == 0
                        : problem.count == 1 && slice_eq(problem.errors[0].pointer, slice_text(maker.where));
    if (!is_right) {
        char *it = json_dumps(document, JSON_COMPACT),
             *value = json_dumps(made.value, JSON_COMPACT | JSON_ENCODE_ANY);
        print_error("seed %llu fault %zu at %s:\n%s\n%s\n", (unsigned long long)seed, fault, maker.where, it,
                    value);
        for (size_t i = 0; i < problem.count; i++)
            print_error("%.*s: %.*s\n", SLICE_FMT(problem.errors[i].pointer),
                        SLICE_FMT(problem.errors[i].detail));
    }
    assert_true(is_right);
    pattern_scratch_release(&scratch);
    schema_set_free(set);
    arena_free(arena);
    json_decref(document);
    json_decref(made.value);
    return maker.faults;
}

static void
a_value_that_fits_passes_and_each_fault_is_refused_at_its_place(void **state UNUSED)
{
    size_t tried = 0;

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        size_t faults = try_one(seed * 7919, SIZE_MAX);
        size_t step = faults / 40 + 1; /* of a schema with very many faults, a share of them */
        for (size_t fault = seed % step; fault < faults; fault += step)
            (void)try_one(seed * 7919, fault);
        tried += faults / step;
    }
    print_message("# %zu faults\n", tried);
    assert_true(tried > SEEDS);
}

UNIT_MAIN(cmocka_unit_test(a_value_that_fits_passes_and_each_fault_is_refused_at_its_place))
