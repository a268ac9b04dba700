/* Client data: what the browser says about a ceremony. Source: WebAuthn Level 3, section 5.8.1. */
#ifndef WIRE_WEBAUTHN_CLIENT_DATA_H
#define WIRE_WEBAUTHN_CLIENT_DATA_H
#include "core/err.h"
#include "core/slice.h"
#include <jansson.h>

#define CLIENT_DATA_BYTES_MAX 4096u

struct client_data { /* owned: client_data_release; slices are borrowed from the tree */
    json_t *tree;
    struct slice type;      /* "webauthn.create" or "webauthn.get" */
    struct slice challenge; /* base64url, as the browser wrote it */
    struct slice origin;
    bool is_cross_origin; /* in a frame of another page: crossOrigin, or a topOrigin is named */
};

/*
 * Members that are not known are passed over, as the standard asks. ERR_ENCODING: too long, no JSON object,
 * without one of the three texts, or crossOrigin that is no boolean. ERR_NO_MEMORY.
 */
MUST_CHECK enum err client_data_read(struct slice json, struct client_data *out);
void client_data_release(struct client_data *data);

#endif
