/*
 * What a gateway asks of a dispatcher, which alone calls out: to look an issuer up, or to exchange a code.
 * Rows of tenant_platform that live for seconds. A task is tried once: a code is good once, and whoever asked
 * waits. The gateway writes and takes away; the dispatcher claims and answers; each tells the other (NOTIFY).
 */
#ifndef DOMAIN_IDENTITY_OIDC_TASK_H
#define DOMAIN_IDENTITY_OIDC_TASK_H
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/id.h"
#include "core/secret.h"
#include "core/slice.h"
#include "platform/db/db.h"
#include "platform/ipc/vault_client.h"

#define OIDC_TASK_ASKED       "harkara_oidc_task"   /* a dispatcher listens */
#define OIDC_TASK_ANSWERED    "harkara_oidc_answer" /* gateways listen */
#define OIDC_TASKS_MAX        64u                   /* that wait at a time; more are refused */
#define OIDC_TASK_ADDRESS_MAX 4u                    /* of these, from one address */
#define OIDC_TASK_MS          20000                 /* a person waits for so long */
#define OIDC_TASK_ANSWERS_MAX 16u                   /* fetched at once */

enum oidc_task_kind { OIDC_TASK_DISCOVERY, OIDC_TASK_EXCHANGE };
enum oidc_task_outcome {
    OIDC_TASK_DONE,
    OIDC_TASK_REFUSED, /* the code or the token is no good */
    OIDC_TASK_FAILED,  /* the issuer does not answer as it should */
};

/* For the exchange; sealed as a credential. */
struct oidc_task_request {
    struct slice code, verifier, nonce, redirect_uri;
};
/* Of the exchange that went well; sealed as content. */
struct oidc_task_answer {
    struct slice subject, email;
    bool is_email_verified;
};

struct oidc_task_new {
    struct id id, issuer;
    enum oidc_task_kind kind;
    struct slice address;        /* whose it is; empty: unknown, which is one address like another */
    struct vault_sealed request; /* of an exchange */
};
/* Asks the vault; lives in the arena. */
MUST_CHECK enum err oidc_task_seal(const struct vault *vault, struct id task,
                                   const struct oidc_task_request *request, struct arena *arena,
                                   struct vault_sealed *out);
/*
 * As harkara_gateway, in a transaction of tenant_platform. ERR_BUSY: OIDC_TASKS_MAX are waiting.
 * ERR_RATE_LIMITED: of this address OIDC_TASK_ADDRESS_MAX are. ERR_NOT_FOUND: there is no such issuer.
 */
MUST_CHECK enum err oidc_task_ask(struct db_tx *tx, const struct oidc_task_new *task);

struct oidc_task_answered {
    struct id id;
    enum oidc_task_outcome outcome;
    struct vault_sealed sealed; /* cipher NULL: nothing was sealed */
};
/* Those of `ids` that are answered, at most OIDC_TASK_ANSWERS_MAX, which are taken away. */
MUST_CHECK enum err oidc_task_collect(struct db_tx *tx, const struct id *ids, size_t count,
                                      struct arena *arena, struct oidc_task_answered *out, size_t *count_out);
/* Whatever became of them: nobody waits any more. */
MUST_CHECK enum err oidc_task_forget(struct db_tx *tx, const struct id *ids, size_t count);
/* Asks the vault. ERR_SEAL_CORRUPT. */
MUST_CHECK enum err oidc_task_answer_open(const struct vault *vault, const struct oidc_task_answered *task,
                                          struct arena *arena, struct oidc_task_answer *out);

struct oidc_task_claim {
    struct id id, issuer;
    enum oidc_task_kind kind;
    struct vault_sealed request; /* cipher NULL: none */
};
/* As harkara_dispatcher: the oldest that still waits, of the issuer with the fewest under way; its request is
 * in the table no more. ERR_NOTHING. */
MUST_CHECK enum err oidc_task_take(struct db_tx *tx, struct arena *arena, struct oidc_task_claim *out);
/* *plain_out (owned) holds what *out points to. ERR_SEAL_CORRUPT. */
MUST_CHECK enum err oidc_task_request_open(const struct vault *vault, const struct oidc_task_claim *claim,
                                           struct secret **plain_out, struct oidc_task_request *out);
/* Asks the vault. */
MUST_CHECK enum err oidc_task_answer_seal(const struct vault *vault, struct id task,
                                          const struct oidc_task_answer *answer, struct arena *arena,
                                          struct vault_sealed *out);
/* `sealed` NULL: nothing to tell but the outcome. ERR_NOT_FOUND: nobody waits for it any more. */
MUST_CHECK enum err oidc_task_settle(struct db_tx *tx, struct id task, enum oidc_task_outcome outcome,
                                     const struct vault_sealed *sealed);

#endif
