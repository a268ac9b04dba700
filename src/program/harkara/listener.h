/* The sockets that roles are handed already listening: so no role may bind anything itself. */
#ifndef PROGRAM_HARKARA_LISTENER_H
#define PROGRAM_HARKARA_LISTENER_H
#include "core/err.h"
#include "program/harkara/complaint.h"
#include <sys/stat.h>

/*
 * "127.0.0.1:8080", "[::1]:8080" (loopback only: the network's side is nginx's), or "unix:/absolute/path"
 * with mode 0660, for a folder whose group is nginx's. Non-blocking, close-on-exec. What is in use is waited
 * for a few seconds: it may be held by processes of a server that was killed just now. ERR_CONFIG: not such
 * an address; ERR_BUSY: in use; ERR_SYSTEM.
 */
MUST_CHECK enum err listener_open(const char *address, int *fd_out, struct complaint *complaint);
/* Likewise, by TCP alone, and of any address: links of SMPP have no proxy in front of them that knows
 * addresses. */
MUST_CHECK enum err listener_open_smpp(const char *address, int *fd_out, struct complaint *complaint);
/* A unix socket of this mode; likewise. One that is there and answered by nobody is replaced. */
MUST_CHECK enum err listener_open_unix(const char *path, mode_t mode, int *fd_out,
                                       struct complaint *complaint);
/* Closes it and removes the name of a unix socket. Does nothing with -1. */
void listener_close(const char *address, int fd);

#endif
