#include "core/unit.h"
#include "program/harkara/kek.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"

static char folder[] = "/tmp/harkara-kek-XXXXXX";
static char path[64];
static struct complaint complaint;

static void
assert_is_the_key(struct secret *key)
{
    assert_non_null(key);
    assert_int_equal(secret_len(key), KEK_BYTES);
    for (unsigned i = 0; i < KEK_BYTES; i++)
        assert_int_equal(secret_bytes(key)[i], i);
    secret_free(key);
}

static void
hex_digits_and_raw_octets_are_read(void **state UNUSED)
{
    unsigned char raw[KEK_BYTES];
    struct secret *key;

    assert_ok(kek_parse(SLICE(HEX), &key));
    assert_is_the_key(key);
    assert_ok(kek_parse(SLICE(HEX "\n"), &key));
    assert_is_the_key(key);
    for (unsigned i = 0; i < KEK_BYTES; i++)
        raw[i] = (unsigned char)i;
    assert_ok(kek_parse(slice_of(raw, sizeof(raw)), &key));
    assert_is_the_key(key);
}

static void
what_is_no_key_is_refused(void **state UNUSED)
{
    const struct slice rows[] = {
        SLICE(""),
        SLICE("\n"),
        SLICE(HEX "0"),
        SLICE(HEX "00"),
        SLICE(HEX "\n\n"),
        SLICE(" " HEX),
        SLICE("0x" HEX),
        SLICE("g00102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"),
        SLICE("0000000000000000000000000000000000000000000000000000000000000000"),
        SLICE("ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
        SLICE("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
        SLICE("change me"),
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct secret *key = (void *)1;
        assert_int_equal(kek_parse(rows[i], &key), ERR_CONFIG);
        assert_null(key);
    }
    assert_int_equal(secret_pool_used(), 0);
}

static void
the_environment_keeps_nothing_of_it(void **state UNUSED)
{
    char first[] = "A=1", text[] = "MASTER_KEK=" HEX, near[] = "MASTER_KEK_FILE=x",
         again[] = "MASTER_KEK=nonsense";
    char *environment[] = { first, text, near, again, NULL };
    struct secret *key;

    assert_ok(kek_take(environment, &key, &complaint));
    assert_is_the_key(key);
    assert_ptr_equal(environment[0], first);
    assert_ptr_equal(environment[1], near);
    assert_null(environment[2]);
    for (size_t i = 0; i < sizeof(text); i++)
        assert_int_equal(text[i], 0);
    assert_int_equal(again[0], 0);

    char wrong[] = "MASTER_KEK=secret-but-wrong";
    char *other[] = { wrong, NULL };
    assert_int_equal(kek_take(other, &key, &complaint), ERR_CONFIG);
    assert_null(key);
    assert_null(other[0]);
    assert_int_equal(wrong[11], 0);
    assert_null(strstr(complaint.text, "secret"));
    assert_ok(kek_take(other, &key, &complaint));
    assert_null(key);
}

static void
write_file(const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void
a_file_that_others_may_read_is_refused(void **state UNUSED)
{
    const mode_t open_modes[] = { 0404, 0440, 0644, 0660, 0602, 0420, 0700 };
    struct secret *key;

    for (size_t i = 0; i < COUNT_OF(open_modes); i++) {
        write_file(HEX "\n", open_modes[i]);
        assert_int_equal(kek_file_read(path, &key, &complaint), ERR_CONFIG);
        assert_null(key);
        assert_non_null(strstr(complaint.text, "chmod 0400"));
        unlink(path);
    }
    for (size_t i = 0; i < 2; i++) {
        write_file(HEX "\n", i == 0 ? 0400 : 0600);
        assert_ok(kek_file_read(path, &key, &complaint));
        assert_is_the_key(key);
        unlink(path);
    }
}

static void
what_is_not_a_key_file_is_refused(void **state UNUSED)
{
    struct secret *key;

    assert_int_equal(kek_file_read(path, &key, &complaint), ERR_CONFIG);
    assert_non_null(strstr(complaint.text, "is not there"));
    assert_int_equal(kek_file_read("/tmp", &key, &complaint), ERR_CONFIG);
    assert_int_equal(mkfifo(path, 0400), 0); /* and it does not wait for a writer */
    assert_int_equal(kek_file_read(path, &key, &complaint), ERR_CONFIG);
    unlink(path);
    write_file(HEX HEX HEX, 0400);
    assert_int_equal(kek_file_read(path, &key, &complaint), ERR_CONFIG);
    unlink(path);
    if (geteuid() == 0) {
        write_file(HEX, 0400);
        assert_int_equal(chown(path, 65534, 65534), 0);
        assert_int_equal(kek_file_read(path, &key, &complaint), ERR_CONFIG);
        assert_non_null(strstr(complaint.text, "another user"));
        unlink(path);
    }
}

static void
a_pin_is_one_line_of_a_private_file(void **state UNUSED)
{
    static const char *const refused[] = { "", "\n", "12\n34\n", "1234\r\n", "12345678901234567" };
    struct secret *pin;

    write_file("1234\n", 0400);
    assert_ok(kek_pin_read(path, 16, &pin, &complaint));
    assert_true(secret_eq(secret_slice(pin), SLICE("1234")));
    secret_free(pin);
    unlink(path);
    write_file("1234567890123456", 0600);
    assert_ok(kek_pin_read(path, 16, &pin, &complaint));
    assert_int_equal(secret_len(pin), 16);
    secret_free(pin);
    unlink(path);
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        write_file(refused[i], 0400);
        assert_int_equal(kek_pin_read(path, 16, &pin, &complaint), ERR_CONFIG);
        assert_null(pin);
        assert_non_null(strstr(complaint.text, "one line"));
        unlink(path);
    }
    write_file("1234\n", 0440);
    assert_int_equal(kek_pin_read(path, 16, &pin, &complaint), ERR_CONFIG);
    assert_non_null(strstr(complaint.text, "chmod 0400"));
    unlink(path);
}

static void
a_made_key_is_read_back_and_never_replaced(void **state UNUSED)
{
    struct secret *made, *again, *read_back;
    struct stat st;

    assert_ok(kek_file_make(path, &made, &complaint));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0400);
    assert_int_equal(st.st_nlink, 1);
    assert_int_equal(kek_file_make(path, &again, &complaint), ERR_EXISTS);
    assert_null(again);
    assert_ok(kek_file_read(path, &read_back, &complaint));
    assert_true(secret_eq(secret_slice(made), secret_slice(read_back)));
    secret_free(made);
    secret_free(read_back);
    unlink(path);
    assert_int_equal(rmdir(folder), 0); /* nothing was left beside it */
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_int_equal(secret_pool_used(), 0);
}

static int
set_up(void **state UNUSED)
{
    assert_ok(secret_pool_open_unlocked(65536));
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/key", folder);
    return 0;
}

static int
tear_down(void **state UNUSED)
{
    rmdir(folder);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hex_digits_and_raw_octets_are_read),
        cmocka_unit_test(what_is_no_key_is_refused),
        cmocka_unit_test(the_environment_keeps_nothing_of_it),
        cmocka_unit_test(a_file_that_others_may_read_is_refused),
        cmocka_unit_test(what_is_not_a_key_file_is_refused),
        cmocka_unit_test(a_pin_is_one_line_of_a_private_file),
        cmocka_unit_test(a_made_key_is_read_back_and_never_replaced),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
