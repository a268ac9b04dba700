/*
 * Parts of what somebody wrote, until all have come, or no more come: then what has come is the message.
 * Their octets are those of provider_event.
 */
#ifndef DOMAIN_CHANNEL_SMS_SMS_FRAGMENT_H
#define DOMAIN_CHANNEL_SMS_SMS_FRAGMENT_H
#include "core/arena.h"
#include "core/id.h"
#include "platform/db/db.h"
#include "platform/ipc/vault_client.h"

#define SMS_FRAGMENT_WAIT_S 600 /* after the first part */
#define SMS_FRAGMENT_SETS   50u /* of one look */
#define SMS_FRAGMENT_MAX    255u

struct sms_fragment_set {
    struct id tenant, connector, channel;
    unsigned char peer_index[VAULT_INDEX_BYTES];
    int reference;
    unsigned part_count;
};
/* A part that has come; one that comes again changes nothing. */
MUST_CHECK enum err sms_fragment_keep(struct db_tx *tx, const struct sms_fragment_set *set, unsigned part,
                                      struct id event, struct wall_time at);
/* Sets that are whole, or have waited long enough; across tenants ("provider.interpret"). */
MUST_CHECK enum err sms_fragments_due(struct db *db, struct arena *arena, struct sms_fragment_set **out,
                                      size_t *count_out);

struct sms_fragment {
    unsigned part;
    struct id event;
    struct wall_time at;
};
/* Those of a set, in the order of their parts. */
MUST_CHECK enum err sms_fragments_read(struct db_tx *tx, const struct sms_fragment_set *set,
                                       struct arena *arena, struct sms_fragment **out, size_t *count_out);
/* They are a message now. ERR_STATE_CONFLICT: another one has come, or somebody else was faster: roll back.
 */
MUST_CHECK enum err sms_fragments_done(struct db_tx *tx, const struct sms_fragment_set *set, size_t count);

/* The channel of the workspace that has this sender, whatever the case of its letters, or else this number;
 * ERR_NOT_FOUND. */
MUST_CHECK enum err sms_channel_by_sender(struct db_tx *tx, struct slice sender, struct slice number,
                                          struct id *out);

#endif
