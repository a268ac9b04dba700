#include "program/gateway/esme_identity.h"
#include "core/log.h"
#include <stdio.h>
#include <unistd.h>

bool
esme_identity_is_wanted(const struct esme_identity *identity)
{
    return identity->certificate[0] != '\0';
}

static bool
is_same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

void
esme_identity_look(struct esme_identity *identity)
{
    struct stat now[2] = { { 0 }, { 0 } };
    struct stream_tls *tls = NULL;

    if (!esme_identity_is_wanted(identity))
        return;
    (void)stat(identity->certificate, &now[0]); /* one that is not there is like one that is empty */
    (void)stat(identity->key, &now[1]);
    if (is_same(&now[0], &identity->seen[0]) && is_same(&now[1], &identity->seen[1]))
        return;
    identity->seen[0] = now[0];
    identity->seen[1] = now[1];
    enum err err = stream_tls_identity(identity->certificate, identity->key, &tls);
    if (err != ERR_OK) { /* the one of the two that is written later is a change as well */
        log_event(LOG_ERROR, "gateway.smpp_certificate_unread", LOG_ERR(err));
        return;
    }
    stream_tls_unref(identity->tls);
    identity->tls = tls;
    log_event(LOG_INFO, "gateway.smpp_certificate", LOG_NUM("bytes", (int64_t)now[0].st_size));
}

void
esme_identity_init(struct esme_identity *identity, const char *folder)
{
    *identity = (struct esme_identity){ .tls = NULL };
    if (folder[0] == '\0')
        return;
    (void)snprintf(identity->certificate, sizeof(identity->certificate), "%s/certificate.pem", folder);
    (void)snprintf(identity->key, sizeof(identity->key), "%s/key.pem", folder);
    identity->seen[0].st_size = -1; /* nothing is like it: they are read once at least */
    esme_identity_look(identity);
}

void
esme_identity_release(struct esme_identity *identity)
{
    stream_tls_unref(identity->tls);
    identity->tls = NULL;
}

enum err
esme_identity_take(const struct esme_identity *identity, int fd, struct stream **out)
{
    if (esme_identity_is_wanted(identity) && identity->tls == NULL) {
        close(fd);
        return ERR_CONFIG;
    }
    return stream_take(fd, identity->tls, out);
}
