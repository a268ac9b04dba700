/*
 * Links and call-back numbers that a workspace has white-listed, and how one of a text is found and compared
 * with them: the scheme is optional, the host is compared exactly but for case, a path with its case. No name
 * is looked up.
 */
#ifndef DLT_LINK_H
#define DLT_LINK_H
#include "core/clock.h"
#include "domain/dlt/dlt_text.h"

enum dlt_link_kind {
    DLT_LINK_STATIC,  /* this address, a slash at its end or none */
    DLT_LINK_DYNAMIC, /* whatever follows its '?', or its path at a slash, '?' or '#' when it has no '?' */
    DLT_LINK_SHORT,   /* host/HEADER/ and then a code of letters, digits, '-', '_' */
    DLT_LINK_APP,     /* a file to install (.apk, .ipa): this address */
    DLT_LINK_OTT,     /* a place at another service, such as wa.me/91...: this address */
    DLT_LINK_NUMBER,  /* mobile, landline, toll-free */
    DLT_LINK_KIND_COUNT
};

struct dlt_link {
    enum dlt_link_kind kind;
    struct slice value;
    struct wall_time expires_at;
    bool has_expiry;
};

struct dlt_links {
    const struct dlt_link *rows; /* borrowed */
    size_t count;
    struct wall_time now; /* what has expired by then allows nothing */
};

enum dlt_listing { DLT_LISTED, DLT_UNLISTED, DLT_LISTING_EXPIRED };

/* "static", "dynamic" ... */
struct slice dlt_link_kind_text(enum dlt_link_kind kind);
/* ERR_NOT_FOUND: no such kind. */
MUST_CHECK enum err dlt_link_kind_read(struct slice text, enum dlt_link_kind *out);
/* NULL, or what is wrong with the value for an entry of this kind: a sentence of ours. */
const char *dlt_link_fault(enum dlt_link_kind kind, struct slice value);

/* Whether it is written as a link: with a scheme or "www.", or as a host with a path or under a domain that
 * is in common use. */
bool dlt_looks_like_link(struct slice value);
/* Whether it is written as an Indian call-back number; *digits_out gets it without 91, 0 and separators. */
bool dlt_looks_like_number(struct slice value, char digits_out[static 16]);
bool dlt_looks_like_email(struct slice value);
enum dlt_listing dlt_link_listed(const struct dlt_links *links, struct slice value);
enum dlt_listing dlt_number_listed(const struct dlt_links *links, struct slice value);

/*
 * Takes the next link or call-back number of a text from *at on: its place is [*start_out, *end_out), and *at
 * goes behind it. As numbers count what is written as such: +91 and ten digits, or 1800 and 1860 with what
 * follows; ten digits alone may be an order. false: there is none any more.
 */
bool dlt_text_next_link(struct dlt_text text, uint32_t *at, uint32_t *start_out, uint32_t *end_out,
                        bool *is_number_out);

#endif
