/* See callbacks.h. */
#include "callbacks.h"
#include "core/buf.h"
#include "core/num.h"
#include "crypto/encode.h"
#include "crypto/mac.h"
#include "serve.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NUMBERS_MAX     64u
#define TEXT_BYTES      96u
#define IN_USE_MAX      32u /* connections */
#define STAGES          3u
#define STAGE_US        20000u /* between two statuses of a message, and before the first */
#define POST_BYTES_MAX  4096u
#define INPUT_BYTES_MAX 8192u
#define LINE_BYTES_MAX  1024u

static const char *const stages[STAGES] = { "sent", "delivered", "read" };

struct number {
    char phone_number_id[TEXT_BYTES], account_id[TEXT_BYTES], path[TEXT_BYTES], secret[TEXT_BYTES];
    uint16_t port;
};

/* A message on its way through its statuses. */
struct callback {
    struct callback *next;
    uint64_t due_us;
    const struct number *number;
    unsigned stage;
    char provider_id[TEXT_BYTES], callback_data[TEXT_BYTES], recipient[TEXT_BYTES];
};

struct client {
    struct serve_watch watch; /* first member */
    struct client *next_idle;
    uint16_t port;
    struct callback *callback; /* NULL: idle */
    size_t in_len;
    char in[INPUT_BYTES_MAX];
};

static struct {
    struct number *numbers; /* never freed: callbacks point there */
    size_t number_count;
    struct callback *first[STAGES], **last[STAGES]; /* by stage, each in the order of due_us */
    struct callback *spare;
    struct client *idle;
    size_t in_use; /* connections */
    struct buf post, body;
    struct callbacks_count count;
} callbacks;

/* Numbers. */

static void
part_take(struct slice *line, char out[TEXT_BYTES])
{
    struct slice part = slice_take_until(line, '\t');

    if (part.len >= TEXT_BYTES)
        serve_stop_because("a number's line has too long a part");
    memcpy(out, part.ptr, part.len);
    out[part.len] = '\0';
}

void
callbacks_load(const char *path)
{
    FILE *file = fopen(path, "re");
    char text[LINE_BYTES_MAX], port[TEXT_BYTES];

    if (file == NULL)
        serve_stop_because("the file of numbers cannot be read");
    callbacks.number_count = 0;
    callbacks.numbers = calloc(NUMBERS_MAX, sizeof(*callbacks.numbers));
    if (callbacks.numbers == NULL)
        serve_stop_because("no memory");
    while (fgets(text, sizeof(text), file) != NULL) {
        struct slice rest = slice_text(text), line = slice_take_until(&rest, '\n');
        int value = 0;
        if (callbacks.number_count == NUMBERS_MAX)
            serve_stop_because("too many numbers");
        struct number *number = &callbacks.numbers[callbacks.number_count++];
        part_take(&line, number->phone_number_id);
        part_take(&line, number->account_id);
        part_take(&line, port);
        part_take(&line, number->path);
        part_take(&line, number->secret);
        if (num_int_parse(slice_text(port), 1, 65535, &value) != ERR_OK || number->secret[0] == '\0')
            serve_stop_because("a number's line makes no sense");
        number->port = (uint16_t)value;
    }
    fclose(file);
}

/* The queue. */

static void
queue_add(struct callback *callback)
{
    unsigned stage = callback->stage;

    callback->due_us = serve_now_us() + STAGE_US;
    callback->next = NULL;
    if (callbacks.first[stage] == NULL)
        callbacks.last[stage] = &callbacks.first[stage];
    *callbacks.last[stage] = callback;
    callbacks.last[stage] = &callback->next;
}

static void
text_copy(char out[TEXT_BYTES], struct slice text)
{
    if (text.len >= TEXT_BYTES)
        serve_stop_because("a message's id is too long");
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
}

void
callbacks_add(struct slice phone_number_id, struct slice provider_id, struct slice callback_data,
              struct slice recipient)
{
    const struct number *number = NULL;

    for (size_t i = 0; i < callbacks.number_count && number == NULL; i++)
        if (slice_eq(slice_text(callbacks.numbers[i].phone_number_id), phone_number_id))
            number = &callbacks.numbers[i];
    if (number == NULL)
        return;
    struct callback *callback = callbacks.spare;
    if (callback != NULL)
        callbacks.spare = callback->next;
    else if ((callback = calloc(1, sizeof(*callback))) == NULL)
        serve_stop_because("no memory");
    callback->number = number;
    callback->stage = 0;
    text_copy(callback->provider_id, provider_id);
    text_copy(callback->callback_data, callback_data);
    text_copy(callback->recipient, recipient);
    queue_add(callback);
    callbacks.count.waiting++;
}

/* Posting. */

static void
post_build(const struct callback *callback)
{
    const struct number *number = callback->number;
    unsigned char mac[MAC_BYTES];
    struct buf *body = &callbacks.body, *post = &callbacks.post;

    buf_clear(body);
    buf_clear(post);
    buf_add_format(
        body,
        "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"%s\",\"changes\":[{\"value\":{"
        "\"messaging_product\":\"whatsapp\",\"metadata\":{\"display_phone_number\":\"15550000000\","
        "\"phone_number_id\":\"%s\"},\"statuses\":[{\"id\":\"%s\",\"status\":\"%s\",\"timestamp\":\"%lld\","
        "\"recipient_id\":\"%s\"",
        number->account_id, number->phone_number_id, callback->provider_id, stages[callback->stage],
        (long long)time(NULL), callback->recipient);
    if (callback->callback_data[0] != '\0')
        buf_add_format(body, ",\"biz_opaque_callback_data\":\"%s\"", callback->callback_data);
    buf_add_text(body, "}]},\"field\":\"messages\"}]}]}");
    if (buf_done(body) != ERR_OK || mac_sha256(slice_text(number->secret), buf_slice(body), mac) != ERR_OK)
        serve_stop_because("a callback cannot be signed");
    buf_add_format(
        post,
        "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
        "X-Hub-Signature-256: sha256=",
        number->path, body->len);
    encode_hex(post, slice_of((const char *)mac, sizeof(mac)));
    buf_add_text(post, "\r\n\r\n");
    buf_add(post, buf_slice(body));
    if (buf_done(post) != ERR_OK)
        serve_stop_because("a callback is too long");
}

static void
callback_done(struct callback *callback, int status)
{
    callbacks.count.posted++;
    callbacks.count.refused += status / 100 != 2;
    if (++callback->stage < STAGES) {
        queue_add(callback);
        return;
    }
    callbacks.count.waiting--;
    callback->next = callbacks.spare;
    callbacks.spare = callback;
}

static void
client_idle(struct client *client)
{
    client->callback = NULL;
    client->in_len = 0;
    client->next_idle = callbacks.idle;
    callbacks.idle = client;
}

/* An idle connection that was closed is seen when it is used next; one that breaks in use ends the run. */
static void
client_ready(struct serve_watch *watch, uint32_t events UNUSED)
{
    struct client *client = (struct client *)watch;
    ssize_t n = recv(watch->fd, client->in + client->in_len, INPUT_BYTES_MAX - client->in_len, MSG_DONTWAIT);
    size_t head_len = 0;
    int status = 0;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 && client->callback == NULL) {
        for (struct client **at = &callbacks.idle; *at != NULL; at = &(*at)->next_idle)
            if (*at == client) {
                *at = client->next_idle;
                break;
            }
        close(watch->fd);
        watch->fd = -1;
        free(client);
        return;
    }
    if (n <= 0)
        serve_stop_because("a connection for callbacks broke");
    client->in_len += (size_t)n;
    struct slice in = slice_of(client->in, client->in_len);
    size_t len = serve_message_len(in, &head_len);
    if (len == 0 && client->in_len < INPUT_BYTES_MAX)
        return;
    if (len != client->in_len ||
        num_int_parse(slice_first(slice_drop(in, 9), 3), 100, 599, &status) != ERR_OK)
        serve_stop_because("a callback was answered with something else than HTTP");
    callback_done(client->callback, status);
    callbacks.in_use--;
    client_idle(client);
}

static struct client *
client_take(uint16_t port)
{
    for (struct client **at = &callbacks.idle; *at != NULL; at = &(*at)->next_idle)
        if ((*at)->port == port) {
            struct client *client = *at;
            *at = client->next_idle;
            return client;
        }
    struct client *client = calloc(1, sizeof(*client));
    if (client == NULL)
        serve_stop_because("no memory");
    client->port = port;
    client->watch.on_ready = client_ready;
    serve_connect(&client->watch, port);
    return client;
}

int
callbacks_turn(void)
{
    uint64_t now = serve_now_us(), next = UINT64_MAX;

    if (callbacks.body.bytes_max == 0) {
        buf_init(&callbacks.body, POST_BYTES_MAX);
        buf_init(&callbacks.post, POST_BYTES_MAX);
    }
    for (unsigned stage = STAGES; stage-- > 0;) { /* the oldest messages first */
        struct callback *callback;
        while ((callback = callbacks.first[stage]) != NULL && callback->due_us <= now) {
            if (callbacks.in_use == IN_USE_MAX)
                return -1; /* an answer comes, and with it the next turn */
            struct client *client = client_take(callback->number->port);
            callbacks.in_use++;
            callbacks.first[stage] = callback->next;
            client->callback = callback;
            post_build(callback);
            if (send(client->watch.fd, callbacks.post.ptr, callbacks.post.len, MSG_NOSIGNAL) !=
                (ssize_t)callbacks.post.len)
                serve_stop_because("a callback cannot be sent");
        }
        if (callback != NULL && callback->due_us < next)
            next = callback->due_us;
    }
    return next == UINT64_MAX ? -1 : (int)((next - now + 999) / 1000);
}

struct callbacks_count
callbacks_count(void)
{
    return callbacks.count;
}
