#include "core/fuzz.h"
#include "wire/vault/vault_frame.h"

/* The supervisor's first frame and the vault's answer to it, one after the other on the same bytes. */
FUZZ_TARGET(data, size)
{
    struct vault_boot boot;
    struct vault_booted booted;
    struct slice frame = slice_of(data, size);
    struct buf again;

    buf_init(&again, size);
    if (vault_boot_decode(frame, &boot) == ERR_OK) {
        FUZZ_CHECK(boot.kek_count <= VAULT_KEKS_MAX && boot.master_count <= VAULT_MASTERS_MAX);
        vault_boot_encode(&again, &boot);
        FUZZ_CHECK(buf_done(&again) == ERR_OK);
        FUZZ_CHECK(slice_eq(buf_slice(&again), frame));
    }
    buf_clear(&again);
    if (vault_booted_decode(frame, &booted) == ERR_OK) {
        vault_booted_encode(&again, &booted);
        FUZZ_CHECK(buf_done(&again) == ERR_OK);
        FUZZ_CHECK(slice_eq(buf_slice(&again), frame));
    }
    buf_release(&again);
    return 0;
}
