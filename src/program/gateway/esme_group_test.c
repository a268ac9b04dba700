/* Parts of long messages: told by every header, and put together whatever way they come. */
#include "core/unit.h"
#include "program/gateway/esme_group.h"
#include "wire/smpp/smpp_status.h"
#include <stdio.h>
#include <string.h>

static struct arena *arena;

static int
opened(void **state UNUSED)
{
    arena = arena_new(1u << 20);
    return arena == NULL;
}

static int
closed(void **state UNUSED)
{
    arena_free(arena);
    return 0;
}

struct written {
    enum sms_concat kind; /* SMS_CONCAT_NONE: SAR */
    const char *source, *destination, *text;
    unsigned reference, count, number;
    uint8_t coding, receipt;
};

/* The body of the submit_sm, in the arena. */
static struct slice
body_of(const struct written *with)
{
    struct buf octets, tlvs, body;
    struct smpp_message message = {
        .source = { .ton = 5, .digits = slice_text(with->source) },
        .destination = { .ton = 1, .npi = 1, .digits = slice_text(with->destination) },
        .data_coding = with->coding,
        .registered_delivery = with->receipt
    };

    buf_init(&octets, SMPP_SHORT_MESSAGE_MAX);
    buf_init(&tlvs, 64);
    buf_init(&body, SMPP_PDU_BYTES_MAX);
    if (with->kind == SMS_CONCAT_NONE) {
        smpp_tlv_add_u16(&tlvs, SMPP_TLV_SAR_MSG_REF_NUM, (uint16_t)with->reference);
        smpp_tlv_add_u8(&tlvs, SMPP_TLV_SAR_TOTAL_SEGMENTS, (uint8_t)with->count);
        smpp_tlv_add_u8(&tlvs, SMPP_TLV_SAR_SEGMENT_SEQNUM, (uint8_t)with->number);
    } else {
        /* by hand: also those that are not allowed */
        unsigned char udh[7] = { 5, 0, 3, (unsigned char)with->reference };
        size_t at = 4;
        if (with->kind == SMS_CONCAT_16) {
            memcpy(udh, (unsigned char[]){ 6, 8, 4, (unsigned char)(with->reference >> 8) }, 4);
            udh[at++] = (unsigned char)with->reference;
        }
        udh[at++] = (unsigned char)with->count;
        udh[at++] = (unsigned char)with->number;
        buf_add(&octets, slice_of(udh, at));
        message.esm_class = SMPP_ESM_UDHI;
    }
    buf_add(&octets, slice_text(with->text));
    message.short_message = buf_slice(&octets);
    message.tlvs = buf_slice(&tlvs);
    assert_ok(smpp_message_add(&body, SMPP_SUBMIT_SM, &message));
    struct slice out = arena_copy(arena, buf_slice(&body));
    buf_release(&octets);
    buf_release(&tlvs);
    buf_release(&body);
    assert_non_null(out.ptr);
    return out;
}

static struct written
part(unsigned number, const char *text)
{
    return (struct written){ .kind = SMS_CONCAT_8,
                             .source = "HRKARA",
                             .destination = "919812345678",
                             .text = text,
                             .reference = 7,
                             .count = 3,
                             .number = number };
}

static enum esme_added
added(struct esme_group *group, struct written with)
{
    enum esme_added what = ESME_ELSEWHERE;

    assert_ok(esme_group_add(group, SMPP_SUBMIT_SM, body_of(&with), &what));
    return what;
}

static uint32_t
status_of(struct written with)
{
    struct slice body = body_of(&with);
    struct smpp_message message;
    struct esme_part out;

    assert_ok(smpp_message_read(SMPP_SUBMIT_SM, body, &message));
    return esme_part_read(&message, body.len, &out);
}

static void
a_header_tells_which_part_it_is(void **state UNUSED)
{
    const enum sms_concat kinds[] = { SMS_CONCAT_8, SMS_CONCAT_16, SMS_CONCAT_NONE };

    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct written with = part(2, "text");
        struct smpp_message message;
        struct esme_part out;
        with.kind = kinds[i];
        with.reference = kinds[i] == SMS_CONCAT_8 ? 200 : 40000;
        struct slice body = body_of(&with);
        assert_ok(smpp_message_read(SMPP_SUBMIT_SM, body, &message));
        assert_int_equal(esme_part_read(&message, body.len, &out), SMPP_OK);
        assert_int_equal(out.kind, kinds[i]);
        assert_int_equal(out.reference, with.reference);
        assert_int_equal(out.count, 3);
        assert_int_equal(out.number, 2);
        assert_true(slice_eq(out.octets, SLICE("text")));
    }
}

static void
what_is_no_part_of_its_count_is_refused(void **state UNUSED)
{
    struct written many = part(1, "x"), beyond = part(4, "x"), zero = part(0, "x");

    many.count = ESME_PARTS_MAX + 1;
    many.kind = beyond.kind = zero.kind = SMS_CONCAT_NONE;
    assert_int_equal(status_of(many), SMPP_SUBMIT_FAILED);
    assert_int_equal(status_of(beyond), SMPP_SUBMIT_FAILED);
    assert_int_equal(status_of(zero), SMPP_SUBMIT_FAILED);
    many.count = ESME_PARTS_MAX;
    assert_int_equal(status_of(many), SMPP_OK);
}

static void
a_part_that_is_too_long_is_refused_and_a_whole_message_is_not(void **state UNUSED)
{
    struct written one = part(1, "x");
    struct smpp_message message;
    struct esme_part out;

    one.kind = SMS_CONCAT_NONE;
    assert_ok(smpp_message_read(SMPP_SUBMIT_SM, body_of(&one), &message));
    assert_int_equal(esme_part_read(&message, ESME_PART_BYTES_MAX, &out), SMPP_OK);
    assert_int_equal(esme_part_read(&message, ESME_PART_BYTES_MAX + 1, &out), SMPP_INVALID_LENGTH);
    one.count = 1;
    assert_ok(smpp_message_read(SMPP_SUBMIT_SM, body_of(&one), &message));
    assert_int_equal(esme_part_read(&message, ESME_PART_BYTES_MAX + 1, &out), SMPP_OK);
}

static void
parts_of_another_message_are_not_taken(void **state UNUSED)
{
    struct written others[5];
    struct esme_group group;

    esme_group_init(&group, arena);
    assert_int_equal(added(&group, part(1, "a")), ESME_ADDED);
    for (size_t i = 0; i < COUNT_OF(others); i++)
        others[i] = part(2, "b");
    others[0].source = "HRKARB";
    others[1].destination = "919812345679";
    others[2].reference = 8;
    others[3].count = 4;
    others[4].kind = SMS_CONCAT_16;
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_int_equal(added(&group, others[i]), ESME_ELSEWHERE);
    assert_int_equal(group.present_count, 1);
}

static void
a_part_twice_changes_nothing(void **state UNUSED)
{
    struct esme_group group;
    struct written unicode = part(1, "a");

    esme_group_init(&group, arena);
    assert_int_equal(added(&group, part(1, "a")), ESME_ADDED);
    assert_int_equal(added(&group, part(1, "a")), ESME_REPEATED);
    assert_int_equal(added(&group, part(1, "b")), ESME_DIFFERENT);
    unicode.coding = 8;
    assert_int_equal(added(&group, unicode), ESME_DIFFERENT);
    assert_int_equal(group.present_count, 1);
    assert_true(slice_eq(esme_group_first(&group)->part.octets, SLICE("a")));
}

static void
a_receipt_is_owed_when_any_part_asks_for_it(void **state UNUSED)
{
    struct esme_group group;
    struct written second = part(2, "b"), third = part(3, "c");

    esme_group_init(&group, arena);
    assert_int_equal(added(&group, part(1, "a")), ESME_ADDED);
    assert_int_equal(esme_group_receipt(&group), SMPP_RECEIPT_NEVER);
    second.receipt = SMPP_RECEIPT_FAILURE;
    third.receipt = SMPP_RECEIPT_ALWAYS;
    assert_int_equal(added(&group, second), ESME_ADDED);
    assert_int_equal(esme_group_receipt(&group), SMPP_RECEIPT_FAILURE);
    assert_int_equal(added(&group, third), ESME_ADDED);
    assert_int_equal(esme_group_receipt(&group), SMPP_RECEIPT_ALWAYS);
}

static void
identities_are_equal_for_parts_of_one_message_alone(void **state UNUSED)
{
    struct written others[] = { part(1, "x"), part(1, "x"), part(1, "x"),
                                part(1, "x"), part(1, "x"), part(1, "x") };
    struct esme_group group;
    struct slice ours, same, other;

    esme_group_init(&group, arena);
    assert_int_equal(esme_group_identity(&group, &ours), ERR_SMPP_BODY); /* of nothing */
    assert_int_equal(added(&group, part(1, "a")), ESME_ADDED);
    assert_ok(esme_group_identity(&group, &ours));
    esme_group_init(&group, arena);
    assert_int_equal(added(&group, part(3, "c")), ESME_ADDED);
    assert_ok(esme_group_identity(&group, &same));
    assert_true(slice_eq(ours, same));
    others[0].reference = 8;
    others[1].count = 4;
    others[2].kind = SMS_CONCAT_16;
    others[3].source = "HRKARA9"; /* what lies between the two tells them apart */
    others[3].destination = "19812345678";
    others[4].source = "HRKAR";
    others[5].kind = SMS_CONCAT_NONE;
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        esme_group_init(&group, arena);
        assert_int_equal(added(&group, others[i]), ESME_ADDED);
        assert_ok(esme_group_identity(&group, &other));
        assert_false(slice_eq(ours, other));
    }
}

/* A small generator of our own: the same seeds on every machine. */
static uint32_t
next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

#define SEEDS    2000u
#define MESSAGES 3u

/*
 * Several messages of up to 32 parts to one number, whose parts come in any order, interleaved, some of them
 * twice, some never: each is whole exactly when all its parts have come, and then its text is what was cut.
 */
static void
parts_come_together_in_any_order(void **state UNUSED)
{
    for (uint32_t seed = 1; seed <= SEEDS; seed++) {
        uint32_t random = seed;
        struct esme_group groups[MESSAGES];
        char texts[MESSAGES][ESME_PARTS_MAX][8], whole[MESSAGES][ESME_PARTS_MAX * 8 + 1];
        unsigned counts[MESSAGES], lost[MESSAGES], order[MESSAGES * ESME_PARTS_MAX * 2], total = 0;
        bool has_come[MESSAGES][ESME_PARTS_MAX] = { { false } };

        arena_reset(arena);
        for (unsigned m = 0; m < MESSAGES; m++) {
            size_t at = 0;
            esme_group_init(&groups[m], arena);
            counts[m] = 2 + next(&random) % (ESME_PARTS_MAX - 1);
            lost[m] = next(&random) % 3 == 0 ? next(&random) % counts[m] : ESME_PARTS_MAX;
            for (unsigned p = 0; p < counts[m]; p++) {
                unsigned len = next(&random) % 8;
                for (unsigned i = 0; i < len; i++)
                    texts[m][p][i] = (char)('a' + next(&random) % 26);
                texts[m][p][len] = '\0';
                memcpy(whole[m] + at, texts[m][p], len);
                at += len;
                for (unsigned twice = next(&random) % 4 == 0 ? 2 : 1; twice > 0 && p != lost[m]; twice--)
                    order[total++] = m * ESME_PARTS_MAX + p;
            }
            whole[m][at] = '\0';
        }
        for (unsigned i = total; i > 1; i--) {
            unsigned j = next(&random) % i, kept = order[i - 1];
            order[i - 1] = order[j];
            order[j] = kept;
        }
        for (unsigned i = 0; i < total; i++) {
            unsigned m = order[i] / ESME_PARTS_MAX, p = order[i] % ESME_PARTS_MAX, present = 0;
            struct written with = part(p + 1, texts[m][p]);
            struct slice joined;
            with.kind = (enum sms_concat)(seed % 3);
            with.reference = 7 + m;
            with.count = counts[m];
            for (unsigned other = 0; other < MESSAGES; other++)
                if (other != m && groups[other].present_count > 0)
                    assert_int_equal(added(&groups[other], with), ESME_ELSEWHERE);
            assert_int_equal(added(&groups[m], with), has_come[m][p] ? ESME_REPEATED : ESME_ADDED);
            has_come[m][p] = true;
            for (unsigned one = 0; one < counts[m]; one++)
                present += has_come[m][one];
            assert_int_equal(groups[m].present_count, present);
            assert_int_equal(esme_group_is_whole(&groups[m]), present == counts[m]);
            if (present == counts[m]) {
                assert_ok(esme_group_join(&groups[m], &joined));
                assert_true(slice_eq(joined, slice_text(whole[m])));
            }
        }
        for (unsigned m = 0; m < MESSAGES; m++)
            assert_int_equal(esme_group_is_whole(&groups[m]), lost[m] == ESME_PARTS_MAX);
    }
}

static void
without_memory_nothing_is_half_added(void **state UNUSED)
{
    struct arena *small = arena_new(16);
    struct esme_group group;
    struct written with = part(1, "text");
    enum esme_added what = ESME_ELSEWHERE;

    assert_non_null(small);
    esme_group_init(&group, small);
    assert_int_equal(esme_group_add(&group, SMPP_SUBMIT_SM, body_of(&with), &what), ERR_NO_MEMORY);
    assert_int_equal(group.present_count, 0);
    assert_null(esme_group_first(&group));
    arena_free(small);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_tells_which_part_it_is),
        cmocka_unit_test(what_is_no_part_of_its_count_is_refused),
        cmocka_unit_test(a_part_that_is_too_long_is_refused_and_a_whole_message_is_not),
        cmocka_unit_test(parts_of_another_message_are_not_taken),
        cmocka_unit_test(a_part_twice_changes_nothing),
        cmocka_unit_test(a_receipt_is_owed_when_any_part_asks_for_it),
        cmocka_unit_test(identities_are_equal_for_parts_of_one_message_alone),
        cmocka_unit_test(parts_come_together_in_any_order),
        cmocka_unit_test(without_memory_nothing_is_half_added),
    };

    return cmocka_run_group_tests(tests, opened, closed);
}
