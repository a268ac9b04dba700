/*
 * The first frame of the supervisor's link to a role: who it is, and how it reaches the database. One byte of
 * LINK_SETTINGS, two of index, two of database port, sixteen of instance, the rest is the connection string.
 */
#ifndef PLATFORM_OS_ROLE_SETTINGS_H
#define PLATFORM_OS_ROLE_SETTINGS_H
#include "core/buf.h"
#include "core/err.h"
#include "core/id.h"
#include "core/slice.h"

#define ROLE_CONNINFO_BYTES_MAX 4096u

struct role_settings {
    uint16_t index;
    uint16_t database_port; /* 0: by a unix socket, or no database */
    struct id instance;
    struct slice conninfo; /* borrowed; empty: no database. Holds a password: wipe what it lies in. */
};

/* The buffer holds the password afterwards: buf_release_wiped. */
void role_settings_print(struct buf *frame, const struct role_settings *settings);
/* ERR_FRAME: not such a frame, or the connection string is too long or holds a NUL. Borrows from the frame.
 */
MUST_CHECK enum err role_settings_parse(struct slice frame, struct role_settings *out);

#endif
