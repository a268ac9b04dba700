#include "core/unit.h"
#include "domain/channel/whatsapp/whatsapp_peer.h"

static void
a_number_with_two_spellings_has_the_other_one(void **state UNUSED)
{
    static const char *const pairs[][2] = { { "+551187654321", "+5511987654321" },
                                            { "+525512345678", "+5215512345678" },
                                            { "+541112345678", "+5491112345678" } };
    char room[WHATSAPP_SPELLING_BYTES];

    for (size_t i = 0; i < COUNT_OF(pairs); i++)
        for (size_t k = 0; k < 2; k++)
            assert_true(slice_eq(whatsapp_peer_other_spelling(slice_text(pairs[i][k]), room),
                                 slice_text(pairs[i][1 - k])));
}

static void
every_other_address_has_none(void **state UNUSED)
{
    static const char *const rows[] = { "",
                                        "+14155550123",
                                        "+551134567890", /* a landline */
                                        "+5511387654321",
                                        "+55119876543210",
                                        "+55",
                                        "US.1",
                                        "BR.5511987654321",
                                        "group:+551187654321" };
    char room[WHATSAPP_SPELLING_BYTES];

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (whatsapp_peer_other_spelling(slice_text(rows[i]), room).len != 0)
            fail_msg("row %zu", i);
}

UNIT_MAIN(cmocka_unit_test(a_number_with_two_spellings_has_the_other_one),
          cmocka_unit_test(every_other_address_has_none))
