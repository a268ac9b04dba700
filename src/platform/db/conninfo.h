/*
 * libpq connection strings (PostgreSQL 15, section 34.1.1): URLs or keyword=value pairs. From the
 * administrator's string to that of a role of ours: the same server and database, another user and password.
 */
#ifndef PLATFORM_DB_CONNINFO_H
#define PLATFORM_DB_CONNINFO_H
#include "core/err.h"
#include "core/secret.h"
#include "core/slice.h"
#include "platform/db/problem.h"
#include <stdbool.h>

/*
 * As keyword='value' pairs ending in a NUL; owned. The administrator's own credentials (password, passfile,
 * client certificate) are left out. `password` empty: none. ERR_CONFIG: not a connection string, or it names
 * no database.
 */
MUST_CHECK enum err conninfo_for_user(const char *conninfo, const char *user, struct slice password,
                                      struct secret **out, struct db_problem *problem);
/* Two strings are needed for a server on a unix socket: its folder and the port that names the socket there.
 */
MUST_CHECK enum err conninfo_of_socket(const char *folder, int port, const char *database, const char *user,
                                       struct slice password, struct secret **out);
/*
 * The TCP ports that the string may connect to (several hosts may have several), without duplicates; unix
 * sockets have none. Returns how many there are; writes at most `max`. 0 as well when the string does not
 * parse.
 */
size_t conninfo_tcp_ports(const char *conninfo, uint16_t *ports_out, size_t max);
/*
 * The file of trusted authorities that the string names (sslrootcert), which every process that connects must
 * be able to read. false: it names none, does not parse, or the name does not fit.
 */
bool conninfo_ca_file(const char *conninfo, char *out, size_t bytes);

#endif
