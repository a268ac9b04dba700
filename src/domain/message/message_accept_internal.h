/* What the files of the accept path share: many messages as the columns that unnest() takes. */
#ifndef DOMAIN_MESSAGE_MESSAGE_ACCEPT_INTERNAL_H
#define DOMAIN_MESSAGE_MESSAGE_ACCEPT_INTERNAL_H
#include "domain/message/message.h"

/* A row's parts of fixed width, one after the other: the statement cuts them out by these places. */
#define ACCEPT_SEAL_BYTES  (VAULT_IV_BYTES + VAULT_TAG_BYTES)
#define ACCEPT_FIXED_BYTES (MESSAGE_FINGERPRINT_BYTES + VAULT_INDEX_BYTES + 2 * ACCEPT_SEAL_BYTES)

/*
 * All lie in the arena, or in the messages. What is rare is absent as a whole (count 0: NULL in every row)
 * unless some message of the batch has it. Tenants, channels and event data stand once each; a row has their
 * numbers, from 1.
 */
struct accept_columns {
    size_t count; /* of rows */
    struct id *ids, *events;
    int64_t *channels, *data, *categories, *key_versions;
    struct slice *kinds, *keys, *fixed, *peer_ct, *content_ct;
    /* rare */
    struct id *targets; /* zero: none */
    struct slice *references, *metadata_ct, *metadata_seals, *tags;
    struct wall_time *send_at, *expires_at; /* INT64_MAX: none */
    int64_t *fallbacks;
    size_t target_count, reference_count, metadata_count, tag_count, send_at_count, expires_at_count,
        fallback_count;
    /* each once */
    struct id *tenants;
    size_t tenant_count;
    struct id *channel_tenants, *channel_ids;
    size_t channel_count;
    struct slice *datas; /* JSON */
    size_t data_count;
};

/* messages[] sorted by tenant. ERR_NO_MEMORY: the arena is full. */
MUST_CHECK enum err accept_columns_fill(struct accept_columns *columns, const struct clock *clock,
                                        const struct message_new *messages, size_t count,
                                        struct arena *arena);

/* The senders of those messages that have a chain: the first as well, so that all stand in one place. */
struct accept_senders {
    size_t count;
    struct id *tenants, *messages, *channels;
    int64_t *positions, *afters, *key_versions;
    struct slice *kinds, *cts, *seals;
};
MUST_CHECK enum err accept_senders_fill(struct accept_senders *senders, const struct message_new *messages,
                                        size_t count, struct arena *arena);

#endif
