#include "domain/webhook/webhook_headers.h"

/* Lower case; one that ends with '-' stands for all that begin so. */
static const char *const refused[] = {
    "host",    "content-", "connection", "transfer-", "webhook-", "keep-alive", "proxy-", "te",
    "trailer", "upgrade",  "expect",     "cookie",    "date",     "user-agent", "sec-",   "http2-",
};

struct vault_place
webhook_headers_place(struct id tenant, struct id endpoint, uint32_t generation)
{
    return (struct vault_place){ .tenant = tenant,
                                 .table = "webhook_endpoint",
                                 .column = "headers",
                                 .row = endpoint,
                                 .generation = generation };
}

static bool
is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

bool
webhook_header_name_is_fit(struct slice name)
{
    if (name.len == 0 || name.len > WEBHOOK_HEADER_NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!is_name_byte(name.ptr[i]))
            return false;
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        struct slice other = slice_text(refused[i]);
        bool is_prefix = slice_ends_with(other, SLICE("-"));
        if (slice_eq_nocase(is_prefix ? slice_first(name, other.len) : name, other))
            return false;
    }
    return true;
}

bool
webhook_header_value_is_fit(struct slice value)
{
    if (value.len == 0 || value.len > WEBHOOK_HEADER_VALUE_BYTES_MAX || value.ptr[0] == ' ' ||
        value.ptr[value.len - 1] == ' ')
        return false;
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] < 0x20 || value.ptr[i] > 0x7E) /* char may be signed: bytes above are below 0 */
            return false;
    return true;
}

void
webhook_headers_add(struct buf *out, struct slice name, struct slice value)
{
    buf_add(out, name);
    buf_add_text(out, ": ");
    buf_add(out, value);
    buf_add_byte(out, '\0');
}

enum err
webhook_headers_lines(struct slice value, const char *out[static WEBHOOK_HEADERS_MAX], size_t *count_out)
{
    size_t count = 0;

    *count_out = 0;
    if (value.len > 0 && value.ptr[value.len - 1] != '\0')
        return ERR_SEAL_CORRUPT;
    while (value.len > 0) {
        struct slice line = slice_take_until(&value, '\0');
        struct slice field = line, name = slice_take_until(&field, ':');
        if (count == WEBHOOK_HEADERS_MAX || !webhook_header_name_is_fit(name) ||
            !slice_starts_with(field, SLICE(" ")) || !webhook_header_value_is_fit(slice_drop(field, 1)))
            return ERR_SEAL_CORRUPT;
        out[count++] = line.ptr;
    }
    *count_out = count;
    return ERR_OK;
}
