/*
 * The supervisor's and the command line's way to the database: the embedded cluster or the one of
 * DATABASE_URL, brought to this program's schema, with a password of its own for every login (state folder,
 * passwords/LOGIN, mode 0400; with several hosts on one database, the same files on each).
 */
#ifndef PROGRAM_HARKARA_DATABASE_H
#define PROGRAM_HARKARA_DATABASE_H
#include "core/config.h"
#include "core/err.h"
#include "core/secret.h"
#include "platform/db/db.h"
#include "platform/os/role_settings.h"
#include "program/harkara/complaint.h"
#include "program/harkara/folders.h"
#include "wire/vault/vault_frame.h"
#include <sys/types.h>

struct database; /* owned: database_stop */

/* Starts or finds it, and migrates. ERR_CONFIG, ERR_BUSY, ERR_DB_*, ERR_SYSTEM; the complaint says why. */
MUST_CHECK enum err database_start(const struct config *config, const struct folders *folders,
                                   struct database **out, struct complaint *complaint);
/* The connection string of a login of the roster, and the TCP ports in it. Borrowed. */
struct slice database_conninfo(const struct database *database, const char *login);
/* The file that its certificate is checked against; empty: none. Borrowed. */
struct slice database_ca_file(const struct database *database);
size_t database_ports(const struct database *database, uint16_t ports[ROLE_DATABASE_PORTS_MAX]);

/* The embedded server's process, or 0: not embedded, or not running now. */
pid_t database_pid(const struct database *database);
void database_reaped(struct database *database);
bool database_is_embedded(const struct database *database);
MUST_CHECK enum err database_restart(struct database *database, struct complaint *complaint);
/* Accepts NULL. ERR_TIMEOUT: the server had to be forced; nothing committed is lost. */
MUST_CHECK enum err database_stop(struct database *database, int limit_ms);

/* All key-encryption keys in use, oldest first; at most VAULT_KEKS_MAX. */
MUST_CHECK enum err database_keks(const struct database *database, struct vault_kek *out, size_t *count_out,
                                  struct complaint *complaint);
/* With what it was made of: 0, or the version of a master secret. ERR_EXISTS: another host made one of this
 * version in the meantime. */
MUST_CHECK enum err database_kek_add(const struct database *database, const struct vault_kek *kek,
                                     uint32_t made_of);
/* A connection as harkara_admin, to be closed by the caller: for what is done now and then. ERR_DB_*. */
MUST_CHECK enum err database_connect_admin(const struct database *database, struct db **out);

/* For commands beside a running server: connects as harkara_admin with the password that lies in the state
 * folder. */
MUST_CHECK enum err database_open_admin(const struct config *config, const struct folders *folders,
                                        struct db **out, struct complaint *complaint);

#endif
