/*
 * Keys, passwords and tokens: memory that is locked, kept out of core dumps and
 * of forked children, and wiped on release. There is no printing function, so a
 * secret cannot be logged. One pool per process, made by secret_pool_open.
 */
#ifndef CORE_SECRET_H
#define CORE_SECRET_H
#include "core/err.h"
#include "core/slice.h"

struct secret; /* owned by one holder: secret_free */

enum secret_memory {
    SECRET_MEMORY_NONE,    /* no pool yet */
    SECRET_MEMORY_FD,      /* memfd_secret: not even root reads it through /proc */
    SECRET_MEMORY_LOCKED,  /* mlock, not dumped, wiped on fork */
    SECRET_MEMORY_UNLOCKED /* likewise, but it may be swapped out: only where secret_pool_open was told that
                              this will do */
};

/*
 * Makes the pool of `bytes` (rounded up to pages); once per process, before
 * threads. ERR_SYSTEM when the memory can be neither secret nor locked, as
 * under a small RLIMIT_MEMLOCK; both kinds count against it.
 */
MUST_CHECK enum err secret_pool_open(size_t bytes);
/* As secret_pool_open, and where it would fail, of memory that is not locked. For who was told to allow that.
 */
MUST_CHECK enum err secret_pool_open_unlocked(size_t bytes);
/* What a further `bytes` would be made of now; SECRET_MEMORY_NONE: secret_pool_open would fail. */
enum secret_memory secret_memory_offered(size_t bytes);
enum secret_memory secret_pool_memory(void);
/* Bytes in use now, with their headers: for metrics and leak tests. */
size_t secret_pool_used(void);

/* Zeroed. NULL when the pool is full or not open. Thread-safe. */
struct secret *secret_new(size_t len);
/* A copy; the caller wipes its source. NULL as secret_new. */
struct secret *secret_copy(struct slice bytes);
/* Wipes and gives the memory back. Accepts NULL. */
void secret_free(struct secret *secret);

unsigned char *secret_bytes(struct secret *secret);
struct slice secret_slice(const struct secret *secret);
size_t secret_len(const struct secret *secret);
/* Constant time in the bytes; the lengths are not secret. */
bool secret_eq(struct slice a, struct slice b);
/* Wipes ordinary memory that held a secret for a moment. */
void secret_wipe(void *ptr, size_t len);

#endif
