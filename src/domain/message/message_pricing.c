/* What a provider says it charges for a message. */
#include "domain/message/message_report_internal.h"
#include "wire/json/json.h"

#define PRICING_BYTES_MAX 4096u

static void
add_word(struct buf *out, const char *name, struct slice word)
{
    buf_add_format(out, ", \"%s\": ", name);
    if (word.len == 0)
        buf_add_text(out, "null");
    else
        json_add_string(out, word);
}

/* What comes with `delivered` or `read` is what is charged; with `sent` it is what would be. */
static const struct db_stmt message_pricing_stmt = {
    "message_pricing", "UPDATE message SET pricing = $4 WHERE tenant_id = $1 AND id = $2 AND channel_id = $3"
                       " AND direction = 'out' AND (pricing IS NULL OR ($5 AND pricing <> $4))"
};

enum err
message_pricing_print(const struct message_pricing *pricing, struct arena *arena, struct slice *out)
{
    struct buf text;

    buf_init(&text, PRICING_BYTES_MAX);
    buf_add_format(&text, "{\"billable\": %s", pricing->is_billable ? "true" : "false");
    add_word(&text, "model", pricing->model);
    add_word(&text, "type", pricing->type);
    add_word(&text, "category", pricing->category);
    if (pricing->conversation_id.len > 0) {
        buf_add_text(&text, ", \"conversation\": {\"id\": ");
        json_add_string(&text, pricing->conversation_id);
        add_word(&text, "origin", pricing->conversation_origin);
        buf_add_byte(&text, '}');
    }
    buf_add_byte(&text, '}');
    enum err err = buf_done(&text);
    *out = err == ERR_OK ? arena_copy(arena, buf_slice(&text)) : SLICE_EMPTY;
    buf_release(&text);
    return err == ERR_OK && out->ptr == NULL ? ERR_NO_MEMORY : err;
}

enum err
message_pricing_keep(struct db_tx *tx, struct id message, struct id channel,
                     const struct message_pricing *pricing, struct arena *arena)
{
    struct slice text = SLICE_EMPTY;
    enum err err = message_pricing_print(pricing, arena, &text);

    return err == ERR_OK
               ? db_exec(tx, &message_pricing_stmt,
                         DB_ARGS(DB_ID(message), DB_ID(channel), DB_JSON(text), DB_BOOL(pricing->is_final)),
                         NULL)
               : err;
}
