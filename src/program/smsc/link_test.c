/* A link against a message centre that the test plays on the other end of a socket, in one thread. */
#include "core/unit.h"
#include "program/smsc/link.h"
#include "wire/smpp/smpp_status.h"
#include <arpa/inet.h>
#include <poll.h>
#include <unistd.h>

static struct sms_connector settings;
static struct address_guard guard;
static struct secret *password;
static struct smpp_session *centre; /* NULL: nobody has connected */
static struct sockaddr_in address;
static int listen_fd, centre_fd;
static uint32_t bind_status, told_status;
static struct link *made;
static unsigned resolves, bounds, unbounds, requests, answers, refusals;
static struct id request_session;
static uint32_t request_sequence;

static struct mono_time
now(void)
{
    return clock_mono(clock_system());
}

static void
on_resolve(void *ctx UNUSED, struct link *of UNUSED)
{
    resolves++;
}

static void
on_bound(void *ctx UNUSED, struct link *of UNUSED)
{
    bounds++;
}

static void
on_unbound(void *ctx UNUSED, struct link *of UNUSED)
{
    unbounds++;
}

static void
on_request(void *ctx UNUSED, struct link *of, const struct smpp_pdu *pdu)
{
    requests++;
    request_session = link_session_id(of);
    request_sequence = pdu->sequence;
}

static void
on_answer(void *ctx UNUSED, struct link *of UNUSED, uint64_t tag UNUSED, const struct smpp_pdu *pdu UNUSED)
{
}

static void
on_lost(void *ctx UNUSED, struct link *of UNUSED, uint64_t tag UNUSED)
{
}

static void
on_refused(void *ctx UNUSED, struct link *of UNUSED, uint32_t status)
{
    refusals++;
    told_status = status;
}

static const struct link_calls calls = { on_resolve, on_bound, on_unbound, on_request,
                                         on_answer,  on_lost,  on_refused };

/* The message centre's side. */

static void
centre_bind(void *ctx UNUSED, uint32_t command, const struct smpp_bind *bind)
{
    assert_int_equal(command, SMPP_BIND_TRANSCEIVER);
    assert_true(slice_eq(bind->system_id, SLICE("harkara")));
    assert_true(slice_eq(bind->password, SLICE("a-longer-password")));
    smpp_session_bind_answer(centre, bind_status, SLICE("CENTRE"), now());
}

static void
centre_bound(void *ctx UNUSED, const struct smpp_answer *answer UNUSED)
{
}

static void
centre_answer(void *ctx UNUSED, uint64_t tag UNUSED, const struct smpp_pdu *answer, bool is_late UNUSED)
{
    assert_int_equal(answer->command, SMPP_DELIVER_SM | SMPP_RESPONSE);
    assert_int_equal(answer->status, SMPP_OK);
    answers++;
}

static void
centre_lost(void *ctx UNUSED, uint64_t tag UNUSED, enum smpp_loss why UNUSED)
{
}

static void
centre_closed(void *ctx UNUSED, enum smpp_close why UNUSED, uint32_t status UNUSED)
{
}

static const struct smpp_session_calls centre_calls = { .bind = centre_bind,
                                                        .bound = centre_bound,
                                                        .answer = centre_answer,
                                                        .lost = centre_lost,
                                                        .closed = centre_closed };

static void
centre_turn(void)
{
    char octets[4096];

    if (centre == NULL) {
        centre_fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK);
        if (centre_fd < 0)
            return;
        assert_ok(smpp_session_new(&(struct smpp_session_config){ .side = SMPP_SMSC,
                                                                  .window_max = 10,
                                                                  .peer_window_max = 10,
                                                                  .bind_ms = 60000,
                                                                  .response_ms = 60000,
                                                                  .read_ms = 60000,
                                                                  .drain_ms = 1000,
                                                                  .unbind_ms = 1000,
                                                                  .calls = &centre_calls },
                                   now(), &centre));
    }
    ssize_t got = read(centre_fd, octets, sizeof(octets));
    if (got > 0)
        smpp_session_feed(centre, slice_of(octets, (size_t)got), now());
    else if (got == 0)
        smpp_session_gone(centre, now());
    struct slice out = smpp_session_out(centre);
    if (out.len > 0) {
        assert_int_equal(write(centre_fd, out.ptr, out.len), out.len);
        smpp_session_written(centre, out.len, now());
    }
}

/* Turns both sides until it is so. */
#define UNTIL(condition)                                                                                     \
    while (!(condition)) {                                                                                   \
        struct pollfd fds[] = { { .fd = link_fd(made), .events = link_events(made) },                        \
                                { .fd = centre == NULL ? listen_fd : centre_fd, .events = POLLIN } };        \
        (void)poll(fds, 2, 20);                                                                              \
        centre_turn();                                                                                       \
        link_step(made, fds[0].revents, now());                                                              \
    }

static int
opened(void **state UNUSED)
{
    socklen_t len = sizeof(address);

    resolves = bounds = unbounds = requests = answers = refusals = 0;
    bind_status = SMPP_OK;
    sms_connector_init(&settings);
    settings.host = SLICE("centre.example.org");
    settings.system_id = SLICE("harkara");
    assert_ok(address_guard_init(&guard, SLICE("127.0.0.0/8")));
    assert_non_null(password = secret_copy(SLICE("a-longer-password")));
    address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(listen_fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(listen_fd, 4), 0);
    assert_int_equal(getsockname(listen_fd, (struct sockaddr *)&address, &len), 0);
    settings.port = ntohs(address.sin_port);
    assert_ok(link_new(&(struct link_config){ .settings = &settings,
                                              .kind = LINK_TRANSCEIVER,
                                              .password = password,
                                              .guard = &guard,
                                              .clock = clock_system(),
                                              .calls = &calls },
                       now(), &made));
    return 0;
}

static int
closed(void **state UNUSED)
{
    link_free(made);
    smpp_session_free(centre);
    if (centre != NULL)
        close(centre_fd);
    centre = NULL;
    close(listen_fd);
    secret_free(password);
    return 0;
}

static void
resolved(struct sockaddr_in to)
{
    struct sockaddr_storage at = { 0 };

    to.sin_port = 0;
    memcpy(&at, &to, sizeof(to));
    link_step(made, 0, now());
    assert_int_equal(resolves, 1);
    link_resolved(made, &at, 1, now());
}

static void
tries_come_later_and_later_up_to_a_minute(void **state UNUSED)
{
    const int64_t bases[] = { 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000 };

    for (unsigned i = 0; i < COUNT_OF(bases); i++)
        for (uint32_t jitter = 0; jitter <= 0xFFF; jitter += 0x111)
            assert_in_range(link_retry_ms(i + 1, jitter), bases[i] * 8 / 10, bases[i] * 12 / 10);
    assert_int_equal(link_retry_ms(1000000, 0), 48000);
}

static void
it_binds_takes_what_comes_and_unbinds_in_order(void **state UNUSED)
{
    struct buf body;

    resolved(address);
    UNTIL(bounds == 1);
    assert_int_equal(link_state(made), LINK_BOUND);
    assert_string_equal(link_detail(made), "");
    buf_init(&body, 1024);
    assert_ok(
        smpp_message_add(&body, SMPP_DELIVER_SM, &(struct smpp_message){ .short_message = SLICE("Hello") }));
    assert_ok(smpp_session_ask(centre, SMPP_DELIVER_SM, buf_slice(&body), 7, now()));
    buf_release(&body);
    UNTIL(requests == 1);
    assert_int_equal(answers, 0); /* not before it is stored */
    link_answer(made, (struct id){ { 1 } }, SMPP_DELIVER_SM, request_sequence, SMPP_OK,
                now()); /* of another session */
    link_answer(made, request_session, SMPP_DELIVER_SM, request_sequence, SMPP_OK, now());
    UNTIL(answers == 1);
    link_end(made, now());
    UNTIL(link_state(made) == LINK_CLOSED);
    assert_int_equal(unbounds, 1);
    assert_int_equal(refusals, 0);
}

static void
a_refused_account_is_not_tried_again(void **state UNUSED)
{
    bind_status = SMPP_INVALID_PASSWORD;
    resolved(address);
    UNTIL(link_state(made) == LINK_REFUSED);
    assert_int_equal(refusals, 1);
    assert_int_equal(told_status, SMPP_INVALID_PASSWORD);
    assert_int_equal(bounds, 0);
    assert_string_equal(link_detail(made), "The operator refused the account (ESME_RINVPASWD).");
    assert_int_equal(link_next(made).us, INT64_MAX);
}

static void
another_refusal_is_tried_again_later(void **state UNUSED)
{
    bind_status = SMPP_BIND_FAILED;
    resolved(address);
    UNTIL(link_state(made) == LINK_WAITING);
    assert_string_equal(link_detail(made), "The operator refused the bind (ESME_RBINDFAIL).");
    assert_int_equal(refusals, 0);
    assert_true(link_next_try(made).us > now().us);
}

static void
a_link_that_breaks_waits_for_its_next_try(void **state UNUSED)
{
    resolved(address);
    UNTIL(bounds == 1);
    assert_int_equal(shutdown(centre_fd, SHUT_RDWR), 0);
    UNTIL(link_state(made) == LINK_WAITING);
    assert_int_equal(unbounds, 1);
    assert_string_equal(link_detail(made), "The session ended (peer_gone).");
}

static void
names_and_addresses_that_will_not_do_are_said(void **state UNUSED)
{
    struct sockaddr_storage private = { 0 };
    struct sockaddr_in ten = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0A000001) };

    memcpy(&private, &ten, sizeof(ten));
    link_step(made, 0, now());
    link_resolved(made, NULL, 0, now());
    assert_int_equal(link_state(made), LINK_WAITING);
    assert_string_equal(link_detail(made), "The host's name has no address.");
    link_resolved(made, &private, 1, now()); /* too late: it has been given up */
    assert_string_equal(link_detail(made), "The host's name has no address.");
    link_free(made);
    assert_ok(link_new(&(struct link_config){ .settings = &settings,
                                              .password = password,
                                              .guard = &guard,
                                              .clock = clock_system(),
                                              .calls = &calls },
                       now(), &made));
    link_step(made, 0, now());
    link_resolved(made, &private, 1, now());
    assert_string_equal(link_detail(made), "The host's address is not a public one, and not allowed here.");
}

static int
group_open(void **state UNUSED)
{
    return secret_pool_open(65536) == ERR_OK ? 0 : -1;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tries_come_later_and_later_up_to_a_minute),
        TEST(it_binds_takes_what_comes_and_unbinds_in_order),
        TEST(a_refused_account_is_not_tried_again),
        TEST(another_refusal_is_tried_again_later),
        TEST(a_link_that_breaks_waits_for_its_next_try),
        TEST(names_and_addresses_that_will_not_do_are_said),
    };
    return cmocka_run_group_tests(tests, group_open, NULL);
}
