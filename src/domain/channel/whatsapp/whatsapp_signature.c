#include "domain/channel/whatsapp/whatsapp_signature.h"
#include "crypto/encode.h"

enum err
whatsapp_signature_parse(struct slice header, unsigned char out[static WHATSAPP_SIGNATURE_BYTES])
{
    unsigned char bytes[WHATSAPP_SIGNATURE_BYTES];
    struct slice prefix = SLICE("sha256=");

    if (header.len != WHATSAPP_SIGNATURE_TEXT_BYTES || !slice_starts_with(header, prefix))
        return ERR_SIGNATURE;
    struct slice digits = slice_drop(header, prefix.len);
    for (size_t i = 0; i < digits.len; i++)
        if (digits.ptr[i] >= 'A' && digits.ptr[i] <= 'F')
            return ERR_SIGNATURE;
    if (decode_hex(digits, bytes, sizeof(bytes)) != ERR_OK)
        return ERR_SIGNATURE;
    memcpy(out, bytes, sizeof(bytes));
    return ERR_OK;
}
