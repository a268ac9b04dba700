/*
 * A stand-in for the WhatsApp Cloud API that costs next to nothing: it takes any POST, answers 200 with a
 * message id of its own, and checks nothing. (sandbox/graph is the one that behaves like the provider.)
 *
 *     provider [--delay-ms N]
 *
 * Serves as serve.h says. Commands by standard input: "statuses FILE" has the statuses of messages posted
 * from now on (callbacks.h), "count" prints what it has done so far, and so does the end. "latency" prints,
 * and forgets, how long messages whose text has "due=" and the microseconds of the monotonic clock were on
 * their way until they were here.
 */
#include "callbacks.h"
#include "core/num.h"
#include "histogram.h"
#include "serve.h"
#include <getopt.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define DUE_DIGITS 16u

static struct {
    uint64_t delay_us, taken;
    struct histogram latency;
    struct serve_peer *first,
        **last; /* who wait for their answer, in the order of due_us, since every delay is the same */
} provider = { .last = &provider.first };

/* The text of a member `"name":"..."` anywhere in a body; empty when there is none. */
static struct slice
member_of(struct slice body, const char *name)
{
    const char *at = body.len == 0 ? NULL : memmem(body.ptr, body.len, name, strlen(name));

    if (at == NULL)
        return SLICE_EMPTY;
    struct slice rest = slice_drop(body, (size_t)(at - body.ptr) + strlen(name));
    return slice_take_until(&rest, '"');
}

/* The number in /v23.0/106540000000001/messages. */
static struct slice
number_of(struct slice head)
{
    (void)slice_take_until(&head, ' ');
    struct slice path = slice_take_until(&head, ' ');

    for (int i = 0; i < 2; i++)
        (void)slice_take_until(&path, '/');
    return slice_take_until(&path, '/');
}

static void
message_answer(struct serve_peer *peer)
{
    char body[256], answer[512];

    int body_len =
        snprintf(body, sizeof(body),
                 "{\"messaging_product\":\"whatsapp\",\"contacts\":[{\"input\":\"+14155550123\",\"wa_id\":"
                 "\"14155550123\"}],\"messages\":[{\"id\":\"wamid.BENCH%llu.%lld\"}]}",
                 (unsigned long long)peer->number, (long long)getpid());
    int len = snprintf(answer, sizeof(answer),
                       "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                       body_len, body);
    serve_answer(peer, slice_of(answer, (size_t)len));
}

static void
on_request(struct serve_peer *peer, struct slice head, struct slice body)
{
    char provider_id[96];

    peer->number = ++provider.taken;
    struct slice recipient = member_of(body, "\"to\":\"");
    if (recipient.len > 0) {
        int len = snprintf(provider_id, sizeof(provider_id), "wamid.BENCH%llu.%lld",
                           (unsigned long long)peer->number, (long long)getpid());
        callbacks_add(number_of(head), slice_of(provider_id, (size_t)len),
                      member_of(body, "\"biz_opaque_callback_data\":\""), recipient);
    }
    struct slice due = member_of(body, "due=");
    uint64_t due_us = 0;
    if (due.len >= DUE_DIGITS && num_u64_parse(slice_first(due, DUE_DIGITS), &due_us) == ERR_OK)
        histogram_add(&provider.latency, serve_now_us() - due_us);
    if (provider.delay_us == 0) {
        message_answer(peer);
        return;
    }
    peer->is_held = true;
    peer->due_us = serve_now_us() + provider.delay_us;
    peer->next_held = NULL;
    *provider.last = peer;
    provider.last = &peer->next_held;
}

static int
on_turn(void)
{
    uint64_t now = serve_now_us();
    int callbacks_ms = callbacks_turn(), held_ms = -1;

    while (provider.first != NULL && provider.first->due_us <= now) {
        struct serve_peer *peer = provider.first;
        provider.first = peer->next_held;
        if (provider.first == NULL)
            provider.last = &provider.first;
        message_answer(peer);
    }
    if (provider.first != NULL)
        held_ms = (int)((provider.first->due_us - now + 999) / 1000);
    if (held_ms < 0 || callbacks_ms < 0)
        return held_ms < 0 ? callbacks_ms : held_ms;
    return held_ms < callbacks_ms ? held_ms : callbacks_ms;
}

static void
count_print(void)
{
    struct callbacks_count count = callbacks_count();
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    printf("{\"taken\":%llu,\"posted\":%llu,\"refused\":%llu,\"waiting\":%llu,\"cpu_us\":%lld}\n",
           (unsigned long long)provider.taken, (unsigned long long)count.posted,
           (unsigned long long)count.refused, (unsigned long long)count.waiting,
           (long long)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec +
               usage.ru_stime.tv_usec);
    fflush(stdout);
}

static void
latency_print(void)
{
    printf("{\"count\":%llu,\"p50_us\":%llu,\"p99_us\":%llu,\"max_us\":%llu}\n",
           (unsigned long long)provider.latency.count,
           (unsigned long long)histogram_at(&provider.latency, 500),
           (unsigned long long)histogram_at(&provider.latency, 990),
           (unsigned long long)provider.latency.max_us);
    fflush(stdout);
    provider.latency = (struct histogram){ .count = 0 };
}

static void
on_command(struct slice line)
{
    char path[1024];
    struct slice word = slice_take_until(&line, ' ');

    if (slice_eq(word, SLICE("latency"))) {
        latency_print();
        return;
    }
    if (slice_eq(word, SLICE("count"))) {
        count_print();
        return;
    }
    if (!slice_eq(word, SLICE("statuses")) || line.len == 0 || line.len >= sizeof(path))
        serve_stop_because("an unknown command");
    memcpy(path, line.ptr, line.len);
    path[line.len] = '\0';
    callbacks_load(path);
}

int
main(int argc, char **argv)
{
    static const struct option names[] = { { "delay-ms", required_argument, NULL, 'd' },
                                           { NULL, 0, NULL, 0 } };
    static const struct serve serve = { "provider", on_request, on_command, on_turn };
    int delay_ms = 0;

    for (int name; (name = getopt_long(argc, argv, "", names, NULL)) != -1;)
        if (name != 'd' || num_int_parse(slice_text(optarg), 0, 60000, &delay_ms) != ERR_OK)
            serve_stop_because("usage: provider [--delay-ms N]");
    provider.delay_us = (uint64_t)delay_ms * 1000u;
    serve_run(&serve);
    count_print();
    return 0;
}
