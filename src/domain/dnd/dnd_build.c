#include "domain/dnd/dnd_build.h"
#include "core/attribute.h"
#include "domain/dnd/dnd_registry_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEW_NAME       DND_REGISTRY_NAME ".new"
#define SLOT_COUNT     (DND_PROFILES_MAX * 2u) /* of the table of profiles: half of them stay empty */
#define RADIX_BITS     12u
#define RADIX_COUNT    (1u << RADIX_BITS)
#define RADIX_PASSES   3u /* 36 bits; a number has 34 */
#define OUT_BYTES      65536u
#define READ_ROWS_MIN  64u
#define PROGRESS_EVERY 1000000u

/* A row while it is sorted: number << 17 | profile << 1 | is_removed. */
#define PACK(number, profile, is_removed)                                                                    \
    ((number) << 17 | (uint64_t)(profile) << 1 | ((is_removed) ? 1u : 0u))
#define NUMBER_OF(packed)  ((packed) >> 17)
#define PROFILE_OF(packed) ((uint32_t)((packed) >> 1 & 0xffffu))
#define IS_REMOVED(packed) (((packed)&1) != 0)

/* A sorted piece, on its way through the merge. */
struct run {
    uint64_t at, end; /* rows in the file of pieces: not read yet */
    uint64_t *rows;   /* read ahead; part of `read_ahead` */
    size_t next, count;
};

struct dnd_build {
    char folder[1024];
    const struct dnd_registry *base; /* borrowed; NULL: none */
    uint64_t *rows, *spare;          /* owned; `row_max` each */
    size_t row_count, row_max;
    uint64_t spilled; /* rows in the file of pieces */
    int spill_fd;     /* owned */
    struct run *runs; /* owned */
    size_t run_count, run_max;
    uint64_t profiles[DND_PROFILES_MAX]; /* packed, by their number */
    uint32_t profile_count;
    uint32_t slots[SLOT_COUNT]; /* profile + 1; 0: free */
};

/* ---- Profiles ---- */

static uint64_t
profile_packed(const struct dnd_preference *p)
{
    return (uint64_t)p->categories | (uint64_t)p->bands << 16 | (uint64_t)p->modes << 32 |
           (uint64_t)p->days << 40;
}

static enum err
profile_find_or_add(struct dnd_build *build, const struct dnd_preference *preference, uint32_t *out)
{
    uint64_t packed = profile_packed(preference);
    size_t slot = (size_t)(packed * 0x9e3779b97f4a7c15u >> 47) % SLOT_COUNT;

    for (; build->slots[slot] != 0; slot = (slot + 1) % SLOT_COUNT)
        if (build->profiles[build->slots[slot] - 1] == packed) {
            *out = build->slots[slot] - 1;
            return ERR_OK;
        }
    if (build->profile_count == DND_PROFILES_MAX)
        return ERR_TOO_MANY;
    *out = build->profile_count;
    build->profiles[build->profile_count++] = packed;
    build->slots[slot] = build->profile_count;
    return ERR_OK;
}

/* ---- Rows ---- */

static enum err
write_all(int fd, const void *bytes, size_t len)
{
    const char *from = bytes;

    while (len > 0) {
        ssize_t n = write(fd, from, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ERR_SYSTEM;
        from += n;
        len -= (size_t)n;
    }
    return ERR_OK;
}

/* By number, least significant digits first: so rows of one number stay in the order in which they came. */
static void
rows_sort(struct dnd_build *build)
{
    size_t starts[RADIX_COUNT];

    for (unsigned pass = 0; pass < RADIX_PASSES; pass++) {
        unsigned shift = 17 + pass * RADIX_BITS;
        size_t sum = 0;

        memset(starts, 0, sizeof(starts));
        for (size_t i = 0; i < build->row_count; i++)
            starts[build->rows[i] >> shift & (RADIX_COUNT - 1)]++;
        for (size_t d = 0; d < RADIX_COUNT; d++) {
            size_t count = starts[d];

            starts[d] = sum;
            sum += count;
        }
        for (size_t i = 0; i < build->row_count; i++)
            build->spare[starts[build->rows[i] >> shift & (RADIX_COUNT - 1)]++] = build->rows[i];
        uint64_t *sorted = build->spare;
        build->spare = build->rows;
        build->rows = sorted;
    }
}

static enum err
rows_spill(struct dnd_build *build)
{
    size_t kept = 0;

    if (build->row_count == 0)
        return ERR_OK;
    rows_sort(build);
    for (size_t i = 0; i < build->row_count; i++) /* the last of each number */
        if (i + 1 == build->row_count || NUMBER_OF(build->rows[i]) != NUMBER_OF(build->rows[i + 1]))
            build->rows[kept++] = build->rows[i];
    if (build->run_count == build->run_max) {
        size_t max = build->run_max == 0 ? 64 : build->run_max * 2;
        struct run *runs = reallocarray(build->runs, max, sizeof(*runs));

        if (runs == NULL)
            return ERR_NO_MEMORY;
        build->runs = runs;
        build->run_max = max;
    }
    enum err err = write_all(build->spill_fd, build->rows, kept * sizeof(*build->rows));
    if (err != ERR_OK)
        return err;
    build->runs[build->run_count++] = (struct run){ .at = build->spilled, .end = build->spilled + kept };
    build->spilled += kept;
    build->row_count = 0;
    return ERR_OK;
}

static enum err
row_add(struct dnd_build *build, uint64_t number, const struct dnd_preference *preference)
{
    uint32_t profile = 0;
    bool is_removed = dnd_preference_is_empty(preference);
    enum err err = is_removed ? ERR_OK : profile_find_or_add(build, preference, &profile);

    if (err != ERR_OK)
        return err;
    build->rows[build->row_count++] = PACK(number, profile, is_removed);
    return build->row_count == build->row_max ? rows_spill(build) : ERR_OK;
}

enum err
dnd_build_row(struct dnd_build *build, const struct dnd_row *row)
{
    static const struct dnd_preference nothing = { 0 };

    return row_add(build, row->number, row->is_removed ? &nothing : &row->preference);
}

/* The registry that is changed is the first run: its rows are made anew, and later ones replace them. */
static enum err
base_add(struct dnd_build *build)
{
    struct dnd_preference preference;
    uint64_t number;
    uint32_t bucket = 0;

    for (uint64_t at = 0;
         build->base != NULL && dnd_registry_entry(build->base, at, &bucket, &number, &preference); at++) {
        enum err err = row_add(build, number, &preference);
        if (err != ERR_OK)
            return err;
    }
    return ERR_OK;
}

enum err
dnd_build_new(const char *folder, const struct dnd_registry *base, size_t memory_bytes,
              struct dnd_build **out)
{
    struct dnd_build *build = calloc(1, sizeof(*build));
    enum err err = ERR_NO_MEMORY;

    *out = NULL;
    if (build == NULL)
        return ERR_NO_MEMORY;
    build->spill_fd = -1;
    build->base = base;
    build->row_max = memory_bytes / (2 * sizeof(*build->rows));
    if (build->row_max < READ_ROWS_MIN)
        build->row_max = READ_ROWS_MIN;
    build->rows = calloc(build->row_max, sizeof(*build->rows));
    build->spare = calloc(build->row_max, sizeof(*build->spare));
    if (build->rows == NULL || build->spare == NULL)
        goto done;
    err = ERR_SYSTEM;
    if ((size_t)snprintf(build->folder, sizeof(build->folder), "%s", folder) >= sizeof(build->folder) - 32)
        goto done;
    build->spill_fd = open(folder, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (build->spill_fd < 0)
        goto done;
    err = base_add(build);
    if (err != ERR_OK)
        goto done;
    *out = build;
    build = NULL;
done:
    dnd_build_free(build);
    return err;
}

void
dnd_build_free(struct dnd_build *build)
{
    if (build == NULL)
        return;
    if (build->spill_fd >= 0)
        close(build->spill_fd);
    free(build->runs);
    free(build->rows);
    free(build->spare);
    free(build);
}

/* ---- The merge ---- */

/* A file that is written from front to back, with the digest of what was written. */
struct out {
    int fd;
    struct hash *hash;
    size_t len;
    unsigned char bytes[OUT_BYTES];
};

static enum err
out_flush(struct out *out)
{
    enum err err = hash_add(out->hash, slice_of(out->bytes, out->len));

    if (err == ERR_OK)
        err = write_all(out->fd, out->bytes, out->len);
    out->len = 0;
    return err;
}

static enum err
out_add(struct out *out, const void *bytes, size_t len) /* less than OUT_BYTES */
{
    enum err err = len > sizeof(out->bytes) - out->len ? out_flush(out) : ERR_OK;

    if (err != ERR_OK)
        return err;
    memcpy(out->bytes + out->len, bytes, len);
    out->len += len;
    return ERR_OK;
}

static enum err
run_fill(struct dnd_build *build, struct run *run, size_t rows_max)
{
    size_t want = run->end - run->at < rows_max ? (size_t)(run->end - run->at) : rows_max, have = 0;
    char *to = (char *)run->rows;

    while (have < want * sizeof(*run->rows)) {
        ssize_t n = pread(build->spill_fd, to + have, want * sizeof(*run->rows) - have,
                          (off_t)(run->at * sizeof(*run->rows) + have));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ERR_SYSTEM;
        have += (size_t)n;
    }
    run->at += want;
    run->next = 0;
    run->count = want;
    return ERR_OK;
}

/* A heap of runs by the row that each has next; of equal numbers, the later run's comes out last. */
struct node {
    uint64_t number;
    uint32_t run;
};
struct heap {
    struct node *nodes; /* owned */
    size_t count;
};

static bool
node_is_before(const struct heap *heap, size_t a, size_t b)
{
    if (heap->nodes[a].number != heap->nodes[b].number)
        return heap->nodes[a].number < heap->nodes[b].number;
    return heap->nodes[a].run < heap->nodes[b].run;
}

static void
heap_sink(struct heap *heap, size_t at)
{
    for (;;) {
        size_t least = at, left = 2 * at + 1;

        if (left < heap->count && node_is_before(heap, left, least))
            least = left;
        if (left + 1 < heap->count && node_is_before(heap, left + 1, least))
            least = left + 1;
        if (least == at)
            return;
        struct node moved = heap->nodes[at];
        heap->nodes[at] = heap->nodes[least];
        heap->nodes[least] = moved;
        at = least;
    }
}

struct merge {
    struct dnd_build *build;
    struct heap heap;
    size_t rows_max; /* that are read ahead of a run */
};

static enum err
merge_begin(struct merge *merge, struct dnd_build *build)
{
    merge->build = build;
    merge->heap.nodes = calloc(build->run_count == 0 ? 1 : build->run_count, sizeof(*merge->heap.nodes));
    if (merge->heap.nodes == NULL)
        return ERR_NO_MEMORY;
    /* What the rows were sorted in is free again. With more runs than it has room for, each gets a little
     * beyond. */
    merge->rows_max = build->run_count == 0 ? 0 : build->row_max / build->run_count;
    if (build->run_count > 0 && merge->rows_max < READ_ROWS_MIN) {
        uint64_t *rows = reallocarray(build->rows, build->run_count, READ_ROWS_MIN * sizeof(*rows));

        if (rows == NULL)
            return ERR_NO_MEMORY;
        build->rows = rows;
        merge->rows_max = READ_ROWS_MIN;
    }
    for (size_t r = 0; r < build->run_count; r++) {
        build->runs[r].rows = build->rows + r * merge->rows_max;
        enum err err = run_fill(build, &build->runs[r], merge->rows_max);
        if (err != ERR_OK)
            return err;
        merge->heap.nodes[merge->heap.count].number = NUMBER_OF(build->runs[r].rows[0]);
        merge->heap.nodes[merge->heap.count++].run = (uint32_t)r;
    }
    for (size_t at = merge->heap.count / 2; at-- > 0;)
        heap_sink(&merge->heap, at);
    return ERR_OK;
}

/* The next row of any run, by number; ERR_NOTHING: there is none. */
static enum err
merge_next(struct merge *merge, uint64_t *packed_out)
{
    if (merge->heap.count == 0)
        return ERR_NOTHING;
    struct run *run = &merge->build->runs[merge->heap.nodes[0].run];
    *packed_out = run->rows[run->next++];
    if (run->next == run->count && run->at < run->end) {
        enum err err = run_fill(merge->build, run, merge->rows_max);
        if (err != ERR_OK)
            return err;
    }
    if (run->next < run->count)
        merge->heap.nodes[0].number = NUMBER_OF(run->rows[run->next]);
    else
        merge->heap.nodes[0] = merge->heap.nodes[--merge->heap.count];
    heap_sink(&merge->heap, 0);
    return ERR_OK;
}

static enum err
entries_write(struct dnd_build *build, const struct dnd_build_result *result, struct out *out,
              uint32_t *index, uint64_t *count_out)
{
    struct merge merge = { 0 };
    uint64_t packed = 0, next, count = 0;
    uint32_t bucket = 0;
    size_t entry_bytes = dnd_entry_bytes(build->profile_count);
    unsigned char entry[4];
    enum err err = merge_begin(&merge, build), end = ERR_OK;

    if (err == ERR_OK)
        end = merge_next(&merge, &packed);
    while (err == ERR_OK && end == ERR_OK) {
        end = merge_next(&merge, &next);
        if ((end != ERR_OK || NUMBER_OF(next) != NUMBER_OF(packed)) && !IS_REMOVED(packed)) {
            for (; bucket < NUMBER_OF(packed) >> DND_BUCKET_BITS; bucket++)
                dnd_u32_put(&index[bucket + 1], (uint32_t)count);
            if (count == UINT32_MAX)
                err = ERR_TOO_MANY;
            dnd_u16_put(entry, (uint16_t)NUMBER_OF(packed));
            dnd_u16_put(entry + 2, (uint16_t)PROFILE_OF(packed));
            if (err == ERR_OK)
                err = out_add(out, entry, entry_bytes);
            if (++count % PROGRESS_EVERY == 0 && result->progress != NULL)
                result->progress(result->ctx, count);
        }
        packed = next;
    }
    for (; bucket < DND_BUCKET_COUNT; bucket++)
        dnd_u32_put(&index[bucket + 1], (uint32_t)count);
    free(merge.heap.nodes);
    *count_out = count;
    return err != ERR_OK ? err : end == ERR_NOTHING ? ERR_OK : end;
}

static enum err
body_write(struct dnd_build *build, const struct dnd_build_result *result, struct out *out,
           uint64_t *count_out)
{
    uint32_t *index = calloc(DND_BUCKET_COUNT + 1, sizeof(*index));
    enum err err = index == NULL ? ERR_NO_MEMORY : ERR_OK;

    for (uint32_t p = 0; err == ERR_OK && p < build->profile_count; p++) {
        unsigned char profile[DND_PROFILE_BYTES];

        dnd_u64_put(profile, build->profiles[p]);
        err = out_add(out, profile, sizeof(profile));
    }
    if (err == ERR_OK)
        err = entries_write(build, result, out, index, count_out);
    for (uint32_t b = 0; err == ERR_OK && b <= DND_BUCKET_COUNT; b++)
        err = out_add(out, &index[b], sizeof(index[b]));
    if (err == ERR_OK)
        err = out_flush(out);
    free(index);
    return err;
}

static enum err
header_write(const struct dnd_build *build, const struct dnd_build_result *result, int fd,
             uint64_t number_count, const unsigned char body_digest[HASH_BYTES])
{
    unsigned char header[DND_HEADER_BYTES] = { 0 };

    memcpy(header + DND_AT_MAGIC, DND_MAGIC, sizeof(DND_MAGIC) - 1);
    dnd_u32_put(header + DND_AT_VERSION, DND_VERSION);
    dnd_u32_put(header + DND_AT_PROFILE_COUNT, build->profile_count);
    dnd_u64_put(header + DND_AT_NUMBER_COUNT, number_count);
    dnd_u64_put(header + DND_AT_ROW_COUNT, result->row_count);
    dnd_u64_put(header + DND_AT_REFUSED_COUNT, result->refused_count);
    dnd_u64_put(header + DND_AT_IMPORTED_AT, (uint64_t)result->now.us);
    memcpy(header + DND_AT_BODY_DIGEST, body_digest, HASH_BYTES);
    struct slice source = slice_first(result->source, DND_SOURCE_BYTES_MAX);
    if (source.len > 0)
        memcpy(header + DND_AT_SOURCE, source.ptr, source.len);
    enum err err = hash_sha256(slice_of(header, DND_AT_HEADER_DIGEST), header + DND_AT_HEADER_DIGEST);
    if (err != ERR_OK)
        return err;
    return pwrite(fd, header, sizeof(header), 0) == (ssize_t)sizeof(header) ? ERR_OK : ERR_SYSTEM;
}

/* What was written, as everybody will read it. */
static enum err
check_written(const char *path, struct dnd_registry_facts *facts_out)
{
    struct dnd_registry *registry;
    enum err err = dnd_registry_open(path, &registry);

    if (err != ERR_OK)
        return err;
    *facts_out = *dnd_registry_facts(registry);
    dnd_registry_unref(registry);
    return ERR_OK;
}

/* Makes the new one in a folder of its own, named as it will be, so that it is read back by the same door. */
static enum err
put_in_place(const char *folder, const char *made)
{
    char from[1200], to[1200];
    int fd;

    snprintf(from, sizeof(from), "%s/" DND_REGISTRY_NAME, made);
    snprintf(to, sizeof(to), "%s/" DND_REGISTRY_NAME, folder);
    if (rename(from, to) != 0)
        return ERR_SYSTEM;
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return ERR_SYSTEM;
    enum err err = fsync(fd) == 0 ? ERR_OK : ERR_SYSTEM;
    close(fd);
    return err;
}

enum err
dnd_build_finish(struct dnd_build *build, const struct dnd_build_result *result,
                 struct dnd_registry_facts *facts_out)
{
    struct out *out = calloc(1, sizeof(*out));
    unsigned char digest[HASH_BYTES];
    char made[1100], path[1200];
    uint64_t count = 0;
    enum err err = out == NULL ? ERR_NO_MEMORY : ERR_OK;

    snprintf(made, sizeof(made), "%s/" NEW_NAME, build->folder);
    snprintf(path, sizeof(path), "%s/" DND_REGISTRY_NAME, made);
    if (out != NULL)
        out->fd = -1;
    if (err == ERR_OK)
        err = rows_spill(build);
    if (err == ERR_OK &&
        ((mkdir(made, 0700) != 0 && errno != EEXIST) || (unlink(path) != 0 && errno != ENOENT)))
        err = ERR_SYSTEM; /* what an import that was killed left is written over */
    if (err == ERR_OK) {
        out->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (out->fd < 0 || fchmod(out->fd, result->is_shared ? 0644 : 0600) != 0 ||
            lseek(out->fd, DND_HEADER_BYTES, SEEK_SET) != (off_t)DND_HEADER_BYTES)
            err = ERR_SYSTEM;
    }
    if (err == ERR_OK)
        err = hash_new(&out->hash);
    if (err == ERR_OK)
        err = body_write(build, result, out, &count);
    if (err == ERR_OK)
        err = hash_end(out->hash, digest);
    if (err == ERR_OK)
        err = header_write(build, result, out->fd, count, digest);
    if (err == ERR_OK && fsync(out->fd) != 0)
        err = ERR_SYSTEM;
    if (err == ERR_OK)
        err = check_written(made, facts_out);
    if (err == ERR_OK && facts_out->number_count < result->number_count_min)
        err = ERR_STATE_CONFLICT;
    if (err == ERR_OK)
        err = put_in_place(build->folder, made);
    if (out != NULL) {
        if (out->fd >= 0)
            close(out->fd);
        hash_free(out->hash);
    }
    free(out);
    (void)unlink(path); /* there only after a failure */
    (void)rmdir(made);
    return err;
}
