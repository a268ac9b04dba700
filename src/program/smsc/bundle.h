/*
 * A connector and its binds, which begin together and end together, in a list of all that there are. Belongs
 * to the loop's thread.
 */
#ifndef PROGRAM_SMSC_BUNDLE_H
#define PROGRAM_SMSC_BUNDLE_H
#include "program/smsc/carrier.h"
#include "program/smsc/keeper.h"
#include "program/smsc/link.h"

#define BUNDLES_LINKS_MAX 2000u

struct bundle {
    struct bundle *next;
    struct keeper_connector *connector; /* owned */
    struct stream_tls *tls;             /* owned; NULL: plain */
    struct link *links[CARRIER_BINDS_MAX];
    size_t count, bound_count;
    bool is_retired; /* its links end; it goes with the last one */
    bool is_broken;
};

/* Takes the connector, also when it fails. `system_tls` is for those without authorities of their own. */
MUST_CHECK enum err bundle_new(struct keeper_connector *connector, struct stream_tls *system_tls,
                               struct bundle **out);
/* With its links, whatever they are at. Accepts NULL. */
void bundle_free(struct bundle *bundle);

/* Borrowed by its links. */
struct bundle_links {
    const struct address_guard *guard;
    const struct clock *clock;
    const struct link_calls *calls;
    void *ctx;
};
/* All binds that its settings ask for. On failure those before it are there. */
MUST_CHECK enum err bundle_begin_links(struct bundle *bundle, const struct bundle_links *with,
                                       struct mono_time now);
/* Its links end, each in order. */
void bundle_retire(struct bundle *bundle, struct mono_time now);
/* It is retired, and all of its links have ended. */
bool bundle_is_over(const struct bundle *bundle);

/* Of a list: the one of this link; the one of this connector that is not retired. NULL: there is none. */
struct bundle *bundles_of(struct bundle *bundles, const struct link *link);
struct bundle *bundles_find(struct bundle *bundles, struct id connector);
/* Another number than before: a link does otherwise than before. */
uint64_t bundles_changes(const struct bundle *bundles);
/* How all links do, to be kept, and how many of them are bound. Owned. NULL: no memory. */
struct keeper_task *bundles_task(const struct bundle *bundles, struct carrier *carrier,
                                 const struct clock *clock, struct mono_time now, size_t *bound_out);

#endif
