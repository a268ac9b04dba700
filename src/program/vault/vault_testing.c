#include "program/vault/vault_testing.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/unit.h"
#include "crypto/encode.h"
#include "crypto/kdf.h"
#include "platform/db/test_cluster.h"
#include "platform/ipc/link.h"
#include "program/vault/vault_core.h"
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define LINKS_MAX 64u

static struct {
    pthread_mutex_t lock; /* of all below; the core serves one request at a time */
    struct vault_core *core;
    struct vault_kek kek;
    unsigned age; /* of the links that are served: raised by a cut */
    struct served {
        int fd;
        unsigned age;
        enum vault_role role;
        pthread_t thread;
    } links[LINKS_MAX];
    size_t link_count;
} vault = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* One request; false when the link is at its end. */
static bool
serve_one(const struct served *link, struct buf *request, struct buf *answer)
{
    struct vault_outcome outcome;
    int rider = -1;
    bool goes_on = link_receive(link->fd, request, &rider, -1) == ERR_OK;

    pthread_mutex_lock(&vault.lock);
    goes_on = goes_on && link->age == vault.age &&
              vault_core_handle(vault.core, link->role, buf_slice(request), answer, &outcome) == ERR_OK;
    pthread_mutex_unlock(&vault.lock);
    return goes_on && link_send(link->fd, buf_slice(answer), -1, 5000) == ERR_OK;
}

static void *
serve(void *ctx)
{
    const struct served *link = ctx;
    struct buf request, answer;

    buf_init(&request, VAULT_FRAME_BYTES_MAX);
    buf_init(&answer, VAULT_FRAME_BYTES_MAX);
    while (serve_one(link, &request, &answer))
        ;
    buf_release_wiped(&request);
    buf_release_wiped(&answer);
    close(link->fd);
    return NULL;
}

void
vault_testing_start(void)
{
    static const struct vault_core_options options = { .key_capacity = 256,
                                                       .scrypt_n = KDF_SCRYPT_N_MIN,
                                                       .seals_max = VAULT_KEY_SEALS_MAX };
    struct vault_boot boot = { .masters = { SLICE("a master key of thirty-two bytes") },
                               .master_count = 1,
                               .make_version = 1 };
    struct vault_booted booted;

    assert_ok(vault_core_new(&options, &vault.core));
    assert_ok(vault_core_boot(vault.core, &boot, &booted));
    assert_true(booted.has_made);
    vault.kek = booted.made;
}

void
vault_testing_stop(void)
{
    for (size_t i = 0; i < vault.link_count; i++)
        pthread_join(vault.links[i].thread, NULL);
    vault.link_count = 0;
    vault_core_free(vault.core);
    vault.core = NULL;
}

int
vault_testing_link(enum vault_role role)
{
    int ends[2];

    assert_ok(link_pair(ends));
    pthread_mutex_lock(&vault.lock);
    assert_true(vault.link_count < LINKS_MAX);
    struct served *link = &vault.links[vault.link_count++];
    *link = (struct served){ .fd = ends[0], .age = vault.age, .role = role };
    assert_int_equal(pthread_create(&link->thread, NULL, serve, link), 0);
    pthread_mutex_unlock(&vault.lock);
    return ends[1];
}

struct vault_client *
vault_testing_client(enum vault_role role, int timeout_ms)
{
    struct vault_client *client = NULL;

    assert_ok(vault_client_new(vault_testing_link(role), timeout_ms, &client));
    return client;
}

void
vault_testing_cut(void)
{
    pthread_mutex_lock(&vault.lock);
    vault.age++;
    pthread_mutex_unlock(&vault.lock);
}

void
vault_testing_make_keys(struct id tenant, struct vault_wrapped_key out[3])
{
    struct vault_request request = { .op = VAULT_OP_MAKE_KEYS, .id = 1, .tenant = tenant };
    struct vault_outcome outcome;
    struct vault_answer decoded;
    struct buf frame, answer;

    buf_init(&frame, VAULT_FRAME_BYTES_MAX);
    buf_init(&answer, VAULT_FRAME_BYTES_MAX);
    vault_request_encode(&frame, &request);
    assert_ok(buf_done(&frame));
    pthread_mutex_lock(&vault.lock);
    assert_ok(vault_core_handle(vault.core, VAULT_ROLE_ADMIN, buf_slice(&frame), &answer, &outcome));
    pthread_mutex_unlock(&vault.lock);
    assert_ok(vault_answer_decode(buf_slice(&answer), &decoded));
    memcpy(out, decoded.keys, sizeof(decoded.keys));
    buf_release(&frame);
    buf_release(&answer);
}

/* '\x..' of some octets. */
static void
add_hex(struct buf *out, const void *bytes, size_t len)
{
    buf_add_text(out, ", '\\x");
    encode_hex(out, slice_of(bytes, len));
    buf_add_byte(out, '\'');
}

struct id
vault_testing_tenant(const char *slug)
{
    struct id tenant = test_cluster_tenant(slug);
    struct vault_wrapped_key keys[3];
    char uuid[ID_UUID_BYTES];
    struct buf sql;

    id_uuid_print(tenant, uuid);
    vault_testing_make_keys(tenant, keys);
    buf_init(&sql, 8192);
    buf_add_text(&sql,
                 "insert into harkara.kek (version, scrypt_n, scrypt_r, scrypt_p, salt, check_ct, check_iv,"
                 " check_tag) values (1, 2, 8, 1");
    add_hex(&sql, vault.kek.scrypt.salt, sizeof(vault.kek.scrypt.salt));
    add_hex(&sql, vault.kek.check_cipher, sizeof(vault.kek.check_cipher));
    add_hex(&sql, vault.kek.check_iv, sizeof(vault.kek.check_iv));
    add_hex(&sql, vault.kek.check_tag, sizeof(vault.kek.check_tag));
    buf_add_text(&sql, ") on conflict do nothing;");
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        buf_add_format(&sql,
                       "insert into harkara.tenant_key (tenant_id, purpose, version, kek_version, wrapped_ct,"
                       " wrapped_iv, wrapped_tag) values ('%s', %d, %u, 1",
                       uuid, (int)keys[i].purpose, keys[i].version);
        add_hex(&sql, keys[i].cipher, sizeof(keys[i].cipher));
        add_hex(&sql, keys[i].iv, sizeof(keys[i].iv));
        add_hex(&sql, keys[i].tag, sizeof(keys[i].tag));
        buf_add_text(&sql, ");");
    }
    buf_add_byte(&sql, '\0');
    assert_ok(buf_done(&sql));
    test_cluster_sql(sql.ptr);
    buf_release(&sql);
    return tenant;
}
