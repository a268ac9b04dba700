#include "core/unit.h"
#include "program/harkara/folders.h"
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char base[] = "/tmp/harkara-folders-XXXXXX";
static struct config config;
static struct folders folders;
static struct complaint complaint;

static void
settings_come_first_then_what_fits_the_user(void **state UNUSED)
{
    config_init(&config);
    assert_ok(folders_name(&config, true, "/root", &folders, &complaint));
    assert_string_equal(folders.state, "/var/lib/harkara");
    assert_string_equal(folders.run, "/run/harkara");
    assert_ok(folders_name(&config, false, "/home/a", &folders, &complaint));
    assert_string_equal(folders.state, "/home/a/.local/state/harkara");
    assert_string_equal(folders.run, "/home/a/.local/state/harkara/run");
    snprintf(config.state_dir, sizeof(config.state_dir), "/srv/h");
    assert_ok(folders_name(&config, true, NULL, &folders, &complaint));
    assert_string_equal(folders.run, "/srv/h/run"); /* a second one beside the first, whole */
    assert_string_equal(folders.passwords, "/srv/h/passwords");
    assert_string_equal(folders.control_socket, "/srv/h/run/control.sock");
    snprintf(config.run_dir, sizeof(config.run_dir), "/run/h");
    assert_ok(folders_name(&config, false, NULL, &folders, &complaint));
    assert_string_equal(folders.status, "/run/h/status.json");
}

static void
names_that_cannot_be_used_are_refused(void **state UNUSED)
{
    config_init(&config);
    assert_int_equal(folders_name(&config, false, NULL, &folders, &complaint), ERR_CONFIG);
    snprintf(config.state_dir, sizeof(config.state_dir), "relative");
    assert_int_equal(folders_name(&config, false, "/home/a", &folders, &complaint), ERR_CONFIG);
    memset(config.state_dir, 'x', 600);
    config.state_dir[0] = '/';
    assert_int_equal(folders_name(&config, false, "/home/a", &folders, &complaint), ERR_CONFIG);
}

static void
name_below(const char *name)
{
    config_init(&config);
    snprintf(config.state_dir, sizeof(config.state_dir), "%s/%s", base, name);
    assert_ok(folders_name(&config, false, NULL, &folders, &complaint));
}

static void
folders_are_made_with_their_parents_and_their_modes(void **state UNUSED)
{
    struct stat st;

    name_below("a/b");
    assert_ok(folders_make(&folders, true, &complaint));
    assert_int_equal(stat(folders.state, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0711);
    assert_int_equal(stat(folders.passwords, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(stat(folders.pages, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(chmod(folders.passwords, 0755), 0);
    assert_ok(folders_make(&folders, false, &complaint)); /* and mended when they are there */
    assert_int_equal(stat(folders.passwords, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(stat(folders.state, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(chmod(folders.run, 0777), 0);
    assert_int_equal(folders_make(&folders, false, &complaint), ERR_CONFIG);
    assert_int_equal(chmod(folders.run, 0700), 0);
}

static void
one_supervisor_holds_the_state_folder(void **state UNUSED)
{
    int first = -1, second = -1;

    name_below("a/b");
    assert_ok(folders_make(&folders, false, &complaint));
    assert_false(folders_is_locked(&folders));
    assert_ok(folders_lock(&folders, &first, &complaint));
    assert_true(folders_is_locked(&folders));
    assert_int_equal(folders_lock(&folders, &second, &complaint), ERR_BUSY);
    close(first);
    assert_false(folders_is_locked(&folders));
    assert_false(folders_is_locked(&folders)); /* asking does not take it */
    assert_ok(folders_lock(&folders, &second, &complaint));
    close(second);
}

static void
executables_are_found_as_installed_and_as_built(void **state UNUSED)
{
    char path[FOLDERS_PATH_BYTES], file[FOLDERS_PATH_BYTES + 64], made[FOLDERS_PATH_BYTES + 32];
    const char *const places[] = { "libexec/harkara", "vault" };

    for (size_t i = 0; i < COUNT_OF(places); i++) {
        snprintf(folders.libexec, sizeof(folders.libexec), "%s/tree%zu", base, i);
        assert_int_equal(folders_executable(&folders, "vault", path, sizeof(path), &complaint), ERR_CONFIG);
        snprintf(made, sizeof(made), "%s", folders.libexec);
        assert_int_equal(mkdir(made, 0700), 0);
        if (i == 0) {
            snprintf(made, sizeof(made), "%s/libexec", folders.libexec);
            assert_int_equal(mkdir(made, 0700), 0);
        }
        snprintf(made, sizeof(made), "%s/%s", folders.libexec, places[i]);
        assert_int_equal(mkdir(made, 0700), 0);
        snprintf(file, sizeof(file), "%s/vault", made);
        int fd = open(file, O_CREAT | O_WRONLY, 0700);
        assert_true(fd >= 0);
        close(fd);
        assert_ok(folders_executable(&folders, "vault", path, sizeof(path), &complaint));
        assert_string_equal(path, file);
    }
}

static int
set_up(void **state UNUSED)
{
    assert_non_null(mkdtemp(base));
    return 0;
}

static int
remove_one(const char *path, const struct stat *st UNUSED, int type UNUSED, struct FTW *at UNUSED)
{
    return remove(path);
}

static int
tear_down(void **state UNUSED)
{
    return nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_come_first_then_what_fits_the_user),
        cmocka_unit_test(names_that_cannot_be_used_are_refused),
        cmocka_unit_test(folders_are_made_with_their_parents_and_their_modes),
        cmocka_unit_test(one_supervisor_holds_the_state_folder),
        cmocka_unit_test(executables_are_found_as_installed_and_as_built),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
