/* Templates on a real PostgreSQL: what is kept, what is asked of WhatsApp, what is learnt and told. The seals
 * are not real. */
#include "domain/channel/channel.h"
#include "domain/template/template.h"
#include "platform/db/test_pair.h"
#include <stdio.h>

#define NEEDS SLICE("{\"body\":{\"kind\":\"text\",\"variables\":[],\"fixed\":5}}")

static struct id sender;
static struct clock_manual manual;
static const struct clock *hands;
static int numbers;

static struct vault_sealed
sealed(const char *text)
{
    return (struct vault_sealed){ .cipher = slice_text(text), .key_version = 1 };
}

static struct id
channel_made(struct id tenant, const char *waba_id)
{
    struct channel_new with = { .id = id_new(clock_system()),
                                .name = SLICE("Support"),
                                .waba_id = slice_text(waba_id),
                                .phone_number_id = arena_format(arena, "%d", ++numbers),
                                .display_phone_number = SLICE("+1 555"),
                                .sealed = { sealed("token"), sealed("secret"), sealed("verify") } };
    struct channel channel;
    struct db_tx tx;

    assert_ok(db_begin(gateway, tenant, &tx));
    assert_ok(channel_create(&tx, clock_system(), &with, arena, &channel));
    assert_ok(db_commit(&tx));
    return channel.id;
}

static int
opened(void **state UNUSED)
{
    test_pair_open(
        "delete from template; delete from provider_task; delete from event; delete from dispatch_lane;"
        " delete from whatsapp_channel; delete from channel");
    sender = channel_made(acme, "77");
    clock_manual_init(&manual, clock_wall(clock_system()));
    hands = &manual.clock;
    return 0;
}

static struct template_new
drafted(const char *name, const char *language)
{
    static struct vault_sealed components, draft;
    static unsigned char digest[TEMPLATE_DIGEST_BYTES] = { 7 };

    components = sealed("components");
    draft = sealed("draft");
    return (struct template_new){ .id = id_new(clock_system()),
                                  .channel = sender,
                                  .name = slice_text(name),
                                  .language = slice_text(language),
                                  .category = TEMPLATE_UTILITY,
                                  .needs = NEEDS,
                                  .components = &components,
                                  .digest = digest,
                                  .draft = &draft };
}

static enum err
create(const struct template_new *with, struct template *out, bool *is_replay)
{
    struct db_tx tx;

    assert_ok(db_begin(gateway, acme, &tx));
    enum err err = template_create(&tx, hands, with, arena, out, is_replay);
    if (err == ERR_OK)
        err = db_commit(&tx);
    db_rollback(&tx);
    return err;
}

static struct id
created(const char *name, const char *language)
{
    struct template_new with = drafted(name, language);
    struct template made;
    bool is_replay;

    assert_ok(create(&with, &made, &is_replay));
    assert_int_equal(made.state, TEMPLATE_SUBMITTING);
    return made.id;
}

static enum err
learn(struct id template, struct template_news news)
{
    struct db_tx tx;

    if (news.at.us == 0)
        news.at = clock_wall(hands);
    assert_ok(db_begin(dispatcher, acme, &tx));
    enum err err = template_learn(&tx, hands, template, &news, arena);
    if (err == ERR_OK)
        err = db_commit(&tx);
    db_rollback(&tx);
    return err;
}

static enum err
ask(struct id template, enum template_change change, struct template *out)
{
    struct vault_sealed draft = sealed("edited");
    struct template_ask with = { .template = template,
                                 .change = change,
                                 .draft = change == TEMPLATE_CHANGE_EDIT ? &draft : NULL };
    struct slice why;
    struct db_tx tx;

    assert_ok(db_begin(gateway, acme, &tx));
    enum err err = template_change_ask(&tx, hands, &with, arena, &why, out);
    if (err == ERR_OK)
        err = db_commit(&tx);
    else if (err == ERR_STATE_CONFLICT)
        assert_true(why.len > 0);
    db_rollback(&tx);
    return err;
}

static struct template known(struct id tenant, struct id template, enum err want)
{
    struct template got = { .revision = 0 };
    struct db_tx tx;

    assert_ok(db_begin(gateway, tenant, &tx));
    assert_int_equal(template_get(&tx, template, arena, &got), want);
    db_rollback(&tx);
    return got;
}

/* The types of the events of a template, oldest first, behind "template.". */
static void
told(struct id template, const char *want)
{
    char sql[512], id[ID_UUID_BYTES];

    id_uuid_print(template, id);
    snprintf(sql, sizeof(sql),
             "select (coalesce(string_agg(substr(type, 10), ' ' order by id), '') = '%s')::int from event"
             " where subject_id = '%s'",
             want, id);
    if (test_cluster_number(sql) != 1)
        fail_msg("not told: %s", want);
}

static void
tasks_are(const char *want)
{
    char sql[512];

    snprintf(
        sql, sizeof(sql),
        "select (coalesce(string_agg(substr(kind, 10), ' ' order by id), '') = '%s')::int from provider_task",
        want);
    if (test_cluster_number(sql) != 1)
        fail_msg("not asked: %s", want);
}

static const struct template_news approved = {
    .has_state = true, .state = TEMPLATE_APPROVED, .ends_change = true, .provider_id = { "123", 3 }
};

static void
a_template_is_kept_asked_for_and_told(void **state UNUSED)
{
    struct id id = created("order_sent", "en_US");
    struct template got = known(acme, id, ERR_OK);

    assert_int_equal(got.change, TEMPLATE_CHANGE_CREATE);
    assert_int_equal(got.category, TEMPLATE_UTILITY);
    assert_true(slice_eq(got.waba_id, SLICE("77")) && got.has_components && got.provider_id.len == 0);
    assert_true(slice_eq(got.components.cipher, SLICE("components")));
    tasks_are("create");
    told(id, "created");
    (void)known(bolt, id, ERR_NOT_FOUND);
}

static void
a_name_is_there_once_in_each_language(void **state UNUSED)
{
    struct template_new again = drafted("order_sent", "en_US"), other = drafted("order_sent", "hi");
    struct template made;
    bool is_replay;
    struct id first = created("order_sent", "en_US");

    assert_int_equal(create(&again, &made, &is_replay), ERR_EXISTS);
    assert_ok(create(&other, &made, &is_replay));
    assert_ok(learn(first, (struct template_news){ .has_state = true,
                                                   .state = TEMPLATE_REFUSED,
                                                   .ends_change = true,
                                                   .is_refused = true,
                                                   .error_code = SLICE("whatsapp-100-2388293"),
                                                   .error_title = SLICE("Too many.") }));
    assert_ok(create(&again, &made, &is_replay)); /* what WhatsApp refused does not stand in the way */
    assert_true(slice_eq(known(acme, first, ERR_OK).error_code, SLICE("whatsapp-100-2388293")));
    told(first, "created state-changed");
}

static void
an_idempotency_key_makes_one_template(void **state UNUSED)
{
    struct template_new first = drafted("a", "en"), again = drafted("a", "en"), other = drafted("b", "en");
    struct template made;
    bool is_replay;

    first.idempotency_key = again.idempotency_key = other.idempotency_key = SLICE("k");
    other.fingerprint[0] = 1;
    assert_ok(create(&first, &made, &is_replay));
    assert_false(is_replay);
    assert_ok(create(&again, &made, &is_replay));
    assert_true(is_replay && id_eq(made.id, first.id));
    assert_int_equal(create(&other, &made, &is_replay), ERR_IDEMPOTENCY_MISMATCH);
    tasks_are("create");
}

static void
a_channel_that_cannot_be_asked_is_refused(void **state UNUSED)
{
    struct template_new with = drafted("a", "en");
    struct template made;
    bool is_replay;

    test_cluster_sql("update channel set state = 'broken'");
    assert_int_equal(create(&with, &made, &is_replay), ERR_CHANNEL_NOT_READY);
    test_cluster_sql("update channel set state = 'paused'");
    assert_ok(create(&with, &made, &is_replay));
    with.channel = id_new(clock_system());
    assert_int_equal(create(&with, &made, &is_replay), ERR_CHANNEL_UNKNOWN);
}

static void
one_change_at_a_time_and_as_often_as_allowed(void **state UNUSED)
{
    struct id id = created("a", "en");
    struct template got;
    const struct template_news taken = { .has_state = true, .state = TEMPLATE_PENDING, .ends_change = true };

    assert_int_equal(ask(id, TEMPLATE_CHANGE_EDIT, &got), ERR_STATE_CONFLICT);
    assert_int_equal(ask(id, TEMPLATE_CHANGE_DELETE, &got), ERR_STATE_CONFLICT);
    assert_ok(learn(id, approved));
    assert_int_equal(ask(id, TEMPLATE_CHANGE_UNPAUSE, &got), ERR_STATE_CONFLICT);
    assert_ok(ask(id, TEMPLATE_CHANGE_EDIT, &got));
    assert_int_equal(got.change, TEMPLATE_CHANGE_EDIT);
    assert_int_equal(got.state, TEMPLATE_APPROVED); /* until WhatsApp has taken it */
    assert_int_equal(ask(id, TEMPLATE_CHANGE_DELETE, &got), ERR_STATE_CONFLICT);
    for (int i = 0; i < 10; i++) {
        if (i % 2 == 1) /* the review is heard of before the edit's own answer */
            assert_ok(learn(id, (struct template_news){ .has_state = true, .state = TEMPLATE_PENDING }));
        assert_ok(learn(id, taken));
        assert_ok(learn(id, approved));
        assert_int_equal(ask(id, TEMPLATE_CHANGE_EDIT, &got), ERR_STATE_CONFLICT); /* one a day */
        clock_manual_advance(&manual, INT64_C(86400000000));
        assert_int_equal(ask(id, TEMPLATE_CHANGE_EDIT, &got),
                         i == 9 ? ERR_STATE_CONFLICT : ERR_OK); /* ten a month */
    }
    assert_int_equal(known(acme, id, ERR_OK).edit_count, 10);
    clock_manual_advance(&manual, 20 * INT64_C(86400000000));
    assert_ok(ask(id, TEMPLATE_CHANGE_EDIT, &got));
    assert_ok(learn(id, (struct template_news){ .ends_change = true,
                                                .is_refused = true,
                                                .error_code = SLICE("whatsapp-100-2388039"),
                                                .error_title = SLICE("Not now.") }));
    assert_int_equal(known(acme, id, ERR_OK).state, TEMPLATE_APPROVED);
    assert_ok(ask(id, TEMPLATE_CHANGE_EDIT, &got)); /* what was refused does not count */
    assert_int_equal(got.error_code.len, 0);
}

static void
a_pause_lifts_caps_and_ends_on_demand(void **state UNUSED)
{
    struct id id = created("a", "en");
    struct template got;

    assert_ok(learn(id, approved));
    assert_ok(ask(id, TEMPLATE_CHANGE_EDIT, &got));
    assert_ok(learn(id, (struct template_news){ .ends_change = true }));
    assert_ok(learn(id, (struct template_news){ .has_state = true,
                                                .state = TEMPLATE_PAUSED,
                                                .state_reason = SLICE("first_pause"),
                                                .state_detail = SLICE("Paused for 3 hours") }));
    got = known(acme, id, ERR_OK);
    assert_true(slice_eq(got.state_reason, SLICE("first_pause")) && got.state_detail.len > 0);
    assert_ok(ask(id, TEMPLATE_CHANGE_EDIT, &got));
    assert_ok(learn(id, (struct template_news){ .ends_change = true }));
    assert_ok(ask(id, TEMPLATE_CHANGE_UNPAUSE, &got));
    assert_ok(learn(id, approved));
    got = known(acme, id, ERR_OK);
    assert_int_equal(got.state_reason.len + got.state_detail.len, 0);
    tasks_are("create edit edit unpause");
    told(id, "created state-changed state-changed state-changed");
}

static void
a_refused_template_is_deleted_without_asking(void **state UNUSED)
{
    struct id id = created("a", "en");
    struct template got;

    assert_ok(learn(
        id, (struct template_news){ .has_state = true, .state = TEMPLATE_REFUSED, .ends_change = true }));
    assert_ok(ask(id, TEMPLATE_CHANGE_DELETE, &got));
    assert_int_equal(got.state, TEMPLATE_DELETED);
    tasks_are("create");
    told(id, "created state-changed deleted");
}

static void
older_news_do_not_undo_newer_ones(void **state UNUSED)
{
    struct id id = created("a", "en");
    struct wall_time before = clock_wall(hands);
    struct template_news pending = {
        .at = before, .has_state = true, .state = TEMPLATE_PENDING, .ends_change = true
    };

    clock_manual_advance(&manual, 1000);
    assert_ok(learn(id, approved)); /* the webhook was faster than the answer to the call */
    uint32_t revision = known(acme, id, ERR_OK).revision;
    assert_ok(learn(id, pending));
    assert_int_equal(known(acme, id, ERR_OK).state, TEMPLATE_APPROVED);
    revision = known(acme, id, ERR_OK).revision;
    assert_ok(learn(id, (struct template_news){ .has_state = true, .state = TEMPLATE_APPROVED }));
    assert_int_equal(known(acme, id, ERR_OK).revision, revision); /* nothing new uses nothing up */
    told(id, "created state-changed");
}

/* WhatsApp shows that a template is paused, and not why. */
static void
a_look_keeps_the_reason_of_a_state_that_stays(void **state UNUSED)
{
    struct id id = created("a", "en");
    struct template_news paused = { .has_state = true,
                                    .state = TEMPLATE_PAUSED,
                                    .state_reason = SLICE("first_pause") },
                         seen = { .has_state = true, .state = TEMPLATE_PAUSED, .is_look = true };

    assert_ok(learn(id, approved));
    assert_ok(learn(id, paused));
    assert_ok(learn(id, seen));
    assert_true(slice_eq(known(acme, id, ERR_OK).state_reason, SLICE("first_pause")));
    told(id, "created state-changed state-changed");
    seen.state = TEMPLATE_APPROVED;
    assert_ok(learn(id, seen));
    assert_int_equal(known(acme, id, ERR_OK).state_reason.len, 0);
}

/* Webhooks come in any order and more than once: the last word counts, whichever way it came. */
static void
any_order_of_news_gives_the_same_state(void **state UNUSED)
{
    static const enum template_state said[] = { TEMPLATE_PAUSED, TEMPLATE_APPROVED, TEMPLATE_PAUSED,
                                                TEMPLATE_APPROVED };
    static const int orders[][6] = { { 0, 1, 2, 3, 0, 1 }, { 3, 2, 1, 0, 2, 2 }, { 1, 0, 3, 2, 1, 0 },
                                     { 3, 0, 3, 1, 2, 0 }, { 2, 2, 0, 3, 1, 2 }, { 0, 3, 0, 2, 1, 3 } };
    char name[8] = "name_0";

    for (size_t i = 0; i < COUNT_OF(orders); i++) {
        name[5] = (char)('0' + i);
        struct id id = created(name, "en");
        struct wall_time from = clock_wall(hands);
        assert_ok(learn(id, approved));
        clock_manual_advance(&manual, 10000);
        for (size_t k = 0; k < COUNT_OF(orders[i]); k++)
            assert_ok(learn(id, (struct template_news){ .at = { from.us + 1000 * (orders[i][k] + 1) },
                                                        .has_state = true,
                                                        .state = said[orders[i][k]] }));
        assert_int_equal(known(acme, id, ERR_OK).state, TEMPLATE_APPROVED);
    }
}

static void
quality_and_category_are_told_once(void **state UNUSED)
{
    struct id id = created("a", "en");
    struct wall_time when = { clock_wall(hands).us + 86400000000 };
    const struct template_news quality = { .has_quality = true, .quality = TEMPLATE_QUALITY_RED };
    const struct template_news notice = { .has_notice = true,
                                          .correct_category = TEMPLATE_MARKETING,
                                          .category_change_at = when };
    const struct template_news changed = { .has_category = true, .category = TEMPLATE_MARKETING };

    assert_ok(learn(id, quality));
    assert_ok(learn(id, quality));
    assert_ok(learn(id, notice));
    assert_ok(learn(id, notice));
    struct template got = known(acme, id, ERR_OK);
    assert_true(got.has_correct_category && got.correct_category == TEMPLATE_MARKETING);
    assert_true(got.has_category_change_at && got.category_change_at.us == when.us);
    assert_int_equal(got.quality, TEMPLATE_QUALITY_RED);
    assert_ok(learn(id, changed));
    assert_ok(learn(id, changed));
    got = known(acme, id, ERR_OK);
    assert_true(got.category == TEMPLATE_MARKETING && got.previous_category == TEMPLATE_UTILITY);
    assert_false(got.has_correct_category || got.has_category_change_at);
    told(id, "created quality-changed category-announced category-changed");
}

static void
components_are_news_only_when_they_differ(void **state UNUSED)
{
    unsigned char digest[TEMPLATE_DIGEST_BYTES] = { 7 }, read[TEMPLATE_DIGEST_BYTES];
    struct vault_sealed anew = sealed("anew");
    struct template_news news = {
        .components = &anew, .digest = digest, .needs = SLICE("{}"), .is_sync = true
    };
    struct id id = created("a", "en");
    struct db_tx tx;

    assert_ok(learn(id, approved));
    assert_ok(learn(id, news));
    assert_true(slice_eq(known(acme, id, ERR_OK).components.cipher, SLICE("components")));
    assert_true(known(acme, id, ERR_OK).has_synced_at);
    digest[0] = 8;
    assert_ok(learn(id, news));
    assert_true(slice_eq(known(acme, id, ERR_OK).components.cipher, SLICE("anew")));
    told(id, "created state-changed updated");
    assert_ok(db_begin(dispatcher, acme, &tx));
    assert_ok(template_digest_read(&tx, id, read));
    db_rollback(&tx);
    assert_memory_equal(read, digest, sizeof(digest));
}

static size_t
listed(const struct template_filter *filter, size_t limit)
{
    struct template *templates;
    struct db_tx tx;
    size_t count = 0;

    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(template_list(&tx, filter, limit, arena, &templates, &count));
    db_rollback(&tx);
    return count;
}

static void
lists_are_filtered_and_paged(void **state UNUSED)
{
    struct id a = created("order_sent", "en"), b = created("order_sent", "hi"),
              c = created("order_gone", "en");
    struct id other = channel_made(acme, "78");

    assert_ok(learn(a, approved));
    assert_ok(learn(c, (struct template_news){ .has_state = true, .state = TEMPLATE_DELETED }));
    assert_int_equal(listed(&(struct template_filter){ .has_state = false }, 10), 2);
    assert_int_equal(listed(&(struct template_filter){ .has_state = false }, 1), 2); /* one more than asked */
    assert_int_equal(listed(&(struct template_filter){ .cursor = b }, 10), 1);
    assert_int_equal(listed(&(struct template_filter){ .channel = sender }, 10), 2);
    assert_int_equal(listed(&(struct template_filter){ .channel = other }, 10), 0);
    assert_int_equal(listed(&(struct template_filter){ .has_state = true, .state = TEMPLATE_DELETED }, 10),
                     1);
    assert_int_equal(listed(&(struct template_filter){ .has_state = true, .state = TEMPLATE_APPROVED }, 10),
                     1);
    assert_int_equal(listed(&(struct template_filter){ .language = SLICE("hi") }, 10), 1);
    assert_int_equal(listed(&(struct template_filter){ .name = SLICE("sent") }, 10), 2);
    assert_int_equal(listed(&(struct template_filter){ .name = SLICE("gone") }, 10), 0);
    assert_int_equal(
        listed(&(struct template_filter){ .has_category = true, .category = TEMPLATE_MARKETING }, 10), 0);
}

static void
a_send_finds_the_template_of_its_account(void **state UNUSED)
{
    struct id id = created("a", "en"), twin = channel_made(acme, "77"), other = channel_made(acme, "78");
    const struct {
        struct id channel;
        const char *name, *language;
        enum err want;
    } cases[] = { { sender, "a", "en", ERR_OK },
                  { twin, "a", "en", ERR_OK },
                  { other, "a", "en", ERR_NOT_FOUND },
                  { sender, "b", "en", ERR_NOT_FOUND },
                  { sender, "a", "hi", ERR_NOT_FOUND } };
    struct template_sendable got;
    struct db_tx tx;

    assert_ok(db_begin(gateway, acme, &tx));
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(template_for_send(&tx, cases[i].channel, slice_text(cases[i].name),
                                           slice_text(cases[i].language), arena, &got),
                         cases[i].want);
    assert_ok(template_for_send(&tx, sender, SLICE("a"), SLICE("en"), arena, &got));
    assert_true(id_eq(got.id, id) && got.state == TEMPLATE_SUBMITTING && got.knows_needs);
    db_rollback(&tx);
    assert_ok(learn(id, (struct template_news){ .has_state = true, .state = TEMPLATE_DELETED }));
    assert_ok(db_begin(gateway, acme, &tx));
    assert_int_equal(template_for_send(&tx, sender, SLICE("a"), SLICE("en"), arena, &got), ERR_NOT_FOUND);
    db_rollback(&tx);
}

static void
a_sync_finds_keeps_and_sweeps(void **state UNUSED)
{
    struct id kept = created("kept", "en"), lost = created("lost", "en"), waiting = created("waiting", "en"),
              found;
    struct template_new discovered = drafted("found", "en");
    struct wall_time since;
    struct db_tx tx;
    size_t count = 0;

    assert_ok(learn(kept, approved));
    assert_ok(learn(lost, approved));
    clock_manual_advance(&manual, 1000000);
    since = clock_wall(hands);
    clock_manual_advance(&manual, 1000000);
    assert_ok(learn(kept, (struct template_news){ .is_sync = true, .channel = sender }));
    discovered.draft = NULL;
    assert_ok(db_begin(dispatcher, acme, &tx));
    assert_int_equal(template_by_provider(&tx, sender, SLICE("999"), SLICE("found"), SLICE("en"), &found),
                     ERR_NOT_FOUND);
    assert_ok(template_discover(&tx, hands, &discovered, TEMPLATE_PAUSED, SLICE("999"), arena));
    assert_ok(template_learn(&tx, hands, discovered.id, &(struct template_news){ .is_sync = true }, arena));
    assert_ok(template_by_provider(&tx, sender, SLICE("999"), SLICE("x"), SLICE("y"), &found));
    assert_true(id_eq(found, discovered.id));
    assert_ok(template_sweep(&tx, hands, sender, since, arena, &count));
    assert_ok(db_commit(&tx));
    assert_int_equal(count, 1);
    assert_int_equal(known(acme, kept, ERR_OK).state, TEMPLATE_APPROVED);
    assert_int_equal(known(acme, lost, ERR_OK).state, TEMPLATE_DELETED);
    assert_int_equal(known(acme, waiting, ERR_OK).state,
                     TEMPLATE_SUBMITTING); /* WhatsApp has not answered yet */
    assert_int_equal(known(acme, discovered.id, ERR_OK).state, TEMPLATE_PAUSED);
    told(lost, "created state-changed deleted");
    told(discovered.id, "created");
}

static void
a_template_moves_to_a_sender_that_is_left(void **state UNUSED)
{
    struct id id = created("a", "en"), twin = channel_made(acme, "77");

    assert_ok(learn(id, (struct template_news){ .is_sync = true, .channel = twin }));
    assert_true(id_eq(known(acme, id, ERR_OK).channel, sender));
    test_cluster_sql("update channel set state = 'deleted' where id = (select channel_id from template)");
    assert_ok(learn(id, (struct template_news){ .is_sync = true, .channel = twin }));
    assert_true(id_eq(known(acme, id, ERR_OK).channel, twin));
}

static void
a_name_goes_with_all_its_languages(void **state UNUSED)
{
    struct id en = created("a", "en"), hi = created("a", "hi"), other = created("b", "en");
    struct db_tx tx;

    assert_ok(learn(en, approved));
    assert_ok(learn(hi, approved));
    assert_ok(learn(other, approved));
    assert_ok(db_begin(dispatcher, acme, &tx));
    assert_ok(template_delete_name(&tx, hands, en, arena));
    assert_ok(db_commit(&tx));
    assert_int_equal(known(acme, hi, ERR_OK).state, TEMPLATE_DELETED);
    assert_int_equal(known(acme, other, ERR_OK).state, TEMPLATE_APPROVED);
}

static void
a_look_is_asked_for_once(void **state UNUSED)
{
    struct id template = created("a", "en"), first, again, one, later, same, last;
    struct wall_time none = { 0 }, soon = wall_after_ms(clock_wall(hands), 3600000),
                     after = wall_after_ms(soon, 1000);
    struct db_tx tx;

    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(template_sync_ask(&tx, hands, sender, (struct id){ { 0 } }, none, &first));
    assert_ok(template_sync_ask(&tx, hands, sender, (struct id){ { 0 } }, none, &again));
    assert_ok(template_sync_ask(&tx, hands, sender, template, none, &one));
    assert_true(id_eq(first, again) && !id_eq(first, one));
    assert_ok(template_sync_ask(&tx, hands, sender, template, soon, &later));
    assert_ok(template_sync_ask(&tx, hands, sender, template, soon, &same));
    assert_ok(template_sync_ask(&tx, hands, sender, template, after, &last));
    assert_true(!id_eq(later, one) && id_eq(later, same) &&
                !id_eq(later, last)); /* it would look too early */
    assert_ok(db_commit(&tx));
    tasks_are("create sync refresh refresh refresh");
    assert_int_equal(test_cluster_number(
                         "select count(*) from provider_task where due_at > now() + interval '50 minutes'"),
                     2);
}

/* A template belongs to an account: whoever reaches one of its channels finds it, named by that one. */
static void
a_limit_to_channels_is_one_to_their_accounts(void **state UNUSED)
{
    const struct id template = created("a", "en"), fellow = channel_made(acme, "77"),
                    stranger = channel_made(acme, "78");
    const struct id *reached[] = { &fellow, &sender, &stranger };
    struct template *found, got;
    struct db_tx tx;
    size_t count;

    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(template_reach_check(&tx, template, NULL, 0));
    for (size_t i = 0; i < COUNT_OF(reached); i++) {
        bool is_theirs = reached[i] != &stranger;
        assert_int_equal(template_reach_check(&tx, template, reached[i], 1),
                         is_theirs ? ERR_OK : ERR_NOT_FOUND);
        assert_ok(template_list(&tx, &(struct template_filter){ .channels = reached[i], .channel_count = 1 },
                                100, arena, &found, &count));
        assert_int_equal(count, is_theirs ? 1 : 0);
        assert_ok(template_get(&tx, template, arena, &got));
        assert_ok(template_name_reached(&tx, reached[i], 1, &got, 1));
        assert_true(id_eq(got.channel, is_theirs ? *reached[i] : sender));
    }
    assert_ok(template_list(&tx, &(struct template_filter){ .channels = &sender, .channel_count = 0 }, 100,
                            arena, &found, &count));
    assert_int_equal(count, 0); /* a list of none is not no list */
    assert_ok(template_get(&tx, template, arena, &got));
    assert_ok(template_name_reached(&tx, NULL, 0, &got, 1));
    assert_true(id_eq(got.channel, sender));
    db_rollback(&tx);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, test_pair_close)
CLUSTER_MAIN(TEST(a_template_is_kept_asked_for_and_told), TEST(a_name_is_there_once_in_each_language),
             TEST(an_idempotency_key_makes_one_template), TEST(a_channel_that_cannot_be_asked_is_refused),
             TEST(one_change_at_a_time_and_as_often_as_allowed), TEST(a_pause_lifts_caps_and_ends_on_demand),
             TEST(a_refused_template_is_deleted_without_asking), TEST(older_news_do_not_undo_newer_ones),
             TEST(a_look_keeps_the_reason_of_a_state_that_stays),
             TEST(any_order_of_news_gives_the_same_state), TEST(quality_and_category_are_told_once),
             TEST(components_are_news_only_when_they_differ), TEST(lists_are_filtered_and_paged),
             TEST(a_send_finds_the_template_of_its_account), TEST(a_sync_finds_keeps_and_sweeps),
             TEST(a_template_moves_to_a_sender_that_is_left), TEST(a_name_goes_with_all_its_languages),
             TEST(a_look_is_asked_for_once), TEST(a_limit_to_channels_is_one_to_their_accounts))
