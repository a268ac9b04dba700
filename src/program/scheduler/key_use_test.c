#include "platform/db/test_cluster.h"
#include "program/scheduler/key_use.h"
#include "program/vault/vault_testing.h"
#include <stdio.h>

static int64_t
figure(const char *what, struct id tenant, int purpose)
{
    char sql[256], uuid[ID_UUID_BYTES];

    id_uuid_print(tenant, uuid);
    snprintf(sql, sizeof(sql), "select %s from harkara.tenant_key where tenant_id = '%s' and purpose = %d",
             what, uuid, purpose);
    return test_cluster_number(sql);
}

static void
a_batch_counts_once_however_often_it_comes(void **state UNUSED)
{
    struct db *db = test_cluster_open("harkara_scheduler");
    vault_testing_start();
    struct id acme = vault_testing_tenant("acme"), bolt = vault_testing_tenant("bolt");
    struct vault_uses uses = { .instance = acme,
                               .batch = 1,
                               .uses = { { acme, VAULT_CONTENT, 1, 5, 7 },
                                         { bolt, VAULT_CREDENTIAL, 1, 1, 0 },
                                         { bolt, VAULT_CONTENT, 9, 4, 4 } /* no such version any more */ },
                               .count = 3 };

    assert_ok(key_use_store(db, &uses));
    assert_ok(key_use_store(db, &uses));
    assert_int_equal(figure("seals", acme, 1), 5);
    assert_int_equal(figure("opens", acme, 1), 7);
    assert_int_equal(figure("seals", bolt, 2), 1);
    assert_int_equal(figure("seals", bolt, 1), 0);
    uses.batch = 2;
    uses.count = 1;
    assert_ok(key_use_store(db, &uses));
    uses.batch = 1; /* late */
    assert_ok(key_use_store(db, &uses));
    assert_int_equal(figure("seals", acme, 1), 10);
    uses.instance = bolt; /* another life of the vault counts from 1 again */
    assert_ok(key_use_store(db, &uses));
    assert_int_equal(figure("seals", acme, 1), 15);
    assert_int_equal(test_cluster_number("select count(*) from harkara.vault_use_batch"), 2);
    vault_testing_stop();
    db_close(db);
}

CLUSTER_MAIN(cmocka_unit_test(a_batch_counts_once_however_often_it_comes))
