#include "domain/template/template_state.h"
#include "core/attribute.h"

#define DAY_US   (INT64_C(24) * 60 * 60 * 1000000)
#define MONTH_US (30 * DAY_US)

static const char *const words[] = {
#define X(name, word) [TEMPLATE_##name] = word,
    TEMPLATE_STATES(X)
#undef X
};

const char *
template_state_word(enum template_state state)
{
    if ((unsigned)state >= COUNT_OF(words))
        bug("no such template state");
    return words[state];
}

enum err
template_state_parse(struct slice word, enum template_state *out)
{
    for (unsigned i = 0; i < COUNT_OF(words); i++)
        if (slice_eq_nocase(word, slice_text(words[i]))) {
            *out = (enum template_state)i;
            return ERR_OK;
        }
    return ERR_NOT_FOUND;
}

#define ONE(state) (1u << TEMPLATE_##state)

static bool
is_in(enum template_state state, unsigned set)
{
    return (set & 1u << state) != 0;
}

/* A refused one never came to WhatsApp: it is handed in anew. */
bool
template_state_may_edit(enum template_state state)
{
    return is_in(state, ONE(APPROVED) | ONE(REJECTED) | ONE(PAUSED));
}

bool
template_state_may_delete(enum template_state state)
{
    return !is_in(state, ONE(SUBMITTING) | ONE(DISABLED) | ONE(PENDING_DELETION) | ONE(DELETED));
}

bool
template_state_may_unpause(enum template_state state)
{
    return state == TEMPLATE_PAUSED;
}

/* The n-th latest of the edits within `span_us` ends the wait, when there are that many. */
static int64_t
span_ends(const struct wall_time *edits, size_t count, struct wall_time now, int64_t span_us, size_t max)
{
    size_t within = 0;
    int64_t earliest = INT64_MAX;

    for (size_t i = 0; i < count; i++) {
        size_t later = 0;
        if (now.us - edits[i].us >= span_us)
            continue;
        within++;
        for (size_t k = 0; k < count; k++)
            later += edits[k].us > edits[i].us || (edits[k].us == edits[i].us && k > i);
        if (later < max && edits[i].us < earliest)
            earliest = edits[i].us;
    }
    return within < max ? 0 : earliest + span_us;
}

struct wall_time
template_edit_allowed_at(const struct wall_time *edits, size_t count, struct wall_time now)
{
    int64_t day = span_ends(edits, count, now, DAY_US, TEMPLATE_EDITS_PER_DAY);
    int64_t month = span_ends(edits, count, now, MONTH_US, TEMPLATE_EDITS_PER_MONTH);

    return (struct wall_time){ day > month ? day : month };
}
