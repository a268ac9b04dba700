#include "wire/oidc/oidc_discovery.h"
#include "wire/json/json.h"

static bool
is_loopback(struct slice host)
{
    return slice_eq(host, SLICE("127.0.0.1")) || slice_eq(host, SLICE("[::1]"));
}

bool
oidc_url_is_fit(struct slice url, bool allows_loopback)
{
    const bool is_http = slice_starts_with(url, SLICE("http://"));
    struct slice rest = slice_drop(url, is_http ? 7 : 8), authority = rest;

    if (url.len > OIDC_URL_BYTES_MAX || (!is_http && !slice_starts_with(url, SLICE("https://"))))
        return false;
    for (size_t i = 0; i < url.len; i++)
        if (url.ptr[i] <= ' ' || url.ptr[i] > '~' || strchr("#\"<>\\^`{|}", url.ptr[i]) != NULL)
            return false;
    authority = slice_first(rest, slice_find(rest, '/'));
    authority = slice_first(authority, slice_find(authority, '?'));
    if (authority.len == 0 || authority.ptr[0] == ':' || slice_find(authority, '@') != authority.len)
        return false;
    size_t host_bytes = slice_find(authority, ':');
    if (authority.ptr[0] == '[') {
        host_bytes = slice_find(authority, ']') + 1;
        if (host_bytes > authority.len)
            return false;
    }
    return !is_http || (allows_loopback && is_loopback(slice_first(authority, host_bytes)));
}

void
oidc_discovery_url(struct buf *out, struct slice issuer)
{
    buf_add(out, slice_ends_with(issuer, SLICE("/")) ? slice_first(issuer, issuer.len - 1) : issuer);
    buf_add_text(out, "/.well-known/openid-configuration");
}

/* Whether the list names the word; a list that is not there names what the standard says is then meant. */
static bool
list_has(const json_t *document, const char *member, const char *word, bool without)
{
    const json_t *list = json_member(document, member);

    if (list == NULL)
        return without;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *one = json_string_value(json_array_get(list, i));
        if (one != NULL && strcmp(one, word) == 0)
            return true;
    }
    return false;
}

static enum err
url_read(const json_t *document, const char *member, bool allows_loopback, struct arena *arena,
         struct slice *out)
{
    const struct slice url = json_text_of(document, member);

    if (!oidc_url_is_fit(url, allows_loopback))
        return ERR_ENCODING;
    *out = arena_copy(arena, url);
    return out->ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
}

enum err
oidc_discovery_read(struct slice json, struct slice issuer, bool allows_loopback, struct arena *arena,
                    struct oidc_discovery *out)
{
    json_t *document = NULL;

    *out = (struct oidc_discovery){ .names_itself = false };
    if (json.len > OIDC_DOCUMENT_BYTES_MAX)
        return ERR_ENCODING;
    enum err err = json_parse(json, &document);
    if (err != ERR_OK)
        return err == ERR_NO_MEMORY ? err : ERR_ENCODING;
    if (!slice_eq(json_text_of(document, "issuer"), issuer) ||
        !list_has(document, "code_challenge_methods_supported", "S256", true) ||
        !list_has(document, "response_types_supported", "code", true))
        err = ERR_ENCODING;
    if (err == ERR_OK)
        err = url_read(document, "authorization_endpoint", allows_loopback, arena,
                       &out->authorization_endpoint);
    if (err == ERR_OK)
        err = url_read(document, "token_endpoint", allows_loopback, arena, &out->token_endpoint);
    if (err == ERR_OK)
        err = url_read(document, "jwks_uri", allows_loopback, arena, &out->jwks_uri);
    out->names_itself = json_is_true(json_member(document, "authorization_response_iss_parameter_supported"));
    out->wants_secret_post =
        !list_has(document, "token_endpoint_auth_methods_supported", "client_secret_basic", true) &&
        list_has(document, "token_endpoint_auth_methods_supported", "client_secret_post", false);
    json_decref(document);
    return err;
}
