/*
 * SMPP for workspaces' own software: the first gateway listens for it, where HARKARA_SMPP_LISTEN says. Who
 * binds is an account of an API key (domain/identity/smpp_account.h); what is submitted is accepted as by
 * POST /v1/messages: the same checks, limits and group commit. Receipts are owed in the database until they
 * are taken (domain/message/message_receipt.h).
 */
#ifndef PROGRAM_GATEWAY_ESME_H
#define PROGRAM_GATEWAY_ESME_H
#include "program/gateway/gateway.h"

struct esme_server;

/* Takes listen_fd, also when it fails. Starts its threads. */
MUST_CHECK enum err esme_server_new(struct gateway *gateway, int listen_fd, struct esme_server **out);
/*
 * Nothing more is taken; what is under way is answered, links are unbound, threads end. While the committer
 * still runs. Accepts NULL.
 */
void esme_server_stop(struct esme_server *server);
/* Stops it first. Accepts NULL. */
void esme_server_free(struct esme_server *server);

#endif
