#include "domain/audit/audit_tree.h"
#include "crypto/encode.h"
#include "crypto/sign.h"
#include "domain/tenant/sealed_column.h"

_Static_assert(VAULT_PUBLIC_KEY_BYTES == SIGN_PUBLIC_BYTES && VAULT_SIGNATURE_BYTES == SIGN_SIGNATURE_BYTES,
               "checkpoints are signed with Ed25519");

/* Leaves are kept, and of the complete subtrees those of 2^8, 2^16, ... leaves: any other is at most 255
 * hashes away. */
#define STEP          8u
#define NODES_OF_SEAL (AUDIT_SEAL_MAX + AUDIT_SEAL_MAX / 128u)

static const struct db_stmt waiting_stmt = {
    "audit_waiting", "SELECT tenant_id FROM audit_unsealed UNION SELECT tenant_id FROM audit_tree"
                     " WHERE signed_size < size LIMIT $1"
};

enum err
audit_waiting(struct db *db, struct id *tenants, size_t max, size_t *count_out)
{
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;
    enum err err = db_begin_across(db, "audit.seal", &tx);

    if (err == ERR_OK)
        err = db_query(&tx, &waiting_stmt, DB_ARGS(DB_I64((int64_t)max)), &rows);
    *count_out = err == ERR_OK ? db_rows_count(rows) : 0;
    for (size_t i = 0; i < *count_out; i++)
        tenants[i] = db_id(rows, i, 0);
    db_rows_free(rows);
    db_rollback(&tx);
    return err;
}

static const struct db_stmt tree_begin_stmt = {
    "audit_tree_begin", "INSERT INTO audit_tree (tenant_id) VALUES ($1) ON CONFLICT (tenant_id) DO NOTHING"
};
static const struct db_stmt tree_lock_stmt = {
    "audit_tree_lock", "SELECT size, edge FROM audit_tree WHERE tenant_id = $1 FOR UPDATE"
};
static const struct db_stmt unsealed_stmt = {
    "audit_unsealed",
    "SELECT " AUDIT_ENTRY_COLUMNS " FROM audit_unsealed u JOIN audit_entry e ON e.tenant_id = u.tenant_id"
    " AND e.id = u.entry_id LEFT JOIN audit_node n ON n.tenant_id = u.tenant_id AND n.entry_id = u.entry_id"
    " WHERE u.tenant_id = $1 ORDER BY u.entry_id LIMIT 500" /* AUDIT_SEAL_MAX */
};
static const struct db_stmt nodes_insert_stmt = {
    "audit_nodes_insert",
    "INSERT INTO audit_node (tenant_id, level, index, hash, entry_id) SELECT $1, i.level, i.index, i.hash,"
    " CASE WHEN i.level = 0 THEN i.entry_id END"
    " FROM unnest($2::bigint[], $3::bigint[], $4::bytea[], $5::uuid[]) AS i (level, index, hash, entry_id)"
};
static const struct db_stmt sealed_stmt = {
    "audit_sealed", "DELETE FROM audit_unsealed WHERE tenant_id = $1 AND entry_id = ANY ($2::uuid[])"
};
static const struct db_stmt tree_grow_stmt = {
    "audit_tree_grow", "UPDATE audit_tree SET size = $2, edge = $3 WHERE tenant_id = $1"
};

/* What one transaction adds. */
struct growth {
    struct merkle_edge edge;
    int64_t levels[NODES_OF_SEAL], indexes[NODES_OF_SEAL];
    struct merkle_hash hashes[NODES_OF_SEAL];
    struct id entries[NODES_OF_SEAL];
    size_t count;
};

static enum err
tree_lock(struct db_tx *tx, struct merkle_edge *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_exec(tx, &tree_begin_stmt, DB_NO_ARGS, NULL);

    if (err == ERR_OK)
        err = db_query(tx, &tree_lock_stmt, DB_NO_ARGS, &rows);
    if (err == ERR_OK && db_rows_count(rows) != 1)
        err = ERR_DB_STATEMENT;
    if (err == ERR_OK) {
        struct slice roots = db_bytes(rows, 0, 1);
        out->size = (uint64_t)db_i64(rows, 0, 0);
        if (roots.len != merkle_edge_count(out->size) * sizeof(out->roots[0]))
            err = ERR_DB_DATA;
        else if (roots.len > 0)
            memcpy(out->roots, roots.ptr, roots.len);
    }
    db_rows_free(rows);
    return err;
}

static void
node_add(struct growth *growth, unsigned level, uint64_t index, const struct merkle_hash *hash,
         struct id entry)
{
    growth->levels[growth->count] = level;
    growth->indexes[growth->count] = (int64_t)index;
    growth->hashes[growth->count] = *hash;
    growth->entries[growth->count++] = entry;
}

/* The subtrees of whole steps that this leaf completes: those whose lower bits of the size are all ones
 * before it. */
static enum err
leaf_add(struct growth *growth, const struct merkle_hash *leaf, struct id entry)
{
    struct merkle_edge *edge = &growth->edge;
    unsigned count = merkle_edge_count(edge->size);
    struct merkle_hash hash = *leaf;
    enum err err = ERR_OK;

    node_add(growth, 0, edge->size, leaf, entry);
    for (unsigned level = 1; err == ERR_OK && ((edge->size >> (level - 1)) & 1) != 0; level++) {
        err = merkle_node(&edge->roots[--count], &hash, &hash);
        if (err == ERR_OK && level % STEP == 0)
            node_add(growth, level, edge->size >> level, &hash, entry);
    }
    return err == ERR_OK ? merkle_edge_add(edge, leaf) : err;
}

static enum err
entries_add(struct growth *growth, struct id tenant, const struct db_rows *rows, struct arena *arena)
{
    size_t count = db_rows_count(rows);
    struct audit_entry entry;
    struct merkle_hash leaf;
    struct buf line;
    enum err err = ERR_OK;

    buf_init(&line, AUDIT_LINE_BYTES_MAX);
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        buf_clear(&line);
        err = audit_entry_read(rows, i, 0, arena, &entry);
        if (err == ERR_OK && entry.is_sealed)
            err = ERR_DB_DATA; /* it has a place already */
        if (err == ERR_OK) {
            audit_line(tenant, &entry, growth->edge.size, &line);
            err = buf_done(&line);
        }
        if (err == ERR_OK)
            err = merkle_leaf(buf_slice(&line), &leaf);
        if (err == ERR_OK)
            err = leaf_add(growth, &leaf, entry.id);
    }
    buf_release(&line);
    return err;
}

static enum err
growth_write(struct db_tx *tx, const struct growth *growth, struct arena *arena)
{
    struct slice *hashes = arena_array(arena, growth->count, sizeof(*hashes));
    size_t edge_bytes = merkle_edge_count(growth->edge.size) * sizeof(growth->edge.roots[0]);

    if (hashes == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < growth->count; i++)
        hashes[i] = slice_of(growth->hashes[i].bytes, MERKLE_HASH_BYTES);
    enum err err = db_later(
        tx, &nodes_insert_stmt,
        DB_ARGS(DB_I64_ARRAY(growth->levels, growth->count), DB_I64_ARRAY(growth->indexes, growth->count),
                DB_BYTES_ARRAY(hashes, growth->count), DB_ID_ARRAY(growth->entries, growth->count)),
        NULL);
    if (err == ERR_OK)
        err = db_later(tx, &sealed_stmt, DB_ARGS(DB_ID_ARRAY(growth->entries, growth->count)), NULL);
    return err == ERR_OK ? db_exec_one(tx, &tree_grow_stmt,
                                       DB_ARGS(DB_I64((int64_t)growth->edge.size),
                                               DB_BYTES(slice_of(growth->edge.roots, edge_bytes))))
                         : err;
}

enum err
audit_seal(struct db *db, struct id tenant, struct arena *arena, size_t *sealed_out, bool *has_more_out)
{
    struct growth *growth = arena_alloc(arena, sizeof(*growth));
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;
    enum err err = growth == NULL ? ERR_NO_MEMORY : ERR_OK;

    *sealed_out = 0;
    *has_more_out = false;
    if (err == ERR_OK) {
        growth->count = 0;
        err = db_begin(db, tenant, &tx);
    }
    if (err == ERR_OK)
        err = tree_lock(&tx, &growth->edge);
    if (err == ERR_OK)
        err = db_query(&tx, &unsealed_stmt, DB_NO_ARGS, &rows);
    size_t count = err == ERR_OK ? db_rows_count(rows) : 0;
    if (err == ERR_OK)
        err = entries_add(growth, tenant, rows, arena);
    if (err == ERR_OK && count > 0)
        err = growth_write(&tx, growth, arena);
    if (err == ERR_OK)
        err = db_commit(&tx);
    if (err == ERR_OK) {
        *sealed_out = count;
        *has_more_out = count == AUDIT_SEAL_MAX;
    }
    db_rows_free(rows);
    db_rollback(&tx);
    return err;
}

void
audit_checkpoint_text(struct id tenant, const struct audit_checkpoint *checkpoint, struct buf *out)
{
    char of[ID_TEXT_BYTES], at[WALL_TEXT_BYTES];

    buf_add_format(out, "harkara-audit/1\n%.*s\n%llu\n", SLICE_FMT(id_print(ID_TENANT, tenant, of)),
                   (unsigned long long)checkpoint->size);
    encode_base64(out, slice_of(checkpoint->root.bytes, MERKLE_HASH_BYTES));
    buf_add_format(out, "\n%.*s\n", SLICE_FMT(wall_print(checkpoint->at, at)));
}

enum err
audit_checkpoint_check(struct id tenant, const struct audit_checkpoint *checkpoint,
                       const struct audit_key *key)
{
    struct buf text;

    buf_init(&text, AUDIT_CHECKPOINT_TEXT_MAX);
    audit_checkpoint_text(tenant, checkpoint, &text);
    enum err err = buf_done(&text);
    if (err == ERR_OK)
        err = sign_ed25519_verify(key->public_key, buf_slice(&text), checkpoint->signature);
    buf_release(&text);
    return err;
}

/* The tree as it is, and the key that signs for it. */
struct signing {
    const struct clock *clock;
    struct arena *arena;
    struct merkle_edge edge;
    bool must_sign, has_key, is_new_key;
    uint32_t generation;
    struct vault_sealed private_key;
    unsigned char public_key[VAULT_PUBLIC_KEY_BYTES];
    struct audit_checkpoint checkpoint;
};

static const struct db_stmt signing_stmt = {
    "audit_signing",
    "SELECT t.size, t.edge, t.signed_size < t.size, k.generation, k.key_version, k.private_key_ct,"
    " k.private_key_iv, k.private_key_tag FROM audit_tree t LEFT JOIN LATERAL (SELECT * FROM audit_key k"
    " WHERE k.tenant_id = t.tenant_id ORDER BY k.generation DESC LIMIT 1) k ON true"
    " WHERE t.tenant_id = $1"
};
static const struct db_stmt key_insert_stmt = {
    "audit_key_insert",
    "INSERT INTO audit_key (tenant_id, generation, public_key, key_version, private_key_ct,"
    " private_key_iv, private_key_tag) VALUES ($1, $2, $3, $4, $5, $6, $7)"
};
static const struct db_stmt checkpoint_insert_stmt = {
    "audit_checkpoint_insert",
    "INSERT INTO audit_checkpoint (tenant_id, size, root, at, generation, signature) VALUES ($1, $2, $3, $4, $5, $6)"
};
static const struct db_stmt signed_stmt = { "audit_signed",
                                            "UPDATE audit_tree SET signed_size = $2 WHERE tenant_id = $1"
                                            " AND signed_size < $2" };

static enum err
signing_read(struct db_tx *tx, void *ctx)
{
    struct signing *signing = ctx;
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &signing_stmt, DB_NO_ARGS, &rows);

    signing->must_sign = err == ERR_OK && db_rows_count(rows) == 1 && db_bool(rows, 0, 2);
    if (signing->must_sign) {
        struct slice roots = db_bytes(rows, 0, 1);
        signing->edge.size = (uint64_t)db_i64(rows, 0, 0);
        if (roots.len != merkle_edge_count(signing->edge.size) * sizeof(signing->edge.roots[0]))
            err = ERR_DB_DATA;
        else
            memcpy(signing->edge.roots, roots.ptr, roots.len);
        signing->has_key = !db_is_null(rows, 0, 3);
    }
    if (err == ERR_OK && signing->must_sign && signing->has_key) {
        signing->generation = (uint32_t)db_i64(rows, 0, 3);
        err = sealed_column_read(rows, 0, 5, (uint32_t)db_i64(rows, 0, 4), signing->arena,
                                 &signing->private_key);
    }
    db_rows_free(rows);
    return err;
}

static struct vault_place
key_place(struct id tenant, uint32_t generation)
{
    return (struct vault_place){ .tenant = tenant,
                                 .table = "audit_key",
                                 .column = "private_key",
                                 .row = tenant,
                                 .generation = generation };
}

static enum err
checkpoint_make(struct signing *signing, const struct vault *vault, struct id tenant)
{
    struct audit_checkpoint *checkpoint = &signing->checkpoint;
    struct vault_place place = key_place(tenant, signing->has_key ? signing->generation : 1);
    enum err err = ERR_OK;
    struct buf text;

    if (!signing->has_key) {
        signing->generation = 1;
        err = vault_make_ed25519(vault, &place, signing->arena, &signing->private_key, signing->public_key);
        signing->is_new_key = true;
    }
    *checkpoint = (struct audit_checkpoint){ .size = signing->edge.size,
                                             .at = clock_wall(signing->clock),
                                             .generation = signing->generation };
    checkpoint->at.us -= checkpoint->at.us % 1000; /* as it is printed */
    if (err == ERR_OK)
        err = merkle_edge_root(&signing->edge, &checkpoint->root);
    buf_init(&text, AUDIT_CHECKPOINT_TEXT_MAX);
    audit_checkpoint_text(tenant, checkpoint, &text);
    if (err == ERR_OK)
        err = buf_done(&text);
    if (err == ERR_OK)
        err =
            vault_sign_ed25519(vault, &place, &signing->private_key, buf_slice(&text), checkpoint->signature);
    buf_release(&text);
    return err;
}

static enum err
checkpoint_write(struct db_tx *tx, void *ctx)
{
    const struct signing *signing = ctx;
    const struct audit_checkpoint *checkpoint = &signing->checkpoint;
    enum err err = ERR_OK;

    if (signing->is_new_key)
        err = db_later(tx, &key_insert_stmt,
                       DB_ARGS(DB_I64(signing->generation),
                               DB_BYTES(slice_of(signing->public_key, VAULT_PUBLIC_KEY_BYTES)),
                               DB_I64(signing->private_key.key_version), SEALED_ARGS(&signing->private_key)),
                       NULL);
    if (err == ERR_OK)
        err = db_later(tx, &checkpoint_insert_stmt,
                       DB_ARGS(DB_I64((int64_t)checkpoint->size),
                               DB_BYTES(slice_of(checkpoint->root.bytes, MERKLE_HASH_BYTES)),
                               DB_TIME(checkpoint->at), DB_I64(checkpoint->generation),
                               DB_BYTES(slice_of(checkpoint->signature, VAULT_SIGNATURE_BYTES))),
                       NULL);
    return err == ERR_OK ? db_exec_one(tx, &signed_stmt, DB_ARGS(DB_I64((int64_t)checkpoint->size))) : err;
}

enum err
audit_sign(struct db *db, const struct vault *vault, const struct clock *clock, struct id tenant,
           struct arena *arena, bool *signed_out)
{
    struct signing signing = { .clock = clock, .arena = arena };
    enum err err = db_run(db, tenant, signing_read, &signing);

    *signed_out = false;
    if (err != ERR_OK || !signing.must_sign)
        return err;
    err = checkpoint_make(&signing, vault, tenant);
    if (err == ERR_OK)
        err = db_run(db, tenant, checkpoint_write, &signing);
    if (err == ERR_EXISTS || err == ERR_NOT_FOUND)
        return ERR_OK; /* somebody else has signed it meanwhile */
    *signed_out = err == ERR_OK;
    return err;
}

static const struct db_stmt keys_stmt = {
    "audit_keys",
    "SELECT generation, public_key, created_at FROM audit_key WHERE tenant_id = $1 ORDER BY generation LIMIT 64"
};

enum err
audit_keys(struct db_tx *tx, struct arena *arena, struct audit_key **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &keys_stmt, DB_NO_ARGS, &rows);
    size_t count = err == ERR_OK ? db_rows_count(rows) : 0;
    struct audit_key *keys = arena_array(arena, count, sizeof(*keys));

    if (err == ERR_OK && keys == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        struct slice public_key = db_bytes(rows, i, 1);
        if (public_key.len != VAULT_PUBLIC_KEY_BYTES) {
            err = ERR_DB_DATA;
            break;
        }
        keys[i].generation = (uint32_t)db_i64(rows, i, 0);
        memcpy(keys[i].public_key, public_key.ptr, public_key.len);
        keys[i].created_at = db_time(rows, i, 2);
    }
    db_rows_free(rows);
    *out = keys;
    *count_out = err == ERR_OK ? count : 0;
    return err;
}

#define CHECKPOINT_COLUMNS "size, root, at, generation, signature"
static const struct db_stmt checkpoints_stmt = {
    "audit_checkpoints", "SELECT " CHECKPOINT_COLUMNS " FROM audit_checkpoint WHERE tenant_id = $1"
                         " AND ($2::bigint = 0 OR size < $2) ORDER BY size DESC LIMIT $3"
};
static const struct db_stmt checkpoint_of_stmt = { "audit_checkpoint_of",
                                                   "SELECT " CHECKPOINT_COLUMNS
                                                   " FROM audit_checkpoint WHERE tenant_id = $1 AND size > $2"
                                                   " ORDER BY size LIMIT 1" };

static enum err
checkpoint_read(const struct db_rows *rows, size_t row, struct audit_checkpoint *out)
{
    struct slice root = db_bytes(rows, row, 1), signature = db_bytes(rows, row, 4);

    if (root.len != MERKLE_HASH_BYTES || signature.len != VAULT_SIGNATURE_BYTES)
        return ERR_DB_DATA;
    *out = (struct audit_checkpoint){ .size = (uint64_t)db_i64(rows, row, 0),
                                      .at = db_time(rows, row, 2),
                                      .generation = (uint32_t)db_i64(rows, row, 3) };
    memcpy(out->root.bytes, root.ptr, root.len);
    memcpy(out->signature, signature.ptr, signature.len);
    return ERR_OK;
}

enum err
audit_checkpoints(struct db_tx *tx, uint64_t before, size_t limit, struct arena *arena,
                  struct audit_checkpoint **out, size_t *count_out)
{
    struct db_rows *rows = NULL;

    if (limit > AUDIT_CHECKPOINTS_MAX)
        return ERR_LIMIT;
    enum err err =
        db_query(tx, &checkpoints_stmt, DB_ARGS(DB_I64((int64_t)before), DB_I64((int64_t)limit + 1)), &rows);
    size_t count = err == ERR_OK ? db_rows_count(rows) : 0;
    struct audit_checkpoint *list = arena_array(arena, count, sizeof(*list));
    if (err == ERR_OK && list == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        err = checkpoint_read(rows, i, &list[i]);
    db_rows_free(rows);
    *out = list;
    *count_out = err == ERR_OK ? count : 0;
    return err;
}

enum err
audit_checkpoint_of(struct db_tx *tx, uint64_t place, struct audit_checkpoint *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &checkpoint_of_stmt, DB_ARGS(DB_I64((int64_t)place)), &rows);

    if (err == ERR_OK)
        err = db_rows_count(rows) == 0 ? ERR_NOT_FOUND : checkpoint_read(rows, 0, out);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt nodes_stmt = {
    "audit_nodes",
    "SELECT hash FROM audit_node WHERE tenant_id = $1 AND level = $2 AND index >= $3 AND index < $4"
    " ORDER BY index LIMIT 256"
};

enum err
audit_subtree(void *ctx, unsigned level, uint64_t index, struct merkle_hash *out)
{
    const struct audit_nodes *nodes = ctx;
    unsigned kept =
        level - level % STEP; /* the nodes below it that are kept, and how many of them it spans */
    uint64_t count = UINT64_C(1) << (level - kept);
    struct merkle_edge edge = { .size = 0 };
    struct db_rows *rows = NULL;
    enum err err = db_query(
        nodes->tx, &nodes_stmt,
        DB_ARGS(DB_I64(kept), DB_I64((int64_t)(index * count)), DB_I64((int64_t)((index + 1) * count))),
        &rows);

    if (err == ERR_OK && db_rows_count(rows) != count)
        err = ERR_DB_DATA;
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        struct slice hash = db_bytes(rows, i, 0);
        struct merkle_hash node;
        if (hash.len != MERKLE_HASH_BYTES)
            err = ERR_DB_DATA;
        if (err == ERR_OK) {
            memcpy(node.bytes, hash.ptr, hash.len);
            err = merkle_edge_add(&edge, &node);
        }
    }
    if (err == ERR_OK)
        err = merkle_edge_root(&edge, out);
    db_rows_free(rows);
    return err;
}
