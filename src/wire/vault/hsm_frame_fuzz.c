#include "core/fuzz.h"
#include "wire/vault/hsm_frame.h"

/* All frames of the token's process on the same bytes: what is taken has one form. */
FUZZ_TARGET(data, size)
{
    struct slice frame = slice_of(data, size);
    struct hsm_open open;
    struct hsm_opened opened;
    struct hsm_make make;
    struct hsm_made made;
    struct hsm_unwrap unwrap;
    struct hsm_secrets secrets;
    struct buf again;

#define CHECK_FORM(kind, value)                                                                              \
    if (hsm_##kind##_decode(frame, &(value)) == ERR_OK) {                                                    \
        buf_clear(&again);                                                                                   \
        hsm_##kind##_encode(&again, &(value));                                                               \
        FUZZ_CHECK(buf_done(&again) == ERR_OK);                                                              \
        FUZZ_CHECK(slice_eq(buf_slice(&again), frame));                                                      \
    }

    buf_init(&again, size + 1);
    CHECK_FORM(open, open)
    CHECK_FORM(opened, opened)
    CHECK_FORM(make, make)
    CHECK_FORM(made, made)
    CHECK_FORM(unwrap, unwrap)
    CHECK_FORM(secrets, secrets)
    buf_release(&again);
    return 0;
}
