/*
 * Access reviews: at a date somebody has looked at each member and said whether that member still needs what
 * he has. A review is opened with what everybody has then; taking somebody's access away takes effect at
 * once.
 */
#ifndef DOMAIN_IDENTITY_ACCESS_REVIEW_H
#define DOMAIN_IDENTITY_ACCESS_REVIEW_H
#include "domain/identity/membership.h"

struct access_review {
    struct id id;
    bool is_open;
    struct wall_time due_at, created_at, closed_at; /* the latter: us 0 while open */
    int64_t every_days;                             /* 0: it does not come again */
    int64_t item_count, decided_count;
};

struct access_review_item {
    struct id membership, person;
    struct slice role_name;
    uint64_t permissions;
    enum membership_reach reach;
    int64_t key_count;
    struct wall_time last_seen_at; /* us 0: never */
    enum membership_state state;   /* now, as the next one; all above: when the review was opened */
    struct wall_time keys_used_at; /* of keys that the person has made; us 0: never */
    struct slice decision;         /* "confirmed", "revoked"; NULL ptr: none yet */
    struct slice decided_by_kind;
    struct id decided_by;
    struct wall_time decided_at;
};

/* With everybody who has not left. ERR_EXISTS: one is open. */
MUST_CHECK enum err access_review_open(struct db_tx *tx, const struct clock *clock, struct wall_time due_at,
                                       int64_t every_days, struct id *id_out);
/* Newest first, after `before` (zero: newest), limit + 1 rows. */
MUST_CHECK enum err access_review_list(struct db_tx *tx, struct id before, size_t limit, struct arena *arena,
                                       struct access_review **out, size_t *count_out);
/* ERR_NOT_FOUND. */
MUST_CHECK enum err access_review_get(struct db_tx *tx, struct id review, struct access_review *out);
MUST_CHECK enum err access_review_items(struct db_tx *tx, struct id review, struct arena *arena,
                                        struct access_review_item **out, size_t *count_out);
/*
 * Of a member in the review, until it is closed; a confirmation may become a revocation. Revoking ends the
 * membership (membership_end). ERR_NOT_FOUND, ERR_STATE_CONFLICT: closed, or revoked already. ERR_AUTHORITY,
 * ERR_LAST_OWNER.
 */
MUST_CHECK enum err access_review_decide(struct db_tx *tx, const struct clock *clock,
                                         const struct authority *authority, struct id review,
                                         struct id membership, bool is_revoked, struct arena *arena,
                                         size_t *keys_out);
/* When all is decided. One that comes again opens anew, due every_days from now; *next_out is zero or that
 * one. ERR_NOT_FOUND, ERR_STATE_CONFLICT. */
MUST_CHECK enum err access_review_close(struct db_tx *tx, const struct clock *clock, struct id review,
                                        struct id *next_out);

#endif
