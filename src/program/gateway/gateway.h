/* What the files of the gateway share: the process, and each worker's own connection and way to the vault. */
#ifndef PROGRAM_GATEWAY_GATEWAY_H
#define PROGRAM_GATEWAY_GATEWAY_H
#include "core/clock.h"
#include "domain/identity/authentication.h"
#include "domain/identity/origin.h"
#include "domain/identity/principal.h"
#include "domain/identity/session.h"
#include "platform/db/db.h"
#include "platform/ipc/vault_client.h"
#include "platform/net/router.h"
#include "platform/os/role.h"

struct callback_stage;
struct committer;
struct dashboard;
struct dnd_watch;
struct esme_server;
struct federator;
struct limiter;
struct live;
struct phone_zones;
struct gateway;

struct gateway_worker {
    struct gateway *gateway;
    struct db *db; /* NULL: the server's loop, on which nothing may wait */
    struct vault vault;
};

struct gateway {
    struct role *role;
    const struct clock *clock;
    struct vault_client *vault_client;
    struct authentication *authentication;
    struct address_guard guard; /* for tenants' webhook URLs */
    struct committer *committer;
    struct callback_stage *callbacks;
    struct limiter *limiter;
    struct federator *federator;
    struct live *live;
    struct dnd_watch *dnd;
    struct dashboard *dashboard; /* NULL: none was built */
    struct router *router;
    struct origin origin; /* of the dashboard; empty: nobody can sign in */
    struct session_rules session_rules;
    struct phone_zones *zones;                       /* where recipients are, and what time it is there */
    const struct contract_operation *message_create; /* in the contract: each of a batch is held against it */
    struct gateway_worker on_loop;                   /* for routes that begin there: no database, no vault */
};

/* For http_server_config; ctx is the gateway. */
enum err gateway_worker_open(void *gateway, unsigned index, void **worker_out);
void gateway_worker_close(void *gateway, void *worker);

/* Of the request being handled. */
static inline struct gateway_worker *
gateway_worker_of(const struct http_request *request)
{
    return request->worker;
}

/* Whether the request is being handled on the server's loop: what would wait returns ERR_WOULD_WAIT. */
static inline bool
gateway_is_on_loop(const struct http_request *request)
{
    return gateway_worker_of(request)->db == NULL;
}

/* The router's hook: a Bearer key, or without an Authorization the cookie of a person's session, to
 * request->principal (a struct principal in the request's arena). */
enum err gateway_authenticate(struct http_request *request, const struct http_route *route);

/*
 * Runs `work` for the asking tenant. When the database has gone away, the worker's connection is made anew: a
 * reading work is then run once more; a writing one is not, because its commit may have happened. On the
 * loop: ERR_WOULD_WAIT.
 */
MUST_CHECK enum err gateway_read(struct http_request *request, enum err (*work)(struct db_tx *tx, void *ctx),
                                 void *ctx);
MUST_CHECK enum err gateway_write(struct http_request *request, enum err (*work)(struct db_tx *tx, void *ctx),
                                  void *ctx);

#define GATEWAY_FINGERPRINT_BYTES 32u
/*
 * By what an idempotency key knows its request again: of what was asked, not of how; white space and the
 * order of members make no difference. `operation` is "POST /v1/messages"; the canonical JSON takes bytes_max
 * at most. What is stored is keyed: whoever reads the database cannot try out what a request may have said.
 */
MUST_CHECK enum err gateway_fingerprint(struct http_request *request, const char *operation,
                                        const json_t *body, size_t bytes_max,
                                        unsigned char out[static GATEWAY_FINGERPRINT_BYTES]);
/* The hash alone, of which the vault makes the fingerprint (message_seal_many); asks nobody. */
MUST_CHECK enum err gateway_request_hash(const char *operation, const json_t *body, size_t bytes_max,
                                         unsigned char out[static GATEWAY_FINGERPRINT_BYTES]);

/* limit and cursor of a list; the cursor is the id of the last object shown. ERR_QUERY. */
struct gateway_page {
    enum id_kind kind;
    size_t limit;
    struct id cursor; /* zero: from the newest */
};
MUST_CHECK enum err gateway_page_read(struct http_request *request, enum id_kind kind,
                                      struct gateway_page *out);
/* How many of the objects that were read are shown: one beyond the limit only tells that there are more. */
size_t gateway_page_shown(const struct gateway_page *page, size_t read_count);
/* {"data": items, "has_more", "next_cursor"}; `items`, each with its "id", are what is shown, and taken. */
MUST_CHECK enum err gateway_page_reply(struct http_request *request, struct http_response *response,
                                       const struct gateway_page *page, size_t read_count, json_t *items);

/* The path's id. A text that is no id of this kind is ERR_NOT_FOUND, as are another tenant's and a channel
 * that whoever asks does not reach. */
MUST_CHECK enum err gateway_path_id(const struct http_request *request, const char *name, enum id_kind kind,
                                    struct id *out);

/* The Location of an object that was just made: collection is a literal, such as "/v1/channels/". */
void gateway_locate(struct http_request *request, struct http_response *response, const char *collection,
                    enum id_kind kind, struct id id);

/* JSON of what handlers show; NULL without memory. Owned. */
json_t *show_id(enum id_kind kind, struct id id);
json_t *show_time(struct wall_time t);
json_t *show_text(struct slice text);         /* "" for an empty slice */
json_t *show_text_or_null(struct slice text); /* null for a slice with NULL ptr or no bytes */

/*
 * Puts `value` (taken) into what is shown. Without memory the whole is given up: *list or *object becomes
 * NULL, which http_reply_json answers; nothing is shown with parts left out.
 */
void show_append(json_t **list, json_t *value);
void show_set(json_t **object, const char *member, json_t *value);

/* The router's fallback: the dashboard's files and its page. */
enum err dashboard_answer(struct http_request *request, struct http_response *response);

extern const struct http_route message_routes[], channel_routes[], webhook_endpoint_routes[],
    webhook_delivery_routes[], api_key_routes[], contract_routes[], callback_routes[], sms_connector_routes[], sms_route_routes[], sms_preview_routes[], message_batch_routes[],
    settings_routes[], policy_routes[], export_routes[], operation_routes[], number_routes[], template_routes[], read_routes[],
    media_routes[], signup_routes[], usage_routes[], audit_routes[], session_routes[], me_routes[],
    email_routes[], enrolment_routes[], factor_routes[], people_routes[], role_routes[], team_routes[],
    invitation_routes[], review_routes[], platform_routes[], message_resend_routes[], identity_routes[],
    federated_routes[], smpp_routes[];
extern const struct http_route consent_routes[], consent_import_routes[], consent_settings_routes[],
    suppression_routes[];
extern const struct http_route overview_routes[], stream_routes[], dnd_routes[], dlt_routes[], dlt_template_routes[];

#endif
