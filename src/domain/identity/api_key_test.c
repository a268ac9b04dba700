/* Keys as they are made, presented, and refused, against a real PostgreSQL. */
#include "domain/identity/api_key.h"
#include "domain/identity/authentication.h"
#include "platform/db/test_cluster.h"
#include <stdio.h>

static struct db *db;
static struct arena *arena;
static struct id acme, bolt;
static struct clock_manual manual;
static size_t secrets_before; /* the cluster's own passwords */

static int
opened(void **state UNUSED)
{
    if (id_is_zero(acme)) {
        acme = test_cluster_tenant("acme");
        bolt = test_cluster_tenant("bolt");
    }
    secrets_before = secret_pool_used();
    clock_manual_init(&manual, clock_wall(clock_system()));
    db = test_cluster_open("harkara_gateway");
    arena = arena_new(1u << 20);
    return 0;
}

static int
closed(void **state UNUSED)
{
    db_close(db);
    arena_free(arena);
    return secret_pool_used() == secrets_before ? 0 : -1; /* nothing of a key stays behind */
}

static struct secret *
make(struct id tenant, const struct api_key_new *with, struct api_key *out)
{
    struct secret *text = NULL;
    struct db_tx tx;

    assert_ok(db_begin(db, tenant, &tx));
    assert_ok(api_key_create(&tx, &manual.clock, with, arena, out, &text));
    assert_ok(db_commit(&tx));
    return text;
}

static const struct api_key_new reader = { .name = { "Reader", 6 }, .scopes = 1u << API_SCOPE_MESSAGES_READ };

static enum err
check(struct authentication *authentication, const struct secret *text, const char *from,
      enum api_scope scope)
{
    struct api_principal principal;

    return authentication_check(authentication, db, secret_slice(text), slice_text(from), scope, &principal);
}

static struct authentication *
authentication(void)
{
    struct authentication *out;

    assert_ok(authentication_new(&manual.clock, &out));
    return out;
}

static void
a_made_key_is_of_the_documented_form_and_parses(void **state UNUSED)
{
    unsigned char octets[API_KEY_SECRET_BYTES];
    struct api_key key;
    enum api_key_mode mode;
    struct id id;
    struct secret *text = make(acme, &reader, &key);
    struct slice written = secret_slice(text);

    assert_int_equal(written.len, API_KEY_TEXT_BYTES - 1);
    assert_true(slice_starts_with(written, SLICE("hk_live_")));
    assert_true(slice_ends_with(written, slice_of(key.last_four, 4)));
    assert_ok(api_key_parse(written, &id, &mode, octets));
    assert_true(id_eq(id, key.id));
    assert_int_equal(mode, API_KEY_LIVE);
    secret_free(text);
}

static void
what_is_not_of_the_form_is_refused(void **state UNUSED)
{
    static const char *const wrong[] = {
        "",
        "hk_live_",
        "hk_dead_01jd8h3c5tfy8n2k7w4q9v6r0e_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "hk_live_01jd8h3c5tfy8n2k7w4q9v6r0e-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "hk_live_01JD8H3C5TFY8N2K7W4Q9V6R0E_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "hk_live_01jd8h3c5tfy8n2k7w4q9v6r0e_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "hk_live_01jd8h3c5tfy8n2k7w4q9v6r0e_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB"
    };
    unsigned char octets[API_KEY_SECRET_BYTES];
    enum api_key_mode mode;
    struct id id;

    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_int_equal(api_key_parse(slice_text(wrong[i]), &id, &mode, octets), ERR_KEY_INVALID);
}

static void
nothing_stored_gives_the_key_back(void **state UNUSED)
{
    struct api_key key;
    struct secret *text = make(acme, &reader, &key);
    char query[512];
    struct slice secret = slice_drop(secret_slice(text), sizeof("hk_live_") - 1 + 27);

    snprintf(query, sizeof(query),
             "select count(*) from harkara.api_key k where position('%.*s' in k::text) > 0",
             SLICE_FMT(slice_first(secret, 16)));
    assert_int_equal(test_cluster_number(query), 0);
    secret_free(text);
}

static void
the_right_key_passes_and_each_wrong_one_fails_as_it_should(void **state UNUSED)
{
    struct slice ranges[] = { SLICE("203.0.113.0/24"), SLICE("2001:db8::/32") };
    struct api_key_new bound = reader;
    struct authentication *who = authentication();
    struct api_key key, bound_key;
    struct secret *text = make(acme, &reader, &key), *bound_text, *forged;

    bound.cidrs = ranges;
    bound.cidr_count = COUNT_OF(ranges);
    bound_text = make(acme, &bound, &bound_key);
    assert_ok(check(who, text, "198.51.100.1", API_SCOPE_MESSAGES_READ));
    assert_int_equal(check(who, text, "198.51.100.1", API_SCOPE_MESSAGES_SEND), ERR_SCOPE);
    assert_ok(check(who, bound_text, "203.0.113.77", API_SCOPE_MESSAGES_READ));
    assert_ok(check(who, bound_text, "2001:db8::1", API_SCOPE_MESSAGES_READ));
    assert_ok(check(who, bound_text, "::ffff:203.0.113.77", API_SCOPE_MESSAGES_READ));
    assert_int_equal(check(who, bound_text, "203.0.114.1", API_SCOPE_MESSAGES_READ), ERR_KEY_ADDRESS);
    assert_int_equal(check(who, bound_text, "", API_SCOPE_MESSAGES_READ), ERR_KEY_ADDRESS);
    forged = secret_copy(secret_slice(text));
    secret_bytes(forged)[secret_len(forged) - 10] ^= 1;
    assert_int_equal(check(who, forged, "198.51.100.1", API_SCOPE_MESSAGES_READ), ERR_KEY_INVALID);
    secret_free(text);
    secret_free(bound_text);
    secret_free(forged);
    authentication_free(who);
}

/* The cache is why a revocation is not felt at once; its age is why it is felt within a second. */
static void
a_revocation_is_felt_when_the_cache_has_aged(void **state UNUSED)
{
    struct authentication *who = authentication();
    struct api_key key;
    struct secret *text = make(acme, &reader, &key);
    struct db_tx tx;

    assert_ok(check(who, text, "", API_SCOPE_MESSAGES_READ));
    assert_ok(db_begin(db, acme, &tx));
    assert_ok(api_key_revoke(&tx, &manual.clock, key.id));
    assert_ok(api_key_revoke(&tx, &manual.clock, key.id)); /* again: harmless */
    assert_ok(db_commit(&tx));
    assert_ok(check(who, text, "", API_SCOPE_MESSAGES_READ));
    clock_manual_advance(&manual, AUTHENTICATION_CACHE_MS * 1000);
    assert_int_equal(check(who, text, "", API_SCOPE_MESSAGES_READ), ERR_KEY_REVOKED);
    assert_true(AUTHENTICATION_CACHE_MS <= 1000);
    secret_free(text);
    authentication_free(who);
}

static enum err
check_at_once(struct authentication *authentication, const struct secret *text)
{
    struct api_principal principal;

    return authentication_check(authentication, NULL, secret_slice(text), SLICE(""), API_SCOPE_MESSAGES_READ,
                                &principal);
}

/* Whoever must not wait lives on what is remembered; when that is nearly too old, one of them is sent. */
static void
one_asks_the_database_for_those_who_must_not_wait(void **state UNUSED)
{
    struct authentication *who = authentication();
    struct api_key key;
    struct secret *text = make(acme, &reader, &key), *forged;
    struct db_tx tx;

    assert_int_equal(check_at_once(who, text), ERR_WOULD_WAIT); /* nothing is known */
    assert_ok(check(who, text, "", API_SCOPE_MESSAGES_READ));
    assert_ok(check_at_once(who, text));
    forged = secret_copy(secret_slice(text));
    secret_bytes(forged)[secret_len(forged) - 10] ^= 1;
    assert_int_equal(check_at_once(who, forged), ERR_KEY_INVALID);
    clock_manual_advance(&manual, AUTHENTICATION_CACHE_MS * 1000 - 1000);
    assert_int_equal(check_at_once(who, text), ERR_WOULD_WAIT);
    assert_ok(check_at_once(who, text)); /* the others */
    assert_ok(check(who, text, "", API_SCOPE_MESSAGES_READ));
    clock_manual_advance(&manual, 2000);
    assert_ok(check_at_once(who, text)); /* it was asked */
    clock_manual_advance(&manual, AUTHENTICATION_CACHE_MS * 1000);
    assert_int_equal(check_at_once(who, text), ERR_WOULD_WAIT);
    assert_int_equal(check_at_once(who, text), ERR_WOULD_WAIT); /* too old for anybody */
    assert_ok(db_begin(db, acme, &tx));
    assert_ok(api_key_revoke(&tx, &manual.clock, key.id));
    assert_ok(db_commit(&tx));
    assert_int_equal(check(who, text, "", API_SCOPE_MESSAGES_READ), ERR_KEY_REVOKED);
    assert_int_equal(check_at_once(who, text), ERR_KEY_REVOKED);
    secret_free(text);
    secret_free(forged);
    authentication_free(who);
}

/* The last use is written by whoever may wait: the others leave it to one of them. */
static void
a_use_that_is_due_is_left_to_whoever_may_wait(void **state UNUSED)
{
    struct authentication *who = authentication();
    struct api_key key;
    struct secret *text = make(acme, &reader, &key);

    assert_ok(check(who, text, "", API_SCOPE_MESSAGES_READ));
    for (int i = 0; i < AUTHENTICATION_NOTE_MS / 100 - 1; i++) { /* kept fresh until it is due */
        clock_manual_advance(&manual, 100000);
        assert_ok(check(who, text, "", API_SCOPE_MESSAGES_READ));
        assert_ok(check_at_once(who, text));
    }
    clock_manual_advance(&manual, 100000);
    assert_int_equal(check_at_once(who, text), ERR_WOULD_WAIT);
    assert_ok(check(who, text, "", API_SCOPE_MESSAGES_READ));
    assert_ok(check_at_once(who, text));
    secret_free(text);
    authentication_free(who);
}

static void
an_expiry_is_felt_without_asking_again(void **state UNUSED)
{
    struct authentication *who = authentication();
    struct api_key_new with = reader;
    struct api_key key;

    with.has_expiry = true;
    with.expires_at = wall_after_ms(clock_wall(&manual.clock), 100);
    struct secret *text = make(acme, &with, &key);
    assert_ok(check(who, text, "", API_SCOPE_MESSAGES_READ));
    clock_manual_advance(&manual, 100 * 1000);
    assert_int_equal(check(who, text, "", API_SCOPE_MESSAGES_READ), ERR_KEY_EXPIRED);
    secret_free(text);
    authentication_free(who);
}

static void
a_suspended_workspace_may_nothing(void **state UNUSED)
{
    struct id closed_down = test_cluster_tenant("closing");
    struct authentication *who = authentication();
    struct api_key key;
    struct secret *text = make(closed_down, &reader, &key);

    test_cluster_sql("update harkara.tenant set state = 'suspended' where slug = 'closing'");
    assert_int_equal(check(who, text, "", API_SCOPE_MESSAGES_READ), ERR_TENANT_SUSPENDED);
    secret_free(text);
    authentication_free(who);
}

static void
a_key_is_seen_and_revoked_by_its_tenant_only(void **state UNUSED)
{
    struct api_key key, *keys;
    struct secret *text = make(acme, &reader, &key);
    size_t count;
    struct db_tx tx;

    assert_ok(db_begin(db, bolt, &tx));
    assert_int_equal(api_key_get(&tx, key.id, arena, &key), ERR_NOT_FOUND);
    assert_int_equal(api_key_revoke(&tx, &manual.clock, key.id), ERR_NOT_FOUND);
    assert_ok(api_key_list(&tx, (struct id){ { 0 } }, 100, arena, &keys, &count));
    assert_int_equal(count, 0);
    db_rollback(&tx);
    secret_free(text);
}

static void
what_cannot_be_a_key_is_not_made(void **state UNUSED)
{
    struct slice crooked = SLICE("203.0.113.7/24");
    struct api_key_new bad_range = reader, bad_expiry = reader;
    struct secret *text = NULL;
    struct api_key key;
    struct db_tx tx;

    bad_range.cidrs = &crooked;
    bad_range.cidr_count = 1;
    bad_expiry.has_expiry = true;
    bad_expiry.expires_at = clock_wall(&manual.clock);
    assert_ok(db_begin(db, acme, &tx));
    assert_int_equal(api_key_create(&tx, &manual.clock, &bad_range, arena, &key, &text), ERR_DB_DATA);
    assert_int_equal(api_key_create(&tx, &manual.clock, &bad_expiry, arena, &key, &text), ERR_DB_DATA);
    assert_null(text);
    db_rollback(&tx);
}

static void
use_is_noted_now_and_then(void **state UNUSED)
{
    struct authentication *who = authentication();
    struct api_key key;
    struct secret *text = make(acme, &reader, &key);
    struct db_tx tx;

    assert_ok(check(who, text, "198.51.100.9", API_SCOPE_MESSAGES_READ));
    assert_ok(db_begin(db, acme, &tx));
    assert_ok(api_key_get(&tx, key.id, arena, &key));
    db_rollback(&tx);
    assert_true(key.was_used);
    assert_true(slice_eq(key.last_used_from, SLICE("198.51.100.9")));
    secret_free(text);
    authentication_free(who);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
CLUSTER_MAIN(TEST(a_made_key_is_of_the_documented_form_and_parses), TEST(what_is_not_of_the_form_is_refused),
             TEST(nothing_stored_gives_the_key_back),
             TEST(the_right_key_passes_and_each_wrong_one_fails_as_it_should),
             TEST(a_revocation_is_felt_when_the_cache_has_aged),
             TEST(one_asks_the_database_for_those_who_must_not_wait),
             TEST(a_use_that_is_due_is_left_to_whoever_may_wait),
             TEST(an_expiry_is_felt_without_asking_again), TEST(a_suspended_workspace_may_nothing),
             TEST(a_key_is_seen_and_revoked_by_its_tenant_only), TEST(what_cannot_be_a_key_is_not_made),
             TEST(use_is_noted_now_and_then))
