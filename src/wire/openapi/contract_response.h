/*
 * Answers and events against the contract: for tests, which must not send what the contract does not name.
 * Objects of answers are closed here, although clients are told to expect more.
 */
#ifndef WIRE_OPENAPI_CONTRACT_RESPONSE_H
#define WIRE_OPENAPI_CONTRACT_RESPONSE_H
#include "core/arena.h"
#include "core/err.h"
#include "core/slice.h"
#include "wire/http/problem.h"
#include <jansson.h>

struct contract_responses;

/* As contract_compile. */
MUST_CHECK enum err contract_responses_compile(struct slice document, struct contract_responses **out,
                                               char *why, size_t why_bytes);
void contract_responses_free(struct contract_responses *responses);

/*
 * The answer of an operation; `body` is NULL for one without. A failure without a response of its own falls
 * under "default". ERR_NOT_FOUND: no such operation or status; ERR_CONTRACT with the errors in `problem`.
 */
MUST_CHECK enum err contract_responses_check(const struct contract_responses *responses,
                                             const char *operation_id, int status, const json_t *body,
                                             struct arena *arena, struct problem *problem);
/* What is posted to a webhook endpoint for an event type, such as "message.sent". */
MUST_CHECK enum err contract_responses_check_event(const struct contract_responses *responses,
                                                   const char *type, const json_t *body, struct arena *arena,
                                                   struct problem *problem);

#endif
