#include "program/harkara/key_expiry.h"
#include "core/num.h"

#define HOUR_MS ((int64_t)3600 * 1000)

enum err
key_expiry_parse(struct slice text, struct wall_time now, struct wall_time *out)
{
    bool is_days = slice_ends_with(text, SLICE("d")), is_hours = slice_ends_with(text, SLICE("h"));
    int count;

    if (!is_days && !is_hours)
        return wall_parse(text, out);
    if (num_int_parse(slice_first(text, text.len - 1), 1, KEY_EXPIRY_DAYS_MAX * (is_days ? 1 : 24), &count) !=
        ERR_OK)
        return ERR_TIME_SYNTAX;
    *out = wall_after_ms(now, count * HOUR_MS * (is_days ? 24 : 1));
    return ERR_OK;
}
