#include "domain/sending/send_gate.h"
#include "core/num.h"
#include "domain/policy/policy_hours.h"

/* Its hours, and its recipient's preference; the category of the registry that its sender says is in its
 * facts already. */
static void
hours_find(const struct send_gate *gate, struct message_job *job, struct slice to)
{
    struct policy_facts *facts = &job->policy.facts;
    struct dnd_preference preference;
    struct phone_place place;
    struct policy_hours hours = { .quiet = &job->settings->quiet,
                                  .place = &place,
                                  .category = (unsigned)facts->of[POLICY_FACT_DND_CATEGORY],
                                  .spread_key = num_u64be_get(job->claim.message.bytes + 8) };
    uint64_t number = 0;

    phone_place_of(gate->zones, to, &place);
    facts->of[POLICY_FACT_DND_CATEGORY] = 0;
    if (facts->of[POLICY_FACT_CHANNEL] == POLICY_SMS && dnd_number_of(to, &number)) {
        facts->of[POLICY_FACT_DND] = gate->registry == NULL ? POLICY_DND_UNKNOWN : POLICY_DND_CLEAR;
        if (gate->registry != NULL && dnd_lookup(gate->registry, number, &preference))
            hours.preference = &preference;
    }
    policy_hours_find(&hours, (struct wall_time){ facts->of[POLICY_FACT_AT] }, facts);
}

/* Promotions to the same person that go before it. */
static int64_t
going_before(const struct message_job *jobs, size_t at)
{
    const struct message_job *job = &jobs[at];
    int64_t count = 0;

    for (size_t i = 0; i < at; i++)
        count += jobs[i].is_mine && id_eq(jobs[i].claim.tenant, job->claim.tenant) &&
                 jobs[i].claim.category == MESSAGE_PROMOTIONAL &&
                 jobs[i].policy.verdict.decision == POLICY_ALLOW &&
                 memcmp(jobs[i].sealed.peer_index, job->sealed.peer_index, VAULT_INDEX_BYTES) == 0;
    return count;
}

void
send_gate_judge(const struct send_gate *gate, struct message_job *jobs, size_t at, struct slice to)
{
    struct message_job *job = &jobs[at];
    struct policy_facts *facts = &job->policy.facts;

    if (job->claim.category != MESSAGE_PROMOTIONAL)
        return; /* the number changes nothing: it is judged */
    hours_find(gate, job, to);
    if (facts->of[POLICY_FACT_DAY_CAP] > 0 || facts->of[POLICY_FACT_WEEK_CAP] > 0) {
        int64_t before = going_before(jobs, at);
        facts->of[POLICY_FACT_DAY_COUNT] += before;
        facts->of[POLICY_FACT_WEEK_COUNT] += before;
    }
    job->policy.verdict = policy_judge(facts);
}
