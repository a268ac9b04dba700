/*
 * For tests of the vault's core in their own process: asks as a peer does, by frames, and keeps the answer.
 * CORE_MAIN opens the secret pool and this process's figures.
 */
#ifndef PROGRAM_VAULT_VAULT_CORE_TESTING_H
#define PROGRAM_VAULT_VAULT_CORE_TESTING_H
#include "core/metric.h"
#include "core/unit.h"
#include "program/vault/vault_core.h"

#define CORE_POOL_BYTES (1u << 20)

extern const struct vault_core_options core_options;
extern const struct slice core_master_key, core_other_master_key;
extern const struct id core_tenant_a, core_tenant_b;
extern void *core_page; /* this process's figures */
extern struct vault_request core_request;
extern struct vault_answer core_answer; /* its slices point into core_answer_bytes */
extern struct buf core_answer_bytes;

/* A sealed value that outlives the answer. */
struct core_kept {
    struct vault_sealed sealed;
    char cipher[256];
};

/* Asks in a role; the answer stands in core_answer. */
enum vault_result core_ask(struct vault_core *core, enum vault_role role);
struct vault_frame_place core_place(struct id tenant, const char *table, const char *column);
void core_request_of(enum vault_op op);
enum vault_result core_seal(struct vault_core *core, enum vault_role role, enum vault_purpose purpose,
                            struct vault_frame_place place, struct slice plain);
void core_keep(struct core_kept *kept);
enum vault_result core_open(struct vault_core *core, enum vault_role role, enum vault_purpose purpose,
                            struct vault_frame_place place, const struct vault_sealed *sealed);
enum vault_result core_use(struct vault_core *core, enum vault_role role, enum vault_op op,
                           struct vault_frame_place place, const struct vault_sealed *sealed,
                           struct slice data, const unsigned char *mac);
enum vault_result core_make_ed25519(struct vault_core *core, enum vault_role role,
                                    struct vault_frame_place place);
enum vault_result core_make_totp(struct vault_core *core, enum vault_role role,
                                 struct vault_frame_place place);
/* As the gateway. */
enum vault_result core_check_totp(struct vault_core *core, struct vault_frame_place place,
                                  const struct vault_sealed *sealed, struct slice code, uint64_t step,
                                  uint64_t last);
enum vault_result core_load(struct vault_core *core, enum vault_role role,
                            const struct vault_wrapped_key *key, bool is_newest);
enum vault_result core_make_keys(struct vault_core *core, struct id tenant, struct vault_wrapped_key out[3]);
void core_load_all(struct vault_core *core, const struct vault_wrapped_key keys[3]);
/* A vault with a new KEK. */
struct vault_core *core_booted(const struct vault_core_options *with, struct vault_kek *kek_out);
/* And with all keys of both tenants. */
struct vault_core *core_with_tenants(void);
enum vault_result core_index(struct vault_core *core, struct id tenant, struct slice label,
                             struct slice value, unsigned char out[VAULT_INDEX_BYTES]);
enum err core_boot_with(struct slice key, const struct vault_kek *keks, size_t count, uint32_t make_version,
                        struct vault_booted *booted, struct vault_core **core_out);

int core_testing_open(void **state);
int core_testing_close(void **state);
#define CORE_MAIN(...)                                                                                       \
    int main(void)                                                                                           \
    {                                                                                                        \
        const struct CMUnitTest tests[] = { __VA_ARGS__ };                                                   \
        return cmocka_run_group_tests(tests, core_testing_open, core_testing_close);                         \
    }

#endif
