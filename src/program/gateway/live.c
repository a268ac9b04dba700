#include "program/gateway/live.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/num.h"
#include "domain/identity/api_key.h"
#include "domain/overview/overview_count.h"
#include "platform/net/http_feed.h"
#include "program/gateway/live_topic.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define DB_REOPEN_MS 2000
#define BUCKETS      256u
#define EVENT_BYTES  1024u /* of one change, with all its ids */
#define ARENA_BYTES  (2u << 20)
#define RETRY_MS     "2000"

/* Why a stream is ended by us; its client comes again, unless there is no session or key any more. */
enum end { END_OVER, END_CHANGED, END_ACCESS };

struct stream {
    struct stream *next; /* of its bucket */
    struct http_feed *feed;
    struct id tenant, actor, session; /* zero session: a key's */
    uint32_t topics;                  /* bits of enum live_topic */
    struct id *channels;              /* owned; with is_limited */
    size_t channel_count;
    bool is_limited;
    bool is_behind; /* something found no room: it is told so as soon as there is */
    bool is_alive;  /* of the look that is under way */
    struct mono_time ends_at;
};

/* All fields of streams and the ring are under `lock`, which is held while a feed is written to: that never
 * waits. */
struct live {
    struct live_config config;
    struct id instance; /* of this run: whose numbers a Last-Event-ID holds */
    int event_fd;       /* wakes the thread, for its end */
    struct db *db;      /* the thread's, like the arena */
    struct arena *arena;
    struct mono_time turn_at, beat_at;
    pthread_t thread;
    bool is_joined;
    pthread_mutex_t lock;
    struct stream *buckets[BUCKETS];
    size_t count;
    bool is_stopping;
    uint64_t number, forgotten; /* of the last change, and of the last that is not remembered any more */
    struct live_change changes[LIVE_CHANGES]; /* by number */
};

static void
lock(struct live *live)
{
    if (pthread_mutex_lock(&live->lock) != 0)
        bug("a mutex cannot be locked");
}

static void
unlock(struct live *live)
{
    if (pthread_mutex_unlock(&live->lock) != 0)
        bug("a mutex cannot be unlocked");
}

static struct stream **
bucket_of(struct live *live, struct id tenant)
{
    return &live->buckets[tenant.bytes[ID_BYTES - 1]];
}

static void
stream_free(struct stream *stream)
{
    free(stream->channels);
    free(stream);
}

/* Takes it out of its bucket. */
static void
stream_drop(struct live *live, struct stream **at)
{
    struct stream *stream = *at;

    *at = stream->next;
    live->count--;
    metric_set(METRIC_STREAMS, live->count);
    http_feed_end(stream->feed);
    stream_free(stream);
}

static void
stream_end(struct live *live, struct stream **at, enum end why)
{
    struct slice words[] = { [END_OVER] = SLICE("event: end\ndata: {\"why\":\"over\"}\n\n"),
                             [END_CHANGED] = SLICE("event: end\ndata: {\"why\":\"changed\"}\n\n"),
                             [END_ACCESS] = SLICE("event: end\ndata: {\"why\":\"access-ended\"}\n\n") };

    (void)!http_feed_write((*at)->feed, words[why]); /* without room it just ends */
    stream_drop(live, at);
}

/* Whether the stream lives on. */
static bool
stream_write(struct stream *stream, struct slice bytes)
{
    enum err err = ERR_OK;

    if (stream->is_behind) { /* what it missed is as good as everything */
        err = http_feed_write(stream->feed, SLICE("event: missed\ndata: {}\n\n"));
        stream->is_behind = err == ERR_LIMIT;
    }
    if (err == ERR_OK) /* nothing at all tells, too, whether the client is still there */
        err = http_feed_write(stream->feed, bytes);
    if (err == ERR_LIMIT)
        stream->is_behind = true;
    if (err == ERR_OK && bytes.len != 0)
        metric_add(METRIC_STREAM_EVENTS, 1);
    return err != ERR_HTTP_BROKEN;
}

static bool
stream_wants(const struct stream *stream, const struct live_change *change)
{
    return id_eq(stream->tenant, change->tenant) && (stream->topics & (1u << change->topic)) != 0 &&
           (!stream->is_limited || live_change_is_within(change, stream->channels, stream->channel_count));
}

/* As it is written into a stream. */
static struct slice
change_print(const struct live *live, const struct live_change *change, uint64_t number,
             char text[static EVENT_BYTES])
{
    char instance[ID_TEXT_BYTES];
    struct buf out;

    buf_init(&out, EVENT_BYTES);
    buf_add_format(&out, "id: %.*s-%llu\nevent: change\ndata: ",
                   SLICE_FMT(id_print(ID_INSTANCE, live->instance, instance)), (unsigned long long)number);
    live_change_print(&out, change);
    buf_add_text(&out, "\n\n");
    struct slice printed = SLICE_EMPTY;
    if (buf_done(&out) == ERR_OK) {
        printed = slice_of(text, out.len);
        memcpy(text, buf_slice(&out).ptr, printed.len);
    }
    buf_release(&out);
    return printed;
}

static void
change_tell(struct live *live, const struct live_change *change)
{
    char text[EVENT_BYTES];
    struct slice printed = SLICE_EMPTY;

    live->changes[++live->number % LIVE_CHANGES] = *change;
    if (live->number - live->forgotten > LIVE_CHANGES)
        live->forgotten = live->number - LIVE_CHANGES;
    for (struct stream **at = bucket_of(live, change->tenant); *at != NULL;) {
        if (stream_wants(*at, change)) {
            if (printed.ptr == NULL)
                printed = change_print(live, change, live->number, text);
            if (!stream_write(*at, printed)) {
                stream_drop(live, at);
                continue;
            }
        }
        at = &(*at)->next;
    }
}

/* Streams of a workspace, or of one key in it, whose owners may see more or less now. */
static void
judge_anew(struct live *live, struct id tenant, struct id key)
{
    for (struct stream **at = bucket_of(live, tenant); *at != NULL;) {
        if (id_eq((*at)->tenant, tenant) && (id_is_zero(key) || id_eq((*at)->actor, key)))
            stream_end(live, at, END_CHANGED);
        else
            at = &(*at)->next;
    }
}

static void
on_notice(void *ctx, struct slice channel UNUSED, struct slice payload)
{
    struct live *live = ctx;
    struct live_change changes[LIVE_CHANGES_OF_NOTICE];
    struct overview_notice notice;
    struct id key;
    enum err err;

    lock(live);
    while ((err = overview_notice_take(&payload, &notice)) != ERR_NOTHING) {
        if (err != ERR_OK)
            continue;
        size_t count = live_topic_changes(&notice, changes);
        for (size_t i = 0; i < count; i++)
            change_tell(live, &changes[i]);
        if (live_topic_judges(&notice, &key))
            judge_anew(live, notice.tenant, key);
    }
    unlock(live);
}

/* The sessions and keys of streams, each as often as it has streams. */
struct owners {
    struct live *live;
    struct id *sessions, *keys;
    size_t session_count, key_count;
    struct session_alive *alive;
    size_t alive_count;
    struct id *good;
    size_t good_count;
};

static enum err
owners_read(struct owners *owners)
{
    struct live *live = owners->live;
    enum err err = ERR_OK;

    lock(live);
    owners->sessions = arena_array(live->arena, live->count, sizeof(struct id));
    owners->keys = arena_array(live->arena, live->count, sizeof(struct id));
    if (owners->sessions == NULL || owners->keys == NULL)
        err = ERR_NO_MEMORY;
    for (size_t b = 0; err == ERR_OK && b < BUCKETS; b++)
        for (struct stream *stream = live->buckets[b]; stream != NULL; stream = stream->next) {
            stream->is_alive = false;
            if (id_is_zero(stream->session))
                owners->keys[owners->key_count++] = stream->actor;
            else
                owners->sessions[owners->session_count++] = stream->session;
        }
    unlock(live);
    return err;
}

static enum err
sessions_in(struct db_tx *tx, void *ctx)
{
    struct owners *owners = ctx;
    const struct live_config *config = &owners->live->config;

    return session_alive(tx, config->clock, &config->session_rules, owners->sessions, owners->session_count,
                         owners->live->arena, &owners->alive, &owners->alive_count);
}

static int
id_compare(const void *a, const void *b)
{
    return memcmp(a, b, ID_BYTES);
}

/* One that was opened since the look was begun is looked at by the next. */
static bool
is_owned(const struct owners *owners, const struct stream *stream)
{
    if (id_is_zero(stream->session)) {
        bool was_asked =
            bsearch(&stream->actor, owners->keys, owners->key_count, ID_BYTES, id_compare) != NULL;
        return !was_asked ||
               bsearch(&stream->actor, owners->good, owners->good_count, ID_BYTES, id_compare) != NULL;
    }
    if (bsearch(&stream->session, owners->sessions, owners->session_count, ID_BYTES, id_compare) == NULL)
        return true;
    const struct session_alive *alive =
        bsearch(&stream->session, owners->alive, owners->alive_count, sizeof(*alive), id_compare);
    return alive != NULL && id_eq(alive->workspace, stream->tenant);
}

/* Ends what nobody may have any more, and what has been open for its time. When nobody can say, all of it. */
static enum err
streams_look(struct live *live)
{
    struct owners owners = { .live = live };
    struct mono_time now = clock_mono(live->config.clock);
    enum err err = owners_read(&owners);

    if (err == ERR_OK && owners.session_count > 0)
        err = db_run(live->db, tenant_platform, sessions_in, &owners);
    if (err == ERR_OK && owners.key_count > 0)
        err = api_keys_alive(live->db, live->config.clock, owners.keys, owners.key_count, live->arena,
                             &owners.good, &owners.good_count);
    if (err == ERR_OK && owners.session_count > 1)
        qsort(owners.sessions, owners.session_count, ID_BYTES, id_compare);
    if (err == ERR_OK && owners.key_count > 1)
        qsort(owners.keys, owners.key_count, ID_BYTES, id_compare);
    lock(live);
    for (size_t b = 0; b < BUCKETS; b++)
        for (struct stream **at = &live->buckets[b]; *at != NULL;) {
            if (err != ERR_OK)
                stream_end(live, at, END_OVER);
            else if (!is_owned(&owners, *at))
                stream_end(live, at, END_ACCESS);
            else if ((*at)->ends_at.us <= now.us)
                stream_end(live, at, END_OVER);
            else if (!stream_write(*at, SLICE_EMPTY))
                stream_drop(live, at);
            else
                at = &(*at)->next;
        }
    unlock(live);
    arena_reset(live->arena);
    return err;
}

static void
streams_beat(struct live *live)
{
    lock(live);
    for (size_t b = 0; b < BUCKETS; b++)
        for (struct stream **at = &live->buckets[b]; *at != NULL;) {
            if (http_feed_write((*at)->feed, SLICE(":\n\n")) == ERR_HTTP_BROKEN)
                stream_drop(live, at);
            else
                at = &(*at)->next;
        }
    unlock(live);
}

/* What was told while the connection was away is lost: nobody's stream goes on as if nothing had happened. */
static void
forget(struct live *live)
{
    lock(live);
    live->forgotten = ++live->number;
    for (size_t b = 0; b < BUCKETS; b++)
        while (live->buckets[b] != NULL)
            stream_end(live, &live->buckets[b], END_OVER);
    unlock(live);
}

static bool
is_stopping(struct live *live)
{
    lock(live);
    bool stopping = live->is_stopping;
    unlock(live);
    return stopping;
}

/* Counts, and looks after the streams. *at_once_out: there is more to count. */
static enum err
turn(struct live *live, bool *at_once_out)
{
    size_t read = 0;
    enum err err = overview_count(live->db, live->arena, &read);

    *at_once_out = err == ERR_OK && read == OVERVIEW_PAGE_MAX;
    if (err == ERR_DB_CONFLICT) /* another gateway was faster */
        err = ERR_OK;
    enum err looked = streams_look(live);
    return err == ERR_OK ? looked : err;
}

static void
wait_until(struct live *live, struct mono_time until)
{
    struct pollfd fds[2] = { { .fd = db_fd(live->db), .events = POLLIN },
                             { .fd = live->event_fd, .events = POLLIN } };
    int64_t left_ms = (until.us - clock_mono(live->config.clock).us + 999) / 1000;

    if (left_ms > 0)
        (void)poll(fds, COUNT_OF(fds), left_ms < LIVE_TURN_MS ? (int)left_ms : LIVE_TURN_MS);
}

static void *
live_run(void *ctx)
{
    struct live *live = ctx;
    bool has_more = false;

    while (!is_stopping(live)) {
        enum err err = ERR_OK;
        if (!has_more)
            wait_until(live, live->turn_at);
        if (has_more || clock_mono(live->config.clock).us >= live->turn_at.us) {
            live->turn_at = mono_after_ms(clock_mono(live->config.clock), LIVE_TURN_MS);
            err = turn(live, &has_more);
        }
        if (clock_mono(live->config.clock).us >= live->beat_at.us) {
            live->beat_at = mono_after_ms(clock_mono(live->config.clock), LIVE_BEAT_MS);
            streams_beat(live);
        }
        enum err heard = db_notifications(live->db, on_notice, live);
        err = heard == ERR_OK ? err : heard;
        if (err != ERR_OK)
            log_event(LOG_WARN, "live.database_away", LOG_ERR(err));
        if (err == ERR_DB_UNAVAILABLE) {
            if (db_reopen(live->db, DB_REOPEN_MS) != ERR_OK)
                has_more = false;
            forget(live);
        }
    }
    return NULL;
}

enum err
live_new(const struct live_config *config, struct live **out)
{
    struct live *live = calloc(1, sizeof(*live));

    if (live == NULL)
        return ERR_NO_MEMORY;
    live->config = *config;
    live->instance = id_new(config->clock);
    pthread_mutex_init(&live->lock, NULL);
    live->is_joined = true;
    live->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    live->arena = arena_new(ARENA_BYTES);
    enum err err = live->event_fd < 0 ? ERR_SYSTEM : live->arena == NULL ? ERR_NO_MEMORY : ERR_OK;
    if (err == ERR_OK)
        err = db_open(config->database, &live->db);
    if (err == ERR_OK)
        err = db_listen(live->db, OVERVIEW_CHANNEL);
    if (err == ERR_OK && pthread_create(&live->thread, NULL, live_run, live) != 0)
        err = ERR_SYSTEM;
    if (err != ERR_OK) {
        live_free(live);
        return err;
    }
    live->is_joined = false;
    *out = live;
    return ERR_OK;
}

void
live_stop(struct live *live)
{
    uint64_t one = 1;

    if (live == NULL || live->is_joined)
        return;
    lock(live);
    live->is_stopping = true;
    for (size_t b = 0; b < BUCKETS; b++)
        while (live->buckets[b] != NULL)
            stream_drop(live, &live->buckets[b]);
    unlock(live);
    if (write(live->event_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
        bug("the thread cannot be woken");
    pthread_join(live->thread, NULL);
    live->is_joined = true;
}

void
live_free(struct live *live)
{
    if (live == NULL)
        return;
    live_stop(live);
    db_close(live->db);
    arena_free(live->arena);
    if (live->event_fd >= 0)
        close(live->event_fd);
    pthread_mutex_destroy(&live->lock);
    free(live);
}

static struct stream *
stream_new(const struct live *live, const struct principal *principal)
{
    struct stream *stream = calloc(1, sizeof(*stream));

    if (stream == NULL)
        return NULL;
    stream->tenant = principal->tenant;
    stream->actor = principal->actor;
    stream->session = principal->session;
    stream->topics = live_topics_of(principal->scopes);
    stream->is_limited = principal->is_channel_limited;
    stream->ends_at = mono_after_ms(clock_mono(live->config.clock), LIVE_STREAM_MS);
    if (principal->channel_count > 0) {
        stream->channels = calloc(principal->channel_count, sizeof(*stream->channels));
        if (stream->channels == NULL) {
            stream_free(stream);
            return NULL;
        }
        memcpy(stream->channels, principal->channels, principal->channel_count * sizeof(*stream->channels));
        stream->channel_count = principal->channel_count;
    }
    return stream;
}

static bool
has_room(struct live *live, const struct stream *stream)
{
    size_t workspace = 0, actor = 0;

    for (const struct stream *other = *bucket_of(live, stream->tenant); other != NULL; other = other->next)
        if (id_eq(other->tenant, stream->tenant)) {
            workspace++;
            actor += id_eq(other->actor, stream->actor);
        }
    return live->count < live->config.streams_max && workspace < live->config.workspace_max &&
           actor < live->config.actor_max;
}

/* "ins_...-17": the number, if it was given in this run and all behind it is remembered. */
static bool
last_event_read(const struct live *live, struct slice text, uint64_t *out)
{
    struct slice instance = slice_take_until(&text, '-');
    struct id id;

    return id_parse(ID_INSTANCE, instance, &id) == ERR_OK && id_eq(id, live->instance) &&
           num_u64_parse(text, out) == ERR_OK && *out >= live->forgotten && *out <= live->number;
}

/* What it may hear of, and what it missed. */
static void
stream_greet(struct live *live, struct stream *stream, struct slice last_event)
{
    char instance[ID_TEXT_BYTES], text[EVENT_BYTES];
    uint64_t number = 0;
    struct buf out;

    buf_init(&out, EVENT_BYTES);
    buf_add_format(&out, "retry: " RETRY_MS "\nid: %.*s-%llu\nevent: ready\ndata: {\"topics\":[",
                   SLICE_FMT(id_print(ID_INSTANCE, live->instance, instance)),
                   (unsigned long long)live->number);
    const char *comma = "";
    for (unsigned i = 0; i < LIVE_TOPIC_COUNT; i++)
        if ((stream->topics & (1u << i)) != 0) {
            buf_add_format(&out, "%s\"%s\"", comma, live_topic_word((enum live_topic)i));
            comma = ",";
        }
    buf_add_text(&out, "]}\n\n");
    if (buf_done(&out) == ERR_OK)
        (void)stream_write(stream, buf_slice(&out));
    buf_release(&out);
    if (last_event.len == 0)
        return;
    if (!last_event_read(live, last_event, &number)) {
        (void)stream_write(stream, SLICE("event: missed\ndata: {}\n\n"));
        return;
    }
    while (number++ < live->number) {
        const struct live_change *change = &live->changes[number % LIVE_CHANGES];
        if (stream_wants(stream, change))
            (void)stream_write(stream, change_print(live, change, number, text));
    }
}

enum err
live_open(struct live *live, struct http_request *request, const struct principal *principal,
          struct slice last_event)
{
    struct http_response head = { .status = 200, .content_type = SLICE("text/event-stream") };
    struct stream *stream = stream_new(live, principal);
    enum err err = ERR_NO_MEMORY;

    if (stream == NULL)
        return err;
    http_response_add(&head, "X-Accel-Buffering", SLICE("no")); /* nginx holds answers back otherwise */
    lock(live);
    err = live->is_stopping ? ERR_STOPPING : has_room(live, stream) ? ERR_OK : ERR_STREAMS;
    if (err == ERR_STREAMS)
        metric_add(METRIC_STREAMS_REFUSED, 1);
    if (err == ERR_OK)
        err = http_feed_begin(request, &head, &stream->feed);
    if (err == ERR_OK) {
        stream->next = *bucket_of(live, stream->tenant);
        *bucket_of(live, stream->tenant) = stream;
        metric_set(METRIC_STREAMS, ++live->count);
        stream_greet(live, stream, last_event); /* from here on the request may be gone at any time */
        stream = NULL;
    }
    unlock(live);
    if (stream != NULL)
        stream_free(stream);
    return err == ERR_OK ? ERR_DEFERRED : err;
}
