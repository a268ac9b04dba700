#include "program/dispatcher/oidc_exchanger.h"
#include "platform/net/http_client.h"
#include "wire/oidc/jwks.h"
#include <stdlib.h>

#define TIMEOUT_MS         10000 /* of one request; a person waits */
#define CONNECT_TIMEOUT_MS 5000
#define STEP_MS            250
#define DOCUMENTS_BYTES    (16u * 1024u) /* what is kept of a discovery document: four URLs */

struct known {               /* one issuer's documents */
    struct slice issuer;     /* in `documents` */
    struct arena *documents; /* owned; NULL: the place is free */
    struct oidc_discovery discovery;
    struct buf keys; /* the set as it came; empty: not fetched yet */
    struct mono_time discovered_at, keys_at, asked_at;
};

struct oidc_exchanger {
    struct oidc_exchanger_config config;
    struct address_guard guard;
    struct http_client *http;
    struct known known[OIDC_ISSUERS_KEPT];
    /* Of the request that is under way. */
    struct buf answer;
    int status; /* 0: there is none */
    bool is_done;
};

const char *
oidc_step_word(enum oidc_step step)
{
    static const char *const words[] = {
        [OIDC_STEP_DONE] = "done", [OIDC_STEP_DISCOVERY] = "discovery", [OIDC_STEP_CODE] = "code",
        [OIDC_STEP_KEYS] = "keys", [OIDC_STEP_SIGNATURE] = "signature", [OIDC_STEP_CLAIMS] = "claims"
    };

    return words[step];
}

enum err
oidc_exchanger_new(const struct oidc_exchanger_config *config, struct oidc_exchanger **out)
{
    struct oidc_exchanger *exchanger = calloc(1, sizeof(*exchanger));

    *out = NULL;
    if (exchanger == NULL)
        return ERR_NO_MEMORY;
    exchanger->config = *config;
    buf_init(&exchanger->answer, JWKS_BYTES_MAX);
    for (size_t i = 0; i < OIDC_ISSUERS_KEPT; i++)
        buf_init(&exchanger->known[i].keys, JWKS_BYTES_MAX);
    enum err err = address_guard_init(&exchanger->guard,
                                      config->allows_loopback ? SLICE("127.0.0.1/32,::1/128") : SLICE_EMPTY);
    if (err == ERR_OK)
        err = http_client_new(&(struct http_client_config){ .ca_file = config->ca_file,
                                                            .guard = &exchanger->guard,
                                                            .in_flight_max = 1,
                                                            .connections_per_host_max = 1,
                                                            .response_bytes_max = JWKS_BYTES_MAX,
                                                            .user_agent = "Harkara/" HARKARA_VERSION,
                                                            .resolve = config->resolve },
                              &exchanger->http);
    if (err != ERR_OK) {
        oidc_exchanger_free(exchanger);
        return err;
    }
    *out = exchanger;
    return ERR_OK;
}

static void
known_clear(struct known *known)
{
    arena_free(known->documents);
    buf_release(&known->keys);
    *known = (struct known){ .keys = known->keys };
}

void
oidc_exchanger_free(struct oidc_exchanger *exchanger)
{
    if (exchanger == NULL)
        return;
    http_client_free(exchanger->http);
    for (size_t i = 0; i < OIDC_ISSUERS_KEPT; i++)
        known_clear(&exchanger->known[i]);
    buf_release_wiped(&exchanger->answer);
    free(exchanger);
}

static void
on_done(void *ctx, const struct http_result *result)
{
    struct oidc_exchanger *exchanger = ctx;

    exchanger->status = result->failure == HTTP_FAILURE_NONE ? result->status : 0;
    if (exchanger->status != 0)
        buf_add(&exchanger->answer, result->body);
    exchanger->is_done = true;
}

/* One request, to its end. The answer is in exchanger->answer; whatever is not 200 with a body is no good. */
static enum err
ask(struct oidc_exchanger *exchanger, const char *method, struct slice url, const char *const *headers,
    struct slice body, struct arena *arena)
{
    char *text = NULL;

    buf_release_wiped(&exchanger->answer);
    exchanger->status = 0;
    exchanger->is_done = false;
    enum err err = arena_text(arena, url, &text);
    if (err == ERR_OK)
        err =
            http_client_start(exchanger->http, &(struct http_call){ .method = method,
                                                                    .url = text,
                                                                    .headers = headers,
                                                                    .body = body,
                                                                    .timeout_ms = TIMEOUT_MS,
                                                                    .connect_timeout_ms = CONNECT_TIMEOUT_MS,
                                                                    .ctx = exchanger,
                                                                    .done = on_done });
    while (err == ERR_OK && !exchanger->is_done)
        err = http_client_run(exchanger->http, -1, STEP_MS);
    if (err == ERR_OK)
        err = buf_done(&exchanger->answer);
    if (err == ERR_OK && exchanger->status != 200)
        err = ERR_IDENTITY_PROVIDER;
    return err == ERR_NO_MEMORY || err == ERR_OK ? err : ERR_IDENTITY_PROVIDER;
}

static const char *const get_headers[] = { "Accept: application/json", NULL };

static bool
is_older(const struct oidc_exchanger *exchanger, struct mono_time since, int64_t ms)
{
    return clock_mono(exchanger->config.clock).us - since.us >= ms * 1000;
}

/* The issuer's place; or a free one, or that of whoever was asked longest ago, cleared. */
static struct known *
place_of(struct oidc_exchanger *exchanger, struct slice issuer)
{
    struct known *place = &exchanger->known[0];

    for (size_t i = 0; i < OIDC_ISSUERS_KEPT; i++) {
        struct known *known = &exchanger->known[i];
        if (known->documents != NULL && slice_eq(known->issuer, issuer))
            return known;
        if (place->documents != NULL && (known->documents == NULL || known->asked_at.us < place->asked_at.us))
            place = known;
    }
    known_clear(place);
    return place;
}

static enum err
discover(struct oidc_exchanger *exchanger, struct slice issuer, struct known **out)
{
    struct known *known = place_of(exchanger, issuer);
    struct arena *documents = NULL;
    struct oidc_discovery found;
    struct buf url;
    enum err err = ERR_IDENTITY_PROVIDER;

    known->asked_at = clock_mono(exchanger->config.clock);
    *out = known;
    if (known->documents != NULL && !is_older(exchanger, known->discovered_at, OIDC_DOCUMENT_AGE_MS))
        return ERR_OK;
    buf_init(&url, OIDC_URL_BYTES_MAX + 64);
    if (!oidc_url_is_fit(issuer, exchanger->config.allows_loopback))
        goto done;
    documents = arena_new(DOCUMENTS_BYTES);
    oidc_discovery_url(&url, issuer);
    err = documents == NULL ? ERR_NO_MEMORY : buf_done(&url);
    if (err == ERR_OK)
        err = ask(exchanger, "GET", buf_slice(&url), get_headers, SLICE_EMPTY, documents);
    if (err == ERR_OK) {
        err = oidc_discovery_read(buf_slice(&exchanger->answer), issuer, exchanger->config.allows_loopback,
                                  documents, &found);
        err = err == ERR_ENCODING ? ERR_IDENTITY_PROVIDER : err;
    }
    struct slice name = err == ERR_OK ? arena_copy(documents, issuer) : SLICE_EMPTY;
    if (err == ERR_OK && name.ptr == NULL)
        err = ERR_NO_MEMORY;
    if (err != ERR_OK)
        goto done;
    known_clear(known); /* its keys too: they may be elsewhere now */
    known->issuer = name;
    known->documents = documents;
    known->discovery = found;
    known->discovered_at = known->asked_at = clock_mono(exchanger->config.clock);
    documents = NULL;
done:
    arena_free(documents);
    buf_release(&url);
    return err;
}

enum err
oidc_exchanger_discover(struct oidc_exchanger *exchanger, struct slice issuer,
                        const struct oidc_discovery **out, struct oidc_trouble *trouble)
{
    struct known *known = NULL;
    enum err err = discover(exchanger, issuer, &known);

    *trouble = (struct oidc_trouble){ .step = err == ERR_OK ? OIDC_STEP_DONE : OIDC_STEP_DISCOVERY,
                                      .status = err == ERR_OK ? 0 : exchanger->status };
    *out = err == ERR_OK ? &known->discovery : NULL;
    return err;
}

static enum err
keys_fetch(struct oidc_exchanger *exchanger, struct known *known, struct arena *arena)
{
    enum err err = ask(exchanger, "GET", known->discovery.jwks_uri, get_headers, SLICE_EMPTY, arena);

    known->keys_at = clock_mono(exchanger->config.clock); /* also of an attempt that failed */
    if (err != ERR_OK)
        return err;
    buf_clear(&known->keys);
    buf_add(&known->keys, buf_slice(&exchanger->answer));
    return buf_done(&known->keys);
}

/* The key that the token names. One that is not known may be new: then the keys are fetched again. */
static enum err
key_of(struct oidc_exchanger *exchanger, struct known *known, const struct jws *jws, struct arena *arena,
       struct public_key *out)
{
    bool is_fresh = false;
    enum err err = ERR_OK;

    if (known->keys.len == 0 || is_older(exchanger, known->keys_at, OIDC_DOCUMENT_AGE_MS)) {
        err = keys_fetch(exchanger, known, arena);
        is_fresh = true;
    }
    if (err == ERR_OK)
        err = jwks_find(buf_slice(&known->keys), jws->algorithm, jws->key_id, arena, out);
    if (err == ERR_NOT_FOUND && !is_fresh && is_older(exchanger, known->keys_at, OIDC_KEYS_REFETCH_MS)) {
        err = keys_fetch(exchanger, known, arena);
        if (err == ERR_OK)
            err = jwks_find(buf_slice(&known->keys), jws->algorithm, jws->key_id, arena, out);
    }
    return err == ERR_ENCODING ? ERR_IDENTITY_PROVIDER : err == ERR_NOT_FOUND ? ERR_IDENTITY_TOKEN : err;
}

/* The code, for the ID token. A code that the issuer refuses is the person's to get anew. */
static enum err
code_redeem(struct oidc_exchanger *exchanger, const struct known *known, const struct oidc_exchange *with,
            struct arena *arena, struct slice *id_token_out)
{
    const char *headers[] = { "Content-Type: application/x-www-form-urlencoded", "Accept: application/json",
                              NULL, NULL };
    struct buf body, authorization, line;
    char *text = NULL;

    buf_init(&body, 65536);
    buf_init(&authorization, 32768);
    buf_init(&line, 32768 + 32);
    oidc_token_request(with, known->discovery.wants_secret_post, &body, &authorization);
    enum err err = buf_done(&body) == ERR_OK ? buf_done(&authorization) : buf_done(&body);
    if (err == ERR_OK && authorization.len > 0) {
        buf_add_text(&line, "Authorization: ");
        buf_add(&line, buf_slice(&authorization));
        err = buf_done(&line) == ERR_OK ? arena_text(arena, buf_slice(&line), &text) : buf_done(&line);
        headers[2] = text;
    }
    if (err == ERR_OK)
        err = ask(exchanger, "POST", known->discovery.token_endpoint, headers, buf_slice(&body), arena);
    if (err == ERR_IDENTITY_PROVIDER && exchanger->status == 400)
        err = ERR_IDENTITY_TOKEN;
    if (err == ERR_OK) {
        err = oidc_token_answer(buf_slice(&exchanger->answer), arena, id_token_out);
        err = err == ERR_ENCODING ? ERR_IDENTITY_PROVIDER : err;
    }
    buf_release_wiped(&body);
    buf_release_wiped(&authorization);
    buf_release_wiped(&line);
    return err;
}

enum err
oidc_exchanger_run(struct oidc_exchanger *exchanger, const struct oidc_party *party,
                   const struct oidc_exchange *with, struct slice nonce, struct arena *arena,
                   struct id_token *out, struct oidc_trouble *trouble)
{
    const struct id_token_expected expected = { party->issuer, party->client_id, nonce,
                                                clock_wall(exchanger->config.clock) };
    struct known *known = NULL;
    struct slice token = SLICE_EMPTY;
    struct public_key key;
    struct jws jws;

    *trouble = (struct oidc_trouble){ .step = OIDC_STEP_DISCOVERY };
    *out = (struct id_token){ .is_email_verified = false };
    enum err err = discover(exchanger, party->issuer, &known);
    if (err != ERR_OK)
        goto done;
    trouble->step = OIDC_STEP_CODE;
    err = code_redeem(exchanger, known, with, arena, &token);
    if (err != ERR_OK)
        goto done;
    trouble->step = OIDC_STEP_SIGNATURE; /* its form and algorithm, before any key is asked for */
    err = jws_read(token, party->algorithm, arena, &jws);
    if (err != ERR_OK)
        goto done;
    trouble->step = OIDC_STEP_KEYS;
    err = key_of(exchanger, known, &jws, arena, &key);
    if (err != ERR_OK)
        goto done;
    trouble->step = OIDC_STEP_SIGNATURE;
    err = jws_verify(&jws, &key);
    if (err != ERR_OK)
        goto done;
    trouble->step = OIDC_STEP_CLAIMS;
    err = id_token_check(&expected, jws.payload, arena, out, &trouble->fault);
    if (err == ERR_OK)
        trouble->step = OIDC_STEP_DONE;
done:
    if (err != ERR_OK && exchanger->status != 200)
        trouble->status = exchanger->status;
    buf_release_wiped(&exchanger->answer); /* tokens */
    return err == ERR_ENCODING || err == ERR_SIGNATURE ? ERR_IDENTITY_TOKEN : err;
}
