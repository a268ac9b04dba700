#include "core/fuzz.h"
#include "wire/vault/vault_frame.h"

/* As requests: one form each. */
FUZZ_TARGET(data, size)
{
    struct vault_answer answer;
    struct slice frame = slice_of(data, size);
    struct buf again;

    if (vault_answer_decode(frame, &answer) != ERR_OK)
        return 0;
    FUZZ_CHECK(answer.sealed_count <= VAULT_SEAL_ITEMS_MAX);
    FUZZ_CHECK(vault_result_of(vault_result_err(answer.result)) == answer.result);
    buf_init(&again, size);
    vault_answer_encode(&again, &answer);
    FUZZ_CHECK(buf_done(&again) == ERR_OK);
    FUZZ_CHECK(slice_eq(buf_slice(&again), frame));
    buf_release(&again);
    return 0;
}
