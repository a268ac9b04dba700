#include "core/num.h"
#include "core/unit.h"
#include "wire/qr/qr_code.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIDE_MAX 200u
#define SCALE    4u

static unsigned
take_number(const char **at)
{
    unsigned number = 0;

    assert_true(**at >= '0' && **at <= '9');
    for (; **at >= '0' && **at <= '9'; (*at)++)
        number = number * 10 + (unsigned)(**at - '0');
    return number;
}

/* Draws the path as a browser would, and nothing but what it is said to consist of. */
static void
draw(struct slice path, unsigned side, bool dark[SIDE_MAX][SIDE_MAX])
{
    static char text[65536];
    const char *at = text;

    assert_true(path.len < sizeof(text) && side <= SIDE_MAX);
    memcpy(text, path.ptr, path.len);
    text[path.len] = '\0';
    while (*at != '\0') {
        assert_int_equal(*at++, 'M');
        unsigned x = take_number(&at);
        assert_int_equal(*at++, ' ');
        unsigned y = take_number(&at);
        assert_int_equal(*at++, 'h');
        unsigned length = take_number(&at);
        assert_true(strncmp(at, "v1h-", 4) == 0);
        at += 4;
        assert_int_equal(take_number(&at), length);
        assert_int_equal(*at++, 'z');
        assert_true(x >= QR_QUIET_MODULES && x + length <= side - QR_QUIET_MODULES);
        assert_true(y >= QR_QUIET_MODULES && y < side - QR_QUIET_MODULES);
        for (unsigned i = 0; i < length; i++)
            dark[y][x + i] = true;
    }
}

/* What zbarimg reads out of the drawing. */
static void
read_back(bool dark[SIDE_MAX][SIDE_MAX], unsigned side, char *out, size_t size)
{
    char name[] = "/tmp/harkara-qr-XXXXXX";
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    FILE *image = fdopen(fd, "wb");
    assert_non_null(image);
    fprintf(image, "P5\n%u %u\n255\n", side * SCALE, side * SCALE);
    for (unsigned y = 0; y < side * SCALE; y++)
        for (unsigned x = 0; x < side * SCALE; x++)
            fputc(dark[y / SCALE][x / SCALE] ? 0 : 255, image);
    assert_int_equal(fclose(image), 0);

    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(pipes[1], STDOUT_FILENO);
        close(pipes[0]);
        execlp("zbarimg", "zbarimg", "--raw", "-q", "--nodbus", "-Sdisable", "-Sqrcode.enable", name,
               (char *)NULL);
        _exit(127);
    }
    close(pipes[1]);
    size_t len = 0;
    for (ssize_t n; len < size - 1 && (n = read(pipes[0], out + len, size - 1 - len)) > 0;)
        len += (size_t)n;
    close(pipes[0]);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    unlink(name);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("zbarimg ends with %d", status);
    out[len > 0 && out[len - 1] == '\n' ? len - 1 : len] = '\0';
}

static void
another_program_reads_what_was_written(void **state UNUSED)
{
    static const char *const texts[] = {
        "x",
        "otpauth://totp/Harkara:ada%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Harkara"
        "&algorithm=SHA1&digits=6&period=30",
    };

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        static bool dark[SIDE_MAX][SIDE_MAX];
        static char back[2048];
        unsigned side = 0;
        struct buf path;
        memset(dark, 0, sizeof(dark));
        buf_init(&path, 65536);
        assert_ok(qr_path(slice_text(texts[i]), &path, &side));
        draw(buf_slice(&path), side, dark);
        read_back(dark, side, back, sizeof(back));
        assert_string_equal(back, texts[i]);
        buf_release(&path);
    }
}

static void
what_is_too_long_is_refused(void **state UNUSED)
{
    static char text[QR_TEXT_BYTES_MAX + 1];
    unsigned side = 0;
    struct buf path, small;

    memset(text, 'a', sizeof(text));
    buf_init(&path, 1u << 20);
    buf_init(&small, 100);
    assert_int_equal(qr_path(slice_of(text, sizeof(text)), &path, &side), ERR_LIMIT);
    assert_int_equal(qr_path(SLICE_EMPTY, &path, &side), ERR_LIMIT);
    assert_ok(qr_path(slice_of(text, sizeof(text) - 1), &path, &side));
    assert_int_equal(qr_path(SLICE("x"), &small, &side), ERR_LIMIT);
    buf_release(&path);
    buf_release(&small);
}

UNIT_MAIN(cmocka_unit_test(another_program_reads_what_was_written),
          cmocka_unit_test(what_is_too_long_is_refused))
