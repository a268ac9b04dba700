/*
 * A workspace's account at an SMS operator: where it is, who we are there, and how this operator wants
 * things. A connector serves one workspace. Its password goes in and is never read back: smsc alone has it
 * opened, to bind.
 */
#ifndef DOMAIN_CHANNEL_SMS_SMS_CONNECTOR_H
#define DOMAIN_CHANNEL_SMS_SMS_CONNECTOR_H
#include "core/arena.h"
#include "core/id.h"
#include "platform/db/db.h"
#include "platform/ipc/vault_client.h"
#include "wire/gsm/sms_coding.h"
#include "wire/gsm/sms_text.h"
#include "wire/smpp/smpp_message.h"
#include "wire/smpp/smpp_receipt.h"

#define SMS_CONNECTORS_MAX     50u /* of a workspace */
#define SMS_BINDS_MAX          16u /* of each kind */
#define SMS_PASSWORD_BYTES_MAX 64u
#define SMS_LINK_STALE_MS      30000

enum sms_connector_state { SMS_CONNECTOR_ACTIVE, SMS_CONNECTOR_PAUSED, SMS_CONNECTOR_BROKEN };
const char *sms_connector_state_word(enum sms_connector_state state);
MUST_CHECK enum err sms_connector_state_parse(struct slice word, enum sms_connector_state *out);
const char *sms_joining_word(enum sms_joining joining);
MUST_CHECK enum err sms_joining_parse(struct slice word, enum sms_joining *out);
const char *sms_alphabet_word(enum sms_coding alphabet); /* of data_coding 0: gsm7, ascii, latin1 */
MUST_CHECK enum err sms_alphabet_parse(struct slice word, enum sms_coding *out);
/* "as-answered", "decimal" or "hexadecimal": how its receipts write the ids that its answers gave. */
const char *sms_receipt_ids_word(enum smpp_id_change change);
MUST_CHECK enum err sms_receipt_ids_parse(struct slice word, enum smpp_id_change *out);
/* "hindi"; NULL for the default alphabet. */
const char *sms_language_word(enum gsm7_language language);
MUST_CHECK enum err sms_language_parse(struct slice word, enum gsm7_language *out);

/* TON and NPI of an address. */
struct sms_numbering {
    uint8_t ton, npi;
};

struct sms_connector {
    struct id id;
    struct slice name, state_reason; /* reason empty: none */
    enum sms_connector_state state;
    struct wall_time created_at, updated_at;
    uint32_t revision; /* ETag */
    struct slice host;
    uint16_t port;
    bool has_tls;
    struct slice tls_ca; /* PEM that the operator's certificate is checked with; empty: the system's */
    struct slice system_id, system_type, address_range, service_type;
    uint32_t password_generation;
    unsigned transceivers, transmitters, receivers; /* binds of each kind; at least one of any */
    unsigned window_max;                            /* submits of one bind without an answer */
    unsigned per_second;                            /* parts, over all its binds */
    unsigned enquire_s, answer_s; /* silence before enquire_link; how long an answer is waited for */
    enum sms_joining joining;
    enum sms_coding alphabet; /* what data_coding 0 is there */
    unsigned languages;       /* bits of enum gsm7_language whose tables it takes */
    struct sms_numbering alphanumeric, number, short_code, recipient;
    struct slice country_code; /* of its national numbers: "91"; empty: not said */
    unsigned validity_max_s;   /* 0: no limit that we know */
    enum smpp_id_change receipt_ids;
    int receipt_zone_minutes;                                 /* ahead of UTC: the times in its receipts */
    bool has_india_codes;                                     /* its error codes are those of sms_error.def */
    uint16_t dlt_entity_tag, dlt_template_tag, dlt_chain_tag; /* 0: not sent */
    bool dlt_ends_with_nul;
    int64_t unrouted_senders, unrouted_recipients; /* what was written and could not be brought to anybody */
    struct wall_time unrouted_at;                  /* the last of it; us 0: none */
};

/* What a new one has of all that nobody has said. */
void sms_connector_init(struct sms_connector *connector);
/* ERR_CONNECTOR_INVALID, and what is wrong with it, a literal; *pointer_out is the member's. */
MUST_CHECK enum err sms_connector_check(const struct sms_connector *connector, const char **pointer_out,
                                        const char **detail_out);

struct vault_place sms_connector_password_place(struct id tenant, struct id connector, uint32_t generation);

/* ERR_TOO_MANY. The password is sealed for generation 1. */
MUST_CHECK enum err sms_connector_create(struct db_tx *tx, const struct sms_connector *connector,
                                         const struct vault_sealed *password);
/* ERR_NOT_FOUND. */
MUST_CHECK enum err sms_connector_get(struct db_tx *tx, struct id id, struct arena *arena,
                                      struct sms_connector *out);
/* All of the workspace, oldest first. */
MUST_CHECK enum err sms_connectors_list(struct db_tx *tx, struct arena *arena, struct sms_connector **out,
                                        size_t *count_out);
/*
 * Replaces all that may change of it, if its revision is still connector->revision. `password`, sealed for
 * password_generation + 1, or NULL. ERR_HTTP_PRECONDITION: it has moved on.
 */
MUST_CHECK enum err sms_connector_update(struct db_tx *tx, const struct clock *clock,
                                         const struct sms_connector *connector,
                                         const struct vault_sealed *password);
/* Something that was written came by it and could not be brought to anybody: for want of a number of whoever
 * wrote, or of a channel that is called so. */
enum sms_unrouted { SMS_UNROUTED_SENDER, SMS_UNROUTED_RECIPIENT };
MUST_CHECK enum err sms_connector_unrouted(struct db_tx *tx, struct id id, enum sms_unrouted why);

/* With its routes and links. ERR_HTTP_PRECONDITION; revision 0: any. */
MUST_CHECK enum err sms_connector_delete(struct db_tx *tx, struct id id, uint32_t revision);

/* A bind as smsc last told of it. */
struct sms_link {
    struct id connector;
    unsigned number;
    struct slice kind, state, detail;
    struct wall_time since, next_try_at, told_at; /* next_try_at us 0: none */
    int64_t per_second, in_flight;                /* per_second 0: not known */
};
/* Of all connectors of the workspace. */
MUST_CHECK enum err sms_links_list(struct db_tx *tx, struct arena *arena, struct sms_link **out,
                                   size_t *count_out);

#endif
