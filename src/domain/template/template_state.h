/* Where a template stands, in WhatsApp's words and two of ours, and what may be done then. Pure. */
#ifndef DOMAIN_TEMPLATE_TEMPLATE_STATE_H
#define DOMAIN_TEMPLATE_TEMPLATE_STATE_H
#include "core/clock.h"
#include "core/err.h"
#include "core/slice.h"

#define TEMPLATE_STATES(X)                                                                                   \
    X(SUBMITTING, "submitting") /* ours: WhatsApp has not answered yet */                                    \
    X(REFUSED, "refused")       /* ours: WhatsApp did not take it into review */                             \
    X(PENDING, "pending")                                                                                    \
    X(APPROVED, "approved")                                                                                  \
    X(REJECTED, "rejected")                                                                                  \
    X(PAUSED, "paused")                                                                                      \
    X(DISABLED, "disabled")                                                                                  \
    X(IN_APPEAL, "in_appeal")                                                                                \
    X(LIMIT_EXCEEDED, "limit_exceeded")                                                                      \
    X(ARCHIVED, "archived")                                                                                  \
    X(PENDING_DELETION, "pending_deletion")                                                                  \
    X(DELETED, "deleted")

enum template_state {
#define X(name, word) TEMPLATE_##name,
    TEMPLATE_STATES(X)
#undef X
        TEMPLATE_STATE_COUNT
};
/* "in_appeal". */
const char *template_state_word(enum template_state state);
/* In any case. ERR_NOT_FOUND: a word of a later version. */
MUST_CHECK enum err template_state_parse(struct slice word, enum template_state *out);

/* What may be asked of WhatsApp for it. Whether it may be sent with is told with its reasons at the sending.
 */
bool template_state_may_edit(enum template_state state);
bool template_state_may_delete(enum template_state state);
bool template_state_may_unpause(enum template_state state);

/*
 * WhatsApp takes 1 edit of an approved template in 24 hours and 10 in 30 days. `edits` are the times of the
 * edits that it took while the template was approved, in any order. Zero: an edit may be made now; else when.
 */
#define TEMPLATE_EDITS_PER_DAY   1u
#define TEMPLATE_EDITS_PER_MONTH 10u
struct wall_time template_edit_allowed_at(const struct wall_time *edits, size_t count, struct wall_time now);

#endif
