#include "core/unit.h"
#include "domain/message/message_status.h"

/*
 * Every pair, written out by hand: the row is where the message stands, the column where it is to go.
 * '+' allowed for us and for a provider's report, 'o' ours alone, '.' refused.
 */
static const char columns[MESSAGE_STATUS_COUNT][10] = { "accepted", "queued",    "held",     "sending",
                                                        "sent",     "delivered", "read",     "blocked",
                                                        "failed",   "expired",   "canceled", "uncertain",
                                                        "received" };
/* clang-format off */
static const struct {
    const char *from, *moves;
} matrix[MESSAGE_STATUS_COUNT] = {
    /*             a q h s s d r b f e c u r */
    {"accepted",  ". o o o + + + o + + o o ."},
    {"queued",    ". . o o + + + o + + o o ."},
    {"held",      ". o . o + + + o + + o o ."},
    {"sending",   ". o o . + + + o + + . o ."},
    {"uncertain", ". o . . + + + . + + . . ."},
    {"sent",      ". . . . . + + . + + . . ."},
    {"delivered", ". . . . . . + . . . . . ."},
    {"read",      ". . . . . . . . . . . . ."},
    {"blocked",   ". . . . . . . . . . . . ."},
    {"failed",    ". . . . . + + . . . . . ."},
    {"expired",   ". . . . . + + . + . . . ."},
    {"canceled",  ". . . . . + + . . . . . ."},
    {"received",  ". . . . . . . . . . . . ."},
};
/* clang-format on */

static enum message_status
status(const char *name)
{
    enum message_status out = MESSAGE_RECEIVED;

    assert_ok(message_status_parse(slice_text(name), &out));
    return out;
}

static void
every_pair_moves_as_the_table_says(void **state UNUSED)
{
    for (size_t row = 0; row < MESSAGE_STATUS_COUNT; row++) {
        enum message_status from = status(matrix[row].from);
        for (size_t column = 0; column < MESSAGE_STATUS_COUNT; column++) {
            enum message_status to = status(columns[column]);
            char want = matrix[row].moves[column * 2];
            if (message_status_may_move(from, to) != (want != '.'))
                fail_msg("may_move %s -> %s", matrix[row].from, columns[column]);
            if (message_status_may_report(from, to) != (want == '+'))
                fail_msg("may_report %s -> %s", matrix[row].from, columns[column]);
        }
    }
}

/* What may come before a status, by how much is known of the message's way. */
static unsigned
rank(unsigned of)
{
    static const unsigned ranks[MESSAGE_STATUS_COUNT] = {
        [MESSAGE_ACCEPTED] = 1,  [MESSAGE_QUEUED] = 2,   [MESSAGE_HELD] = 2,      [MESSAGE_SENDING] = 3,
        [MESSAGE_UNCERTAIN] = 4, [MESSAGE_SENT] = 5,     [MESSAGE_FAILED] = 6,    [MESSAGE_EXPIRED] = 6,
        [MESSAGE_BLOCKED] = 6,   [MESSAGE_CANCELED] = 6, [MESSAGE_DELIVERED] = 7, [MESSAGE_READ] = 8,
    };

    return ranks[of];
}

static void
only_the_named_moves_go_back(void **state UNUSED)
{
    static const struct {
        const char *from, *to;
    } back[] = { { "sending", "queued" }, { "sending", "held" }, { "uncertain", "queued" } };

    for (unsigned from = 0; from < MESSAGE_STATUS_COUNT; from++) {
        for (unsigned to = 0; to < MESSAGE_STATUS_COUNT; to++) {
            bool is_named = false;
            for (size_t i = 0; i < COUNT_OF(back); i++)
                is_named |= status(back[i].from) == from && status(back[i].to) == to;
            if (message_status_may_move(from, to) && !is_named)
                assert_true(rank(to) >= rank(from));
            if (is_named)
                assert_true(message_status_may_move(from, to) && !message_status_may_report(from, to));
        }
    }
}

/* Whatever order a provider's events come in, and however often, the message ends at the same place. */
static void
any_order_of_reports_ends_at_the_same_status(void **state UNUSED)
{
    static const char *const sets[][4] = {
        { "sent", "delivered", "read", "delivered" }, { "sent", "delivered", "sent", "delivered" },
        { "sent", "failed", "sent", "failed" },       { "failed", "delivered", "sent", "read" },
        { "expired", "failed", "sent", "expired" },   { "expired", "failed", "sent", "delivered" }
    };
    static const char *const ends[] = { "read", "delivered", "failed", "read", "failed", "delivered" };
    static const char *const starts[] = { "accepted", "queued", "held", "sending", "uncertain" };

    for (size_t set = 0; set < COUNT_OF(sets); set++)
        for (size_t start = 0; start < COUNT_OF(starts); start++)
            for (unsigned order = 0; order < 256; order++) { /* every choice of four out of four */
                unsigned seen = 0;
                enum message_status now = status(starts[start]);
                for (unsigned i = 0; i < 4; i++) {
                    unsigned pick = (order >> (2 * i)) & 3u;
                    enum message_status to = status(sets[set][pick]);
                    seen |= 1u << pick;
                    if (message_status_may_report(now, to))
                        now = to;
                }
                if (seen == 15u) /* a permutation: nothing was left out */
                    assert_true(now == status(ends[set]));
            }
}

static void
a_path_names_what_the_provider_left_out(void **state UNUSED)
{
    static const struct {
        const char *from, *to, *path[3];
    } rows[] = {
        { "sending", "sent", { "sent" } },
        { "sent", "read", { "delivered", "read" } },
        { "sent", "delivered", { "delivered" } },
        { "delivered", "read", { "read" } },
        { "uncertain", "delivered", { "sent", "delivered" } },
        { "accepted", "read", { "sent", "delivered", "read" } },
        { "failed", "read", { "delivered", "read" } },
        { "expired", "delivered", { "delivered" } },
        { "sending", "failed", { "failed" } },
        { "queued", "held", { "held" } },
        { "read", "delivered", { NULL } },
        { "delivered", "delivered", { NULL } },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        enum message_status path[MESSAGE_STATUS_PATH_MAX];
        size_t count = message_status_path(status(rows[i].from), status(rows[i].to), path);
        size_t want = 0;
        while (want < 3 && rows[i].path[want] != NULL)
            want++;
        assert_int_equal(count, want);
        for (size_t k = 0; k < count; k++)
            assert_true(path[k] == status(rows[i].path[k]));
    }
}

/* A path is itself a chain of permitted moves, for every pair. */
static void
each_step_of_a_path_is_a_move(void **state UNUSED)
{
    for (unsigned from = 0; from < MESSAGE_STATUS_COUNT; from++)
        for (unsigned to = 0; to < MESSAGE_STATUS_COUNT; to++) {
            enum message_status path[MESSAGE_STATUS_PATH_MAX], now = from;
            size_t count = message_status_path(from, to, path);
            assert_int_equal(count > 0, message_status_may_move(from, to));
            for (size_t k = 0; k < count; k++) {
                assert_true(message_status_may_move(now, path[k]));
                now = path[k];
            }
            if (count > 0)
                assert_true(now == to);
        }
}

static void
a_name_leads_back_to_its_status(void **state UNUSED)
{
    enum message_status out;

    for (unsigned i = 0; i < MESSAGE_STATUS_COUNT; i++) {
        assert_ok(message_status_parse(message_status_name(i), &out));
        assert_int_equal(out, i);
    }
    assert_int_equal(message_status_parse(SLICE("Sent"), &out), ERR_DB_DATA);
    assert_int_equal(message_status_parse(SLICE("sen"), &out), ERR_DB_DATA);
    assert_int_equal(message_status_parse(SLICE("sent "), &out), ERR_DB_DATA);
    assert_int_equal(message_status_parse(SLICE_EMPTY, &out), ERR_DB_DATA);
}

UNIT_MAIN(cmocka_unit_test(every_pair_moves_as_the_table_says),
          cmocka_unit_test(only_the_named_moves_go_back),
          cmocka_unit_test(any_order_of_reports_ends_at_the_same_status),
          cmocka_unit_test(a_path_names_what_the_provider_left_out),
          cmocka_unit_test(each_step_of_a_path_is_a_move), cmocka_unit_test(a_name_leads_back_to_its_status))
