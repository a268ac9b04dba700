/*
 * A code of the person's authenticator application, checked in the vault, or a recovery code in place of
 * one. Guesses are counted against the person before they are looked at, both kinds together; who gets this
 * far has shown a first factor, so nobody else can use them up.
 */
#ifndef PROGRAM_GATEWAY_SECOND_FACTOR_H
#define PROGRAM_GATEWAY_SECOND_FACTOR_H
#include "domain/identity/session.h"
#include "domain/identity/totp.h"
#include "program/gateway/gateway.h"

struct second_factor {
    enum session_factor factor; /* SESSION_TOTP or SESSION_RECOVERY_CODE: what the session has then shown */
    struct id person;
    struct totp totp; /* with SESSION_TOTP */
    uint64_t step;
    struct slice recovery_code; /* with SESSION_RECOVERY_CODE; borrowed */
};

/* Before the transaction. ERR_CODE_REFUSED: also when the person has no such application; ERR_THROTTLED. */
MUST_CHECK enum err second_factor_check(struct http_request *request, struct id person, struct slice code,
                                        struct second_factor *out);
/* The same for an application that has shown no code yet. */
MUST_CHECK enum err second_factor_first(struct http_request *request, struct id person, struct slice code,
                                        struct second_factor *out);
/* A recovery code as the person typed it: counted here, judged by second_factor_take. ERR_THROTTLED. */
MUST_CHECK enum err second_factor_recovery(struct http_request *request, struct id person, struct slice text,
                                           struct second_factor *out);
/* In the transaction of what it is good for, in tenant_platform: the code is used up, the guesses are
 * forgotten. ERR_CODE_REFUSED. Whoever takes a recovery code also writes AUDIT_RECOVERY_CODE_USED. */
MUST_CHECK enum err second_factor_take(struct db_tx *tx, const struct clock *clock,
                                       const struct second_factor *factor);

#endif
