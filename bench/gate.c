/*
 * What deciding costs by itself, without a database: look-ups in a registry of numbers who want no
 * promotions, as gateways map it, and verdicts of the policy gate over facts of every kind. One thread.
 *
 *     gate --make 10000000 --folder DIR       makes a registry of so many numbers there
 *     gate --way lookup --folder DIR --seconds 1
 *     gate --way judge --seconds 1
 *
 * It prints one line of JSON.
 */
#include "core/num.h"
#include "domain/dnd/dnd_build.h"
#include "domain/policy/policy_gate.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define NUMBERS_MAX   100000000
#define FIRST_NUMBER  UINT64_C(6000000000) /* where mobile numbers begin */
#define NUMBER_COUNT  UINT64_C(4000000000)
#define PREFERENCES   200u /* different ones */
#define LOOKUPS_COUNT (1u << 20)
#define FACTS_COUNT   4096u
#define BETWEEN_LOOKS 4096u /* at the clock */

static struct {
    const char *way, *folder;
    int numbers, seconds;
    uint64_t random;
} gate = { .seconds = 1, .random = 0x9e3779b97f4a7c15u };

NORETURN static void
stop_because(const char *what, const char *detail)
{
    fprintf(stderr, "gate: %s%s%s\n", what, *detail == '\0' ? "" : ": ", detail);
    exit(1);
}

/* splitmix64 */
static uint64_t
any(uint64_t below)
{
    uint64_t z = (gate.random += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % below;
}

static int64_t
cpu_us(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (int64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec +
           usage.ru_stime.tv_usec;
}

static void
print(uint64_t done, uint64_t hits, uint64_t numbers, struct mono_time began, int64_t cpu_before)
{
    int64_t us = clock_mono(clock_system()).us - began.us;

    printf("{\"count\":%llu,\"hits\":%llu,\"numbers\":%llu,\"us\":%lld,\"rate\":%llu,\"cpu_us\":%lld}\n",
           (unsigned long long)done, (unsigned long long)hits, (unsigned long long)numbers, (long long)us,
           (unsigned long long)(done * 1000000u / (uint64_t)us), (long long)(cpu_us() - cpu_before));
}

static bool
is_over(uint64_t done, struct mono_time began)
{
    return done % BETWEEN_LOOKS == 0 &&
           clock_mono(clock_system()).us - began.us >= (int64_t)gate.seconds * 1000000;
}

/* Each number has one of some hundred preferences, and some are in it twice, as in real lists. */
static void
make(void)
{
    struct dnd_build *build = NULL;
    struct dnd_registry_facts facts;
    enum err err = dnd_build_new(gate.folder, NULL, DND_BUILD_MEMORY_BYTES, &build);

    for (int i = 0; err == ERR_OK && i < gate.numbers; i++) {
        struct dnd_row row = { .number = FIRST_NUMBER + any(NUMBER_COUNT) };
        row.preference.categories = (uint16_t)(1u + any(PREFERENCES));
        err = dnd_build_row(build, &row);
    }
    struct dnd_build_result result = { .row_count = (uint64_t)gate.numbers,
                                       .now = clock_wall(clock_system()),
                                       .source = SLICE("bench") };
    if (err == ERR_OK)
        err = dnd_build_finish(build, &result, &facts);
    dnd_build_free(build);
    if (err != ERR_OK)
        stop_because("no registry", err_code(err));
    printf("{\"numbers\":%llu,\"bytes\":%llu}\n", (unsigned long long)facts.number_count,
           (unsigned long long)facts.bytes);
}

/* Half of the numbers are in it; of the others nearly none. In any order, so that hardly a look-up finds its
 * page in a cache because of the one before. */
static uint64_t *
numbers_draw(const struct dnd_registry *registry)
{
    uint64_t *numbers = calloc(LOOKUPS_COUNT, sizeof(*numbers)),
             count = dnd_registry_facts(registry)->number_count;
    struct dnd_preference preference;
    uint32_t bucket = 0;

    if (numbers == NULL)
        stop_because("no memory", "");
    for (size_t i = 0; i < LOOKUPS_COUNT / 2; i++)
        if (!dnd_registry_entry(registry, i * (count / (LOOKUPS_COUNT / 2)), &bucket, &numbers[i],
                                &preference))
            stop_because("the registry is too small", "");
    for (size_t i = LOOKUPS_COUNT / 2; i < LOOKUPS_COUNT; i++)
        numbers[i] = FIRST_NUMBER + any(NUMBER_COUNT);
    for (size_t i = LOOKUPS_COUNT - 1; i > 0; i--) {
        size_t other = any(i + 1);
        uint64_t number = numbers[i];
        numbers[i] = numbers[other];
        numbers[other] = number;
    }
    return numbers;
}

static void
look_up(void)
{
    struct dnd_registry *registry = NULL;
    struct dnd_preference preference;
    uint64_t done = 0, hits = 0;
    enum err err = dnd_registry_open(gate.folder, &registry);

    if (err != ERR_OK)
        stop_because("the registry cannot be opened", err_code(err));
    gate.random = 0xd1b54a32d192ed03u; /* others than those it was made of */
    uint64_t *numbers = numbers_draw(registry);
    int64_t cpu_before = cpu_us();
    struct mono_time began = clock_mono(clock_system());
    do
        hits += dnd_lookup(registry, numbers[done % LOOKUPS_COUNT], &preference) ? 1 : 0;
    while (!is_over(++done, began));
    print(done, hits, dnd_registry_facts(registry)->number_count, began, cpu_before);
    free(numbers);
    dnd_registry_unref(registry);
}

/* All facts of a message are set, each to any of its values: half of them as they are where nothing is known
 * against it, so that each rule comes to decide. */
static void
facts_draw(struct policy_facts *facts)
{
    int64_t now = clock_wall(clock_system()).us;

    *facts = (struct policy_facts){ .of = { [POLICY_FACT_AT] = now } };
    for (unsigned number = POLICY_FACT_CATEGORY; number <= POLICY_FACT_MAX; number++) {
        const struct policy_fact_row *row = policy_fact_row(number);
        if (row == NULL || row->word == NULL || (number != POLICY_FACT_CATEGORY && any(2) == 0))
            continue;
        if (row->kind == POLICY_WORDS)
            facts->of[number] = (int64_t)any(policy_fact_word_count((enum policy_fact)number));
        else if (row->kind == POLICY_COUNT)
            facts->of[number] = (int64_t)any(4);
        else
            facts->of[number] = now + (int64_t)any(100000000) - 50000000;
    }
}

static void
judge(void)
{
    static struct policy_facts facts[FACTS_COUNT];
    uint64_t done = 0, allowed = 0;

    for (size_t i = 0; i < FACTS_COUNT; i++)
        facts_draw(&facts[i]);
    int64_t cpu_before = cpu_us();
    struct mono_time began = clock_mono(clock_system());
    do
        allowed += policy_judge(&facts[done % FACTS_COUNT]).decision == POLICY_ALLOW ? 1 : 0;
    while (!is_over(++done, began));
    print(done, allowed, FACTS_COUNT, began, cpu_before);
}

int
main(int argc, char **argv)
{
    static const struct option names[] = {
        { "make", required_argument, NULL, 'm' },
        { "way", required_argument, NULL, 'w' },
        { "folder", required_argument, NULL, 'f' },
        { "seconds", required_argument, NULL, 's' },
        { NULL, 0, NULL, 0 },
    };
    bool is_read = true;

    for (int name; (name = getopt_long(argc, argv, "", names, NULL)) != -1;)
        switch (name) {
        case 'm':
            is_read &= num_int_parse(slice_text(optarg), 1, NUMBERS_MAX, &gate.numbers) == ERR_OK;
            break;
        case 'w':
            gate.way = optarg;
            break;
        case 'f':
            gate.folder = optarg;
            break;
        case 's':
            is_read &= num_int_parse(slice_text(optarg), 1, 3600, &gate.seconds) == ERR_OK;
            break;
        default:
            is_read = false;
        }
    if (is_read && gate.numbers > 0 && gate.folder != NULL)
        make();
    else if (is_read && gate.way != NULL && strcmp(gate.way, "lookup") == 0 && gate.folder != NULL)
        look_up();
    else if (is_read && gate.way != NULL && strcmp(gate.way, "judge") == 0)
        judge();
    else
        stop_because(
            "usage: gate --make NUMBERS --folder DIR | --way lookup --folder DIR [--seconds N] | --way judge [--seconds N]",
            "");
    return 0;
}
