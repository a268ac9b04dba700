#include "core/attribute.h"
#include "core/fuzz.h"
#include "domain/dnd/dnd_csv.h"

struct sum {
    uint64_t rows, hash;
};

static enum err
on_row(void *ctx, const struct dnd_row *row)
{
    struct sum *sum = ctx;

    FUZZ_CHECK(row->number >= 1000000000 && row->number <= 9999999999);
    FUZZ_CHECK(dnd_preference_is_valid(&row->preference));
    sum->rows++;
    sum->hash =
        (sum->hash ^ row->number ^ row->preference.categories ^ (row->is_removed ? 1u : 0u)) * 0x100000001b3u;
    return ERR_OK;
}

static enum err
read_in(struct slice text, size_t piece, struct dnd_csv *csv, struct sum *sum)
{
    *sum = (struct sum){ 0, 0 };
    dnd_csv_init(csv, sum, on_row, NULL);
    while (text.len > 0) {
        enum err err = dnd_csv_add(csv, slice_first(text, piece));
        if (err != ERR_OK)
            return err;
        text = slice_drop(text, piece);
    }
    return dnd_csv_end(csv);
}

/* However the bytes are cut, the same rows come of them, and each is whole. */
FUZZ_TARGET(data, size)
{
    static struct dnd_csv csv, other;
    struct sum sum, again;
    enum err err = read_in(slice_of(data, size), size == 0 ? 1 : size, &csv, &sum);

    FUZZ_CHECK(err == ERR_OK || err == ERR_CONTRACT);
    FUZZ_CHECK(csv.row_count == sum.rows && csv.row_count + csv.refused_count <= csv.line_count);
    FUZZ_CHECK(read_in(slice_of(data, size), 1, &other, &again) == err);
    FUZZ_CHECK(again.rows == sum.rows && again.hash == sum.hash && other.refused_count == csv.refused_count);
    FUZZ_CHECK(read_in(slice_of(data, size), 5, &other, &again) == err);
    FUZZ_CHECK(again.rows == sum.rows && again.hash == sum.hash && other.line_count == csv.line_count);
    return 0;
}
