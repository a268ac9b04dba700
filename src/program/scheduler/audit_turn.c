#include "program/scheduler/audit_turn.h"
#include "core/log.h"
#include "domain/audit/audit_tree.h"

#define ARENA_BYTES (16u * 1024u * 1024u) /* a batch of the longest entries */

static enum err
tenant_turn(struct db *db, const struct vault *vault, const struct clock *clock, struct id tenant,
            struct arena *arena, struct audit_turn_result *out)
{
    bool has_more = true, is_signed = false;
    enum err err = ERR_OK;

    for (size_t i = 0; err == ERR_OK && has_more && i < AUDIT_TURN_BATCHES; i++) {
        size_t sealed = 0;
        arena_reset(arena);
        err = audit_seal(db, tenant, arena, &sealed, &has_more);
        out->sealed += sealed;
    }
    out->has_more |= err == ERR_OK && has_more;
    arena_reset(arena);
    if (err == ERR_OK)
        err = audit_sign(db, vault, clock, tenant, arena, &is_signed);
    out->signed_trees += is_signed;
    return err;
}

enum err
audit_turn(struct db *db, const struct vault *vault, const struct clock *clock, struct audit_turn_result *out)
{
    static struct id tenants[AUDIT_TENANTS_MAX];
    struct arena *arena = arena_new(ARENA_BYTES);
    size_t count = 0;
    enum err err = arena == NULL ? ERR_NO_MEMORY : ERR_OK;

    *out = (struct audit_turn_result){ .sealed = 0 };
    if (err == ERR_OK)
        err = audit_waiting(db, tenants, AUDIT_TENANTS_MAX, &count);
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        err = tenant_turn(db, vault, clock, tenants[i], arena, out);
        if (err == ERR_OK || err_class(err) == ERR_CLASS_UNAVAILABLE)
            continue;
        log_event(LOG_ERROR, "scheduler.audit_not_sealed", LOG_ID("tenant", ID_TENANT, tenants[i]),
                  LOG_ERR(err));
        out->failed++;
        err = ERR_OK;
    }
    out->has_more |= err == ERR_OK && count == AUDIT_TENANTS_MAX && out->failed < count;
    arena_free(arena);
    return err;
}
