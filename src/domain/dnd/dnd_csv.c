#include "domain/dnd/dnd_csv.h"
#include "core/attribute.h"
#include "core/num.h"

#define COLUMN_ABSENT 0xffu

static const struct {
    const char *name;
    enum dnd_column column;
} names[] = {
    { "number", DND_COLUMN_NUMBER },
    { "phone numbers", DND_COLUMN_NUMBER },
    { "phone number", DND_COLUMN_NUMBER },
    { "phone", DND_COLUMN_NUMBER },
    { "mobile", DND_COLUMN_NUMBER },
    { "msisdn", DND_COLUMN_NUMBER },
    { "preferences", DND_COLUMN_PREFERENCES },
    { "preference", DND_COLUMN_PREFERENCES },
    { "opstype", DND_COLUMN_OPERATION },
    { "operation", DND_COLUMN_OPERATION },
    { "modes", DND_COLUMN_MODES },
    { "bands", DND_COLUMN_BANDS },
    { "days", DND_COLUMN_DAYS },
};

void
dnd_csv_init(struct dnd_csv *csv, void *ctx, enum err (*row)(void *ctx, const struct dnd_row *row),
             void (*refused)(void *ctx, uint64_t line, const char *why))
{
    memset(csv, 0, sizeof(*csv));
    csv->ctx = ctx;
    csv->row = row;
    csv->refused = refused;
}

static void
refuse(struct dnd_csv *csv, const char *why)
{
    csv->refused_count++;
    if (csv->refused != NULL)
        csv->refused(csv->ctx, csv->line_count, why);
}

/*
 * Cuts a line at its commas, into fields whose bytes are the line's; quotes are taken away in place. 0: a
 * quote stands where none may, or there are too many fields.
 */
static size_t
fields_cut(char *line, size_t len, struct slice fields[static DND_CSV_FIELDS_MAX])
{
    size_t at = 0, count = 0;

    for (;;) {
        size_t start = at, to;

        if (count == DND_CSV_FIELDS_MAX)
            return 0;
        if (at < len && line[at] == '"') {
            start = to = ++at;
            for (; at < len && (line[at] != '"' || (at + 1 < len && line[at + 1] == '"')); at++) {
                at += line[at] == '"' ? 1 : 0; /* two of them are one */
                line[to++] = line[at];
            }
            if (at == len)
                return 0; /* it does not end, or goes on in the next line: none of these columns does */
            at++;
            if (at < len && line[at] != ',')
                return 0;
        } else {
            while (at < len && line[at] != ',') {
                if (line[at] == '"')
                    return 0;
                at++;
            }
            to = at;
        }
        fields[count++] = slice_trim(slice_of(line + start, to - start));
        if (at >= len)
            return count;
        at++;
    }
}

/* Whether the first line names columns; *err_out is then what came of it. */
static bool
columns_read(struct dnd_csv *csv, const struct slice *fields, size_t count, enum err *err_out)
{
    bool is_named = false;

    memset(csv->columns, (int)COLUMN_ABSENT, sizeof(csv->columns));
    for (size_t f = 0; f < count; f++)
        for (size_t n = 0; n < COUNT_OF(names); n++)
            if (slice_eq_nocase(fields[f], slice_text(names[n].name)) &&
                csv->columns[names[n].column] == COLUMN_ABSENT) {
                csv->columns[names[n].column] = (uint8_t)f;
                is_named = true;
            }
    *err_out = csv->columns[DND_COLUMN_NUMBER] == COLUMN_ABSENT ? ERR_CONTRACT : ERR_OK;
    if (is_named)
        return true;
    *err_out = ERR_OK;
    for (uint8_t c = 0; c < 3; c++) /* DND_COLUMN_NUMBER, _PREFERENCES, _OPERATION */
        csv->columns[c] = c;
    return false;
}

/* Ten digits, with 0, 91 or +91 before them or not. */
static bool
number_read(struct slice text, uint64_t *out)
{
    if (slice_starts_with(text, SLICE("+91")))
        text = slice_drop(text, 3);
    else if (text.len == 12 && slice_starts_with(text, SLICE("91")))
        text = slice_drop(text, 2);
    else if (text.len == 11 && text.ptr[0] == '0')
        text = slice_drop(text, 1);
    return text.len == 10 && text.ptr[0] != '0' && num_u64_parse(text, out) == ERR_OK;
}

static enum err
line_take(struct dnd_csv *csv, char *line, size_t len)
{
    struct slice fields[DND_CSV_FIELDS_MAX], of[DND_COLUMN_COUNT];
    struct dnd_row row = { .is_removed = false };
    enum err err = ERR_OK;

    csv->line_count++;
    if (csv->line_count == 1 && len >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0)
        line += 3, len -= 3; /* a byte order mark */
    if (len > 0 && line[len - 1] == '\r')
        len--;
    if (len == 0)
        return ERR_OK;
    size_t count = fields_cut(line, len, fields);
    if (count == 0) {
        refuse(csv, "a quote is not where one may be");
        return ERR_OK;
    }
    if (!csv->has_columns) {
        csv->has_columns = true;
        if (columns_read(csv, fields, count, &err))
            return err;
    }
    for (size_t c = 0; c < DND_COLUMN_COUNT; c++)
        of[c] = csv->columns[c] < count ? fields[csv->columns[c]] : SLICE_EMPTY;
    struct slice operation = of[DND_COLUMN_OPERATION];
    row.is_removed = slice_eq_nocase(operation, SLICE("D"));
    if (!number_read(of[DND_COLUMN_NUMBER], &row.number)) {
        refuse(csv, "the number is not an Indian one of ten digits");
        return ERR_OK;
    }
    if (!row.is_removed && operation.len != 0 && !slice_eq_nocase(operation, SLICE("A"))) {
        refuse(csv, "the operation is neither A nor D");
        return ERR_OK;
    }
    if (!row.is_removed &&
        dnd_preference_parse(of[DND_COLUMN_PREFERENCES], of[DND_COLUMN_MODES], of[DND_COLUMN_BANDS],
                             of[DND_COLUMN_DAYS], &row.preference) != ERR_OK) {
        refuse(csv, "a list of preferences has something else than its numbers");
        return ERR_OK;
    }
    csv->row_count++;
    return csv->row(csv->ctx, &row);
}

enum err
dnd_csv_add(struct dnd_csv *csv, struct slice piece)
{
    while (piece.len > 0) {
        const char *end = memchr(piece.ptr, '\n', piece.len);
        size_t len = end != NULL ? (size_t)(end - piece.ptr) : piece.len;

        if (!csv->is_skipping && len <= sizeof(csv->line) - csv->kept) {
            memcpy(csv->line + csv->kept, piece.ptr, len);
            csv->kept += len;
        } else {
            csv->is_skipping = true; /* until its end */
        }
        piece = slice_drop(piece, end != NULL ? len + 1 : len);
        if (end == NULL)
            return ERR_OK;
        enum err err = dnd_csv_end(csv);
        if (err != ERR_OK)
            return err;
    }
    return ERR_OK;
}

enum err
dnd_csv_end(struct dnd_csv *csv)
{
    size_t len = csv->kept;
    bool was_skipping = csv->is_skipping;

    csv->kept = 0;
    csv->is_skipping = false;
    if (!was_skipping)
        return line_take(csv, csv->line, len);
    csv->line_count++;
    refuse(csv, "the line is too long");
    return ERR_OK;
}
