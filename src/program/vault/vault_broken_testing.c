/* A vault whose HMAC computes wrongly, for vault_process_test: it must not start. */
#include "crypto/mac.h"

enum err __real_mac_sha256(struct slice key, struct slice data, unsigned char out[MAC_BYTES]);
enum err __wrap_mac_sha256(struct slice key, struct slice data, unsigned char out[MAC_BYTES]);

enum err
__wrap_mac_sha256(struct slice key, struct slice data, unsigned char out[MAC_BYTES])
{
    enum err err = __real_mac_sha256(key, data, out);

    out[0] ^= 1;
    return err;
}
