#include "domain/audit/audit_export.h"
#include "crypto/encode.h"
#include "wire/json/json.h"

#define PAGE_MAX      200u
#define LINE_BYTES    (64u * 1024u)
#define PAGE_MAX_TEXT "200"

static const struct db_stmt export_places_stmt = {
    "audit_export_places",
    "SELECT " AUDIT_ENTRY_COLUMNS
    " FROM audit_node n JOIN audit_entry e ON e.tenant_id = n.tenant_id AND e.id = n.entry_id"
    " WHERE n.tenant_id = $1 AND n.level = 0 AND n.index >= $2 AND n.index < $3 ORDER BY n.index LIMIT " PAGE_MAX_TEXT
};
static const struct db_stmt export_size_stmt = {
    "audit_export_size", "SELECT coalesce((SELECT signed_size FROM audit_tree WHERE tenant_id = $1), 0)"
};

struct export
{
    const struct audit_export *with;
    uint64_t place, size; /* so far, and in all: what is signed */
    struct audit_entry *entries;
    struct audit_part *parts;
    size_t count, part_count;
    struct audit_key *keys;
    size_t key_count;
    struct audit_checkpoint checkpoint; /* the next one */
    struct buf line;
};

static enum err
line_give(struct export *export)
{
    buf_add_byte(&export->line, '\n');
    enum err err = buf_done(&export->line);
    if (err == ERR_OK)
        err = export->with->write(export->with->ctx, buf_slice(&export->line));
    buf_clear(&export->line);
    return err;
}

static enum err
begin_in(struct db_tx *tx, void *ctx)
{
    struct export *export = ctx;
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &export_size_stmt, DB_NO_ARGS, &rows);

    if (err == ERR_OK)
        export->size = (uint64_t)db_i64(rows, 0, 0);
    db_rows_free(rows);
    if (err == ERR_OK && export->size > 0)
        err = audit_checkpoint_of(tx, 0, &export->checkpoint);
    return err == ERR_OK ? audit_keys(tx, export->with->arena, &export->keys, &export->key_count) : err;
}

static enum err
head_give(struct export *export)
{
    char text[ID_TEXT_BYTES];

    buf_add_format(&export->line, "{\"audit\":{\"version\":1,\"tenant\":\"%.*s\",\"keys\":[",
                   SLICE_FMT(id_print(ID_TENANT, export->with->tenant, text)));
    for (size_t i = 0; i < export->key_count; i++) {
        buf_add_format(&export->line, "%s{\"generation\":%u,\"public_key\":\"", i == 0 ? "" : ",",
                       export->keys[i].generation);
        encode_hex(&export->line, slice_of(export->keys[i].public_key, VAULT_PUBLIC_KEY_BYTES));
        buf_add_text(&export->line, "\"}");
    }
    buf_add_text(&export->line, "]}}");
    return line_give(export);
}

static enum err
page_in(struct db_tx *tx, void *ctx)
{
    struct export *export = ctx;
    struct arena *arena = export->with->arena;
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &export_places_stmt,
                            DB_ARGS(DB_I64((int64_t) export->place), DB_I64((int64_t) export->size)), &rows);

    export->count = err == ERR_OK ? db_rows_count(rows) : 0;
    export->part_count = 0;
    export->entries = arena_array(arena, export->count, sizeof(*export->entries));
    struct id *ids = arena_array(arena, export->count, sizeof(*ids));
    if (err == ERR_OK && (export->entries == NULL || ids == NULL))
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < export->count; i++) {
        err = audit_entry_read(rows, i, 0, arena, &export->entries[i]);
        ids[i] = export->entries[i].id;
    }
    db_rows_free(rows);
    if (err == ERR_OK && export->with->vault != NULL && export->count > 0)
        err = audit_parts(tx, ids, export->count, arena, &export->parts, &export->part_count);
    return err;
}

static enum err
checkpoint_in(struct db_tx *tx, void *ctx)
{
    struct export *export = ctx;
    enum err err = audit_checkpoint_of(tx, export->checkpoint.size, &export->checkpoint);

    if (err == ERR_NOT_FOUND) {
        export->checkpoint.size = 0; /* there is no further one */
        err = ERR_OK;
    }
    return err;
}

void
audit_checkpoint_print(const struct audit_checkpoint *checkpoint, struct buf *out)
{
    char at[WALL_TEXT_BYTES];

    buf_add_format(out, "{\"size\":%llu,\"root\":\"", (unsigned long long)checkpoint->size);
    encode_hex(out, slice_of(checkpoint->root.bytes, MERKLE_HASH_BYTES));
    buf_add_format(out, "\",\"at\":\"%.*s\",\"generation\":%u,\"signature\":\"",
                   SLICE_FMT(wall_print(checkpoint->at, at)), checkpoint->generation);
    encode_hex(out, slice_of(checkpoint->signature, VAULT_SIGNATURE_BYTES));
    buf_add_text(out, "\"}");
}

/* Which of its entry's commitments is this part's: they were written in the order of their ids. */
static enum err
parts_give(struct export *export, const struct audit_entry *entry)
{
    char text[ID_TEXT_BYTES], subject[ID_UUID_BYTES];
    enum err err = ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < export->part_count; i++) {
        const struct audit_part *part = &export->parts[i];
        size_t at = 0;
        if (!id_eq(part->entry, entry->id))
            continue;
        err = audit_part_place(entry, part, &at);
        if (err != ERR_OK || !slice_eq(id_uuid_print(part->subject, subject), entry->subjects[at]))
            return ERR_DB_DATA;
        buf_add_format(&export->line, "{\"private\":{\"entry\":\"%.*s\",\"part\":%zu,\"salt\":\"",
                       SLICE_FMT(id_print(ID_AUDIT, entry->id, text)), at);
        encode_hex(&export->line, slice_of(part->salt, AUDIT_SALT_BYTES));
        buf_add_text(&export->line, "\",\"text\":");
        json_add_string(&export->line, part->text);
        buf_add_text(&export->line, "}}");
        err = line_give(export);
    }
    return err;
}

static enum err
page_give(struct export *export)
{
    enum err err = ERR_OK;

    if (export->part_count > 0)
        err = audit_parts_open(export->with->vault, export->with->tenant, export->parts, export->part_count,
                               export->with->arena);
    for (size_t i = 0; err == ERR_OK && i < export->count; i++) {
        const struct audit_entry *entry = &export->entries[i];
        if (entry->place != export->place)
            return ERR_DB_DATA; /* a place is missing: `harkara audit verify` says which */
        audit_line(export->with->tenant, entry, entry->place, &export->line);
        err = line_give(export);
        if (err == ERR_OK)
            err = parts_give(export, entry);
        export->place++;
        if (err != ERR_OK || export->place != export->checkpoint.size)
            continue;
        buf_add_text(&export->line, "{\"checkpoint\":");
        audit_checkpoint_print(&export->checkpoint, &export->line);
        buf_add_byte(&export->line, '}');
        err = line_give(export);
        if (err == ERR_OK)
            err = db_run(export->with->db, export->with->tenant, checkpoint_in, export);
    }
    return err;
}

enum err
audit_export(const struct audit_export *with, uint64_t *entries_out)
{
    struct export export = { .with = with };
    enum err err;

    buf_init(&export.line, LINE_BYTES);
    err = db_run(with->db, with->tenant, begin_in, &export);
    if (err == ERR_OK)
        err = head_give(&export);
    while (err == ERR_OK && export.place < export.size) {
        uint64_t before = export.place;
        arena_reset(with->arena);
        err = db_run(with->db, with->tenant, page_in, &export);
        if (err == ERR_OK)
            err = page_give(&export);
        if (err == ERR_OK && export.place == before)
            err = ERR_DB_DATA;
    }
    if (err == ERR_OK) {
        buf_add_format(&export.line, "{\"end\":{\"entries\":%llu}}", (unsigned long long)export.place);
        err = line_give(&export);
    }
    buf_release_wiped(&export.line);
    arena_reset(with->arena);
    if (entries_out != NULL)
        *entries_out = export.place;
    return err;
}
