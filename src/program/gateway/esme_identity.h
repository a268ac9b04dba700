/*
 * The certificate that links are shown: of a folder's certificate.pem and key.pem, read again when one of
 * them changes. While they cannot be read, or do not belong together, what was read last is shown; before
 * that nobody is let in.
 */
#ifndef PROGRAM_GATEWAY_ESME_IDENTITY_H
#define PROGRAM_GATEWAY_ESME_IDENTITY_H
#include "platform/stream/stream.h"
#include <sys/stat.h>

#define ESME_IDENTITY_PATH_BYTES 4200u

struct esme_identity {
    char certificate[ESME_IDENTITY_PATH_BYTES], key[ESME_IDENTITY_PATH_BYTES]; /* empty: links are plain */
    struct stream_tls *tls;                                                    /* owned; NULL: none yet */
    struct stat seen[2];                                                       /* when they were read last */
};

/* Reads them. An empty folder: links are plain. */
void esme_identity_init(struct esme_identity *identity, const char *folder);
void esme_identity_release(struct esme_identity *identity);
bool esme_identity_is_wanted(const struct esme_identity *identity);
/* Reads them again if they have changed. */
void esme_identity_look(struct esme_identity *identity);
/* A connection that was accepted; fd is taken. ERR_CONFIG: there is nothing to be shown yet. */
MUST_CHECK enum err esme_identity_take(const struct esme_identity *identity, int fd, struct stream **out);

#endif
