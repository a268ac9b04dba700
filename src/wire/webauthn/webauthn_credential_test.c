#include "core/unit.h"
#include "wire/json/json.h"
#include "wire/webauthn/webauthn_credential.h"

#define REGISTERED                                                                                           \
    "{\"id\":\"aWQ\",\"rawId\":\"aWQ\",\"type\":\"public-key\",\"authenticatorAttachment\":\"platform\","    \
    "\"clientExtensionResults\":{},\"response\":{\"clientDataJSON\":\"e30\",\"attestationObject\":\"oA\","   \
    "\"transports\":[\"internal\",\"usb\",\"telepathy\",7]}}"
#define SIGNED                                                                                                \
    "{\"id\":\"aWQ\",\"type\":\"public-key\",\"response\":{\"clientDataJSON\":\"e30\",\"authenticatorData\":" \
    "\"YXV0aA\",\"signature\":\"c2ln\",\"userHandle\":null}}"

static enum err
read_text(struct slice text, bool is_registration, struct arena *arena, struct webauthn_credential *out)
{
    json_t *tree = NULL;

    assert_ok(json_parse(text, &tree));
    enum err err = is_registration ? webauthn_registration_read(tree, arena, out)
                                   : webauthn_assertion_read(tree, arena, out);
    json_decref(tree); /* nothing that was read points into it */
    return err;
}

static void
what_a_browser_hands_over_is_read(void **state UNUSED)
{
    struct arena *arena = arena_new(65536);
    struct webauthn_credential made;

    assert_non_null(arena);
    assert_ok(read_text(SLICE(REGISTERED), true, arena, &made));
    assert_true(slice_eq(made.id, SLICE("id")) && slice_eq(made.client_data, SLICE("{}")));
    assert_true(slice_eq(made.attestation_object, SLICE("\xa0")));
    assert_int_equal(made.transports, WEBAUTHN_TRANSPORT_INTERNAL | WEBAUTHN_TRANSPORT_USB);
    assert_ok(read_text(SLICE(SIGNED), false, arena, &made));
    assert_true(slice_eq(made.authenticator_data, SLICE("auth")) && slice_eq(made.signature, SLICE("sig")));
    assert_int_equal(made.user_handle.len, 0);
    arena_free(arena);
}

static void
what_is_missing_or_spelled_otherwise_is_refused(void **state UNUSED)
{
    static const char *const changes[][2] = {
        { "public-key", "password" },
        { "\"rawId\":\"aWQ\"", "\"rawId\":\"aWR\"" },
        { "\"id\":\"aWQ\"", "\"id\":\"aWR\"" },
        { "\"id\":\"aWQ\"", "\"id\":\"aWQ=\"" },
        { "\"id\":\"aWQ\"", "\"id\":\"\"" },
        { "\"id\":\"aWQ\"", "\"id\":7" },
        { "\"e30\"", "\"e3/\"" },
        { "clientDataJSON", "clientDataJson" },
        { "attestationObject", "object" },
        { "\"oA\"", "null" },
        { "response", "answer" },
    };

    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        struct arena *arena = arena_new(65536);
        struct webauthn_credential made;
        const char *at = strstr(REGISTERED, changes[i][0]);
        struct buf text;
        assert_non_null(at);
        buf_init(&text, 4096);
        buf_add(&text, slice_of(REGISTERED, (size_t)(at - REGISTERED)));
        buf_add_text(&text, changes[i][1]);
        buf_add_text(&text, at + strlen(changes[i][0]));
        assert_int_equal(read_text(buf_slice(&text), true, arena, &made), ERR_ENCODING);
        buf_release(&text);
        arena_free(arena);
    }
}

static void
a_member_over_its_limit_is_refused(void **state UNUSED)
{
    struct arena *arena = arena_new(65536), *small = arena_new(8);
    struct webauthn_credential made;
    struct buf text;

    buf_init(&text, 8192);
    for (size_t bytes = 1023; bytes <= 1024; bytes++) {
        buf_clear(&text);
        buf_add_text(
            &text, "{\"type\":\"public-key\",\"response\":{\"clientDataJSON\":\"e30\",\"attestationObject\":"
                   "\"oA\"},\"id\":\"");
        for (size_t i = 0; i < (bytes * 4 + 2) / 3; i++)
            buf_add_byte(&text, 'A');
        buf_add_text(&text, "\"}");
        assert_int_equal(read_text(buf_slice(&text), true, arena, &made),
                         bytes == 1023 ? ERR_OK : ERR_ENCODING);
    }
    assert_int_equal(read_text(SLICE(REGISTERED), true, small, &made), ERR_NO_MEMORY);
    buf_release(&text);
    arena_free(arena);
    arena_free(small);
}

UNIT_MAIN(cmocka_unit_test(what_a_browser_hands_over_is_read),
          cmocka_unit_test(what_is_missing_or_spelled_otherwise_is_refused),
          cmocka_unit_test(a_member_over_its_limit_is_refused))
