#include "wire/openapi/format.h"
#include "core/attribute.h"
#include "core/clock.h"

#define EMAIL_LOCAL_BYTES_MAX 64u  /* RFC 5321, 4.5.3.1.1 */
#define DOMAIN_BYTES_MAX      253u /* RFC 1035, 2.3.4, as text */
#define LABEL_BYTES_MAX       63u
#define DATE_BYTES            10u

static const struct {
    struct slice name;
    const char *detail;
} formats[] = {
    [FORMAT_NONE] = { { NULL, 0 }, "is not valid" },
    [FORMAT_DATE_TIME] = { { "date-time", 9 }, "must be an RFC 3339 time, such as 2026-01-31T12:00:00Z" },
    [FORMAT_DATE] = { { "date", 4 }, "must be a date, such as 2026-01-31" },
    [FORMAT_URI] = { { "uri", 3 }, "must be a complete URI in ASCII, such as https://example.com/a" },
    [FORMAT_EMAIL] = { { "email", 5 }, "must be an e-mail address, such as name@example.com" },
};

bool
format_find(struct slice name, enum format *out)
{
    for (size_t i = FORMAT_NONE + 1; i < COUNT_OF(formats); i++) {
        if (slice_eq(name, formats[i].name)) {
            *out = (enum format)i;
            return true;
        }
    }
    return false;
}

const char *
format_detail(enum format format)
{
    return formats[format].detail;
}

static bool
is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool
date_time_matches(struct slice text)
{
    struct wall_time time;

    return wall_parse(text, &time) == ERR_OK;
}

static bool
date_matches(struct slice text)
{
    char midnight[DATE_BYTES + sizeof("T00:00:00Z")];

    if (text.len != DATE_BYTES)
        return false;
    memcpy(midnight, text.ptr, DATE_BYTES);
    memcpy(midnight + DATE_BYTES, "T00:00:00Z", sizeof("T00:00:00Z"));
    return date_time_matches(slice_text(midnight));
}

/* scheme ":" and then only characters of RFC 3986, with whole percent-encodings. */
static bool
uri_matches(struct slice text)
{
    static const char marks[] = "-._~:/?#[]@!$&'()*+,;=";
    size_t colon = slice_find(text, ':');

    if (colon == 0 || colon == text.len || !is_alpha(text.ptr[0]))
        return false;
    for (size_t i = 1; i < colon; i++)
        if (!is_alpha(text.ptr[i]) && !is_digit(text.ptr[i]) && strchr("+-.", text.ptr[i]) == NULL)
            return false;
    struct slice rest = slice_drop(text, colon + 1);
    for (size_t i = 0; i < rest.len; i++) {
        char c = rest.ptr[i];
        if (c == '%') {
            if (rest.len - i < 3 || !is_hex(rest.ptr[i + 1]) || !is_hex(rest.ptr[i + 2]))
                return false;
            i += 2;
        } else if (c == '\0' || (!is_alpha(c) && !is_digit(c) && strchr(marks, c) == NULL)) {
            return false;
        }
    }
    if (!slice_starts_with(rest, SLICE("//")))
        return rest.len > 0;
    rest = slice_drop(rest, 2);
    return rest.len > 0 && strchr("/?#", rest.ptr[0]) == NULL; /* an authority, and not an empty one */
}

static bool
domain_matches(struct slice domain)
{
    size_t labels = 0;

    if (domain.len > DOMAIN_BYTES_MAX || slice_ends_with(domain, SLICE(".")))
        return false;
    while (domain.len > 0) {
        struct slice label = slice_take_until(&domain, '.');
        if (label.len == 0 || label.len > LABEL_BYTES_MAX || label.ptr[0] == '-' ||
            label.ptr[label.len - 1] == '-')
            return false;
        for (size_t i = 0; i < label.len; i++)
            if (!is_alpha(label.ptr[i]) && !is_digit(label.ptr[i]) && label.ptr[i] != '-')
                return false;
        labels++;
    }
    return labels > 0;
}

static bool
email_matches(struct slice text)
{
    static const char marks[] = "!#$%&'*+-/=?^_`{|}~";
    struct slice domain = text, local = slice_take_until(&domain, '@');

    if (local.len == 0 || local.len > EMAIL_LOCAL_BYTES_MAX || local.len == text.len || local.ptr[0] == '.' ||
        local.ptr[local.len - 1] == '.' || slice_contains(local, SLICE("..")))
        return false;
    for (size_t i = 0; i < local.len; i++) {
        char c = local.ptr[i];
        if (c == '\0' || (!is_alpha(c) && !is_digit(c) && c != '.' && strchr(marks, c) == NULL))
            return false;
    }
    return domain_matches(domain);
}

bool
format_matches(enum format format, struct slice text)
{
    switch (format) {
    case FORMAT_NONE:
        return true;
    case FORMAT_DATE_TIME:
        return date_time_matches(text);
    case FORMAT_DATE:
        return date_matches(text);
    case FORMAT_URI:
        return uri_matches(text);
    case FORMAT_EMAIL:
        return email_matches(text);
    }
    return false;
}
