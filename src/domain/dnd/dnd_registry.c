#include "domain/dnd/dnd_registry.h"
#include "core/attribute.h"
#include "domain/dnd/dnd_registry_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct dnd_registry {
    atomic_uint references;
    struct dnd_registry_facts facts;
    const char *profiles, *entries, *index; /* into the mapped bytes */
    size_t entry_bytes;
    void *mapped; /* owned; NULL: the bytes are borrowed */
    size_t mapped_bytes;
};

static enum err
digest_is(struct slice bytes, const char *wanted)
{
    unsigned char digest[HASH_BYTES];
    enum err err = hash_sha256(bytes, digest);

    if (err != ERR_OK)
        return err;
    return memcmp(digest, wanted, HASH_BYTES) == 0 ? ERR_OK : ERR_FILE_DAMAGED;
}

/* Text that we wrote: valid UTF-8, without control characters. */
static bool
source_take(const char *from, char out[static DND_SOURCE_BYTES_MAX + 1])
{
    size_t len = strnlen(from, DND_SOURCE_BYTES_MAX);

    memcpy(out, from, len);
    out[len] = '\0';
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)from[i] < 0x20 || from[i] == 0x7f)
            return false;
    return slice_is_utf8(slice_of(from, len));
}

/* The facts of the header, whose bytes are there; `file_bytes` must be the size that follows from its counts.
 */
static enum err
header_read(const char *header, uint64_t file_bytes, struct dnd_registry_facts *facts)
{
    enum err err = digest_is(slice_of(header, DND_AT_HEADER_DIGEST), header + DND_AT_HEADER_DIGEST);

    if (err != ERR_OK)
        return err;
    if (memcmp(header, DND_MAGIC, sizeof(DND_MAGIC) - 1) != 0 ||
        dnd_u32_get(header + DND_AT_VERSION) != DND_VERSION ||
        !source_take(header + DND_AT_SOURCE, facts->source))
        return ERR_FILE_DAMAGED;
    facts->profile_count = dnd_u32_get(header + DND_AT_PROFILE_COUNT);
    facts->number_count = dnd_u64_get(header + DND_AT_NUMBER_COUNT);
    facts->row_count = dnd_u64_get(header + DND_AT_ROW_COUNT);
    facts->refused_count = dnd_u64_get(header + DND_AT_REFUSED_COUNT);
    facts->imported_at.us = (int64_t)dnd_u64_get(header + DND_AT_IMPORTED_AT);
    facts->bytes = file_bytes;
    if (facts->profile_count > DND_PROFILES_MAX || facts->number_count > UINT32_MAX ||
        facts->row_count > INT64_MAX || facts->refused_count > INT64_MAX || facts->imported_at.us < 0)
        return ERR_FILE_DAMAGED;
    return file_bytes == DND_HEADER_BYTES + (uint64_t)facts->profile_count * DND_PROFILE_BYTES +
                             facts->number_count * dnd_entry_bytes(facts->profile_count) + DND_INDEX_BYTES
               ? ERR_OK
               : ERR_FILE_DAMAGED;
}

/* The body has the digest that the header says, and lies as its counts say. */
static enum err
body_read(struct dnd_registry *registry, struct slice bytes)
{
    struct slice body = slice_drop(bytes, DND_HEADER_BYTES);

    registry->entry_bytes = dnd_entry_bytes(registry->facts.profile_count);
    registry->profiles = body.ptr;
    registry->entries = registry->profiles + (size_t)registry->facts.profile_count * DND_PROFILE_BYTES;
    registry->index = registry->entries + registry->facts.number_count * registry->entry_bytes;
    return digest_is(body, bytes.ptr + DND_AT_BODY_DIGEST);
}

enum err
dnd_registry_read(struct slice bytes, struct dnd_registry **out)
{
    struct dnd_registry *registry;

    *out = NULL;
    if (bytes.len < DND_HEADER_BYTES)
        return ERR_FILE_DAMAGED;
    registry = calloc(1, sizeof(*registry));
    if (registry == NULL)
        return ERR_NO_MEMORY;
    atomic_init(&registry->references, 1);
    enum err err = header_read(bytes.ptr, bytes.len, &registry->facts);
    if (err == ERR_OK)
        err = body_read(registry, bytes);
    if (err == ERR_OK)
        *out = registry;
    else
        free(registry);
    return err;
}

/* Its descriptor and size. Errors as dnd_registry_open. */
static enum err
file_open(const char *folder, int *fd_out, size_t *bytes_out)
{
    char path[1024];
    struct stat st;

    if ((size_t)snprintf(path, sizeof(path), "%s/" DND_REGISTRY_NAME, folder) >= sizeof(path))
        return ERR_SYSTEM;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? ERR_NOTHING : ERR_SYSTEM;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return ERR_SYSTEM;
    }
    if (st.st_size < (off_t)DND_HEADER_BYTES || st.st_size > DND_REGISTRY_BYTES_MAX) {
        close(fd);
        return ERR_FILE_DAMAGED;
    }
    *fd_out = fd;
    *bytes_out = (size_t)st.st_size;
    return ERR_OK;
}

enum err
dnd_registry_open(const char *folder, struct dnd_registry **out)
{
    size_t bytes = 0;
    int fd = -1;
    enum err err = file_open(folder, &fd, &bytes);

    *out = NULL;
    if (err != ERR_OK)
        return err;
    /* A file in place is never changed, only replaced by another one: what is mapped stays what was opened.
     */
    void *mapped = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped == MAP_FAILED)
        return ERR_SYSTEM;
    err = dnd_registry_read(slice_of(mapped, bytes), out);
    if (err != ERR_OK) {
        munmap(mapped, bytes);
        return err;
    }
    (*out)->mapped = mapped;
    (*out)->mapped_bytes = bytes;
    return ERR_OK;
}

enum err
dnd_registry_peek(const char *folder, struct dnd_registry_facts *out)
{
    char header[DND_HEADER_BYTES];
    size_t bytes = 0;
    int fd = -1;
    enum err err = file_open(folder, &fd, &bytes);

    if (err != ERR_OK)
        return err;
    err = pread(fd, header, sizeof(header), 0) == (ssize_t)sizeof(header) ? header_read(header, bytes, out)
                                                                          : ERR_SYSTEM;
    close(fd);
    return err;
}

struct dnd_registry *
dnd_registry_ref(struct dnd_registry *registry)
{
    atomic_fetch_add(&registry->references, 1);
    return registry;
}

void
dnd_registry_unref(struct dnd_registry *registry)
{
    if (registry == NULL || atomic_fetch_sub(&registry->references, 1) != 1)
        return;
    if (registry->mapped != NULL)
        munmap(registry->mapped, registry->mapped_bytes);
    free(registry);
}

const struct dnd_registry_facts *
dnd_registry_facts(const struct dnd_registry *registry)
{
    return &registry->facts;
}

bool
dnd_is_old(struct wall_time imported_at, struct wall_time now, int64_t days)
{
    return (now.us - imported_at.us) / 1000000 > days * 86400;
}

bool
dnd_number_of(struct slice e164, uint64_t *number_out)
{
    uint64_t number = 0;

    if (e164.len != 13 || !slice_starts_with(e164, SLICE("+91")))
        return false;
    for (size_t i = 3; i < e164.len; i++) {
        if (e164.ptr[i] < '0' || e164.ptr[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(e164.ptr[i] - '0');
    }
    *number_out = number;
    return true;
}

static const char *
entry_at(const struct dnd_registry *registry, uint64_t at)
{
    return registry->entries + at * registry->entry_bytes;
}

/* A profile that is not there blocks everything: better a message that does not come than one that must not.
 */
static struct dnd_preference
preference_of(const struct dnd_registry *registry, const char *entry)
{
    uint32_t profile = registry->entry_bytes == 4 ? dnd_u16_get(entry + 2) : (unsigned char)entry[2];
    struct dnd_preference out = { .categories = 1 };

    if (profile < registry->facts.profile_count) {
        const char *at = registry->profiles + profile * DND_PROFILE_BYTES;

        out = (struct dnd_preference){ dnd_u16_get(at), dnd_u16_get(at + 2), (uint8_t)at[4], (uint8_t)at[5] };
    }
    return out;
}

/* How many entries come before the bucket; never beyond the last. */
static uint64_t
bucket_start(const struct dnd_registry *registry, uint64_t bucket)
{
    uint64_t start = dnd_u32_get(registry->index + bucket * 4);

    return start < registry->facts.number_count ? start : registry->facts.number_count;
}

bool
dnd_lookup(const struct dnd_registry *registry, uint64_t number, struct dnd_preference *out)
{
    uint16_t wanted = (uint16_t)number;

    *out = (struct dnd_preference){ 0 };
    if (number > DND_NUMBER_MAX)
        return false;
    uint64_t low = bucket_start(registry, number >> DND_BUCKET_BITS);
    uint64_t high = bucket_start(registry, (number >> DND_BUCKET_BITS) + 1);
    while (low < high) {
        uint64_t mid = low + (high - low) / 2;
        uint16_t there = dnd_u16_get(entry_at(registry, mid));

        if (there == wanted) {
            *out = preference_of(registry, entry_at(registry, mid));
            return true;
        }
        if (there < wanted)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

bool
dnd_registry_entry(const struct dnd_registry *registry, uint64_t at, uint32_t *bucket, uint64_t *number_out,
                   struct dnd_preference *out)
{
    if (at >= registry->facts.number_count)
        return false;
    while (*bucket + 1 < DND_BUCKET_COUNT && bucket_start(registry, *bucket + 1) <= at)
        ++*bucket;
    *number_out = (uint64_t)*bucket << DND_BUCKET_BITS | dnd_u16_get(entry_at(registry, at));
    *out = preference_of(registry, entry_at(registry, at));
    return true;
}
