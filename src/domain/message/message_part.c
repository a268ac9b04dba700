#include "domain/message/message_part.h"
#include "domain/tenant/sealed_column.h"

#define STATE_EXPIRED 3

struct vault_place
message_part_place(struct id tenant, struct id part)
{
    return (struct vault_place){ .tenant = tenant, .table = "smpp_part", .column = "pdu", .row = part };
}

/* Locks it: two that bring parts of one message follow one another. */
static const struct db_stmt group_find_stmt = {
    "message_part_group_find",
    "UPDATE smpp_group SET wants_receipt = wants_receipt OR $4 WHERE tenant_id = $1 AND key_id = $2 AND identity = $3"
    " AND state <> 'failed' RETURNING id, state = 'done'"
};
static const struct db_stmt group_begin_stmt = {
    "message_part_group_begin",
    "INSERT INTO smpp_group (tenant_id, id, key_id, identity, part_count, wants_receipt)"
    " SELECT $1, $2, $3, $4, $5::smallint, $6 WHERE (SELECT count(*) FROM (SELECT FROM smpp_group WHERE tenant_id = $1"
    " AND key_id = $3 LIMIT $7) held) < $7 ON CONFLICT DO NOTHING"
};
static const struct db_stmt parts_add_stmt = {
    "message_parts_add",
    "INSERT INTO smpp_part (tenant_id, group_id, part, id, command, key_version, pdu_ct, pdu_iv, pdu_tag)"
    " SELECT $1, $2, p.part::smallint, p.id, p.command, p.version::int, p.ct, p.iv, p.tag"
    " FROM unnest($3::bigint[], $4::uuid[], $5::bigint[], $6::bigint[], $7::bytea[], $8::bytea[], $9::bytea[])"
    " AS p (part, id, command, version, ct, iv, tag) ON CONFLICT DO NOTHING"
};
static const struct db_stmt parts_read_stmt = {
    "message_parts_read",
    "SELECT part::bigint, id, command, key_version::bigint, pdu_ct, pdu_iv, pdu_tag FROM smpp_part"
    " WHERE tenant_id = $1 AND group_id = $2 ORDER BY part LIMIT 32"
};

static enum err
part_read(const struct db_rows *rows, size_t row, int column, struct arena *arena, struct message_part *out)
{
    *out = (struct message_part){ .number = (unsigned)db_i64(rows, row, column),
                                  .id = db_id(rows, row, column + 1),
                                  .command = (uint32_t)db_i64(rows, row, column + 2) };
    return sealed_column_read(rows, row, column + 4, (uint32_t)db_i64(rows, row, column + 3), arena,
                              &out->pdu);
}

static enum err
group_take(struct db_tx *tx, struct message_part_group *group)
{
    struct slice identity = slice_of(group->identity, sizeof(group->identity));
    struct db_rows *rows = NULL;
    size_t count = 0;
    enum err err =
        db_query(tx, &group_find_stmt,
                 DB_ARGS(DB_ID(group->key), DB_BYTES(identity), DB_BOOL(group->wants_receipt)), &rows);

    group->is_done = false;
    if (err == ERR_OK && db_rows_count(rows) == 1) {
        group->id = db_id(rows, 0, 0);
        group->is_done = db_bool(rows, 0, 1);
    } else if (err == ERR_OK) {
        err = db_exec(tx, &group_begin_stmt,
                      DB_ARGS(DB_ID(group->id), DB_ID(group->key), DB_BYTES(identity),
                              DB_I64(group->part_count), DB_BOOL(group->wants_receipt),
                              DB_I64(MESSAGE_PART_GROUPS_MAX)),
                      &count);
        if (err == ERR_OK && count == 0)
            err = ERR_BUSY; /* or another gateway has just begun it: the part is sent again */
    }
    db_rows_free(rows);
    return err;
}

static enum err
parts_add(struct db_tx *tx, struct id group, const struct message_part *parts, size_t count)
{
    int64_t numbers[MESSAGE_PARTS_MAX], commands[MESSAGE_PARTS_MAX], versions[MESSAGE_PARTS_MAX];
    struct slice ciphers[MESSAGE_PARTS_MAX], ivs[MESSAGE_PARTS_MAX], tags[MESSAGE_PARTS_MAX];
    struct id ids[MESSAGE_PARTS_MAX];

    if (count > MESSAGE_PARTS_MAX)
        return ERR_LIMIT;
    for (size_t i = 0; i < count; i++) {
        numbers[i] = parts[i].number;
        ids[i] = parts[i].id;
        commands[i] = parts[i].command;
        versions[i] = parts[i].pdu.key_version;
        ciphers[i] = parts[i].pdu.cipher;
        ivs[i] = slice_of(parts[i].pdu.iv, VAULT_IV_BYTES);
        tags[i] = slice_of(parts[i].pdu.tag, VAULT_TAG_BYTES);
    }
    return db_exec(tx, &parts_add_stmt,
                   DB_ARGS(DB_ID(group), DB_I64_ARRAY(numbers, count), DB_ID_ARRAY(ids, count),
                           DB_I64_ARRAY(commands, count), DB_I64_ARRAY(versions, count),
                           DB_BYTES_ARRAY(ciphers, count), DB_BYTES_ARRAY(ivs, count),
                           DB_BYTES_ARRAY(tags, count)),
                   NULL);
}

enum err
message_parts_keep(struct db_tx *tx, struct message_part_group *group, const struct message_part *parts,
                   size_t count, struct arena *arena)
{
    struct db_rows *rows = NULL;
    enum err err = group_take(tx, group);

    if (err == ERR_OK && !group->is_done)
        err = parts_add(tx, group->id, parts, count);
    if (err == ERR_OK)
        err = db_query(tx, &parts_read_stmt, DB_ARGS(DB_ID(group->id)), &rows);
    group->kept_count = err == ERR_OK ? db_rows_count(rows) : 0;
    for (size_t i = 0; err == ERR_OK && i < group->kept_count; i++)
        err = part_read(rows, i, 0, arena, &group->parts[i]);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt parts_done_stmt = {
    "message_parts_done",
    "WITH kept AS (UPDATE smpp_group SET state = 'done', failed_as = NULL, ended_at = now() WHERE tenant_id = $1"
    " AND id = $2 AND $3 AND state = 'open' RETURNING id)"
    " DELETE FROM smpp_group WHERE tenant_id = $1 AND id = $2 AND NOT $3"
};

enum err
message_parts_done(struct db_tx *tx, struct id group, bool is_kept)
{
    return db_exec(tx, &parts_done_stmt, DB_ARGS(DB_ID(group), DB_BOOL(is_kept)), NULL);
}

static const struct db_stmt parts_fail_stmt = {
    "message_parts_fail",
    "WITH failed AS (UPDATE smpp_group SET state = 'failed', failed_as = $3::smallint, ended_at = now()"
    " WHERE tenant_id = $1 AND id = $2 AND state = 'open' AND wants_receipt RETURNING id),"
    " gone AS (DELETE FROM smpp_group WHERE tenant_id = $1 AND id = $2 AND state <> 'failed'"
    " AND NOT (state = 'open' AND wants_receipt))"
    " DELETE FROM smpp_part p USING failed WHERE p.tenant_id = $1 AND p.group_id = failed.id AND p.part >"
    " (SELECT min(f.part) FROM smpp_part f WHERE f.tenant_id = $1 AND f.group_id = $2)"
};

enum err
message_parts_fail(struct db_tx *tx, struct id group, unsigned state)
{
    return db_exec(tx, &parts_fail_stmt, DB_ARGS(DB_ID(group), DB_I64(state)), NULL);
}

static const struct db_stmt parts_failed_stmt = {
    "message_parts_failed",
    "SELECT g.id, g.failed_as::bigint, g.ended_at, p.part::bigint, p.id, p.command, p.key_version::bigint, p.pdu_ct,"
    " p.pdu_iv, p.pdu_tag FROM smpp_group g JOIN smpp_part p ON p.tenant_id = $1 AND p.group_id = g.id"
    " WHERE g.tenant_id = $1 AND g.key_id = $2 AND g.state = 'failed' ORDER BY g.id LIMIT $3"
};

enum err
message_parts_failed(struct db_tx *tx, struct id key, struct arena *arena,
                     struct message_part_failed out[static MESSAGE_PART_FAILED_MAX], size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err =
        db_query(tx, &parts_failed_stmt, DB_ARGS(DB_ID(key), DB_I64(MESSAGE_PART_FAILED_MAX)), &rows);

    *count_out = err == ERR_OK ? db_rows_count(rows) : 0;
    for (size_t i = 0; err == ERR_OK && i < *count_out; i++) {
        out[i] = (struct message_part_failed){ .group = db_id(rows, i, 0),
                                               .state = (unsigned)db_i64(rows, i, 1),
                                               .ended_at = db_time(rows, i, 2) };
        err = part_read(rows, i, 3, arena, &out[i].part);
    }
    db_rows_free(rows);
    return err;
}

static const struct db_stmt parts_old_stmt = {
    "message_parts_old",
    "SELECT tenant_id, id FROM smpp_group WHERE began_at < now() - make_interval(secs => $1)"
    " AND (state <> 'failed' OR ended_at < now() - make_interval(days => $2::integer)) LIMIT $3"
};

enum err
message_parts_old(struct db *db, struct message_part_old out[static MESSAGE_PART_SWEEP_MAX],
                  size_t *count_out)
{
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;
    enum err err = db_begin_across(db, "smpp.sweep", &tx);

    if (err == ERR_OK)
        err = db_query(&tx, &parts_old_stmt,
                       DB_ARGS(DB_I64(MESSAGE_PART_WAIT_S), DB_I64(MESSAGE_PART_FAILED_DAYS),
                               DB_I64(MESSAGE_PART_SWEEP_MAX)),
                       &rows);
    *count_out = err == ERR_OK ? db_rows_count(rows) : 0;
    for (size_t i = 0; i < *count_out; i++)
        out[i] = (struct message_part_old){ .tenant = db_id(rows, i, 0), .group = db_id(rows, i, 1) };
    db_rows_free(rows);
    db_rollback(&tx);
    return err;
}

/* A failed one among the old is one that nobody took. */
static const struct db_stmt parts_end_stmt = {
    "message_parts_end",
    "DELETE FROM smpp_group g WHERE g.tenant_id = $1 AND g.id = $2 AND (g.state <> 'open'"
    " OR EXISTS (SELECT FROM message m WHERE m.tenant_id = $1 AND m.id = g.id))"
};

enum err
message_parts_end(struct db_tx *tx, struct id group)
{
    size_t count = 0;
    enum err err = db_exec(tx, &parts_end_stmt, DB_ARGS(DB_ID(group)), &count);

    return err == ERR_OK && count == 0 ? message_parts_fail(tx, group, STATE_EXPIRED) : err;
}
