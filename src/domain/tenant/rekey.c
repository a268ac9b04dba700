#include "domain/tenant/rekey.h"
#include "domain/tenant/sealed_column.h"
#include <stdlib.h>

/* Rows of a batch: of the largest values, callbacks' bodies of 3 MiB, they are 48 MiB. */
#define BATCH_ROWS     16
#define BATCH_ITEMS    (BATCH_ROWS * REKEY_COLUMNS_MAX)
#define REQUEST_BYTES  (VAULT_FRAME_BYTES_MAX - 65536u)
#define ITEM_BYTES_MAX 256u /* what surrounds a value in a frame */

static const struct db_stmt groups_stmt = {
    "rekey_groups", "SELECT name, place_table, purpose, columns FROM sealed_column ORDER BY name LIMIT 65"
};
_Static_assert(REKEY_GROUPS_MAX == 64, "the statement's limit");

struct groups {
    struct arena *arena;
    struct rekey_group *out;
    size_t count;
};

static enum err
groups_in(struct db_tx *tx, void *ctx)
{
    struct groups *to = ctx;
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &groups_stmt, DB_NO_ARGS, &rows);

    to->count = err == ERR_OK ? db_rows_count(rows) : 0;
    if (to->count > REKEY_GROUPS_MAX)
        err = ERR_LIMIT;
    for (size_t i = 0; err == ERR_OK && i < to->count; i++) {
        struct rekey_group *group = &to->out[i];
        group->name = arena_copy(to->arena, db_text(rows, i, 0));
        group->table = arena_copy(to->arena, db_text(rows, i, 1));
        err = group->name.ptr == NULL || group->table.ptr == NULL
                  ? ERR_NO_MEMORY
                  : vault_purpose_from((uint32_t)db_i64(rows, i, 2), &group->purpose);
        if (err == ERR_OK)
            err =
                db_text_array(rows, i, 3, to->arena, group->columns, REKEY_COLUMNS_MAX, &group->column_count);
        for (size_t c = 0; err == ERR_OK && c < group->column_count; c++) {
            group->columns[c] = arena_copy(to->arena, group->columns[c]);
            err = group->columns[c].ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
        }
    }
    db_rows_free(rows);
    return err;
}

enum err
rekey_groups(struct db *db, struct arena *arena, struct rekey_group out[REKEY_GROUPS_MAX], size_t *count_out)
{
    struct groups groups = { .arena = arena, .out = out };
    enum err err = db_run_across(db, "admin.key", groups_in, &groups);

    *count_out = err == ERR_OK ? groups.count : 0;
    return err;
}

/* One value on its way; values of one row follow one another. */
struct value {
    struct id row;
    int64_t sub;
    uint32_t old_version;
    struct slice column; /* in the arena, as the next */
    unsigned char old_iv[VAULT_IV_BYTES];
};

struct batch {
    const struct rekey_group *group;
    uint32_t newest;
    struct rekey_cursor *cursor;
    struct id tenant;
    struct arena *arena;
    struct value values[BATCH_ITEMS];
    struct vault_reseal_item items[BATCH_ITEMS];
    size_t count, written;
};

static const struct db_stmt read_stmt = {
    "rekey_read", "SELECT place_row, sub, generation, version, column_name, ct, iv, tag"
                  " FROM rekey_read($2, $3, $4, $5, $6) WHERE $1::uuid IS NOT NULL LIMIT 64"
};
_Static_assert(BATCH_ITEMS == 64, "the statement's limit");

static enum err
read_in(struct db_tx *tx, void *ctx)
{
    struct batch *batch = ctx;
    struct db_rows *rows = NULL;
    char *table = NULL;
    enum err err =
        db_query(tx, &read_stmt,
                 DB_ARGS(DB_TEXT(batch->group->name), DB_I64(batch->newest), DB_ID(batch->cursor->row),
                         DB_I64(batch->cursor->sub), DB_I64(BATCH_ROWS)),
                 &rows);

    batch->count = 0;
    if (err == ERR_OK)
        err = arena_text(batch->arena, batch->group->table, &table);
    for (size_t i = 0; err == ERR_OK && i < db_rows_count(rows); i++) {
        struct value *value = &batch->values[batch->count];
        struct vault_reseal_item *item = &batch->items[batch->count++];
        char *column = NULL;
        err = arena_text(batch->arena, db_text(rows, i, 4), &column);
        if (err != ERR_OK)
            break;
        *value = (struct value){ .row = db_id(rows, i, 0),
                                 .sub = db_i64(rows, i, 1),
                                 .old_version = (uint32_t)db_i64(rows, i, 3),
                                 .column = slice_text(column) };
        item->place = (struct vault_place){ .tenant = batch->tenant,
                                            .table = table,
                                            .column = column,
                                            .row = value->row,
                                            .generation = (uint32_t)db_i64(rows, i, 2) };
        err = sealed_column_read(rows, i, 5, value->old_version, batch->arena, &item->sealed);
        memcpy(value->old_iv, item->sealed.iv, sizeof(value->old_iv));
    }
    db_rows_free(rows);
    return err;
}

/* As many at a time as a frame holds. */
static enum err
batch_reseal(const struct vault *vault, struct batch *batch)
{
    enum err err = ERR_OK;

    for (size_t at = 0, next; err == ERR_OK && at < batch->count; at = next) {
        size_t bytes = 0;
        for (next = at; next < batch->count && next - at < VAULT_SEAL_ITEMS_MAX; next++) {
            bytes += batch->items[next].sealed.cipher.len + ITEM_BYTES_MAX;
            if (next > at && bytes > REQUEST_BYTES)
                break;
        }
        err = vault_reseal(vault, batch->group->purpose, &batch->items[at], next - at, batch->arena);
    }
    return err;
}

static const struct db_stmt write_stmt = {
    "rekey_write", "SELECT rekey_write($2, $3, $4, $5, $6, $7, $8, $9, $10, $11) WHERE $1::uuid IS NOT NULL"
};

static enum err
row_write(struct db_tx *tx, struct batch *batch, size_t at, size_t count)
{
    struct slice names[REKEY_COLUMNS_MAX], ciphers[REKEY_COLUMNS_MAX], ivs[REKEY_COLUMNS_MAX],
        tags[REKEY_COLUMNS_MAX], old_ivs[REKEY_COLUMNS_MAX];
    const struct value *first = &batch->values[at];
    struct db_rows *rows = NULL;

    for (size_t i = 0; i < count; i++) {
        const struct vault_sealed *sealed = &batch->items[at + i].sealed;
        names[i] = batch->values[at + i].column;
        ciphers[i] = sealed->cipher;
        ivs[i] = slice_of(sealed->iv, sizeof(sealed->iv));
        tags[i] = slice_of(sealed->tag, sizeof(sealed->tag));
        old_ivs[i] = slice_of(batch->values[at + i].old_iv, VAULT_IV_BYTES);
    }
    enum err err = db_query(tx, &write_stmt,
                            DB_ARGS(DB_TEXT(batch->group->name), DB_ID(first->row), DB_I64(first->sub),
                                    DB_I64(first->old_version), DB_I64(batch->items[at].sealed.key_version),
                                    DB_TEXT_ARRAY(names, count), DB_BYTES_ARRAY(ciphers, count),
                                    DB_BYTES_ARRAY(ivs, count), DB_BYTES_ARRAY(tags, count),
                                    DB_BYTES_ARRAY(old_ivs, count)),
                            &rows);
    if (err == ERR_OK)
        batch->written += db_bool(rows, 0, 0);
    db_rows_free(rows);
    return err;
}

static enum err
write_in(struct db_tx *tx, void *ctx)
{
    struct batch *batch = ctx;
    enum err err = ERR_OK;

    batch->written = 0;
    for (size_t at = 0, next; err == ERR_OK && at < batch->count; at = next) {
        const struct value *first = &batch->values[at];
        for (next = at + 1; next < batch->count && next - at < REKEY_COLUMNS_MAX; next++)
            if (!id_eq(batch->values[next].row, first->row) || batch->values[next].sub != first->sub)
                break;
        /* A rotation that ran in between two requests of this batch: the next pass takes the row. */
        bool is_one_version = true;
        for (size_t i = at; i < next; i++)
            is_one_version =
                is_one_version && batch->items[i].sealed.key_version == batch->items[at].sealed.key_version;
        if (is_one_version)
            err = row_write(tx, batch, at, next - at);
    }
    return err;
}

enum err
rekey_step(struct db *db, const struct vault *vault, struct id tenant, const struct rekey_group *group,
           uint32_t newest, struct rekey_cursor *cursor, struct arena *arena, size_t *count_out)
{
    struct batch *batch = calloc(1, sizeof(*batch));

    *count_out = 0;
    if (batch == NULL)
        return ERR_NO_MEMORY;
    *batch = (struct batch){
        .group = group, .newest = newest, .cursor = cursor, .tenant = tenant, .arena = arena
    };
    arena_reset(arena);
    enum err err = db_run(db, tenant, read_in, batch);
    if (err == ERR_OK && batch->count > 0) {
        err = batch_reseal(vault, batch);
        if (err == ERR_OK)
            err = db_run(db, tenant, write_in, batch);
        if (err == ERR_OK) {
            cursor->row = batch->values[batch->count - 1].row;
            cursor->sub = batch->values[batch->count - 1].sub;
            *count_out = batch->written;
        }
    } else if (err == ERR_OK) {
        cursor->is_at_end = true;
    }
    free(batch);
    return err;
}
