/* What streams speak of: topics, who may hear of each, and what of a notice from the database belongs to
 * which. */
#ifndef PROGRAM_GATEWAY_LIVE_TOPIC_H
#define PROGRAM_GATEWAY_LIVE_TOPIC_H
#include "core/buf.h"
#include "domain/identity/principal.h"
#include "domain/overview/overview_count.h"

enum live_topic {
    LIVE_MESSAGES,
    LIVE_CHANNELS,
    LIVE_TEMPLATES,
    LIVE_WEBHOOKS,
    LIVE_KEYS,
    LIVE_PEOPLE,
    LIVE_SETTINGS,
    LIVE_USAGE,
    LIVE_AUDIT,
    LIVE_CONSENTS,
    LIVE_CONNECTORS,
    LIVE_TOPIC_COUNT
};
const char *live_topic_word(enum live_topic topic);

struct live_change {
    struct id tenant;
    enum live_topic topic;
    struct id channel; /* zero: of none */
    struct id ids[OVERVIEW_TOLD_MAX];
    size_t id_count; /* 0: many, or it has no ids */
};

/* What a notice means: at most two changes, since an act is one of the audit log too. How many. */
#define LIVE_CHANGES_OF_NOTICE 2u
size_t live_topic_changes(const struct overview_notice *notice,
                          struct live_change out[static LIVE_CHANGES_OF_NOTICE]);
/* Whether what somebody may see has changed with it, so that streams have to be judged anew: all of the
 * workspace's, or with *key_out not zero those of this key. */
bool live_topic_judges(const struct overview_notice *notice, struct id *key_out);

/* Topics that somebody with these scopes (bits of enum api_scope) may hear of; bits. */
uint32_t live_topics_of(uint64_t scopes);
/* Whether somebody limited to these channels may hear of it. */
bool live_change_is_within(const struct live_change *change, const struct id *channels, size_t count);
/* {"topic": ..., "channel_id": ..., "ids": [...]} */
void live_change_print(struct buf *out, const struct live_change *change);

#endif
