#include "domain/webhook/webhook_signature.h"
#include "crypto/encode.h"
#include "crypto/random.h"

enum err
webhook_secret_make(struct secret **octets_out, struct secret **text_out)
{
    struct secret *octets = secret_new(WEBHOOK_SECRET_BYTES), *printed = NULL;
    struct buf text;
    enum err err = octets == NULL ? ERR_NO_MEMORY : random_fill(secret_bytes(octets), WEBHOOK_SECRET_BYTES);

    buf_init(&text, 128);
    if (err == ERR_OK) {
        buf_add_text(&text, "whsec_");
        encode_base64(&text, secret_slice(octets));
        err = buf_done(&text);
    }
    if (err == ERR_OK && (printed = secret_copy(buf_slice(&text))) == NULL)
        err = ERR_NO_MEMORY;
    buf_release_wiped(&text);
    if (err != ERR_OK) {
        secret_free(octets);
        return err;
    }
    *octets_out = octets;
    *text_out = printed;
    return ERR_OK;
}

void
webhook_signed_content(struct slice id, struct wall_time at, struct slice body, struct buf *out)
{
    buf_add(out, id);
    buf_add_byte(out, '.');
    buf_add_i64(out, at.us / 1000000);
    buf_add_byte(out, '.');
    buf_add(out, body);
}

void
webhook_signature_add(struct buf *out, const char *version, struct slice signature)
{
    if (out->len > 0)
        buf_add_byte(out, ' ');
    buf_add_text(out, version);
    buf_add_byte(out, ',');
    encode_base64(out, signature);
}

void
webhook_public_key_print(struct slice public_key, struct buf *out)
{
    buf_add_text(out, "whpk_");
    encode_base64(out, public_key);
}
