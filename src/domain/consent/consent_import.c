#include "domain/consent/consent_import.h"
#include "core/buf.h"

/* What stands in quotes, with each pair of them as one; *rest is behind the closing one. */
static enum err
quoted_take(struct slice *rest, struct arena *arena, struct slice *out)
{
    size_t at = 1, used = 0;
    char *text = arena_alloc(arena, rest->len);

    if (text == NULL)
        return ERR_NO_MEMORY;
    for (; at < rest->len; at++) {
        if (rest->ptr[at] == '"') {
            if (at + 1 >= rest->len || rest->ptr[at + 1] != '"')
                break;
            at++;
        }
        text[used++] = rest->ptr[at];
    }
    if (at >= rest->len)
        return ERR_CONTRACT;
    *rest = slice_drop(*rest, at + 1);
    *out = slice_of(text, used);
    if (rest->len > 0 && rest->ptr[0] != ',' && rest->ptr[0] != '\n' && rest->ptr[0] != '\r')
        return ERR_CONTRACT;
    return ERR_OK;
}

static void
plain_take(struct slice *rest, struct slice *out)
{
    size_t len = 0;

    while (len < rest->len && rest->ptr[len] != ',' && rest->ptr[len] != '\n' && rest->ptr[len] != '\r')
        len++;
    *out = slice_trim(slice_first(*rest, len));
    *rest = slice_drop(*rest, len);
}

enum err
consent_csv_take(struct slice *rest, struct arena *arena, struct slice cells[static CONSENT_CELLS_MAX],
                 size_t *count_out)
{
    *count_out = 0;
    if (rest->len == 0)
        return ERR_NOTHING;
    for (;;) {
        struct slice *cell = &cells[*count_out];
        if (*count_out == CONSENT_CELLS_MAX)
            return ERR_CONTRACT;
        enum err err = ERR_OK;
        if (rest->len > 0 && rest->ptr[0] == '"')
            err = quoted_take(rest, arena, cell);
        else
            plain_take(rest, cell);
        if (err != ERR_OK)
            return err;
        ++*count_out;
        if (rest->len == 0 || rest->ptr[0] != ',')
            break;
        *rest = slice_drop(*rest, 1);
    }
    if (slice_starts_with(*rest, SLICE("\r\n")))
        *rest = slice_drop(*rest, 2);
    else if (rest->len > 0)
        *rest = slice_drop(*rest, 1);
    return ERR_OK;
}

bool
consent_address_is_valid(struct slice address)
{
    if (address.len < 8 || address.len > 16 || address.ptr[0] != '+' || address.ptr[1] == '0')
        return false;
    for (size_t i = 1; i < address.len; i++)
        if (address.ptr[i] < '0' || address.ptr[i] > '9')
            return false;
    return true;
}

static bool
is_slug(struct slice text, bool has_digits)
{
    if (text.len == 0 || text.len > 40)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!(text.ptr[i] >= 'a' && text.ptr[i] <= 'z') && text.ptr[i] != '-' &&
            !(has_digits && text.ptr[i] >= '0' && text.ptr[i] <= '9'))
            return false;
    return true;
}

bool
consent_purpose_is_valid(struct slice purpose)
{
    return is_slug(purpose, true);
}

bool
consent_method_is_valid(struct slice method)
{
    return is_slug(method, false);
}
