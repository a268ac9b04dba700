/*
 * For federation.test.js: the dispatcher's exchange, one JSON object a line in and one out, so that it can be
 * held against an issuer that is somebody else's code. {"issuer", "client_id", "client_secret",
 * "redirect_uri", "code", "verifier", "nonce", "algorithm"} gives {"result", "step", "fault", "status",
 * "subject", "email", "is_email_verified"}; without a code the discovery alone, {"result",
 * "authorization_endpoint", "names_itself"}; {"advance_ms"} moves the clock.
 */
#include "core/secret.h"
#include "program/dispatcher/oidc_exchanger.h"
#include "wire/json/json.h"
#include <stdio.h>
#include <stdlib.h>

/* The wall's hands go with the issuer's; those that documents age by are moved by hand alone. */
static int64_t ahead_us;

static struct wall_time
wall_ahead(const struct clock *clock)
{
    (void)clock;
    return (struct wall_time){ clock_wall(clock_system()).us + ahead_us };
}

static struct mono_time
mono_by_hand(const struct clock *clock)
{
    (void)clock;
    return (struct mono_time){ ahead_us };
}

static const struct clock hands = { wall_ahead, mono_by_hand };
static struct oidc_exchanger *exchanger;

static json_t *
text_json(struct slice text)
{
    return json_stringn(text.len == 0 ? "" : text.ptr, text.len);
}

static json_t *
discovered(const json_t *line)
{
    const struct oidc_discovery *found = NULL;
    struct oidc_trouble trouble;
    enum err err = oidc_exchanger_discover(exchanger, json_text_of(line, "issuer"), &found, &trouble);

    return json_pack("{s:s,s:o,s:b}", "result", err_code(err), "authorization_endpoint",
                     text_json(err == ERR_OK ? found->authorization_endpoint : SLICE_EMPTY), "names_itself",
                     err == ERR_OK && found->names_itself);
}

static json_t *
exchanged(const json_t *line, struct arena *arena)
{
    struct oidc_party party = { json_text_of(line, "issuer"), json_text_of(line, "client_id"),
                                PUBLIC_KEY_RS256 };
    const struct oidc_exchange with = { party.client_id, json_text_of(line, "client_secret"),
                                        json_text_of(line, "redirect_uri"), json_text_of(line, "code"),
                                        json_text_of(line, "verifier") };
    struct oidc_trouble trouble;
    struct id_token token;

    if (jws_algorithm_from(json_text_of(line, "algorithm"), &party.algorithm) != ERR_OK)
        return json_pack("{s:s}", "result", "algorithm");
    enum err err =
        oidc_exchanger_run(exchanger, &party, &with, json_text_of(line, "nonce"), arena, &token, &trouble);
    return json_pack("{s:s,s:s,s:s,s:i,s:o,s:o,s:b}", "result", err_code(err), "step",
                     oidc_step_word(trouble.step), "fault", id_token_fault_word(trouble.fault), "status",
                     trouble.status, "subject", text_json(token.subject), "email", text_json(token.email),
                     "is_email_verified", token.is_email_verified);
}

static json_t *
answer_to(const json_t *line, struct arena *arena)
{
    int64_t ms = 0;

    if (json_int_of(line, "advance_ms", &ms)) {
        ahead_us += ms * 1000;
        return json_pack("{s:s}", "result", "ok");
    }
    return json_member(line, "code") == NULL ? discovered(line) : exchanged(line, arena);
}

int
main(void)
{
    struct arena *arena = arena_new(1u << 20);
    char *text = NULL;
    size_t size = 0;

    if (arena == NULL || secret_pool_open_unlocked(1u << 20) != ERR_OK ||
        oidc_exchanger_new(&(struct oidc_exchanger_config){ .ca_file = "/nonexistent",
                                                            .clock = &hands,
                                                            .allows_loopback = true },
                           &exchanger) != ERR_OK)
        return 1;
    for (ssize_t len; (len = getline(&text, &size, stdin)) > 0;) {
        json_t *line = NULL;
        if (json_parse(slice_of(text, (size_t)len), &line) != ERR_OK)
            return 1;
        json_t *answer = answer_to(line, arena);
        char *out = json_dumps(answer, JSON_COMPACT);
        puts(out);
        fflush(stdout);
        free(out);
        json_decref(answer);
        json_decref(line);
        arena_reset(arena);
    }
    free(text);
    oidc_exchanger_free(exchanger);
    arena_free(arena);
    return 0;
}
