/* What the policy gate makes of messages when they are accepted. */
#include "domain/dnd/dnd_preference.h"
#include "domain/message/message_fallback.h"
#include "domain/message/message_testing.h"
#include "domain/policy/policy_settings.h"
#include "platform/db/test_pair.h"
#include <poll.h>
#include <pthread.h>
#include <stdio.h>

#define HOUR_US (INT64_C(3600) * 1000000)

static struct id channel, other_channel, owner; /* owner: of the lanes */

static int
opened(void **state UNUSED)
{
    test_pair_open("delete from harkara.policy_settings; delete from harkara.consent_state;"
                   " delete from harkara.suppression; update harkara.tenant set state = 'active'");
    channel = message_testing_channel(acme);
    owner = id_new(clock_system());
    other_channel = message_testing_channel(bolt);
    test_cluster_sql("delete from harkara.consent_state");
    return 0;
}

/* The same bytes as message_testing_sealed makes of it. */
#define INDEX_SQL "decode(rpad(encode('%s', 'hex'), 64, '0'), 'hex')"

static void
consent(struct id tenant, const char *peer, const char *purpose, const char *word)
{
    char sql[512], text[ID_UUID_BYTES];

    id_uuid_print(tenant, text);
    snprintf(sql, sizeof(sql),
             "insert into harkara.consent_state values ('%s', " INDEX_SQL
             ", 'whatsapp', '%s', '%s', now(), '%s')",
             text, peer, purpose, word, text);
    test_cluster_sql(sql);
}

static void
suppress(struct id tenant, const char *peer, const char *kind, const char *scope)
{
    char sql[512], text[ID_UUID_BYTES];

    id_uuid_print(tenant, text);
    snprintf(
        sql, sizeof(sql),
        "insert into harkara.suppression (tenant_id, peer_index, channel_kind, scope, reason, id, actor_kind, at)"
        " values ('%s', " INDEX_SQL ", '%s', '%s', 'manual', gen_random_uuid(), 'key', now())",
        text, peer, kind, scope);
    test_cluster_sql(sql);
}

static void
settings(struct id tenant, int64_t cap_per_day, bool asks_consent)
{
    struct policy_settings put = policy_settings_default;
    struct db_tx tx;

    put.cap_per_day = cap_per_day;
    if (!asks_consent)
        put.consent[POLICY_WHATSAPP][POLICY_PROMOTIONAL] = POLICY_CONSENT_UNLESS_WITHDRAWN;
    assert_ok(db_begin(gateway, tenant, &tx));
    assert_ok(policy_settings_write(&tx, &put));
    assert_ok(db_commit(&tx));
}

static struct message_new
to(const char *peer, enum message_category category)
{
    struct message_new message = message_testing_new(acme, channel, category);

    message.sealed = message_testing_sealed(peer);
    return message;
}

static void
accept_all(const struct clock *clock, struct message_new *messages, struct message_accepted *accepted,
           size_t count)
{
    for (size_t i = 0; i < count; i++)
        messages[i].owner = (void *)(uintptr_t)i;
    assert_ok(message_accept_batch(gateway, clock, messages, accepted, count, arena));
}

static struct policy_receipt
receipt_of(const struct message_accepted *accepted)
{
    struct policy_receipt receipt;

    assert_ok(accepted->err);
    assert_ok(policy_receipt_unpack(slice_of(accepted->policy, accepted->policy_bytes), &receipt));
    assert_int_equal(receipt.verdict.decision, accepted->decision);
    return receipt;
}

/* Status, queue, events and stored receipt are what was decided. */
static void
assert_stands(const struct message_accepted *accepted, enum policy_decision decision, enum policy_rule rule)
{
    static const char *const statuses[] = { "accepted", "held", "blocked" };
    struct policy_receipt receipt = receipt_of(accepted);
    struct message stored;
    char id[ID_UUID_BYTES];
    struct db_tx tx;

    assert_int_equal(receipt.verdict.decision, decision);
    assert_int_equal(receipt.verdict.rule, rule);
    message_testing_assert_status(accepted->id, statuses[decision]);
    id_uuid_print(accepted->id, id);
    assert_int_equal(
        message_testing_count("select count(*) from harkara.dispatch_queue where message_id = '%s'"
                              " and state = '%s'",
                              id, decision == POLICY_HOLD ? "held" : "ready"),
        decision == POLICY_BLOCK ? 0 : 1);
    assert_int_equal(message_testing_count("select count(*) from harkara.event_log where subject_id = '%s'"
                                           " and xid is not null and type = 'message.%s'",
                                           id, statuses[decision]),
                     1);
    assert_int_equal(message_testing_count("select count(*) from harkara.event where subject_id = '%s'"
                                           " and data->>'rule' = '%s'",
                                           id, rule == POLICY_RULE_NONE ? "" : policy_rule_word(rule)),
                     decision == POLICY_ALLOW ? 0 : 1);
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(message_get(&tx, accepted->id, arena, &stored));
    db_rollback(&tx);
    assert_true(slice_eq(stored.policy, slice_of(accepted->policy, accepted->policy_bytes)));
    assert_null(stored.policy_sent.ptr);
}

static void
promotions_ask_for_consent_and_who_has_withdrawn_gets_nothing_for_the_purpose(void **state UNUSED)
{
    struct message_new messages[] = { to("+911", MESSAGE_PROMOTIONAL), to("+912", MESSAGE_PROMOTIONAL),
                                      to("+913", MESSAGE_PROMOTIONAL), to("+914", MESSAGE_SERVICE),
                                      to("+915", MESSAGE_SERVICE),     to("+915", MESSAGE_SERVICE) };
    static const enum policy_decision expected[] = { POLICY_BLOCK, POLICY_ALLOW, POLICY_BLOCK,
                                                     POLICY_ALLOW, POLICY_ALLOW, POLICY_BLOCK };
    struct message_accepted accepted[COUNT_OF(messages)];

    consent(acme, "+912", "promotional", "granted");
    consent(acme, "+913", "promotional", "withdrawn");
    consent(bolt, "+911", "promotional", "granted"); /* another workspace's */
    consent(acme, "+915", "parcels", "withdrawn");
    messages[5].purpose = SLICE("parcels");
    accept_all(clock_system(), messages, accepted, COUNT_OF(messages));
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        enum policy_decision decision = expected[(uintptr_t)messages[i].owner];
        assert_stands(&accepted[i], decision,
                      decision == POLICY_BLOCK ? POLICY_RULE_CONSENT : POLICY_RULE_NONE);
    }
}

static void
a_purpose_is_kept_when_it_is_not_the_categorys(void **state UNUSED)
{
    struct message_new messages[] = { to("+911", MESSAGE_SERVICE), to("+911", MESSAGE_SERVICE) };
    struct message_accepted accepted[COUNT_OF(messages)];
    struct message stored;
    struct db_tx tx;

    messages[0].purpose = SLICE("parcels");
    messages[1].purpose = SLICE("service");
    accept_all(clock_system(), messages, accepted, COUNT_OF(messages));
    assert_ok(db_begin(gateway, acme, &tx));
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        assert_ok(message_get(&tx, accepted[i].id, arena, &stored));
        assert_true(slice_eq(stored.purpose, messages[i].owner == NULL ? SLICE("parcels") : SLICE_EMPTY));
    }
    db_rollback(&tx);
}

static void
whoever_is_suppressed_gets_what_the_scope_leaves(void **state UNUSED)
{
    struct message_new messages[] = { to("+911", MESSAGE_OTP),     to("+912", MESSAGE_OTP),
                                      to("+912", MESSAGE_SERVICE), to("+912", MESSAGE_PROMOTIONAL),
                                      to("+913", MESSAGE_OTP),     to("+914", MESSAGE_OTP) };
    static const bool is_blocked[] = { true, false, false, true, false, false };
    struct message_accepted accepted[COUNT_OF(messages)];

    suppress(acme, "+911", "any", "all");
    suppress(acme, "+912", "whatsapp", "promotional");
    consent(acme, "+912", "promotional", "granted"); /* which opens nothing */
    suppress(acme, "+913", "sms", "all");
    suppress(bolt, "+914", "any", "all");
    accept_all(clock_system(), messages, accepted, COUNT_OF(messages));
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        bool blocks = is_blocked[(uintptr_t)messages[i].owner];
        assert_stands(&accepted[i], blocks ? POLICY_BLOCK : POLICY_ALLOW,
                      blocks ? POLICY_RULE_SUPPRESSION : POLICY_RULE_NONE);
    }
}

static void
a_cap_counts_what_a_person_had_and_what_comes_together(void **state UNUSED)
{
    struct message_new first[] = { to("+921", MESSAGE_PROMOTIONAL), to("+921", MESSAGE_PROMOTIONAL),
                                   to("+921", MESSAGE_PROMOTIONAL), to("+922", MESSAGE_PROMOTIONAL),
                                   to("+921", MESSAGE_SERVICE) },
                       second[] = { to("+921", MESSAGE_PROMOTIONAL), to("+922", MESSAGE_PROMOTIONAL) };
    struct message_accepted accepted[COUNT_OF(first)];
    size_t blocked = 0;

    settings(acme, 2, false);
    accept_all(clock_system(), first, accepted, COUNT_OF(first));
    for (size_t i = 0; i < COUNT_OF(first); i++) {
        bool is_over = accepted[i].decision == POLICY_BLOCK;
        assert_stands(&accepted[i], is_over ? POLICY_BLOCK : POLICY_ALLOW,
                      is_over ? POLICY_RULE_CAP : POLICY_RULE_NONE);
        assert_true(!is_over || (uintptr_t)first[i].owner < 3);
        blocked += is_over;
    }
    assert_int_equal(blocked, 1);
    accept_all(clock_system(), second, accepted, COUNT_OF(second));
    for (size_t i = 0; i < COUNT_OF(second); i++)
        assert_int_equal(accepted[i].decision, second[i].owner == NULL ? POLICY_BLOCK : POLICY_ALLOW);
}

/* By the clock of the recipient; here of a number of no country, which is judged by UTC. */
static void
a_promotion_that_comes_at_night_waits_for_the_day(void **state UNUSED)
{
    struct phone_place place;
    struct clock_manual clock;
    struct wall_time today = { clock_wall(clock_system()).us / (24 * HOUR_US) * (24 * HOUR_US) };
    struct message_accepted accepted[3];

    settings(acme, 0, false);
    phone_place_of(NULL, SLICE("+8811"), &place);
    clock_manual_init(&clock, (struct wall_time){ today.us + 3 * HOUR_US });
    struct message_new messages[] = { to("+911", MESSAGE_PROMOTIONAL), to("+912", MESSAGE_SERVICE),
                                      to("+913", MESSAGE_PROMOTIONAL) };
    for (size_t i = 0; i < COUNT_OF(messages); i++)
        messages[i].place = &place;
    messages[2].send_at = (struct wall_time){ today.us + 12 * HOUR_US }; /* which is a time for it */
    accept_all(&clock.clock, messages, accepted, COUNT_OF(messages));
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        struct policy_receipt receipt = receipt_of(&accepted[i]);
        switch ((uintptr_t)messages[i].owner) {
        case 0:
            assert_stands(&accepted[i], POLICY_HOLD, POLICY_RULE_QUIET_HOURS);
            assert_in_range(receipt.verdict.until.us, today.us + 8 * HOUR_US, today.us + 12 * HOUR_US);
            break;
        case 1:
            assert_stands(&accepted[i], POLICY_ALLOW, POLICY_RULE_NONE);
            break;
        default:
            assert_int_equal(receipt.verdict.decision, POLICY_ALLOW);
            message_testing_assert_status(accepted[i].id, "held"); /* for the time that was asked for */
        }
    }
}

static void
what_the_request_brings_is_judged_with_it(void **state UNUSED)
{
    struct message_new messages[] = { to("+911", MESSAGE_SERVICE), to("+911", MESSAGE_SERVICE),
                                      to("+911", MESSAGE_PROMOTIONAL) };
    static const enum policy_rule rules[] = { POLICY_RULE_TEMPLATE, POLICY_RULE_DLT, POLICY_RULE_DND };
    struct message_accepted accepted[COUNT_OF(messages)];

    settings(acme, 0, false);
    messages[0].asked.template_state = POLICY_TEMPLATE_NOT_APPROVED;
    messages[1].asked.dlt = POLICY_DLT_LINK;
    messages[2].asked.dnd = POLICY_DND_BLOCKED;
    accept_all(clock_system(), messages, accepted, COUNT_OF(messages));
    for (size_t i = 0; i < COUNT_OF(messages); i++)
        assert_stands(&accepted[i], POLICY_BLOCK, rules[(uintptr_t)messages[i].owner]);
}

/* The same request again is answered as it was then, though it might go now. */
static void
what_was_blocked_stays_blocked_under_its_key(void **state UNUSED)
{
    struct message_new first = to("+911", MESSAGE_PROMOTIONAL), again = to("+911", MESSAGE_PROMOTIONAL);
    struct message_accepted accepted[2];

    first.idempotency_key = again.idempotency_key = SLICE("once");
    accept_all(clock_system(), &first, &accepted[0], 1);
    assert_stands(&accepted[0], POLICY_BLOCK, POLICY_RULE_CONSENT);
    consent(acme, "+911", "promotional", "granted");
    accept_all(clock_system(), &again, &accepted[1], 1);
    assert_true(accepted[1].is_replay);
    assert_true(id_eq(accepted[0].id, accepted[1].id));
    assert_int_equal(accepted[1].decision, POLICY_BLOCK);
    assert_int_equal(accepted[1].policy_bytes, accepted[0].policy_bytes);
    assert_memory_equal(accepted[1].policy, accepted[0].policy, accepted[0].policy_bytes);
}

/* A chain of senders is no way around the gate. */
static void
what_is_blocked_goes_no_other_way(void **state UNUSED)
{
    struct message_new message = to("+911", MESSAGE_SERVICE);
    struct message_accepted accepted;
    char id[ID_UUID_BYTES];

    suppress(acme, "+911", "any", "all");
    message.fallbacks[0] =
        (struct message_fallback){ .channel = channel, .kind = SLICE("text"), .after_s = 1 };
    message.fallback_count = 1;
    accept_all(clock_system(), &message, &accepted, 1);
    assert_stands(&accepted, POLICY_BLOCK, POLICY_RULE_SUPPRESSION);
    id_uuid_print(accepted.id, id);
    assert_int_equal(
        message_testing_count("select count(*) from harkara.message_fallback where message_id = '%s'", id),
        0);
}

static void
each_workspace_is_judged_by_its_own(void **state UNUSED)
{
    struct message_new messages[] = { to("+911", MESSAGE_PROMOTIONAL), to("+911", MESSAGE_PROMOTIONAL) };
    struct message_accepted accepted[COUNT_OF(messages)];

    messages[1].tenant = bolt;
    messages[1].channel = other_channel;
    settings(bolt, 0, false);
    accept_all(clock_system(), messages, accepted, COUNT_OF(messages));
    for (size_t i = 0; i < COUNT_OF(messages); i++)
        assert_int_equal(receipt_of(&accepted[i]).verdict.decision,
                         id_eq(messages[i].tenant, bolt) ? POLICY_ALLOW : POLICY_BLOCK);
}

/* Marks what is due in the lane as being sent, by whoever owns it, and leaves that in its transaction. */
static size_t
begin_sending(struct db_tx *tx, struct message_job **jobs)
{
    struct message_claim *claims;
    size_t count = message_testing_look(dispatcher, owner, channel, arena, &claims);

    assert_ok(db_begin(dispatcher, acme, tx));
    assert_ok(message_begin_sending(tx, clock_system(), owner, 60000, claims, count, arena, jobs));
    for (size_t i = 0; i < count; i++)
        assert_true((*jobs)[i].is_mine);
    return count;
}

/* What the gate says of one message that is about to leave, recorded as send_prepare does. */
static struct message
stopped(struct id message, enum policy_decision decision, enum policy_rule rule, struct wall_time until)
{
    unsigned char packed[POLICY_PACKED_MAX];
    struct message stored;
    struct message_job *jobs;
    struct db_tx tx;

    assert_int_equal(begin_sending(&tx, &jobs), 1);
    struct policy_receipt receipt = jobs[0].policy;
    if (until.us != 0) /* as the recipient's hours would have it, which are not known here */
        receipt.verdict = (struct policy_verdict){ decision, rule, until };
    assert_int_equal(receipt.verdict.decision, decision);
    assert_int_equal(receipt.verdict.rule, rule);
    bool is_held = decision == POLICY_HOLD;
    struct message_outcome outcome = { .claim = jobs[0].claim,
                                       .verdict = is_held ? MESSAGE_VERDICT_HELD : MESSAGE_VERDICT_BLOCKED,
                                       .at = clock_wall(clock_system()),
                                       .due_at = receipt.verdict.until,
                                       .error_code = slice_text(is_held ? NULL : policy_rule_word(rule)),
                                       .error_title = slice_text(is_held ? NULL : policy_rule_title(rule)),
                                       .error_class = is_held ? NULL : "permanent",
                                       .rule = rule,
                                       .policy = policy_receipt_pack(&receipt, packed) };
    assert_ok(message_record_outcomes(&tx, clock_system(), &outcome, 1, arena));
    assert_ok(db_commit(&tx));
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(message_get(&tx, message, arena, &stored));
    db_rollback(&tx);
    assert_true(slice_eq(stored.policy_sent, outcome.policy));
    assert_int_equal(stored.attempt_count, 0);
    return stored;
}

static struct id
accepted_one(const struct message_new *message)
{
    struct message_new copy = *message;
    struct message_accepted accepted;

    accept_all(clock_system(), &copy, &accepted, 1);
    assert_ok(accepted.err);
    return accepted.id;
}

static int64_t
queued_as(struct id message, const char *state)
{
    char id[ID_UUID_BYTES];

    id_uuid_print(message, id);
    return message_testing_count("select count(*) from harkara.dispatch_queue where message_id = '%s'"
                                 " and state = '%s'",
                                 id, state);
}

static int64_t
told_of(struct id message, const char *type, const char *rule)
{
    char id[ID_UUID_BYTES];

    id_uuid_print(message, id);
    return message_testing_count("select count(*) from harkara.event where subject_id = '%s'"
                                 " and type = '%s' and data->>'rule' = '%s'",
                                 id, type, rule);
}

/* Who withdraws or is suppressed after a message was accepted does not get it. */
static void
what_is_forbidden_meanwhile_does_not_leave(void **state UNUSED)
{
    struct message_new message = to("+941", MESSAGE_SERVICE);
    struct id id = accepted_one(&message);

    consent(acme, "+941", "service", "withdrawn");
    struct message stored = stopped(id, POLICY_BLOCK, POLICY_RULE_CONSENT, (struct wall_time){ 0 });
    assert_int_equal(stored.status, MESSAGE_BLOCKED);
    assert_true(slice_eq(stored.error_code, SLICE("consent")));
    assert_int_equal(queued_as(id, "sending"), 0);
    assert_int_equal(told_of(id, "message.blocked", "consent"), 1);
}

/* Its workspace may be let go again, its hour comes: until then it waits, and is no attempt. */
static void
what_may_not_leave_now_waits_for_its_time(void **state UNUSED)
{
    struct message_new message = to("+942", MESSAGE_SERVICE);
    struct id id = accepted_one(&message);
    char text[ID_UUID_BYTES];
    struct message_claim *claims;
    size_t kept = 0;

    test_cluster_sql("update harkara.tenant set state = 'suspended' where slug = 'acme'");
    struct message stored = stopped(id, POLICY_HOLD, POLICY_RULE_WORKSPACE, (struct wall_time){ 0 });
    test_cluster_sql("update harkara.tenant set state = 'active' where slug = 'acme'");
    assert_int_equal(stored.status, MESSAGE_HELD);
    assert_null(stored.error_code.ptr);
    assert_true(stored.send_at.us > clock_wall(clock_system()).us);
    assert_int_equal(queued_as(id, "held"), 1);
    assert_int_equal(told_of(id, "message.held", "workspace-standing"), 1);
    assert_int_equal(message_testing_look(dispatcher, owner, channel, arena, &claims), 0);
    id_uuid_print(id, text);
    assert_int_equal(
        message_testing_count("select count(*) from harkara.dispatch_queue where message_id = '%s'"
                              " and attempt = 0 and lease_until is null",
                              text),
        1);
    test_cluster_sql("update harkara.dispatch_queue set due_at = now()");
    assert_ok(message_keep_times(dispatcher, clock_system(), arena, &kept));
    assert_int_equal(queued_as(id, "ready"), 1);
    /* It is judged again when its time has come. */
    suppress(acme, "+942", "any", "all");
    stored = stopped(id, POLICY_BLOCK, POLICY_RULE_SUPPRESSION, (struct wall_time){ 0 });
    assert_int_equal(stored.status, MESSAGE_BLOCKED);
}

static void
what_is_held_longer_than_it_is_good_expires(void **state UNUSED)
{
    struct message_new message = to("+943", MESSAGE_SERVICE);
    struct wall_time now = clock_wall(clock_system());
    size_t kept = 0;

    message.expires_at = (struct wall_time){ now.us + HOUR_US };
    struct id id = accepted_one(&message);
    assert_int_equal(
        stopped(id, POLICY_HOLD, POLICY_RULE_QUIET_HOURS, (struct wall_time){ now.us + 2 * HOUR_US }).status,
        MESSAGE_HELD);
    test_cluster_sql("update harkara.dispatch_queue set expires_at = now()");
    assert_ok(message_keep_times(dispatcher, clock_system(), arena, &kept));
    message_testing_assert_status(id, "expired");
    assert_int_equal(queued_as(id, "held"), 0);
}

/* An attempt whose answer was lost may have arrived: nobody can say that it did not. */
static void
what_is_blocked_after_a_lost_answer_stays_uncertain(void **state UNUSED)
{
    struct message_new message = to("+944", MESSAGE_SERVICE);
    struct id id = accepted_one(&message);

    test_cluster_sql("update harkara.dispatch_queue set is_doubtful = true");
    suppress(acme, "+944", "any", "all");
    assert_int_equal(stopped(id, POLICY_BLOCK, POLICY_RULE_SUPPRESSION, (struct wall_time){ 0 }).status,
                     MESSAGE_UNCERTAIN);
    assert_int_equal(queued_as(id, "sending"), 0);
    assert_int_equal(told_of(id, "message.uncertain", "suppression"), 1);
}

/* What waits for its hour does not lose the time that its first sender has. */
static void
a_next_sender_waits_as_much_longer(void **state UNUSED)
{
    struct message_new message = to("+945", MESSAGE_SERVICE);
    struct wall_time until = { clock_wall(clock_system()).us + 5 * HOUR_US };
    char text[ID_UUID_BYTES];

    message.fallbacks[0] =
        (struct message_fallback){ .channel = channel, .kind = SLICE("text"), .after_s = 60 };
    message.fallback_count = 1;
    struct id id = accepted_one(&message);
    assert_int_equal(stopped(id, POLICY_HOLD, POLICY_RULE_QUIET_HOURS, until).status, MESSAGE_HELD);
    id_uuid_print(id, text);
    assert_int_equal(
        message_testing_count("select count(*) from harkara.message_fallback f join harkara.message m"
                              " on m.id = f.message_id where f.message_id = '%s' and f.position = 1"
                              " and f.due_at = m.send_at + interval '60 s'",
                              text),
        1);
}

static void
a_promotion_does_not_count_itself_but_what_others_send(void **state UNUSED)
{
    struct message_new messages[] = { to("+946", MESSAGE_PROMOTIONAL), to("+946", MESSAGE_PROMOTIONAL),
                                      to("+946", MESSAGE_PROMOTIONAL) };
    struct message_accepted accepted[COUNT_OF(messages)];
    struct message_job *jobs;
    struct db_tx tx;

    settings(acme, 3, false);
    accept_all(clock_system(), messages, accepted, COUNT_OF(messages));
    test_cluster_sql("update harkara.policy_settings set cap_per_day = 1");
    test_cluster_sql(
        "update harkara.dispatch_queue set due_at = now() + interval '1 hour' where message_id <>"
        " (select message_id from harkara.dispatch_queue order by 1 desc limit 1)");
    assert_int_equal(begin_sending(&tx, &jobs), 1);
    assert_int_equal(jobs[0].policy.facts.of[POLICY_FACT_DAY_COUNT], 0);
    assert_int_equal(jobs[0].policy.verdict.decision, POLICY_ALLOW);
    assert_ok(db_commit(&tx));
    test_cluster_sql("update harkara.dispatch_queue set due_at = now() where state = 'ready'");
    /* Two more, which do not count each other here, but what is on its way. */
    assert_int_equal(begin_sending(&tx, &jobs), 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(jobs[i].policy.facts.of[POLICY_FACT_DAY_COUNT], 1);
        assert_int_equal(jobs[i].policy.verdict.rule, POLICY_RULE_CAP);
    }
    db_rollback(&tx);
}

/* What two transactions count at once; the second waits for the first. */
struct counting {
    struct db *db;
    struct id sender, channel;
    enum err err;
    struct policy_receipt policy;
};

static void *
counting_run(void *of)
{
    struct counting *counting = of;
    struct arena *own = arena_new(1u << 20);
    struct message_claim *claims;
    struct message_job *jobs = NULL;
    struct db_tx tx;

    if (own == NULL ||
        message_testing_look(counting->db, counting->sender, counting->channel, own, &claims) != 1)
        return NULL;
    counting->err = db_begin(counting->db, acme, &tx);
    if (counting->err == ERR_OK)
        counting->err =
            message_begin_sending(&tx, clock_system(), counting->sender, 60000, claims, 1, own, &jobs);
    if (counting->err == ERR_OK)
        counting->policy = jobs[0].policy;
    if (counting->err == ERR_OK)
        counting->err = db_commit(&tx);
    arena_free(own);
    return NULL;
}

static void
of_two_that_leave_at_once_the_second_sees_the_first(void **state UNUSED)
{
    struct message_new messages[] = { to("+947", MESSAGE_PROMOTIONAL), to("+947", MESSAGE_PROMOTIONAL) };
    struct id another = message_testing_channel(acme);
    struct counting second = { .db = test_cluster_open("harkara_dispatcher"),
                               .sender = id_new(clock_system()),
                               .channel = another,
                               .err = ERR_SYSTEM };
    struct message_accepted accepted[COUNT_OF(messages)];
    struct message_job *jobs;
    struct db_tx tx;
    pthread_t thread;

    messages[1].channel = another;
    settings(acme, 2, false);
    accept_all(clock_system(), messages, accepted, COUNT_OF(messages));
    test_cluster_sql("update harkara.policy_settings set cap_per_day = 1");
    test_cluster_sql("update harkara.dispatch_lane set is_open = false where channel_id ="
                     " (select channel_id from harkara.dispatch_lane order by 1 desc limit 1)");
    assert_int_equal(begin_sending(&tx, &jobs), 1);
    test_cluster_sql("update harkara.dispatch_lane set is_open = true");
    assert_int_equal(jobs[0].policy.facts.of[POLICY_FACT_DAY_COUNT], 0);
    assert_int_equal(pthread_create(&thread, NULL, counting_run, &second), 0);
    while (test_cluster_number("select count(*) from pg_locks where locktype = 'advisory' and not granted") ==
           0)
        (void)poll(NULL, 0, 5);
    assert_ok(db_commit(&tx));
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_ok(second.err);
    assert_int_equal(second.policy.facts.of[POLICY_FACT_DAY_COUNT], 1);
    assert_int_equal(second.policy.verdict.rule, POLICY_RULE_CAP);
    db_close(second.db);
}

/* Suspended between whoever judged the key and the commit. */
static void
a_workspace_that_is_suspended_meanwhile_sends_nothing(void **state UNUSED)
{
    struct message_new messages[] = { to("+911", MESSAGE_OTP), to("+911", MESSAGE_OTP) };
    struct message_accepted accepted;
    char sql[256], text[ID_UUID_BYTES];

    id_uuid_print(acme, text);
    snprintf(sql, sizeof(sql), "update harkara.tenant set state = 'suspended' where tenant_id = '%s'", text);
    test_cluster_sql(sql);
    accept_all(clock_system(), &messages[0], &accepted, 1);
    assert_stands(&accepted, POLICY_HOLD, POLICY_RULE_WORKSPACE);
    assert_int_equal(receipt_of(&accepted).facts.of[POLICY_FACT_WORKSPACE], POLICY_WORKSPACE_SUSPENDED);
    snprintf(sql, sizeof(sql), "update harkara.tenant set state = 'closed' where tenant_id = '%s'", text);
    test_cluster_sql(sql);
    accept_all(clock_system(), &messages[1], &accepted, 1);
    assert_stands(&accepted, POLICY_BLOCK, POLICY_RULE_WORKSPACE);
    test_cluster_sql("update harkara.tenant set state = 'active'");
}

/* Billing's seam, as billing will fill it. */
static void
what_a_workspace_has_no_credit_for_is_blocked(void **state UNUSED)
{
    struct message_new messages[] = { to("+911", MESSAGE_SERVICE), to("+911", MESSAGE_SERVICE) };
    struct message_accepted accepted[COUNT_OF(messages)];
    char sql[512], text[ID_UUID_BYTES];

    messages[1].tenant = bolt;
    messages[1].channel = other_channel;
    id_uuid_print(acme, text);
    snprintf(
        sql, sizeof(sql),
        "set search_path = harkara; create or replace function workspace_credit(tenant uuid,"
        " channel uuid) returns smallint language sql stable as $$ select case tenant when '%s' then 2 else 1 end::smallint $$",
        text);
    test_cluster_sql(sql);
    accept_all(clock_system(), messages, accepted, COUNT_OF(messages));
    test_cluster_sql("set search_path = harkara; create or replace function workspace_credit(tenant uuid,"
                     " channel uuid) returns smallint language sql stable as $$ select 0::smallint $$");
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        bool is_spent = id_eq(messages[i].tenant, acme);
        assert_int_equal(receipt_of(&accepted[i]).verdict.rule,
                         is_spent ? POLICY_RULE_CREDIT : POLICY_RULE_NONE);
        assert_int_equal(receipt_of(&accepted[i]).facts.of[POLICY_FACT_CREDIT],
                         is_spent ? POLICY_CREDIT_SPENT : POLICY_CREDIT_ENOUGH);
    }
}

static void
what_no_quota_is_left_for_is_blocked(void **state UNUSED)
{
    struct message_new message = to("+911", MESSAGE_SERVICE);
    struct message_accepted accepted;

    message.quota = POLICY_QUOTA_SPENT;
    accept_all(clock_system(), &message, &accepted, 1);
    assert_stands(&accepted, POLICY_BLOCK, POLICY_RULE_QUOTA);
}

/* Whose settings are there changes nothing of what is said of a channel that is not. */
static void
an_unknown_channel_of_a_workspace_with_settings_is_unknown(void **state UNUSED)
{
    struct message_new message = to("+911", MESSAGE_SERVICE);
    struct message_accepted accepted;

    settings(acme, 3, false);
    message.channel = other_channel; /* another workspace's */
    accept_all(clock_system(), &message, &accepted, 1);
    assert_int_equal(accepted.err, ERR_CHANNEL_UNKNOWN);
}

static void
who_wants_promotions_at_other_hours_gets_them_then(void **state UNUSED)
{
    const struct dnd_preference later = { .bands = 1u << 3 }, never = { .bands = 0x1ff };
    struct message_new messages[] = { to("+911", MESSAGE_PROMOTIONAL), to("+912", MESSAGE_PROMOTIONAL),
                                      to("+913", MESSAGE_SERVICE) };
    struct message_accepted accepted[COUNT_OF(messages)];
    struct clock_manual clock;
    struct wall_time eleven, noon;

    assert_ok(wall_parse(SLICE("2026-11-23T11:00:00+05:30"), &eleven));
    assert_ok(wall_parse(SLICE("2026-11-23T12:00:00+05:30"), &noon));
    clock_manual_init(&clock, eleven);
    settings(acme, 0, false);
    messages[0].asked.preference = messages[2].asked.preference = &later;
    messages[0].asked.dnd_category = 4;
    messages[1].asked.preference = &never;
    accept_all(&clock.clock, messages, accepted, COUNT_OF(messages));
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        struct policy_receipt receipt = receipt_of(&accepted[i]);
        switch ((uintptr_t)messages[i].owner) {
        case 0:
            assert_stands(&accepted[i], POLICY_HOLD, POLICY_RULE_DND);
            assert_int_equal(receipt.verdict.until.us, noon.us);
            assert_int_equal(receipt.facts.of[POLICY_FACT_DND_CATEGORY], 4);
            break;
        case 1:
            assert_stands(&accepted[i], POLICY_BLOCK, POLICY_RULE_DND);
            break;
        default:
            assert_stands(&accepted[i], POLICY_ALLOW, POLICY_RULE_NONE);
        }
    }
}

/* A message with three further senders: on a paused channel, with a text that India's registry does not know,
 * and with one that it does. */
static struct message_new
chained(struct id paused)
{
    struct message_new message = to("+911", MESSAGE_SERVICE);
    char sql[256], text[ID_UUID_BYTES];

    id_uuid_print(paused, text);
    snprintf(sql, sizeof(sql), "update harkara.channel set state = 'paused' where id = '%s'", text);
    test_cluster_sql(sql);
    message.fallbacks[0] = (struct message_fallback){ .channel = paused, .kind = SLICE("text") };
    message.fallbacks[1] = (struct message_fallback){ .channel = channel,
                                                      .kind = SLICE("text"),
                                                      .asked.dlt = POLICY_DLT_NOT_MATCHED };
    message.fallbacks[2] = (struct message_fallback){
        .channel = channel, .kind = SLICE("text"), .asked = { .dlt = POLICY_DLT_OK, .dlt_template = paused }
    };
    message.fallback_count = 3;
    return message;
}

static void
each_sender_is_judged_and_one_whose_text_is_not_registered_never_has_its_turn(void **state UNUSED)
{
    static const enum policy_rule rules[] = { POLICY_RULE_NONE, POLICY_RULE_SENDER, POLICY_RULE_DLT,
                                              POLICY_RULE_NONE };
    struct message_new message = chained(message_testing_channel(acme));
    struct message_sender senders[MESSAGE_SENDERS_MAX];
    struct message_accepted accepted;
    struct policy_receipt receipt;
    size_t count = 0;
    bool moved = false;
    char id[ID_UUID_BYTES];
    struct db_tx tx;

    accept_all(clock_system(), &message, &accepted, 1);
    assert_int_equal(receipt_of(&accepted).verdict.decision, POLICY_ALLOW);
    id_uuid_print(accepted.id, id);
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(message_senders(&tx, accepted.id, arena, senders, &count));
    assert_int_equal(count, COUNT_OF(rules));
    for (size_t position = 1; position < count; position++) {
        assert_ok(policy_receipt_unpack(senders[position].policy, &receipt));
        assert_int_equal(receipt.verdict.rule, rules[position]);
        assert_true(slice_eq(senders[position].left_for,
                             rules[position] == POLICY_RULE_DLT ? SLICE("blocked") : SLICE_EMPTY));
    }
    assert_null(senders[0].policy.ptr);
    assert_int_equal(
        message_testing_count("select count(*) from harkara.message_fallback where message_id = '%s'"
                              " and dlt_template_id is not null and position = 3",
                              id),
        1);
    db_rollback(&tx);

    /* The first fails: the paused one is skipped, the stopped one passed over. */
    char sql[256];
    snprintf(sql, sizeof(sql), "update harkara.message set status = 'failed' where id = '%s'", id);
    test_cluster_sql(sql);
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(message_fall_back(
        &tx, clock_system(),
        &(struct message_leave){
            .messages = &accepted.id, .count = 1, .why = MESSAGE_LEFT_FAILED, .actor = MESSAGE_BY_SCHEDULE },
        arena, &moved));
    assert_true(moved);
    assert_ok(message_senders(&tx, accepted.id, arena, senders, &count));
    assert_true(slice_eq(senders[1].left_for, SLICE("skipped")));
    assert_true(slice_eq(senders[2].left_for, SLICE("blocked")));
    assert_null(senders[3].left_for.ptr);
    assert_ok(db_commit(&tx));
    assert_int_equal(
        message_testing_count("select count(*) from harkara.message where id = '%s' and sender = 3", id), 1);
}

/* Where the only one left is stopped there is nobody to go to. */
static void
nothing_falls_back_to_a_sender_that_was_stopped(void **state UNUSED)
{
    struct message_new message = to("+911", MESSAGE_SERVICE);
    struct message_accepted accepted;
    bool moved = true;
    char sql[256], id[ID_UUID_BYTES];
    struct db_tx tx;

    message.fallbacks[0] = (struct message_fallback){ .channel = channel,
                                                      .kind = SLICE("text"),
                                                      .asked.dlt = POLICY_DLT_TEMPLATE_INACTIVE };
    message.fallback_count = 1;
    accept_all(clock_system(), &message, &accepted, 1);
    id_uuid_print(accepted.id, id);
    snprintf(sql, sizeof(sql), "update harkara.message set status = 'failed' where id = '%s'", id);
    test_cluster_sql(sql);
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(message_fall_back(
        &tx, clock_system(),
        &(struct message_leave){
            .messages = &accepted.id, .count = 1, .why = MESSAGE_LEFT_FAILED, .actor = MESSAGE_BY_SCHEDULE },
        arena, &moved));
    assert_false(moved);
    db_rollback(&tx);
}

/* Whatever a message is, a check says beforehand what becomes of it, and leaves nothing behind. */
static void
a_check_says_what_then_happens_and_stores_nothing(void **state UNUSED)
{
    const struct dnd_preference never = { .bands = 0x1ff };
    struct id paused = message_testing_channel(acme);
    struct message_new messages[] = { to("+911", MESSAGE_SERVICE),     to("+912", MESSAGE_PROMOTIONAL),
                                      to("+913", MESSAGE_PROMOTIONAL), to("+914", MESSAGE_OTP),
                                      to("+915", MESSAGE_SERVICE),     chained(paused),
                                      to("+916", MESSAGE_SERVICE),     to("+917", MESSAGE_PROMOTIONAL) };
    static const char stored[] =
        "select (select count(*) from harkara.message) + (select count(*) from harkara.event) +"
        " (select count(*) from harkara.idempotency_key)";

    settings(acme, 1, true);
    consent(acme, "+912", "promotional", "granted");
    consent(acme, "+915", "service", "withdrawn");
    consent(acme, "+917", "promotional", "granted");
    suppress(acme, "+914", "any", "all");
    messages[0].idempotency_key = SLICE("checked");
    messages[6].channel = paused;
    messages[7].asked.preference = &never; /* consent goes before it */
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        struct message_checked checked;
        struct message_accepted accepted;
        struct message_new message = messages[i];
        const int64_t before = message_testing_count(stored);
        assert_ok(message_accept_check(gateway, clock_system(), &messages[i], arena, &checked));
        assert_int_equal(message_testing_count(stored), before);
        assert_ok(message_accept_batch(gateway, clock_system(), &message, &accepted, 1, arena));
        assert_int_equal(checked.err, accepted.err);
        if (accepted.err != ERR_OK)
            continue;
        struct policy_receipt receipt = receipt_of(&accepted);
        receipt.facts.of[POLICY_FACT_AT] = checked.senders[0].facts.of[POLICY_FACT_AT];
        assert_memory_equal(&receipt.facts, &checked.senders[0].facts, sizeof(receipt.facts));
        assert_int_equal(receipt.verdict.decision, checked.senders[0].verdict.decision);
        assert_int_equal(receipt.verdict.rule, checked.senders[0].verdict.rule);
        assert_int_equal(checked.sender_count, 1 + message.fallback_count);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, test_pair_close)
CLUSTER_MAIN(TEST(promotions_ask_for_consent_and_who_has_withdrawn_gets_nothing_for_the_purpose),
             TEST(a_purpose_is_kept_when_it_is_not_the_categorys),
             TEST(whoever_is_suppressed_gets_what_the_scope_leaves),
             TEST(a_cap_counts_what_a_person_had_and_what_comes_together),
             TEST(a_promotion_that_comes_at_night_waits_for_the_day),
             TEST(what_the_request_brings_is_judged_with_it),
             TEST(what_was_blocked_stays_blocked_under_its_key), TEST(what_is_blocked_goes_no_other_way),
             TEST(each_workspace_is_judged_by_its_own), TEST(what_is_forbidden_meanwhile_does_not_leave),
             TEST(a_workspace_that_is_suspended_meanwhile_sends_nothing),
             TEST(what_a_workspace_has_no_credit_for_is_blocked), TEST(what_no_quota_is_left_for_is_blocked),
             TEST(an_unknown_channel_of_a_workspace_with_settings_is_unknown),
             TEST(who_wants_promotions_at_other_hours_gets_them_then),
             TEST(each_sender_is_judged_and_one_whose_text_is_not_registered_never_has_its_turn),
             TEST(nothing_falls_back_to_a_sender_that_was_stopped),
             TEST(a_check_says_what_then_happens_and_stores_nothing),
             TEST(what_may_not_leave_now_waits_for_its_time),
             TEST(what_is_held_longer_than_it_is_good_expires),
             TEST(what_is_blocked_after_a_lost_answer_stays_uncertain),
             TEST(a_next_sender_waits_as_much_longer),
             TEST(a_promotion_does_not_count_itself_but_what_others_send),
             TEST(of_two_that_leave_at_once_the_second_sees_the_first))
