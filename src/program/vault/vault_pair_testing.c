#include "program/vault/vault_pair_testing.h"

struct id acme, bolt;

int
vault_pair_open(void **state)
{
    int failed = test_cluster_setup(state);

    if (failed != 0)
        return failed;
    vault_testing_start();
    acme = vault_testing_tenant("acme");
    bolt = vault_testing_tenant("bolt");
    return 0;
}

int
vault_pair_close(void **state)
{
    vault_testing_stop();
    return test_cluster_teardown(state);
}
