#include "program/gateway/consent_follow.h"
#include "core/log.h"
#include "domain/consent/consent_inbound.h"
#include "domain/message/message.h"
#include "program/gateway/sms_check.h"
#include "wire/json/json.h"

#define FOLLOW_MAX         50u
#define FOLLOW_ARENA_BYTES (4u << 20)
#define DLT_ARENA_BYTES    (8u << 20)
#define FOLLOW_DAY_US      (INT64_C(86400) * 1000000)
#define FOLLOW_HOUR_US     (INT64_C(3600) * 1000000)

struct following {
    const struct consent_follow_up *what;
    struct arena *arena;
    struct message message; /* in which it was written */
    struct consent_settings settings;
    bool is_gone;             /* the message: erased, or its month */
    struct vault_sealed peer; /* the address, for the ledger */
};

static enum err
read_in(struct db_tx *tx, void *ctx)
{
    struct following *following = ctx;
    enum err err = message_get(tx, following->what->message, following->arena, &following->message);

    following->is_gone = err == ERR_NOT_FOUND;
    return following->is_gone ? ERR_OK : consent_settings_read(tx, following->arena, &following->settings);
}

static enum err
done_in(struct db_tx *tx, void *ctx)
{
    const struct following *following = ctx;
    enum err err =
        following->peer.cipher.ptr == NULL
            ? ERR_OK
            : consent_peer_keep(tx, following->what->id, following->what->peer_index, &following->peer);

    return err == ERR_OK ? consent_follow_up_done(tx, following->what->id) : err;
}

static enum err
postpone_in(struct db_tx *tx, void *ctx)
{
    const struct following *following = ctx;

    return consent_follow_up_postpone(tx, following->what->id);
}

/*
 * By what the answer is the same again. Two machines that ask each other for help would never end: of HELP,
 * one person is answered once an hour.
 */
static struct slice
key_of(const struct following *following)
{
    const struct consent_follow_up *what = following->what;
    char id[ID_UUID_BYTES];
    struct id peer;

    if (what->word != CONSENT_HELP)
        return arena_format(following->arena, "consent.%.*s", SLICE_FMT(id_uuid_print(what->id, id)));
    memcpy(peer.bytes, what->peer_index, ID_BYTES);
    return arena_format(following->arena, "consent.help.%lld.%.*s",
                        (long long)(what->created_at.us / FOLLOW_HOUR_US),
                        SLICE_FMT(id_uuid_print(peer, id)));
}

/* {"type":"text","text":{"body":...}} */
static enum err
content_print(const struct following *following, struct slice *out)
{
    struct slice own = following->settings.answer[following->what->word];
    struct buf text;

    if (own.ptr == NULL)
        own = slice_text(consent_answer_text(following->what->word, slice_text(following->what->language)));
    buf_init(&text, 8192);
    buf_add_text(&text, "{\"type\":\"text\",\"text\":{\"body\":");
    json_add_string(&text, own);
    buf_add_text(&text, "}}");
    enum err err = buf_done(&text);
    *out = err == ERR_OK ? arena_copy(following->arena, buf_slice(&text)) : SLICE_EMPTY;
    buf_release(&text);
    return err == ERR_OK && out->ptr == NULL ? ERR_NO_MEMORY : err;
}

/* An SMS to India needs a registered text, an answer of ours too: the gate blocks it, and says why. */
struct registering {
    const struct following *following;
    const struct clock *clock;
    json_t *content;
    struct arena *arena;
    struct message_asked *out;
};

static enum err
registry_in(struct db_tx *tx, void *ctx)
{
    struct registering *registering = ctx;
    struct channel channel;
    enum err err = channel_get(tx, registering->following->what->channel, registering->arena, &channel);

    if (err == ERR_NOT_FOUND || (err == ERR_OK && !channel.is_sms))
        return ERR_OK;
    return err == ERR_OK
               ? sms_dlt_judge(tx, registering->clock, &channel.sms, registering->content, false,
                               registering->arena, &registering->out->dlt, &registering->out->dlt_template)
               : err;
}

static enum err
registry_ask(struct db *db, const struct clock *clock, const struct following *following,
             const struct message_plain *plain, struct message_asked *out)
{
    struct registering registering = { .following = following, .clock = clock, .out = out };

    if (!slice_starts_with(plain->peer, SLICE("+91")))
        return ERR_OK;
    enum err err = json_parse(plain->content, &registering.content);
    if (err == ERR_OK) {
        registering.arena = arena_new(DLT_ARENA_BYTES);
        err = registering.arena == NULL ? ERR_NO_MEMORY
                                        : db_run(db, following->what->tenant, registry_in, &registering);
    }
    arena_free(registering.arena);
    json_decref(registering.content);
    return err;
}

static enum err
answer(struct db *db, const struct vault *vault, const struct clock *clock, struct following *following,
       struct slice address)
{
    static const unsigned char
        hash[MESSAGE_FINGERPRINT_BYTES]; /* the key says all: every request is the same */
    struct message_plain plain = { .message = id_new(clock), .peer = address };
    struct message_seal seal = { .tenant = following->what->tenant, .plain = &plain, .request_hash = hash };
    struct message_accepted accepted = { 0 };
    enum err err = content_print(following, &plain.content);

    if (err != ERR_OK)
        return err;
    message_seal_many(vault, &seal, 1, following->arena);
    struct message_new message = { .id = plain.message,
                                   .tenant = following->what->tenant,
                                   .channel = following->what->channel,
                                   .category = MESSAGE_SERVICE,
                                   .kind = SLICE("text"),
                                   .sealed = seal.sealed,
                                   .idempotency_key = key_of(following) };
    memcpy(message.fingerprint, seal.fingerprint, sizeof(message.fingerprint));
    if (seal.err != ERR_OK)
        return seal.err;
    if (message.idempotency_key.ptr == NULL)
        return ERR_NO_MEMORY;
    err = registry_ask(db, clock, following, &plain, &message.asked);
    if (err == ERR_OK)
        err = message_accept_batch(db, clock, &message, &accepted, 1, following->arena);
    if (err == ERR_OK && accepted.err != ERR_OK) /* a sender that is paused or gone: nobody answers */
        log_event(LOG_INFO, "consent.not_answered", LOG_ID("message", ID_MESSAGE, following->what->message),
                  LOG_ERR(accepted.err));
    return err == ERR_OK && accepted.err == ERR_DB_UNAVAILABLE ? accepted.err : err;
}

static enum err
follow_one(struct db *db, const struct vault *vault, const struct clock *clock, struct following *following)
{
    const struct consent_follow_up *what = following->what;
    struct vault_place place = consent_peer_place(what->tenant, what->id);
    struct slice address = SLICE_EMPTY;
    enum err err = db_run(db, what->tenant, read_in, following);

    if (err == ERR_OK && !following->is_gone) {
        err = message_open_peer(vault, what->tenant, what->message, &following->message.sealed,
                                following->arena, &address);
        if (err == ERR_OK)
            err = vault_seal(vault, VAULT_CONTENT, &place, address, following->arena, &following->peer);
        if (err == ERR_OK && following->settings.is_answered[what->word] &&
            !(what->word == CONSENT_STOP && following->settings.stops_all)) /* nothing more: this neither */
            err = answer(db, vault, clock, following, address);
    }
    return err == ERR_OK ? db_run(db, what->tenant, done_in, following) : err;
}

enum err
consent_follow(struct db *db, const struct vault *vault, const struct clock *clock)
{
    struct arena *arena = arena_new(FOLLOW_ARENA_BYTES), *each = arena_new(FOLLOW_ARENA_BYTES);
    struct consent_follow_up *due = NULL;
    size_t count = 0;
    enum err err = arena == NULL || each == NULL ? ERR_NO_MEMORY
                                                 : consent_follow_ups(db, FOLLOW_MAX, arena, &due, &count);

    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        struct following following = { .what = &due[i], .arena = each };
        enum err one = follow_one(db, vault, clock, &following);
        bool is_old = clock_wall(clock).us - due[i].created_at.us > FOLLOW_DAY_US;
        if (one == ERR_DB_UNAVAILABLE) {
            err = one;
        } else if (one != ERR_OK) {
            log_event(LOG_WARN, "consent.follow_failed", LOG_ID("message", ID_MESSAGE, due[i].message),
                      LOG_ERR(one));
            following.peer.cipher = SLICE_EMPTY;
            err = db_run(db, due[i].tenant, is_old ? done_in : postpone_in, &following);
        }
        arena_reset(each);
    }
    arena_free(arena);
    arena_free(each);
    return err;
}
