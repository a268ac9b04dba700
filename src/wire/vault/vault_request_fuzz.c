#include "core/fuzz.h"
#include "wire/vault/vault_frame.h"

/* A request has one form: what decodes encodes to the same bytes, and nothing it points at lies outside. */
FUZZ_TARGET(data, size)
{
    struct vault_request request;
    struct slice frame = slice_of(data, size);
    struct buf again;

    if (vault_request_decode(frame, &request) != ERR_OK)
        return 0;
    FUZZ_CHECK(request.item_count <= VAULT_SEAL_ITEMS_MAX);
    FUZZ_CHECK((request.op == VAULT_OP_SEAL || request.op == VAULT_OP_RESEAL) == (request.item_count > 0));
    for (size_t i = 0; i < request.item_count; i++) {
        FUZZ_CHECK(vault_name_is_valid(request.items[i].place.table));
        FUZZ_CHECK(vault_name_is_valid(request.items[i].place.column));
        FUZZ_CHECK(request.items[i].index_label.len == 0 ||
                   vault_name_is_valid(request.items[i].index_label));
        FUZZ_CHECK(request.items[i].plain.len <= size);
    }
    buf_init(&again, size);
    vault_request_encode(&again, &request);
    FUZZ_CHECK(buf_done(&again) == ERR_OK);
    FUZZ_CHECK(slice_eq(buf_slice(&again), frame));
    buf_release(&again);
    return 0;
}
