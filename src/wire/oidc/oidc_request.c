#include "wire/oidc/oidc_request.h"
#include "crypto/encode.h"
#include "crypto/hash.h"
#include "wire/json/json.h"
#include "wire/oidc/jws.h"

enum err
oidc_pkce(const unsigned char random[static 32], char verifier_out[static OIDC_VERIFIER_BYTES],
          char challenge_out[static OIDC_VERIFIER_BYTES])
{
    unsigned char hash[HASH_BYTES];
    struct buf text;

    buf_init(&text, 2 * OIDC_VERIFIER_BYTES);
    encode_base64url(&text, slice_of(random, 32));
    enum err err = buf_done(&text);
    if (err == ERR_OK)
        err = hash_sha256(buf_slice(&text), hash);
    if (err == ERR_OK) {
        encode_base64url(&text, slice_of(hash, sizeof(hash)));
        err = buf_done(&text);
    }
    if (err == ERR_OK) {
        memcpy(verifier_out, text.ptr, OIDC_VERIFIER_BYTES);
        memcpy(challenge_out, text.ptr + OIDC_VERIFIER_BYTES, OIDC_VERIFIER_BYTES);
    }
    buf_release_wiped(&text);
    return err;
}

/* Unreserved characters stay (RFC 3986, 2.3), which a form's own encoding decodes to the same. */
static void
add_encoded(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
            c == '.' || c == '_' || c == '~')
            buf_add_byte(out, (char)c);
        else
            buf_add_format(out, "%%%02X", c);
    }
}

static void
add_field(struct buf *out, const char *name, struct slice value)
{
    buf_add_text(out, name);
    buf_add_byte(out, '=');
    add_encoded(out, value);
}

void
oidc_authorization_url(struct buf *out, struct slice endpoint, const struct oidc_authorization *with)
{
    buf_add(out, endpoint);
    buf_add_byte(out, slice_find(endpoint, '?') == endpoint.len ? '?' : '&');
    buf_add_text(out, "response_type=code&scope=openid%20email&code_challenge_method=S256&");
    add_field(out, "client_id", with->client_id);
    add_field(out, "&redirect_uri", with->redirect_uri);
    add_field(out, "&state", with->state);
    add_field(out, "&nonce", with->nonce);
    add_field(out, "&code_challenge", with->challenge);
}

bool
oidc_answer_is_of(struct slice named, struct slice issuer, bool names_itself)
{
    return named.ptr == NULL ? !names_itself : slice_eq(named, issuer);
}

/* RFC 6749, 2.3.1: both are encoded as in a form before they are joined. */
static void
add_basic(struct buf *out, const struct oidc_exchange *with)
{
    struct buf pair;

    buf_init(&pair, 16384);
    add_encoded(&pair, with->client_id);
    buf_add_byte(&pair, ':');
    add_encoded(&pair, with->client_secret);
    if (buf_done(&pair) == ERR_OK) {
        buf_add_text(out, "Basic ");
        encode_base64(out, buf_slice(&pair));
    } else {
        out->err = out->err == ERR_OK ? buf_done(&pair) : out->err;
    }
    buf_release_wiped(&pair);
}

void
oidc_token_request(const struct oidc_exchange *with, bool wants_secret_post, struct buf *body_out,
                   struct buf *authorization_out)
{
    buf_add_text(body_out, "grant_type=authorization_code");
    add_field(body_out, "&code", with->code);
    add_field(body_out, "&redirect_uri", with->redirect_uri);
    add_field(body_out, "&code_verifier", with->verifier);
    if (wants_secret_post) {
        add_field(body_out, "&client_id", with->client_id);
        add_field(body_out, "&client_secret", with->client_secret);
    } else {
        add_basic(authorization_out, with);
    }
}

enum err
oidc_token_answer(struct slice json, struct arena *arena, struct slice *id_token_out)
{
    json_t *answer = NULL;

    *id_token_out = SLICE_EMPTY;
    if (json.len > OIDC_TOKEN_ANSWER_BYTES_MAX)
        return ERR_ENCODING;
    enum err err = json_parse(json, &answer);
    if (err != ERR_OK)
        return err == ERR_NO_MEMORY ? err : ERR_ENCODING;
    const struct slice token = json_text_of(answer, "id_token");
    if (token.len == 0 || token.len > JWS_BYTES_MAX) {
        err = ERR_ENCODING;
    } else {
        *id_token_out = arena_copy(arena, token);
        err = id_token_out->ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    json_decref(answer);
    return err;
}
