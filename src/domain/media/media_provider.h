/*
 * What the provider calls our media, per sender: it keeps what was pushed to a number for 30 days. Who wants
 * to send media that is not there yet waits for the push, and is told when it is over.
 */
#ifndef DOMAIN_MEDIA_MEDIA_PROVIDER_H
#define DOMAIN_MEDIA_MEDIA_PROVIDER_H
#include "domain/media/media.h"

#define MEDIA_PROVIDER_DAYS      29   /* of the 30: what is sent at the end of them must still find it */
#define MEDIA_PROVIDER_PUSH_S    7200 /* a push that was begun and of which nothing is heard is begun anew */
#define MEDIA_PROVIDER_FAILED_S  300  /* and one that failed, for the messages after that */
#define MEDIA_PROVIDER_WAITS_MAX 500u

enum media_provider_state { MEDIA_PROVIDER_PUSHING, MEDIA_PROVIDER_READY, MEDIA_PROVIDER_FAILED };

struct media_provider {
    enum media_provider_state state;
    struct slice provider_id, error_code; /* in the arena */
};

/* Holds the row to the end of the transaction. ERR_NOT_FOUND: there is none, or its time is over. */
MUST_CHECK enum err media_provider_find(struct db_tx *tx, struct id media, struct id channel,
                                        struct wall_time now, struct arena *arena,
                                        struct media_provider *out);
/* A push is asked for. The caller makes its task in the same transaction. */
MUST_CHECK enum err media_provider_begin(struct db_tx *tx, struct id media, struct id channel,
                                         struct wall_time now);
/* ERR_OK too when the media was deleted meanwhile. */
MUST_CHECK enum err media_provider_ready(struct db_tx *tx, struct id media, struct id channel,
                                         struct slice provider_id, struct wall_time now);
MUST_CHECK enum err media_provider_failed(struct db_tx *tx, struct id media, struct id channel,
                                          struct slice code, struct slice title, struct wall_time now);
/* The provider does not know it any more: the next send pushes anew. */
MUST_CHECK enum err media_provider_forget(struct db_tx *tx, struct id media, struct id channel);

MUST_CHECK enum err media_wait_add(struct db_tx *tx, struct id media, struct id channel, struct id message);
/* Takes those that wait off the list, at most MEDIA_PROVIDER_WAITS_MAX at a time; *out lives in the arena. */
MUST_CHECK enum err media_wait_take(struct db_tx *tx, struct id media, struct id channel, struct arena *arena,
                                    struct id **out, size_t *count_out);

#endif
