/*
 * An upload with its 1st, 2nd, 3rd ... allocation failing, on the thread that does it: whatever fails, the
 * media is ready only when all of it is there, what was begun can be abandoned, and nothing leaks.
 */
#include "core/unit_fault.h"
#include "domain/media/media.h"
#include "domain/tenant/tenant_key.h"
#include "platform/db/failing_malloc_testing.h"
#include "platform/db/test_cluster.h"
#include "program/vault/vault_testing.h"

#define FILE_BYTES (MEDIA_CHUNK_BYTES + 5u)

static struct id acme;
static struct vault_client *client;

static int
setup(void **state)
{
    int failed = test_cluster_setup(state);

    vault_testing_start();
    client = vault_testing_client(VAULT_ROLE_GATEWAY, 5000);
    acme = vault_testing_tenant("acme");
    return failed;
}

static int
teardown(void **state)
{
    vault_client_free(client);
    vault_testing_stop();
    return test_cluster_teardown(state);
}

struct upload {
    struct id id;
    struct media_written written;
};

static enum err
begin_in(struct db_tx *tx, void *ctx)
{
    return media_begin(tx, clock_system(),
                       &(struct media_new){ .id = ((struct upload *)ctx)->id,
                                            .mime_type = SLICE("application/pdf"),
                                            .bytes = FILE_BYTES,
                                            .storage_max = 1u << 30,
                                            .days = 1 });
}

static enum err
finish_in(struct db_tx *tx, void *ctx)
{
    const struct upload *upload = ctx;

    return media_finish(tx, upload->id, &upload->written);
}

static enum err
abandon_in(struct db_tx *tx, void *ctx)
{
    return media_abandon(tx, ((struct upload *)ctx)->id);
}

static enum err
store(struct db *db, const struct vault *vault, struct upload *upload)
{
    static const unsigned char file[FILE_BYTES];
    struct media_writer *writer = NULL;
    enum err err = db_run(db, acme, begin_in, upload);

    if (err == ERR_OK)
        err = media_writer_new(&(struct media_writer_config){ .db = db,
                                                              .vault = vault,
                                                              .clock = clock_system(),
                                                              .tenant = acme,
                                                              .media = upload->id,
                                                              .bytes_max = FILE_BYTES },
                               &writer);
    if (err == ERR_OK)
        err = media_writer_put(writer, slice_of(file, sizeof(file)));
    if (err == ERR_OK)
        err = media_writer_end(writer, &upload->written);
    if (err == ERR_OK)
        err = db_run(db, acme, finish_in, upload);
    media_writer_free(writer);
    return err;
}

static void
an_upload_is_whole_or_can_be_abandoned(void **state UNUSED)
{
    struct db *db = test_cluster_open("harkara_gateway");
    struct vault vault = tenant_vault(client, db);
    size_t ready = 0;

    for (size_t n = 0;; n++) {
        struct upload upload = { .id = id_new(clock_system()) };
        assert_true(n < 1000);
        failing_malloc_arm(n);
        enum err err = store(db, &vault, &upload);
        bool has_failed = failing_malloc_disarm();
        if (!has_failed)
            assert_ok(err);
        ready += err == ERR_OK;
        assert_int_equal(test_cluster_number("select count(*) from harkara.media where state = 'ready'"),
                         ready);
        assert_ok(db_run(db, acme, abandon_in, &upload));
        assert_int_equal(test_cluster_number("select count(*) from harkara.media"), ready);
        assert_int_equal(test_cluster_number("select count(*) from harkara.media_chunk"), 2 * ready);
        if (!has_failed)
            break;
    }
    assert_true(ready >= 1);
    db_close(db);
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(an_upload_is_whole_or_can_be_abandoned) };

    return cmocka_run_group_tests(tests, setup, teardown);
}
