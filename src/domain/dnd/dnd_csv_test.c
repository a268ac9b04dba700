#include "core/unit.h"
#include "domain/dnd/dnd_csv.h"
#include <stdio.h>

struct seen {
    struct dnd_row rows[64];
    size_t row_count;
    uint64_t refused_lines[64];
    size_t refused_count;
    enum err answer;
};

static enum err
on_row(void *ctx, const struct dnd_row *row)
{
    struct seen *seen = ctx;

    assert_true(seen->row_count < COUNT_OF(seen->rows));
    seen->rows[seen->row_count++] = *row;
    return seen->answer;
}

static void
on_refused(void *ctx, uint64_t line, const char *why)
{
    struct seen *seen = ctx;

    assert_non_null(why);
    assert_true(seen->refused_count < COUNT_OF(seen->refused_lines));
    seen->refused_lines[seen->refused_count++] = line;
}

static enum err
read_text(struct slice text, size_t piece, struct seen *seen)
{
    struct dnd_csv csv;

    *seen = (struct seen){ .answer = ERR_OK };
    dnd_csv_init(&csv, seen, on_row, on_refused);
    while (text.len > 0) {
        enum err err = dnd_csv_add(&csv, slice_first(text, piece));
        if (err != ERR_OK)
            return err;
        text = slice_drop(text, piece);
    }
    return dnd_csv_end(&csv);
}

static void
the_registers_own_columns_are_known(void **state UNUSED)
{
    struct seen seen;

    assert_ok(read_text(SLICE("Service Area Code,Phone Numbers,Preferences,Opstype,Phone Type\r\n"
                              "1,9876543210,0,A,2\r\n"
                              "7,9876543211,1#2#5,A,2\r\n"
                              "3,9876543212,0,D,1\r\n"),
                        4096, &seen));
    assert_int_equal(seen.row_count, 3);
    assert_int_equal(seen.refused_count, 0);
    assert_int_equal(seen.rows[0].number, 9876543210);
    assert_int_equal(seen.rows[0].preference.categories, 1);
    assert_int_equal(seen.rows[1].preference.categories, 0x1d8);
    assert_true(seen.rows[2].is_removed);
}

static void
without_names_the_first_column_is_the_number(void **state UNUSED)
{
    struct seen seen;

    assert_ok(
        read_text(SLICE("\xef\xbb\xbf+919876543210\n919876543211,1\n09876543212,\"1,2\",D\n\n9876543213"),
                  4096, &seen));
    assert_int_equal(seen.row_count, 4);
    assert_int_equal(seen.rows[0].number, 9876543210);
    assert_int_equal(seen.rows[0].preference.categories, 1);
    assert_int_equal(seen.rows[1].number, 9876543211);
    assert_int_equal(seen.rows[1].preference.categories, 0x1fc);
    assert_int_equal(seen.rows[2].number, 9876543212);
    assert_true(seen.rows[2].is_removed);
    assert_int_equal(seen.rows[3].number, 9876543213);
}

static void
lines_that_are_none_are_counted_and_passed_over(void **state UNUSED)
{
    char text[DND_CSV_LINE_BYTES_MAX + 512];
    struct seen seen;
    int head = snprintf(text, sizeof(text),
                        "number,preferences,opstype,modes,bands,days\n" /* 1 */
                        "98765,0,A\n"                                   /* 2: too short */
                        "9876543210,0,X\n"                              /* 3: operation */
                        "9876543210,9,A\n"                              /* 4: category */
                        "\"9876543210,0,A\n"                            /* 5: a quote that does not end */
                        "98\"76543210,0,A\n"                            /* 6: a quote inside */
                        "\"9876543210\"x,0,A\n"                         /* 7: after a quote */
                        "0876543210,0,A\n"                              /* 8: begins with 0 */
                        "+449876543210,0,A\n"                           /* 9: not India's */
                        "9876543210,0,A,9\n"                            /* 10: mode */
                        "\"9876543210\",\"1\",\"A\",\"2\",\"4\",\"1,2\"\n" /* 11: good */);
    memset(text + head, '1', DND_CSV_LINE_BYTES_MAX + 1); /* 12: too long */
    struct slice whole = { text, (size_t)head + DND_CSV_LINE_BYTES_MAX + 1 };
    static const size_t pieces[] = { 1, 7, 4096 };

    for (size_t p = 0; p < COUNT_OF(pieces); p++) {
        assert_ok(read_text(whole, pieces[p], &seen));
        assert_int_equal(seen.row_count, 1);
        assert_int_equal(seen.refused_count, 10);
        for (size_t i = 0; i < 9; i++)
            assert_int_equal(seen.refused_lines[i], i + 2);
        assert_int_equal(seen.refused_lines[9], 12);
        assert_int_equal(seen.rows[0].preference.modes, 0x1d);
        assert_int_equal(seen.rows[0].preference.bands, 0x1f7);
        assert_int_equal(seen.rows[0].preference.days, 0xfc);
    }
}

static void
a_list_without_numbers_is_none(void **state UNUSED)
{
    struct seen seen;

    assert_int_equal(read_text(SLICE("Preferences,Opstype\n0,A\n"), 4096, &seen), ERR_CONTRACT);
    assert_int_equal(seen.row_count, 0);
}

static void
whoever_takes_the_rows_may_end_the_reading(void **state UNUSED)
{
    struct seen seen = { .answer = ERR_TOO_MANY };
    struct dnd_csv csv;

    dnd_csv_init(&csv, &seen, on_row, NULL);
    assert_int_equal(dnd_csv_add(&csv, SLICE("9876543210\n9876543211\n")), ERR_TOO_MANY);
    assert_int_equal(seen.row_count, 1);
}

UNIT_MAIN(cmocka_unit_test(the_registers_own_columns_are_known),
          cmocka_unit_test(without_names_the_first_column_is_the_number),
          cmocka_unit_test(lines_that_are_none_are_counted_and_passed_over),
          cmocka_unit_test(a_list_without_numbers_is_none),
          cmocka_unit_test(whoever_takes_the_rows_may_end_the_reading))
