/* Where a message's content names media: in plain messages, headers, template parameters and cards. */
#ifndef DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_MEDIA_H
#define DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_MEDIA_H
#include "core/err.h"
#include "core/id.h"
#include "core/slice.h"
#include <jansson.h>

#define WHATSAPP_MEDIA_REFS_MAX 16u

struct whatsapp_media_ref {
    json_t *object;   /* {"id": ..., ...}; borrowed from the content */
    const char *kind; /* "image": the member's name, a literal */
    struct id media;
};

/*
 * Our own media (med_...) that the content names; other ids are the provider's and are passed over.
 * ERR_LIMIT: more than WHATSAPP_MEDIA_REFS_MAX. A text that begins with med_ and is none of our ids is one of
 * media zero.
 */
MUST_CHECK enum err whatsapp_media_refs(json_t *content, struct whatsapp_media_ref *out, size_t *count_out);

/* Whether media may be fetched from there: the Graph's own address, and the hosts that Meta keeps media on.
 */
bool whatsapp_media_url_is_theirs(struct slice url, struct slice graph_url);

#endif
