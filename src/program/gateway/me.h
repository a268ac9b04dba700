/* A person as /v1/me shows them, with the address that waits for its confirmation. */
#ifndef PROGRAM_GATEWAY_ME_H
#define PROGRAM_GATEWAY_ME_H
#include "domain/audit/audit.h"
#include "domain/identity/person.h"
#include "program/gateway/gateway.h"

MUST_CHECK enum err me_load(struct http_request *request, struct person *out);
MUST_CHECK enum err me_reply(struct http_request *request, struct http_response *response,
                             const struct person *person);
/* At the end of a work in tenant_platform: the workspace that the session is in is told of it. */
MUST_CHECK enum err me_audit(struct db_tx *tx, const struct http_request *request,
                             const struct audit_act *act);

#endif
