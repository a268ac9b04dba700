/*
 * What a browser is asked to do with a passkey, and what it answers: the two halves of a ceremony. Between
 * them nothing is kept; the second half works the challenge out again.
 */
#ifndef PROGRAM_GATEWAY_PASSKEY_ASK_H
#define PROGRAM_GATEWAY_PASSKEY_ASK_H
#include "domain/audit/audit.h"
#include "domain/identity/ceremony.h"
#include "domain/identity/passkey.h"
#include "program/gateway/gateway.h"
#include "wire/webauthn/webauthn.h"
#include "wire/webauthn/webauthn_credential.h"

/*
 * Answers {"ceremony_id", "public_key"} for navigator.credentials.get: with `passkeys` one of them, without
 * any that the browser has for us. `more` (taken, may be NULL) is added to the answer.
 */
MUST_CHECK enum err passkey_ask_show(struct http_request *request, struct http_response *response,
                                     enum ceremony_kind kind, struct id subject,
                                     const struct passkey *passkeys, size_t count);
struct passkey_ask_new {
    enum ceremony_kind kind;
    struct id subject, ceremony;
    struct id person; /* the user handle */
    struct slice name;
    const struct passkey *passkeys; /* which it is not to be */
    size_t count;
    json_t *more; /* members of the answer beside the two; taken */
};
/* The same for navigator.credentials.create. */
MUST_CHECK enum err passkey_ask_new(struct http_request *request, struct http_response *response,
                                    const struct passkey_ask_new *with);

/* The ceremony that the body names, in time and of this browser, and what was expected of it. */
struct passkey_answer {
    struct ceremony ceremony;
    unsigned char challenge[CEREMONY_CHALLENGE_BYTES];
    struct webauthn_expected expected;
    struct webauthn_credential credential;
};
/* ERR_ORIGIN, ERR_CEREMONY. */
MUST_CHECK enum err passkey_answer_read(struct http_request *request, enum ceremony_kind kind,
                                        struct id subject, struct passkey_answer *out);
struct passkey_shown {
    struct passkey passkey;
    struct webauthn_assertion assertion;
};
/* ERR_PASSKEY_REFUSED whatever is wrong with it; the log says more. passkey.person is then zero where it is
 * not known. */
MUST_CHECK enum err passkey_answer_check(struct http_request *request, struct passkey_answer *answer,
                                         struct passkey_shown *out);
/* A new one for `person`, named by the body's `member`; its id is drawn. ERR_PASSKEY_INVALID. */
MUST_CHECK enum err passkey_answer_new(struct http_request *request, struct passkey_answer *answer,
                                       struct id person, const char *member, struct passkey *out);
/* In the transaction of what it is good for: the ceremony is done, and so often has the passkey signed. */
MUST_CHECK enum err passkey_answer_take(struct db_tx *tx, const struct passkey_answer *answer,
                                        const struct passkey_shown *shown, struct wall_time now);

/* Counts what was refused against the address that it came from: ERR_THROTTLED in place of `err`, with
 * Retry-After, while it is to wait. What is good is never held up by it. */
enum err passkey_refused(struct http_request *request, enum err err);
/* The same for a sign-in or a step-up, by a passkey, a code or a provider's word: what was refused, and not
 * merely too early, goes into the audit log, as of `person` (zero: whose it was is not known). */
enum err passkey_refused_told(struct http_request *request, enum err err, enum audit_action action,
                              struct id person);
enum err code_refused_told(struct http_request *request, enum err err, enum audit_action action);

json_t *passkey_show(const struct passkey *passkey);

#endif
