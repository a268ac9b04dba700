/* Why the database could not be started or migrated, for the operator's terminal. Never holds a secret or a
 * row. */
#ifndef PLATFORM_DB_PROBLEM_H
#define PLATFORM_DB_PROBLEM_H
#include "core/attribute.h"
#include <stddef.h>

struct db_problem {
    char detail[320]; /* one line; empty: none */
};

/* Cuts what does not fit, and turns control characters into spaces. */
void db_problem_set(struct db_problem *problem, const char *format, ...) FORMAT_LIKE(2, 3);

#endif
