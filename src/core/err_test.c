#include "core/err.h"
#include "core/unit.h"
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const codes[] = {
#define ERR(name, class, code, title) code,
#include "core/err.def"
#undef ERR
};

static void
success_is_zero_and_has_a_row_too(void **state UNUSED)
{
    assert_int_equal(ERR_OK, 0);
    assert_int_equal(err_class(ERR_OK), ERR_CLASS_NONE);
    assert_string_equal(err_code(ERR_OK), "ok");
    assert_string_equal(err_title(ERR_OK), "Success.");
}

static void
each_value_finds_its_own_row(void **state UNUSED)
{
    assert_int_equal(err_class(ERR_INCOMPLETE), ERR_CLASS_FLOW);
    assert_int_equal(err_class(ERR_RECIPIENT_INVALID), ERR_CLASS_INVALID);
    assert_string_equal(err_code(ERR_RECIPIENT_INVALID), "recipient-invalid");
    assert_string_equal(err_title(ERR_RECIPIENT_INVALID), "The recipient address is not valid.");
    for (int err = ERR_OK + 1; err < ERR_COUNT; err++)
        assert_string_equal(err_code((enum err)err), codes[err - 1]);
}

/* The code becomes a part of a URL and of the contract, the title stands before a person. */
static void
codes_are_words_with_hyphens_and_titles_are_sentences(void **state UNUSED)
{
    for (int err = ERR_OK; err < ERR_COUNT; err++) {
        const char *code = err_code((enum err)err), *title = err_title((enum err)err);
        size_t len = strlen(title);
        assert_true(strlen(code) > 0 && strlen(code) < 64);
        assert_int_equal(strspn(code, "abcdefghijklmnopqrstuvwxyz0123456789-"), strlen(code));
        assert_true(code[0] != '-' && code[strlen(code) - 1] != '-');
        assert_true(len > 1 && title[0] >= 'A' && title[0] <= 'Z');
        assert_true(title[len - 1] == '.');
        assert_null(strpbrk(title, "\"\\\n")); /* it is written into JSON and logs */
    }
}

/* RFC 9457, 3.1.3: the title does not change from one occurrence of a problem type to another. */
static void
reasons_that_share_a_code_look_the_same_from_outside(void **state UNUSED)
{
    for (int a = ERR_OK; a < ERR_COUNT; a++) {
        for (int b = a + 1; b < ERR_COUNT; b++) {
            if (strcmp(err_code((enum err)a), err_code((enum err)b)) != 0)
                continue;
            assert_int_equal(err_class((enum err)a), err_class((enum err)b));
            assert_string_equal(err_title((enum err)a), err_title((enum err)b));
        }
    }
}

/* Runs what is a bug in a child; returns what it wrote to standard error. It must have died by SIGABRT. */
static size_t
child_abort(void (*run)(void), char *text, size_t room)
{
    int ends[2], status = 0;
    size_t len = 0;
    ssize_t n;

    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        run();
        _exit(0);
    }
    close(ends[1]);
    while (len < room - 1 && (n = read(ends[0], text + len, room - 1 - len)) > 0)
        len += (size_t)n;
    close(ends[0]);
    text[len] = '\0';
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    return len;
}

static void
run_bug(void)
{
    bug("the sky is green");
}

static void
run_unknown_row(void)
{
    (void)err_class(ERR_COUNT);
}

static void
a_bug_is_logged_as_one_line_and_aborts_the_process(void **state UNUSED)
{
    char text[1024];
    size_t len = child_abort(run_bug, text, sizeof(text));

    assert_true(len > 0 && strchr(text, '\n') == text + len - 1);
    assert_non_null(strstr(text, "\"event\":\"bug\""));
    assert_non_null(strstr(text, "err_test.c\",\"line\":"));
    assert_non_null(strstr(text, "\"what\":\"the sky is green\"}"));
}

static void
a_value_without_a_row_is_a_bug(void **state UNUSED)
{
    char text[1024];

    child_abort(run_unknown_row, text, sizeof(text));
    assert_non_null(strstr(text, "outside err.def"));
}

UNIT_MAIN(cmocka_unit_test(success_is_zero_and_has_a_row_too), cmocka_unit_test(each_value_finds_its_own_row),
          cmocka_unit_test(codes_are_words_with_hyphens_and_titles_are_sentences),
          cmocka_unit_test(reasons_that_share_a_code_look_the_same_from_outside),
          cmocka_unit_test(a_bug_is_logged_as_one_line_and_aborts_the_process),
          cmocka_unit_test(a_value_without_a_row_is_a_bug))
