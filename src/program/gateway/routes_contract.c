/* GET /v1/openapi.json: the contract that this process checks against. */
#include "program/gateway/gateway.h"

static enum err
contract_get(struct http_request *request UNUSED, struct http_response *response)
{
    response->status = 200;
    response->content_type = SLICE("application/json");
    response->body = contract_document(); /* static */
    http_response_add(response, "Cache-Control", SLICE("public, max-age=300"));
    return ERR_OK;
}

const struct http_route contract_routes[] = {
    { HTTP_GET, "/v1/openapi.json", contract_get, "getContract", HTTP_ACCESS_OPEN },
    { .handler = NULL },
};
