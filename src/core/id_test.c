#include "core/id.h"
#include "core/unit.h"
#include "core/unit_child.h"
#include <pthread.h>
#include <stdlib.h>

#define HOUR_US INT64_C(3600000000)

/* Ids of a process never go back in time, so each test begins an hour after the one before, all after 2100.
 */
static struct clock_manual
later_clock(void)
{
    static int64_t us = INT64_C(4102444800000000);
    struct clock_manual manual;

    us += HOUR_US;
    clock_manual_init(&manual, (struct wall_time){ us });
    return manual;
}

static int
order(const void *a, const void *b)
{
    return memcmp(a, b, ID_BYTES);
}

static void
assert_grows(struct id before, struct id after)
{
    if (order(&before, &after) >= 0) {
        char a[ID_UUID_BYTES], b[ID_UUID_BYTES];
        fail_msg("%.*s, then %.*s", SLICE_FMT(id_uuid_print(before, a)), SLICE_FMT(id_uuid_print(after, b)));
    }
}

/* RFC 9562, 5.7: 48 bits of milliseconds, version 7, variant 10. */
static void
a_new_id_has_the_shape_of_uuid_version_7(void **state UNUSED)
{
    struct clock_manual manual = later_clock();
    struct id id = id_new(&manual.clock);
    int64_t ms = 0;

    for (size_t i = 0; i < 6; i++)
        ms = ms << 8 | id.bytes[i];
    assert_int_equal(ms, manual.wall_now.us / 1000);
    assert_int_equal(id.bytes[6] >> 4, 7);
    assert_int_equal(id.bytes[8] >> 6, 2);
    assert_int_equal(id_time(id).us, manual.wall_now.us);
    assert_false(id_is_zero(id));
}

/* RFC 9562, A.6 */
static void
the_published_example_reads_as_its_time(void **state UNUSED)
{
    struct id id;
    char text[ID_TEXT_BYTES], uuid[ID_UUID_BYTES];

    assert_ok(id_uuid_parse(SLICE("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"), &id));
    assert_int_equal(id_time(id).us, INT64_C(1645557742000000)); /* 2022-02-22T19:22:22Z */
    assert_true(slice_eq(id_uuid_print(id, uuid), SLICE("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")));
    assert_true(slice_eq(id_print(ID_MESSAGE, id, text), SLICE("msg_01fwhe4ydgfk1shh6w1g60eecf")));
    assert_string_equal(text, "msg_01fwhe4ydgfk1shh6w1g60eecf");
    assert_string_equal(uuid, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
}

static void
ids_grow_within_one_millisecond(void **state UNUSED)
{
    struct clock_manual manual = later_clock();
    struct id last = id_new(&manual.clock);

    for (int i = 0; i < 20000; i++) {
        struct id id = id_new(&manual.clock);
        assert_grows(last, id);
        last = id;
    }
    /* A count begins in the lower half of 4096: at least 2048 ids share a millisecond before the next begins.
     */
    assert_true(id_time(last).us - manual.wall_now.us <= 20000 / 2048 * 1000);
}

static void
ids_grow_while_the_clock_steps_back(void **state UNUSED)
{
    struct clock_manual manual = later_clock();
    struct id last = id_new(&manual.clock);
    int64_t highest = manual.wall_now.us;
    uint32_t random = 7;

    for (int i = 0; i < 50000; i++) {
        random = random * 1664525 + 1013904223;
        clock_manual_advance(&manual, (int64_t)(random >> 8) % 4001 - 2000);
        if (manual.wall_now.us > highest)
            highest = manual.wall_now.us;
        struct id id = id_new(&manual.clock);
        assert_grows(last, id);
        assert_true(id_time(id).us / 1000 >= highest / 1000); /* never behind the latest time seen */
        last = id;
    }
    clock_manual_advance(&manual, -100 * HOUR_US);
    assert_grows(last, id_new(&manual.clock));
}

static void
a_clock_before_1970_or_after_the_last_millisecond_makes_ids_too(void **state UNUSED)
{
    const struct wall_time past = { -5 }, future = { INT64_MAX };

    assert_int_equal(id_time(id_at(past)).us, 0);
    assert_int_equal(id_time(id_at(future)).us, ((INT64_C(1) << 48) - 1) * 1000);
    struct clock_manual manual;
    clock_manual_init(&manual, past);
    struct id first = id_new(&manual.clock);
    assert_grows(first, id_new(&manual.clock));
}

/* 62 bits are drawn for each id: over many ids, each of them is seen set and seen clear. */
static void
what_follows_the_count_is_random(void **state UNUSED)
{
    struct clock_manual manual = later_clock();
    uint8_t ever[8] = { 0 }, always[8];

    memset(always, 0xFF, sizeof(always));
    for (int i = 0; i < 200; i++) {
        struct id id = id_new(&manual.clock);
        for (size_t at = 0; at < 8; at++) {
            ever[at] |= id.bytes[8 + at];
            always[at] &= id.bytes[8 + at];
        }
    }
    assert_memory_equal(ever, "\xBF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8);
    assert_memory_equal(always, "\x80\0\0\0\0\0\0\0", 8);
}

enum { THREADS = 4, IDS_EACH = 20000 };

struct maker {
    const struct clock *clock;
    struct id ids[IDS_EACH];
};

static void *
maker_run(void *ctx)
{
    struct maker *maker = ctx;

    for (size_t i = 0; i < IDS_EACH; i++)
        maker->ids[i] = id_new(maker->clock);
    return NULL;
}

static void
threads_never_draw_the_same_id_and_each_sees_its_own_grow(void **state UNUSED)
{
    static struct maker makers[THREADS];
    static struct id all[THREADS * IDS_EACH];
    pthread_t threads[THREADS];
    struct clock_manual manual = later_clock();

    for (size_t i = 0; i < THREADS; i++) {
        makers[i].clock = i % 2 == 0 ? &manual.clock : clock_system(); /* two clocks that disagree */
        assert_int_equal(pthread_create(&threads[i], NULL, maker_run, &makers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        for (size_t j = 1; j < IDS_EACH; j++)
            assert_grows(makers[i].ids[j - 1], makers[i].ids[j]);
        memcpy(all + i * IDS_EACH, makers[i].ids, sizeof(makers[i].ids));
    }
    qsort(all, COUNT_OF(all), sizeof(all[0]), order);
    for (size_t i = 1; i < COUNT_OF(all); i++)
        assert_grows(all[i - 1], all[i]);
}

/* What one thread made before another began to make its own is the smaller: the threads take turns. */
static struct {
    pthread_mutex_t mutex;
    struct clock_manual manual; /* under mutex */
    struct id last;             /* under mutex */
    size_t wrong;               /* under mutex */
} turn = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static void *
turn_run(void *ctx UNUSED)
{
    for (int i = 0; i < IDS_EACH; i++) {
        pthread_mutex_lock(&turn.mutex);
        clock_manual_advance(&turn.manual, i % 5 == 0 ? -700 : 300);
        struct id id = id_new(&turn.manual.clock);
        turn.wrong += order(&turn.last, &id) >= 0;
        turn.last = id;
        pthread_mutex_unlock(&turn.mutex);
    }
    return NULL;
}

static void
ids_grow_from_thread_to_thread(void **state UNUSED)
{
    pthread_t threads[THREADS];

    turn.manual = later_clock();
    turn.last = id_new(&turn.manual.clock);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, turn_run, NULL), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(turn.wrong, 0);
}

static int
run_new(void *ctx)
{
    struct clock_manual manual;
    const int *to = ctx;

    clock_manual_init(&manual, (struct wall_time){ 0 });
    for (int i = 0; i < 10; i++) {
        struct id id = id_new(&manual.clock);
        if (write(*to, id.bytes, ID_BYTES) != (ssize_t)ID_BYTES)
            return 1;
    }
    return 0;
}

/* A fork copies the count, so parent and child go through the same numbers: only the random part differs. */
static void
a_forked_child_draws_other_ids(void **state UNUSED)
{
    int ends[2];
    struct id ids[20];

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(unit_child(run_new, &ends[1]), 0);
    assert_int_equal(run_new(&ends[1]), 0);
    assert_int_equal(read(ends[0], ids, sizeof(ids)), sizeof(ids));
    close(ends[0]);
    close(ends[1]);
    assert_memory_equal(ids[0].bytes, ids[10].bytes, 8); /* the same time and count ... */
    for (size_t i = 0; i < 10; i++)
        assert_false(id_eq(ids[i], ids[10 + i])); /* ... and yet another id */
}

static void
the_bound_of_a_millisecond_lies_below_its_ids_and_above_those_before(void **state UNUSED)
{
    struct clock_manual manual = later_clock();
    struct id before = id_new(&manual.clock);

    clock_manual_advance(&manual, 1000);
    struct id bound = id_at(manual.wall_now);
    assert_grows(before, bound);
    assert_grows(bound, id_new(&manual.clock));
    assert_int_equal(id_time(bound).us, manual.wall_now.us);
    assert_true(id_eq(bound, id_at((struct wall_time){ manual.wall_now.us + 999 })));
    assert_int_equal(bound.bytes[6], 0x70);
    assert_int_equal(bound.bytes[8], 0x80);
}

static const struct {
    enum id_kind kind;
    const char *prefix;
} kinds[] = {
    { ID_TENANT, "ten_" },       { ID_KEY, "key_" },
    { ID_CHANNEL, "chn_" },      { ID_MESSAGE, "msg_" },
    { ID_EVENT, "evt_" },        { ID_ENDPOINT, "whe_" },
    { ID_DELIVERY, "whd_" },     { ID_PROVIDER_EVENT, "pev_" },
    { ID_REQUEST, "req_" },      { ID_INSTANCE, "ins_" },
    { ID_OPERATION, "opr_" },    { ID_MEDIA, "med_" },
    { ID_TEMPLATE, "tpl_" },     { ID_REPLAY, "whr_" },
    { ID_PERSON, "usr_" },       { ID_SESSION, "ses_" },
    { ID_CEREMONY, "cer_" },     { ID_ENROLMENT, "enr_" },
    { ID_PASSKEY, "pky_" },      { ID_ISSUER, "idp_" },
    { ID_IDENTITY, "idn_" },     { ID_ROLE, "rol_" },
    { ID_MEMBERSHIP, "mbr_" },   { ID_TEAM, "tem_" },
    { ID_INVITATION, "inv_" },   { ID_REVIEW, "rev_" },
    { ID_AUDIT, "aud_" },        { ID_MAIL, "mai_" },
    { ID_CONSENT, "csn_" },      { ID_NOTICE, "cno_" },
    { ID_SUPPRESSION, "sup_" },  { ID_DLT_ENTITY, "dle_" },
    { ID_DLT_CHAIN, "dlc_" },    { ID_DLT_HEADER, "dlh_" },
    { ID_DLT_TEMPLATE, "dlt_" }, { ID_DLT_LINK, "dll_" },
    { ID_DLT_IMPORT, "dli_" },     { ID_SMS_CONNECTOR, "smc_" },
    { ID_SMS_ROUTE, "smr_" },
};

static void
an_id_is_of_one_kind_only(void **state UNUSED)
{
    char text[ID_TEXT_BYTES];
    struct clock_manual manual = later_clock();

    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct id id = id_new(&manual.clock), back;
        struct slice printed = id_print(kinds[i].kind, id, text);
        assert_true(slice_eq(id_prefix(kinds[i].kind), slice_text(kinds[i].prefix)));
        assert_true(slice_starts_with(printed, slice_text(kinds[i].prefix)));
        for (size_t j = 0; j < COUNT_OF(kinds); j++) {
            memset(&back, 0, sizeof(back));
            assert_int_equal(id_parse(kinds[j].kind, printed, &back), i == j ? ERR_OK : ERR_ID_SYNTAX);
            assert_int_equal(id_eq(id, back), i == j);
        }
    }
}

static void
what_is_printed_reads_back_and_sorts_as_the_id_does(void **state UNUSED)
{
    struct id id = { { 0 } }, last = { { 0 } };
    char text[ID_TEXT_BYTES], uuid[ID_UUID_BYTES], last_text[ID_TEXT_BYTES];

    id_print(ID_EVENT, last, last_text);
    for (unsigned i = 0; i < 20000; i++) {
        for (size_t at = 0; at < ID_BYTES; at++)
            id.bytes[at] = (uint8_t)(id.bytes[at] * 5 + i * (at + 3) + (i >> at % 7));
        struct id back, uuid_back;
        struct slice printed = id_print(ID_EVENT, id, text);
        assert_ok(id_parse(ID_EVENT, printed, &back));
        assert_true(id_eq(back, id));
        assert_ok(id_uuid_parse(id_uuid_print(id, uuid), &uuid_back));
        assert_true(id_eq(uuid_back, id));
        assert_int_equal(order(&last, &id) < 0, slice_compare(slice_text(last_text), printed) < 0);
        last = id;
        memcpy(last_text, text, sizeof(text));
    }
}

static void
known_bits_have_known_digits(void **state UNUSED)
{
    static const struct {
        const char *uuid, *text;
    } rows[] = {
        { "00000000-0000-0000-0000-000000000000", "ten_00000000000000000000000000" },
        { "ffffffff-ffff-ffff-ffff-ffffffffffff", "ten_7zzzzzzzzzzzzzzzzzzzzzzzzz" },
        { "80000000-0000-0000-0000-000000000001", "ten_40000000000000000000000001" },
        { "01234567-89ab-cdef-fedc-ba9876543210", "ten_014d2pf2dbsqqzxq5tk1v58cgg" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct id id;
        char text[ID_TEXT_BYTES];
        assert_ok(id_uuid_parse(slice_text(rows[i].uuid), &id));
        assert_true(slice_eq(id_print(ID_TENANT, id, text), slice_text(rows[i].text)));
    }
    assert_true(id_is_zero((struct id){ { 0 } }));
}

static void
an_id_has_one_spelling(void **state UNUSED)
{
    const struct slice rows[] = {
        SLICE(""),
        SLICE("msg_"),
        SLICE("01fwhe4ydgfk1shh6w1g60eecf"),
        SLICE("MSG_01fwhe4ydgfk1shh6w1g60eecf"),
        SLICE("msg_01FWHE4YDGFK1SHH6W1G60EECF"), /* upper case */
        SLICE("msg_01fwhe4ydgfk1shh6w1g60eec"),  /* one short, one long */
        SLICE("msg_01fwhe4ydgfk1shh6w1g60eecff"),
        SLICE("msg_81fwhe4ydgfk1shh6w1g60eecf"), /* bit 129 */
        SLICE("msg_z1fwhe4ydgfk1shh6w1g60eecf"),
        SLICE("msg_i1fwhe4ydgfk1shh6w1g60eecf"), /* Crockford would read i as 1 */
        SLICE("msg_01fwhe4ydgfk1shh6w1g60eecl"),
        SLICE("msg_01fwhe4ydgfk1shh6w1g60eeco"),
        SLICE("msg_01fwhe4ydgfk1shh6w1g60eecu"),
        SLICE("msg_01fwhe4ydgfk1-shh6w1g60eec"),
        SLICE("msg_01fwhe4ydgfk1shh6w1g60eec\0"),
        SLICE(" msg_01fwhe4ydgfk1shh6w1g60eec"),
        SLICE("msg-01fwhe4ydgfk1shh6w1g60eecf"),
        SLICE("017f22e2-79b0-7cc3-98c4-dc0c0c07398f"), /* the inner form is not for outside */
    };
    struct id id;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (id_parse(ID_MESSAGE, rows[i], &id) != ERR_ID_SYNTAX)
            fail_msg("%.*s", SLICE_FMT(rows[i]));
}

static void
a_uuid_is_36_characters_with_dashes_in_their_places(void **state UNUSED)
{
    const struct slice rows[] = {
        SLICE(""),
        SLICE("017f22e279b07cc398c4dc0c0c07398f"),
        SLICE("017f22e2-79b0-7cc3-98c4-dc0c0c07398"),
        SLICE("017f22e2-79b0-7cc3-98c4-dc0c0c07398f0"),
        SLICE("017f22e27-9b0-7cc3-98c4-dc0c0c07398f"),
        SLICE("017f22e2-79b0-7cc3-98c4_dc0c0c07398f"),
        SLICE("017f22e2-79b0-7cc3-98c4-dc0c0c07398g"),
        SLICE("{17f22e2-79b0-7cc3-98c4-dc0c0c07398}"),
        SLICE("-17f22e2-79b0-7cc3-98c4-dc0c0c07398f"),
        SLICE("017f22e2-79b0-7cc3-98c4-dc0c0c07398\0"),
    };
    struct id id;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (id_uuid_parse(rows[i], &id) != ERR_ID_SYNTAX)
            fail_msg("%.*s", SLICE_FMT(rows[i]));
}

UNIT_MAIN(cmocka_unit_test(a_clock_before_1970_or_after_the_last_millisecond_makes_ids_too),
          cmocka_unit_test(a_new_id_has_the_shape_of_uuid_version_7),
          cmocka_unit_test(the_published_example_reads_as_its_time),
          cmocka_unit_test(ids_grow_within_one_millisecond),
          cmocka_unit_test(ids_grow_while_the_clock_steps_back),
          cmocka_unit_test(what_follows_the_count_is_random),
          cmocka_unit_test(threads_never_draw_the_same_id_and_each_sees_its_own_grow),
          cmocka_unit_test(ids_grow_from_thread_to_thread), cmocka_unit_test(a_forked_child_draws_other_ids),
          cmocka_unit_test(the_bound_of_a_millisecond_lies_below_its_ids_and_above_those_before),
          cmocka_unit_test(an_id_is_of_one_kind_only),
          cmocka_unit_test(what_is_printed_reads_back_and_sorts_as_the_id_does),
          cmocka_unit_test(known_bits_have_known_digits), cmocka_unit_test(an_id_has_one_spelling),
          cmocka_unit_test(a_uuid_is_36_characters_with_dashes_in_their_places))
