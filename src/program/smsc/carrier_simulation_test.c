/*
 * The carrier against operators that the test plays, under a clock that it turns: answers late, refusals,
 * throttles, answers that never come, links that break. Each seed is a run of its own. What must hold: each
 * message is settled once; no part leaves a second time unless it was refused; a message counts as sent only
 * when all of its parts were taken, as uncertain only when an answer was lost; no connector is faster than it
 * may.
 */
#include "core/log.h"
#include "core/unit.h"
#include "program/smsc/carrier.h"
#include "program/smsc/send_sms.h"
#include "wire/gsm/sms_udh.h"
#include "wire/smpp/smpp_status.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SEEDS        3000
#define OPERATORS    2u
#define BINDS        2u
#define MESSAGES_MAX 40u
#define PARTS_MAX    3u
#define ANSWERS_MAX  4096u
#define LEASE_MS     40000
#define RESPONSE_MS  3000

struct bind {
    struct operator* operator;
    struct smpp_session *esme, *smsc;
    bool is_up, has_closed;
    unsigned life;
    struct mono_time again_at;
};

/* An answer that is on its way. */
struct answer {
    struct bind *bind;
    unsigned life; /* of the bind: its session then */
    uint32_t sequence, status;
    size_t message, part;
    struct mono_time at;
};

struct operator
{
    struct sms_connector settings;
    struct bind binds[BINDS];
    uint64_t got; /* parts, in all */
    struct mono_time slowed_at;
};

enum fate { FREE, OPEN, TAKEN_BY }; /* of a part, as the operators know it */

static struct operator operators[OPERATORS];
static struct answer answers[ANSWERS_MAX];
static size_t answer_count;
static enum fate fates[MESSAGES_MAX][PARTS_MAX];
static bool was_lost[MESSAGES_MAX], was_refused[MESSAGES_MAX];
static size_t settled[MESSAGES_MAX];
static struct carrier *carrier;
static struct clock_manual clock_hands;
static uint64_t random_state, ids;
static unsigned trouble; /* of 100 */
static size_t lates, slowed;

static unsigned
draw(unsigned below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state % below);
}

static struct mono_time
now(void)
{
    return clock_hands.mono_now;
}

static size_t
message_of(struct slice digits)
{
    return (size_t)(digits.ptr[digits.len - 2] - '0') * 10 + (size_t)(digits.ptr[digits.len - 1] - '0');
}

/* The ESME's side. */

static void
esme_bound(void *ctx, const struct smpp_answer *answer UNUSED)
{
    struct bind *bind = ctx;

    bind->is_up = true;
    carrier_bound(carrier, bind->operator->settings.id, bind->esme);
}

static void
esme_answer(void *ctx, uint64_t tag, const struct smpp_pdu *answer, bool is_late UNUSED)
{
    carrier_answer(carrier, ((struct bind *)ctx)->esme, tag, answer, now());
}

static void
esme_lost(void *ctx UNUSED, uint64_t tag, enum smpp_loss why UNUSED)
{
    carrier_lost(carrier, tag);
}

static void
esme_closed(void *ctx, enum smpp_close why UNUSED, uint32_t status UNUSED)
{
    struct bind *bind = ctx;

    bind->has_closed = true;
    if (bind->is_up)
        carrier_unbound(carrier, bind->operator->settings.id, bind->esme);
    bind->is_up = false;
}

static const struct smpp_session_calls esme_calls = {
    .bound = esme_bound, .answer = esme_answer, .lost = esme_lost, .closed = esme_closed
};

/* The operator's side. */

static void
smsc_bind(void *ctx, uint32_t command UNUSED, const struct smpp_bind *bind UNUSED)
{
    smpp_session_bind_answer(((struct bind *)ctx)->smsc, SMPP_OK, SLICE("SMSC"), now());
}

static void
smsc_bound(void *ctx UNUSED, const struct smpp_answer *answer UNUSED)
{
}

static void
smsc_closed(void *ctx UNUSED, enum smpp_close why UNUSED, uint32_t status UNUSED)
{
}

static void
smsc_request(void *ctx, const struct smpp_pdu *pdu)
{
    struct bind *bind = ctx;
    struct smpp_message message;
    struct sms_udh udh = { .part = 0 };
    size_t part = 0;

    assert_int_equal(pdu->command, SMPP_SUBMIT_SM);
    assert_ok(smpp_message_read(pdu->command, pdu->body, &message));
    struct slice octets = message.short_message;
    if ((message.esm_class & SMPP_ESM_UDHI) != 0)
        assert_ok(sms_udh_take(&octets, &udh));
    part = udh.part == 0 ? 0 : udh.part - 1u;
    size_t at = message_of(message.destination.digits);
    assert_int_equal(fates[at][part], FREE); /* it was refused before, or never left */
    fates[at][part] = OPEN;
    bind->operator->got++;
    struct answer answer = { .bind = bind,
                             .life = bind->life,
                             .sequence = pdu->sequence,
                             .message = at,
                             .part = part,
                             .at = mono_after_ms(now(), draw(400)) };
    if (draw(100) < trouble) {
        static const uint32_t statuses[] = { SMPP_THROTTLED,      SMPP_THROTTLED,           SMPP_SYSTEM_ERROR,
                                             SMPP_INVALID_SOURCE, SMPP_INVALID_BIND_STATUS, 0x410,
                                             SMPP_QUEUE_FULL };
        unsigned which = draw(COUNT_OF(statuses) + 2);
        if (which == COUNT_OF(statuses))
            return; /* no answer, ever */
        if (which > COUNT_OF(statuses))
            answer.at = mono_after_ms(now(), RESPONSE_MS + 500 + draw(1000)); /* too late */
        else
            answer.status = statuses[which];
    }
    assert_true(answer_count < ANSWERS_MAX);
    answers[answer_count++] = answer;
}

static const struct smpp_session_calls smsc_calls = {
    .bind = smsc_bind, .bound = smsc_bound, .request = smsc_request, .closed = smsc_closed
};

static void
answers_send(void)
{
    for (size_t i = 0; i < answer_count;) {
        struct answer answer = answers[i];
        char id[32];
        if (answer.at.us > now().us) {
            i++;
            continue;
        }
        answers[i] = answers[--answer_count];
        if (answer.bind->smsc == NULL || answer.life != answer.bind->life)
            continue; /* of a session that has ended */
        enum fate *fate = &fates[answer.message][answer.part];
        *fate = answer.status == SMPP_OK ? TAKEN_BY : FREE;
        was_refused[answer.message] = was_refused[answer.message] || answer.status != SMPP_OK;
        snprintf(id, sizeof(id), "%llx", (unsigned long long)++ids);
        smpp_session_answer(answer.bind->smsc, SMPP_SUBMIT_SM, answer.sequence, answer.status,
                            answer.status == SMPP_OK ? slice_of(id, strlen(id) + 1) : SLICE_EMPTY, now());
    }
}

static void
bind_begin(struct bind *bind)
{
    struct smpp_session_config config = { .side = SMPP_ESME,
                                          .window_max = bind->operator->settings.window_max,
                                          .peer_window_max = 100,
                                          .bind_ms = 5000,
                                          .response_ms = RESPONSE_MS,
                                          .enquire_ms = 30000,
                                          .read_ms = 10000,
                                          .drain_ms = 1000,
                                          .unbind_ms = 1000,
                                          .calls = &esme_calls,
                                          .ctx = bind };

    bind->has_closed = false;
    bind->life++;
    assert_ok(smpp_session_new(&config, now(), &bind->esme));
    config.side = SMPP_SMSC;
    config.response_ms = 60000;
    config.calls = &smsc_calls;
    assert_ok(smpp_session_new(&config, now(), &bind->smsc));
    assert_ok(smpp_session_bind(bind->esme, SMPP_BIND_TRANSCEIVER,
                                &(struct smpp_bind){ .system_id = SLICE("us"), .password = SLICE("pw") },
                                SMPP_PASSWORD_BYTES, now()));
}

static void
bind_end(struct bind *bind)
{
    if (bind->esme != NULL)
        smpp_session_gone(bind->esme, now());
    smpp_session_free(bind->esme);
    smpp_session_free(bind->smsc);
    bind->esme = bind->smsc = NULL;
    bind->is_up = false;
}

/* What each side has written, to the other. */
static void
bind_turn(struct bind *bind)
{
    for (bool moved = true; moved && !bind->has_closed;) {
        struct slice out = smpp_session_out(bind->esme);
        moved = out.len > 0;
        if (out.len > 0) {
            smpp_session_feed(bind->smsc, out, now());
            smpp_session_written(bind->esme, out.len, now());
        }
        out = smpp_session_out(bind->smsc);
        moved = moved || out.len > 0;
        if (out.len > 0) {
            size_t len = out.len;
            smpp_session_feed(bind->esme, out, now());
            smpp_session_written(bind->smsc, len, now());
        }
    }
    smpp_session_tick(bind->esme, now());
    smpp_session_tick(bind->smsc, now());
    if (bind->has_closed || draw(1000) < trouble / 4) {
        bind_end(bind);
        bind->again_at = mono_after_ms(now(), 500 + draw(1500));
    }
}

static void
on_settled(void *ctx UNUSED, struct sms_job *job)
{
    size_t at = message_of(buf_slice(&job->to)), taken = 0, lost = 0, refused = 0;

    assert_int_equal(settled[at]++, 0);
    for (size_t i = 0; i < job->part_count; i++) {
        taken += job->parts[i].state == PART_TAKEN;
        lost += job->parts[i].state == PART_UNKNOWN;
        refused += job->parts[i].state == PART_REFUSED;
        assert_int_not_equal(job->parts[i].state, PART_ASKED);
        if (job->parts[i].state == PART_TAKEN)
            assert_int_equal(fates[at][i], TAKEN_BY);
    }
    switch (job->job.outcome.verdict) {
    case MESSAGE_VERDICT_SENT:
        assert_true(job->part_count > 0 && taken == job->part_count);
        break;
    case MESSAGE_VERDICT_UNCERTAIN:
        assert_true(lost > 0);
        break;
    case MESSAGE_VERDICT_RETRY:
    case MESSAGE_VERDICT_FAILED:
    case MESSAGE_VERDICT_HELD:
    case MESSAGE_VERDICT_BLOCKED:
        assert_true(refused > 0 && was_refused[at]);
        break;
    case MESSAGE_VERDICT_RETURNED:
        assert_int_equal(lost, 0);
        assert_true(taken < job->part_count || job->part_count == 0);
        break;
    }
    send_job_free(&job->job);
}

static void
on_late(void *ctx UNUSED, struct id tenant UNUSED, const struct sms_part *part)
{
    assert_true(part->provider_id.len > 0);
    lates++;
}

/* A workspace is told once, however often its operator asks. */
static void
on_throttled(void *ctx UNUSED, struct id connector, int64_t per_second)
{
    struct operator* operator= & operators[connector.bytes[0] - 1];

    assert_true(per_second > 0 && per_second <= operator->settings.per_second);
    assert_true(operator->slowed_at.us == 0 || now().us - operator->slowed_at.us >= 60 * INT64_C(1000000));
    operator->slowed_at = now();
    slowed++;
}

static void
job_put(size_t at)
{
    static const char text[] =
        "A message of the simulation, which goes on for as long as it takes to be long. ";
    struct message_claim claim = { .attempt = 1,
                                   .category = (enum message_category)draw(4),
                                   .expires_at = { INT64_MAX } };
    char digits[16];

    claim.message.bytes[15] = (unsigned char)at;
    struct send_job *job = send_job_new(&send_sms, &claim, now());
    assert_non_null(job);
    job->leave_by.us = INT64_MAX;
    struct sms_job *own = sms_job_of(job);
    snprintf(digits, sizeof(digits), "+9198765432%02zu", at);
    buf_add_text(&own->to, digits);
    for (unsigned i = 0, many = draw(PARTS_MAX * 2); i < many + 1 && i < 5; i++)
        buf_add_text(&own->text, text);
    snprintf(own->sender, sizeof(own->sender), "HARKRA");
    own->parts_max = PARTS_MAX;
    carrier_take(carrier, own, now());
}

static void
operators_begin(void)
{
    struct id *tenants = calloc(OPERATORS, sizeof(*tenants));
    struct sms_route *routes = calloc(OPERATORS, sizeof(*routes));

    for (size_t i = 0; i < OPERATORS; i++) {
        struct operator* operator= & operators[i];
        *operator=(struct operator){ .got = 0 };
        sms_connector_init(&operator->settings);
        operator->settings.id.bytes[0] =(unsigned char)(i + 1);
        operator->settings.window_max = 1 + draw(5);
        operator->settings.per_second = 5 + draw(60);
        assert_ok(carrier_set(carrier, (struct id){ { 0 } }, &operator->settings, now()));
        routes[i] = (struct sms_route){ .connector = operator->settings.id, .priority = (unsigned)i };
        routes[i].id.bytes[15] = (unsigned char)i;
        for (size_t k = 0; k < BINDS; k++) {
            operator->binds[k].operator= operator;
            operator->binds[k].again_at = mono_after_ms(now(), draw(1000));
        }
    }
    carrier_routes(carrier, tenants, routes, OPERATORS);
}

static void
run_with(uint64_t seed)
{
    size_t count = 1, put = 0, began_ms = 0, ms = 0;

    random_state = seed * 0x9E3779B97F4A7C15u + 1;
    trouble = draw(40);
    count += draw(MESSAGES_MAX - 1);
    answer_count = 0;
    memset(fates, 0, sizeof(fates));
    memset(was_lost, 0, sizeof(was_lost));
    memset(was_refused, 0, sizeof(was_refused));
    memset(settled, 0, sizeof(settled));
    clock_manual_init(&clock_hands, (struct wall_time){ 1800000000000000 });
    clock_manual_advance(&clock_hands, 1000000);
    assert_ok(carrier_new(&(struct carrier_config){ .clock = &clock_hands.clock,
                                                    .in_flight_max = MESSAGES_MAX,
                                                    .lease_ms = LEASE_MS,
                                                    .uncertain_wait_ms = 1000,
                                                    .settled = on_settled,
                                                    .late = on_late,
                                                    .throttled = on_throttled },
                          &carrier));
    operators_begin();
    began_ms = (size_t)(now().us / 1000);
    while (put < count || carrier_count(carrier) > 0) {
        if (put < count && draw(3) == 0)
            job_put(put++);
        clock_manual_advance(&clock_hands, (1 + (int64_t)draw(40)) * 1000);
        answers_send();
        for (size_t i = 0; i < OPERATORS * BINDS; i++) {
            struct bind *bind = &operators[i / BINDS].binds[i % BINDS];
            if (bind->esme != NULL)
                bind_turn(bind);
            else if (now().us >= bind->again_at.us)
                bind_begin(bind);
        }
        struct mono_time next = carrier_step(carrier, now());
        assert_true(next.us >= now().us);
        ms = (size_t)(now().us / 1000) - began_ms;
        assert_true(ms < 10 * LEASE_MS); /* it comes to an end */
    }
    for (size_t i = 0; i < count; i++)
        assert_int_equal(settled[i], 1);
    for (size_t i = 0; i < OPERATORS; i++) {
        assert_true(operators[i].got <= 2 + operators[i].settings.per_second * (ms + 10) / 1000);
        for (size_t k = 0; k < BINDS; k++)
            bind_end(&operators[i].binds[k]);
    }
    carrier_free(carrier);
}

static void
whatever_operators_do_nothing_is_lost_or_sent_twice(void **state UNUSED)
{
    log_open("test", LOG_ERROR, STDERR_FILENO);
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run_with(seed);
    assert_true(lates > 0 && slowed > 0); /* it happens, and is told */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_operators_do_nothing_is_lost_or_sent_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
