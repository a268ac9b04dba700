/* What a provider says it charges for a message. */
#include "domain/message/message.h"
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
message_pricing_keep(struct db_tx *tx, struct id message, struct id channel,
                     const struct message_pricing *pricing)
{
    struct buf out;

    buf_init(&out, PRICING_BYTES_MAX);
    buf_add_format(&out, "{\"billable\": %s", pricing->is_billable ? "true" : "false");
    add_word(&out, "model", pricing->model);
    add_word(&out, "type", pricing->type);
    add_word(&out, "category", pricing->category);
    if (pricing->conversation_id.len > 0) {
        buf_add_text(&out, ", \"conversation\": {\"id\": ");
        json_add_string(&out, pricing->conversation_id);
        add_word(&out, "origin", pricing->conversation_origin);
        buf_add_byte(&out, '}');
    }
    buf_add_byte(&out, '}');
    enum err err = buf_done(&out);
    if (err == ERR_OK)
        err = db_exec(
            tx, &message_pricing_stmt,
            DB_ARGS(DB_ID(message), DB_ID(channel), DB_JSON(buf_slice(&out)), DB_BOOL(pricing->is_final)),
            NULL);
    buf_release(&out);
    return err;
}
