/*
 * The HTTP contract (api/openapi.yaml, embedded as JSON at build time) compiled once into a tree that
 * validates requests. The part of JSON Schema 2020-12 that the contract may use is listed in schema.h; a
 * schema with any other keyword does not compile, so that nothing is silently unchecked.
 */
#ifndef WIRE_OPENAPI_CONTRACT_H
#define WIRE_OPENAPI_CONTRACT_H
#include "core/arena.h"
#include "core/err.h"
#include "core/slice.h"
#include "wire/http/problem.h"
#include <jansson.h>

struct contract; /* immutable once compiled: shared by all threads */
struct contract_operation;

/* `document` is the OpenAPI 3.1 document as JSON. ERR_CONTRACT: not within the subset; `why` says where (for
 * us, not clients). */
MUST_CHECK enum err contract_compile(struct slice document, struct contract **out, char *why,
                                     size_t why_bytes);
void contract_free(struct contract *contract);
/* The document embedded in this build. */
struct slice contract_document(void);

/* By operationId. NULL when there is none. */
const struct contract_operation *contract_find(const struct contract *contract, const char *operation_id);

/* Borrowed from the contract. */
struct contract_route {
    struct slice operation_id, method,
        path;           /* "createMessage", "post", "/v1/messages": a parameter as {name} */
    struct slice scope; /* x-scope; empty when none is needed */
    bool is_session;    /* x-access: session: for signed-in people alone */
    bool needs_step_up; /* x-step-up */
};
/* The operations in the document's order; NULL behind the last one. */
const struct contract_route *contract_route_at(const struct contract *contract, size_t index);

struct contract_parameter {
    struct slice name, value; /* value already percent-decoded and valid UTF-8 */
};

/*
 * Query parameters against the operation: unknown ones, repeated ones, missing ones and values that break
 * their schema are ERR_QUERY, each named in `problem`.
 */
MUST_CHECK enum err contract_check_query(const struct contract_operation *operation,
                                         const struct contract_parameter *parameters, size_t count,
                                         struct arena *arena, struct problem *problem);
/*
 * The request body against the operation. ERR_CONTRACT with up to PROBLEM_ERRORS_MAX errors, each with the
 * JSON Pointer of the field: of a missing or unknown field too. The detail never repeats what was sent.
 */
MUST_CHECK enum err contract_check_body(const struct contract_operation *operation, const json_t *body,
                                        struct arena *arena, struct problem *problem);
/* Whether the operation takes a body at all: JSON, or bytes (application/octet-stream) that are not checked.
 */
bool contract_has_body(const struct contract_operation *operation);

#endif
