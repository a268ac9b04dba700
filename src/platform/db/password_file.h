/* A password that a program makes for itself once: 256 random bits as text, in a file that only its owner
 * reads. */
#ifndef PLATFORM_DB_PASSWORD_FILE_H
#define PLATFORM_DB_PASSWORD_FILE_H
#include "core/err.h"
#include "core/secret.h"

#define PASSWORD_TEXT_BYTES 43u /* 32 octets in base64url */

/* A fresh one, for passwords that live no longer than the process that hands them out. Owned. */
MUST_CHECK enum err password_make(struct secret **out);
/*
 * Reads the file, or makes it: mode 0400, written beside and renamed, so that it is whole or not there.
 * Owned. ERR_CONFIG: others may read it, or it does not hold a password; it is then left as it is.
 * ERR_SYSTEM.
 */
MUST_CHECK enum err password_file_read_or_make(const char *path, struct secret **out);

#endif
