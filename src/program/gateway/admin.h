/*
 * The operator's side door, a unix socket: /healthz (this process serves), /readyz (database and vault
 * answer), /metrics (all processes, Prometheus text). Gateway 0 serves it, on a thread of its own.
 */
#ifndef PROGRAM_GATEWAY_ADMIN_H
#define PROGRAM_GATEWAY_ADMIN_H
#include "program/gateway/gateway.h"

struct admin;

MUST_CHECK enum err admin_new(struct gateway *gateway, struct admin **out); /* takes role->admin_fd */
void admin_free(struct admin *admin);                                       /* accepts NULL */

/* GET /healthz and /readyz, which the API's own port answers too. */
extern const struct http_route health_routes[];

#endif
