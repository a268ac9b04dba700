#include "domain/channel/channel_number.h"
#include "wire/json/json.h"

#define EVENT_BYTES_MAX 16384u

/* In the order of the columns. */
static const struct {
    const char *word;
    enum event_type event; /* which tells a change; EVENT_TYPE_COUNT: none */
    size_t bytes_max;
} rows[CHANNEL_NUMBER_FACTS] = {
    [CHANNEL_NUMBER_VERIFIED_NAME] = { "verified_name", EVENT_CHANNEL_NAME, CHANNEL_NUMBER_NAME_MAX },
    [CHANNEL_NUMBER_NAME_STATUS] = { "name_status", EVENT_CHANNEL_NAME, CHANNEL_NUMBER_WORD_MAX },
    [CHANNEL_NUMBER_REQUESTED_NAME] = { "requested_name", EVENT_TYPE_COUNT, CHANNEL_NUMBER_NAME_MAX },
    [CHANNEL_NUMBER_REQUESTED_STATUS] = { "requested_status", EVENT_CHANNEL_NAME, CHANNEL_NUMBER_WORD_MAX },
    [CHANNEL_NUMBER_QUALITY_RATING] = { "quality_rating", EVENT_CHANNEL_QUALITY, CHANNEL_NUMBER_WORD_MAX },
    [CHANNEL_NUMBER_MESSAGING_LIMIT] = { "messaging_limit", EVENT_CHANNEL_QUALITY, CHANNEL_NUMBER_WORD_MAX },
    [CHANNEL_NUMBER_THROUGHPUT] = { "throughput", EVENT_CHANNEL_QUALITY, CHANNEL_NUMBER_WORD_MAX },
    [CHANNEL_NUMBER_STATUS] = { "status", EVENT_CHANNEL_QUALITY, CHANNEL_NUMBER_WORD_MAX },
    [CHANNEL_NUMBER_CODE_VERIFICATION] = { "code_verification", EVENT_TYPE_COUNT, CHANNEL_NUMBER_WORD_MAX },
    [CHANNEL_NUMBER_ACCOUNT_MODE] = { "account_mode", EVENT_TYPE_COUNT, CHANNEL_NUMBER_WORD_MAX },
};

const char *
channel_number_fact_word(enum channel_number_fact fact)
{
    if ((unsigned)fact >= CHANNEL_NUMBER_FACTS)
        bug("no such fact of a number");
    return rows[fact].word;
}

#define FACT_COLUMNS                                                                                         \
    "verified_name, name_status, requested_name, requested_status, quality_rating, messaging_limit,"         \
    " throughput, number_status, code_verification, account_mode"

static const struct db_stmt channel_number_get_stmt = { "channel_number_get",
                                                        "SELECT " FACT_COLUMNS
                                                        ", profile::text, synced_at FROM whatsapp_number"
                                                        " WHERE tenant_id = $1 AND channel_id = $2" };

enum err
channel_number_get(struct db_tx *tx, struct id channel, struct arena *arena, struct channel_number *out)
{
    struct db_rows *found = NULL;
    enum err err = db_query(tx, &channel_number_get_stmt, DB_ARGS(DB_ID(channel)), &found);

    *out = (struct channel_number){ .is_synced = false };
    if (err == ERR_OK && db_rows_count(found) == 0)
        err = ERR_NOT_FOUND;
    for (int i = 0; err == ERR_OK && i <= CHANNEL_NUMBER_FACTS; i++) {
        struct slice *to = i < CHANNEL_NUMBER_FACTS ? &out->facts[i] : &out->profile;
        if (db_is_null(found, 0, i))
            continue;
        *to = arena_copy(arena, db_text(found, 0, i));
        if (to->ptr == NULL)
            err = ERR_NO_MEMORY;
    }
    if (err == ERR_OK && !db_is_null(found, 0, CHANNEL_NUMBER_FACTS + 1)) {
        out->is_synced = true;
        out->synced_at = db_time(found, 0, CHANNEL_NUMBER_FACTS + 1);
    }
    db_rows_free(found);
    return err;
}

/* A request for another name that a sync does not find any more is over. */
static const struct db_stmt channel_number_store_stmt = {
    "channel_number_store",
    "INSERT INTO whatsapp_number AS n (tenant_id, channel_id, " FACT_COLUMNS ", profile, synced_at)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
    " ON CONFLICT (tenant_id, channel_id) DO UPDATE SET"
    " verified_name = coalesce(excluded.verified_name, n.verified_name),"
    " name_status = coalesce(excluded.name_status, n.name_status),"
    " requested_name = CASE WHEN excluded.synced_at IS NULL THEN coalesce(excluded.requested_name, n.requested_name)"
    " ELSE excluded.requested_name END,"
    " requested_status = CASE WHEN excluded.synced_at IS NULL THEN coalesce(excluded.requested_status,"
    " n.requested_status) ELSE excluded.requested_status END,"
    " quality_rating = coalesce(excluded.quality_rating, n.quality_rating),"
    " messaging_limit = coalesce(excluded.messaging_limit, n.messaging_limit),"
    " throughput = coalesce(excluded.throughput, n.throughput),"
    " number_status = coalesce(excluded.number_status, n.number_status),"
    " code_verification = coalesce(excluded.code_verification, n.code_verification),"
    " account_mode = coalesce(excluded.account_mode, n.account_mode),"
    " profile = coalesce(excluded.profile, n.profile), synced_at = coalesce(excluded.synced_at, n.synced_at)"
};

/* Beyond the column's width, cut between characters; lower case is the caller's. */
static struct slice
fitted(struct slice text, size_t bytes_max)
{
    size_t len = text.len < bytes_max ? text.len : bytes_max;

    while (len > 0 && len < text.len && ((unsigned char)text.ptr[len] & 0xC0) == 0x80)
        len--;
    return slice_of(text.ptr, len);
}

struct changes {
    struct buf data;
    size_t count;
};

static void
change_add(struct changes *changes, const char *word, struct slice previous, struct slice current)
{
    buf_add_format(&changes->data, "%s\"%s\":{\"previous\":", changes->count++ == 0 ? "" : ",", word);
    if (previous.ptr == NULL)
        buf_add_text(&changes->data, "null");
    else
        json_add_string(&changes->data, previous);
    buf_add_text(&changes->data, ",\"current\":");
    json_add_string(&changes->data, current);
    buf_add_byte(&changes->data, '}');
}

/* {"source", "changes": {"quality_rating": {"previous", "current"}}, ...}. */
static enum err
changes_tell(struct db_tx *tx, const struct clock *clock, struct id channel, enum event_type type,
             const struct channel_number_news *news, const struct channel_number *before, bool is_first)
{
    struct changes changes = { .count = 0 };
    bool is_given = news->tells == type;

    buf_init(&changes.data, EVENT_BYTES_MAX);
    buf_add_format(&changes.data, "{\"source\":\"%s\",\"changes\":{", news->source);
    for (unsigned i = 0; i < CHANNEL_NUMBER_FACTS; i++) {
        struct slice now = fitted(news->number.facts[i], rows[i].bytes_max);
        if (rows[i].event == type && now.ptr != NULL && !slice_eq(now, before->facts[i]) &&
            (is_given || (!is_first && before->facts[i].ptr != NULL)))
            change_add(&changes, rows[i].word, before->facts[i], now);
    }
    buf_add_byte(&changes.data, '}');
    if (is_given)
        buf_add(&changes.data, news->extra);
    buf_add_byte(&changes.data, '}');
    if (changes.count > 0 || is_given)
        return event_tell(tx, clock, type, channel, channel, &changes.data);
    buf_release(&changes.data);
    return ERR_OK;
}

enum err
channel_number_store(struct db_tx *tx, const struct clock *clock, struct id channel,
                     const struct channel_number_news *news, struct arena *arena)
{
    static const enum event_type tellers[] = { EVENT_CHANNEL_QUALITY, EVENT_CHANNEL_NAME };
    const struct channel_number *number = &news->number;
    struct slice now[CHANNEL_NUMBER_FACTS];
    struct channel_number before;
    enum err err = channel_number_get(tx, channel, arena, &before);
    bool is_first = err == ERR_NOT_FOUND;

    if (err != ERR_OK && !is_first)
        return err;
    for (unsigned i = 0; i < CHANNEL_NUMBER_FACTS; i++)
        now[i] = fitted(number->facts[i], rows[i].bytes_max);
    err = db_exec_one(tx, &channel_number_store_stmt,
                      DB_ARGS(DB_ID(channel), DB_TEXT(now[0]), DB_TEXT(now[1]), DB_TEXT(now[2]),
                              DB_TEXT(now[3]), DB_TEXT(now[4]), DB_TEXT(now[5]), DB_TEXT(now[6]),
                              DB_TEXT(now[7]), DB_TEXT(now[8]), DB_TEXT(now[9]),
                              number->profile.ptr == NULL ? DB_NULL : DB_JSON(number->profile),
                              number->is_synced ? DB_TIME(number->synced_at) : DB_NULL));
    for (size_t i = 0; err == ERR_OK && i < COUNT_OF(tellers); i++)
        err = changes_tell(tx, clock, channel, tellers[i], news, &before, is_first);
    return err;
}
