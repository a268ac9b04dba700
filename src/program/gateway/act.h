/* What the asking principal does, for the audit log: begun before the transaction, written within it. */
#ifndef PROGRAM_GATEWAY_ACT_H
#define PROGRAM_GATEWAY_ACT_H
#include "domain/audit/audit.h"
#include "platform/net/router.h"

/*
 * By whoever asks, from where, on `object` (zero: none): an entry that lacks its detail only. The address is
 * sealed, so this asks the vault. Then, in the transaction, audit_append.
 */
MUST_CHECK enum err act_begin(struct http_request *request, enum audit_action action,
                              enum id_kind object_kind, struct id object, struct audit_act *out);

#endif
