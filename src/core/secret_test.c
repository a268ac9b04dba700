#include "core/secret.h"
#include "core/unit.h"
#include "core/unit_child.h"
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define POOL_BYTES 32768u

/* The sanitizers' mlock does nothing and succeeds: under them memory is neither locked nor refused. */
#ifdef HARKARA_SANITIZED
#define MLOCK_WORKS 0
#else
#define MLOCK_WORKS 1
#endif

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

/* From here on the process cannot make one or both kinds of memory, as under another kernel or limit. */
static bool
deny(unsigned first, unsigned second)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, first, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, second, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { COUNT_OF(code), code };

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* Whether the mapping that holds the address carries each of the kernel's marks, such as " dd". */
static bool
mapping_has(const void *address, const char *const *marks, size_t count)
{
    FILE *maps = fopen("/proc/self/smaps", "re");
    char line[512], *rest;
    bool inside = false, has = false;

    if (maps == NULL)
        return false;
    while (fgets(line, sizeof(line), maps) != NULL) {
        uintptr_t first = strtoull(line, &rest, 16);
        if (*rest == '-') /* "first-end ..." begins a mapping; its marks come last */
            inside = (uintptr_t)address >= first && (uintptr_t)address < strtoull(rest + 1, NULL, 16);
        if (!inside || strncmp(line, "VmFlags:", 8) != 0)
            continue;
        has = true;
        for (size_t i = 0; i < count; i++)
            has = has && strstr(line, marks[i]) != NULL;
        break;
    }
    fclose(maps);
    return has;
}

enum sight { SIGHT_ALL, SIGHT_ZERO, SIGHT_NONE, SIGHT_ODD };

/* What this process sees of a secret of 'S' octets; the kernel reads for us, so that nothing faults. */
static enum sight
look(const unsigned char *bytes, size_t len)
{
    unsigned char seen[256];
    int ends[2];
    size_t letters = 0, zeros = 0;

    if (pipe(ends) != 0 || len > sizeof(seen))
        return SIGHT_ODD;
    ssize_t written = write(ends[1], bytes, len);
    if (written < 0 && errno == EFAULT)
        return SIGHT_NONE;
    if (written != (ssize_t)len || read(ends[0], seen, len) != (ssize_t)len)
        return SIGHT_ODD;
    close(ends[0]);
    close(ends[1]);
    for (size_t i = 0; i < len; i++) {
        letters += seen[i] == 'S';
        zeros += seen[i] == 0;
    }
    return letters == len ? SIGHT_ALL : zeros == len ? SIGHT_ZERO : SIGHT_ODD;
}

static int
run_look(void *ctx)
{
    return (int)look(ctx, 64);
}

static void
without_a_pool_there_is_no_secret(void **state UNUSED)
{
    assert_int_equal(secret_pool_memory(), SECRET_MEMORY_NONE);
    assert_int_equal(secret_pool_used(), 0);
    assert_null(secret_new(1));
    assert_null(secret_copy(SLICE("x")));
}

static int
run_locked(void *ctx UNUSED)
{
    static const char *const marks[] = { " dd", " wf", " lo" }; /* not dumped, wiped on fork, locked */

    if (!deny(SYS_memfd_secret, SYS_memfd_secret))
        return 77; /* no seccomp here */
    if (secret_pool_open(POOL_BYTES) != ERR_OK || secret_pool_memory() != SECRET_MEMORY_LOCKED)
        return 1;
    struct secret *secret = secret_new(64);
    if (secret == NULL)
        return 2;
    memset(secret_bytes(secret), 'S', 64);
    if (!mapping_has(secret_bytes(secret), marks, MLOCK_WORKS ? 3 : 2))
        return 3;
    if (unit_child(run_look, secret_bytes(secret)) != SIGHT_ZERO)
        return 4;
    if (look(secret_bytes(secret), 64) != SIGHT_ALL)
        return 5;
    secret_free(secret);
    return secret_pool_used() == 0 ? 0 : 6;
}

static void
locked_memory_takes_the_place_of_secret_memory_and_is_wiped_in_a_forked_child(void **state UNUSED)
{
    int status = unit_child(run_locked, NULL);

    if (status == 77)
        skip();
    assert_int_equal(status, 0);
}

static int
run_neither(void *ctx UNUSED)
{
    if (!deny(SYS_memfd_secret, SYS_mlock))
        return 77;
    if (secret_memory_offered(POOL_BYTES) != SECRET_MEMORY_NONE || secret_pool_open(POOL_BYTES) != ERR_SYSTEM)
        return 1;
    return secret_pool_memory() == SECRET_MEMORY_NONE && secret_new(1) == NULL ? 0 : 2;
}

/* Told that it will do: the rest of the protection stays. */
static int
run_unlocked(void *ctx UNUSED)
{
    static const char *const marks[] = { " dd", " wf" };

    if (!deny(SYS_memfd_secret, SYS_mlock))
        return 77;
    if (secret_pool_open_unlocked(POOL_BYTES) != ERR_OK || secret_pool_memory() != SECRET_MEMORY_UNLOCKED)
        return 1;
    struct secret *secret = secret_new(64);
    if (secret == NULL)
        return 2;
    memset(secret_bytes(secret), 'S', 64);
    if (!mapping_has(secret_bytes(secret), marks, COUNT_OF(marks)))
        return 3;
    return unit_child(run_look, secret_bytes(secret)) == SIGHT_ZERO ? 0 : 4;
}

static void
memory_that_may_be_swapped_out_is_taken_only_where_allowed(void **state UNUSED)
{
    int status = MLOCK_WORKS ? unit_child(run_unlocked, NULL) : 77;

    if (status == 77)
        skip();
    assert_int_equal(status, 0);
}

/* Whoever may have unlocked memory still gets the best there is, and an offer that is asked for costs
 * nothing. */
static int
run_best(void *ctx UNUSED)
{
    enum secret_memory offered = secret_memory_offered(POOL_BYTES);

    if (offered == SECRET_MEMORY_NONE || secret_pool_memory() != SECRET_MEMORY_NONE ||
        secret_memory_offered(SIZE_MAX) != SECRET_MEMORY_NONE)
        return 1;
    return secret_pool_open_unlocked(POOL_BYTES) == ERR_OK && secret_pool_memory() == offered ? 0 : 2;
}

static void
the_best_memory_on_offer_is_taken(void **state UNUSED)
{
    assert_int_equal(unit_child(run_best, NULL), 0);
}

/* A soft limit that the process may raise is no reason to go without. */
static int
run_raised(void *ctx UNUSED)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_max < POOL_BYTES)
        return 77;
    if (setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ 0, limit.rlim_max }) != 0)
        return 1;
    if (secret_pool_open(POOL_BYTES) != ERR_OK)
        return 2;
    return getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == limit.rlim_max ? 0 : 3;
}

static void
a_soft_limit_is_raised(void **state UNUSED)
{
    int status = unit_child(run_raised, NULL);

    if (status == 77)
        skip();
    assert_int_equal(status, 0);
}

static void
a_pool_that_can_be_neither_is_refused(void **state UNUSED)
{
    int status = MLOCK_WORKS ? unit_child(run_neither, NULL) : 77;

    if (status == 77)
        skip();
    assert_int_equal(status, 0);
}

static void
the_pool_tells_which_memory_it_has(void **state UNUSED)
{
    int fd = (int)syscall(SYS_memfd_secret, 0u);

    assert_ok(secret_pool_open(POOL_BYTES - 100)); /* rounded up to whole pages */
    assert_int_equal(secret_pool_memory(), fd >= 0 ? SECRET_MEMORY_FD : SECRET_MEMORY_LOCKED);
    assert_int_equal(secret_pool_used(), 0);
    if (fd >= 0)
        close(fd);
}

static void
a_forked_child_does_not_see_a_secret(void **state UNUSED)
{
    struct secret *secret = secret_new(64);

    memset(secret_bytes(secret), 'S', 64);
    assert_int_equal(look(secret_bytes(secret), 64), SIGHT_ALL);
    assert_int_equal(unit_child(run_look, secret_bytes(secret)),
                     secret_pool_memory() == SECRET_MEMORY_FD ? SIGHT_NONE : SIGHT_ZERO);
    secret_free(secret);
}

static void
secret_memory_is_out_of_reach_through_proc(void **state UNUSED)
{
    char got[64];

    if (secret_pool_memory() != SECRET_MEMORY_FD)
        skip();
    struct secret *secret = secret_copy(SLICE("0123456789"));
    int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, got, 10, (off_t)(uintptr_t)&state), 10); /* other memory is within reach */
    assert_true(pread(fd, got, 10, (off_t)(uintptr_t)secret_bytes(secret)) < 0);
    close(fd);
    secret_free(secret);
}

static bool
is_zero(const unsigned char *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (p[i] != 0)
            return false;
    return true;
}

static void
a_secret_is_zeroed_when_new_and_wiped_when_freed(void **state UNUSED)
{
    for (size_t len = 0; len < 300; len++) {
        struct secret *secret = secret_new(len);
        assert_non_null(secret);
        unsigned char *bytes = secret_bytes(secret);
        assert_int_equal((uintptr_t)bytes % alignof(max_align_t), 0);
        assert_int_equal(secret_len(secret), len);
        assert_true(is_zero(bytes, len));
        assert_true(secret_pool_used() > len);
        memset(bytes, 'S', len);
        assert_int_equal(secret_slice(secret).len, len);
        assert_ptr_equal(secret_slice(secret).ptr, bytes);
        secret_free(secret);
        assert_true(is_zero(bytes, len)); /* the pool is still there: look into it */
        assert_int_equal(secret_pool_used(), 0);
    }
}

static void
a_copy_is_its_own(void **state UNUSED)
{
    char source[] = "top\0secret";
    struct secret *secret = secret_copy(slice_of(source, sizeof(source)));

    memset(source, 'x', sizeof(source));
    assert_true(slice_eq(secret_slice(secret), SLICE("top\0secret\0")));
    secret_free(secret);
    secret = secret_copy(SLICE_EMPTY);
    assert_int_equal(secret_len(secret), 0);
    secret_free(secret);
    secret_free(NULL);
    assert_int_equal(secret_pool_used(), 0);
}

static int
run_free_twice(void *ctx UNUSED)
{
    struct secret *secret = secret_new(4);

    secret_free(secret);
    secret_free(secret);
    return 0;
}

static int
run_pool_twice(void *ctx UNUSED)
{
    return secret_pool_open(POOL_BYTES) == ERR_OK ? 0 : 1;
}

static int
run_with_pool(void *ctx)
{
    int (*run)(void *) = *(int (**)(void *))ctx;

    return secret_pool_open(POOL_BYTES) == ERR_OK ? run(NULL) : 1;
}

/* Runs before the parent has a pool, which its children would not have. */
static void
freeing_twice_and_a_second_pool_are_bugs(void **state UNUSED)
{
    int (*const runs[])(void *) = { run_free_twice, run_pool_twice };

    for (size_t i = 0; i < COUNT_OF(runs); i++) {
        int (*run)(void *) = runs[i];
        assert_int_equal(unit_child(run_with_pool, &run), -SIGABRT);
    }
}

/* Fills the pool with pieces of one size; returns how many there were room for. */
static size_t
fill(struct secret **pieces, size_t room, size_t len)
{
    size_t count = 0;

    while (count < room && (pieces[count] = secret_new(len)) != NULL)
        count++;
    assert_true(count < room);
    return count;
}

static void
a_full_pool_refuses_and_recovers_in_any_order_of_freeing(void **state UNUSED)
{
    static struct secret *pieces[POOL_BYTES / 32];
    struct secret *whole = NULL;
    size_t largest = POOL_BYTES;

    while ((whole = secret_new(largest)) == NULL)
        largest--;
    assert_true(largest > POOL_BYTES - 128); /* only the header is lost */
    assert_null(secret_new(0));
    secret_free(whole);
    for (unsigned stride = 1; stride < 12; stride += 2) {
        size_t count = fill(pieces, COUNT_OF(pieces), 40);
        assert_true(secret_pool_used() > POOL_BYTES - 256);
        assert_null(secret_copy(SLICE("0123456789012345678901234567890123456789")));
        /* Every stride-th, then every stride-th of the next beginning: holes join at one or both sides. */
        for (size_t from = 0; from < stride; from++)
            for (size_t i = from; i < count; i += stride)
                secret_free(pieces[i]);
        assert_int_equal(secret_pool_used(), 0);
        whole = secret_new(largest); /* so nothing is fragmented */
        assert_non_null(whole);
        assert_true(is_zero(secret_bytes(whole), largest));
        secret_free(whole);
    }
}

static void
lengths_that_wrap_are_refused(void **state UNUSED)
{
    const size_t lens[] = { SIZE_MAX, SIZE_MAX - 15, SIZE_MAX - 63, SIZE_MAX - 64, SIZE_MAX / 2, POOL_BYTES };

    for (size_t i = 0; i < COUNT_OF(lens); i++)
        assert_null(secret_new(lens[i]));
    assert_int_equal(secret_pool_used(), 0);
}

/* A long life of many sizes: each secret keeps its own bytes, and the pool ends as it began. */
static void
secrets_do_not_touch_each_other(void **state UNUSED)
{
    enum { COUNT = 40 };
    struct secret *held[COUNT] = { NULL };
    uint32_t random = 12345;

    for (unsigned step = 0; step < 50000; step++) {
        random = random * 1664525 + 1013904223;
        size_t at = random >> 8 & 63, len = random >> 16 & 1023;
        if (at >= COUNT)
            continue;
        if (held[at] != NULL) {
            for (size_t i = 0; i < secret_len(held[at]); i++)
                assert_true(secret_bytes(held[at])[i] == at + 1);
            secret_free(held[at]);
        }
        held[at] = secret_new(len);
        if (held[at] != NULL) {
            assert_true(is_zero(secret_bytes(held[at]), len));
            memset(secret_bytes(held[at]), (int)at + 1, len);
        }
    }
    for (size_t at = 0; at < COUNT; at++)
        secret_free(held[at]);
    assert_int_equal(secret_pool_used(), 0);
}

static void *
thread_run(void *ctx)
{
    const int letter = *(const int *)ctx;
    size_t wrong = 0;

    for (size_t step = 0; step < 3000; step++) {
        size_t len = (step * 37 + (size_t)letter) % 200;
        struct secret *secret = secret_new(len);
        if (secret == NULL)
            continue;
        wrong += !is_zero(secret_bytes(secret), len);
        memset(secret_bytes(secret), letter, len);
        struct secret *copy = secret_copy(secret_slice(secret));
        if (copy != NULL)
            wrong += !secret_eq(secret_slice(copy), secret_slice(secret));
        secret_free(secret);
        secret_free(copy);
    }
    return wrong == 0 ? NULL : ctx;
}

static void
threads_share_the_pool(void **state UNUSED)
{
    pthread_t threads[4];
    int letters[4] = { 'a', 'b', 'c', 'd' };
    void *wrong = NULL;

    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, thread_run, &letters[i]), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    assert_int_equal(secret_pool_used(), 0);
}

static void
equality_sees_every_bit(void **state UNUSED)
{
    unsigned char a[33] = { 1, 2, 3 }, b[33];

    assert_true(secret_eq(SLICE_EMPTY, SLICE("")));
    assert_false(secret_eq(SLICE("a"), SLICE_EMPTY));
    assert_false(secret_eq(SLICE("ab"), SLICE("abc")));
    memcpy(b, a, sizeof(a));
    assert_true(secret_eq(slice_of(a, sizeof(a)), slice_of(b, sizeof(b))));
    for (size_t bit = 0; bit < 8 * sizeof(b); bit++) {
        b[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_false(secret_eq(slice_of(a, sizeof(a)), slice_of(b, sizeof(b))));
        b[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
}

static void
ordinary_memory_is_wiped(void **state UNUSED)
{
    unsigned char bytes[] = "12345678";

    secret_wipe(bytes + 1, 6);
    assert_memory_equal(bytes,
                        "1\0\0\0\0\0\0"
                        "8",
                        9);
    secret_wipe(NULL, 0);
}

UNIT_MAIN(cmocka_unit_test(without_a_pool_there_is_no_secret),
          cmocka_unit_test(locked_memory_takes_the_place_of_secret_memory_and_is_wiped_in_a_forked_child),
          cmocka_unit_test(a_pool_that_can_be_neither_is_refused),
          cmocka_unit_test(memory_that_may_be_swapped_out_is_taken_only_where_allowed),
          cmocka_unit_test(the_best_memory_on_offer_is_taken), cmocka_unit_test(a_soft_limit_is_raised),
          cmocka_unit_test(freeing_twice_and_a_second_pool_are_bugs),
          cmocka_unit_test(the_pool_tells_which_memory_it_has),
          cmocka_unit_test(a_forked_child_does_not_see_a_secret),
          cmocka_unit_test(secret_memory_is_out_of_reach_through_proc),
          cmocka_unit_test(a_secret_is_zeroed_when_new_and_wiped_when_freed),
          cmocka_unit_test(a_copy_is_its_own),
          cmocka_unit_test(a_full_pool_refuses_and_recovers_in_any_order_of_freeing),
          cmocka_unit_test(lengths_that_wrap_are_refused), cmocka_unit_test(secrets_do_not_touch_each_other),
          cmocka_unit_test(threads_share_the_pool), cmocka_unit_test(equality_sees_every_bit),
          cmocka_unit_test(ordinary_memory_is_wiped))
