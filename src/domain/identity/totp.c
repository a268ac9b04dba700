#include "domain/identity/totp.h"
#include "crypto/encode.h"
#include "crypto/totp.h"
#include "domain/tenant/sealed_column.h"
#include "domain/tenant/tenant.h"

static struct vault_place
secret_place(struct id person, uint32_t generation)
{
    return (struct vault_place){ .tenant = tenant_platform,
                                 .table = "totp",
                                 .column = "secret",
                                 .row = person,
                                 .generation = generation };
}

static const struct db_stmt read_stmt = {
    "totp_read",
    "SELECT generation, secret_key_version, secret_ct, secret_iv, secret_tag, last_step, created_at, confirmed_at FROM totp"
    " WHERE tenant_id = $1 AND person_id = $2"
};

enum err
totp_read(struct db_tx *tx, struct id person, struct arena *arena, struct totp *out)
{
    struct db_rows *rows = NULL;

    *out = (struct totp){ .person = person };
    enum err err = db_query(tx, &read_stmt, DB_ARGS(DB_ID(person)), &rows);
    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK)
        err = sealed_column_read(rows, 0, 2, (uint32_t)db_i64(rows, 0, 1), arena, &out->secret);
    if (err == ERR_OK) {
        out->generation = (uint32_t)db_i64(rows, 0, 0);
        out->last_step = (uint64_t)db_i64(rows, 0, 5);
        out->created_at = db_time(rows, 0, 6);
        out->is_confirmed = !db_is_null(rows, 0, 7);
        if (out->is_confirmed)
            out->confirmed_at = db_time(rows, 0, 7);
    }
    db_rows_free(rows);
    return err;
}

enum err
totp_make(const struct vault *vault, struct id person, uint32_t earlier, struct arena *arena,
          struct totp *out, struct secret **secret_out)
{
    *out = (struct totp){ .person = person, .generation = earlier + 1 };
    const struct vault_place place = secret_place(person, out->generation);
    return vault_make_totp(vault, &place, arena, &out->secret, secret_out);
}

/* Over one that was never confirmed, and only over the one that the new generation follows. */
static const struct db_stmt put_stmt = {
    "totp_put",
    "INSERT INTO totp AS t (tenant_id, person_id, generation, secret_key_version, secret_ct, secret_iv, secret_tag, created_at)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (tenant_id, person_id) DO UPDATE SET"
    " generation = excluded.generation, secret_key_version = excluded.secret_key_version, secret_ct = excluded.secret_ct,"
    " secret_iv = excluded.secret_iv, secret_tag = excluded.secret_tag, created_at = excluded.created_at"
    " WHERE t.confirmed_at IS NULL AND t.generation = excluded.generation - 1"
};

enum err
totp_put(struct db_tx *tx, const struct totp *totp, struct wall_time now)
{
    enum err err =
        db_exec_one(tx, &put_stmt,
                    DB_ARGS(DB_ID(totp->person), DB_I64(totp->generation), DB_I64(totp->secret.key_version),
                            SEALED_ARGS(&totp->secret), DB_TIME(now)));

    return err == ERR_NOT_FOUND ? ERR_STATE_CONFLICT : err;
}

enum err
totp_code_check(const struct vault *vault, const struct totp *totp, struct slice code, struct wall_time now,
                uint64_t *step_out)
{
    const struct vault_place place = secret_place(totp->person, totp->generation);
    enum err err =
        vault_check_totp(vault, &place, &totp->secret, code, totp_step(now), totp->last_step, step_out);

    return err == ERR_SIGNATURE ? ERR_CODE_REFUSED : err;
}

static const struct db_stmt take_stmt = {
    "totp_take", "UPDATE totp SET last_step = $4, confirmed_at = coalesce(confirmed_at, $5)"
                 " WHERE tenant_id = $1 AND person_id = $2 AND generation = $3 AND last_step < $4"
};

enum err
totp_take(struct db_tx *tx, const struct totp *totp, uint64_t step, struct wall_time now)
{
    enum err err = db_exec_one(
        tx, &take_stmt,
        DB_ARGS(DB_ID(totp->person), DB_I64(totp->generation), DB_I64((int64_t)step), DB_TIME(now)));

    return err == ERR_NOT_FOUND ? ERR_CODE_REFUSED : err;
}

static const struct db_stmt delete_stmt = { "totp_delete",
                                            "DELETE FROM totp WHERE tenant_id = $1 AND person_id = $2" };

enum err
totp_delete(struct db_tx *tx, struct id person)
{
    return db_exec_one(tx, &delete_stmt, DB_ARGS(DB_ID(person)));
}

/* RFC 3986, 2.1: everything but unreserved characters. */
static void
add_escaped(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                        c == '-' || c == '.' || c == '_' || c == '~';
        if (is_plain)
            buf_add_byte(out, (char)c);
        else
            buf_add_format(out, "%%%02X", c);
    }
}

void
totp_uri(struct buf *out, struct slice issuer, struct slice account, struct slice secret)
{
    buf_add_text(out, "otpauth://totp/");
    add_escaped(out, issuer);
    buf_add_byte(out, ':');
    add_escaped(out, account);
    buf_add_text(out, "?secret=");
    encode_base32(out, secret);
    buf_add_text(out, "&issuer=");
    add_escaped(out, issuer);
    buf_add_format(out, "&algorithm=SHA1&digits=%u&period=%u", TOTP_DIGITS, TOTP_STEP_SECONDS);
}
