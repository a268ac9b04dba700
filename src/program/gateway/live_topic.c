#include "program/gateway/live_topic.h"

static const struct {
    const char *word;
    enum api_scope scope;
    bool has_ids, is_of_channel; /* who is limited to channels hears of theirs alone */
    enum id_kind kind;
} topics[LIVE_TOPIC_COUNT] = {
    [LIVE_MESSAGES] = { "messages", API_SCOPE_MESSAGES_READ, true, true, ID_MESSAGE },
    [LIVE_CHANNELS] = { "channels", API_SCOPE_CHANNELS_READ, true, true, ID_CHANNEL },
    [LIVE_TEMPLATES] = { "templates", API_SCOPE_TEMPLATES_READ, true, true, ID_TEMPLATE },
    [LIVE_WEBHOOKS] = { "webhooks", API_SCOPE_WEBHOOKS_READ, true, false, ID_ENDPOINT },
    [LIVE_KEYS] = { "keys", API_SCOPE_KEYS_MANAGE, true, false, ID_KEY },
    [LIVE_PEOPLE] = { "people", API_SCOPE_PEOPLE_READ, false, false, ID_MEMBERSHIP },
    [LIVE_SETTINGS] = { "settings", API_SCOPE_SETTINGS_READ, false, false, ID_TENANT },
    [LIVE_USAGE] = { "usage", API_SCOPE_USAGE_READ, false, false, ID_TENANT },
    [LIVE_AUDIT] = { "audit", API_SCOPE_AUDIT_READ, false, false, ID_AUDIT },
    [LIVE_CONSENTS] = { "consents", API_SCOPE_CONSENTS_READ, false, false, ID_CONSENT },
    [LIVE_CONNECTORS] = { "connectors", API_SCOPE_CHANNELS_READ, true, false, ID_SMS_CONNECTOR },
};

/* By what an event's type, or an act's action, begins with. What is not here is shown nowhere. */
static const struct {
    const char *word;
    enum live_topic topic;
    bool has_ids, judges;
} words[] = {
    { "message", LIVE_MESSAGES, true, false },
    { "media", LIVE_MESSAGES, false, false },
    { "channel", LIVE_CHANNELS, true, false },
    { "operation", LIVE_CHANNELS, false, false },
    { "template", LIVE_TEMPLATES, true, false },
    { "webhook_endpoint", LIVE_WEBHOOKS, true, false },
    { "api_key", LIVE_KEYS, true, true },
    { "membership", LIVE_PEOPLE, false, true },
    { "role", LIVE_PEOPLE, false, true },
    { "team", LIVE_PEOPLE, false, true },
    { "invitation", LIVE_PEOPLE, false, false },
    { "access_review", LIVE_PEOPLE, false, true },
    { "tenant", LIVE_SETTINGS, false, true },
    { "settings", LIVE_SETTINGS, false, false },
    { "consent", LIVE_CONSENTS, false, false },
    { "suppression", LIVE_CONSENTS, false, false },
    { "consent_notice", LIVE_CONSENTS, false, false },
    { "limits", LIVE_USAGE, false, false },
    { "quota", LIVE_USAGE, false, false },
    { "connector", LIVE_CONNECTORS, true, false },
    { "sms_connector", LIVE_CONNECTORS, true, false },
    { "sms_route", LIVE_CONNECTORS, false, false },
};

const char *
live_topic_word(enum live_topic topic)
{
    if ((unsigned)topic >= LIVE_TOPIC_COUNT)
        bug("no such topic");
    return topics[topic].word;
}

/* Its place in `words`; COUNT_OF(words): nowhere. */
static size_t
word_find(struct slice word)
{
    struct slice first = slice_first(word, slice_find(word, '.'));
    size_t at = 0;

    while (at < COUNT_OF(words) && !slice_eq(first, slice_text(words[at].word)))
        at++;
    return at;
}

size_t
live_topic_changes(const struct overview_notice *notice,
                   struct live_change out[static LIVE_CHANGES_OF_NOTICE])
{
    size_t at = word_find(notice->word), count = 0;

    if (at < COUNT_OF(words)) {
        struct live_change *change = &out[count++];
        enum live_topic topic = words[at].topic;
        *change =
            (struct live_change){ .tenant = notice->tenant, .topic = topic, .channel = notice->channel };
        if (words[at].has_ids && topics[topic].has_ids) {
            memcpy(change->ids, notice->ids, sizeof(change->ids));
            change->id_count = notice->id_count;
        }
        if (notice->is_act && topic == LIVE_CHANNELS && change->id_count == 1)
            change->channel = change->ids[0]; /* what was done to a channel is of this one */
    }
    if (notice->is_act)
        out[count++] = (struct live_change){ .tenant = notice->tenant, .topic = LIVE_AUDIT };
    return count;
}

bool
live_topic_judges(const struct overview_notice *notice, struct id *key_out)
{
    size_t at = word_find(notice->word);
    bool judges = notice->is_act && at < COUNT_OF(words) && words[at].judges;

    *key_out = judges && words[at].topic == LIVE_KEYS && notice->id_count == 1 ? notice->ids[0]
                                                                               : (struct id){ { 0 } };
    return judges;
}

uint32_t
live_topics_of(uint64_t scopes)
{
    uint32_t bits = 0;

    for (unsigned i = 0; i < LIVE_TOPIC_COUNT; i++)
        if ((scopes & (UINT64_C(1) << topics[i].scope)) != 0)
            bits |= 1u << i;
    return bits;
}

bool
live_change_is_within(const struct live_change *change, const struct id *channels, size_t count)
{
    if (!topics[change->topic].is_of_channel)
        return true;
    for (size_t i = 0; i < count; i++)
        if (id_eq(change->channel, channels[i]))
            return true;
    return false;
}

void
live_change_print(struct buf *out, const struct live_change *change)
{
    char text[ID_TEXT_BYTES];

    buf_add_format(out, "{\"topic\":\"%s\"", topics[change->topic].word);
    if (!id_is_zero(change->channel))
        buf_add_format(out, ",\"channel_id\":\"%.*s\"",
                       SLICE_FMT(id_print(ID_CHANNEL, change->channel, text)));
    for (size_t i = 0; i < change->id_count; i++)
        buf_add_format(out, "%s\"%.*s\"", i == 0 ? ",\"ids\":[" : ",",
                       SLICE_FMT(id_print(topics[change->topic].kind, change->ids[i], text)));
    buf_add_text(out, change->id_count == 0 ? "}" : "]}");
}
