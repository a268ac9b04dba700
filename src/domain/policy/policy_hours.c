#include "domain/policy/policy_hours.h"

#define TURNS_MAX     64 /* of a week's windows and bands: whoever has not met by then never does */
#define HEADER_DIGITS 6u

unsigned
dnd_category_of_header(struct slice header)
{
    for (size_t i = 0; i < header.len; i++)
        if (header.ptr[i] < '0' || header.ptr[i] > '9')
            return 0;
    return header.len == HEADER_DIGITS && header.ptr[0] <= '8' ? (unsigned)(header.ptr[0] - '0') : 0;
}

/* From when on quiet hours let it go; 0: at `at`. */
static int64_t
quiet_until(const struct policy_hours *asked, struct wall_time at, bool *is_never_out)
{
    struct wall_time until = { 0 };

    *is_never_out = false;
    if (asked->place == NULL)
        return 0;
    enum quiet_verdict verdict = quiet_hours_judge(asked->quiet, asked->place, at, asked->spread_key, &until);
    *is_never_out = verdict == QUIET_NEVER;
    return verdict == QUIET_OPEN ? 0 : until.us;
}

static void
preference_find(const struct policy_hours *asked, struct wall_time at, struct policy_facts *facts)
{
    int64_t *dnd = &facts->of[POLICY_FACT_DND];

    facts->of[POLICY_FACT_DND_CATEGORY] = asked->category;
    for (int turn = 0; turn < TURNS_MAX; turn++) {
        bool is_never = false;
        int64_t quiet = quiet_until(asked, at, &is_never);
        struct wall_time until = { quiet == 0 || is_never ? at.us : quiet };
        at = until;
        switch (dnd_judge(asked->preference, asked->category, DND_MODE_SMS, at, &until)) {
        case DND_BLOCKED:
            *dnd = POLICY_DND_BLOCKED;
            return;
        case DND_CLEAR: /* in the first turn nothing but quiet hours made it wait */
            *dnd = turn == 0 ? POLICY_DND_CLEAR : POLICY_DND_NOT_NOW;
            facts->of[POLICY_FACT_DND_UNTIL] = turn == 0 ? 0 : at.us;
            return;
        case DND_NOT_NOW:
            at = until;
            break;
        }
    }
    *dnd = POLICY_DND_BLOCKED;
}

void
policy_hours_find(const struct policy_hours *asked, struct wall_time leaves_at, struct policy_facts *facts)
{
    bool is_never = false;

    facts->of[POLICY_FACT_QUIET_UNTIL] = quiet_until(asked, leaves_at, &is_never);
    if (asked->preference != NULL)
        preference_find(asked, leaves_at, facts);
}
