#include "domain/channel/sms/sms_error.h"
#include "core/attribute.h"
#include "core/num.h"

static const struct {
    int64_t number;
    struct sms_error error;
} errors[] = {
#define SMS_ERROR(number, word, class, title) { number, { word, title, class } },
#include "domain/channel/sms/sms_error.def"
#undef SMS_ERROR
};

const struct sms_error *
sms_error_find(struct slice code)
{
    int64_t number = 0;

    code = slice_trim(code);
    while (code.len > 1 && code.ptr[0] == '0')
        code = slice_drop(code, 1);
    if (code.len == 0 || num_i64_parse(code, &number) != ERR_OK)
        return NULL;
    for (size_t i = 0; i < COUNT_OF(errors); i++)
        if (errors[i].number == number)
            return &errors[i].error;
    return NULL;
}
