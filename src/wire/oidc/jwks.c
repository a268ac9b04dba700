#include "wire/oidc/jwks.h"
#include "crypto/encode.h"
#include "wire/json/json.h"
#include "wire/oidc/jws.h"

static enum err
number_read(const json_t *key, const char *member, struct arena *arena, struct slice *out)
{
    const struct slice text = json_text_of(key, member);
    size_t len = 0;

    if (text.len == 0 || text.len > (PUBLIC_KEY_RSA_BYTES_MAX + 2) / 3 * 4 ||
        slice_find(text, '=') != text.len)
        return ERR_ENCODING;
    unsigned char *octets = arena_alloc(arena, text.len / 4 * 3 + 3);
    if (octets == NULL)
        return ERR_NO_MEMORY;
    enum err err = decode_base64url(text, octets, &len);
    *out = slice_of(octets, len);
    return err;
}

/* ERR_ENCODING: it is no key of this algorithm. */
static enum err
key_read(const json_t *key, enum public_key_algorithm algorithm, struct arena *arena, struct public_key *out)
{
    const struct slice type = json_text_of(key, "kty"), curve = json_text_of(key, "crv");
    enum err err = ERR_ENCODING;

    *out = (struct public_key){ .algorithm = algorithm };
    switch (algorithm) {
    case PUBLIC_KEY_RS256:
        if (!slice_eq(type, SLICE("RSA")))
            return ERR_ENCODING;
        err = number_read(key, "n", arena, &out->modulus);
        if (err == ERR_OK)
            err = number_read(key, "e", arena, &out->exponent);
        break;
    case PUBLIC_KEY_ES256:
        if (!slice_eq(type, SLICE("EC")) || !slice_eq(curve, SLICE("P-256")))
            return ERR_ENCODING;
        err = number_read(key, "x", arena, &out->x);
        if (err == ERR_OK)
            err = number_read(key, "y", arena, &out->y);
        break;
    case PUBLIC_KEY_EDDSA:
        if (!slice_eq(type, SLICE("OKP")) || !slice_eq(curve, SLICE("Ed25519")))
            return ERR_ENCODING;
        err = number_read(key, "x", arena, &out->x);
        break;
    }
    if (err == ERR_OK)
        err = public_key_check(out);
    return err == ERR_SIGNATURE ? ERR_ENCODING : err;
}

/* Whether the set offers this one for signatures of the algorithm. */
static bool
is_meant(const json_t *key, enum public_key_algorithm algorithm, struct slice key_id)
{
    const struct slice use = json_text_of(key, "use"), alg = json_text_of(key, "alg");

    return (use.ptr == NULL || slice_eq(use, SLICE("sig"))) &&
           (alg.ptr == NULL || slice_eq(alg, slice_text(jws_algorithm_word(algorithm)))) &&
           (key_id.len == 0 || slice_eq(json_text_of(key, "kid"), key_id));
}

enum err
jwks_find(struct slice json, enum public_key_algorithm algorithm, struct slice key_id, struct arena *arena,
          struct public_key *key_out)
{
    struct public_key key;
    size_t found = 0;
    json_t *set = NULL;

    if (json.len > JWKS_BYTES_MAX)
        return ERR_ENCODING;
    enum err err = json_parse(json, &set);
    if (err != ERR_OK)
        return err == ERR_NO_MEMORY ? err : ERR_ENCODING;
    const json_t *keys = json_member(set, "keys");
    if (!json_is_array(keys) || json_array_size(keys) > JWKS_KEYS_MAX)
        err = ERR_ENCODING;
    for (size_t i = 0; err == ERR_OK && i < json_array_size(keys); i++) {
        const json_t *candidate = json_array_get(keys, i);
        if (!is_meant(candidate, algorithm, key_id))
            continue;
        err = key_read(candidate, algorithm, arena, &key);
        if (err == ERR_OK) {
            *key_out = key;
            found++;
        } else if (err == ERR_ENCODING) {
            err = ERR_OK;
        }
    }
    json_decref(set);
    return err == ERR_OK && found != 1 ? ERR_NOT_FOUND : err;
}
