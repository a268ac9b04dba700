/* Authentication templates: WhatsApp writes their text, so that only a few choices are left. */
#include "domain/template/template_check_internal.h"

static void
body_check(struct template_check *check, const json_t *body)
{
    static const char *const members[] = { "type", "add_security_recommendation", NULL };
    const json_t *advice = json_member(body, "add_security_recommendation");

    template_members_check(check, body, members);
    if (advice != NULL && !json_is_boolean(advice))
        template_fault_at(check, "add_security_recommendation", "must be true or false");
}

static void
footer_check(struct template_check *check, const json_t *footer)
{
    static const char *const members[] = { "type", "code_expiration_minutes", NULL };
    int64_t minutes = 0;

    template_members_check(check, footer, members);
    if (!json_int_of(footer, "code_expiration_minutes", &minutes) || minutes < 1 || minutes > 90)
        template_fault_at(check, "code_expiration_minutes", "must be from 1 to 90");
}

static void
app_check(struct template_check *check, const json_t *app)
{
    struct slice name = json_text_of(app, "package_name"), hash = json_text_of(app, "signature_hash");
    bool is_name = name.len > 0 && name.len <= TEMPLATE_PACKAGE_NAME_MAX && slice_find(name, '.') != name.len;

    for (size_t i = 0; i < name.len; i++) {
        char byte = name.ptr[i];
        is_name = is_name && ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                              (byte >= '0' && byte <= '9' && i > 0) || byte == '_' || byte == '.');
    }
    if (!is_name)
        template_fault_at(check, "package_name", "must be an Android package name of at most %u characters",
                          TEMPLATE_PACKAGE_NAME_MAX);
    if (hash.len != TEMPLATE_SIGNATURE_HASH_LEN)
        template_fault_at(check, "signature_hash", "must be of %u characters", TEMPLATE_SIGNATURE_HASH_LEN);
}

/* The apps that fill the code in: a list, or one app's members in the button itself. */
static void
apps_check(struct template_check *check, const json_t *button)
{
    const json_t *apps = json_member(button, "supported_apps");
    size_t count = json_array_size(apps);

    if (apps == NULL) {
        app_check(check, button);
        return;
    }
    size_t before = template_enter(check, "supported_apps");
    if (count < 1 || count > TEMPLATE_APPS_MAX)
        template_fault(check, "needs 1 to %u apps; it has %zu", TEMPLATE_APPS_MAX, count);
    for (size_t i = 0; i < count && count <= TEMPLATE_APPS_MAX; i++) {
        static const char *const members[] = { "package_name", "signature_hash", NULL };
        size_t before_one = template_enter_index(check, i);
        template_members_check(check, json_array_get(apps, i), members);
        app_check(check, json_array_get(apps, i));
        template_leave(check, before_one);
    }
    template_leave(check, before);
}

static void
button_check(struct template_check *check, const json_t *button)
{
    static const char *const copy_members[] = { "type", "otp_type", "text", NULL };
    static const char *const app_members[] = {
        "type", "otp_type", "text", "autofill_text", "package_name", "signature_hash", "supported_apps", NULL
    };
    static const char *const zero_members[] = { "type",
                                                "otp_type",
                                                "text",
                                                "autofill_text",
                                                "package_name",
                                                "signature_hash",
                                                "supported_apps",
                                                "zero_tap_terms_accepted",
                                                NULL };
    bool is_zero = template_word_is(button, "otp_type", "ZERO_TAP");

    if (!template_word_is(button, "type", "OTP")) {
        template_fault_at(check, "type", "an authentication template has an OTP button only");
        return;
    }
    if (json_member(button, "text") != NULL)
        (void)template_text_check(check, button, "text", TEMPLATE_BUTTON_TEXT_MAX);
    if (template_word_is(button, "otp_type", "COPY_CODE")) {
        template_members_check(check, button, copy_members);
    } else if (is_zero || template_word_is(button, "otp_type", "ONE_TAP")) {
        template_members_check(check, button, is_zero ? zero_members : app_members);
        if (json_member(button, "autofill_text") != NULL)
            (void)template_text_check(check, button, "autofill_text", TEMPLATE_BUTTON_TEXT_MAX);
        if (is_zero && !json_is_true(json_member(button, "zero_tap_terms_accepted")))
            template_fault_at(check, "zero_tap_terms_accepted",
                              "must be true: you answer for how people agree to this");
        apps_check(check, button);
    } else {
        template_fault_at(check, "otp_type", "must be copy_code, one_tap or zero_tap");
    }
}

static void
buttons_check(struct template_check *check, const json_t *component)
{
    static const char *const members[] = { "type", "buttons", NULL };
    const json_t *buttons = json_member(component, "buttons");
    size_t count = json_array_size(buttons);

    template_members_check(check, component, members);
    size_t before = template_enter(check, "buttons");
    if (count != 1) {
        template_fault(check, "an authentication template has 1 button; this has %zu", count);
    } else {
        (void)template_enter_index(check, 0);
        button_check(check, json_array_get(buttons, 0));
    }
    template_leave(check, before);
}

void
template_one_time_code_check(struct template_check *check, const json_t *components)
{
    size_t bodies = 0, footers = 0, button_lists = 0;

    for (size_t i = 0; i < json_array_size(components); i++) {
        const json_t *component = json_array_get(components, i);
        size_t before = template_enter_index(check, i);
        if (template_word_is(component, "type", "BODY") && bodies++ == 0)
            body_check(check, component);
        else if (template_word_is(component, "type", "FOOTER") && footers++ == 0)
            footer_check(check, component);
        else if (template_word_is(component, "type", "BUTTONS") && button_lists++ == 0)
            buttons_check(check, component);
        else
            template_fault_at(check, "type",
                              "an authentication template has one body, at most one footer, and buttons");
        template_leave(check, before);
    }
    if (bodies == 0)
        template_fault(check, "needs a body");
    if (button_lists == 0)
        template_fault(check, "an authentication template needs an OTP button");
}
