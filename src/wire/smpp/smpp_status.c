#include "wire/smpp/smpp_status.h"
#include "core/attribute.h"
#include <stddef.h>

static const struct row {
    uint32_t status;
    const char *word;
    enum smpp_action action;
} rows[] = {
#define SMPP_STATUS(status, word, action) { status, word, SMPP_ACTION_##action },
#include "wire/smpp/smpp_status.def"
#undef SMPP_STATUS
};

static const struct row *
row_of(uint32_t status)
{
    for (size_t i = 0; i < COUNT_OF(rows) && rows[i].status <= status; i++)
        if (rows[i].status == status)
            return &rows[i];
    return NULL;
}

enum smpp_action
smpp_status_action(uint32_t status)
{
    const struct row *row = row_of(status);

    return row == NULL ? SMPP_ACTION_RETRY_FEW : row->action;
}

const char *
smpp_status_word(uint32_t status)
{
    const struct row *row = row_of(status);

    if (row != NULL)
        return row->word;
    return status >= SMPP_VENDOR_FIRST && status <= SMPP_VENDOR_LAST ? "vendor" : "unknown";
}
