/* The header X-Hub-Signature-256 of a WhatsApp webhook: "sha256=" and 64 lower-case hexadecimal digits. */
#ifndef DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_SIGNATURE_H
#define DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_SIGNATURE_H
#include "core/err.h"
#include "core/slice.h"

#define WHATSAPP_SIGNATURE_BYTES      32u
#define WHATSAPP_SIGNATURE_TEXT_BYTES 71u

/*
 * The HMAC-SHA256 that the sender claims; the vault compares it with its own over the body exactly as
 * received. ERR_SIGNATURE for anything but the documented form: other algorithms, spaces, upper case, lists.
 * `out` is then unchanged.
 */
MUST_CHECK enum err whatsapp_signature_parse(struct slice header,
                                             unsigned char out[static WHATSAPP_SIGNATURE_BYTES]);

#endif
