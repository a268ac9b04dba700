/*
 * The dashboard's files, as the build packed them: one file, read whole before the process locks itself in,
 * so that afterwards there is no path to follow and no file to open. Nothing is found but what its table
 * names.
 *
 * Layout, integers big-endian: "HKDASH01", u32 count, then `count` entries in ascending order of their paths:
 * u16 length and path, u16 length and media type, u8 flags, u32 length of the plain, brotli and gzip bytes
 * (0: there are none); then the bytes themselves, entry by entry, in this order, to the end of the file.
 */
#ifndef PROGRAM_GATEWAY_DASHBOARD_H
#define PROGRAM_GATEWAY_DASHBOARD_H
#include "core/err.h"
#include "core/slice.h"

#define DASHBOARD_BYTES_MAX    ((size_t)64 << 20)
#define DASHBOARD_FILES_MAX    4096u
#define DASHBOARD_ENTRY_FIXED  17u /* bytes of an entry without its two texts */
#define DASHBOARD_IS_IMMUTABLE 1u  /* a flag: the name holds a hash of the content */

enum dashboard_coding { DASHBOARD_PLAIN, DASHBOARD_BROTLI, DASHBOARD_GZIP, DASHBOARD_CODINGS };

struct dashboard_file {
    struct slice path; /* begins with a slash */
    struct slice type;
    bool is_immutable;
    struct slice bytes[DASHBOARD_CODINGS]; /* an empty one is not there; the plain one always is */
};

struct dashboard;

/*
 * The pack at `path`; an empty one: beside this program, or where a build folder has it. ERR_NOT_FOUND: there
 * is none. ERR_CONFIG: it is damaged, or too large. ERR_NO_MEMORY, ERR_SYSTEM.
 */
MUST_CHECK enum err dashboard_open(const char *path, struct dashboard **out);
/* The same from bytes, which are borrowed as long as it lives. ERR_CONFIG, ERR_NO_MEMORY. */
MUST_CHECK enum err dashboard_parse(struct slice pack, struct dashboard **out);
void dashboard_free(struct dashboard *dashboard);

/* NULL: there is no such file; also when `dashboard` is NULL. Borrowed. */
const struct dashboard_file *dashboard_find(const struct dashboard *dashboard, struct slice path);
/* The smallest of its forms that the Accept-Encoding takes. */
enum dashboard_coding dashboard_coding_choose(const struct dashboard_file *file,
                                              struct slice accept_encoding);

#endif
