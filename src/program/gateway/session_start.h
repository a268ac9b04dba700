/*
 * Signing in, whatever was shown for it: a session, its entry in the audit log of the workspace that it
 * begins in, and the end of the session that the browser had before.
 */
#ifndef PROGRAM_GATEWAY_SESSION_START_H
#define PROGRAM_GATEWAY_SESSION_START_H
#include "domain/audit/audit.h"
#include "domain/identity/session.h"
#include "program/gateway/gateway.h"
#include "program/gateway/mailing.h"

struct session_start {
    struct id person;
    unsigned factors;
    struct id workspace; /* zero: the one that the person has been in the longest */
    /* In the transaction of the session, first: uses up what was shown; may be run again. */
    enum err (*take)(struct db_tx *tx, struct wall_time now, void *ctx);
    void *ctx;
    /* Out. */
    struct session session;
    struct secret *token; /* owned: session_start_release */
    /* Its own. */
    const struct gateway *gateway;
    struct session_new with;
    struct session earlier;
    bool has_earlier;
    struct audit_act act;
    struct mailing news;
};

/* Errors of `take` too. */
MUST_CHECK enum err session_start_run(struct http_request *request, struct session_start *start);
void session_start_release(struct session_start *start);

#endif
