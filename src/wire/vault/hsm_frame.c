#include "wire/vault/hsm_frame.h"
#include "core/num.h"
#include "wire/vault/vault_frame_internal.h"

#define ASSOCIATED_FORMAT 1
#define ASSOCIATED_SECRET 4 /* 1 to 3 are vault_associated.c's */

static const char *const texts[] = {
    [HSM_TROUBLE_NONE] = "nothing is wrong",
    [HSM_TROUBLE_MODULE] = "the PKCS#11 module cannot be loaded (HARKARA_HSM_MODULE)",
    [HSM_TROUBLE_TOKEN] = "the token is not there, or more than one has its label (HARKARA_HSM_TOKEN)",
    [HSM_TROUBLE_PIN] = "the token refuses the PIN (HARKARA_HSM_PIN_FILE); it is not tried again by itself, "
                        "because tokens lock",
    [HSM_TROUBLE_PIN_LOCKED] = "the token's PIN is locked",
    [HSM_TROUBLE_KEY_MISSING] = "the token has no key of that label, or more than one (HARKARA_HSM_KEY; "
                                "\"harkara vault hsm-init\" makes one)",
    [HSM_TROUBLE_KEY_UNFIT] = "the token's key is not an AES-256 key that never leaves it (sensitive and not "
                              "extractable)",
    [HSM_TROUBLE_REFUSED] = "the stored master secret does not open in the token: it is damaged, or another "
                            "key has wrapped it",
    [HSM_TROUBLE_FAILED] = "the token does not do what it was asked",
};

const char *
hsm_trouble_text(enum hsm_trouble trouble)
{
    return (unsigned)trouble < COUNT_OF(texts) ? texts[trouble] : texts[HSM_TROUBLE_FAILED];
}

bool
hsm_trouble_may_pass(enum hsm_trouble trouble)
{
    return trouble == HSM_TROUBLE_TOKEN || trouble == HSM_TROUBLE_FAILED || trouble == HSM_TROUBLE_REFUSED;
}

void
hsm_wrapped_associated(uint32_t version, unsigned char out[HSM_ASSOCIATED_BYTES])
{
    char number[4];

    out[0] = ASSOCIATED_FORMAT;
    out[1] = ASSOCIATED_SECRET;
    num_u32be_put(number, version);
    memcpy(out + 2, number, sizeof(number));
}

static enum hsm_trouble
trouble_take(struct vault_input *in)
{
    uint8_t trouble = vault_take_u8(in);

    if (trouble > HSM_TROUBLE_FAILED)
        in->is_broken = true;
    return in->is_broken ? HSM_TROUBLE_FAILED : (enum hsm_trouble)trouble;
}

static void
wrapped_put(struct buf *out, const struct hsm_wrapped *wrapped)
{
    buf_add_u32be(out, wrapped->version);
    buf_add(out, slice_of(wrapped->cipher, sizeof(wrapped->cipher)));
    buf_add(out, slice_of(wrapped->iv, sizeof(wrapped->iv)));
    buf_add(out, slice_of(wrapped->tag, sizeof(wrapped->tag)));
}

static void
wrapped_take(struct vault_input *in, struct hsm_wrapped *out)
{
    out->version = vault_take_version(in);
    vault_take_octets(in, out->cipher, sizeof(out->cipher));
    vault_take_octets(in, out->iv, sizeof(out->iv));
    vault_take_octets(in, out->tag, sizeof(out->tag));
}

void
hsm_open_encode(struct buf *out, const struct hsm_open *open)
{
    if (open->pin.len == 0 || open->pin.len > HSM_PIN_BYTES_MAX)
        bug("a PIN out of bounds");
    buf_add_byte(out, (char)VAULT_FRAME_VERSION);
    buf_add_u32be(out, open->make_version);
    buf_add_byte(out, (char)open->pin.len);
    buf_add(out, open->pin);
}

enum err
hsm_open_decode(struct slice frame, struct hsm_open *out)
{
    struct vault_input in = { .rest = frame };

    memset(out, 0, sizeof(*out));
    vault_take_frame_version(&in);
    out->make_version = vault_take_u32(&in);
    size_t len = vault_take_u8(&in);
    out->pin = vault_take(&in, len);
    enum err err = vault_input_done(&in);
    return err == ERR_OK && (len == 0 || len > HSM_PIN_BYTES_MAX) ? ERR_FRAME : err;
}

void
hsm_opened_encode(struct buf *out, const struct hsm_opened *opened)
{
    buf_add_byte(out, (char)VAULT_FRAME_VERSION);
    buf_add_byte(out, (char)opened->trouble);
    buf_add_byte(out, opened->has_made ? 1 : 0);
    if (opened->has_made)
        wrapped_put(out, &opened->made);
}

enum err
hsm_opened_decode(struct slice frame, struct hsm_opened *out)
{
    struct vault_input in = { .rest = frame };

    memset(out, 0, sizeof(*out));
    vault_take_frame_version(&in);
    out->trouble = trouble_take(&in);
    out->has_made = vault_take_bool(&in);
    if (out->has_made)
        wrapped_take(&in, &out->made);
    enum err err = vault_input_done(&in);
    return err == ERR_OK && out->has_made && out->trouble != HSM_TROUBLE_NONE ? ERR_FRAME : err;
}

void
hsm_wrapped_encode(struct buf *out, const struct hsm_wrapped *wrapped)
{
    buf_add_byte(out, (char)VAULT_FRAME_VERSION);
    wrapped_put(out, wrapped);
}

enum err
hsm_wrapped_decode(struct slice frame, struct hsm_wrapped *out)
{
    struct vault_input in = { .rest = frame };

    memset(out, 0, sizeof(*out));
    vault_take_frame_version(&in);
    wrapped_take(&in, out);
    return vault_input_done(&in);
}

void
hsm_secret_encode(struct buf *out, const struct hsm_secret *secret)
{
    if (secret->bytes.len != (secret->trouble == HSM_TROUBLE_NONE ? VAULT_KEY_BYTES : 0))
        bug("a master secret of another size");
    buf_add_byte(out, (char)VAULT_FRAME_VERSION);
    buf_add_byte(out, (char)secret->trouble);
    buf_add(out, secret->bytes);
}

enum err
hsm_secret_decode(struct slice frame, struct hsm_secret *out)
{
    struct vault_input in = { .rest = frame };

    memset(out, 0, sizeof(*out));
    vault_take_frame_version(&in);
    out->trouble = trouble_take(&in);
    if (out->trouble == HSM_TROUBLE_NONE)
        out->bytes = vault_take(&in, VAULT_KEY_BYTES);
    return vault_input_done(&in);
}
