#include "wire/oidc/jws.h"
#include "crypto/encode.h"
#include "wire/json/json.h"

static const char *const words[] = {
    [PUBLIC_KEY_ES256] = "ES256", [PUBLIC_KEY_EDDSA] = "EdDSA", [PUBLIC_KEY_RS256] = "RS256"
};

const char *
jws_algorithm_word(enum public_key_algorithm algorithm)
{
    return words[algorithm];
}

enum err
jws_algorithm_from(struct slice word, enum public_key_algorithm *out)
{
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (slice_eq(word, slice_text(words[i]))) {
            *out = (enum public_key_algorithm)i;
            return ERR_OK;
        }
    return ERR_NOT_FOUND;
}

static enum err
part_decode(struct slice text, struct arena *arena, struct slice *out)
{
    size_t len = 0;

    if (text.len == 0 || slice_find(text, '=') != text.len) /* RFC 7515, 2: without padding */
        return ERR_ENCODING;
    unsigned char *octets = arena_alloc(arena, text.len / 4 * 3 + 3);
    if (octets == NULL)
        return ERR_NO_MEMORY;
    enum err err = decode_base64url(text, octets, &len);
    *out = slice_of(octets, len);
    return err;
}

/* What would have us take a key, an extension or an encoding from the header is refused with the header. */
static enum err
header_read(struct slice text, enum public_key_algorithm algorithm, struct arena *arena, struct jws *out)
{
    static const char *const refused[] = { "crit", "jwk", "jku", "x5u", "x5c", "b64" };
    json_t *header = NULL;

    enum err err = json_parse(text, &header);
    if (err != ERR_OK)
        return err == ERR_NO_MEMORY ? err : ERR_ENCODING;
    const struct slice key_id = json_text_of(header, "kid");
    err = slice_eq(json_text_of(header, "alg"), slice_text(words[algorithm])) ? ERR_OK : ERR_ENCODING;
    for (size_t i = 0; i < COUNT_OF(refused); i++)
        if (json_member(header, refused[i]) != NULL)
            err = ERR_ENCODING;
    if ((json_member(header, "kid") != NULL && key_id.ptr == NULL) || key_id.len > JWS_KEY_ID_BYTES_MAX)
        err = ERR_ENCODING;
    if (err == ERR_OK && key_id.len > 0) {
        out->key_id = arena_copy(arena, key_id);
        err = out->key_id.ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    json_decref(header);
    return err;
}

enum err
jws_read(struct slice text, enum public_key_algorithm algorithm, struct arena *arena, struct jws *out)
{
    struct slice rest = text, header;

    *out = (struct jws){ .algorithm = algorithm };
    if (text.len > JWS_BYTES_MAX)
        return ERR_ENCODING;
    struct slice first = slice_take_until(&rest, '.'), second = slice_take_until(&rest, '.');
    if (first.len + second.len + 2 > text.len || slice_find(rest, '.') != rest.len)
        return ERR_ENCODING;
    out->signed_part = slice_first(text, first.len + 1 + second.len);
    enum err err = part_decode(first, arena, &header);
    if (err == ERR_OK)
        err = header_read(header, algorithm, arena, out);
    if (err == ERR_OK)
        err = part_decode(second, arena, &out->payload);
    if (err == ERR_OK)
        err = part_decode(rest, arena, &out->signature);
    return err;
}

enum err
jws_verify(const struct jws *jws, const struct public_key *key)
{
    if (key->algorithm != jws->algorithm)
        return ERR_SIGNATURE;
    return public_key_verify(key, SIGNATURE_FORM_RAW, jws->signed_part, jws->signature);
}
