#include "domain/channel/channel.h"

static const char *const state_words[] = { [CHANNEL_ACTIVE] = "active",
                                           [CHANNEL_PAUSED] = "paused",
                                           [CHANNEL_BROKEN] = "broken",
                                           [CHANNEL_DELETED] = "deleted",
                                           [CHANNEL_CONNECTING] = "connecting" };
static const char *const credential_columns[CHANNEL_CREDENTIALS] = { [CHANNEL_ACCESS_TOKEN] = "access_token",
                                                                     [CHANNEL_APP_SECRET] = "app_secret",
                                                                     [CHANNEL_VERIFY_TOKEN] =
                                                                         "verify_token" };

const char *
channel_state_word(enum channel_state state)
{
    if ((unsigned)state >= COUNT_OF(state_words))
        bug("no such channel state");
    return state_words[state];
}

enum err
channel_state_parse(struct slice word, enum channel_state *out)
{
    for (unsigned i = 0; i < COUNT_OF(state_words); i++)
        if (slice_eq(word, slice_text(state_words[i]))) {
            *out = (enum channel_state)i;
            return ERR_OK;
        }
    return ERR_STATE_CONFLICT;
}

static const char *const sms_kind_words[] = { [CHANNEL_SMS_ALPHANUMERIC] = "alphanumeric",
                                              [CHANNEL_SMS_NUMBER] = "number",
                                              [CHANNEL_SMS_SHORT_CODE] = "short-code" };

const char *
channel_sms_kind_word(enum channel_sms_kind kind)
{
    if ((unsigned)kind >= COUNT_OF(sms_kind_words))
        bug("no such kind of sender");
    return sms_kind_words[kind];
}

enum err
channel_sms_kind_parse(struct slice word, enum channel_sms_kind *out)
{
    for (unsigned i = 0; i < COUNT_OF(sms_kind_words); i++)
        if (slice_eq(word, slice_text(sms_kind_words[i]))) {
            *out = (enum channel_sms_kind)i;
            return ERR_OK;
        }
    return ERR_CHANNEL_SENDER;
}

enum err
channel_sms_check(const struct channel_sms *sms)
{
    size_t letters = 0, digits = 0, others = 0, len = sms->sender.len;

    for (size_t i = 0; i < len; i++) {
        char c = sms->sender.ptr[i];
        if (c >= '0' && c <= '9')
            digits++;
        else if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
            letters++;
        else if (strchr(" ._&-", c) != NULL && c != '\0')
            others++;
        else
            return ERR_CHANNEL_SENDER;
    }
    switch (sms->kind) {
    case CHANNEL_SMS_ALPHANUMERIC: /* India's promotional headers are six digits */
        return len >= 1 && len <= 11 && (letters > 0 || (digits == 6 && others == 0)) ? ERR_OK
                                                                                      : ERR_CHANNEL_SENDER;
    case CHANNEL_SMS_NUMBER:
        return digits == len && len >= 7 && len <= 15 ? ERR_OK : ERR_CHANNEL_SENDER;
    case CHANNEL_SMS_SHORT_CODE:
        return digits == len && len >= 3 && len <= 8 ? ERR_OK : ERR_CHANNEL_SENDER;
    }
    bug("no such kind of sender");
}

const char *
channel_credential_column(enum channel_credential credential)
{
    if ((unsigned)credential >= CHANNEL_CREDENTIALS)
        bug("no such credential");
    return credential_columns[credential];
}

struct vault_place
channel_credential_place(struct id tenant, struct id channel, enum channel_credential credential,
                         uint32_t generation)
{
    return (struct vault_place){ .tenant = tenant,
                                 .table = "whatsapp_channel",
                                 .column = channel_credential_column(credential),
                                 .row = channel,
                                 .generation = generation };
}

enum err
channel_seal(const struct vault *vault, struct id tenant, struct id channel,
             enum channel_credential credential, uint32_t generation, struct slice plain, struct arena *arena,
             struct vault_sealed *sealed_out)
{
    struct vault_place place = channel_credential_place(tenant, channel, credential, generation);

    return vault_seal(vault, VAULT_CREDENTIAL, &place, plain, arena, sealed_out);
}
