#include "wire/json/json.h"
#include "wire/openapi/contract_internal.h"
#include <stdio.h>
#include <stdlib.h>

struct contract {
    json_t *document; /* owned; schemas borrow from it */
    struct schema_set *schemas;
    struct contract_operation *operations;
    size_t operation_count;
};

/* While compiling. */
struct builder {
    struct contract *contract;
    struct schema_set *schemas;
};

static const char *const methods[] = { "get", "put", "post", "delete", "options", "head", "patch", "trace" };

static struct slice
at_format(struct builder *builder, struct slice at, const char *token)
{
    return arena_format(schema_set_arena(builder->schemas), "%.*s/%s", SLICE_FMT(at), token);
}

static enum err
query_add(struct builder *builder, struct contract_operation *operation, const json_t *parameter,
          struct slice at)
{
    struct contract_query *query = &operation->query[operation->query_count++];

    query->name = json_text_of(parameter, "name");
    query->is_required = json_is_true(json_member(parameter, "required"));
    if (query->name.len == 0)
        return schema_set_refuse(builder->schemas, at, "a parameter without a name");
    enum err err = schema_compile(builder->schemas, json_member(parameter, "schema"), at, &query->schema);
    if (err != ERR_OK)
        return err;
    enum schema_text text = schema_text_of(query->schema);
    if (text == SCHEMA_TEXT_ARRAY) { /* the commas of one value separate its items: the only form there is */
        if (!json_is_false(json_member(parameter, "explode")) || schema_items(query->schema) == NULL)
            return schema_set_refuse(builder->schemas, at,
                                     "a list parameter without explode: false and items");
        text = schema_text_of(schema_items(query->schema));
        if (text == SCHEMA_TEXT_ARRAY)
            text = SCHEMA_TEXT_NONE;
    }
    if (text == SCHEMA_TEXT_NONE)
        return schema_set_refuse(builder->schemas, at, "a parameter of a type that no text stands for");
    return ERR_OK;
}

/* Those of the path and those of the operation; only `in: query` is checked here. */
static enum err
parameters_read(struct builder *builder, struct contract_operation *operation, const json_t *list,
                struct slice at)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *parameter;
        enum err err = schema_set_node(builder->schemas, json_array_get(list, i), at, &parameter);
        if (err != ERR_OK)
            return err;
        struct slice in = json_text_of(parameter, "in");
        if (slice_eq(in, SLICE("query")))
            err = query_add(builder, operation, parameter, at);
        else if (!slice_eq(in, SLICE("header")) && !slice_eq(in, SLICE("path")))
            err = schema_set_refuse(builder->schemas, at, "a parameter in an unknown place");
        if (err != ERR_OK)
            return err;
    }
    return ERR_OK;
}

static enum err
body_read(struct builder *builder, struct contract_operation *operation, const json_t *source,
          struct slice at)
{
    const json_t *body, *content, *media;

    if (source == NULL)
        return ERR_OK;
    enum err err = schema_set_node(builder->schemas, source, at, &body);
    if (err != ERR_OK)
        return err;
    content = json_member(body, "content");
    media = json_member(content, "application/json");
    bool is_raw = json_member(content, "application/octet-stream") != NULL ||
                  json_member(content, "text/csv") != NULL; /* files, and rows with results of their own */
    operation->has_raw_body = media == NULL && is_raw && json_is_true(json_member(body, "required"));
    if (operation->has_raw_body) /* bytes, for which no schema is */
        return ERR_OK;
    if (json_object_size(content) != 1 || media == NULL || !json_is_true(json_member(body, "required")))
        return schema_set_refuse(builder->schemas, at, "a body that is not JSON, or not required");
    return schema_compile(builder->schemas, json_member(media, "schema"), at, &operation->body);
}

static enum err
operation_read(struct builder *builder, const char *path, const char *method, const json_t *item,
               const json_t *source)
{
    struct contract *contract = builder->contract;
    struct slice at = at_format(builder, slice_text(path), method);
    const json_t *of_path = json_member(item, "parameters"), *own = json_member(source, "parameters");
    struct contract_operation *operation = &contract->operations[contract->operation_count++];

    operation->route = (struct contract_route){
        .operation_id = json_text_of(source, "operationId"),
        .method = slice_text(method),
        .path = slice_text(path),
        .scope = json_text_of(source, "x-scope"),
        .is_session = slice_eq(json_text_of(source, "x-access"), SLICE("session")),
        .needs_step_up = json_is_true(json_member(source, "x-step-up")),
    };
    if (operation->route.operation_id.len == 0)
        return schema_set_refuse(builder->schemas, at, "an operation without operationId");
    for (size_t i = 0; i + 1 < contract->operation_count; i++)
        if (slice_eq(contract->operations[i].route.operation_id, operation->route.operation_id))
            return schema_set_refuse(builder->schemas, at, "an operationId stands twice");
    operation->query =
        arena_array(schema_set_arena(builder->schemas), json_array_size(of_path) + json_array_size(own) + 1,
                    sizeof(*operation->query));
    if (operation->query == NULL)
        return ERR_NO_MEMORY;
    enum err err = parameters_read(builder, operation, of_path, at);
    if (err == ERR_OK)
        err = parameters_read(builder, operation, own, at);
    if (err == ERR_OK)
        err = body_read(builder, operation, json_member(source, "requestBody"), at);
    return err;
}

static enum err
paths_read(struct builder *builder, const json_t *paths)
{
    struct contract *contract = builder->contract;
    const char *path;
    json_t *item;

    contract->operations =
        arena_array(schema_set_arena(builder->schemas), (json_object_size(paths) + 1) * COUNT_OF(methods),
                    sizeof(*contract->operations));
    if (contract->operations == NULL)
        return ERR_NO_MEMORY;
    json_object_foreach(json_iterable(paths), path, item)
    {
        for (size_t i = 0; i < COUNT_OF(methods); i++) {
            const json_t *source = json_member(item, methods[i]);
            enum err err = source == NULL ? ERR_OK : operation_read(builder, path, methods[i], item, source);
            if (err != ERR_OK)
                return err;
        }
    }
    return ERR_OK;
}

enum err
contract_compile(struct slice document, struct contract **out, char *why, size_t why_bytes)
{
    enum err err = ERR_NO_MEMORY;
    struct contract *contract = calloc(1, sizeof(*contract));

    *out = NULL;
    if (why_bytes > 0)
        why[0] = '\0';
    if (contract == NULL)
        return ERR_NO_MEMORY;
    err = json_parse(document, &contract->document);
    if (err != ERR_OK)
        goto done;
    err = schema_set_new(contract->document, false, &contract->schemas);
    if (err != ERR_OK)
        goto done;
    struct builder builder = { contract, contract->schemas };
    if (!slice_starts_with(json_text_of(contract->document, "openapi"), SLICE("3.1.")))
        err = schema_set_refuse(contract->schemas, SLICE("#"), "not OpenAPI 3.1");
    else
        err = paths_read(&builder, json_member(contract->document, "paths"));
    if (err == ERR_OK)
        err = schema_set_seal(contract->schemas);
    if (err != ERR_OK)
        goto done;
    *out = contract;
    contract = NULL;
done:
    if (contract != NULL && why_bytes > 0)
        snprintf(why, why_bytes, "%s",
                 contract->schemas == NULL ? "not JSON" : schema_set_why(contract->schemas));
    contract_free(contract);
    return err;
}

void
contract_free(struct contract *contract)
{
    if (contract == NULL)
        return;
    schema_set_free(contract->schemas);
    json_decref(contract->document);
    free(contract);
}

const struct contract_operation *
contract_find(const struct contract *contract, const char *operation_id)
{
    for (size_t i = 0; i < contract->operation_count; i++)
        if (slice_eq(contract->operations[i].route.operation_id, slice_text(operation_id)))
            return &contract->operations[i];
    return NULL;
}

const struct contract_route *
contract_route_at(const struct contract *contract, size_t index)
{
    return index < contract->operation_count ? &contract->operations[index].route : NULL;
}

bool
contract_has_body(const struct contract_operation *operation)
{
    return operation->body != NULL || operation->has_raw_body;
}

enum err
contract_check_body(const struct contract_operation *operation, const json_t *body, struct arena *arena,
                    struct problem *problem)
{
    struct pattern_scratch scratch = { .match = NULL };
    struct schema_check check = { .arena = arena, .problem = problem, .scratch = &scratch };

    if (operation->body == NULL || body == NULL)
        return ERR_CONTRACT;
    schema_check_value(operation->body, body, &check);
    pattern_scratch_release(&scratch);
    if (check.err != ERR_OK)
        return check.err;
    return check.is_invalid ? ERR_CONTRACT : ERR_OK;
}
