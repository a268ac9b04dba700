#include "domain/limit/limit_table.h"
#include "crypto/random.h"
#include "crypto/siphash.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#ifndef __GCC_HAVE_SYNC_COMPARE_AND_SWAP_16
#error "needs a compare-and-swap of 16 octets (x86-64: -mcx16)"
#endif

#define MAGIC             UINT64_C(0x68726b6c696d3031) /* "hrklim01" */
#define STRANGER_COUNTERS 32768u
#define PROBES            32u /* places that a key may have: eight cache lines */
#define KIND_BITS         UINT64_C(3)
#define LOCK_WAIT_MS      250 /* a stopped process may hold it; nobody waits for it longer */

__extension__ typedef unsigned __int128 pair_bits;

/* Read in halves: a mixed pair is one that nobody's compare-and-swap finds again. */
struct place {
    _Atomic uint64_t print; /* 0: free. The two low bits are the kind */
    _Atomic uint64_t word;
} __attribute__((aligned(16)));

struct part {
    uint64_t count; /* a power of two */
    _Atomic uint64_t used;
    pthread_mutex_t lock; /* of whoever looks for a new counter's place; robust, between processes */
};

struct header {
    _Atomic uint64_t magic; /* written last */
    unsigned char seed[SIPHASH_KEY_BYTES];
    struct part tenants, strangers;
    struct place overflow[LIMIT_NAME_COUNT]; /* what strangers share when their part is full */
    struct place places[];                   /* the tenants' part, then the strangers' */
};

struct limit_table {
    struct header *shared; /* borrowed */
    const struct clock *clock;
};

static uint64_t
counters_round(size_t counters)
{
    uint64_t count = LIMIT_TABLE_COUNTERS_MIN;

    while (count < counters && count < LIMIT_TABLE_COUNTERS_MAX)
        count *= 2;
    return count;
}

size_t
limit_table_bytes(size_t counters)
{
    return sizeof(struct header) + (counters_round(counters) + STRANGER_COUNTERS) * sizeof(struct place);
}

static enum err
lock_init(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attributes;

    if (pthread_mutexattr_init(&attributes) != 0)
        return ERR_SYSTEM;
    bool is_made = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0 &&
                   pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0 &&
                   pthread_mutex_init(lock, &attributes) == 0;
    pthread_mutexattr_destroy(&attributes);
    return is_made ? ERR_OK : ERR_SYSTEM;
}

enum err
limit_table_init(void *memory, size_t bytes, size_t counters)
{
    struct header *header = memory;

    if (bytes < limit_table_bytes(counters))
        return ERR_SYSTEM;
    header->tenants.count = counters_round(counters);
    header->strangers.count = STRANGER_COUNTERS;
    enum err err = random_fill(header->seed, sizeof(header->seed));
    if (err == ERR_OK)
        err = lock_init(&header->tenants.lock);
    if (err == ERR_OK)
        err = lock_init(&header->strangers.lock);
    if (err == ERR_OK)
        atomic_store_explicit(&header->magic, MAGIC, memory_order_release);
    return err;
}

enum err
limit_table_open(void *memory, size_t bytes, const struct clock *clock, struct limit_table **out)
{
    struct header *header = memory;

    if (bytes < sizeof(*header) || atomic_load_explicit(&header->magic, memory_order_acquire) != MAGIC ||
        header->tenants.count > LIMIT_TABLE_COUNTERS_MAX || header->strangers.count != STRANGER_COUNTERS ||
        bytes < sizeof(*header) + (header->tenants.count + STRANGER_COUNTERS) * sizeof(struct place))
        return ERR_FRAME;
    struct limit_table *table = calloc(1, sizeof(*table));
    if (table == NULL)
        return ERR_NO_MEMORY;
    table->shared = header;
    table->clock = clock;
    *out = table;
    return ERR_OK;
}

void
limit_table_close(struct limit_table *table)
{
    free(table);
}

uint64_t
limit_table_used(const struct limit_table *table)
{
    return atomic_load_explicit(&table->shared->tenants.used, memory_order_relaxed);
}

static uint64_t
print_get(struct place *place)
{
    return atomic_load_explicit(&place->print, memory_order_acquire);
}

static uint64_t
word_get(struct place *place)
{
    return atomic_load_explicit(&place->word, memory_order_acquire);
}

/* The one way in which a counter changes. */
static bool
place_change(struct place *place, uint64_t print, uint64_t word, uint64_t print_next, uint64_t word_next)
{
    union {
        struct {
            uint64_t print, word;
        };
        pair_bits bits;
    } from = { { print, word } }, to = { { print_next, word_next } };

    return __sync_bool_compare_and_swap((pair_bits *)(void *)place, from.bits, to.bits);
}

static struct part *
part_of(struct limit_table *table, enum limit_name name)
{
    return limit_is_of_strangers(name) ? &table->shared->strangers : &table->shared->tenants;
}

static uint64_t
print_of(struct limit_table *table, const struct limit_counter *counter)
{
    uint64_t hash = siphash(table->shared->seed, slice_of(counter->key, counter->key_len));
    uint64_t print = (hash & ~KIND_BITS) | (uint64_t)limit_kind(counter->name);

    return print < KIND_BITS + 1 ? print + KIND_BITS + 1 : print; /* 0 is free */
}

static struct place *
place_at(struct limit_table *table, const struct part *part, uint64_t print, unsigned probe)
{
    uint64_t at = ((print >> 2) + probe) & (part->count - 1);

    return &table->shared->places[part == &table->shared->tenants ? at : table->shared->tenants.count + at];
}

/* NULL: it has none. */
static struct place *
place_find(struct limit_table *table, const struct part *part, uint64_t print)
{
    for (unsigned probe = 0; probe < PROBES; probe++) {
        struct place *place = place_at(table, part, print, probe);
        if (print_get(place) == print)
            return place;
    }
    return NULL;
}

static int
lock_wait(pthread_mutex_t *lock)
{
#ifdef HARKARA_SANITIZED /* ThreadSanitizer does not know the other one */
    return pthread_mutex_lock(lock);
#else
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)LOCK_WAIT_MS * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return pthread_mutex_clocklock(lock, CLOCK_MONOTONIC, &until);
#endif
}

static bool
lock_take(pthread_mutex_t *lock)
{
    int error = lock_wait(lock);

    if (error == EOWNERDEAD) /* a place is whole at any moment: there is nothing to mend */
        error = pthread_mutex_consistent(lock);
    return error == 0;
}

/* Under the part's lock: nobody else gives this key a place meanwhile. NULL: all its places hold others. */
static struct place *
place_claim(struct limit_table *table, struct part *part, uint64_t print, uint64_t word,
            const struct limit_now *now)
{
    struct place *place = place_find(table, part, print);

    for (unsigned probe = 0; place == NULL && probe < PROBES; probe++) {
        struct place *at = place_at(table, part, print, probe);
        uint64_t print_there = print_get(at), word_there = word_get(at);
        bool is_free = print_there == 0;
        if (!is_free && !limit_rule_is_over((enum limit_kind)(print_there & KIND_BITS), word_there, now))
            continue;
        if (!place_change(at, print_there, word_there, print, word))
            continue; /* somebody counted there just now */
        if (is_free)
            atomic_fetch_add_explicit(&part->used, 1, memory_order_relaxed);
        place = at;
    }
    return place;
}

/*
 * The counter's place. *print_out is what stands in it. ERR_INCOMPLETE: a quota that has none, and nobody
 * said where it begins. ERR_LIMITS_UNAVAILABLE.
 */
static enum err
place_for(struct limit_table *table, const struct limit_counter *counter, const struct limit_now *now,
          uint64_t *print_out, struct place **out)
{
    struct part *part = part_of(table, counter->name);
    enum limit_kind kind = limit_kind(counter->name);
    uint64_t word = 0;

    *print_out = print_of(table, counter);
    *out = place_find(table, part, *print_out);
    if (*out != NULL)
        return ERR_OK;
    if (kind != LIMIT_RATE) {
        if (counter->base == LIMIT_BASE_UNKNOWN)
            return ERR_INCOMPLETE;
        word = limit_rule_word(counter->base_window, (uint64_t)counter->base);
    }
    if (!lock_take(&part->lock))
        return ERR_LIMITS_UNAVAILABLE;
    *out = place_claim(table, part, *print_out, word, now);
    pthread_mutex_unlock(&part->lock);
    if (*out != NULL)
        return ERR_OK;
    if (!limit_is_of_strangers(counter->name))
        return ERR_LIMITS_UNAVAILABLE;
    *out = &table->shared->overflow[counter->name];
    *print_out = print_get(*out);
    return ERR_OK;
}

static void
tell(struct limit_counter *counter, const struct limit_verdict *verdict)
{
    counter->used = verdict->used;
    counter->remaining = verdict->remaining;
    counter->reset_us = verdict->reset_us;
    counter->wait_us = verdict->wait_us;
    counter->window = verdict->window;
    counter->is_refused = !verdict->is_admitted;
}

/* Takes the cost, or with `is_look` only tells. */
static enum err
counter_judge(struct limit_table *table, struct limit_counter *counter, const struct limit_now *now,
              bool is_look)
{
    enum limit_kind kind = limit_kind(counter->name);

    counter->is_unknown = false;
    for (;;) {
        struct place *place;
        uint64_t print;
        enum err err = place_for(table, counter, now, &print, &place);
        counter->is_unknown = err == ERR_INCOMPLETE;
        if (err != ERR_OK)
            return err;
        uint64_t word = word_get(place);
        if (print_get(place) != print)
            continue; /* its place was given away: it was over */
        struct limit_verdict verdict = limit_rule_judge(kind, counter->limit, word, now, counter->cost);
        if (verdict.is_admitted && verdict.next != word && !is_look &&
            !place_change(place, print, word, print, verdict.next))
            continue;
        tell(counter, &verdict);
        return verdict.is_admitted ? ERR_OK : limit_refusal(counter->name);
    }
}

static void
counter_return(struct limit_table *table, const struct limit_counter *counter, const struct limit_now *now)
{
    uint64_t print = print_of(table, counter), word, next;
    struct place *place;

    do {
        place = place_find(table, part_of(table, counter->name), print);
        if (place == NULL)
            return; /* over, or shared among strangers: then time gives it back */
        word = word_get(place);
        next = limit_rule_return(limit_kind(counter->name), counter->limit, word, now, counter->cost,
                                 counter->window);
    } while (next != word && !place_change(place, print, word, print, next));
}

static void
table_give_back(void *ctx, const struct limit_counter *counters, size_t count)
{
    struct limit_table *table = ctx;
    struct limit_now now = limit_now(table->clock);

    for (size_t i = 0; i < count; i++)
        counter_return(table, &counters[i], &now);
}

/* A refusal outweighs what is unknown: then nothing has to be looked up. */
static enum err
worse(enum err err, enum err other)
{
    if (err == ERR_OK || err == ERR_INCOMPLETE)
        return other == ERR_OK ? err : other;
    return err;
}

/*
 * First all are looked at, so that a decision that will be refused takes nothing, not even for a moment; then
 * each is taken. Whoever is refused then, because another one was faster, gives back what it had taken.
 */
static enum err
table_decide(void *ctx, struct limit_counter *counters, size_t count)
{
    struct limit_table *table = ctx;
    struct limit_now now = limit_now(table->clock);
    enum err err = ERR_OK;

    if (count > 1)
        for (size_t i = 0; i < count; i++)
            err = worse(err, counter_judge(table, &counters[i], &now, true));
    size_t taken = 0;
    while (err == ERR_OK && taken < count) {
        err = counter_judge(table, &counters[taken], &now, false);
        taken += err == ERR_OK;
    }
    if (err != ERR_OK)
        while (taken > 0)
            counter_return(table, &counters[--taken], &now);
    return err;
}

struct limit_backend
limit_table_backend(struct limit_table *table)
{
    return (struct limit_backend){ .ctx = table, .decide = table_decide, .give_back = table_give_back };
}
