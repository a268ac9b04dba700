/* Which connectors carry a message: by its sender and the number it goes to. */
#ifndef DOMAIN_CHANNEL_SMS_SMS_ROUTE_H
#define DOMAIN_CHANNEL_SMS_SMS_ROUTE_H
#include "core/arena.h"
#include "core/id.h"
#include "platform/db/db.h"

#define SMS_ROUTES_MAX    500u /* of a workspace */
#define SMS_ROUTE_CHOICES 8u   /* connectors tried one after the other */

struct sms_route {
    struct id id, channel; /* channel zero: any */
    struct slice prefix;   /* of the recipient's digits, without a plus; empty: any */
    struct id connector;
    unsigned priority; /* 0 to 99, the lowest first */
    struct wall_time created_at;
    uint32_t revision;
};

/*
 * The connectors for a message of `channel` to `digits`, in the order in which they are tried. A channel's
 * own routes go before general ones; of those that are left, the longest prefix alone counts; then priority,
 * then age. So a route for +91 is never made good by one for all the world. Returns how many; 0: nobody
 * carries it.
 */
size_t sms_routes_choose(const struct sms_route *routes, size_t count, struct id channel, struct slice digits,
                         struct id out[static SMS_ROUTE_CHOICES]);

/* ERR_TOO_MANY; ERR_EXISTS: the same once more; ERR_NOT_FOUND: no such connector or SMS channel. */
MUST_CHECK enum err sms_route_create(struct db_tx *tx, const struct sms_route *route);
MUST_CHECK enum err sms_route_get(struct db_tx *tx, struct id id, struct arena *arena, struct sms_route *out);
/* All of the workspace, oldest first. */
MUST_CHECK enum err sms_routes_list(struct db_tx *tx, struct arena *arena, struct sms_route **out,
                                    size_t *count_out);
/* ERR_HTTP_PRECONDITION: its revision is not route->revision any more; else as sms_route_create. */
MUST_CHECK enum err sms_route_update(struct db_tx *tx, const struct sms_route *route);
/* revision 0: any. */
MUST_CHECK enum err sms_route_delete(struct db_tx *tx, struct id id, uint32_t revision);

#endif
