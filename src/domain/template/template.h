/*
 * Message templates of a WhatsApp Business account, as this workspace knows them: what was handed in here,
 * what WhatsApp said of it since, and what was found there. One row for a name and language of an account.
 * The components are content and lie sealed; what a send has to bring for them (template_needs.h) stands
 * beside.
 *
 * What is asked of WhatsApp (create, edit, delete, unpause) is a provider task; until it has ended the
 * template shows it as `change` and takes no other. Everything learnt, from an answer, a webhook or a sync,
 * goes through template_learn: it compares, writes what differs, and tells each difference as an event.
 */
#ifndef DOMAIN_TEMPLATE_TEMPLATE_H
#define DOMAIN_TEMPLATE_TEMPLATE_H
#include "core/arena.h"
#include "core/err.h"
#include "core/id.h"
#include "domain/template/template_definition.h"
#include "domain/template/template_state.h"
#include "platform/db/db.h"
#include "platform/ipc/vault_client.h"

#define TEMPLATE_PER_ACCOUNT_MAX  6000u /* WhatsApp's limit for a verified business */
#define TEMPLATE_COMPONENTS_BYTES (256u * 1024u)
#define TEMPLATE_DIGEST_BYTES     32u
#define TEMPLATE_WORD_MAX         64u   /* bytes of a word of WhatsApp's, such as a reason */
#define TEMPLATE_DETAIL_MAX       1000u /* characters of WhatsApp's explanation */

enum template_change {
    TEMPLATE_CHANGE_NONE,
    TEMPLATE_CHANGE_CREATE,
    TEMPLATE_CHANGE_EDIT,
    TEMPLATE_CHANGE_DELETE,
    TEMPLATE_CHANGE_UNPAUSE
};
/* "edit"; NULL for none. */
const char *template_change_word(enum template_change change);

enum template_quality {
    TEMPLATE_QUALITY_UNKNOWN,
    TEMPLATE_QUALITY_GREEN,
    TEMPLATE_QUALITY_YELLOW,
    TEMPLATE_QUALITY_RED
};
const char *template_quality_word(enum template_quality quality);
/* In any case; what is none of the words is unknown. */
enum template_quality template_quality_of(struct slice word);

struct template
{
    struct id id, channel;
    struct slice waba_id, name, language, provider_id; /* provider_id empty: WhatsApp has not taken it */
    enum template_category category;
    bool is_named;
    enum template_state state;
    struct slice state_reason; /* WhatsApp's word in lower case, such as "incorrect_category"; empty: none */
    struct slice state_detail; /* WhatsApp's explanation; empty: none */
    enum template_quality quality;
    bool has_previous_category, has_correct_category, has_category_change_at, has_synced_at, has_ttl;
    enum template_category previous_category, correct_category;
    struct wall_time category_change_at; /* when WhatsApp will put it into correct_category */
    int64_t ttl_s;
    bool is_link_tracking_off;
    struct slice library_name;
    enum template_change change;
    struct slice error_code, error_title; /* why WhatsApp refused the last change; empty: it did not */
    struct wall_time
        edits[TEMPLATE_EDITS_PER_MONTH]; /* that WhatsApp took while it was approved; the latest */
    size_t edit_count;
    bool
        is_edit_counted; /* the edit under way was asked for while it was approved: counts when it is taken */
    struct slice needs;  /* JSON, template_needs.h */
    bool has_components, is_order_details;
    struct vault_sealed components;
    struct wall_time created_at, updated_at, synced_at;
    uint32_t revision; /* ETag */
};

/* Seals a template's components (a JSON array), or the body that WhatsApp is to be sent for a change. Outside
 * any transaction. */
struct vault_place template_components_place(struct id tenant, struct id template);
struct vault_place template_draft_place(struct id tenant, struct id template);

struct template_new {
    struct id id, channel;
    struct slice name, language, library_name;
    enum template_category category;
    bool is_named, is_link_tracking_off, has_ttl, is_order_details;
    int64_t ttl_s;
    struct slice needs;                    /* NULL ptr: not known (out of the library) */
    const struct vault_sealed *components; /* NULL: not known */
    const unsigned char *digest;           /* of the components; NULL with them */
    const struct vault_sealed *draft;      /* the body of the call */
    bool has_samples;                      /* that are uploaded before it */
    struct slice idempotency_key;          /* NULL ptr: none */
    unsigned char fingerprint[TEMPLATE_DIGEST_BYTES];
};
/*
 * Keeps it as `submitting` and asks WhatsApp (task template.create). ERR_CHANNEL_UNKNOWN,
 * ERR_CHANNEL_NOT_READY (a paused one may, a broken one may not). ERR_EXISTS: the account has the name in
 * this language. ERR_TOO_MANY. *is_replay_out: the key was used with the same fingerprint, and *out is that
 * template as it is now; ERR_IDEMPOTENCY_MISMATCH. Writes template.created.
 */
MUST_CHECK enum err template_create(struct db_tx *tx, const struct clock *clock,
                                    const struct template_new *with, struct arena *arena,
                                    struct template *out, bool *is_replay_out);

/* Deleted ones are found too: events and messages name them. */
MUST_CHECK enum err template_get(struct db_tx *tx, struct id template, struct arena *arena,
                                 struct template *out);

/* Whether it belongs to the account of one of these channels; NULL: any will do. ERR_NOT_FOUND. */
MUST_CHECK enum err template_reach_check(struct db_tx *tx, struct id template, const struct id *channels,
                                         size_t channel_count);
/* Names of each template's account a channel of these (NULL: none is changed), as all of them are as good. */
MUST_CHECK enum err template_name_reached(struct db_tx *tx, const struct id *channels, size_t channel_count,
                                          struct template *templates, size_t count);
struct template_filter {
    struct id channel, cursor; /* zero: any, newest. All templates of the channel's account */
    const struct id *channels; /* of their accounts alone, also when they are none; NULL: any. Borrowed */
    size_t channel_count;
    bool has_state, has_category;
    enum template_state state; /* without it, deleted ones are left out */
    enum template_category category;
    struct slice language, name; /* NULL ptr: any; the name is a part of the template's */
};
/* Newest first, limit + 1 rows. */
MUST_CHECK enum err template_list(struct db_tx *tx, const struct template_filter *filter, size_t limit,
                                  struct arena *arena, struct template **out, size_t *count_out);

/* What a send wants to know; ERR_NOT_FOUND: this workspace does not know the template. */
struct template_sendable {
    struct id id;
    enum template_state state;
    enum template_category category;
    bool is_named, knows_needs;
    struct slice needs;
};
MUST_CHECK enum err template_for_send(struct db_tx *tx, struct id channel, struct slice name,
                                      struct slice language, struct arena *arena,
                                      struct template_sendable *out);

struct template_ask {
    struct id template;
    uint32_t revision; /* If-Match; 0: any */
    enum template_change change;
    const struct vault_sealed *draft; /* of an edit; else NULL */
    bool has_samples;                 /* that are uploaded before it */
    bool is_all_languages;            /* of a deletion: every language of its name */
};
/*
 * Asks WhatsApp for a change. ERR_HTTP_PRECONDITION. ERR_STATE_CONFLICT, with `why_out` (a literal, or in the
 * arena): the state does not allow it, another change is under way, or WhatsApp's caps on edits are reached.
 * A template that WhatsApp never took is deleted at once.
 */
MUST_CHECK enum err template_change_ask(struct db_tx *tx, const struct clock *clock,
                                        const struct template_ask *ask, struct arena *arena,
                                        struct slice *why_out, struct template *out);
/* The draft of the change that is under way; ERR_NOT_FOUND. */
MUST_CHECK enum err template_draft_read(struct db_tx *tx, struct id template, struct arena *arena,
                                        struct vault_sealed *out);
/* Asks for the whole account (template.sync), or for one template (template.refresh) when it is not zero, not
 * before `due_at` (zero: at once); nothing when that already waits. */
MUST_CHECK enum err template_sync_ask(struct db_tx *tx, const struct clock *clock, struct id channel,
                                      struct id template, struct wall_time due_at, struct id *task_out);

/* What was learnt of a template; what is not set stays as it was. */
struct template_news {
    struct wall_time at; /* of the provider's own; older than what the state rests on: the state stays */
    bool has_state, has_category, has_quality, has_notice, has_correct_category, has_ttl, is_ttl_known;
    enum template_state state;
    struct slice state_reason, state_detail; /* with has_state, or alone (a mark such as "flagged") */
    bool has_reason;
    enum template_category category, correct_category;
    struct wall_time category_change_at; /* with has_notice */
    enum template_quality quality;
    int64_t ttl_s;
    struct slice provider_id;              /* empty: as it was */
    const struct vault_sealed *components; /* NULL: as they were; with needs and digest */
    struct slice needs;
    const unsigned char *digest;
    bool is_named, has_format;
    bool is_look;      /* read from the provider, which seldom says why it is in its state */
    bool is_sync;      /* seen in the account: synced_at */
    struct id channel; /* with is_sync: takes it over when its own sender is gone */
    bool ends_change;  /* of the change that was under way */
    bool is_refused;   /* with error_code and error_title: WhatsApp did not take the change */
    struct slice error_code, error_title;
};
/*
 * Applies the news under the row's lock; writes one event for each kind of difference. Nothing happens, and
 * no revision is used up, when there is none. ERR_NOT_FOUND.
 */
MUST_CHECK enum err template_learn(struct db_tx *tx, const struct clock *clock, struct id template,
                                   const struct template_news *news, struct arena *arena);

/* The template that a provider's word is about: by its id at the provider, else by name and language, within
 * the account of this channel. ERR_NOT_FOUND. */
MUST_CHECK enum err template_by_provider(struct db_tx *tx, struct id channel, struct slice provider_id,
                                         struct slice name, struct slice language, struct id *template_out);

/* A channel that is connected to the account, `preferred` if it is; ERR_NOT_FOUND. */
MUST_CHECK enum err template_account_channel(struct db_tx *tx, struct slice waba_id, struct id preferred,
                                             struct id *channel_out);

/* One that was made elsewhere and found in the account; then template_learn has the rest. Writes
 * template.created. */
MUST_CHECK enum err template_discover(struct db_tx *tx, const struct clock *clock,
                                      const struct template_new *found, enum template_state state,
                                      struct slice provider_id, struct arena *arena);
/* The digest of the components that are kept, for those who would seal them again; all zero when there are
 * none. */
MUST_CHECK enum err template_digest_read(struct db_tx *tx, struct id template,
                                         unsigned char digest_out[TEMPLATE_DIGEST_BYTES]);
/* After a whole sync that began at `since`: what it did not see is deleted. */
MUST_CHECK enum err template_sweep(struct db_tx *tx, const struct clock *clock, struct id channel,
                                   struct wall_time since, struct arena *arena, size_t *count_out);
/* Every other language of the template's name in its account is deleted as well. */
MUST_CHECK enum err template_delete_name(struct db_tx *tx, const struct clock *clock, struct id template,
                                         struct arena *arena);

#endif
