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
