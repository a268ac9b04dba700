/*
 * Exports of operators' portals (CSV), read into the registry: whole or not at all. What portals call their
 * columns, states and categories is a table (dlt_import.c). What is registered and not in the file stays as
 * it is.
 */
#ifndef DLT_IMPORT_H
#define DLT_IMPORT_H
#include "domain/dlt/dlt_template.h"

#define DLT_IMPORT_ROWS_MAX 2000u

enum dlt_import_kind {
    DLT_IMPORT_HEADERS,
    DLT_IMPORT_TEMPLATES,
    DLT_IMPORT_CONSENT_TEMPLATES,
    DLT_IMPORT_LINKS
};
enum dlt_import_outcome { DLT_IMPORT_ADD, DLT_IMPORT_CHANGE, DLT_IMPORT_SAME, DLT_IMPORT_BAD };

struct dlt_import_row {
    uint32_t number; /* of the file's record; the head is 1 */
    enum dlt_import_outcome outcome;
    struct slice subject; /* which header, template, link; may be empty */
    const char *problem;  /* DLT_IMPORT_BAD: a sentence of ours */
};

struct dlt_import {
    struct dlt_import_row *rows;
    size_t count, counts[4]; /* by outcome */
};

/* "headers", "templates", "consent-templates", "links". */
struct slice dlt_import_kind_text(enum dlt_import_kind kind);
MUST_CHECK enum err dlt_import_kind_read(struct slice text, enum dlt_import_kind *out);
/* "add", "change", "same", "error". */
const char *dlt_import_outcome_word(enum dlt_import_outcome outcome);

/*
 * Reads and compares; writes, with an entry of dlt_import under `id`, unless it is a preview or any row is
 * bad. *out says what of each row becomes, or would. ERR_DLT_INVALID: a column is missing, *problem_out says
 * which; ERR_DLT_ENTITY_UNKNOWN; csv_table_read's. The arena must hold what is registered beside the file: 64
 * MiB do.
 */
MUST_CHECK enum err dlt_import_run(struct db_tx *tx, const struct clock *clock, struct arena *arena,
                                   struct id id, enum dlt_import_kind kind, struct id entity,
                                   struct slice csv, bool is_preview, struct dlt_import *out,
                                   const char **problem_out);

#endif
