/*
 * Rows as people hand them in: comma-separated values (RFC 4180, a header first, either line end) and what
 * a row of the consent ledger may say. Pure: bytes in, slices out.
 */
#ifndef DOMAIN_CONSENT_CONSENT_IMPORT_H
#define DOMAIN_CONSENT_CONSENT_IMPORT_H
#include "core/arena.h"
#include "core/err.h"
#include "core/slice.h"

#define CONSENT_CELLS_MAX 32u

/*
 * The next row's cells off the front of *rest, unquoted, in the arena where they had quotes; an empty line is
 * a row of one empty cell. ERR_NOTHING: there is none. ERR_CONTRACT: too many cells, or a quote that is not
 * closed or has something behind it: what follows cannot be trusted.
 */
MUST_CHECK enum err consent_csv_take(struct slice *rest, struct arena *arena,
                                     struct slice cells[static CONSENT_CELLS_MAX], size_t *count_out);

/* "+14155550123" */
bool consent_address_is_valid(struct slice address);
/* "promotional" */
bool consent_purpose_is_valid(struct slice purpose);
/* "web-form" */
bool consent_method_is_valid(struct slice method);

#endif
