/*
 * The audit log: every privileged act, and every time personal data is shown or taken out, by whomever. An
 * entry is written in the transaction of its act, so there is none without the other; nobody can change or
 * remove it.
 *
 * What an entry says stands in one line of JSON (audit_line), which is what is hashed, sealed into the
 * workspace's tree and exported. Nothing personal is in it. What is personal (an address, an invited person's
 * e-mail) goes beside it as private parts: each sealed, of one subject, and held to the line by a salted
 * commitment. So a subject's parts can be erased, and the log still verifies.
 */
#ifndef DOMAIN_AUDIT_AUDIT_H
#define DOMAIN_AUDIT_AUDIT_H
#include "core/arena.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/id.h"
#include "platform/db/db.h"
#include "platform/ipc/vault_client.h"

enum audit_action {
#define AUDIT_ACTION(name, word) AUDIT_##name,
#include "domain/audit/action.def"
#undef AUDIT_ACTION
    AUDIT_ACTION_COUNT
};
/* "api_key.created". */
const char *audit_action_word(enum audit_action action);
/* ERR_NOT_FOUND for a word that is none. */
MUST_CHECK enum err audit_action_parse(struct slice word, enum audit_action *out);

enum audit_actor_kind {
    AUDIT_ACTOR_KEY,      /* an API key: id */
    AUDIT_ACTOR_PERSON,   /* somebody signed in: id, session */
    AUDIT_ACTOR_OPERATOR, /* somebody on the command line: name, the login that ran it */
    AUDIT_ACTOR_SYSTEM,   /* a role of ours: name */
    AUDIT_ACTOR_NOBODY,   /* who is not known: a sign-in that was refused */
};
const char *audit_actor_kind_word(enum audit_actor_kind kind);
MUST_CHECK enum err audit_actor_kind_parse(struct slice word, enum audit_actor_kind *out);

#define AUDIT_NAME_MAX 64u
struct audit_actor {
    enum audit_actor_kind kind;
    struct id id;      /* zero: none */
    struct id session; /* zero: none */
    struct slice name; /* of an operator or a role; at most AUDIT_NAME_MAX octets */
};

enum audit_outcome { AUDIT_DONE, AUDIT_REFUSED, AUDIT_FAILED };
const char *audit_outcome_word(enum audit_outcome outcome);
MUST_CHECK enum err audit_outcome_parse(struct slice word, enum audit_outcome *out);

#define AUDIT_PRIVATE_MAX       4u
#define AUDIT_PRIVATE_BYTES_MAX 2048u
#define AUDIT_SALT_BYTES        16u
#define AUDIT_COMMITMENT_BYTES  32u
struct audit_private {
    struct id id, subject; /* whose it is: a person, or whom a message reached */
    struct slice text;     /* a JSON object */
    /* audit_prepare: SHA-256 of salt and text; the salt is sealed with the text, in front of it. */
    unsigned char commitment[AUDIT_COMMITMENT_BYTES];
    struct vault_sealed sealed;
};

#define AUDIT_DETAIL_BYTES_MAX 4096u
struct audit_act {
    struct audit_actor actor;
    enum audit_action action;
    enum id_kind object_kind;
    struct id object; /* zero: none */
    enum audit_outcome outcome;
    struct slice detail; /* a JSON object in one line with nothing personal in it; empty: {} */
    struct audit_private privates[AUDIT_PRIVATE_MAX];
    size_t private_count;
};

/* Adds a private part; `text` is borrowed. One too many is left out with ERR_LIMIT, as is one that is too
 * long. */
MUST_CHECK enum err audit_private_add(struct audit_act *act, struct id subject, struct slice text);
/* The address that an act came from, of `subject`: {"address":"203.0.113.7"}. An empty address adds nothing.
 */
MUST_CHECK enum err audit_address_add(struct audit_act *act, struct id subject, struct slice address,
                                      struct arena *arena);
/*
 * Seals the private parts for `tenant`: before the transaction, since the vault is never asked from within
 * one. Needed only when there are any. What is sealed lives in the arena.
 */
MUST_CHECK enum err audit_prepare(const struct vault *vault, const struct clock *clock, struct id tenant,
                                  struct audit_act *act, struct arena *arena);
/* In the transaction of the act, of the workspace that it is about. */
MUST_CHECK enum err audit_append(struct db_tx *tx, const struct clock *clock, const struct audit_act *act);

struct vault_place audit_private_place(struct id tenant, struct id part);

#endif
