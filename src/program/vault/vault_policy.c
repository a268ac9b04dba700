#include "program/vault/vault_policy.h"

/* Sets of roles. */
#define ADMIN      (1u << VAULT_ROLE_ADMIN)
#define GATEWAY    (1u << VAULT_ROLE_GATEWAY)
#define DISPATCHER (1u << VAULT_ROLE_DISPATCHER)
#define WEBHOOKS   (1u << VAULT_ROLE_WEBHOOKS)
#define SCHEDULER  (1u << VAULT_ROLE_SCHEDULER)
#define SMSC       (1u << VAULT_ROLE_SMSC)
#define READERS    (GATEWAY | DISPATCHER | WEBHOOKS | SMSC)
#define SENDERS                                                                                              \
    (GATEWAY | DISPATCHER | SMSC) /* who takes a tenant's bytes in, and who hands them to a provider */
#define EVERYONE (ADMIN | GATEWAY | DISPATCHER | WEBHOOKS | SCHEDULER | SMSC)

/*
 * Sealed columns, and the roles that may do each operation on them. Nobody may open what somebody can use
 * without opening it: a secret that only signs or verifies never leaves the vault.
 */
// clang-format off
static const struct {
    enum vault_purpose purpose;
    const char *table, *column;
    unsigned seal, open, verify, match, sign;
} values[] = {
    /*                                                       seal        open                verify   match    sign */
    { VAULT_CONTENT,    "message",          "peer",         GATEWAY,    READERS,            0,       0,       0 },
    { VAULT_CONTENT,    "message",          "content",      GATEWAY,    READERS,            0,       0,       0 },
    { VAULT_CONTENT,    "message",          "metadata",     GATEWAY,    GATEWAY,            0,       0,       0 },
    { VAULT_CONTENT,    "message_fallback", "content",      GATEWAY,    SENDERS,            0,       0,       0 },
    { VAULT_CONTENT,    "event",            "content",      READERS,    GATEWAY | WEBHOOKS, 0,       0,       0 },
    { VAULT_CONTENT,    "provider_event",   "body",         GATEWAY | SMSC, GATEWAY,        0,       0,       0 },
    { VAULT_CONTENT,    "media",            "file_name",    GATEWAY,    GATEWAY | DISPATCHER,            0,       0,       0 },
    { VAULT_CONTENT,    "media_chunk",      "body",         GATEWAY | DISPATCHER, GATEWAY | DISPATCHER,            0,       0,       0 },
    { VAULT_CONTENT,    "webhook_delivery", "body",         WEBHOOKS,   WEBHOOKS,           0,       0,       0 },
    { VAULT_CONTENT,    "template",         "components",   GATEWAY | DISPATCHER, GATEWAY,  0,       0,       0 },
    { VAULT_CONTENT,    "template",         "draft",        GATEWAY,    DISPATCHER,         0,       0,       0 },
    { VAULT_CONTENT,    "person",           "name",         GATEWAY,    GATEWAY,            0,       0,       0 },
    { VAULT_CONTENT,    "person",           "email",        GATEWAY,    GATEWAY,            0,       0,       0 },
    { VAULT_CONTENT,    "invitation",       "email",        GATEWAY,    GATEWAY,            0,       0,       0 },
    { VAULT_CONTENT,    "email_change",     "email",        GATEWAY,    GATEWAY,            0,       0,       0 },
    { VAULT_CONTENT,    "oidc_identity",    "email",        GATEWAY,    GATEWAY,            0,       0,       0 },
    { VAULT_CONTENT,    "oidc_task",        "answer",       DISPATCHER, GATEWAY,            0,       0,       0 },
    { VAULT_CONTENT,    "webhook_attempt",  "answer",       WEBHOOKS,   GATEWAY,            0,       0,       0 },
    { VAULT_CONTENT,    "audit_private",    "part",         GATEWAY,    GATEWAY,            0,       0,       0 },
    { VAULT_CONTENT,    "consent_peer",     "peer",         GATEWAY,    GATEWAY,            0,       0,       0 },
    { VAULT_CONTENT,    "consent_evidence", "evidence",     GATEWAY,    GATEWAY,            0,       0,       0 },
    { VAULT_CONTENT,    "smpp_part",        "pdu",          GATEWAY,    GATEWAY,            0,       0,       0 },
    { VAULT_CREDENTIAL, "whatsapp_channel", "access_token", GATEWAY | DISPATCHER, DISPATCHER,         0,       0,       0 },
    { VAULT_CREDENTIAL, "whatsapp_channel", "app_secret",   GATEWAY,    0,                  GATEWAY, 0,       0 },
    { VAULT_CREDENTIAL, "whatsapp_channel", "verify_token", GATEWAY,    0,                  0,       GATEWAY, 0 },
    { VAULT_CREDENTIAL, "sms_connector",    "password",     GATEWAY,    SMSC,               0,       0,       0 },
    { VAULT_CREDENTIAL, "provider_task",    "request",      GATEWAY,    DISPATCHER,         0,       0,       0 },
    { VAULT_CREDENTIAL, "oidc_issuer",      "client_secret", ADMIN,     DISPATCHER,         0,       0,       0 },
    { VAULT_CREDENTIAL, "oidc_task",        "request",      GATEWAY,    DISPATCHER,         0,       0,       0 },
    { VAULT_CREDENTIAL, "mail_notice",      "data",         GATEWAY,    DISPATCHER,         0,       0,       0 },
    { VAULT_CREDENTIAL, "webhook_endpoint", "headers",      GATEWAY,    WEBHOOKS,           0,       0,       0 },
    { VAULT_CREDENTIAL, "webhook_endpoint", "client_key",   GATEWAY,    WEBHOOKS,           0,       0,       0 },
    { VAULT_CREDENTIAL, "webhook_endpoint", "secret",       GATEWAY,    0,                  0,       0,       WEBHOOKS },
};

/* Private keys, all of purpose credential, which the vault draws itself: nobody brings one and nobody opens one. */
static const struct {
    const char *table, *column;
    unsigned make, sign;
} signing_keys[] = {
    { "webhook_endpoint", "private_key", GATEWAY, WEBHOOKS },
    { "audit_key", "private_key", SCHEDULER, SCHEDULER },
};

/* Secrets for one-time codes, likewise of purpose credential and drawn here: who has one made sees it once. */
static const struct {
    const char *table, *column;
    unsigned make, check;
} totp_secrets[] = {
    { "totp", "secret", GATEWAY, GATEWAY },
};

/* The rest: blind indexes, a new tenant's keys, the vault's own facts; and who has a use for which kind of key. */
static const unsigned index_roles     = GATEWAY | DISPATCHER | SMSC;
static const unsigned make_keys_roles = ADMIN;
static const unsigned facts_roles     = EVERYONE;
static const unsigned usage_roles     = SCHEDULER;
/* What rotates keys: each works on what it is given and hands out nothing in the open. */
static const unsigned rotate_roles    = ADMIN;
static const unsigned key_load_roles[] = {
    [VAULT_CONTENT]    = READERS | ADMIN,
    [VAULT_CREDENTIAL] = READERS | ADMIN | SCHEDULER,
    [VAULT_INDEX]      = GATEWAY | DISPATCHER | SMSC,
};
// clang-format on

static bool
has_role(unsigned set, enum vault_role role)
{
    return (set & (1u << role)) != 0;
}

static bool
allows_signing_key(enum vault_role role, enum vault_op op, struct slice table, struct slice column)
{
    for (size_t i = 0; i < COUNT_OF(signing_keys); i++)
        if (slice_eq(slice_text(signing_keys[i].table), table) &&
            slice_eq(slice_text(signing_keys[i].column), column))
            return has_role(op == VAULT_OP_MAKE_ED25519 ? signing_keys[i].make : signing_keys[i].sign, role);
    return false;
}

static bool
allows_totp_secret(enum vault_role role, enum vault_op op, struct slice table, struct slice column)
{
    for (size_t i = 0; i < COUNT_OF(totp_secrets); i++)
        if (slice_eq(slice_text(totp_secrets[i].table), table) &&
            slice_eq(slice_text(totp_secrets[i].column), column))
            return has_role(op == VAULT_OP_MAKE_TOTP ? totp_secrets[i].make : totp_secrets[i].check, role);
    return false;
}

bool
vault_policy_allows_value(enum vault_role role, enum vault_op op, enum vault_purpose purpose,
                          struct slice table, struct slice column)
{
    if (op == VAULT_OP_MAKE_ED25519 || op == VAULT_OP_SIGN_ED25519)
        return purpose == VAULT_CREDENTIAL && allows_signing_key(role, op, table, column);
    if (op == VAULT_OP_MAKE_TOTP || op == VAULT_OP_CHECK_TOTP)
        return purpose == VAULT_CREDENTIAL && allows_totp_secret(role, op, table, column);
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        if (values[i].purpose != purpose || !slice_eq(slice_text(values[i].table), table) ||
            !slice_eq(slice_text(values[i].column), column))
            continue;
        switch (op) {
        case VAULT_OP_SEAL:
            return has_role(values[i].seal, role);
        case VAULT_OP_OPEN:
            return has_role(values[i].open, role);
        case VAULT_OP_VERIFY_MAC:
            return has_role(values[i].verify, role);
        case VAULT_OP_MATCHES:
            return has_role(values[i].match, role);
        case VAULT_OP_SIGN_MAC:
            return has_role(values[i].sign, role);
        case VAULT_OP_MAKE_ED25519:
        case VAULT_OP_SIGN_ED25519:
        case VAULT_OP_MAKE_TOTP:
        case VAULT_OP_CHECK_TOTP:
        case VAULT_OP_INDEX:
        case VAULT_OP_KEY_LOAD:
        case VAULT_OP_MAKE_KEYS:
        case VAULT_OP_FACTS:
        case VAULT_OP_RESEAL:
        case VAULT_OP_REWRAP:
        case VAULT_OP_MAKE_KEY:
        case VAULT_OP_FORGET:
        case VAULT_OP_KEK_FORGET:
        case VAULT_OP_USAGE:
            return false;
        }
    }
    return false;
}

bool
vault_policy_knows(enum vault_purpose purpose, struct slice table, struct slice column)
{
    for (size_t i = 0; i < COUNT_OF(values); i++)
        if (values[i].purpose == purpose && slice_eq(slice_text(values[i].table), table) &&
            slice_eq(slice_text(values[i].column), column))
            return true;
    for (size_t i = 0; i < COUNT_OF(signing_keys); i++)
        if (purpose == VAULT_CREDENTIAL && slice_eq(slice_text(signing_keys[i].table), table) &&
            slice_eq(slice_text(signing_keys[i].column), column))
            return true;
    for (size_t i = 0; i < COUNT_OF(totp_secrets); i++)
        if (purpose == VAULT_CREDENTIAL && slice_eq(slice_text(totp_secrets[i].table), table) &&
            slice_eq(slice_text(totp_secrets[i].column), column))
            return true;
    return false;
}

bool
vault_policy_allows_op(enum vault_role role, enum vault_op op)
{
    switch (op) {
    case VAULT_OP_INDEX:
        return has_role(index_roles, role);
    case VAULT_OP_MAKE_KEYS:
        return has_role(make_keys_roles, role);
    case VAULT_OP_FACTS:
        return has_role(facts_roles, role);
    case VAULT_OP_RESEAL:
    case VAULT_OP_REWRAP:
    case VAULT_OP_MAKE_KEY:
    case VAULT_OP_FORGET:
    case VAULT_OP_KEK_FORGET:
        return has_role(rotate_roles, role);
    case VAULT_OP_USAGE:
        return has_role(usage_roles, role);
    case VAULT_OP_SEAL:
    case VAULT_OP_OPEN:
    case VAULT_OP_VERIFY_MAC:
    case VAULT_OP_MATCHES:
    case VAULT_OP_SIGN_MAC:
    case VAULT_OP_MAKE_ED25519:
    case VAULT_OP_SIGN_ED25519:
    case VAULT_OP_MAKE_TOTP:
    case VAULT_OP_CHECK_TOTP:
    case VAULT_OP_KEY_LOAD:
        return false;
    }
    return false;
}

bool
vault_policy_allows_key(enum vault_role role, enum vault_purpose purpose)
{
    return has_role(key_load_roles[purpose], role);
}
