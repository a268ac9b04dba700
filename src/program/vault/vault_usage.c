#include "program/vault/vault_usage.h"
#include <stdlib.h>

#define NONE UINT32_MAX

/* Entries are chained by bucket; those of the batch that is out stand in `out`, apart. */
struct entry {
    struct vault_use use;
    uint32_t next;
};

struct vault_usage {
    struct entry *entries;
    uint32_t *buckets;
    uint32_t capacity, count, mask;
    uint64_t uncounted;
    struct vault_use out[VAULT_USES_MAX];
    size_t out_count;
    uint32_t batch; /* of `out`; counts on when that was taken */
};

enum err
vault_usage_new(size_t capacity, struct vault_usage **out)
{
    struct vault_usage *usage = calloc(1, sizeof(*usage));
    uint32_t buckets = 16;

    *out = NULL;
    if (capacity == 0 || capacity > UINT32_MAX / 64)
        bug("a table of uses of no size");
    while (buckets < capacity)
        buckets *= 2;
    if (usage != NULL) {
        usage->entries = calloc(capacity, sizeof(*usage->entries));
        usage->buckets = calloc(buckets, sizeof(*usage->buckets));
    }
    if (usage == NULL || usage->entries == NULL || usage->buckets == NULL) {
        vault_usage_free(usage);
        return ERR_NO_MEMORY;
    }
    for (uint32_t i = 0; i < buckets; i++)
        usage->buckets[i] = NONE;
    usage->capacity = (uint32_t)capacity;
    usage->mask = buckets - 1;
    *out = usage;
    return ERR_OK;
}

void
vault_usage_free(struct vault_usage *usage)
{
    if (usage == NULL)
        return;
    free(usage->entries);
    free(usage->buckets);
    free(usage);
}

static uint32_t *
bucket_of(const struct vault_usage *usage, struct id tenant, enum vault_purpose purpose, uint32_t version)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < sizeof(tenant.bytes); i++)
        hash = (hash ^ tenant.bytes[i]) * 16777619u;
    hash = (hash ^ (uint32_t)purpose) * 16777619u;
    hash = (hash ^ version) * 16777619u;
    return &usage->buckets[(hash ^ (hash >> 16)) & usage->mask];
}

void
vault_usage_add(struct vault_usage *usage, struct id tenant, enum vault_purpose purpose, uint32_t version,
                uint64_t seals, uint64_t opens)
{
    uint32_t *bucket = bucket_of(usage, tenant, purpose, version);
    uint32_t at = *bucket;

    while (at != NONE &&
           !(usage->entries[at].use.purpose == purpose && usage->entries[at].use.version == version &&
             id_eq(usage->entries[at].use.tenant, tenant)))
        at = usage->entries[at].next;
    if (at == NONE) {
        if (usage->count == usage->capacity) {
            usage->uncounted += seals + opens;
            return;
        }
        at = usage->count++;
        usage->entries[at] =
            (struct entry){ .use = { .tenant = tenant, .purpose = purpose, .version = version },
                            .next = *bucket };
        *bucket = at;
    }
    usage->entries[at].use.seals += seals;
    usage->entries[at].use.opens += opens;
}

uint64_t
vault_usage_uncounted(const struct vault_usage *usage)
{
    return usage->uncounted;
}

/* Takes the last entry off the table. */
static void
entry_take(struct vault_usage *usage, struct vault_use *out)
{
    uint32_t at = --usage->count;

    *out = usage->entries[at].use;
    uint32_t *link = bucket_of(usage, out->tenant, out->purpose, out->version);
    while (*link != at)
        link = &usage->entries[*link].next;
    *link = usage->entries[at].next;
}

void
vault_usage_batch(struct vault_usage *usage, uint32_t taken, uint32_t *batch_out,
                  struct vault_use uses_out[VAULT_USES_MAX], size_t *count_out)
{
    if (taken == usage->batch)
        usage->out_count = 0;
    if (usage->out_count == 0 && usage->count > 0) {
        usage->batch = usage->batch == UINT32_MAX ? 1 : usage->batch + 1;
        while (usage->count > 0 && usage->out_count < VAULT_USES_MAX)
            entry_take(usage, &usage->out[usage->out_count++]);
    }
    *batch_out = usage->out_count == 0 ? 0 : usage->batch;
    *count_out = usage->out_count;
    memcpy(uses_out, usage->out, usage->out_count * sizeof(usage->out[0]));
}
