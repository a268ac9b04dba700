/* What a relay says, what becomes of the mail by it, and what is said to the relay. */
#include "core/unit.h"
#include "platform/net/net_testing.h"
#include "platform/net/smtp_client.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAIL "Subject: x\r\n\r\n.dot\r\nlast\r\n"

/* A relay that answers each command by its first four letters, or as usual. */
struct relay {
    int listen_fd;
    pthread_t thread;
    const char *greeting, *verb, *answer; /* answer NULL: it hangs up; "": it says nothing more */
    char said[4096];                      /* by the client; of the thread until it was joined */
    size_t said_len;
    atomic_bool *stop; /* set once `verb` was heard */
};

static const char *
answer_of(const struct relay *relay, const char *line)
{
    static const char *const usual[][2] = {
        { "EHLO", "250-relay.example.org\r\n250 SMTPUTF8\r\n" },
        { "DATA", "354 go on\r\n" },
        { "QUIT", "221 bye\r\n" },
    };

    if (relay->verb != NULL && strncmp(line, relay->verb, 4) == 0)
        return relay->answer;
    for (size_t i = 0; i < COUNT_OF(usual); i++)
        if (strncmp(line, usual[i][0], 4) == 0)
            return usual[i][1];
    return "250 ok\r\n";
}

/* One line of the client's; false: it has hung up. */
static bool
line_take(struct relay *relay, int fd, char *line, size_t max)
{
    for (size_t n = 0; n + 1 < max && relay->said_len + 1 < sizeof(relay->said); n++) {
        if (recv(fd, line + n, 1, 0) != 1)
            return false;
        relay->said[relay->said_len++] = line[n];
        line[n + 1] = '\0';
        if (line[n] == '\n')
            return true;
    }
    return false;
}

static void *
relay_run(void *ctx)
{
    struct relay *relay = ctx;
    bool is_data = false;
    char line[512];
    int fd = accept(relay->listen_fd, NULL, NULL);

    if (fd < 0)
        return NULL;
    testing_send(fd, slice_text(relay->greeting));
    while (line_take(relay, fd, line, sizeof(line))) {
        const char *answer = is_data ? NULL : answer_of(relay, line);
        if (is_data && strcmp(line, ".\r\n") != 0)
            continue;
        if (is_data)
            answer = answer_of(relay, "end.");
        else if (answer == NULL)
            break;
        if (answer == NULL)
            break;
        is_data = strncmp(answer, "354", 3) == 0;
        testing_send(fd, slice_text(answer));
        if (relay->stop != NULL && answer[0] == '\0')
            atomic_store(relay->stop, true);
    }
    close(fd);
    return NULL;
}

static const struct slice sender = { "no-reply@example.org", 20 }, reader = { "asha@example.com", 16 };

static struct smtp_result
hand_over(struct relay *relay, bool is_plain, atomic_bool *stop)
{
    struct smtp_result result = { .code = -1 };
    uint16_t port = 0;
    char url[64];

    relay->listen_fd = testing_listen(&port);
    relay->stop = stop;
    if (relay->greeting == NULL)
        relay->greeting = "220 relay.example.org\r\n";
    snprintf(url, sizeof(url), "smtp://127.0.0.1:%u", port);
    assert_int_equal(pthread_create(&relay->thread, NULL, relay_run, relay), 0);
    assert_ok(smtp_send(&(struct smtp_relay){ .url = url,
                                              .is_plain = is_plain,
                                              .ca_file = "/etc/ssl/certs/ca-certificates.crt",
                                              .hello = "example.org",
                                              .connect_timeout_ms = TESTING_WAIT_MS,
                                              .timeout_ms = TESTING_WAIT_MS,
                                              .is_stopping = stop },
                        sender, reader, SLICE(MAIL), &result));
    pthread_join(relay->thread, NULL);
    close(relay->listen_fd);
    relay->said[relay->said_len] = '\0';
    return result;
}

static void
a_mail_is_handed_over_with_its_dots(void **state UNUSED)
{
    struct relay relay = { .verb = NULL };
    struct smtp_result result = hand_over(&relay, true, NULL);

    assert_int_equal(result.outcome, SMTP_SENT);
    assert_int_equal(result.failure, SMTP_FAILURE_NONE);
    assert_non_null(strstr(relay.said, "EHLO example.org\r\n"));
    assert_non_null(strstr(relay.said, "MAIL FROM:<no-reply@example.org>"));
    assert_non_null(strstr(relay.said, "RCPT TO:<asha@example.com>\r\n"));
    assert_non_null(strstr(relay.said, "Subject: x\r\n\r\n..dot\r\nlast\r\n.\r\n"));
}

static void
what_a_relay_says_decides(void **state UNUSED)
{
    static const struct {
        const char *greeting, *verb, *answer;
        enum smtp_outcome outcome;
        enum smtp_failure failure;
    } rows[] = {
        { NULL, "RCPT", "550 nobody here\r\n", SMTP_REFUSED, SMTP_FAILURE_REPLY },
        { NULL, "RCPT", "451 try again\r\n", SMTP_LATER, SMTP_FAILURE_REPLY },
        { NULL, "RCPT", "452 full\r\n", SMTP_LATER, SMTP_FAILURE_REPLY },
        { NULL, "MAIL", "553 not from you\r\n", SMTP_REFUSED, SMTP_FAILURE_REPLY },
        { NULL, "MAIL", "530 sign in first\r\n", SMTP_LATER, SMTP_FAILURE_REPLY },
        { NULL, "DATA", "421 going down\r\n", SMTP_LATER, SMTP_FAILURE_REPLY },
        { NULL, "end.", "552 too large\r\n", SMTP_REFUSED, SMTP_FAILURE_REPLY },
        { NULL, "end.", "451 later\r\n", SMTP_LATER, SMTP_FAILURE_REPLY },
        { NULL, "RCPT", NULL, SMTP_LATER, SMTP_FAILURE_BROKEN },
        { NULL, "end.", NULL, SMTP_LATER, SMTP_FAILURE_BROKEN },
        { "554 no service\r\n", NULL, NULL, SMTP_LATER, SMTP_FAILURE_REPLY },
        { "421 busy\r\n", NULL, NULL, SMTP_LATER, SMTP_FAILURE_REPLY },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct relay relay = { .greeting = rows[i].greeting, .verb = rows[i].verb, .answer = rows[i].answer };
        struct smtp_result result = hand_over(&relay, true, NULL);
        if (result.outcome != rows[i].outcome || result.failure != rows[i].failure)
            fail_msg("row %zu: outcome %d, %s, %d", i, result.outcome, smtp_failure_word(result.failure),
                     result.code);
    }
}

/* RFC 3207: a relay, or who sits before it, that offers no STARTTLS hears nothing of the mail. */
static void
without_tls_nothing_is_said(void **state UNUSED)
{
    struct relay relay = { .verb = NULL };
    struct smtp_result result = hand_over(&relay, false, NULL);

    assert_int_equal(result.outcome, SMTP_LATER);
    assert_int_equal(result.failure, SMTP_FAILURE_TLS);
    assert_null(strstr(relay.said, "MAIL"));
    assert_null(strstr(relay.said, "asha"));
}

static void
who_stops_does_not_wait_for_a_relay(void **state UNUSED)
{
    atomic_bool stop = false;
    struct relay relay = { .verb = "RCPT", .answer = "" };
    struct smtp_result result = hand_over(&relay, true, &stop);

    assert_int_equal(result.outcome, SMTP_LATER);
    assert_int_equal(result.failure, SMTP_FAILURE_STOPPED);
}

static void
an_address_is_never_another_command(void **state UNUSED)
{
    static const char *const rows[] = { "", "a@b>\r\nRCPT TO:<c@d", "a b@c", "a@b>", "a@b\n" };
    struct smtp_result result;
    const struct smtp_relay relay = { .url = "smtp://127.0.0.1:1", .is_plain = true, .hello = "x" };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(smtp_send(&relay, sender, slice_text(rows[i]), SLICE(MAIL), &result), ERR_CONTRACT);
        assert_int_equal(smtp_send(&relay, slice_text(rows[i]), reader, SLICE(MAIL), &result), ERR_CONTRACT);
    }
}

UNIT_MAIN(cmocka_unit_test(a_mail_is_handed_over_with_its_dots), cmocka_unit_test(what_a_relay_says_decides),
          cmocka_unit_test(without_tls_nothing_is_said),
          cmocka_unit_test(who_stops_does_not_wait_for_a_relay),
          cmocka_unit_test(an_address_is_never_another_command))
