#include "program/vault/vault_keyring.h"
#include "core/secret.h"
#include <stdlib.h>

#define NONE UINT32_MAX

struct slot {
    struct id tenant;
    enum vault_purpose purpose;
    uint32_t version;
    bool is_newest;
    bool is_used;
    uint64_t seals;
    struct mono_time put_at;
    uint32_t next_in_bucket; /* of a free slot: the next free one */
    uint32_t newer, older;   /* by last use */
};

/* Slots hold what is known of a key; its bytes stand at the same index in `keys`. */
struct vault_keyring {
    struct secret *keys;
    struct slot *slots;
    uint32_t *buckets; /* first slot of each; all versions of one tenant's key are in one bucket */
    uint32_t capacity, count, bucket_mask;
    uint32_t newest_used, oldest_used, first_free;
};

enum err
vault_keyring_new(size_t capacity, struct vault_keyring **out)
{
    struct vault_keyring *ring = calloc(1, sizeof(*ring));
    size_t buckets = 16;

    *out = NULL;
    if (capacity == 0 || capacity > UINT32_MAX / 64)
        bug("a keyring of no size");
    while (buckets < capacity)
        buckets *= 2;
    if (ring != NULL) {
        ring->keys = secret_new(capacity * VAULT_KEY_BYTES);
        ring->slots = calloc(capacity, sizeof(*ring->slots));
        ring->buckets = calloc(buckets, sizeof(*ring->buckets));
    }
    if (ring == NULL || ring->keys == NULL || ring->slots == NULL || ring->buckets == NULL) {
        vault_keyring_free(ring);
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < buckets; i++)
        ring->buckets[i] = NONE;
    for (uint32_t i = 0; i < capacity; i++)
        ring->slots[i].next_in_bucket = i + 1 < capacity ? i + 1 : NONE;
    ring->capacity = (uint32_t)capacity;
    ring->bucket_mask = (uint32_t)buckets - 1;
    ring->newest_used = ring->oldest_used = NONE;
    *out = ring;
    return ERR_OK;
}

void
vault_keyring_free(struct vault_keyring *ring)
{
    if (ring == NULL)
        return;
    secret_free(ring->keys);
    free(ring->slots);
    free(ring->buckets);
    free(ring);
}

/* FNV-1a. Tenants' ids are ours, and only keys that we wrapped get in: nobody can aim at one bucket. */
static uint32_t *
bucket_of(const struct vault_keyring *ring, struct id tenant, enum vault_purpose purpose)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < sizeof(tenant.bytes); i++)
        hash = (hash ^ tenant.bytes[i]) * 16777619u;
    hash = (hash ^ (uint32_t)purpose) * 16777619u;
    return &ring->buckets[(hash ^ (hash >> 16)) & ring->bucket_mask];
}

static unsigned char *
key_bytes(const struct vault_keyring *ring, uint32_t at)
{
    return secret_bytes(ring->keys) + (size_t)at * VAULT_KEY_BYTES;
}

static void
use_unlink(struct vault_keyring *ring, uint32_t at)
{
    struct slot *slot = &ring->slots[at];

    if (slot->newer != NONE)
        ring->slots[slot->newer].older = slot->older;
    else
        ring->newest_used = slot->older;
    if (slot->older != NONE)
        ring->slots[slot->older].newer = slot->newer;
    else
        ring->oldest_used = slot->newer;
}

static void
use_link(struct vault_keyring *ring, uint32_t at)
{
    ring->slots[at].newer = NONE;
    ring->slots[at].older = ring->newest_used;
    if (ring->newest_used != NONE)
        ring->slots[ring->newest_used].newer = at;
    else
        ring->oldest_used = at;
    ring->newest_used = at;
}

static bool
is_key(const struct slot *slot, struct id tenant, enum vault_purpose purpose)
{
    return slot->purpose == purpose && id_eq(slot->tenant, tenant);
}

static uint32_t
slot_find(const struct vault_keyring *ring, struct id tenant, enum vault_purpose purpose, uint32_t version)
{
    uint32_t found = NONE;

    for (uint32_t at = *bucket_of(ring, tenant, purpose); at != NONE; at = ring->slots[at].next_in_bucket) {
        const struct slot *slot = &ring->slots[at];
        if (!is_key(slot, tenant, purpose))
            continue;
        if (version == 0 ? slot->is_newest && (found == NONE || slot->version > ring->slots[found].version)
                         : slot->version == version)
            found = at;
    }
    return found;
}

enum err
vault_keyring_find(struct vault_keyring *ring, struct id tenant, enum vault_purpose purpose, uint32_t version,
                   struct vault_held_key *out)
{
    uint32_t at = slot_find(ring, tenant, purpose, version);

    if (at == NONE)
        return ERR_VAULT_KEY_MISSING;
    use_unlink(ring, at);
    use_link(ring, at);
    *out = (struct vault_held_key){ .bytes = slice_of(key_bytes(ring, at), VAULT_KEY_BYTES),
                                    .version = ring->slots[at].version,
                                    .seals = &ring->slots[at].seals };
    return ERR_OK;
}

/* Out of its bucket and of the order of use, wiped, and free. */
static void
slot_free(struct vault_keyring *ring, uint32_t at)
{
    uint32_t *link = bucket_of(ring, ring->slots[at].tenant, ring->slots[at].purpose);

    while (*link != at)
        link = &ring->slots[*link].next_in_bucket;
    *link = ring->slots[at].next_in_bucket;
    use_unlink(ring, at);
    secret_wipe(key_bytes(ring, at), VAULT_KEY_BYTES);
    ring->slots[at] = (struct slot){ .next_in_bucket = ring->first_free };
    ring->first_free = at;
    ring->count--;
}

/* A slot to write to: a free one, or that of the key that was not used for the longest time. */
static uint32_t
slot_take(struct vault_keyring *ring)
{
    if (ring->first_free == NONE)
        slot_free(ring, ring->oldest_used);
    uint32_t at = ring->first_free;
    ring->first_free = ring->slots[at].next_in_bucket;
    ring->count++;
    return at;
}

enum err
vault_keyring_put(struct vault_keyring *ring, struct id tenant, enum vault_purpose purpose, uint32_t version,
                  bool is_newest, struct slice bytes, uint64_t seals, struct mono_time now)
{
    if (version == 0 || bytes.len != VAULT_KEY_BYTES)
        bug("a key of no version or of another size");
    uint32_t at = slot_find(ring, tenant, purpose, version);
    if (at != NONE) {
        if (!secret_eq(slice_of(key_bytes(ring, at), VAULT_KEY_BYTES), bytes))
            return ERR_SEAL_CORRUPT;
        struct slot *held = &ring->slots[at];
        held->is_newest = held->is_newest || is_newest;
        held->seals = held->seals > seals ? held->seals : seals;
        held->put_at = now;
        return ERR_OK;
    }
    at = slot_take(ring);
    uint32_t *bucket = bucket_of(ring, tenant, purpose);
    ring->slots[at] = (struct slot){ .tenant = tenant,
                                     .purpose = purpose,
                                     .version = version,
                                     .is_newest = is_newest,
                                     .is_used = true,
                                     .seals = seals,
                                     .put_at = now,
                                     .next_in_bucket = *bucket };
    *bucket = at;
    memcpy(key_bytes(ring, at), bytes.ptr, VAULT_KEY_BYTES);
    use_link(ring, at);
    return ERR_OK;
}

void
vault_keyring_forget(struct vault_keyring *ring, struct id tenant, enum vault_purpose purpose,
                     uint32_t version)
{
    uint32_t at = version == 0 ? NONE : slot_find(ring, tenant, purpose, version);

    if (at != NONE)
        slot_free(ring, at);
}

void
vault_keyring_forget_tenant(struct vault_keyring *ring, struct id tenant)
{
    for (uint32_t at = 0; at < ring->capacity; at++)
        if (ring->slots[at].is_used && id_eq(ring->slots[at].tenant, tenant))
            slot_free(ring, at);
}

void
vault_keyring_expire(struct vault_keyring *ring, struct mono_time before)
{
    for (uint32_t at = 0; at < ring->capacity; at++)
        if (ring->slots[at].is_used && ring->slots[at].put_at.us < before.us)
            slot_free(ring, at);
}

size_t
vault_keyring_count(const struct vault_keyring *ring)
{
    return ring->count;
}
