/* The embedded migrations, and the runner for lists that tests make up. */
#ifndef PLATFORM_DB_MIGRATE_INTERNAL_H
#define PLATFORM_DB_MIGRATE_INTERNAL_H
#include "platform/db/migrate.h"
#include <stddef.h>

struct migration {
    int version;
    const char *name;   /* the file's, without ".sql" */
    const char *sha256; /* of the file, in hex */
    const char *sql;
};

extern const struct migration migrations[];
extern const size_t migration_count;

MUST_CHECK enum err migrate_run_list(const char *conninfo, const struct migration *list, size_t count,
                                     size_t *applied_out, struct db_problem *problem);

#endif
