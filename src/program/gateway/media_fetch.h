/* Media that came with a message: a row, a task that fetches it, and its id in the message's content. */
#ifndef PROGRAM_GATEWAY_MEDIA_FETCH_H
#define PROGRAM_GATEWAY_MEDIA_FETCH_H
#include "domain/media/media.h"
#include <jansson.h>

struct media_fetch;

struct media_fetch_reader {
    const struct clock *clock;
    const struct vault *vault;
    struct id tenant;
    int64_t days; /* that it is kept */
    struct arena *arena;
};

/* Whether an incoming content has media in it. */
bool media_fetch_concerns(const json_t *content);
/* Outside of a transaction. Adds `media_id` to the media object of the content. *out NULL: there is no media
 * in it. */
MUST_CHECK enum err media_fetch_prepare(const struct media_fetch_reader *reader, json_t *content,
                                        struct media_fetch **out);
/* In the transaction that stores the message. */
MUST_CHECK enum err media_fetch_begin(struct db_tx *tx, const struct clock *clock, struct media_fetch *fetch,
                                      struct id channel, struct id message);

#endif
