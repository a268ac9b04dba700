/*
 * For tests of the client: a server that the test plays itself, byte by byte. The client runs on the test's
 * own thread, and http_client_run's wake_fd tells when the other side has something to do.
 */
#ifndef PLATFORM_NET_HTTP_CLIENT_TESTING_H
#define PLATFORM_NET_HTTP_CLIENT_TESTING_H
#include "platform/net/http_client.h"
#include "platform/net/http_testing.h"

#define RESPONSE_BYTES_MAX 1000u
#define OK_REPLY           "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

struct fixture {
    struct address_guard guard;
    struct http_client *client;
    int listen_fd;
    uint16_t port;
    char url[64];
    /* of the last call that was done */
    unsigned done;
    struct http_result result;
    char body[RESPONSE_BYTES_MAX + 1];
    char field[64]; /* its X-Usage */
};

struct http_client_config fixture_config(const struct fixture *f);
void fixture_init(struct fixture *f, const struct http_client_config *config);
void fixture_release(struct fixture *f);
struct http_call fixture_call(struct fixture *f);
void fixture_start(struct fixture *f);
/* Runs the client until the other side can read from `fd`. */
void fixture_run_until_readable(struct fixture *f, int fd);
int fixture_accept(struct fixture *f);
/* Reads until `end` stands at the end of what came; in a static buffer. */
const char *fixture_read_until(struct fixture *f, int fd, const char *end);
void fixture_run(struct fixture *f);
/* The whole of one call with this answer; returns the connection. */
int fixture_serve(struct fixture *f, const char *reply);
void fixture_expect_failure(const struct fixture *f, enum http_failure failure, bool was_sent);

/* Opens the log and the secret pool, for cmocka_run_group_tests. */
int fixture_group_setup(void **state);

#endif
