/*
 * The test cluster as it is when it was just made and migrated, kept in the build folder, so that not every
 * test executable has to make one. meson.build names the folder in HARKARA_TEST_CLUSTER; without it every
 * executable makes its own.
 */
#ifndef PLATFORM_DB_TEST_CLUSTER_INTERNAL_H
#define PLATFORM_DB_TEST_CLUSTER_INTERNAL_H
#include "core/unit.h"

/* Says why, and aborts. */
NORETURN void test_cluster_stop_because(const char *what);

enum test_cluster_copy {
    TEST_CLUSTER_TAKEN,  /* it lies in the state folder */
    TEST_CLUSTER_WANTED, /* make one there, stop it and keep it; others who want one wait for that */
    TEST_CLUSTER_ALONE,  /* make one there; nothing is kept */
};

/* What is kept is taken if it is what this program would make today. */
MUST_CHECK enum test_cluster_copy test_cluster_take(const char *state_folder);
/* Keeps a stopped cluster that was wanted, instead of any older one. */
void test_cluster_keep(const char *state_folder);

#endif
