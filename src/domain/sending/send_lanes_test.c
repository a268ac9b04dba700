/* Which messages leave next, of what is known to wait; the test is the clock and the database. */
#include "core/unit.h"
#include "domain/sending/send_lanes.h"
#include <string.h>

#define SECOND_US INT64_C(1000000)
#define ROOM      16u
#define LANE_ROOM 8u

static struct pace *pace;
static struct send_lanes *lanes;
static struct message_lane ours[8];

static struct mono_time
at(int64_t us)
{
    return (struct mono_time){ 1000 * SECOND_US + us };
}

static struct id
numbered(unsigned kind, unsigned n)
{
    struct id id = { { 0 } };

    id.bytes[0] = (unsigned char)kind;
    id.bytes[14] = (unsigned char)(n >> 8);
    id.bytes[15] = (unsigned char)n;
    return id;
}

static void
update(size_t count, size_t share, int64_t now)
{
    struct message_lanes all = { .lanes = ours, .count = count, .share = share };

    assert_ok(send_lanes_update(lanes, &all, at(now)));
}

/* Lanes 0, 1, ... of two workspaces in turn, open and with something in them. */
static int
opened(void **state UNUSED)
{
    assert_ok(pace_new(100000, &pace));
    assert_ok(send_lanes_new(
        &(struct send_lanes_config){ .pace = pace, .in_flight_max = ROOM, .per_lane_max = LANE_ROOM },
        &lanes));
    for (unsigned i = 0; i < COUNT_OF(ours); i++)
        ours[i] = (struct message_lane){ .tenant = numbered(1, i % 2),
                                         .channel = numbered(2, i),
                                         .fence = 1,
                                         .weight = 100,
                                         .is_open = true,
                                         .is_resting = true,
                                         .has_waiting = true };
    return 0;
}

static int
closed(void **state UNUSED)
{
    send_lanes_free(lanes);
    pace_free(pace);
    return 0;
}

/* Looks, and finds so many of a category in each lane that wants it; returns how many were wanted. */
static size_t
look(enum message_category category, size_t count, int64_t now)
{
    static struct message_wanted wanted[SEND_WANTED_MAX];
    static struct message_found found[SEND_WANTED_MAX * 64];
    static unsigned next;
    size_t wanted_count = send_lanes_wanted(lanes, at(now), wanted), found_count = 0;

    for (size_t i = 0; i < wanted_count; i++)
        for (size_t k = 0; wanted[i].category == category && k < count; k++)
            found[found_count++] = (struct message_found){
                .wanted = i,
                .claim = { .message = numbered(3, next++),
                           .channel = wanted[i].channel,
                           .category = category,
                           .expires_at = { INT64_MAX } },
            };
    assert_ok(send_lanes_found(lanes, wanted, wanted_count, found, found_count, 64, at(now)));
    return wanted_count;
}

/* What has gone is not walked over again with every look, and what came late is found all the same. */
static void
a_look_goes_on_where_the_last_one_ended(void **state UNUSED)
{
    struct message_wanted wanted[SEND_WANTED_MAX];
    struct message_found found[2] = { { .due_at = { 7 * SECOND_US }, .claim.category = MESSAGE_OTP },
                                      { .due_at = { 9 * SECOND_US }, .claim.category = MESSAGE_OTP } };

    update(1, 1, 0);
    assert_int_equal(send_lanes_wanted(lanes, at(0), wanted), 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(wanted[i].since.us, 0);
    for (size_t i = 0; i < COUNT_OF(found); i++)
        found[i].claim.expires_at.us = INT64_MAX;
    assert_ok(send_lanes_found(lanes, wanted, 4, found, COUNT_OF(found), 64, at(0)));
    struct claimed picked[4];
    assert_int_equal(send_lanes_pick(lanes, at(0), (struct wall_time){ 0 }, at(SECOND_US), 4, picked), 2);
    send_lanes_told_all(lanes);
    assert_int_equal(send_lanes_wanted(lanes, at(SECOND_US / 2), wanted), 4);
    for (size_t i = 0; i < 4; i++) /* two seconds before the last one that was found; others: nothing was */
        assert_int_equal(wanted[i].since.us, wanted[i].category == MESSAGE_OTP ? 7 * SECOND_US : 0);
    send_lanes_told_all(lanes);
    assert_int_equal(send_lanes_wanted(lanes, at(SECOND_US), wanted), 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(wanted[i].since.us, 0);
    for (size_t i = 0; i < 2; i++)
        send_lanes_done(lanes, picked[i].lane, MESSAGE_OTP, at(SECOND_US));
}

static size_t
pick(struct claimed *out, size_t max, int64_t now)
{
    return send_lanes_pick(lanes, at(now), (struct wall_time){ 0 }, at(now + SECOND_US), max, out);
}

static void
settle(const struct claimed *picked, size_t count, int64_t now)
{
    for (size_t i = 0; i < count; i++)
        send_lanes_done(lanes, picked[i].lane, picked[i].claim.category, at(now));
}

static void
an_eighth_of_the_places_is_kept_for_the_urgent(void **state UNUSED)
{
    struct claimed bulk[64], urgent[64];

    update(4, 4, 0);
    look(MESSAGE_PROMOTIONAL, 20, 0);
    size_t count = pick(bulk, 64, 0);
    assert_int_equal(count, ROOM - ROOM / 8);
    send_lanes_told_all(lanes);
    look(MESSAGE_OTP, 20, 1000);
    assert_int_equal(pick(urgent, 64, 1000), ROOM / 8);
    for (size_t i = 0; i < ROOM / 8; i++)
        assert_int_equal(urgent[i].claim.category, MESSAGE_OTP);
    settle(bulk, count, 2000);
    count = pick(bulk, 64, 2000); /* the urgent have what is free before the rest has it */
    assert_int_equal(count, ROOM - ROOM / 8);
    assert_int_equal(bulk[0].claim.category, MESSAGE_OTP);
}

/* Few at a time, and only where others are out: by themselves they need nobody's leave. */
static void
the_urgent_leave_before_the_next_many_of_the_others(void **state UNUSED)
{
    struct claimed bulk[64], urgent[64], rest[64];
    struct wall_time wall = { 0 };

    update(2, 2, 0);
    look(MESSAGE_OTP, 3, 0);
    assert_int_equal(send_lanes_pick_urgent(lanes, at(0), wall, at(SECOND_US), 64, urgent), 0);
    size_t first = pick(urgent, 64, 0);
    assert_int_equal(first, 6);
    settle(urgent, first, 10);
    send_lanes_told_all(lanes);
    look(MESSAGE_SERVICE, 20, 20);
    size_t out = pick(bulk, 2, 20);
    assert_int_equal(out, 2);
    send_lanes_told_all(lanes);
    look(MESSAGE_TRANSACTIONAL, 3, 30);
    size_t count = send_lanes_pick_urgent(lanes, at(30), wall, at(SECOND_US), 4, urgent);
    assert_int_equal(count, 4);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(urgent[i].claim.category, MESSAGE_TRANSACTIONAL);
    size_t others = pick(rest, 64, 30); /* and nothing is lost to those that come after them */
    assert_int_equal(others, ROOM - out - count);
    for (size_t i = 0; i < others; i++)
        assert_int_equal(rest[i].claim.category, i < 2 ? MESSAGE_TRANSACTIONAL : MESSAGE_SERVICE);
    settle(bulk, out, 40);
    settle(urgent, count, 40);
    settle(rest, others, 40);
}

static void
no_lane_has_more_than_its_places(void **state UNUSED)
{
    struct claimed picked[64];
    size_t count;

    update(1, 1, 0);
    look(MESSAGE_OTP, 20, 0);
    assert_int_equal(count = pick(picked, 64, 0), LANE_ROOM);
    assert_int_equal(pick(picked + count, 64 - count, 10), 0);
    settle(picked, 3, 20);
    assert_int_equal(pick(picked, 64, 30), 3);
}

/* Whatever is picked, workspaces get their turns by weight. */
static void
workspaces_have_turns_by_their_weight(void **state UNUSED)
{
    struct claimed picked[64];
    size_t of_heavy = 0;

    ours[0].weight = 300;
    update(2, 2, 0);
    look(MESSAGE_OTP, 60, 0);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(pick(picked, 1, i), 1);
        of_heavy += id_eq(picked[0].claim.channel, ours[0].channel);
        settle(picked, 1, i);
    }
    assert_in_range(of_heavy, 29, 31);
}

static void
what_is_held_closed_or_lost_is_not_picked(void **state UNUSED)
{
    struct claimed picked[64];

    update(2, 2, 0);
    look(MESSAGE_OTP, 5, 0);
    assert_int_equal(pick(picked, 1, 0), 1);
    send_lane_hold(picked[0].lane, at(0), 5000);
    struct id held = picked[0].claim.channel;
    for (size_t n; (n = pick(picked + 1, 1, 10)) > 0;) {
        assert_false(id_eq(picked[1].claim.channel, held));
        settle(picked + 1, 1, 10);
    }
    assert_int_equal(pick(picked + 1, 1, 6 * SECOND_US), 1); /* the hold is over */
    assert_true(id_eq(picked[1].claim.channel, held));
    update(0, 0, 7 * SECOND_US); /* all are another's */
    assert_int_equal(pick(picked + 2, 62, 7 * SECOND_US), 0);
    assert_false(send_lanes_told(lanes, held));
    settle(picked, 2, 8 * SECOND_US); /* what was out comes back all the same */
    assert_int_equal(send_lanes_count(lanes), 0);
}

/* A busy lane looks by itself and wants no notices; a quiet one rests. */
static void
a_lane_rests_when_it_is_quiet(void **state UNUSED)
{
    struct claimed picked[64];
    struct id channels[8];

    update(1, 1, 0);
    look(MESSAGE_OTP, 20, 0);
    assert_int_equal(send_lanes_to_rest(lanes, false, channels, 8), 1);
    send_lanes_rested(lanes, channels, 1, false, at(0));
    for (size_t n; (n = pick(picked, 64, 0)) > 0;)
        settle(picked, n, 0);
    int64_t now = 0;
    for (; send_lanes_to_rest(lanes, true, channels, 8) == 0; now += SEND_LOOK_MS * 1000) {
        assert_true(now < SECOND_US);
        assert_true(send_lanes_next(lanes, at(now)).us <= at(now + SEND_LOOK_MS * 1000).us);
        look(MESSAGE_OTP, 0, now);
    }
    send_lanes_rested(lanes, channels, 1, true, at(now));
    size_t looks = 0;
    for (int64_t end = now + SECOND_US; now < end; now += 1000)
        looks += look(MESSAGE_OTP, 0, now) > 0;
    assert_in_range(looks, 2, 5); /* for who wrote while the flag went up */
    assert_true(send_lanes_next(lanes, at(now)).us == INT64_MAX);
    assert_true(send_lanes_told(lanes, channels[0]));
    assert_int_equal(look(MESSAGE_OTP, 1, now), 4);
}

static void
what_is_beyond_the_share_is_given_up_when_it_is_empty(void **state UNUSED)
{
    struct claimed picked[64];
    struct id left[8];

    update(4, 4, 0);
    look(MESSAGE_OTP, 2, 0);
    size_t count = pick(picked, 64, 0), more;
    assert_int_equal(count, 8);
    update(4, 1, SECOND_US);
    assert_int_equal(send_lanes_left(lanes, left, 8), 0); /* something of each is out */
    settle(picked, count, SECOND_US);
    assert_int_equal(more = send_lanes_left(lanes, left, 8), 3);
    send_lanes_forget(lanes, left, more);
    assert_int_equal(send_lanes_count(lanes), 1);
    send_lanes_drain(lanes);
    assert_int_equal(send_lanes_left(lanes, left, 8), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
UNIT_MAIN(TEST(an_eighth_of_the_places_is_kept_for_the_urgent),
          TEST(the_urgent_leave_before_the_next_many_of_the_others),
          TEST(a_look_goes_on_where_the_last_one_ended), TEST(no_lane_has_more_than_its_places),
          TEST(workspaces_have_turns_by_their_weight), TEST(what_is_held_closed_or_lost_is_not_picked),
          TEST(a_lane_rests_when_it_is_quiet), TEST(what_is_beyond_the_share_is_given_up_when_it_is_empty))
