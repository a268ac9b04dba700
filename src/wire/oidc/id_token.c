#include "wire/oidc/id_token.h"
#include "core/secret.h"
#include "wire/json/json.h"

const char *
id_token_fault_word(enum id_token_fault fault)
{
    switch (fault) {
    case ID_TOKEN_FAULT_NONE:
        return "none";
    case ID_TOKEN_FAULT_FORM:
        return "form";
    case ID_TOKEN_FAULT_ISSUER:
        return "issuer";
    case ID_TOKEN_FAULT_AUDIENCE:
        return "audience";
    case ID_TOKEN_FAULT_NONCE:
        return "nonce";
    case ID_TOKEN_FAULT_EXPIRED:
        return "expired";
    case ID_TOKEN_FAULT_FUTURE:
        return "future";
    }
    return "unknown";
}

/* We are its audience, alone or among others; with others it says that it was made for us. */
static bool
audience_fits(const json_t *claims, struct slice client_id)
{
    const json_t *audience = json_member(claims, "aud"), *party = json_member(claims, "azp");
    size_t count = json_array_size(audience);
    bool is_ours = slice_eq(json_text_of(claims, "aud"), client_id);

    for (size_t i = 0; i < count; i++) {
        const json_t *one = json_array_get(audience, i);
        is_ours |= json_is_string(one) &&
                   slice_eq(slice_of(json_string_value(one), json_string_length(one)), client_id);
    }
    if (!is_ours || (count > 1 && party == NULL))
        return false;
    return party == NULL || slice_eq(json_text_of(claims, "azp"), client_id);
}

/* Seconds since 1970; a fraction is cut off. false: no such claim, or none that a time could be. */
static bool
time_of(const json_t *claims, const char *member, int64_t *out)
{
    const json_t *value = json_member(claims, member);
    double real = json_is_real(value) ? json_real_value(value) : 0;

    if (json_is_integer(value))
        *out = json_integer_value(value);
    else if (json_is_real(value) && real >= 0 && real < 1e12)
        *out = (int64_t)real;
    else
        return false;
    return *out >= 0 && *out < INT64_C(1000000000000);
}

static enum id_token_fault
times_check(const json_t *claims, struct wall_time now)
{
    const int64_t now_s = now.us / 1000000;
    int64_t expires = 0, issued = 0, from = 0;

    if (!time_of(claims, "exp", &expires) || !time_of(claims, "iat", &issued) ||
        (json_member(claims, "nbf") != NULL && !time_of(claims, "nbf", &from)))
        return ID_TOKEN_FAULT_FORM;
    if (expires + ID_TOKEN_LEEWAY_S <= now_s)
        return ID_TOKEN_FAULT_EXPIRED;
    return issued > now_s + ID_TOKEN_LEEWAY_S || from > now_s + ID_TOKEN_LEEWAY_S ? ID_TOKEN_FAULT_FUTURE
                                                                                  : ID_TOKEN_FAULT_NONE;
}

static enum id_token_fault
claims_check(const struct id_token_expected *expected, const json_t *claims)
{
    const struct slice subject = json_text_of(claims, "sub"), email = json_text_of(claims, "email");

    if (!json_is_object(claims) || subject.len == 0 || subject.len > ID_TOKEN_SUBJECT_BYTES_MAX ||
        email.len > ID_TOKEN_EMAIL_BYTES_MAX)
        return ID_TOKEN_FAULT_FORM;
    if (!slice_eq(json_text_of(claims, "iss"), expected->issuer))
        return ID_TOKEN_FAULT_ISSUER;
    if (!audience_fits(claims, expected->client_id))
        return ID_TOKEN_FAULT_AUDIENCE;
    if (expected->nonce.len == 0 || !secret_eq(json_text_of(claims, "nonce"), expected->nonce))
        return ID_TOKEN_FAULT_NONCE;
    return times_check(claims, expected->now);
}

enum err
id_token_check(const struct id_token_expected *expected, struct slice payload, struct arena *arena,
               struct id_token *out, enum id_token_fault *fault_out)
{
    json_t *claims = NULL;

    *out = (struct id_token){ .is_email_verified = false };
    *fault_out = ID_TOKEN_FAULT_FORM;
    enum err err = json_parse(payload, &claims);
    if (err != ERR_OK)
        return err == ERR_NO_MEMORY ? err : ERR_IDENTITY_TOKEN;
    *fault_out = claims_check(expected, claims);
    err = *fault_out == ID_TOKEN_FAULT_NONE ? ERR_OK : ERR_IDENTITY_TOKEN;
    if (err == ERR_OK) {
        out->subject = arena_copy(arena, json_text_of(claims, "sub"));
        out->email = arena_copy(arena, json_text_of(claims, "email"));
        out->is_email_verified = out->email.len > 0 && json_is_true(json_member(claims, "email_verified"));
        err = out->subject.ptr == NULL || out->email.ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    json_decref(claims);
    return err;
}
