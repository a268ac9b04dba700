/*
 * A customer's webhook endpoint that costs next to nothing: it answers 200, counts, and verifies the
 * signature (Standard Webhooks, HMAC-SHA256) of one webhook in 64.
 *
 *     receiver
 *
 * Serves as serve.h says. Commands by standard input: "secret PATH BASE64" makes a path known, "count" prints
 * what came so far, and so does the end. A webhook to a path that is not known, or whose signature is wrong,
 * ends it.
 */
#include "core/buf.h"
#include "crypto/encode.h"
#include "crypto/mac.h"
#include "serve.h"
#include <stdio.h>

#define PATHS_MAX       16u
#define PATH_BYTES      96u
#define KEY_BYTES_MAX   128u
#define VERIFIED_ONE_IN 64u
#define SIGNATURE_MAX   256u

static struct {
    struct {
        char path[PATH_BYTES];
        unsigned char key[KEY_BYTES_MAX];
        size_t key_len;
    } paths[PATHS_MAX];
    size_t path_count;
    uint64_t taken, verified;
} receiver;

static void
verify(struct slice head, struct slice body)
{
    struct slice line = head;

    (void)slice_take_until(&line, ' ');
    struct slice path = slice_take_until(&line, ' ');
    size_t at = 0;
    while (at < receiver.path_count && !slice_eq(path, slice_text(receiver.paths[at].path)))
        at++;
    if (at == receiver.path_count)
        serve_stop_because("a webhook came to a path that is not known");
    const struct slice pieces[] = { serve_header(head, SLICE("webhook-id")), SLICE("."),
                                    serve_header(head, SLICE("webhook-timestamp")), SLICE("."), body };
    unsigned char mac[MAC_BYTES];
    struct buf wanted;
    buf_init(&wanted, SIGNATURE_MAX);
    buf_add_text(&wanted, "v1,");
    if (mac_sha256_pieces(slice_of((const char *)receiver.paths[at].key, receiver.paths[at].key_len), pieces,
                          COUNT_OF(pieces), mac) != ERR_OK)
        serve_stop_because("a signature cannot be verified");
    encode_base64(&wanted, slice_of((const char *)mac, sizeof(mac)));
    if (buf_done(&wanted) != ERR_OK ||
        !slice_eq(buf_slice(&wanted), serve_header(head, SLICE("webhook-signature"))))
        serve_stop_because("a webhook's signature is wrong");
    buf_release(&wanted);
    receiver.verified++;
}

static void
on_request(struct serve_peer *peer, struct slice head, struct slice body)
{
    if (receiver.taken++ % VERIFIED_ONE_IN == 0)
        verify(head, body);
    serve_answer(peer, SLICE("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
}

static void
count_print(void)
{
    printf("{\"taken\":%llu,\"verified\":%llu}\n", (unsigned long long)receiver.taken,
           (unsigned long long)receiver.verified);
    fflush(stdout);
}

static void
on_command(struct slice line)
{
    struct slice word = slice_take_until(&line, ' ');

    if (slice_eq(word, SLICE("count"))) {
        count_print();
        return;
    }
    struct slice path = slice_take_until(&line, ' ');
    size_t at = receiver.path_count;
    if (!slice_eq(word, SLICE("secret")) || path.len >= PATH_BYTES || at == PATHS_MAX ||
        line.len / 4 * 3 + 3 > KEY_BYTES_MAX ||
        decode_base64(line, receiver.paths[at].key, &receiver.paths[at].key_len) != ERR_OK)
        serve_stop_because("an unknown command");
    memcpy(receiver.paths[at].path, path.ptr, path.len);
    receiver.path_count++;
}

int
main(void)
{
    static const struct serve serve = { "receiver", on_request, on_command, NULL };

    serve_run(&serve);
    count_print();
    return 0;
}
