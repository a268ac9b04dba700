/* Entries as they are read back, the line that each is hashed and exported as, and the search for them. */
#ifndef DOMAIN_AUDIT_AUDIT_ENTRY_H
#define DOMAIN_AUDIT_AUDIT_ENTRY_H
#include "domain/audit/audit.h"

/* Words are kept as they were written: those of a newer build are shown as well. All text lives in the arena.
 */
struct audit_entry {
    struct id id;
    struct wall_time at;
    struct slice actor_kind, actor_name; /* name empty: none */
    struct id actor, session;            /* zero: none */
    struct slice action;
    struct slice object_prefix; /* "key_"; empty: no object */
    struct id object;
    struct slice outcome, detail;
    struct slice *commitments; /* in hex, in the order of the private parts */
    struct slice *subjects;    /* whose they are, as UUID */
    size_t part_count;
    bool is_sealed;
    uint64_t place; /* in the workspace's tree, when it is sealed */
};

/* Of a query: the columns of one entry, of table `e`; `n` is its node of level 0, or NULLs. */
#define AUDIT_ENTRY_COLUMNS                                                                                         \
    "e.id, e.at, e.actor_kind, e.actor_name, e.actor_id, e.session_id, e.action, e.object_kind, e.object_id, "      \
    "e.outcome, e.detail, array(SELECT encode(c.of, 'hex') FROM unnest(e.commitments) WITH ORDINALITY AS c (of, i)" \
    " ORDER BY c.i), e.subjects::text[], n.index"
#define AUDIT_ENTRY_COLUMN_COUNT 14
/* From `column` on. */
MUST_CHECK enum err audit_entry_read(const struct db_rows *rows, size_t row, int column, struct arena *arena,
                                     struct audit_entry *out);

#define AUDIT_LINE_BYTES_MAX 16384u
/*
 * The line of an entry at its place in the tree of `tenant`, without an end of line:
 *
 *   {"n":7,"id":"aud_...","tenant":"ten_...","at":"...","actor":{"kind":"person","id":"usr_...","session":"ses_...",
 *    "name":null},"action":"api_key.created","object":"key_...","outcome":"done","detail":{...},
 *    "private":[{"subject":"<uuid>","commitment":"<hex>"}]}
 *
 * Its bytes are the leaf. So they never change for what is written: a new member goes to the end, where it is
 * needed.
 */
void audit_line(struct id tenant, const struct audit_entry *entry, uint64_t place, struct buf *out);
/* "key_..." of an object's prefix and id. */
struct slice audit_object_print(const struct audit_entry *entry, char out[static ID_TEXT_BYTES]);
/* The prefix of an actor of this kind; empty for those without an id. */
struct slice audit_actor_prefix(struct slice kind);

#define AUDIT_LIST_MAX 100u
struct audit_filter {
    struct id actor, object;      /* zero: any */
    struct slice action, outcome; /* empty: any; an action that ends in ".*" is all of that kind */
    bool has_since, has_until;
    struct wall_time since, until; /* from, and before */
    struct id cursor;              /* zero: from the newest */
};
/* The newest first, at most `limit` + 1, so that one more tells of more. */
MUST_CHECK enum err audit_list(struct db_tx *tx, const struct audit_filter *filter, size_t limit,
                               struct arena *arena, struct audit_entry **out, size_t *count_out);
/* ERR_NOT_FOUND. */
MUST_CHECK enum err audit_get(struct db_tx *tx, struct id entry, struct arena *arena,
                              struct audit_entry *out);

/* What is still there of the private parts of some entries: erased ones are missing. */
struct audit_part {
    struct id id, entry, subject;
    struct vault_sealed sealed;
    struct slice text; /* once it is opened */
    unsigned char salt[AUDIT_SALT_BYTES];
};
MUST_CHECK enum err audit_parts(struct db_tx *tx, const struct id *entries, size_t count, struct arena *arena,
                                struct audit_part **out, size_t *count_out);
/* Outside of a transaction. A part that does not open is an error; nothing of it is shown. */
MUST_CHECK enum err audit_parts_open(const struct vault *vault, struct id tenant, struct audit_part *parts,
                                     size_t count, struct arena *arena);

/* Which of the entry's commitments an opened part answers to; by its hash. ERR_SEAL_CORRUPT: to none. */
MUST_CHECK enum err audit_part_place(const struct audit_entry *entry, const struct audit_part *part,
                                     size_t *out);

#endif
