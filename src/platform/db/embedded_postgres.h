/*
 * A private PostgreSQL cluster, run as a child of the supervisor. Nobody else reaches it: no TCP, one unix
 * socket, SCRAM for everybody, and only the database `harkara`. Below the state folder:
 *
 *     postgres-password      of the superuser `postgres`: mode 0400, ours
 *     postgres/harkara.conf  written at every start; postgres/local.conf, if there, is read after it
 *     postgres/hba.conf      likewise
 *     postgres/data/         owned by the user that PostgreSQL runs as; made whole by initdb or not there
 *     postgres/server.log    only server messages: no statements, no values
 *     postgres/lock          held by every server process, so that a new server waits for the last of an old
 * one postgres/owner.lock    held by us: one supervisor per state folder
 *
 * As root, PostgreSQL runs as another user, and our roles, each with a user of its own, must reach its
 * socket: the socket folder is then 0711 and the socket 0777, and what keeps others out are the passwords
 * (256 random bits). Otherwise all are one user: folder and socket are 0700.
 *
 * PostgreSQL gets SIGINT (fast shutdown) from the kernel when the thread that started it ends; so start it
 * from the main thread. A server that outlived its supervisor all the same is found and stopped before the
 * next start.
 */
#ifndef PLATFORM_DB_EMBEDDED_POSTGRES_H
#define PLATFORM_DB_EMBEDDED_POSTGRES_H
#include "core/err.h"
#include "platform/db/problem.h"
#include <stdbool.h>
#include <sys/types.h>

#define EMBEDDED_POSTGRES_DATABASE  "harkara"
#define EMBEDDED_POSTGRES_SUPERUSER "postgres"
#define EMBEDDED_POSTGRES_PORT      5432 /* only names the socket: .s.PGSQL.5432 */

struct embedded_postgres_options {
    const char *bin_folder;    /* where initdb and postgres are */
    const char *state_folder;  /* absolute; there already, and passable (x) for the user below */
    const char *socket_folder; /* absolute, made when missing; with the socket's name at most 107 octets */
    const char *user;          /* as root: the user to run as, never root itself. Else NULL. */
    int connections_max;       /* of all roles together */
    bool is_disposable; /* for tests: nothing is forced to disk, so a crash of the machine destroys it */
};

struct embedded_postgres; /* owned: embedded_postgres_stop */

/*
 * Makes the cluster when there is none, ends what runs on it, starts it, waits until it serves, and makes the
 * database. Blocks: about a second the first time, tens of milliseconds later, longer to recover after a
 * crash. ERR_CONFIG, ERR_BUSY (another supervisor has this state folder), ERR_TIMEOUT, ERR_SYSTEM,
 * ERR_DB_UNAVAILABLE; the problem says why.
 */
MUST_CHECK enum err embedded_postgres_start(const struct embedded_postgres_options *options,
                                            struct embedded_postgres **out, struct db_problem *problem);
/* After the server ended by itself: the same, again. */
MUST_CHECK enum err embedded_postgres_restart(struct embedded_postgres *postgres, struct db_problem *problem);
/* The child to watch, or -1 when it ended. Whoever reaps it says so. */
pid_t embedded_postgres_pid(const struct embedded_postgres *postgres);
void embedded_postgres_reaped(struct embedded_postgres *postgres);
/* The superuser's connection string, with password: for migrations only. Borrowed. */
const char *embedded_postgres_conninfo(const struct embedded_postgres *postgres);
/*
 * Fast shutdown (open transactions are rolled back); after limit_ms an immediate one, then SIGKILL. Returns
 * when the server is gone. Accepts NULL. ERR_TIMEOUT: it had to be forced; nothing committed is lost by that.
 */
MUST_CHECK enum err embedded_postgres_stop(struct embedded_postgres *postgres, int limit_ms);

#endif
