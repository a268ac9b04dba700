/* The layout that dnd_registry.c reads and dnd_build.c writes. */
#ifndef DOMAIN_DND_DND_REGISTRY_INTERNAL_H
#define DOMAIN_DND_DND_REGISTRY_INTERNAL_H
#include "crypto/hash.h"
#include "domain/dnd/dnd_registry.h"
#include <endian.h>

#define DND_MAGIC         "HKDNDREG"
#define DND_VERSION       1u
#define DND_HEADER_BYTES  4096u
#define DND_BUCKET_BITS   16u
#define DND_BUCKET_COUNT  ((uint32_t)(DND_NUMBER_MAX >> DND_BUCKET_BITS) + 1u)
#define DND_PROFILE_BYTES 8u
#define DND_INDEX_BYTES   ((uint64_t)(DND_BUCKET_COUNT + 1u) * 4u)

/* Where the fields of the header are. */
enum dnd_header_at {
    DND_AT_MAGIC = 0,
    DND_AT_VERSION = 8,
    DND_AT_PROFILE_COUNT = 12,
    DND_AT_NUMBER_COUNT = 16,
    DND_AT_ROW_COUNT = 24,
    DND_AT_REFUSED_COUNT = 32,
    DND_AT_IMPORTED_AT = 40,
    DND_AT_BODY_DIGEST = 48,
    DND_AT_SOURCE = 80, /* DND_SOURCE_BYTES_MAX, ended by zeros */
    DND_AT_HEADER_DIGEST = DND_HEADER_BYTES - HASH_BYTES,
};

static inline uint16_t
dnd_u16_get(const void *from)
{
    uint16_t value;

    memcpy(&value, from, sizeof(value));
    return le16toh(value);
}

static inline uint32_t
dnd_u32_get(const void *from)
{
    uint32_t value;

    memcpy(&value, from, sizeof(value));
    return le32toh(value);
}

static inline uint64_t
dnd_u64_get(const void *from)
{
    uint64_t value;

    memcpy(&value, from, sizeof(value));
    return le64toh(value);
}

static inline void
dnd_u16_put(void *to, uint16_t value)
{
    value = htole16(value);
    memcpy(to, &value, sizeof(value));
}

static inline void
dnd_u32_put(void *to, uint32_t value)
{
    value = htole32(value);
    memcpy(to, &value, sizeof(value));
}

static inline void
dnd_u64_put(void *to, uint64_t value)
{
    value = htole64(value);
    memcpy(to, &value, sizeof(value));
}

static inline size_t
dnd_entry_bytes(uint32_t profile_count)
{
    return profile_count > 256 ? 4 : 3;
}

#endif
