#include "core/unit.h"
#include "domain/dnd/dnd_build.h"
#include "domain/dnd/dnd_watch.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[64], path[128];

static int
folder_set_up(void **state UNUSED)
{
    snprintf(folder, sizeof(folder), "/tmp/dnd-watch-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/" DND_REGISTRY_NAME, folder);
    return 0;
}

static int
folder_tear_down(void **state UNUSED)
{
    (void)unlink(path);
    return rmdir(folder);
}

static void
registry_make(uint64_t number)
{
    struct dnd_build_result result = { .row_count = 1, .now = clock_wall(clock_system()) };
    struct dnd_row row = { .number = number, .preference = { .categories = 1 } };
    struct dnd_registry_facts facts;
    struct dnd_build *build;

    assert_ok(dnd_build_new(folder, NULL, 0, &build));
    assert_ok(dnd_build_row(build, &row));
    assert_ok(dnd_build_finish(build, &result, &facts));
    dnd_build_free(build);
}

static bool
has_number(struct dnd_watch *watch, uint64_t number)
{
    struct dnd_registry *registry = dnd_watch_take(watch);
    struct dnd_preference preference;
    bool is_there = registry != NULL && dnd_lookup(registry, number, &preference);

    dnd_registry_unref(registry);
    return is_there;
}

/* The thread looks, too: what it saw first is no news to the test, so only what holds afterwards is asked. */
static void
another_registry_is_taken_up(void **state UNUSED)
{
    struct dnd_watch *watch;

    assert_ok(dnd_watch_new(folder, clock_system(), &watch));
    assert_null(dnd_watch_take(watch));
    dnd_watch_free(watch);

    registry_make(9876543210);
    assert_ok(dnd_watch_new(folder, clock_system(), &watch));
    assert_true(has_number(watch, 9876543210));
    dnd_watch_free(watch);
}

/* Without the thread's help: dnd_watch_look is what it calls. */
static void
what_cannot_be_read_does_not_push_out_what_is_open(void **state UNUSED)
{
    struct dnd_registry *held;
    struct dnd_watch *watch;
    struct dnd_preference preference;

    registry_make(9876543210);
    assert_ok(dnd_watch_new(folder, clock_system(), &watch));
    dnd_watch_pause(watch);
    held = dnd_watch_take(watch);
    registry_make(9876543211);
    assert_true(dnd_watch_look(watch));
    assert_false(dnd_watch_look(watch));
    assert_true(has_number(watch, 9876543211));
    assert_false(has_number(watch, 9876543210));
    assert_true(dnd_lookup(held, 9876543210, &preference)); /* whoever took it has it until it lets go */
    dnd_registry_unref(held);

    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0); /* another file: a registry in place is never written to */
    close(fd);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "nothing", 7), 7);
    close(fd);
    assert_false(dnd_watch_look(watch));
    assert_true(has_number(watch, 9876543211));

    assert_int_equal(unlink(path), 0);
    assert_true(dnd_watch_look(watch));
    assert_null(dnd_watch_take(watch));
    dnd_watch_free(watch);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_registry_is_taken_up),
        cmocka_unit_test(what_cannot_be_read_does_not_push_out_what_is_open),
    };
    return cmocka_run_group_tests(tests, folder_set_up, folder_tear_down);
}
