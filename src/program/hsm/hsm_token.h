/*
 * Tokens of one PKCS#11 module (OASIS PKCS#11 v2.40) and the AES keys in them that wrap master secrets. The
 * module is a foreign library: it is loaded before the process locks itself in, and called only afterwards.
 * Not thread-safe.
 */
#ifndef PROGRAM_HSM_HSM_TOKEN_H
#define PROGRAM_HSM_HSM_TOKEN_H
#include "core/secret.h"
#include "wire/vault/hsm_frame.h"

struct hsm_token; /* one per process */

/* HSM_TROUBLE_MODULE: it does not load, or has no list of functions. *out is never NULL without trouble. */
enum hsm_trouble hsm_token_load(const char *module, struct hsm_token **out);
/*
 * Finds the tokens, logs in to each, and sees that the keys are there and fit. Each PIN is given to its token
 * once. A key is taken only if it is AES-256, sensitive and not extractable.
 */
enum hsm_trouble hsm_token_open(struct hsm_token *token, const struct hsm_open *open);
/* Makes the key if its token has none of that label. HSM_TROUBLE_KEY_UNFIT: it has one that may not be taken.
 */
enum hsm_trouble hsm_token_key_make(struct hsm_token *token, const struct hsm_key *key);
/* Seals the secret by the key; out->version is given. */
enum hsm_trouble hsm_token_wrap(struct hsm_token *token, const struct hsm_key *key,
                                const struct secret *secret, struct hsm_wrapped *out);
/* Into a secret of VAULT_KEY_BYTES. HSM_TROUBLE_REFUSED: it does not open. */
enum hsm_trouble hsm_token_unwrap(struct hsm_token *token, const struct hsm_key *key,
                                  const struct hsm_wrapped *wrapped, struct secret *out);
/* Logs out. Accepts NULL. The module stays loaded. */
void hsm_token_close(struct hsm_token *token);

#endif
