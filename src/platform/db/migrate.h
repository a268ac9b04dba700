/*
 * Brings a database to this program's schema: the files of sql/, embedded at build time, each once and in
 * order, each in its own transaction, recorded in harkara_meta.migration. Forward only. Whoever runs them is
 * an administrator: a superuser, or the owner of the database with CREATEROLE.
 */
#ifndef PLATFORM_DB_MIGRATE_H
#define PLATFORM_DB_MIGRATE_H
#include "core/err.h"
#include "core/secret.h"
#include "platform/db/problem.h"

/*
 * Applies what is missing, and lets the event log go on after a restore into another cluster
 * (event_clock_check in sql/); *applied_out says how many were applied. Several processes may do this at
 * once: an advisory lock lets one work and the others wait. ERR_CONFIG: the database holds a migration that
 * this program does not know or knows otherwise, or the server is older than PostgreSQL 15; nothing was
 * changed. ERR_DB_UNAVAILABLE: no connection. ERR_DB_STATEMENT: a migration failed and was rolled back; those
 * before it stand.
 */
MUST_CHECK enum err migrate_run(const char *conninfo, size_t *applied_out, struct db_problem *problem);

/* A login role and the password that it shall have. */
struct migrate_login {
    const char *role; /* a literal, such as "harkara_gateway" */
    const struct secret *password;
};
/*
 * Sets the passwords in one transaction, as SCRAM verifiers that are computed here: neither the connection
 * nor the server's log ever holds a password. Errors as above.
 */
MUST_CHECK enum err migrate_set_passwords(const char *conninfo, const struct migrate_login *logins,
                                          size_t count, struct db_problem *problem);

#endif
