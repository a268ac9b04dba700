/* A compiled contract: made by contract.c, asked by contract_query.c. */
#ifndef WIRE_OPENAPI_CONTRACT_INTERNAL_H
#define WIRE_OPENAPI_CONTRACT_INTERNAL_H
#include "wire/openapi/contract.h"
#include "wire/openapi/schema.h"

struct contract_query { /* one query parameter */
    struct slice name;
    const struct schema *schema;
    bool is_required;
};

struct contract_operation {
    struct contract_route route;
    struct contract_query *query;
    size_t query_count;
    const struct schema *body; /* NULL: takes none, or has_raw_body */
    bool has_raw_body;         /* bytes, not JSON */
};

#endif
