#include "domain/message/message_testing.h"
#include "domain/message/message_lane.h"
#include <stdio.h>

struct id
message_testing_channel(struct id tenant)
{
    struct id channel = id_new(clock_system());
    char text[1024], tenant_text[ID_UUID_BYTES], channel_text[ID_UUID_BYTES];

    id_uuid_print(tenant, tenant_text);
    id_uuid_print(channel, channel_text);
    snprintf(
        text, sizeof(text),
        "set search_path = harkara; insert into channel (tenant_id, id, kind, name) values ('%s', '%s', 'whatsapp', 'c');"
        "insert into dispatch_lane (tenant_id, channel_id) values ('%s', '%s');"
        "insert into consent_state select '%s', decode(rpad(encode('+14155550123', 'hex'), 64, '0'), 'hex'),"
        " 'whatsapp', 'promotional', 'granted', now(), '%s' on conflict do nothing",
        tenant_text, channel_text, tenant_text, channel_text, tenant_text, channel_text);
    test_cluster_sql(text);
    return channel;
}

struct message_sealed
message_testing_sealed(const char *peer)
{
    struct message_sealed sealed = { .peer = { .cipher = slice_text(peer), .key_version = 1 },
                                     .content = { .cipher = SLICE("sealed content"), .key_version = 1 } };
    size_t len = strlen(peer);

    memcpy(sealed.peer_index, peer, len < VAULT_INDEX_BYTES ? len : VAULT_INDEX_BYTES);
    return sealed;
}

struct message_new
message_testing_new(struct id tenant, struct id channel, enum message_category category)
{
    return (struct message_new){ .id = id_new(clock_system()),
                                 .tenant = tenant,
                                 .channel = channel,
                                 .category = category,
                                 .kind = SLICE("text"),
                                 .sealed = message_testing_sealed("+14155550123") };
}

struct id
message_testing_accept(struct db *db, const struct message_new *message)
{
    struct arena *arena = arena_new(1u << 20);
    struct message_new copy = *message;
    struct message_accepted accepted;

    assert_non_null(arena);
    assert_ok(message_accept_batch(db, clock_system(), &copy, &accepted, 1, arena));
    assert_ok(accepted.err);
    arena_free(arena);
    return accepted.id;
}

void
message_testing_assert_status(struct id message, const char *status)
{
    char id[ID_UUID_BYTES];

    id_uuid_print(message, id);
    assert_int_equal(
        message_testing_count("select count(*) from harkara.message where id = '%s' and status = '%s'", id,
                              status),
        1);
}

int64_t
message_testing_count(const char *format, ...)
{
    char text[1024];
    va_list values;

    va_start(values, format);
    vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    return test_cluster_number(text);
}

void
message_testing_crowd(struct id message, unsigned count)
{
    char id[ID_UUID_BYTES], sql[1024];

    id_uuid_print(message, id);
    snprintf(
        sql, sizeof(sql),
        "do $$ declare c text; begin select string_agg(quote_ident(attname), ',') into c from pg_attribute"
        " where attrelid = 'harkara.message'::regclass and attnum > 0 and not attisdropped and attgenerated = ''"
        " and attname <> 'id'; execute format('insert into harkara.message (id, %%s) select (substr(id::text, 1, 24)"
        " || lpad(to_hex(n), 12, ''0''))::uuid, %%s from harkara.message, generate_series(1, %u) n where id = %%L',"
        " c, c, '%s'); end $$",
        count, id);
    test_cluster_sql(sql);
}

static const struct db_stmt rows_read_stmt = {
    "test_rows_read",
    "SELECT sum(seq_tup_read + idx_tup_fetch)::bigint FROM pg_stat_xact_all_tables WHERE relname LIKE $2"
};

int64_t
message_testing_rows_read(struct db_tx *tx, const char *tables)
{
    struct db_rows *rows;

    assert_ok(db_query(tx, &rows_read_stmt, DB_ARGS(DB_TEXT_Z(tables)), &rows));
    int64_t count = db_i64(rows, 0, 0);
    db_rows_free(rows);
    return count;
}

size_t
message_testing_look(struct db *db, struct id dispatcher, struct id channel, struct arena *arena,
                     struct message_claim **out)
{
    struct message_wanted wanted[4];
    struct message_lanes lanes;
    struct message_found *found;
    size_t found_count = 0, count = 0;

    assert_ok(message_lanes_keep(db, "whatsapp", dispatcher, 60000, arena, &lanes));
    for (size_t i = 0; i < COUNT_OF(wanted); i++)
        wanted[i] = (struct message_wanted){ channel, (enum message_category)i };
    assert_ok(message_look(db, wanted, COUNT_OF(wanted), 100, arena, &found, &found_count));
    *out = arena_array(arena, found_count, sizeof(**out));
    assert_non_null(*out);
    for (size_t i = 0; i < found_count; i++)
        if (found[i].due_in_us <= 0)
            (*out)[count++] = found[i].claim;
    return count;
}
