#include "core/unit.h"
#include "platform/ipc/link.h"
#include "platform/ipc/vault_many.h"
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define TENANTS 8

/*
 * A vault that does what each request says of itself: a cipher text "corrupt" does not open, a label
 * "forbidden" is refused, a tenant whose first octet is below TENANTS has keys only after a load. It "seals"
 * by turning bits over.
 */
struct fake {
    int fd;
    pthread_t thread;
    size_t dies_after; /* requests; 0: never */
    size_t mute_after; /* likewise: from then on it answers nothing */
    bool is_held[TENANTS];
    size_t requests, loads; /* served; read when the thread has ended */
    char turned[2][2048];   /* the values of the answer being made */
};

static enum vault_result
fake_judge(const struct fake *fake, const struct vault_request *request, struct vault_answer *answer)
{
    struct id tenant = request->op == VAULT_OP_SEAL    ? request->items[0].place.tenant
                       : request->op == VAULT_OP_INDEX ? request->tenant
                                                       : request->place.tenant;

    if (slice_eq(request->label, SLICE("forbidden")))
        return VAULT_RESULT_FORBIDDEN;
    if (tenant.bytes[0] < TENANTS && !fake->is_held[tenant.bytes[0]]) {
        answer->missing = (struct vault_missing_key){ .tenant = tenant, .purpose = VAULT_CONTENT };
        return VAULT_RESULT_KEY_MISSING;
    }
    if (slice_eq(request->sealed.cipher, SLICE("corrupt")))
        return VAULT_RESULT_CORRUPT;
    if (request->op == VAULT_OP_VERIFY_MAC && request->mac[0] != 'm')
        return VAULT_RESULT_MISMATCH;
    return VAULT_RESULT_OK;
}

static void
fake_answer(struct fake *fake, const struct vault_request *request, struct buf *frame)
{
    struct vault_answer answer = { .op = request->op, .id = request->id };

    if (request->op == VAULT_OP_KEY_LOAD) {
        fake->loads++;
        fake->is_held[request->key.tenant.bytes[0] % TENANTS] = true;
    } else {
        answer.result = fake_judge(fake, request, &answer);
    }
    answer.sealed_count = request->item_count;
    for (size_t i = 0; i < request->item_count; i++) {
        struct slice plain = request->items[i].plain;
        char *turned = fake->turned[i];
        assert_true(i < COUNT_OF(fake->turned) && plain.len <= sizeof(fake->turned[i]));
        for (size_t k = 0; k < plain.len; k++)
            turned[k] = (char)~plain.ptr[k];
        answer.sealed[i] = (struct vault_sealed){ .cipher = slice_of(turned, plain.len), .key_version = 3 };
        answer.indexes[i].is_made = request->items[i].index_label.len > 0;
        memset(answer.indexes[i].mac, plain.len > 0 ? plain.ptr[0] : 0, VAULT_INDEX_BYTES);
    }
    answer.plain = request->sealed.cipher;
    memset(answer.mac, request->data.len > 0 ? request->data.ptr[0] : 0, sizeof(answer.mac));
    memset(answer.signature, request->data.len > 0 ? request->data.ptr[0] : 0, sizeof(answer.signature));
    buf_clear(frame);
    vault_answer_encode(frame, &answer);
}

static void *
fake_run(void *arg)
{
    struct fake *fake = arg;
    struct vault_request *request = malloc(sizeof(*request));
    struct buf frame, answer;
    int rider;

    buf_init(&frame, VAULT_FRAME_BYTES_MAX);
    buf_init(&answer, VAULT_FRAME_BYTES_MAX);
    while (request != NULL && link_receive(fake->fd, &frame, &rider, 10000) == ERR_OK &&
           vault_request_decode(buf_slice(&frame), request) == ERR_OK) {
        fake->requests++;
        if (fake->dies_after != 0 && fake->requests > fake->dies_after)
            break;
        if (fake->mute_after != 0 && fake->requests > fake->mute_after)
            continue;
        fake_answer(fake, request, &answer);
        if (link_send(fake->fd, buf_slice(&answer), -1, 10000) != ERR_OK)
            break;
    }
    buf_release(&frame);
    buf_release(&answer);
    free(request);
    shutdown(fake->fd, SHUT_RDWR);
    return NULL;
}

/* The client's end. */
static int
fake_start(struct fake *fake)
{
    int fds[2];

    assert_ok(link_pair(fds));
    fake->fd = fds[1];
    assert_int_equal(pthread_create(&fake->thread, NULL, fake_run, fake), 0);
    return fds[0];
}

static void
fake_end(struct fake *fake)
{
    assert_int_equal(pthread_join(fake->thread, NULL), 0);
    close(fake->fd);
}

/* A source of keys for all tenants but one. */
struct source {
    size_t asked;
    int without; /* first octet of the tenant that has none; -1: all have */
};

static enum err
source_fetch(void *ctx, struct id tenant, enum vault_purpose purpose, uint32_t version UNUSED,
             struct vault_wrapped_key *out)
{
    struct source *source = ctx;

    source->asked++;
    if (tenant.bytes[0] == source->without)
        return ERR_NOT_FOUND;
    *out = (struct vault_wrapped_key){ .tenant = tenant, .purpose = purpose, .version = 5, .kek_version = 1 };
    return ERR_OK;
}

struct fixture {
    struct fake fake;
    struct vault vault;
    struct source source;
    struct arena *arena;
};

static void
begin(struct fixture *f, int timeout_ms)
{
    assert_ok(vault_client_new(fake_start(&f->fake), timeout_ms, &f->vault.client));
    f->vault.key_source = source_fetch;
    f->vault.key_source_ctx = &f->source;
    f->source.without = -1;
    f->arena = arena_new(64u << 20);
    assert_non_null(f->arena);
}

static void
end(struct fixture *f)
{
    vault_client_free(f->vault.client);
    fake_end(&f->fake);
    arena_free(f->arena);
}

static struct vault_place
place_of(unsigned char tenant)
{
    return (struct vault_place){
        .tenant = { { tenant } }, .table = "message", .column = "content", .row = { { 2 } }
    };
}

static struct vault_sealed
sealed_text(const char *text)
{
    return (struct vault_sealed){ .cipher = slice_text(text), .key_version = 1 };
}

static void
each_request_has_its_own_result(void **state UNUSED)
{
    struct fixture f = { .arena = NULL };
    struct vault_place place = place_of(100);
    struct vault_sealed good = sealed_text("good"), corrupt = sealed_text("corrupt");
    struct vault_sealed no_version = { .cipher = SLICE("x") };
    struct vault_seal_item items[] = { { .place = place, .plain = SLICE("\x01"), .index_label = "peer" },
                                       { .place = place, .plain = SLICE("\x02\x03") } };
    unsigned char right[32] = "m", wrong[32] = "w";

    begin(&f, 10000);
    struct vault_ask asks[] = {
        vault_ask_open(VAULT_CONTENT, &place, &good),
        vault_ask_open(VAULT_CONTENT, &place, &corrupt),
        vault_ask_open(VAULT_CREDENTIAL, &place, &good),
        vault_ask_open(VAULT_CONTENT, &place, &no_version),
        vault_ask_seal(VAULT_CONTENT, items, COUNT_OF(items)),
        vault_ask_index(place.tenant, "forbidden", SLICE("x")),
        vault_ask_index(place.tenant, "request", SLICE("x")),
        vault_ask_sign_mac(&place, &good, SLICE("s")),
        vault_ask_sign_ed25519(&place, &good, SLICE("e")),
        vault_ask_verify_mac(&place, &good, SLICE("b"), right),
        vault_ask_verify_mac(&place, &good, SLICE("b"), wrong),
        vault_ask_matches(&place, &corrupt, SLICE("b")),
    };
    const enum err want[] = { ERR_OK,           ERR_SEAL_CORRUPT, ERR_OK,
                              ERR_SEAL_CORRUPT, ERR_OK,           ERR_VAULT_FORBIDDEN,
                              ERR_OK,           ERR_OK,           ERR_OK,
                              ERR_OK,           ERR_SIGNATURE,    ERR_SEAL_CORRUPT };
    vault_ask_many(&f.vault, asks, COUNT_OF(asks), f.arena);
    for (size_t i = 0; i < COUNT_OF(asks); i++)
        assert_int_equal(asks[i].err, want[i]);
    assert_true(slice_eq(asks[0].plain, SLICE("good")));
    assert_null(asks[1].plain.ptr);
    assert_true(slice_eq(secret_slice(asks[2].open), SLICE("good")));
    secret_free(asks[2].open);
    assert_true(slice_eq(items[0].sealed.cipher, SLICE("\xfe")));
    assert_int_equal(items[0].index[31], 1);
    assert_true(slice_eq(items[1].sealed.cipher, SLICE("\xfd\xfc")));
    assert_int_equal(asks[6].mac[0], 'x');
    assert_int_equal(asks[7].mac[31], 's');
    assert_int_equal(asks[8].signature[63], 'e');
    assert_int_equal(vault_asks_err(asks, 1), ERR_OK);
    assert_int_equal(vault_asks_err(asks, COUNT_OF(asks)), ERR_SEAL_CORRUPT);
    end(&f);
    assert_int_equal(f.fake.requests, COUNT_OF(asks) - 1); /* what cannot be right was not sent */
}

/* `count` seals of one value each, of as many tenants as there are, each value another. */
struct seals {
    struct vault_ask *asks;
    struct vault_seal_item *items;
    char (*texts)[1024];
    size_t count;
};

static void
seals_make(struct seals *seals, size_t count, bool are_keys_needed)
{
    *seals = (struct seals){ .count = count };
    seals->asks = calloc(count, sizeof(*seals->asks));
    seals->items = calloc(count, sizeof(*seals->items));
    seals->texts = calloc(count, sizeof(*seals->texts));
    assert_true(seals->asks != NULL && seals->items != NULL && seals->texts != NULL);
    for (size_t i = 0; i < count; i++) {
        snprintf(seals->texts[i], sizeof(seals->texts[i]), "%zu", i);
        unsigned char tenant = (unsigned char)(i % TENANTS);
        seals->items[i] = (struct vault_seal_item){ .place = place_of(are_keys_needed ? tenant : 100),
                                                    .plain = slice_of(seals->texts[i], 1024) };
        seals->asks[i] = vault_ask_seal(VAULT_CONTENT, &seals->items[i], 1);
    }
}

static bool
is_sealed_right(const struct seals *seals, size_t i)
{
    const struct slice cipher = seals->items[i].sealed.cipher;

    if (seals->asks[i].err != ERR_OK || cipher.len != 1024)
        return false;
    for (size_t k = 0; k < cipher.len; k++)
        if (cipher.ptr[k] != (char)~seals->texts[i][k])
            return false;
    return true;
}

static void
seals_free(struct seals *seals)
{
    free(seals->asks);
    free(seals->items);
    free(seals->texts);
}

/* Far more than the sockets hold: both sides go on while the other does. */
static void
any_number_is_asked_in_one_go(void **state UNUSED)
{
    const size_t counts[] = { 0, 1, 255, 256, 257, 2000 };

    for (size_t c = 0; c < COUNT_OF(counts); c++) {
        struct fixture f = { .arena = NULL };
        struct seals seals;
        seals_make(&seals, counts[c] == 0 ? 1 : counts[c], false);
        begin(&f, 30000);
        vault_ask_many(&f.vault, seals.asks, counts[c], f.arena);
        for (size_t i = 0; i < counts[c]; i++)
            assert_true(is_sealed_right(&seals, i));
        end(&f);
        assert_int_equal(f.fake.requests, counts[c]);
        seals_free(&seals);
    }
}

static void
a_missing_key_is_loaded_once_and_only_its_requests_are_asked_again(void **state UNUSED)
{
    struct fixture f = { .fake.is_held = { [0] = true, [2] = true, [4] = true, [6] = true } };
    struct seals seals;

    seals_make(&seals, 400, true); /* 50 of each of 8 tenants; 4 of those lack their key */
    begin(&f, 30000);
    f.source.without = 5;
    vault_ask_many(&f.vault, seals.asks, seals.count, f.arena);
    f.source.without = -1;
    for (size_t i = 0; i < seals.count; i++)
        if (i % TENANTS == 5)
            assert_int_equal(seals.asks[i].err, ERR_VAULT_KEY_MISSING);
        else
            assert_true(is_sealed_right(&seals, i));
    end(&f);
    assert_int_equal(f.source.asked, 4);
    assert_int_equal(f.fake.loads, 3);
    assert_int_equal(f.fake.requests, 400 + 3 + 3 * 50);
    seals_free(&seals);
}

static void
without_a_source_a_missing_key_fails_its_requests_alone(void **state UNUSED)
{
    struct fixture f = { .fake.is_held = { [0] = true } };
    struct seals seals;

    seals_make(&seals, 16, true);
    begin(&f, 30000);
    f.vault.key_source = NULL;
    vault_ask_many(&f.vault, seals.asks, seals.count, f.arena);
    for (size_t i = 0; i < seals.count; i++)
        assert_int_equal(seals.asks[i].err, i % TENANTS == 0 ? ERR_OK : ERR_VAULT_KEY_MISSING);
    end(&f);
    seals_free(&seals);
}

struct relinker {
    struct fake *dead;
    struct vault_client *client;
    int fd;
};

static void *
relink_when_dead(void *arg)
{
    struct relinker *relinker = arg;
    struct pollfd wait = { .fd = relinker->dead->fd, .events = 0 };

    while (poll(&wait, 1, -1) < 0 || (wait.revents & POLLHUP) == 0)
        ; /* until the client has closed its end */
    vault_client_relink(relinker->client, relinker->fd);
    return NULL;
}

/* Wherever the vault dies: what it had answered stays, the next one is asked for the rest, in order. */
static void
a_vault_that_dies_in_the_middle_is_asked_again_for_the_rest(void **state UNUSED)
{
    const size_t deaths[] = { 1, 100, 299 };

    for (size_t d = 0; d < COUNT_OF(deaths); d++) {
        struct fixture f = { .fake.dies_after = deaths[d] };
        struct fake next = { .fd = -1 };
        struct seals seals;
        pthread_t thread;
        seals_make(&seals, 300, false);
        begin(&f, 30000);
        struct relinker relinker = { &f.fake, f.vault.client, fake_start(&next) };
        assert_int_equal(pthread_create(&thread, NULL, relink_when_dead, &relinker), 0);
        vault_ask_many(&f.vault, seals.asks, seals.count, f.arena);
        for (size_t i = 0; i < seals.count; i++)
            assert_true(is_sealed_right(&seals, i));
        assert_int_equal(pthread_join(thread, NULL), 0);
        end(&f);
        fake_end(&next);
        /* An answer that was on its way when the link broke may be lost, and is asked for again. */
        assert_true(next.requests >= seals.count - deaths[d] && next.requests <= seals.count);
        seals_free(&seals);
    }
}

static void
what_has_no_answer_in_time_fails_alone(void **state UNUSED)
{
    struct fixture f = { .fake.mute_after = 10 };
    struct seals seals;

    seals_make(&seals, 30, false);
    begin(&f, 500);
    vault_ask_many(&f.vault, seals.asks, seals.count, f.arena);
    for (size_t i = 0; i < seals.count; i++)
        if (i >= 10 || seals.asks[i].err != ERR_OK) /* a machine may be too slow for the first ten */
            assert_int_equal(seals.asks[i].err, ERR_VAULT_UNAVAILABLE);
    end(&f);
    seals_free(&seals);
}

static void
an_arena_that_is_full_fails_what_found_no_room(void **state UNUSED)
{
    struct fixture f = { .arena = NULL };
    struct arena *small = arena_new(5000);
    struct seals seals;

    assert_non_null(small);
    seals_make(&seals, 8, false);
    begin(&f, 30000);
    vault_ask_many(&f.vault, seals.asks, seals.count, small);
    for (size_t i = 0; i < seals.count; i++)
        assert_int_equal(seals.asks[i].err, i < 4 ? ERR_OK : ERR_NO_MEMORY);
    vault_ask_many(&f.vault, seals.asks, seals.count, f.arena); /* and the link is in order */
    assert_ok(vault_asks_err(seals.asks, seals.count));
    end(&f);
    arena_free(small);
    seals_free(&seals);
}

static void
a_value_over_the_limit_fails_alone(void **state UNUSED)
{
    struct fixture f = { .arena = NULL };
    struct vault_place place = place_of(100);
    char *much = calloc(1, VAULT_PLAIN_BYTES_MAX + 1);
    struct vault_sealed good = sealed_text("good");
    struct vault_seal_item half[] = {
        { .place = place, .plain = slice_of(much, VAULT_PLAIN_BYTES_MAX) },
        { .place = place, .plain = slice_of(much, VAULT_PLAIN_BYTES_MAX) },
    };

    assert_non_null(much);
    begin(&f, 30000);
    struct vault_ask asks[] = {
        vault_ask_open(VAULT_CONTENT, &place, &good),
        vault_ask_index(place.tenant, "request", slice_of(much, VAULT_PLAIN_BYTES_MAX + 1)),
        vault_ask_seal(VAULT_CONTENT, half, COUNT_OF(half)), /* each may be so long, both together not */
        vault_ask_open(VAULT_CONTENT, &place, &good),
    };
    vault_ask_many(&f.vault, asks, COUNT_OF(asks), f.arena);
    assert_int_equal(asks[0].err, ERR_OK);
    assert_int_equal(asks[1].err, ERR_LIMIT);
    assert_int_equal(asks[2].err, ERR_LIMIT);
    assert_int_equal(asks[3].err, ERR_OK);
    end(&f);
    free(much);
}

static int
pool_open(void **state UNUSED)
{
    return secret_pool_open_unlocked(65536) == ERR_OK ? 0 : -1;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_request_has_its_own_result),
        cmocka_unit_test(any_number_is_asked_in_one_go),
        cmocka_unit_test(a_missing_key_is_loaded_once_and_only_its_requests_are_asked_again),
        cmocka_unit_test(without_a_source_a_missing_key_fails_its_requests_alone),
        cmocka_unit_test(a_vault_that_dies_in_the_middle_is_asked_again_for_the_rest),
        cmocka_unit_test(what_has_no_answer_in_time_fails_alone),
        cmocka_unit_test(an_arena_that_is_full_fails_what_found_no_room),
        cmocka_unit_test(a_value_over_the_limit_fails_alone),
    };
    return cmocka_run_group_tests(tests, pool_open, NULL);
}
