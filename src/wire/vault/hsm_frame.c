#include "wire/vault/hsm_frame.h"
#include "core/num.h"
#include "wire/vault/vault_frame_internal.h"

#define ASSOCIATED_FORMAT 1
#define ASSOCIATED_SECRET 4 /* 1 to 3 are vault_associated.c's */

static const char *const texts[] = {
    [HSM_TROUBLE_NONE] = "nothing is wrong",
    [HSM_TROUBLE_MODULE] = "the PKCS#11 module cannot be loaded (HARKARA_HSM_MODULE)",
    [HSM_TROUBLE_TOKEN] =
        "the token is not there, or more than one has its label (HARKARA_HSM_TOKEN, HARKARA_HSM_NEW_TOKEN)",
    [HSM_TROUBLE_PIN] = "the token refuses the PIN (HARKARA_HSM_PIN_FILE); it is not tried again by itself, "
                        "because tokens lock",
    [HSM_TROUBLE_PIN_LOCKED] = "the token's PIN is locked",
    [HSM_TROUBLE_KEY_MISSING] =
        "the token has no key of the label that wraps the master secret, or more than one "
        "(\"harkara vault status\" and the table hsm_secret name it)",
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

bool
hsm_label_is_valid(struct slice label)
{
    return label.len > 0 && label.len <= HSM_LABEL_BYTES_MAX && memchr(label.ptr, 0, label.len) == NULL;
}

static void
label_put(struct buf *out, struct slice label)
{
    if (!hsm_label_is_valid(label))
        bug("a label out of bounds");
    buf_add_byte(out, (char)label.len);
    buf_add(out, label);
}

static struct slice
label_take(struct vault_input *in)
{
    struct slice label = vault_take(in, vault_take_u8(in));

    if (!in->is_broken && !hsm_label_is_valid(label))
        in->is_broken = true;
    return label;
}

static void
key_put(struct buf *out, const struct hsm_key *key)
{
    if (key->token >= HSM_TOKENS_MAX)
        bug("a token out of bounds");
    buf_add_byte(out, (char)key->token);
    label_put(out, key->label);
}

static void
key_take(struct vault_input *in, struct hsm_key *out)
{
    out->token = vault_take_u8(in);
    if (out->token >= HSM_TOKENS_MAX)
        in->is_broken = true;
    out->label = label_take(in);
}

/* How many follow. */
static size_t
count_take(struct vault_input *in, size_t least, size_t most)
{
    size_t count = vault_take_u8(in);

    if (count < least || count > most)
        in->is_broken = true;
    return in->is_broken ? 0 : count;
}

static void
count_put(struct buf *out, size_t count, size_t least, size_t most)
{
    if (count < least || count > most)
        bug("a count out of bounds");
    buf_add_byte(out, (char)count);
}

void
hsm_open_encode(struct buf *out, const struct hsm_open *open)
{
    buf_add_byte(out, (char)VAULT_FRAME_VERSION);
    count_put(out, open->token_count, 1, HSM_TOKENS_MAX);
    for (size_t i = 0; i < open->token_count; i++) {
        struct slice pin = open->tokens[i].pin;
        label_put(out, open->tokens[i].label);
        if (pin.len == 0 || pin.len > HSM_PIN_BYTES_MAX)
            bug("a PIN out of bounds");
        buf_add_byte(out, (char)pin.len);
        buf_add(out, pin);
    }
    count_put(out, open->key_count, 0, HSM_SECRETS_MAX);
    for (size_t i = 0; i < open->key_count; i++)
        key_put(out, &open->keys[i]);
}

enum err
hsm_open_decode(struct slice frame, struct hsm_open *out)
{
    struct vault_input in = { .rest = frame };

    memset(out, 0, sizeof(*out));
    vault_take_frame_version(&in);
    out->token_count = count_take(&in, 1, HSM_TOKENS_MAX);
    for (size_t i = 0; i < out->token_count; i++) {
        out->tokens[i].label = label_take(&in);
        size_t len = vault_take_u8(&in);
        if (len == 0 || len > HSM_PIN_BYTES_MAX)
            in.is_broken = true;
        out->tokens[i].pin = vault_take(&in, len);
    }
    out->key_count = count_take(&in, 0, HSM_SECRETS_MAX);
    for (size_t i = 0; i < out->key_count; i++)
        key_take(&in, &out->keys[i]);
    return vault_input_done(&in);
}

void
hsm_opened_encode(struct buf *out, const struct hsm_opened *opened)
{
    buf_add_byte(out, (char)VAULT_FRAME_VERSION);
    buf_add_byte(out, (char)opened->trouble);
}

enum err
hsm_opened_decode(struct slice frame, struct hsm_opened *out)
{
    struct vault_input in = { .rest = frame };

    vault_take_frame_version(&in);
    out->trouble = trouble_take(&in);
    return vault_input_done(&in);
}

void
hsm_make_encode(struct buf *out, const struct hsm_make *make)
{
    buf_add_byte(out, (char)VAULT_FRAME_VERSION);
    buf_add_u32be(out, make->version);
    key_put(out, &make->key);
}

enum err
hsm_make_decode(struct slice frame, struct hsm_make *out)
{
    struct vault_input in = { .rest = frame };

    vault_take_frame_version(&in);
    out->version = vault_take_version(&in);
    key_take(&in, &out->key);
    return vault_input_done(&in);
}

void
hsm_made_encode(struct buf *out, const struct hsm_made *made)
{
    buf_add_byte(out, (char)VAULT_FRAME_VERSION);
    buf_add_byte(out, (char)made->trouble);
    if (made->trouble == HSM_TROUBLE_NONE)
        wrapped_put(out, &made->made);
}

enum err
hsm_made_decode(struct slice frame, struct hsm_made *out)
{
    struct vault_input in = { .rest = frame };

    memset(out, 0, sizeof(*out));
    vault_take_frame_version(&in);
    out->trouble = trouble_take(&in);
    if (out->trouble == HSM_TROUBLE_NONE)
        wrapped_take(&in, &out->made);
    return vault_input_done(&in);
}

void
hsm_unwrap_encode(struct buf *out, const struct hsm_unwrap *unwrap)
{
    buf_add_byte(out, (char)VAULT_FRAME_VERSION);
    count_put(out, unwrap->count, 1, HSM_SECRETS_MAX);
    for (size_t i = 0; i < unwrap->count; i++) {
        key_put(out, &unwrap->secrets[i].key);
        wrapped_put(out, &unwrap->secrets[i].wrapped);
    }
}

enum err
hsm_unwrap_decode(struct slice frame, struct hsm_unwrap *out)
{
    struct vault_input in = { .rest = frame };

    memset(out, 0, sizeof(*out));
    vault_take_frame_version(&in);
    out->count = count_take(&in, 1, HSM_SECRETS_MAX);
    for (size_t i = 0; i < out->count; i++) {
        key_take(&in, &out->secrets[i].key);
        wrapped_take(&in, &out->secrets[i].wrapped);
    }
    return vault_input_done(&in);
}

void
hsm_secrets_encode(struct buf *out, const struct hsm_secrets *secrets)
{
    bool is_whole = secrets->trouble == HSM_TROUBLE_NONE;

    buf_add_byte(out, (char)VAULT_FRAME_VERSION);
    buf_add_byte(out, (char)secrets->trouble);
    count_put(out, secrets->count, is_whole ? 1 : 0, is_whole ? HSM_SECRETS_MAX : 0);
    for (size_t i = 0; i < secrets->count; i++) {
        if (secrets->bytes[i].len != VAULT_KEY_BYTES)
            bug("a master secret of another size");
        buf_add(out, secrets->bytes[i]);
    }
}

enum err
hsm_secrets_decode(struct slice frame, struct hsm_secrets *out)
{
    struct vault_input in = { .rest = frame };

    memset(out, 0, sizeof(*out));
    vault_take_frame_version(&in);
    out->trouble = trouble_take(&in);
    bool is_whole = out->trouble == HSM_TROUBLE_NONE;
    out->count = count_take(&in, is_whole ? 1 : 0, is_whole ? HSM_SECRETS_MAX : 0);
    for (size_t i = 0; i < out->count; i++)
        out->bytes[i] = vault_take(&in, VAULT_KEY_BYTES);
    return vault_input_done(&in);
}
