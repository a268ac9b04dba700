#include "program/gateway/mask.h"
#include "core/buf.h"
#include "wire/json/json.h"

#define SHOWN_DIGITS  4u
#define HIDDEN_MIN    3u /* an end of four stands for at least this much more */
#define NUMBER_DIGITS 7u /* fewer in a text are no number of a person: codes, counts, years */
#define NUMBER_MAX    15u
#define STARS         "****"

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_word(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

/* What may stand before the @ (RFC 5321's dot-string, its usual part). */
static bool
is_local(char c)
{
    return is_word(c) || c == '.' || c == '_' || c == '-' || c == '+' || c == '%';
}

/* The last four octets that are no white space or punctuation; numbers may be written with gaps. */
static struct slice
ending_masked(struct arena *arena, struct slice prefix, struct slice rest)
{
    char shown[SHOWN_DIGITS];
    size_t have = 0, words = 0;

    for (size_t i = rest.len; i-- > 0;) {
        if ((unsigned char)rest.ptr[i] >= 0x80)
            have = SHOWN_DIGITS + 1; /* no octet of a longer character is shown alone */
        if (!is_word(rest.ptr[i]))
            continue;
        words++;
        if (have < SHOWN_DIGITS)
            shown[SHOWN_DIGITS - ++have] = rest.ptr[i];
    }
    bool is_shown = have == SHOWN_DIGITS && words >= SHOWN_DIGITS + HIDDEN_MIN;
    size_t stars = sizeof(STARS) - 1, len = prefix.len + stars + (is_shown ? SHOWN_DIGITS : 0);
    char *text = arena_alloc(arena, len);
    if (text == NULL)
        return SLICE_EMPTY;
    if (prefix.len != 0)
        memcpy(text, prefix.ptr, prefix.len);
    memcpy(text + prefix.len, STARS, stars);
    if (is_shown)
        memcpy(text + prefix.len + stars, shown, SHOWN_DIGITS);
    return slice_of(text, len);
}

static struct slice
email_masked(struct arena *arena, struct slice address, size_t at)
{
    size_t first = 1;

    while (first < at && ((unsigned char)address.ptr[first] & 0xC0) == 0x80) /* the whole first character */
        first++;
    return arena_format(arena, "%.*s" STARS "%.*s", SLICE_FMT(slice_first(address, at == 0 ? 0 : first)),
                        SLICE_FMT(slice_drop(address, at)));
}

struct slice
mask_address(struct arena *arena, struct slice address)
{
    size_t prefix = 0;

    for (size_t i = 0; i < address.len; i++) {
        if (address.ptr[i] == '@' && !slice_starts_with(address, SLICE("group:")))
            return email_masked(arena, address, i);
        if (address.ptr[i] == ':' || (address.ptr[i] == '.' && i <= 6))
            prefix = i + 1; /* "US.", "US.ENT.", "group:" */
    }
    return ending_masked(arena, slice_first(address, prefix), slice_drop(address, prefix));
}

/* How many octets from here on are a number: digits with an optional plus, and single gaps as people write
 * them. */
static size_t
number_length(struct slice text, size_t *digits_out)
{
    size_t end = 0, digits = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (is_digit(text.ptr[i])) {
            digits++;
            end = i + 1;
            continue;
        }
        bool is_gap = digits > 0 && (text.ptr[i] == ' ' || text.ptr[i] == '-' || text.ptr[i] == '(' ||
                                     text.ptr[i] == ')' || text.ptr[i] == '.');
        if (!(i == 0 && text.ptr[i] == '+') && !(is_gap && i - end < 2))
            break;
    }
    if (end < text.len && is_word(text.ptr[end]))
        digits = 0; /* the beginning of a word or a time */
    *digits_out = digits;
    return end;
}

/* The length of an e-mail address that begins here; 0: none does. */
static size_t
email_length(struct slice text, size_t *at_out)
{
    size_t at = 0, end, dot = 0;

    while (at < text.len && is_local(text.ptr[at]))
        at++;
    if (at == 0 || at == text.len || text.ptr[at] != '@')
        return 0;
    for (end = at + 1;
         end < text.len && (is_word(text.ptr[end]) || text.ptr[end] == '-' || text.ptr[end] == '.'); end++)
        if (text.ptr[end] == '.')
            dot = end;
    *at_out = at;
    return dot > at + 1 && dot + 1 < end ? end : 0;
}

/* Adds the piece that begins at the text's front, masked if it is to be; how long it was. */
static size_t
piece_add(struct arena *arena, struct buf *out, struct slice text, bool *changed)
{
    size_t at = 0, digits = 0, length = email_length(text, &at);

    if (length > 0) {
        buf_add(out, email_masked(arena, slice_first(text, length), at));
        *changed = true;
        return length;
    }
    length = number_length(text, &digits);
    if (digits >= NUMBER_DIGITS && digits <= NUMBER_MAX) {
        buf_add(out, ending_masked(arena, SLICE_EMPTY, slice_first(text, length)));
        *changed = true;
        return length;
    }
    length = 1;
    while (length < text.len && is_local(text.ptr[0]) && is_local(text.ptr[length]))
        length++;
    buf_add(out, slice_first(text, length));
    return length;
}

struct slice
mask_text(struct arena *arena, struct slice text)
{
    struct buf out;
    bool changed = false;

    buf_init(&out, 8 * text.len + 64);
    for (struct slice rest = text; rest.len > 0;)
        rest = slice_drop(rest, piece_add(arena, &out, rest, &changed));
    struct slice shown = text;
    if (changed)
        shown = buf_done(&out) == ERR_OK ? arena_copy(arena, buf_slice(&out)) : SLICE_EMPTY;
    buf_release_wiped(&out);
    return shown;
}

/* What members of contents say who or where a person is. */
static bool
is_identity(struct slice name)
{
    static const char *const names[] = {
        "phone", "phone_number", "wa_id",  "new_wa_id", "from",     "to",     "user_id",   "parent_user_id",
        "email", "recipient",    "msisdn", "vcard",     "username", "mobile", "address_id"
    };

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (slice_eq(name, slice_text(names[i])))
            return true;
    return false;
}

static struct slice
string_of(const json_t *value)
{
    return slice_of(json_string_value(value), json_string_length(value));
}

static enum err
string_set(json_t *value, struct slice text)
{
    return text.ptr != NULL && json_string_setn(value, text.ptr, text.len) == 0 ? ERR_OK : ERR_NO_MEMORY;
}

static enum err
members_mask(struct arena *arena, json_t *value, bool masks_texts)
{
    const char *name;
    json_t *member;
    size_t index;
    enum err err = ERR_OK;

    json_object_foreach(value, name, member)
    {
        if (err == ERR_OK && json_is_string(member) && is_identity(slice_text(name)))
            err = string_set(member, mask_address(arena, string_of(member)));
        else if (err == ERR_OK)
            err = members_mask(arena, member, masks_texts);
    }
    json_array_foreach(value, index, member)
    {
        if (err == ERR_OK)
            err = members_mask(arena, member, masks_texts);
    }
    if (masks_texts && json_is_string(value))
        err = string_set(value, mask_text(arena, string_of(value)));
    return err;
}

enum err
mask_content(struct arena *arena, json_t *content)
{
    struct slice type = json_text_of(content, "type");

    /* Notices of the provider tell numbers in their sentences; what nobody understands may be anything. */
    return members_mask(arena, content,
                        slice_eq(type, SLICE("system")) || slice_eq(type, SLICE("unsupported")));
}

enum err
mask_strings(struct arena *arena, json_t *value)
{
    return members_mask(arena, value, true);
}
