#include "core/num.h"
#include "domain/channel/whatsapp/whatsapp_json_internal.h"
#include "wire/json/json.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#define NUMBER_TEXT_MAX 32u
#define SECONDS_MAX     253402300799 /* the end of the year 9999 */

static struct slice
text_of(const json_t *value)
{
    return slice_of(json_string_value(value), json_string_length(value));
}

bool
whatsapp_json_int(const json_t *object, const char *member, int64_t *out)
{
    const json_t *value = json_member(object, member);

    if (json_is_integer(value)) {
        *out = json_integer_value(value);
        return true;
    }
    if (json_is_real(value)) {
        double real = json_real_value(value);
        if (!(real > -9e15 && real < 9e15)) /* exact in a double, and within 64 bits */
            return false;
        int64_t whole = (int64_t)real;
        if ((double)whole != real)
            return false;
        *out = whole;
        return true;
    }
    return json_is_string(value) && num_i64_parse(text_of(value), out) == ERR_OK;
}

bool
whatsapp_json_bool(const json_t *object, const char *member, bool *out)
{
    const json_t *value = json_member(object, member);
    int64_t number = 0;

    if (json_is_boolean(value)) {
        *out = json_is_true(value);
        return true;
    }
    if (json_is_string(value)) {
        struct slice text = text_of(value);
        if (slice_eq(text, SLICE("true")) || slice_eq(text, SLICE("false"))) {
            *out = slice_eq(text, SLICE("true"));
            return true;
        }
    }
    if (!whatsapp_json_int(object, member, &number) || number < 0 || number > 1)
        return false;
    *out = number == 1;
    return true;
}

bool
whatsapp_json_real(const json_t *object, const char *member, double *out)
{
    const json_t *value = json_member(object, member);
    struct slice decimal = SLICE("0123456789.-");
    char text[NUMBER_TEXT_MAX + 1], *end;

    if (json_is_number(value)) {
        *out = json_number_value(value);
        return true;
    }
    if (!json_is_string(value) || json_string_length(value) == 0 ||
        json_string_length(value) > NUMBER_TEXT_MAX)
        return false;
    struct slice number = text_of(value);
    for (size_t i = 0; i < number.len;
         i++) /* decimal only: strtod alone would take hexadecimal, inf and nan */
        if (slice_find(decimal, number.ptr[i]) == decimal.len)
            return false;
    memcpy(text, number.ptr, number.len);
    text[number.len] = '\0';
    double real = strtod(text, &end);
    if (end != text + number.len || !isfinite(real))
        return false;
    *out = real;
    return true;
}

static struct slice
number_text(struct whatsapp_reader *reader, struct slice text)
{
    if (text.ptr == NULL)
        reader->has_run_out = true;
    return text;
}

struct slice
whatsapp_json_text(struct whatsapp_reader *reader, const json_t *object, const char *member, size_t bytes_max)
{
    const json_t *value = json_member(object, member);
    struct slice text = SLICE_EMPTY;

    if (json_is_string(value))
        text = text_of(value);
    else if (json_is_integer(value))
        text =
            number_text(reader, arena_format(reader->arena, "%" PRId64, (int64_t)json_integer_value(value)));
    else if (json_is_real(value))
        text = number_text(reader, arena_format(reader->arena, "%.15g", json_real_value(value)));
    return text.len > bytes_max ? SLICE_EMPTY : text;
}

bool
whatsapp_json_time(const json_t *object, const char *member, struct wall_time *out)
{
    int64_t seconds = 0;

    if (!whatsapp_json_int(object, member, &seconds) || seconds < 0 || seconds > SECONDS_MAX)
        return false;
    out->us = seconds * 1000000;
    return true;
}

struct slice
whatsapp_text_cut(struct slice text, size_t bytes_max)
{
    struct slice cut = slice_first(text, bytes_max);

    while (cut.len < text.len && cut.len > 0 && ((unsigned char)text.ptr[cut.len] & 0xC0) == 0x80)
        cut.len--;
    return cut;
}
