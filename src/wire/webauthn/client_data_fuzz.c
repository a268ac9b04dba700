#include "core/fuzz.h"
#include "wire/webauthn/client_data.h"

FUZZ_TARGET(data, size)
{
    struct client_data client;

    enum err err = client_data_read(slice_of(data, size), &client);
    if (err == ERR_OK) {
        FUZZ_CHECK(size <= CLIENT_DATA_BYTES_MAX);
        FUZZ_CHECK(client.type.ptr != NULL && client.challenge.ptr != NULL && client.origin.ptr != NULL);
        FUZZ_CHECK(slice_is_utf8(client.origin));
        client_data_release(&client);
    } else {
        FUZZ_CHECK(err == ERR_ENCODING || err == ERR_NO_MEMORY);
        FUZZ_CHECK(client.tree == NULL);
    }
    return 0;
}
