#include "domain/message/message_settings.h"

static const char *const policy_words[] = { [MESSAGE_UNCERTAIN_RESEND] = "resend",
                                            [MESSAGE_UNCERTAIN_LEAVE] = "leave",
                                            [MESSAGE_UNCERTAIN_FAIL] = "fail" };

const char *
message_uncertain_policy_word(enum message_uncertain_policy policy)
{
    if ((unsigned)policy >= COUNT_OF(policy_words))
        bug("no such policy");
    return policy_words[policy];
}

enum err
message_uncertain_policy_parse(struct slice word, enum message_uncertain_policy *out)
{
    for (unsigned i = 0; i < COUNT_OF(policy_words); i++)
        if (slice_eq(word, slice_text(policy_words[i]))) {
            *out = (enum message_uncertain_policy)i;
            return ERR_OK;
        }
    return ERR_DB_DATA;
}

enum err
message_time_zone_set(struct message_settings *settings, struct slice name)
{
    if (name.len > MESSAGE_TIME_ZONE_MAX)
        return ERR_LIMIT;
    memcpy(settings->time_zone, name.ptr, name.len);
    settings->time_zone[name.len] = '\0';
    return ERR_OK;
}

static const struct db_stmt message_settings_read_stmt = {
    "message_settings_read",
    "SELECT uncertain_otp, uncertain_transactional, uncertain_service, uncertain_promotional,"
    " coalesce(uncertain_wait_s, 0), revision, updated_at, time_zone FROM message_settings WHERE tenant_id = $1"
};

enum err
message_settings_read(struct db_tx *tx, struct message_settings *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &message_settings_read_stmt, DB_NO_ARGS, &rows);

    *out = (struct message_settings){ .uncertain = { [MESSAGE_PROMOTIONAL] = MESSAGE_UNCERTAIN_LEAVE },
                                      .time_zone = "UTC" };
    if (err == ERR_OK && db_rows_count(rows) > 0) {
        for (int i = 0; err == ERR_OK && i < (int)MESSAGE_CATEGORY_COUNT; i++)
            err = message_uncertain_policy_parse(db_text(rows, 0, i), &out->uncertain[i]);
        out->uncertain_wait_s = db_i64(rows, 0, 4);
        out->revision = (uint32_t)db_i64(rows, 0, 5);
        out->updated_at = db_time(rows, 0, 6);
        if (err == ERR_OK)
            err = message_time_zone_set(out, db_text(rows, 0, 7));
    }
    db_rows_free(rows);
    return err;
}

static const struct db_stmt message_settings_write_stmt = {
    "message_settings_write",
    "INSERT INTO message_settings AS s (tenant_id, uncertain_otp, uncertain_transactional, uncertain_service,"
    " uncertain_promotional, uncertain_wait_s, time_zone) SELECT $1, $2, $3, $4, $5, nullif($6, 0)::integer, $8::text"
    " WHERE now() AT TIME ZONE $8::text IS NOT NULL" /* which fails when it is none */
    " ON CONFLICT (tenant_id) DO UPDATE SET uncertain_otp = excluded.uncertain_otp,"
    " uncertain_transactional = excluded.uncertain_transactional, uncertain_service = excluded.uncertain_service,"
    " uncertain_promotional = excluded.uncertain_promotional, uncertain_wait_s = excluded.uncertain_wait_s,"
    " time_zone = excluded.time_zone,"
    " revision = s.revision + 1, updated_at = now() WHERE s.revision = $7 RETURNING revision, updated_at"
};

enum err
message_settings_write(struct db_tx *tx, struct message_settings *settings)
{
    const enum message_uncertain_policy *uncertain = settings->uncertain;
    struct db_rows *rows = NULL;
    enum err err =
        db_query(tx, &message_settings_write_stmt,
                 DB_ARGS(DB_TEXT_Z(message_uncertain_policy_word(uncertain[MESSAGE_OTP])),
                         DB_TEXT_Z(message_uncertain_policy_word(uncertain[MESSAGE_TRANSACTIONAL])),
                         DB_TEXT_Z(message_uncertain_policy_word(uncertain[MESSAGE_SERVICE])),
                         DB_TEXT_Z(message_uncertain_policy_word(uncertain[MESSAGE_PROMOTIONAL])),
                         DB_I64(settings->uncertain_wait_s), DB_I64(settings->revision),
                         DB_TEXT_Z(settings->time_zone)),
                 &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_DB_CONFLICT;
    if (err == ERR_OK) {
        settings->revision = (uint32_t)db_i64(rows, 0, 0);
        settings->updated_at = db_time(rows, 0, 1);
    }
    db_rows_free(rows);
    return err;
}
