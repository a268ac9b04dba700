/*
 * The vault without its sockets: keys in, requests in, answers out. It holds the key-encryption keys and the
 * tenants' data keys, decides by vault_policy.h, and does the cryptography. No I/O and no clock, so that
 * tests and the fuzzer drive it directly. One thread.
 *
 *     master key + salt --scrypt--> KEK n --AES-256-GCM--> data key (tenant, purpose, version)
 *     data key + place --HMAC-SHA256--> value key --AES-256-GCM, place as associated data--> sealed value
 *
 * Why a key of its own for each place: random 12-octet IVs are good for 2^32 values under one key (SP
 * 800-38D, 8.3), and nobody can count a tenant's values across restarts. One place is sealed a few times in
 * its life.
 */
#ifndef PROGRAM_VAULT_VAULT_CORE_H
#define PROGRAM_VAULT_VAULT_CORE_H
#include "core/buf.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/slice.h"
#include "wire/vault/vault_frame.h"

struct vault_core;

struct vault_core_options {
    size_t key_capacity; /* data keys held at once; at least VAULT_SEAL_KEYS_MAX */
    uint32_t scrypt_n;   /* for a new KEK */
    uint64_t seals_max;  /* values that are sealed under one data key */
};
#define VAULT_KEY_CAPACITY 8192u
/*
 * SP 800-38D, 8.3, ends at 2^32 values under one key with random IVs. Each of our keys seals for one place
 * only, and still none seals more than half of that; from a quarter on `harkara vault status` asks for a new
 * one.
 */
#define VAULT_KEY_SEALS_MAX (UINT64_C(1) << 31)
/* For so long a key that was loaded is believed to be there still, and the newest. */
#define VAULT_KEY_BELIEVED_MS 300000
#define VAULT_CORE_OPTIONS                                                                                   \
    ((struct vault_core_options){ VAULT_KEY_CAPACITY, KDF_SCRYPT_N, VAULT_KEY_SEALS_MAX })
/* What the core takes of the secret pool: its keyring, its KEKs, and one credential at a time. */
#define VAULT_CORE_SECRET_BYTES (VAULT_KEY_CAPACITY * VAULT_KEY_BYTES + 65536u)

/* ERR_NO_MEMORY. Owned: vault_core_free, which wipes. */
MUST_CHECK enum err vault_core_new(const struct vault_core_options *options, struct vault_core **out);
void vault_core_free(struct vault_core *core);

/*
 * Derives the key-encryption keys, which takes about 0.4 s each, and makes a new one when asked to. Once per
 * core; the caller wipes the frame that held the master key. The result is also in *booted_out.
 * ERR_VAULT_KEK_WRONG: this master key did not make booted_out->kek_version. ERR_LIMIT: scrypt parameters out
 * of bounds, versions not ascending from 1 on, or nothing to boot with.
 */
MUST_CHECK enum err vault_core_boot(struct vault_core *core, const struct vault_boot *boot,
                                    struct vault_booted *booted_out);

/*
 * At run time: adds the key-encryption keys of this frame, and makes one, as the boot does. One that was made
 * is in force when the next call, with a frame that asks for nothing, says that it was stored. ERR_LIMIT:
 * before that. On an error nothing has changed. *booted_out as above.
 */
MUST_CHECK enum err vault_core_kek_add(struct vault_core *core, const struct vault_boot *with,
                                       struct vault_booted *booted_out);
/* What time it is: about once a second. Keys that were believed for their time are wiped. */
void vault_core_turn(struct vault_core *core, struct mono_time now);

/* What became of a request: for logs. */
struct vault_outcome {
    enum vault_op op;
    enum vault_result result;
};
/*
 * Answers one request of a peer in this role: *answer is cleared, then filled. ERR_FRAME: those bytes are no
 * request, and there is no answer; drop the peer. ERR_NO_MEMORY: no room even for a short answer; likewise.
 */
MUST_CHECK enum err vault_core_handle(struct vault_core *core, enum vault_role role, struct slice request,
                                      struct buf *answer, struct vault_outcome *outcome_out);

#endif
