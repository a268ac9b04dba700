#include "wire/http/field.h"

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

bool
field_is_name(struct slice text)
{
    if (text.len == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!is_digit(c) && !is_letter(c) && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL))
            return false;
    }
    return true;
}

bool
field_is_value(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7F)
            return false;
    }
    return true;
}

static bool
is_port(struct slice text)
{
    if (text.len == 0 || text.len > 5)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!is_digit(text.ptr[i]))
            return false;
    return true;
}

bool
field_is_host(struct slice text)
{
    if (text.len == 0 || text.len > FIELD_HOST_BYTES_MAX)
        return false;
    struct slice rest, name;
    bool is_literal = text.ptr[0] == '[';
    if (is_literal) {
        size_t close = slice_find(text, ']');
        if (close == text.len || close < 3)
            return false;
        name = slice_first(slice_drop(text, 1), close - 1);
        rest = slice_drop(text, close + 1);
    } else {
        name = slice_first(text, slice_find(text, ':'));
        rest = slice_drop(text, name.len);
    }
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool is_fit = is_literal ? is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') ||
                                       c == ':' || c == '.'
                                 : is_digit(c) || is_letter(c) || c == '-' || c == '.' || c == '_';
        if (!is_fit)
            return false;
    }
    return name.len != 0 && (rest.len == 0 || (rest.ptr[0] == ':' && is_port(slice_drop(rest, 1))));
}

enum err
field_check_json(struct slice content_type)
{
    struct slice rest = content_type;
    struct slice type = slice_trim(slice_take_until(&rest, ';'));

    if (!slice_eq_nocase(type, SLICE("application/json")))
        return ERR_HTTP_MEDIA_TYPE;
    while (rest.len != 0) {
        struct slice parameter = slice_trim(slice_take_until(&rest, ';'));
        if (parameter.len == 0) /* the standard allows an empty one between semicolons */
            continue;
        struct slice name = slice_take_until(&parameter, '=');
        if (parameter.len >= 2 && parameter.ptr[0] == '"' && parameter.ptr[parameter.len - 1] == '"')
            parameter = slice_first(slice_drop(parameter, 1), parameter.len - 2);
        if (!slice_eq_nocase(name, SLICE("charset")) || !slice_eq_nocase(parameter, SLICE("utf-8")))
            return ERR_HTTP_MEDIA_TYPE;
    }
    return ERR_OK;
}

enum err
field_bearer(struct slice authorization, struct slice *token_out)
{
    const struct slice scheme = SLICE("Bearer");
    struct slice token = slice_trim(authorization);

    *token_out = SLICE_EMPTY;
    if (!slice_eq_nocase(slice_first(token, scheme.len), scheme) ||
        (token.len > scheme.len && token.ptr[scheme.len] != ' '))
        return ERR_KEY_MISSING;
    token = slice_trim(slice_drop(token, scheme.len));
    size_t used = 0;
    while (used < token.len && (is_digit(token.ptr[used]) || is_letter(token.ptr[used]) ||
                                (token.ptr[used] != '\0' && strchr("-._~+/", token.ptr[used]) != NULL)))
        used++;
    if (used == 0)
        return ERR_KEY_INVALID;
    while (used < token.len && token.ptr[used] == '=')
        used++;
    if (used != token.len)
        return ERR_KEY_INVALID;
    *token_out = token;
    return ERR_OK;
}

enum err
field_idempotency_key(struct slice value, struct slice *key_out)
{
    struct slice key = slice_trim(value);

    *key_out = SLICE_EMPTY;
    if (key.len >= 2 && key.ptr[0] == '"' && key.ptr[key.len - 1] == '"')
        key = slice_first(slice_drop(key, 1), key.len - 2);
    if (key.len == 0 || key.len > FIELD_IDEMPOTENCY_BYTES_MAX)
        return ERR_HTTP_HEADER;
    for (size_t i = 0; i < key.len; i++)
        if (key.ptr[i] <= 0x20 || key.ptr[i] >= 0x7F || key.ptr[i] == '"' || key.ptr[i] == '\\')
            return ERR_HTTP_HEADER;
    *key_out = key;
    return ERR_OK;
}

/* A weight of 0, in any of its forms: "q=0", "Q=0.", "q=0.000". */
static bool
is_weight_zero(struct slice parameter)
{
    struct slice name = slice_trim(slice_take_until(&parameter, '='));
    struct slice value = slice_trim(parameter);

    if (!slice_eq_nocase(name, SLICE("q")))
        return false;
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] != '0' && value.ptr[i] != '.')
            return false;
    return true;
}

/* Takes one member of a list off the front, with whether its weight allows it. False at the end. */
static bool
member_take(struct slice *rest, struct slice *name_out, bool *is_allowed_out)
{
    if (rest->len == 0)
        return false;
    struct slice member = slice_take_until(rest, ',');
    *name_out = slice_trim(slice_take_until(&member, ';'));
    *is_allowed_out = true;
    while (member.len != 0)
        if (is_weight_zero(slice_take_until(&member, ';')))
            *is_allowed_out = false;
    return true;
}

bool
field_accepts_coding(struct slice accept_encoding, struct slice coding)
{
    struct slice name;
    bool is_allowed, of_all = false;

    while (member_take(&accept_encoding, &name, &is_allowed)) {
        if (slice_eq_nocase(name, coding))
            return is_allowed; /* what names it beats what names all */
        if (slice_eq(name, SLICE("*")))
            of_all = is_allowed;
    }
    return of_all;
}

bool
field_accepts_type(struct slice accept, struct slice type)
{
    struct slice name;
    bool is_allowed;

    while (member_take(&accept, &name, &is_allowed))
        if (slice_eq_nocase(name, type))
            return is_allowed;
    return false;
}
