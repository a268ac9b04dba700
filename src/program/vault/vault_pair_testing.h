/*
 * For tests of any room: two tenants with keys, who stay, on a test cluster and a real vault.
 *
 *     return cmocka_run_group_tests(tests, vault_pair_open, vault_pair_close);
 */
#ifndef PROGRAM_VAULT_VAULT_PAIR_TESTING_H
#define PROGRAM_VAULT_VAULT_PAIR_TESTING_H
#include "platform/db/test_cluster.h"
#include "program/vault/vault_testing.h"

extern struct id acme, bolt;

/* Group fixtures of cmocka. */
int vault_pair_open(void **state);
int vault_pair_close(void **state);

#endif
