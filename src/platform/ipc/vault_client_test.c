#include "core/num.h"
#include "core/unit.h"
#include "platform/ipc/link.h"
#include "platform/ipc/vault_client.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * The vault's end of a link, played from a script: one step per request, in order. The real vault meets this
 * client in program/vault.
 */
enum step {
    STEP_ANSWER,      /* well */
    STEP_MISSING,     /* the key it names is missing; the next request should load one */
    STEP_FORBID,      /* refuse */
    STEP_CORRUPT,     /* cannot open */
    STEP_STALE_FIRST, /* answers to requests that were given up, then well */
    STEP_OTHER_OP,    /* the right id on another operation's answer */
    STEP_GARBAGE,     /* no answer at all */
    STEP_FD,          /* an answer with a descriptor */
    STEP_DIE,         /* close without a word */
    STEP_SILENT,      /* take the request, answer never */
    STEP_SHORT,       /* one sealed value too few */
    STEP_NO_INDEX,    /* sealed, and no blind index with it */
    STEP_END
};

struct script {
    int fd;
    enum step steps[12];
    pthread_t thread;
    enum vault_op ops[12]; /* what was asked */
    _Atomic size_t asked;
    struct vault_wrapped_key loaded;
    bool is_newest;
    struct vault_missing_key missing;
};

/* "Seals" by turning bits over, so that a mix-up shows. */
static void
answer_fill(const struct vault_request *request, char *scratch, struct vault_answer *out)
{
    *out = (struct vault_answer){ .op = request->op, .id = request->id };
    out->sealed_count = request->item_count;
    for (size_t i = 0; i < request->item_count; i++) {
        struct vault_sealed *sealed = &out->sealed[i];
        for (size_t k = 0; k < request->items[i].plain.len; k++)
            scratch[k] = (char)~request->items[i].plain.ptr[k];
        sealed->cipher = slice_of(scratch, request->items[i].plain.len);
        scratch += request->items[i].plain.len;
        sealed->key_version = 3;
        memset(sealed->iv, 0x10 + (int)i, sizeof(sealed->iv));
        memset(sealed->tag, 0x20 + (int)i, sizeof(sealed->tag));
        out->indexes[i].is_made = request->items[i].index_label.len > 0;
        memset(out->indexes[i].mac, 0x30 + (int)i, sizeof(out->indexes[i].mac));
    }
    if (request->op == VAULT_OP_OPEN)
        out->plain = request->sealed.cipher;
    memset(out->mac, 0x3c, sizeof(out->mac));
    memset(out->public_key, 0x4d, sizeof(out->public_key));
    memset(out->signature, 0x5e, sizeof(out->signature));
    if (request->op == VAULT_OP_MAKE_ED25519 || request->op == VAULT_OP_MAKE_TOTP)
        out->sealed[0] = (struct vault_sealed){ .cipher = SLICE("seed"), .key_version = 3 };
    if (request->op == VAULT_OP_MAKE_TOTP)
        out->plain = SLICE("a secret of twenty..");
    out->totp_step = request->totp_step + request->totp_last + request->data.len;
    out->keys[0] = (struct vault_wrapped_key){
        .tenant = request->tenant, .purpose = VAULT_CONTENT, .version = 1, .kek_version = 1
    };
    out->keys[1] = out->keys[2] = out->keys[0];
    out->keys[1].purpose = VAULT_CREDENTIAL;
    out->keys[2].purpose = VAULT_INDEX;
    out->memory = SECRET_MEMORY_FD;
    out->kek_version = 2;
    out->keys_held = 9;
}

static bool
answer_send(const struct script *script, const struct vault_answer *answer, int rider)
{
    struct buf frame;
    buf_init(&frame, VAULT_FRAME_BYTES_MAX);
    vault_answer_encode(&frame, answer);
    bool is_sent = link_send(script->fd, buf_slice(&frame), rider, 5000) == ERR_OK;
    buf_release(&frame);
    return is_sent;
}

static bool
step_play(struct script *script, enum step step, const struct vault_request *request)
{
    char scratch[4096];
    struct vault_answer answer, other;

    answer_fill(request, scratch, &answer);
    switch (step) {
    case STEP_ANSWER:
        return answer_send(script, &answer, -1);
    case STEP_MISSING:
        answer.result = VAULT_RESULT_KEY_MISSING;
        answer.missing = script->missing;
        return answer_send(script, &answer, -1);
    case STEP_FORBID:
        answer.result = VAULT_RESULT_FORBIDDEN;
        return answer_send(script, &answer, -1);
    case STEP_CORRUPT:
        answer.result = VAULT_RESULT_CORRUPT;
        return answer_send(script, &answer, -1);
    case STEP_STALE_FIRST:
        other = answer;
        other.id = request->id - 1;
        other.result = VAULT_RESULT_FORBIDDEN;
        return answer_send(script, &other, -1) && answer_send(script, &other, -1) &&
               answer_send(script, &answer, -1);
    case STEP_OTHER_OP:
        answer.op = VAULT_OP_KEY_LOAD;
        return answer_send(script, &answer, -1);
    case STEP_GARBAGE:
        return link_send(script->fd, SLICE("garbage"), -1, 5000) == ERR_OK;
    case STEP_FD:
        return answer_send(script, &answer, script->fd);
    case STEP_SHORT:
        answer.sealed_count--;
        return answer_send(script, &answer, -1);
    case STEP_NO_INDEX:
        answer.indexes[0].is_made = false;
        return answer_send(script, &answer, -1);
    case STEP_SILENT:
        return true;
    case STEP_DIE:
    case STEP_END:
        return false;
    }
    return false;
}

static void *
script_run(void *arg)
{
    struct script *script = arg;
    struct vault_request request;
    struct buf frame;
    int rider;

    buf_init(&frame, VAULT_FRAME_BYTES_MAX);
    for (size_t i = 0; script->steps[i] != STEP_END; i++) {
        if (link_receive(script->fd, &frame, &rider, 10000) != ERR_OK ||
            vault_request_decode(buf_slice(&frame), &request) != ERR_OK)
            break;
        script->ops[script->asked++] = request.op;
        if (request.op == VAULT_OP_KEY_LOAD) {
            script->loaded = request.key;
            script->is_newest = request.is_newest;
        }
        if (!step_play(script, script->steps[i], &request))
            break;
    }
    buf_release(&frame);
    shutdown(script->fd, SHUT_RDWR); /* closing is for the end: nobody else may get the number meanwhile */
    return NULL;
}

static int
script_start(struct script *script)
{
    int fds[2];
    assert_ok(link_pair(fds));
    script->fd = fds[1];
    assert_int_equal(pthread_create(&script->thread, NULL, script_run, script), 0);
    return fds[0];
}

static void
script_end(struct script *script)
{
    assert_int_equal(pthread_join(script->thread, NULL), 0);
    close(script->fd);
}

/* A source that has one key, and counts. */
struct source {
    size_t asked;
    uint32_t version;
    enum err err;
};

static enum err
source_fetch(void *ctx, struct id tenant, enum vault_purpose purpose, uint32_t version,
             struct vault_wrapped_key *out)
{
    struct source *source = ctx;
    source->asked++;
    source->version = version;
    *out = (struct vault_wrapped_key){ .tenant = tenant, .purpose = purpose, .version = 5, .kek_version = 1 };
    return source->err;
}

static const struct vault_place place = {
    .tenant = { { 1 } }, .table = "message", .column = "content", .row = { { 2 } }, .generation = 0
};
static const struct vault_sealed sealed_sample = { .cipher = { "cipher", 6 }, .key_version = 1 };

/* One client, one script, one source; `timeout_ms` is generous where nothing should time out. */
struct fixture {
    struct script script;
    struct vault vault;
    struct source source;
    struct arena *arena;
};

static void
begin(struct fixture *f, int timeout_ms)
{
    assert_ok(vault_client_new(script_start(&f->script), timeout_ms, &f->vault.client));
    f->vault.key_source = source_fetch;
    f->vault.key_source_ctx = &f->source;
    f->arena = arena_new(1u << 20);
    assert_non_null(f->arena);
}

static void
end(struct fixture *f)
{
    vault_client_free(f->vault.client);
    script_end(&f->script);
    arena_free(f->arena);
}

static void
each_call_asks_its_own_operation(void **state UNUSED)
{
    struct fixture f = { .script.steps = { STEP_ANSWER, STEP_ANSWER, STEP_ANSWER, STEP_ANSWER, STEP_ANSWER,
                                           STEP_ANSWER, STEP_ANSWER, STEP_ANSWER, STEP_ANSWER, STEP_ANSWER,
                                           STEP_ANSWER, STEP_END } };
    const enum vault_op want[] = { VAULT_OP_OPEN,      VAULT_OP_INDEX,        VAULT_OP_VERIFY_MAC,
                                   VAULT_OP_MATCHES,   VAULT_OP_SIGN_MAC,     VAULT_OP_MAKE_KEYS,
                                   VAULT_OP_FACTS,     VAULT_OP_MAKE_ED25519, VAULT_OP_SIGN_ED25519,
                                   VAULT_OP_MAKE_TOTP, VAULT_OP_CHECK_TOTP };
    struct secret *totp;
    uint64_t step = 0;
    unsigned char mac[32] = { 0 }, expected[32], signature[64], expected_signature[64];
    struct vault_sealed made;
    struct vault_wrapped_key keys[3];
    struct vault_facts facts;
    struct slice plain;

    memset(expected, 0x3c, sizeof(expected));
    begin(&f, 10000);
    assert_ok(vault_open_content(&f.vault, &place, &sealed_sample, f.arena, &plain));
    assert_true(slice_eq(plain, SLICE("cipher")));
    assert_ok(vault_index(&f.vault, place.tenant, "peer", SLICE("x"), mac));
    assert_memory_equal(mac, expected, sizeof(mac));
    assert_ok(vault_verify_mac(&f.vault, &place, &sealed_sample, SLICE("body"), mac));
    assert_ok(vault_matches(&f.vault, &place, &sealed_sample, SLICE("body")));
    memset(mac, 0, sizeof(mac));
    assert_ok(vault_sign_mac(&f.vault, &place, &sealed_sample, SLICE("body"), mac));
    assert_memory_equal(mac, expected, sizeof(mac));
    assert_ok(vault_make_keys(&f.vault, place.tenant, keys));
    assert_int_equal(keys[2].purpose, VAULT_INDEX);
    assert_ok(vault_facts(&f.vault, &facts));
    assert_int_equal(facts.memory, SECRET_MEMORY_FD);
    assert_int_equal(facts.kek_version, 2);
    assert_true(facts.keys_held == 9);
    assert_ok(vault_make_ed25519(&f.vault, &place, f.arena, &made, mac));
    assert_true(slice_eq(made.cipher, SLICE("seed")));
    assert_int_equal(made.key_version, 3);
    memset(expected, 0x4d, sizeof(expected));
    assert_memory_equal(mac, expected, sizeof(mac));
    assert_ok(vault_sign_ed25519(&f.vault, &place, &made, SLICE("body"), signature));
    memset(expected_signature, 0x5e, sizeof(expected_signature));
    assert_memory_equal(signature, expected_signature, sizeof(signature));
    assert_ok(vault_make_totp(&f.vault, &place, f.arena, &made, &totp));
    assert_true(slice_eq(secret_slice(totp), SLICE("a secret of twenty..")) &&
                slice_eq(made.cipher, SLICE("seed")));
    secret_free(totp);
    assert_ok(vault_check_totp(&f.vault, &place, &made, SLICE("123456"), 100, 20, &step));
    assert_int_equal(step, 126);
    end(&f);
    assert_int_equal(f.script.asked, COUNT_OF(want));
    for (size_t i = 0; i < COUNT_OF(want); i++)
        assert_int_equal(f.script.ops[i], want[i]);
}

static void
sealed_values_come_back_in_order_and_live_in_the_arena(void **state UNUSED)
{
    struct fixture f = { .script.steps = { STEP_ANSWER, STEP_END } };
    struct vault_seal_item items[] = { { .place = place, .plain = SLICE("\x01\x02") },
                                       { .place = place, .plain = SLICE_EMPTY },
                                       { .place = place, .plain = SLICE("\x03"), .index_label = "peer" } };

    begin(&f, 10000);
    assert_ok(vault_seal_many(&f.vault, VAULT_CONTENT, items, COUNT_OF(items), f.arena));
    assert_true(slice_eq(items[0].sealed.cipher, SLICE("\xfe\xfd")));
    assert_int_equal(items[1].sealed.cipher.len, 0);
    assert_true(slice_eq(items[2].sealed.cipher, SLICE("\xfc")));
    assert_int_equal(items[2].sealed.key_version, 3);
    assert_int_equal(items[2].sealed.iv[0], 0x12);
    assert_int_equal(items[2].sealed.tag[15], 0x22);
    assert_int_equal(items[2].index[31], 0x32);
    end(&f);
}

static void
an_opened_credential_is_a_secret(void **state UNUSED)
{
    struct fixture f = { .script.steps = { STEP_ANSWER, STEP_END } };
    size_t used = secret_pool_used();
    struct secret *secret;

    begin(&f, 10000);
    assert_ok(vault_open(&f.vault, VAULT_CREDENTIAL, &place, &sealed_sample, &secret));
    assert_true(slice_eq(secret_slice(secret), SLICE("cipher")));
    secret_free(secret);
    assert_int_equal(secret_pool_used(), used);
    end(&f);
}

static void
refusals_reach_the_caller(void **state UNUSED)
{
    struct fixture f = { .script.steps = { STEP_FORBID, STEP_CORRUPT, STEP_ANSWER, STEP_END } };
    struct vault_facts facts;
    struct secret *secret = NULL;

    begin(&f, 10000);
    assert_int_equal(vault_facts(&f.vault, &facts), ERR_VAULT_FORBIDDEN);
    assert_int_equal(vault_open(&f.vault, VAULT_CREDENTIAL, &place, &sealed_sample, &secret),
                     ERR_SEAL_CORRUPT);
    assert_null(secret);
    assert_ok(vault_facts(&f.vault, &facts)); /* and the link is in order */
    end(&f);
}

static void
a_missing_key_is_fetched_and_the_call_goes_on(void **state UNUSED)
{
    for (uint32_t version = 0; version < 2; version++) {
        struct fixture f = {
            .script = { .steps = { STEP_MISSING, STEP_ANSWER, STEP_ANSWER, STEP_END },
                        .missing = { .tenant = { { 1 } }, .purpose = VAULT_CONTENT, .version = version } }
        };
        struct slice plain;

        begin(&f, 10000);
        assert_ok(vault_open_content(&f.vault, &place, &sealed_sample, f.arena, &plain));
        end(&f);
        assert_int_equal(f.source.asked, 1);
        assert_int_equal(f.source.version, version);
        assert_int_equal(f.script.asked, 3);
        assert_int_equal(f.script.ops[1], VAULT_OP_KEY_LOAD);
        assert_int_equal(f.script.loaded.version, 5);
        assert_int_equal(f.script.is_newest, version == 0);
    }
}

static void
a_key_that_stays_missing_is_asked_for_once(void **state UNUSED)
{
    struct fixture f = { .script = { .steps = { STEP_MISSING, STEP_ANSWER, STEP_MISSING, STEP_END },
                                     .missing = { .purpose = VAULT_INDEX } } };
    unsigned char index[32];

    begin(&f, 10000);
    assert_int_equal(vault_index(&f.vault, place.tenant, "peer", SLICE("x"), index), ERR_VAULT_KEY_MISSING);
    end(&f);
    assert_int_equal(f.source.asked, 1);
}

static void
without_the_key_in_the_database_the_call_fails(void **state UNUSED)
{
    const struct {
        enum err source, call;
    } cases[] = { { ERR_NOT_FOUND, ERR_VAULT_KEY_MISSING }, { ERR_DB_UNAVAILABLE, ERR_DB_UNAVAILABLE } };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture f = { .script = { .steps = { STEP_MISSING, STEP_END },
                                         .missing = { .purpose = VAULT_INDEX } },
                             .source.err = cases[i].source };
        unsigned char index[32];
        begin(&f, 10000);
        assert_int_equal(vault_index(&f.vault, place.tenant, "peer", SLICE("x"), index), cases[i].call);
        end(&f);
    }
}

static void
without_a_source_a_missing_key_is_reported(void **state UNUSED)
{
    struct fixture f = { .script = { .steps = { STEP_MISSING, STEP_END },
                                     .missing = { .purpose = VAULT_INDEX } } };
    unsigned char index[32];

    begin(&f, 10000);
    f.vault.key_source = NULL;
    assert_int_equal(vault_index(&f.vault, place.tenant, "peer", SLICE("x"), index), ERR_VAULT_KEY_MISSING);
    end(&f);
}

static void
answers_to_requests_that_were_given_up_are_passed_over(void **state UNUSED)
{
    struct fixture f = { .script.steps = { STEP_STALE_FIRST, STEP_ANSWER, STEP_END } };
    struct vault_facts facts;

    begin(&f, 10000);
    assert_ok(vault_facts(&f.vault, &facts));
    assert_ok(vault_facts(&f.vault, &facts));
    end(&f);
}

static void
a_silent_vault_is_given_up_and_may_be_asked_again(void **state UNUSED)
{
    struct fixture f = { .script.steps = { STEP_SILENT, STEP_STALE_FIRST, STEP_END } };
    struct vault_facts facts;

    begin(&f, 500); /* for the second call, on a busy machine */
    assert_int_equal(vault_facts(&f.vault, &facts), ERR_VAULT_UNAVAILABLE);
    /* Its late answer comes before that of the next request. */
    assert_ok(vault_facts(&f.vault, &facts));
    end(&f);
}

static void
a_vault_that_speaks_nonsense_loses_its_link(void **state UNUSED)
{
    const enum step steps[] = { STEP_GARBAGE, STEP_OTHER_OP, STEP_FD, STEP_DIE };

    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        struct fixture f = { .script.steps = { steps[i], STEP_END } };
        struct vault_facts facts;
        begin(&f, 20);
        assert_int_equal(vault_facts(&f.vault, &facts), ERR_VAULT_UNAVAILABLE);
        assert_int_equal(vault_facts(&f.vault, &facts), ERR_VAULT_UNAVAILABLE);
        end(&f);
        assert_int_equal(f.script.asked, 1);
    }
}

static void
a_sealed_value_without_the_index_that_was_asked_for_is_an_error(void **state UNUSED)
{
    struct fixture f = { .script.steps = { STEP_NO_INDEX, STEP_END } };
    struct vault_seal_item item = { .place = place, .plain = SLICE("a"), .index_label = "peer" };

    begin(&f, 10000);
    assert_int_equal(vault_seal_many(&f.vault, VAULT_CONTENT, &item, 1, f.arena), ERR_FRAME);
    end(&f);
}

static void
too_few_sealed_values_are_an_error(void **state UNUSED)
{
    struct fixture f = { .script.steps = { STEP_SHORT, STEP_END } };
    struct vault_seal_item items[] = { { .place = place, .plain = SLICE("a") },
                                       { .place = place, .plain = SLICE("b") } };

    begin(&f, 10000);
    assert_int_equal(vault_seal_many(&f.vault, VAULT_CONTENT, items, 2, f.arena), ERR_FRAME);
    end(&f);
}

/* The vault dies with a request on its table; the next one answers it, and the caller saw nothing of that. */
struct relinker {
    struct script *dead, *next;
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

static void
a_call_outlives_the_vault(void **state UNUSED)
{
    struct fixture f = { .script.steps = { STEP_DIE, STEP_END } };
    struct script next = { .steps = { STEP_ANSWER, STEP_END } };
    struct vault_facts facts;
    pthread_t thread;

    begin(&f, 10000);
    struct relinker relinker = { &f.script, &next, f.vault.client, script_start(&next) };
    assert_int_equal(pthread_create(&thread, NULL, relink_when_dead, &relinker), 0);
    assert_ok(vault_facts(&f.vault, &facts));
    assert_int_equal(pthread_join(thread, NULL), 0);
    end(&f);
    script_end(&next);
}

static void
a_client_without_a_link_waits_for_one(void **state UNUSED)
{
    struct script script = { .steps = { STEP_ANSWER, STEP_ANSWER, STEP_ANSWER, STEP_ANSWER, STEP_ANSWER,
                                        STEP_ANSWER, STEP_ANSWER, STEP_END } };
    struct vault vault = { 0 };
    struct vault_facts facts;

    assert_ok(vault_client_new(-1, 20, &vault.client));
    assert_int_equal(vault_facts(&vault, &facts), ERR_VAULT_UNAVAILABLE);
    vault_client_relink(vault.client, script_start(&script));
    enum err err = vault_facts(&vault, &facts);
    for (int i = 0; i < 6 && err == ERR_VAULT_UNAVAILABLE; i++)
        err = vault_facts(&vault, &facts); /* 20 ms may be short on a busy machine */
    assert_ok(err);
    vault_client_free(vault.client);
    script_end(&script);
}

static void
a_value_over_the_limit_is_not_sent(void **state UNUSED)
{
    struct fixture f = { .script.steps = { STEP_ANSWER, STEP_END } };
    char *much = calloc(1, VAULT_PLAIN_BYTES_MAX + 1);
    struct slice over = slice_of(much, VAULT_PLAIN_BYTES_MAX + 1),
                 half = slice_of(much, VAULT_PLAIN_BYTES_MAX);
    struct vault_seal_item items[] = { { .place = place, .plain = half }, { .place = place, .plain = half } };
    struct vault_sealed sealed = { .cipher = over, .key_version = 1 };
    struct vault_facts facts;
    unsigned char mac[32];
    struct slice plain;

    assert_non_null(much);
    begin(&f, 10000);
    assert_int_equal(vault_seal(&f.vault, VAULT_CONTENT, &place, over, f.arena, &sealed), ERR_LIMIT);
    assert_int_equal(vault_seal_many(&f.vault, VAULT_CONTENT, items, 2, f.arena), ERR_LIMIT);
    assert_int_equal(vault_index(&f.vault, place.tenant, "peer", over, mac), ERR_LIMIT);
    assert_int_equal(vault_sign_mac(&f.vault, &place, &sealed_sample, over, mac), ERR_LIMIT);
    sealed.cipher = over;
    assert_int_equal(vault_open_content(&f.vault, &place, &sealed, f.arena, &plain), ERR_SEAL_CORRUPT);
    assert_ok(vault_facts(&f.vault, &facts));
    end(&f);
    assert_int_equal(f.script.asked, 1);
    free(much);
}

/* Allocations of this thread that still succeed; -1: all. The linker sends our own objects' calls here. */
static _Thread_local long allocations_left = -1;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

void *
__wrap_malloc(size_t size)
{
    if (allocations_left < 0 || --allocations_left >= 0)
        return __real_malloc(size);
    allocations_left = -1;
    return NULL;
}

/* With the 1st, 2nd, 3rd ... allocation failing, until the call succeeds: the link is in order each time. */
static void
a_call_without_memory_leaves_the_link_in_order(void **state UNUSED)
{
    char text[256];
    struct vault_sealed sealed = { .cipher = slice_of(text, sizeof(text)), .key_version = 1 };
    long nth = 0;
    enum err err;

    memset(text, 't', sizeof(text));
    do {
        struct fixture f = { .script.steps = { STEP_ANSWER, STEP_ANSWER, STEP_END } };
        struct vault_facts facts;
        struct slice plain;
        begin(&f, 10000);
        allocations_left = nth++;
        err = vault_open_content(&f.vault, &place, &sealed, f.arena, &plain);
        allocations_left = -1;
        assert_true(err == ERR_OK || err == ERR_NO_MEMORY);
        assert_ok(vault_facts(&f.vault, &facts));
        if (f.script.asked < 2) /* the first was not even sent: let the script come to its end */
            assert_ok(vault_facts(&f.vault, &facts));
        end(&f);
    } while (err != ERR_OK);
    assert_true(nth > 3);
}

/* Many threads on one client: each gets the answer to its own question. */
struct asker {
    const struct vault *vault;
    unsigned char byte;
    size_t failed;
};

static void *
asker_run(void *arg)
{
    struct asker *asker = arg;
    struct arena *arena = arena_new(65536);

    for (int i = 0; i < 200; i++) {
        char text[64];
        struct vault_sealed sealed = { .cipher = slice_of(text, sizeof(text)), .key_version = 1 };
        struct slice plain;
        memset(text, asker->byte, sizeof(text));
        if (arena == NULL || vault_open_content(asker->vault, &place, &sealed, arena, &plain) != ERR_OK ||
            !slice_eq(plain, sealed.cipher))
            asker->failed++;
        if (arena != NULL)
            arena_reset(arena);
    }
    arena_free(arena);
    return NULL;
}

static void *
echo_run(void *arg)
{
    struct script *script = arg;
    struct vault_request *request = malloc(sizeof(*request));
    struct buf frame;
    int rider;

    buf_init(&frame, VAULT_FRAME_BYTES_MAX);
    while (request != NULL && link_receive(script->fd, &frame, &rider, 10000) == ERR_OK &&
           vault_request_decode(buf_slice(&frame), request) == ERR_OK &&
           step_play(script, STEP_ANSWER, request))
        ;
    buf_release(&frame);
    free(request);
    return NULL;
}

static void
threads_share_a_client(void **state UNUSED)
{
    struct script script = { .fd = -1 };
    struct vault vault = { 0 };
    struct asker askers[4];
    pthread_t threads[COUNT_OF(askers)];
    int fds[2];

    assert_ok(link_pair(fds));
    script.fd = fds[1];
    assert_ok(vault_client_new(fds[0], 10000, &vault.client));
    assert_int_equal(pthread_create(&script.thread, NULL, echo_run, &script), 0);
    for (size_t i = 0; i < COUNT_OF(askers); i++) {
        askers[i] = (struct asker){ &vault, (unsigned char)('a' + i), 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, asker_run, &askers[i]), 0);
    }
    for (size_t i = 0; i < COUNT_OF(askers); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(askers[i].failed, 0);
    }
    vault_client_free(vault.client);
    script_end(&script);
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
        cmocka_unit_test(each_call_asks_its_own_operation),
        cmocka_unit_test(sealed_values_come_back_in_order_and_live_in_the_arena),
        cmocka_unit_test(an_opened_credential_is_a_secret),
        cmocka_unit_test(refusals_reach_the_caller),
        cmocka_unit_test(a_missing_key_is_fetched_and_the_call_goes_on),
        cmocka_unit_test(a_key_that_stays_missing_is_asked_for_once),
        cmocka_unit_test(without_the_key_in_the_database_the_call_fails),
        cmocka_unit_test(without_a_source_a_missing_key_is_reported),
        cmocka_unit_test(answers_to_requests_that_were_given_up_are_passed_over),
        cmocka_unit_test(a_silent_vault_is_given_up_and_may_be_asked_again),
        cmocka_unit_test(a_vault_that_speaks_nonsense_loses_its_link),
        cmocka_unit_test(a_sealed_value_without_the_index_that_was_asked_for_is_an_error),
        cmocka_unit_test(too_few_sealed_values_are_an_error),
        cmocka_unit_test(a_call_outlives_the_vault),
        cmocka_unit_test(a_client_without_a_link_waits_for_one),
        cmocka_unit_test(a_value_over_the_limit_is_not_sent),
        cmocka_unit_test(a_call_without_memory_leaves_the_link_in_order),
        cmocka_unit_test(threads_share_a_client),
    };
    return cmocka_run_group_tests(tests, pool_open, NULL);
}
