#include "wire/openapi/contract_response.h"
#include "wire/json/json.h"
#include "wire/openapi/schema.h"
#include <stdio.h>
#include <stdlib.h>

struct answer {
    struct slice operation_id;   /* of an event: its type */
    struct slice status;         /* "202", "default"; of an event: empty */
    const struct schema *schema; /* NULL: no body */
    struct answer *next;
};

struct contract_responses {
    json_t *document; /* owned */
    struct schema_set *schemas;
    struct answer *answers; /* in the set's arena */
};

static enum err
answer_add(struct contract_responses *responses, struct slice operation_id, struct slice status,
           const json_t *source)
{
    const json_t *node, *content;
    const char *type;
    json_t *media;
    enum err err = schema_set_node(responses->schemas, source, operation_id, &node);
    struct answer *answer = arena_alloc(schema_set_arena(responses->schemas), sizeof(*answer));

    if (err != ERR_OK)
        return err;
    if (answer == NULL)
        return ERR_NO_MEMORY;
    *answer = (struct answer){ operation_id, status, NULL, responses->answers };
    responses->answers = answer;
    content = json_member(node, "content");
    if (json_object_size(content) > 1)
        return schema_set_refuse(responses->schemas, operation_id, "an answer in several media types");
    json_object_foreach(json_iterable(content), type, media)
    {
        return schema_compile(responses->schemas, json_member(media, "schema"), operation_id,
                              &answer->schema);
    }
    return ERR_OK;
}

static enum err
operation_read(struct contract_responses *responses, const json_t *operation)
{
    struct slice operation_id = json_text_of(operation, "operationId");
    const char *status;
    json_t *source;

    json_object_foreach(json_iterable(json_member(operation, "responses")), status, source)
    {
        enum err err = answer_add(responses, operation_id, slice_text(status), source);
        if (err != ERR_OK)
            return err;
    }
    return ERR_OK;
}

static enum err
document_read(struct contract_responses *responses)
{
    const char *name, *method;
    json_t *item, *operation;
    enum err err = ERR_OK;

    json_object_foreach(json_iterable(json_member(responses->document, "paths")), name, item)
    {
        json_object_foreach(item, method, operation)
        {
            if (json_is_object(operation) && err == ERR_OK)
                err = operation_read(responses, operation);
        }
    }
    json_object_foreach(json_iterable(json_member(responses->document, "webhooks")), name, item)
    {
        const json_t *body = json_member(json_member(item, "post"), "requestBody");
        if (err == ERR_OK)
            err = answer_add(responses, slice_text(name), SLICE_EMPTY, body);
    }
    return err == ERR_OK ? schema_set_seal(responses->schemas) : err;
}

enum err
contract_responses_compile(struct slice document, struct contract_responses **out, char *why,
                           size_t why_bytes)
{
    struct contract_responses *responses = calloc(1, sizeof(*responses));

    *out = NULL;
    if (responses == NULL)
        return ERR_NO_MEMORY;
    enum err err = json_parse(document, &responses->document);
    if (err == ERR_OK)
        err = schema_set_new(responses->document, true, &responses->schemas);
    if (err == ERR_OK)
        err = document_read(responses);
    if (err == ERR_OK) {
        *out = responses;
        return ERR_OK;
    }
    snprintf(why, why_bytes, "%s",
             responses->schemas == NULL ? "not JSON" : schema_set_why(responses->schemas));
    contract_responses_free(responses);
    return err;
}

void
contract_responses_free(struct contract_responses *responses)
{
    if (responses == NULL)
        return;
    schema_set_free(responses->schemas);
    json_decref(responses->document);
    free(responses);
}

static const struct answer *
answer_find(const struct contract_responses *responses, const char *operation_id, struct slice status)
{
    for (const struct answer *answer = responses->answers; answer != NULL; answer = answer->next)
        if (slice_eq(answer->operation_id, slice_text(operation_id)) && slice_eq(answer->status, status))
            return answer;
    return NULL;
}

static enum err
answer_check(const struct answer *answer, const json_t *body, struct arena *arena, struct problem *problem)
{
    struct pattern_scratch scratch = { .match = NULL };
    struct schema_check check = { .arena = arena, .problem = problem, .scratch = &scratch };

    if (answer == NULL)
        return ERR_NOT_FOUND;
    if ((answer->schema == NULL) != (body == NULL)) {
        problem_add(problem, arena, SLICE(""),
                    body == NULL ? SLICE("is required") : SLICE("must not be there"));
        return ERR_CONTRACT;
    }
    if (body == NULL)
        return ERR_OK;
    schema_check_value(answer->schema, body, &check);
    pattern_scratch_release(&scratch);
    if (check.err != ERR_OK)
        return check.err;
    return check.is_invalid ? ERR_CONTRACT : ERR_OK;
}

enum err
contract_responses_check(const struct contract_responses *responses, const char *operation_id, int status,
                         const json_t *body, struct arena *arena, struct problem *problem)
{
    char text[16];

    snprintf(text, sizeof(text), "%d", status);
    const struct answer *answer = answer_find(responses, operation_id, slice_text(text));
    if (answer == NULL && status >= 400) /* "default" is for failures */
        answer = answer_find(responses, operation_id, SLICE("default"));
    return answer_check(answer, body, arena, problem);
}

enum err
contract_responses_check_event(const struct contract_responses *responses, const char *type,
                               const json_t *body, struct arena *arena, struct problem *problem)
{
    return answer_check(answer_find(responses, type, SLICE_EMPTY), body, arena, problem);
}
