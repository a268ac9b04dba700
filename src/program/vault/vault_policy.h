/*
 * Who may do what in the vault: one table, in vault_policy.c. The role is that of the link, which the
 * supervisor fixed when it was made; nothing a peer says changes it. What the table does not allow is
 * refused.
 */
#ifndef PROGRAM_VAULT_VAULT_POLICY_H
#define PROGRAM_VAULT_VAULT_POLICY_H
#include "wire/vault/vault_frame.h"

/* Operations on a value: SEAL, OPEN, VERIFY_MAC, MATCHES, SIGN_MAC, MAKE_ED25519, SIGN_ED25519. False for all
 * others. */
bool vault_policy_allows_value(enum vault_role role, enum vault_op op, enum vault_purpose purpose,
                               struct slice table, struct slice column);
/* Is it a sealed column at all? */
bool vault_policy_knows(enum vault_purpose purpose, struct slice table, struct slice column);
/* Operations without one, or on any: INDEX, MAKE_KEYS, FACTS, RESEAL, REWRAP, MAKE_KEY, FORGET, KEK_FORGET,
 * USAGE. False for all others. */
bool vault_policy_allows_op(enum vault_role role, enum vault_op op);
/* KEY_LOAD, by what the key is for. */
bool vault_policy_allows_key(enum vault_role role, enum vault_purpose purpose);

#endif
