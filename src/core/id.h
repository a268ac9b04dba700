/*
 * Identifiers: UUIDv7 inside (RFC 9562, 5.7), so that they sort by time; outside
 * a type prefix and 26 characters of Crockford base32, lower case:
 * "msg_01jd8h0m4zfg5v2c9x7k3q6t1n". A text with the wrong prefix is no id of that kind.
 */
#ifndef CORE_ID_H
#define CORE_ID_H
#include "core/clock.h"
#include "core/err.h"
#include "core/slice.h"

#define ID_BYTES 16u

struct id {
    uint8_t bytes[ID_BYTES];
};

enum id_kind {
    ID_TENANT,         /* ten_ */
    ID_KEY,            /* key_ */
    ID_CHANNEL,        /* chn_ */
    ID_MESSAGE,        /* msg_ */
    ID_EVENT,          /* evt_ */
    ID_ENDPOINT,       /* whe_: a tenant's webhook endpoint */
    ID_DELIVERY,       /* whd_: one event on its way to one endpoint */
    ID_PROVIDER_EVENT, /* pev_: raw bytes a provider posted */
    ID_REQUEST,        /* req_ */
    ID_INSTANCE,       /* ins_: one run of one process */
    ID_OPERATION,      /* opr_: what is asked of a provider besides sending */
    ID_MEDIA,          /* med_ */
    ID_TEMPLATE,       /* tpl_ */
    ID_REPLAY,         /* whr_: events made again for an endpoint */
    ID_PERSON,         /* usr_ */
    ID_SESSION,        /* ses_: of a person's browser */
    ID_CEREMONY,       /* cer_: one sign-in or registration that has begun */
    ID_ENROLMENT,      /* enr_: a link that lets a first owner in */
    ID_PASSKEY,        /* pky_ */
    ID_ISSUER,         /* idp_: an OpenID provider */
    ID_IDENTITY,       /* idn_: who a person is to an OpenID provider */
    ID_ROLE,           /* rol_ */
    ID_MEMBERSHIP,     /* mbr_: a person in a workspace */
    ID_TEAM,           /* tem_ */
    ID_INVITATION,     /* inv_ */
    ID_REVIEW,         /* rev_: a review of who has what */
    ID_AUDIT,          /* aud_: an entry of the audit log */
    ID_MAIL,           /* mai_: a mail to a person */
    ID_CONSENT,        /* csn_: an entry of the consent ledger */
    ID_NOTICE,         /* cno_: a version of what people are told */
    ID_SUPPRESSION,    /* sup_ */
    ID_DLT_ENTITY,     /* dle_: what is registered with India's operators */
    ID_DLT_CHAIN,      /* dlc_ */
    ID_DLT_HEADER,     /* dlh_ */
    ID_DLT_TEMPLATE,   /* dlt_ */
    ID_DLT_LINK,       /* dll_ */
    ID_DLT_IMPORT,     /* dli_ */
    ID_SMS_CONNECTOR,  /* smc_: an account at an SMS operator */
    ID_SMS_ROUTE,      /* smr_: which of them carries what */
};

#define ID_TEXT_BYTES (4u + 26u + 1u)
#define ID_UUID_BYTES 37u

/*
 * A new id. Within a process ids grow strictly, also when the clock steps back
 * or many fall into one millisecond. Thread-safe.
 */
struct id id_new(const struct clock *clock);
/* The smallest id of a millisecond: bounds of partitions and of time filters. */
struct id id_at(struct wall_time t);
struct wall_time id_time(struct id id);

static inline bool
id_eq(struct id a, struct id b)
{
    return memcmp(a.bytes, b.bytes, ID_BYTES) == 0;
}

static inline bool
id_is_zero(struct id id)
{
    return id_eq(id, (struct id){ { 0 } });
}

/* "msg_..." with a NUL at the end; the slice is without it. */
struct slice id_print(enum id_kind kind, struct id id, char out[static ID_TEXT_BYTES]);
/* ERR_ID_SYNTAX when the text is not exactly an id of this kind (lower case, canonical spare bits). */
MUST_CHECK enum err id_parse(enum id_kind kind, struct slice text, struct id *out);
/* The prefix with its underscore, "msg_". */
struct slice id_prefix(enum id_kind kind);
/* The canonical UUID form, for the database and the provider. */
struct slice id_uuid_print(struct id id, char out[static ID_UUID_BYTES]);
MUST_CHECK enum err id_uuid_parse(struct slice text, struct id *out);

#endif
