/*
 * Sessions of people's browsers. The token has 256 random bits and is shown once, to the browser; kept is its
 * SHA-256. It is replaced whenever what the session may do grows or changes: at sign-in, when a factor is
 * shown again, with another workspace. A session ends when it was not used for a while, at its absolute end,
 * or when it is ended, and is looked at for each request, so an end is felt at once everywhere.
 */
#ifndef DOMAIN_IDENTITY_SESSION_H
#define DOMAIN_IDENTITY_SESSION_H
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/id.h"
#include "core/secret.h"
#include "domain/tenant/tenant.h"
#include "platform/db/db.h"

#define SESSION_TOKEN_BYTES    32u
#define SESSION_TEXT_BYTES     43u /* of a token, and of what is made of it */
#define SESSION_AGENT_MAX      256u
#define SESSION_PER_PERSON_MAX 100u  /* live ones; the oldest is ended for one more */
#define SESSION_SEEN_MS        30000 /* how exactly it is known when one was last used */

/* What a person has shown; bits. */
enum session_factor {
    SESSION_PASSKEY = 1,
    SESSION_FEDERATED = 2,
    SESSION_TOTP = 4,
    SESSION_RECOVERY_CODE = 8,
};
#define SESSION_FACTOR_COUNT 4u
const char *session_factor_word(enum session_factor factor);

/* Whoever came by a provider alone has still to show a factor of his own. */
static inline bool
session_is_half(unsigned factors)
{
    return factors == SESSION_FEDERATED;
}

enum session_end { SESSION_SIGNED_OUT, SESSION_REVOKED, SESSION_REPLACED };

struct session_rules {
    int64_t idle_ms, absolute_ms, step_up_ms;
    bool is_unattended; /* of session_check: the page asks by itself, and that is no use of the session */
};

struct session {
    struct id id, person;
    struct id workspace; /* zero: none was chosen */
    unsigned factors;
    struct wall_time created_at, seen_at, idle_until, expires_at;
    struct wall_time stepped_up_until; /* us 0: not stepped up now */
    struct slice address, user_agent;  /* of its beginning and of its last use */
};

struct session_new {
    struct id person, workspace;
    unsigned factors;
    struct slice address, user_agent; /* the latter is cut at SESSION_AGENT_MAX */
};
/*
 * In a transaction of tenant_platform. Whoever signs in has just shown who he is, so it is stepped up, unless
 * it is a half.
 * *token_out (owned) is SESSION_TEXT_BYTES of base64url.
 */
MUST_CHECK enum err session_begin(struct db_tx *tx, const struct clock *clock,
                                  const struct session_rules *rules, const struct session_new *with,
                                  struct session *out, struct secret **token_out);
/* A presented token. ERR_SESSION: it is none that lives now. Notes its use. */
MUST_CHECK enum err session_check(struct db *db, const struct clock *clock, const struct session_rules *rules,
                                  struct slice token, struct slice address, struct arena *arena,
                                  struct session *out);
/* Another workspace, with another token. ERR_NOT_FOUND. */
MUST_CHECK enum err session_switch(struct db_tx *tx, struct id session, struct id workspace,
                                   struct secret **token_out);
/* A factor was shown, with another token. ERR_NOT_FOUND. */
MUST_CHECK enum err session_step_up(struct db_tx *tx, const struct clock *clock, struct id session,
                                    enum session_factor factor, struct secret **token_out);
/* Those of a person that live, newest first, at most SESSION_PER_PERSON_MAX. */
MUST_CHECK enum err session_list(struct db_tx *tx, const struct clock *clock,
                                 const struct session_rules *rules, struct id person, struct arena *arena,
                                 struct session **out, size_t *count_out);
/* ERR_NOT_FOUND: no live one of this person. */
MUST_CHECK enum err session_end(struct db_tx *tx, const struct clock *clock, struct id person,
                                struct id session, enum session_end why);
/* Of some sessions those that live now, by their ids, and where each works. */
struct session_alive {
    struct id id, workspace; /* zero: none was chosen */
};
MUST_CHECK enum err session_alive(struct db_tx *tx, const struct clock *clock,
                                  const struct session_rules *rules, const struct id *sessions, size_t count,
                                  struct arena *arena, struct session_alive **out, size_t *count_out);
/* All of a person, but `except` (zero: none). */
MUST_CHECK enum err session_end_all(struct db_tx *tx, const struct clock *clock, struct id person,
                                    struct id except, enum session_end why, size_t *count_out);

/* What a page shows with each change (X-CSRF-Token): made of the token, so a new one comes with it. */
MUST_CHECK enum err session_csrf(struct slice token, char out[static SESSION_TEXT_BYTES]);

#endif
