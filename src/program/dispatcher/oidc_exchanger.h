/*
 * A person's code for what the identity provider says of them: discovery, the token request, the key set, the
 * ID token judged (wire/oidc). One thread, one request at a time; https to public addresses only.
 */
#ifndef PROGRAM_DISPATCHER_OIDC_EXCHANGER_H
#define PROGRAM_DISPATCHER_OIDC_EXCHANGER_H
#include "core/clock.h"
#include "wire/oidc/id_token.h"
#include "wire/oidc/jws.h"
#include "wire/oidc/oidc_request.h"

#define OIDC_ISSUERS_KEPT                                                                                    \
    32u /* whose documents are remembered; beyond, the one that was asked longest ago goes */
#define OIDC_DOCUMENT_AGE_MS                                                                                 \
    3600000                        /* of discovery and keys: a key that was withdrawn is good for no longer */
#define OIDC_KEYS_REFETCH_MS 60000 /* an unknown key id asks for the keys again, not oftener */

struct oidc_exchanger; /* belongs to one thread */

struct oidc_exchanger_config {
    const char *ca_file;
    const struct clock *clock;
    bool allows_loopback;       /* http to 127.0.0.1 and [::1] too, for an issuer of a developer's own */
    const char *const *resolve; /* as http_client_config: for tests; NULL */
};

/* As configured by the operator: the algorithm is agreed on with the issuer, and never taken from a token. */
struct oidc_party {
    struct slice issuer, client_id;
    enum public_key_algorithm algorithm;
};

enum oidc_step { /* where it ended: for the log */
                 OIDC_STEP_DONE,
                 OIDC_STEP_DISCOVERY,
                 OIDC_STEP_CODE, /* the token request */
                 OIDC_STEP_KEYS,
                 OIDC_STEP_SIGNATURE,
                 OIDC_STEP_CLAIMS
};
const char *oidc_step_word(enum oidc_step step);

struct oidc_trouble {
    enum oidc_step step;
    enum id_token_fault fault; /* of OIDC_STEP_CLAIMS */
    int status;                /* of the answer that was no good; 0: there was none, or it was good */
};

MUST_CHECK enum err oidc_exchanger_new(const struct oidc_exchanger_config *config,
                                       struct oidc_exchanger **out);
/* Accepts NULL. */
void oidc_exchanger_free(struct oidc_exchanger *exchanger);

/*
 * Where the person's browser is to be sent; *out is borrowed until the next call. ERR_IDENTITY_PROVIDER: it
 * does not answer, or not as it should; ERR_NO_MEMORY.
 */
MUST_CHECK enum err oidc_exchanger_discover(struct oidc_exchanger *exchanger, struct slice issuer,
                                            const struct oidc_discovery **out, struct oidc_trouble *trouble);
/*
 * Once for a code. `with` names the client and its secret, the code, its verifier and where the browser was
 * sent back to; `nonce` is the one that it was sent with. ERR_IDENTITY_TOKEN: the issuer refused the code, or
 * its token does not hold. ERR_IDENTITY_PROVIDER, ERR_NO_MEMORY, ERR_CRYPTO.
 */
MUST_CHECK enum err oidc_exchanger_run(struct oidc_exchanger *exchanger, const struct oidc_party *party,
                                       const struct oidc_exchange *with, struct slice nonce,
                                       struct arena *arena, struct id_token *out,
                                       struct oidc_trouble *trouble);

#endif
