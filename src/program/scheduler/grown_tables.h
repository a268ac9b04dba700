/*
 * Tables that have grown to twice what the planner knows of them are looked at (ANALYZE), so that plans which
 * were made while they were short are made anew: sql/0085_grown_tables.sql says what they cost otherwise.
 * Autovacuum does the same, later. Several schedulers may be at it.
 */
#ifndef PROGRAM_SCHEDULER_GROWN_TABLES_H
#define PROGRAM_SCHEDULER_GROWN_TABLES_H
#include "platform/db/db.h"

#define GROWN_TABLES_MS 1000 /* between turns */
#define GROWN_TABLES_MAX                                                                                     \
    8 /* of a turn: each takes a sample of its rows, a tenth of a second for a long one */

/* *analyzed_out is how many were looked at, also with an error: those before it. */
MUST_CHECK enum err grown_tables_analyze(struct db *db, size_t *analyzed_out);

#endif
