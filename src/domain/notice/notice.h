/*
 * Mails to the people who work with Harkara: a queue of rows in tenant_platform, each written in the
 * transaction of what it tells, sealed so that only a dispatcher can open it, and gone when it was sent, when
 * it was refused for good, or when what it tells is over. The vault is not asked within a transaction: seal
 * before, open after.
 */
#ifndef DOMAIN_NOTICE_NOTICE_H
#define DOMAIN_NOTICE_NOTICE_H
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/id.h"
#include "core/secret.h"
#include "platform/db/db.h"
#include "platform/ipc/vault_client.h"

enum notice_kind {
#define NOTICE(name, word) NOTICE_##name,
#include "domain/notice/notice.def"
#undef NOTICE
    NOTICE_KIND_COUNT
};
const char *notice_kind_word(enum notice_kind kind);
MUST_CHECK enum err notice_kind_parse(struct slice word, enum notice_kind *out);

enum notice_language { NOTICE_ENGLISH, NOTICE_HINDI };
const char *notice_language_word(enum notice_language language); /* "en", "hi" */
/* The one of a word such as "hi" or "hi-IN,en;q=0.5"; English for any other. */
enum notice_language notice_language_of(struct slice text);

#define NOTICE_DAY_MS 86400000 /* how long news is worth being told */

/* What a notice says; each text at most NOTICE_TEXT_BYTES_MAX and without NUL, empty where its kind has none.
 */
#define NOTICE_TEXT_BYTES_MAX 1024u
struct notice {
    struct id id;
    enum notice_kind kind;
    enum notice_language language;
    struct id about;                  /* an invitation or a change, with which it is taken back; zero: none */
    struct wall_time at, expires_at;  /* when it happened; when it is not worth anything any more */
    struct slice to;                  /* the address */
    struct slice name;                /* of the person who is told */
    struct slice workspace, by, link; /* by: the name of who invites */
    struct slice detail;              /* a passkey's name, a browser's User-Agent */
    struct slice address;             /* where from */
};

struct notice_sealed {
    struct notice notice; /* its texts are not stored in the open */
    struct vault_sealed data;
};
/* ERR_LIMIT: a text is too long; ERR_CONTRACT: it holds a NUL. */
MUST_CHECK enum err notice_seal(const struct vault *vault, const struct notice *notice, struct arena *arena,
                                struct notice_sealed *out);
/* In a transaction of tenant_platform; tells the dispatchers with its commit. One that is about the same
 * thing and was not sent yet is taken back. */
MUST_CHECK enum err notice_put(struct db_tx *tx, const struct notice_sealed *with);
/* What is about this and was not sent yet: its link is worth nothing. In a transaction of tenant_platform. */
MUST_CHECK enum err notice_withdraw(struct db_tx *tx, struct id about);

/* The dispatcher's side, each in a transaction of its own. */

struct notice_claim {
    struct id id;
    enum notice_kind kind;
    enum notice_language language;
    int64_t fence, attempt; /* attempt: 1 for the first */
    struct wall_time at, expires_at;
    int64_t left_ms; /* until it expires, by the database's clock */
    struct vault_sealed data;
};
/* The one that is due longest, for lease_ms; then it is due again. ERR_NOTHING: *wait_ms_out says for how
 * long, at most `lease_ms`. */
MUST_CHECK enum err notice_claim(struct db *db, int64_t lease_ms, struct arena *arena,
                                 struct notice_claim *out, int64_t *wait_ms_out);
/* *data_out (owned) holds what *out points into. ERR_SEAL_CORRUPT: also what is no notice's data. */
MUST_CHECK enum err notice_open(const struct vault *vault, const struct notice_claim *claim,
                                struct secret **data_out, struct notice *out);
/* It was sent, or never will be: the row is gone. Whoever has another fence changes nothing, in both. */
MUST_CHECK enum err notice_end(struct db *db, const struct notice_claim *claim);
MUST_CHECK enum err notice_put_off(struct db *db, const struct notice_claim *claim, int64_t delay_ms);
/* How long until the next attempt; 0: it would come too late, or there were enough. */
int64_t notice_delay_ms(int64_t attempt, int64_t left_ms);

#endif
