/*
 * A text as India's registry compares it: Unicode code points after NFC, a line break as one LF (from CRLF,
 * CR or LF). What is sent stays as it was written; only the comparison is made of this.
 */
#ifndef DLT_TEXT_H
#define DLT_TEXT_H
#include "core/arena.h"

#define DLT_POINTS_MAX 4096u /* our limit; portals take 2000 */

struct dlt_text {
    const uint32_t *points; /* borrowed: in the arena */
    uint32_t count;
};

/* ERR_UTF8; ERR_LIMIT: more than DLT_POINTS_MAX; ERR_NO_MEMORY. */
MUST_CHECK enum err dlt_text_read(struct arena *arena, struct slice utf8, struct dlt_text *out);
/* Some of its code points as UTF-8; SLICE_EMPTY without memory. Places beyond its end are cut. */
struct slice dlt_text_part(struct arena *arena, struct dlt_text text, uint32_t start, uint32_t end);
/* Letters, marks and digits of any script. */
bool dlt_point_is_word(uint32_t point);

#endif
