#include "core/fuzz.h"
#include "domain/channel/whatsapp/whatsapp_usage.h"
#include <string.h>

/* Both fields, a line each. */
FUZZ_TARGET(data, size)
{
    struct slice text = slice_of(data, size);
    size_t at = slice_find(text, '\n');
    struct whatsapp_usage usage;

    whatsapp_usage_read(slice_first(text, at), slice_drop(text, at < size ? at + 1 : size), &usage);
    FUZZ_CHECK(usage.has_app || usage.app_percent == 0);
    FUZZ_CHECK(usage.app_percent >= 0 && usage.app_percent <= WHATSAPP_USAGE_PERCENT_MAX);
    FUZZ_CHECK(usage.account_count <= WHATSAPP_USAGE_ACCOUNTS_MAX);
    for (size_t i = 0; i < usage.account_count; i++) {
        const struct whatsapp_account_usage *account = &usage.accounts[i];
        size_t len = strnlen(account->id, sizeof(account->id));
        FUZZ_CHECK(len > 0 && len <= WHATSAPP_USAGE_ID_MAX);
        FUZZ_CHECK(account->percent >= 0 && account->percent <= WHATSAPP_USAGE_PERCENT_MAX);
        FUZZ_CHECK(account->regain_s <= WHATSAPP_REGAIN_S_MAX &&
                   account->regain_s <= whatsapp_usage_regain_s(&usage));
    }
    return 0;
}
