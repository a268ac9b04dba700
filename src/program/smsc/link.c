#include "program/smsc/link.h"
#include "core/log.h"
#include "crypto/random.h"
#include "wire/smpp/smpp_status.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define RETRY_MS_MIN    1000
#define RETRY_MS_MAX    60000
#define GOOD_MS         60000 /* bound for so long: the next failure is the first again */
#define CONNECT_MS      15000 /* for a name, a connection, TLS */
#define BIND_MS         30000
#define READ_MS         10000 /* from a PDU's first octet to its last */
#define DRAIN_MS        10000
#define UNBIND_MS       5000
#define PEER_WINDOW_MAX 256u
#define ADDRESSES_MAX   4u
#define NEVER           ((struct mono_time){ INT64_MAX })

struct link {
    struct link_config config;
    enum link_state state;
    struct stream *stream;
    struct smpp_session *session;
    struct id session_id;
    bool is_resolving, has_bound, is_ending, has_closed;
    enum smpp_close why;
    uint32_t status; /* of a bind that was refused */
    struct sockaddr_storage addresses[ADDRESSES_MAX];
    size_t address_count, address_at;
    unsigned failures;
    struct mono_time next_try, connect_until, bound_at;
    struct wall_time since;
    uint64_t changes;
    char detail[160];
};

const char *
link_kind_word(enum link_kind kind)
{
    switch (kind) {
    case LINK_TRANSCEIVER:
        return "transceiver";
    case LINK_TRANSMITTER:
        return "transmitter";
    case LINK_RECEIVER:
        return "receiver";
    }
    bug("a kind of link outside the enum");
}

const char *
link_state_word(enum link_state state)
{
    switch (state) {
    case LINK_WAITING:
        return "waiting";
    case LINK_CONNECTING:
        return "connecting";
    case LINK_BOUND:
        return "bound";
    case LINK_REFUSED:
        return "refused";
    case LINK_CLOSED:
        return "closed";
    }
    bug("a state of a link outside the enum");
}

int64_t
link_retry_ms(unsigned failures, uint32_t jitter)
{
    int64_t ms = RETRY_MS_MIN;

    for (unsigned i = 1; i < failures && ms < RETRY_MS_MAX; i++)
        ms *= 2;
    ms = ms > RETRY_MS_MAX ? RETRY_MS_MAX : ms;
    return ms * 8 / 10 + ms * 4 / 10 * (int64_t)(jitter & 0xFFF) / 0x1000;
}

static void
state_set(struct link *link, enum link_state state, const char *detail)
{
    link->state = state;
    link->since = clock_wall(link->config.clock);
    link->changes++;
    size_t len = strnlen(detail, sizeof(link->detail) - 1);
    memmove(link->detail, detail, len);
    link->detail[len] = '\0';
}

static void
connection_close(struct link *link)
{
    stream_close(link->stream);
    link->stream = NULL;
    smpp_session_free(link->session);
    link->session = NULL;
    link->has_closed = false;
}

/* Nothing more is tried before a while. */
static void
fail(struct link *link, const char *detail, struct mono_time now)
{
    uint32_t jitter = 0;

    connection_close(link);
    link->is_resolving = false;
    if (link->is_ending) {
        state_set(link, LINK_CLOSED, "");
        return;
    }
    if (random_fill(&jitter, sizeof(jitter)) != ERR_OK)
        jitter = (uint32_t)now.us;
    link->failures++;
    link->next_try = mono_after_ms(now, link_retry_ms(link->failures, jitter));
    state_set(link, LINK_WAITING, detail);
    log_event(LOG_WARN, "smsc.link_failed", LOG_ID("connector", ID_SMS_CONNECTOR, link->config.settings->id),
              LOG_NUM("number", link->config.number), LOG_NUM("failures", link->failures),
              LOG_NUM("wait_ms", (link->next_try.us - now.us) / 1000));
}

/* The session's calls. */

static void
on_bound(void *ctx, const struct smpp_answer *answer UNUSED)
{
    struct link *link = ctx;

    link->has_bound = true;
    link->bound_at = clock_mono(link->config.clock);
    state_set(link, LINK_BOUND, "");
    log_event(LOG_INFO, "smsc.link_bound", LOG_ID("connector", ID_SMS_CONNECTOR, link->config.settings->id),
              LOG_NUM("number", link->config.number), LOG_WORD("kind", link_kind_word(link->config.kind)));
    link->config.calls->bound(link->config.ctx, link);
}

static void
on_request(void *ctx, const struct smpp_pdu *pdu)
{
    struct link *link = ctx;

    link->config.calls->request(link->config.ctx, link, pdu);
}

static void
on_notice(void *ctx UNUSED, const struct smpp_pdu *pdu UNUSED)
{
    /* alert_notification says that a handset is there again: nothing of ours waits for it. */
}

static void
on_answer(void *ctx, uint64_t tag, const struct smpp_pdu *answer, bool is_late UNUSED)
{
    struct link *link = ctx;

    link->config.calls->answer(link->config.ctx, link, tag, answer);
}

static void
on_lost(void *ctx, uint64_t tag, enum smpp_loss why UNUSED)
{
    struct link *link = ctx;

    link->config.calls->lost(link->config.ctx, link, tag);
}

/* Only noted: the session is still in use by whoever called it. */
static void
on_closed(void *ctx, enum smpp_close why, uint32_t status)
{
    struct link *link = ctx;

    link->has_closed = true;
    link->why = why;
    link->status = status;
    if (link->has_bound) {
        link->has_bound = false;
        link->config.calls->unbound(link->config.ctx, link);
    }
}

static const struct smpp_session_calls session_calls = { .bound = on_bound,
                                                         .request = on_request,
                                                         .notice = on_notice,
                                                         .answer = on_answer,
                                                         .lost = on_lost,
                                                         .closed = on_closed };

enum err
link_new(const struct link_config *config, struct mono_time now, struct link **out)
{
    struct link *link = calloc(1, sizeof(*link));

    *out = NULL;
    if (link == NULL)
        return ERR_NO_MEMORY;
    link->config = *config;
    link->next_try = now;
    state_set(link, LINK_WAITING, "");
    *out = link;
    return ERR_OK;
}

void
link_free(struct link *link)
{
    if (link == NULL)
        return;
    if (link->session != NULL)
        smpp_session_gone(link->session, clock_mono(link->config.clock));
    connection_close(link);
    free(link);
}

const struct link_config *
link_config(const struct link *link)
{
    return &link->config;
}

enum link_state
link_state(const struct link *link)
{
    return link->state;
}

struct smpp_session *
link_session(const struct link *link)
{
    return link->session;
}

struct id
link_session_id(const struct link *link)
{
    return link->session_id;
}

const char *
link_end_reason(const struct link *link)
{
    switch (link->why) {
    case SMPP_CLOSE_UNBOUND:
        return "We ended the link.";
    case SMPP_CLOSE_PEER_UNBOUND:
        return "The operator ended the link.";
    case SMPP_CLOSE_REFUSED:
    case SMPP_CLOSE_BIND_TIMEOUT:
        break; /* it was never bound */
    case SMPP_CLOSE_SILENT:
        return "The operator did not answer any more.";
    case SMPP_CLOSE_INACTIVE:
        return "The link was idle for too long.";
    case SMPP_CLOSE_STALLED:
        return "The link stalled.";
    case SMPP_CLOSE_PROTOCOL:
        return "The operator sent what is not SMPP.";
    case SMPP_CLOSE_PEER_GONE:
        return "The connection to the operator was lost.";
    case SMPP_CLOSE_NO_MEMORY:
        return "The link could not be kept for want of memory.";
    }
    return "The link ended.";
}

const char *
link_detail(const struct link *link)
{
    return link->detail;
}

struct wall_time
link_since(const struct link *link)
{
    return link->since;
}

struct mono_time
link_next_try(const struct link *link)
{
    return link->next_try;
}

size_t
link_in_flight(const struct link *link)
{
    return link->session == NULL || link->state != LINK_BOUND
               ? 0
               : link->config.settings->window_max - smpp_session_room(link->session);
}

uint64_t
link_changes(const struct link *link)
{
    return link->changes;
}

static void connect_next(struct link *link, struct mono_time now);

static void
try_begin(struct link *link, struct mono_time now)
{
    link->connect_until = mono_after_ms(now, CONNECT_MS);
    link->is_resolving = true;
    state_set(link, LINK_CONNECTING, link->detail);
    link->config.calls->resolve(link->config.ctx, link);
}

void
link_resolved(struct link *link, const struct sockaddr_storage *addresses, size_t count, struct mono_time now)
{
    if (!link->is_resolving)
        return; /* it has been given up meanwhile */
    link->is_resolving = false;
    link->address_at = 0;
    link->address_count = 0;
    for (size_t i = 0; i < count && link->address_count < ADDRESSES_MAX; i++) {
        struct sockaddr_storage *address = &link->addresses[link->address_count];
        *address = addresses[i];
        address_port_set(address, link->config.settings->port);
        link->address_count += address_guard_check(link->config.guard, (struct sockaddr *)address) == ERR_OK;
    }
    if (count == 0)
        fail(link, "The host's name has no address.", now);
    else if (link->address_count == 0)
        fail(link, "The host's address is not a public one, and not allowed here.", now);
    else
        connect_next(link, now);
}

/* The next address of the host; after the last one it has failed. */
static void
connect_next(struct link *link, struct mono_time now)
{
    char problem[128] = "No connection could be made.";

    if (link->stream != NULL)
        snprintf(problem, sizeof(problem), "%s", stream_problem(link->stream));
    connection_close(link);
    while (link->address_at < link->address_count) {
        struct sockaddr_storage *address = &link->addresses[link->address_at++];
        if (stream_open(&(struct stream_config){ .address = (struct sockaddr *)address,
                                                 .tls = link->config.tls,
                                                 .host = link->config.settings->host },
                        &link->stream) == ERR_OK)
            return;
    }
    fail(link, problem, now);
}

static uint32_t
bind_command(enum link_kind kind)
{
    switch (kind) {
    case LINK_TRANSCEIVER:
        return SMPP_BIND_TRANSCEIVER;
    case LINK_TRANSMITTER:
        return SMPP_BIND_TRANSMITTER;
    case LINK_RECEIVER:
        return SMPP_BIND_RECEIVER;
    }
    bug("a kind of link outside the enum");
}

static enum err
session_begin(struct link *link, struct mono_time now)
{
    const struct sms_connector *settings = link->config.settings;
    enum err err = smpp_session_new(
        &(struct smpp_session_config){ .side = SMPP_ESME,
                                       .window_max = settings->window_max,
                                       .peer_window_max = PEER_WINDOW_MAX,
                                       .bind_ms = BIND_MS,
                                       .response_ms = (int64_t)settings->answer_s * 1000,
                                       .enquire_ms = (int64_t)settings->enquire_s * 1000,
                                       .inactive_ms = 0, /* idle binds are kept: messages may come by them */
                                       .read_ms = READ_MS,
                                       .drain_ms = DRAIN_MS,
                                       .unbind_ms = UNBIND_MS,
                                       .calls = &session_calls,
                                       .ctx = link },
        now, &link->session);

    link->session_id = id_new(link->config.clock);
    if (err == ERR_OK)
        err = smpp_session_bind(link->session, bind_command(link->config.kind),
                                &(struct smpp_bind){ .system_id = settings->system_id,
                                                     .password = secret_slice(link->config.password),
                                                     .system_type = settings->system_type,
                                                     .interface_version = SMPP_VERSION,
                                                     .range = { settings->number.ton, settings->number.npi,
                                                                settings->address_range } },
                                SMPP_PASSWORD_READ, now);
    return err;
}

/* What the session's end means. */
static void
session_ended(struct link *link, struct mono_time now)
{
    char detail[160];

    if (link->bound_at.us > 0 && now.us - link->bound_at.us >= GOOD_MS * 1000)
        link->failures = 0;
    link->bound_at.us = 0;
    if (link->why == SMPP_CLOSE_REFUSED && smpp_status_action(link->status) == SMPP_ACTION_STOP) {
        snprintf(detail, sizeof(detail), "The operator refused the account (%s).",
                 smpp_status_word(link->status));
        connection_close(link);
        state_set(link, LINK_REFUSED, detail);
        log_event(LOG_ERROR, "smsc.account_refused",
                  LOG_ID("connector", ID_SMS_CONNECTOR, link->config.settings->id),
                  LOG_NUM("number", link->config.number), LOG_NUM("status", link->status));
        link->config.calls->refused(link->config.ctx, link, link->status);
        return;
    }
    if (link->why == SMPP_CLOSE_REFUSED)
        snprintf(detail, sizeof(detail), "The operator refused the bind (%s).",
                 smpp_status_word(link->status));
    else
        snprintf(detail, sizeof(detail), "The session ended (%s).", smpp_close_word(link->why));
    fail(link, detail, now);
}

/* Writes what there is, reads what there is. */
static void
exchange(struct link *link, short revents, struct mono_time now)
{
    static char octets[65536]; /* one thread */
    size_t count = 0;
    enum err err = ERR_OK;

    /* Some of it a turn: the other links want to be heard too. */
    for (int i = 0; i < 4 && err == ERR_OK && (revents & (POLLIN | POLLHUP | POLLERR)) != 0; i++) {
        err = stream_read(link->stream, octets, sizeof(octets), &count);
        if (err == ERR_OK)
            smpp_session_feed(link->session, slice_of(octets, count), now);
        if (link->has_closed)
            break;
    }
    bool is_gone = err == ERR_HTTP_BROKEN;
    smpp_session_tick(link->session, now);
    err = ERR_OK;
    while (!is_gone && err == ERR_OK && smpp_session_out(link->session).len > 0) {
        err = stream_write(link->stream, smpp_session_out(link->session), &count);
        if (err == ERR_OK)
            smpp_session_written(link->session, count, now);
        is_gone = err == ERR_HTTP_BROKEN;
    }
    if (is_gone)
        smpp_session_gone(link->session, now);
    if (link->has_closed)
        session_ended(link, now);
}

void
link_step(struct link *link, short revents, struct mono_time now)
{
    switch (link->state) {
    case LINK_REFUSED:
    case LINK_CLOSED:
        return;
    case LINK_WAITING:
        if (link->is_ending)
            state_set(link, LINK_CLOSED, "");
        else if (now.us >= link->next_try.us)
            try_begin(link, now);
        return;
    case LINK_CONNECTING:
    case LINK_BOUND:
        break;
    }
    if (link->session != NULL) {
        exchange(link, revents, now);
        return;
    }
    if (now.us >= link->connect_until.us) {
        fail(link, link->is_resolving ? "The host's name was not answered." : "The host did not answer.",
             now);
        return;
    }
    if (link->stream == NULL)
        return;
    enum err err = stream_step(link->stream);
    if (err == ERR_WOULD_WAIT)
        return;
    if (err != ERR_OK) {
        connect_next(link, now);
        return;
    }
    if (session_begin(link, now) != ERR_OK)
        fail(link, "The bind cannot be written: look at system_id and password.", now);
    else
        exchange(link, 0, now);
}

void
link_answer(struct link *link, struct id session, uint32_t command, uint32_t sequence, uint32_t status,
            struct mono_time now)
{
    if (link->session != NULL && id_eq(session, link->session_id))
        smpp_session_answer(link->session, command, sequence, status, SLICE("\0"), now);
}

void
link_end(struct link *link, struct mono_time now)
{
    link->is_ending = true;
    if (link->session != NULL)
        smpp_session_unbind(link->session, now);
    else if (link->state != LINK_REFUSED)
        fail(link, "", now);
}

int
link_fd(const struct link *link)
{
    return link->stream == NULL ? -1 : stream_fd(link->stream);
}

short
link_events(const struct link *link)
{
    return link->stream == NULL ? 0
                                : stream_events(link->stream, link->session != NULL &&
                                                                  smpp_session_out(link->session).len > 0);
}

struct mono_time
link_next(const struct link *link)
{
    switch (link->state) {
    case LINK_WAITING:
        return link->next_try;
    case LINK_CONNECTING:
    case LINK_BOUND:
        if (link->session != NULL)
            return link->has_closed ? (struct mono_time){ 0 } : smpp_session_next(link->session);
        return link->connect_until;
    case LINK_REFUSED:
    case LINK_CLOSED:
        break;
    }
    return NEVER;
}
