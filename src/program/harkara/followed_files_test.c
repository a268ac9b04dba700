#include "core/unit.h"
#include "program/harkara/followed_files.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[] = "/tmp/harkara-followed-XXXXXX";
static char path[64], beside[64];

static void
write_text(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void
only_a_replaced_file_is_a_change(void **state UNUSED)
{
    struct followed_files files;

    followed_files_init(&files, path, "");
    assert_false(followed_files_changed(&files));
    write_text(path, "one"); /* it appears */
    assert_true(followed_files_changed(&files));
    assert_false(followed_files_changed(&files));
    write_text(path, "two"); /* in place: who may read it still may */
    assert_false(followed_files_changed(&files));
    write_text(beside, "three");
    assert_int_equal(rename(beside, path), 0);
    assert_true(followed_files_changed(&files));
    assert_int_equal(unlink(path), 0); /* for a moment, as some programs do it */
    assert_false(followed_files_changed(&files));
}

static int
set_up(void **state UNUSED)
{
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/ca.pem", folder);
    snprintf(beside, sizeof(beside), "%s/new", folder);
    return 0;
}

static int
tear_down(void **state UNUSED)
{
    return rmdir(folder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(only_a_replaced_file_is_a_change) };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
