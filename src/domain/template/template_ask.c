/* What a tenant asks of WhatsApp for a template that is there: an edit, a deletion, an end of a pause, a
 * look. */
#include "domain/channel/provider_task.h"
#include "domain/template/template_internal.h"
#include "domain/tenant/sealed_column.h"

static const struct db_stmt template_change_stmt = {
    "template_change",
    "UPDATE template SET change = $3, is_edit_counted = $3 = 'edit' AND state = 'approved',"
    " error_code = NULL, error_title = NULL, updated_at = $4, revision = revision + 1,"
    " draft_key_version = $5, draft_ct = $6, draft_iv = $7, draft_tag = $8"
    " WHERE tenant_id = $1 AND id = $2"
};

static enum err
change_write(struct db_tx *tx, const struct clock *clock, const struct template_ask *ask)
{
    const struct vault_sealed *draft = ask->draft;
    struct db_arg now = DB_TIME(clock_wall(clock)), word = DB_TEXT_Z(template_change_word(ask->change));

    if (draft == NULL)
        return db_exec_one(tx, &template_change_stmt,
                           DB_ARGS(DB_ID(ask->template), word, now, DB_NULL, DB_NULL, DB_NULL, DB_NULL));
    return db_exec_one(
        tx, &template_change_stmt,
        DB_ARGS(DB_ID(ask->template), word, now, DB_I64(draft->key_version), SEALED_ARGS(draft)));
}

static enum provider_task_kind
task_kind(const struct template_ask *ask)
{
    switch (ask->change) {
    case TEMPLATE_CHANGE_EDIT:
        return PROVIDER_TASK_TEMPLATE_EDIT;
    case TEMPLATE_CHANGE_DELETE:
        return ask->is_all_languages ? PROVIDER_TASK_TEMPLATE_DELETE_NAME : PROVIDER_TASK_TEMPLATE_DELETE;
    case TEMPLATE_CHANGE_UNPAUSE:
        return PROVIDER_TASK_TEMPLATE_UNPAUSE;
    case TEMPLATE_CHANGE_NONE:
    case TEMPLATE_CHANGE_CREATE:
        break;
    }
    bug("a template change that nobody asks for");
}

/* ERR_STATE_CONFLICT with the reason. */
static enum err
change_allowed(const struct clock *clock, const struct template_ask *ask, const struct template *template,
               struct arena *arena, struct slice *why_out)
{
    struct wall_time now = clock_wall(clock), at = { 0 };
    char text[WALL_TEXT_BYTES];
    bool is_edit = ask->change == TEMPLATE_CHANGE_EDIT;
    bool may = is_edit                                  ? template_state_may_edit(template->state)
               : ask->change == TEMPLATE_CHANGE_UNPAUSE ? template_state_may_unpause(template->state)
                                                        : template_state_may_delete(template->state);

    if (template->change != TEMPLATE_CHANGE_NONE) {
        *why_out = SLICE("Another change of this template waits for WhatsApp's answer.");
        return ERR_STATE_CONFLICT;
    }
    if (!may) {
        *why_out = is_edit ? SLICE("Only an approved, rejected or paused template can be edited.")
                   : ask->change == TEMPLATE_CHANGE_UNPAUSE
                       ? SLICE("Only a paused template can be unpaused.")
                       : SLICE("A template in this state cannot be deleted.");
        return ERR_STATE_CONFLICT;
    }
    if (is_edit && template->state == TEMPLATE_APPROVED)
        at = template_edit_allowed_at(template->edits, template->edit_count, now);
    if (at.us <= now.us)
        return ERR_OK;
    *why_out =
        arena_format(arena,
                     "WhatsApp takes %u edit of an approved template in 24 hours and %u in 30 days; the next"
                     " one is possible at %.*s.",
                     TEMPLATE_EDITS_PER_DAY, TEMPLATE_EDITS_PER_MONTH, SLICE_FMT(wall_print(at, text)));
    return ERR_STATE_CONFLICT;
}

enum err
template_change_ask(struct db_tx *tx, const struct clock *clock, const struct template_ask *ask,
                    struct arena *arena, struct slice *why_out, struct template *out)
{
    struct wall_time state_at;
    enum err err = template_lock(tx, ask->template, arena, out, &state_at);

    *why_out = SLICE_EMPTY;
    if (err == ERR_OK && ask->revision != 0 && ask->revision != out->revision)
        err = ERR_HTTP_PRECONDITION;
    if (err == ERR_OK)
        err = change_allowed(clock, ask, out, arena, why_out);
    if (err != ERR_OK)
        return err;
    if (ask->change == TEMPLATE_CHANGE_DELETE && out->state == TEMPLATE_REFUSED) {
        struct template_news gone = { .at = clock_wall(clock), .has_state = true, .state = TEMPLATE_DELETED };
        err = template_learn(tx, clock, ask->template, &gone, arena);
        return err == ERR_OK ? template_get(tx, ask->template, arena, out) : err;
    }
    struct provider_task_new task = { .id = id_new(clock),
                                      .channel = out->channel,
                                      .kind = task_kind(ask),
                                      .subject = ask->template,
                                      .moves_media = ask->has_samples,
                                      .is_asked = true };
    err = change_write(tx, clock, ask);
    if (err == ERR_OK)
        err = provider_task_create(tx, &task);
    return err == ERR_OK ? template_get(tx, ask->template, arena, out) : err;
}

static const struct db_stmt template_draft_stmt = {
    "template_draft", "SELECT draft_key_version, draft_ct, draft_iv, draft_tag FROM template"
                      " WHERE tenant_id = $1 AND id = $2 AND draft_key_version IS NOT NULL"
};

enum err
template_draft_read(struct db_tx *tx, struct id template, struct arena *arena, struct vault_sealed *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &template_draft_stmt, DB_ARGS(DB_ID(template)), &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK)
        err = sealed_column_read(rows, 0, 1, (uint32_t)db_i64(rows, 0, 0), arena, out);
    db_rows_free(rows);
    return err;
}

/* One that waits has not looked yet: it will see what this one would, unless it looks too early. */
static const struct db_stmt template_sync_waits_stmt = {
    "template_sync_waits",
    "SELECT id FROM provider_task WHERE tenant_id = $1 AND channel_id = $2 AND kind = $3"
    " AND subject_id IS NOT DISTINCT FROM $4::uuid AND state = 'waiting' AND attempt = 0"
    " AND due_at >= $5 LIMIT 1"
};

enum err
template_sync_ask(struct db_tx *tx, const struct clock *clock, struct id channel, struct id template,
                  struct wall_time due_at, struct id *task_out)
{
    struct db_rows *rows = NULL;
    struct provider_task_new task = { .id = id_new(clock),
                                      .channel = channel,
                                      .kind = id_is_zero(template) ? PROVIDER_TASK_TEMPLATE_SYNC
                                                                   : PROVIDER_TASK_TEMPLATE_REFRESH,
                                      .subject = template,
                                      .due_at = due_at };
    enum err err = db_query(tx, &template_sync_waits_stmt,
                            DB_ARGS(DB_ID(channel), DB_TEXT_Z(provider_task_kind_word(task.kind)),
                                    id_is_zero(template) ? DB_NULL : DB_ID(template), DB_TIME(due_at)),
                            &rows);

    if (err == ERR_OK && db_rows_count(rows) > 0)
        task.id = db_id(rows, 0, 0);
    else if (err == ERR_OK)
        err = provider_task_create(tx, &task);
    *task_out = task.id;
    db_rows_free(rows);
    return err;
}
