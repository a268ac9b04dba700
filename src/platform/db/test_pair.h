/*
 * For tests of the domain: two tenants, who stay, and for each test an arena and the connections of two
 * roles.
 *
 *     static int opened(void **state UNUSED) { test_pair_open("delete from event"); return 0; }
 *     #define TEST(name) cmocka_unit_test_setup_teardown(name, opened, test_pair_close)
 */
#ifndef PLATFORM_DB_TEST_PAIR_H
#define PLATFORM_DB_TEST_PAIR_H
#include "core/arena.h"
#include "platform/db/test_cluster.h"

extern struct id acme, bolt;
extern struct db *gateway, *dispatcher;
extern struct arena *arena;

/* After `sql`, which takes away what the tests before have left; NULL: nothing. */
void test_pair_open(const char *sql);
/* A teardown of cmocka's. */
int test_pair_close(void **state);

#endif
