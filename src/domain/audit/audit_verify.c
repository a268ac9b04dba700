#include "domain/audit/audit_verify.h"
#include "core/num.h"
#include "crypto/encode.h"
#include "crypto/hash.h"
#include "wire/json/json.h"
#include <stdlib.h>

#define PAGE_MAX 1000u

const char *
audit_fault_text(enum audit_fault fault)
{
    switch (fault) {
    case AUDIT_HOLDS:
        return "holds";
    case AUDIT_FAULT_CHANGED:
        return "was changed, or another entry stands in its place";
    case AUDIT_FAULT_REMOVED:
        return "was removed";
    case AUDIT_FAULT_NO_PLACE:
        return "was put in without a place in the tree";
    case AUDIT_FAULT_GAP:
        return "is missing from the tree";
    case AUDIT_FAULT_CUT:
        return "and what follows were signed once, and are gone";
    case AUDIT_FAULT_ROOT:
        return "or one after it is not what was signed: entries were changed and hashed anew, or moved";
    case AUDIT_FAULT_SIGNATURE:
        return "is the first below a checkpoint whose signature does not hold";
    case AUDIT_FAULT_KEY:
        return "is the first below a checkpoint of a key that is not known";
    case AUDIT_FAULT_LATE:
        return "waits for its place for too long: is the scheduler running?";
    case AUDIT_FAULT_UNSIGNED:
        return "and what follows are in the tree, and no checkpoint holds them";
    case AUDIT_FAULT_FORM:
        return "is followed by a line that does not belong to an export";
    case AUDIT_FAULT_PRIVATE:
        return "has a private part that is not the one that was written";
    case AUDIT_FAULT_INCOMPLETE:
        return "is the last: the export was cut";
    }
    bug("a fault without a text");
}

static void
fault_at(struct audit_verdict *verdict, enum audit_fault fault, uint64_t place, struct id entry)
{
    if (verdict->fault != AUDIT_HOLDS)
        return; /* the first one counts */
    verdict->fault = fault;
    verdict->place = place;
    verdict->entry = entry;
}

/* Whether the tree so far is the one that was signed. */
static enum err
checkpoint_hold(struct audit_verdict *verdict, struct id tenant, const struct merkle_edge *edge,
                const struct audit_checkpoint *checkpoint, const struct audit_key *keys, size_t key_count,
                struct id first_unsigned)
{
    const struct audit_key *key = NULL;
    struct merkle_hash root;

    for (size_t i = 0; i < key_count; i++)
        if (keys[i].generation == checkpoint->generation)
            key = &keys[i];
    enum err err = merkle_edge_root(edge, &root);
    if (err != ERR_OK)
        return err;
    if (key == NULL) {
        fault_at(verdict, AUDIT_FAULT_KEY, verdict->signed_size, first_unsigned);
    } else if (audit_checkpoint_check(tenant, checkpoint, key) != ERR_OK) {
        fault_at(verdict, AUDIT_FAULT_SIGNATURE, verdict->signed_size, first_unsigned);
    } else if (memcmp(root.bytes, checkpoint->root.bytes, MERKLE_HASH_BYTES) != 0) {
        fault_at(verdict, AUDIT_FAULT_ROOT, verdict->signed_size, first_unsigned);
    } else {
        verdict->signed_size = edge->size;
        verdict->checkpoints++;
    }
    return ERR_OK;
}

static const struct db_stmt places_stmt = {
    "audit_verify_places",
    "SELECT n.index, n.hash, n.entry_id, e.id IS NOT NULL, " AUDIT_ENTRY_COLUMNS
    " FROM audit_node n LEFT JOIN audit_entry e ON e.tenant_id = n.tenant_id AND e.id = n.entry_id"
    " WHERE n.tenant_id = $1 AND n.level = 0 AND n.index >= $2 ORDER BY n.index LIMIT 1000" /* PAGE_MAX */
};
#define PLACES_ENTRY 4 /* where the entry's columns begin */
static const struct db_stmt checkpoints_from_stmt = {
    "audit_verify_checkpoints",
    "SELECT size, root, at, generation, signature FROM audit_checkpoint WHERE tenant_id = $1"
    " AND size > $2 ORDER BY size LIMIT 1000"
};
static const struct db_stmt size_stmt = { "audit_verify_size",
                                          "SELECT size, signed_size FROM audit_tree WHERE tenant_id = $1" };
/* In one look: an entry gets its place and stops waiting in one transaction. */
static const struct db_stmt stray_stmt = {
    "audit_verify_stray",
    "SELECT e.id, u.entry_id IS NOT NULL FROM audit_entry e LEFT JOIN audit_unsealed u ON u.tenant_id = e.tenant_id"
    " AND u.entry_id = e.id WHERE e.tenant_id = $1 AND NOT EXISTS (SELECT FROM audit_node n WHERE n.tenant_id = e.tenant_id"
    " AND n.entry_id = e.id) AND (u.entry_id IS NULL OR e.at < $2) ORDER BY e.id LIMIT 1"
};

/* What a walk through the database knows. */
struct walk {
    struct id tenant;
    struct wall_time late;
    const struct audit_checkpoint *kept;
    struct arena *arena;
    struct audit_verdict *verdict;
    struct merkle_edge edge;
    uint64_t size, signed_size; /* of the tree when the walk began */
    const struct audit_key *keys;
    size_t key_count;
    struct audit_checkpoint *checkpoints; /* the next ones */
    size_t checkpoint_count, checkpoint_at;
    struct id first_unsigned;
    bool has_ended;
};

static enum err
checkpoints_next(struct db_tx *tx, struct walk *walk, uint64_t after)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &checkpoints_from_stmt, DB_ARGS(DB_I64((int64_t)after)), &rows);
    size_t count = err == ERR_OK ? db_rows_count(rows) : 0;

    for (size_t i = 0; i < count; i++) {
        struct slice root = db_bytes(rows, i, 1), signature = db_bytes(rows, i, 4);
        struct audit_checkpoint *checkpoint = &walk->checkpoints[i];
        *checkpoint = (struct audit_checkpoint){ .size = (uint64_t)db_i64(rows, i, 0),
                                                 .at = db_time(rows, i, 2),
                                                 .generation = (uint32_t)db_i64(rows, i, 3) };
        if (root.len == MERKLE_HASH_BYTES)
            memcpy(checkpoint->root.bytes, root.ptr, root.len);
        if (signature.len == VAULT_SIGNATURE_BYTES)
            memcpy(checkpoint->signature, signature.ptr, signature.len);
    }
    walk->checkpoint_count = count;
    walk->checkpoint_at = 0;
    db_rows_free(rows);
    return err;
}

static enum err
walk_begin(struct db_tx *tx, void *ctx)
{
    struct walk *walk = ctx;
    struct audit_key *keys;
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &size_stmt, DB_NO_ARGS, &rows);

    if (err == ERR_OK && db_rows_count(rows) == 1) {
        walk->size = (uint64_t)db_i64(rows, 0, 0);
        walk->signed_size = (uint64_t)db_i64(rows, 0, 1);
    }
    db_rows_free(rows);
    if (err == ERR_OK)
        err = audit_keys(tx, walk->arena, &keys, &walk->key_count);
    if (err == ERR_OK) {
        walk->keys = keys;
        err = checkpoints_next(tx, walk, 0);
    }
    return err;
}

/* The leaf of a row, when the entry is what was hashed. */
static enum err
place_check(struct walk *walk, const struct db_rows *rows, size_t row, struct merkle_hash *leaf_out)
{
    struct slice kept = db_bytes(rows, row, 1);
    struct id entry_id = db_id(rows, row, 2);
    struct audit_entry entry;
    struct buf line;

    if ((uint64_t)db_i64(rows, row, 0) != walk->edge.size) {
        fault_at(walk->verdict, AUDIT_FAULT_GAP, walk->edge.size, (struct id){ { 0 } });
        return ERR_OK;
    }
    if (!db_bool(rows, row, 3)) {
        fault_at(walk->verdict, AUDIT_FAULT_REMOVED, walk->edge.size, entry_id);
        return ERR_OK;
    }
    enum err err = audit_entry_read(rows, row, PLACES_ENTRY, walk->arena, &entry);
    if (err == ERR_DB_DATA || err == ERR_LIMIT) {
        fault_at(walk->verdict, AUDIT_FAULT_CHANGED, walk->edge.size, entry_id);
        return ERR_OK;
    }
    buf_init(&line, AUDIT_LINE_BYTES_MAX);
    if (err == ERR_OK) {
        audit_line(walk->tenant, &entry, walk->edge.size, &line);
        err = buf_done(&line);
    }
    if (err == ERR_OK)
        err = merkle_leaf(buf_slice(&line), leaf_out);
    buf_release(&line);
    if (err == ERR_OK && !slice_eq(kept, slice_of(leaf_out->bytes, MERKLE_HASH_BYTES)))
        fault_at(walk->verdict, AUDIT_FAULT_CHANGED, walk->edge.size, entry_id);
    return err;
}

/* All checkpoints of this size; first the one that was kept elsewhere, which nobody here could make anew. */
static enum err
size_check(struct db_tx *tx, struct walk *walk)
{
    enum err err = ERR_OK;

    if (walk->kept != NULL && walk->kept->size == walk->edge.size)
        err = checkpoint_hold(walk->verdict, walk->tenant, &walk->edge, walk->kept, walk->keys,
                              walk->key_count, walk->first_unsigned);
    while (err == ERR_OK && walk->verdict->fault == AUDIT_HOLDS &&
           walk->checkpoint_at < walk->checkpoint_count &&
           walk->checkpoints[walk->checkpoint_at].size == walk->edge.size) {
        err = checkpoint_hold(walk->verdict, walk->tenant, &walk->edge,
                              &walk->checkpoints[walk->checkpoint_at++], walk->keys, walk->key_count,
                              walk->first_unsigned);
        if (err == ERR_OK && walk->checkpoint_at == walk->checkpoint_count)
            err = checkpoints_next(tx, walk, walk->edge.size);
    }
    return err;
}

static enum err
walk_page(struct db_tx *tx, void *ctx)
{
    struct walk *walk = ctx;
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &places_stmt, DB_ARGS(DB_I64((int64_t)walk->edge.size)), &rows);
    size_t count = err == ERR_OK ? db_rows_count(rows) : 0;

    walk->has_ended = count < PAGE_MAX;
    for (size_t i = 0; err == ERR_OK && walk->verdict->fault == AUDIT_HOLDS && i < count; i++) {
        struct merkle_hash leaf;
        if (walk->verdict->signed_size == walk->edge.size)
            walk->first_unsigned = db_id(rows, i, 2);
        err = place_check(walk, rows, i, &leaf);
        if (err != ERR_OK || walk->verdict->fault != AUDIT_HOLDS)
            break;
        err = merkle_edge_add(&walk->edge, &leaf);
        walk->verdict->entries++;
        if (err == ERR_OK)
            err = size_check(tx, walk);
    }
    db_rows_free(rows);
    arena_reset(walk->arena);
    return err;
}

static enum err
walk_end(struct db_tx *tx, void *ctx)
{
    struct walk *walk = ctx;
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &stray_stmt, DB_ARGS(DB_TIME(walk->late)), &rows);

    if (err == ERR_OK && db_rows_count(rows) > 0)
        fault_at(walk->verdict, db_bool(rows, 0, 1) ? AUDIT_FAULT_LATE : AUDIT_FAULT_NO_PLACE,
                 walk->edge.size, db_id(rows, 0, 0));
    db_rows_free(rows);
    return err;
}

enum err
audit_verify_store(struct db *db, const struct clock *clock, struct id tenant,
                   const struct audit_checkpoint *kept, struct arena *arena, struct audit_verdict *out)
{
    static const struct id none;
    struct audit_key keys[AUDIT_KEYS_MAX];
    struct walk walk = { .tenant = tenant,
                         .late = wall_after_ms(clock_wall(clock), -AUDIT_LATE_MS),
                         .kept = kept,
                         .arena = arena,
                         .verdict = out,
                         .checkpoints = calloc(PAGE_MAX, sizeof(struct audit_checkpoint)) };
    enum err err = walk.checkpoints == NULL ? ERR_NO_MEMORY : ERR_OK;

    *out = (struct audit_verdict){ .fault = AUDIT_HOLDS };
    if (err == ERR_OK)
        err = db_run(db, tenant, walk_begin, &walk);
    if (err == ERR_OK && walk.key_count > 0) { /* pages give the arena back */
        memcpy(keys, walk.keys, walk.key_count * sizeof(keys[0]));
        walk.keys = keys;
    }
    while (err == ERR_OK && out->fault == AUDIT_HOLDS && !walk.has_ended)
        err = db_run(db, tenant, walk_page, &walk);
    uint64_t reach = walk.size;
    for (size_t i = walk.checkpoint_at; i < walk.checkpoint_count; i++)
        reach = walk.checkpoints[i].size > reach ? walk.checkpoints[i].size : reach;
    if (kept != NULL && kept->size > reach)
        reach = kept->size;
    if (err == ERR_OK && out->fault == AUDIT_HOLDS && walk.edge.size < reach)
        fault_at(out, AUDIT_FAULT_CUT, walk.edge.size, none);
    /* Signed once, or long ago to be signed: whoever removes checkpoints removes what holds the entries. */
    if (err == ERR_OK && out->signed_size < walk.edge.size &&
        (out->signed_size < walk.signed_size || id_time(walk.first_unsigned).us < walk.late.us))
        fault_at(out, AUDIT_FAULT_UNSIGNED, out->signed_size, walk.first_unsigned);
    if (err == ERR_OK && out->fault == AUDIT_HOLDS)
        err = db_run(db, tenant, walk_end, &walk);
    free(walk.checkpoints);
    return err;
}

void
audit_file_begin(struct audit_file *file)
{
    *file = (struct audit_file){ .has_begun = false };
}

static bool
hex_of(const json_t *object, const char *member, unsigned char *out, size_t len)
{
    return decode_hex(json_text_of(object, member), out, len) == ERR_OK;
}

/* {"audit":{"version":1,"tenant":"ten_...","keys":[{"generation":1,"public_key":"<hex>"}]}} */
static bool
file_head(struct audit_file *file, const json_t *head)
{
    const json_t *keys = json_member(head, "keys");
    int64_t number = 0;

    if (file->has_begun || !json_int_of(head, "version", &number) || number != 1 ||
        id_parse(ID_TENANT, json_text_of(head, "tenant"), &file->tenant) != ERR_OK || !json_is_array(keys) ||
        json_array_size(keys) > AUDIT_KEYS_MAX)
        return false;
    for (size_t i = 0; i < json_array_size(keys); i++) {
        struct audit_key *key = &file->keys[i];
        if (!json_int_of(json_array_get(keys, i), "generation", &number) || number < 1 ||
            number > UINT32_MAX ||
            !hex_of(json_array_get(keys, i), "public_key", key->public_key, sizeof(key->public_key)))
            return false;
        key->generation = (uint32_t)number;
    }
    file->key_count = json_array_size(keys);
    file->has_begun = true;
    if (file->has_pinned &&
        (file->key_count == 0 || memcmp(file->keys[0].public_key, file->pinned, sizeof(file->pinned)) != 0))
        fault_at(&file->verdict, AUDIT_FAULT_KEY, 0, (struct id){ { 0 } });
    return true;
}

static bool
file_entry(struct audit_file *file, const json_t *entry, struct slice line, enum err *err_out)
{
    const json_t *parts = json_member(entry, "private");
    struct merkle_hash leaf;
    struct id tenant;
    int64_t place = 0;

    if (!json_int_of(entry, "n", &place) || place < 0 ||
        id_parse(ID_AUDIT, json_text_of(entry, "id"), &file->last_entry) != ERR_OK ||
        id_parse(ID_TENANT, json_text_of(entry, "tenant"), &tenant) != ERR_OK ||
        !id_eq(tenant, file->tenant) || !json_is_array(parts) || json_array_size(parts) > AUDIT_PRIVATE_MAX)
        return false;
    if ((uint64_t)place != file->edge.size) {
        fault_at(&file->verdict, AUDIT_FAULT_GAP, file->edge.size, file->last_entry);
        return true;
    }
    file->commitment_count = json_array_size(parts);
    for (size_t i = 0; i < file->commitment_count; i++) {
        struct slice text = json_text_of(json_array_get(parts, i), "commitment");
        if (text.len != sizeof(file->commitments[i]))
            return false;
        memcpy(file->commitments[i], text.ptr, text.len);
    }
    if (file->verdict.signed_size == file->edge.size)
        file->first_unsigned = file->last_entry;
    *err_out = merkle_leaf(line, &leaf);
    if (*err_out == ERR_OK)
        *err_out = merkle_edge_add(&file->edge, &leaf);
    file->verdict.entries++;
    return true;
}

/* {"checkpoint":{"size":7,"root":"<hex>","at":"...","generation":1,"signature":"<hex>"}} */
static bool
file_checkpoint(struct audit_file *file, const json_t *shown, enum err *err_out)
{
    struct audit_checkpoint checkpoint;
    int64_t size = 0, generation = 0;

    if (!json_int_of(shown, "size", &size) || size < 1 || !json_int_of(shown, "generation", &generation) ||
        generation < 1 || generation > UINT32_MAX ||
        wall_parse(json_text_of(shown, "at"), &checkpoint.at) != ERR_OK ||
        !hex_of(shown, "root", checkpoint.root.bytes, MERKLE_HASH_BYTES) ||
        !hex_of(shown, "signature", checkpoint.signature, VAULT_SIGNATURE_BYTES))
        return false;
    checkpoint.size = (uint64_t)size;
    checkpoint.generation = (uint32_t)generation;
    if (checkpoint.size != file->edge.size) {
        fault_at(&file->verdict, checkpoint.size > file->edge.size ? AUDIT_FAULT_CUT : AUDIT_FAULT_FORM,
                 file->edge.size, file->last_entry);
        return true;
    }
    *err_out = checkpoint_hold(&file->verdict, file->tenant, &file->edge, &checkpoint, file->keys,
                               file->key_count, file->first_unsigned);
    return true;
}

/* {"private":{"entry":"aud_...","part":0,"salt":"<hex>","text":"{...}"}}, behind its entry */
static bool
file_private(struct audit_file *file, const json_t *shown, enum err *err_out)
{
    unsigned char salt[AUDIT_SALT_BYTES], hash[HASH_BYTES];
    struct slice text = json_text_of(shown, "text");
    struct id entry;
    int64_t part = 0;
    struct buf hex;

    if (id_parse(ID_AUDIT, json_text_of(shown, "entry"), &entry) != ERR_OK ||
        !id_eq(entry, file->last_entry) || !json_int_of(shown, "part", &part) || part < 0 ||
        (uint64_t)part >= file->commitment_count || text.ptr == NULL ||
        !hex_of(shown, "salt", salt, sizeof(salt)))
        return false;
    const struct slice pieces[] = { slice_of(salt, sizeof(salt)), text };
    *err_out = hash_sha256_pieces(pieces, COUNT_OF(pieces), hash);
    buf_init(&hex, sizeof(file->commitments[0]) + 1);
    encode_hex(&hex, slice_of(hash, sizeof(hash)));
    if (*err_out == ERR_OK)
        *err_out = buf_done(&hex);
    if (*err_out == ERR_OK &&
        !slice_eq(buf_slice(&hex), slice_of(file->commitments[part], sizeof(file->commitments[part]))))
        fault_at(&file->verdict, AUDIT_FAULT_PRIVATE, file->edge.size - 1, entry);
    buf_release(&hex);
    return true;
}

enum err
audit_file_line(struct audit_file *file, struct slice line)
{
    json_t *value = NULL;
    const json_t *member;
    bool is_known = false;
    int64_t count = 0;

    if (file->verdict.fault != AUDIT_HOLDS)
        return ERR_OK;
    enum err err = json_parse(line, &value);
    if (err == ERR_NO_MEMORY)
        return err;
    if (err == ERR_OK && !file->has_end) {
        if ((member = json_member(value, "audit")) != NULL)
            is_known = file_head(file, member);
        else if (!file->has_begun)
            is_known = false;
        else if (json_member(value, "n") != NULL)
            is_known = file_entry(file, value, line, &err);
        else if ((member = json_member(value, "checkpoint")) != NULL)
            is_known = file_checkpoint(file, member, &err);
        else if ((member = json_member(value, "private")) != NULL)
            is_known = file_private(file, member, &err);
        else if ((member = json_member(value, "end")) != NULL)
            is_known = file->has_end =
                json_int_of(member, "entries", &count) && (uint64_t)count == file->edge.size;
    } else {
        err = ERR_OK;
    }
    json_decref(value);
    if (err == ERR_OK && !is_known)
        fault_at(&file->verdict, AUDIT_FAULT_FORM, file->edge.size, file->last_entry);
    return err;
}

struct audit_verdict
audit_file_end(struct audit_file *file)
{
    if (!file->has_end)
        fault_at(&file->verdict, AUDIT_FAULT_INCOMPLETE, file->edge.size, file->last_entry);
    if (file->verdict.signed_size < file->edge.size)
        fault_at(&file->verdict, AUDIT_FAULT_UNSIGNED, file->verdict.signed_size, file->first_unsigned);
    return file->verdict;
}
