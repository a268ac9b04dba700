/*
 * Standard Webhooks 1.0.0: the three headers of a delivery, and how a secret is written. Signed is
 * "<webhook-id>.<webhook-timestamp>.<body>" with HMAC-SHA256; the key is the octets behind "whsec_", not the
 * text.
 */
#ifndef DOMAIN_WEBHOOK_WEBHOOK_SIGNATURE_H
#define DOMAIN_WEBHOOK_WEBHOOK_SIGNATURE_H
#include "core/buf.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/secret.h"
#include "core/slice.h"

#define WEBHOOK_SECRET_BYTES    32u /* of random octets; the standard allows 24 to 64 */
#define WEBHOOK_MAC_BYTES       32u
#define WEBHOOK_CONTENT_MAX     (512u * 1024u)
#define WEBHOOK_SIGNATURE_BYTES sizeof("v1,") + 44u

/* Draws a new key. *octets_out is sealed, *text_out ("whsec_...") shown once. Both owned. */
MUST_CHECK enum err webhook_secret_make(struct secret **octets_out, struct secret **text_out);

/* What is signed. `id` holds no '.'; whole seconds of `at`. */
void webhook_signed_content(struct slice id, struct wall_time at, struct slice body, struct buf *out);
/* "v1,<base64>". */
struct slice webhook_signature_print(const unsigned char mac[WEBHOOK_MAC_BYTES],
                                     char out[static WEBHOOK_SIGNATURE_BYTES]);

#endif
