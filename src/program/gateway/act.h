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

/*
 * That somebody was refused: what `err` says goes into the log, in a transaction of its own, since nothing
 * was done. By the person who is signed in, into the workspace that the session works in; else by nobody,
 * about `person` (zero: nobody knows whom), into the log of the workspace that this one was first in, or of
 * Harkara's own. Returns err, or why it could not be written.
 */
MUST_CHECK enum err act_refused(struct http_request *request, enum audit_action action, struct id person,
                                enum err err);

/* An act and its work, in one transaction: gateway_write, with an entry that says so. */
struct act_work {
    enum audit_action action;
    enum id_kind object_kind;
    const struct id *object; /* looked at when the work is done */
    struct slice detail;     /* as of struct audit_act */
    const bool
        *is_nothing; /* looked at then too: nothing was done, and nothing is told; NULL: always something */
};
MUST_CHECK enum err act_write(struct http_request *request, const struct act_work *act,
                              enum err (*work)(struct db_tx *tx, void *ctx), void *ctx);
/* {"members":["name","scopes"]}: what the request's body sets, not to what. In the request's arena. */
struct slice act_members(struct http_request *request);

#endif
