#include "core/fuzz.h"
#include "crypto/encode.h"
#include "domain/channel/whatsapp/whatsapp_signature.h"

/* What is accepted is exactly what printing the octets gives back. */
FUZZ_TARGET(data, size)
{
    struct slice header = slice_of(data, size);
    unsigned char octets[WHATSAPP_SIGNATURE_BYTES];
    struct buf printed;

    if (whatsapp_signature_parse(header, octets) != ERR_OK)
        return 0;
    buf_init(&printed, 256);
    buf_add_text(&printed, "sha256=");
    encode_hex(&printed, slice_of(octets, sizeof(octets)));
    FUZZ_CHECK(slice_eq(buf_slice(&printed), header));
    buf_release(&printed);
    return 0;
}
