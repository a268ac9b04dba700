/*
 * The loop of SMPP links: sockets, sessions and their time. It asks nobody and waits for nothing; what takes
 * time goes to the two threads of esme_work.c and comes back by the mailbox.
 */
#include "program/gateway/esme_loop_internal.h"
#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINKS_MAX   256u /* connections, bound or not */
#define OUR_WINDOW  10u
#define BIND_MS     10000
#define RESPONSE_MS 30000
#define ENQUIRE_MS  30000
#define INACTIVE_MS 0
#define READ_MS     10000
#define DRAIN_MS    5000
#define UNBIND_MS   2000
#define STOP_MS     8000
#define SWEEP_MS    5000
#define READ_BYTES  16384u
#define TURN_MS     1000
#define EVENTS_MAX  64

_Static_assert(LINKS_MAX <= ESME_ACCOUNTS_MAX, "each link may be another account's");

/* To a thread; false: it has too much to do already. */
bool
esme_job_give(struct esme_loop *loop, struct esme_queue *queue, struct esme_job *job)
{
    atomic_fetch_add(&loop->server->under_way, 1);
    if (esme_queue_put(queue, job))
        return true;
    atomic_fetch_sub(&loop->server->under_way, 1);
    return false;
}

struct esme_link *
esme_link_find(const struct esme_loop *loop, uint64_t number)
{
    for (struct esme_link *link = loop->links; link != NULL; link = link->next)
        if (link->number == number && !link->is_closed)
            return link;
    return NULL;
}

static void
sweep_tick(struct esme_loop *loop, struct mono_time now)
{
    if (loop->is_sweeping || loop->is_stopping || !esme_is_due(now, loop->sweep_at))
        return;
    loop->sweep_at = mono_after_ms(now, SWEEP_MS);
    esme_identity_look(&loop->identity);
    loop->sweep = (struct esme_job){ .kind = ESME_SWEEP };
    loop->is_sweeping = esme_job_give(loop, &loop->server->work, &loop->sweep);
}

/* Links. */

static void
link_end(struct esme_link *link)
{
    if (link->is_closed)
        return;
    smpp_session_gone(link->session, esme_now_of(link->loop)); /* what it was owed is lost, and stays owed */
    link->is_closed = true;
    stream_close(link->stream);
    link->stream = NULL;
    if (link->account != NULL) {
        esme_account_leave(link->account, link->number);
        link->account = NULL;
    }
}

static void
link_free(struct esme_link *link)
{
    for (struct esme_submit *submit = link->pending, *next; submit != NULL; submit = next) {
        next = submit->next;
        esme_submit_free(submit);
    }
    smpp_session_free(link->session);
    stream_close(link->stream);
    free(link);
}

static uint32_t
epoll_of(short events)
{
    return ((events & POLLIN) != 0 ? EPOLLIN : 0u) | ((events & POLLOUT) != 0 ? EPOLLOUT : 0u);
}

static void
link_watch(struct esme_link *link, bool has_output)
{
    short events = stream_events(link->stream, has_output);

    if (events == link->events)
        return;
    link->events = events;
    struct epoll_event event = { .events = epoll_of(events), .data.ptr = link };
    if (epoll_ctl(link->loop->epoll_fd, EPOLL_CTL_MOD, stream_fd(link->stream), &event) != 0)
        link_end(link);
}

/* Writes what the socket takes; a session that is over ends with its last octet. */
static void
link_flush(struct esme_link *link)
{
    struct slice out = SLICE_EMPTY;

    while (!link->is_closed && link->is_ready && (out = smpp_session_out(link->session)).len > 0) {
        size_t count = 0;
        enum err err = stream_write(link->stream, out, &count);
        if (err == ERR_WOULD_WAIT)
            break;
        if (err == ERR_OK)
            smpp_session_written(link->session, count, esme_now_of(link->loop));
        else
            link_end(link);
    }
    if (link->is_closed)
        return;
    if (out.len == 0 && smpp_session_state(link->session) == SMPP_SESSION_CLOSED)
        link_end(link);
    else
        link_watch(link, out.len > 0);
}

static void
link_read(struct esme_link *link)
{
    char octets[READ_BYTES];
    size_t count = 0;
    enum err err = link->is_ready ? ERR_OK : stream_step(link->stream);

    link->is_ready = err == ERR_OK;
    if (err == ERR_OK)
        err = stream_read(link->stream, octets, sizeof(octets), &count);
    if (err == ERR_OK)
        smpp_session_feed(link->session, slice_of(octets, count), esme_now_of(link->loop));
    else if (err != ERR_WOULD_WAIT)
        link_end(link);
    explicit_bzero(octets, count); /* texts, and passwords */
}

static void
peer_print(const struct sockaddr_storage *peer, char out[static ESME_ADDRESS_BYTES])
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    out[0] = '\0';
    if (peer->ss_family == AF_INET) {
        memcpy(&v4, peer, sizeof(v4));
        (void)inet_ntop(AF_INET, &v4.sin_addr, out, ESME_ADDRESS_BYTES);
    } else if (peer->ss_family == AF_INET6) {
        memcpy(&v6, peer, sizeof(v6));
        (void)inet_ntop(AF_INET6, &v6.sin6_addr, out, ESME_ADDRESS_BYTES);
    }
}

static enum err
link_new(struct esme_loop *loop, int fd, const struct sockaddr_storage *peer)
{
    struct esme_link *link = calloc(1, sizeof(*link));

    if (link == NULL) {
        close(fd);
        return ERR_NO_MEMORY;
    }
    *link = (struct esme_link){ .loop = loop, .number = ++loop->last_number, .events = POLLIN };
    peer_print(peer, link->address);
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = link };
    enum err err = esme_identity_take(&loop->identity, fd, &link->stream);
    link->is_ready = err == ERR_OK && !esme_identity_is_wanted(&loop->identity);
    if (err == ERR_OK)
        err = smpp_session_new(&(struct smpp_session_config){ .side = SMPP_SMSC,
                                                              .window_max = OUR_WINDOW,
                                                              .peer_window_max = ESME_PEER_WINDOW,
                                                              .bind_ms = BIND_MS,
                                                              .response_ms = RESPONSE_MS,
                                                              .enquire_ms = ENQUIRE_MS,
                                                              .inactive_ms = INACTIVE_MS,
                                                              .read_ms = READ_MS,
                                                              .drain_ms = DRAIN_MS,
                                                              .unbind_ms = UNBIND_MS,
                                                              .calls = &esme_session_calls,
                                                              .ctx = link },
                               esme_now_of(loop), &link->session);
    if (err == ERR_OK && epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, stream_fd(link->stream), &event) != 0)
        err = ERR_SYSTEM;
    if (err != ERR_OK) {
        link_free(link);
        return err;
    }
    link->next = loop->links;
    loop->links = link;
    loop->link_count++;
    return ERR_OK;
}

static void
links_accept(struct esme_loop *loop)
{
    for (;;) {
        struct sockaddr_storage peer = { .ss_family = AF_UNSPEC };
        socklen_t len = sizeof(peer);
        int fd = accept4(loop->listen_fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        if (loop->link_count >= LINKS_MAX)
            close(fd);
        else if (link_new(loop, fd, &peer) != ERR_OK)
            continue; /* and it is closed */
    }
}

static void
links_tick(struct esme_loop *loop, struct mono_time now)
{
    for (struct esme_link *link = loop->links; link != NULL; link = link->next)
        if (!link->is_closed) {
            smpp_session_tick(link->session, now);
            esme_pending_give(link);
        }
    for (size_t i = 0; i < ESME_ACCOUNTS_MAX; i++)
        if (loop->accounts.places[i].links > 0)
            esme_account_tick(loop, &loop->accounts.places[i], now);
    sweep_tick(loop, now);
    for (struct esme_link *link = loop->links; link != NULL; link = link->next)
        if (!link->is_closed)
            link_flush(link);
    for (struct esme_link **at = &loop->links; *at != NULL;) {
        struct esme_link *link = *at;
        if (!link->is_closed) {
            at = &link->next;
            continue;
        }
        *at = link->next;
        loop->link_count--;
        link_free(link);
    }
}

static void
jobs_back(struct esme_loop *loop)
{
    for (struct mailbox_item *item = mailbox_take(&loop->server->back), *next; item != NULL; item = next) {
        struct esme_job *job = (struct esme_job *)item; /* its first member */
        next = item->next;
        switch (job->kind) {
        case ESME_BIND:
            esme_bind_back(loop, (struct esme_bind *)job);
            break;
        case ESME_SUBMIT:
            esme_submit_back(loop, (struct esme_submit *)job);
            break;
        case ESME_NOTE:
            esme_submit_free((struct esme_submit *)job);
            break;
        case ESME_LOOK:
        case ESME_SETTLE:
            esme_due_back(loop, (struct esme_due *)job);
            break;
        case ESME_SWEEP:
            loop->is_sweeping = false;
            break;
        }
        atomic_fetch_sub(&loop->server->under_way, 1);
    }
}

/* Nothing new; links are unbound, and what is under way comes back. */
static void
stop_begin(struct esme_loop *loop, struct mono_time now)
{
    loop->is_stopping = true;
    loop->stop_by = mono_after_ms(now, STOP_MS);
    close(loop->listen_fd);
    loop->listen_fd = -1;
    for (struct esme_link *link = loop->links; link != NULL; link = link->next)
        smpp_session_unbind(link->session, now);
}

static int
wait_ms(const struct esme_loop *loop, struct mono_time now)
{
    int64_t ms = loop->is_stopping ? 50 : TURN_MS;

    for (const struct esme_link *link = loop->links; link != NULL; link = link->next) {
        int64_t left = (smpp_session_next(link->session).us - now.us + 999) / 1000;
        if (left < ms)
            ms = left < 0 ? 0 : left;
    }
    for (size_t i = 0; i < ESME_ACCOUNTS_MAX; i++) {
        const struct esme_account *account = &loop->accounts.places[i];
        int64_t left = (account->look_at.us - now.us + 999) / 1000;
        if (account->links > 0 && !account->is_asking && account->batch == NULL && left >= 0 && left < ms)
            ms = left;
    }
    return (int)ms;
}

static bool
is_over(const struct esme_loop *loop, struct mono_time now)
{
    return loop->is_stopping && atomic_load(&loop->server->under_way) == 0 &&
           (loop->links == NULL || esme_is_due(now, loop->stop_by));
}

void *
esme_loop_run(void *ctx)
{
    struct esme_loop *loop = ctx;

    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        struct mono_time now = esme_now_of(loop);
        if (atomic_load(&loop->server->is_stopping) && !loop->is_stopping)
            stop_begin(loop, now);
        if (is_over(loop, now))
            return NULL;
        int count = epoll_wait(loop->epoll_fd, events, EVENTS_MAX, wait_ms(loop, now));
        for (int i = 0; i < count; i++) {
            void *what = events[i].data.ptr;
            if (what == loop)
                links_accept(loop);
            else if (what == &loop->server->back)
                jobs_back(loop);
            else if (!((struct esme_link *)what)->is_closed)
                link_read(what); /* also where it can be written: TLS may have waited for that */
        }
        links_tick(loop, esme_now_of(loop));
    }
}

enum err
esme_loop_new(struct esme_server *server, int listen_fd, struct esme_loop **out)
{
    struct esme_loop *loop = calloc(1, sizeof(*loop));

    if (loop == NULL) {
        close(listen_fd);
        return ERR_NO_MEMORY;
    }
    loop->server = server;
    loop->listen_fd = listen_fd;
    esme_identity_init(&loop->identity, server->gateway->role->config.smpp_tls_dir);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event news = { .events = EPOLLIN, .data.ptr = loop },
                       back = { .events = EPOLLIN, .data.ptr = &server->back };
    if (loop->epoll_fd < 0 || epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, listen_fd, &news) != 0 ||
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, server->back.event_fd, &back) != 0) {
        esme_loop_free(loop);
        return ERR_SYSTEM;
    }
    *out = loop;
    return ERR_OK;
}

void
esme_loop_free(struct esme_loop *loop)
{
    if (loop == NULL)
        return;
    for (struct esme_link *link = loop->links, *next; link != NULL; link = next) {
        next = link->next;
        link_free(link);
    }
    for (size_t i = 0; i < ESME_ACCOUNTS_MAX; i++)
        esme_batch_free(loop->accounts.places[i].batch);
    esme_identity_release(&loop->identity);
    if (loop->listen_fd >= 0)
        close(loop->listen_fd);
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    free(loop);
}
