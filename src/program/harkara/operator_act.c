#include "program/harkara/operator_act.h"
#include "core/buf.h"
#include "domain/tenant/tenant.h"
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

enum err
operator_key_act(struct db_tx *tx, const struct key_act *act)
{
    static const struct {
        const char *word;
        enum audit_action action;
        bool is_of_tenant; /* and stands in its log */
    } known[] = {
        { "key_made", AUDIT_KEYS_ROTATED, true },
        { "key_destroyed", AUDIT_KEY_DESTROYED, true },
        { "shredded", AUDIT_TENANT_SHREDDED, false },
        { "kek_made", AUDIT_KEK_MADE, false },
        { "kek_retired", AUDIT_KEK_RETIRED, false },
        { "secret_made", AUDIT_MASTER_SECRET_MADE, false },
        { "secret_removed", AUDIT_MASTER_SECRET_REMOVED, false },
    };
    struct slice detail = SLICE_EMPTY;
    enum err err = ERR_OK;
    struct buf text;
    size_t i = 0;

    while (i < COUNT_OF(known) && strcmp(known[i].word, act->action) != 0)
        i++;
    if (i == COUNT_OF(known))
        bug("something is done to keys that has no word in the audit log");
    buf_init(&text, 128);
    if (act->purpose != 0)
        buf_add_format(&text, "{\"purpose\":\"%s\",\"version\":%u}", vault_purpose_name(act->purpose),
                       act->version);
    else if (act->version != 0)
        buf_add_format(&text, "{\"version\":%u}", act->version);
    err = buf_done(&text);
    detail = buf_slice(&text);
    if (err == ERR_OK && !known[i].is_of_tenant)
        err = db_tx_turn_to(tx, tenant_platform);
    if (err == ERR_OK)
        err = operator_act(tx, known[i].action, ID_TENANT, act->tenant, detail);
    buf_release(&text);
    return err;
}
