#include "core/unit.h"
#include "program/vault/vault_policy.h"
#include <stdio.h>

/*
 * What is allowed, said a second time and in another form, so that a slip in the table shows. Everything that
 * is not here must be refused.
 */
static const char *const allowed_values[] = {
    "gateway seal content message.peer",
    "gateway seal content message.content",
    "gateway seal content message.metadata",
    "gateway seal content event.content",
    "gateway seal content provider_event.body",
    "gateway seal content media.file_name",
    "gateway seal content media_chunk.body",
    "gateway seal credential whatsapp_channel.access_token",
    "gateway seal credential whatsapp_channel.app_secret",
    "gateway seal credential whatsapp_channel.verify_token",
    "gateway seal credential webhook_endpoint.secret",
    "gateway seal credential provider_task.request",
    "gateway seal credential webhook_endpoint.headers",
    "gateway seal credential webhook_endpoint.client_key",
    "gateway seal content template.components",
    "dispatcher seal content template.components",
    "gateway open content template.components",
    "gateway seal content template.draft",
    "dispatcher open content template.draft",
    "gateway seal content oidc_identity.email",
    "gateway open content oidc_identity.email",
    "dispatcher seal content oidc_task.answer",
    "gateway open content oidc_task.answer",
    "admin seal credential oidc_issuer.client_secret",
    "dispatcher open credential oidc_issuer.client_secret",
    "gateway seal credential oidc_task.request",
    "dispatcher open credential oidc_task.request",
    "gateway seal content invitation.email",
    "gateway seal content email_change.email",
    "gateway seal credential mail_notice.data",
    "dispatcher open credential mail_notice.data",
    "gateway open content invitation.email",
    "gateway open content email_change.email",
    "gateway seal content audit_private.part",
    "gateway open content audit_private.part",
    "gateway seal content consent_peer.peer",
    "gateway open content consent_peer.peer",
    "gateway seal content consent_evidence.evidence",
    "gateway open content consent_evidence.evidence",
    "gateway seal content smpp_part.pdu",
    "gateway open content smpp_part.pdu",
    "gateway open content message.peer",
    "gateway open content message.content",
    "gateway open content message.metadata",
    "gateway open content event.content",
    "gateway open content provider_event.body",
    "gateway open content webhook_attempt.answer",
    "gateway open content media.file_name",
    "gateway open content media_chunk.body",
    "gateway verify credential whatsapp_channel.app_secret",
    "gateway match credential whatsapp_channel.verify_token",
    "gateway make_ed25519 credential webhook_endpoint.private_key",
    "gateway make_totp credential totp.secret",
    "gateway check_totp credential totp.secret",
    "dispatcher seal content event.content",
    "dispatcher seal content media_chunk.body",
    "dispatcher open content message.peer",
    "dispatcher open content message.content",
    "dispatcher open content media.file_name",
    "dispatcher open content media_chunk.body",
    "dispatcher open credential whatsapp_channel.access_token",
    "dispatcher seal credential whatsapp_channel.access_token",
    "dispatcher open credential provider_task.request",
    "smsc open content message.peer",
    "smsc open content message.content",
    "smsc seal content event.content",
    "smsc seal content provider_event.body",
    "smsc open credential sms_connector.password",
    "gateway seal credential sms_connector.password",
    "webhooks seal content event.content",
    "webhooks seal content webhook_delivery.body",
    "webhooks seal content webhook_attempt.answer",
    "webhooks open content message.peer",
    "webhooks open content message.content",
    "webhooks open content event.content",
    "webhooks open content webhook_delivery.body",
    "webhooks open credential webhook_endpoint.headers",
    "webhooks open credential webhook_endpoint.client_key",
    "webhooks sign credential webhook_endpoint.secret",
    "webhooks sign_ed25519 credential webhook_endpoint.private_key",
    "scheduler make_ed25519 credential audit_key.private_key",
    "scheduler sign_ed25519 credential audit_key.private_key",
};
static const char *const allowed_others[] = {
    "admin make_keys",
    "admin facts",
    "admin reseal",
    "admin rewrap",
    "admin make_key",
    "admin forget",
    "admin kek_forget",
    "admin key content",
    "admin key credential",
    "gateway index",
    "gateway facts",
    "gateway key content",
    "gateway key credential",
    "gateway key index",
    "dispatcher index",
    "dispatcher facts",
    "dispatcher key content",
    "dispatcher key credential",
    "dispatcher key index",
    "smsc index",
    "smsc facts",
    "smsc key content",
    "smsc key credential",
    "smsc key index",
    "webhooks facts",
    "webhooks key content",
    "webhooks key credential",
    "scheduler facts",
    "scheduler usage",
    "scheduler key credential",
};

/* Every table and column with sealed values, and some that have none or only look like one. */
static const char *const tables[] = { "message",          "event",
                                      "provider_event",   "webhook_delivery",
                                      "whatsapp_channel", "webhook_endpoint",
                                      "tenant_key",       "kek",
                                      "messag",           "messages",
                                      "provider_task",    "media",
                                      "media_chunk",      "template",
                                      "webhook_attempt",  "audit_private",
                                      "audit_key",        "totp",
                                      "invitation",       "email_change",
                                      "oidc_issuer",      "oidc_identity",
                                      "oidc_task",        "mail_notice",
                                      "sms_connector",    "consent_peer",
                                      "consent_evidence", "smpp_part" };
static const char *const columns[] = {
    "peer",          "content",    "body",     "answer",   "access_token", "app_secret", "verify_token",
    "private_key",   "secret",     "secre",    "secrets",  "wrapped",      "request",    "file_name",
    "headers",       "components", "email",    "draft",    "metadata",     "client_key", "part",
    "client_secret", "data",       "password", "evidence", "pdu"
};

static bool
is_listed(const char *const *list, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i], text) == 0)
            return true;
    return false;
}

static void
what_is_not_allowed_of_values_is_refused(void **state UNUSED)
{
    size_t seen = 0;

    for (int role = 1; role <= (int)VAULT_ROLE_LAST; role++)
        for (int op = 1; op <= (int)VAULT_OP_LAST; op++)
            for (int purpose = 1; purpose <= (int)VAULT_INDEX; purpose++)
                for (size_t t = 0; t < COUNT_OF(tables); t++)
                    for (size_t c = 0; c < COUNT_OF(columns); c++) {
                        char text[128];
                        snprintf(text, sizeof(text), "%s %s %s %s.%s", vault_role_name((enum vault_role)role),
                                 vault_op_name((enum vault_op)op),
                                 vault_purpose_name((enum vault_purpose)purpose), tables[t], columns[c]);
                        bool expected = is_listed(allowed_values, COUNT_OF(allowed_values), text);
                        bool actual = vault_policy_allows_value(
                            (enum vault_role)role, (enum vault_op)op, (enum vault_purpose)purpose,
                            slice_text(tables[t]), slice_text(columns[c]));
                        if (actual != expected)
                            fail_msg("%s is %s", text, actual ? "allowed" : "refused");
                        seen += actual;
                    }
    assert_int_equal(seen, COUNT_OF(allowed_values));
}

static void
what_is_not_allowed_besides_values_is_refused(void **state UNUSED)
{
    size_t seen = 0;

    for (int role = 1; role <= (int)VAULT_ROLE_LAST; role++) {
        const char *name = vault_role_name((enum vault_role)role);
        char text[128];
        for (int op = 1; op <= (int)VAULT_OP_LAST; op++) {
            snprintf(text, sizeof(text), "%s %s", name, vault_op_name((enum vault_op)op));
            bool actual = vault_policy_allows_op((enum vault_role)role, (enum vault_op)op);
            if (actual != is_listed(allowed_others, COUNT_OF(allowed_others), text))
                fail_msg("%s is %s", text, actual ? "allowed" : "refused");
            seen += actual;
        }
        for (int purpose = 1; purpose <= (int)VAULT_INDEX; purpose++) {
            snprintf(text, sizeof(text), "%s key %s", name, vault_purpose_name((enum vault_purpose)purpose));
            bool actual = vault_policy_allows_key((enum vault_role)role, (enum vault_purpose)purpose);
            if (actual != is_listed(allowed_others, COUNT_OF(allowed_others), text))
                fail_msg("%s is %s", text, actual ? "allowed" : "refused");
            seen += actual;
        }
    }
    assert_int_equal(seen, COUNT_OF(allowed_others));
}

UNIT_MAIN(cmocka_unit_test(what_is_not_allowed_of_values_is_refused),
          cmocka_unit_test(what_is_not_allowed_besides_values_is_refused))
