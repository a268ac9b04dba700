/* Sealed values as three columns: ciphertext, 12-byte IV, 16-byte tag; the key version is a column of the
 * row. */
#ifndef DOMAIN_TENANT_SEALED_COLUMN_H
#define DOMAIN_TENANT_SEALED_COLUMN_H
#include "platform/db/db.h"
#include "platform/ipc/vault_client.h"

/*
 * Reads the value whose ciphertext stands in `column`, followed by IV and tag. Copies into the arena.
 * ERR_SEAL_CORRUPT when the columns are not of their widths.
 */
MUST_CHECK enum err sealed_column_read(const struct db_rows *rows, size_t row, int column,
                                       uint32_t key_version, struct arena *arena, struct vault_sealed *out);

/* The three arguments, in the order of the columns. */
#define SEALED_ARGS(sealed)                                                                                  \
    DB_BYTES((sealed)->cipher), DB_BYTES(slice_of((sealed)->iv, VAULT_IV_BYTES)),                            \
        DB_BYTES(slice_of((sealed)->tag, VAULT_TAG_BYTES))

#endif
