/*
 * What changes, as it happens: streams of it (server-sent events) to whoever may see it, and the count of
 * what became of messages that the overview shows. One thread of each gateway does both. It hears what has
 * changed from the database (domain/overview/overview_count.h) and writes, into each stream, which things
 * changed: their ids at most, nothing of what they say.
 *
 * A stream lives as long as its session or key is good, which is looked at every second, and LIVE_STREAM_MS
 * at most: then its client comes again and is judged anew, as it does when somebody's role, team or key was
 * changed. What it missed meanwhile is told then, if it says what it had last (Last-Event-ID) and this
 * gateway remembers.
 */
#ifndef PROGRAM_GATEWAY_LIVE_H
#define PROGRAM_GATEWAY_LIVE_H
#include "core/clock.h"
#include "core/err.h"
#include "domain/identity/principal.h"
#include "domain/identity/session.h"
#include "platform/net/http_server.h"

#define LIVE_TURN_MS                                                                                         \
    1000 /* how often the log is looked at, and sessions and keys; at once while a page was full */
#define LIVE_BEAT_MS   15000  /* a comment, so that nobody on the way takes the stream for dead */
#define LIVE_STREAM_MS 600000 /* of one stream */
#define LIVE_CHANGES   1024u  /* remembered for who comes again */

struct live; /* one per process; thread-safe */

struct live_config {
    const char *database; /* its own connection; borrowed while it runs */
    const struct clock *clock;
    struct session_rules session_rules;
    size_t streams_max, workspace_max,
        actor_max; /* open at once: of all, of a workspace, of a person or key */
};

MUST_CHECK enum err live_new(const struct live_config *config, struct live **out);
/* Ends all streams and the thread. Accepts NULL. */
void live_stop(struct live *live);
/* Stops it first; no stream may be opened any more. Accepts NULL. */
void live_free(struct live *live);

/*
 * Answers the request with a stream of what `principal` may see; the handler then returns ERR_DEFERRED.
 * `last_event` is what the client says that it had last; empty: nothing. ERR_STREAMS: too many are open.
 * ERR_STOPPING.
 */
MUST_CHECK enum err live_open(struct live *live, struct http_request *request,
                              const struct principal *principal, struct slice last_event);

#endif
