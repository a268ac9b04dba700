/* What is counted of the event log and told of it, and what a workspace's day looks like to whoever may see
 * what. */
#include "domain/message/message_testing.h"
#include "domain/overview/overview.h"
#include "domain/overview/overview_count.h"
#include "platform/db/test_pair.h"
#include <poll.h>
#include <stdio.h>

#define NOTICES_MAX 64u

static struct id channel, other_channel;
static struct clock_manual manual;

static void sql(const char *format, ...) FORMAT_LIKE(1, 2);

static void
sql(const char *format, ...)
{
    char text[4096];
    va_list args;

    va_start(args, format);
    int len = snprintf(text, sizeof(text), "set search_path = harkara; ");
    vsnprintf(text + len, sizeof(text) - (size_t)len, format, args);
    va_end(args);
    test_cluster_sql(text);
}

static const char *
uuid(struct id id)
{
    static char texts[8][ID_UUID_BYTES];
    static unsigned next;
    char *text = texts[next++ % COUNT_OF(texts)];

    id_uuid_print(id, text);
    return text;
}

static int
opened(void **state UNUSED)
{
    test_pair_open(
        "delete from harkara.event; delete from harkara.message_figure; delete from harkara.message;"
        " delete from harkara.message_settings; delete from harkara.template; delete from harkara.quota_told;"
        " delete from harkara.api_key; delete from harkara.access_review; delete from harkara.webhook_endpoint;"
        " update harkara.overview_cursor set xid = '0', id = '00000000-0000-0000-0000-000000000000'");
    channel = message_testing_channel(acme);
    other_channel = message_testing_channel(acme);
    clock_manual_init(&manual, (struct wall_time){ INT64_C(1797984000) * 1000000 }); /* 2026-12-23 */
    return 0;
}

static int
closed(void **state)
{
    sql("delete from sms_link; delete from sms_connector; delete from template; delete from dispatch_lane;"
        " delete from whatsapp_number; delete from channel");
    return test_pair_close(state);
}

static void
told(struct id tenant, struct id of, const char *type, struct id subject)
{
    sql("insert into event (tenant_id, id, type, subject_id, channel_id, occurred_at)"
        " values ('%s', '%s', '%s', '%s', '%s', now())",
        uuid(tenant), uuid(id_new(clock_system())), type, uuid(subject), uuid(of));
}

static size_t
counted(void)
{
    size_t read = 0;

    assert_ok(overview_count(gateway, arena, &read));
    return read;
}

static int64_t
sum_of(const char *column, struct id tenant)
{
    char text[256];

    snprintf(text, sizeof(text),
             "select coalesce(sum(%s), 0)::bigint from harkara.message_figure where tenant_id = '%s'", column,
             uuid(tenant));
    return test_cluster_number(text);
}

static void
what_became_of_messages_is_counted_once(void **state UNUSED)
{
    struct db *second = test_cluster_open("harkara_gateway");
    size_t read = 0;

    for (int i = 0; i < 3; i++)
        told(acme, channel, "message.sent", id_new(clock_system()));
    told(acme, other_channel, "message.delivered", id_new(clock_system()));
    told(acme, channel, "message.failed", id_new(clock_system()));
    told(acme, channel, "message.expired", id_new(clock_system()));
    told(acme, channel, "message.sending", id_new(clock_system()));
    told(acme, channel, "message.blocked", id_new(clock_system()));
    told(bolt, channel, "message.received", id_new(clock_system()));
    assert_int_equal(counted(), 9);
    assert_ok(overview_count(second, arena, &read)); /* another gateway goes on where this one stands */
    assert_int_equal(read, 0);
    told(acme, channel, "message.sent", id_new(clock_system()));
    assert_ok(overview_count(second, arena, &read));
    assert_int_equal(read, 1);
    assert_int_equal(counted(), 0);
    assert_int_equal(sum_of("sent", acme), 4);
    assert_int_equal(sum_of("delivered", acme), 1);
    assert_int_equal(sum_of("failed", acme), 2);
    assert_int_equal(sum_of("blocked", acme), 1);
    assert_int_equal(sum_of("received", acme), 0);
    assert_int_equal(sum_of("received", bolt), 1);
    assert_int_equal(sum_of("sent", bolt), 0);
    db_close(second);
}

/* A message that is its own event "accepted" is read like one. */
static void
accepted_messages_are_read_with_the_log(void **state UNUSED)
{
    struct message_new message = message_testing_new(acme, channel, MESSAGE_OTP);

    (void)message_testing_accept(gateway, &message);
    assert_int_equal(counted(), 1);
    assert_int_equal(counted(), 0);
}

static void
what_commits_late_is_not_passed(void **state UNUSED)
{
    static const struct db_stmt insert = {
        "overview_test_insert", "INSERT INTO event (tenant_id, id, type, subject_id, channel_id, occurred_at)"
                                " VALUES ($1, $2, 'message.sent', $2, $3, now())"
    };
    struct db *slow = test_cluster_open("harkara_gateway");
    struct db_tx tx;

    assert_ok(db_begin(slow, acme, &tx));
    assert_ok(db_exec_one(&tx, &insert, DB_ARGS(DB_ID(id_new(clock_system())), DB_ID(channel))));
    told(acme, channel, "message.sent", id_new(clock_system()));
    assert_int_equal(counted(), 0);
    assert_ok(db_commit(&tx));
    assert_int_equal(counted(), 2);
    assert_int_equal(sum_of("sent", acme), 2);
    db_close(slow);
}

/* What was told to somebody who listens. */
struct heard {
    char text[NOTICES_MAX][OVERVIEW_TOLD_MAX * 40 + 200];
    size_t count;
};

static void
on_notice(void *ctx, struct slice name UNUSED, struct slice payload)
{
    struct heard *heard = ctx;

    while (payload.len != 0) {
        struct slice line = slice_take_until(&payload, '\n');
        assert_true(heard->count < NOTICES_MAX && line.len < sizeof(heard->text[0]));
        memcpy(heard->text[heard->count], line.ptr, line.len);
        heard->text[heard->count++][line.len] = '\0';
    }
}

/* Until `count` lines have come. */
static void
hear(struct db *listener, struct heard *heard, size_t count)
{
    while (heard->count < count) {
        struct pollfd fd = { .fd = db_fd(listener), .events = POLLIN };
        assert_int_equal(poll(&fd, 1, -1), 1);
        assert_ok(db_notifications(listener, on_notice, heard));
    }
}

static struct overview_notice
notice_of(const char *line)
{
    struct slice text = slice_text(line);
    struct overview_notice notice;

    assert_ok(overview_notice_take(&text, &notice));
    assert_int_equal(overview_notice_take(&text, &notice), ERR_NOTHING);
    text = slice_text(line);
    assert_ok(overview_notice_take(&text, &notice));
    return notice;
}

static void
gateways_are_told_what_has_changed_and_of_many_only_that(void **state UNUSED)
{
    struct db *listener = test_cluster_open("harkara_gateway");
    struct heard heard = { .count = 0 };
    struct id message = id_new(clock_system());
    bool has_few = false, has_many = false, has_none = false;

    assert_ok(db_listen(listener, OVERVIEW_CHANNEL));
    told(acme, channel, "message.sent", message);
    told(acme, channel, "message.delivered", message);
    for (unsigned i = 0; i <= OVERVIEW_TOLD_MAX; i++)
        told(acme, other_channel, "message.received", id_new(clock_system()));
    sql("insert into event (tenant_id, id, type, subject_id, occurred_at) values"
        " ('%s', '%s', 'template.updated', '%s', now())",
        uuid(bolt), uuid(id_new(clock_system())), uuid(message));
    assert_int_equal(counted(), 2 + OVERVIEW_TOLD_MAX + 2);
    hear(listener, &heard, 3);
    for (size_t i = 0; i < heard.count; i++) {
        struct overview_notice notice = notice_of(heard.text[i]);
        assert_false(notice.is_act);
        if (id_eq(notice.tenant, bolt))
            has_none = slice_eq(notice.word, SLICE("template")) && id_is_zero(notice.channel) &&
                       notice.id_count == 1;
        else if (id_eq(notice.channel, channel))
            has_few = slice_eq(notice.word, SLICE("message")) && notice.id_count == 1 &&
                      id_eq(notice.ids[0], message);
        else
            has_many = id_eq(notice.channel, other_channel) && notice.id_count == 0;
    }
    assert_true(has_few && has_many && has_none);
    db_close(listener);
}

static void
acts_are_told_as_they_commit_and_numbers_that_were_shown_are_not(void **state UNUSED)
{
    struct db *listener = test_cluster_open("harkara_gateway");
    struct heard heard = { .count = 0 };
    struct id team = id_new(clock_system());

    assert_ok(db_listen(listener, OVERVIEW_CHANNEL));
    sql("insert into audit_entry (tenant_id, id, actor_kind, action, outcome) values"
        " ('%s', '%s', 'system', 'contact.identity_revealed', 'done')",
        uuid(acme), uuid(id_new(clock_system())));
    sql("insert into audit_entry (tenant_id, id, actor_kind, action, object_kind, object_id, outcome) values"
        " ('%s', '%s', 'system', 'team.updated', 'tem', '%s', 'done')",
        uuid(acme), uuid(id_new(clock_system())), uuid(team));
    hear(listener, &heard, 1);
    assert_int_equal(heard.count, 1);
    struct overview_notice notice = notice_of(heard.text[0]);
    assert_true(notice.is_act && slice_eq(notice.word, SLICE("team.updated")) && id_eq(notice.tenant, acme));
    assert_true(notice.id_count == 1 && id_eq(notice.ids[0], team));
    db_close(listener);
}

static void
a_line_that_is_none_is_refused_and_the_next_one_is_read(void **state UNUSED)
{
    static const char *const lines[] = {
        "0193 message - *",
        "01935c5ac1e07000800000000000000 message - *",
        "01935c5ac1e070008000000000000001",
        "01935c5ac1e070008000000000000001 message xyz *",
        "01935c5ac1e070008000000000000001 message - 01935c5ac1e070008000000000000001,",
        "01935c5ac1e070008000000000000001 act ",
    };
    struct overview_notice notice;
    char text[512];

    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        snprintf(text, sizeof(text), "%s\n01935c5ac1e070008000000000000001 message - *", lines[i]);
        struct slice rest = slice_text(text);
        enum err err = overview_notice_take(&rest, &notice);
        if (i != 4) /* a comma at the end is one id */
            assert_int_equal(err, ERR_DB_DATA);
        assert_ok(overview_notice_take(&rest, &notice));
        assert_int_equal(overview_notice_take(&rest, &notice), ERR_NOTHING);
    }
    char many[1024] = "01935c5ac1e070008000000000000001 message - 01935c5ac1e070008000000000000001";
    for (unsigned i = 0; i < OVERVIEW_TOLD_MAX; i++)
        memcpy(many + strlen(many), ",01935c5ac1e070008000000000000001", 34);
    struct slice rest = slice_text(many);
    assert_int_equal(overview_notice_take(&rest, &notice), ERR_DB_DATA);
}

static const struct overview_sight all = { .figures = true,
                                           .messages = true,
                                           .channels = true,
                                           .templates = true,
                                           .webhooks = true,
                                           .keys = true,
                                           .people = true,
                                           .usage = true };

struct seen {
    const struct overview_sight *sight;
    struct overview overview;
};

static enum err
see_in(struct db_tx *tx, void *ctx)
{
    struct seen *seen = ctx;

    return overview_read(tx, &manual.clock, seen->sight, arena, &seen->overview);
}

static struct overview
seen_by(struct id tenant, const struct overview_sight *sight)
{
    struct seen seen = { .sight = sight };

    assert_ok(db_run(gateway, tenant, see_in, &seen));
    return seen.overview;
}

static void
figure(const char *at, struct id of, int sent)
{
    sql("insert into message_figure (tenant_id, at, channel_id, sent) values ('%s', '%s', '%s', %d)",
        uuid(acme), at, uuid(of), sent);
}

/* The clock says 2026-12-23 00:00 UTC: 05:30 in India, where the day began at 18:30 UTC. */
static void
a_day_is_the_workspaces_own(void **state UNUSED)
{
    struct overview overview;
    struct overview_sight limited = all;

    figure("2026-12-21 18:15Z", channel, 1);
    figure("2026-12-21 18:30Z", channel, 2);
    figure("2026-12-21 23:45Z", channel, 4);
    figure("2026-12-22 00:00Z", channel, 8);
    figure("2026-12-22 18:15Z", channel, 16);
    figure("2026-12-22 18:30Z", channel, 32);
    figure("2026-12-22 23:30Z", channel, 64);
    figure("2026-12-22 23:45Z", other_channel, 128);
    overview = seen_by(acme, &all);
    assert_true(slice_eq(overview.time_zone, SLICE("UTC")));
    assert_int_equal(overview.today.sent, 0);
    assert_int_equal(overview.yesterday.sent, 8 + 16 + 32 + 64 + 128);

    sql("insert into message_settings (tenant_id, uncertain_otp, uncertain_transactional, uncertain_service,"
        " uncertain_promotional, time_zone) values ('%s', 'leave', 'leave', 'leave', 'leave', 'Asia/Kolkata')",
        uuid(acme));
    overview = seen_by(acme, &all);
    assert_true(slice_eq(overview.time_zone, SLICE("Asia/Kolkata")));
    assert_int_equal(overview.today.sent, 32 + 64 + 128);
    assert_int_equal(overview.yesterday.sent, 2 + 4 + 8 + 16);
    assert_int_equal(overview.yesterday_by_now.sent, 2 + 4);
    assert_int_equal(overview.hour_count, 5); /* 23:45 and 00:00 are in one of the zone */
    assert_true(overview.today_at.us - overview.yesterday_at.us == INT64_C(86400) * 1000000);

    limited.channels_of = &other_channel;
    limited.channel_count = 1;
    overview = seen_by(acme, &limited);
    assert_int_equal(overview.today.sent, 128);
    assert_int_equal(overview.yesterday.sent, 0);
    assert_int_equal(overview.channel_count, 1);
    assert_int_equal(overview.channels[0].today.sent, 128);
    assert_int_equal(seen_by(bolt, &all).today.sent, 0);
}

static void
days_of_23_and_25_hours_are_whole(void **state UNUSED)
{
    sql("insert into message_settings (tenant_id, uncertain_otp, uncertain_transactional, uncertain_service,"
        " uncertain_promotional, time_zone) values ('%s', 'leave', 'leave', 'leave', 'leave', 'Europe/Berlin')",
        uuid(acme));
    clock_manual_init(&manual, (struct wall_time){ INT64_C(1793030400) * 1000000 }); /* 2026-10-26 12:00Z */
    struct overview overview = seen_by(acme, &all);
    assert_true(overview.today_at.us - overview.yesterday_at.us == INT64_C(25) * 3600 * 1000000);
    clock_manual_init(&manual, (struct wall_time){ INT64_C(1774872000) * 1000000 }); /* 2026-03-30 12:00Z */
    overview = seen_by(acme, &all);
    assert_true(overview.today_at.us - overview.yesterday_at.us == INT64_C(23) * 3600 * 1000000);
}

/* One of each kind, in acme. */
static void
trouble_make(void)
{
    struct message_new message = message_testing_new(acme, channel, MESSAGE_OTP);
    struct id lost = message_testing_accept(gateway, &message);
    char tenant[ID_UUID_BYTES];

    id_uuid_print(acme, tenant);
    sql("update message set status = 'uncertain' where id = '%s'", uuid(lost));
    sql("update channel set state = 'broken', state_reason = 'token-refused' where id = '%s'", uuid(channel));
    sql("insert into whatsapp_number (tenant_id, channel_id, quality_rating) values ('%s', '%s', 'RED')",
        tenant, uuid(other_channel));
    sql("insert into webhook_endpoint (tenant_id, id, url, events, state, disabled_reason, failing_since) values"
        " ('%s', gen_random_uuid(), 'https://gone.example', '{*}', 'disabled', 'gone', null),"
        " ('%s', gen_random_uuid(), 'https://slow.example', '{*}', 'enabled', null, now()),"
        " ('%s', gen_random_uuid(), 'https://off.example', '{*}', 'disabled', 'by-request', null),"
        " ('%s', gen_random_uuid(), 'https://well.example', '{*}', 'enabled', null, null)",
        tenant, tenant, tenant, tenant);
    sql("insert into quota_told (tenant_id, subject_id, quota, begins_on, percent) values"
        " ('%s', '%s', 'workspace-day', '2026-12-23', 80), ('%s', '%s', 'workspace-day', '2026-12-22', 100),"
        " ('%s', '%s', 'sender-month', '2026-12-01', 80), ('%s', '%s', 'sender-month', '2026-12-01', 100)",
        tenant, tenant, tenant, tenant, tenant, uuid(channel), tenant, uuid(channel));
    sql("insert into template (tenant_id, id, channel_id, waba_id, name, language, category, is_named, state, state_reason,"
        " updated_at) values ('%s', gen_random_uuid(), '%s', '1', 'offer', 'en', 'marketing', false, 'rejected', 'PROMO',"
        " '2026-12-20'), ('%s', gen_random_uuid(), '%s', '1', 'old', 'en', 'marketing', false, 'rejected', 'PROMO',"
        " '2026-10-20')",
        tenant, uuid(channel), tenant, uuid(channel));
    sql("insert into api_key (tenant_id, id, name, mode, salt, hash, last_four, scopes, expires_at, revoked_at) select '%s',"
        " gen_random_uuid(), k.name, 'live', decode(repeat('00', 16), 'hex'), decode(repeat('00', 32), 'hex'), 'abcd',"
        " '{messages:send}', k.until, k.gone from (values ('soon', timestamptz '2026-12-30', null::timestamptz), ('sooner',"
        " '2026-12-25', null), ('later', '2027-06-01', null), ('past', '2026-12-01', null), ('gone', '2026-12-25', now()),"
        " ('ever', null, null)) k (name, until, gone)",
        tenant);
    sql("insert into sms_connector (tenant_id, id, name, state, state_reason, updated_at, host, port, tls, system_id,"
        " transceivers, transmitters, receivers, password_ct, password_iv, password_tag, password_key_version) select '%s',"
        " gen_random_uuid(), k.name, k.state, k.reason, k.at, 'smpp.example', 2775, 'off', 'us', 1, 0, 0, 'x',"
        " decode(repeat('00', 12), 'hex'), decode(repeat('00', 16), 'hex'), 1 from (values ('Refused', 'broken', 'why',"
        " timestamptz '2026-12-01'), ('Unbound', 'active', null, '2026-12-01'), ('Bound', 'active', null, '2026-12-01'),"
        " ('Stale', 'active', null, '2026-11-30'), ('New', 'active', null, '2026-12-23'), ('Paused', 'paused', null,"
        " '2026-12-01')) k (name, state, reason, at)",
        tenant);
    sql("insert into sms_link (tenant_id, connector_id, number, kind, state, detail, since, told_at) select c.tenant_id, c.id, 0,"
        " 'transceiver', k.state, k.detail, k.at, k.at from sms_connector c join (values ('Unbound', 'waiting', 'It is silent.',"
        " timestamptz '2027-01-01'), ('Bound', 'bound', null, '2027-01-01'), ('Stale', 'bound', null, '2026-12-10')) k (name,"
        " state, detail, at) using (name) where c.tenant_id = '%s'",
        tenant);
    sql("insert into access_review (tenant_id, id, due_at, created_at) values ('%s', gen_random_uuid(), '2026-12-20',"
        " '2026-12-01')",
        tenant);
}

static size_t
count_of(const struct overview *overview, enum overview_attention_kind kind)
{
    size_t count = 0;

    for (size_t i = 0; i < overview->attention_count; i++)
        count += overview->attention[i].kind == kind;
    return count;
}

static void
what_needs_somebody_is_pointed_at_the_urgent_first(void **state UNUSED)
{
    static const enum overview_attention_kind expected[] = {
        OVERVIEW_CHANNEL_BROKEN,       OVERVIEW_CONNECTOR_BROKEN, OVERVIEW_ENDPOINT_DISABLED,
        OVERVIEW_QUOTA_USED,           OVERVIEW_CHANNEL_QUALITY,  OVERVIEW_CONNECTOR_UNBOUND,
        OVERVIEW_CONNECTOR_UNBOUND,    OVERVIEW_ENDPOINT_FAILING, OVERVIEW_MESSAGES_UNCERTAIN,
        OVERVIEW_TEMPLATE_TURNED_DOWN, OVERVIEW_KEY_EXPIRES,      OVERVIEW_KEY_EXPIRES,
        OVERVIEW_REVIEW_OVERDUE,       OVERVIEW_QUOTA_SHORT,
    };

    trouble_make();
    struct overview overview = seen_by(acme, &all);
    assert_int_equal(overview.attention_count, COUNT_OF(expected));
    for (size_t i = 0; i < COUNT_OF(expected); i++)
        assert_int_equal(overview.attention[i].kind, expected[i]);
    assert_true(slice_eq(overview.attention[0].detail, SLICE("token-refused")));
    assert_true(id_eq(overview.attention[0].object, channel));
    assert_true(slice_eq(overview.attention[1].detail, SLICE("why")));
    assert_true(slice_eq(overview.attention[5].detail, SLICE("It is silent.")));
    assert_true(slice_eq(overview.attention[6].name, SLICE("Stale")));
    assert_true(slice_eq(overview.attention[2].name, SLICE("https://gone.example")));
    assert_true(slice_eq(overview.attention[4].detail, SLICE("red")));
    assert_int_equal(overview.attention[8].count, 1);
    assert_true(slice_eq(overview.attention[10].name, SLICE("sooner")));
    assert_false(overview.attention[13].has_object); /* the workspace's own quota */
    assert_true(id_eq(overview.channels[0].id, channel));
    assert_int_equal(seen_by(bolt, &all).attention_count, 0);
}

/* Each permission shows its kinds and no others; limited to a channel, nothing of another one is seen. */
static void
what_somebody_may_not_see_is_not_read(void **state UNUSED)
{
    static const struct overview_sight sights[] = { { .messages = true },  { .channels = true },
                                                    { .templates = true }, { .webhooks = true },
                                                    { .keys = true },      { .people = true },
                                                    { .usage = true } };
    static const size_t counts[] = { 1, 5, 1, 2, 2, 1, 2 };
    struct overview_sight limited = all;

    trouble_make();
    for (size_t i = 0; i < COUNT_OF(sights); i++) {
        struct overview overview = seen_by(acme, &sights[i]);
        assert_int_equal(overview.attention_count, counts[i]);
        assert_int_equal(overview.channel_count, sights[i].channels ? 2 : 0);
    }
    limited.channels_of = &other_channel;
    limited.channel_count = 1;
    struct overview overview = seen_by(acme, &limited);
    assert_int_equal(count_of(&overview, OVERVIEW_CHANNEL_BROKEN), 0);
    assert_int_equal(count_of(&overview, OVERVIEW_CHANNEL_QUALITY), 1);
    assert_int_equal(count_of(&overview, OVERVIEW_QUOTA_USED), 0);
    assert_int_equal(count_of(&overview, OVERVIEW_QUOTA_SHORT), 0);
    assert_int_equal(count_of(&overview, OVERVIEW_MESSAGES_UNCERTAIN), 0);
    assert_int_equal(count_of(&overview, OVERVIEW_TEMPLATE_TURNED_DOWN), 0);
    limited.channel_count = 0;
    overview = seen_by(acme, &limited);
    assert_int_equal(overview.channel_count, 0);
    assert_int_equal(count_of(&overview, OVERVIEW_CHANNEL_QUALITY), 0);
}

static size_t
dnd_told(enum overview_dnd dnd, struct id tenant, const struct overview_sight *of, struct wall_time *at_out)
{
    struct overview_sight sight = *of;

    sight.dnd = dnd;
    sight.dnd_imported_at = (struct wall_time){ INT64_C(1797000000) * 1000000 };
    struct overview overview = seen_by(tenant, &sight);
    for (size_t i = 0; i < overview.attention_count; i++)
        if (overview.attention[i].kind == OVERVIEW_DND_MISSING ||
            overview.attention[i].kind == OVERVIEW_DND_OLD)
            *at_out = overview.attention[i].at;
    return count_of(&overview, OVERVIEW_DND_MISSING) + 10 * count_of(&overview, OVERVIEW_DND_OLD);
}

static void
dnd_rule(int rule)
{
    sql("delete from policy_settings where tenant_id = '%s'; insert into policy_settings (tenant_id, consent_required, dnd,"
        " is_quiet_off, quiet_india_from, quiet_from, quiet_until, quiet_days, quiet_spread, updated_at)"
        " values ('%s', 0, %d, false, 540, 0, 1440, 127, 0, to_timestamp(1796000000))",
        uuid(acme), uuid(acme), rule);
}

/* Without an SMS sender nothing asks the registry; a missing one is only in the way of who asks it always. */
static void
a_dnd_registry_is_told_where_it_matters(void **state UNUSED)
{
    struct overview_sight sight = { .usage = true },
                          limited = { .channels_of = &channel, .channel_count = 1 };
    struct wall_time at = { 0 };

    dnd_rule(1);
    assert_int_equal(dnd_told(OVERVIEW_DND_NONE, acme, &sight, &at), 0);
    sql("update channel set kind = 'sms' where id = '%s'", uuid(other_channel));
    assert_int_equal(dnd_told(OVERVIEW_DND_NONE, acme, &sight, &at), 1);
    assert_int_equal(at.us, INT64_C(1796000000) * 1000000); /* since when it is asked for */
    assert_int_equal(dnd_told(OVERVIEW_DND_AGED, acme, &sight, &at), 10);
    assert_int_equal(at.us, INT64_C(1797000000) * 1000000);
    assert_int_equal(dnd_told(OVERVIEW_DND_FRESH, acme, &sight, &at), 0);
    assert_int_equal(dnd_told(OVERVIEW_DND_NONE, acme, &limited, &at), 0);
    assert_int_equal(dnd_told(OVERVIEW_DND_NONE, bolt, &sight, &at), 0);
    dnd_rule(2);
    assert_int_equal(dnd_told(OVERVIEW_DND_NONE, acme, &sight, &at), 0);
    assert_int_equal(dnd_told(OVERVIEW_DND_AGED, acme, &sight, &at), 0);
    sql("delete from policy_settings"); /* as it comes: asked when there is one */
    assert_int_equal(dnd_told(OVERVIEW_DND_NONE, acme, &sight, &at), 0);
    assert_int_equal(dnd_told(OVERVIEW_DND_AGED, acme, &sight, &at), 10);
    sql("update channel set state = 'deleted' where id = '%s'", uuid(other_channel));
    assert_int_equal(dnd_told(OVERVIEW_DND_AGED, acme, &sight, &at), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
CLUSTER_MAIN(TEST(what_became_of_messages_is_counted_once), TEST(accepted_messages_are_read_with_the_log),
             TEST(what_commits_late_is_not_passed),
             TEST(gateways_are_told_what_has_changed_and_of_many_only_that),
             TEST(acts_are_told_as_they_commit_and_numbers_that_were_shown_are_not),
             TEST(a_line_that_is_none_is_refused_and_the_next_one_is_read), TEST(a_day_is_the_workspaces_own),
             TEST(days_of_23_and_25_hours_are_whole),
             TEST(what_needs_somebody_is_pointed_at_the_urgent_first),
             TEST(what_somebody_may_not_see_is_not_read), TEST(a_dnd_registry_is_told_where_it_matters))
