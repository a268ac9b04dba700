/*
 * Known answers, computed before the vault serves: a broken library or build shows at the start, not in what
 * it seals. It also fetches every algorithm and draws from the generator once, because afterwards no file can
 * be opened.
 */
#ifndef PROGRAM_VAULT_VAULT_SELFTEST_H
#define PROGRAM_VAULT_VAULT_SELFTEST_H
#include "core/err.h"

/* ERR_CRYPTO: something computes wrongly, or the generator repeats itself. Needs the secret pool. */
MUST_CHECK enum err vault_selftest(void);

#endif
