#include "core/unit.h"
#include "domain/channel/whatsapp/whatsapp_status.h"

static void
each_word_claims_what_the_table_says(void **state UNUSED)
{
    static const struct {
        const char *word, *ours; /* NULL: nothing */
    } rows[] = {
        { "sent", "sent" },     { "delivered", "delivered" },
        { "read", "read" },     { "played", "read" },
        { "failed", "failed" }, { "deleted", NULL },
        { "warning", NULL },    { "captured", NULL },
        { "", NULL },           { "SENT", NULL },
        { "sent ", NULL },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        enum message_status out = MESSAGE_RECEIVED;
        bool claims = whatsapp_status_claims(whatsapp_status_word_of(slice_text(rows[i].word)), &out);
        assert_int_equal(claims, rows[i].ours != NULL);
        if (claims)
            assert_true(slice_eq(message_status_name(out), slice_text(rows[i].ours)));
        else
            assert_int_equal(out, MESSAGE_RECEIVED);
    }
}

/* The whole way from WhatsApp's words to where the message stands: late, twice, out of order, after a lost
 * answer. */
static void
a_sequence_of_words_ends_where_it_should(void **state UNUSED)
{
    static const struct {
        const char *from, *words[5], *end;
    } rows[] = {
        { "sending", { "sent", "delivered", "read" }, "read" },
        { "sent", { "read", "delivered", "sent" }, "read" },
        { "sent", { "delivered", "delivered", "sent" }, "delivered" },
        { "sent", { "failed", "sent" }, "failed" },
        { "sent", { "failed", "delivered" }, "delivered" },
        { "delivered", { "failed" }, "delivered" },
        { "delivered", { "played", "read" }, "read" },
        { "uncertain", { "sent" }, "sent" },
        { "uncertain", { "delivered", "sent" }, "delivered" },
        { "uncertain", { "failed" }, "failed" },
        { "accepted", { "delivered" }, "delivered" },         /* the event overtook our own record */
        { "canceled", { "sent", "delivered" }, "delivered" }, /* an earlier attempt arrived after all */
        { "canceled", { "sent", "failed" }, "canceled" },
        { "blocked", { "delivered" }, "blocked" }, /* it never left us */
        { "sent", { "warning", "deleted", "something_new" }, "sent" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        enum message_status now, claim, end;
        assert_ok(message_status_parse(slice_text(rows[i].from), &now));
        assert_ok(message_status_parse(slice_text(rows[i].end), &end));
        for (size_t k = 0; k < 5 && rows[i].words[k] != NULL; k++)
            if (whatsapp_status_claims(whatsapp_status_word_of(slice_text(rows[i].words[k])), &claim) &&
                message_status_may_report(now, claim))
                now = claim;
        if (now != end)
            fail_msg("row %zu", i);
    }
}

UNIT_MAIN(cmocka_unit_test(each_word_claims_what_the_table_says),
          cmocka_unit_test(a_sequence_of_words_ends_where_it_should))
