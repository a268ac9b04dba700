/*
 * How a command reaches the vault of a running server: run/control.sock, mode 0600. Whoever connects and is
 * root or the supervisor's own user is handed a link to the vault in the role of the command line (makes
 * tenants' keys, nothing else). The supervisor reads nothing from it, so there is nothing to parse; and
 * commands need no master key.
 */
#ifndef PROGRAM_HARKARA_CONTROL_H
#define PROGRAM_HARKARA_CONTROL_H
#include "core/err.h"
#include "program/harkara/complaint.h"

/* The supervisor's side: takes one waiting connection. ERR_NOTHING: none; ERR_SCOPE: not its user, closed. */
MUST_CHECK enum err control_accept(int listen_fd, int *fd_out);
/* Hands the link over and closes both. */
void control_answer(int connection, int link);
/* The command's side: *link_out is owned. ERR_VAULT_UNAVAILABLE, ERR_SCOPE. */
MUST_CHECK enum err control_ask(const char *path, int *link_out, struct complaint *complaint);

#endif
