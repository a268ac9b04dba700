/* The policy gate, asked about the rows of a batch that is accepted. */
#include "core/num.h"
#include "domain/message/message_accept_internal.h"
#include "domain/policy/policy_hours.h"

#define PERSONS (POLICY_PERSON_MAX + 1)

_Static_assert((int)POLICY_OTP == (int)MESSAGE_OTP && (int)POLICY_PROMOTIONAL == (int)MESSAGE_PROMOTIONAL,
               "the gate's categories are those of messages");

/* What is the same for all messages of a class. */
struct class_policy {
    struct policy_settings settings;
    struct policy_facts facts;
    /* By what is known of the person: of those messages about which nothing else is. */
    struct {
        struct policy_verdict verdict;
        struct slice packed; /* NULL ptr: nobody was met yet */
    } of[PERSONS];
};

struct judging {
    struct accept_columns *columns;
    const struct message_new *messages;
    struct message_accepted *accepted;
    struct arena *arena;
    struct class_policy **classes;
};

/* What a class's facts begin with: message_accept_judge.c. */
enum { LINE_CHANNEL, LINE_SENDER, LINE_WORKSPACE, LINE_CREDIT, LINE_HEAD };

static enum err
letter_of(char letter, const char *letters, const int64_t *values, int64_t *out)
{
    const char *at = letter == '\0' ? NULL : strchr(letters, letter);

    if (at == NULL)
        return ERR_DB_DATA;
    *out = values[at - letters];
    return ERR_OK;
}

/* The first letters of what the tables say. A channel that is not there has no state. */
static enum err
line_head_read(struct slice line, struct policy_facts *facts)
{
    static const struct {
        enum policy_fact fact;
        const char *letters;
        int64_t values[6];
    } heads[LINE_HEAD] = {
        [LINE_CHANNEL] = { POLICY_FACT_CHANNEL, "ws-", { POLICY_WHATSAPP, POLICY_SMS, POLICY_WHATSAPP } },
        /* active, paused, broken, connecting, deleted */
        [LINE_SENDER] = { POLICY_FACT_SENDER,
                          "apbcd-",
                          { POLICY_SENDER_READY, POLICY_SENDER_PAUSED, POLICY_SENDER_PAUSED,
                            POLICY_SENDER_UNVERIFIED, POLICY_SENDER_DELETED, POLICY_SENDER_DELETED } },
        [LINE_WORKSPACE] = { POLICY_FACT_WORKSPACE,
                             "asc-",
                             { POLICY_WORKSPACE_ACTIVE, POLICY_WORKSPACE_SUSPENDED, POLICY_WORKSPACE_CLOSED,
                               POLICY_WORKSPACE_CLOSED } },
        [LINE_CREDIT] = { POLICY_FACT_CREDIT,
                          "012",
                          { POLICY_CREDIT_NONE, POLICY_CREDIT_ENOUGH, POLICY_CREDIT_SPENT } },
    };
    enum err err = line.len < LINE_HEAD ? ERR_DB_DATA : ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < LINE_HEAD; i++)
        err = letter_of(line.ptr[i], heads[i].letters, heads[i].values, &facts->of[heads[i].fact]);
    return err;
}

static enum err
class_read(struct judging *judging, size_t class, struct slice line, struct wall_time now)
{
    const struct accept_columns *c = judging->columns;
    struct class_policy *policy = arena_alloc(judging->arena, sizeof(*policy));
    int64_t asked = c->class_policy_asks[class];

    if (policy == NULL)
        return ERR_NO_MEMORY;
    memset(policy, 0, sizeof(*policy));
    judging->classes[class] = policy;
    policy->facts = (struct policy_facts){ .of = { [POLICY_FACT_AT] = now.us,
                                                   [POLICY_FACT_CATEGORY] = c->class_categories[class],
                                                   [POLICY_FACT_TEMPLATE] = asked & 0xff,
                                                   [POLICY_FACT_DLT] = asked >> 8 & 0xff,
                                                   [POLICY_FACT_DND] = asked >> 16 & 0xff,
                                                   [POLICY_FACT_QUOTA] = asked >> 24 & 0xff } };
    enum err err = line_head_read(line, &policy->facts);
    if (err == ERR_OK)
        err = policy_settings_parse(slice_drop(line, LINE_HEAD), &policy->settings);
    if (err != ERR_OK)
        return err;
    policy_settings_apply(&policy->settings, &policy->facts);
    return ERR_OK;
}

static enum err
classes_read(struct judging *judging, const struct accept_class *classes, struct wall_time now)
{
    enum err err = ERR_OK;

    judging->classes = arena_array(judging->arena, judging->columns->class_count, sizeof(*judging->classes));
    if (judging->classes == NULL)
        return ERR_NO_MEMORY;
    for (size_t class = 0; err == ERR_OK && class < judging->columns->class_count; class ++)
        err = class_read(judging, class, classes[class].facts, now);
    return err;
}

static bool
is_counted(const struct class_policy *policy)
{
    return policy->facts.of[POLICY_FACT_DAY_CAP] > 0 || policy->facts.of[POLICY_FACT_WEEK_CAP] > 0;
}

/* What became of a promotion that was not sent is no promotion that somebody had. */
static const struct db_stmt message_promotions_stmt = {
    "message_promotions",
    "SELECT i.n, count(*) FILTER (WHERE m.id >= (SELECT id_at(now() - interval '1 day'))), count(*)"
    " FROM unnest($2::uuid[], $3::bytea[]) WITH ORDINALITY AS i (tenant_id, peer_index, n)"
    " JOIN message m ON m.tenant_id = i.tenant_id AND m.peer_index = i.peer_index"
    " AND m.id >= (SELECT id_at(now() - interval '7 days')) AND m.direction = 'out' AND m.category = 'promotional'"
    " AND m.status NOT IN ('blocked', 'failed', 'expired', 'canceled') GROUP BY i.n LIMIT 5000"
};

/* How many each of those recipients had already whose workspace minds; and in this batch, before. */
struct promotions {
    int64_t *in_day, *in_week; /* by row; NULL: nobody minds */
};

static enum err
promotions_read(struct db_tx *tx, const struct judging *judging, struct promotions *out)
{
    const struct accept_columns *c = judging->columns;
    struct id *tenants = arena_array(judging->arena, c->count, sizeof(*tenants));
    struct slice *peers = arena_array(judging->arena, c->count, sizeof(*peers));
    size_t *at = arena_array(judging->arena, c->count, sizeof(*at)), count = 0;
    struct db_rows *rows = NULL;

    if (tenants == NULL || peers == NULL || at == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < c->count; i++) {
        if (!is_counted(judging->classes[c->classes[i] - 1]))
            continue;
        tenants[count] = judging->messages[i].tenant;
        peers[count] = slice_of(judging->messages[i].sealed.peer_index, VAULT_INDEX_BYTES);
        at[count++] = i;
    }
    *out = (struct promotions){ .in_day = NULL };
    if (count == 0)
        return ERR_OK;
    out->in_day = arena_array(judging->arena, c->count, sizeof(*out->in_day));
    out->in_week = arena_array(judging->arena, c->count, sizeof(*out->in_week));
    if (out->in_day == NULL || out->in_week == NULL)
        return ERR_NO_MEMORY;
    enum err err = db_query(tx, &message_promotions_stmt,
                            DB_ARGS(DB_ID_ARRAY(tenants, count), DB_BYTES_ARRAY(peers, count)), &rows);
    for (size_t row = 0; err == ERR_OK && row < db_rows_count(rows); row++) {
        size_t i = at[db_i64(rows, row, 0) - 1];
        out->in_day[i] = db_i64(rows, row, 1);
        out->in_week[i] = db_i64(rows, row, 2);
    }
    db_rows_free(rows);
    return err;
}

/* Those of this batch that come behind a promotion to the same person know of it. */
static void
promotions_add(const struct judging *judging, struct promotions *promotions, size_t allowed)
{
    const struct message_new *message = &judging->messages[allowed];

    for (size_t i = allowed + 1;
         i < judging->columns->count && id_eq(judging->messages[i].tenant, message->tenant); i++)
        if (memcmp(judging->messages[i].sealed.peer_index, message->sealed.peer_index, VAULT_INDEX_BYTES) ==
            0) {
            promotions->in_day[i]++;
            promotions->in_week[i]++;
        }
}

/* When it may come where it goes, if it would leave too early or too late. Returns whether that is its own.
 */
static bool
hours_find(const struct class_policy *policy, const struct message_new *message,
           const struct message_asked *asked, struct policy_facts *facts)
{
    int64_t now = facts->of[POLICY_FACT_AT];
    struct wall_time leaves_at = { message->send_at.us > now ? message->send_at.us : now };

    if (message->category != MESSAGE_PROMOTIONAL || (message->place == NULL && asked->preference == NULL))
        return false;
    policy_hours_find(&(struct policy_hours){ .quiet = &policy->settings.quiet,
                                              .place = message->place,
                                              .preference = asked->preference,
                                              .category = asked->dnd_category,
                                              .spread_key = num_u64be_get(message->id.bytes + 8) },
                      leaves_at, facts);
    return facts->of[POLICY_FACT_QUIET_UNTIL] != 0 || asked->preference != NULL;
}

static enum err
packed_copy(const struct policy_receipt *receipt, struct arena *arena, struct slice *out)
{
    unsigned char packed[POLICY_PACKED_MAX];

    *out = arena_copy(arena, policy_receipt_pack(receipt, packed));
    return out->ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
}

/* Who is judged: a message by one of its senders. */
struct judged {
    size_t row, message; /* row of the statement, and of the messages */
    const struct message_asked *asked;
};

/* Equal receipts of a class are judged and packed once. */
static enum err
row_judge(const struct judging *judging, const struct judged *judged, int64_t person,
          const struct promotions *promotions, struct policy_verdict *verdict_out, struct slice *packed_out)
{
    struct class_policy *policy = judging->classes[judging->columns->classes[judged->row] - 1];
    struct policy_receipt receipt = { .facts = policy->facts };
    bool has_hours = hours_find(policy, &judging->messages[judged->message], judged->asked, &receipt.facts);
    bool is_alone = has_hours || is_counted(policy);

    if (!is_alone && policy->of[person].packed.ptr != NULL) {
        *verdict_out = policy->of[person].verdict;
        *packed_out = policy->of[person].packed;
        return ERR_OK;
    }
    policy_person_apply(person, &receipt.facts);
    if (promotions->in_day != NULL && is_counted(policy)) {
        receipt.facts.of[POLICY_FACT_DAY_COUNT] = promotions->in_day[judged->message];
        receipt.facts.of[POLICY_FACT_WEEK_COUNT] = promotions->in_week[judged->message];
    }
    receipt.verdict = policy_judge(&receipt.facts);
    *verdict_out = receipt.verdict;
    enum err err = packed_copy(&receipt, judging->arena, packed_out);
    if (err == ERR_OK && !is_alone) {
        policy->of[person].verdict = receipt.verdict;
        policy->of[person].packed = *packed_out;
    }
    return err;
}

/* The columns of what is not simply allowed, as soon as something is. */
static enum err
decisions_alloc(struct accept_columns *c, const struct clock *clock, struct arena *arena)
{
    c->has_rare = true;
    if (c->decisions == NULL) {
        c->decisions = arena_array(arena, c->count, sizeof(*c->decisions));
        c->rules = arena_array(arena, c->count, sizeof(*c->rules));
        if (c->decisions == NULL || c->rules == NULL)
            return ERR_NO_MEMORY;
        c->decision_count = c->count;
    }
    if (c->events != NULL)
        return ERR_OK;
    c->events = arena_array(arena, c->count, sizeof(*c->events));
    for (size_t i = 0; c->events != NULL && i < c->count; i++)
        c->events[i] = id_new(clock);
    return c->events == NULL ? ERR_NO_MEMORY : ERR_OK;
}

/* What is held waits for its time as if that had been asked for. */
static enum err
row_hold(struct accept_columns *c, size_t i, struct wall_time until, struct arena *arena)
{
    if (c->send_at == NULL) {
        c->send_at = arena_array(arena, c->count, sizeof(*c->send_at));
        if (c->send_at == NULL)
            return ERR_NO_MEMORY;
        for (size_t row = 0; row < c->count; row++)
            c->send_at[row] = (struct wall_time){ INT64_MAX };
        c->send_at_count = c->count;
    }
    if (c->send_at[i].us == INT64_MAX || c->send_at[i].us < until.us)
        c->send_at[i] = until;
    return ERR_OK;
}

/* The receipt of a class's first message is that of all that have no other. */
static enum err
row_receipt(struct accept_columns *c, size_t i, struct slice packed, struct arena *arena)
{
    struct slice *of_class = &c->class_policies[c->classes[i] - 1];

    if (of_class->ptr == NULL)
        *of_class = packed;
    if (of_class->ptr == packed.ptr)
        return ERR_OK;
    if (c->policies == NULL) {
        c->policies = arena_array(arena, c->count, sizeof(*c->policies));
        if (c->policies == NULL)
            return ERR_NO_MEMORY;
        c->policy_count = c->count;
        c->has_rare = true;
    }
    c->policies[i] = packed;
    return ERR_OK;
}

static enum err
row_settle(struct judging *judging, const struct clock *clock, size_t i, struct policy_verdict verdict,
           struct slice packed)
{
    struct accept_columns *c = judging->columns;
    struct message_accepted *accepted = &judging->accepted[i];
    enum err err = row_receipt(c, i, packed, judging->arena);

    accepted->decision = verdict.decision;
    accepted->policy_bytes = packed.len;
    memcpy(accepted->policy, packed.ptr, packed.len);
    if (err != ERR_OK || verdict.decision == POLICY_ALLOW)
        return err;
    err = decisions_alloc(c, clock, judging->arena);
    if (err != ERR_OK)
        return err;
    c->decisions[i] = verdict.decision;
    c->rules[i] = slice_text(policy_rule_word(verdict.rule));
    if (verdict.decision == POLICY_HOLD)
        return row_hold(c, i, verdict.until, judging->arena);
    if (c->fallbacks != NULL)
        c->fallbacks[i] = 0; /* it goes no other way either */
    return ERR_OK;
}

static enum err
person_of(const struct accept_facts *facts, size_t row, int64_t *out)
{
    *out = facts->persons[row] - '0';
    return *out < 0 || *out > POLICY_PERSON_MAX ? ERR_DB_DATA : ERR_OK;
}

/* The senders behind the first: each as if it were the one. */
static enum err
furthers_judge(const struct judging *judging, const struct accept_facts *facts,
               const struct promotions *promotions)
{
    const struct accept_columns *c = judging->columns;
    enum err err = ERR_OK;

    for (size_t row = c->count; err == ERR_OK && row < c->judge_count; row++) {
        struct accept_further *further = &c->furthers[row - c->count];
        const struct message_new *message = &judging->messages[further->message];
        int64_t person = 0;
        if (judging->accepted[further->message].err != ERR_OK)
            continue;
        err = person_of(facts, row, &person);
        if (err == ERR_OK)
            err = row_judge(
                judging,
                &(struct judged){ row, further->message, &message->fallbacks[further->position - 1].asked },
                person, promotions, &further->verdict, &further->packed);
    }
    return err;
}

enum err
accept_policy_judge(struct db_tx *tx, struct accept_columns *columns, const struct clock *clock,
                    const struct accept_facts *facts, const struct message_new *messages,
                    struct message_accepted *accepted, struct arena *arena)
{
    struct judging judging = {
        .columns = columns, .messages = messages, .accepted = accepted, .arena = arena
    };
    struct promotions promotions;
    enum err err = classes_read(&judging, facts->classes, clock_wall(clock));

    if (err == ERR_OK)
        err = promotions_read(tx, &judging, &promotions);
    for (size_t i = 0; err == ERR_OK && i < columns->count; i++) {
        int64_t person = 0;
        struct policy_verdict verdict;
        struct slice packed;
        if (accepted[i].err != ERR_OK)
            continue;
        err = person_of(facts, i, &person);
        if (err == ERR_OK)
            err = row_judge(&judging, &(struct judged){ i, i, &messages[i].asked }, person, &promotions,
                            &verdict, &packed);
        if (err == ERR_OK)
            err = row_settle(&judging, clock, i, verdict, packed);
        if (err == ERR_OK && promotions.in_day != NULL && verdict.decision != POLICY_BLOCK &&
            messages[i].category == MESSAGE_PROMOTIONAL)
            promotions_add(&judging, &promotions, i);
    }
    return err == ERR_OK ? furthers_judge(&judging, facts, &promotions) : err;
}
