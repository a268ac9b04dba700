/* Our media in a message that is about to leave: the provider's ids in their place, or a push that has to
 * come first. */
#ifndef PROGRAM_DISPATCHER_SEND_MEDIA_H
#define PROGRAM_DISPATCHER_SEND_MEDIA_H
#include "core/clock.h"
#include "domain/channel/whatsapp/whatsapp_media.h"
#include "domain/message/message_queue.h"
#include <jansson.h>

enum send_media_verdict {
    SEND_MEDIA_GO,   /* the content can be sent as it stands now */
    SEND_MEDIA_WAIT, /* the media is on its way to the provider; the message is woken when it is there */
    SEND_MEDIA_FAIL, /* it cannot be sent: `code` */
};

#define SEND_MEDIA_WAIT_MS 15000 /* until it is looked at again, whoever wakes it */

struct send_media {
    enum send_media_verdict verdict;
    struct slice code; /* in the arena */
    struct id media[WHATSAPP_MEDIA_REFS_MAX];
    size_t count;
};

/* With FAIL and WAIT the content is as it was. A content without our media costs nothing. */
MUST_CHECK enum err send_media_replace(struct db *db, const struct clock *clock,
                                       const struct message_claim *claim, json_t *content,
                                       struct arena *arena, struct send_media *out);

#endif
