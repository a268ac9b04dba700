/* What the server makes of heads, right and wrong; with real sockets, byte by byte as a test sends them. */
#include "platform/net/http_testing.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void
what_comes_by_tls_is_told_to_stay_so(void **state UNUSED)
{
    for (int is_https = 0; is_https < 2; is_https++) {
        struct harness h;
        struct testing_reply reply;
        harness_init(&h);
        h.config.is_https = is_https == 1;
        harness_start(&h);
        int fd = testing_connect(h.port);
        send_text(fd, "GET /ok HTTP/1.1\r\n" HOST "\r\n");
        assert_true(testing_receive(fd, &reply));
        const char *strict = testing_header(&reply, "Strict-Transport-Security");
        assert_int_equal(strict != NULL, is_https);
        testing_reply_release(&reply);
        close(fd);
        harness_end(&h);
    }
}

static void
every_answer_has_the_headers_that_protect_it(void **state UNUSED)
{
    struct harness h;
    struct testing_reply reply;

    harness_init(&h);
    harness_start(&h);
    int fd = testing_connect(h.port);
    send_text(fd, "GET /ok HTTP/1.1\r\n" HOST "\r\n");
    assert_true(testing_receive(fd, &reply));
    assert_int_equal(reply.status, 200);
    assert_common_headers(&reply);
    assert_string_equal(testing_header(&reply, "Cache-Control"), "no-store");
    assert_null(testing_header(&reply, "traceparent"));
    testing_reply_release(&reply);

    send_text(fd, "GET /framed HTTP/1.1\r\n" HOST
                  "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n");
    assert_true(testing_receive(fd, &reply));
    assert_common_headers(&reply);
    assert_string_equal(testing_header(&reply, "Cache-Control"),
                        "max-age=60"); /* the response's own word holds */
    assert_string_equal(testing_header(&reply, "X-Extra"), "1");
    assert_memory_equal(testing_header(&reply, "traceparent"), "00-0af7651916cd43dd8448eb211c80319c-", 36);
    testing_reply_release(&reply);

    send_text(fd, "GET /a\" HTTP/1.1\r\n" HOST "\r\n");
    assert_true(testing_receive(fd, &reply));
    assert_int_equal(reply.status, 400);
    assert_common_headers(&reply);
    assert_string_equal(testing_header(&reply, "Content-Type"), "application/problem+json");
    testing_reply_release(&reply);
    close(fd);
    harness_end(&h);
}

#define LONG_256                                                                                                \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LONG_4096                                                                                            \
    LONG_256 LONG_256 LONG_256 LONG_256 LONG_256 LONG_256 LONG_256 LONG_256 LONG_256 LONG_256 LONG_256       \
        LONG_256 LONG_256 LONG_256 LONG_256 LONG_256
#define FIELDS_8(n)                                                                                          \
    "x-" n "0: 1\r\nx-" n "1: 1\r\nx-" n "2: 1\r\nx-" n "3: 1\r\nx-" n "4: 1\r\nx-" n "5: 1\r\nx-" n         \
    "6: 1\r\nx-" n "7: 1\r\n"
#define FIELDS_56                                                                                            \
    FIELDS_8("a") FIELDS_8("b") FIELDS_8("c") FIELDS_8("d") FIELDS_8("e") FIELDS_8("f") FIELDS_8("g")
#define BYTES(literal)                                                                                       \
    {                                                                                                        \
        "" literal, sizeof(literal) - 1                                                                      \
    } /* SLICE, for static tables */
#define POST_HEAD "POST /x HTTP/1.1\r\n" HOST

static const struct {
    const char *name;
    struct slice head; /* all of it, without what follows */
    bool is_ours;      /* answered by us with a problem document; else by the library */
} malformed[] = {
    { "no Host", BYTES("GET /x HTTP/1.1\r\n\r\n"), true },
    { "two Hosts", BYTES("GET /x HTTP/1.1\r\n" HOST HOST "\r\n"), true },
    { "two Hosts in 1.0", BYTES("GET /x HTTP/1.0\r\n" HOST "host: b\r\n\r\n"), true },
    { "empty Host", BYTES("GET /x HTTP/1.1\r\nHost:\r\n\r\n"), true },
    { "Host with user info", BYTES("GET /x HTTP/1.1\r\nHost: u@a\r\n\r\n"), true },
    { "Host with path", BYTES("GET /x HTTP/1.1\r\nHost: a/b\r\n\r\n"), true },
    { "two Content-Length", BYTES(POST_HEAD "Content-Length: 2\r\nContent-Length: 2\r\n\r\nab"), true },
    { "Content-Length list", BYTES(POST_HEAD "Content-Length: 2, 2\r\n\r\nab"), false },
    { "Content-Length with sign", BYTES(POST_HEAD "Content-Length: +2\r\n\r\nab"), false },
    { "Content-Length in hex", BYTES(POST_HEAD "Content-Length: 0x2\r\n\r\nab"), false },
    { "Content-Length empty", BYTES(POST_HEAD "Content-Length:\r\n\r\nab"), false },
    { "Content-Length overflow", BYTES(POST_HEAD "Content-Length: 99999999999999999999\r\n\r\nab"), false },
    { "Content-Length and chunked",
      BYTES(POST_HEAD "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), true },
    { "gzip coding", BYTES(POST_HEAD "Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n"), true },
    { "gzip, chunked", BYTES(POST_HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), true },
    { "two codings",
      BYTES(POST_HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), true },
    { "chunked with a vertical tab", BYTES(POST_HEAD "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n"), true },
    { "chunked in 1.0", BYTES("POST /x HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
      true },
    { "folded by a blank", BYTES("GET /x HTTP/1.1\r\n" HOST "X-A: 1\r\n 2\r\n\r\n"), true },
    { "folded by a tab", BYTES("GET /x HTTP/1.1\r\n" HOST "X-A: 1\r\n\t2\r\nX-B: 1\r\n\r\n"), true },
    { "folded Host", BYTES("GET /x HTTP/1.1\r\nHost: a\r\n b\r\n\r\n"), true },
    { "blank before the first field", BYTES("GET /x HTTP/1.1\r\n X-A: 1\r\n" HOST "\r\n"), true },
    { "blank before the colon", BYTES("GET /x HTTP/1.1\r\n" HOST "Content-Length : 2\r\n\r\nab"), true },
    { "no colon", BYTES("GET /x HTTP/1.1\r\n" HOST "nonsense\r\n\r\n"), false },
    { "no name", BYTES("GET /x HTTP/1.1\r\n" HOST ": 1\r\n\r\n"), true },
    { "control byte", BYTES("GET /x HTTP/1.1\r\n" HOST "X-A: a\001b\r\n\r\n"), true },
    { "DEL", BYTES("GET /x HTTP/1.1\r\n" HOST "X-A: a\177b\r\n\r\n"), true },
    { "lone CR", BYTES("GET /x HTTP/1.1\r\n" HOST "X-A: a\rX-B: b\r\n\r\n"), true },
    { "NUL in a value", BYTES("GET /x HTTP/1.1\r\n" HOST "X-A: a\0b\r\n\r\n"), true },
    { "NUL in a name", BYTES("GET /x HTTP/1.1\r\n" HOST "X-A\0: b\r\n\r\n"), false },
    { "NUL in the target", BYTES("GET /x\0y HTTP/1.1\r\n" HOST "\r\n"), true },
    { "NUL in the method", BYTES("G\0T /x HTTP/1.1\r\n" HOST "\r\n"), true },
    { "bare LF after the request line", BYTES("GET /x HTTP/1.1\n" HOST "\r\n"), true },
    { "bare LF after a field", BYTES("GET /x HTTP/1.1\r\nHost: a\n\r\n"), true },
    { "bare LF between fields", BYTES("GET /x HTTP/1.1\r\n" HOST "X-A: 1\nX-B: 2\r\n\r\n"), true },
    { "bare LF at the end", BYTES("GET /x HTTP/1.1\r\n" HOST "\n"), true },
    { "two blanks before the target", BYTES("GET  /x HTTP/1.1\r\n" HOST "\r\n"), true },
    { "two blanks after the target", BYTES("GET /x  HTTP/1.1\r\n" HOST "\r\n"), true },
    { "blank after the version", BYTES("GET /x HTTP/1.1 \r\n" HOST "\r\n"), false },
    { "tab in the request line", BYTES("GET\t/x HTTP/1.1\r\n" HOST "\r\n"), false },
    { "blank in the target", BYTES("GET /x y HTTP/1.1\r\n" HOST "\r\n"), true },
    { "no version", BYTES("GET /x\r\n" HOST "\r\n"), false },
    { "version 2", BYTES("GET /x HTTP/2.0\r\n" HOST "\r\n"), false },
    { "version 0.9", BYTES("GET /x HTTP/0.9\r\n" HOST "\r\n"), false },
    { "lower-case version", BYTES("GET /x http/1.1\r\n" HOST "\r\n"), false },
    { "65 fields", BYTES("GET /x HTTP/1.1\r\n" HOST FIELDS_56 FIELDS_8("h") "\r\n"), true },
    { "target of 4097 bytes", BYTES("GET /" LONG_4096 " HTTP/1.1\r\n" HOST "\r\n"), true },
    { "target without a slash", BYTES("GET x HTTP/1.1\r\n" HOST "\r\n"), true },
    { "target with a fragment", BYTES("GET /x#y HTTP/1.1\r\n" HOST "\r\n"), true },
    { "target with a quote", BYTES("GET /x\"y HTTP/1.1\r\n" HOST "\r\n"), true },
    { "target above ASCII", BYTES("GET /\303\244 HTTP/1.1\r\n" HOST "\r\n"), true },
    { "broken escape", BYTES("GET /%4 HTTP/1.1\r\n" HOST "\r\n"), true },
    { "broken escape in the query", BYTES("GET /x?a=%zz HTTP/1.1\r\n" HOST "\r\n"), true },
    { "star for GET", BYTES("GET * HTTP/1.1\r\n" HOST "\r\n"), true },
    { "authority form", BYTES("CONNECT a.example:443 HTTP/1.1\r\n" HOST "\r\n"), true },
    { "two Authorizations",
      BYTES("GET /x HTTP/1.1\r\n" HOST "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n"), true },
    { "two Content-Types", BYTES(POST_HEAD "Content-Type: a/b\r\ncontent-type: a/c\r\n\r\n"), true },
};

/* Behind each comes a request that must not be run: whoever framed the first one wrongly would run it. */
static void
a_malformed_head_is_refused_and_nothing_after_it_is_run(void **state UNUSED)
{
    struct harness h;

    harness_init(&h);
    harness_start(&h);
    for (size_t i = 0; i < COUNT_OF(malformed); i++) {
        struct testing_reply reply;
        int fd = testing_connect(h.port);
        print_message("# %s\n", malformed[i].name);
        testing_send(fd, malformed[i].head);
        send_text(fd, "GET /smuggled HTTP/1.1\r\n" HOST "\r\n");
        if (testing_receive(fd, &reply)) {
            assert_in_range(reply.status, 400, 505);
            assert_true(reply.status < 500 || reply.status == 505);
            if (malformed[i].is_ours) {
                assert_int_equal(reply.status, 400);
                assert_string_equal(testing_header(&reply, "Content-Type"), "application/problem+json");
                assert_common_headers(&reply);
            }
            testing_reply_release(&reply);
        } else {
            assert_false(malformed[i].is_ours);
        }
        assert_true(testing_is_closed(fd));
        close(fd);
        assert_int_equal(atomic_load(&h.handled), 0);
    }
    harness_end(&h);
}

static const struct {
    const char *name, *head, *expected; /* what /describe must say */
} wellformed[] = {
    { "1.0 without Host", "GET /describe HTTP/1.0\r\n\r\n", "GET /describe peer=127.0.0.1\n" },
    { "blanks around a value", "GET /describe HTTP/1.1\r\nHost: \t a \t \r\n\r\n", "Host:a|\n" },
    { "no blank after the colon", "GET /describe HTTP/1.1\r\nHost:a\r\n\r\n", "Host:a|\n" },
    { "empty value", "GET /describe HTTP/1.1\r\n" HOST "X-A:\r\nX-B: \r\nX-C: c\r\n\r\n",
      "X-A:|\nX-B:|\nX-C:c|\n" },
    { "empty lines before", "\r\n\r\nGET /describe HTTP/1.1\r\n" HOST "\r\n", "GET /describe" },
    { "opaque bytes", "GET /describe HTTP/1.1\r\n" HOST "X-A: \344\303\r\n\r\n", "X-A:\344\303|" },
    { "tab inside a value", "GET /describe HTTP/1.1\r\n" HOST "X-A: a\tb\r\n\r\n", "X-A:a\tb|" },
    { "colons in a value", "GET /describe HTTP/1.1\r\n" HOST "X-A: a:b: c\r\n\r\n", "X-A:a:b: c|" },
    { "64 fields",
      "GET /describe HTTP/1.1\r\n" HOST FIELDS_56
      "a: 1\r\nb: 1\r\nc: 1\r\nd: 1\r\ne: 1\r\nf: 1\r\ng: 1\r\n\r\n",
      "x-g7:1|\na:1|\n" },
    { "cookies", "GET /describe HTTP/1.1\r\n" HOST "Cookie: a=b; c=d\r\nX-A: 1\r\n\r\n",
      "Cookie:a=b; c=d|\nX-A:1|" },
    { "long value", "GET /describe HTTP/1.1\r\n" HOST "X-A: " LONG_4096 LONG_4096 "\r\nX-B: 2\r\n\r\n",
      "|\nX-B:2|" },
    { "absolute form", "GET http://a.example/describe?x=1 HTTP/1.1\r\n" HOST "\r\n",
      "GET /describe peer=127.0.0.1\n?x=1\n" },
    { "IPv6 Host", "GET /describe HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n\r\n", "Host:[2001:db8::1]:8080|" },
    { "query", "GET /describe?a=b%20c+d&e&&f=%C3%A4&a=2 HTTP/1.1\r\n" HOST "\r\n",
      "?a=b c d\n?e=\n?f=\303\244\n?a=2\nHost" },
    { "escapes stay in the path", "GET /describe/%2F%41 HTTP/1.1\r\n" HOST "\r\n",
      "GET /describe/%2F%41 peer" },
    { "star for OPTIONS", "OPTIONS /describe HTTP/1.1\r\n" HOST "\r\n", "OPTIONS /describe peer" },
    { "unknown method", "TRACE /describe HTTP/1.1\r\n" HOST "\r\n", "other /describe peer" },
    { "untrusted X-Forwarded-For", "GET /describe HTTP/1.1\r\n" HOST "X-Forwarded-For: 9.9.9.9\r\n\r\n",
      "peer=127.0.0.1" },
};

static void
an_unusual_but_right_head_is_served(void **state UNUSED)
{
    struct harness h;

    harness_init(&h);
    harness_start(&h);
    for (size_t i = 0; i < COUNT_OF(wellformed); i++) {
        struct testing_reply reply;
        int fd = testing_connect(h.port);
        print_message("# %s\n", wellformed[i].name);
        send_text(fd, wellformed[i].head);
        assert_true(testing_receive(fd, &reply));
        assert_int_equal(reply.status, 200);
        if (strstr(reply.body, wellformed[i].expected) == NULL)
            fail_msg("\"%s\" is not in \"%s\"", wellformed[i].expected, reply.body);
        testing_reply_release(&reply);
        close(fd);
    }
    harness_end(&h);
}

static const struct {
    const char *target;
    int status;
} targets[] = {
    { "/describe?a=%FF", 422 },
    { "/describe?a=%00", 422 },
    { "/describe?%C3=1", 422 },
    { "/describe:x", 404 },
    { "/describe/a@b", 404 },
    { "/describe?a=b:c@d/e?f", 200 },
    { "/describe?1&2&3&4&5&6&7&8&9&10&11&12&13&14&15&16&17&18&19&20&21&22&23&24&25&26&27&28&29&30&31&32",
      200 },
    { "/describe?1&2&3&4&5&6&7&8&9&10&11&12&13&14&15&16&17&18&19&20&21&22&23&24&25&26&27&28&29&30&31&32&33",
      422 },
};

/* The framing is right, so the connection lives on after each. */
static void
a_target_that_means_nothing_is_refused_and_the_connection_kept(void **state UNUSED)
{
    struct harness h;

    harness_init(&h);
    harness_start(&h);
    int fd = testing_connect(h.port);
    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        char text[512];
        snprintf(text, sizeof(text), "POST %s HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nbody",
                 targets[i].target);
        send_text(fd, text);
        expect_status(fd, targets[i].status);
    }
    close(fd);
    harness_end(&h);
}

static void
pipelined_requests_are_answered_in_order(void **state UNUSED)
{
    struct harness h;
    struct testing_reply reply;
    char text[200];
    struct buf all;

    harness_init(&h);
    harness_start(&h);
    buf_init(&all, 1 << 20);
    for (int i = 0; i < 200; i++)
        buf_add_format(&all, "POST /p%d HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\n%04d", i, i);
    assert_ok(buf_done(&all));
    int fd = testing_connect(h.port);
    testing_send(fd, buf_slice(&all));
    for (int i = 0; i < 200; i++) {
        assert_true(testing_receive(fd, &reply));
        assert_int_equal(reply.status, 200);
        snprintf(text, sizeof(text), "%04d", i);
        assert_string_equal(reply.body, text);
        testing_reply_release(&reply);
    }
    assert_int_equal(atomic_load(&h.handled), 200);
    close(fd);
    buf_release(&all);
    harness_end(&h);
}

/* TCP may cut anywhere. */
static void
a_request_cut_at_any_byte_is_the_same_request(void **state UNUSED)
{
    struct harness h;
    struct testing_reply reply;
    const struct slice whole =
        SLICE("POST /echo?a=b HTTP/1.1\r\n" HOST "X-A: 1\r\nContent-Length: 5\r\n\r\nhello");

    harness_init(&h);
    harness_start(&h);
    int fd = testing_connect(h.port);
    for (size_t cut = 1; cut < whole.len; cut++) {
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        testing_send(fd, slice_first(whole, cut));
        testing_send(fd, slice_drop(whole, cut));
        assert_true(testing_receive(fd, &reply));
        assert_int_equal(reply.status, 200);
        assert_string_equal(reply.body, "hello");
        testing_reply_release(&reply);
    }
    close(fd);
    harness_end(&h);
}

static void
the_client_is_told_apart_behind_trusted_proxies(void **state UNUSED)
{
    static const struct {
        const char *trusted, *fields, *peer;
        bool is_unix;
    } rows[] = {
        { "", "", "peer=\n", true },
        { "", "X-Forwarded-For: 203.0.113.7\r\n", "peer=203.0.113.7\n", true },
        { "", "X-Forwarded-For: 1.1.1.1, 203.0.113.7\r\n", "peer=203.0.113.7\n", true },
        { "203.0.113.7", "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 203.0.113.7\r\n", "peer=1.1.1.1\n",
          true },
        { "", "X-Forwarded-For: 1.1.1.1, nonsense\r\n", "peer=\n", true },
        { "", "X-Forwarded-For: 1.1.1.1\r\n", "peer=127.0.0.1\n", false },
        { "127.0.0.0/8", "X-Forwarded-For: 1.1.1.1\r\n", "peer=1.1.1.1\n", false },
        { "127.0.0.0/8", "", "peer=127.0.0.1\n", false },
    };
    char folder[] = "/tmp/harkara-http-XXXXXX", path[64];

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/http.sock", folder);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct harness h;
        struct testing_reply reply;
        char text[300];
        harness_init(&h);
        h.config.trusted_proxies = slice_text(rows[i].trusted);
        if (rows[i].is_unix)
            h.config.listen_fd = testing_listen_unix(path);
        harness_start(&h);
        int fd = rows[i].is_unix ? testing_connect_unix(path) : testing_connect(h.port);
        snprintf(text, sizeof(text), "GET /describe HTTP/1.1\r\n" HOST "%s\r\n", rows[i].fields);
        send_text(fd, text);
        assert_true(testing_receive(fd, &reply));
        if (strstr(reply.body, rows[i].peer) == NULL)
            fail_msg("\"%s\" is not in \"%s\"", rows[i].peer, reply.body);
        testing_reply_release(&reply);
        close(fd);
        harness_end(&h);
        unlink(path);
    }
    rmdir(folder);
}

static void
the_access_log_holds_the_pattern_and_never_what_was_sent(void **state UNUSED)
{
    struct harness h;

    harness_init(&h);
    harness_start(&h);
    int fd = testing_connect(h.port);
    send_text(
        fd, "POST /SECRETPATH?SECRETNAME=SECRETVALUE HTTP/1.1\r\n" HOST
            "X-A: SECRETFIELD\r\nAuthorization: Bearer SECRETTOKEN\r\nContent-Length: 10\r\n\r\nSECRETBODY");
    expect_status(fd, 200);
    send_text(fd, "GET /SECRETPATH\" HTTP/1.1\r\n" HOST "\r\n");
    expect_status(fd, 400);
    close(fd);
    harness_join(&h);
    const char *log = harness_log(&h);
    assert_null(strstr(log, "SECRET"));
    assert_non_null(strstr(log, "\"http.answered\""));
    assert_non_null(strstr(log, "\"method\":\"POST\",\"route\":\"/{anything}\",\"status\":200"));
    assert_non_null(strstr(log, "\"route\":\"-\",\"status\":400"));
    assert_non_null(strstr(log, "\"err\":\"http-invalid\""));
    harness_end(&h);
}

UNIT_MAIN(cmocka_unit_test(what_comes_by_tls_is_told_to_stay_so),
          cmocka_unit_test(every_answer_has_the_headers_that_protect_it),
          cmocka_unit_test(a_malformed_head_is_refused_and_nothing_after_it_is_run),
          cmocka_unit_test(an_unusual_but_right_head_is_served),
          cmocka_unit_test(a_target_that_means_nothing_is_refused_and_the_connection_kept),
          cmocka_unit_test(pipelined_requests_are_answered_in_order),
          cmocka_unit_test(a_request_cut_at_any_byte_is_the_same_request),
          cmocka_unit_test(the_client_is_told_apart_behind_trusted_proxies),
          cmocka_unit_test(the_access_log_holds_the_pattern_and_never_what_was_sent))
