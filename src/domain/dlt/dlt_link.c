#include "domain/dlt/dlt_link.h"
#include "core/buf.h"

#define HOST_BYTES_MAX  253u
#define DIGITS_MAX      15u
#define DIGITS_OF_TEN   10u
#define TOLL_FREE_LEAST 8u
#define TOLL_FREE_MOST  11u
#define WORD_POINTS_MAX 512u /* longer words are looked at so far: so a text costs what it is long */

static const struct slice kind_texts[DLT_LINK_KIND_COUNT] = {
    [DLT_LINK_STATIC] = { "static", 6 }, [DLT_LINK_DYNAMIC] = { "dynamic", 7 },
    [DLT_LINK_SHORT] = { "short", 5 },   [DLT_LINK_APP] = { "app", 3 },
    [DLT_LINK_OTT] = { "ott", 3 },       [DLT_LINK_NUMBER] = { "number", 6 },
};

struct slice
dlt_link_kind_text(enum dlt_link_kind kind)
{
    return kind < DLT_LINK_KIND_COUNT ? kind_texts[kind] : SLICE_EMPTY;
}

enum err
dlt_link_kind_read(struct slice text, enum dlt_link_kind *out)
{
    for (enum dlt_link_kind kind = 0; kind < DLT_LINK_KIND_COUNT; kind++) {
        if (slice_eq(text, kind_texts[kind])) {
            *out = kind;
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

struct address {
    struct slice host, rest; /* rest: from the first '/', '?' or '#' on */
    bool has_scheme;
};

static struct address
address_split(struct slice value)
{
    struct address address = { .has_scheme = false };
    static const struct slice schemes[] = { { "https://", 8 }, { "http://", 7 } };
    size_t at = 0;

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]) && !address.has_scheme; i++) {
        if (slice_eq_nocase(slice_first(value, schemes[i].len), schemes[i])) {
            value = slice_drop(value, schemes[i].len);
            address.has_scheme = true;
        }
    }
    while (at < value.len && value.ptr[at] != '/' && value.ptr[at] != '?' && value.ptr[at] != '#')
        at++;
    address.host = slice_first(value, at);
    address.rest = slice_drop(value, at);
    return address;
}

/* Labels of letters, digits and hyphens with dots between; the last one of letters (so neither 10.30 nor an
 * address of four numbers). */
static bool
host_is_name(struct slice host, struct slice *last_out)
{
    struct slice rest = host, label = SLICE_EMPTY;
    size_t labels = 0;

    if (host.len == 0 || host.len > HOST_BYTES_MAX)
        return false;
    while (rest.len > 0) {
        label = slice_take_until(&rest, '.');
        if (label.len == 0 || label.ptr[0] == '-' || label.ptr[label.len - 1] == '-')
            return false;
        for (size_t i = 0; i < label.len; i++)
            if (!is_digit(label.ptr[i]) && !is_letter(label.ptr[i]) && label.ptr[i] != '-')
                return false;
        labels++;
    }
    if (labels < 2 || label.len < 2 || host.ptr[host.len - 1] == '.')
        return false;
    for (size_t i = 0; i < label.len; i++)
        if (!is_letter(label.ptr[i]))
            return false;
    *last_out = label;
    return true;
}

/* Domains under which a host is a link also without scheme and path; any others would make links of "Dr.Rao"
 * and "ready.Call". */
static bool
domain_is_common(struct slice last)
{
    static const char *const common[] = { "com",  "in",   "org",   "net",  "io",   "co",  "ly",
                                          "me",   "app",  "link",  "xyz",  "info", "biz", "gov",
                                          "bank", "shop", "store", "page", "dev" };

    for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++)
        if (slice_eq(last, slice_text(common[i])))
            return true;
    return false;
}

bool
dlt_looks_like_link(struct slice value)
{
    struct address address = address_split(value);
    struct slice last;

    if (address.has_scheme)
        return true;
    if (slice_find(address.host, '@') < address.host.len || !host_is_name(address.host, &last))
        return false;
    if (slice_eq_nocase(slice_first(value, 4), SLICE("www.")) || domain_is_common(last))
        return true;
    for (size_t i = 0; i < last.len; i++)
        if (last.ptr[i] < 'a') /* "Mr.Rao/Mrs.Rao" */
            return false;
    return address.rest.len > 1;
}

bool
dlt_looks_like_email(struct slice value)
{
    struct slice domain = value, local = slice_take_until(&domain, '@'), last;

    if (local.len == 0 || local.len > 64 || local.len == value.len || local.ptr[0] == '.' ||
        local.ptr[local.len - 1] == '.')
        return false;
    for (size_t i = 0; i < local.len; i++) {
        char c = local.ptr[i];
        if (!is_letter(c) && !is_digit(c) && slice_find(SLICE(".!#$%&'*+/=?^_`{|}~-"), c) == 20)
            return false;
        if (c == '.' && i + 1 < local.len && local.ptr[i + 1] == '.')
            return false;
    }
    return host_is_name(domain, &last);
}

/* Digits without separators; 0 when something else stands in it, or more than 15. */
static size_t
digits_of(struct slice value, char out[static 16])
{
    size_t count = 0;

    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (is_digit(c)) {
            if (count == DIGITS_MAX)
                return 0;
            out[count++] = c;
        } else if (!((c == '+' && i == 0) || (i > 0 && (c == ' ' || c == '-' || c == '(' || c == ')')) ||
                     c == '(')) {
            return 0;
        }
    }
    out[count] = '\0';
    return count;
}

static bool
is_toll_free(struct slice digits)
{
    return (slice_starts_with(digits, SLICE("1800")) || slice_starts_with(digits, SLICE("1860"))) &&
           digits.len >= TOLL_FREE_LEAST && digits.len <= TOLL_FREE_MOST;
}

bool
dlt_looks_like_number(struct slice value, char digits_out[static 16])
{
    size_t count = digits_of(value, digits_out);
    size_t drop = 0;

    if (count == 0)
        return false;
    if (is_toll_free(slice_of(digits_out, count)))
        return true;
    if (count == DIGITS_OF_TEN + 2 && digits_out[0] == '9' && digits_out[1] == '1')
        drop = 2;
    else if (count == DIGITS_OF_TEN + 1 && digits_out[0] == '0')
        drop = 1;
    else if (count != DIGITS_OF_TEN)
        return false;
    memmove(digits_out, digits_out + drop, count - drop + 1);
    return digits_out[0] != '0';
}

static struct slice
without_slash(struct slice path)
{
    return slice_ends_with(path, SLICE("/")) ? slice_first(path, path.len - 1) : path;
}

static bool
code_follows(struct slice code)
{
    if (code.len == 0)
        return false;
    for (size_t i = 0; i < code.len; i++)
        if (!is_letter(code.ptr[i]) && !is_digit(code.ptr[i]) && code.ptr[i] != '-' && code.ptr[i] != '_')
            return false;
    return true;
}

static bool
link_is(const struct dlt_link *row, struct slice value)
{
    struct address listed = address_split(row->value), named = address_split(value);
    struct slice prefix = listed.rest;

    if (!slice_eq_nocase(listed.host, named.host))
        return false;
    switch (row->kind) {
    case DLT_LINK_STATIC:
    case DLT_LINK_APP:
    case DLT_LINK_OTT:
        return slice_eq(without_slash(prefix), without_slash(named.rest));
    case DLT_LINK_DYNAMIC:
        if (!slice_starts_with(named.rest, prefix))
            return false;
        named.rest = slice_drop(named.rest, prefix.len);
        return named.rest.len == 0 || slice_ends_with(prefix, SLICE("?")) ||
               slice_ends_with(prefix, SLICE("/")) || named.rest.ptr[0] == '/' || named.rest.ptr[0] == '?' ||
               named.rest.ptr[0] == '#';
    case DLT_LINK_SHORT:
        prefix = without_slash(prefix);
        if (!slice_starts_with(named.rest, prefix))
            return false;
        named.rest = slice_drop(named.rest, prefix.len);
        return slice_starts_with(named.rest, SLICE("/")) && code_follows(slice_drop(named.rest, 1));
    case DLT_LINK_NUMBER:
    case DLT_LINK_KIND_COUNT:
        break;
    }
    return false;
}

static enum dlt_listing
listing_of(const struct dlt_links *links, const struct dlt_link *row, enum dlt_listing before)
{
    if (row->has_expiry && row->expires_at.us <= links->now.us)
        return before == DLT_LISTED ? before : DLT_LISTING_EXPIRED;
    return DLT_LISTED;
}

enum dlt_listing
dlt_link_listed(const struct dlt_links *links, struct slice value)
{
    enum dlt_listing listing = DLT_UNLISTED;

    for (size_t i = 0; i < links->count && listing != DLT_LISTED; i++)
        if (links->rows[i].kind != DLT_LINK_NUMBER && link_is(&links->rows[i], value))
            listing = listing_of(links, &links->rows[i], listing);
    return listing;
}

enum dlt_listing
dlt_number_listed(const struct dlt_links *links, struct slice value)
{
    enum dlt_listing listing = DLT_UNLISTED;
    char named[16], listed[16];

    if (!dlt_looks_like_number(value, named))
        return DLT_UNLISTED;
    for (size_t i = 0; i < links->count && listing != DLT_LISTED; i++)
        if (links->rows[i].kind == DLT_LINK_NUMBER && dlt_looks_like_number(links->rows[i].value, listed) &&
            slice_eq(slice_text(named), slice_text(listed)))
            listing = listing_of(links, &links->rows[i], listing);
    return listing;
}

const char *
dlt_link_fault(enum dlt_link_kind kind, struct slice value)
{
    char digits[16];
    struct address address = address_split(value);
    struct slice last;

    for (size_t i = 0; i < value.len; i++)
        if ((unsigned char)value.ptr[i] <= ' ' && kind != DLT_LINK_NUMBER)
            return "must have no blanks";
    if (kind == DLT_LINK_NUMBER)
        return dlt_looks_like_number(value, digits)
                   ? NULL
                   : "must be ten digits, with 0 or 91 before them or not, or 1800 or 1860 with four to seven more";
    if (!host_is_name(address.host, &last))
        return "must name a host, and no address of numbers";
    if (kind == DLT_LINK_STATIC && slice_find(value, '?') < value.len)
        return "of a static link must have no '?'";
    if (kind == DLT_LINK_DYNAMIC && slice_find(value, '?') + 1 < value.len)
        return "of a dynamic link may have one '?', at its end";
    if (kind == DLT_LINK_SHORT && without_slash(address.rest).len < 2)
        return "of a short link must go up to the header: https://short.example/HEADER/";
    if (kind == DLT_LINK_APP && !slice_ends_with(address.rest, SLICE(".apk")) &&
        !slice_ends_with(address.rest, SLICE(".ipa")))
        return "of an application must end in .apk or .ipa";
    return NULL;
}

static bool
point_is_blank(uint32_t point)
{
    return point == ' ' || point == '\n' || point == '\t' || point == 0xA0;
}

static bool
point_is_any(uint32_t point, const char *bytes)
{
    return point != 0 && point < 0x80 && strchr(bytes, (int)point) != NULL;
}

static bool
point_is_digit(uint32_t point)
{
    return point >= '0' && point <= '9';
}

/* The number that begins at `start`, when one is written as such there. */
static bool
number_at(struct dlt_text text, uint32_t start, uint32_t *end_out)
{
    char digits[DIGITS_MAX + 1];
    size_t count = 0, before_separator = 0;
    uint32_t at = start;
    bool has_plus = text.points[start] == '+';

    at += has_plus ? 1 : 0;
    while (at < text.count && count < DIGITS_MAX) {
        if (point_is_digit(text.points[at])) {
            digits[count++] = (char)text.points[at++];
        } else if (count > 0 && point_is_any(text.points[at], " -") && at + 1 < text.count &&
                   point_is_digit(text.points[at + 1])) {
            if (before_separator == 0)
                before_separator = count;
            at++;
        } else {
            break;
        }
        struct slice so_far = slice_of(digits, count);
        if (has_plus && count == DIGITS_OF_TEN + 2 && slice_starts_with(so_far, SLICE("91"))) {
            *end_out = at; /* what follows is the next word */
            return at == text.count || !point_is_digit(text.points[at]);
        }
    }
    *end_out = at;
    return !has_plus && is_toll_free(slice_of(digits, count)) &&
           (before_separator == 4 || (before_separator == 0 && count >= DIGITS_OF_TEN));
}

bool
dlt_text_next_link(struct dlt_text text, uint32_t *at, uint32_t *start_out, uint32_t *end_out,
                   bool *is_number_out)
{
    uint32_t i = *at;

    while (i < text.count) {
        bool begins =
            i == 0 || !(point_is_digit(text.points[i - 1]) || dlt_point_is_word(text.points[i - 1]) ||
                        point_is_any(text.points[i - 1], "+/.?=&%_-#@"));
        if (!begins || point_is_blank(text.points[i]) || point_is_any(text.points[i], "([{\"'<")) {
            i++;
            continue;
        }
        if ((text.points[i] == '+' || point_is_digit(text.points[i])) && number_at(text, i, end_out)) {
            *start_out = i;
            *at = *end_out;
            *is_number_out = true;
            return true;
        }
        /* A word: to the next blank, without the marks that end sentences. */
        char bytes[WORD_POINTS_MAX];
        size_t len = 0;
        uint32_t end = i;
        while (end < text.count && end - i < WORD_POINTS_MAX && !point_is_blank(text.points[end]) &&
               !point_is_any(text.points[end], "<>\""))
            end++;
        uint32_t word_end = end;
        while (word_end > i && point_is_any(text.points[word_end - 1], ".,;:!?)]}'*"))
            word_end--;
        for (uint32_t j = i; j < word_end; j++) /* what is no ASCII is in no entry: it stays unlike all */
            bytes[len++] = text.points[j] < 0x80 ? (char)text.points[j] : '\x01';
        if (dlt_looks_like_link(slice_of(bytes, len))) {
            *start_out = i;
            *end_out = word_end;
            *at = end;
            *is_number_out = false;
            return true;
        }
        i++;
    }
    *at = i;
    return false;
}
