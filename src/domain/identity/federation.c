#include "domain/identity/federation.h"
#include "core/buf.h"
#include "core/secret.h"
#include "crypto/encode.h"
#include "domain/tenant/tenant.h"

#define PLAIN_BYTES       (1u + 2u * ID_BYTES + FEDERATION_SUBJECT_BYTES)
#define BROWSER_BYTES_MAX 64u
#define STATE_OCTETS      (PLAIN_BYTES + VAULT_INDEX_BYTES)
_Static_assert((STATE_OCTETS * 8u + 5u) / 6u == FEDERATION_STATE_BYTES, "base64url without padding");
_Static_assert(FEDERATION_VERIFIER_BYTES == VAULT_INDEX_BYTES, "the verifier is an index");

static void
plain_write(const struct federation *federation, unsigned char out[static PLAIN_BYTES])
{
    out[0] = (unsigned char)federation->purpose;
    memcpy(out + 1, federation->id.bytes, ID_BYTES);
    memcpy(out + 1 + ID_BYTES, federation->issuer.bytes, ID_BYTES);
    memcpy(out + 1 + 2 * ID_BYTES, federation->subject, FEDERATION_SUBJECT_BYTES);
}

static enum err
text_write(struct slice octets, char *out, size_t len)
{
    struct buf text;

    buf_init(&text, len);
    encode_base64url(&text, octets);
    enum err err = buf_done(&text);
    if (err == ERR_OK && buf_slice(&text).len != len)
        bug("a text of base64url that is not as long as it is");
    if (err == ERR_OK)
        memcpy(out, buf_slice(&text).ptr, len);
    buf_release_wiped(&text);
    return err;
}

enum err
federation_begin(const struct vault *vault, const struct federation *federation,
                 struct federation_secrets *out)
{
    unsigned char all[PLAIN_BYTES + BROWSER_BYTES_MAX]; /* all but the last are of one length */
    unsigned char state[STATE_OCTETS], nonce[VAULT_INDEX_BYTES];

    if (federation->browser.len == 0 || federation->browser.len > BROWSER_BYTES_MAX)
        return ERR_CEREMONY;
    plain_write(federation, all);
    memcpy(all + PLAIN_BYTES, federation->browser.ptr, federation->browser.len);
    const struct slice value = slice_of(all, PLAIN_BYTES + federation->browser.len);
    memcpy(state, all, PLAIN_BYTES);
    enum err err = vault_index(vault, tenant_platform, "oidc.state", value, state + PLAIN_BYTES);
    if (err == ERR_OK)
        err = vault_index(vault, tenant_platform, "oidc.nonce", value, nonce);
    if (err == ERR_OK)
        err = vault_index(vault, tenant_platform, "oidc.verifier", value, out->verifier);
    if (err == ERR_OK)
        err = text_write(slice_of(state, sizeof(state)), out->state, sizeof(out->state));
    if (err == ERR_OK)
        err = text_write(slice_of(nonce, sizeof(nonce)), out->nonce, sizeof(out->nonce));
    return err;
}

static bool
purpose_read(unsigned char octet, enum federation_purpose *out)
{
    switch (octet) {
    case FEDERATION_SIGN_IN:
    case FEDERATION_CONNECT:
    case FEDERATION_ENROL:
        *out = (enum federation_purpose)octet;
        return true;
    default:
        return false;
    }
}

enum err
federation_read(const struct vault *vault, const struct clock *clock, struct slice state,
                struct slice browser, struct federation *out, struct federation_secrets *secrets_out)
{
    unsigned char octets[FEDERATION_STATE_BYTES / 4 * 3 + 3];
    size_t len = 0;

    *out = (struct federation){ .browser = browser };
    if (state.len != FEDERATION_STATE_BYTES || decode_base64url(state, octets, &len) != ERR_OK ||
        len != STATE_OCTETS || !purpose_read(octets[0], &out->purpose))
        return ERR_CEREMONY;
    memcpy(out->id.bytes, octets + 1, ID_BYTES);
    memcpy(out->issuer.bytes, octets + 1 + ID_BYTES, ID_BYTES);
    memcpy(out->subject, octets + 1 + 2 * ID_BYTES, FEDERATION_SUBJECT_BYTES);
    int64_t age_us = clock_wall(clock).us - id_time(out->id).us;
    if (age_us > FEDERATION_MS * INT64_C(1000) || age_us < -FEDERATION_MS * INT64_C(1000))
        return ERR_CEREMONY;
    enum err err = federation_begin(vault, out, secrets_out);
    if (err == ERR_OK && !secret_eq(state, slice_of(secrets_out->state, sizeof(secrets_out->state))))
        err = ERR_CEREMONY;
    return err;
}
