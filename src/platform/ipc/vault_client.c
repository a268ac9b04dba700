#include "platform/ipc/vault_client.h"
#include "core/clock.h"
#include "core/log.h"
#include "platform/ipc/link.h"
#include "platform/ipc/vault_client_internal.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* Of one exchange: what is on its way at most. The vault's answers to so many fit into its socket. */
#define IN_FLIGHT_MAX   256u
#define WRITE_BYTES_MAX 49152u /* written at once: more is only added when these are gone */

/*
 * One exchange is under way at a time, under `mutex`; the vault answers in the order in which it was asked. A
 * caller that gives up leaves the link in order, because reader and writer go on where they stopped, and the
 * answers that nobody waits for any more are known by their request ids and passed over.
 */
struct vault_client {
    pthread_mutex_t mutex;
    pthread_cond_t linked; /* on the monotonic clock: a link came */
    int timeout_ms;
    int fd;                    /* under mutex, as all below; -1: wait for the supervisor's */
    struct link_reader reader; /* of fd */
    struct link_writer writer; /* of fd */
    uint32_t last_id;
    struct vault_answer answer; /* the one that is being used */
};

enum err
vault_client_new(int fd, int timeout_ms, struct vault_client **out)
{
    struct vault_client *client = calloc(1, sizeof(*client));
    pthread_condattr_t attributes;

    *out = NULL;
    if (client == NULL)
        goto failed;
    if (pthread_condattr_init(&attributes) != 0)
        goto failed;
    if (pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) != 0 ||
        pthread_cond_init(&client->linked, &attributes) != 0)
        goto failed_with_attributes;
    if (pthread_mutex_init(&client->mutex, NULL) != 0) {
        pthread_cond_destroy(&client->linked);
        goto failed_with_attributes;
    }
    pthread_condattr_destroy(&attributes);
    client->timeout_ms = timeout_ms;
    client->fd = fd;
    link_reader_init_ahead(&client->reader, fd);
    link_writer_init(&client->writer, fd);
    *out = client;
    return ERR_OK;
failed_with_attributes:
    pthread_condattr_destroy(&attributes);
failed:
    free(client);
    if (fd >= 0)
        close(fd);
    return ERR_NO_MEMORY;
}

static void
link_drop_locked(struct vault_client *client)
{
    link_reader_release(&client->reader);
    link_writer_release(&client->writer);
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
}

void
vault_client_free(struct vault_client *client)
{
    if (client == NULL)
        return;
    link_drop_locked(client);
    pthread_cond_destroy(&client->linked);
    pthread_mutex_destroy(&client->mutex);
    free(client);
}

void
vault_client_relink(struct vault_client *client, int fd)
{
    pthread_mutex_lock(&client->mutex);
    link_drop_locked(client);
    client->fd = fd;
    link_reader_init_ahead(&client->reader, fd);
    link_writer_init(&client->writer, fd);
    pthread_cond_broadcast(&client->linked);
    pthread_mutex_unlock(&client->mutex);
}

/* Until the supervisor hands over a link, as it does when it has started the vault again. ERR_TIMEOUT. */
static enum err
link_wait_locked(struct vault_client *client, struct mono_time until)
{
    struct timespec at = { .tv_sec = until.us / 1000000, .tv_nsec = until.us % 1000000 * 1000 };

    while (client->fd < 0)
        if (pthread_cond_timedwait(&client->linked, &client->mutex, &at) == ETIMEDOUT && client->fd < 0)
            return ERR_TIMEOUT;
    return ERR_OK;
}

static enum err
socket_wait(int fd, short events, struct mono_time until)
{
    struct pollfd wait = { .fd = fd, .events = events };

    for (;;) {
        int64_t left_us = until.us - clock_mono(clock_system()).us;
        if (left_us <= 0)
            return ERR_TIMEOUT;
        int n = poll(&wait, 1, (int)((left_us + 999) / 1000));
        if (n > 0)
            return ERR_OK;
        if (n < 0 && errno != EINTR)
            return ERR_SYSTEM;
    }
}

/* An exchange on one link. */
struct turn {
    const struct vault_exchange *exchange;
    struct vault_request *unsent; /* that found no room yet; NULL: ask for the next one */
    uint32_t first_id;            /* of the oldest request without an answer */
    size_t in_flight;
    bool is_all_sent;
    bool is_full; /* no room for the next one until an answer has come */
};

/* Puts requests into the writer, as many as may be under way. What finds no room for good is settled. */
static void
turn_put(struct vault_client *client, struct turn *turn)
{
    turn->is_full = false;
    while (!turn->is_all_sent && turn->in_flight < IN_FLIGHT_MAX &&
           client->writer.bytes.len < WRITE_BYTES_MAX) {
        if (turn->unsent == NULL)
            turn->unsent = turn->exchange->next(turn->exchange->ctx);
        if (turn->unsent == NULL) {
            turn->is_all_sent = true;
            return;
        }
        turn->unsent->id = turn->first_id + (uint32_t)turn->in_flight;
        vault_request_encode(link_writer_begin(&client->writer), turn->unsent);
        enum err err = link_writer_end(&client->writer);
        if (err == ERR_OK) {
            turn->in_flight++;
            turn->unsent = NULL;
            continue;
        }
        turn->is_full = turn->in_flight > 0 || !link_writer_is_idle(&client->writer);
        if (turn->is_full)
            return; /* there may be room when something has gone */
        turn->unsent = NULL;
        if (turn->exchange->settle(turn->exchange->ctx, err, NULL) != ERR_OK)
            bug("no answer can be no wrong one");
    }
}

/* Uses what answers are there. ERR_FRAME, ERR_SYSTEM: the link is of no more use. */
static enum err
turn_take(struct vault_client *client, struct turn *turn)
{
    struct vault_answer *answer = &client->answer;
    struct slice frame;
    int rider;
    enum err err = link_reader_fill(&client->reader);

    while (err == ERR_OK && link_reader_take(&client->reader, &frame, &rider) == ERR_OK) {
        if (vault_answer_decode(frame, answer) != ERR_OK) {
            err = ERR_FRAME;
        } else if (turn->in_flight > 0 && answer->id == turn->first_id) {
            err = turn->exchange->settle(turn->exchange->ctx, vault_result_err(answer->result), answer);
            turn->first_id++;
            turn->in_flight--;
        } /* else to a request that was given up */
    }
    link_reader_forget(&client->reader); /* wipes the answer */
    return err;
}

/* Until all have an answer. ERR_FRAME, ERR_SYSTEM: the link is dropped. ERR_TIMEOUT. */
static enum err
exchange_on_link(struct vault_client *client, const struct vault_exchange *exchange, struct mono_time until)
{
    struct turn turn = { .exchange = exchange, .first_id = client->last_id + 1 };
    enum err err = ERR_OK;

    for (;;) {
        turn_put(client, &turn);
        if (turn.is_all_sent && turn.in_flight == 0)
            break;
        err = link_writer_flush(&client->writer);
        bool is_blocked = err == ERR_INCOMPLETE;
        if (err == ERR_OK &&
            (turn.in_flight == 0 || (!turn.is_all_sent && !turn.is_full && turn.in_flight < IN_FLIGHT_MAX)))
            continue; /* there is more to say; answers can wait for as long */
        if (err == ERR_OK || is_blocked)
            err = socket_wait(client->fd, is_blocked ? POLLIN | POLLOUT : POLLIN, until);
        if (err == ERR_OK)
            err = turn_take(client, &turn);
        if (err != ERR_OK)
            break;
    }
    client->last_id = turn.first_id + (uint32_t)turn.in_flight - 1;
    if (err == ERR_FRAME || err == ERR_SYSTEM) {
        log_event(LOG_WARN, "vault.link_lost", LOG_ERR(err));
        link_drop_locked(client);
    }
    return err;
}

/*
 * A link that breaks is waited for: what the vault does leaves nothing behind, so the same requests may be
 * asked again of the next one.
 */
enum err
vault_client_exchange(struct vault_client *client, const struct vault_exchange *exchange)
{
    pthread_mutex_lock(&client->mutex);
    struct mono_time until = mono_after_ms(clock_mono(clock_system()), client->timeout_ms);
    enum err err = link_wait_locked(client, until);
    while (err == ERR_OK) {
        err = exchange_on_link(client, exchange, until);
        if (err != ERR_FRAME && err != ERR_SYSTEM)
            break;
        exchange->rewind(exchange->ctx);
        err = link_wait_locked(client, until);
    }
    pthread_mutex_unlock(&client->mutex);
    return err == ERR_OK || err == ERR_NO_MEMORY ? err : ERR_VAULT_UNAVAILABLE;
}
