#include "core/unit.h"
#include "domain/dnd/dnd_build.h"
#include "domain/dnd/dnd_registry_internal.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static int
folder_set_up(void **state UNUSED)
{
    snprintf(folder, sizeof(folder), "/tmp/dnd-registry-XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int
folder_tear_down(void **state UNUSED)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/" DND_REGISTRY_NAME, folder);
    (void)unlink(path);
    return rmdir(folder); /* nothing else was left */
}

static uint64_t
next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static struct dnd_build_result
result_of(uint64_t rows)
{
    return (struct dnd_build_result){
        .row_count = rows, .refused_count = 3, .now = { 1795132800000000 }, .source = SLICE("November, whole")
    };
}

static enum err
build_rows(const struct dnd_row *rows, size_t count, const struct dnd_registry *base, size_t memory,
           const struct dnd_build_result *result, struct dnd_registry_facts *facts)
{
    struct dnd_build *build;
    enum err err = dnd_build_new(folder, base, memory, &build);

    for (size_t i = 0; err == ERR_OK && i < count; i++)
        err = dnd_build_row(build, &rows[i]);
    if (err == ERR_OK)
        err = dnd_build_finish(build, result, facts);
    dnd_build_free(build);
    return err;
}

static struct dnd_row
row_of(uint64_t number, uint16_t categories)
{
    return (struct dnd_row){ .number = number, .preference = { .categories = categories } };
}

static void
what_was_built_is_found(void **state UNUSED)
{
    static const struct dnd_row rows[] = {
        { .number = 9876543210, .preference = { .categories = 1 } },
        { .number = 1123456789,
          .preference = { .categories = 0x1f8, .modes = 2, .bands = 0x103, .days = 0x80 } },
        { .number = DND_NUMBER_MAX, .preference = { .categories = 4 } },
        { .number = 9876543211, .is_removed = true },
        { .number = 9876543212 }, /* blocks nothing: it need not be there */
        { .number = 9876543213, .preference = { .categories = 1 } },
        { .number = 9876543213, .preference = { .categories = 8 } }, /* the last one counts */
    };
    struct dnd_build_result result = result_of(7);
    struct dnd_registry_facts facts;
    struct dnd_registry *registry;
    struct dnd_preference p;

    assert_ok(build_rows(rows, COUNT_OF(rows), NULL, 0, &result, &facts));
    assert_ok(dnd_registry_open(folder, &registry));
    assert_memory_equal(&facts, dnd_registry_facts(registry), sizeof(facts));
    struct dnd_registry_facts peeked = { 0 };
    assert_ok(dnd_registry_peek(folder, &peeked));
    assert_memory_equal(&facts, &peeked, sizeof(facts));
    assert_int_equal(facts.number_count, 4);
    assert_int_equal(facts.row_count, 7);
    assert_int_equal(facts.refused_count, 3);
    assert_int_equal(facts.imported_at.us, 1795132800000000);
    assert_string_equal(facts.source, "November, whole");
    assert_true(dnd_lookup(registry, 9876543210, &p));
    assert_int_equal(p.categories, 1);
    assert_true(dnd_lookup(registry, 1123456789, &p));
    assert_memory_equal(&p, &rows[1].preference, sizeof(p));
    assert_true(dnd_lookup(registry, DND_NUMBER_MAX, &p));
    assert_int_equal(p.categories, 4);
    assert_true(dnd_lookup(registry, 9876543213, &p));
    assert_int_equal(p.categories, 8);
    assert_false(dnd_lookup(registry, 9876543211, &p));
    assert_true(dnd_preference_is_empty(&p));
    assert_false(dnd_lookup(registry, 9876543212, &p));
    assert_false(dnd_lookup(registry, 9876543209, &p));
    assert_false(dnd_lookup(registry, 0, &p));
    assert_false(dnd_lookup(registry, UINT64_MAX, &p));
    dnd_registry_unref(registry);
}

/* Beside a table in memory, with rows that change and remove one another, in pieces of any size. */
static void
a_registry_is_what_its_rows_leave(void **state UNUSED)
{
    enum { NUMBERS = 700, ROWS = 9000 };
    static uint16_t wanted[NUMBERS];
    static struct dnd_row rows[ROWS];
    static const size_t memories[] = { 0, 16 * 3000, 16 * 100000 };
    uint64_t seed = 0x9e3779b97f4a7c15u;

    for (size_t m = 0; m < COUNT_OF(memories); m++) {
        struct dnd_registry *base = NULL, *registry;
        struct dnd_registry_facts facts;
        struct dnd_build_result result = result_of(ROWS);

        memset(wanted, 0, sizeof(wanted));
        for (unsigned round = 0; round < 2; round++) { /* the second changes the first */
            size_t count = 0;

            for (size_t i = 0; i < ROWS; i++) {
                size_t n = next_random(&seed) % NUMBERS;
                uint16_t categories = (uint16_t)(next_random(&seed) % 3 == 0 ? 0 : next_random(&seed) % 512);

                rows[i] = row_of(6000000000 + n * 5700001, categories); /* in many buckets */
                rows[i].is_removed = categories == 0 && next_random(&seed) % 2 == 0;
                wanted[n] = categories;
            }
            assert_ok(build_rows(rows, ROWS, base, memories[m], &result, &facts));
            dnd_registry_unref(base);
            assert_ok(dnd_registry_open(folder, &registry));
            for (size_t n = 0; n < NUMBERS; n++) {
                struct dnd_preference p;

                assert_int_equal(dnd_lookup(registry, 6000000000 + n * 5700001, &p), wanted[n] != 0);
                assert_int_equal(p.categories, wanted[n]);
                assert_false(dnd_lookup(registry, 6000000000 + n * 5700001 + 1, &p));
                count += wanted[n] != 0 ? 1 : 0;
            }
            assert_int_equal(facts.number_count, count);
            base = registry;
        }
        dnd_registry_unref(base);
    }
}

/* Up to 256 different preferences a number costs three bytes, beyond it four. */
static void
many_preferences_make_entries_wider(void **state UNUSED)
{
    static struct dnd_row rows[5000];
    struct dnd_build_result result = result_of(COUNT_OF(rows));
    static const size_t counts[] = { 255, 256, 257, 5000 };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        rows[i] = (struct dnd_row){ .number = 7000000000 + i * 13,
                                    .preference = { .categories = (uint16_t)(2 + i % 510),
                                                    .days = (uint8_t)(1 + i / 510) } };
    for (size_t c = 0; c < COUNT_OF(counts); c++) {
        struct dnd_registry_facts facts;
        struct dnd_registry *registry;
        struct dnd_preference p;

        assert_ok(build_rows(rows, counts[c], NULL, 0, &result, &facts));
        assert_int_equal(facts.profile_count, counts[c]);
        assert_int_equal(facts.bytes, DND_HEADER_BYTES + counts[c] * 8 +
                                          counts[c] * (counts[c] > 256 ? 4 : 3) + DND_INDEX_BYTES);
        assert_ok(dnd_registry_open(folder, &registry));
        for (size_t i = 0; i < counts[c]; i++) {
            assert_true(dnd_lookup(registry, rows[i].number, &p));
            assert_memory_equal(&p, &rows[i].preference, sizeof(p));
        }
        dnd_registry_unref(registry);
    }
}

static void
more_preferences_than_there_is_room_for_are_refused(void **state UNUSED)
{
    struct dnd_build *build;
    enum err err = ERR_OK;
    uint32_t taken = 0;

    assert_ok(dnd_build_new(folder, NULL, 1 << 20, &build));
    for (; err == ERR_OK && taken <= DND_PROFILES_MAX; taken++) {
        struct dnd_row row = { .number = 7000000000 + taken,
                               .preference = { .categories = (uint16_t)(2 + taken % 509),
                                               .bands = (uint16_t)(taken / 509 % 512) } };
        err = dnd_build_row(build, &row);
    }
    assert_int_equal(err, ERR_TOO_MANY);
    assert_int_equal(taken, DND_PROFILES_MAX + 1);
    dnd_build_free(build);
}

static void
an_import_that_fails_leaves_the_old_one(void **state UNUSED)
{
    struct dnd_row row = row_of(9876543210, 1), other = row_of(9876543211, 1);
    struct dnd_build_result result = result_of(1);
    struct dnd_registry_facts facts;
    struct dnd_registry *old, *registry;
    struct dnd_preference p;

    assert_ok(build_rows(&row, 1, NULL, 0, &result, &facts));
    assert_ok(dnd_registry_open(folder, &old));
    result.number_count_min = 2;
    assert_int_equal(build_rows(&other, 1, NULL, 0, &result, &facts), ERR_STATE_CONFLICT);
    assert_ok(dnd_registry_open(folder, &registry));
    assert_true(dnd_lookup(registry, 9876543210, &p));
    dnd_registry_unref(registry);
    result.number_count_min = 0;
    assert_ok(build_rows(&other, 1, NULL, 0, &result, &facts));
    assert_true(dnd_lookup(old, 9876543210, &p)); /* whoever had it open has it still */
    assert_false(dnd_lookup(old, 9876543211, &p));
    dnd_registry_unref(old);
    assert_ok(dnd_registry_open(folder, &registry));
    assert_true(dnd_lookup(registry, 9876543211, &p));
    dnd_registry_unref(registry);
}

static void
a_file_that_was_changed_anywhere_is_refused(void **state UNUSED)
{
    struct dnd_row row = row_of(9876543210, 1);
    struct dnd_build_result result = result_of(1);
    struct dnd_registry_facts facts;
    struct dnd_registry *registry;
    char path[128], byte;

    assert_ok(build_rows(&row, 1, NULL, 0, &result, &facts));
    snprintf(path, sizeof(path), "%s/" DND_REGISTRY_NAME, folder);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    uint64_t places[] = { 0, 8, 12, 16, 100, 4000, 4095, 4096, 4104, 5000, facts.bytes - 1 };
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        assert_int_equal(pread(fd, &byte, 1, (off_t)places[i]), 1);
        byte ^= 0x10;
        assert_int_equal(pwrite(fd, &byte, 1, (off_t)places[i]), 1);
        assert_int_equal(dnd_registry_open(folder, &registry), ERR_FILE_DAMAGED);
        assert_null(registry);
        byte ^= 0x10;
        assert_int_equal(pwrite(fd, &byte, 1, (off_t)places[i]), 1);
    }
    assert_ok(dnd_registry_open(folder, &registry));
    dnd_registry_unref(registry);
    assert_int_equal(ftruncate(fd, (off_t)facts.bytes - 1), 0);
    assert_int_equal(dnd_registry_open(folder, &registry), ERR_FILE_DAMAGED);
    assert_int_equal(ftruncate(fd, 100), 0);
    assert_int_equal(dnd_registry_open(folder, &registry), ERR_FILE_DAMAGED);
    close(fd);
    unlink(path);
    assert_int_equal(dnd_registry_open(folder, &registry), ERR_NOTHING);
    assert_int_equal(dnd_registry_open("/nowhere at all", &registry), ERR_NOTHING);
    assert_int_equal(dnd_registry_peek("/nowhere at all", &facts), ERR_NOTHING);
}

static void
only_indian_numbers_are_asked_for(void **state UNUSED)
{
    static const char *const none[] = { "",
                                        "+91",
                                        "919876543210",
                                        "+91987654321",
                                        "+9198765432100",
                                        "+14155550123",
                                        "+91987654321x",
                                        "+92987654321 " };
    uint64_t number = 0;

    assert_true(dnd_number_of(SLICE("+919876543210"), &number));
    assert_int_equal(number, 9876543210);
    for (size_t i = 0; i < COUNT_OF(none); i++)
        assert_false(dnd_number_of(slice_text(none[i]), &number));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_built_is_found),
        cmocka_unit_test(a_registry_is_what_its_rows_leave),
        cmocka_unit_test(many_preferences_make_entries_wider),
        cmocka_unit_test(more_preferences_than_there_is_room_for_are_refused),
        cmocka_unit_test(an_import_that_fails_leaves_the_old_one),
        cmocka_unit_test(a_file_that_was_changed_anywhere_is_refused),
        cmocka_unit_test(only_indian_numbers_are_asked_for),
    };
    return cmocka_run_group_tests(tests, folder_set_up, folder_tear_down);
}
