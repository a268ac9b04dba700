/* The formats of JSON Schema that the contract uses, checked rather than noted. */
#ifndef WIRE_OPENAPI_FORMAT_H
#define WIRE_OPENAPI_FORMAT_H
#include "core/slice.h"

enum format {
    FORMAT_NONE,
    FORMAT_DATE_TIME, /* RFC 3339, a time that exists */
    FORMAT_DATE,      /* RFC 3339 full-date, a day that exists */
    FORMAT_URI,       /* RFC 3986, absolute, in ASCII; a "//" brings a host */
    FORMAT_EMAIL,     /* RFC 5321 mailbox in ASCII: a dot-string, and a domain name */
};

/* false when there is no format of this name. */
bool format_find(struct slice name, enum format *out);
bool format_matches(enum format format, struct slice text);
/* What a value must be, for a problem's detail: "must be a date, such as 2026-01-31". */
const char *format_detail(enum format format);

#endif
