/* The built-in roles: who has more than whom, and what is nobody's but a few. */
#include "core/unit.h"
#include "domain/identity/role.h"

static uint64_t
of(enum role_word role)
{
    return role_word_permissions(role);
}

static bool
may(enum role_word role, enum api_scope scope)
{
    return (of(role) & (UINT64_C(1) << scope)) != 0;
}

static void
every_word_parses_to_its_role_and_no_other_word_does(void **state UNUSED)
{
    enum role_word role;

    for (unsigned i = 0; i < ROLE_WORD_COUNT; i++) {
        assert_int_equal(role_word_parse(slice_text(role_word_text((enum role_word)i)), &role), ERR_OK);
        assert_int_equal(role, i);
        assert_true(role_word_purpose(role)[0] != '\0');
    }
    assert_int_equal(role_word_parse(SLICE("Owner"), &role), ERR_NOT_FOUND);
    assert_int_equal(role_word_parse(SLICE("owner "), &role), ERR_NOT_FOUND);
    assert_int_equal(role_word_parse(SLICE_EMPTY, &role), ERR_NOT_FOUND);
}

static void
owners_have_all_and_each_other_role_something_less_or_the_same(void **state UNUSED)
{
    for (unsigned i = 0; i < ROLE_WORD_COUNT; i++) {
        assert_int_equal(of((enum role_word)i) & ~of(ROLE_OWNER), 0);
        assert_int_not_equal(of((enum role_word)i), 0);
    }
    assert_int_equal(of(ROLE_OWNER), (UINT64_C(1) << API_SCOPE_COUNT) - 1);
}

static void
numbers_are_shown_to_those_who_are_named_here(void **state UNUSED)
{
    for (unsigned i = 0; i < ROLE_WORD_COUNT; i++)
        assert_int_equal(may((enum role_word)i, API_SCOPE_CONTACT_IDENTITY_REVEAL),
                         i == ROLE_OWNER || i == ROLE_ADMIN || i == ROLE_MANAGER);
}

static void
an_auditor_changes_nothing_and_reads_the_log(void **state UNUSED)
{
    for (unsigned i = 0; i < API_SCOPE_COUNT; i++) {
        struct slice word = slice_text(api_scope_word((enum api_scope)i));
        if (slice_ends_with(word, SLICE(":manage")) || slice_ends_with(word, SLICE(":send")) ||
            slice_ends_with(word, SLICE(":write")))
            assert_false(may(ROLE_AUDITOR, (enum api_scope)i));
    }
    assert_true(may(ROLE_AUDITOR, API_SCOPE_AUDIT_READ));
}

/* Otherwise a limited person would make a key, an endpoint or a member that is not limited. */
static void
whoever_is_limited_to_channels_hands_nothing_out(void **state UNUSED)
{
    static const enum api_scope scopes[] = { API_SCOPE_KEYS_MANAGE,   API_SCOPE_WEBHOOKS_MANAGE,
                                             API_SCOPE_WEBHOOKS_READ, API_SCOPE_PEOPLE_MANAGE,
                                             API_SCOPE_ROLES_MANAGE,  API_SCOPE_AUDIT_READ };

    for (size_t i = 0; i < COUNT_OF(scopes); i++)
        assert_true(role_whole_workspace() & (UINT64_C(1) << scopes[i]));
    assert_false(role_whole_workspace() & (UINT64_C(1) << API_SCOPE_MESSAGES_READ));
}

UNIT_MAIN(cmocka_unit_test(every_word_parses_to_its_role_and_no_other_word_does),
          cmocka_unit_test(owners_have_all_and_each_other_role_something_less_or_the_same),
          cmocka_unit_test(numbers_are_shown_to_those_who_are_named_here),
          cmocka_unit_test(an_auditor_changes_nothing_and_reads_the_log),
          cmocka_unit_test(whoever_is_limited_to_channels_hands_nothing_out))
