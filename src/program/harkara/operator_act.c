#include "program/harkara/operator_act.h"
#include "program/harkara/command_vault.h"

enum err
operator_act(struct db_tx *tx, enum audit_action action, enum id_kind object_kind, struct id object,
             struct slice detail)
{
    struct audit_act act = { .actor = { .kind = AUDIT_ACTOR_OPERATOR, .name = vault_command_operator().name },
                             .action = action,
                             .object_kind = object_kind,
                             .object = object,
                             .detail = detail };

    return audit_append(tx, clock_system(), &act);
}

enum err
operator_act_in(struct db_tx *tx, void *of)
{
    const struct operator_act_of *act = of;
    enum err err = act->work == NULL ? ERR_OK : act->work(tx, act->ctx);

    if (err != ERR_OK)
        return err;
    return act->object == NULL ? operator_act(tx, act->action, ID_TENANT, tx->tenant, act->detail)
                               : operator_act(tx, act->action, act->object_kind, *act->object, act->detail);
}
