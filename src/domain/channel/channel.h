/*
 * Senders. What every channel has stands here; WhatsApp's own identifiers and sealed credentials, and what an
 * SMS sender is, beside it. A credential goes in and is never read back: only the vault uses it, for the
 * process that has the right to.
 */
#ifndef DOMAIN_CHANNEL_CHANNEL_H
#define DOMAIN_CHANNEL_CHANNEL_H
#include "core/arena.h"
#include "core/err.h"
#include "core/id.h"
#include "platform/db/db.h"
#include "platform/ipc/vault_client.h"

#define CHANNEL_PER_TENANT_MAX   500u
#define CHANNEL_CREDENTIAL_MAX   1024u /* octets of a token or secret */
#define CHANNEL_VERIFY_TOKEN_MIN 8u

enum channel_state { CHANNEL_ACTIVE, CHANNEL_PAUSED, CHANNEL_BROKEN, CHANNEL_DELETED, CHANNEL_CONNECTING };
const char *channel_state_word(enum channel_state state);
MUST_CHECK enum err channel_state_parse(struct slice word, enum channel_state *out);

/* What somebody who gets a message sees as its sender. */
enum channel_sms_kind { CHANNEL_SMS_ALPHANUMERIC, CHANNEL_SMS_NUMBER, CHANNEL_SMS_SHORT_CODE };
const char *channel_sms_kind_word(enum channel_sms_kind kind);
MUST_CHECK enum err channel_sms_kind_parse(struct slice word, enum channel_sms_kind *out);

struct channel_sms {
    struct slice sender; /* a header, or digits */
    enum channel_sms_kind kind;
    struct slice unicode; /* "auto" or "refuse": the contract knows no other */
    unsigned parts_max;   /* of one message */
};
/* ERR_CHANNEL_SENDER: it is none of its kind: 1 to 11 characters with a letter among them, 7 to 15 digits, 3
 * to 8. */
MUST_CHECK enum err channel_sms_check(const struct channel_sms *sms);

struct channel {
    struct id id;
    struct slice kind, name, state_reason;
    enum channel_state state;
    struct wall_time created_at, updated_at;
    uint32_t revision; /* ETag */
    struct slice waba_id, phone_number_id, display_phone_number;
    struct slice window_check; /* "enforce" or "off": the contract knows no other */
    struct slice fetch_media;  /* "default", "always" or "never" */
    bool is_sms;               /* then these, else the five above */
    struct channel_sms sms;
};

enum channel_credential {
    CHANNEL_ACCESS_TOKEN,
    CHANNEL_APP_SECRET,
    CHANNEL_VERIFY_TOKEN,
    CHANNEL_CREDENTIALS
};
/* The column's name, as bound into the seal. */
const char *channel_credential_column(enum channel_credential credential);
struct vault_place channel_credential_place(struct id tenant, struct id channel,
                                            enum channel_credential credential, uint32_t generation);

struct channel_new {
    struct id id; /* made by the caller: it is bound into the seals */
    struct slice name, waba_id, phone_number_id, display_phone_number;
    struct slice window_check;                       /* NULL ptr: "enforce" */
    struct slice fetch_media;                        /* NULL ptr: "default" */
    struct vault_sealed sealed[CHANNEL_CREDENTIALS]; /* each of generation 1 */
    bool is_sms;                                     /* then `sms`, and nothing of WhatsApp */
    struct channel_sms sms;
    bool is_connecting; /* the access token comes later: its seal is not looked at */
};

/*
 * Seals one credential for a channel, outside any transaction. `generation` is 1 for a new channel, and one
 * more than the present with each replacement: an older value put back does not open.
 */
MUST_CHECK enum err channel_seal(const struct vault *vault, struct id tenant, struct id channel,
                                 enum channel_credential credential, uint32_t generation, struct slice plain,
                                 struct arena *arena, struct vault_sealed *sealed_out);

/* ERR_EXISTS: this workspace has the phone number, or the SMS sender, already. ERR_TOO_MANY. Writes
 * channel.created. */
MUST_CHECK enum err channel_create(struct db_tx *tx, const struct clock *clock,
                                   const struct channel_new *with, struct arena *arena, struct channel *out);
/* Deleted ones are not found. */
MUST_CHECK enum err channel_get(struct db_tx *tx, struct id channel, struct arena *arena,
                                struct channel *out);
struct channel_filter {
    struct id cursor;          /* older than this one; zero: from the newest */
    const struct id *channels; /* of these alone, also when they are none; NULL: any. Borrowed */
    size_t channel_count;
};
/* Newest first, limit + 1 rows. */
MUST_CHECK enum err channel_list(struct db_tx *tx, const struct channel_filter *filter, size_t limit,
                                 struct arena *arena, struct channel **out, size_t *count_out);

struct channel_change {
    uint32_t revision; /* If-Match; 0: any */
    struct slice name; /* NULL ptr: as it was; so all */
    struct slice display_phone_number, window_check, fetch_media;
    struct slice unicode;
    unsigned parts_max; /* 0: as it was */
    bool has_state;
    enum channel_state state; /* active or paused; active mends a broken one */
    bool has_credential[CHANNEL_CREDENTIALS];
    uint32_t generation[CHANNEL_CREDENTIALS]; /* that each was sealed for: the present one + 1 */
    struct vault_sealed sealed[CHANNEL_CREDENTIALS];
};
/* ERR_HTTP_PRECONDITION when the revision or generation moved on; ERR_STATE_CONFLICT: it is being connected,
 * and only its name may change; ERR_CHANNEL_NOT_READY: it has no access token to be active with. Opens or
 * closes the lane. Writes channel.updated. */
MUST_CHECK enum err channel_update(struct db_tx *tx, const struct clock *clock, struct id channel,
                                   const struct channel_change *change, struct arena *arena,
                                   struct channel *out);
/*
 * Credentials go at once; the row stays for the messages that name it. What still waits in the queue is
 * failed by message_fail_channel, in the same transaction.
 */
MUST_CHECK enum err channel_delete(struct db_tx *tx, const struct clock *clock, struct id channel,
                                   uint32_t revision, struct arena *arena);
/*
 * The provider refused the channel's access token: no more is sent through it until a new one comes. `reason`
 * is a literal for the tenant. Closes the lane and writes channel.broken, once; ERR_OK when it was broken or
 * deleted before. `revision` is that of the channel when its credentials were read: one that was changed
 * since (mended, perhaps) is left as it is. 0: whatever it is now.
 */
MUST_CHECK enum err channel_break(struct db_tx *tx, const struct clock *clock, struct id channel,
                                  uint32_t revision, const char *reason, struct arena *arena);

/*
 * Something that is not the tenant's doing holds the channel: nothing leaves until it is made active again.
 * Closes the lane and writes channel.updated, once; ERR_OK when it was not active. `reason` is a literal for
 * the tenant.
 */
MUST_CHECK enum err channel_pause(struct db_tx *tx, const struct clock *clock, struct id channel,
                                  const char *reason, struct arena *arena);

/* The first token of a channel that had none, sealed for generation 1. ERR_STATE_CONFLICT: it has one. */
MUST_CHECK enum err channel_token_first(struct db_tx *tx, struct id channel,
                                        const struct vault_sealed *sealed);
/* A channel that was connecting is active from now on. Writes channel.updated; ERR_OK when it was not
 * connecting. */
MUST_CHECK enum err channel_connected(struct db_tx *tx, const struct clock *clock, struct id channel,
                                      struct arena *arena);

/* Current credentials of one kind, as the caller's database role may read them, and their generation. */
MUST_CHECK enum err channel_credential_read(struct db_tx *tx, struct id channel,
                                            enum channel_credential credential, struct arena *arena,
                                            struct vault_sealed *sealed_out, uint32_t *generation_out,
                                            struct slice *phone_number_id_out);
/* The access tokens of several channels, each once, in one query. Dispatcher only. */
struct channel_token {
    struct id channel;
    enum err err; /* out: ERR_OK; ERR_NOT_FOUND: deleted; others are of this one alone */
    struct vault_sealed sealed;
    uint32_t generation, revision; /* revision: of the channel, for channel_break */
    struct slice phone_number_id;
};
MUST_CHECK enum err channel_tokens_read(struct db_tx *tx, struct channel_token *tokens, size_t count,
                                        struct arena *arena);
/* What a call to the provider on the channel's behalf needs; ERR_NOT_FOUND: deleted. Dispatcher only. */
struct channel_access {
    struct slice waba_id, phone_number_id;
    bool has_token;
    struct vault_sealed token;     /* in channel_credential_place(.., CHANNEL_ACCESS_TOKEN, generation) */
    uint32_t generation, revision; /* revision: of the channel, for channel_break */
};
MUST_CHECK enum err channel_access_read(struct db_tx *tx, struct id channel, struct arena *arena,
                                        struct channel_access *out);
MUST_CHECK enum err channel_generations(struct db_tx *tx, struct id channel,
                                        uint32_t generations_out[CHANNEL_CREDENTIALS]);

/* A provider's callback names only the channel. Across tenants ("provider.callback"); ERR_NOT_FOUND. */
MUST_CHECK enum err channel_tenant(struct db *db, struct id channel, struct id *tenant_out);

/* What a callback for a channel is verified with. */
struct channel_callback {
    struct id channel, tenant;
    struct slice phone_number_id;
    struct vault_sealed app_secret; /* for channel_credential_place with CHANNEL_APP_SECRET */
    uint32_t generation;
};
/* Of these channels those that are there, in any order; across tenants ("provider.callback"). */
MUST_CHECK enum err channel_callbacks_find(struct db *db, const struct id *channels, size_t count,
                                           struct arena *arena, struct channel_callback **out,
                                           size_t *count_out);
/* The channels of this tenant at a WhatsApp Business account, oldest first; a list may be empty. */
MUST_CHECK enum err channel_by_account(struct db_tx *tx, struct slice waba_id, struct arena *arena,
                                       struct channel **out, size_t *count_out);
/* Whether the media that comes to this number is fetched by itself; by_default when its channel does not say,
 * or there is none. */
MUST_CHECK enum err channel_fetches_media(struct db_tx *tx, struct slice phone_number_id, bool by_default,
                                          bool *out);
/* The channel of this tenant that owns the phone number id; ERR_NOT_FOUND. */
MUST_CHECK enum err channel_by_phone_number_id(struct db_tx *tx, struct slice phone_number_id,
                                               struct id *channel_out);

#endif
