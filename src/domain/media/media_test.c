/* Media in the tables, with a real vault: what is written is read, and nothing else opens. */
#include "core/buf.h"
#include "domain/media/media.h"
#include "domain/tenant/tenant_key.h"
#include "program/vault/vault_pair_testing.h"
#include <stdio.h>
#include <stdlib.h>

#define STORAGE_MAX (UINT64_C(64) << 20)

static struct vault_client *client;
static struct db *db;
static struct vault vault;
static struct arena *arena;

static int
setup(void **state)
{
    int failed = vault_pair_open(state);

    client = vault_testing_client(VAULT_ROLE_GATEWAY, 5000);
    return failed;
}

static int
teardown(void **state)
{
    vault_client_free(client);
    return vault_pair_close(state);
}

static int
test_open(void **state UNUSED)
{
    test_cluster_sql("delete from harkara.media");
    db = test_cluster_open("harkara_gateway");
    vault = tenant_vault(client, db);
    arena = arena_new(MEDIA_CHUNK_ARENA_BYTES);
    return arena == NULL;
}

static int
test_close(void **state UNUSED)
{
    db_close(db);
    arena_free(arena);
    return 0;
}

/* A file whose every byte follows from its place, so that a chunk out of its place is seen. */
static unsigned char *
file_make(size_t bytes)
{
    unsigned char *file = malloc(bytes + 1);

    assert_non_null(file);
    for (size_t i = 0; i < bytes; i++)
        file[i] = (unsigned char)(i * 31 + (i >> 8) * 7 + (i >> 16));
    if (bytes >= 20)
        memcpy(file, "canary in plain text", 20);
    return file;
}

static enum err
begin_as(struct id tenant, struct id id, uint64_t bytes, uint64_t storage_max)
{
    struct db_tx tx;

    assert_ok(db_begin(db, tenant, &tx));
    enum err err = media_begin(&tx, clock_system(),
                               &(struct media_new){ .id = id,
                                                    .direction = MEDIA_OUT,
                                                    .mime_type = SLICE("application/pdf"),
                                                    .bytes = bytes,
                                                    .storage_max = storage_max,
                                                    .days = 30 });
    if (err == ERR_OK)
        err = db_commit(&tx);
    db_rollback(&tx);
    return err;
}

static enum err
writer_open(struct id id, struct media_writer **out)
{
    return media_writer_new(&(struct media_writer_config){ .db = db,
                                                           .vault = &vault,
                                                           .clock = clock_system(),
                                                           .tenant = acme,
                                                           .media = id,
                                                           .bytes_max = 4u << 20 },
                            out);
}

static enum err
finish(struct id id, const struct media_written *written)
{
    struct db_tx tx;

    assert_ok(db_begin(db, acme, &tx));
    enum err err = media_finish(&tx, id, written);
    if (err == ERR_OK)
        err = db_commit(&tx);
    db_rollback(&tx);
    return err;
}

/* All that an upload does, in pieces of `piece` bytes. */
static enum err
store(struct id id, const unsigned char *file, size_t bytes, size_t piece)
{
    struct media_writer *writer = NULL;
    struct media_written written;
    enum err err = begin_as(acme, id, bytes, STORAGE_MAX);

    if (err == ERR_OK)
        err = writer_open(id, &writer);
    for (size_t at = 0; err == ERR_OK && at < bytes; at += piece)
        err = media_writer_put(writer, slice_of(file + at, bytes - at < piece ? bytes - at : piece));
    if (err == ERR_OK)
        err = media_writer_end(writer, &written);
    if (err == ERR_OK)
        err = finish(id, &written);
    media_writer_free(writer);
    return err;
}

static enum err
get_as(struct id tenant, struct id id, struct media *out)
{
    struct db_tx tx;

    assert_ok(db_begin(db, tenant, &tx));
    enum err err = media_get(&tx, id, arena, out);
    db_rollback(&tx);
    return err;
}

/* Reads all of it, as a download does; compares. */
static enum err
read_back(struct id id, const unsigned char *file)
{
    struct media media;
    struct slice plain;
    enum err err = get_as(acme, id, &media);

    for (uint32_t i = 0; err == ERR_OK && i < media.chunk_count; i++) {
        arena_reset(arena);
        err = media_chunk_open(db, &vault, acme, &media, i, arena, &plain);
        if (err == ERR_OK)
            assert_memory_equal(plain.ptr, file + (size_t)i * MEDIA_CHUNK_BYTES, plain.len);
    }
    arena_reset(arena);
    return err;
}

/* Each '%s' of the statements is the media's id. */
static void
sql_of(const char *statements, struct id id)
{
    struct slice rest = slice_text(statements);
    char uuid[ID_UUID_BYTES];
    struct buf sql;

    buf_init(&sql, 4096);
    while (rest.len != 0) {
        struct slice part = slice_take_until(&rest, '%');
        buf_add(&sql, part);
        if (rest.len != 0)
            buf_add(&sql, id_uuid_print(id, uuid));
        rest = slice_drop(rest, 1);
    }
    buf_add_byte(&sql, '\0');
    assert_ok(buf_done(&sql));
    test_cluster_sql(sql.ptr);
    buf_release(&sql);
}

static void
what_is_written_in_any_pieces_is_read(void **state UNUSED)
{
    static const size_t sizes[] = { 1,
                                    20,
                                    MEDIA_CHUNK_BYTES - 1,
                                    MEDIA_CHUNK_BYTES,
                                    MEDIA_CHUNK_BYTES + 1,
                                    3 * MEDIA_CHUNK_BYTES,
                                    3 * MEDIA_CHUNK_BYTES + 17 };
    static const size_t pieces[] = { 977, MEDIA_CHUNK_BYTES, 4u << 20 };
    struct media media;
    unsigned char sha256[HASH_BYTES];

    for (size_t s = 0; s < COUNT_OF(sizes); s++)
        for (size_t p = 0; p < COUNT_OF(pieces); p++) {
            unsigned char *file = file_make(sizes[s]);
            struct id id = id_new(clock_system());
            assert_ok(store(id, file, sizes[s], pieces[p]));
            assert_ok(get_as(acme, id, &media));
            assert_int_equal(media.state, MEDIA_READY);
            assert_int_equal(media.bytes, sizes[s]);
            assert_int_equal(media.chunk_count, (sizes[s] + MEDIA_CHUNK_BYTES - 1) / MEDIA_CHUNK_BYTES);
            assert_ok(hash_sha256(slice_of(file, sizes[s]), sha256));
            assert_true(media.has_sha256);
            assert_memory_equal(media.sha256, sha256, HASH_BYTES);
            assert_ok(read_back(id, file));
            free(file);
        }
    assert_int_equal(test_cluster_number("select count(*) from harkara.media_chunk where position("
                                         "convert_to('canary', 'UTF8') in body_ct) > 0"),
                     0);
}

/* Each thing that somebody with the database could do to a file of three chunks. */
static void
a_chunk_opens_in_its_place_only(void **state UNUSED)
{
    static const char *const tampering[] = {
        /* swapped */
        "update harkara.media_chunk set number = 9 where number = 0 and media_id = '%s';"
        "update harkara.media_chunk set number = 0 where number = 1 and media_id = '%s';"
        "update harkara.media_chunk set number = 1 where number = 9 and media_id = '%s'",
        /* shortened by the last, with facts to match */
        "delete from harkara.media_chunk where number = 2 and media_id = '%s';"
        "update harkara.media set chunk_count = 2, bytes = 524288 where id = '%s'",
        /* the last moved up */
        "delete from harkara.media_chunk where number = 1 and media_id = '%s';"
        "update harkara.media_chunk set number = 1 where number = 2 and media_id = '%s';"
        "update harkara.media set chunk_count = 2, bytes = bytes - 262144 where id = '%s'",
        /* lengthened by a copy of the last */
        "insert into harkara.media_chunk select tenant_id, media_id, 3, key_version, body_ct, body_iv, body_tag"
        " from harkara.media_chunk where number = 2 and media_id = '%s';"
        "update harkara.media set chunk_count = 4, bytes = bytes + 262144 where id = '%s'",
        /* another length */
        "update harkara.media set bytes = bytes - 1 where id = '%s'",
        /* flipped */
        "update harkara.media_chunk set body_ct = set_byte(body_ct, 5, 255 - get_byte(body_ct, 5))"
        " where number = 1 and media_id = '%s'",
    };
    unsigned char *file = file_make(2 * MEDIA_CHUNK_BYTES + 5);

    for (size_t i = 0; i < COUNT_OF(tampering); i++) {
        struct id id = id_new(clock_system());
        assert_ok(store(id, file, 2 * MEDIA_CHUNK_BYTES + 5, 100000));
        assert_ok(read_back(id, file));
        sql_of(tampering[i], id);
        if (read_back(id, file) != ERR_SEAL_CORRUPT)
            fail_msg("row %zu opened", i);
    }
    free(file);
}

/* The same number and the same bytes, of another file. */
static void
a_chunk_of_another_file_does_not_open(void **state UNUSED)
{
    unsigned char *file = file_make(100);
    struct id one = id_new(clock_system()), other = id_new(clock_system());
    char sql[1024], a[ID_UUID_BYTES], b[ID_UUID_BYTES];

    assert_ok(store(one, file, 100, 100));
    assert_ok(store(other, file, 100, 100));
    id_uuid_print(one, a);
    id_uuid_print(other, b);
    snprintf(
        sql, sizeof(sql),
        "update harkara.media_chunk t set body_ct = s.body_ct, body_iv = s.body_iv, body_tag = s.body_tag"
        " from harkara.media_chunk s where t.media_id = '%s' and s.media_id = '%s'",
        a, b);
    test_cluster_sql(sql);
    assert_int_equal(read_back(one, file), ERR_SEAL_CORRUPT);
    assert_ok(read_back(other, file));
    free(file);
}

static void
a_writer_that_was_overtaken_writes_nothing_more(void **state UNUSED)
{
    unsigned char *file = file_make(2 * MEDIA_CHUNK_BYTES);
    struct media_writer *first = NULL, *second = NULL;
    struct media_written written;
    struct id id = id_new(clock_system());

    assert_ok(begin_as(acme, id, 1u << 20, STORAGE_MAX));
    assert_ok(writer_open(id, &first));
    assert_ok(media_writer_put(first, slice_of(file, MEDIA_CHUNK_BYTES + 1)));
    assert_ok(writer_open(id, &second)); /* removes the first one's chunk */
    assert_int_equal(test_cluster_number("select count(*) from harkara.media_chunk"), 0);
    assert_ok(media_writer_put(second, slice_of(file, 10)));
    assert_int_equal(media_writer_end(first, &written), ERR_STATE_CONFLICT);
    assert_ok(media_writer_end(second, &written));
    assert_ok(finish(id, &written));
    assert_int_equal(finish(id, &written), ERR_STATE_CONFLICT); /* once */
    assert_int_equal(writer_open(id, &(struct media_writer *){ NULL }), ERR_STATE_CONFLICT);
    assert_ok(read_back(id, file));
    media_writer_free(first);
    media_writer_free(second);
    free(file);
}

static void
room_is_reserved_before_the_first_byte(void **state UNUSED)
{
    struct id first = id_new(clock_system()), second = id_new(clock_system());
    struct media media;
    struct db_tx tx;

    assert_ok(begin_as(acme, first, 600, 1000));
    assert_int_equal(begin_as(acme, second, 401, 1000), ERR_MEDIA_STORAGE);
    assert_ok(begin_as(bolt, id_new(clock_system()), 1000, 1000)); /* its own room */
    assert_ok(begin_as(acme, second, 400, 1000));
    assert_int_equal(begin_as(acme, id_new(clock_system()), 1, 1000), ERR_MEDIA_STORAGE);
    assert_ok(db_begin(db, acme, &tx));
    assert_int_equal(media_reserve(&tx, first, 601, 1000), ERR_MEDIA_STORAGE);
    assert_ok(media_reserve(&tx, first, 599, 1000));
    assert_ok(media_abandon(&tx, second));
    assert_ok(db_commit(&tx));
    assert_int_equal(get_as(acme, second, &media), ERR_NOT_FOUND);
    assert_ok(begin_as(acme, id_new(clock_system()), 401, 1000));
}

static void
what_is_deleted_or_abandoned_leaves_no_bytes(void **state UNUSED)
{
    unsigned char *file = file_make(MEDIA_CHUNK_BYTES + 1);
    struct media_writer *writer = NULL;
    struct id stored = id_new(clock_system()), cut = id_new(clock_system());
    struct media media;
    struct db_tx tx;

    assert_ok(store(stored, file, MEDIA_CHUNK_BYTES + 1, 65536));
    assert_ok(begin_as(acme, cut, 1u << 20, STORAGE_MAX));
    assert_ok(writer_open(cut, &writer));
    assert_ok(media_writer_put(writer, slice_of(file, MEDIA_CHUNK_BYTES + 1)));
    assert_ok(db_begin(db, acme, &tx));
    assert_ok(media_abandon(&tx, cut));
    assert_ok(media_abandon(&tx, stored)); /* is not on its way any more: stays */
    assert_ok(db_commit(&tx));
    assert_int_equal(media_writer_end(writer, &(struct media_written){ 0 }), ERR_STATE_CONFLICT);
    assert_ok(read_back(stored, file));
    assert_ok(db_begin(db, bolt, &tx));
    assert_int_equal(media_delete(&tx, stored), ERR_NOT_FOUND);
    db_rollback(&tx);
    assert_ok(db_begin(db, acme, &tx));
    assert_ok(media_delete(&tx, stored));
    assert_int_equal(media_delete(&tx, stored), ERR_NOT_FOUND);
    assert_ok(db_commit(&tx));
    assert_int_equal(get_as(acme, stored, &media), ERR_NOT_FOUND);
    assert_int_equal(test_cluster_number("select count(*) from harkara.media_chunk"), 0);
    media_writer_free(writer);
    free(file);
}

static void
more_than_the_limit_or_nothing_is_refused(void **state UNUSED)
{
    static const unsigned char byte = 1;
    unsigned char *file = file_make(4u << 20);
    struct media_writer *writer = NULL;
    struct id id = id_new(clock_system());

    assert_ok(begin_as(acme, id, 1u << 20, STORAGE_MAX));
    assert_ok(writer_open(id, &writer));
    assert_int_equal(media_writer_end(writer, &(struct media_written){ 0 }), ERR_MEDIA_EMPTY);
    assert_ok(media_writer_put(writer, slice_of(file, 4u << 20)));
    assert_int_equal(media_writer_put(writer, slice_of(&byte, 1)), ERR_MEDIA_SIZE);
    media_writer_free(writer);
    free(file);
}

/* The vault's link breaks at each request in turn: what was begun can be abandoned or done again, never half
 * there. */
static void
a_vault_that_goes_away_leaves_nothing_ready(void **state UNUSED)
{
    unsigned char *file = file_make(2 * MEDIA_CHUNK_BYTES + 5);
    struct vault_client *brief = vault_testing_client(VAULT_ROLE_GATEWAY, 50);
    struct id id = id_new(clock_system());
    struct media media;

    vault = tenant_vault(brief, db);
    vault_testing_cut();
    assert_int_equal(store(id, file, 2 * MEDIA_CHUNK_BYTES + 5, 65536), ERR_VAULT_UNAVAILABLE);
    assert_ok(get_as(acme, id, &media));
    assert_int_equal(media.state, MEDIA_STORING);
    vault_client_relink(client, vault_testing_link(VAULT_ROLE_GATEWAY));
    vault = tenant_vault(client, db); /* whose patience is enough under sanitizers too */
    assert_ok(store(id_new(clock_system()), file, 2 * MEDIA_CHUNK_BYTES + 5, 65536));
    assert_int_equal(test_cluster_number("select count(*) from harkara.media where state = 'ready'"), 1);
    vault_client_free(brief);
    free(file);
}

/* Only what is ready and not over can be kept, by its own tenant; never for less than it had. */
static void
what_a_task_wants_is_kept(void **state UNUSED)
{
    unsigned char *file = file_make(1000);
    struct id stored = id_new(clock_system()), half = id_new(clock_system());
    struct wall_time now = clock_wall(clock_system()), soon = wall_after_ms(now, 60000),
                     late = wall_after_ms(now, INT64_C(90) * 86400000);
    struct media media;
    struct db_tx tx;

    assert_ok(store(stored, file, 1000, 1000));
    assert_ok(begin_as(acme, half, 1000, STORAGE_MAX));
    assert_ok(db_begin(db, acme, &tx));
    assert_ok(media_get(&tx, stored, arena, &media));
    struct wall_time before = media.expires_at;
    assert_ok(media_keep(&tx, clock_system(), stored, soon, arena, &media));
    assert_int_equal(media.expires_at.us, before.us);
    assert_int_equal(media.bytes, 1000);
    assert_ok(media_keep(&tx, clock_system(), stored, late, arena, &media));
    assert_int_equal(media.expires_at.us, late.us);
    assert_int_equal(media_keep(&tx, clock_system(), half, late, arena, &media), ERR_NOT_FOUND);
    assert_ok(db_commit(&tx));
    test_cluster_sql("update media set expires_at = now()");
    assert_ok(db_begin(db, acme, &tx));
    assert_int_equal(media_keep(&tx, clock_system(), stored, late, arena, &media), ERR_NOT_FOUND);
    db_rollback(&tx);
    test_cluster_sql("update media set expires_at = now() + interval '1 hour'");
    assert_ok(db_begin(db, bolt, &tx));
    assert_int_equal(media_keep(&tx, clock_system(), stored, late, arena, &media), ERR_NOT_FOUND);
    db_rollback(&tx);
    free(file);
}

#define MEDIA_TEST(name) cmocka_unit_test_setup_teardown(name, test_open, test_close)

int
main(void)
{
    const struct CMUnitTest tests[] = { MEDIA_TEST(what_is_written_in_any_pieces_is_read),
                                        MEDIA_TEST(a_chunk_opens_in_its_place_only),
                                        MEDIA_TEST(a_chunk_of_another_file_does_not_open),
                                        MEDIA_TEST(a_writer_that_was_overtaken_writes_nothing_more),
                                        MEDIA_TEST(room_is_reserved_before_the_first_byte),
                                        MEDIA_TEST(what_is_deleted_or_abandoned_leaves_no_bytes),
                                        MEDIA_TEST(what_a_task_wants_is_kept),
                                        MEDIA_TEST(more_than_the_limit_or_nothing_is_refused),
                                        MEDIA_TEST(a_vault_that_goes_away_leaves_nothing_ready) };

    return cmocka_run_group_tests(tests, setup, teardown);
}
