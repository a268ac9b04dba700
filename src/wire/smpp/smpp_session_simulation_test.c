/*
 * Both sides of sessions in a world of its own time, ten thousand times: octets come late and in pieces,
 * links drop, answers are late, missing, doubled or refuse, peers fall silent. Whatever the seed: each
 * request ends once; what ended without an answer is not asked again unless a rule allows it; windows are
 * kept; nothing waits for ever; and when the world becomes kind, all that may be done is done.
 */
#include "core/num.h"
#include "core/unit.h"
#include "wire/smpp/smpp_session.h"
#include "wire/smpp/smpp_status.h"

#define SEEDS        10000u
#define MESSAGES     40u
#define DELIVERIES   20u
#define PIPE_BYTES   65536u
#define UNKIND_STEPS 250u
#define STEPS_MAX    4000u
#define ANSWERS_MAX  256u
#define MS           INT64_C(1000)

enum fate { QUEUED, OUT, DONE, UNCERTAIN };

/* One direction of a connection: what was written and not read yet. */
struct pipe {
    char octets[PIPE_BYTES];
    size_t from, to;
};

struct answer_later {
    uint32_t command, sequence, status;
    struct mono_time at;
};

struct side {
    struct smpp_session *session;
    struct pipe *reads, *writes;
    struct answer_later later[ANSWERS_MAX];
    size_t later_count;
    enum fate fate[MESSAGES];     /* of what this side asks */
    unsigned timed_out[MESSAGES]; /* lost by time in this session: may be answered late */
    unsigned taken[MESSAGES];     /* by the other side, which said so */
    size_t count, out, window;
    uint32_t last_sequence; /* of the peer's requests in this session: they only grow */
    bool is_smsc, is_closed;
};

static struct {
    uint64_t random;
    struct mono_time now;
    struct pipe pipes[2];
    struct side sides[2]; /* the ESME, the SMSC */
    bool is_linked, is_kind, may_repeat;
    unsigned seed;
} world;

static uint32_t
chance(uint32_t below)
{
    world.random = world.random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(world.random >> 33) % below;
}

#define HOLDS(claim)                                                                                         \
    do {                                                                                                     \
        if (!(claim))                                                                                        \
            fail_msg("seed %u: does not hold: %s", world.seed, #claim);                                      \
    } while (0)

static struct side *
other(const struct side *side)
{
    return &world.sides[!side->is_smsc];
}

static void
answer_soon(struct side *side, const struct smpp_pdu *pdu)
{
    struct answer_later later = { .command = pdu->command, .sequence = pdu->sequence };
    uint32_t dice = world.is_kind ? 50 : chance(100);

    HOLDS(pdu->body.len == 4 && side->later_count < ANSWERS_MAX);
    uint32_t tag = num_u32be_get(pdu->body.ptr);
    HOLDS(tag < other(side)->count && pdu->sequence > side->last_sequence);
    side->last_sequence = pdu->sequence;
    if (dice < 5) { /* taken, and no word of it */
        other(side)->taken[tag]++;
        return;
    }
    later.status = dice < 15 ? SMPP_THROTTLED : SMPP_OK;
    other(side)->taken[tag] += later.status == SMPP_OK;
    later.at = mono_after_ms(world.now, world.is_kind ? 5 : dice > 90 ? chance(30000) : chance(400));
    side->later[side->later_count++] = later;
}

static void
on_bind(void *ctx, uint32_t command UNUSED, const struct smpp_bind *bind UNUSED)
{
    struct side *side = ctx;
    uint32_t dice = world.is_kind ? 50 : chance(100);

    smpp_session_bind_answer(side->session, dice < 10 ? SMPP_BIND_FAILED : SMPP_OK, SLICE("SMSC"), world.now);
}

static void
on_bound(void *ctx UNUSED, const struct smpp_answer *answer UNUSED)
{
}

static void
on_request(void *ctx, const struct smpp_pdu *pdu)
{
    answer_soon(ctx, pdu);
}

static void
on_notice(void *ctx UNUSED, const struct smpp_pdu *pdu UNUSED)
{
    HOLDS(false); /* nobody sends any */
}

static void
on_answer(void *ctx, uint64_t tag, const struct smpp_pdu *answer, bool is_late)
{
    struct side *side = ctx;

    if (is_late) {
        HOLDS(side->timed_out[tag] > 0);
        side->timed_out[tag]--;
        if (answer->status == SMPP_OK && side->fate[tag] == UNCERTAIN)
            side->fate[tag] = DONE;
        return;
    }
    HOLDS(side->fate[tag] == OUT && side->out > 0);
    side->out--;
    side->fate[tag] = answer->status == SMPP_OK ? DONE : QUEUED; /* it was refused: it may be asked again */
}

static void
on_lost(void *ctx, uint64_t tag, enum smpp_loss why)
{
    struct side *side = ctx;

    HOLDS(side->fate[tag] == OUT && side->out > 0);
    side->out--;
    side->timed_out[tag] += why == SMPP_LOSS_TIMEOUT;
    side->fate[tag] = world.may_repeat ? QUEUED : UNCERTAIN;
}

static void
on_closed(void *ctx, enum smpp_close why UNUSED, uint32_t status UNUSED)
{
    struct side *side = ctx;

    HOLDS(!side->is_closed && side->out == 0);
    side->is_closed = true;
}

static const struct smpp_session_calls calls = { on_bind,   on_bound, on_request, on_notice,
                                                 on_answer, on_lost,  on_closed };

static void
side_end(struct side *side)
{
    if (side->session == NULL)
        return;
    smpp_session_gone(side->session, world.now);
    HOLDS(side->is_closed);
    smpp_session_free(side->session);
    side->session = NULL;
    side->later_count = 0;
    side->last_sequence = 0;
    memset(side->timed_out, 0, sizeof(side->timed_out));
}

static void
link_drop(void)
{
    side_end(&world.sides[0]);
    side_end(&world.sides[1]);
    world.is_linked = false;
}

static void
link_make(void)
{
    struct smpp_bind bind = { .system_id = SLICE("meadow"), .password = SLICE("secret08") };

    for (size_t i = 0; i < 2; i++) {
        struct side *side = &world.sides[i];
        struct smpp_session_config config = { .side = i == 0 ? SMPP_ESME : SMPP_SMSC,
                                              .window_max = side->window,
                                              .peer_window_max = 64,
                                              .bind_ms = 5000,
                                              .response_ms = 3000,
                                              .enquire_ms = 4000,
                                              .read_ms = 8000,
                                              .drain_ms = 3000,
                                              .unbind_ms = 1000,
                                              .calls = &calls,
                                              .ctx = side };
        side->is_closed = false;
        assert_ok(smpp_session_new(&config, world.now, &side->session));
        world.pipes[i].from = world.pipes[i].to = 0;
    }
    assert_ok(smpp_session_bind(world.sides[0].session, SMPP_BIND_TRANSCEIVER, &bind, 9, world.now));
    world.is_linked = true;
}

static void
ask_some(struct side *side)
{
    for (uint32_t tag = 0; tag < side->count && smpp_session_room(side->session) > 0; tag++) {
        char body[4];
        if (side->fate[tag] != QUEUED || chance(3) == 0)
            continue;
        num_u32be_put(body, tag);
        enum err err = smpp_session_ask(side->session, side->is_smsc ? SMPP_DELIVER_SM : SMPP_SUBMIT_SM,
                                        slice_of(body, sizeof(body)), tag, world.now);
        HOLDS(err == ERR_OK);
        side->fate[tag] = OUT;
        side->out++;
        HOLDS(side->out <= side->window);
    }
}

/* What the session itself refuses, whoever asks. */
static void
ask_too_much(struct side *side)
{
    if (smpp_session_may_send(side->session) && smpp_session_room(side->session) == 0)
        HOLDS(smpp_session_ask(side->session, SMPP_SUBMIT_SM, SLICE_EMPTY, 0, world.now) == ERR_BUSY);
}

static void
answer_some(struct side *side)
{
    for (size_t i = 0; i < side->later_count;) {
        const struct answer_later later = side->later[i];
        if (later.at.us > world.now.us) {
            i++;
            continue;
        }
        side->later[i] = side->later[--side->later_count];
        for (unsigned times = !world.is_kind && chance(20) == 0 ? 2 : 1; times > 0; times--)
            smpp_session_answer(side->session, later.command, later.sequence, later.status, SLICE("m\0"),
                                world.now);
    }
}

/* Some octets out of a session into its pipe, and some out of the other one into it. */
static void
move_octets(struct side *side)
{
    struct slice out = smpp_session_out(side->session);
    size_t count = out.len == 0 ? 0 : world.is_kind ? out.len : chance((uint32_t)out.len + 1);

    if (side->writes->from == side->writes->to)
        side->writes->from = side->writes->to = 0;
    if (count > PIPE_BYTES - side->writes->to)
        count = PIPE_BYTES - side->writes->to;
    if (count > 0) {
        memcpy(side->writes->octets + side->writes->to, out.ptr, count);
        side->writes->to += count;
        smpp_session_written(side->session, count, world.now);
    }
    size_t there = side->reads->to - side->reads->from;
    size_t read = there == 0 ? 0 : world.is_kind ? there : chance((uint32_t)there + 1);
    if (read > 0) {
        size_t from = side->reads->from;
        side->reads->from += read;
        smpp_session_feed(side->session, slice_of(side->reads->octets + from, read), world.now);
    }
}

static bool
is_all_done(void)
{
    for (size_t i = 0; i < 2; i++)
        for (size_t tag = 0; tag < world.sides[i].count; tag++)
            if (world.sides[i].fate[tag] == QUEUED || world.sides[i].fate[tag] == OUT)
                return false;
    return true;
}

static void
step(bool is_silent)
{
    world.now = mono_after_ms(world.now, 1 + chance(world.is_kind ? 20 : 300));
    if (!world.is_linked) {
        if (world.is_kind || chance(4) == 0)
            link_make();
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        struct side *side = &world.sides[i];
        if (side->is_closed) {
            link_drop();
            return;
        }
        if (!(is_silent && side->is_smsc)) {
            ask_some(side);
            ask_too_much(side);
            answer_some(side);
            move_octets(side);
        }
        smpp_session_tick(side->session, world.now);
        HOLDS(side->is_closed || smpp_session_next(side->session).us > world.now.us);
    }
    if (!world.is_kind && chance(60) == 0)
        link_drop();
}

static void
run(unsigned seed)
{
    unsigned steps = 0;
    bool is_silent = false;

    memset(&world.sides, 0, sizeof(world.sides));
    world.seed = seed;
    world.random = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    world.now.us = 1000000 * MS;
    world.is_linked = world.is_kind = false;
    world.may_repeat = chance(2) == 0;
    for (size_t i = 0; i < 2; i++)
        world.sides[i] = (struct side){ .reads = &world.pipes[!i],
                                        .writes = &world.pipes[i],
                                        .count = i == 0 ? MESSAGES : DELIVERIES,
                                        .window = 1 + chance(10),
                                        .is_smsc = i == 1 };
    for (; steps < UNKIND_STEPS; steps++) {
        if (chance(50) == 0)
            is_silent = !is_silent && chance(3) == 0;
        step(is_silent);
    }
    world.is_kind = true;
    for (; !is_all_done(); steps++) {
        HOLDS(steps < STEPS_MAX);
        step(false);
    }
    link_drop();
    for (size_t i = 0; i < 2; i++)
        for (size_t tag = 0; tag < world.sides[i].count; tag++) {
            const struct side *side = &world.sides[i];
            HOLDS(side->fate[tag] == DONE || (side->fate[tag] == UNCERTAIN && !world.may_repeat));
            HOLDS(side->fate[tag] != DONE || side->taken[tag] >= 1);
            HOLDS(world.may_repeat || side->taken[tag] <= 1);
        }
}

static void
ten_thousand_worlds_lose_and_double_nothing(void **state UNUSED)
{
    for (unsigned seed = 0; seed < SEEDS; seed++)
        run(seed);
}

UNIT_MAIN(cmocka_unit_test(ten_thousand_worlds_lose_and_double_nothing))
