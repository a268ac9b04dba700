#include "domain/tenant/sealed_column.h"

enum err
sealed_column_read(const struct db_rows *rows, size_t row, int column, uint32_t key_version,
                   struct arena *arena, struct vault_sealed *out)
{
    struct slice cipher = db_bytes(rows, row, column);
    struct slice iv = db_bytes(rows, row, column + 1);
    struct slice tag = db_bytes(rows, row, column + 2);

    if (cipher.ptr == NULL || iv.len != VAULT_IV_BYTES || tag.len != VAULT_TAG_BYTES)
        return ERR_SEAL_CORRUPT;
    out->cipher = arena_copy(arena, cipher);
    if (out->cipher.ptr == NULL)
        return ERR_NO_MEMORY;
    memcpy(out->iv, iv.ptr, iv.len);
    memcpy(out->tag, tag.ptr, tag.len);
    out->key_version = key_version;
    return ERR_OK;
}
