/*
 * The master key (MASTER_KEK): 256 bits that everything sealed hangs on. It comes from the environment or
 * from a file that only its owner reads; it lives in a secret from the first moment, and is handed to nobody
 * but the vault.
 */
#ifndef PROGRAM_HARKARA_KEK_H
#define PROGRAM_HARKARA_KEK_H
#include "core/err.h"
#include "core/secret.h"
#include "core/slice.h"
#include "program/harkara/complaint.h"

#define KEK_BYTES 32u

/*
 * 64 hex digits, with or without one line end, or 32 raw octets. ERR_CONFIG: neither, or all octets are the
 * same (a placeholder, not a key). ERR_NO_MEMORY. *out is owned.
 */
MUST_CHECK enum err kek_parse(struct slice text, struct secret **out);
/*
 * Takes MASTER_KEK out of an environment block: its text is wiped where it lies (so /proc/PID/environ does
 * not show it either) and the variable is gone. *out is NULL when there is none. ERR_CONFIG as kek_parse: it
 * is gone too.
 */
MUST_CHECK enum err kek_take(char **environment, struct secret **out, struct complaint *complaint);
/* ERR_CONFIG: not there, not a plain file, readable by others, not ours or root's, or no key. ERR_SYSTEM. */
MUST_CHECK enum err kek_file_read(const char *path, struct secret **out, struct complaint *complaint);
/* One line of 1 to `max` octets, from a file of the same kind: a token's PIN. Errors as kek_file_read. */
MUST_CHECK enum err kek_pin_read(const char *path, size_t max, struct secret **out,
                                 struct complaint *complaint);
/* Draws a key and writes it: mode 0400, whole or not there, on disk before it returns. ERR_EXISTS,
 * ERR_SYSTEM. */
MUST_CHECK enum err kek_file_make(const char *path, struct secret **out, struct complaint *complaint);

#endif
