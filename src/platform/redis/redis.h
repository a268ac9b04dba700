/*
 * A Redis server, asked for the answers of one script. Connections are made when they are wanted and kept in
 * a small pool; who asks waits for the answer, at most `timeout_ms`. While the server is away nobody waits
 * for it: after a failure the next try is made only after a pause, doubled up to two seconds, with jitter.
 * Thread-safe.
 */
#ifndef PLATFORM_REDIS_REDIS_H
#define PLATFORM_REDIS_REDIS_H
#include "core/clock.h"
#include "core/err.h"
#include "core/slice.h"

#define REDIS_ARGUMENTS_MAX 32768u /* of a script: keys and values */

struct redis;

struct redis_config {
    const char *url;      /* "unix:/path" or "redis://host:port"; borrowed while it runs */
    const char *user;     /* empty: only the password is shown; borrowed */
    const char *password; /* NULL: none; borrowed */
    const char *script;   /* Lua; borrowed */
    int timeout_ms;
    const struct clock *clock;
};

/* Whether the URL is one; *port_out is 0 for a unix socket. ERR_CONFIG. */
MUST_CHECK enum err redis_url_check(struct slice url, uint16_t *port_out);

/* Connects to nobody yet. ERR_CONFIG, ERR_CRYPTO, ERR_NO_MEMORY. */
MUST_CHECK enum err redis_new(const struct redis_config *config, struct redis **out);
void redis_free(struct redis *redis); /* accepts NULL */

/*
 * Runs the script with keys and arguments; it has to return `count` integers. ERR_BUSY: the server is away,
 * or did not answer in time, and then it may have run the script. ERR_FRAME: it answered something else.
 */
MUST_CHECK enum err redis_ask(struct redis *redis, const struct slice *keys, size_t key_count,
                              const struct slice *arguments, size_t argument_count, int64_t *out,
                              size_t count);
/* Grows when a connection breaks: what the server knew before may be gone. */
uint64_t redis_generation(struct redis *redis);

#endif
