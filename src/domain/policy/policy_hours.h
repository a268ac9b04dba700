/*
 * When a promotional message may come to its recipient: quiet hours and the recipient's preference in India's
 * DND registry, together. Either alone may let it come at an hour that the other forbids, so a moment is
 * looked for that both allow. Pure.
 */
#ifndef DOMAIN_POLICY_POLICY_HOURS_H
#define DOMAIN_POLICY_POLICY_HOURS_H
#include "domain/dnd/dnd_preference.h"
#include "domain/policy/policy_gate.h"
#include "domain/policy/quiet_hours.h"

struct policy_hours {
    const struct quiet_settings *quiet;
    const struct phone_place *place;         /* NULL: quiet hours are not asked about */
    const struct dnd_preference *preference; /* of an SMS's recipient; NULL: has none, or nobody was asked */
    unsigned category;                       /* of the DND registry: dnd_category_of_header */
    uint64_t spread_key;                     /* of quiet_hours_judge: the message's own */
};

/*
 * For a message that is to leave at `leaves_at`: sets QUIET_UNTIL (0: it may leave then). With a preference
 * DND (BLOCKED; NOT_NOW; CLEAR) and DND_CATEGORY as well, and with NOT_NOW DND_UNTIL, at which quiet hours
 * are over too. BLOCKED is also who leaves no hour that is right by quiet hours.
 */
void policy_hours_find(const struct policy_hours *asked, struct wall_time leaves_at,
                       struct policy_facts *facts);

/*
 * Of what category of the DND registry (1 to 8) a promotional SMS is: a header of digits says so by its first
 * one. 0, none, for any other sender.
 */
unsigned dnd_category_of_header(struct slice header);

#endif
