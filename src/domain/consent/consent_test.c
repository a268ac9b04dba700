/* The ledger against a real PostgreSQL. Nothing is sealed here: the bytes only lie in their columns. */
#include "domain/consent/consent_inbound.h"
#include "domain/consent/consent_notice.h"
#include "platform/db/test_pair.h"
#include <stdlib.h>

static struct id channel;

static int
opened(void **state UNUSED)
{
    test_pair_open("delete from harkara.consent_follow_up; delete from harkara.suppression;"
                   " delete from harkara.consent_state; delete from harkara.consent_evidence;"
                   " delete from harkara.consent_peer; delete from harkara.consent_event;"
                   " delete from harkara.consent_settings; delete from harkara.event");
    channel = id_new(clock_system());
    return 0;
}

static struct vault_sealed
sealed(void)
{
    return (struct vault_sealed){ .key_version = 1, .cipher = SLICE("x") };
}

static const struct wall_time base = { INT64_C(1750000000) * 1000000 };

static struct wall_time
second(int64_t s)
{
    return (struct wall_time){ base.us + s * 1000000 };
}

static struct consent_new
entry_of(char peer, enum consent_state state, int64_t at)
{
    static struct vault_sealed proof;
    struct consent_new entry = { .id = id_new(clock_system()),
                                 .channel_kind = SLICE("sms"),
                                 .purpose = SLICE("promotional"),
                                 .state = state,
                                 .source = CONSENT_API,
                                 .method = SLICE("web-form"),
                                 .evidence = &proof,
                                 .peer = &proof,
                                 .actor = CONSENT_BY_KEY,
                                 .actor_id = acme,
                                 .at = second(at) };

    proof = sealed();
    memset(entry.peer_index, peer, sizeof(entry.peer_index));
    return entry;
}

static enum err
record(struct id tenant, struct consent_new *entries, size_t count)
{
    struct db_tx tx;

    assert_ok(db_begin(gateway, tenant, &tx));
    enum err err = consent_record(&tx, clock_system(), entries, count, arena);
    if (err == ERR_OK)
        err = db_commit(&tx);
    db_rollback(&tx);
    return err;
}

/* 'g', 'w', 'u'; '-': nothing is known. */
static char
holds(struct id tenant, char peer, const char *purpose)
{
    struct consent_holding *holdings = NULL;
    unsigned char index[VAULT_INDEX_BYTES];
    size_t count = 0;
    struct db_tx tx;

    memset(index, peer, sizeof(index));
    assert_ok(db_begin(gateway, tenant, &tx));
    assert_ok(consent_holdings(&tx, index, arena, &holdings, &count));
    assert_ok(db_commit(&tx));
    for (size_t i = 0; i < count; i++)
        if (slice_eq(holdings[i].purpose, slice_text(purpose)))
            return consent_state_word(holdings[i].state)[0];
    return '-';
}

static void
nothing_is_granted_without_evidence(void **state UNUSED)
{
    struct consent_new entry = entry_of(1, CONSENT_GRANTED, 1);

    entry.evidence = NULL;
    assert_int_equal(record(acme, &entry, 1), ERR_CONSENT_EVIDENCE);
    assert_int_equal(holds(acme, 1, "promotional"), '-');
    /* Nor past this code: the database refuses it too. */
    struct db_tx tx;
    static const struct db_stmt forged = {
        "forged",
        "INSERT INTO consent_event (tenant_id, id, peer_index, channel_kind, purpose, state, source,"
        " has_evidence, actor_kind, at) VALUES ($1, $2, decode(repeat('07', 32), 'hex'), 'sms', 'x', 'granted',"
        " 'api', false, 'key', now())"
    };
    assert_ok(db_begin(gateway, acme, &tx));
    assert_int_equal(db_exec(&tx, &forged, DB_ARGS(DB_ID(id_new(clock_system()))), NULL), ERR_DB_CONSTRAINT);
    db_rollback(&tx);
}

static void
the_ledger_is_never_changed(void **state UNUSED)
{
    static const struct db_stmt statements[] = {
        { "ledger_update", "UPDATE consent_event SET state = 'granted' WHERE tenant_id = $1" },
        { "ledger_delete", "DELETE FROM consent_event WHERE tenant_id = $1" },
    };
    struct consent_new entry = entry_of(1, CONSENT_WITHDRAWN, 1);

    assert_ok(record(acme, &entry, 1));
    for (size_t i = 0; i < COUNT_OF(statements); i++) {
        struct db_tx tx;
        assert_ok(db_begin(gateway, acme, &tx));
        assert_int_equal(db_exec(&tx, &statements[i], DB_NO_ARGS, NULL), ERR_DB_STATEMENT);
        db_rollback(&tx);
    }
}

/* What holds, worked out in another way: the last word by time, a withdrawal on equal time, `unknown` only
 * alone. */
static char
expected(const struct consent_new *entries, size_t count)
{
    const struct consent_new *best = NULL;
    bool is_any = count > 0;

    for (size_t i = 0; i < count; i++)
        if (entries[i].state != CONSENT_UNKNOWN &&
            (best == NULL || entries[i].at.us > best->at.us ||
             (entries[i].at.us == best->at.us && entries[i].state == CONSENT_WITHDRAWN)))
            best = &entries[i];
    return best != NULL ? consent_state_word(best->state)[0] : is_any ? 'u' : '-';
}

static void
what_holds_depends_on_no_order_and_no_grouping(void **state UNUSED)
{
    unsigned seed = 20261123;

    for (unsigned round = 0; round < 60; round++) {
        struct consent_new entries[6];
        size_t count = 1 + (size_t)rand_r(&seed) % COUNT_OF(entries);
        for (size_t i = 0; i < count; i++) {
            entries[i] =
                entry_of((char)(100 + round), (enum consent_state)(rand_r(&seed) % 3), rand_r(&seed) % 3);
            entries[i].source = rand_r(&seed) % 2 == 0 ? CONSENT_API : CONSENT_MANUAL;
        }
        for (size_t at = 0; at < count;) {
            size_t take = 1 + (size_t)rand_r(&seed) % (count - at);
            assert_ok(record(acme, entries + at, take));
            at += take;
        }
        assert_int_equal(holds(acme, (char)(100 + round), "promotional"), expected(entries, count));
    }
}

static void
the_same_said_twice_is_one_entry_and_told_once(void **state UNUSED)
{
    struct consent_new first = entry_of(2, CONSENT_GRANTED, 5), again = entry_of(2, CONSENT_GRANTED, 5);
    struct id id = first.id;

    assert_ok(record(acme, &first, 1));
    assert_true(first.is_fresh && first.is_effective);
    assert_ok(record(acme, &again, 1));
    assert_false(again.is_fresh);
    assert_true(id_eq(again.id, id));
    assert_int_equal(test_cluster_number("select count(*) from harkara.event where type = 'consent.granted'"),
                     1);
    assert_int_equal(holds(bolt, 2, "promotional"), '-');
}

static struct consent_heard
heard_of(char peer, const char *text, int64_t at)
{
    struct consent_heard heard = {
        .message = id_new(clock_system()), .channel = channel, .channel_kind = SLICE("sms"), .at = second(at)
    };
    unsigned char *index = arena_alloc(arena, VAULT_INDEX_BYTES);

    memset(index, peer, VAULT_INDEX_BYTES);
    heard.peer_index = index;
    assert_ok(consent_keyword_fold(slice_text(text), arena, &heard.folded));
    return heard;
}

/* Whether something is to follow. */
static bool
hear(struct consent_heard heard)
{
    struct db_tx tx;
    bool is_followed = false;

    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(consent_hear(&tx, clock_system(), &heard, 1, arena, &is_followed));
    assert_ok(db_commit(&tx));
    return is_followed;
}

static int64_t
suppressed(void)
{
    return test_cluster_number("select count(*) from harkara.suppression");
}

static void
a_stop_withdraws_what_was_granted_and_is_answered_once(void **state UNUSED)
{
    struct consent_new granted[] = { entry_of(3, CONSENT_GRANTED, 1), entry_of(3, CONSENT_GRANTED, 1),
                                     entry_of(3, CONSENT_GRANTED, 1) };

    granted[1].purpose = SLICE("newsletter");
    granted[2].purpose = SLICE("transactional");
    assert_ok(record(acme, granted, 3));
    assert_true(hear(heard_of(3, "Stop!", 10)));
    assert_int_equal(holds(acme, 3, "promotional"), 'w');
    assert_int_equal(holds(acme, 3, "newsletter"), 'w');
    assert_int_equal(holds(acme, 3, "transactional"), 'g');
    assert_int_equal(suppressed(), 1);
    assert_false(hear(heard_of(3, "STOP", 11)));
    assert_int_equal(suppressed(), 1);
    assert_int_equal(test_cluster_number("select count(*) from harkara.consent_follow_up"), 1);
    assert_false(hear(heard_of(3, "stop it now please", 12)));
}

static void
only_the_person_takes_a_stop_back(void **state UNUSED)
{
    struct consent_new granted = entry_of(4, CONSENT_GRANTED, 20);
    struct suppression *rows = NULL;
    size_t count = 0;
    struct db_tx tx;

    assert_true(hear(heard_of(4, "stop", 10)));
    assert_ok(record(acme, &granted, 1));
    assert_int_equal(granted.err, ERR_CONSENT_SUPPRESSED);
    assert_int_equal(holds(acme, 4, "promotional"), 'w');
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(suppression_list(&tx, &(struct suppression_filter){ 0 }, 10, arena, &rows, &count));
    assert_int_equal(count, 1);
    assert_int_equal(suppression_remove(&tx, clock_system(), rows[0].id, arena), ERR_SUPPRESSION_OWN);
    db_rollback(&tx);
    assert_true(hear(heard_of(4, "start", 30)));
    assert_int_equal(holds(acme, 4, "promotional"), 'g');
    assert_int_equal(suppressed(), 0);
    assert_false(hear(heard_of(4, "start", 31)));
}

static void
words_that_come_late_change_nothing(void **state UNUSED)
{
    assert_true(hear(heard_of(5, "stop", 10)));
    assert_true(hear(heard_of(5, "start", 30)));
    assert_false(hear(heard_of(5, "stop", 20))); /* written before the start, and came after it */
    assert_int_equal(holds(acme, 5, "promotional"), 'g');
    assert_int_equal(suppressed(), 0);
    assert_true(hear(heard_of(5, "stop", 40)));
    assert_false(hear(heard_of(5, "start", 40))); /* a withdrawal wins on equal time */
    assert_int_equal(holds(acme, 5, "promotional"), 'w');
    assert_int_equal(suppressed(), 1);
}

static void
a_start_of_somebody_unknown_is_what_the_workspace_says(void **state UNUSED)
{
    struct consent_settings settings;
    struct db_tx tx;

    assert_false(hear(heard_of(6, "start", 1)));
    assert_int_equal(holds(acme, 6, "promotional"), 'u');
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(consent_settings_read(&tx, arena, &settings));
    settings.of_inbound = CONSENT_GRANTED;
    assert_ok(consent_settings_write(&tx, &settings));
    assert_ok(db_commit(&tx));
    assert_int_equal(settings.revision, 1);
    assert_true(hear(heard_of(6, "start", 2)));
    assert_int_equal(holds(acme, 6, "promotional"), 'g');
}

static void
a_preference_is_lifted_by_a_preference(void **state UNUSED)
{
    struct consent_preference preference = { .entry = id_new(clock_system()),
                                             .channel = channel,
                                             .channel_kind = SLICE("sms"),
                                             .peer = sealed(),
                                             .is_stop = true,
                                             .at = second(10) };
    struct db_tx tx;

    memset(preference.peer_index, 7, sizeof(preference.peer_index));
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(consent_preference_apply(&tx, clock_system(), &preference, arena));
    assert_ok(db_commit(&tx));
    assert_int_equal(suppressed(), 1);
    (void)hear(heard_of(7, "start", 20));
    assert_int_equal(suppressed(), 1);
    preference.entry = id_new(clock_system());
    preference.is_stop = false;
    preference.at = second(30);
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(consent_preference_apply(&tx, clock_system(), &preference, arena));
    assert_ok(db_commit(&tx));
    assert_int_equal(suppressed(), 0);
}

static void
erasure_leaves_the_opt_out(void **state UNUSED)
{
    struct consent_new said = entry_of(8, CONSENT_WITHDRAWN, 1), granted;
    struct suppression_new row = { .id = id_new(clock_system()),
                                   .channel_kind = SLICE("any"),
                                   .is_all = true,
                                   .reason = SUPPRESSION_MANUAL,
                                   .actor = CONSENT_BY_KEY,
                                   .at = second(1) };
    unsigned char index[VAULT_INDEX_BYTES];
    size_t count = 0;
    struct db_tx tx;

    memset(index, 8, sizeof(index));
    memcpy(row.peer_index, index, sizeof(index));
    assert_ok(record(acme, &said, 1));
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(suppression_add(&tx, clock_system(), &row, 1, arena));
    assert_ok(consent_erase(&tx, index, &count));
    assert_ok(db_commit(&tx));
    assert_int_equal(count, 2); /* the address and the evidence */
    assert_int_equal(holds(acme, 8, "promotional"), 'w');
    granted = entry_of(8, CONSENT_GRANTED, 9);
    granted.source = CONSENT_IMPORT;
    assert_ok(record(acme, &granted, 1));
    assert_int_equal(granted.err, ERR_CONSENT_SUPPRESSED);
}

static void
a_notice_gets_the_next_version_of_its_name_and_language(void **state UNUSED)
{
    struct consent_notice notice = { .id = id_new(clock_system()),
                                     .name = SLICE("offers"),
                                     .language = SLICE("en"),
                                     .text = SLICE("We write to you about offers."),
                                     .terms = SLICE("{}") };
    struct consent_notice again = notice, read;
    struct db_tx tx;
    bool known[2];

    again.id = id_new(clock_system());
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(consent_notice_add(&tx, clock_system(), CONSENT_BY_KEY, acme, &notice));
    assert_ok(consent_notice_add(&tx, clock_system(), CONSENT_BY_KEY, acme, &again));
    assert_int_equal(again.version, notice.version + 1);
    assert_ok(consent_notice_get(&tx, notice.id, arena, &read));
    assert_true(slice_eq(read.text, notice.text));
    assert_memory_equal(read.hash, notice.hash, sizeof(read.hash));
    assert_ok(consent_notices_known(&tx, (const struct id[]){ notice.id, acme }, 2, known));
    assert_true(known[0] && !known[1]);
    assert_ok(db_commit(&tx));
    assert_ok(db_begin(gateway, bolt, &tx));
    assert_int_equal(consent_notice_get(&tx, notice.id, arena, &read), ERR_NOT_FOUND);
    db_rollback(&tx);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, opened, test_pair_close)
CLUSTER_MAIN(CASE(nothing_is_granted_without_evidence), CASE(the_ledger_is_never_changed),
             CASE(what_holds_depends_on_no_order_and_no_grouping),
             CASE(the_same_said_twice_is_one_entry_and_told_once),
             CASE(a_stop_withdraws_what_was_granted_and_is_answered_once),
             CASE(only_the_person_takes_a_stop_back), CASE(words_that_come_late_change_nothing),
             CASE(a_start_of_somebody_unknown_is_what_the_workspace_says),
             CASE(a_preference_is_lifted_by_a_preference), CASE(erasure_leaves_the_opt_out),
             CASE(a_notice_gets_the_next_version_of_its_name_and_language))
