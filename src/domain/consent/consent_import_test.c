#include "core/unit.h"
#include "domain/consent/consent_import.h"

static void
rows_are_taken_cell_by_cell(void **state UNUSED)
{
    struct slice rest = SLICE("address, note\r\n+14155550123,\"a \"\"b\"\", c\"\n\nx,"),
                 cells[CONSENT_CELLS_MAX];
    struct arena *arena = arena_new(4096);
    size_t count;

    assert_ok(consent_csv_take(&rest, arena, cells, &count));
    assert_int_equal(count, 2);
    assert_true(slice_eq(cells[1], SLICE("note")));
    assert_ok(consent_csv_take(&rest, arena, cells, &count));
    assert_true(slice_eq(cells[0], SLICE("+14155550123")) && slice_eq(cells[1], SLICE("a \"b\", c")));
    assert_ok(consent_csv_take(&rest, arena, cells, &count));
    assert_true(count == 1 && cells[0].len == 0);
    assert_ok(consent_csv_take(&rest, arena, cells, &count));
    assert_true(count == 2 && slice_eq(cells[0], SLICE("x")) && cells[1].len == 0);
    assert_int_equal(consent_csv_take(&rest, arena, cells, &count), ERR_NOTHING);
    arena_free(arena);
}

static void
a_broken_quote_ends_it(void **state UNUSED)
{
    static const char *const texts[] = { "\"open", "\"a\"b,c", "\"a\nb" };
    struct arena *arena = arena_new(4096);

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct slice rest = slice_text(texts[i]), cells[CONSENT_CELLS_MAX];
        size_t count;
        assert_int_equal(consent_csv_take(&rest, arena, cells, &count), ERR_CONTRACT);
    }
    arena_free(arena);
}

static void
what_an_address_and_a_purpose_look_like(void **state UNUSED)
{
    assert_true(consent_address_is_valid(SLICE("+919876543210")));
    assert_false(consent_address_is_valid(SLICE("919876543210")));
    assert_false(consent_address_is_valid(SLICE("+09876543210")));
    assert_false(consent_address_is_valid(SLICE("+91 98765")));
    assert_false(consent_address_is_valid(SLICE("+1234567890123456")));
    assert_true(consent_purpose_is_valid(SLICE("offers-2026")));
    assert_false(consent_purpose_is_valid(SLICE("Offers")));
    assert_false(consent_purpose_is_valid(SLICE("")));
    assert_false(consent_method_is_valid(SLICE("form2")));
}

UNIT_MAIN(cmocka_unit_test(rows_are_taken_cell_by_cell), cmocka_unit_test(a_broken_quote_ends_it),
          cmocka_unit_test(what_an_address_and_a_purpose_look_like))
