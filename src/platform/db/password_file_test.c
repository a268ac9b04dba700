#include "core/unit.h"
#include "platform/db/password_file.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[96], beside[128];

static void
write_file(const char *name, const char *text, mode_t mode)
{
    unlink(name);
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void
a_password_is_made_once_and_read_afterwards(void **state UNUSED)
{
    struct secret *first, *second;
    struct stat facts;

    write_file(beside, "left by a crash", 0600);
    assert_ok(password_file_read_or_make(path, &first));
    assert_int_equal(secret_len(first), PASSWORD_TEXT_BYTES);
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 07777, 0400);
    assert_int_not_equal(access(beside, F_OK), 0);
    assert_ok(password_file_read_or_make(path, &second));
    assert_true(secret_eq(secret_slice(first), secret_slice(second)));
    secret_free(first);
    secret_free(second);
}

static void
two_passwords_differ(void **state UNUSED)
{
    struct secret *first, *second;

    assert_ok(password_make(&first));
    assert_ok(password_make(&second));
    assert_false(secret_eq(secret_slice(first), secret_slice(second)));
    secret_free(first);
    secret_free(second);
}

static void
a_file_that_is_open_to_others_or_spoilt_is_refused_and_kept(void **state UNUSED)
{
    static const char good[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    const struct {
        const char *text;
        mode_t mode;
        enum err err;
    } rows[] = {
        { good, 0400, ERR_OK },
        { good, 0600, ERR_OK },
        { good, 0440, ERR_CONFIG },
        { good, 0404, ERR_CONFIG },
        { "", 0400, ERR_CONFIG },
        { "short", 0400, ERR_CONFIG },
        { "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'", 0400, ERR_CONFIG },
        { "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 0400, ERR_CONFIG },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct secret *out = NULL;
        write_file(path, rows[i].text, rows[i].mode);
        assert_int_equal(password_file_read_or_make(path, &out), rows[i].err);
        assert_int_equal(out == NULL, rows[i].err != ERR_OK);
        assert_int_equal(access(path, F_OK), 0);
        secret_free(out);
    }
}

static void
a_link_is_not_followed(void **state UNUSED)
{
    struct secret *out;

    unlink(path);
    assert_int_equal(symlink(beside, path), 0);
    assert_int_equal(password_file_read_or_make(path, &out), ERR_CONFIG);
    assert_int_not_equal(access(beside, F_OK), 0);
}

static int
setup(void **state UNUSED)
{
    snprintf(folder, sizeof(folder), "/tmp/harkara-password-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/password", folder);
    snprintf(beside, sizeof(beside), "%s.new", path);
    return secret_pool_open_unlocked(65536) == ERR_OK ? 0 : -1;
}

static int
teardown(void **state UNUSED)
{
    unlink(path);
    unlink(beside);
    return rmdir(folder) == 0 && secret_pool_used() == 0 ? 0 : -1;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_is_made_once_and_read_afterwards),
        cmocka_unit_test(two_passwords_differ),
        cmocka_unit_test(a_file_that_is_open_to_others_or_spoilt_is_refused_and_kept),
        cmocka_unit_test(a_link_is_not_followed),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
