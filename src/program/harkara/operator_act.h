/* What an operator does on the command line, for the audit log of the workspace that it is about. */
#ifndef PROGRAM_HARKARA_OPERATOR_ACT_H
#define PROGRAM_HARKARA_OPERATOR_ACT_H
#include "domain/audit/audit.h"
#include "domain/tenant/key_rotation.h"

/*
 * In the transaction of the act. The operator is who logged in (SUDO_USER, else the user that runs the
 * command). `detail` is JSON with nothing personal in it; empty: {}.
 */
MUST_CHECK enum err operator_act(struct db_tx *tx, enum audit_action action, enum id_kind object_kind,
                                 struct id object, struct slice detail);

/* The same as one step of a work that takes nothing else: ctx is a struct operator_act_of. */
struct operator_act_of {
    enum audit_action action;
    enum err (*work)(struct db_tx *tx, void *ctx); /* NULL: the act is elsewhere in the transaction */
    void *ctx;
    enum id_kind object_kind;
    const struct id *object; /* looked at when the work is done; NULL: the transaction's tenant */
    struct slice detail;
};
enum err operator_act_in(struct db_tx *tx, void *of);

/*
 * What was done to keys (key_operator.tell). Of a workspace's key in its own log; of others, and of the keys
 * of a workspace that has none any more to seal its log with, in Harkara's.
 */
enum err operator_key_act(struct db_tx *tx, const struct key_act *act);

#endif
