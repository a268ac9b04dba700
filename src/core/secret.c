#include "core/secret.h"
#include "core/num.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdalign.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447 /* every architecture has the same number for it */
#endif

#define TAG_USED 0x5ec2e7a11ce55edfu
#define TAG_FREE 0x5ec2e7f2eeb10c45u
#define UNIT     alignof(max_align_t)
#define SPLIT    (sizeof(struct secret) + 2 * UNIT) /* a smaller rest stays with the block */

/*
 * A block of the pool: blocks lie end to end and cover it. A free block's neighbours are used ones, because
 * freeing joins; so the list of free blocks is short. The payload of a free block is zero.
 */
struct secret {
    uint64_t tag;
    size_t bytes;        /* of the whole block, this header included */
    size_t bytes_before; /* of the block that lies before it; 0: the first */
    size_t len;
    struct secret *next, *prev; /* only in a free block: the list */
    alignas(max_align_t) unsigned char data[];
};

static pthread_mutex_t pool_mutex = PTHREAD_MUTEX_INITIALIZER;
static unsigned char *pool;            /* written once, before threads */
static size_t pool_bytes;              /* written once, before threads */
static enum secret_memory pool_memory; /* written once, before threads */
static size_t pool_used;               /* under pool_mutex */
static struct secret *pool_free;       /* under pool_mutex, as every block header */

/* Memory that the kernel unmaps from itself. NULL where it is not on offer or the limit is too low. */
static void *
pool_map_secret(size_t bytes)
{
    int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
    void *map = MAP_FAILED;

    if (fd < 0)
        return NULL;
    if (ftruncate(fd, (off_t)bytes) == 0)
        map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map == MAP_FAILED)
        return NULL;
    /* The mapping is shared, and a forked child would share it: leave it out. */
    if (madvise(map, bytes, MADV_DONTFORK) != 0) {
        munmap(map, bytes);
        return NULL;
    }
    return map;
}

static void *
pool_map_private(size_t bytes, bool is_locked)
{
    void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (map == MAP_FAILED)
        return NULL;
    if ((is_locked && mlock(map, bytes) != 0) || madvise(map, bytes, MADV_DONTDUMP) != 0 ||
        madvise(map, bytes, MADV_WIPEONFORK) != 0) {
        munmap(map, bytes);
        return NULL;
    }
    return map;
}

/* The best kind that is to be had, down to `worst`; NULL: none of them. */
static void *
pool_map(size_t bytes, enum secret_memory worst, enum secret_memory *memory_out)
{
    struct rlimit limit;

    /* What this process is allowed it may as well use. Root's limit does not count, so a refusal does not
     * either. */
    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_MEMLOCK, &limit);
    }
    *memory_out = SECRET_MEMORY_FD;
    void *map = pool_map_secret(bytes);
    while (map == NULL && *memory_out < worst) {
        *memory_out += 1;
        map = pool_map_private(bytes, *memory_out == SECRET_MEMORY_LOCKED);
    }
    return map;
}

/* Up to whole pages; 0: too much. */
static size_t
pages_round(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), rounded;

    if (num_add(bytes == 0 ? 1 : bytes, page - 1, &rounded) != ERR_OK)
        return 0;
    return rounded - rounded % page;
}

enum secret_memory
secret_memory_offered(size_t bytes)
{
    size_t rounded = pages_round(bytes);
    enum secret_memory memory;
    void *map = rounded == 0 ? NULL : pool_map(rounded, SECRET_MEMORY_LOCKED, &memory);

    if (map == NULL)
        return SECRET_MEMORY_NONE;
    munmap(map, rounded);
    return memory;
}

static enum err
pool_open(size_t bytes, enum secret_memory worst)
{
    size_t rounded = pages_round(bytes);
    enum secret_memory memory;

    if (pool != NULL)
        bug("a second pool of secrets");
    void *map = rounded == 0 ? NULL : pool_map(rounded, worst, &memory);
    if (map == NULL)
        return ERR_SYSTEM;
    memset(map, 0, rounded); /* all pages are there now: no fault, and no lack of memory, later */
    pool = map;
    pool_bytes = rounded;
    pool_memory = memory;
    pool_free = map;
    *pool_free = (struct secret){ .tag = TAG_FREE, .bytes = rounded };
    return ERR_OK;
}

enum err
secret_pool_open(size_t bytes)
{
    return pool_open(bytes, SECRET_MEMORY_LOCKED);
}

enum err
secret_pool_open_unlocked(size_t bytes)
{
    return pool_open(bytes, SECRET_MEMORY_UNLOCKED);
}

enum secret_memory
secret_pool_memory(void)
{
    return pool_memory;
}

size_t
secret_pool_used(void)
{
    pthread_mutex_lock(&pool_mutex);
    size_t used = pool_used;
    pthread_mutex_unlock(&pool_mutex);
    return used;
}

/* The block that lies behind this one; NULL for the last. */
static struct secret *
block_after(struct secret *block)
{
    unsigned char *at = (unsigned char *)block + block->bytes;

    return at == pool + pool_bytes ? NULL : (void *)at;
}

static struct secret *
block_before(struct secret *block)
{
    return block->bytes_before == 0 ? NULL : (void *)((unsigned char *)block - block->bytes_before);
}

static void
list_add(struct secret *block)
{
    block->tag = TAG_FREE;
    block->prev = NULL;
    block->next = pool_free;
    if (pool_free != NULL)
        pool_free->prev = block;
    pool_free = block;
}

static void
list_remove(struct secret *block)
{
    if (block->prev != NULL)
        block->prev->next = block->next;
    else
        pool_free = block->next;
    if (block->next != NULL)
        block->next->prev = block->prev;
    block->next = block->prev = NULL;
}

/* Cuts what is behind the first `bytes` off a block that is in no list, and returns it to the list. */
static void
block_split(struct secret *block, size_t bytes)
{
    struct secret *rest = (void *)((unsigned char *)block + bytes), *after = block_after(block);

    if (block->bytes - bytes < SPLIT)
        return;
    *rest = (struct secret){ .bytes = block->bytes - bytes, .bytes_before = bytes };
    block->bytes = bytes;
    if (after != NULL)
        after->bytes_before = rest->bytes;
    list_add(rest);
}

/* Joins two blocks that touch; neither is in the list. The second header is wiped, as payload must be. */
static void
block_join(struct secret *first, struct secret *second)
{
    struct secret *after = block_after(second);

    first->bytes += second->bytes;
    if (after != NULL)
        after->bytes_before = first->bytes;
    explicit_bzero(second, sizeof(*second));
}

struct secret *
secret_new(size_t len)
{
    size_t need;
    struct secret *block;

    if (pool == NULL || num_add(len, sizeof(struct secret) + UNIT - 1, &need) != ERR_OK)
        return NULL;
    need -= need % UNIT;
    pthread_mutex_lock(&pool_mutex);
    for (block = pool_free; block != NULL; block = block->next)
        if (block->bytes >= need)
            break;
    if (block != NULL) {
        list_remove(block);
        block_split(block, need);
        block->tag = TAG_USED;
        block->len = len;
        pool_used += block->bytes;
    }
    pthread_mutex_unlock(&pool_mutex);
    return block;
}

struct secret *
secret_copy(struct slice bytes)
{
    struct secret *secret = secret_new(bytes.len);

    if (secret != NULL && bytes.len != 0)
        memcpy(secret->data, bytes.ptr, bytes.len);
    return secret;
}

void
secret_free(struct secret *secret)
{
    if (secret == NULL)
        return;
    pthread_mutex_lock(&pool_mutex);
    if (secret->tag != TAG_USED)
        bug("a secret freed twice, or memory that is none");
    explicit_bzero(secret->data, secret->bytes - sizeof(*secret));
    secret->len = 0;
    pool_used -= secret->bytes;
    struct secret *before = block_before(secret), *after = block_after(secret);
    if (after != NULL && after->tag == TAG_FREE) {
        list_remove(after);
        block_join(secret, after);
    }
    if (before != NULL && before->tag == TAG_FREE) {
        list_remove(before);
        block_join(before, secret);
        secret = before;
    }
    list_add(secret);
    pthread_mutex_unlock(&pool_mutex);
}

unsigned char *
secret_bytes(struct secret *secret)
{
    return secret->data;
}

struct slice
secret_slice(const struct secret *secret)
{
    return slice_of(secret->data, secret->len);
}

size_t
secret_len(const struct secret *secret)
{
    return secret->len;
}

bool
secret_eq(struct slice a, struct slice b)
{
    const volatile unsigned char *p = (const volatile unsigned char *)a.ptr;
    const volatile unsigned char *q = (const volatile unsigned char *)b.ptr;
    unsigned char difference = 0;

    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        difference = (unsigned char)(difference | (p[i] ^ q[i]));
    return difference == 0;
}

void
secret_wipe(void *ptr, size_t len)
{
    if (len != 0)
        explicit_bzero(ptr, len);
}
