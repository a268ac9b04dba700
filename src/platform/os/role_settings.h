/*
 * The first frame of the supervisor's link to a role: who it is, and how it reaches the database. One byte of
 * LINK_SETTINGS, two of index, sixteen of instance, one that counts ports and two for each, two that count
 * the octets of a path and the path, two that count those of Redis' password and it, the rest is the
 * connection string.
 */
#ifndef PLATFORM_OS_ROLE_SETTINGS_H
#define PLATFORM_OS_ROLE_SETTINGS_H
#include "core/buf.h"
#include "core/err.h"
#include "core/id.h"
#include "core/slice.h"

#define ROLE_CONNINFO_BYTES_MAX 4096u
#define ROLE_PATH_BYTES_MAX     1024u
#define ROLE_DATABASE_PORTS_MAX 4u
#define ROLE_PASSWORD_BYTES_MAX 512u

struct role_settings {
    uint16_t index;
    struct id instance;
    uint16_t
        ports[ROLE_DATABASE_PORTS_MAX]; /* where the database is reached by TCP; unix sockets have none */
    size_t port_count;
    struct slice ca_file;        /* borrowed; which its certificate is checked against; empty: none */
    struct slice redis_password; /* borrowed; empty: none */
    struct slice mail_password;  /* likewise */
    struct slice conninfo;       /* borrowed; empty: no database. Holds a password: wipe what it lies in. */
};

/* The buffer holds the password afterwards: buf_release_wiped. */
void role_settings_print(struct buf *frame, const struct role_settings *settings);
/* ERR_FRAME: not such a frame, or the connection string is too long or holds a NUL. Borrows from the frame.
 */
MUST_CHECK enum err role_settings_parse(struct slice frame, struct role_settings *out);

#endif
