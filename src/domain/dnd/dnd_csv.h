/*
 * Lists of preferences as CSV: RFC 4180, a number a line. With a first line that names columns (number or
 * "Phone Numbers", preferences, opstype, modes, bands, days; others are passed over), or without one: number,
 * preferences, operation. Fed with pieces of any size; nothing is kept but a line. docs/dnd.md has the
 * columns.
 */
#ifndef DOMAIN_DND_DND_CSV_H
#define DOMAIN_DND_DND_CSV_H
#include "domain/dnd/dnd_preference.h"

#define DND_CSV_LINE_BYTES_MAX 1024u
#define DND_CSV_FIELDS_MAX     32u

enum dnd_column {
    DND_COLUMN_NUMBER,
    DND_COLUMN_PREFERENCES,
    DND_COLUMN_OPERATION,
    DND_COLUMN_MODES,
    DND_COLUMN_BANDS,
    DND_COLUMN_DAYS
};
#define DND_COLUMN_COUNT 6u

struct dnd_row {
    uint64_t number; /* ten digits */
    bool is_removed; /* operation D: it has no preference any more */
    struct dnd_preference preference;
};

struct dnd_csv {
    void *ctx;
    /* A row; what it returns ends the reading if it is not ERR_OK. */
    enum err (*row)(void *ctx, const struct dnd_row *row);
    /* A line that is none, and why: a literal, without anything of the line. May be NULL. */
    void (*refused)(void *ctx, uint64_t line, const char *why);
    uint64_t line_count, row_count, refused_count; /* read them at any time */
    /* Its own. */
    bool has_columns, is_skipping;
    uint8_t columns[DND_COLUMN_COUNT]; /* of the fields of a line; 0xff: it has none */
    size_t kept;
    char line[DND_CSV_LINE_BYTES_MAX];
};

void dnd_csv_init(struct dnd_csv *csv, void *ctx, enum err (*row)(void *ctx, const struct dnd_row *row),
                  void (*refused)(void *ctx, uint64_t line, const char *why));
/* ERR_CONTRACT: its first line names columns, but none of numbers. Else what `row` returned. */
MUST_CHECK enum err dnd_csv_add(struct dnd_csv *csv, struct slice piece);
/* A last line without an end is a line. */
MUST_CHECK enum err dnd_csv_end(struct dnd_csv *csv);

#endif
