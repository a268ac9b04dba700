#include "wire/webauthn/cose_key.h"
#include "wire/webauthn/cbor.h"

/* Labels (RFC 9052, table 4; RFC 9053, tables 18 to 20; RFC 8230, table 4). */
enum {
    LABEL_TYPE = 1,
    LABEL_ALGORITHM = 3,
    LABEL_CURVE_OR_MODULUS = -1,
    LABEL_X_OR_EXPONENT = -2,
    LABEL_Y = -3,
};
enum { TYPE_OKP = 1, TYPE_EC2 = 2, TYPE_RSA = 3, CURVE_P256 = 1, CURVE_ED25519 = 6 };

struct parameters {
    int64_t type, algorithm, curve;
    struct slice modulus, x_or_exponent, y;
};

static enum err
take_bytes(struct slice *input, struct slice *out)
{
    struct cbor_item item;
    enum err err = cbor_take_kind(input, CBOR_BYTES, &item);

    if (err == ERR_OK)
        *out = item.text;
    return err;
}

static enum err
take_parameter(struct slice *input, struct parameters *out)
{
    int64_t label = 0;
    enum err err = cbor_take_int(input, &label);

    if (err != ERR_OK)
        return err;
    switch (label) {
    case LABEL_TYPE:
        return cbor_take_int(input, &out->type);
    case LABEL_ALGORITHM:
        return cbor_take_int(input, &out->algorithm);
    case LABEL_CURVE_OR_MODULUS: /* which of the two, its own form says */
        return input->len > 0 && ((unsigned char)input->ptr[0] >> 5) == 2 ? take_bytes(input, &out->modulus)
                                                                          : cbor_take_int(input, &out->curve);
    case LABEL_X_OR_EXPONENT:
        return take_bytes(input, &out->x_or_exponent);
    case LABEL_Y: /* a point with its sign only would be `true` here: refused (WebAuthn, 5.8.5) */
        return take_bytes(input, &out->y);
    default:
        return ERR_ENCODING;
    }
}

/* Each kind needs as many parameters as it has: one that comes twice leaves another one out. */
static enum err
key_of(const struct parameters *p, uint64_t count, struct public_key *out)
{
    *out = (struct public_key){ .algorithm = PUBLIC_KEY_ES256 };
    if (p->type == TYPE_EC2 && p->algorithm == COSE_ES256 && p->curve == CURVE_P256 && count == 5) {
        out->x = p->x_or_exponent;
        out->y = p->y;
    } else if (p->type == TYPE_OKP && p->algorithm == COSE_EDDSA && p->curve == CURVE_ED25519 && count == 4) {
        out->algorithm = PUBLIC_KEY_EDDSA;
        out->x = p->x_or_exponent;
    } else if (p->type == TYPE_RSA && p->algorithm == COSE_RS256 && p->modulus.len > 0 && count == 4) {
        out->algorithm = PUBLIC_KEY_RS256;
        out->modulus = p->modulus;
        out->exponent = p->x_or_exponent;
    } else {
        return ERR_ENCODING;
    }
    enum err err = public_key_check(out);
    return err == ERR_SIGNATURE ? ERR_ENCODING : err;
}

enum err
cose_key_take(struct slice *input, struct public_key *key_out)
{
    struct parameters parameters = { .type = 0 };
    struct slice rest = *input;
    struct cbor_item map;

    enum err err = cbor_take_kind(&rest, CBOR_MAP, &map);
    for (uint64_t i = 0; err == ERR_OK && i < map.number; i++)
        err = take_parameter(&rest, &parameters);
    if (err == ERR_OK && input->len - rest.len > COSE_KEY_BYTES_MAX)
        err = ERR_ENCODING;
    if (err == ERR_OK)
        err = key_of(&parameters, map.number, key_out);
    if (err == ERR_OK)
        *input = rest;
    return err;
}

enum err
cose_key_read(struct slice bytes, struct public_key *key_out)
{
    enum err err = cose_key_take(&bytes, key_out);

    return err == ERR_OK && bytes.len != 0 ? ERR_ENCODING : err;
}

int
cose_algorithm(enum public_key_algorithm algorithm)
{
    switch (algorithm) {
    case PUBLIC_KEY_ES256:
        return COSE_ES256;
    case PUBLIC_KEY_EDDSA:
        return COSE_EDDSA;
    case PUBLIC_KEY_RS256:
        return COSE_RS256;
    }
    return 0;
}
