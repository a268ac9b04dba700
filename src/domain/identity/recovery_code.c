#include "domain/identity/recovery_code.h"
#include "core/secret.h"
#include "crypto/hash.h"
#include "crypto/random.h"

#define LETTERS 16u /* of a code, without its hyphens: 5 bits each */

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz"; /* Crockford: no i, l, o, u */

static enum err
code_hash(const unsigned char salt[RECOVERY_CODE_SALT_BYTES], const char letters[static LETTERS],
          unsigned char out[RECOVERY_CODE_HASH_BYTES])
{
    const struct slice pieces[] = { slice_of(salt, RECOVERY_CODE_SALT_BYTES), slice_of(letters, LETTERS) };

    return hash_sha256_pieces(pieces, COUNT_OF(pieces), out);
}

enum err
recovery_codes_make(struct recovery_codes *out)
{
    unsigned char draw[LETTERS]; /* 5 bits are taken of each, so each letter is as likely as another */
    char letters[LETTERS];
    enum err err = ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < RECOVERY_CODES; i++) {
        err = random_fill(draw, sizeof(draw));
        if (err == ERR_OK)
            err = random_fill(out->salt[i], sizeof(out->salt[i]));
        if (err != ERR_OK)
            break;
        char *to = out->text[i];
        for (size_t j = 0; j < LETTERS; j++) {
            letters[j] = alphabet[draw[j] & 31];
            if (j > 0 && j % 4 == 0)
                *to++ = '-';
            *to++ = letters[j];
        }
        err = code_hash(out->salt[i], letters, out->hash[i]);
    }
    secret_wipe(draw, sizeof(draw));
    secret_wipe(letters, sizeof(letters));
    if (err != ERR_OK)
        recovery_codes_wipe(out);
    return err;
}

void
recovery_codes_wipe(struct recovery_codes *codes)
{
    secret_wipe(codes, sizeof(*codes));
}

static const struct db_stmt clear_stmt = {
    "recovery_code_clear", "DELETE FROM recovery_code WHERE tenant_id = $1 AND person_id = $2"
};
static const struct db_stmt insert_stmt = {
    "recovery_code_insert",
    "INSERT INTO recovery_code (tenant_id, person_id, hash, salt, created_at)"
    " SELECT $1, $2, hash, salt, $5 FROM unnest($3::bytea[], $4::bytea[]) AS new (hash, salt)"
};

enum err
recovery_codes_put(struct db_tx *tx, struct id person, const struct recovery_codes *codes,
                   struct wall_time now)
{
    struct slice hashes[RECOVERY_CODES], salts[RECOVERY_CODES];

    for (size_t i = 0; i < RECOVERY_CODES; i++) {
        hashes[i] = slice_of(codes->hash[i], sizeof(codes->hash[i]));
        salts[i] = slice_of(codes->salt[i], sizeof(codes->salt[i]));
    }
    enum err err = db_exec(tx, &clear_stmt, DB_ARGS(DB_ID(person)), NULL);
    return err == ERR_OK ? db_exec(tx, &insert_stmt,
                                   DB_ARGS(DB_ID(person), DB_BYTES_ARRAY(hashes, RECOVERY_CODES),
                                           DB_BYTES_ARRAY(salts, RECOVERY_CODES), DB_TIME(now)),
                                   NULL)
                         : err;
}

static const struct db_stmt left_stmt = {
    "recovery_code_left", "SELECT count(*) FILTER (WHERE used_at IS NULL), min(created_at) FROM recovery_code"
                          " WHERE tenant_id = $1 AND person_id = $2"
};

enum err
recovery_codes_left(struct db_tx *tx, struct id person, size_t *left_out, struct wall_time *made_at_out)
{
    struct db_rows *rows = NULL;

    *left_out = 0;
    enum err err = db_query(tx, &left_stmt, DB_ARGS(DB_ID(person)), &rows);
    if (err == ERR_OK) {
        *left_out = (size_t)db_i64(rows, 0, 0);
        if (!db_is_null(rows, 0, 1))
            *made_at_out = db_time(rows, 0, 1);
    }
    db_rows_free(rows);
    return err;
}

/* false: no code that could ever have been made. */
static bool
letters_read(struct slice text, char out[static LETTERS])
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '-' || c == ' ')
            continue;
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        c = c == 'o' ? '0' : c == 'i' || c == 'l' ? '1' : c;
        if (count == LETTERS || c == '\0' || strchr(alphabet, c) == NULL)
            return false;
        out[count++] = c;
    }
    return count == LETTERS;
}

static const struct db_stmt open_stmt = {
    "recovery_code_open",
    "SELECT hash, salt FROM recovery_code WHERE tenant_id = $1 AND person_id = $2 AND used_at IS NULL"
    " LIMIT 10"
};
/* Of two that bring the same code at once only one finds it unused. */
static const struct db_stmt take_stmt = {
    "recovery_code_take",
    "UPDATE recovery_code SET used_at = $4 WHERE tenant_id = $1 AND person_id = $2 AND hash = $3 AND used_at IS NULL"
};

enum err
recovery_code_take(struct db_tx *tx, struct id person, struct slice text, struct wall_time now)
{
    unsigned char hash[RECOVERY_CODE_HASH_BYTES], found[RECOVERY_CODE_HASH_BYTES];
    char letters[LETTERS] = { 0 };
    struct db_rows *rows = NULL;
    bool is_found = false;

    if (!letters_read(text, letters))
        return ERR_CODE_REFUSED;
    enum err err = db_query(tx, &open_stmt, DB_ARGS(DB_ID(person)), &rows);
    for (size_t i = 0; err == ERR_OK && i < db_rows_count(rows); i++) {
        struct slice stored = db_bytes(rows, i, 0), salt = db_bytes(rows, i, 1);
        err = salt.len == RECOVERY_CODE_SALT_BYTES ? code_hash((const unsigned char *)salt.ptr, letters, hash)
                                                   : ERR_SEAL_CORRUPT;
        if (err == ERR_OK && secret_eq(stored, slice_of(hash, sizeof(hash)))) {
            memcpy(found, hash, sizeof(found));
            is_found = true;
        }
    }
    db_rows_free(rows);
    secret_wipe(letters, sizeof(letters));
    if (err == ERR_OK && !is_found)
        err = ERR_CODE_REFUSED;
    if (err != ERR_OK)
        return err;
    err = db_exec_one(tx, &take_stmt,
                      DB_ARGS(DB_ID(person), DB_BYTES(slice_of(found, sizeof(found))), DB_TIME(now)));
    return err == ERR_NOT_FOUND ? ERR_CODE_REFUSED : err;
}
