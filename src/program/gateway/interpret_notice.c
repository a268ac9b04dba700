#include "program/gateway/interpret_notice.h"
#include "domain/channel/channel.h"
#include "domain/channel/channel_number.h"
#include "domain/channel/provider_task.h"
#include "domain/channel/whatsapp/whatsapp_account.h"
#include "domain/consent/consent_inbound.h"
#include "domain/message/message.h"
#include "wire/json/json.h"

#define DATA_BYTES_MAX 16384u

struct notice {
    struct id channel, event_id;
    enum event_type type;
    struct wall_time at;
    struct slice data; /* of events that are told as they are */
    bool has_content;
    struct vault_sealed content;
    /* Of a number's facts: stored, and told by channel_number_store. */
    bool has_facts;
    struct channel_number_news news;
    enum whatsapp_account_effect effect;
    const char *reason;
    const struct consent_preference *preference; /* NULL: it is none of those that are consent */
    struct notice *next;
};

struct notice *
notice_next(const struct notice *notice)
{
    return notice->next;
}

/* What all the notices of one event share. */
struct making {
    const struct notice_reader *reader;
    const struct whatsapp_event *event;
    struct notice *first, **last;
};

static struct notice *
notice_add(struct making *making, struct id channel)
{
    struct wall_time now = clock_wall(making->reader->clock);
    const struct whatsapp_event *event = making->event;
    struct notice *notice = arena_alloc(making->reader->arena, sizeof(*notice));

    if (notice == NULL)
        return NULL;
    *notice = (struct notice){ .channel = channel,
                               .event_id = id_new(making->reader->clock),
                               .at = event->has_time && event->time.us < now.us ? event->time : now };
    *making->last = notice;
    making->last = &notice->next;
    return notice;
}

static enum err
notice_seal(const struct making *making, struct notice *notice, struct slice plain)
{
    struct id tenant = making->reader->body->tenant;
    struct vault_place place = event_content_place(tenant, notice->event_id);

    notice->has_content = true;
    return vault_seal(making->reader->vault, VAULT_CONTENT, &place, plain, making->reader->arena,
                      &notice->content);
}

/* {"raw": the value as it came}; what it holds may be personal, so it is sealed. */
static enum err
raw_seal(const struct making *making, struct notice *notice)
{
    struct buf text;

    buf_init(&text, NOTICE_RAW_MAX);
    buf_add_text(&text, "{\"raw\":");
    enum err err = json_print(making->event->raw, &text);
    buf_add_byte(&text, '}');
    if (err == ERR_OK)
        err = buf_done(&text);
    if (err == ERR_OK)
        err = notice_seal(making, notice, buf_slice(&text));
    buf_release_wiped(&text);
    return err == ERR_LIMIT ? ERR_OK : err; /* the stored body has it for some days */
}

/* Whom an event is about */

struct targets {
    const struct notice_reader *reader;
    const struct whatsapp_event *event;
    struct slice number; /* digits; empty: all of the account */
    struct id ids[NOTICE_CHANNELS_MAX];
    size_t count;
};

static bool
is_same_number(struct slice display, struct slice digits)
{
    size_t at = 0;

    for (size_t i = 0; i < display.len; i++) {
        if (display.ptr[i] < '0' || display.ptr[i] > '9')
            continue;
        if (at == digits.len || display.ptr[i] != digits.ptr[at])
            return false;
        at++;
    }
    return at == digits.len;
}

/*
 * By the number's id, else the account's channels: of these the one with the number that is named. Where an
 * account has only one channel it is meant, however its number was written. What names neither is about the
 * callback's own.
 */
static enum err
targets_in(struct db_tx *tx, void *ctx)
{
    struct targets *targets = ctx;
    const struct whatsapp_event *event = targets->event;
    struct channel *channels = NULL;
    size_t count = 0;
    enum err err;

    targets->count = 0;
    if (event->phone_number_id.len > 0) {
        err = channel_by_phone_number_id(tx, event->phone_number_id, &targets->ids[0]);
        targets->count = err == ERR_OK;
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    if (event->account_id.len == 0) {
        targets->ids[targets->count++] = targets->reader->body->channel;
        return ERR_OK;
    }
    err = channel_by_account(tx, event->account_id, targets->reader->arena, &channels, &count);
    for (size_t i = 0; err == ERR_OK && i < count && targets->count < NOTICE_CHANNELS_MAX; i++)
        if (targets->number.len == 0 || count == 1 ||
            is_same_number(channels[i].display_phone_number, targets->number))
            targets->ids[targets->count++] = channels[i].id;
    return err;
}

/* What is told */

static enum err
data_keep(const struct making *making, struct notice *notice, enum event_type type, struct buf *data)
{
    enum err err = buf_done(data);

    notice->type = type;
    if (err == ERR_OK)
        notice->data = arena_copy(making->reader->arena, buf_slice(data));
    if (err == ERR_OK && notice->data.ptr == NULL)
        err = ERR_NO_MEMORY;
    buf_release(data);
    return err;
}

/* {"source": field, ...}. */
static enum err
account_tell(const struct making *making, struct notice *notice, enum event_type type, struct slice details)
{
    struct buf data;

    buf_init(&data, DATA_BYTES_MAX);
    buf_add_text(&data, "{\"source\":");
    json_add_string(&data, making->event->field.len == 0 ? SLICE("unknown") : making->event->field);
    buf_add(&data, details);
    buf_add_byte(&data, '}');
    enum err err = data_keep(making, notice, type, &data);
    return err == ERR_OK ? raw_seal(making, notice) : err;
}

static void
facts_of(const struct whatsapp_account_notice *account, struct channel_number_news *news)
{
    struct slice *facts = news->number.facts;

    news->extra = account->details;
    if (account->kind == WHATSAPP_ACCOUNT_QUALITY) {
        news->source = "quality_update";
        news->tells = EVENT_CHANNEL_QUALITY;
        facts[CHANNEL_NUMBER_MESSAGING_LIMIT] = account->messaging_limit;
        facts[CHANNEL_NUMBER_THROUGHPUT] = account->throughput;
        return;
    }
    news->source = "name_review";
    news->tells = EVENT_CHANNEL_NAME;
    if (slice_eq(account->decision, SLICE("approved"))) {
        facts[CHANNEL_NUMBER_VERIFIED_NAME] = account->requested_name;
        facts[CHANNEL_NUMBER_NAME_STATUS] = account->decision;
    } else {
        facts[CHANNEL_NUMBER_REQUESTED_NAME] = account->requested_name;
        facts[CHANNEL_NUMBER_REQUESTED_STATUS] = account->decision;
    }
}

static enum err
account_notice(const struct making *making, const struct whatsapp_account_notice *account,
               struct notice *notice)
{
    notice->effect = account->effect;
    notice->reason = account->reason;
    switch (account->kind) {
    case WHATSAPP_ACCOUNT_QUALITY:
    case WHATSAPP_ACCOUNT_NAME:
        notice->has_facts = true;
        facts_of(account, &notice->news);
        return ERR_OK;
    case WHATSAPP_ACCOUNT_STANDING:
        return account_tell(making, notice, EVENT_CHANNEL_ACCOUNT, account->details);
    case WHATSAPP_ACCOUNT_SECURITY:
        return account_tell(making, notice, EVENT_CHANNEL_SECURITY, account->details);
    case WHATSAPP_ACCOUNT_OTHER:
        return account_tell(making, notice, EVENT_CHANNEL_NOTICE, SLICE_EMPTY);
    }
    bug("a kind of account notice outside the enum");
}

/* Trouble of the number or the account that is tied to no message. */
static enum err
fault_notice(const struct making *making, struct notice *notice)
{
    const struct whatsapp_error *error = &making->event->fault;
    char code[WHATSAPP_ERROR_CODE_BYTES];
    struct buf data;

    whatsapp_error_code_print(error, code);
    buf_init(&data, DATA_BYTES_MAX);
    buf_add_text(&data, "{\"error\":{\"code\":");
    json_add_string(&data, slice_text(code));
    buf_add_text(&data, ",\"title\":");
    json_add_string(&data, slice_text(error->title));
    buf_add_text(&data, ",\"class\":");
    json_add_string(&data, slice_text(whatsapp_error_shown_class(error->class)));
    buf_add_text(&data, "}}");
    return data_keep(making, notice, EVENT_CHANNEL_FAULT, &data);
}

/* {"category", "preference"}, and sealed who it was. */
static enum err
preference_notice(const struct making *making, const struct whatsapp_preference *preference,
                  struct notice *notice)
{
    struct buf data;

    buf_init(&data, DATA_BYTES_MAX);
    buf_add_text(&data, "{\"category\":");
    json_add_string(&data, preference->category.len == 0 ? SLICE("unknown") : preference->category);
    buf_add_text(&data, ",\"preference\":");
    json_add_string(&data, preference->value);
    buf_add_byte(&data, '}');
    enum err err = data_keep(making, notice, EVENT_CONTACT_PREFERENCE, &data);
    if (preference->has_time && preference->time.us < notice->at.us)
        notice->at = preference->time;
    struct buf text;
    buf_init(&text, DATA_BYTES_MAX);
    buf_add_text(&text, "{\"from\":");
    json_add_string(&text, preference->peer);
    buf_add_byte(&text, '}');
    if (err == ERR_OK)
        err = buf_done(&text);
    if (err == ERR_OK)
        err = notice_seal(making, notice, buf_slice(&text));
    buf_release_wiped(&text);
    return err;
}

/* What goes to the consent ledger: marketing messages, stopped or resumed. */
static enum err
preference_keep(const struct making *making, const struct whatsapp_preference *preference,
                struct notice *notice)
{
    const struct notice_reader *reader = making->reader;
    bool is_stop = slice_eq(preference->value, SLICE("stop"));

    if (!slice_eq(preference->category, SLICE("marketing_messages")) ||
        (!is_stop && !slice_eq(preference->value, SLICE("resume"))))
        return ERR_OK;
    struct consent_preference *kept = arena_alloc(reader->arena, sizeof(*kept));
    if (kept == NULL)
        return ERR_NO_MEMORY;
    *kept = (struct consent_preference){ .entry = id_new(reader->clock),
                                         .channel = notice->channel,
                                         .channel_kind = SLICE("whatsapp"),
                                         .is_stop = is_stop,
                                         .at = notice->at };
    struct vault_place place = consent_peer_place(reader->body->tenant, kept->entry);
    enum err err =
        message_peer_index(reader->vault, reader->body->tenant, preference->peer, kept->peer_index);
    if (err == ERR_OK)
        err = vault_seal(reader->vault, VAULT_CONTENT, &place, preference->peer, reader->arena, &kept->peer);
    notice->preference = kept;
    return err;
}

enum err
notice_prepare(const struct notice_reader *reader, const struct whatsapp_event *event,
               struct notice **first_out, bool *is_ours_out)
{
    struct targets *targets = arena_alloc(reader->arena, sizeof(*targets));
    struct making making = { .reader = reader, .event = event };
    struct whatsapp_account_notice account = { .kind = WHATSAPP_ACCOUNT_OTHER };
    struct whatsapp_preference *preferences = NULL;
    size_t preference_count = 0;
    enum err err = targets == NULL ? ERR_NO_MEMORY : ERR_OK;

    *first_out = NULL;
    *is_ours_out = true;
    making.last = &making.first;
    if (err == ERR_OK && event->kind == WHATSAPP_EVENT_NOTICE) {
        err = whatsapp_preferences_read(event, reader->arena, &preferences, &preference_count);
        if (err == ERR_NOTHING)
            err = whatsapp_account_read(event, reader->arena, &account);
    }
    if (err == ERR_NOTHING) {
        *is_ours_out = false;
        return ERR_OK;
    }
    if (err != ERR_OK)
        return err;
    *targets = (struct targets){ .reader = reader, .event = event, .number = account.number };
    err = db_run(reader->db, reader->body->tenant, targets_in, targets);
    for (size_t i = 0; err == ERR_OK && i < targets->count; i++) {
        size_t each = preferences == NULL ? 1 : preference_count;
        for (size_t p = 0; err == ERR_OK && p < each; p++) {
            struct notice *notice = notice_add(&making, targets->ids[i]);
            if (notice == NULL)
                err = ERR_NO_MEMORY;
            else if (preferences != NULL)
                err = preference_notice(&making, &preferences[p], notice);
            else if (event->kind == WHATSAPP_EVENT_FAULT)
                err = fault_notice(&making, notice);
            else
                err = account_notice(&making, &account, notice);
            if (err == ERR_OK && preferences != NULL)
                err = preference_keep(&making, &preferences[p], notice);
        }
    }
    *first_out = making.first;
    return err;
}

static enum err
facts_apply(struct db_tx *tx, const struct clock *clock, const struct notice *notice, struct arena *arena)
{
    enum err err = channel_number_store(tx, clock, notice->channel, &notice->news, arena);

    /* It says that something has changed; what it is now, the number itself says. */
    if (err == ERR_OK)
        err = provider_task_create(tx, &(struct provider_task_new){ .id = id_new(clock),
                                                                    .channel = notice->channel,
                                                                    .kind = PROVIDER_TASK_NUMBER_SYNC,
                                                                    .is_asked = true });
    return err == ERR_TOO_MANY ? ERR_OK : err;
}

enum err
notice_apply(struct db_tx *tx, const struct clock *clock, const struct notice *notice, struct arena *arena)
{
    bool is_fresh = clock_wall(clock).us - notice->at.us < NOTICE_FRESH_MS * 1000;
    enum err err;

    if (notice->has_facts)
        err = facts_apply(tx, clock, notice, arena);
    else
        err = event_append(tx, &(struct event){ .id = notice->event_id,
                                                .type = notice->type,
                                                .subject = notice->channel,
                                                .channel = notice->channel,
                                                .occurred_at = notice->at,
                                                .data = notice->data,
                                                .content = notice->has_content ? &notice->content : NULL });
    if (err == ERR_OK && notice->preference != NULL)
        err = consent_preference_apply(tx, clock, notice->preference, arena);
    if (err != ERR_OK || !is_fresh)
        return err;
    switch (notice->effect) {
    case WHATSAPP_ACCOUNT_TELLS:
        return ERR_OK;
    case WHATSAPP_ACCOUNT_PAUSES:
        return channel_pause(tx, clock, notice->channel, notice->reason, arena);
    case WHATSAPP_ACCOUNT_BREAKS:
        return channel_break(tx, clock, notice->channel, 0, notice->reason, arena);
    }
    bug("an effect outside the enum");
}
