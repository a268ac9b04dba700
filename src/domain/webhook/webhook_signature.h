/*
 * Standard Webhooks 1.0.0: the three headers of a delivery, and how a secret is written. Signed is
 * "<webhook-id>.<webhook-timestamp>.<body>": v1 is HMAC-SHA256, whose key is the octets behind "whsec_", not
 * the text; v1a is Ed25519, whose public key is the octets behind "whpk_".
 */
#ifndef DOMAIN_WEBHOOK_WEBHOOK_SIGNATURE_H
#define DOMAIN_WEBHOOK_WEBHOOK_SIGNATURE_H
#include "core/buf.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/secret.h"
#include "core/slice.h"

#define WEBHOOK_SECRET_BYTES 32u /* of random octets; the standard allows 24 to 64 */
#define WEBHOOK_MAC_BYTES    32u
#define WEBHOOK_CONTENT_MAX  (512u * 1024u)

/* Draws a new key. *octets_out is sealed, *text_out ("whsec_...") shown once. Both owned. */
MUST_CHECK enum err webhook_secret_make(struct secret **octets_out, struct secret **text_out);

/* What is signed. `id` holds no '.'; whole seconds of `at`. */
void webhook_signed_content(struct slice id, struct wall_time at, struct slice body, struct buf *out);
/* Appends "v1,<base64>", or for Ed25519 "v1a,<base64>"; behind a space when there is something before it. */
void webhook_signature_add(struct buf *out, const char *version, struct slice signature);
/* Appends "whpk_<base64>". */
void webhook_public_key_print(struct slice public_key, struct buf *out);

#endif
