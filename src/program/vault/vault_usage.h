/*
 * How often each data key was used, until somebody has written it down: USAGE hands the counts out in
 * batches, and a batch is dropped only when the next request says that it was taken. A fixed table; what
 * finds no room in it is counted without its key, and told. In ordinary memory: there is nothing secret in
 * it.
 */
#ifndef PROGRAM_VAULT_VAULT_USAGE_H
#define PROGRAM_VAULT_VAULT_USAGE_H
#include "core/err.h"
#include "core/id.h"
#include "wire/vault/vault_frame.h"

struct vault_usage;

/* ERR_NO_MEMORY. Owned: vault_usage_free. */
MUST_CHECK enum err vault_usage_new(size_t capacity, struct vault_usage **out);
void vault_usage_free(struct vault_usage *usage);

void vault_usage_add(struct vault_usage *usage, struct id tenant, enum vault_purpose purpose,
                     uint32_t version, uint64_t seals, uint64_t opens);
/* Uses that found no room. */
uint64_t vault_usage_uncounted(const struct vault_usage *usage);
/*
 * When batch `taken` is the one that was handed out last, it is dropped and the next one made; else the same
 * batch is handed out again. *batch_out is 0, with no uses, when there is nothing to tell.
 */
void vault_usage_batch(struct vault_usage *usage, uint32_t taken, uint32_t *batch_out,
                       struct vault_use uses_out[VAULT_USES_MAX], size_t *count_out);

#endif
