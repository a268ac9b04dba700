#include "core/unit.h"
#include "wire/csv/csv_table.h"

static struct arena *arena;
static struct csv_table table;

static enum err
read_text(const char *text)
{
    arena_free(arena);
    arena = arena_new(1u << 20);
    return csv_table_read(arena, slice_text(text), 3, &table);
}

static void
a_file_is_read_as_spreadsheets_write_it(void **state UNUSED)
{
    static const char *const same[] = { "a,b\n1,\"x, \"\"y\"\"\nz\"\n",
                                        ("\xEF\xBB\xBF"
                                         "a;b\r\n1;\"x, \"\"y\"\"\nz\"\r\n"),
                                        "a\tb\n\n1\t\"x, \"\"y\"\"\nz\"" };
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        assert_int_equal(read_text(same[i]), ERR_OK);
        assert_int_equal(table.count, 2);
        assert_int_equal(table.rows[1].count, 2);
        assert_true(slice_eq(table.rows[0].fields[1], SLICE("b")));
        assert_true(slice_eq(table.rows[1].fields[1], SLICE("x, \"y\"\nz")));
    }
}

static void
what_is_no_file_or_too_large_is_refused(void **state UNUSED)
{
    assert_int_equal(read_text("a\n\"x"), ERR_ENCODING);
    assert_int_equal(read_text("a\nx\"y\n"), ERR_ENCODING);
    assert_int_equal(read_text("a\n\xff\n"), ERR_UTF8);
    assert_int_equal(read_text("a\nb\nc\nd\n"), ERR_LIMIT);
    assert_int_equal(read_text("a\nb\nc\n"), ERR_OK);
    assert_int_equal(read_text(""), ERR_OK);
    assert_int_equal(table.count, 0);
    arena_free(arena);
    arena = NULL;
}

UNIT_MAIN(cmocka_unit_test(a_file_is_read_as_spreadsheets_write_it),
          cmocka_unit_test(what_is_no_file_or_too_large_is_refused))
